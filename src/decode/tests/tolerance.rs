//! What mirrors and capture files do to frames.

use super::*;

#[test]
fn the_padding_of_the_link_is_no_payload() {
    let bytes = hex(&format!("{ETHERNET} 0800 {IPV4} {SYN} 0000 deadbeef"));
    let seen = decode(frame(LinkType::Ethernet, &bytes)).unwrap();
    assert_eq!((seen.payload, seen.payload_len), (vec![], 0));
}

#[test]
fn a_frame_cut_by_the_snap_length_keeps_its_length() {
    let bytes = ethernet(&ipv4(ip::UDP, &udp(1000, 2000, &[7; 100])));
    let cut = Frame { bytes: &bytes[..60], ..frame(LinkType::Ethernet, &bytes) };
    let seen = decode(cut).unwrap();
    assert_eq!((seen.payload, seen.payload_len), (vec![7; 18], 100));
}

#[test]
fn a_large_segment_without_a_length_ends_with_its_frame() {
    let zero_len = IPV4.replacen("00 2c", "00 00", 1);
    let bytes = hex(&format!("{ETHERNET} 0800 {zero_len} {SYN} 010203"));
    assert_eq!(decode(frame(LinkType::Ethernet, &bytes)).unwrap().payload, [1, 2, 3]);
    let zero_len = IPV6.replacen("00 18", "00 00", 1);
    let bytes = hex(&format!("{ETHERNET} 86dd {zero_len} {SYN} 010203"));
    assert_eq!(decode(frame(LinkType::Ethernet, &bytes)).unwrap().payload, [1, 2, 3]);
}

#[test]
fn a_datagram_ends_where_udp_says_or_with_its_packet() {
    let header = "03e8 07d0";
    for (len, expected) in
        [("0000", vec![1, 2, 3, 4]), ("000a", vec![1, 2]), ("ffff", vec![1, 2, 3, 4]), ("0008", vec![])]
    {
        let packet = ipv4(ip::UDP, &hex(&format!("{header} {len} 0000 01020304")));
        assert_eq!(decode(frame(LinkType::Raw, &packet)).unwrap().payload, expected, "length {len}");
    }
    let packet = ipv4(ip::UDP, &hex(&format!("{header} 0007 0000 01020304")));
    assert_eq!(decode(frame(LinkType::Raw, &packet)).err(), Some(Skip::Malformed));
}

#[test]
fn a_wrong_checksum_is_no_reason_to_skip() {
    let packet = hex(&format!("{} {SYN}", IPV4.replace("06 00 00", "06 be ef")));
    assert!(decode(frame(LinkType::Raw, &packet)).is_ok());
}

#[test]
fn a_length_beyond_what_the_headers_before_leave_room_for_is_not_believed() {
    let packet = format!("{} {SYN}", IPV4.replacen("00 2c", "00 32", 1));
    // PPPoE leaves 44 bytes, Ethernet what there is; IPv4 says 50.
    for headers in ["8864 11 00 0001 002e 0021", "0800"] {
        let bytes = hex(&format!("{ETHERNET} {headers} {packet}"));
        assert_eq!(decode(frame(LinkType::Ethernet, &bytes)).map(|seen| seen.payload_len), Ok(0), "{headers}");
    }
}
