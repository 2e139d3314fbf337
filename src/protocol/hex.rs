//! Bytes as lower-case hexadecimal digits, as digests and serial numbers are written.

use std::fmt;

/// Shows its bytes as lower-case hex without separators: `Hex(&[0xab, 0x01])` is `ab01`.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [[0; 2]; 32];
        for bytes in self.0.chunks(digits.len()) {
            digits.iter_mut().zip(bytes).for_each(|(place, &byte)| *place = self::digits(byte));
            let digits = digits.as_flattened().get(..bytes.len().saturating_mul(2)).unwrap_or_default();
            f.write_str(std::str::from_utf8(digits).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// The two digits of a byte. Digits are written so where there are many: formatting numbers is dear.
pub fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    [byte >> 4, byte & 0x0f].map(|nibble| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_lower_case_hex() {
        assert_eq!(Hex(&[0x00, 0xab, 0x10]).to_string(), "00ab10");
        assert_eq!(Hex(&[]).to_string(), "");
        assert_eq!(Hex(&[0x5f; 70]).to_string(), "5f".repeat(70));
    }
}
