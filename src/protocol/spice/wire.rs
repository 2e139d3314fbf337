//! Bytes in, the links of SPICE's channels out (spice/protocol.h). Numbers are little-endian.
//!
//! ```text
//! link: "REDQ" | major:32 | minor:32 | size:32 | body
//! client's body: session:32 | channel:8 | id:8 | common words:32 | channel words:32 | offset:32 | capabilities
//! server's body: error:32 | key:162 bytes | common words:32 | channel words:32 | offset:32 | capabilities
//! message, where both can: kind:16 | size:32 | body
//! ```

use crate::net::Text;
use crate::protocol::cursor::Cursor;

pub(super) const MAGIC: &[u8] = b"REDQ";
pub(super) const MECHANISM_TICKET: u32 = 1;
pub(super) const MECHANISM_SASL: u32 = 2;

const LINK_BYTES_MAX: u32 = 4 << 10;
const MESSAGE_BYTES_MAX: u32 = 16 << 10;
const KEY_BYTES: usize = 162;
const WORDS_MAX: u32 = 16;
/// Bits of the common capabilities.
const AUTH_SELECTION: u32 = 1 << 0;
const MINI_HEADER: u32 = 1 << 3;
/// SPICE_MSG_MAIN_NAME.
const MAIN_NAME: u16 = 113;

/// A link's version and body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    major: u32,
    minor: u32,
    body: Cursor<'a>,
}

/// Reads a link; none as long as it has not come whole.
pub(super) fn link<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Link<'a>>, &'static str> {
    const MALFORMED: &str = "spice_link";
    let mut ahead = *cursor;
    let Some(magic) = ahead.take(MAGIC.len()) else { return Ok(None) };
    let Some((major, minor, size)) = versions(&mut ahead) else {
        return if magic == MAGIC { Ok(None) } else { Err(MALFORMED) };
    };
    if magic != MAGIC || !(1..=2).contains(&major) || !(18..=LINK_BYTES_MAX).contains(&size) {
        return Err(MALFORMED);
    }
    let Some(body) = usize::try_from(size).ok().and_then(|size| ahead.sub(size)) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(Link { major, minor, body }))
}

fn versions(cursor: &mut Cursor<'_>) -> Option<(u32, u32, u32)> {
    Some((cursor.u32_le()?, cursor.u32_le()?, cursor.u32_le()?))
}

#[derive(Debug)]
pub(super) struct ClientLink {
    major: u32,
    minor: u32,
    channel: u8,
    common: u32,
}

impl ClientLink {
    pub(super) fn parse(link: Link<'_>) -> Result<Self, &'static str> {
        let read = || {
            let mut body = link.body;
            body.skip(4)?;
            let channel = body.u8().filter(|channel| (1..=64).contains(channel))?;
            body.skip(1)?;
            let common = capabilities(body, link.body)?;
            Some(Self { major: link.major, minor: link.minor, channel, common })
        };
        read().ok_or("spice_client_link")
    }

    pub(super) const fn is_main(&self) -> bool {
        self.channel == 1
    }

    /// SPICE_CHANNEL_*.
    pub(super) const fn channel(&self) -> &'static str {
        match self.channel {
            1 => "main",
            2 => "display",
            3 => "inputs",
            4 => "cursor",
            5 => "playback",
            6 => "record",
            7 => "tunnel",
            8 => "smartcard",
            9 => "usbredir",
            10 => "port",
            11 => "webdav",
            _ => "unknown",
        }
    }

    pub(super) fn version(&self) -> Text {
        Text::from(format!("{}.{}", self.major, self.minor).as_str())
    }

    /// The client says how it proves itself before it does.
    pub(super) const fn selects(&self, server: &ServerLink) -> bool {
        self.common & server.common & AUTH_SELECTION != 0
    }

    pub(super) const fn has_short_heads(&self, server: &ServerLink) -> bool {
        self.common & server.common & MINI_HEADER != 0
    }
}

#[derive(Debug)]
pub(super) struct ServerLink {
    pub(super) is_refusal: bool,
    common: u32,
}

impl ServerLink {
    pub(super) fn parse(link: Link<'_>) -> Result<Self, &'static str> {
        let read = || {
            let mut body = link.body;
            let is_refusal = body.u32_le()? != 0;
            body.skip(KEY_BYTES)?;
            let common = if is_refusal { 0 } else { capabilities(body, link.body)? };
            Some(Self { is_refusal, common })
        };
        read().ok_or("spice_server_link")
    }
}

/// The first word of the common capabilities, at the offset from the body's beginning.
fn capabilities(mut cursor: Cursor<'_>, body: Cursor<'_>) -> Option<u32> {
    let (common, channel) = (cursor.u32_le()?, cursor.u32_le()?);
    let offset = usize::try_from(cursor.u32_le()?).ok()?;
    let mut words = body;
    words.skip(offset)?;
    if common > WORDS_MAX || channel > WORDS_MAX {
        return None;
    }
    let bytes = usize::try_from(common.saturating_add(channel).saturating_mul(4)).ok()?;
    let mut words = words.sub(bytes)?;
    if common == 0 { Some(0) } else { words.u32_le() }
}

/// A message with a short head; none as long as it has not come whole.
pub(super) fn message<'a>(cursor: &mut Cursor<'a>) -> Result<Option<(u16, Cursor<'a>)>, &'static str> {
    let mut ahead = *cursor;
    let (Some(kind), Some(size)) = (ahead.u16_le(), ahead.u32_le()) else { return Ok(None) };
    if size > MESSAGE_BYTES_MAX {
        return Err("spice_message");
    }
    let Some(body) = usize::try_from(size).ok().and_then(|size| ahead.sub(size)) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some((kind, body)))
}

/// The name of the machine in a message of the main channel: a length, and a text that ends with a zero.
pub(super) fn machine_name(kind: u16, mut body: Cursor<'_>) -> Option<Text> {
    if kind != MAIN_NAME {
        return None;
    }
    let len = usize::try_from(body.u32_le()?).ok()?;
    let mut name = body.sub(len)?;
    name.until(0).map(Text::from_utf8).filter(|name| !name.is_empty())
}
