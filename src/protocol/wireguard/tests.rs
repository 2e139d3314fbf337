use super::Rekeying;
use crate::facts::{Confidence, Sender, Statement, Tunnel};
use crate::net::Transport;
use crate::protocol::Chunk;
use crate::protocol::tests::{Fixture, hex};
use crate::time::Timestamp;

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![handshake(), amid_the_flow(), amid_a_download()]
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

/// Packets as long as the tunnel's MTU, here the usual 1420, are not padded beyond it: 1452 bytes with header and tag.
fn amid_a_download() -> Fixture {
    let chunks = (0..4).map(|counter| (Sender::Server, data([0xa1, 0xa2, 0xa3, 0xa4], 310 + counter, 1420))).collect();
    fixture("wireguard amid a download", chunks)
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

pub(crate) fn initiation(sender: [u8; 4], seed: u8) -> Vec<u8> {
    let mut bytes = hex("01 00 00 00");
    bytes.extend(sender);
    bytes.extend((0..124).map(|at| (seed + at) & 0x7f));
    bytes.extend([0; 16]);
    bytes
}

pub(crate) fn response(receiver: [u8; 4]) -> Vec<u8> {
    let mut bytes = hex("02 00 00 00 b1 b2 b3 b4");
    bytes.extend(receiver);
    bytes.extend(1..=64);
    bytes.extend([0; 16]);
    bytes
}

pub(crate) fn data(receiver: [u8; 4], counter: u64, len: usize) -> Vec<u8> {
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
fn two_messages_each_way_that_agree_are_enough() {
    let (to_client, to_server) = ([1, 0, 0, 7], [2, 0, 0, 9]);
    let chunks = vec![
        (Sender::Client, data(to_server, 5, 128)),
        (Sender::Server, data(to_client, 6, 128)),
        (Sender::Client, data(to_server, 6, 128)),
        (Sender::Server, data(to_client, 8, 128)),
    ];
    assert_eq!(tunnels(&fixture("", chunks[..3].to_vec())), []);
    assert_eq!(tunnels(&fixture("", chunks.clone())), [(Confidence::Likely, true)]);
    let mut standing = chunks;
    standing[3].1 = data(to_client, 6, 128);
    assert_eq!(tunnels(&fixture("", standing)), []);
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

/// The round trips that datagrams complete, by when they pass the tap in milliseconds.
fn round_trips(datagrams: &[(u64, Sender, Vec<u8>)]) -> Vec<Option<u128>> {
    let mut rekeying = Rekeying::default();
    let mut of = |(at, sender, bytes): &(u64, Sender, Vec<u8>)| {
        let at = Timestamp::from_nanos(at * 1_000_000);
        rekeying.on_datagram(Chunk { at, sender: *sender, bytes, missing: 0 }).map(|rtt| rtt.as_millis())
    };
    datagrams.iter().map(&mut of).collect()
}

#[test]
fn a_clients_answer_to_a_new_index_is_a_round_trip_once() {
    let (old, new) = ([0xc1; 4], [0xb1, 0xb2, 0xb3, 0xb4]);
    let datagrams = [
        (0, Sender::Client, initiation([0xa1; 4], 0x10)),
        (2, Sender::Server, response([0xa1; 4])),
        (3, Sender::Client, data(old, 900, 64)),
        (4, Sender::Server, data([0xa0; 4], 310, 64)),
        (32, Sender::Client, data(new, 0, 0)),
        (33, Sender::Client, data(new, 1, 64)),
    ];
    assert_eq!(round_trips(&datagrams), [None, None, None, None, Some(30), None]);
}

#[test]
fn a_client_that_the_server_asks_anew_answers_with_a_response() {
    let asked = [0xb1; 4];
    let datagrams = [(0, Sender::Server, initiation(asked, 0x10)), (40, Sender::Client, response(asked))];
    assert_eq!(round_trips(&datagrams), [None, Some(40)]);
}

#[test]
fn an_answer_that_was_repeated_is_timed_by_its_own_index() {
    let mut again = response([0xa1; 4]);
    again[4..8].copy_from_slice(&[0xd1; 4]);
    let datagrams = [
        (0, Sender::Server, response([0xa1; 4])),
        (5000, Sender::Server, again),
        (5020, Sender::Client, data([0xb1, 0xb2, 0xb3, 0xb4], 0, 0)),
        (5030, Sender::Client, data([0xd1; 4], 0, 0)),
    ];
    assert_eq!(round_trips(&datagrams), [None, None, None, Some(30)]);
}

#[test]
fn a_handshake_that_the_snap_length_cut_is_known_by_its_lengths_and_its_indices() {
    let told = |snap_len: usize| -> Vec<(Confidence, bool)> {
        let tunnel = |(_, kind)| match kind {
            Statement::Tunnel(tunnel) => Some(tunnel),
            _ => None,
        };
        let facts = handshake().facts_within(snap_len).into_iter();
        facts.filter_map(tunnel).map(|tunnel| (tunnel.confidence, tunnel.established)).collect()
    };
    for snap_len in [40, 54, 91, 147] {
        assert_eq!(told(snap_len), [(Confidence::Certain, true)], "{snap_len}");
    }
    assert_eq!(told(39), []);
}
