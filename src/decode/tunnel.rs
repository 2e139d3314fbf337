//! Tunnels over a link or directly over IP in, what they carry out: MPLS, PPPoE, PPP, L2TP version 3, EtherIP, GRE and
//! ERSPAN.

use super::layer::{Layer, Position, Rest};
use super::{Skip, link};
use crate::facts::Encapsulation;

/// A label stack (RFC 3032 §2.1). Nothing says what it carries: an IP packet shows its version; otherwise it is an
/// Ethernet pseudo-wire (RFC 4448), whose control word may be left out.
pub(super) fn mpls(position: &mut Position<'_>) -> Result<(), Skip> {
    const BOTTOM_OF_STACK: u32 = 0x100;
    while position.rest.u32()? & BOTTOM_OF_STACK == 0 {
        position.descend(position.layer)?;
    }
    let mut behind = position.rest;
    let has_control_word = behind.u32().is_ok_and(|word| word >> 28 == 0);
    let inside = if is_ip(&position.rest)? {
        Layer::Ip
    } else if is_ethernet(&position.rest) == Ok(true) {
        Layer::Ethernet
    } else if has_control_word && is_ethernet(&behind) == Ok(true) {
        position.rest = behind;
        Layer::Ethernet
    } else {
        return Err(if position.rest.is_cut() { Skip::Truncated } else { Skip::NotIp });
    };
    position.enter(Encapsulation::Mpls, inside)
}

/// RFC 3931 §4.1.1.1: the session's number, which is 0 in a control message, a cookie of 0, 4 or 8 bytes, perhaps a
/// sublayer of 4 (§4.6). Nothing says how many they are nor what follows: an Ethernet frame, or an IP packet to the end.
pub(super) fn l2tp_session(position: &mut Position<'_>) -> Result<(), Skip> {
    if position.rest.u32()? == 0 {
        return Err(Skip::NotIp);
    }
    let mut outcome = Err(Skip::NotIp);
    for len in [0, 4, 8, 12] {
        let mut rest = position.rest;
        match rest.skip(len).and_then(|()| packet_or_frame(&rest)) {
            Ok(Some(layer)) => {
                position.rest = rest;
                return position.enter(Encapsulation::L2tp, layer);
            }
            Ok(None) => {}
            Err(skip) => outcome = Err(skip),
        }
    }
    outcome
}

/// RFC 3378 §3: version 3, twelve bits that must be 0, an Ethernet frame.
pub(super) fn etherip(position: &mut Position<'_>) -> Result<(), Skip> {
    const VERSION_3: u16 = 0x3000;
    if position.rest.u16()? != VERSION_3 {
        return Err(Skip::Malformed);
    }
    position.enter(Encapsulation::EtherIp, Layer::Ethernet)
}

/// Whether this reads as an IP packet to the end, or as an Ethernet frame.
pub(super) fn packet_or_frame(rest: &Rest<'_>) -> Result<Option<Layer>, Skip> {
    if is_ip_to_the_end(rest)? {
        return Ok(Some(Layer::Ip));
    }
    Ok(is_ethernet(rest)?.then_some(Layer::Ethernet))
}

/// Whether this reads as an IP header whose packet is all that the wire carried.
pub(super) fn is_ip_to_the_end(rest: &Rest<'_>) -> Result<bool, Skip> {
    Ok(ip_len(rest)? == Some(rest.wire_len()))
}

/// Whether this reads as an IP header whose packet has room in what the wire carried.
pub(super) fn is_ip(rest: &Rest<'_>) -> Result<bool, Skip> {
    Ok(ip_len(rest)?.is_some())
}

/// The length of the packet, if so.
fn ip_len(rest: &Rest<'_>) -> Result<Option<u32>, Skip> {
    const IPV6_HEADER_LEN: u32 = 40;
    let mut ahead = *rest;
    let [first, _, total_high, total_low, payload_high, payload_low] = ahead.array()?;
    let total_len = u32::from(u16::from_be_bytes([total_high, total_low]));
    let payload_len = u32::from(u16::from_be_bytes([payload_high, payload_low]));
    let (header_len, len) = match first >> 4 {
        4 if first & 0x0f >= 5 => (u32::from(first & 0x0f).saturating_mul(4), total_len),
        6 => (IPV6_HEADER_LEN, payload_len.saturating_add(IPV6_HEADER_LEN)),
        _ => return Ok(None),
    };
    Ok((header_len..=rest.wire_len()).contains(&len).then_some(len))
}

/// Whether this reads as an Ethernet frame of something that is usual in a pseudo-wire.
pub(super) fn is_ethernet(rest: &Rest<'_>) -> Result<bool, Skip> {
    const TAGS_MAX: usize = 3;
    /// Of IEEE 802.3, where greater values are EtherTypes.
    const LENGTH_MAX: u32 = 1500;
    const SNAP: [u8; 3] = [0xaa, 0xaa, 0x03];
    let mut ahead = *rest;
    ahead.skip(12)?;
    for _ in 0..=TAGS_MAX {
        match ahead.u16()? {
            link::VLAN | link::VLAN_SERVICE | link::VLAN_QINQ_1 | link::VLAN_QINQ_2 => ahead.skip(2)?,
            link::IPV4 | link::IPV6 => return is_ip(&ahead),
            link::ARP | link::MPLS | link::PPPOE_SESSION => return Ok(true),
            len if u32::from(len) <= ahead.wire_len().min(LENGTH_MAX) => return Ok(ahead.array()? == SNAP),
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// RFC 2516 §4: version and type 1, code 0 for the session stage, session, length.
pub(super) fn pppoe(position: &mut Position<'_>) -> Result<(), Skip> {
    let [version_and_type, code, _, _] = position.rest.array()?;
    let len = position.rest.u16()?;
    if (version_and_type, code) != (0x11, 0) {
        return Err(Skip::Malformed);
    }
    position.rest.end_after(u32::from(len));
    position.enter(Encapsulation::Pppoe, Layer::Ppp)
}

/// RFC 1661 §2 and RFC 1662 §3.1: address and control may be left out, and so may the protocol's first byte. Captures
/// of PPP lines hold Cisco's framing too: a unicast or broadcast address, 0, an EtherType. What Van Jacobson compressed is
/// read where it is sent whole, as the first packet of a connection is; the others are its differences from the one before.
pub(super) fn ppp(position: &mut Position<'_>) -> Result<(), Skip> {
    const IPV4: u16 = 0x0021;
    const UNCOMPRESSED_TCP: u16 = 0x002f;
    const IPV6: u16 = 0x0057;
    const CDP: u16 = 0x0207;
    const MPLS: u16 = 0x0281;
    let protocol = match position.rest.u8()? {
        0xff => {
            let [0x03, first] = position.rest.array()? else {
                return Err(Skip::NotIp);
            };
            ppp_protocol(position, first)?
        }
        0x0f | 0x8f => {
            let [0x00, high, low] = position.rest.array()? else {
                return Err(Skip::NotIp);
            };
            return position.descend(Layer::EtherType(u16::from_be_bytes([high, low])));
        }
        first => ppp_protocol(position, first)?,
    };
    match protocol {
        IPV4 | IPV6 => {
            position.layer = Layer::Ip;
            Ok(())
        }
        UNCOMPRESSED_TCP => {
            position.layer = Layer::UncompressedTcp;
            Ok(())
        }
        CDP => {
            position.layer = Layer::Link(link::CDP);
            Ok(())
        }
        link::EAP => {
            position.layer = Layer::Link(link::EAP);
            Ok(())
        }
        MPLS => mpls(position),
        _ => Err(Skip::NotIp),
    }
}

/// The low bit of a protocol's last byte is set, that of a first byte before another clear.
fn ppp_protocol(position: &mut Position<'_>, first: u8) -> Result<u16, Skip> {
    if first & 1 == 1 {
        return Ok(u16::from(first));
    }
    Ok(u16::from_be_bytes([first, position.rest.u8()?]))
}

/// PPP in GRE.
const PPP: u16 = 0x880b;

/// RFC 2784 and RFC 2890 (version 0), with the source routes of RFC 1701; RFC 2637 (version 1, PPTP).
pub(super) fn gre(position: &mut Position<'_>) -> Result<(), Skip> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const VERSION: u16 = 0x0007;
    const ERSPAN_1_OR_2: u16 = 0x88be;
    const ERSPAN_3: u16 = 0x22eb;
    /// Caches that take part in WCCP are handed packets in it.
    const WCCP: u16 = 0x883e;
    /// Aruba's access points: the low bits number a queue.
    const WLAN_FIRST: u16 = 0x8200;
    const WLAN_LAST: u16 = 0x8370;
    let flags = position.rest.u16()?;
    let protocol = position.rest.u16()?;
    match flags & VERSION {
        0 => {}
        1 => return enhanced_gre(position, flags, protocol),
        _ => return Err(Skip::Malformed),
    }
    // The checksum stands beside the offset into the routes: with one, there is room for the other.
    for flag in [CHECKSUM | ROUTING, KEY, SEQUENCE] {
        if flags & flag != 0 {
            position.rest.skip(4)?;
        }
    }
    if flags & ROUTING != 0 {
        source_routes(position)?;
    }
    match protocol {
        ERSPAN_1_OR_2 if flags & SEQUENCE == 0 => position.enter(Encapsulation::Erspan, Layer::Ethernet),
        ERSPAN_1_OR_2 => erspan_2(position),
        ERSPAN_3 => erspan_3(position),
        link::TRANSPARENT_ETHERNET => position.enter(Encapsulation::Gre, Layer::Ethernet),
        PPP => position.enter(Encapsulation::Gre, Layer::Ppp),
        WCCP => redirected(position),
        WLAN_FIRST..=WLAN_LAST => position.enter(Encapsulation::Gre, Layer::Wlan),
        value => position.enter(Encapsulation::Gre, Layer::EtherType(value)),
    }
}

/// RFC 1701 §2: address family, offset, length and so many bytes each, up to one of no family and no length.
fn source_routes(position: &mut Position<'_>) -> Result<(), Skip> {
    const ROUTES_MAX: u8 = 16;
    for _ in 0..ROUTES_MAX {
        match position.rest.array()? {
            [0, 0, _, 0] => return Ok(()),
            [_, _, _, 0] => return Err(Skip::Malformed),
            [_, _, _, len] => position.rest.skip(usize::from(len))?,
        }
    }
    Err(Skip::TooDeep)
}

/// WCCP version 2 puts flags, a service and two buckets before the packet, version 1 nothing; nobody says which.
fn redirected(position: &mut Position<'_>) -> Result<(), Skip> {
    if !is_ip(&position.rest)? {
        position.rest.skip(4)?;
    }
    position.enter(Encapsulation::Gre, Layer::Ip)
}

fn enhanced_gre(position: &mut Position<'_>, flags: u16, protocol: u16) -> Result<(), Skip> {
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    if protocol != PPP {
        return Err(Skip::Malformed);
    }
    let payload_len = position.rest.u16()?;
    position.rest.skip(2)?;
    if flags & SEQUENCE == 0 {
        return Err(Skip::NotIp);
    }
    position.rest.skip(if flags & ACKNOWLEDGMENT == 0 { 4 } else { 8 })?;
    position.rest.end_after(u32::from(payload_len));
    position.enter(Encapsulation::Gre, Layer::Ppp)
}

/// draft-foschiano-erspan-03 §4.2: version 1 and the VLAN, class and session, index.
fn erspan_2(position: &mut Position<'_>) -> Result<(), Skip> {
    let [version_and_vlan, vlan, _, _, _, _, _, _] = position.rest.array()?;
    if version_and_vlan >> 4 != 1 {
        return Err(Skip::Malformed);
    }
    mirrored_vlan(position, [version_and_vlan, vlan]);
    position.enter(Encapsulation::Erspan, Layer::Ethernet)
}

/// draft-foschiano-erspan-03 §4.3: version 2 and the VLAN, class and session, timestamp, group, flags.
fn erspan_3(position: &mut Position<'_>) -> Result<(), Skip> {
    const FRAME_TYPE: u8 = 0x7c;
    const ETHERNET: u8 = 0;
    const IP: u8 = 2 << 2;
    const PLATFORM_HEADER: u8 = 0x01;
    let [version_and_vlan, vlan, _, _, _, _, _, _, _, _, frame_type, flags] = position.rest.array()?;
    if version_and_vlan >> 4 != 2 {
        return Err(Skip::Malformed);
    }
    if flags & PLATFORM_HEADER != 0 {
        position.rest.skip(8)?;
    }
    mirrored_vlan(position, [version_and_vlan, vlan]);
    match frame_type & FRAME_TYPE {
        ETHERNET => position.enter(Encapsulation::Erspan, Layer::Ethernet),
        IP => position.enter(Encapsulation::Erspan, Layer::Ip),
        _ => Err(Skip::NotIp),
    }
}

/// The VLAN the frame was mirrored from, which the frame's own tag, if it kept it, repeats.
fn mirrored_vlan(position: &mut Position<'_>, version_and_vlan: [u8; 2]) {
    let id = u16::from_be_bytes(version_and_vlan) & 0x0fff;
    if id != 0 {
        (position.head.vlan, position.head.inner_vlan) = (Some(id), None);
    }
}
