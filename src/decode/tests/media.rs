//! Media other than Ethernet, and what else has a link type of its own.

use super::headers::{Fixture, INNER, OUTER, link, tunnel};
use super::*;

/// LINKTYPE_ values, as files carry them.
const fn of(value: u16) -> LinkType {
    LinkType::from_value(value)
}

/// As [`headers`] tests every other.
pub(super) fn fixtures() -> Vec<Fixture> {
    const ENDS: &str = "0200 0000 0002  0200 0000 0001";
    const SNAP: &str = "aaaa03 000000 0800";
    let inner = format!("{INNER_ETHERNET} 0800");
    let route_header = "00 ".repeat(40);
    // The header of 108 bytes: length, record, link type, interface, the rest.
    let user_2 = format!("6c000000 01000000 01000000 656e30 {} {} {ETHERNET} 0800", "00 ".repeat(21), "00 ".repeat(72));
    vec![
        // From 190 to 80, whole, sequence 1.
        link("arcnet", of(7), "be 50 d4 00 0001", None),
        link("arcnet with an exception", of(7), "be 50 d4 ff ffff d4 00 0001", None),
        link("arcnet of rfc 1051", of(7), "be 50 f0", None),
        link("arcnet in linux", of(129), "be 50 00fa d4 00 0001", None),
        link("token ring", of(6), &format!("10 40 {ENDS} {SNAP}"), OUTER),
        // The route of a frame that was sent to all: 2 bytes of control, two bridges.
        link(
            "token ring with a route",
            of(6),
            &format!("10 40 0200 0000 0002 8200 0000 0001 8630 0011 0020 {SNAP}"),
            OUTER,
        ),
        link("frame relay", of(107), "1841 03 cc", None),
        link("frame relay with a long address", of(107), "1840 0001 03 cc", None),
        link("frame relay with a SNAP header", of(107), "1841 03 00 80 000000 0800", None),
        link("frame relay in cisco's framing", of(107), "1841 0800", None),
        link("ip over infiniband", of(242), &format!("{route_header} 0800 0000"), None),
        link("pktap in the link type of a user", of(149), &user_2, OUTER),
        without_ethernet(tunnel("pppoe without ethernet", Encapsulation::Pppoe, "11 00 0001 002e 0021", None), of(51)),
        // Version 15, time to live 50, table version 1, to 02:00:00:00:00:02; from the same, subtype 1; a broadcast's
        // sequence and origin.
        link("a mesh", of(1), &format!("{ETHERNET} 4305 40 0f 32 01 020000000002 {inner}"), INNER),
        link("a mesh with a source", of(1), &format!("{ETHERNET} 4305 42 0f 32 01 {ENDS} 01 00 {inner}"), INNER),
        link("a mesh's broadcast", of(1), &format!("{ETHERNET} 4305 01 0f 32 00 00000001 020000000001 {inner}"), INNER),
    ]
}

fn without_ethernet(mut fixture: Fixture, link: LinkType) -> Fixture {
    fixture.link = link;
    fixture.bytes.drain(..hex(ETHERNET).len());
    fixture
}

#[test]
fn what_a_medium_carries_beside_packets_is_none() {
    let packet = format!("{IPV4} {SYN}");
    let ends = "0200 0000 0002  0200 0000 0001";
    for (link, bytes, skip) in [
        // ARP; the first of three parts; its second.
        (7, format!("be 50 d5 00 0001 {packet}"), Skip::NotIp),
        (7, format!("be 50 d4 03 0001 {packet}"), Skip::NotIp),
        (7, format!("be 50 d4 02 0001 {packet}"), Skip::NotIp),
        // A frame of the ring's own; a route without its own length.
        (6, format!("10 00 {ends} {packet}"), Skip::NotIp),
        (6, "10 40 0200 0000 0002 8200 0000 0001 8030 aaaa03 000000 0800".into(), Skip::Malformed),
        // What the line says of itself (Q.933); addresses of one byte, and without an end.
        (107, "1841 03 08 00 75 51 01 00".into(), Skip::NotIp),
        (107, format!("19 03 cc {packet}"), Skip::Malformed),
        (107, format!("18404040 41 03 cc {packet}"), Skip::Malformed),
        (107, format!("1841 0301 {packet}"), Skip::NotIp),
        (242, format!("{} 0806 0000 {packet}", "00 ".repeat(40)), Skip::NotIp),
        (51, format!("11 09 0001 002e 0021 {packet}"), Skip::Malformed),
        // A user's own header: too short for PKTAP's, longer than the frame, of an interface that is no text.
        (149, format!("14000000 01000000 01000000 {} {packet}", "00 ".repeat(96)), Skip::UnknownLink),
        (149, format!("ff000000 01000000 01000000 {} {packet}", "00 ".repeat(96)), Skip::UnknownLink),
        (149, format!("6c000000 01000000 01000000 80 {} {packet}", "00 ".repeat(95)), Skip::UnknownLink),
        // The mesh's own conversation; half a frame; version 14.
        (1, format!("{ETHERNET} 4305 00 0f 32 00 00000001 {ends} 01 00"), Skip::NotIp),
        (1, format!("{ETHERNET} 4305 41 0f 32 01 {ends} 00 00 0000 0800 {packet}"), Skip::NotIp),
        (1, format!("{ETHERNET} 4305 40 0e 32 01 020000000002 {INNER_ETHERNET} 0800 {packet}"), Skip::NotIp),
    ] {
        assert_eq!(decode(frame(of(link), &hex(&bytes))).err(), Some(skip), "{link}: {bytes}");
    }
}

#[test]
fn devices_announce_themselves_over_frame_relay_too() {
    for headers in ["1841 03 00 80 00000c 2000", "1841 2000"] {
        let seen = decode(frame(LinkType::FrameRelay, &hex(&format!("{headers} 02 b4 00 00")))).unwrap();
        assert_eq!((seen.transport, seen.payload), (Transport::Link, hex("02 b4 00 00")), "{headers}");
    }
}

#[test]
fn ipv6_has_a_number_of_its_own_on_arcnet_and_frame_relay() {
    for (link, headers) in [(LinkType::Arcnet, "be 50 c4 00 0001"), (LinkType::FrameRelay, "1841 03 8e")] {
        let seen = decode(frame(link, &hex(&format!("{headers} {IPV6} {SYN}")))).unwrap();
        assert_eq!(seen.ends, "[2001:db8::1]:49152 > [2001:db8::2]:443");
    }
}
