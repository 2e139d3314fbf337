//! Bytes in, the fields of a Protocol Buffers message out ([encoding](https://protobuf.dev/programming-guides/encoding/)).

use crate::protocol::cursor::Cursor;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Value<'a> {
    Bytes(&'a [u8]),
    /// 32 or 64 bits whose meaning is not asked for.
    Fixed,
    Number(u64),
}

/// A message whose fields fill it, in the order sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message<'a>(Vec<(u32, Value<'a>)>);

impl<'a> Message<'a> {
    /// The most fields of a message that are read.
    pub const FIELDS_MAX: usize = 64;

    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let mut fields = Vec::new();
        while !cursor.is_empty() {
            if fields.len() >= Self::FIELDS_MAX {
                return None;
            }
            fields.push(field(&mut cursor)?);
        }
        Some(Self(fields))
    }

    /// The only field of a message that has one.
    pub fn single(&self) -> Option<(u32, Value<'a>)> {
        match self.0.as_slice() {
            [field] => Some(*field),
            _ => None,
        }
    }

    /// The last value of a field counts.
    pub fn get(&self, number: u32) -> Option<Value<'a>> {
        self.0.iter().rev().find(|(known, _)| *known == number).map(|(_, value)| *value)
    }

    pub fn bytes(&self, number: u32) -> Option<&'a [u8]> {
        self.all_bytes(number).last()
    }

    pub fn all_bytes(&self, number: u32) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(known, value)| match value {
            Value::Bytes(bytes) if *known == number => Some(*bytes),
            _ => None,
        })
    }

    pub fn number(&self, number: u32) -> Option<u64> {
        match self.get(number)? {
            Value::Number(value) => Some(value),
            _ => None,
        }
    }

    /// A field that is a message itself.
    pub fn message(&self, number: u32) -> Option<Self> {
        Self::parse(self.bytes(number)?)
    }
}

/// The number of a field and how its value is written: the low three bits of the tag.
pub fn tag(cursor: &mut Cursor<'_>) -> Option<(u32, u8)> {
    let tag = varint(cursor)?;
    let number = u32::try_from(tag.wrapping_shr(3)).ok().filter(|&number| number > 0)?;
    Some((number, u8::try_from(tag & 7).ok()?))
}

/// A number in groups of seven bits, the lowest first.
pub fn varint(cursor: &mut Cursor<'_>) -> Option<u64> {
    let mut ahead = *cursor;
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = ahead.u8()?;
        number |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if byte & 0x80 == 0 {
            *cursor = ahead;
            return Some(number);
        }
    }
    None
}

fn field<'a>(cursor: &mut Cursor<'a>) -> Option<(u32, Value<'a>)> {
    let (number, written) = tag(cursor)?;
    let value = match written {
        0 => Value::Number(varint(cursor)?),
        1 => cursor.skip(8).map(|()| Value::Fixed)?,
        2 => {
            let len = usize::try_from(varint(cursor)?).ok()?;
            Value::Bytes(cursor.take(len)?)
        }
        5 => cursor.skip(4).map(|()| Value::Fixed)?,
        _ => return None,
    };
    Some((number, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_are_written() {
        // 1: 150; 2: "testing"; 3: { 1: 1 }; 4: 32 bits; 5: 64 bits
        let bytes = b"\x08\x96\x01\x12\x07testing\x1a\x02\x08\x01\x25\0\0\0\0\x29\0\0\0\0\0\0\0\0";
        let message = Message::parse(bytes).unwrap();
        assert_eq!(message.number(1), Some(150));
        assert_eq!(message.bytes(2), Some(&b"testing"[..]));
        assert_eq!(message.message(3).and_then(|inner| inner.number(1)), Some(1));
        assert_eq!((message.get(4), message.get(5)), (Some(Value::Fixed), Some(Value::Fixed)));
        assert_eq!((message.get(6), message.number(2), message.single()), (None, None, None));
    }

    #[test]
    fn what_is_cut_or_out_of_form_is_no_message() {
        for bytes in [&b"\x08"[..], b"\x08\x96", b"\x12\x07test", b"\x00\x01", b"\x0b", b"\x25\0\0", &[0xff; 11]] {
            assert_eq!(Message::parse(bytes), None, "{bytes:02x?}");
        }
        assert_eq!(Message::parse(&[0x08, 0x01].repeat(Message::FIELDS_MAX + 1)), None);
    }
}
