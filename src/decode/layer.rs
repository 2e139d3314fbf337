//! A position in a frame in, the innermost packet or fragment out. Pure: what it finds depends on the bytes alone.

use std::net::{IpAddr, Ipv4Addr};

use super::ip::{self, Carried, Part};
use super::{Head, IpHeader, Skip, link, overlay, transport, tunnel};
use crate::capture::Frame;
use crate::facts::Encapsulation;
use crate::net::{Endpoint, Mac, Transport};
use crate::protocol::cursor::Cursor;

/// What the bytes at a position begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Layer {
    Arcnet,
    /// ARCNET as Linux captures it.
    ArcnetLinux,
    Ethernet,
    /// What an EtherType (IEEE 802.3) announces.
    EtherType(u16),
    FrameRelay,
    Infiniband,
    /// IPv4 or IPv6, as the version field says.
    Ip,
    /// A frame of a protocol of the link itself, which this EtherType announced, or this protocol of PPP.
    Link(u16),
    /// IEEE 802.2 logical link control.
    Llc,
    Nflog,
    /// Four bytes of address family.
    Null,
    Pktap,
    Ppi,
    Ppp,
    /// A Prism or AVS header before IEEE 802.11.
    Prism,
    /// A radiotap header before IEEE 802.11.
    Radiotap,
    Sll,
    Sll2,
    TokenRing,
    /// IPv4 and TCP whose protocol field holds the number of a connection (RFC 1144 §3.2.3).
    UncompressedTcp,
    /// PKTAP from before it had a number.
    User2,
    /// IEEE 802.11.
    Wlan,
    /// IEEE 802.11 whose header is padded to a multiple of four bytes.
    WlanPadded,
}

/// Bytes not read yet, and how many more the wire carried than were captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'a> {
    cursor: Cursor<'a>,
    lost_len: u32,
}

impl<'a> Rest<'a> {
    pub(super) fn new(bytes: &'a [u8], wire_len: u32) -> Self {
        Self { cursor: Cursor::new(bytes), lost_len: wire_len.saturating_sub(len_u32(bytes)) }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.cursor.rest()
    }

    pub(super) fn wire_len(&self) -> u32 {
        len_u32(self.cursor.rest()).saturating_add(self.lost_len)
    }

    /// Whether the capture kept less than the wire carried.
    pub(super) fn is_cut(&self) -> bool {
        self.lost_len > 0
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Skip> {
        self.cursor.array().ok_or(Skip::Truncated)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Skip> {
        self.cursor.u8().ok_or(Skip::Truncated)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Skip> {
        self.cursor.u16().ok_or(Skip::Truncated)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Skip> {
        self.cursor.u32().ok_or(Skip::Truncated)
    }

    pub(super) fn skip(&mut self, len: usize) -> Result<(), Skip> {
        self.cursor.skip(len).ok_or(Skip::Truncated)
    }

    /// A header says that `wire_len` bytes follow: what lies behind them is padding or a trailer. One that says more than
    /// the headers before it left room for is not believed.
    pub(super) fn end_after(&mut self, wire_len: u32) {
        let bytes = self.cursor.rest();
        match usize::try_from(wire_len).ok().and_then(|len| bytes.get(..len)) {
            Some(kept) => *self = Self { cursor: Cursor::new(kept), lost_len: 0 },
            None => self.lost_len = self.lost_len.min(wire_len.saturating_sub(len_u32(bytes))),
        }
    }
}

/// Where the decoder stands in a frame, and what the headers before said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position<'a> {
    /// Filled in header by header; whole when a packet was found.
    pub(super) head: Head,
    /// What the innermost IP header carries.
    pub(super) body: Rest<'a>,
    pub(super) rest: Rest<'a>,
    pub(super) layer: Layer,
    /// VLAN tags since the last link header.
    tags: u8,
    /// Tags, labels and tunnels that may still be unwrapped.
    headers_left: u8,
}

impl<'a> Position<'a> {
    pub(super) fn new(frame: &Frame<'a>, layer: Layer, headers_max: u8) -> Self {
        const UNSET: Endpoint = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let rest = Rest::new(frame.bytes, frame.wire_len);
        let head = Head {
            at: frame.at,
            seq: frame.seq,
            source: UNSET,
            target: UNSET,
            transport: Transport::Udp,
            source_mac: None,
            target_mac: None,
            vlan: None,
            inner_vlan: None,
            tunnel: None,
            is_authenticated: false,
            ip: IpHeader::default(),
            tcp: None,
            payload_len: 0,
        };
        Self { head, body: rest, rest, layer, tags: 0, headers_left: headers_max }
    }

    /// The same headers before other bytes: those of the datagram that fragments were joined to.
    pub(super) fn over<'b>(&self, bytes: &'b [u8]) -> Position<'b> {
        let Self { head, layer, tags, headers_left, .. } = *self;
        let rest = Rest::new(bytes, 0);
        Position { head, body: rest, rest, layer, tags, headers_left }
    }

    /// A header that may repeat was read, and another one follows.
    pub(super) fn descend(&mut self, layer: Layer) -> Result<(), Skip> {
        self.headers_left = self.headers_left.checked_sub(1).ok_or(Skip::TooDeep)?;
        self.layer = layer;
        Ok(())
    }

    /// A tunnel's header was read: `layer` is what it carries.
    pub(super) fn enter(&mut self, tunnel: Encapsulation, layer: Layer) -> Result<(), Skip> {
        self.head.tunnel = Some(tunnel);
        self.descend(layer)
    }

    /// The addresses of a link header. A frame inside a tunnel is the one that was mirrored, so its addresses replace
    /// those outside; so do its VLAN tags, if it has any.
    pub(super) fn set_link(&mut self, source: Mac, target: Option<Mac>) {
        self.head.source_mac = Some(source);
        self.head.target_mac = target;
        self.tags = 0;
    }

    pub(super) fn push_vlan(&mut self, id: u16) {
        match self.tags {
            0 => (self.head.vlan, self.head.inner_vlan) = (Some(id), None),
            1 => self.head.inner_vlan = Some(id),
            _ => {}
        }
        self.tags = self.tags.saturating_add(1);
    }
}

/// What a frame comes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// The position's `body` is a part of a datagram, which carries `protocol`.
    Fragment { part: Part, protocol: u8 },
    /// The position's `head` is whole, and its `rest` the payload.
    Packet,
}

/// Reads headers from a position on down to a flow's packet.
pub(super) fn walk(position: &mut Position<'_>) -> Result<Found, Skip> {
    link::unwrap(position)?;
    if let Layer::Link(ether_type) = position.layer {
        transport::link(position, ether_type);
        return Ok(Found::Packet);
    }
    let is_uncompressed = position.layer == Layer::UncompressedTcp;
    match ip::read(position)? {
        // Fragments are never compressed (RFC 1144 §3.2.2), nor is IPv6.
        Carried { part, .. } if is_uncompressed && (part.is_some() || position.head.source.ip.is_ipv6()) => {
            Err(Skip::Malformed)
        }
        Carried { .. } if is_uncompressed => walk_inside(position, ip::TCP),
        Carried { part: Some(part), protocol } => Ok(Found::Fragment { part, protocol }),
        Carried { part: None, protocol } => walk_inside(position, protocol),
    }
}

/// Reads on inside an IP packet: its `protocol` begins at the position.
///
/// It and [`walk`] call each other once for each tunnel, and there are no more of those than [`Position`] allows.
pub(super) fn walk_inside(position: &mut Position<'_>, protocol: u8) -> Result<Found, Skip> {
    match protocol {
        ip::TCP => transport::tcp(position)?,
        ip::UDP => {
            transport::udp(position)?;
            if overlay::is_port(position.head.source.port) || overlay::is_port(position.head.target.port) {
                return walk_overlay(position);
            }
        }
        ip::AH => return walk_authenticated(position),
        ip::ESP => transport::portless(position, Transport::Esp),
        ip::L2TP => return walk_l2tp(position),
        ip::IPV4 | ip::IPV6 => {
            position.enter(Encapsulation::IpInIp, Layer::Ip)?;
            return walk(position);
        }
        ip::ETHERIP => {
            tunnel::etherip(position)?;
            return walk(position);
        }
        ip::GRE => {
            tunnel::gre(position)?;
            return walk(position);
        }
        ip::MPLS => {
            tunnel::mpls(position)?;
            return walk(position);
        }
        _ => return Err(Skip::NotTcpOrUdp),
    }
    Ok(Found::Packet)
}

/// What an Authentication Header protects is read as what it is. Where that is no packet of a flow, its own packet is one.
fn walk_authenticated(position: &mut Position<'_>) -> Result<Found, Skip> {
    let outside = *position;
    let found = match transport::authentication(position) {
        Ok(ip::IPV4 | ip::IPV6) => walk(position),
        Ok(protocol) => walk_inside(position, protocol),
        Err(skip) => Err(skip),
    };
    or_itself(found, position, outside, Transport::Ah)
}

/// What a session of L2TP over IP carries, likewise.
fn walk_l2tp(position: &mut Position<'_>) -> Result<Found, Skip> {
    let outside = *position;
    let found = tunnel::l2tp_session(position).and_then(|()| walk(position));
    or_itself(found, position, outside, Transport::L2tp)
}

fn or_itself<'a>(
    found: Result<Found, Skip>,
    position: &mut Position<'a>,
    outside: Position<'a>,
    transport: Transport,
) -> Result<Found, Skip> {
    match found {
        Err(Skip::Truncated) if outside.rest.is_cut() => Err(Skip::Truncated),
        Err(Skip::Malformed | Skip::NotIp | Skip::NotTcpOrUdp | Skip::Truncated) => {
            *position = outside;
            transport::portless(position, transport);
            Ok(Found::Packet)
        }
        found => found,
    }
}

/// A datagram on a tunnel's port is unwrapped where everything inside reads well; otherwise it is a datagram like any.
/// So is what an L2TP tunnel carries beside packets of flows: it shows that the tunnel is one.
fn walk_overlay(position: &mut Position<'_>) -> Result<Found, Skip> {
    let datagram = *position;
    let found = match overlay::unwrap(position) {
        Ok(true) => walk(position),
        Ok(false) => Err(Skip::Malformed),
        Err(skip) => Err(skip),
    };
    match found {
        Err(Skip::Truncated) if datagram.rest.is_cut() => Err(Skip::Truncated),
        Err(skip @ (Skip::NotIp | Skip::NotTcpOrUdp)) if position.head.tunnel != Some(Encapsulation::L2tp) => Err(skip),
        Err(Skip::Malformed | Skip::NotIp | Skip::NotTcpOrUdp | Skip::Truncated) => {
            *position = datagram;
            Ok(Found::Packet)
        }
        found => found,
    }
}

pub(super) fn len_u32(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
