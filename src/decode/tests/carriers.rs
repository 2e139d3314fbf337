//! What carriers, fabrics and mirrors put before a packet, and L2TP over IP.

use super::headers::{Fixture, INNER, OUTER, gre, link, over_ip, over_udp, tunnel};
use super::*;

/// As [`headers`] tests every other.
pub(super) fn fixtures() -> Vec<Fixture> {
    use Encapsulation::{Gre, L2tp, Mpls, Pppoe, Tzsp};
    let inner = format!("{INNER_ETHERNET} 0800");
    let over_l2tp =
        |name, headers: &str, mac| over_ip(name, L2tp, ipv4(ip::L2TP, &hex(&format!("{headers} {IPV4} {SYN}"))), mac);
    vec![
        // Tree 17, 1 hop; service 0x1234; from channel 0x101 to 0x201.
        link("fabricpath", LinkType::Ethernet, &format!("{ETHERNET} 8903 0441 {inner}"), INNER),
        link("802.1ah", LinkType::Ethernet, &format!("{ETHERNET} 88e7 00001234 {inner}"), INNER),
        link("802.1BR", LinkType::Ethernet, &format!("{ETHERNET} 893f 0101 0201 0000 0800"), OUTER),
        tunnel(
            "a pseudo-wire of 802.3",
            Mpls,
            &format!("8847 00010140 {INNER_ETHERNET} 0034 aaaa03 000000 0800"),
            INNER,
        ),
        tunnel(
            "a pseudo-wire of PPPoE",
            Pppoe,
            &format!("8847 00010140 {INNER_ETHERNET} 8864 11 00 0001 002e 0021"),
            INNER,
        ),
        gre("ppp over gre", Gre, "0000 880b ff03 0021", OUTER),
        over_udp("mpls over udp", Mpls, 6635, "00010040 00011140", OUTER),
        over_udp("a pseudo-wire over udp", Mpls, 6635, &format!("00011140 00000000 {inner}"), INNER),
        // A signal of one byte, a pad, the end.
        over_udp("tzsp with ethernet", Tzsp, 37_008, &format!("01 00 0001 0a 01 c5 00 01 {inner}"), INNER),
        over_udp(
            "tzsp with 802.11",
            Tzsp,
            37_008,
            "01 00 0012 01 08 01 0000 0200 0000 00aa 0200 0000 0011 0200 0000 0012 0000 aaaa03 000000 0800",
            INNER,
        ),
        over_l2tp("l2tpv3 with ethernet", &format!("0000004d {inner}"), INNER),
        over_l2tp("l2tpv3 with a cookie", &format!("0000004d c00c1e00 {inner}"), INNER),
        over_l2tp("l2tpv3 with a cookie and a sublayer", &format!("0000004d c00c1e00c00c1e01 40000001 {inner}"), INNER),
        over_l2tp("l2tpv3 with ip", "0000004d", OUTER),
        over_l2tp("l2tpv3 with a cookie and ip", "0000004d c00c1e00c00c1e01", OUTER),
    ]
}

#[test]
fn a_header_of_tcp_that_is_not_compressed_is_read_without_its_protocol() {
    // Connection 5 stands for the protocol.
    let uncompressed = IPV4.replace("40 06", "40 05");
    for headers in ["ff03 002f", "002f", "2f"] {
        let bytes = hex(&format!("{headers} {uncompressed} {SYN}"));
        let seen = decode(frame(LinkType::Ppp, &bytes)).unwrap();
        assert_eq!(seen.ends, "192.0.2.1:49152 > 192.0.2.2:443", "{headers}");
        assert_eq!(seen.transport, Transport::Tcp);
    }
    for (headers, packet, skip) in [
        ("ff03 002d", format!("{uncompressed} {SYN}"), Skip::NotIp),
        ("ff03 0021", format!("{uncompressed} {SYN}"), Skip::NotTcpOrUdp),
        ("ff03 002f", format!("{IPV6} {SYN}"), Skip::Malformed),
        ("ff03 002f", format!("{} {SYN}", uncompressed.replacen("40 00", "20 00", 1)), Skip::Malformed),
    ] {
        let bytes = hex(&format!("{headers} {packet}"));
        assert_eq!(decode(frame(LinkType::Ppp, &bytes)).err(), Some(skip), "{headers}");
    }
}

#[test]
fn a_tagged_frame_without_a_control_word_is_read_from_its_first_byte() {
    // The target's first four bytes would do for a control word, and the tagged packet's EtherType stands four bytes on.
    let tagged = format!("{INNER_ETHERNET} 8100 0064 0800");
    for control_word in ["", "00000000"] {
        let bytes = hex(&format!("{ETHERNET} 8847 00010140 {control_word} {tagged} {IPV4} {SYN}"));
        let mut decoder = decoder();
        let head = decoder.decode(frame(LinkType::Ethernet, &bytes)).unwrap().head;
        assert_eq!(head.target_mac, Some(Mac([2, 0, 0, 0, 0, 0x12])), "{control_word}");
        assert_eq!((head.vlan, head.tunnel), (Some(100), Some(Encapsulation::Mpls)), "{control_word}");
    }
}

#[test]
fn what_l2tp_over_ip_carries_beside_packets_of_flows_is_its_own() {
    let icmp = format!("{IPV4} {SYN}").replace("40 06", "40 01");
    let bodies = [
        // A control message; a session with a cookie around ICMP, around ARP, around what nobody knows.
        "00000000 c803 000c 00000000 0000 0000".into(),
        format!("0000004d c00c1e00 {icmp}"),
        format!("0000004d {INNER_ETHERNET} 0806 0001 0800 06 04 0001 {}", "11 ".repeat(20)),
        format!("0000004d {}", "a5 ".repeat(60)),
        // A packet that does not end where its datagram does.
        format!("0000004d c00c1e00 {IPV4} {SYN} 00"),
    ];
    for body in bodies {
        let body = hex(&body);
        let packet = ipv4(ip::L2TP, &body);
        let mut decoder = decoder();
        let Packet { head, payload } = decoder.decode(frame(LinkType::Raw, &packet)).unwrap();
        assert_eq!((head.transport, head.source.port, head.tunnel), (Transport::L2tp, 0, None));
        assert_eq!(payload, body);
    }
}

#[test]
fn bytes_behind_a_g_pdu_are_no_part_of_it() {
    let payload = hex(&format!("30 ff 002c 00000001 {IPV4} {SYN} 00000000"));
    let bytes = ipv4(ip::UDP, &udp(50_000, 2152, &payload));
    let seen = decode(frame(LinkType::Raw, &bytes)).unwrap();
    assert_eq!((seen.ends.as_str(), seen.payload_len), ("192.0.2.1:49152 > 192.0.2.2:443", 0));
}

#[test]
fn a_mirrors_port_does_not_make_a_mirror() {
    let packet = format!("{IPV4} {SYN}");
    let cases = [
        // No bottom of the stack; a packet that does not fill the datagram.
        (6635, format!("00010040 {packet}")),
        (6635, format!("00010140 {packet} 00")),
        // Version 2; a keep-alive; an unknown link; tags without an end.
        (37_008, format!("02 00 0001 01 {INNER_ETHERNET} 0800 {packet}")),
        (37_008, format!("01 04 0001 01 {INNER_ETHERNET} 0800 {packet}")),
        (37_008, format!("01 00 0002 01 {INNER_ETHERNET} 0800 {packet}")),
        (37_008, format!("01 00 0001 {}", "00 ".repeat(64))),
        // A G-PDU that its length cuts.
        (2152, format!("30 ff 002b 00000001 {packet}")),
    ];
    for (port, payload) in cases {
        is_what_it_is(port, &hex(&payload));
    }
}
