use super::wire::{Message, fqdn};
use crate::facts::{Lease, Sender, Statement, Value};
use crate::net::{Mac, Transport};
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![exchange()]
}

const COOKIE: &str = "63825363";
/// Type, client id, host name `PC-7`, vendor class `MSFT 5.0`, parameters, end.
const REQUEST: &str =
    "350103 3d0701 02005e10ffee 320400000000 0c04 50432d37 3c08 4d53465420352e30 370701030f060c2c2f ff";
const ACK: &str = "350105 3604c0000201 3304 00000e10 ff";

fn exchange() -> Fixture {
    Fixture {
        name: "dhcp",
        protocol: super::SPEC.protocol,
        transport: Transport::Udp,
        client_port: 68,
        server_port: 67,
        chunks: vec![
            (Sender::Client, message(1, "00000000", &REQUEST.replace("320400000000", "3204c000022a"))),
            (Sender::Server, message(2, "c000022a", ACK)),
        ],
    }
}

fn message(operation: u8, your_address: &str, options: &str) -> Vec<u8> {
    let mut bytes = vec![operation, 1, 6, 0];
    bytes.extend(hex("3903f326 0000 0000 00000000"));
    bytes.extend(hex(your_address));
    bytes.extend(hex("00000000 00000000 02005e10ffee 00000000000000000000"));
    bytes.extend([0; 192]);
    bytes.extend(hex(COOKIE));
    bytes.extend(hex(options));
    bytes
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
fn a_request_tells_who_asks_and_an_answer_what_it_got() {
    let [asked, given] = &leases(&exchange())[..] else { panic!("two leases") };
    assert_eq!(asked.mac, Some(Mac([0x02, 0, 0x5e, 0x10, 0xff, 0xee])));
    assert_eq!(asked.address, "192.0.2.42".parse().ok());
    assert_eq!(asked.host_name.as_ref().map(|name| name.as_str()), Some("PC-7"));
    assert_eq!(asked.vendor_class.as_ref().map(|name| name.as_str()), Some("MSFT 5.0"));
    assert_eq!(asked.fingerprint.as_deref(), Some("53,61,50,12,60,55/1,3,15,6,12,44,47"));
    assert_eq!(asked.fields.get("dhcp.message_type"), Some(&Value::Word("request")));
    assert_eq!((given.address, given.granted), ("192.0.2.42".parse().ok(), true));
    assert_eq!(given.fields.get("dhcp.server_ip"), Some(&Value::Ip("192.0.2.1".parse().unwrap())));
    assert!(!asked.granted && given.fingerprint.is_none());
}

#[test]
fn an_offer_grants_nothing() {
    let mut offered = exchange();
    offered.chunks[1].1 = message(2, "c000022a", "350102 ff");
    assert!(!leases(&offered)[1].granted);
}

#[test]
fn many_clients_share_a_flow() {
    let mut crowd = exchange();
    crowd.chunks = (0..50)
        .map(|client| {
            let mut bytes = message(1, "00000000", REQUEST);
            bytes[33] = client;
            (Sender::Client, bytes)
        })
        .collect();
    assert_eq!(leases(&crowd).len(), 50);
}

#[test]
fn options_end_where_they_are_cut() {
    let cut = message(1, "00000000", "350101 00 00 0c0441");
    let message = Message::parse(&cut).unwrap();
    assert_eq!(&*message.fingerprint(), "53");
}

#[test]
fn a_full_name_comes_in_clear_or_in_labels() {
    assert_eq!(fqdn(&hex("000000 70632e6578")).as_deref(), Some("pc.ex"));
    assert_eq!(fqdn(&hex("050000 027063 026578 00")).as_deref(), Some("pc.ex"));
    assert_eq!(fqdn(&hex("0400")), None);
}

#[test]
fn what_only_has_the_port_is_not_dhcp() {
    for spoil in [
        |bytes: &mut Vec<u8>| bytes[0] = 3,        // neither request nor reply
        |bytes: &mut Vec<u8>| bytes[2] = 17,       // an address longer than its field
        |bytes: &mut Vec<u8>| bytes[242] = 77,     // no such message type
        |bytes: &mut Vec<u8>| bytes.truncate(230), // no room for the fixed fields
        |bytes: &mut Vec<u8>| bytes[236] = 0,      // no cookie, and no address given
    ] {
        let mut fixture = exchange();
        fixture.chunks.truncate(1);
        spoil(&mut fixture.chunks[0].1);
        assert!(fixture.facts().is_empty());
    }
    let elsewhere = Fixture { client_port: 6800, server_port: 6700, ..exchange() };
    assert!(elsewhere.facts().is_empty());
}

#[test]
fn a_request_of_bootp_tells_who_asks() {
    let mut fixture = exchange();
    fixture.chunks.truncate(1);
    fixture.chunks[0].1.truncate(236);
    fixture.chunks[0].1.extend([0; 64]);
    let [lease] = &leases(&fixture)[..] else { panic!("one lease") };
    assert!(lease.mac.is_some() && !lease.granted);
}
