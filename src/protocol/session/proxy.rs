//! The header of the PROXY protocol, in which a load balancer says for whom it connects, and what stands behind it (HAProxy,
//! "The PROXY protocol", versions 1 and 2): bytes of a stream's client in, the same without the header out.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::protocol::Chunk;
use crate::protocol::cursor::Cursor;
use crate::time::Timestamp;

/// What the client has said so far.
#[derive(Default)]
pub(super) enum Preamble {
    #[default]
    Unheard,
    /// It may become a header.
    Undecided(Box<(Timestamp, Vec<u8>)>),
    Over,
}

impl Preamble {
    /// The longest line of version 1, with its end (§2.1).
    const LINE_BYTES_MAX: usize = 107;
    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    /// The most bytes of addresses and extensions of version 2 that are passed over.
    const EXTENSION_BYTES_MAX: usize = 2048;

    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    pub(super) const fn buffered_bytes(&self) -> usize {
        match self {
            Self::Undecided(waiting) => waiting.1.len(),
            Self::Unheard | Self::Over => 0,
        }
    }

    /// What the client says behind a header, or from the beginning where there is none; none as long as that is not told.
    pub(super) fn behind<'a>(&mut self, chunk: Chunk<'a>) -> Option<Cow<'a, [u8]>> {
        let said = match std::mem::replace(self, Self::Over) {
            Self::Undecided(waiting) => {
                let (_, mut said) = *waiting;
                said.extend_from_slice(chunk.bytes);
                Cow::Owned(said)
            }
            Self::Unheard | Self::Over => Cow::Borrowed(chunk.bytes),
        };
        match Self::len(&said) {
            None => {
                *self = Self::Undecided(Box::new((chunk.at, said.into_owned())));
                None
            }
            Some(0) => Some(said),
            Some(len) => Some(Cow::Owned(said.get(len..).unwrap_or_default().into())),
        }
    }

    /// What waits and since when, where nothing more is to come.
    pub(super) fn take(&mut self) -> Option<(Timestamp, Vec<u8>)> {
        match std::mem::replace(self, Self::Over) {
            Self::Undecided(waiting) => Some(*waiting),
            Self::Unheard | Self::Over => None,
        }
    }

    /// How long the header is, nothing where there is none; none as long as it has not come whole.
    fn len(bytes: &[u8]) -> Option<usize> {
        match bytes.first() {
            None => None,
            Some(b'P') => line_len(bytes),
            Some(b'\r') => binary_len(bytes),
            Some(_) => Some(0),
        }
    }
}

/// Version 1: a line of the two addresses and ports, or of something that the sender does not know (§2.1).
fn line_len(bytes: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"PROXY ";
    let mut rest = Cursor::new(bytes);
    if !bytes.iter().zip(NAME).all(|(byte, other)| byte == other) {
        return Some(0);
    }
    let Some(line) = rest.until(b'\n') else {
        return if bytes.len() < Preamble::LINE_BYTES_MAX { None } else { Some(0) };
    };
    let len = line.len().saturating_add(1);
    let words = line.strip_prefix(NAME).and_then(|line| line.strip_suffix(b"\r"));
    let words = words.and_then(|words| std::str::from_utf8(words).ok()).unwrap_or_default();
    let is_header = len <= Preamble::LINE_BYTES_MAX
        && match words.split(' ').collect::<Vec<_>>()[..] {
            ["UNKNOWN", ..] => true,
            ["TCP4", one, other, port, other_port] => are::<Ipv4Addr>([one, other]) && are::<u16>([port, other_port]),
            ["TCP6", one, other, port, other_port] => are::<Ipv6Addr>([one, other]) && are::<u16>([port, other_port]),
            _ => false,
        };
    Some(if is_header { len } else { 0 })
}

fn are<T: FromStr>(words: [&str; 2]) -> bool {
    words.iter().all(|word| word.parse::<T>().is_ok())
}

/// Version 2: a signature, the version and the command, the family, and the length of what follows (§2.2).
fn binary_len(bytes: &[u8]) -> Option<usize> {
    const HEADER_BYTES: usize = 16;
    if !bytes.iter().zip(Preamble::SIGNATURE).all(|(byte, other)| byte == other) {
        return Some(0);
    }
    let mut fields = Cursor::new(bytes);
    fields.skip(Preamble::SIGNATURE.len())?;
    let (command, family) = (fields.u8()?, fields.u8()?);
    let len = usize::from(fields.u16()?);
    let addresses = match family {
        0x00 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        _ => return Some(0),
    };
    let is_header = match command {
        0x20 => true,
        0x21 => len >= addresses,
        _ => false,
    };
    if !is_header || len > Preamble::EXTENSION_BYTES_MAX {
        return Some(0);
    }
    fields.skip(len)?;
    Some(len.saturating_add(HEADER_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Sender;

    /// How long a header of these bytes is, however it is cut.
    fn header(bytes: &[u8]) -> Option<usize> {
        let whole = Preamble::len(bytes);
        let mut preamble = Preamble::default();
        let mut behind = Vec::new();
        for byte in bytes.chunks(1) {
            if preamble.is_over() {
                behind.extend_from_slice(byte);
                continue;
            }
            let chunk = Chunk { at: Timestamp::ZERO, sender: Sender::Client, bytes: byte, missing: 0 };
            if let Some(bytes) = preamble.behind(chunk) {
                behind.extend_from_slice(&bytes);
            }
        }
        behind.extend(preamble.take().map(|(_, said)| said).unwrap_or_default());
        assert_eq!(bytes.len() - behind.len(), whole.unwrap_or(0));
        whole
    }

    fn binary(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let len = u16::try_from(content.len()).unwrap().to_be_bytes();
        [Preamble::SIGNATURE, &[command, family], &len, content, b"GET "].concat()
    }

    #[test]
    fn a_line_of_addresses_is_passed_over() {
        for line in [
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            "PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n",
            "PROXY UNKNOWN\r\n",
            "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
        ] {
            assert_eq!(header(format!("{line}GET / ").as_bytes()), Some(line.len()), "{line}");
        }
    }

    #[test]
    fn what_only_begins_like_a_line_of_addresses_is_what_it_is() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(107));
        for line in ["POST / HTTP/1.1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 1.2.3.4 ::1 1 2\r\n", &long]
        {
            assert_eq!(header(line.as_bytes()), Some(0), "{line}");
        }
        assert_eq!(header(b"PROXY TCP4 1.2"), None);
    }

    #[test]
    fn a_binary_header_is_passed_over_where_its_length_fits() {
        assert_eq!(header(&binary(0x21, 0x11, &[1; 12])), Some(28));
        assert_eq!(header(&binary(0x21, 0x21, &[1; 50])), Some(66), "with an extension");
        assert_eq!(header(&binary(0x20, 0x00, &[])), Some(16), "of the load balancer itself");
        assert_eq!(header(&binary(0x21, 0x11, &[1; 4])), Some(0));
        assert_eq!(header(&binary(0x31, 0x11, &[1; 12])), Some(0));
        assert_eq!(header(&binary(0x21, 0x44, &[1; 12])), Some(0));
        assert_eq!(header(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c1234"), None);
        assert_eq!(header(b"\r\nGET"), Some(0));
    }
}
