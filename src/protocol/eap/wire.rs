//! Bytes to values: a packet (RFC 3748 §4).

use crate::facts::Sender;
use crate::net::Text;
use crate::protocol::cursor::Cursor;

#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub code: Code,
    pub identifier: u8,
    /// The type of a request or a response (§5).
    pub(super) kind: Option<u8>,
    pub(super) data: &'a [u8],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Code {
    Failure,
    Request,
    Response,
    Success,
}

impl Code {
    /// The supplicant is the client.
    pub const fn sender(self) -> Sender {
        match self {
            Self::Response => Sender::Client,
            Self::Failure | Self::Request | Self::Success => Sender::Server,
        }
    }
}

const IDENTITY: u8 = 1;

/// Types that are methods (§5.4 and on; IANA's registry of EAP types).
pub(super) mod method {
    pub(in super::super) const TLS: u8 = 13;
    pub(in super::super) const TTLS: u8 = 21;
    pub(in super::super) const PEAP: u8 = 25;
    pub(in super::super) const FAST: u8 = 43;
    pub(in super::super) const TEAP: u8 = 55;
    /// Smaller types are identity, notification and refusal.
    pub(super) const FIRST: u8 = 4;
}

impl<'a> Packet<'a> {
    /// Reads a packet; what lies behind its length is padding (§4).
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        const HEADER_BYTES: usize = 4;
        let mut cursor = Cursor::new(bytes);
        let (code, identifier, len) = (cursor.u8()?, cursor.u8()?, cursor.u16()?);
        let body = cursor.take(usize::from(len).checked_sub(HEADER_BYTES)?)?;
        let code = match code {
            1 => Code::Request,
            2 => Code::Response,
            3 if body.is_empty() => Code::Success,
            4 if body.is_empty() => Code::Failure,
            _ => return None,
        };
        if matches!(code, Code::Success | Code::Failure) {
            return Some(Self { code, identifier, kind: None, data: body });
        }
        let (&kind, data) = body.split_first()?;
        (kind > 0).then_some(Self { code, identifier, kind: Some(kind), data })
    }

    /// The identity that the supplicant gives, in clear even where a tunnel hides what follows (§5.1). Behind a NUL
    /// stand options.
    pub fn identity(&self) -> Option<Text> {
        if !self.gives_identity() {
            return None;
        }
        let identity = self.data.split(|&byte| byte == 0).find(|part| !part.is_empty())?;
        Some(Text::from_utf8(identity))
    }

    /// Whether the supplicant answers who it is, though it may say nothing.
    pub fn gives_identity(&self) -> bool {
        (self.code, self.kind) == (Code::Response, Some(IDENTITY))
    }

    /// The method spoken.
    pub(super) fn method(&self) -> Option<u8> {
        self.kind.filter(|&kind| kind >= method::FIRST)
    }
}

/// The methods in use; others by their number.
pub(super) fn method_name(number: u8) -> Text {
    match number {
        4 => "md5",
        5 => "otp",
        6 => "gtc",
        method::TLS => "tls",
        17 => "leap",
        18 => "sim",
        method::TTLS => "ttls",
        23 => "aka",
        method::PEAP => "peap",
        26 => "mschapv2",
        method::FAST => "fast",
        47 => "psk",
        49 => "ikev2",
        50 => "aka-prime",
        52 => "pwd",
        method::TEAP => "teap",
        254 => "expanded",
        number => return number.to_string().into(),
    }
    .into()
}
