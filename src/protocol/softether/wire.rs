//! Bytes to values: SoftEther's dictionary. A count of entries; each a name with its length plus one, a type, a count of
//! values, the values. Types 0 and 4 are numbers of 32 and 64 bits, 1 to 3 are bytes, text and UTF-8 behind a length.

use std::net::IpAddr;

use crate::net::Text;
use crate::protocol::cursor::Cursor;

/// Which address does the relay see?
pub(super) const ADDRESS_QUESTION: &[u8] = b"A";

/// `IP=192.0.2.1,PORT=50000`
pub(super) fn is_address_answer(datagram: &[u8]) -> bool {
    let parse = || {
        let text = std::str::from_utf8(datagram).ok()?.strip_prefix("IP=")?;
        let (ip, port) = text.split_once(",PORT=")?;
        let (_, _): (IpAddr, u16) = (ip.parse().ok()?, port.parse().ok()?);
        Some(())
    };
    parse().is_some()
}

pub(super) struct Dictionary<'a> {
    entries: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Dictionary<'a> {
    const ENTRIES_MAX: u32 = 64;
    const NAME_BYTES_MAX: usize = 63;
    const VALUES_MAX: u32 = 16;

    /// Reads a datagram that is one dictionary and nothing else.
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(datagram);
        let count = cursor.u32().filter(|count| (1..=Self::ENTRIES_MAX).contains(count))?;
        let entries = (0..count).map(|_| Self::entry(&mut cursor)).collect::<Option<Vec<_>>>()?;
        cursor.is_empty().then_some(Self { entries })
    }

    /// A name and its last value.
    fn entry(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], &'a [u8])> {
        let name_bytes = usize::try_from(cursor.u32()?).ok()?.checked_sub(1)?;
        let name = cursor.take(name_bytes).filter(|name| (1..=Self::NAME_BYTES_MAX).contains(&name.len()))?;
        let is_word = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@'));
        let (kind, values) = (cursor.u32()?, cursor.u32().filter(|values| *values <= Self::VALUES_MAX)?);
        let mut value: &[u8] = &[];
        for _ in 0..values {
            let len = match kind {
                0 => 4,
                1..=3 => usize::try_from(cursor.u32()?).ok()?,
                4 => 8,
                _ => return None,
            };
            value = cursor.take(len)?;
        }
        is_word.then_some((name, value))
    }

    pub(super) fn text(&self, name: &str) -> Option<Text> {
        let value = self.value(name).filter(|value| !value.is_empty())?;
        Some(Text::from_utf8(value))
    }

    /// The relay says whether it could do what it was asked.
    pub(super) fn is_answer(&self) -> bool {
        self.value("ok").is_some()
    }

    fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.entries.iter().find(|(known, _)| *known == name.as_bytes()).map(|(_, value)| *value)
    }
}
