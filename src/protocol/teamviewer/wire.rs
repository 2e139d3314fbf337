//! Bytes in, the heads of TeamViewer's messages out.

use std::net::{IpAddr, Ipv4Addr};

use crate::protocol::cursor::Cursor;

const MAGIC_1: [u8; 2] = [0x17, 0x24];
const MAGIC_2: [u8; 2] = [0x11, 0x30];

/// The longest body of the second generation that is believed.
const BODY_BYTES_MAX: u32 = 4 << 20;
/// The size of the second generation's head, which stands in it.
const HEAD_2_BYTES: u32 = 24;

/// Where a datagram has the magic of the message in it.
const MAGIC_AT: usize = 11;
/// Where the datagram that opens a way between two machines has the address of the other one, in ASCII.
const PEER_AT: usize = 28;
const PEER_BYTES: usize = 16;

/// How old a message's form is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Generation {
    First,
    Second,
}

/// Reads a message's head; none as long as it has not come whole. Magic, command, 16-bit length; or magic, command, a
/// zero, 32-bit length, two counters, 27 and the head's size. Numbers are little-endian.
pub fn head(cursor: &mut Cursor<'_>) -> Result<Option<(Generation, usize)>, &'static str> {
    const MALFORMED: &str = "teamviewer_head";
    let mut ahead = *cursor;
    let generation = match ahead.array() {
        Some(MAGIC_1) => Generation::First,
        Some(MAGIC_2) => Generation::Second,
        None if ahead.peek().is_none_or(|first| first == MAGIC_1[0] || first == MAGIC_2[0]) => return Ok(None),
        _ => return Err(MALFORMED),
    };
    match ahead.u8() {
        Some(0) => return Err(MALFORMED),
        Some(_) => {}
        None => return Ok(None),
    }
    let body_bytes = match generation {
        Generation::First => ahead.u16_le().map(usize::from),
        Generation::Second => match second(&mut ahead) {
            Some(Some(body_bytes)) => Some(body_bytes),
            Some(None) => return Err(MALFORMED),
            None => None,
        },
    };
    let Some(body_bytes) = body_bytes else { return Ok(None) };
    if body_bytes == 0 {
        return Err(MALFORMED);
    }
    *cursor = ahead;
    Ok(Some((generation, body_bytes)))
}

/// The rest of the second generation's head: none where it is too short, `Some(None)` where it is something else.
fn second(ahead: &mut Cursor<'_>) -> Option<Option<usize>> {
    let zero = ahead.u8()?;
    let body_bytes = ahead.u32_le()?;
    ahead.skip(12)?; // counters, 27
    let head_bytes = ahead.u32_le()?;
    let is_sound = zero == 0 && body_bytes <= BODY_BYTES_MAX && head_bytes == HEAD_2_BYTES;
    Some(usize::try_from(body_bytes).ok().filter(|_| is_sound))
}

/// Whether a datagram carries a message.
pub fn is_datagram(datagram: &[u8]) -> bool {
    datagram.get(MAGIC_AT..).is_some_and(|rest| rest.starts_with(&MAGIC_1) && rest.len() > MAGIC_1.len())
}

/// The machine at the other end, as a datagram of the way's opening names it.
pub fn peer(datagram: &[u8]) -> Option<(IpAddr, u16)> {
    let mut cursor = Cursor::new(datagram);
    cursor.skip(PEER_AT)?;
    let text = cursor.take(PEER_BYTES)?;
    let port = cursor.u16_le().filter(|&port| port != 0)?;
    let mut rest = Cursor::new(text);
    let address = rest.until(0)?;
    let address: Ipv4Addr = std::str::from_utf8(address).ok()?.parse().ok()?;
    Some((address.into(), port))
}
