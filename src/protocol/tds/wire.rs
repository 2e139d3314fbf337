//! Bytes to values: the packets, the negotiation, the log-on and the answers to it of [MS-TDS] §2.2.
//!
//! ```text
//! type:8 status:8 length:16 spid:16 packet:8 window:8 | data          the length counts the header; its last packet ends a message
//! ```

use crate::net::Text;
use crate::protocol::cursor::Cursor;

/// The types of packets (§2.2.3.1.1).
pub(super) mod packet {
    pub(in super::super) const RESULT: u8 = 0x04;
    pub(in super::super) const LOGIN7: u8 = 0x10;
    pub(in super::super) const SSPI: u8 = 0x11;
    pub(in super::super) const PRELOGIN: u8 = 0x12;
}

const HEADER_BYTES: usize = 8;
const END_OF_MESSAGE: u8 = 0x01;
/// The largest packet that may be negotiated.
const PACKET_BYTES_MAX: usize = 32_767;

#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) kind: u8,
    pub(super) is_last: bool,
    pub(super) data: &'a [u8],
}

/// The next packet; none where it is not there whole yet. Each field is judged as soon as it is there.
pub(super) fn packet<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Packet<'a>>, &'static str> {
    let mut ahead = *cursor;
    let Some(kind) = ahead.u8() else { return Ok(None) };
    let is_known = matches!(kind, packet::RESULT | packet::LOGIN7 | packet::SSPI | packet::PRELOGIN);
    if !is_known || ahead.peek().is_some_and(|status| status & 0xe0 != 0) {
        return Err("tds_packet");
    }
    let (Some(status), Some(len)) = (ahead.u8(), ahead.u16()) else { return Ok(None) };
    let len = usize::from(len);
    if !(HEADER_BYTES..=PACKET_BYTES_MAX).contains(&len) {
        return Err("tds_packet");
    }
    let (Some(_spid), Some(_number), Some(window)) = (ahead.u16(), ahead.u8(), ahead.u8()) else { return Ok(None) };
    if window != 0 {
        return Err("tds_packet");
    }
    let Some(data) = ahead.take(len.saturating_sub(HEADER_BYTES)) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(Packet { kind, is_last: status & END_OF_MESSAGE != 0, data }))
}

/// What a side says before the log-on (§2.2.6.5): its version at least.
pub(super) fn prelogin(data: &[u8]) -> Option<Text> {
    const VERSION: u8 = 0;
    const OPTION_MAX: u8 = 7;
    const TERMINATOR: u8 = 0xff;
    const OPTIONS_MAX: usize = 8;
    let mut options = Cursor::new(data);
    let mut version = None;
    for _ in 0..=OPTIONS_MAX {
        let kind = options.u8()?;
        if kind == TERMINATOR {
            return version;
        }
        let (offset, len) = (usize::from(options.u16()?), usize::from(options.u16()?));
        let value = data.get(offset..offset.checked_add(len)?)?;
        match (kind, value) {
            (VERSION, [major, minor, build_high, build_low, _, _]) if version.is_none() => {
                let build = u16::from_be_bytes([*build_high, *build_low]);
                version = Some(Text::from(format!("{major}.{minor}.{build}")));
            }
            (1..=OPTION_MAX, _) if version.is_some() => {}
            _ => return None,
        }
    }
    None
}

/// What a client logs on with (§2.2.6.4), its password and its language left alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Login {
    pub(super) host: Text,
    pub(super) user: Text,
    pub(super) application: Text,
    pub(super) server: Text,
    pub(super) database: Text,
    /// A token of GSS-API, where the client logs on with its domain's account.
    pub(super) token: Box<[u8]>,
}

pub(super) fn login(data: &[u8]) -> Option<Login> {
    const FIXED_BYTES: usize = 36;
    let mut cursor = Cursor::new(data);
    let len = usize::try_from(cursor.u32_le()?).ok()?;
    let version = cursor.u32_le()?;
    // 7.0 to 7.4
    if len != data.len() || !matches!(version >> 24, 0x70..=0x74) {
        return None;
    }
    cursor.skip(FIXED_BYTES.checked_sub(8)?)?;
    let mut place = || Some((usize::from(cursor.u16_le()?), usize::from(cursor.u16_le()?)));
    let (host, user, _password, application, server) = (place()?, place()?, place()?, place()?, place()?);
    let (_extension, _library, _language, database) = (place()?, place()?, place()?, place()?);
    cursor.skip(6)?; // the client's id
    let (token_at, token_bytes) = (usize::from(cursor.u16_le()?), usize::from(cursor.u16_le()?));
    let text = |(at, characters): (usize, usize)| {
        let bytes = data.get(at..at.checked_add(characters.checked_mul(2)?)?)?;
        Some(Text::from_utf16_le(bytes))
    };
    Some(Login {
        host: text(host)?,
        user: text(user)?,
        application: text(application)?,
        server: text(server)?,
        database: text(database)?,
        token: data.get(token_at..token_at.checked_add(token_bytes)?)?.into(),
    })
}

/// What a server says to a log-on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer<'a> {
    Accepted,
    Refused,
    /// A token for the client, whose answer it waits for.
    Token(&'a [u8]),
}

/// The first token of a result that judges or asks (§2.2.7); those before it are passed over.
pub(super) fn answer(data: &[u8]) -> Option<Answer<'_>> {
    const ERROR: u8 = 0xaa;
    const INFO: u8 = 0xab;
    const LOGIN_ACK: u8 = 0xad;
    const ENVIRONMENT_CHANGE: u8 = 0xe3;
    const SSPI: u8 = 0xed;
    const TOKENS_MAX: usize = 32;
    let mut cursor = Cursor::new(data);
    for _ in 0..TOKENS_MAX {
        let kind = cursor.u8()?;
        let len = usize::from(cursor.u16_le()?);
        let value = cursor.take(len)?;
        match kind {
            LOGIN_ACK => return Some(Answer::Accepted),
            ERROR => return Some(Answer::Refused),
            SSPI => return Some(Answer::Token(value)),
            INFO | ENVIRONMENT_CHANGE => {}
            _ => return None,
        }
    }
    None
}
