use crate::facts::{Confidence, Sender, Statement};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![over_ip(), in_udp()]
}

fn over_ip() -> Fixture {
    let chunks = vec![(Sender::Client, packet(0x00c0_ffee, 1)), (Sender::Server, packet(0x00be_ef00, 1))];
    fixture("esp over ip", Transport::Esp, 0, chunks)
}

fn in_udp() -> Fixture {
    let chunks = vec![
        (Sender::Client, packet(0x00c0_ffee, 900)),
        (Sender::Server, packet(0x00be_ef00, 77)),
        (Sender::Client, packet(0x00c0_ffee, 902)),
    ];
    fixture("esp in udp", Transport::Udp, 4500, chunks)
}

fn fixture(name: &'static str, transport: Transport, port: u16, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: super::SPEC.protocol, transport, client_port: port, server_port: port, chunks }
}

fn packet(spi: u32, sequence: u32) -> Vec<u8> {
    let mut bytes = spi.to_be_bytes().to_vec();
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0xa5; 92]);
    bytes
}

fn tunnels(fixture: &Fixture) -> Vec<(Confidence, bool)> {
    let facts = fixture.facts();
    let tunnel = |kind: &Statement| match kind {
        Statement::Tunnel(tunnel) => Some((tunnel.confidence, tunnel.established)),
        _ => None,
    };
    facts.iter().filter_map(|(_, kind)| tunnel(kind)).collect()
}

#[test]
fn packets_both_ways_are_one_tunnel() {
    assert_eq!(tunnels(&over_ip()), [(Confidence::Certain, true)]);
    assert_eq!(tunnels(&in_udp()), [(Confidence::Likely, true)]);
}

#[test]
fn one_side_alone_is_told_at_the_end() {
    let mut alone = over_ip();
    alone.chunks.truncate(1);
    assert_eq!(tunnels(&alone), [(Confidence::Certain, false)]);
}

#[test]
fn in_udp_only_a_sequence_counts() {
    let mut once = in_udp();
    once.chunks.truncate(2);
    assert_eq!(tunnels(&once), []);
    let mut standing = in_udp();
    standing.chunks[2].1 = packet(0x00c0_ffee, 900);
    assert_eq!(tunnels(&standing), []);
    let mut other = in_udp();
    other.chunks[2].1 = packet(0x00c0_ffef, 902);
    assert_eq!(tunnels(&other), []);
}

#[test]
fn in_udp_ike_beside_it_counts_too() {
    let mut beside = in_udp();
    beside.chunks.truncate(1);
    // The marker, then the header of an informational exchange.
    let ike = "00000000 1111111111111111 2222222222222222 00 20 25 08 00000000 0000001c";
    beside.chunks.push((Sender::Server, hex(ike)));
    assert_eq!(tunnels(&beside), [(Confidence::Likely, false)]);
    beside.chunks[1].1[3] = 1;
    assert_eq!(tunnels(&beside), []);
}
