//! Bytes to values: the LDAPMessage of RFC 4511 §4.1.1 and the operations that tell who binds. Passwords, filters and
//! attributes are passed over.

use crate::net::Text;
use crate::protocol::cursor::Cursor;
use crate::protocol::der;

const BOOLEAN: u8 = 0x01;
const STARTTLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// The most bytes between a message's beginning and its operation's first member: three headers and a number.
pub const HEAD_BYTES_MAX: usize = 24;

/// What the first bytes of a message tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    pub operation: Operation,
    /// The whole message's length.
    pub len: usize,
}

/// The operations of RFC 4511 §4.2 to §4.13, a request and its answer each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    BindRequest,
    BindResponse,
    ExtendedRequest,
    ExtendedResponse,
    OtherRequest(&'static str),
    OtherResponse(&'static str),
    SearchRequest,
}

impl Operation {
    pub const fn is_response(self) -> bool {
        matches!(self, Self::BindResponse | Self::ExtendedResponse | Self::OtherResponse(_))
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::BindRequest | Self::BindResponse => "bind",
            Self::ExtendedRequest | Self::ExtendedResponse => "extended",
            Self::SearchRequest => "search",
            Self::OtherRequest(name) | Self::OtherResponse(name) => name,
        }
    }

    /// By its tag, and the tag of its first member, which must be the one the operation begins with.
    const fn of(tag: u8, member: Option<u8>) -> Option<Self> {
        Some(match (tag, member) {
            (0x60, Some(der::INTEGER)) => Self::BindRequest,
            (0x61, Some(der::ENUMERATED)) => Self::BindResponse,
            (0x63, Some(der::OCTET_STRING)) => Self::SearchRequest,
            (0x64, Some(der::OCTET_STRING)) | (0x65, Some(der::ENUMERATED)) => Self::OtherResponse("search"),
            (0x73, Some(der::OCTET_STRING)) => Self::OtherResponse("search"),
            (0x66, Some(der::OCTET_STRING)) => Self::OtherRequest("modify"),
            (0x67, Some(der::ENUMERATED)) => Self::OtherResponse("modify"),
            (0x68, Some(der::OCTET_STRING)) => Self::OtherRequest("add"),
            (0x69, Some(der::ENUMERATED)) => Self::OtherResponse("add"),
            (0x6b, Some(der::ENUMERATED)) => Self::OtherResponse("delete"),
            (0x6c, Some(der::OCTET_STRING)) => Self::OtherRequest("rename"),
            (0x6d, Some(der::ENUMERATED)) => Self::OtherResponse("rename"),
            (0x6e, Some(der::OCTET_STRING)) => Self::OtherRequest("compare"),
            (0x6f, Some(der::ENUMERATED)) => Self::OtherResponse("compare"),
            (0x77, Some(0x80)) => Self::ExtendedRequest,
            (0x78, Some(der::ENUMERATED)) => Self::ExtendedResponse,
            // Its name and its value, of which either may be missing.
            (0x79, None | Some(0x80 | 0x81)) => Self::OtherResponse("intermediate"),
            // These are no sequences: a name, a message number, nothing.
            (0x4a, _) => Self::OtherRequest("delete"),
            (0x50, _) => Self::OtherRequest("abandon"),
            (0x42, None) => Self::OtherRequest("unbind"),
            _ => return None,
        })
    }
}

/// Reads the beginning of a message: none where more bytes are needed, an error where it is none.
pub fn head(message: Cursor<'_>) -> Result<Option<Head>, &'static str> {
    let incomplete = || if message.len() < HEAD_BYTES_MAX { Ok(None) } else { Err("ldap_message") };
    if message.peek().is_some_and(|tag| tag != der::SEQUENCE) {
        return Err("ldap_message");
    }
    let mut ahead = message;
    let Some((_, contents_len)) = der::header(&mut ahead) else { return incomplete() };
    let len = message.len().saturating_sub(ahead.len()).saturating_add(contents_len);
    if ahead.peek().is_some_and(|tag| tag != der::INTEGER) {
        return Err("ldap_message");
    }
    let Some((_, number)) = der::value(&mut ahead) else { return incomplete() };
    if der::number(number).is_none_or(|number| number > 0x7fff_ffff) {
        return Err("ldap_message");
    }
    let Some((tag, operation_len)) = der::header(&mut ahead) else { return incomplete() };
    let read_len = message.len().saturating_sub(ahead.len());
    if read_len.saturating_add(operation_len) > len {
        return Err("ldap_message");
    }
    let member = if operation_len == 0 { None } else { ahead.peek() };
    if operation_len > 0 && member.is_none() {
        return incomplete();
    }
    Operation::of(tag, member).map(|operation| Some(Head { operation, len })).ok_or("ldap_message")
}

/// The operation's own members, out of a whole message.
pub fn members(mut message: Cursor<'_>) -> Option<Cursor<'_>> {
    let mut contents = der::tagged(&mut message, der::SEQUENCE)?;
    der::tagged(&mut contents, der::INTEGER)?;
    der::value(&mut contents).map(|(_, members)| members)
}

/// BindRequest (§4.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bind<'a> {
    pub name: Text,
    pub method: Method<'a>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Method<'a> {
    /// A ticket of Kerberos version 4 (RFC 1777 §4.1), which is passed over.
    Kerberos4,
    Sasl {
        mechanism: Text,
        token: &'a [u8],
    },
    /// Microsoft's own, an NTLM message in it ([MS-ADTS] §5.1.1.1.3).
    Sicily {
        token: &'a [u8],
    },
    /// A password, which is passed over.
    Simple {
        is_empty: bool,
    },
}

pub fn bind(mut members: Cursor<'_>) -> Option<Bind<'_>> {
    (1..=127).contains(&der::unsigned(&mut members)?).then_some(())?;
    let name = Text::from_utf8(der::tagged(&mut members, der::OCTET_STRING)?.rest());
    let (tag, mut contents) = der::value(&mut members)?;
    let method = match tag {
        0x80 => Method::Simple { is_empty: contents.is_empty() },
        0x81 | 0x82 => Method::Kerberos4,
        0xa3 => {
            let mechanism = Text::from_utf8(der::tagged(&mut contents, der::OCTET_STRING)?.rest());
            let token = der::tagged(&mut contents, der::OCTET_STRING).map_or(&[][..], |token| token.rest());
            Method::Sasl { mechanism, token }
        }
        0x89..=0x8b => Method::Sicily { token: contents.rest() },
        _ => return None,
    };
    Some(Bind { name, method })
}

/// The result code of an answer, and in that to a bind the server's token.
pub fn result(mut members: Cursor<'_>) -> Option<(u64, &[u8])> {
    let code = der::number(der::tagged(&mut members, der::ENUMERATED)?)?;
    // Where a name that matched should stand, the answer to Sicily has its token.
    let matched = der::tagged(&mut members, der::OCTET_STRING)?.rest();
    der::tagged(&mut members, der::OCTET_STRING)?; // diagnostic message
    while let Some((tag, contents)) = der::value(&mut members) {
        if tag == 0x87 {
            return Some((code, contents.rest()));
        }
    }
    Some((code, matched))
}

/// The entry that a search begins at (§4.5.1).
pub fn search_base(mut members: Cursor<'_>) -> Option<Text> {
    let base = Text::from_utf8(der::tagged(&mut members, der::OCTET_STRING)?.rest());
    let scope = der::number(der::tagged(&mut members, der::ENUMERATED)?)?;
    let aliases = der::number(der::tagged(&mut members, der::ENUMERATED)?)?;
    der::tagged(&mut members, der::INTEGER)?; // size limit
    der::tagged(&mut members, der::INTEGER)?; // time limit
    der::tagged(&mut members, BOOLEAN)?;
    (scope <= 3 && aliases <= 3).then_some(base)
}

/// Whether an extended request asks for TLS (§4.14).
pub fn is_starttls(mut members: Cursor<'_>) -> bool {
    der::tagged(&mut members, 0x80).is_some_and(|name| name.rest() == STARTTLS)
}
