//! Datagrams of Google's QUIC before the IETF's in, the ClientHello of its own handshake out ("QUIC Crypto", Langley and
//! Chang 2016; "QUIC Wire Layout Specification", Hamilton and others 2016). Up to Q048 it is sent in clear; Q050 puts
//! it into Initial packets.

use crate::facts::{Hello, Sender};
use crate::net::Text;
use crate::protocol::cursor::Cursor;
use crate::protocol::quic::version::Version;
use crate::protocol::quic::{USER_AGENT, VERSION};

/// The first bytes of a client's datagrams up to Q043: version flag, 8 bytes of connection identifier, any length of
/// packet number.
pub const OPENS_WITH: [(u8, u8); 8] =
    [(0x09, 0x09), (0x0d, 0x0d), (0x19, 0x19), (0x1d, 0x1d), (0x29, 0x29), (0x2d, 0x2d), (0x39, 0x39), (0x3d, 0x3d)];

/// The first bytes of a server's first datagram: 8 bytes of connection identifier, perhaps a nonce, a packet number of
/// one byte.
pub const ANSWERS_WITH: [(u8, u8); 2] = [(0x08, 0x08), (0x0c, 0x0c)];

/// Whether a server refuses a client's first hello, which it does in clear: flags, identifier, nonce, packet number,
/// hash, then among its frames the handshake's stream from its beginning.
pub fn is_rejection(datagram: &[u8]) -> bool {
    const FRAMES_BYTES_MAX: usize = 64;
    const HAS_NONCE: u8 = 0x04;
    let mut cursor = Cursor::new(datagram);
    let Some(flags @ (0x08 | 0x0c)) = cursor.u8() else { return false };
    let header_len = if flags & HAS_NONCE == 0 { 21 } else { 53 };
    if cursor.skip(header_len).is_none() {
        return false;
    }
    let frames = cursor.rest();
    let near = frames.get(..FRAMES_BYTES_MAX).unwrap_or(frames);
    near.windows(8).any(|frame| matches!(frame, [STREAM, HANDSHAKE_STREAM, _, _, b'R', b'E', b'J', 0]))
}

/// The versions that a server has who did not take the client's: flags, the client's identifier, and numbers to the end.
pub fn version_negotiation(datagram: &[u8]) -> Option<([u8; 8], Vec<Version>)> {
    const VERSIONS_MAX: usize = 16;
    let mut cursor = Cursor::new(datagram);
    cursor.u8().filter(|&flags| flags == VERSION_AND_IDENTIFIER)?;
    let identifier = cursor.array()?;
    let mut versions = Vec::new();
    while !cursor.is_empty() && versions.len() < VERSIONS_MAX {
        let version = Version(cursor.u32()?);
        if version.google().is_none() && !version.is_readable() && !version.is_reserved() {
            return None;
        }
        versions.push(version);
    }
    let is_googles = versions.first().is_some_and(|version| matches!(version.google(), Some((b'Q', _))));
    (is_googles && cursor.is_empty()).then_some((identifier, versions))
}

/// The identifier and the version of a client's datagram of the first kind, whatever the version.
pub fn client_version(datagram: &[u8]) -> Option<([u8; 8], Version)> {
    let mut cursor = Cursor::new(datagram);
    let flags = cursor.u8()?;
    let is_opening = OPENS_WITH.iter().any(|&(first, _)| first == flags);
    let (identifier, version) = (cursor.array()?, Version(cursor.u32()?));
    // A packet number, and a hash or a tag.
    let has_room = cursor.len() > 13;
    (is_opening && has_room && matches!(version.google()?, (b'Q', _))).then_some((identifier, version))
}

/// Reads a datagram that opens a connection in clear.
pub fn hello(datagram: &[u8]) -> Option<Hello> {
    let mut cursor = Cursor::new(datagram);
    let first = cursor.u8()?;
    let (version, number_len) = match first & 0x80 {
        0 => public_header(&mut cursor, first)?,
        _ => long_header(&mut cursor, first)?,
    };
    cursor.skip(number_len)?;
    // The hash that stands in for an authentication tag.
    cursor.skip(12)?;
    // Up to Q033 a byte of flags comes before the frames.
    if cursor.peek() != Some(STREAM) {
        cursor.skip(1)?;
    }
    let is_handshake = cursor.u8()? == STREAM && cursor.u8()? == HANDSHAKE_STREAM;
    cursor.skip(2)?;
    if !is_handshake {
        return None;
    }
    client_hello(cursor.rest(), version)
}

/// A STREAM frame at offset 0 with a length of two bytes and a stream identifier of one.
const STREAM: u8 = 0xa0;
const HANDSHAKE_STREAM: u8 = 1;

const VERSION_AND_IDENTIFIER: u8 = 0x09;

fn public_header(cursor: &mut Cursor<'_>, flags: u8) -> Option<(Version, usize)> {
    if flags & VERSION_AND_IDENTIFIER != VERSION_AND_IDENTIFIER {
        return None;
    }
    cursor.skip(8)?;
    let version = Version(cursor.u32()?);
    let number_len = match flags >> 4 & 0x03 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => 6,
    };
    matches!(version.google()?, (b'Q', 1..=43)).then_some((version, number_len))
}

fn long_header(cursor: &mut Cursor<'_>, first: u8) -> Option<(Version, usize)> {
    const DESTINATION_OF_8_BYTES: u8 = 0x50;
    let version = Version(cursor.u32()?);
    let is_known = matches!(version.google()?, (b'Q', 44..=48)) && cursor.u8()? == DESTINATION_OF_8_BYTES;
    cursor.skip(8)?;
    is_known.then_some((version, usize::from(first & 0x03).saturating_add(1)))
}

/// The version of a datagram of Q044 to Q048 with a long header, whoever sends it: one of the identifiers has 8 bytes,
/// the other none.
pub fn long_header_version(datagram: &[u8]) -> Option<Version> {
    let mut cursor = Cursor::new(datagram);
    let is_long = cursor.u8()? & 0xc0 == 0xc0;
    let version = Version(cursor.u32()?);
    let is_known = matches!(version.google()?, (b'Q', 44..=48)) && matches!(cursor.u8()?, 0x50 | 0x05);
    cursor.skip(8)?;
    (is_long && is_known && !cursor.is_empty()).then_some(version)
}

/// Reads a message of tags: its name, how many, for each its name and where its value ends, and the values.
pub fn client_hello(message: &[u8], version: Version) -> Option<Hello> {
    const TAGS_MAX: u16 = 128;
    let mut index = Cursor::new(message);
    if index.take(4)? != CLIENT_HELLO {
        return None;
    }
    let tags = index.u16_le().filter(|&tags| tags <= TAGS_MAX)?;
    index.skip(2)?;
    let values = message.get(usize::from(tags).saturating_mul(8).saturating_add(8)..)?;
    let mut fact = Hello::new(Sender::Client);
    let mut user_agent = None;
    let mut begin = 0;
    for _ in 0..tags {
        let tag = index.take(4)?;
        let end = usize::try_from(index.u32_le()?).ok()?;
        let value = values.get(begin..end)?;
        begin = end;
        match tag {
            b"SNI\0" => fact.server_name = Some(Text::from_utf8(value)),
            b"UAID" => user_agent = Some(Text::from_utf8(value)),
            _ => {}
        }
    }
    fact.fields.push(VERSION.name, version.to_string());
    fact.fields.push_some(USER_AGENT.name, user_agent);
    Some(fact)
}

/// What a client begins with.
pub const CLIENT_HELLO: &[u8] = b"CHLO";
