//! A frame in, a packet out: link, VLAN, tunnel, IP and transport headers are read, fragments joined, and the copies
//! that mirroring makes dropped.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

mod counters;
mod dedup;
mod fragments;
mod ip;
mod layer;
mod link;
mod media;
mod overlay;
mod packets;
mod preamble;
mod transport;
mod tunnel;
mod wlan;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

pub use self::counters::Counters;
use self::dedup::Duplicates;
use self::fragments::{Datagram, Fragments};
use self::layer::{Found, Position, walk, walk_inside};
pub use self::packets::Packets;
use crate::capture::Frame;
use crate::facts::Encapsulation;
use crate::net::{Endpoint, Mac, Transport};
use crate::quantity;
use crate::time::Timestamp;

/// How much the decoder keeps and how deep it looks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The most VLAN tags, MPLS labels and tunnels inside each other.
    pub headers_max: u8,
    /// How long after a packet its copy is still one.
    #[serde(deserialize_with = "quantity::duration")]
    pub duplicate_window: Duration,
    /// The most packets remembered for that, rounded up to a power of two. At more than this many packets in
    /// `duplicate_window`, the oldest are forgotten early.
    pub duplicate_packets_max: usize,
    /// How long a datagram waits for its missing fragments.
    #[serde(deserialize_with = "quantity::duration")]
    pub fragment_timeout: Duration,
    /// The most datagrams that wait for fragments.
    pub fragment_datagrams_max: usize,
    /// The most memory that fragments take.
    #[serde(deserialize_with = "quantity::bytes")]
    pub fragment_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers_max: 16,
            duplicate_window: Duration::from_millis(2),
            duplicate_packets_max: 4096,
            fragment_timeout: Duration::from_secs(30),
            fragment_datagrams_max: 1024,
            fragment_bytes_max: 8 << 20,
        }
    }
}

/// Turns frames into packets.
pub struct Decoder {
    headers_max: u8,
    duplicates: Duplicates,
    fragments: Fragments,
    /// The payload of the datagram that the last fragment completed.
    joined: Vec<u8>,
    /// Of the last packet.
    head: Option<Head>,
    counters: Counters,
}

impl Decoder {
    pub fn new(limits: Limits) -> Self {
        Self {
            headers_max: limits.headers_max,
            duplicates: Duplicates::new(&limits),
            fragments: Fragments::new(&limits),
            joined: Vec::new(),
            head: None,
            counters: Counters::default(),
        }
    }

    /// The packet in a frame, or, where the frame is a datagram's last fragment, the packet it completes.
    pub fn decode<'a>(&'a mut self, frame: Frame<'a>) -> Result<Packet<'a>, Skip> {
        let mut head = None;
        let payload = self.read(&frame, |found| head = Some(*found))?.unwrap_or(&self.joined);
        self.head = head;
        self.head.as_ref().map(|head| Packet { head, payload }).ok_or(Skip::Malformed)
    }

    /// As [`Self::decode`]; the packet waits among others.
    pub fn decode_into(&mut self, frame: Frame<'_>, packets: &mut Packets) -> Result<(), Skip> {
        let packet = self.decode(frame)?;
        packets.push(&packet);
        Ok(())
    }

    /// As [`Self::decode`]; the head is put behind the others. None where fragments were joined, whose payload is
    /// [`Self::joined`] before the next frame.
    pub fn decode_apart<'a>(&mut self, frame: &Frame<'a>, heads: &mut Vec<Head>) -> Result<Option<&'a [u8]>, Skip> {
        self.read(frame, |head| heads.push(*head))
    }

    pub fn joined(&self) -> &[u8] {
        &self.joined
    }

    /// Hands the head to `keep` where it lies: it is large, and wanted in one place.
    #[inline]
    fn read<'a>(&mut self, frame: &Frame<'a>, keep: impl FnOnce(&Head)) -> Result<Option<&'a [u8]>, Skip> {
        let Self { headers_max, duplicates, fragments, joined, counters, .. } = self;
        let read = read(frame, *headers_max, duplicates, fragments, joined, |head| {
            counters.count(Ok(head));
            keep(head);
        });
        read.inspect_err(|skip| counters.count(Err(skip)))
    }

    /// Packet time has come to `now`: gives up datagrams that waited too long.
    pub fn on_time(&mut self, now: Timestamp) {
        self.fragments.expire(now);
    }

    pub fn counters(&self) -> Counters {
        let mut counters = self.counters;
        counters.fragments = self.fragments.counters();
        counters
    }
}

/// The payload where it lies in the frame, and not in `joined`.
#[inline]
fn read<'a>(
    frame: &Frame<'a>,
    headers_max: u8,
    duplicates: &mut Duplicates,
    fragments: &mut Fragments,
    joined: &mut Vec<u8>,
    keep: impl FnOnce(&Head),
) -> Result<Option<&'a [u8]>, Skip> {
    let layer = link::first_layer(frame.link).ok_or(Skip::UnknownLink)?;
    let mut position = Position::new(frame, layer, headers_max);
    if let Found::Fragment { part, protocol } = walk(&mut position)? {
        duplicates.refuse_fragment(&position, part, protocol)?;
        let datagram = fragments.add(&position, part, protocol)?;
        let head = join(position, datagram, duplicates, fragments, joined)?;
        keep(&head);
        return Ok(None);
    }
    duplicates.refuse(&position)?;
    keep(&position.head);
    Ok(Some(position.rest.bytes()))
}

/// The packet in a datagram whose fragments have all come, its payload put into `joined`. It may carry a tunnel with
/// fragments of its own.
fn join(
    position: Position<'_>,
    mut datagram: Datagram,
    duplicates: &mut Duplicates,
    fragments: &mut Fragments,
    joined: &mut Vec<u8>,
) -> Result<Head, Skip> {
    let mut outside = position.over(&[]);
    loop {
        outside.head.ip = datagram.header;
        let mut inside = outside.over(&datagram.bytes);
        let Found::Fragment { part, protocol } = walk_inside(&mut inside, datagram.protocol)? else {
            break;
        };
        let next = fragments.add(&inside, part, protocol)?;
        outside = inside.over(&[]);
        datagram = next;
    }
    let mut position = outside.over(&datagram.bytes);
    walk_inside(&mut position, datagram.protocol)?;
    duplicates.refuse(&position)?;
    joined.clear();
    joined.extend_from_slice(position.rest.bytes());
    Ok(position.head)
}

/// A packet of a flow, its headers read; or a frame of the link itself ([`Transport::Link`]).
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub head: &'a Head,
    /// What the transport carries, as far as it was captured.
    pub payload: &'a [u8],
}

/// The headers of a packet: a plain value, so that a packet can be handed to another thread.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub at: Timestamp,
    pub seq: u64,
    pub source: Endpoint,
    pub target: Endpoint,
    pub transport: Transport,
    pub source_mac: Option<Mac>,
    pub target_mac: Option<Mac>,
    /// The outermost 802.1Q VLAN identifier.
    pub vlan: Option<u16>,
    /// The VLAN identifier of the tag inside it (QinQ).
    pub inner_vlan: Option<u16>,
    /// The innermost header that was unwrapped.
    pub tunnel: Option<Encapsulation>,
    /// An Authentication Header is among those that were unwrapped.
    pub is_authenticated: bool,
    pub ip: IpHeader,
    pub tcp: Option<TcpHeader>,
    /// The length of the transport payload on the wire; more than `payload.len()` where the snap length cut it.
    pub payload_len: u32,
}

/// What later stages need of an IPv4 or IPv6 header.
#[derive(Clone, Copy, Debug, Default)]
pub struct IpHeader {
    /// The whole packet's length in bytes.
    pub len: u32,
    /// TTL or hop limit.
    pub ttl: u8,
    /// The IPv4 identification; none for IPv6.
    pub id: Option<u16>,
    /// The length of IPv4 options or IPv6 extension headers in bytes.
    pub options_len: u16,
    /// IPv4 don't-fragment.
    pub dont_fragment: bool,
    /// IPv4 must-be-zero flag, set.
    pub reserved_flag: bool,
    /// The ECN bits.
    pub ecn: u8,
    /// The IPv6 flow label; 0 for IPv4.
    pub flow_label: u32,
}

/// What later stages need of a TCP header.
#[derive(Clone, Copy, Debug)]
pub struct TcpHeader {
    pub sequence: u32,
    pub acknowledgment: u32,
    /// CWR ECE URG ACK PSH RST SYN FIN, from bit 7 to bit 0.
    pub flags: u8,
    /// The NS bit or a reserved bit was set.
    pub reserved: bool,
    pub window: u16,
    pub urgent: u16,
    /// The option bytes, the first `options_len` of them.
    pub options: [u8; 40],
    pub options_len: u8,
}

impl TcpHeader {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;
    pub const ECE: u8 = 0x40;
    pub const CWR: u8 = 0x80;

    pub const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

/// Why a frame is no packet of a flow: a counter's label, not an error.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Skip {
    /// ARP, STP and the like.
    NotIp,
    /// ICMP, IGMP, OSPF and other transports without flows of ours.
    NotTcpOrUdp,
    /// A header contradicts itself.
    Malformed,
    /// The frame ends, or was cut, within a header.
    Truncated,
    /// The same packet was seen within the last 2 ms: the mirror copies both directions of a port.
    Duplicate,
    /// A fragment was kept; the packet comes with its last one.
    Fragment,
    /// A fragment was refused: the pool was full, or it overlapped.
    FragmentRefused,
    /// More headers inside each other than the limit.
    TooDeep,
    /// The capture filter excluded it.
    Filtered,
    /// The link type is not one of ours.
    UnknownLink,
}

impl Skip {
    pub const ALL: &'static [Self] = &[
        Self::NotIp,
        Self::NotTcpOrUdp,
        Self::Malformed,
        Self::Truncated,
        Self::Duplicate,
        Self::Fragment,
        Self::FragmentRefused,
        Self::TooDeep,
        Self::Filtered,
        Self::UnknownLink,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotIp => "not_ip",
            Self::NotTcpOrUdp => "not_tcp_or_udp",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::Duplicate => "duplicate",
            Self::Fragment => "fragment",
            Self::FragmentRefused => "fragment_refused",
            Self::TooDeep => "too_deep",
            Self::Filtered => "filtered",
            Self::UnknownLink => "unknown_link",
        }
    }
}

/// The unordered pair of addresses, which decides the shard of a packet.
pub fn address_pair(head: &Head) -> (IpAddr, IpAddr) {
    let (a, b) = (head.source.ip, head.target.ip);
    if a <= b { (a, b) } else { (b, a) }
}
