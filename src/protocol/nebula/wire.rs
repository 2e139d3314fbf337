//! Datagrams in, Nebula's headers and the first message of its handshake out.
//!
//! ```text
//! version:4 type:4 | subtype:8 | reserved:16 | remote index:32 | counter:64 | payload
//! ```
//!
//! The handshake is Noise IX: the initiator's first message has both its keys and its payload in clear. From the
//! project's published header and message definitions, checked against 1.6.1.

use crate::net::Text;
use crate::protocol::cursor::Cursor;
use crate::protocol::protobuf::Message;

/// Version 1, type 0.
pub(super) const HANDSHAKE: u8 = 0x10;

/// The ephemeral and the static key: Curve25519, or a point of P-256 uncompressed.
const KEYS_BYTES: [usize; 2] = [2 * 32, 2 * 65];

pub(super) struct Header {
    /// Under which number the receiver keeps the session; 0 where it does not know it yet.
    pub(super) remote_index: u32,
    counter: u64,
}

impl Header {
    /// Of a handshake.
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        Self::read(&mut Cursor::new(datagram))
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        if cursor.array()? != [HANDSHAKE, 0, 0, 0] {
            return None;
        }
        Some(Self { remote_index: cursor.u32()?, counter: cursor.u64()? })
    }
}

/// A handshake's first message.
#[derive(Debug)]
pub(super) struct Initiation {
    pub(super) index: u32,
    pub(super) name: Option<Text>,
}

impl Initiation {
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(datagram);
        let header = Header::read(&mut cursor)?;
        if header.remote_index != 0 || header.counter != 1 {
            return None;
        }
        KEYS_BYTES.into_iter().find_map(|keys| Self::details(cursor.rest().get(keys..)?))
    }

    /// `{ 1: { 1: certificate, 2: initiator's index, 3: responder's, 4: cookie, 5: time } }`; the certificate is
    /// `{ 1: { 1: name … }, 2: signature }`, or DER from version 2 on.
    fn details(payload: &[u8]) -> Option<Self> {
        let details = Message::parse(payload)?.message(1)?;
        let certificate = details.bytes(1).filter(|bytes| !bytes.is_empty())?;
        let index = u32::try_from(details.number(2)?).ok()?;
        let name =
            Message::parse(certificate).and_then(|certificate| certificate.message(1)?.bytes(1).map(Text::from_utf8));
        Some(Self { index, name: name.filter(|name| !name.is_empty()) })
    }
}
