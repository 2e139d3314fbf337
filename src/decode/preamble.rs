//! What a capturing program put before a frame in, the frame out: PPI, PKTAP, NFLOG, and the radio headers that stand
//! before IEEE 802.11.

use super::layer::{Layer, Position};
use super::{Skip, link};
use crate::capture::LinkType;

/// PPI: version 0, flags, the whole header's length, the link type of what follows; in little-endian order.
pub(super) fn ppi(position: &mut Position<'_>) -> Result<(), Skip> {
    let [version, _, len_low, len_high, link_low, link_high, 0, 0] = position.rest.array()? else {
        return Err(Skip::UnknownLink);
    };
    if version != 0 {
        return Err(Skip::UnknownLink);
    }
    let len = usize::from(u16::from_le_bytes([len_low, len_high]));
    position.rest.skip(len.checked_sub(8).ok_or(Skip::Malformed)?)?;
    announced(position, u16::from_le_bytes([link_low, link_high]))
}

/// PKTAP: the whole header's length, a record type (1 is a packet), the link type of what follows; little-endian.
pub(super) fn pktap(position: &mut Position<'_>) -> Result<(), Skip> {
    let [len_low, len_high, 0, 0, 1, 0, 0, 0, link_low, link_high, 0, 0] = position.rest.array()? else {
        return Err(Skip::UnknownLink);
    };
    let len = usize::from(u16::from_le_bytes([len_low, len_high]));
    position.rest.skip(len.checked_sub(12).ok_or(Skip::Malformed)?)?;
    announced(position, u16::from_le_bytes([link_low, link_high]))
}

/// PKTAP as macOS numbered it before it was assigned a number: others use the same one for headers of their own, so the
/// header must be as long as PKTAP's at least, and name its interface in plain text or not at all.
pub(super) fn user_2(position: &mut Position<'_>) -> Result<(), Skip> {
    const HEADER_LEN_MIN: u32 = 108;
    let mut ahead = position.rest;
    let len = ahead.u32()?.swap_bytes();
    ahead.skip(8)?;
    let interface: [u8; 24] = ahead.array()?;
    let is_name = |byte: &u8| *byte == 0 || byte.is_ascii_graphic();
    if !(HEADER_LEN_MIN..=position.rest.wire_len()).contains(&len) || !interface.iter().all(is_name) {
        return Err(Skip::UnknownLink);
    }
    pktap(position)
}

fn announced(position: &mut Position<'_>, link: u16) -> Result<(), Skip> {
    let layer = link::first_layer(LinkType::from_value(link)).ok_or(Skip::UnknownLink)?;
    position.descend(layer)
}

/// NFLOG: address family, version 0, a resource, then attributes of length, type and value in the byte order of the
/// machine that logged, padded to four bytes. The packet is one of them.
pub(super) fn nflog(position: &mut Position<'_>) -> Result<(), Skip> {
    const PAYLOAD: u16 = 9;
    const HEADER_LEN: u16 = 4;
    const ATTRIBUTES_MAX: usize = 32;
    /// Types are small, so that in the other byte order they are large.
    const TYPES_END: u16 = 0x100;
    let [_family, 0, _, _] = position.rest.array()? else {
        return Err(Skip::UnknownLink);
    };
    for _ in 0..ATTRIBUTES_MAX {
        let [a, b, c, d] = position.rest.array()?;
        let little = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        let big = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let (len, kind) = if little.1 < TYPES_END { little } else { big };
        let value_len = len.checked_sub(HEADER_LEN).ok_or(Skip::Malformed)?;
        if kind == PAYLOAD {
            position.rest.end_after(u32::from(value_len));
            return position.descend(Layer::Ip);
        }
        position.rest.skip(usize::from(value_len).next_multiple_of(4))?;
    }
    Err(Skip::TooDeep)
}

/// Prism: a message code, the header's length in the byte order of the machine that captured; and AVS, whose code is
/// a magic number and whose length is in network order.
pub(super) fn prism(position: &mut Position<'_>) -> Result<(), Skip> {
    const AVS: [u8; 4] = [0x80, 0x21, 0x10, 0x01];
    let code: [u8; 4] = position.rest.array()?;
    let len: [u8; 4] = position.rest.array()?;
    let (big, little) = (u32::from_be_bytes(len), u32::from_le_bytes(len));
    let len = if code == AVS { big } else { big.min(little) };
    let ahead = usize::try_from(len).ok().and_then(|len| len.checked_sub(8)).ok_or(Skip::Malformed)?;
    position.rest.skip(ahead)?;
    position.descend(Layer::Wlan)
}

/// Radiotap: version 0, the header's length, a bit for each field present, then the fields, each at its own alignment;
/// little-endian. Only the flags matter: they say whether the frame's header is padded.
pub(super) fn radiotap(position: &mut Position<'_>) -> Result<(), Skip> {
    const TIMESTAMP: u32 = 1;
    const FLAGS: u32 = 1 << 1;
    const MORE_PRESENCE: u32 = 1 << 31;
    const HEADER_IS_PADDED: u8 = 0x20;
    let [0, _, len_low, len_high] = position.rest.array()? else {
        return Err(Skip::UnknownLink);
    };
    let fields_len = usize::from(u16::from_le_bytes([len_low, len_high])).checked_sub(4).ok_or(Skip::Malformed)?;
    let mut ahead = position.rest;
    position.rest.skip(fields_len)?;
    let first = ahead.u32()?.swap_bytes();
    let (mut present, mut offset) = (first, 8_usize);
    while present & MORE_PRESENCE != 0 {
        present = ahead.u32()?.swap_bytes();
        offset = offset.saturating_add(4);
    }
    if first & TIMESTAMP != 0 {
        ahead.skip(offset.next_multiple_of(8).saturating_sub(offset).saturating_add(8))?;
    }
    let is_padded = first & FLAGS != 0 && ahead.u8()? & HEADER_IS_PADDED != 0;
    position.descend(if is_padded { Layer::WlanPadded } else { Layer::Wlan })
}
