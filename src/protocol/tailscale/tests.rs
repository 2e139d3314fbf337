use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![path_discovery()]
}

fn path_discovery() -> Fixture {
    Fixture {
        name: "path discovery",
        protocol: SPEC.protocol,
        transport: Transport::Udp,
        client_port: 41_641,
        server_port: 41_641,
        chunks: vec![(Sender::Client, disco("c1")), (Sender::Server, disco("5e"))],
    }
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
fn the_wireguard_behind_path_discovery_is_told_under_its_own_name() {
    use crate::protocol::wireguard::tests::{initiation, response};
    let mut chunks = path_discovery().chunks;
    chunks.extend([(Sender::Client, disco("c1")), (Sender::Server, initiation([1, 2, 3, 4], 9))]);
    chunks.push((Sender::Client, response([1, 2, 3, 4])));
    let names: Vec<_> = fixtures()[0].facts_of(&chunks).iter().map(|(protocol, _)| protocol.as_str()).collect();
    assert_eq!(names, ["tailscale", "wireguard"]);
    chunks[4].1[8] ^= 1;
    let names: Vec<_> = fixtures()[0].facts_of(&chunks).iter().map(|(protocol, _)| protocol.as_str()).collect();
    assert_eq!(names[0], "tailscale");
    chunks.truncate(3);
    chunks.push((Sender::Client, vec![4; 64]));
    assert_eq!(fixtures()[0].facts_of(&chunks).len(), 1, "no WireGuard");
}

#[test]
fn a_datagram_that_is_too_short_is_none() {
    assert!(Disco::parse(&disco("c1")[..79]).is_none());
    assert!(Disco::parse(&disco("c1")[..80]).is_some());
}
