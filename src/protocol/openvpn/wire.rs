//! An OpenVPN message in, the opening of a session or the answer to one out.
//!
//! ```text
//! opcode:5 key:3 | session:64 | [ HMAC | replay:32 time:32 ]         | acks:8 (ack:32)… [peer session:64] | packet:32   plain, tls-auth
//! opcode:5 key:3 | session:64 | replay:32 time:32 | tag:256 | ciphertext of the rest [ | wrapped client key ]        tls-crypt, -v2
//! ```
//!
//! From the protocol description in OpenVPN's `ssl_pkt.h` and `doc/tls-crypt-v2.txt`, checked against 2.6.14.

use crate::protocol::cursor::Cursor;

/// What a peer calls its session: 64 random bits.
pub(super) type SessionId = [u8; 8];

/// How the control channel is wrapped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wrap {
    Plain,
    /// An HMAC of so many bytes and a replay counter stand after the session id.
    TlsAuth {
        hmac_bytes: usize,
    },
    TlsCrypt,
    TlsCryptV2,
}

impl Wrap {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "none",
            Self::TlsAuth { .. } => "tls-auth",
            Self::TlsCrypt => "tls-crypt",
            Self::TlsCryptV2 => "tls-crypt-v2",
        }
    }
}

/// A client's first message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ClientReset {
    pub(super) session: SessionId,
    pub(super) wrap: Wrap,
}

const CONTROL_V1: u8 = 4 << 3;
const ACK_V1: u8 = 5 << 3;
/// Key id 0 in the low bits: both sides start with it. Version 1 is that of OpenVPN before 2.0.
const HARD_RESET_CLIENT_V1: u8 = 1 << 3;
const HARD_RESET_SERVER_V1: u8 = 2 << 3;
const HARD_RESET_CLIENT_V2: u8 = 7 << 3;
const HARD_RESET_SERVER_V2: u8 = 8 << 3;
const HARD_RESET_CLIENT_V3: u8 = 10 << 3;

/// The digests that `--auth` names, by their size: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
const HMAC_BYTES: [usize; 6] = [16, 20, 28, 32, 48, 64];
/// Opcode, session, no ack, packet id.
const PLAIN_RESET_BYTES: usize = 14;
/// Replay counter and time.
const REPLAY_BYTES: usize = 8;
/// A reset in tls-crypt: replay counter, time and a tag of 256 bits more.
const CRYPT_RESET_BYTES: usize = PLAIN_RESET_BYTES + REPLAY_BYTES + 32;
/// One acknowledgement and the peer's session.
const ACK_BYTES: usize = 12;
/// What a server may add to its encrypted reset: type-length-values of early negotiation.
const EARLY_NEGOTIATION_BYTES_MAX: usize = 64;
/// Tag, the key of 2048 bits and the length at the end; then metadata.
const WRAPPED_KEY_BYTES_MIN: usize = 32 + 256 + 2;
const WRAPPED_KEY_BYTES_MAX: usize = 1024;

impl ClientReset {
    /// Whether a reset can have this length.
    pub(super) fn can_be_of(len: usize) -> bool {
        let wrapped_key = len.saturating_sub(CRYPT_RESET_BYTES);
        len == PLAIN_RESET_BYTES
            || len == CRYPT_RESET_BYTES
            || hmac_bytes(len).is_some()
            || (WRAPPED_KEY_BYTES_MIN..=WRAPPED_KEY_BYTES_MAX).contains(&wrapped_key)
    }

    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        let opcode = cursor.u8()?;
        let session = session(&mut cursor)?;
        let wrap = match opcode {
            HARD_RESET_CLIENT_V1 | HARD_RESET_CLIENT_V2 => v2_wrap(message.len(), cursor)?,
            HARD_RESET_CLIENT_V3 => v3_wrap(message.len(), cursor)?,
            _ => return None,
        };
        Some(Self { session, wrap })
    }

    /// The server's session, where `message` is its answer: it names this session, or as much as tls-crypt leaves
    /// readable fits.
    pub(super) fn answer(&self, message: &[u8]) -> Option<SessionId> {
        let mut cursor = Cursor::new(message);
        let opcode = cursor.u8()?;
        let server = session(&mut cursor)?;
        if !matches!(opcode, HARD_RESET_SERVER_V1 | HARD_RESET_SERVER_V2) || server == self.session {
            return None;
        }
        self.acknowledgment(message.len(), cursor).map(|()| server)
    }

    /// Whether `message` goes on with the session, which a client does when it was answered.
    pub(super) fn is_followed_by(&self, message: &[u8]) -> bool {
        const CONTROL_WITH_WRAPPED_KEY: u8 = 11 << 3;
        let mut cursor = Cursor::new(message);
        matches!(cursor.u8(), Some(CONTROL_V1 | ACK_V1 | CONTROL_WITH_WRAPPED_KEY))
            && cursor.array() == Some(self.session)
    }

    fn acknowledgment(&self, len: usize, mut cursor: Cursor<'_>) -> Option<()> {
        match self.wrap {
            Wrap::Plain => self.acknowledged(cursor),
            Wrap::TlsAuth { hmac_bytes } => {
                cursor.skip(hmac_bytes)?;
                replay(&mut cursor)?;
                self.acknowledged(cursor)
            }
            Wrap::TlsCrypt | Wrap::TlsCryptV2 => {
                let least = CRYPT_RESET_BYTES.saturating_add(ACK_BYTES);
                let most = least.saturating_add(EARLY_NEGOTIATION_BYTES_MAX);
                if !(least..=most).contains(&len) {
                    return None;
                }
                replay(&mut cursor)
            }
        }
    }

    /// One acknowledgement of packet 0 of this session, and the server's own packet 0.
    fn acknowledged(&self, mut cursor: Cursor<'_>) -> Option<()> {
        let fits = cursor.u8()? == 1
            && cursor.u32()? == 0
            && cursor.array::<8>()? == self.session
            && cursor.u32()? == 0
            && cursor.is_empty();
        fits.then_some(())
    }
}

/// The most acknowledgements of a message.
const ACKNOWLEDGMENTS_MAX: u8 = 8;

/// Who sends a message of a handshake, as far as it is readable.
pub(super) fn sender_of(message: &[u8]) -> Option<SessionId> {
    let mut cursor = Cursor::new(message);
    let opcode = cursor.u8()?;
    let is_known = is_server_reset(opcode) || matches!(opcode, CONTROL_V1 | ACK_V1);
    session(&mut cursor).filter(|_| is_known)
}

pub(super) const fn is_server_reset(opcode: u8) -> bool {
    matches!(opcode, HARD_RESET_SERVER_V1 | HARD_RESET_SERVER_V2)
}

/// A message of a handshake that acknowledges others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Acknowledging {
    pub(super) own: SessionId,
    /// Whose messages it acknowledges.
    pub(super) peer: SessionId,
    pub(super) wrap: Wrap,
    pub(super) content: Content,
}

/// What no two messages of a session have in common, unless one repeats the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Content {
    opcode: u8,
    /// The first that is acknowledged.
    acknowledged: u32,
    number: Option<u32>,
}

impl Content {
    /// Whether the message is nothing but what is known of it, and has just this length.
    pub(super) const fn is_whole(self) -> bool {
        self.opcode != CONTROL_V1
    }
}

impl Acknowledging {
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        let opcode = cursor.u8()?;
        let own = session(&mut cursor)?;
        let read = |cursor, wrap| {
            let (peer, content) = Self::content(opcode, cursor)?;
            (peer != own).then_some(Self { own, peer, wrap, content })
        };
        if let Some(plain) = read(cursor, Wrap::Plain) {
            return Some(plain);
        }
        HMAC_BYTES.into_iter().find_map(|hmac_bytes| {
            let mut cursor = cursor;
            cursor.skip(hmac_bytes)?;
            replay(&mut cursor)?;
            read(cursor, Wrap::TlsAuth { hmac_bytes })
        })
    }

    /// Some numbers of messages as they are early in a session, whose they are, and what else the message has.
    fn content(opcode: u8, mut cursor: Cursor<'_>) -> Option<(SessionId, Content)> {
        const NUMBER_MAX: u32 = 1024;
        let number = |cursor: &mut Cursor<'_>| cursor.u32().filter(|&number| number <= NUMBER_MAX);
        let count = cursor.u8().filter(|count| (1..=ACKNOWLEDGMENTS_MAX).contains(count))?;
        let acknowledged = number(&mut cursor)?;
        for _ in 1..count {
            number(&mut cursor)?;
        }
        let peer = session(&mut cursor)?;
        let own = if opcode == ACK_V1 { None } else { Some(number(&mut cursor)?) };
        let fits = match opcode {
            ACK_V1 => cursor.is_empty(),
            CONTROL_V1 => true,
            _ => is_server_reset(opcode) && own == Some(0) && cursor.is_empty(),
        };
        fits.then_some((peer, Content { opcode, acknowledged, number: own }))
    }
}

/// A piece of the TLS stream that a control message carries, and its number.
pub(super) struct Piece<'a> {
    pub(super) number: u32,
    pub(super) bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Reads a message of the session, with an HMAC of so many bytes and a replay counter where it is authenticated.
    pub(super) fn parse(message: &'a [u8], session: SessionId, hmac_bytes: Option<usize>) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        if cursor.u8()? != CONTROL_V1 || cursor.array() != Some(session) {
            return None;
        }
        if let Some(hmac_bytes) = hmac_bytes {
            cursor.skip(hmac_bytes.saturating_add(REPLAY_BYTES))?;
        }
        let acknowledgments = cursor.u8().filter(|&count| count <= ACKNOWLEDGMENTS_MAX)?;
        if acknowledgments > 0 {
            cursor.skip(usize::from(acknowledgments).saturating_mul(4).saturating_add(8))?;
        }
        Some(Self { number: cursor.u32()?, bytes: cursor.rest() })
    }
}

fn v2_wrap(len: usize, mut cursor: Cursor<'_>) -> Option<Wrap> {
    if len == PLAIN_RESET_BYTES {
        return is_packet_0(cursor).then_some(Wrap::Plain);
    }
    if let Some(hmac_bytes) = hmac_bytes(len).filter(|&hmac_bytes| is_authenticated(hmac_bytes, cursor)) {
        return Some(Wrap::TlsAuth { hmac_bytes });
    }
    replay(&mut cursor)?;
    (len == CRYPT_RESET_BYTES).then_some(Wrap::TlsCrypt)
}

fn is_authenticated(hmac_bytes: usize, mut cursor: Cursor<'_>) -> bool {
    cursor.skip(hmac_bytes).and_then(|()| replay(&mut cursor)).is_some() && is_packet_0(cursor)
}

/// The wrapped client key behind the packet ends with its own length.
fn v3_wrap(len: usize, mut cursor: Cursor<'_>) -> Option<Wrap> {
    replay(&mut cursor)?;
    let wrapped = len.checked_sub(CRYPT_RESET_BYTES)?;
    let mut end = Cursor::new(cursor.rest());
    end.skip(cursor.len().checked_sub(2)?)?;
    let fits = (WRAPPED_KEY_BYTES_MIN..=WRAPPED_KEY_BYTES_MAX).contains(&wrapped) && usize::from(end.u16()?) == wrapped;
    fits.then_some(Wrap::TlsCryptV2)
}

fn hmac_bytes(reset_len: usize) -> Option<usize> {
    HMAC_BYTES
        .into_iter()
        .find(|hmac| reset_len == PLAIN_RESET_BYTES.saturating_add(REPLAY_BYTES).saturating_add(*hmac))
}

fn session(cursor: &mut Cursor<'_>) -> Option<SessionId> {
    cursor.array().filter(|session| *session != [0; 8])
}

/// A replay counter that has just begun and a time. A client that can negotiate early counts from 0x0f000000.
fn replay(cursor: &mut Cursor<'_>) -> Option<()> {
    let (counter, seconds) = (cursor.u32()?, cursor.u32()?);
    let counted = counter.checked_sub(0x0f00_0000).unwrap_or(counter);
    ((1..=64).contains(&counted) && seconds != 0).then_some(())
}

/// No acknowledgement, packet id 0, and nothing behind.
fn is_packet_0(mut cursor: Cursor<'_>) -> bool {
    cursor.array() == Some([0; 5]) && cursor.is_empty()
}
