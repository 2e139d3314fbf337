use super::*;
use crate::facts::Value;
use crate::protocol::tests::{Fixture, hex};

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![Fixture {
        name: "a session",
        protocol: PROTOCOL,
        transport: Transport::Udp,
        client_port: 40_000,
        server_port: PORT,
        chunks: session(),
    }]
}

fn array(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

fn packet(opcode: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    [&[0, 1, 0, opcode][..], &u16::try_from(body.len()).unwrap().to_be_bytes(), &body].concat()
}

/// Query, Willing, Request, Accept, Manage, KeepAlive, Alive.
fn session() -> Vec<(Sender, Vec<u8>)> {
    let cookie = || array("MIT-MAGIC-COOKIE-1");
    let addresses = [hex("01 0004 c0000201"), array(""), array(""), hex("01"), cookie(), array("")].concat();
    let grant = [array(""), array(""), cookie(), array("0123456789abcdef")].concat();
    vec![
        (Sender::Client, packet(2, &[hex("00")])),
        (Sender::Server, packet(5, &[array(""), array("desk.example.com"), array("Linux 5.10")])),
        (Sender::Client, packet(7, &[hex("0001 01 0000"), addresses])),
        (Sender::Server, packet(8, &[hex("00000007"), grant])),
        (Sender::Client, packet(10, &[hex("00000007 0001"), array("MIT-unspecified")])),
        (Sender::Client, packet(13, &[hex("0001 00000007")])),
        (Sender::Server, packet(14, &[hex("01 00000007")])),
    ]
}

#[test]
fn a_session_is_one_remote_desktop_of_a_manager_that_names_itself() {
    let facts = fixtures()[0].facts();
    assert!(matches!(
        facts.iter().map(|(_, kind)| kind).collect::<Vec<_>>()[..],
        [Statement::Hello(_), Statement::Hello(_), Statement::RemoteDesktop(_)]
    ));
    let value = |name| facts.iter().find_map(|(_, kind)| kind.fields()?.get(name).cloned());
    assert_eq!(value("xdmcp.host"), Some(Value::Text("desk.example.com".into())));
    assert_eq!(value("xdmcp.status"), Some(Value::Text("Linux 5.10".into())));
    assert_eq!(value("xdmcp.display_class"), Some(Value::Text("MIT-unspecified".into())));
    assert!(!format!("{facts:?}").contains("0123456789abcdef"));
}

#[test]
fn every_message_must_be_filled_exactly() {
    for (_, datagram) in session() {
        assert!(wire::message(&datagram).is_some());
        let mut longer = datagram.clone();
        longer.push(0);
        assert_eq!(wire::message(&longer), None);
        longer[5] += 1;
        assert_eq!(wire::message(&longer), None, "a byte more in the body");
    }
    assert_eq!(wire::message(&packet(15, &[])), None);
}
