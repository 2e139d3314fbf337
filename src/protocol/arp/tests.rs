use super::*;
use crate::facts::{Sender, Value};
use crate::protocol::tests::{Fixture, hex};

/// 02:00:5e:10:00:01 asks for 192.0.2.7, filled up to Ethernet's least length.
const PROBE: &str = "0001 0800 06 04 0001  02005e100001 00000000  000000000000 c0000207
    0000 0000 0000 0000 0000 0000 0000 0000 0000";

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![Fixture {
        name: "a probe",
        protocol: SPEC.protocol,
        transport: Transport::Link,
        client_port: ETHER_TYPE,
        server_port: ETHER_TYPE,
        chunks: vec![(Sender::Client, hex(PROBE)), (Sender::Client, hex(PROBE))],
    }]
}

#[test]
fn each_probe_tells_who_asks_for_which_address() {
    let facts = fixtures()[0].facts();
    assert_eq!(facts.len(), 2);
    let (_, Statement::Name(name)) = &facts[0] else { panic!("{facts:?}") };
    assert_eq!(name.fields.get("arp.sender_mac"), Some(&Value::Mac(Mac([2, 0, 0x5e, 0x10, 0, 1]))));
    assert_eq!(name.fields.get("arp.target_ip"), Some(&Value::Ip("192.0.2.7".parse().unwrap())));
}

#[test]
fn requests_with_an_address_and_answers_are_no_probes() {
    for other in [
        "0001 0800 06 04 0001  02005e100001 c0000201  000000000000 c0000207",
        "0001 0800 06 04 0002  02005e100001 00000000  000000000000 c0000207",
        "0006 0800 06 04 0001  02005e100001 00000000  000000000000 c0000207",
        "0001 0800 06 04 0001  02005e100001 00000000  000000000000 c00002",
    ] {
        assert!(Question::parse(&hex(other)).is_none(), "{other}");
    }
}
