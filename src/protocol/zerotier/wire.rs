//! A datagram in, the head of a ZeroTier packet out.
//!
//! ```text
//! packet id:64 | to:40 | from:40 | flags:2 cipher:3 hops:3 | MAC:64 | flags:3 verb:5 | …
//! HELLO: protocol:8 | major:8 | minor:8 | revision:16 | time:64 | identity = from:40, 0, key:512, 0 …
//! ```
//!
//! Only HELLO is sent in clear. From the project's published `Packet.hpp` and `Identity.hpp`.

use crate::net::Text;
use crate::protocol::cursor::Cursor;

pub(super) type Address = [u8; 5];

#[derive(Debug)]
pub(super) struct Packet {
    pub(super) to: Address,
    pub(super) from: Address,
    /// The version of the software, where the packet is a HELLO.
    pub(super) hello: Option<Text>,
}

/// A reserved first byte of an address; in that place it also marks a fragment.
const RESERVED: u8 = 0xff;
const VERB_HELLO: u8 = 0x01;
const PROTOCOL_VERSIONS: std::ops::RangeInclusive<u8> = 4..=32;
/// A key to agree with and one to sign with: twice Curve25519.
const KEYS_BYTES: usize = 64;

impl Packet {
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(datagram);
        cursor.skip(8)?;
        let (to, from) = (address(&mut cursor)?, address(&mut cursor)?);
        let cipher = cursor.u8()?.wrapping_shr(3) & 7;
        cursor.skip(8)?;
        let verb = cursor.u8()? & 0x1f;
        // Ciphers: HELLO's none with a MAC, Salsa20, none at all, AES.
        if cipher > 3 || to == from {
            return None;
        }
        let hello = if cipher == 0 { Some(hello(cursor, from).filter(|_| verb == VERB_HELLO)?) } else { None };
        Some(Self { to, from, hello })
    }
}

fn address(cursor: &mut Cursor<'_>) -> Option<Address> {
    cursor.array().filter(|address: &Address| *address != [0; 5] && address.first() != Some(&RESERVED))
}

/// The version, where the identity is the sender's.
fn hello(mut cursor: Cursor<'_>, from: Address) -> Option<Text> {
    let protocol = cursor.u8()?;
    let (major, minor, revision) = (cursor.u8()?, cursor.u8()?, cursor.u16()?);
    cursor.skip(8)?;
    let is_senders = cursor.array() == Some(from) && cursor.u8()? == 0;
    cursor.skip(KEYS_BYTES)?;
    // No private key.
    let is_public = cursor.u8()? == 0;
    let fits = PROTOCOL_VERSIONS.contains(&protocol) && is_senders && is_public;
    fits.then(|| Text::from(format!("{major}.{minor}.{revision}").as_str()))
}
