use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![Fixture {
        name: "path discovery",
        protocol: SPEC.protocol,
        transport: Transport::Udp,
        client_port: 41_641,
        server_port: 41_641,
        chunks: vec![(Sender::Client, disco("c1")), (Sender::Server, disco("5e"))],
    }]
}

fn disco(key: &str) -> Vec<u8> {
    hex(&format!("5453 f09f92ac {} {} {}", key.repeat(32), "07".repeat(24), "b0".repeat(30)))
}

fn tunnels(chunks: &[(Sender, Vec<u8>)]) -> Vec<(bool, String)> {
    let tunnel = |(_, kind)| match kind {
        Statement::Tunnel(tunnel) => (tunnel.established, format!("{:?}", tunnel.fields)),
        other => panic!("{other:?}"),
    };
    fixtures()[0].facts_of(chunks).into_iter().map(tunnel).collect()
}

#[test]
fn two_nodes_that_find_each_other_are_one_tunnel() {
    let said = tunnels(&fixtures()[0].chunks);
    let [(true, fields)] = &said[..] else { panic!("{said:?}") };
    assert!(fields.contains(&"c1".repeat(32)), "{fields}");
}

#[test]
fn a_node_that_is_not_answered_is_a_tunnel_that_is_not_established() {
    let said = tunnels(&[(Sender::Client, disco("c1")), (Sender::Client, disco("c1"))]);
    assert!(matches!(said[..], [(false, _)]), "{said:?}");
}

#[test]
fn a_datagram_that_is_too_short_is_none() {
    assert!(Disco::parse(&disco("c1")[..79]).is_none());
    assert!(Disco::parse(&disco("c1")[..80]).is_some());
}
