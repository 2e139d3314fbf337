//! Bytes to values: NetBIOS session packets (RFC 1002 §4.3), and the negotiation and session setup of SMB 1 ([MS-CIFS])
//! and SMB 2 and 3 ([MS-SMB2]). Passwords and responses are passed over.

use crate::net::Text;
use crate::protocol::cursor::Cursor;

/// The least bytes that tell what a message is: up to the flags of an SMB 2 header.
pub const HEAD_BYTES: usize = 20;

const SMB1: [u8; 4] = *b"\xffSMB";
const SMB2: [u8; 4] = *b"\xfeSMB";
/// Encrypted and compressed messages of SMB 3.
const SMB3_TRANSFORM: [u8; 4] = *b"\xfdSMB";
const SMB3_COMPRESSED: [u8; 4] = *b"\xfcSMB";

const SMB1_NEGOTIATE: u8 = 0x72;
const SMB1_SESSION_SETUP: u8 = 0x73;
const SMB1_FLAGS_REPLY: u8 = 0x80;
const SMB1_FLAGS2_UNICODE: u16 = 0x8000;
const SMB2_FLAGS_REPLY: u32 = 0x0000_0001;

/// The most dialects read of an offer.
const DIALECTS_MAX: usize = 32;

/// A packet of the NetBIOS session service; over port 445 only messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionPacket {
    Message {
        len: usize,
    },
    /// A session request, its answers, or a keep-alive.
    Control {
        kind: u8,
        len: usize,
    },
}

impl SessionPacket {
    pub const REQUEST: u8 = 0x81;
    pub const KEEP_ALIVE: u8 = 0x85;
    /// Of a session request: two names of 32 letters each, or of the length that a scope makes them (RFC 1002 §4.3.2).
    const REQUEST_BYTES: std::ops::RangeInclusive<usize> = 68..=510;

    pub fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, &'static str> {
        let mut ahead = *cursor;
        let (Some(kind), Some(len)) = (ahead.u8(), ahead.u24()) else { return Ok(None) };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let packet = match kind {
            0x00 => Self::Message { len },
            0x81 if Self::REQUEST_BYTES.contains(&len) => Self::Control { kind, len },
            0x82 | 0x85 if len == 0 => Self::Control { kind, len },
            0x83 if len == 1 => Self::Control { kind, len },
            0x84 if len == 6 => Self::Control { kind, len },
            _ => return Err("smb_session_packet"),
        };
        *cursor = ahead;
        Ok(Some(packet))
    }
}

/// The calling name of a session request: a NetBIOS name in first-level encoding (RFC 1001 §14.1).
pub fn calling_name(mut body: Cursor<'_>) -> Option<Text> {
    netbios_name(&mut body)?; // the called name
    netbios_name(&mut body)
}

/// Whether the body of a session request is one.
pub fn is_session_request(mut body: Cursor<'_>) -> bool {
    netbios_name(&mut body).is_some() && netbios_name(&mut body).is_some() && body.is_empty()
}

fn netbios_name(body: &mut Cursor<'_>) -> Option<Text> {
    (body.u8()? == 32).then_some(())?;
    let mut name = Vec::new();
    for _ in 0..16 {
        let (high, low) = (body.u8()?.checked_sub(b'A')?, body.u8()?.checked_sub(b'A')?);
        (high < 16 && low < 16).then_some(())?;
        name.push(high.wrapping_shl(4) | low);
    }
    // A scope, label by label.
    loop {
        match body.vec8()?.len() {
            0 => break,
            1..0x40 => {}
            _ => return None,
        }
    }
    let characters = name.get(..15)?;
    Some(Text::from(Text::from_latin1(characters).as_str().trim_end()))
}

/// What the first bytes of a message tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    pub command: Command,
    pub is_reply: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Encrypted or compressed: the connection is set up.
    Hidden,
    /// A control operation on a file or a pipe, of SMB 2.
    Control2,
    Negotiate1,
    Negotiate2,
    Other,
    SessionSetup1,
    SessionSetup2,
    /// Of SMB 2.
    Write2,
}

pub fn head(mut message: Cursor<'_>) -> Option<Head> {
    match message.array()? {
        SMB1 => {
            let command = match message.u8()? {
                SMB1_NEGOTIATE => Command::Negotiate1,
                SMB1_SESSION_SETUP => Command::SessionSetup1,
                _ => Command::Other,
            };
            message.skip(4)?; // status
            Some(Head { command, is_reply: message.u8()? & SMB1_FLAGS_REPLY != 0 })
        }
        SMB2 => {
            (message.u16_le()? == 64).then_some(())?;
            message.skip(6)?; // credit charge, status
            let command = match message.u16_le()? {
                0x0000 => Command::Negotiate2,
                0x0001 => Command::SessionSetup2,
                0x0009 => Command::Write2,
                0x000b => Command::Control2,
                0x0002..=0x0013 => Command::Other,
                _ => return None,
            };
            message.skip(2)?; // credits
            Some(Head { command, is_reply: message.u32_le()? & SMB2_FLAGS_REPLY != 0 })
        }
        SMB3_TRANSFORM | SMB3_COMPRESSED => Some(Head { command: Command::Hidden, is_reply: false }),
        _ => None,
    }
}

/// Whether a message is encrypted ([MS-SMB2] §2.2.41): its header says how long it was, and that it is. None as long as that
/// cannot be told.
pub fn is_encrypted(mut message: Cursor<'_>, len: usize) -> Option<bool> {
    const HEADER_BYTES: usize = 52;
    const NONCE_AND_SIGNATURE_BYTES: usize = 32;
    let seen = message.rest().get(..4.min(message.len())).unwrap_or_default();
    if !SMB3_TRANSFORM.starts_with(seen) || len < HEADER_BYTES {
        return Some(false);
    }
    message.skip(4)?;
    message.skip(NONCE_AND_SIGNATURE_BYTES)?;
    let original = usize::try_from(message.u32_le()?).ok();
    let (reserved, flags) = (message.u16_le()?, message.u16_le()?);
    Some(original == len.checked_sub(HEADER_BYTES) && (reserved, flags) == (0, 1))
}

/// The status of a message's header; 0 is success.
pub fn status(mut message: Cursor<'_>) -> Option<u32> {
    match message.array()? {
        SMB1 => message.skip(1)?,
        SMB2 => message.skip(4)?,
        _ => return None,
    }
    message.u32_le()
}

/// The dialects of an SMB 1 negotiation, by name.
pub fn offered_names(mut message: Cursor<'_>) -> Option<Vec<Text>> {
    message.skip(32)?;
    (message.u8()? == 0).then_some(())?; // no words
    let len = message.u16_le()?;
    let mut names = message.sub(usize::from(len))?;
    let mut dialects = Vec::new();
    while names.u8() == Some(0x02) && dialects.len() < DIALECTS_MAX {
        dialects.push(Text::from_latin1(names.until(0)?));
    }
    Some(dialects)
}

/// The index that the server chose of them; none where it chose nothing.
pub fn chosen_index(mut message: Cursor<'_>) -> Option<usize> {
    message.skip(32)?;
    (message.u8()? > 0).then_some(())?;
    message.u16_le().map(usize::from)
}

/// The dialects of an SMB 2 negotiation ([MS-SMB2] §2.2.3).
pub fn offered_numbers(mut message: Cursor<'_>) -> Option<Vec<u16>> {
    message.skip(64)?;
    (message.u16_le()? == 36).then_some(())?;
    let count = usize::from(message.u16_le()?).min(DIALECTS_MAX);
    message.skip(32)?;
    (0..count).map(|_| message.u16_le()).collect()
}

/// The dialect of an SMB 2 negotiation's reply, and the server's token ([MS-SMB2] §2.2.4).
pub fn chosen_number(message: Cursor<'_>) -> Option<u16> {
    let mut body = message;
    body.skip(64)?;
    (body.u16_le()? == 65).then_some(())?;
    body.skip(2)?; // security mode
    body.u16_le()
}

/// The token of an SMB 2 session setup ([MS-SMB2] §2.2.5 and §2.2.6).
pub fn setup2_token(message: Cursor<'_>, is_reply: bool) -> Option<&[u8]> {
    let mut body = message;
    body.skip(64)?;
    if is_reply {
        (body.u16_le()? == 9).then_some(())?;
        body.skip(2)?; // session flags
    } else {
        (body.u16_le()? == 25).then_some(())?;
        body.skip(10)?; // flags, security mode, capabilities, channel
    }
    let (offset, len) = (body.u16_le()?, body.u16_le()?);
    let mut token = message;
    token.skip(usize::from(offset))?;
    token.take(usize::from(len))
}

/// An SMB 1 session setup ([MS-CIFS] §2.2.4.53, [MS-SMB] §2.2.4.6).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Setup1<'a> {
    /// Of extended security; the names are then within it.
    pub token: Option<&'a [u8]>,
    pub user: Option<Text>,
    pub domain: Option<Text>,
    /// The client's operating system in its own words.
    pub native_os: Option<Text>,
}

pub fn setup1(message: Cursor<'_>) -> Option<Setup1<'_>> {
    let mut body = message;
    body.skip(10)?;
    let is_unicode = body.u16_le()? & SMB1_FLAGS2_UNICODE != 0;
    body.skip(20)?;
    let word_count = body.u8()?;
    body.skip(14)?; // the command that follows, buffer, multiplex count, virtual circuit, session key
    let first_len = usize::from(body.u16_le()?);
    let second_len = match word_count {
        12 => 0,
        13 => usize::from(body.u16_le()?),
        _ => return None,
    };
    body.skip(8)?; // reserved, capabilities
    let byte_count = body.u16_le()?;
    let mut data = body.sub(usize::from(byte_count).min(body.len()))?;
    let secret = data.take(first_len.checked_add(second_len)?)?;
    // Unicode text begins at an even distance from the header.
    let read_len = message.len().saturating_sub(body.len()).saturating_sub(data.len());
    if is_unicode && read_len & 1 == 1 {
        data.skip(1)?;
    }
    let mut text = || terminated(&mut data, is_unicode).filter(|text| !text.is_empty());
    Some(match word_count {
        12 => Setup1 { token: Some(secret), native_os: text(), ..Setup1::default() },
        _ => Setup1 { token: None, user: text(), domain: text(), native_os: text() },
    })
}

/// The token in the reply to an SMB 1 session setup with extended security.
pub fn setup1_reply_token(message: Cursor<'_>) -> Option<&[u8]> {
    let mut body = message;
    body.skip(32)?;
    (body.u8()? == 4).then_some(())?;
    body.skip(6)?; // the command that follows, action
    let len = usize::from(body.u16_le()?);
    body.skip(2)?; // byte count
    body.take(len)
}

fn terminated(data: &mut Cursor<'_>, is_unicode: bool) -> Option<Text> {
    if !is_unicode {
        return data.until(0).map(Text::from_latin1);
    }
    let units = data.rest().chunks_exact(2).take_while(|unit| *unit != [0, 0]).count();
    let bytes = data.take(units.checked_mul(2)?)?;
    data.skip(2);
    Some(Text::from_utf16_le(bytes))
}
