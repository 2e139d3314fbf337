use super::*;
use crate::facts::Value;
use crate::protocol::tests::{Fixture, hex};

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture(Transport::Tcp, "the first messages", first_messages()),
        fixture(Transport::Tcp, "amid a connection", vec![(Sender::Server, later_message())]),
        fixture(Transport::Udp, "two machines", two_machines()),
    ]
}

fn fixture(transport: Transport, name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let (client_port, server_port) = match transport {
        Transport::Tcp => (35_732, PORT),
        _ => (36_036, 36_037),
    };
    Fixture { name, protocol: PROTOCOL, transport, client_port, server_port, chunks }
}

/// 32 bytes after the magic 0x1724, then 24, then the beginning of a longer one.
fn first_messages() -> Vec<(Sender, Vec<u8>)> {
    let mut first = hex("1724 0a 2000");
    first.resize(37, 0x55);
    let mut second = hex("1724 28 1800");
    second.resize(29, 0x66);
    second.extend(hex("1724 3c 2907 8c000080"));
    vec![(Sender::Client, first), (Sender::Client, second), (Sender::Server, later_message())]
}

fn later_message() -> Vec<u8> {
    let mut message = hex("1130 36 00 18000000 01000000 00000000 1b000000 18000000");
    message.resize(48, 0x77);
    message
}

fn datagram(peer: &str) -> Vec<u8> {
    let mut datagram = hex("00 0102030405060708090a 1724 0102030405060708090a0b0c0d0e0f");
    datagram.extend(peer.bytes());
    datagram.resize(44, 0);
    datagram.extend(hex("c58c"));
    datagram.resize(96, 0);
    datagram
}

fn two_machines() -> Vec<(Sender, Vec<u8>)> {
    vec![(Sender::Client, datagram("198.51.100.7")), (Sender::Server, datagram("203.0.113.9"))]
}

#[test]
fn a_connection_is_one_hello() {
    for fixture in &fixtures()[..2] {
        assert!(matches!(fixture.facts().as_slice(), [(PROTOCOL, Statement::Hello(_))]), "{}", fixture.name);
    }
}

#[test]
fn one_short_message_is_enough_on_the_port_where_it_is_whole_and_all_there_is() {
    let said = |server_port: u16, chunks: &[(Sender, Vec<u8>)]| {
        Fixture { server_port, ..fixture(Transport::Tcp, "", chunks.to_vec()) }.facts().len()
    };
    let first = &first_messages()[..1];
    let answer = [(Sender::Server, hex("1724 11 0400 00000000"))];
    for one in [first, &answer] {
        assert_eq!((said(PORT, one), said(443, one)), (1, 0));
        let [(sender, bytes)] = one else { panic!() };
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(said(PORT, &[(*sender, cut.to_vec())]), 0, "not whole");
        assert_eq!(said(PORT, &[(*sender, [&bytes[..], b"\x00\x01"].concat())]), 0, "and something else");
        assert_eq!(said(PORT, &[(*sender, cut.to_vec()), (*sender, bytes[cut.len()..].to_vec())]), 1);
    }
}

#[test]
fn two_machines_name_each_other() {
    let facts = fixtures()[2].facts();
    let peers: Vec<Value> =
        facts.iter().filter_map(|(_, kind)| kind.fields()?.get("teamviewer.peer.ip").cloned()).collect();
    assert_eq!(peers, ["198.51.100.7", "203.0.113.9"].map(|ip| Value::Ip(ip.parse().unwrap())));
    assert_eq!(facts.iter().filter(|(_, kind)| matches!(kind, Statement::RemoteDesktop(_))).count(), 2);
}

#[test]
fn datagrams_with_the_magic_alone_must_be_several() {
    let plain = |count| vec![(Sender::Client, datagram("no address")); count];
    assert!(fixture(Transport::Udp, "", plain(3)).facts().is_empty());
    assert_eq!(fixture(Transport::Udp, "", plain(4)).facts().len(), 1);
    let on_port = Fixture { server_port: PORT, ..fixture(Transport::Udp, "", plain(2)) };
    assert_eq!(on_port.facts().len(), 1);
    let mut broken = plain(4);
    broken[1].1[12] = 0x25;
    assert!(fixture(Transport::Udp, "", broken.clone()).facts().is_empty());
    let on_port = |chunks| Fixture { server_port: PORT, ..fixture(Transport::Udp, "", chunks) };
    assert_eq!(on_port(broken[..3].to_vec()).facts().len(), 1, "others lie between on the port");
    assert!(on_port(broken[..2].to_vec()).facts().is_empty());
}

#[test]
fn heads_are_judged_strictly() {
    let head = |text: &str| wire::head(&mut Cursor::new(&hex(text)));
    assert_eq!(head("1724 0a 2000"), Ok(Some((Generation::First, 32))));
    assert_eq!(head("1130 3c 00 7b000000 02000000 00000000 1b000000 18000000"), Ok(Some((Generation::Second, 123))));
    assert_eq!(head("1724 0a 20"), Ok(None));
    for text in ["1725", "1724 00", "1724 0a 0000", "1130 3c 01 7b000000 02000000 00000000 1b000000 18000000"] {
        assert!(head(text).is_err(), "{text}");
    }
}
