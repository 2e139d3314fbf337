use super::*;
use crate::capture::LinkType;
use crate::protocol::tests::hex;

const ETHERNET: &str = "02 00 00 00 00 02  02 00 00 00 00 01";
/// 192.0.2.1 → 192.0.2.2, identification 0x1234, don't fragment, TTL 64, 44 bytes.
const IPV4_TCP: &str = "45 00 00 2c 12 34 40 00  40 06 00 00  c0 00 02 01  c0 00 02 02";
/// 49152 → 443, SYN, window 64240, MSS 1460.
const SYN: &str = "c0 00 01 bb  00 00 00 01  00 00 00 00  60 02 fa f0  00 00 00 00  02 04 05 b4";

fn frame(bytes: &[u8]) -> Frame<'_> {
    frame_at(Timestamp::from_secs(1), bytes)
}

fn frame_at(at: Timestamp, bytes: &[u8]) -> Frame<'_> {
    Frame { at, seq: 0, link: LinkType::Ethernet, wire_len: u32::try_from(bytes.len()).unwrap(), bytes }
}

fn decoder() -> Decoder {
    Decoder::new(Limits::default())
}

#[test]
fn a_tcp_segment_in_ethernet_is_a_packet() {
    let bytes = hex(&format!("{ETHERNET} 08 00 {IPV4_TCP} {SYN} 00 00"));
    let mut decoder = decoder();
    let Packet { head, payload } = decoder.decode(frame(&bytes)).unwrap();
    assert_eq!(head.source.to_string(), "192.0.2.1:49152");
    assert_eq!(head.target.to_string(), "192.0.2.2:443");
    assert_eq!(head.transport, Transport::Tcp);
    assert_eq!(head.source_mac, Some(Mac([2, 0, 0, 0, 0, 1])));
    assert_eq!(head.target_mac, Some(Mac([2, 0, 0, 0, 0, 2])));
    assert_eq!((head.vlan, head.inner_vlan, head.tunnel), (None, None, None));
    assert_eq!((head.ip.len, head.ip.ttl, head.ip.id), (44, 64, Some(0x1234)));
    assert!(head.ip.dont_fragment);
    let tcp = head.tcp.unwrap();
    assert!(tcp.has(TcpHeader::SYN) && !tcp.has(TcpHeader::ACK) && !tcp.reserved);
    assert_eq!((tcp.sequence, tcp.window), (1, 64_240));
    assert_eq!(tcp.options.get(..usize::from(tcp.options_len)), Some(&[2, 4, 5, 0xb4][..]));
    assert_eq!((payload, head.payload_len), (&[][..], 0), "the padding of the link is no payload");
    assert_eq!(decoder.counters().packets, 1);
}

#[test]
fn a_copy_within_two_milliseconds_is_dropped() {
    let bytes = hex(&format!("{ETHERNET} 08 00 {IPV4_TCP} {SYN}"));
    let start = Timestamp::from_secs(1);
    for (nanos, expected) in [(1_999_999, Some(Skip::Duplicate)), (2_000_000, Some(Skip::Duplicate)), (2_000_001, None)]
    {
        let mut decoder = decoder();
        assert!(decoder.decode(frame_at(start, &bytes)).is_ok());
        let copy = decoder.decode(frame_at(start + Duration::from_nanos(nanos), &bytes));
        assert_eq!(copy.err(), expected, "after {nanos} ns");
    }
}
