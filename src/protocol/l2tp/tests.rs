use crate::facts::{Confidence, Sender, Statement, Tunnel, Value};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![opening(), amid_the_flow(), version_3(), over_ip(), control_over_ip()]
}

/// SCCRQ with host name and vendor, SCCRP with host name, SCCCN.
fn opening() -> Fixture {
    let version = "8008 0000 0002 0100";
    fixture(
        "l2tp",
        vec![
            (
                Sender::Client,
                control(0, &format!("8008 0000 0000 0001 {version} 800a 0000 0007 50432d37 000b 0000 0008 4c696e7578")),
            ),
            (Sender::Server, control(7, &format!("8008 0000 0000 0002 {version} 8008 0000 0007 6777"))),
            (Sender::Client, control(9, "8008 0000 0000 0003")),
        ],
    )
}

fn amid_the_flow() -> Fixture {
    let data = |session: &str| hex(&format!("0002 1f42 {session} ff03 0021 4500003c"));
    fixture(
        "l2tp amid the flow",
        vec![
            (Sender::Client, data("aaa5")),
            (Sender::Server, hex("0202 0001 1260 0000 ff03 0021 4500003c")),
            (Sender::Client, data("aaa5")),
        ],
    )
}

/// Session 3000, without a cookie; Ethernet inside.
fn version_3() -> Fixture {
    let data = || hex("00030000 00000bb8 00000000 ffffffffffff 005056a554e8 0806 0001");
    fixture("l2tp version 3", vec![(Sender::Client, data()), (Sender::Client, data())])
}

/// Session 77 and session 78, with cookies of four bytes before what is no packet of a flow.
fn over_ip() -> Fixture {
    let data = |session: &str| hex(&format!("{session} c00c1e00 4500001c 00010000 4001"));
    of_ip("l2tp over ip", vec![(Sender::Client, data("0000004d")), (Sender::Server, data("0000004e"))])
}

/// A request of version 3 behind session 0, and its answer.
fn control_over_ip() -> Fixture {
    let message = |kind: &str| {
        let mut bytes =
            [hex("00000000"), control(0, &format!("8008 0000 0000 {kind} 800a 0000 0007 50432d37"))].concat();
        bytes[5] = 3;
        bytes
    };
    of_ip("l2tp over ip, opened", vec![(Sender::Client, message("0001")), (Sender::Server, message("0002"))])
}

fn of_ip(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { transport: Transport::L2tp, client_port: 0, server_port: 0, ..fixture(name, chunks) }
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let (protocol, transport) = (super::SPEC.protocol, Transport::Udp);
    Fixture { name, protocol, transport, client_port: 1701, server_port: 1701, chunks }
}

fn control(tunnel: u16, avps: &str) -> Vec<u8> {
    let avps = hex(avps);
    let mut bytes = hex("c802");
    bytes.extend(u16::try_from(avps.len() + 12).unwrap().to_be_bytes());
    bytes.extend(tunnel.to_be_bytes());
    bytes.extend(hex("0000 0000 0000"));
    bytes.extend(avps);
    bytes
}

fn tunnels(fixture: &Fixture) -> Vec<Tunnel> {
    let facts = fixture.facts();
    let tunnel = |kind: &Statement| match kind {
        Statement::Tunnel(tunnel) => Some(Tunnel::clone(tunnel)),
        _ => None,
    };
    facts.iter().filter_map(|(_, kind)| tunnel(kind)).collect()
}

#[test]
fn the_reply_makes_a_certain_tunnel_with_names() {
    let [tunnel] = &tunnels(&opening())[..] else { panic!("one tunnel") };
    assert!(tunnel.established && tunnel.confidence == Confidence::Certain);
    assert_eq!(tunnel.fields.get("l2tp.host_name"), Some(&Value::Text("PC-7".into())));
    assert_eq!(tunnel.fields.get("l2tp.vendor"), Some(&Value::Text("Linux".into())));
    assert_eq!(tunnel.fields.get("l2tp.server_host_name"), Some(&Value::Text("gw".into())));
}

#[test]
fn data_messages_must_agree() {
    let [tunnel] = &tunnels(&amid_the_flow())[..] else { panic!("one tunnel") };
    assert_eq!(tunnel.confidence, Confidence::Likely);
    let mut other = amid_the_flow();
    other.chunks[2].1[5] ^= 1;
    assert!(tunnels(&other).is_empty());
    let elsewhere = Fixture { client_port: 9000, server_port: 9000, ..amid_the_flow() };
    assert!(tunnels(&elsewhere).is_empty());
}

#[test]
fn a_control_message_adds_up_or_is_none() {
    for spoil in [
        |bytes: &mut Vec<u8>| bytes.push(0),    // longer than it says
        |bytes: &mut Vec<u8>| bytes[1] = 4,     // version 4
        |bytes: &mut Vec<u8>| bytes[0] = 0xd8,  // a reserved flag
        |bytes: &mut Vec<u8>| bytes[13] = 0x0a, // the first AVP is longer
    ] {
        let mut fixture = opening();
        fixture.chunks.truncate(1);
        spoil(&mut fixture.chunks[0].1);
        assert!(tunnels(&fixture).is_empty());
    }
}

#[test]
fn a_hello_amid_a_tunnel_tells_of_it_on_its_port() {
    let hello = |port| Fixture {
        client_port: port,
        server_port: port,
        ..fixture("", vec![(Sender::Client, control(5, "8008 0000 0000 0006")), (Sender::Server, control(4, ""))])
    };
    let [tunnel] = &tunnels(&hello(1701))[..] else { panic!("one tunnel") };
    assert!(tunnel.established && tunnel.confidence == Confidence::Likely);
    assert!(tunnels(&hello(9000)).is_empty());
}

#[test]
fn the_sessions_of_version_3_must_agree_too() {
    let [tunnel] = &tunnels(&version_3())[..] else { panic!("one tunnel") };
    assert_eq!((tunnel.confidence, tunnel.established), (Confidence::Likely, false));
    for (at, value) in [(3, 1), (6, 1), (0, 0x01)] {
        let mut other = version_3();
        other.chunks[1].1[at] = value;
        assert!(tunnels(&other).is_empty(), "byte {at}");
    }
}

#[test]
fn a_request_of_version_3_is_one_too() {
    let mut request = opening();
    request.chunks.truncate(1);
    request.chunks[0].1[1] = 3;
    let [tunnel] = &tunnels(&request)[..] else { panic!("one tunnel") };
    assert_eq!(tunnel.fields.get("l2tp.host_name"), Some(&Value::Text("PC-7".into())));
}

#[test]
fn over_ip_a_session_is_a_tunnel() {
    let [tunnel] = &tunnels(&over_ip())[..] else { panic!("one tunnel") };
    assert_eq!((tunnel.confidence, tunnel.established), (Confidence::Certain, true));
    let [tunnel] = &tunnels(&control_over_ip())[..] else { panic!("one tunnel") };
    assert_eq!(tunnel.fields.get("l2tp.host_name"), Some(&Value::Text("PC-7".into())));
    let mut one = over_ip();
    one.chunks.truncate(1);
    let [tunnel] = &tunnels(&one)[..] else { panic!("one tunnel") };
    assert!(!tunnel.established);
}

#[test]
fn a_number_without_a_session_is_no_tunnel() {
    for bytes in ["00000000", "0000004d", "00000000 0003 0000 0000004d ff"] {
        let fixture = of_ip("", vec![(Sender::Client, hex(bytes)), (Sender::Server, hex(bytes))]);
        assert!(tunnels(&fixture).is_empty(), "{bytes}");
    }
}
