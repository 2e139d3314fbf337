//! What carriers put before a packet.

use super::headers::{Fixture, INNER, tunnel};
use super::*;

/// As [`headers`] tests every other.
pub(super) fn fixtures() -> Vec<Fixture> {
    use Encapsulation::{Mpls, Pppoe};
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
