//! What carriers, fabrics and mirrors put before a packet, and L2TP and Ethernet over IP.

use super::headers::{Fixture, INNER, OUTER, gre, link, over_ip, over_udp, tunnel};
use super::*;

/// As [`headers`] tests every other.
pub(super) fn fixtures() -> Vec<Fixture> {
    use Encapsulation::{EtherIp, Geneve, Gre, L2tp, Lisp, Mpls, Pppoe, Tzsp, Vxlan};
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
        // The second to last of the queues.
        gre(
            "802.11 over gre, for another queue",
            Gre,
            "0000 8360 08 01 0000 0200 0000 00aa 0200 0000 0011 0200 0000 0012 0000 aaaa03 000000 0800",
            INNER,
        ),
        gre("redirected by wccp 1", Gre, "0000 883e", OUTER),
        // Dynamic, service 90, buckets 0 and 3.
        gre("redirected by wccp 2", Gre, "0000 883e 80 5a 00 03", OUTER),
        // A checksum and an offset; one route of IPv4 over two routers.
        gre("gre with routes", Gre, "4000 0800 0000 0004 0800 04 08 c6336401 c6336402 0000 00 00", OUTER),
        gre("gre with a checksum, a key and no route", Gre, "e000 0800 00000000 00000001 0000 00 00", OUTER),
        over_ip("etherip", EtherIp, ipv4(ip::ETHERIP, &hex(&format!("3000 {inner} {IPV4} {SYN}"))), INNER),
        over_udp("gre over udp", Gre, 4754, "0000 0800", OUTER),
        over_udp("gre over udp with ethernet", Gre, 4754, &format!("3000 6558 00000100 00000001 {inner}"), INNER),
        over_udp("lisp", Lisp, 4341, "00 000000 00000000", OUTER),
        over_udp("lisp with a nonce and status bits", Lisp, 4341, "c0 5a5a5a 00000001", OUTER),
        over_udp("lisp with versions and an instance", Lisp, 4341, "18 001002 00000701", OUTER),
        over_udp("vxlan with a reserved byte", Vxlan, 4789, &format!("08 000000 000001 07 {inner}"), INNER),
        over_udp("vxlan with reserved flags", Vxlan, 4789, &format!("48 000001 000001 00 {inner}"), INNER),
        over_udp("a control packet of geneve", Geneve, 6081, &format!("00 80 6558 000001 00 {inner}"), INNER),
        over_udp("geneve with reserved bits", Geneve, 6081, "00 01 0800 000001 07", OUTER),
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
        // GRE of version 1, with a reserved bit, with routes; around what nobody names, no packet, half a packet, a frame
        // of nothing usual.
        (4754, format!("0001 0800 {packet}")),
        (4754, format!("0010 0800 {packet}")),
        (4754, format!("4000 0800 00000000 00000000 {packet}")),
        (4754, format!("0000 880b ff03 0021 {packet}")),
        (4754, format!("0000 0800 55 {packet}")),
        (4754, format!("0000 0800 {packet} 00")),
        (4754, format!("0000 6558 {INNER_ETHERNET} 88cc 02070400 {packet}")),
        // LISP with the reserved flag, with a nonce and versions, with an echo or bytes for no nonce; half a packet.
        (4341, format!("04 000000 00000000 {packet}")),
        (4341, format!("90 001002 00000000 {packet}")),
        (4341, format!("20 000000 00000000 {packet}")),
        (4341, format!("00 000001 00000000 {packet}")),
        (4341, format!("00 000000 00000000 {packet} 00")),
        (4341, format!("00 000000 00000000 55 {packet}")),
        // A G-PDU that its length cuts.
        (2152, format!("30 ff 002b 00000001 {packet}")),
    ];
    for (port, payload) in cases {
        is_what_it_is(port, &hex(&payload));
    }
}

#[test]
fn what_is_wrong_between_ip_and_a_frame_makes_none() {
    let packet = format!("{IPV4} {SYN}");
    for (protocol, body, skip) in [
        // Version 2; a bit that must be 0.
        (ip::ETHERIP, format!("2000 {INNER_ETHERNET} 0800 {packet}"), Skip::Malformed),
        (ip::ETHERIP, format!("3001 {INNER_ETHERNET} 0800 {packet}"), Skip::Malformed),
        // A route of no length; more routes than anybody takes.
        (ip::GRE, format!("4000 0800 00000000 0800 00 00 {packet}"), Skip::Malformed),
        (ip::GRE, format!("4000 0800 00000000 {} {packet}", "0800 00 01 00 ".repeat(17)), Skip::TooDeep),
        // Beyond Aruba's queues.
        (ip::GRE, format!("0000 8371 {packet}"), Skip::NotIp),
        (ip::GRE, format!("0000 883e 55 5a 00 00 00 {packet}"), Skip::Malformed),
    ] {
        let bytes = ipv4(protocol, &hex(&body));
        assert_eq!(decode(frame(LinkType::Raw, &bytes)).err(), Some(skip), "{body}");
    }
}
