//! A datagram in, a WireGuard message out: the layouts of the white paper, §5.4.

use crate::protocol::cursor::Cursor;

/// A message, reduced to what tells peers and sessions apart. No key material is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Message {
    /// §5.4.2.
    Initiation {
        sender: Index,
        /// The first bytes of the ephemeral key, which no two initiations share.
        ephemeral: [u8; 8],
        /// `mac2` is zero: the responder asked for no cookie.
        unproven: bool,
    },
    /// §5.4.3.
    Response { sender: Index, receiver: Index },
    /// §5.4.7.
    CookieReply { receiver: Index },
    /// §5.4.6.
    Data { receiver: Index, counter: u64 },
}

/// A session as its owner numbers it: 32 random bits.
pub(super) type Index = [u8; 4];

impl Message {
    const INITIATION_BYTES: usize = 148;
    const RESPONSE_BYTES: usize = 92;
    const COOKIE_REPLY_BYTES: usize = 64;
    /// Header and tag around nothing: a keepalive.
    const DATA_BYTES_MIN: usize = 32;

    /// `missing` bytes are behind those of the datagram that were captured.
    pub(super) fn parse(datagram: &[u8], missing: u32) -> Option<Self> {
        let is_cut = missing > 0;
        let len = datagram.len().saturating_add(usize::try_from(missing).unwrap_or(usize::MAX));
        let mut cursor = Cursor::new(datagram);
        let kind = cursor.u8()?;
        if cursor.array()? != [0; 3] {
            return None;
        }
        match (kind, len) {
            (1, Self::INITIATION_BYTES) => Self::initiation(cursor, is_cut),
            (2, Self::RESPONSE_BYTES) => Self::response(cursor, is_cut),
            (3, Self::COOKIE_REPLY_BYTES) => Some(Self::CookieReply { receiver: cursor.array()? }),
            (4, len) if len >= Self::DATA_BYTES_MIN && is_padded(len) => {
                Some(Self::Data { receiver: cursor.array()?, counter: cursor.u64_le()? })
            }
            _ => None,
        }
    }

    fn initiation(mut cursor: Cursor<'_>, is_cut: bool) -> Option<Self> {
        let sender = cursor.array()?;
        let ephemeral = public_key(&mut cursor)?;
        // The static key and the timestamp, encrypted.
        let macs = cursor.skip(48 + 28).and_then(|()| Some((cursor.array()?, cursor.array()?)));
        let (mac1, mac2): ([u8; 16], [u8; 16]) = match macs {
            None if is_cut => return Some(Self::Initiation { sender, ephemeral, unproven: false }),
            macs => macs?,
        };
        (mac1 != [0; 16]).then_some(Self::Initiation { sender, ephemeral, unproven: mac2 == [0; 16] })
    }

    fn response(mut cursor: Cursor<'_>, is_cut: bool) -> Option<Self> {
        let (sender, receiver) = (cursor.array()?, cursor.array()?);
        // Behind the key, nothing, encrypted.
        let mac1 = public_key(&mut cursor).and_then(|_| cursor.skip(16)).and_then(|()| cursor.array::<16>());
        let is_sound = mac1.map_or(is_cut, |mac1| mac1 != [0; 16]);
        is_sound.then_some(Self::Response { sender, receiver })
    }
}

/// Whether a data message may be so long. Packets are padded to a multiple of 16 bytes (§5.4.6), but never beyond the MTU of
/// the tunnel, so a packet as long as the MTU leaves as it is: of the usual 1420 bytes, header and tag make 1452.
pub(super) const fn is_padded(len: usize) -> bool {
    /// What every path takes (RFC 791 §3.1).
    const MTU_MIN: usize = 576;
    len.is_multiple_of(16) || len >= MTU_MIN
}

/// A Curve25519 public key; its field is smaller than 2^255, so the top bit of its last byte is clear.
fn public_key(cursor: &mut Cursor<'_>) -> Option<[u8; 8]> {
    let mut key = cursor.sub(32)?;
    (key.rest().last()? & 0x80 == 0).then(|| key.array())?
}
