//! A position in a frame in, the innermost packet or fragment out. Pure: what it finds depends on the bytes alone.

use super::ip::{self, Ip, Part};
use super::transport::{self, Segment};
use super::{Head, Packet, Skip, link, overlay, tunnel};
use crate::facts::Encapsulation;
use crate::net::{Endpoint, Mac, Transport};
use crate::protocol::cursor::Cursor;
use crate::time::Timestamp;

/// What the bytes at a position begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Layer {
    Ethernet,
    /// What an EtherType (IEEE 802.3) announces.
    EtherType(u16),
    /// IPv4 or IPv6, as the version field says.
    Ip,
    /// IEEE 802.2 logical link control.
    Llc,
    /// Four bytes of address family.
    Null,
    Ppp,
    Sll,
    Sll2,
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
    pub(super) at: Timestamp,
    pub(super) seq: u64,
    pub(super) rest: Rest<'a>,
    pub(super) layer: Layer,
    pub(super) source_mac: Option<Mac>,
    pub(super) target_mac: Option<Mac>,
    pub(super) vlan: Option<u16>,
    pub(super) inner_vlan: Option<u16>,
    /// VLAN tags since the last link header.
    tags: u8,
    tunnel: Option<Encapsulation>,
    /// Tags, labels and tunnels that may still be unwrapped.
    headers_left: u8,
}

impl<'a> Position<'a> {
    pub(super) fn new(at: Timestamp, seq: u64, layer: Layer, rest: Rest<'a>, headers_max: u8) -> Self {
        Self {
            at,
            seq,
            rest,
            layer,
            source_mac: None,
            target_mac: None,
            vlan: None,
            inner_vlan: None,
            tags: 0,
            tunnel: None,
            headers_left: headers_max,
        }
    }

    /// The same headers before other bytes: those of the datagram that fragments were joined to.
    pub(super) fn over<'b>(&self, bytes: &'b [u8]) -> Position<'b> {
        Position {
            rest: Rest::new(bytes, 0),
            at: self.at,
            seq: self.seq,
            layer: self.layer,
            source_mac: self.source_mac,
            target_mac: self.target_mac,
            vlan: self.vlan,
            inner_vlan: self.inner_vlan,
            tags: self.tags,
            tunnel: self.tunnel,
            headers_left: self.headers_left,
        }
    }

    /// A header that may repeat was read, and another one follows.
    pub(super) fn descend(&mut self, layer: Layer) -> Result<(), Skip> {
        self.headers_left = self.headers_left.checked_sub(1).ok_or(Skip::TooDeep)?;
        self.layer = layer;
        Ok(())
    }

    /// A tunnel's header was read: `layer` is what it carries.
    pub(super) fn enter(&mut self, tunnel: Encapsulation, layer: Layer) -> Result<(), Skip> {
        self.tunnel = Some(tunnel);
        self.descend(layer)
    }

    /// The addresses of a link header. A frame inside a tunnel is the one that was mirrored, so its addresses replace
    /// those outside; so do its VLAN tags, if it has any.
    pub(super) fn set_link(&mut self, source: Mac, target: Option<Mac>) {
        self.source_mac = Some(source);
        self.target_mac = target;
        self.tags = 0;
    }

    pub(super) fn push_vlan(&mut self, id: u16) {
        match self.tags {
            0 => (self.vlan, self.inner_vlan) = (Some(id), None),
            1 => self.inner_vlan = Some(id),
            _ => {}
        }
        self.tags = self.tags.saturating_add(1);
    }
}

/// What a frame comes to.
pub(super) enum Found<'a> {
    Fragment(Fragment<'a>),
    Packet {
        packet: Packet<'a>,
        /// What its IP header carries: the transport header and payload.
        body: &'a [u8],
    },
}

/// A part of an IP datagram, and where it was found.
pub(super) struct Fragment<'a> {
    pub(super) position: Position<'a>,
    pub(super) ip: Ip,
    pub(super) part: Part,
}

/// Reads headers from `position` on down to a flow's packet. `ip` is known where fragments were joined: the position
/// then is what it carries.
pub(super) fn walk<'a>(mut position: Position<'a>, mut ip: Option<Ip>) -> Result<Found<'a>, Skip> {
    loop {
        let ip = match ip.take() {
            Some(ip) => ip,
            None => {
                link::unwrap_to_ip(&mut position)?;
                ip::read(&mut position.rest)?
            }
        };
        if let Some(part) = ip.part {
            return Ok(Found::Fragment(Fragment { position, ip, part }));
        }
        match ip.protocol {
            ip::TCP => return Ok(position.packet(&ip, Transport::Tcp, transport::tcp(position.rest)?)),
            ip::UDP => return udp(position, &ip),
            ip::AH => return Ok(position.packet(&ip, Transport::Ah, transport::portless(position.rest))),
            ip::ESP => return Ok(position.packet(&ip, Transport::Esp, transport::portless(position.rest))),
            ip::IPV4 | ip::IPV6 => position.enter(Encapsulation::IpInIp, Layer::Ip)?,
            ip::GRE => tunnel::gre(&mut position)?,
            ip::MPLS => tunnel::mpls(&mut position)?,
            _ => return Err(Skip::NotTcpOrUdp),
        }
    }
}

/// A datagram on a tunnel's port is unwrapped where everything inside reads well; otherwise it is a datagram like any.
fn udp<'a>(position: Position<'a>, ip: &Ip) -> Result<Found<'a>, Skip> {
    let segment = transport::udp(position.rest)?;
    if !overlay::is_port(segment.source_port) && !overlay::is_port(segment.target_port) {
        return Ok(position.packet(ip, Transport::Udp, segment));
    }
    let mut inner = position;
    inner.rest = Rest::new(segment.payload, segment.payload_len);
    let is_cut = inner.rest.is_cut();
    let found = match overlay::unwrap(&mut inner, segment.source_port, segment.target_port) {
        Ok(true) => walk(inner, None),
        Ok(false) => Err(Skip::Malformed),
        Err(skip) => Err(skip),
    };
    match found {
        Err(Skip::Malformed) => Ok(position.packet(ip, Transport::Udp, segment)),
        Err(Skip::Truncated) if !is_cut => Ok(position.packet(ip, Transport::Udp, segment)),
        found => found,
    }
}

impl<'a> Position<'a> {
    fn packet(&self, ip: &Ip, transport: Transport, segment: Segment<'a>) -> Found<'a> {
        let Segment { source_port, target_port, tcp, payload, payload_len } = segment;
        let head = Head {
            at: self.at,
            seq: self.seq,
            source: Endpoint::new(ip.source, source_port),
            target: Endpoint::new(ip.target, target_port),
            transport,
            source_mac: self.source_mac,
            target_mac: self.target_mac,
            vlan: self.vlan,
            inner_vlan: self.inner_vlan,
            tunnel: self.tunnel,
            ip: ip.header,
            tcp,
            payload_len,
        };
        Found::Packet { packet: Packet { head, payload }, body: self.rest.bytes() }
    }
}

pub(super) fn len_u32(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
