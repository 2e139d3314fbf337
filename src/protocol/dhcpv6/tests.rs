use super::wire::Message;
use crate::facts::{Lease, Sender, Statement, Value};
use crate::net::{Mac, Transport};
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![exchange(), relayed()]
}

/// Client id (DUID-LLT), elapsed time, IA_NA, FQDN `pc-7`, vendor class `MSFT 5.0`, requested options.
const SOLICIT: &str = "01 3903f3
    0001 000e 00010001 2a2b2c2d 02005e10ffee
    0008 0002 0000
    0003 000c 0e005056 00000000 00000000
    0027 0006 00 04 70632d37
    0010 000e 00000137 0008 4d53465420352e30
    0006 0006 0011 0017 0018";
/// The client's id again, and an IA_NA with an address.
const REPLY: &str = "07 3903f3
    0001 000e 00010001 2a2b2c2d 02005e10ffee
    0003 0028 0e005056 00000000 00000000 0005 0018 20010db8000000000000000000000042 00000e10 00001c20";

fn exchange() -> Fixture {
    Fixture {
        name: "dhcpv6",
        protocol: super::SPEC.protocol,
        transport: Transport::Udp,
        client_port: 546,
        server_port: 547,
        chunks: vec![(Sender::Client, hex(SOLICIT)), (Sender::Server, hex(REPLY))],
    }
}

/// A relay puts the client's hardware address before its message.
fn relayed() -> Fixture {
    let solicit = hex(SOLICIT);
    let mut bytes = hex("0c 00");
    bytes.extend([0x20; 32]);
    bytes.extend(hex("004f 0008 0001 0200aabbccdd 0009"));
    bytes.extend(u16::try_from(solicit.len()).unwrap().to_be_bytes());
    bytes.extend(solicit);
    Fixture { name: "dhcpv6 relayed", chunks: vec![(Sender::Client, bytes)], ..exchange() }
}

fn leases(fixture: &Fixture) -> Vec<Lease> {
    let facts = fixture.facts();
    let lease = |kind: &Statement| match kind {
        Statement::Lease(lease) => Some(Lease::clone(lease)),
        _ => None,
    };
    facts.iter().filter_map(|(_, kind)| lease(kind)).collect()
}

#[test]
fn a_client_tells_who_it_is_and_a_server_what_it_gives() {
    let [asked, given] = &leases(&exchange())[..] else { panic!("two leases") };
    assert_eq!(asked.mac, Some(Mac([0x02, 0, 0x5e, 0x10, 0xff, 0xee])));
    assert_eq!(asked.host_name.as_ref().map(|name| name.as_str()), Some("pc-7"));
    assert_eq!(asked.vendor_class.as_ref().map(|name| name.as_str()), Some("MSFT 5.0"));
    assert_eq!(asked.fingerprint.as_deref(), Some("1,8,3,39,16,6/17,23,24"));
    assert_eq!(asked.fields.get("dhcp.duid"), Some(&Value::Text("000100012a2b2c2d02005e10ffee".into())));
    assert_eq!((given.address, given.granted), ("2001:db8::42".parse().ok(), true));
}

/// After renumbering a server lists what it withdraws with no time left (RFC 8415 §18.3.4), be it before what it gives.
#[test]
fn an_address_that_is_withdrawn_is_not_granted() {
    let withdrawn = "0005 0018 20010db8000000000000000000000041 00000000 00000000";
    let given = "0005 0018 20010db8000000000000000000000042 00000e10 00001c20";
    let reply = |association: &str, len| {
        format!(
            "07 3903f3 0001 000e 00010001 2a2b2c2d 02005e10ffee 0003 {len} 0e005056 00000000 00000000 {association}"
        )
    };
    for (bytes, address) in [
        (reply(&format!("{withdrawn} {given}"), "0044"), "2001:db8::42".parse().ok()),
        (reply(withdrawn, "0028"), None),
    ] {
        let chunks = vec![(Sender::Server, hex(&bytes))];
        let [lease] = &leases(&Fixture { chunks, ..exchange() })[..] else { panic!("one lease") };
        assert_eq!((lease.address, lease.granted), (address, address.is_some()));
    }
}

#[test]
fn a_relay_says_where_the_message_came_from() {
    let [asked] = &leases(&relayed())[..] else { panic!("one lease") };
    assert_eq!(asked.mac, Some(Mac([0x02, 0, 0xaa, 0xbb, 0xcc, 0xdd])));
    assert_eq!(asked.fields.get("dhcp.message_type"), Some(&Value::Word("solicit")));
}

#[test]
fn relays_inside_relays_end() {
    let wrap = |inner: Vec<u8>| {
        let mut bytes = hex("0c 00");
        bytes.extend([0x20; 32]);
        bytes.extend(hex("0009"));
        bytes.extend(u16::try_from(inner.len()).unwrap().to_be_bytes());
        bytes.extend(inner);
        bytes
    };
    let nested = |times| (0..times).fold(hex(SOLICIT), |inner, _| wrap(inner));
    assert!(Message::parse(&nested(8)).is_some());
    assert!(Message::parse(&nested(9)).is_none());
}

#[test]
fn what_follows_the_options_costs_none_of_them_where_they_name_somebody() {
    let told = |bytes: Vec<u8>| leases(&Fixture { chunks: vec![(Sender::Client, bytes)], ..exchange() });
    for behind in ["00", "000000", "0006 000a 0017"] {
        let [lease] = &told([hex(SOLICIT), hex(behind)].concat())[..] else { panic!("one lease") };
        assert_eq!(lease.fingerprint.as_deref(), Some("1,8,3,39,16,6/17,23,24"));
    }
    for nobody in ["01 3903f3 00", "01 3903f3 0006 0002 0017 00", "01 3903f3 0000 0000", "01 3903f3 0006 000a 0017"] {
        assert!(told(hex(nobody)).is_empty(), "{nobody}");
    }
    assert_eq!(told(hex("0b 3903f3")).len(), 1, "an information request with nothing");
}

#[test]
fn queries_of_others_are_messages_too() {
    let client = "0001 000e 00010001 2a2b2c2d 02005e10ffee";
    for (kind, sender, name) in [
        ("0e", Sender::Client, "leasequery"),
        ("0f", Sender::Server, "leasequery-reply"),
        ("14", Sender::Client, "dhcpv4-query"),
        ("15", Sender::Server, "dhcpv4-response"),
    ] {
        let chunks = vec![(sender, hex(&format!("{kind} 3903f3 {client}")))];
        let [lease] = &leases(&Fixture { chunks, ..exchange() })[..] else { panic!("one lease: {name}") };
        assert_eq!(lease.fields.get("dhcp.message_type"), Some(&Value::Word(name)));
        assert!(!lease.granted);
    }
    let chunks = vec![(Sender::Client, hex(&format!("16 3903f3 {client}")))];
    assert!(Fixture { chunks, ..exchange() }.facts().is_empty());
}
