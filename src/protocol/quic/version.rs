//! The number of a version in, what differs between versions out: salts, labels, packet types and names.

use std::fmt;

/// The number of a version of QUIC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version(pub u32);

/// The packet types that are told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PacketType {
    Initial,
    /// 0-RTT and Handshake.
    Protected,
    Retry,
}

/// What the keys of Initial packets are made with (RFC 9001 §5.2, RFC 9369 §3.3).
#[derive(Clone, Copy, Debug)]
pub struct KeyDerivation {
    pub salt: [u8; 20],
    pub key_label: &'static [u8],
    pub iv_label: &'static [u8],
    pub header_label: &'static [u8],
}

impl Version {
    /// Marks a Version Negotiation packet (RFC 8999 §6).
    pub const NEGOTIATION: Self = Self(0);
    pub const V1: Self = Self(0x0000_0001);
    pub const V2: Self = Self(0x6b33_43cf);
    /// What drafts of version 2 used.
    const V2_DRAFT: Self = Self(0x709a_50c4);
    /// Google's versions with Initial packets: `Q` with a handshake of its own, `T` with TLS.
    const Q050: Self = Self(u32::from_be_bytes(*b"Q050"));
    const T050: Self = Self(u32::from_be_bytes(*b"T050"));
    const T051: Self = Self(u32::from_be_bytes(*b"T051"));
    const MVFST: u32 = 0xface_b000;
    const DRAFT_21: u32 = 0xff00_0015;

    /// Whether the number is reserved to make servers negotiate (RFC 9000 §15).
    pub const fn is_reserved(self) -> bool {
        self.0 & 0x0f0f_0f0f == 0x0a0a_0a0a
    }

    /// Whether Initial packets of this version can be read.
    pub const fn is_readable(self) -> bool {
        self.key_derivation().is_some()
    }

    pub const fn key_derivation(self) -> Option<KeyDerivation> {
        let salt = match (self, self.draft()) {
            (Self::V1, _) | (_, Some(33..=34)) => SALT_V1,
            (Self::V2, _) => SALT_V2,
            (Self::V2_DRAFT, _) => SALT_V2_DRAFT,
            (_, Some(29..=32)) => SALT_DRAFT_29,
            (_, Some(23..=28)) => SALT_DRAFT_23,
            (_, Some(21..=22)) => SALT_DRAFT_22,
            (Self::Q050, _) => SALT_Q050,
            (Self::T050, _) => SALT_T050,
            (Self::T051, _) => SALT_T051,
            _ => return None,
        };
        if self.is_v2() {
            return Some(KeyDerivation {
                salt,
                key_label: b"quicv2 key",
                iv_label: b"quicv2 iv",
                header_label: b"quicv2 hp",
            });
        }
        Some(KeyDerivation { salt, key_label: b"quic key", iv_label: b"quic iv", header_label: b"quic hp" })
    }

    /// The type that the first byte of a long header tells; none for versions that are not known.
    pub const fn packet_type(self, first: u8) -> Option<PacketType> {
        if !self.is_readable() {
            return None;
        }
        // Version 2 counts the types on by one (RFC 9369 §3.2).
        let v1_type = if self.is_v2() { first.wrapping_shr(4).wrapping_sub(1) & 3 } else { first.wrapping_shr(4) & 3 };
        Some(match v1_type {
            0 => PacketType::Initial,
            3 => PacketType::Retry,
            _ => PacketType::Protected,
        })
    }

    /// Whether the lengths of both connection identifiers share a byte, as they did up to draft 21 (its §17.2).
    pub const fn has_short_lengths(self) -> bool {
        self.0 == Self::DRAFT_21
    }

    /// The type of the frame that carries the handshake.
    pub const fn crypto_frame(self) -> u8 {
        if self.google().is_some() { 0x08 } else { 0x06 }
    }

    /// The letter and the number of one of Google's versions: `Q043`.
    pub const fn google(self) -> Option<(u8, u8)> {
        match self.0.to_be_bytes() {
            [letter @ (b'Q' | b'T'), b'0', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                Some((letter, (tens & 0x0f).saturating_mul(10).saturating_add(ones & 0x0f)))
            }
            _ => None,
        }
    }

    const fn is_v2(self) -> bool {
        matches!(self, Self::V2 | Self::V2_DRAFT)
    }

    /// The IETF draft whose Initial packets this version has. Facebook's mvfst began with drafts 22 and 27. A client
    /// that makes the server negotiate has no keys of its own; those that were seen took draft 29's.
    const fn draft(self) -> Option<u32> {
        match self.0 {
            _ if self.is_reserved() => Some(29),
            Self::DRAFT_21 | 0xff00_0016..=0xff00_0022 => Some(self.0 & 0xff),
            0xface_b001 => Some(22),
            0xface_b002 | 0xface_b00e => Some(27),
            _ => None,
        }
    }
}

/// `1`, `2`, `draft-29`, `mvfst-1`, `Q043`, or the number in hex.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((letter, number)) = self.google() {
            return write!(f, "{}{number:03}", char::from(letter));
        }
        match *self {
            Self::V1 => f.write_str("1"),
            Self::V2 => f.write_str("2"),
            Self(number) if number & 0xffff_ff00 == 0xff00_0000 => write!(f, "draft-{:02}", number & 0xff),
            Self(number) if number & 0xffff_ff00 == Self::MVFST => write!(f, "mvfst-{:x}", number & 0xff),
            Self(number) => write!(f, "0x{number:08x}"),
        }
    }
}

const SALT_V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f,
    0x0a,
];
const SALT_V2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e,
    0xd9,
];
const SALT_V2_DRAFT: [u8; 20] = [
    0xa7, 0x07, 0xc2, 0x03, 0xa5, 0x9b, 0x47, 0x18, 0x4a, 0x1d, 0x62, 0xca, 0x57, 0x04, 0x06, 0xea, 0x7a, 0xe3, 0xe5,
    0xd3,
];
const SALT_DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8,
    0x99,
];
const SALT_DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5,
    0x02,
];
const SALT_DRAFT_22: [u8; 20] = [
    0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64,
    0x4a,
];
const SALT_Q050: [u8; 20] = [
    0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94, 0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0, 0xd3, 0xb5, 0x6b,
    0x45,
];
const SALT_T050: [u8; 20] = [
    0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83,
    0x10,
];
const SALT_T051: [u8; 20] = [
    0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03,
    0x3d,
];
