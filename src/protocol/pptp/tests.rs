use crate::facts::{Confidence, Sender, Statement, Tunnel, Value};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![control_connection(), amid_a_connection()]
}

/// Echo request and reply (RFC 2637 §2.5 and §2.6).
fn amid_a_connection() -> Fixture {
    let chunks = vec![
        (Sender::Client, hex("0010 0001 1a2b3c4d 0005 0000 00000001")),
        (Sender::Server, hex("0014 0001 1a2b3c4d 0006 0000 00000001 01 00 0000")),
    ];
    Fixture { name: "pptp amid a connection", chunks, ..control_connection() }
}

fn control_connection() -> Fixture {
    Fixture {
        name: "pptp",
        protocol: super::SPEC.protocol,
        transport: Transport::Tcp,
        client_port: 40_000,
        server_port: 1723,
        chunks: vec![
            (Sender::Client, start("0001 0000 0100 0000", "PC-7", "Microsoft")),
            (Sender::Server, start("0002 0000 0100 0100", "gw", "linux")),
        ],
    }
}

fn start(kind_to_result: &str, host_name: &str, vendor: &str) -> Vec<u8> {
    let mut bytes = hex("009c 0001 1a2b3c4d");
    bytes.extend(hex(kind_to_result));
    bytes.extend(hex("00000003 00000003 ffff 0001"));
    for text in [host_name, vendor] {
        let mut field = text.as_bytes().to_vec();
        field.resize(64, 0);
        bytes.extend(field);
    }
    bytes
}

fn tunnel(fixture: &Fixture) -> Tunnel {
    let facts = fixture.facts();
    let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("one tunnel: {facts:?}") };
    Tunnel::clone(tunnel)
}

#[test]
fn a_reply_makes_a_certain_tunnel_with_the_names_of_both_sides() {
    let tunnel = tunnel(&control_connection());
    assert!(tunnel.established && tunnel.confidence == Confidence::Certain);
    assert_eq!(tunnel.fields.get("pptp.host_name"), Some(&Value::Text("PC-7".into())));
    assert_eq!(tunnel.fields.get("pptp.server_vendor"), Some(&Value::Text("linux".into())));
}

#[test]
fn a_refusal_or_silence_establishes_nothing() {
    let mut refused = control_connection();
    refused.chunks[1].1 = start("0002 0000 0100 0300", "", "");
    assert!(!tunnel(&refused).established);
    refused.chunks.truncate(1);
    assert_eq!(tunnel(&refused).confidence, Confidence::Likely);
}

#[test]
fn a_reply_to_what_was_not_seen_is_likely_a_tunnel() {
    let mut reply = control_connection();
    reply.chunks.remove(0);
    reply.chunks.truncate(1);
    let tunnel = tunnel(&reply);
    assert!(tunnel.established && tunnel.confidence == Confidence::Likely);
    assert_eq!(tunnel.fields.get("pptp.server_vendor"), Some(&Value::Text("linux".into())));
}

#[test]
fn the_cookie_must_be_there() {
    let mut spoilt = control_connection();
    spoilt.chunks.truncate(1);
    spoilt.chunks[0].1[7] = 0;
    assert!(spoilt.facts().is_empty());
}

#[test]
fn any_message_tells_of_a_connection_that_is_open() {
    let amid = amid_a_connection();
    assert!(tunnel(&amid).established && tunnel(&amid).confidence == Confidence::Likely);
    for (at, value) in [(1, 17), (3, 2), (7, 0), (9, 16), (11, 1)] {
        let mut spoilt = amid.clone();
        spoilt.chunks.truncate(1);
        spoilt.chunks[0].1[at] = value;
        assert!(spoilt.facts().is_empty(), "byte {at}");
    }
}
