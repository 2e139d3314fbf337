//! Text in, Guacamole's instructions out: `6.select,3.rdp;`, an opcode and arguments, each behind its length in
//! characters.

use crate::protocol::cursor::Cursor;

#[derive(Debug)]
pub(super) struct Instruction<'a> {
    pub(super) opcode: &'a [u8],
    pub(super) arguments: Vec<&'a [u8]>,
}

const INSTRUCTION_BYTES_MAX: usize = 16 << 10;
const ELEMENTS_MAX: usize = 256;
const MALFORMED: &str = "guacamole_instruction";

/// Reads an instruction; none as long as it has not come whole.
pub(super) fn instruction<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Instruction<'a>>, &'static str> {
    let mut ahead = *cursor;
    let mut elements = Vec::new();
    loop {
        let Some((element, end)) = element(&mut ahead)? else {
            return if cursor.len() > INSTRUCTION_BYTES_MAX { Err(MALFORMED) } else { Ok(None) };
        };
        if elements.len() >= ELEMENTS_MAX {
            return Err(MALFORMED);
        }
        elements.push(element);
        match end {
            b',' => {}
            b';' => break,
            _ => return Err(MALFORMED),
        }
    }
    *cursor = ahead;
    let opcode = elements.remove(0);
    Ok(Some(Instruction { opcode, arguments: elements }))
}

/// An element and what stands behind it; none as long as it has not come whole.
fn element<'a>(cursor: &mut Cursor<'a>) -> Result<Option<(&'a [u8], u8)>, &'static str> {
    let mut chars = 0_usize;
    let mut digits = 0_u32;
    loop {
        let Some(byte) = cursor.u8() else { return Ok(None) };
        match byte {
            b'0'..=b'9' if digits < 5 => {
                digits = digits.saturating_add(1);
                chars = chars.saturating_mul(10).saturating_add(usize::from(byte.wrapping_sub(b'0')));
            }
            b'.' if digits > 0 => break,
            _ => return Err(MALFORMED),
        }
    }
    let Some(len) = bytes_of(cursor.rest(), chars)? else { return Ok(None) };
    let (Some(element), Some(end)) = (cursor.take(len), cursor.u8()) else { return Ok(None) };
    Ok(Some((element, end)))
}

/// How many bytes so many characters of UTF-8 take; none as long as they have not all come.
fn bytes_of(bytes: &[u8], chars: usize) -> Result<Option<usize>, &'static str> {
    let mut len = 0_usize;
    for _ in 0..chars {
        let Some(first) = bytes.get(len) else { return Ok(None) };
        len = len.saturating_add(match first {
            0x00..=0x7f => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return Err(MALFORMED),
        });
    }
    Ok(Some(len))
}
