//! A header of each kind before the same packet.

use super::*;

/// `02 00 00 00 00 11`, inside a tunnel.
pub(super) const INNER: Option<&str> = Some("02:00:00:00:00:11");
pub(super) const OUTER: Option<&str> = Some("02:00:00:00:00:01");

/// A frame that carries the packet of [`IPV4`] and [`SYN`], and what its headers said.
pub(super) struct Fixture {
    name: &'static str,
    pub(super) link: LinkType,
    pub(super) bytes: Vec<u8>,
    vlans: (Option<u16>, Option<u16>),
    tunnel: Option<Encapsulation>,
    source_mac: Option<&'static str>,
}

pub(super) fn link(name: &'static str, link: LinkType, headers: &str, source_mac: Option<&'static str>) -> Fixture {
    let bytes = hex(&format!("{headers} {IPV4} {SYN}"));
    Fixture { name, link, bytes, vlans: (None, None), tunnel: None, source_mac }
}

fn tagged(name: &'static str, tags: &str, vlans: (Option<u16>, Option<u16>)) -> Fixture {
    Fixture { vlans, ..link(name, LinkType::Ethernet, &format!("{ETHERNET} {tags}"), OUTER) }
}

pub(super) fn tunnel(
    name: &'static str,
    tunnel: Encapsulation,
    headers: &str,
    source_mac: Option<&'static str>,
) -> Fixture {
    Fixture { tunnel: Some(tunnel), ..link(name, LinkType::Ethernet, &format!("{ETHERNET} {headers}"), source_mac) }
}

pub(super) fn over_ip(
    name: &'static str,
    tunnel: Encapsulation,
    ip: Vec<u8>,
    source_mac: Option<&'static str>,
) -> Fixture {
    let (link, bytes) = (LinkType::Ethernet, ethernet(&ip));
    Fixture { name, link, bytes, vlans: (None, None), tunnel: Some(tunnel), source_mac }
}

pub(super) fn gre(
    name: &'static str,
    tunnel: Encapsulation,
    headers: &str,
    source_mac: Option<&'static str>,
) -> Fixture {
    over_ip(name, tunnel, ipv4(ip::GRE, &hex(&format!("{headers} {IPV4} {SYN}"))), source_mac)
}

pub(super) fn over_udp(
    name: &'static str,
    tunnel: Encapsulation,
    port: u16,
    headers: &str,
    source_mac: Option<&'static str>,
) -> Fixture {
    let payload = hex(&format!("{headers} {IPV4} {SYN}"));
    over_ip(name, tunnel, ipv4(ip::UDP, &udp(50_000, port, &payload)), source_mac)
}

fn links() -> Vec<Fixture> {
    vec![
        link("ethernet", LinkType::Ethernet, &format!("{ETHERNET} 0800"), OUTER),
        link("802.3 with a SNAP header", LinkType::Ethernet, &format!("{ETHERNET} 0034 aaaa03 000000 0800"), OUTER),
        link("802.3 with IP's access point", LinkType::Ethernet, &format!("{ETHERNET} 002f 060603"), OUTER),
        link("raw", LinkType::Raw, "", None),
        link("null, little-endian", LinkType::Null, "02000000", None),
        link("null, big-endian, and loop", LinkType::Null, "00000002", None),
        link("ppp", LinkType::Ppp, "0021", None),
        link("ppp like HDLC", LinkType::Ppp, "ff03 0021", None),
        link("ppp with a short protocol", LinkType::Ppp, "21", None),
        link("ppp as cisco hdlc", LinkType::Ppp, "0f00 0800", None),
        link("cisco hdlc", LinkType::CiscoHdlc, "0f00 0800", None),
        // Packet type 0 (to us), ARPHRD 1 (Ethernet), address of 6 bytes.
        link("sll", LinkType::LinuxSll, "0000 0001 0006 0200 0000 0001 0000 0800", OUTER),
        // ARPHRD 65534 (none), as of a tun device.
        link("sll without an address", LinkType::LinuxSll, "0000 fffe 0000 0000 0000 0000 0000 0800", None),
        link("sll2", LinkType::LinuxSll2, "0800 0000 00000003 0001 00 06 0200 0000 0001 0000", OUTER),
        link("vn-tag", LinkType::Ethernet, &format!("{ETHERNET} 8926 80010002 0800"), OUTER),
        link("security group tag", LinkType::Ethernet, &format!("{ETHERNET} 8909 01 01 0001 0064 0800"), OUTER),
        // SecTAG: control, short length, packet number.
        link("macsec without encryption", LinkType::Ethernet, &format!("{ETHERNET} 88e5 00 00 00000001 0800"), OUTER),
        link(
            "macsec with a channel",
            LinkType::Ethernet,
            &format!("{ETHERNET} 88e5 20 00 00000001 0200 0000 0001 0001 0800"),
            OUTER,
        ),
        // Priority 3, VLAN 100.
        tagged("802.1Q", "8100 6064 0800", (Some(100), None)),
        tagged("802.1ad", "88a8 0064 8100 00c8 0800", (Some(100), Some(200))),
        tagged("QinQ 0x9100", "9100 0064 8100 00c8 0800", (Some(100), Some(200))),
        tagged("QinQ 0x9200", "9200 0064 8100 00c8 0800", (Some(100), Some(200))),
        tagged("three tags", "88a8 0064 8100 00c8 8100 012c 0800", (Some(100), Some(200))),
        tagged("a priority tag", "8100 e000 0800", (None, None)),
        tagged("a tag before 802.3", "8100 0064 0034 aaaa03 000000 0800", (Some(100), None)),
    ]
}

/// Between a station, 02:00:00:00:00:01, and what is behind its access point.
fn wireless() -> Vec<Fixture> {
    const SNAP: &str = "aaaa03 000000 0800";
    const ENDS: &str = "0200 0000 00aa  0200 0000 0001  0200 0000 0002";
    let to_system = format!("08 01 0000 {ENDS} 0000 {SNAP}");
    let with_quality = |quality: &str| format!("88 01 0000 {ENDS} 0000 {quality}");
    let radiotap = LinkType::Ieee80211Radiotap;
    vec![
        link("to the system", LinkType::Ieee80211, &to_system, OUTER),
        link(
            "from the system",
            LinkType::Ieee80211,
            &format!("08 02 0000 0200 0000 0002 0200 0000 00aa 0200 0000 0001 0000 {SNAP}"),
            OUTER,
        ),
        link(
            "between stations",
            LinkType::Ieee80211,
            &format!("08 00 0000 0200 0000 0002 0200 0000 0001 0200 0000 00aa 0000 {SNAP}"),
            OUTER,
        ),
        link(
            "between access points",
            LinkType::Ieee80211,
            &format!("08 03 0000 0200 0000 00aa 0200 0000 00bb 0200 0000 0002 0000 0200 0000 0001 {SNAP}"),
            OUTER,
        ),
        link("with quality of service", LinkType::Ieee80211, &format!("{} {SNAP}", with_quality("0000")), OUTER),
        link(
            "with high throughput",
            LinkType::Ieee80211,
            &format!("{} 00000000 {SNAP}", with_quality("0000").replacen("88 01", "88 81", 1)),
            OUTER,
        ),
        link(
            "the first of an aggregate",
            LinkType::Ieee80211,
            &format!("{} 0200 0000 0002 0200 0000 0001 0034 {SNAP}", with_quality("8000")),
            OUTER,
        ),
        link("radiotap", radiotap, &format!("00 00 0800 00000000 {to_system}"), OUTER),
        // A timestamp and flags; two words of presence.
        link(
            "radiotap with fields",
            radiotap,
            &format!("00 00 1900 03000080 00000000 00000000 0000000000000000 00 {to_system}"),
            OUTER,
        ),
        link(
            "radiotap with a padded header",
            radiotap,
            &format!("00 00 0900 02000000 20 {} 0000 {SNAP}", with_quality("0000")),
            OUTER,
        ),
        link("prism", LinkType::Ieee80211Prism, &format!("44000000 0c000000 00000000 {to_system}"), OUTER),
        link("avs", LinkType::Ieee80211Avs, &format!("80211001 0000000c 00000000 {to_system}"), OUTER),
    ]
}

fn preambles() -> Vec<Fixture> {
    vec![
        link("ppi before ethernet", LinkType::Ppi, &format!("00 00 0c00 01000000 00000000 {ETHERNET} 0800"), OUTER),
        link("pktap before raw", LinkType::Pktap, "10000000 01000000 0c000000 00000000", None),
        // A prefix of two bytes, padded; then the packet.
        link("nflog, little-endian", LinkType::Nflog, "02 00 0000  0600 0a00 6100 0000  3000 0900", None),
        link("nflog, big-endian", LinkType::Nflog, "02 00 0000  0006 000a 6100 0000  0030 0009", None),
    ]
}

fn tunnels() -> Vec<Fixture> {
    use Encapsulation::{Erspan, Gre, IpInIp, Mpls, Pppoe};
    let inner = format!("{INNER_ETHERNET} 0800");
    vec![
        // Label 16, bottom of stack, TTL 64; then label 17.
        tunnel("mpls", Mpls, "8847 00010140", OUTER),
        tunnel("mpls with two labels", Mpls, "8847 00010040 00011140", OUTER),
        tunnel("a pseudo-wire with a control word", Mpls, &format!("8847 00010140 00000000 {inner}"), INNER),
        tunnel("a pseudo-wire without one", Mpls, &format!("8847 00010140 {inner}"), INNER),
        // Version and type 1, code 0, session 1, 46 bytes.
        tunnel("pppoe", Pppoe, "8864 11 00 0001 002e 0021", OUTER),
        gre("gre", Gre, "0000 0800", OUTER),
        gre("gre with checksum, key and sequence", Gre, "b000 0800 00000000 00000001 00000002", OUTER),
        gre("nvgre", Gre, &format!("2000 6558 000001 00 {inner}"), INNER),
        gre("mpls over gre", Mpls, "0000 8847 00010140", OUTER),
        // Key and sequence, version 1, PPP of 48 bytes, call 1, sequence 1; then with an acknowledgment.
        gre("pptp", Gre, "3001 880b 0030 0001 00000001 ff03 0021", OUTER),
        gre("pptp with an acknowledgment", Gre, "3081 880b 0030 0001 00000001 00000001 ff03 0021", OUTER),
        // To the distribution system, with quality of service.
        gre(
            "802.11 over gre",
            Gre,
            "0000 8200 88 01 0000 0200 0000 00aa 0200 0000 0011 0200 0000 0012 0000 0000 aaaa03 000000 0800",
            INNER,
        ),
        gre("erspan I", Erspan, &format!("0000 88be {inner}"), INNER),
        Fixture {
            // Version 1, VLAN 100; session 1; index 0.
            vlans: (Some(100), None),
            ..gre("erspan II", Erspan, &format!("1000 88be 00000001 1064 0001 00000000 {inner}"), INNER)
        },
        Fixture {
            // The mirrored frame kept its tag: VLAN 200.
            vlans: (Some(200), None),
            ..gre(
                "erspan II with a tag",
                Erspan,
                &format!("1000 88be 00000001 1064 1801 00000000 {INNER_ETHERNET} 8100 00c8 0800"),
                INNER,
            )
        },
        Fixture {
            // Version 2, VLAN 100; session 1; timestamp; group; Ethernet.
            vlans: (Some(100), None),
            ..gre("erspan III", Erspan, &format!("1000 22eb 00000001 2064 0001 00000000 0000 8000 {inner}"), INNER)
        },
        Fixture {
            vlans: (Some(100), None),
            ..gre(
                "erspan III with a platform header",
                Erspan,
                &format!("1000 22eb 00000001 2064 0001 00000000 0000 8001 0000000000000000 {inner}"),
                INNER,
            )
        },
        over_ip("4in4", IpInIp, ipv4(ip::IPV4, &hex(&format!("{IPV4} {SYN}"))), OUTER),
        over_ip("4in6", IpInIp, ipv6(ip::IPV4, &hex(&format!("{IPV4} {SYN}"))), OUTER),
        over_ip("mpls over ip", Mpls, ipv4(ip::MPLS, &hex(&format!("00010140 {IPV4} {SYN}"))), OUTER),
        Fixture {
            vlans: (Some(100), Some(200)),
            ..tunnel("mpls behind two tags", Mpls, "88a8 0064 8100 00c8 8847 00010140", OUTER)
        },
    ]
}

fn overlays() -> Vec<Fixture> {
    use Encapsulation::{Ayiya, Capwap, Geneve, Gtp, IpInIp, L2tp, Vxlan};
    let inner = format!("{INNER_ETHERNET} 0800");
    vec![
        over_udp("vxlan", Vxlan, 4789, &format!("08 000000 000001 00 {inner}"), INNER),
        over_udp("vxlan on Linux's port", Vxlan, 8472, &format!("08 000000 000001 00 {inner}"), INNER),
        over_udp("vxlan with a group policy", Vxlan, 4789, &format!("88 08 0064 000001 00 {inner}"), INNER),
        over_udp("vxlan gpe with ip", Vxlan, 4790, "0c 0000 01 000001 00", OUTER),
        over_udp("vxlan gpe with ethernet", Vxlan, 4790, &format!("0c 0000 03 000001 00 {inner}"), INNER),
        over_udp("geneve with ethernet", Geneve, 6081, &format!("00 00 6558 000001 00 {inner}"), INNER),
        // Two words of options: class 0x0102, type 0x80, one word of data.
        over_udp("geneve with options and ip", Geneve, 6081, "02 40 0800 000001 00 0102 80 01 00000000", OUTER),
        // Version 1, GTP, G-PDU of 44 bytes, tunnel 1.
        over_udp("gtp", Gtp, 2152, "30 ff 002c 00000001", OUTER),
        over_udp("gtp with a sequence number", Gtp, 2152, "32 ff 0030 00000001 0001 00 00", OUTER),
        // A PDU session container: one word.
        over_udp("gtp with an extension", Gtp, 2152, "34 ff 0034 00000001 0000 00 85 01 0009 00", OUTER),
        // Tunnel 1, session 2; with a length of 54 bytes and an offset of 2.
        over_udp("l2tp", L2tp, 1701, "0002 0001 0002 ff03 0021", OUTER),
        over_udp("l2tp with a length, numbers and an offset", L2tp, 1701, L2TP_WITH_ALL, OUTER),
        over_udp("capwap with ethernet", Capwap, 5247, &format!("00 100000 0000 0000 {inner}"), INNER),
        // Four words; 802.11 in Cisco's byte order; radio information of four bytes, padded.
        over_udp(
            "capwap with 802.11",
            Capwap,
            5247,
            "00 200320 0000 0000 04 00000000 000000 \
             01 08 0000 0200 0000 00aa 0200 0000 0011 0200 0000 0012 0000 aaaa03 000000 0800",
            INNER,
        ),
        // An identity of 16 bytes, a signature of 20.
        over_udp(
            "ayiya",
            Ayiya,
            5072,
            &format!("41 52 11 29 00000000 {} {}", "00 ".repeat(16), "00 ".repeat(20)),
            OUTER,
        ),
        over_udp(
            "ip in vxlan in vlan",
            IpInIp,
            4789,
            &format!("08 000000 000001 00 {INNER_ETHERNET} 0800 {}", outer_ip()),
            INNER,
        ),
    ]
}

const L2TP_WITH_ALL: &str = "4a02 003e 0001 0002 0001 0001 0002 0000 0021";

/// An IPv4 header before the packet, as text.
fn outer_ip() -> String {
    ipv4(ip::IPV4, &hex(&format!("{IPV4} {SYN}")))[..20].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fixtures() -> Vec<Fixture> {
    [links(), wireless(), preambles(), tunnels(), overlays(), carriers::fixtures(), media::fixtures()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn every_header_is_unwrapped_to_the_same_packet() {
    for fixture in fixtures() {
        let mut decoder = decoder();
        let head = match decoder.decode(frame(fixture.link, &fixture.bytes)) {
            Ok(packet) => packet.head,
            Err(skip) => panic!("{}: {}", fixture.name, skip.as_str()),
        };
        assert_eq!(head.source.to_string(), "192.0.2.1:49152", "{}", fixture.name);
        assert_eq!(head.target.to_string(), "192.0.2.2:443", "{}", fixture.name);
        assert_eq!((head.vlan, head.inner_vlan), fixture.vlans, "{}", fixture.name);
        assert_eq!(head.tunnel, fixture.tunnel, "{}", fixture.name);
        assert_eq!(head.source_mac.map(|mac| mac.to_string()).as_deref(), fixture.source_mac, "{}", fixture.name);
        let unwrapped: Vec<_> =
            Encapsulation::ALL.iter().filter(|&&kind| decoder.counters().unwrapped(kind) == 1).collect();
        assert_eq!(unwrapped, fixture.tunnel.iter().collect::<Vec<_>>(), "{}", fixture.name);
    }
}

#[test]
fn every_prefix_of_a_frame_is_skipped_or_the_same_packet() {
    for fixture in fixtures() {
        let whole = decode(frame(fixture.link, &fixture.bytes)).unwrap();
        for len in 0..fixture.bytes.len() {
            let cut = Frame { bytes: &fixture.bytes[..len], ..frame(fixture.link, &fixture.bytes) };
            match decode(cut) {
                Ok(seen) => {
                    assert_eq!((seen.ends, seen.payload_len), (whole.ends.clone(), 0), "{} {len}", fixture.name)
                }
                Err(skip) => assert_eq!(skip, Skip::Truncated, "{} cut at {len}", fixture.name),
            }
        }
    }
}

#[test]
fn no_single_wrong_byte_panics() {
    for fixture in fixtures() {
        for at in 0..fixture.bytes.len() {
            for value in [0x00, 0x01, 0x40, 0x7f, 0x80, 0xff] {
                let mut bytes = fixture.bytes.clone();
                bytes[at] = value;
                let mut decoder = decoder();
                let _ = decoder.decode(frame(fixture.link, &bytes));
                assert_eq!(decoder.counters().frames, 1, "{}", fixture.name);
            }
        }
    }
}

#[test]
fn ipv6_is_read_behind_every_link() {
    let tail = format!("{IPV6} {SYN}");
    for (link, headers) in [
        (LinkType::Ethernet, format!("{ETHERNET} 86dd")),
        (LinkType::Raw, String::new()),
        (LinkType::Null, "1e000000".into()),
        (LinkType::Null, "0000001c".into()),
        (LinkType::Ppp, "0057".into()),
        (LinkType::LinuxSll, "0000 0001 0006 0200 0000 0001 0000 86dd".into()),
    ] {
        let bytes = hex(&format!("{headers} {tail}"));
        let seen = decode(frame(link, &bytes)).unwrap();
        assert_eq!(seen.ends, "[2001:db8::1]:49152 > [2001:db8::2]:443", "{link:?}");
    }
}

#[test]
fn six_in_four_and_six_in_six_are_unwrapped() {
    let inner = hex(&format!("{IPV6} {SYN}"));
    for outer in [ipv4(ip::IPV6, &inner), ipv6(ip::IPV6, &inner)] {
        let mut decoder = decoder();
        let head = decoder.decode(frame(LinkType::Raw, &outer)).unwrap().head;
        assert_eq!(head.source.to_string(), "[2001:db8::1]:49152");
        assert_eq!(head.tunnel, Some(Encapsulation::IpInIp));
    }
}

#[test]
fn teredo_is_unwrapped_behind_its_indications() {
    // 2001:0:: is Teredo's prefix (RFC 4380 §2.6).
    let packet = format!(
        "{} {SYN}",
        IPV6.replace("2001 0db8 0000 0000 0000 0000 0000 0001", "2001 0000 0000 0000 0000 0000 0000 0001")
    );
    for indications in [
        "",
        "0000 1234 c0000201",
        "0001 02 01 aaaa bb 0000000000000000 00",
        "0001 00 00 0000000000000000 00 0000 1234 c0000201",
    ] {
        let bytes = ipv4(ip::UDP, &udp(50_000, 3544, &hex(&format!("{indications} {packet}"))));
        let mut decoder = decoder();
        let head = decoder.decode(frame(LinkType::Raw, &bytes)).unwrap().head;
        assert_eq!(head.source.to_string(), "[2001::1]:49152", "{indications}");
        assert_eq!(head.tunnel, Some(Encapsulation::Teredo));
    }
}

#[test]
fn extension_headers_are_skipped() {
    // Hop-by-hop with a router alert, routing of one segment, destination options, an atomic fragment (RFC 6946).
    let extensions = hex(
        "2b 00 0502 0000 0100  3c 02 00 00 00000000 2001 0db8 0000 0000 0000 0000 0000 0003  2c 00 0104 00000000 06 00 0000 00000001",
    );
    let packet = ipv6(0, &[extensions.clone(), hex(SYN)].concat());
    let mut decoder = decoder();
    let head = decoder.decode(frame(LinkType::Raw, &packet)).unwrap().head;
    assert_eq!((head.source.port, head.target.port), (49_152, 443));
    assert_eq!(usize::from(head.ip.options_len), extensions.len());
}

#[test]
fn esp_and_ah_are_packets_without_ports() {
    // RFC 4303 §2: index and sequence. RFC 4302 §2: what follows, length, reserved, index, sequence, check value.
    let esp = hex("00001000 00000001 deadbeef");
    let ah = hex("06 04 0000 00001000 00000001 000000000000000000000000");
    for (protocol, transport, body) in [(ip::ESP, Transport::Esp, esp), (ip::AH, Transport::Ah, ah)] {
        for packet in [ipv4(protocol, &body), ipv6(protocol, &body)] {
            let mut decoder = decoder();
            let Packet { head, payload } = decoder.decode(frame(LinkType::Raw, &packet)).unwrap();
            assert_eq!((head.transport, head.source.port, head.target.port), (transport, 0, 0));
            assert_eq!(payload, body);
        }
    }
}

#[test]
fn what_is_no_packet_of_a_flow_says_why() {
    let cases = [
        (LinkType::Ethernet, format!("{ETHERNET} 0806 0001 0800 06 04 0001"), Skip::NotIp),
        // A bridge's spanning tree, and Cisco's per VLAN.
        (LinkType::Ethernet, format!("{ETHERNET} 0026 424203 0000 02 02"), Skip::NotIp),
        (LinkType::Ethernet, format!("{ETHERNET} 0030 aaaa03 00000c 010b 0000"), Skip::NotIp),
        // MACsec with encryption.
        (LinkType::Ethernet, format!("{ETHERNET} 88e5 0c 00 00000001 dead"), Skip::NotIp),
        (LinkType::Ethernet, format!("{ETHERNET} 8863 11 09 0000 0000"), Skip::NotIp),
        (LinkType::Ethernet, format!("{ETHERNET} 8864 11 00 0001 0004 c021 0101"), Skip::NotIp),
        // Netlink in a cooked capture.
        (LinkType::LinuxSll, format!("0004 0338 0000 0000 0000 0000 0000 0800 {IPV4} {SYN}"), Skip::NotIp),
        (LinkType::Null, "07000000 0000".into(), Skip::NotIp),
        // A beacon, a protected frame, the first of two fragments, a frame without data.
        (LinkType::Ieee80211, format!("80 00 0000 {} 0000 00", "00 ".repeat(18)), Skip::NotIp),
        (LinkType::Ieee80211, format!("08 41 0000 {} 0000 00", "00 ".repeat(18)), Skip::NotIp),
        (LinkType::Ieee80211, format!("08 05 0000 {} 0000 00", "00 ".repeat(18)), Skip::NotIp),
        (LinkType::Ieee80211, format!("48 01 0000 {} 0000 00", "00 ".repeat(18)), Skip::NotIp),
        (LinkType::Ieee80211Radiotap, "01 00 0800 00000000".into(), Skip::UnknownLink),
        (LinkType::Ieee80211Radiotap, "00 00 0300 00000000".into(), Skip::Malformed),
        (LinkType::Ieee80211Prism, "44000000 07000000 0000".into(), Skip::Malformed),
        // A header within a header within a header.
        (LinkType::Ppi, "00 00 0800 c0000000".repeat(20), Skip::TooDeep),
        (LinkType::Ppi, "00 00 0800 93000000 00".into(), Skip::UnknownLink),
        (LinkType::Ppi, "00 00 0700 01000000 00".into(), Skip::Malformed),
        (LinkType::Pktap, "0c000000 00000000 01000000".into(), Skip::UnknownLink),
        (LinkType::Nflog, "02 00 0000  0300 0900".into(), Skip::Malformed),
        (LinkType::Nflog, format!("02 00 0000 {}", "0400 0a00".repeat(33)), Skip::TooDeep),
        (LinkType::Unknown(147), format!("{IPV4} {SYN}"), Skip::UnknownLink),
        (LinkType::Raw, IPV4.replace("40 06", "40 01"), Skip::NotTcpOrUdp),
        (LinkType::Raw, format!("55 {SYN}"), Skip::Malformed),
        (LinkType::Raw, IPV4.replacen("45", "44", 1), Skip::Malformed),
        (LinkType::Raw, IPV4.replacen("00 2c", "00 13", 1), Skip::Malformed),
        // A TCP header of 16 bytes.
        (LinkType::Raw, format!("{IPV4} {}", SYN.replace("60 02", "40 02")), Skip::Malformed),
        (LinkType::Ethernet, String::new(), Skip::Truncated),
        (LinkType::Raw, String::new(), Skip::Truncated),
    ];
    for (link, bytes, expected) in cases {
        let mut decoder = decoder();
        assert_eq!(decoder.decode(frame(link, &hex(&bytes))).err(), Some(expected), "{bytes}");
        assert_eq!(decoder.counters().skipped(expected), 1);
    }
}

#[test]
fn headers_inside_each_other_have_a_limit() {
    let limits = Limits::default();
    for (count, expected) in [(limits.headers_max, None), (limits.headers_max + 1, Some(Skip::TooDeep))] {
        let tags = "8100 0064 ".repeat(usize::from(count));
        let bytes = hex(&format!("{ETHERNET} {tags} 0800 {IPV4} {SYN}"));
        assert_eq!(decode(frame(LinkType::Ethernet, &bytes)).err(), expected, "{count} tags");
        let mut packet = hex(&format!("{IPV4} {SYN}"));
        for _ in 0..count {
            packet = ipv4(ip::IPV4, &packet);
        }
        assert_eq!(decode(frame(LinkType::Raw, &packet)).err(), expected, "{count} tunnels");
        let mut packet = hex(&format!("{IPV4} {SYN}"));
        for _ in 0..count {
            packet = ipv4(ip::UDP, &udp(50_000, 6081, &[hex("00 00 0800 000001 00"), packet].concat()));
        }
        assert_eq!(decode(frame(LinkType::Raw, &packet)).err(), expected, "{count} overlays");
    }
    let many = [hex(&"3c 00 0104 00000000".repeat(9)), hex(SYN)].concat();
    assert_eq!(decode(frame(LinkType::Raw, &ipv6(60, &many))).err(), Some(Skip::TooDeep));
}

#[test]
fn a_tunnels_port_does_not_make_a_tunnel() {
    let (vxlan, packet) = ("08 000000 000001 00", format!("{IPV4} {SYN}"));
    let cases = [
        (4789, "00".into()),
        // A reserved byte is set, and inside is nothing that shows itself; no flag says that there is an identifier.
        (4789, format!("08 000000 000001 01 {INNER_ETHERNET} 88cc 02070400")),
        (4789, format!("00 000000 000001 00 {INNER_ETHERNET} 0800 {packet}")),
        // What is inside contradicts itself, or ends too early.
        (4789, format!("{vxlan} {INNER_ETHERNET} 0800 55 {packet}")),
        (4789, format!("{vxlan} {INNER_ETHERNET}")),
        // Version 1; control packets and reserved bits around what is no packet, or none to the end; an unknown protocol.
        (6081, format!("40 00 0800 000001 00 {packet}")),
        (6081, format!("00 80 0800 000001 00 55 {packet}")),
        (6081, format!("00 80 6558 000001 00 {packet}")),
        (6081, format!("00 01 0800 000001 00 {packet} 00")),
        (6081, format!("00 00 0806 000001 00 {packet}")),
        // An echo request; a length beyond the datagram; version 2.
        (2152, "32 01 0004 00000000 0001 0000".into()),
        (2152, format!("30 ff 002d 00000001 {packet}")),
        (2152, format!("50 ff 002c 00000001 {packet}")),
        // An extension of no length.
        (2152, format!("34 ff 0034 00000001 0000 00 85 00 0009 00 {packet}")),
        // A control message; version 3; a length that is not the datagram's; PPP's own control protocol; ICMP.
        (1701, "c802 000c 0000 0000 0000 0000".into()),
        (1701, format!("0003 0001 0002 ff03 0021 {packet}")),
        (1701, format!("4002 0001 0001 0002 ff03 0021 {packet}")),
        (1701, "0002 0001 0002 ff03 c021 0901 0008 00000000".into()),
        (1701, format!("0002 0001 0002 ff03 0021 {packet}").replace("40 06", "40 01")),
        // A keep-alive, a fragment, DTLS, a binding nobody knows, a header too short to be one.
        (5247, "00 100008 0000 0000".into()),
        (5247, format!("00 100080 0001 0000 {INNER_ETHERNET} 0800 {packet}")),
        (5247, "01 000000 16 fefd 0000".into()),
        (5247, format!("00 100700 0000 0000 {packet}")),
        (5247, format!("00 080000 0000 0000 {packet}")),
        // Not the forwarding of a packet.
        (5072, format!("00 02 10 29 00000000 00 {packet}")),
        // Not Teredo's addresses; IPv4 inside.
        (3544, format!("{IPV6} {SYN}")),
        (3544, packet.clone()),
    ];
    for (port, payload) in cases {
        is_what_it_is(port, &hex(&payload));
    }
}

/// What `fuzz/fuzz_targets/decode.rs` reads: link type, time step, length, frame.
#[test]
#[ignore = "writes files: fuzz/seeds.sh runs it"]
fn seeds_for_the_fuzzer_decode() {
    let Ok(corpus) = std::env::var("FUZZ_CORPUS") else { return };
    for (number, fixture) in fixtures().iter().enumerate() {
        let link = match fixture.link {
            LinkType::Ethernet => 0,
            LinkType::LinuxSll => 4,
            LinkType::LinuxSll2 => 5,
            LinkType::Null => 6,
            LinkType::Ppp => 7,
            LinkType::Raw => 8,
            LinkType::Unknown(_) => 9,
            LinkType::CiscoHdlc => 10,
            LinkType::Ieee80211 => 11,
            LinkType::Ieee80211Avs => 12,
            LinkType::Ieee80211Prism => 13,
            LinkType::Ieee80211Radiotap => 14,
            LinkType::Nflog => 15,
            LinkType::Pktap => 16,
            LinkType::Ppi => 17,
            LinkType::Arcnet => 18,
            LinkType::ArcnetLinux => 19,
            LinkType::FrameRelay => 20,
            LinkType::Infiniband => 21,
            LinkType::PppEther => 22,
            LinkType::TokenRing => 23,
            LinkType::User2 => 24,
        };
        let len = u16::try_from(fixture.bytes.len()).unwrap().to_be_bytes();
        std::fs::write(format!("{corpus}/decode/header-{number}"), [&[link, 1], &len[..], &fixture.bytes].concat())
            .unwrap();
    }
    let parts = fragments::split(&ipv4(ip::UDP, &udp(1000, 2000, &[7; 100])), &[56]);
    let frames = parts.iter().map(|part| [&[8, 1, 0, u8::try_from(part.len()).unwrap()], &part[..]].concat());
    std::fs::write(format!("{corpus}/decode/fragments"), frames.collect::<Vec<_>>().concat()).unwrap();
}
