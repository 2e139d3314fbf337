//! The first payload of a TCP flow that no protocol claimed in, what it looks like out.
//!
//! The test is the one that China's censor was found to use (Wu et al., "How the Great Firewall of China detects and
//! blocks fully encrypted traffic", USENIX Security 2023, Algorithm 1): whatever is not text, not a known protocol and has
//! about as many ones as zeros. Its exceptions for TLS and HTTP are those flows' own parsers here.

use crate::facts::Shape;

/// Fewer bytes say too little.
const BYTES_MIN: usize = 32;
/// More need not be looked at.
const BYTES_MAX: usize = 1024;
/// Ones in ten bytes: so few are text's or padding's, and so many nobody's either.
const FEW_ONES: usize = 34;
const MANY_ONES: usize = 46;
const PRINTABLE_RUN_MAX: usize = 20;

pub(super) fn of_opening(bytes: &[u8]) -> Option<Shape> {
    let bytes = bytes.get(..BYTES_MAX).unwrap_or(bytes);
    let is_printable = |byte: &u8| (0x20..=0x7e).contains(byte);
    let printable = bytes.iter().filter(|byte| is_printable(byte)).count();
    let opens_as_text = bytes.iter().take(6).all(is_printable);
    let longest = bytes.split(|byte| !is_printable(byte)).map(<[u8]>::len).max().unwrap_or(0);
    let is_text = opens_as_text || printable.saturating_mul(2) > bytes.len() || longest > PRINTABLE_RUN_MAX;
    let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).fold(0, u32::saturating_add);
    let ones = usize::try_from(ones).unwrap_or(0).saturating_mul(10);
    let is_balanced = ones > bytes.len().saturating_mul(FEW_ONES) && ones < bytes.len().saturating_mul(MANY_ONES);
    (bytes.len() >= BYTES_MIN && is_balanced && !is_text).then_some(Shape::FullyEncrypted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without order (xorshift).
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn bytes_without_order_look_encrypted() {
        for len in [BYTES_MIN, 200, 1448, 4000] {
            assert_eq!(of_opening(&noise(len)), Some(Shape::FullyEncrypted), "{len}");
        }
    }

    #[test]
    fn text_padding_and_little_bytes_do_not() {
        let mut opens_as_text = noise(200);
        opens_as_text[..6].copy_from_slice(b"GET /x");
        let mut with_a_name = noise(200);
        with_a_name[50..71].copy_from_slice(b"a-name-of-21-letters!");
        for bytes in
            [noise(BYTES_MIN - 1), vec![0; 200], vec![0xff; 200], b"text ".repeat(40), opens_as_text, with_a_name]
        {
            assert_eq!(of_opening(&bytes), None, "{bytes:02x?}");
        }
        assert_eq!(of_opening(&[]), None);
    }

    #[test]
    fn the_share_of_ones_decides_at_its_bounds() {
        // Bytes of two, four and six ones, none of them printable.
        let of = |twos: usize, fours: usize, sixes: usize| {
            [[0x81].repeat(twos), [0x8b].repeat(fours), [0xfc].repeat(sixes)].concat()
        };
        for (bytes, expected) in [
            (of(30, 70, 0), None),
            (of(29, 71, 0), Some(Shape::FullyEncrypted)),
            (of(0, 71, 29), Some(Shape::FullyEncrypted)),
            (of(0, 70, 30), None),
        ] {
            assert_eq!(of_opening(&bytes), expected);
        }
    }
}
