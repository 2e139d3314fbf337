//! Packets of a flow's beginning in; the same as frames of their own out: headers, and the first bytes of what they carry.
//!
//! A frame is built anew of what the decoder read. So it is the packet of the flow, whatever it was wrapped in, it has
//! nothing in it that nobody looked at, and it is the same for any number of shards. IPv4 options and IPv6 extension headers
//! are left out, and so are the checksums of the transport, since the payload is cut.

use std::net::IpAddr;

use crate::decode::{Head, IpHeader, Packet, TcpHeader};
use crate::facts::FlowId;
use crate::net::{Mac, Transport};
use crate::time::Timestamp;

/// How much of each flow's beginning is handed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpeningLimits {
    /// The first packets of both sides together.
    pub packets_max: u64,
    /// The first bytes of each packet's payload.
    pub payload_bytes_max: usize,
}

/// The first packets of flows, in the order they were seen.
#[derive(Clone, Debug, Default)]
pub struct Openings {
    entries: Vec<Entry>,
    /// The frames one after the other.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Timestamp,
    seq: u64,
    flow: FlowId,
    /// Where the frame ends in the bytes of all.
    end: usize,
    header_bytes: usize,
    wire_bytes: u32,
}

/// One of the first packets of a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpeningPacket<'a> {
    pub at: Timestamp,
    pub seq: u64,
    pub flow: FlowId,
    /// Ethernet, VLAN tags, IP and transport.
    pub headers: &'a [u8],
    /// The beginning of what the transport carries.
    pub payload: &'a [u8],
    /// The length of headers and payload on the wire.
    pub wire_bytes: u32,
}

impl Openings {
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What it takes in memory.
    pub const fn bytes(&self) -> usize {
        self.bytes.len().saturating_add(self.entries.len().saturating_mul(size_of::<Entry>()))
    }

    pub fn get(&self, index: usize) -> Option<OpeningPacket<'_>> {
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => self.entries.get(before)?.end,
        };
        let &Entry { at, seq, flow, end, header_bytes, wire_bytes } = self.entries.get(index)?;
        let (headers, payload) = self.bytes.get(start..end)?.split_at_checked(header_bytes)?;
        Some(OpeningPacket { at, seq, flow, headers, payload, wire_bytes })
    }

    /// Takes a packet of a flow; one without IP is of no session.
    pub fn push(&mut self, flow: FlowId, packet: &Packet<'_>, payload_bytes_max: usize) {
        let head = packet.head;
        if !head.transport.is_over_ip() {
            return;
        }
        let start = self.bytes.len();
        write_headers(&mut self.bytes, head);
        let header_bytes = self.bytes.len().saturating_sub(start);
        let payload = packet.payload.get(..payload_bytes_max).unwrap_or(packet.payload);
        self.bytes.extend_from_slice(payload);
        let wire_bytes = u32::try_from(header_bytes).unwrap_or(0).saturating_add(head.payload_len);
        self.entries.push(Entry { at: head.at, seq: head.seq, flow, end: self.bytes.len(), header_bytes, wire_bytes });
    }
}

const TYPE_VLAN: u16 = 0x8100;
const TYPE_IPV4: u16 = 0x0800;
const TYPE_IPV6: u16 = 0x86dd;

fn write_headers(bytes: &mut Vec<u8>, head: &Head) {
    for mac in [head.target_mac, head.source_mac] {
        bytes.extend(mac.unwrap_or(Mac([0; 6])).0);
    }
    for vlan in [head.vlan, head.inner_vlan].into_iter().flatten() {
        bytes.extend(TYPE_VLAN.to_be_bytes());
        bytes.extend(vlan.to_be_bytes());
    }
    let carried = transport_bytes(head).saturating_add(head.payload_len);
    let protocol = head.transport.number();
    match (head.source.ip, head.target.ip) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            bytes.extend(TYPE_IPV4.to_be_bytes());
            bytes.extend(ipv4(&head.ip, protocol, carried, source.to_bits(), target.to_bits()));
        }
        (source, target) => {
            bytes.extend(TYPE_IPV6.to_be_bytes());
            bytes.extend((6 << 28 | head.ip.flow_label & 0xf_ffff).to_be_bytes());
            bytes.extend(saturated(carried).to_be_bytes());
            bytes.extend([protocol, head.ip.ttl]);
            for address in [source, target] {
                bytes.extend(match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                    IpAddr::V6(address) => address.octets(),
                });
            }
        }
    }
    match &head.tcp {
        Some(tcp) => write_tcp(bytes, head, tcp),
        None if head.transport == Transport::Udp => {
            for number in [head.source.port, head.target.port, saturated(carried), 0] {
                bytes.extend(number.to_be_bytes());
            }
        }
        None => {}
    }
}

fn transport_bytes(head: &Head) -> u32 {
    match (&head.tcp, head.transport) {
        (Some(tcp), _) => u32::from(tcp.options_len).saturating_add(20),
        (None, Transport::Udp) => 8,
        (None, _) => 0,
    }
}

/// What was joined of several packets on its way to the sensor may be longer than the field.
fn saturated(len: u32) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// An IPv4 header without options (RFC 791 section 3.1), whose checksum is right.
fn ipv4(ip: &IpHeader, protocol: u8, carried: u32, source: u32, target: u32) -> impl Iterator<Item = u8> {
    let fragment = u16::from(ip.reserved_flag) << 15 | u16::from(ip.dont_fragment) << 14;
    let [source, target] = [source, target].map(|address| [(address >> 16) as u16, address as u16]);
    let words = [
        0x4500 | u16::from(ip.ecn & 3),
        saturated(carried.saturating_add(20)),
        ip.id.unwrap_or(0),
        fragment,
        u16::from(ip.ttl) << 8 | u16::from(protocol),
        0,
    ];
    let words = words.into_iter().chain(source).chain(target);
    // Ten words cannot run over.
    let sum = words.clone().fold(0_u32, |sum, word| sum.wrapping_add(word.into()));
    let folded = (sum & 0xffff).wrapping_add(sum >> 16);
    let checksum = !(folded.wrapping_add(folded >> 16) as u16);
    words.enumerate().flat_map(move |(place, word)| if place == 5 { checksum } else { word }.to_be_bytes())
}

/// A TCP header (RFC 9293 section 3.1).
fn write_tcp(bytes: &mut Vec<u8>, head: &Head, tcp: &TcpHeader) {
    bytes.extend(head.source.port.to_be_bytes());
    bytes.extend(head.target.port.to_be_bytes());
    bytes.extend(tcp.sequence.to_be_bytes());
    bytes.extend(tcp.acknowledgment.to_be_bytes());
    let words = tcp.options_len.div_ceil(4).saturating_add(5);
    bytes.extend([words << 4 | u8::from(tcp.reserved), tcp.flags]);
    bytes.extend(tcp.window.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(tcp.urgent.to_be_bytes());
    bytes.extend(tcp.options.iter().take(usize::from(tcp.options_len)));
}
