//! ASN.1 in its basic and distinguished encodings (ITU-T X.690), as far as Kerberos, LDAP and SPNEGO need it: values
//! with one-byte tags and definite lengths.

use crate::protocol::cursor::Cursor;

pub const INTEGER: u8 = 0x02;
pub const OCTET_STRING: u8 = 0x04;
pub const ENUMERATED: u8 = 0x0a;
pub const SEQUENCE: u8 = 0x30;

/// The tag `[number]`, constructed and context-specific.
pub const fn context(number: u8) -> u8 {
    0xa0 | (number & 0x1f)
}

/// The tag `[APPLICATION number]`, constructed.
pub const fn application(number: u8) -> u8 {
    0x60 | (number & 0x1f)
}

/// The next value's tag and contents. Nothing is read where it is not there whole.
pub fn value<'a>(cursor: &mut Cursor<'a>) -> Option<(u8, Cursor<'a>)> {
    let mut ahead = *cursor;
    let (tag, len) = header(&mut ahead)?;
    let contents = ahead.sub(len)?;
    *cursor = ahead;
    Some((tag, contents))
}

/// A value's tag and the length of its contents, which may not be there yet.
pub fn header(cursor: &mut Cursor<'_>) -> Option<(u8, usize)> {
    let mut ahead = *cursor;
    let tag = ahead.u8().filter(|tag| tag & 0x1f != 0x1f)?;
    let len = match ahead.u8()? {
        len @ 0x00..=0x7f => usize::from(len),
        0x81 => usize::from(ahead.u8()?),
        0x82 => usize::from(ahead.u16()?),
        0x83 => usize::try_from(ahead.u24()?).ok()?,
        0x84 => usize::try_from(ahead.u32()?).ok()?,
        _ => return None,
    };
    *cursor = ahead;
    Some((tag, len))
}

/// The contents of the next value, which must have this tag. Nothing is read where it has another one, so that an
/// optional member can be asked for.
pub fn tagged<'a>(cursor: &mut Cursor<'a>, tag: u8) -> Option<Cursor<'a>> {
    (cursor.peek()? == tag).then_some(())?;
    value(cursor).map(|(_, contents)| contents)
}

/// An integer of at most 64 bits that is not negative.
pub fn unsigned(cursor: &mut Cursor<'_>) -> Option<u64> {
    number(tagged(cursor, INTEGER)?)
}

/// The contents of an integer or enumerated value that is not negative.
pub fn number(mut contents: Cursor<'_>) -> Option<u64> {
    let mut number = 0_u64;
    (1..=8).contains(&contents.len()).then_some(())?;
    contents.peek().filter(|first| first & 0x80 == 0)?;
    while let Some(byte) = contents.u8() {
        number = number.wrapping_shl(8) | u64::from(byte);
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_its_tag_and_contents() {
        let mut cursor = Cursor::new(&[0x30, 0x03, 0x02, 0x01, 0x05, 0x04, 0x81, 0x01, 0xaa]);
        let mut sequence = tagged(&mut cursor, SEQUENCE).unwrap();
        assert_eq!(unsigned(&mut sequence), Some(5));
        assert!(tagged(&mut cursor, SEQUENCE).is_none(), "has another tag");
        assert_eq!(tagged(&mut cursor, OCTET_STRING).map(|contents| contents.rest().to_vec()), Some(vec![0xaa]));
    }

    #[test]
    fn a_value_that_is_cut_is_not_read() {
        for bytes in [&[0x30, 0x04, 0x02, 0x01, 0x05][..], &[0x30], &[0x30, 0x82, 0x01], &[0x30, 0x80, 0x00, 0x00]] {
            let mut cursor = Cursor::new(bytes);
            assert!(value(&mut cursor).is_none());
            assert_eq!(cursor.len(), bytes.len());
        }
    }

    #[test]
    fn numbers_are_unsigned_and_fit() {
        assert_eq!(number(Cursor::new(&[0x01, 0x00])), Some(256));
        assert_eq!(number(Cursor::new(&[0xff])), None);
        assert_eq!(number(Cursor::new(&[])), None);
        assert_eq!(number(Cursor::new(&[0; 9])), None);
    }
}
