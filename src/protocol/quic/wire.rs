//! Datagrams in, the packets with a long header and the frames of an Initial packet out (RFC 9000 §17.2 and §19).

use crate::protocol::cursor::Cursor;
use crate::protocol::quic::version::{PacketType, Version};

/// The longest connection identifier (RFC 9000 §17.2).
pub const CONNECTION_ID_BYTES_MAX: usize = 20;

const LONG_HEADER: u8 = 0x80;

/// What a datagram holds, in order.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    Initial(Initial<'a>),
    /// 0-RTT or Handshake: encrypted with keys that nobody else has.
    Protected(Header<'a>),
    Retry(Header<'a>),
    /// A long header of a version whose packets cannot be read.
    Unknown(Header<'a>),
    VersionNegotiation {
        header: Header<'a>,
        versions: Cursor<'a>,
    },
}

/// What every version has (RFC 8999 §5.1).
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    pub version: Version,
    pub destination: &'a [u8],
    pub source: &'a [u8],
}

/// An Initial packet, still protected.
#[derive(Clone, Copy, Debug)]
pub struct Initial<'a> {
    pub header: Header<'a>,
    /// From the first byte of the header to the end of the payload.
    pub bytes: &'a [u8],
    /// Where in `bytes` the packet number begins.
    pub number_at: usize,
}

/// The version of a datagram whose first packet the snap length cut within its payload: its length fits into what was on
/// the wire, `missing` bytes behind those that are there.
pub fn version_of_cut(datagram: &[u8], missing: u32) -> Option<Version> {
    let mut datagram = Cursor::new(datagram);
    let (first, header) = long_header(&mut datagram)?;
    match header.version.packet_type(first)? {
        PacketType::Initial => {
            let token_len = varint(&mut datagram)?;
            datagram.skip(token_len)?;
        }
        PacketType::Protected => {}
        PacketType::Retry => return None,
    }
    let len = varint(&mut datagram)?;
    let on_wire = datagram.len().saturating_add(usize::try_from(missing).unwrap_or(usize::MAX));
    (datagram.len() < len && len <= on_wire).then_some(header.version)
}

/// Reads the first byte and what every version has.
fn long_header<'a>(datagram: &mut Cursor<'a>) -> Option<(u8, Header<'a>)> {
    let first = datagram.u8().filter(|first| first & LONG_HEADER != 0)?;
    let version = Version(datagram.u32()?);
    let (destination, source) = if version.has_short_lengths() {
        let lengths = datagram.u8()?;
        // None, or from four bytes on.
        let len = |nibble: u8| if nibble == 0 { 0 } else { usize::from(nibble).saturating_add(3) };
        (datagram.take(len(lengths >> 4))?, datagram.take(len(lengths & 0x0f))?)
    } else {
        (datagram.vec8()?.rest(), datagram.vec8()?.rest())
    };
    Some((first, Header { version, destination, source }))
}

/// Reads the next packet of a datagram; none where what follows has no long header (1-RTT, padding, another protocol).
pub fn packet<'a>(datagram: &mut Cursor<'a>) -> Option<Packet<'a>> {
    let whole = *datagram;
    let (first, header) = long_header(datagram)?;
    let Header { version, destination, source } = header;
    if version == Version::NEGOTIATION {
        let versions = std::mem::replace(datagram, Cursor::new(&[]));
        return Some(Packet::VersionNegotiation { header, versions });
    }
    // The bit that RFC 9000 fixes is not looked at: a server may clear it (RFC 9287).
    if destination.len().max(source.len()) > CONNECTION_ID_BYTES_MAX {
        return None;
    }
    match version.packet_type(first) {
        None => {
            *datagram = Cursor::new(&[]);
            Some(Packet::Unknown(header))
        }
        Some(PacketType::Retry) => {
            *datagram = Cursor::new(&[]);
            Some(Packet::Retry(header))
        }
        Some(PacketType::Protected) => {
            let len = varint(datagram)?;
            datagram.skip(len)?;
            Some(Packet::Protected(header))
        }
        Some(PacketType::Initial) => {
            let token_len = varint(datagram)?;
            datagram.skip(token_len)?;
            let len = varint(datagram)?;
            let number_at = whole.len().saturating_sub(datagram.len());
            datagram.skip(len)?;
            let bytes = whole.rest().get(..number_at.saturating_add(len))?;
            Some(Packet::Initial(Initial { header, bytes, number_at }))
        }
    }
}

/// A frame of an Initial packet that says something (RFC 9000 §17.2.2 tells which may stand there).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Frame<'a> {
    ConnectionClose { error: usize },
    Crypto { offset: usize, bytes: &'a [u8] },
}

/// Reads the next frame that says something; PADDING, PING and ACK are passed over.
pub fn frame<'a>(payload: &mut Cursor<'a>, version: Version) -> Result<Option<Frame<'a>>, &'static str> {
    const MALFORMED: &str = "initial_frame";
    loop {
        match payload.u8() {
            None => return Ok(None),
            Some(0x00) => payload.skip_zeros(),
            Some(0x01) => {}
            Some(kind @ (0x02 | 0x03)) => ack(payload, kind == 0x03).ok_or(MALFORMED)?,
            Some(kind) if kind == version.crypto_frame() => return crypto(payload).map(Some).ok_or(MALFORMED),
            Some(0x1c) => return connection_close(payload).map(Some).ok_or(MALFORMED),
            Some(kind @ 0x40..=0x7f) if version.google().is_some() => google_ack(payload, kind).ok_or(MALFORMED)?,
            Some(_) if version.google().is_some() => return Ok(None),
            Some(_) => return Err(MALFORMED),
        }
    }
}

fn ack(payload: &mut Cursor<'_>, counts_ecn: bool) -> Option<()> {
    let (_largest, _delay) = (varint(payload)?, varint(payload)?);
    let ranges = varint(payload)?;
    varint(payload)?;
    for _ in 0..ranges {
        let (_gap, _len) = (varint(payload)?, varint(payload)?);
    }
    if counts_ecn {
        let _counts = (varint(payload)?, varint(payload)?, varint(payload)?);
    }
    Some(())
}

/// Google's acknowledgement, whose type says how long its numbers are ("QUIC Wire Layout Specification", Hamilton and
/// others 2016):
///
/// ```text
/// 01 has_blocks:1 unused:1 largest:2 block:2 | largest | delay:16 | blocks:8 | block | (gap:8 block)... | times:8 ...
/// ```
fn google_ack(payload: &mut Cursor<'_>, kind: u8) -> Option<()> {
    const HAS_BLOCKS: u8 = 0x20;
    let bytes = |code: u8| match code & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => 6_usize,
    };
    let (largest, block) = (bytes(kind >> 2), bytes(kind));
    payload.skip(largest.saturating_add(2))?;
    let blocks = if kind & HAS_BLOCKS == 0 { 0 } else { payload.u8()? };
    payload.skip(block)?;
    payload.skip(usize::from(blocks).saturating_mul(block.saturating_add(1)))?;
    // Of each packet that is timed: which one, and when; the first time is absolute.
    match usize::from(payload.u8()?) {
        0 => Some(()),
        times => payload.skip(times.saturating_mul(3).saturating_add(2)),
    }
}

fn crypto<'a>(payload: &mut Cursor<'a>) -> Option<Frame<'a>> {
    let offset = varint(payload)?;
    let len = varint(payload)?;
    Some(Frame::Crypto { offset, bytes: payload.take(len)? })
}

fn connection_close<'a>(payload: &mut Cursor<'a>) -> Option<Frame<'a>> {
    let error = varint(payload)?;
    varint(payload)?;
    let reason_len = varint(payload)?;
    payload.skip(reason_len)?;
    Some(Frame::ConnectionClose { error })
}

/// A variable-length integer (RFC 9000 §16).
pub fn varint(cursor: &mut Cursor<'_>) -> Option<usize> {
    let first = cursor.peek()?;
    let (bytes, mask) = match first >> 6 {
        0 => (u64::from(cursor.u8()?), 0x3f),
        1 => (u64::from(cursor.u16()?), 0x3fff),
        2 => (u64::from(cursor.u32()?), 0x3fff_ffff),
        _ => (cursor.u64()?, 0x3fff_ffff_ffff_ffff),
    };
    usize::try_from(bytes & mask).ok()
}
