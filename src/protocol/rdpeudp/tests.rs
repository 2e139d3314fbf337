use super::*;
use crate::protocol::tests::{Fixture, hex};

/// Flags SYN, CORRELATION_ID, SYN_EX; both MTUs 1232; an identifier and 16 reserved bytes; version 2.
const SYN: &str = "ff ff ff ff 00 40 18 01 0b 12 7f 15 04 d0 04 d0
    78 55 d0 64 fb af 43 f0 b6 e8 f8 aa df ad 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 02";
/// Flags SYN, ACK, SYN_EX; acknowledges the SYN; version 2.
const SYN_ACK: &str = "0b 12 7f 15 00 40 10 05 0f 94 ea 0b 04 d0 04 d0 00 01 00 02";
/// Flags ACK, DATA: an empty acknowledgement vector, sequence numbers, the first bytes of a TLS record.
const DATA: &str = "0f 94 ea 0b 04 00 00 0c 00 00 00 00 0b 12 7f 16 0b 12 7f 16 16 03 03 00 b2 01";

pub(crate) fn fixtures() -> Vec<Fixture> {
    let (client, server) = (Sender::Client, Sender::Server);
    vec![Fixture {
        name: "a handshake",
        protocol: PROTOCOL,
        transport: Transport::Udp,
        client_port: 61_291,
        server_port: 3389,
        chunks: vec![(client, padded(SYN)), (server, padded(SYN_ACK)), (client, hex(DATA))],
    }]
}

fn padded(text: &str) -> Vec<u8> {
    let mut bytes = hex(text);
    bytes.resize(1232, 0);
    bytes
}

fn desktops(chunks: &[(Sender, Vec<u8>)]) -> Vec<RemoteDesktop> {
    let desktop = |(_, kind)| match kind {
        Statement::RemoteDesktop(desktop) => *desktop,
        other => panic!("{other:?}"),
    };
    fixtures()[0].facts_of(chunks).into_iter().map(desktop).collect()
}

#[test]
fn a_handshake_is_one_remote_desktop() {
    let said = desktops(&fixtures()[0].chunks);
    let [desktop] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(desktop.fields.get("network.application"), Some(&"rdp".into()));
    assert_eq!(desktop.fields.get("rdpeudp.mode"), Some(&"reliable".into()));
    assert_eq!(desktop.fields.get("rdpeudp.version"), Some(&2_u32.into()));
}

#[test]
fn the_tls_inside_says_its_hello() {
    let [syn, syn_ack, _] = <[_; 3]>::try_from(fixtures()[0].chunks.clone()).unwrap();
    let hello = hex(&format!("16 0303 002a 02 000026 0303 {} 00 c02f 00", "5a".repeat(32)));
    let (first, second) = hello.split_at(20);
    // Acknowledgement, window, ACK and DATA, one element of acknowledgement and its padding, the place twice.
    let datagram = |place: u8, piece: &[u8]| {
        [&hex("0b127f15 0400 000c 0001 00 1f 0f94ea")[..], &[place], &hex("0f94ea"), &[place], piece].concat()
    };
    let chunks = [syn, syn_ack, (Sender::Server, datagram(0x0d, second)), (Sender::Server, datagram(0x0c, first))];
    let facts = fixtures()[0].facts_of(&chunks);
    let [_, (_, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((hello.sender, hello.inside.map(Protocol::as_str)), (Sender::Server, Some("tls")));
}

#[test]
fn a_syn_sent_again_is_one_remote_desktop_too() {
    let [syn, syn_ack, _] = <[_; 3]>::try_from(fixtures()[0].chunks.clone()).unwrap();
    assert_eq!(desktops(&[syn.clone(), syn.clone(), syn_ack]).len(), 1);
    assert_eq!(desktops(&[syn]).len(), 1);
}

#[test]
fn a_lossy_handshake_says_so() {
    let mut lossy = padded(SYN);
    lossy[6] |= 0x02;
    let said = desktops(&[(Sender::Client, lossy)]);
    assert_eq!(said[0].fields.get("rdpeudp.mode"), Some(&"lossy".into()));
}

#[test]
fn the_third_version_carries_the_hash_of_a_cookie() {
    let syn = "ff ff ff ff 00 40 10 01 0b 12 7f 15 04 d0 04 d0 00 01 01 01";
    let bytes = padded(&format!("{syn} {}", "ab".repeat(32)));
    assert_eq!(wire::syn(&bytes).and_then(|syn| syn.version), Some(0x0101));
}

#[test]
fn a_datagram_that_breaks_a_rule_is_no_syn() {
    let with = |at: usize, value: u8| {
        let mut bytes = padded(SYN);
        bytes[at] = value;
        wire::syn(&bytes)
    };
    assert!(wire::syn(&padded(SYN)).is_some());
    assert!(wire::syn(&padded(SYN)[..1131]).is_none(), "shorter than any");
    assert!(with(0, 0x00).is_none(), "acknowledges something");
    assert!(with(7, 0x00).is_none(), "no SYN flag");
    assert!(with(7, 0x09).is_none(), "carries data");
    assert!(with(12, 0x05).is_none(), "MTU of 1488");
    assert!(with(1231, 0x01).is_none(), "no zero padding");
}

/// ACK and DATA, one element of acknowledgement and its padding; coded and source packet, a record of DTLS.
fn data_amid(place: u8) -> Vec<u8> {
    [&hex("0b127f15 0400 000c 0001 00 1f 0f94ea")[..], &[place], &hex("0f94ea"), &[place], &hex("17 feff 00")].concat()
}

#[test]
fn data_whose_numbers_rise_is_a_remote_desktop_on_the_port() {
    let (client, server) = (Sender::Client, Sender::Server);
    let of = |places: [u8; 4]| {
        [server, client, server, server].into_iter().zip(places.map(data_amid)).collect::<Vec<(Sender, Vec<u8>)>>()
    };
    let chunks = of([0x10, 0x80, 0x11, 0x13]);
    assert_eq!(desktops(&chunks).len(), 1);
    assert_eq!(desktops(&chunks[..3]).len(), 0);
    assert_eq!(desktops(&of([0x10, 0x80, 0x11, 0x11])).len(), 0, "a number that does not rise");
    assert_eq!(desktops(&of([0x10, 0x80, 0x11, 0x60])).len(), 0, "one that jumps");
    let elsewhere = Fixture { server_port: 3390, ..fixtures().remove(0) };
    assert!(elsewhere.facts_of(&chunks).is_empty());
    let mut other = chunks;
    other[3].1[6] = 0x80;
    assert_eq!(desktops(&other).len(), 0, "a flag that nobody knows");
}
