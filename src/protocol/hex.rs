//! Bytes as lower-case hexadecimal digits, as digests and serial numbers are written.

use std::fmt;

/// Shows its bytes as lower-case hex without separators: `Hex(&[0xab, 0x01])` is `ab01`.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).try_for_each(|nibble| f.write_char(digit(nibble)))
    }
}

/// The digit of the four low bits. Digits are written one by one: formatting numbers is dear where there are many.
pub fn digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble & 0x0f), 16).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_lower_case_hex() {
        assert_eq!(Hex(&[0x00, 0xab, 0x10]).to_string(), "00ab10");
        assert_eq!(Hex(&[]).to_string(), "");
    }
}
