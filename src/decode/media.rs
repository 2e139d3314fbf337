//! Link headers of media other than Ethernet in, what they announce out: ARCNET, token ring, frame relay and InfiniBand.

use std::ops::RangeInclusive;

use super::layer::{Layer, Position};
use super::{Skip, link};
use crate::net::Mac;

/// ARCNET as the BSDs capture it: source, target, protocol; then, for all protocols but those of before RFC 1201, a flag
/// and a sequence number. A frame that is too short for its size says so first (RFC 1201 §3.2).
pub(super) fn arcnet(position: &mut Position<'_>) -> Result<(), Skip> {
    position.rest.skip(2)?;
    arcnet_protocol(position)
}

/// ARCNET as Linux captures it: source, target, where in the controller's buffer the frame began, then the same.
pub(super) fn arcnet_linux(position: &mut Position<'_>) -> Result<(), Skip> {
    position.rest.skip(4)?;
    arcnet_protocol(position)
}

fn arcnet_protocol(position: &mut Position<'_>) -> Result<(), Skip> {
    /// RFC 1051 §2.
    const IP_WITHOUT_SEQUENCE: u8 = 0xf0;
    const IP: u8 = 0xd4;
    /// RFC 2497 §2.
    const IPV6: u8 = 0xc4;
    const EXCEPTION: u8 = 0xff;
    const WHOLE: u8 = 0;
    let mut protocol = position.rest.u8()?;
    if protocol != IP_WITHOUT_SEQUENCE {
        let [mut flag, _, _] = position.rest.array()?;
        if flag == EXCEPTION {
            [protocol, flag, _, _] = position.rest.array()?;
        }
        // A part waits for no others.
        if flag != WHOLE {
            return Err(Skip::NotIp);
        }
    }
    match protocol {
        IP | IP_WITHOUT_SEQUENCE | IPV6 => position.descend(Layer::Ip),
        _ => Err(Skip::NotIp),
    }
}

/// IEEE 802.5 §3.2: access and frame control, target, source; where the source's group bit is set, the bridges on the way
/// follow (IEEE 802.1D annex C); then 802.2.
pub(super) fn token_ring(position: &mut Position<'_>) -> Result<(), Skip> {
    const FRAME_TYPE: u8 = 0xc0;
    const LLC: u8 = 0x40;
    const HAS_ROUTE: u8 = 0x80;
    const ROUTE_LEN: u8 = 0x1f;
    let [_, control] = position.rest.array()?;
    let target = Mac(position.rest.array()?);
    let [first, rest @ ..] = position.rest.array::<6>()?;
    if control & FRAME_TYPE != LLC {
        return Err(Skip::NotIp);
    }
    if first & HAS_ROUTE != 0 {
        let route_len = position.rest.u8()? & ROUTE_LEN;
        position.rest.skip(usize::from(route_len).checked_sub(1).ok_or(Skip::Malformed)?)?;
    }
    let [b, c, d, e, f] = rest;
    position.set_link(Mac([first & !HAS_ROUTE, b, c, d, e, f]), Some(target));
    position.descend(Layer::Llc)
}

/// RFC 2427 §3 and §4.1: an address whose last byte is odd, a frame without a number, perhaps a pad, the identifier of a
/// network layer. Cisco's own framing has an EtherType instead.
pub(super) fn frame_relay(position: &mut Position<'_>) -> Result<(), Skip> {
    const ADDRESS_BYTES: RangeInclusive<usize> = 2..=4;
    const UNNUMBERED: u8 = 0x03;
    const PAD: u8 = 0x00;
    const SNAP: u8 = 0x80;
    const IPV6: u8 = 0x8e;
    const IPV4: u8 = 0xcc;
    let bytes = position.rest.bytes();
    let _first = bytes.first().ok_or(Skip::Truncated)?;
    let address_len = bytes.iter().take_while(|&byte| byte & 1 == 0).count().saturating_add(1);
    if !ADDRESS_BYTES.contains(&address_len) {
        return Err(Skip::Malformed);
    }
    position.rest.skip(address_len)?;
    let first = position.rest.u8()?;
    if first != UNNUMBERED {
        let value = u16::from_be_bytes([first, position.rest.u8()?]);
        return position.descend(Layer::EtherType(value));
    }
    let mut network = position.rest.u8()?;
    if network == PAD {
        network = position.rest.u8()?;
    }
    match network {
        IPV4 | IPV6 => position.descend(Layer::Ip),
        SNAP => link::snap(position),
        _ => Err(Skip::NotIp),
    }
}

/// LINKTYPE_IPOIB: the global route header of a datagram, then what RFC 4391 §6 puts before a packet: an EtherType and two
/// bytes that are reserved.
pub(super) fn infiniband(position: &mut Position<'_>) -> Result<(), Skip> {
    const ROUTE_HEADER_BYTES: usize = 40;
    position.rest.skip(ROUTE_HEADER_BYTES)?;
    let value = position.rest.u16()?;
    position.rest.skip(2)?;
    position.descend(Layer::EtherType(value))
}

/// B.A.T.M.A.N. advanced of version 15: a packet's type, the version; of the types that carry an Ethernet frame, the rest of
/// a header that each has its own length of. Others are the mesh's own conversation, or parts of a frame.
pub(super) fn mesh(position: &mut Position<'_>) -> Result<(), Skip> {
    const VERSION: u8 = 15;
    let [kind, VERSION] = position.rest.array()? else {
        return Err(Skip::NotIp);
    };
    let header_len: usize = match kind {
        // Broadcast: time to live, reserved, sequence, origin.
        0x01 => 14,
        // Unicast: time to live, table version, target; and with the source.
        0x40 => 10,
        0x42 => 18,
        _ => return Err(Skip::NotIp),
    };
    position.rest.skip(header_len.saturating_sub(2))?;
    position.descend(Layer::Ethernet)
}
