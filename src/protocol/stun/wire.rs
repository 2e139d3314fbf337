//! Bytes in, STUN messages and their attributes out (RFC 8489 §5, §14; RFC 8656 §18; classic STUN: RFC 3489 §11; its
//! relay of Microsoft's: MS-TURN §2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::facts::Sender;
use crate::net::Text;
use crate::protocol::cursor::Cursor;

const COOKIE: u32 = 0x2112_a442;
const HEADER_BYTES: usize = 20;
/// The most attributes of a message that are read.
const ATTRIBUTES_MAX: usize = 48;
/// The longest message on a stream.
const STREAM_BYTES_MAX: usize = 4 << 10;

const BINDING: u16 = 0x001;
const SHARED_SECRET: u16 = 0x002;

// Attribute types.
const MAPPED_ADDRESS: u16 = 0x0001;
const CHANGED_ADDRESS: u16 = 0x0005;
const CHANGE_REQUEST: u16 = 0x0003;
const RESPONSE_ADDRESS: u16 = 0x0002;
const SOURCE_ADDRESS: u16 = 0x0004;
const REFLECTED_FROM: u16 = 0x000b;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const XOR_RELAYED_ADDRESS: u16 = 0x0016;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const XOR_MAPPED_ADDRESS_2003: u16 = 0x8020;
const SOFTWARE: u16 = 0x8022;
/// From here on an attribute may be passed over by who does not know it (RFC 3489 §11.2).
const OPTIONAL: u16 = 0x8000;
// MS-TURN §2.2.2.
const DESTINATION_ADDRESS: u16 = 0x0011;
const REMOTE_ADDRESS: u16 = 0x0012;

/// What every message of MS-TURN without RFC 8489's cookie begins with behind its header (§2.2.2.9).
const MS_TURN_BEGINNING: [u8; 8] = [0x00, 0x0f, 0x00, 0x04, 0x72, 0xc6, 0x4b, 0xc6];

/// The two bits of a type that say what a message is for (RFC 8489 §5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    Error,
    Indication,
    Request,
    Success,
}

/// How messages follow each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// One fills a datagram.
    Datagram,
    /// By the lengths in their headers.
    Stream,
    /// Each behind its length (RFC 4571, as ICE has it over TCP: RFC 6544).
    Framed,
}

/// A message whose attributes fill it, or as far as they do where the cookie tells that it is one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    pub method: u16,
    pub class: Class,
    /// Of 96 bits, the classic one of 128 with the place of the cookie.
    pub transaction: [u8; 16],
    pub is_classic: bool,
    /// A classic one with the magic cookie of MS-TURN, which tells that it is one.
    pub is_ms_turn: bool,
    pub software: Option<Text>,
    /// The sender of the request as the server sees it: the outside of address translation.
    pub mapped: Option<(IpAddr, u16)>,
    /// The address that a relay (TURN) lends.
    pub relayed: Option<(IpAddr, u16)>,
    /// Whom a relay's client talks to.
    pub peer: Option<(IpAddr, u16)>,
}

impl Message {
    /// Reads a message and moves the cursor behind it; none as long as it has not come whole.
    pub fn read(cursor: &mut Cursor<'_>, framing: Framing) -> Result<Option<Self>, &'static str> {
        const MALFORMED: &str = "stun_header";
        let mut ahead = *cursor;
        if framing == Framing::Framed {
            match (ahead.u16(), ahead.len()) {
                (Some(len), 4..) if usize::from(len) == body_bytes(ahead).saturating_add(HEADER_BYTES) => {}
                (_, 4..) => return Err(MALFORMED),
                _ => return Ok(None),
            }
        }
        let kind = ahead.u16();
        if kind.is_some_and(|kind| kind & 0xc000 != 0) {
            return Err(MALFORMED);
        }
        let len = ahead.u16().map(usize::from);
        let has_room = len.is_none_or(|len| len <= STREAM_BYTES_MAX || framing == Framing::Datagram);
        let has_cookie =
            len.is_none() || COOKIE.to_be_bytes().starts_with(ahead.rest().get(..4).unwrap_or(ahead.rest()));
        if !has_room || !(has_cookie || framing == Framing::Datagram) {
            return Err(MALFORMED);
        }
        let (Some(kind), Some(len), Some(transaction)) = (kind, len, ahead.array()) else { return Ok(None) };
        let Some(body) = ahead.take(len) else { return Ok(None) };
        if framing == Framing::Datagram && !ahead.is_empty() {
            return Err(MALFORMED);
        }
        let mut message = Self::new(kind, transaction);
        message.is_ms_turn =
            message.is_classic && matches!(message.method, 0x003..=0x006) && body.starts_with(&MS_TURN_BEGINNING);
        let header = message.clone();
        let walked = message.walk(body, 4) || message.walk(body, 1);
        if !walked && message.is_told_by_cookie() {
            message = header;
            message.walk(body, 4);
        } else if !walked || (message.is_classic && !message.is_ms_turn && !is_classic(&message, body)) {
            return Err("stun_attributes");
        }
        *cursor = ahead;
        Ok(Some(message))
    }

    /// The cookie, the length and a method that there is are enough in a message with attributes (RFC 8489 §6.3).
    const fn is_told_by_cookie(&self) -> bool {
        !self.is_classic && self.method_name().is_some()
    }

    fn new(kind: u16, transaction: [u8; 16]) -> Self {
        let class = match kind & 0x0110 {
            0x0000 => Class::Request,
            0x0010 => Class::Indication,
            0x0100 => Class::Success,
            _ => Class::Error,
        };
        Self {
            method: (kind & 0x000f) | (kind & 0x00e0).wrapping_shr(1) | (kind & 0x3e00).wrapping_shr(2),
            class,
            transaction,
            is_classic: !transaction.starts_with(&COOKIE.to_be_bytes()),
            is_ms_turn: false,
            software: None,
            mapped: None,
            relayed: None,
            peer: None,
        }
    }

    /// Who says it: a request or an indication is the client's but for what a relay passes on.
    pub const fn sender(&self) -> Sender {
        match self.class {
            // Data and ConnectionAttempt come from the relay (RFC 8656 §11.5, RFC 6062 §4.3).
            Class::Indication if matches!(self.method, 0x007 | 0x00c) => Sender::Server,
            Class::Indication | Class::Request => Sender::Client,
            Class::Error | Class::Success => Sender::Server,
        }
    }

    /// The method's name (RFC 8489 §18.2, RFC 8656 §17, RFC 6062 §6.1; MS-TURN §2.2.1), if it is a registered one.
    pub const fn method_name(&self) -> Option<&'static str> {
        let name = match self.method {
            0x004 if self.is_ms_turn => "send",
            0x005 if self.is_ms_turn => "data",
            0x006 if self.is_ms_turn => "set_active_destination",
            BINDING => "binding",
            SHARED_SECRET => "shared_secret",
            0x003 => "allocate",
            0x004 => "refresh",
            0x006 => "send",
            0x007 => "data",
            0x008 => "create_permission",
            0x009 => "channel_bind",
            0x00a => "connect",
            0x00b => "connection_bind",
            0x00c => "connection_attempt",
            _ => return None,
        };
        Some(name)
    }

    /// Reads the attributes as far as they are sound, and says whether they fill the body. Each begins at a multiple of `alignment`, but for what
    /// padding the last one should have and some programs leave away; Microsoft's have none at all (MS-TURN §2.2.2).
    fn walk(&mut self, body: &[u8], alignment: usize) -> bool {
        let mut rest = Cursor::new(body);
        for _ in 0..ATTRIBUTES_MAX {
            if rest.is_empty() {
                return true;
            }
            let (Some(kind), Some(value)) = (rest.u16(), rest.vec16()) else { return false };
            self.attribute(kind, value.rest());
            let padding = alignment.wrapping_sub(value.len()) & alignment.saturating_sub(1);
            rest.skip(padding.min(rest.len()));
        }
        rest.is_empty()
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let transaction = self.transaction;
        match kind {
            SOFTWARE => self.software = Some(software(value)).filter(|software| !software.is_empty()),
            // The address that the relay lends (MS-TURN §2.2.2.1).
            MAPPED_ADDRESS if self.is_ms_turn => self.relayed = address(value),
            DESTINATION_ADDRESS | REMOTE_ADDRESS if self.is_ms_turn => self.peer = address(value),
            MAPPED_ADDRESS if self.mapped.is_none() => self.mapped = address(value),
            XOR_MAPPED_ADDRESS | XOR_MAPPED_ADDRESS_2003 => self.mapped = hidden_address(value, transaction),
            XOR_RELAYED_ADDRESS => self.relayed = hidden_address(value, transaction),
            XOR_PEER_ADDRESS => self.peer = hidden_address(value, transaction),
            _ => {}
        }
    }
}

/// What the header of a framed message says of its body.
fn body_bytes(mut header: Cursor<'_>) -> usize {
    header.u16();
    header.u16().map_or(usize::MAX, usize::from)
}

/// Without a cookie only the exact shape counts: methods and attributes of RFC 3489, at least one but in a request for a
/// binding (§9.3), and addresses that are addresses.
fn is_classic(message: &Message, body: &[u8]) -> bool {
    let mut rest = Cursor::new(body);
    while let (Some(kind), Some(value)) = (rest.u16(), rest.vec16()) {
        let is_sound = match kind {
            MAPPED_ADDRESS | RESPONSE_ADDRESS | SOURCE_ADDRESS | CHANGED_ADDRESS | REFLECTED_FROM => {
                value.len() == 8 && address(value.rest()).is_some()
            }
            CHANGE_REQUEST => matches!(value.rest(), [0, 0, 0, flags] if flags & !0x06 == 0),
            // User name, password, integrity, error, unknown attributes.
            0x0006..=0x000a | OPTIONAL.. => value.len() % 4 == 0,
            _ => false,
        };
        if !is_sound {
            return false;
        }
    }
    let may_be_empty = message.method == BINDING && message.class == Class::Request;
    (may_be_empty || !body.is_empty())
        && matches!(message.method, BINDING | SHARED_SECRET)
        && message.class != Class::Indication
}

fn software(value: &[u8]) -> Text {
    Text::from_utf8(value.split(|&byte| byte == 0).next().unwrap_or_default())
}

fn address(value: &[u8]) -> Option<(IpAddr, u16)> {
    let mut value = Cursor::new(value);
    value.u8().filter(|&zero| zero == 0)?;
    let (family, port) = (value.u8()?, value.u16()?);
    let ip = match family {
        0x01 => Ipv4Addr::from(value.array::<4>()?).into(),
        0x02 => Ipv6Addr::from(value.array::<16>()?).into(),
        _ => return None,
    };
    value.is_empty().then_some((ip, port))
}

/// An address under the cookie and the transaction, which hide it from translators (RFC 8489 §14.2).
fn hidden_address(value: &[u8], mask: [u8; 16]) -> Option<(IpAddr, u16)> {
    let (ip, port) = address(value)?;
    let [high, low, ..] = mask;
    let ip = match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d, ..] = mask;
            (ip.to_bits() ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes().into()
        }
        IpAddr::V6(ip) => (ip.to_bits() ^ u128::from_be_bytes(mask)).to_be_bytes().into(),
    };
    Some((ip, port ^ u16::from_be_bytes([high, low])))
}
