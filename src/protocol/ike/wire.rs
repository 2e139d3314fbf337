//! A datagram, or a message of a stream, in, an IKE message out: the header that versions 1 and 2 share (RFC 2408 §3.1, RFC
//! 7296 §3.1), and its payloads as far as they are not encrypted.

use crate::protocol::cursor::Cursor;

/// A Security Parameter Index of IKE itself, "cookie" in version 1.
pub(super) type Spi = [u8; 8];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    V1,
    V2,
}

impl Version {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }
}

/// What is being negotiated: the header's exchange type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Exchange {
    Aggressive,
    /// IKE_SA_INIT.
    Init,
    /// Identity protection, called main mode.
    Main,
    /// Any other that the version defines.
    Other,
}

impl Exchange {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Aggressive => "aggressive",
            Self::Init => "ike_sa_init",
            Self::Main => "main",
            Self::Other => "other",
        }
    }

    /// Version 1: RFC 2408 §3.1, RFC 2409 appendix A, and the configuration method's draft. Version 2: RFC 7296 §3.1,
    /// RFC 5723, RFC 9242, RFC 9370, RFC 9838; private numbers where a port tells.
    fn of(version: Version, number: u8, on_port: bool) -> Option<Self> {
        const PRIVATE_FIRST: u8 = 240;
        match (version, number) {
            (_, PRIVATE_FIRST..) if on_port => Some(Self::Other),
            (Version::V1, 2) => Some(Self::Main),
            (Version::V1, 4) => Some(Self::Aggressive),
            (Version::V1, 1 | 3 | 5 | 6 | 32 | 33) | (Version::V2, 35..=41 | 43 | 44) => Some(Self::Other),
            (Version::V2, 34) => Some(Self::Init),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) initiator: Spi,
    /// Zero in the first message of an exchange that opens an association.
    pub(super) responder: Spi,
    pub(super) version: Version,
    pub(super) exchange: Exchange,
    /// The response flag of version 2.
    pub(super) is_response: bool,
    /// The payloads can be read: one after the other they fill the message.
    pub(super) is_readable: bool,
    /// The header, or the exchange, says that they are encrypted.
    is_encrypted: bool,
    /// It has the length that it says.
    is_whole: bool,
    first_payload: u8,
    payloads: &'a [u8],
}

/// The marker before IKE on the port it shares with ESP (RFC 3948 §2.2).
const NON_ESP_MARKER: [u8; 4] = [0; 4];
const HEADER_BYTES: usize = 28;
const V1_ENCRYPTED: u8 = 0x01;
/// Encryption, commit, authentication only.
const V1_FLAGS: u8 = 0x07;
/// Initiator, version, response.
const V2_FLAGS: u8 = 0x38;
const V2_RESPONSE: u8 = 0x20;

/// Whether a message has a version that is known and the length that it says (RFC 7296 §3.1).
pub(super) fn has_header(message: &[u8]) -> bool {
    let mut cursor = Cursor::new(message);
    let version = cursor.skip(17).and_then(|()| cursor.u8());
    let len = cursor.skip(6).and_then(|()| cursor.u32()).and_then(|len| usize::try_from(len).ok());
    matches!(version, Some(0x10 | 0x20)) && len == Some(message.len())
}

/// Takes the marker off, where there is one.
pub(super) fn without_marker(datagram: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(datagram);
    (cursor.array()? == NON_ESP_MARKER).then_some(cursor.rest())
}

impl<'a> Message<'a> {
    /// A message whose payloads hold together, as far as they are not encrypted.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        Self::parse_as(bytes, false).filter(Self::holds)
    }

    /// As [`Self::parse`], where a port says what it should be: what a receiver ignores (RFC 7296 §2.5 and §3.1) is
    /// ignored, the minor version, reserved flags, and what lies behind the message.
    pub(super) fn parse_on_port(bytes: &'a [u8]) -> Option<Self> {
        Self::parse_as(bytes, true).filter(Self::holds)
    }

    fn holds(&self) -> bool {
        self.initiator != [0; 8] && self.is_whole && (self.is_readable || self.is_encrypted)
    }

    /// A message whose header fits, where a port says what it should be: it may be cut, or its payloads broken; or it is
    /// whole and names no initiator (which RFC 7296 §3.1 forbids, and testers send).
    pub(super) fn parse_header(bytes: &'a [u8]) -> Option<Self> {
        Self::parse_as(bytes, false)
    }

    fn parse_as(bytes: &'a [u8], on_port: bool) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let (initiator, responder) = (cursor.array()?, cursor.array()?);
        let first_payload = cursor.u8()?;
        let version = match cursor.u8()? {
            0x10 => Version::V1,
            0x20 => Version::V2,
            0x11..=0x1f if on_port => Version::V1,
            0x21..=0x2f if on_port => Version::V2,
            _ => return None,
        };
        let exchange = Exchange::of(version, cursor.u8()?, on_port)?;
        let flags = cursor.u8()?;
        let _message_id = cursor.u32()?;
        let len = usize::try_from(cursor.u32()?).ok()?;
        let (known_flags, encrypted) = match version {
            Version::V1 => (V1_FLAGS, flags & V1_ENCRYPTED != 0),
            Version::V2 => (V2_FLAGS, matches!(exchange, Exchange::Other)),
        };
        let is_whole = len <= bytes.len();
        let is_named = is_whole || initiator != [0; 8];
        let is_strict = flags & !known_flags == 0 && len >= bytes.len();
        if !is_named || len < HEADER_BYTES || !(is_strict || on_port) {
            return None;
        }
        let body_bytes = len.saturating_sub(HEADER_BYTES);
        let mut message = Self {
            initiator,
            responder,
            version,
            exchange,
            is_response: version == Version::V2 && flags & V2_RESPONSE != 0,
            is_readable: false,
            is_encrypted: encrypted,
            is_whole,
            first_payload,
            payloads: cursor.rest().get(..body_bytes).unwrap_or(cursor.rest()),
        };
        message.is_readable = !encrypted && message.is_whole && message.payloads_fill();
        Some(message)
    }

    /// Whether it asks for an association that the other side does not know yet.
    pub(super) fn opens(&self) -> bool {
        self.responder == [0; 8] && self.is_readable && !self.is_response
    }

    /// The payloads, with their types. Nothing where they are encrypted.
    pub(super) fn payloads(&self) -> Payloads<'a> {
        let bytes = if self.is_readable { self.payloads } else { &[] };
        Payloads { kind: self.first_payload, rest: Cursor::new(bytes) }
    }

    /// Whether it offers or accepts a security association: it is more than a refusal or a request to come again.
    pub(super) fn has_proposal(&self) -> bool {
        self.payloads().any(|payload| matches!(payload, Payload::SecurityAssociation))
    }

    fn payloads_fill(&self) -> bool {
        let mut payloads = Payloads { kind: self.first_payload, rest: Cursor::new(self.payloads) };
        payloads.by_ref().take(Payloads::MAX).count() > 0 && payloads.rest.is_empty() && payloads.kind == 0
    }
}

/// What is of use among the payloads (RFC 2408 §3.1, RFC 3947 §3.2, RFC 7296 §3.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Payload<'a> {
    Identification { kind: u8, value: &'a [u8] },
    NatDetection,
    SecurityAssociation,
    VendorId(&'a [u8]),
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Payloads<'a> {
    kind: u8,
    rest: Cursor<'a>,
}

impl Payloads<'_> {
    /// The most payloads one message is believed to have.
    const MAX: usize = 64;
}

impl<'a> Iterator for Payloads<'a> {
    type Item = Payload<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.kind == 0 {
            return None;
        }
        let mut ahead = self.rest;
        let next = ahead.u8()?;
        let _critical = ahead.u8()?;
        let len = usize::from(ahead.u16()?);
        let body = ahead.take(len.checked_sub(4)?)?;
        let payload = Payload::of(self.kind, body);
        (self.kind, self.rest) = (next, ahead);
        Some(payload)
    }
}

impl<'a> Payload<'a> {
    fn of(kind: u8, body: &'a [u8]) -> Self {
        let mut cursor = Cursor::new(body);
        match kind {
            1 | 33 => Self::SecurityAssociation,
            // Type, protocol, port, value.
            5 => match (cursor.u8(), cursor.skip(3)) {
                (Some(kind), Some(())) => Self::Identification { kind, value: cursor.rest() },
                _ => Self::Other,
            },
            13 | 43 => Self::VendorId(body),
            // NAT-D of RFC 3947, and of the drafts before it.
            20 | 130 => Self::NatDetection,
            // A notification of version 2: protocol, SPI size, type.
            41 => match (cursor.skip(2), cursor.u16()) {
                (Some(()), Some(16_388 | 16_389)) => Self::NatDetection,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}
