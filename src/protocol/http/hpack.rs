//! A block of compressed fields in, their names and values out (HPACK, RFC 7541).

mod huffman;
mod table;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::protocol::cursor::Cursor;

const MALFORMED: &str = "hpack";

/// What one side's blocks build on: its dynamic table (§2.3.2).
pub(super) struct Decoder {
    /// The newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    bytes_max: usize,
}

struct Entry {
    name: Vec<u8>,
    value: Vec<u8>,
    /// What it counts for the table: 32 bytes beside its text (§4.1).
    bytes: usize,
}

impl Entry {
    fn new(name: Vec<u8>, value: Vec<u8>) -> Self {
        let bytes = name.len().saturating_add(value.len()).saturating_add(32);
        Self { name, value, bytes }
    }

    /// The same without what nobody may keep.
    fn without_secret(self) -> Self {
        const SECRETS: [&[u8]; 4] = [b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"];
        let is_secret = SECRETS.iter().any(|secret| self.name.eq_ignore_ascii_case(secret));
        Self { value: if is_secret { Vec::new() } else { self.value }, ..self }
    }
}

impl Default for Decoder {
    /// The size of the table before anybody has settled on another (RFC 9113 §6.5.2).
    fn default() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, bytes_max: 4096 }
    }
}

impl Decoder {
    /// The largest table that is kept; what programs in clear use is the 4,096 bytes that nobody need settle on.
    const TABLE_BYTES_MAX: usize = 16 << 10;
    /// The most fields of a block: one of a byte can stand for as much as the table holds.
    const FIELDS_MAX: usize = 1 << 10;

    /// Reads a whole block and shows each of its fields.
    pub(super) fn read(&mut self, block: &[u8], mut show: impl FnMut(&[u8], &[u8])) -> Result<(), &'static str> {
        let mut cursor = Cursor::new(block);
        for _ in 0..Self::FIELDS_MAX {
            let Some(first) = cursor.peek() else { return Ok(()) };
            self.field(first, &mut cursor, &mut show).ok_or(MALFORMED)?;
        }
        Err("hpack_fields")
    }

    /// ```text
    /// 1 index:7            §6.1    a field of a table
    /// 01 index:6  text     §6.2.1  a field, which enters the table
    /// 001 size:5           §6.3    the table's size
    /// 000x index:4  text   §6.2.2  a field (x: never to be indexed)
    /// ```
    fn field(&mut self, first: u8, cursor: &mut Cursor<'_>, show: &mut impl FnMut(&[u8], &[u8])) -> Option<()> {
        match first {
            0x80.. => {
                let index = integer(cursor, 7)?;
                let (name, value) = self.entry(index)?;
                show(name, value);
            }
            0x40.. => {
                let entry = self.literal(cursor, 6)?;
                show(&entry.name, &entry.value);
                self.enter(entry);
            }
            0x20.. => {
                self.bytes_max = integer(cursor, 5).filter(|&bytes| bytes <= Self::TABLE_BYTES_MAX)?;
                self.evict(0);
            }
            _ => {
                let entry = self.literal(cursor, 4)?;
                show(&entry.name, &entry.value);
            }
        }
        Some(())
    }

    fn literal(&self, cursor: &mut Cursor<'_>, prefix: u32) -> Option<Entry> {
        let name = match integer(cursor, prefix)? {
            0 => text(cursor)?,
            index => self.entry(index)?.0.into(),
        };
        Some(Entry::new(name, text(cursor)?))
    }

    /// Both tables are one, numbered from 1 on (§2.3.3).
    fn entry(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let at = index.checked_sub(1)?;
        if let Some(&(name, value)) = table::FIELDS.get(at) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.entries.get(at.checked_sub(table::FIELDS.len())?)?;
        Some((&entry.name, &entry.value))
    }

    /// An entry larger than the table empties it, and is none (§4.4).
    fn enter(&mut self, entry: Entry) {
        self.evict(entry.bytes);
        if entry.bytes <= self.bytes_max {
            self.bytes = self.bytes.saturating_add(entry.bytes);
            self.entries.push_front(entry.without_secret());
        }
    }

    /// Makes room for so many bytes.
    fn evict(&mut self, room: usize) {
        while self.bytes.saturating_add(room) > self.bytes_max {
            let Some(entry) = self.entries.pop_back() else { return };
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }
}

/// An integer behind a prefix of `bits` bits (§5.1).
fn integer(cursor: &mut Cursor<'_>, bits: u32) -> Option<usize> {
    /// What follows a prefix reaches beyond every length there is.
    const BYTES_MAX: u32 = 4;
    let mask = u8::MAX.checked_shr(8_u32.saturating_sub(bits))?;
    let prefix = cursor.u8()? & mask;
    let mut value = usize::from(prefix);
    if prefix < mask {
        return Some(value);
    }
    for place in 0..BYTES_MAX {
        let byte = cursor.u8()?;
        let digits = usize::from(byte & 0x7f).checked_shl(place.saturating_mul(7))?;
        value = value.checked_add(digits)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A string behind its length (§5.2).
fn text(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    const HUFFMAN: u8 = 0x80;
    let is_coded = cursor.peek()? & HUFFMAN != 0;
    let len = integer(cursor, 7)?;
    let bytes = cursor.take(len)?;
    if is_coded { huffman::decode(bytes) } else { Some(bytes.into()) }
}
