use super::*;
use crate::facts::Sender;
use crate::protocol::tests::{Fixture, hex};

/// Chassis 02:00:5e:10:00:01, port ge-0/0/7, 120 seconds, a description of the port, the system's name and description,
/// bridge and router of which bridge is on, 192.0.2.10 on interface 5, the end and Ethernet's padding.
const FRAME: &str = "02 07 04 02005e100001  04 09 05 67652d302f302f37  06 02 0078  08 06 75706c696e6b
    0a 08 73772d636f72652d  0c 05 4f5320312e  0e 04 0014 0004  10 0c 05 01 c000020a 02 00000005 00  00 00  00000000";

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![Fixture {
        name: "a switch",
        protocol: SPEC.protocol,
        transport: Transport::Link,
        client_port: ETHER_TYPE,
        server_port: ETHER_TYPE,
        chunks: vec![(Sender::Client, hex(FRAME)), (Sender::Client, hex(FRAME))],
    }]
}

fn names(chunks: &[(Sender, Vec<u8>)]) -> Vec<Name> {
    let name = |(_, kind)| match kind {
        Statement::Name(name) => *name,
        other => panic!("{other:?}"),
    };
    fixtures()[0].facts_of(chunks).into_iter().map(name).collect()
}

fn said(field: &str, chunks: &[(Sender, Vec<u8>)]) -> Option<Value> {
    names(chunks).first()?.fields.get(field).cloned()
}

#[test]
fn an_announcement_is_told_once() {
    let chunks = &fixtures()[0].chunks;
    assert_eq!(names(chunks).len(), 1);
    assert_eq!(said("host.hostname", chunks), Some(Value::Text("sw-core-".into())));
    assert_eq!(said("lldp.chassis_id", chunks), Some(Value::Text("02:00:5e:10:00:01".into())));
    assert_eq!(said("lldp.port_id", chunks), Some(Value::Text("ge-0/0/7".into())));
    assert_eq!(said("lldp.capabilities", chunks), Some(vec!["bridge"].into()));
    assert_eq!(said("lldp.management_ip", chunks), Some(Value::Ip("192.0.2.10".parse().unwrap())));
}

#[test]
fn another_name_is_told_again() {
    let mut renamed = hex(FRAME);
    renamed[36] = b'X';
    assert_eq!(names(&[(Sender::Client, hex(FRAME)), (Sender::Client, renamed)]).len(), 2);
}

#[test]
fn a_frame_without_its_mandatory_elements_is_none() {
    for frame in ["04 02 05 61", "02 07 04 02005e100001 06 02 0078", "02 07 04 02005e100001 04 02 05 61 06 01 00"] {
        assert!(Announcement::parse(&hex(frame)).is_none(), "{frame}");
    }
}

#[test]
fn an_identifier_that_is_no_text_is_shown_in_hex() {
    let frame = hex("02 04 07 00 01 02  04 02 05 61  06 02 0078  00 00");
    assert_eq!(Announcement::parse(&frame).map(|said| said.chassis), Some("000102".into()));
}

#[test]
fn a_malformed_frame_is_said_once_and_a_better_one_read() {
    let broken = || (Sender::Client, hex("fe 09 0080c2 07 03 00000064"));
    let facts = fixtures()[0].facts_of(&[broken(), broken(), (Sender::Client, hex(FRAME))]);
    assert!(matches!(&facts[..], [(_, Statement::Malformed(_)), (_, Statement::Name(_))]), "{facts:?}");
}
