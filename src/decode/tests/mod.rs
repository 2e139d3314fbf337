mod authentication;
mod carriers;
mod copies;
mod fragments;
mod headers;
mod media;
mod stations;
mod tolerance;

use super::*;
use crate::capture::LinkType;
use crate::protocol::tests::hex;

/// Ethernet from 02:00:00:00:00:01 to 02:00:00:00:00:02, up to the EtherType.
pub(super) const ETHERNET: &str = "02 00 00 00 00 02  02 00 00 00 00 01";
/// Ethernet inside a tunnel, from 02:00:00:00:00:11 to 02:00:00:00:00:12.
pub(super) const INNER_ETHERNET: &str = "02 00 00 00 00 12  02 00 00 00 00 11";
/// From 192.0.2.1 to 192.0.2.2, identification 0x1234, don't fragment, TTL 64, 44 bytes.
pub(super) const IPV4: &str = "45 00 00 2c 12 34 40 00  40 06 00 00  c0 00 02 01  c0 00 02 02";
/// From 2001:db8::1 to 2001:db8::2, flow label 0x12345, hop limit 64, 24 bytes of TCP.
pub(super) const IPV6: &str =
    "60 01 23 45 00 18 06 40  2001 0db8 0000 0000 0000 0000 0000 0001  2001 0db8 0000 0000 0000 0000 0000 0002";
/// From 49152 to 443, sequence 1, SYN, window 64240, MSS 1460.
pub(super) const SYN: &str = "c0 00 01 bb  00 00 00 01  00 00 00 00  60 02 fa f0  00 00 00 00  02 04 05 b4";

/// A packet as a test compares it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Seen {
    pub(super) ends: String,
    pub(super) transport: Transport,
    pub(super) payload: Vec<u8>,
    pub(super) payload_len: u32,
}

impl From<Packet<'_>> for Seen {
    fn from(Packet { head, payload }: Packet<'_>) -> Self {
        Self {
            ends: format!("{} > {}", head.source, head.target),
            transport: head.transport,
            payload: payload.into(),
            payload_len: head.payload_len,
        }
    }
}

pub(super) fn frame(link: LinkType, bytes: &[u8]) -> Frame<'_> {
    Frame { at: Timestamp::from_secs(1), seq: 0, link, wire_len: u32::try_from(bytes.len()).unwrap(), bytes }
}

/// An IP datagram in Ethernet.
pub(super) fn ethernet(ip: &[u8]) -> Vec<u8> {
    let ether_type = if ip[0] >> 4 == 4 { "08 00" } else { "86 dd" };
    [hex(ETHERNET), hex(ether_type), ip.to_vec()].concat()
}

/// An IPv4 packet from 198.51.100.1 to 198.51.100.2: what tunnels go over.
pub(super) fn ipv4(protocol: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
    let mut bytes = vec![0x45, 0, high, low, 0, 1, 0, 0, 64, protocol, 0, 0, 198, 51, 100, 1, 198, 51, 100, 2];
    bytes.extend_from_slice(body);
    bytes
}

/// An IPv6 packet from 2001:db8:1::1 to 2001:db8:1::2.
pub(super) fn ipv6(next_header: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
    let mut bytes = vec![0x60, 0, 0, 0, high, low, next_header, 64];
    bytes.extend_from_slice(&hex("2001 0db8 0001 0000 0000 0000 0000 0001"));
    bytes.extend_from_slice(&hex("2001 0db8 0001 0000 0000 0000 0000 0002"));
    bytes.extend_from_slice(body);
    bytes
}

pub(super) fn udp(source_port: u16, target_port: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [source_port.to_be_bytes(), target_port.to_be_bytes()].concat();
    bytes.extend_from_slice(&u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Holds that nothing is unwrapped from a datagram to this port.
pub(super) fn is_what_it_is(port: u16, payload: &[u8]) {
    let bytes = ipv4(ip::UDP, &udp(50_000, port, payload));
    let seen = decode(frame(LinkType::Raw, &bytes)).unwrap();
    assert_eq!(seen.ends, format!("198.51.100.1:50000 > 198.51.100.2:{port}"));
    assert_eq!(seen.payload, payload);
}

pub(super) fn decoder() -> Decoder {
    Decoder::new(Limits::default())
}

/// What a fresh decoder makes of one frame.
pub(super) fn decode(frame: Frame<'_>) -> Result<Seen, Skip> {
    decoder().decode(frame).map(Seen::from)
}

#[test]
fn a_tcp_segment_in_ethernet_is_a_packet() {
    let bytes = hex(&format!("{ETHERNET} 08 00 {IPV4} {SYN}"));
    let mut decoder = decoder();
    let Packet { head, payload } = decoder.decode(frame(LinkType::Ethernet, &bytes)).unwrap();
    assert_eq!(
        (head.source.to_string().as_str(), head.target.to_string().as_str()),
        ("192.0.2.1:49152", "192.0.2.2:443")
    );
    assert_eq!(head.transport, Transport::Tcp);
    assert_eq!(head.source_mac, Some(Mac([2, 0, 0, 0, 0, 1])));
    assert_eq!(head.target_mac, Some(Mac([2, 0, 0, 0, 0, 2])));
    assert_eq!((head.vlan, head.inner_vlan, head.tunnel), (None, None, None));
    assert_eq!((payload, head.payload_len), (&[][..], 0));
    assert_eq!((decoder.counters().frames, decoder.counters().packets), (1, 1));
}

#[test]
fn an_ipv4_header_tells_what_fingerprints_need() {
    let bytes = hex("46 03 00 30 00 00 80 00 ff 06 0000 c0000201 c0000202 94040000");
    let packet = [bytes, hex(SYN)].concat();
    let ip = decoder().decode(frame(LinkType::Raw, &packet)).unwrap().head.ip;
    assert_eq!((ip.len, ip.ttl, ip.id, ip.options_len, ip.ecn), (48, 255, Some(0), 4, 3));
    assert!(ip.reserved_flag && !ip.dont_fragment);
}

#[test]
fn an_ipv6_header_tells_what_fingerprints_need() {
    let packet = hex(&format!("{IPV6} {SYN}"));
    let ip = decoder().decode(frame(LinkType::Raw, &packet)).unwrap().head.ip;
    assert_eq!((ip.len, ip.ttl, ip.id, ip.options_len, ip.flow_label), (64, 64, None, 0, 0x12345));
}

#[test]
fn a_tcp_header_tells_what_fingerprints_need() {
    let segment = hex("c000 01bb 00000001 00000002 71ff 0010 0000 0007 020405b4 01010402");
    let packet = ipv4(ip::TCP, &segment);
    let tcp = decoder().decode(frame(LinkType::Raw, &packet)).unwrap().head.tcp.unwrap();
    assert_eq!((tcp.sequence, tcp.acknowledgment, tcp.flags, tcp.window, tcp.urgent), (1, 2, 0xff, 16, 7));
    assert!(tcp.reserved);
    assert_eq!(tcp.options[..usize::from(tcp.options_len)], hex("020405b4 01010402"));
}

#[test]
fn limits_are_read_by_name_and_an_unknown_one_is_refused() {
    let limits: Limits = serde_yaml::from_str("duplicate_window: 5ms\nfragment_bytes_max: 1MiB\n").unwrap();
    let expected =
        Limits { duplicate_window: Duration::from_millis(5), fragment_bytes_max: 1 << 20, ..Limits::default() };
    assert_eq!(limits, expected);
    assert!(serde_yaml::from_str::<Limits>("fragments: 7\n").is_err());
}
