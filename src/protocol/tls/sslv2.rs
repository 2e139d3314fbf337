//! The ClientHello in the framing of SSL 2.0, with which old clients offer SSL 3.0 and TLS too (RFC 5246 §E.2), and the
//! ServerHello of a server that speaks nothing newer (draft-hickman-netscape-ssl-00).

use crate::protocol::Probe;
use crate::protocol::cursor::Cursor;

/// A length of two bytes with its highest bit set; no hello is longer than 511 bytes.
pub const OPENS_WITH: (u8, u8) = (0x80, 0x81);

pub const VERSION: u16 = 0x0002;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 4;

/// What a stream begins with in this framing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opening {
    ClientHello,
    /// The version chosen.
    ServerHello(u16),
}

pub const fn opens_with(byte: u8) -> bool {
    OPENS_WITH.0 <= byte && byte <= OPENS_WITH.1
}

/// Whether the bytes are a ClientHello; a ServerHello alone is too little to tell by.
pub fn probe(bytes: &[u8]) -> Probe {
    match read(&mut Cursor::new(bytes)) {
        Ok(Some(Opening::ClientHello)) => Probe::Match,
        Ok(Some(Opening::ServerHello(_))) | Err(_) => Probe::No,
        Ok(None) => Probe::More,
    }
}

/// Reads the hello; none where it has not arrived whole.
pub fn read(cursor: &mut Cursor<'_>) -> Result<Option<Opening>, &'static str> {
    const MALFORMED: &str = "sslv2_hello";
    let mut ahead = *cursor;
    let Some(len) = ahead.u16().map(|len| usize::from(len & 0x7fff)) else { return Ok(None) };
    // Each field is judged as soon as it is there, so that others need not wait for what is no hello.
    let opening = match ahead.peek() {
        Some(CLIENT_HELLO) if len >= 9 => is_client_hello(&ahead, len).map(|is| is.then_some(Opening::ClientHello)),
        Some(SERVER_HELLO) if len >= 11 => server_hello(&ahead, len),
        Some(_) => Some(None),
        None => None,
    };
    match opening {
        Some(Some(opening)) => {
            if ahead.skip(len).is_none() {
                return Ok(None);
            }
            *cursor = ahead;
            Ok(Some(opening))
        }
        Some(None) => Err(MALFORMED),
        None => Ok(None),
    }
}

/// The kind, the version, and three lengths that fill the record.
fn is_client_hello(message: &Cursor<'_>, len: usize) -> Option<bool> {
    let mut fields = *message;
    fields.skip(1)?;
    if !matches!(fields.u16()?, VERSION | 0x0300..=0x0304) {
        return Some(false);
    }
    let lengths: [u16; 3] = [fields.u16()?, fields.u16()?, fields.u16()?];
    let [ciphers, session_id, challenge] = lengths.map(usize::from);
    let total = ciphers.saturating_add(session_id).saturating_add(challenge).saturating_add(9);
    Some(
        ciphers > 0
            && ciphers.is_multiple_of(3)
            && matches!(session_id, 0 | 16)
            && (16..=32).contains(&challenge)
            && total == len,
    )
}

/// The same of the server: kind, session hit, certificate type, version, three lengths.
fn server_hello(message: &Cursor<'_>, len: usize) -> Option<Option<Opening>> {
    let mut fields = *message;
    fields.skip(1)?;
    let (session_hit, certificate_type, version) = (fields.u8()?, fields.u8()?, fields.u16()?);
    let lengths: [u16; 3] = [fields.u16()?, fields.u16()?, fields.u16()?];
    let total = lengths.iter().fold(11_usize, |sum, &length| sum.saturating_add(usize::from(length)));
    let is_hello = session_hit <= 1 && certificate_type <= 1 && version == VERSION && total == len;
    Some(is_hello.then_some(Opening::ServerHello(version)))
}
