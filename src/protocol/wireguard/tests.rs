use crate::facts::{Confidence, Sender, Statement, Tunnel};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![handshake(), amid_the_flow()]
}

/// Initiation, response, keepalive; the keys, tags and ciphertexts are counted bytes.
fn handshake() -> Fixture {
    let chunks = vec![
        (Sender::Client, initiation([0xa1, 0xa2, 0xa3, 0xa4], 0x10)),
        (Sender::Server, response([0xa1, 0xa2, 0xa3, 0xa4])),
        (Sender::Client, data([0xb1, 0xb2, 0xb3, 0xb4], 0, 0)),
    ];
    fixture("wireguard handshake", chunks)
}

fn amid_the_flow() -> Fixture {
    let chunks = vec![
        (Sender::Client, data([0xb1, 0xb2, 0xb3, 0xb4], 200, 64)),
        (Sender::Server, data([0xa1, 0xa2, 0xa3, 0xa4], 310, 1408)),
        (Sender::Client, data([0xb1, 0xb2, 0xb3, 0xb4], 201, 0)),
        (Sender::Client, data([0xb1, 0xb2, 0xb3, 0xb4], 203, 96)),
    ];
    fixture("wireguard amid the flow", chunks)
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture {
        name,
        protocol: super::SPEC.protocol,
        transport: Transport::Udp,
        client_port: 40_000,
        server_port: 51_820,
        chunks,
    }
}

fn initiation(sender: [u8; 4], seed: u8) -> Vec<u8> {
    let mut bytes = hex("01 00 00 00");
    bytes.extend(sender);
    bytes.extend((0..124).map(|at| (seed + at) & 0x7f));
    bytes.extend([0; 16]);
    bytes
}

fn response(receiver: [u8; 4]) -> Vec<u8> {
    let mut bytes = hex("02 00 00 00 b1 b2 b3 b4");
    bytes.extend(receiver);
    bytes.extend(1..=64);
    bytes.extend([0; 16]);
    bytes
}

fn data(receiver: [u8; 4], counter: u64, len: usize) -> Vec<u8> {
    let mut bytes = hex("04 00 00 00");
    bytes.extend(receiver);
    bytes.extend(counter.to_le_bytes());
    bytes.extend(vec![0x5a; len + 16]);
    bytes
}

fn tunnels(fixture: &Fixture) -> Vec<(Confidence, bool)> {
    let tunnel = |kind: &Statement| match kind {
        Statement::Tunnel(tunnel) => {
            let Tunnel { confidence, established, .. } = **tunnel;
            Some((confidence, established))
        }
        _ => None,
    };
    fixture.facts().iter().filter_map(|(_, kind)| tunnel(kind)).collect()
}

#[test]
fn a_handshake_is_one_certain_tunnel() {
    assert_eq!(tunnels(&handshake()), [(Confidence::Certain, true)]);
}

#[test]
fn an_initiation_that_nobody_answers_is_a_likely_tunnel() {
    let mut unanswered = handshake();
    unanswered.chunks.truncate(1);
    assert_eq!(tunnels(&unanswered), [(Confidence::Likely, false)]);
    unanswered.chunks.push((Sender::Client, initiation([0xc1, 0xc2, 0xc3, 0xc4], 0x20)));
    unanswered.chunks.push((Sender::Server, response([0xc1, 0xc2, 0xc3, 0xc4])));
    assert_eq!(tunnels(&unanswered), [(Confidence::Likely, false), (Confidence::Certain, true)]);
}

#[test]
fn an_answer_to_somebody_else_proves_nothing() {
    let mut stray = handshake();
    stray.chunks[1].1 = response([0xff; 4]);
    assert_eq!(tunnels(&stray), [(Confidence::Likely, false)]);
}

#[test]
fn a_cookie_reply_proves_the_protocol_but_no_tunnel() {
    let mut busy = handshake();
    let mut cookie = hex("03 00 00 00 a1 a2 a3 a4");
    cookie.extend(1..=56);
    busy.chunks[1].1 = cookie;
    busy.chunks.truncate(2);
    assert_eq!(tunnels(&busy), [(Confidence::Certain, false)]);
}

#[test]
fn data_counts_when_the_counters_of_one_session_rise() {
    assert_eq!(tunnels(&amid_the_flow()), [(Confidence::Likely, true)]);
    let mut standing = amid_the_flow();
    standing.chunks[3].1 = data([0xb1, 0xb2, 0xb3, 0xb4], 201, 96);
    assert_eq!(tunnels(&standing), []);
    let mut strangers = amid_the_flow();
    strangers.chunks[3].1 = data([0xd1, 0xd2, 0xd3, 0xd4], 203, 96);
    assert_eq!(tunnels(&strangers), []);
    let mut noise = amid_the_flow();
    noise.chunks.iter_mut().for_each(|(_, bytes)| bytes.push(0));
    assert_eq!(tunnels(&noise), []);
}

#[test]
fn lengths_without_keys_are_no_initiation() {
    let mut zeros = hex("01 00 00 00 a1 a2 a3 a4");
    zeros.resize(148, 0);
    assert_eq!(tunnels(&fixture("zeros", vec![(Sender::Client, zeros)])), []);
    let mut not_a_key = initiation([1, 2, 3, 4], 0);
    not_a_key[39] |= 0x80;
    assert_eq!(tunnels(&fixture("not a key", vec![(Sender::Client, not_a_key)])), []);
}
