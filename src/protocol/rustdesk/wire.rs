//! Bytes in, RustDesk's messages out: one fills a datagram; on a stream each stands behind its length.
//!
//! ```text
//! stream: length << 2 | (its own size − 1), little-endian, 1 to 4 bytes | message
//! message: one field of a union, whose number tells which; its value is a message
//! ```
//!
//! From the project's published `rendezvous.proto` and `message.proto`, its framing and its form of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::facts::Sender;
use crate::net::{Mac, Text};
use crate::protocol::cursor::Cursor;
use crate::protocol::protobuf::{self, Value};

/// The longest message on a stream that is read.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Which message it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Form {
    /// Its number in the union.
    number: u32,
    pub(super) name: &'static str,
    /// Who sends it, towards a rendezvous server or between machines; none where both do.
    pub(super) sender: Option<Sender>,
    /// The field with the id of a machine; 0 where there is none.
    id: u32,
    /// The field with the address of the other machine; 0 where there is none.
    peer: u32,
    /// Two machines are being brought together.
    pub(super) is_meeting: bool,
}

const KEY_EXCHANGE: u32 = 25;
const PEER_DISCOVERY: u32 = 22;
const PUBLIC_KEY: u32 = 4;
const REQUEST_RELAY: u32 = 18;
const SIGNED_ID: u32 = 3;

const FORMS: &[Form] = &[
    // Between the machines themselves.
    form(SIGNED_ID, "signed_id", Some(Sender::Server), 0, 0, true),
    form(PUBLIC_KEY, "public_key", Some(Sender::Client), 0, 0, true),
    // With the rendezvous server.
    form(6, "register_peer", Some(Sender::Client), 1, 0, false),
    form(7, "register_peer_response", Some(Sender::Server), 0, 0, false),
    form(8, "punch_hole_request", Some(Sender::Client), 1, 0, true),
    form(9, "punch_hole", Some(Sender::Server), 0, 1, true),
    form(10, "punch_hole_sent", Some(Sender::Client), 2, 1, true),
    form(11, "punch_hole_response", Some(Sender::Server), 0, 1, true),
    form(12, "fetch_local_addr", Some(Sender::Server), 0, 1, true),
    form(13, "local_addr", Some(Sender::Client), 4, 1, true),
    form(14, "configure_update", Some(Sender::Server), 0, 0, false),
    form(15, "register_pk", Some(Sender::Client), 1, 0, false),
    form(16, "register_pk_response", Some(Sender::Server), 0, 0, false),
    form(REQUEST_RELAY, "request_relay", None, 1, 3, true),
    form(19, "relay_response", None, 4, 1, true),
    form(20, "test_nat_request", Some(Sender::Client), 0, 0, false),
    form(21, "test_nat_response", Some(Sender::Server), 0, 0, false),
    form(PEER_DISCOVERY, "peer_discovery", None, 3, 0, false),
    form(23, "online_request", Some(Sender::Client), 1, 0, false),
    form(24, "online_response", Some(Sender::Server), 0, 0, false),
    form(KEY_EXCHANGE, "key_exchange", None, 0, 0, false),
];

const fn form(number: u32, name: &'static str, sender: Option<Sender>, id: u32, peer: u32, is_meeting: bool) -> Form {
    Form { number, name, sender, id, peer, is_meeting }
}

/// A message, without keys, tokens and tickets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Message {
    pub(super) form: &'static Form,
    pub(super) id: Option<Text>,
    pub(super) peer: Option<(IpAddr, u16)>,
    pub(super) host: Option<Host>,
    /// What stands in it is RustDesk's alone.
    pub(super) is_proof: bool,
}

/// What a machine answers to who looks for others on its network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Host {
    pub(super) name: Option<Text>,
    pub(super) user: Option<Text>,
    pub(super) mac: Option<Mac>,
}

impl Message {
    /// Reads a message that fills `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (number, Value::Bytes(body)) = protobuf::Message::parse(bytes)?.single()? else { return None };
        let form = FORMS.iter().find(|form| form.number == number)?;
        let fields = protobuf::Message::parse(body)?;
        let id = fields.bytes(form.id).and_then(id);
        if form.id != 0 && id.is_none() && fields.bytes(form.id).is_some_and(|id| !id.is_empty()) {
            return None;
        }
        let peer = fields.bytes(form.peer).and_then(address);
        let is_proof = match number {
            SIGNED_ID => return (fields.bytes(1)?.len() >= SIGNATURE_BYTES).then(|| Self::of(form)),
            PUBLIC_KEY => is_key_pair([fields.bytes(1)?, fields.bytes(2)?].into_iter()),
            KEY_EXCHANGE => is_key_pair(fields.all_bytes(1)) || fields.bytes(1)?.len() == SIGNED_KEY_BYTES,
            PEER_DISCOVERY => matches!(fields.bytes(1)?, b"ping" | b"pong"),
            REQUEST_RELAY => fields.bytes(2).is_some_and(is_uuid),
            _ => id.is_some(),
        };
        let host = (number == PEER_DISCOVERY && id.is_some()).then(|| host(&fields));
        Some(Self { form, id, peer, host, is_proof })
    }

    const fn of(form: &'static Form) -> Self {
        Self { form, id: None, peer: None, host: None, is_proof: false }
    }
}

/// Ed25519's, before what it signs.
const SIGNATURE_BYTES: usize = 64;
/// A signature and the Curve25519 key that it signs.
const SIGNED_KEY_BYTES: usize = SIGNATURE_BYTES + 32;

/// A Curve25519 key, and the key of the session sealed for it.
fn is_key_pair<'a>(keys: impl Iterator<Item = &'a [u8]>) -> bool {
    keys.map(<[u8]>::len).eq([32, 48])
}

/// The first message of a stream.
pub(super) enum Framed<'a> {
    Message {
        message: &'a [u8],
        consumed: usize,
    },
    /// What is there so far can begin one.
    Wanting,
    Other,
}

pub(super) fn framed(bytes: &[u8]) -> Framed<'_> {
    let mut cursor = Cursor::new(bytes);
    let Some(len) = length(&mut cursor) else {
        return if bytes.len() < 4 { Framed::Wanting } else { Framed::Other };
    };
    if !(2..=MESSAGE_BYTES_MAX).contains(&len) || !may_open(cursor, len) {
        return Framed::Other;
    }
    match cursor.take(len) {
        Some(message) => Framed::Message { message, consumed: bytes.len().saturating_sub(cursor.len()) },
        None => Framed::Wanting,
    }
}

/// The length before a message: the low two bits of its first byte say how many bytes more it has.
fn length(cursor: &mut Cursor<'_>) -> Option<usize> {
    let size = cursor.peek()? & 3;
    let mut number = 0_u32;
    for shift in (0..=u32::from(size)).map(|byte| byte.wrapping_mul(8)) {
        number |= u32::from(cursor.u8()?).wrapping_shl(shift);
    }
    usize::try_from(number.wrapping_shr(2)).ok()
}

/// Whether what is there of a message of `len` bytes begins with a field of the union that fills it.
fn may_open(mut cursor: Cursor<'_>, len: usize) -> bool {
    let before = cursor.len();
    let Some((number, written)) = protobuf::tag(&mut cursor) else { return before < 2 };
    if written != 2 || !FORMS.iter().any(|form| form.number == number) {
        return false;
    }
    let Some(body) = protobuf::varint(&mut cursor) else { return cursor.len() < 2 };
    let head = before.saturating_sub(cursor.len());
    usize::try_from(body).is_ok_and(|body| head.checked_add(body) == Some(len))
}

/// The id of a machine: a number, or a name of the user's choice.
fn id(bytes: &[u8]) -> Option<Text> {
    let is_word = bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    (is_word && (6..=16).contains(&bytes.len())).then(|| Text::from_latin1(bytes))
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36 && bytes.iter().all(|&byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// A socket's address, blurred with the low bits of a time so that no router rewrites it:
/// `(address + time) << 49 | time << 17 | port + (time & 0xffff)`, little-endian without the zeros at the end. An IPv6
/// address goes on in a second number, and a version closes it.
fn address(bytes: &[u8]) -> Option<(IpAddr, u16)> {
    const LOW: usize = 16;
    let (low, high) = match bytes.len() {
        0 | LOW => return None,
        ..LOW => (padded(bytes)?, None),
        _ => {
            let (low, rest) = bytes.split_at_checked(LOW)?;
            let (1, high) = rest.split_last()? else { return None };
            (padded(low)?, Some(padded(high)?))
        }
    };
    let time = low.wrapping_shr(17) & u128::from(u32::MAX);
    let port = (low & 0x1_ffff).checked_sub(time & 0xffff)?;
    let port = u16::try_from(port).ok().filter(|&port| port != 0)?;
    let ip = low.wrapping_shr(49).checked_sub(time)?;
    let ip = match high {
        None => IpAddr::from(Ipv4Addr::from(u32::try_from(ip).ok()?.to_le_bytes())),
        Some(high) => IpAddr::from(Ipv6Addr::from(high.checked_sub(time)?.wrapping_shl(78) | ip)),
    };
    Some((ip, port)).filter(|_| !ip.is_unspecified())
}

fn padded(bytes: &[u8]) -> Option<u128> {
    let mut number = [0; 16];
    number.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u128::from_le_bytes(number))
}

fn host(fields: &protobuf::Message<'_>) -> Host {
    let text = |number| fields.bytes(number).filter(|value| !value.is_empty()).map(Text::from_utf8);
    Host { name: text(5), user: text(4), mac: fields.bytes(2).and_then(mac) }
}

/// `3c:22:fb:00:00:01`.
fn mac(text: &[u8]) -> Option<Mac> {
    let mut bytes = [0; 6];
    let mut groups = std::str::from_utf8(text).ok()?.split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(groups.next()?, 16).ok()?;
    }
    groups.next().is_none().then_some(Mac(bytes)).filter(|mac| mac.is_a_machine())
}
