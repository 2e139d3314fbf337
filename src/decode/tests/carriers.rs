//! What carriers put before a packet, and L2TP over IP.

use super::headers::{Fixture, INNER, OUTER, over_ip, tunnel};
use super::*;

/// As [`headers`] tests every other.
pub(super) fn fixtures() -> Vec<Fixture> {
    use Encapsulation::{L2tp, Mpls, Pppoe};
    let inner = format!("{INNER_ETHERNET} 0800");
    let over_l2tp =
        |name, headers: &str, mac| over_ip(name, L2tp, ipv4(ip::L2TP, &hex(&format!("{headers} {IPV4} {SYN}"))), mac);
    vec![
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
        over_l2tp("l2tpv3 with ethernet", &format!("0000004d {inner}"), INNER),
        over_l2tp("l2tpv3 with a cookie", &format!("0000004d c00c1e00 {inner}"), INNER),
        over_l2tp("l2tpv3 with a cookie and a sublayer", &format!("0000004d c00c1e00c00c1e01 40000001 {inner}"), INNER),
        over_l2tp("l2tpv3 with ip", "0000004d", OUTER),
        over_l2tp("l2tpv3 with a cookie and ip", "0000004d c00c1e00c00c1e01", OUTER),
    ]
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
