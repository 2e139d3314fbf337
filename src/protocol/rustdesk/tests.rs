use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::facts::Value;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture(Transport::Udp, 21_116, "a machine registers and is called", registration()),
        fixture(Transport::Tcp, 21_117, "a relay is asked for", vec![(Sender::Client, framed(&relay_request()))]),
        fixture(Transport::Tcp, 21_115, "a test of the router", router_test()),
        fixture(Transport::Tcp, 21_118, "two machines agree on keys", keys()),
        fixture(Transport::Udp, 21_119, "a search on the own network", vec![(Sender::Client, discovery("ping"))]),
    ]
}

fn fixture(transport: Transport, server_port: u16, name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport, client_port: 50_123, server_port, chunks }
}

/// A message of the union: a field with its number, whose value is the message.
fn message(number: u32, fields: &[Vec<u8>]) -> Vec<u8> {
    field(number, &fields.concat())
}

fn field(number: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = varint(number << 3 | 2);
    bytes.extend(varint(value.len() as u32));
    bytes.extend(value);
    bytes
}

fn number(field: u32, value: u32) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn framed(message: &[u8]) -> Vec<u8> {
    let len = message.len() as u32;
    let mut bytes = match len {
        0..=0x3f => vec![(len << 2) as u8],
        0x40..=0x3fff => ((len << 2 | 1) as u16).to_le_bytes().to_vec(),
        _ => (len << 2 | 3).to_le_bytes().to_vec(),
    };
    bytes.extend(message);
    bytes
}

/// `(address + time) << 49 | time << 17 | port + (time & 0xffff)`.
fn blurred(ip: Ipv4Addr, port: u16, time: u32) -> Vec<u8> {
    let (ip, time) = (u128::from(u32::from_le_bytes(ip.octets())), u128::from(time));
    let number = (ip + time) << 49 | time << 17 | (u128::from(port) + (time & 0xffff));
    let mut bytes = number.to_le_bytes().to_vec();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

fn blurred_v6(ip: Ipv6Addr, port: u16, time: u32) -> Vec<u8> {
    let (ip, time) = (u128::from(ip), u128::from(time));
    let low = ((ip & (u128::MAX >> 50)) + time) << 49 | time << 17 | (u128::from(port) + (time & 0xffff));
    let mut high = ((ip >> 78) + time).to_le_bytes().to_vec();
    while high.last() == Some(&0) {
        high.pop();
    }
    [low.to_le_bytes().to_vec(), high, vec![1]].concat()
}

const OPERATOR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 23);

fn registration() -> Vec<(Sender, Vec<u8>)> {
    let call = [field(1, &blurred(OPERATOR, 40_001, 0xdead_beef)), field(2, b"203.0.113.5:21117"), number(3, 1)];
    vec![
        (Sender::Client, hex("32 0d 0a 09 313233343536373839 10 02")),
        (Sender::Server, hex("3a 00")),
        (Sender::Server, message(9, &call)),
        (Sender::Client, message(10, &[call[0].clone(), field(2, b"123456789"), field(5, b"1.2.6")])),
    ]
}

fn relay_request() -> Vec<u8> {
    let uuid = field(2, b"6f9619ff-8b86-d011-b42d-00c04fc964ff");
    message(18, &[field(1, b"987654321"), uuid, field(6, b"OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw=")])
}

fn router_test() -> Vec<(Sender, Vec<u8>)> {
    vec![
        (Sender::Client, framed(&message(20, &[number(1, 2)]))),
        (Sender::Server, framed(&message(21, &[number(1, 50_123)]))),
    ]
}

fn keys() -> Vec<(Sender, Vec<u8>)> {
    let signed_id = message(3, &[field(1, &[0x51; 64 + 45])]);
    let public_key = message(4, &[field(1, &[0x61; 32]), field(2, &[0x62; 48])]);
    vec![(Sender::Server, framed(&signed_id)), (Sender::Client, framed(&public_key))]
}

fn discovery(what: &str) -> Vec<u8> {
    let id = field(3, b"123456789");
    let of_host = [field(2, b"00:16:3e:aa:bb:cc"), field(4, b"ann"), field(5, b"PC-ANN"), field(6, b"Windows")];
    message(22, &[vec![field(1, what.as_bytes()), id], of_host.to_vec()].concat())
}

fn meetings(fixture: &Fixture) -> Vec<RemoteDesktop> {
    let desktop = |kind| match kind {
        Statement::RemoteDesktop(desktop) => Some(*desktop),
        _ => None,
    };
    fixture.facts().into_iter().filter_map(|(_, kind)| desktop(kind)).collect()
}

#[test]
fn a_registered_machine_tells_its_id_and_who_calls_it() {
    let facts = fixtures()[0].facts();
    let Statement::Hello(hello) = &facts[0].1 else { panic!("{facts:?}") };
    assert_eq!(hello.fields.get(ID), Some(&Text::from("123456789").into()));
    assert_eq!(hello.fields.get(OPERATION), Some(&"register_peer".into()));
    let meetings = meetings(&fixtures()[0]);
    assert_eq!(meetings.len(), 2, "the call, and the machine's answer with its id");
    for meeting in meetings {
        assert_eq!(meeting.fields.get(PEER_IP), Some(&Value::Ip(OPERATOR.into())));
        assert_eq!(meeting.fields.get(PEER_PORT), Some(&Value::Number(40_001)));
    }
}

#[test]
fn a_call_that_is_repeated_is_told_once() {
    let mut fixture = fixtures().remove(0);
    let again = fixture.chunks[2..].to_vec();
    fixture.chunks.extend(again);
    assert_eq!(meetings(&fixture).len(), 2);
}

#[test]
fn the_caller_of_a_relay_is_known_and_its_licence_is_not_kept() {
    let [desktop] = &meetings(&fixtures()[1])[..] else { panic!() };
    assert_eq!(desktop.fields.get(ID), Some(&Text::from("987654321").into()));
    assert!(!format!("{desktop:?}").contains("OeVuKk5nlHiXp"));
}

#[test]
fn machines_that_agree_on_keys_meet() {
    assert_eq!(meetings(&fixtures()[3]).len(), 1);
    let mut one_sided = fixtures().remove(3);
    one_sided.chunks.truncate(1);
    assert!(one_sided.facts().is_empty(), "a signature alone is anybody's");
}

#[test]
fn a_search_on_the_own_network_names_user_and_machine() {
    let facts = fixtures()[4].facts();
    let [(_, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(hello.fields.get(USER), Some(&Text::from("ann").into()));
    assert_eq!(hello.fields.get(HOST), Some(&Text::from("PC-ANN").into()));
    assert_eq!(hello.fields.get(MAC), Some(&Value::Mac(crate::net::Mac([0, 0x16, 0x3e, 0xaa, 0xbb, 0xcc]))));
}

#[test]
fn addresses_are_read_whatever_blurs_them() {
    for time in [0, 1, 0xffff, 0x1_0000, u32::MAX] {
        let v6: Ipv6Addr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        for (bytes, ip) in
            [(blurred(OPERATOR, 65_535, time), IpAddr::from(OPERATOR)), (blurred_v6(v6, 65_535, time), v6.into())]
        {
            if bytes.len() == 16 {
                continue;
            }
            let sent = Message::parse(&message(11, &[field(1, &bytes)])).unwrap();
            assert_eq!(sent.peer, Some((ip, 65_535)), "{time:x} {bytes:02x?}");
        }
    }
    for nonsense in [&[][..], &[0xff; 15], &[0xff; 16], &[0xff; 33], &[0; 8]] {
        assert_eq!(Message::parse(&message(11, &[field(1, nonsense)])).unwrap().peer, None);
    }
}

#[test]
fn datagrams_that_only_resemble_it_are_not_rustdesk() {
    for bytes in ["32 00", "32 04 0a 02 3132", "32 0d 0a 09 31323334353637382e 10 02", "3a 00", "a2 01 02 08 01"] {
        let fixture = fixture(Transport::Udp, 21_116, "", vec![(Sender::Client, hex(bytes))]);
        assert!(fixture.facts().is_empty(), "{bytes}");
    }
}
