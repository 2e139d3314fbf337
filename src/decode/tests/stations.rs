//! Frames of the link itself, which only MACs tell apart.

use super::*;

#[test]
fn frames_of_the_link_are_packets_between_macs() {
    let cdp = "00 0c  aa aa 03 00 00 0c 20 00  02 b4 00 00";
    for (after_addresses, ether_type, payload) in [
        ("88 cc  02 07 04 00", 0x88cc, "02 07 04 00"),
        ("81 00 00 07  88 8e  01 01 00 00", 0x888e, "01 01 00 00"),
        (cdp, 0x2000, "02 b4 00 00"),
    ] {
        let bytes = hex(&format!("{ETHERNET} {after_addresses}"));
        let mut decoder = decoder();
        let packet = decoder.decode(frame(LinkType::Ethernet, &bytes)).unwrap();
        let head = packet.head;
        assert_eq!((head.transport, head.source.port, head.target.port), (Transport::Link, ether_type, ether_type));
        assert_eq!((packet.payload, head.payload_len), (&hex(payload)[..], 4));
        assert_eq!(head.source_mac, Some(Mac([2, 0, 0, 0, 0, 1])));
    }
}

#[test]
fn frames_of_a_ppp_link_are_packets_too() {
    for (bytes, number, payload) in [
        ("ff03 0207  02 b4 00 00", 0x2000, "02 b4 00 00"),
        ("0207  02 b4 00 00", 0x2000, "02 b4 00 00"),
        ("ff03 c227  02 01 0006 01 62", 0xc227, "02 01 0006 01 62"),
    ] {
        let seen = decode(frame(LinkType::Ppp, &hex(bytes))).unwrap();
        assert_eq!((seen.transport, seen.payload), (Transport::Link, hex(payload)));
        assert_eq!(seen.ends, format!("0.0.0.0:{number} > 0.0.0.0:{number}"));
    }
    // In PPPoE, padded as Ethernet pads.
    let bytes = hex(&format!("{ETHERNET} 8864 11 00 0001 0008 c227 02 01 0006 01 62 00000000"));
    let mut decoder = decoder();
    let packet = decoder.decode(frame(LinkType::Ethernet, &bytes)).unwrap();
    assert_eq!((packet.head.source.port, packet.payload), (0xc227, &hex("02 01 0006 01 62")[..]));
    assert_eq!(packet.head.source_mac, Some(Mac([2, 0, 0, 0, 0, 1])));
    // What agrees on a link's options is none of them.
    assert_eq!(decode(frame(LinkType::Ppp, &hex("ff03 c021 01 01 0004"))).err(), Some(Skip::NotIp));
}

#[test]
fn of_arp_only_probes_are_packets() {
    let decode = |arp: &str| {
        let bytes = hex(&format!("ff ff ff ff ff ff 02 00 00 00 00 01 08 06 {arp}"));
        decoder().decode(frame(LinkType::Ethernet, &bytes)).map(|packet| packet.head.source.port)
    };
    assert_eq!(decode("0001 0800 06 04 0001 020000000001 00000000 000000000000 c0000207"), Ok(0x0806));
    assert_eq!(decode("0001 0800 06 04 0001 020000000001 c0000201 000000000000 c0000207"), Err(Skip::NotIp));
    assert_eq!(decode("0001 0800 06 04 0002 020000000001 00000000 000000000000 c0000207"), Err(Skip::NotIp));
    assert_eq!(decode("0001 0800 06 04 0001 020000000001 0000"), Err(Skip::NotIp));
}

#[test]
fn two_stations_that_say_the_same_are_no_copies() {
    let mut decoder = decoder();
    let mut decode = |source: &str| {
        let bytes = hex(&format!("02 00 00 00 00 02 {source} 88 8e 01 01 00 00"));
        decoder.decode(frame(LinkType::Ethernet, &bytes)).map(|_| ())
    };
    assert_eq!(decode("02 00 00 00 00 01"), Ok(()));
    assert_eq!(decode("02 00 00 00 00 03"), Ok(()));
    assert_eq!(decode("02 00 00 00 00 01"), Err(Skip::Duplicate));
}
