//! Tunnels over UDP in, what they carry out: VXLAN, GENEVE, GRE, GTP-U, LISP, Teredo, L2TP, CAPWAP, AYIYA, MPLS and TZSP.
//!
//! A port alone proves nothing, so a header must be right in every bit that its specification fixes. Where it has a
//! receiver ignore bits and one of them is set, what is inside must read as what the header says.

use super::layer::{Layer, Position};
use super::{Skip, link, tunnel};
use crate::facts::Encapsulation;

const AYIYA: u16 = 5072;
const CAPWAP_DATA: u16 = 5247;
const GENEVE: u16 = 6081;
const GRE: u16 = 4754;
const GTP_U: u16 = 2152;
const L2TP: u16 = 1701;
const LISP: u16 = 4341;
const MPLS: u16 = 6635;
const TEREDO: u16 = 3544;
const TZSP: u16 = 37_008;
const VXLAN: u16 = 4789;
/// Linux's, from before the assignment.
const VXLAN_LINUX: u16 = 8472;
const VXLAN_GPE: u16 = 4790;

/// Whether a datagram from or to this port may carry a tunnel.
pub(super) const fn is_port(port: u16) -> bool {
    matches!(
        port,
        AYIYA
            | CAPWAP_DATA
            | GENEVE
            | GRE
            | GTP_U
            | L2TP
            | LISP
            | MPLS
            | TEREDO
            | TZSP
            | VXLAN
            | VXLAN_LINUX
            | VXLAN_GPE
    )
}

/// Reads a tunnel's header from the start of a datagram. `false`: it is none.
pub(super) fn unwrap(position: &mut Position<'_>) -> Result<bool, Skip> {
    match (position.head.source.port, position.head.target.port) {
        (_, VXLAN | VXLAN_LINUX) => vxlan(position),
        (_, VXLAN_GPE) => vxlan_gpe(position),
        (_, GENEVE) => geneve(position),
        (_, GRE) => gre(position),
        (_, LISP) => lisp(position),
        (_, MPLS) => mpls(position),
        (_, TZSP) => tzsp(position),
        (GTP_U, _) | (_, GTP_U) => gtp(position),
        (TEREDO, _) | (_, TEREDO) => teredo(position),
        (L2TP, _) | (_, L2TP) => l2tp(position),
        (CAPWAP_DATA, _) | (_, CAPWAP_DATA) => capwap(position),
        (AYIYA, _) | (_, AYIYA) => ayiya(position),
        _ => Ok(false),
    }
}

/// RFC 7348 §5: the I flag, the network identifier; what is reserved beside them is ignored on receipt, and in use: with
/// the G flag a group policy stands there (draft-smith-vxlan-group-policy).
fn vxlan(position: &mut Position<'_>) -> Result<bool, Skip> {
    const HAS_IDENTIFIER: u8 = 0x08;
    let [flags, policy, group_high, group_low, _, _, _, reserved] = position.rest.array()?;
    let is_plain = flags == HAS_IDENTIFIER && policy == 0 && group_high == 0 && group_low == 0;
    let is_group_policy = flags == 0x88 && policy & !0x48 == 0;
    let is_exact = reserved == 0 && (is_plain || is_group_policy);
    if flags & HAS_IDENTIFIER == 0 || !(is_exact || tunnel::is_ethernet(&position.rest)?) {
        return Ok(false);
    }
    position.enter(Encapsulation::Vxlan, Layer::Ethernet)?;
    Ok(true)
}

/// draft-ietf-nvo3-vxlan-gpe §3: version 0, the I and P flags, the next protocol.
fn vxlan_gpe(position: &mut Position<'_>) -> Result<bool, Skip> {
    let [flags, 0, 0, next_protocol, _, _, _, 0] = position.rest.array()? else {
        return Ok(false);
    };
    let layer = match (flags, next_protocol) {
        (0x0c, 1 | 2) => Layer::Ip,
        (0x0c, 3) | (0x08, 0) => Layer::Ethernet,
        _ => return Ok(false),
    };
    position.enter(Encapsulation::Vxlan, layer)?;
    Ok(true)
}

/// RFC 8926 §3.4: version 0 and the options' length in words, flags, protocol, network identifier. What is reserved is
/// ignored on receipt; a control packet may carry one all the same, of those that watch over the tunnel.
fn geneve(position: &mut Position<'_>) -> Result<bool, Skip> {
    const CONTROL_AND_RESERVED: u8 = 0xbf;
    let [version_and_len, flags, protocol_high, protocol_low, _, _, _, reserved] = position.rest.array()?;
    if version_and_len >> 6 != 0 {
        return Ok(false);
    }
    let layer = match u16::from_be_bytes([protocol_high, protocol_low]) {
        link::TRANSPARENT_ETHERNET => Layer::Ethernet,
        link::IPV4 | link::IPV6 => Layer::Ip,
        _ => return Ok(false),
    };
    position.rest.skip(usize::from(version_and_len & 0x3f).saturating_mul(4))?;
    let is_exact = flags & CONTROL_AND_RESERVED == 0 && reserved == 0;
    if !is_exact && tunnel::packet_or_frame(&position.rest)? != Some(layer) {
        return Ok(false);
    }
    position.enter(Encapsulation::Geneve, layer)?;
    Ok(true)
}

/// RFC 8086 §3: GRE of version 0 without anything reserved, around a packet or a frame.
fn gre(position: &mut Position<'_>) -> Result<bool, Skip> {
    const CHECKSUM_KEY_SEQUENCE: u16 = 0xb000;
    let mut ahead = position.rest;
    let (flags, protocol) = (ahead.u16()?, ahead.u16()?);
    if flags & !CHECKSUM_KEY_SEQUENCE != 0 {
        return Ok(false);
    }
    for _ in 0..flags.count_ones() {
        ahead.skip(4)?;
    }
    let is_sound = match protocol {
        link::IPV4 | link::IPV6 => tunnel::is_ip_to_the_end(&ahead)?,
        link::TRANSPARENT_ETHERNET => tunnel::is_ethernet(&ahead)?,
        _ => false,
    };
    if is_sound {
        tunnel::gre(position)?;
    }
    Ok(is_sound)
}

/// RFC 9300 §5.3: flags, a nonce or map versions, an instance or status bits, then an IP packet that fills the datagram.
/// A nonce and versions are not there both, an echo is asked for with a nonce only, and one flag is reserved.
fn lisp(position: &mut Position<'_>) -> Result<bool, Skip> {
    const NONCE: u8 = 0x80;
    const ECHO: u8 = 0x20;
    const VERSIONS: u8 = 0x10;
    const RESERVED: u8 = 0x04;
    let [flags, nonce @ .., _, _, _, _] = position.rest.array::<8>()?;
    let is_sound = match flags & (NONCE | ECHO | VERSIONS) {
        0 => nonce == [0, 0, 0],
        NONCE | VERSIONS => true,
        others => others == NONCE | ECHO,
    };
    if flags & RESERVED != 0 || !is_sound || !tunnel::is_ip_to_the_end(&position.rest)? {
        return Ok(false);
    }
    position.enter(Encapsulation::Lisp, Layer::Ip)?;
    Ok(true)
}

/// RFC 7510 §3: a label stack, then an IP packet that fills the datagram, or a pseudo-wire's frame.
fn mpls(position: &mut Position<'_>) -> Result<bool, Skip> {
    const BOTTOM_OF_STACK: u32 = 0x100;
    const LABEL_BYTES: usize = 4;
    let mut stack = position.rest;
    while stack.u32()? & BOTTOM_OF_STACK == 0 {}
    let mut behind_control_word = stack;
    if tunnel::packet_or_frame(&stack)?.is_none() {
        behind_control_word.skip(LABEL_BYTES)?;
        if tunnel::packet_or_frame(&behind_control_word)? != Some(Layer::Ethernet) {
            return Ok(false);
        }
    }
    tunnel::mpls(position)?;
    Ok(true)
}

/// TaZmen Sniffer Protocol, as access points and routers mirror frames by it: version 1, received or to be sent, what
/// follows, tags up to the end's (type 1; type 0 pads, others have a length).
fn tzsp(position: &mut Position<'_>) -> Result<bool, Skip> {
    const TAGS_MAX: u8 = 32;
    let [1, 0 | 1, encapsulated_high, encapsulated_low] = position.rest.array()? else {
        return Ok(false);
    };
    let layer = match u16::from_be_bytes([encapsulated_high, encapsulated_low]) {
        1 => Layer::Ethernet,
        18 => Layer::Wlan,
        119 | 127 => Layer::Prism,
        _ => return Ok(false),
    };
    for _ in 0..TAGS_MAX {
        match position.rest.u8()? {
            0 => {}
            1 => {
                position.enter(Encapsulation::Tzsp, layer)?;
                return Ok(true);
            }
            _ => {
                let len = position.rest.u8()?;
                position.rest.skip(usize::from(len))?;
            }
        }
    }
    Ok(false)
}

/// 3GPP TS 29.281 §5.1: version 1, GTP, a G-PDU whose length the datagram has room for; then the optional part and its
/// extension headers (§5.2).
fn gtp(position: &mut Position<'_>) -> Result<bool, Skip> {
    const VERSION_TYPE_RESERVED: u8 = 0xf8;
    const VERSION_1_GTP: u8 = 0x30;
    const OPTIONAL: u8 = 0x07;
    const EXTENSION: u8 = 0x04;
    const G_PDU: u8 = 0xff;
    let [flags, message, len_high, len_low, _, _, _, _] = position.rest.array()?;
    let len = u32::from(u16::from_be_bytes([len_high, len_low]));
    if flags & VERSION_TYPE_RESERVED != VERSION_1_GTP || message != G_PDU || len > position.rest.wire_len() {
        return Ok(false);
    }
    position.rest.end_after(len);
    if flags & OPTIONAL != 0 {
        let [_, _, _, mut next_extension] = position.rest.array()?;
        while flags & EXTENSION != 0 && next_extension != 0 {
            let words = position.rest.u8()?;
            let Some(content_len) = usize::from(words).saturating_mul(4).checked_sub(2) else {
                return Ok(false);
            };
            position.rest.skip(content_len)?;
            next_extension = position.rest.u8()?;
            position.descend(position.layer)?;
        }
    }
    if !tunnel::is_ip(&position.rest)? {
        return Ok(false);
    }
    position.enter(Encapsulation::Gtp, Layer::Ip)?;
    Ok(true)
}

/// RFC 4380 §5.1.1: perhaps an authentication and an origin indication, then an IPv6 packet that has a Teredo or a
/// link-local address. Trailers may follow (RFC 6081 §4).
fn teredo(position: &mut Position<'_>) -> Result<bool, Skip> {
    const AUTHENTICATION: &[u8] = &[0x00, 0x01];
    const ORIGIN: &[u8] = &[0x00, 0x00];
    if position.rest.bytes().starts_with(AUTHENTICATION) {
        let [_, _, id_len, value_len] = position.rest.array()?;
        position.rest.skip(usize::from(id_len).saturating_add(usize::from(value_len)).saturating_add(9))?;
    }
    if position.rest.bytes().starts_with(ORIGIN) {
        position.rest.skip(8)?;
    }
    if !tunnel::is_ip(&position.rest)? {
        return Ok(false);
    }
    let mut header = position.rest;
    let [version, _, _, _, _, _, _, _] = header.array()?;
    let source: [u8; 16] = header.array()?;
    let target: [u8; 16] = header.array()?;
    let is_teredo = |ip: [u8; 16]| ip.starts_with(&[0x20, 0x01, 0x00, 0x00]) || ip.starts_with(&[0xfe, 0x80]);
    if version >> 4 != 6 || !(is_teredo(source) || is_teredo(target)) {
        return Ok(false);
    }
    position.enter(Encapsulation::Teredo, Layer::Ip)?;
    Ok(true)
}

/// RFC 2661 §3.1: a data message of version 2, perhaps with a length, sequence numbers and an offset, then PPP. Control
/// messages are the tunnel's own conversation.
fn l2tp(position: &mut Position<'_>) -> Result<bool, Skip> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const RESERVED_AND_VERSION: u16 = 0x34ff;
    let datagram_len = position.rest.wire_len();
    let flags = position.rest.u16()?;
    if flags & (CONTROL | RESERVED_AND_VERSION) != 2 {
        return Ok(false);
    }
    if flags & LENGTH != 0 && u32::from(position.rest.u16()?) != datagram_len {
        return Ok(false);
    }
    position.rest.skip(if flags & SEQUENCE == 0 { 4 } else { 8 })?;
    if flags & OFFSET != 0 {
        let padding = position.rest.u16()?;
        position.rest.skip(usize::from(padding))?;
    }
    position.enter(Encapsulation::L2tp, Layer::Ppp)?;
    Ok(true)
}

/// RFC 5415 §4.3: version and type 0, the header's length in words, radio, binding and flags, fragment, then what the
/// header's length says. The payload is Ethernet, or a frame of the binding (1 is IEEE 802.11). A fragment waits for no
/// others.
fn capwap(position: &mut Position<'_>) -> Result<bool, Skip> {
    const NATIVE: u32 = 0x100;
    const FRAGMENT: u32 = 0x80;
    const KEEP_ALIVE: u32 = 0x08;
    const RESERVED: u32 = 0x07;
    const BINDING_802_11: u32 = 1;
    const FIXED_WORDS: u32 = 2;
    let word = position.rest.u32()?;
    let [_, _, offset_high, offset_low] = position.rest.array()?;
    let (words, binding) = ((word >> 19) & 0x1f, (word >> 9) & 0x1f);
    let Some(optional_words) = words.checked_sub(FIXED_WORDS) else {
        return Ok(false);
    };
    if word >> 24 != 0 || word & (FRAGMENT | KEEP_ALIVE | RESERVED) != 0 || (offset_high, offset_low) != (0, 0) {
        return Ok(false);
    }
    position.rest.skip(usize::try_from(optional_words).unwrap_or(usize::MAX).saturating_mul(4))?;
    let layer = match (word & NATIVE != 0, binding) {
        (false, _) => Layer::Ethernet,
        (true, BINDING_802_11) => Layer::Wlan,
        _ => return Ok(false),
    };
    position.enter(Encapsulation::Capwap, layer)?;
    Ok(true)
}

/// draft-massar-v6ops-ayiya §3: lengths and types of identity and signature, authentication and the forwarding of a
/// packet, the protocol inside, a time, then identity and signature.
fn ayiya(position: &mut Position<'_>) -> Result<bool, Skip> {
    const FORWARD: u8 = 1;
    const IPV6: u8 = 41;
    let [identity, signature, authentication, IPV6, _, _, _, _] = position.rest.array()? else {
        return Ok(false);
    };
    let identity_len = 1_usize << (identity >> 4);
    let signature_len = usize::from(signature >> 4).saturating_mul(4);
    if authentication & 0x0f != FORWARD {
        return Ok(false);
    }
    position.rest.skip(identity_len.saturating_add(signature_len))?;
    if !tunnel::is_ip(&position.rest)? {
        return Ok(false);
    }
    position.enter(Encapsulation::Ayiya, Layer::Ip)?;
    Ok(true)
}
