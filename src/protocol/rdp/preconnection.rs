//! What a client may say before it asks for a connection, to a server that hands on to others ([MS-RDPEPS] §2.2.1): a
//! number, and in version 2 a text. The text may be a token that lets the client in, so none of it is told but the
//! GUID of a virtual machine, with which Hyper-V's is begun.
//!
//! ```text
//! size:32 flags:32 version:32 id:32 [ characters:16 | UTF-16 … 0 ]          all little-endian
//! ```

use crate::net::Text;
use crate::protocol::cursor::Cursor;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Preconnection {
    pub(super) id: u32,
    /// The GUID of the virtual machine asked for.
    pub(super) machine: Option<Text>,
}

/// Size, flags, version and id: all of version 1.
const HEAD_BYTES: u32 = 16;
const CHARACTERS_BYTES: u32 = 2;
/// A token may be long; no specification says how long.
const BYTES_MAX: u32 = 8 << 10;
const GUID_CHARACTERS: usize = 36;

/// What the bytes begin with.
pub(super) enum Begun {
    /// Whole, as far as its head tells; the text may still come.
    Preconnection,
    /// It cannot be told yet.
    Wanting,
    No,
}

/// Whether bytes begin so.
pub(super) fn begins(bytes: &[u8]) -> Begun {
    let mut cursor = Cursor::new(bytes);
    let Some(size) = cursor.u32_le() else {
        let is_small = bytes.get(2..).unwrap_or_default().iter().all(|byte| *byte == 0);
        return if is_small { Begun::Wanting } else { Begun::No };
    };
    if !(HEAD_BYTES..=BYTES_MAX).contains(&size) || !is_zero_so_far(cursor.rest(), 4) {
        return Begun::No;
    }
    let Some([_flags, version, _id]) = words(&mut cursor) else { return Begun::Wanting };
    match version {
        1 if size == HEAD_BYTES => Begun::Preconnection,
        2 => match cursor.u16_le() {
            None => Begun::Wanting,
            Some(characters) if text_bytes(size) == Some(usize::from(characters).saturating_mul(2)) => {
                Begun::Preconnection
            }
            Some(_) => Begun::No,
        },
        _ => Begun::No,
    }
}

/// Takes it off; none where it is not there whole yet. Only of what [`begins`] so.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Preconnection> {
    let mut ahead = *cursor;
    let size = ahead.u32_le()?;
    let [_flags, version, id] = words(&mut ahead)?;
    let mut machine = None;
    if version == 2 {
        ahead.u16_le()?;
        machine = virtual_machine(ahead.take(text_bytes(size)?)?);
    }
    *cursor = ahead;
    Some(Preconnection { id, machine })
}

fn words(cursor: &mut Cursor<'_>) -> Option<[u32; 3]> {
    Some([cursor.u32_le()?, cursor.u32_le()?, cursor.u32_le()?])
}

fn text_bytes(size: u32) -> Option<usize> {
    usize::try_from(size.checked_sub(HEAD_BYTES)?.checked_sub(CHARACTERS_BYTES)?).ok()
}

fn is_zero_so_far(bytes: &[u8], len: usize) -> bool {
    bytes.iter().take(len).all(|byte| *byte == 0)
}

/// The GUID that a text begins with, alone or before `;EnhancedMode=1`.
fn virtual_machine(text: &[u8]) -> Option<Text> {
    let text = Text::from_utf16_le(text);
    let (guid, rest) = text.as_str().split_at_checked(GUID_CHARACTERS)?;
    let is_guid = guid.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    let ends = rest.trim_end_matches('\0');
    (is_guid && (ends.is_empty() || ends.starts_with(';'))).then(|| Text::from(guid.to_ascii_lowercase()))
}
