use crate::facts::{Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![around_icmp(), around_ospf()]
}

fn around_icmp() -> Fixture {
    fixture("ah around icmp", 1)
}

fn around_ospf() -> Fixture {
    fixture("ah around ospf", 89)
}

/// Two packets each way; the authenticator is 96 bits of a hash.
fn fixture(name: &'static str, next_header: u8) -> Fixture {
    let chunks = (1..=2).flat_map(|sequence| {
        [
            (Sender::Client, packet(next_header, 0xc0ff_ee00, sequence)),
            (Sender::Server, packet(next_header, 0xbeef_0000, sequence)),
        ]
    });
    Fixture {
        name,
        protocol: super::SPEC.protocol,
        transport: Transport::Ah,
        client_port: 0,
        server_port: 0,
        chunks: chunks.collect(),
    }
}

fn packet(next_header: u8, spi: u32, sequence: u32) -> Vec<u8> {
    let mut bytes = vec![next_header, 4, 0, 0];
    bytes.extend(spi.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(hex("0102030405060708090a0b0c"));
    bytes.extend(spi.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0xa5; 32]);
    bytes
}

#[test]
fn packets_both_ways_are_one_tunnel_that_names_what_is_inside() {
    let facts = around_icmp().facts();
    let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("one tunnel: {facts:?}") };
    assert!(tunnel.established);
    assert_eq!(tunnel.fields.get("ah.next_header"), Some(&Value::Number(1)));
}

#[test]
fn a_header_that_contradicts_itself_is_malformed_and_no_tunnel() {
    for spoil in [
        |packet: &mut Vec<u8>| packet.truncate(20),  // longer than its packet
        |packet: &mut Vec<u8>| packet.truncate(8),   // no sequence number
        |packet: &mut Vec<u8>| packet[1] = 0,        // shorter than its fixed fields
        |packet: &mut Vec<u8>| packet[4..8].fill(0), // no association
    ] {
        let mut fixture = around_icmp();
        fixture.chunks.iter_mut().for_each(|(_, packet)| spoil(packet));
        let facts = fixture.facts();
        let [(protocol, Statement::Malformed(reason))] = &facts[..] else { panic!("malformed: {facts:?}") };
        assert_eq!((*protocol, *reason), (super::SPEC.protocol, "ah_header"));
    }
    let mut one_wrong = around_icmp();
    one_wrong.chunks[0].1[1] = 0;
    assert!(matches!(one_wrong.facts()[..], [(_, Statement::Tunnel(_))]), "the others are right");
}
