use super::*;
use crate::facts::Sender;
use crate::protocol::tests::{Fixture, hex};

/// Version 2: device `R1`, address 192.0.2.1, port `Gi0/1`, router and switch, software `IOS 15`, platform `C2960`,
/// native VLAN 7.
const FRAME: &str = "02 b4 1234  0001 0006 5231  0002 0011 00000001 01 01 cc 0004 c0000201
    0003 0009 4769302f31  0004 0008 00000009  0005 000a 494f53203135  0006 0009 4332393630  000a 0006 0007";

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![Fixture {
        name: "a router",
        protocol: SPEC.protocol,
        transport: Transport::Link,
        client_port: ETHER_TYPE,
        server_port: ETHER_TYPE,
        chunks: vec![(Sender::Client, hex(FRAME)), (Sender::Client, hex(FRAME))],
    }]
}

#[test]
fn an_announcement_is_told_once() {
    let facts = fixtures()[0].facts();
    let [(_, Statement::Name(name))] = &facts[..] else { panic!("one name: {facts:?}") };
    for (field, value) in [("host.hostname", "R1"), ("cdp.port_id", "Gi0/1"), ("cdp.platform", "C2960")] {
        assert_eq!(name.fields.get(field), Some(&Value::Text(value.into())));
    }
    assert_eq!(name.fields.get("cdp.capabilities"), Some(&vec!["router", "switch"].into()));
    assert_eq!(name.fields.get("cdp.ip"), Some(&Value::Ip("192.0.2.1".parse().unwrap())));
    assert_eq!(name.fields.get("cdp.native_vlan"), Some(&7_u16.into()));
}

#[test]
fn a_frame_need_not_name_its_device_but_say_something_of_it() {
    let unnamed = Announcement::parse(&hex("02 b4 0000  0003 0009 4769302f31")).unwrap();
    assert_eq!((unnamed.device, unnamed.port), (None, Some("Gi0/1".into())));
    assert!(Announcement::parse(&hex("02 b4 0000  000a 0006 0007")).is_none());
    assert!(Announcement::parse(&hex("02 b4 0000")).is_none());
    assert!(Announcement::parse(&hex("03 b4 0000  0001 0006 5231")).is_none());
    assert!(Announcement::parse(&hex("02 b4 0000  0001 0003 5231")).is_none());
}
