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
    let message = Message::parse(&cut, 0).unwrap();
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
        |bytes: &mut Vec<u8>| bytes.truncate(230), // no room for the fixed fields
        |bytes: &mut Vec<u8>| bytes[236] = 0,      // no cookie, and no address given
    ] {
        let mut fixture = exchange();
        fixture.chunks.truncate(1);
        spoil(&mut fixture.chunks[0].1);
        assert!(fixture.facts().is_empty());
    }
    // Without a cookie: neither request nor reply, an address longer than its field, more relays than there may be.
    for (at, value) in [(0, 3), (2, 17), (3, 17)] {
        let mut bytes = message(1, "00000000", "");
        bytes.truncate(236);
        bytes.resize(300, 0);
        assert_eq!(leases(&Fixture { chunks: vec![(Sender::Client, bytes.clone())], ..exchange() }).len(), 1);
        bytes[at] = value;
        assert!(leases(&Fixture { chunks: vec![(Sender::Client, bytes)], ..exchange() }).is_empty(), "{at}");
    }
    let elsewhere = Fixture { client_port: 6800, server_port: 6700, ..exchange() };
    assert!(elsewhere.facts().is_empty());
}

#[test]
fn the_cookie_stands_for_a_message_with_something_wrong() {
    type Spoil = fn(&mut Vec<u8>);
    let cases: [(Spoil, bool); 8] = [
        (|bytes| bytes[0] = 0, true), // neither request nor reply
        (|bytes| bytes[0] = 5, true),
        (|bytes| bytes[3] = 255, true),  // through more relays than there may be
        (|bytes| bytes[242] = 0, false), // no such message type
        (|bytes| bytes[242] = 77, false),
        (|bytes| drop(bytes.splice(240..243, [53, 0])), false), // a type without a value, of two bytes, none
        (|bytes| drop(bytes.splice(240..243, [53, 2, 1, 3])), false),
        (|bytes| drop(bytes.splice(240..243, [])), false),
    ];
    for (spoil, has_type) in cases {
        let mut fixture = exchange();
        fixture.chunks.truncate(1);
        spoil(&mut fixture.chunks[0].1);
        let [lease] = &leases(&fixture)[..] else { panic!("one lease: {:02x?}", fixture.chunks) };
        assert_eq!(lease.mac, Some(Mac([0x02, 0, 0x5e, 0x10, 0xff, 0xee])));
        assert_eq!(lease.host_name.as_ref().map(|name| name.as_str()), Some("PC-7"));
        assert_eq!(lease.fields.get("dhcp.message_type").is_some(), has_type);
        assert!(lease.fingerprint.is_some(), "a client's");
    }
}

#[test]
fn an_answer_that_nobody_knows_grants_nothing() {
    for (operation, options) in [(2, "35014d ff"), (2, "35020503 ff"), (5, "350105 ff")] {
        let answer = (Sender::Client, message(operation, "c000022a", options));
        let [lease] = &leases(&Fixture { client_port: 67, server_port: 68, chunks: vec![answer], ..exchange() })[..]
        else {
            panic!("one lease")
        };
        assert_eq!((lease.granted, lease.fingerprint.is_some()), (false, false), "{options}");
    }
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

#[test]
fn bootp_may_have_a_field_of_its_vendor_or_none() {
    let bootp = |vendor: &str, len: usize| {
        let mut bytes = message(1, "00000000", "");
        bytes.truncate(236);
        bytes.extend(hex(vendor));
        bytes.resize(236 + len, 0);
        leases(&Fixture { chunks: vec![(Sender::Client, bytes)], ..exchange() }).len()
    };
    for vendor in ["", "434d5500 01", "01020304"] {
        assert_eq!(bootp(vendor, 64), 1, "{vendor}");
    }
    for short in [0, 1, 4, 18, 62, 63] {
        assert_eq!(bootp("", short), 1, "{short}");
    }
    assert_eq!(bootp("63825363", 4), 1);
    assert_eq!(bootp("00000001", 4), 0);
    assert_eq!(bootp("01020304", 63), 0);
    assert_eq!(bootp("01020304", 65), 0);
}

#[test]
fn options_go_on_in_the_fields_that_are_said_to_hold_them() {
    let overloaded = |overload: u8| {
        let mut bytes = message(1, "00000000", &format!("350101 3401{overload:02x} ff"));
        bytes.splice(44..51, hex("3c 04 4d534654 ff"));
        bytes.splice(108..115, hex("0c 04 50432d37 ff"));
        let [lease] =
            <[Lease; 1]>::try_from(leases(&Fixture { chunks: vec![(Sender::Client, bytes)], ..exchange() })).unwrap();
        (lease.host_name.is_some(), lease.vendor_class.is_some(), lease.fingerprint.unwrap())
    };
    assert_eq!(overloaded(1), (true, false, "53,52,12".into()));
    assert_eq!(overloaded(2), (false, true, "53,52,60".into()));
    assert_eq!(overloaded(3), (true, true, "53,52,12,60".into()));
    assert_eq!(overloaded(4), (false, false, "53,52".into()));
}

#[test]
fn an_option_in_several_parts_is_one() {
    let name = |options: &str| {
        let chunks = vec![(Sender::Client, message(1, "00000000", options))];
        leases(&Fixture { chunks, ..exchange() }).remove(0).host_name.map(|name| name.to_string())
    };
    assert_eq!(name("350101 0c02 5043 3c01 4d 0c02 2d37 ff").as_deref(), Some("PC-7"));
    assert_eq!(name("350101 0c02 5043 0c02 5043 ff").as_deref(), Some("PC"), "said twice");
}

#[test]
fn a_hardware_address_is_ethernets_or_in_the_identifier() {
    let mac = |hardware: u8, len: u8, options: &str| {
        let mut bytes = message(1, "00000000", options);
        (bytes[1], bytes[2]) = (hardware, len);
        leases(&Fixture { chunks: vec![(Sender::Client, bytes)], ..exchange() }).remove(0).mac
    };
    let own = Some(Mac([0x02, 0, 0x5e, 0x10, 0xff, 0xee]));
    let other = Some(Mac([0x02, 0, 0, 0, 0, 7]));
    assert_eq!(mac(6, 6, "350101 ff"), own);
    assert_eq!(mac(32, 6, "350101 ff"), None);
    assert_eq!(mac(32, 0, "350101 3d07 01 020000000007 ff"), other);
    // InfiniBand's, which does not fit.
    assert_eq!(mac(32, 20, "350101 3d07 01 020000000007 ff"), other);
    assert_eq!(mac(32, 20, "350101 ff"), None);
    assert_eq!(mac(32, 0, "350101 3d07 ff 020000000007 ff"), None);
    assert_eq!(mac(1, 6, "350101 3d07 01 020000000007 ff"), own);
}

#[test]
fn a_message_that_the_snap_length_cut_tells_who_asks_and_neither_a_fingerprint_nor_a_grant() {
    let leases = |snap_len: usize| -> Vec<Lease> {
        let lease = |(_, kind)| match kind {
            Statement::Lease(lease) => Some(*lease),
            _ => None,
        };
        exchange().facts_within(snap_len).into_iter().filter_map(lease).collect()
    };
    let mac = Some(Mac([0x02, 0x00, 0x5e, 0x10, 0xff, 0xee]));
    for snap_len in [44, 54, 236, 240, 250] {
        let told = leases(snap_len);
        assert_eq!(told.iter().map(|lease| lease.mac).collect::<Vec<_>>(), [mac, mac], "{snap_len}");
        assert!(told.iter().all(|lease| lease.fingerprint.is_none()), "{snap_len}");
        assert_eq!(told.last().map(|ack| ack.granted), Some(snap_len == 250), "{snap_len}");
    }
    assert!(leases(43).is_empty());
}
