//! Copies that mirroring makes.

use super::*;

/// What a decoder makes of a second frame `after` the first.
fn second(first: (LinkType, &[u8]), second: (LinkType, &[u8]), after: Duration) -> Option<Skip> {
    let mut decoder = decoder();
    let start = frame(first.0, first.1);
    assert!(decoder.decode(start).is_ok());
    decoder.decode(Frame { at: start.at + after, seq: 1, ..frame(second.0, second.1) }).err()
}

fn soon(first: &[u8], then: &[u8]) -> Option<Skip> {
    second((LinkType::Raw, first), (LinkType::Raw, then), Duration::from_micros(10))
}

#[test]
fn a_copy_within_two_milliseconds_is_dropped() {
    let packet = hex(&format!("{IPV4} {SYN}"));
    for (nanos, expected) in [
        (0, Some(Skip::Duplicate)),
        (1_999_999, Some(Skip::Duplicate)),
        (2_000_000, Some(Skip::Duplicate)),
        (2_000_001, None),
    ] {
        let raw = (LinkType::Raw, packet.as_slice());
        assert_eq!(second(raw, raw, Duration::from_nanos(nanos)), expected, "after {nanos} ns");
    }
}

#[test]
fn every_copy_is_measured_from_the_first() {
    let packet = hex(&format!("{IPV4} {SYN}"));
    let mut decoder = decoder();
    let outcomes: Vec<bool> = (0..6)
        .map(|millis| {
            let at = Timestamp::from_secs(1) + Duration::from_millis(millis);
            decoder.decode(Frame { at, ..frame(LinkType::Raw, &packet) }).is_ok()
        })
        .collect();
    assert_eq!(outcomes, [true, false, false, true, false, false]);
    assert_eq!(decoder.counters().skipped(Skip::Duplicate), 4);
}

#[test]
fn a_switch_or_router_between_two_mirrored_ports_hides_no_copy() {
    let packet = format!("{IPV4} {SYN}");
    // TTL, DSCP and the header's checksum.
    let routed = packet.replacen("45 00", "45 b8", 1).replacen("40 06 00 00", "3f 06 12 34", 1);
    let offloaded = packet.replacen("fa f0  00 00", "fa f0  ab cd", 1);
    assert_eq!(soon(&hex(&packet), &hex(&routed)), Some(Skip::Duplicate));
    assert_eq!(soon(&hex(&packet), &hex(&offloaded)), Some(Skip::Duplicate));
    let tagged = hex(&format!("{INNER_ETHERNET} 8100 0064 0800 {packet}"));
    let raw = hex(&packet);
    let first = (LinkType::Raw, raw.as_slice());
    assert_eq!(second(first, (LinkType::Ethernet, &tagged), Duration::ZERO), Some(Skip::Duplicate));
}

#[test]
fn a_retransmission_is_no_copy() {
    let packet = format!("{IPV4} {SYN}");
    assert_eq!(soon(&hex(&packet), &hex(&packet.replacen("12 34", "12 35", 1))), None);
}

#[test]
fn what_differs_in_the_transport_or_the_payload_is_no_copy() {
    let mut long = vec![7; 400];
    let packet = |payload: &[u8]| ipv4(ip::UDP, &udp(1000, 2000, payload));
    let first = packet(&long);
    assert_eq!(soon(&first, &first), Some(Skip::Duplicate));
    for at in [0, 50, 399] {
        long[at] = 8;
        assert_eq!(soon(&first, &packet(&long)), None, "payload byte {at}");
        long[at] = 7;
    }
    assert_eq!(soon(&first, &packet(&long[..399])), None);
    assert_eq!(soon(&first, &ipv4(ip::UDP, &udp(1000, 2001, &long))), None);
    let packet = hex(&format!("{IPV6} {SYN}"));
    assert_eq!(soon(&packet, &packet), Some(Skip::Duplicate));
    assert_eq!(soon(&packet, &hex(&format!("{IPV6} {}", SYN.replacen("00 00 00 01", "00 00 00 02", 1)))), None);
}

#[test]
fn a_copied_fragment_does_not_begin_a_datagram() {
    let mut decoder = decoder();
    let parts = fragments::split(&ipv4(ip::UDP, &udp(1000, 2000, &[7; 100])), &[56]);
    let outcomes: Vec<Option<Skip>> = [&parts[0], &parts[0], &parts[1], &parts[1]]
        .map(|part| decoder.decode(frame(LinkType::Raw, part)).err())
        .into();
    assert_eq!(outcomes, [Some(Skip::Fragment), Some(Skip::Duplicate), None, Some(Skip::Duplicate)]);
    assert_eq!(decoder.counters().fragments.waiting, 0);
}

#[test]
fn the_oldest_packet_is_forgotten_first_when_there_are_too_many() {
    let limits = Limits { duplicate_packets_max: 16, ..Limits::default() };
    let packets: Vec<Vec<u8>> = (0..17).map(|port| ipv4(ip::UDP, &udp(port, 2000, &[7; 4]))).collect();
    for (count, expected) in [(16, Some(Skip::Duplicate)), (17, None)] {
        let mut decoder = Decoder::new(limits);
        for packet in &packets[..count] {
            assert!(decoder.decode(frame(LinkType::Raw, packet)).is_ok());
        }
        assert_eq!(decoder.decode(frame(LinkType::Raw, &packets[0])).err(), expected, "after {count} packets");
    }
}

proptest::proptest! {
    /// Against a list of everything seen.
    #[test]
    fn copies_are_found_exactly(packets in proptest::collection::vec((0_u16..40, 0_u64..3000), 0..300)) {
        let limits = Limits { duplicate_packets_max: 512, ..Limits::default() };
        let mut decoder = Decoder::new(limits);
        let mut first_seen: Vec<(u16, Timestamp)> = Vec::new();
        let mut at = Timestamp::from_secs(1);
        for (port, micros) in packets {
            at = at + Duration::from_micros(micros);
            let is_copy = first_seen.iter().any(|&(seen, then)| seen == port && at.since(then) <= limits.duplicate_window);
            if !is_copy {
                first_seen.push((port, at));
            }
            let packet = ipv4(ip::UDP, &udp(port, 2000, &[7; 4]));
            let outcome = decoder.decode(Frame { at, ..frame(LinkType::Raw, &packet) }).err();
            proptest::prop_assert_eq!(outcome, is_copy.then_some(Skip::Duplicate));
        }
    }
}
