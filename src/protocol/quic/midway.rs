//! The datagrams of a connection whose first Initial packet was not seen in, whether they are QUIC's all the same out:
//! by headers whose lengths fill the datagram, or by the connection identifier that a client repeats.

use crate::facts::Sender;
use crate::protocol::Opening;
use crate::protocol::cursor::Cursor;
use crate::protocol::quic::google;
use crate::protocol::quic::version::Version;
use crate::protocol::quic::wire::{self, Packet};

/// The port of HTTP/3. On others a connection is known by its beginning alone.
const PORT: u16 = 443;
/// A header, a connection identifier of 8 bytes and a ciphertext (RFC 9001 §5.4.2).
const SHORT_BYTES_MIN: usize = 25;
/// So often a client repeats the identifier before it is one.
const REPETITIONS: u8 = 3;

/// Two highest bits of a first byte: the header's form and the bit that is fixed (RFC 9000 §17).
const FORM_AND_FIXED: u8 = 0xc0;
const SHORT: u8 = 0x40;
const NEITHER: u8 = 0x00;

/// So many datagrams of something else may come before the first that may be QUIC's (STUN, or the answer to a version
/// that was not seen).
const STRANGERS_MAX: u8 = 12;

/// Who sent a datagram, as far as it and the ports tell.
pub fn role(opening: &Opening<'_>) -> Sender {
    if let Some(Packet::Retry(_)) = wire::packet(&mut Cursor::new(opening.bytes)) {
        return Sender::Server;
    }
    let (own, other) = match opening.sender {
        Sender::Client => (opening.client_port, opening.server_port),
        Sender::Server => (opening.server_port, opening.client_port),
    };
    if own == PORT && other != PORT { Sender::Server } else { Sender::Client }
}

/// Whether a datagram may belong to a connection that began before.
pub fn may_be(opening: &Opening<'_>) -> bool {
    let is_short = opening.bytes.first().is_some_and(|first| first & FORM_AND_FIXED == SHORT);
    if google::client_version(opening.bytes).is_some() {
        return opening.on_port(PORT);
    }
    match is_short {
        true => opening.on_port(PORT) && opening.bytes.len() >= SHORT_BYTES_MIN,
        false => outline(opening.bytes, opening.missing).is_some(),
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judgement {
    Foreign,
    Quic,
    Undecided,
}

/// What the datagrams so far have shown.
#[derive(Debug, Default)]
pub struct Midway {
    /// The version of a datagram of long headers, or of one of Google's first versions.
    pub version: Option<Version>,
    /// What a client of those calls the connection.
    pub googles: Option<[u8; 8]>,
    repeated: Option<Repeated>,
    strangers: u8,
}

/// What stands where a client's short headers have the connection identifier.
#[derive(Debug)]
struct Repeated {
    identifier: [u8; 8],
    first: u8,
    /// The first byte is protected, so it changes from packet to packet.
    first_has_changed: bool,
    times: u8,
}

impl Midway {
    /// `missing` bytes are behind those of the datagram that were captured.
    pub fn on_datagram(&mut self, datagram: &[u8], missing: u32, sender: Sender) -> Judgement {
        let Some((&first, rest)) = datagram.split_first() else { return Judgement::Foreign };
        if let Some((identifier, version)) = google::client_version(datagram).filter(|_| sender == Sender::Client) {
            self.version.get_or_insert(version);
            self.googles.get_or_insert(identifier);
        }
        // What has named its version with lengths that fill a datagram is QUIC, whatever follows: the identifier changes, the
        // fixed bit may be cleared (RFC 9287), and others share the ports (RFC 9443).
        match (first & FORM_AND_FIXED, sender) {
            _ if self.version.is_some() => Judgement::Undecided,
            (NEITHER, _) => self.on_stranger(),
            (SHORT, Sender::Client) => self.on_short(first, rest),
            (SHORT, Sender::Server) => Judgement::Undecided,
            _ => match outline(datagram, missing) {
                Some(version) => {
                    self.version.get_or_insert(version);
                    Judgement::Undecided
                }
                None => self.on_stranger(),
            },
        }
    }

    fn on_stranger(&mut self) -> Judgement {
        self.strangers = self.strangers.saturating_add(1);
        if self.repeated.is_some() || self.strangers > STRANGERS_MAX {
            Judgement::Foreign
        } else {
            Judgement::Undecided
        }
    }

    fn on_short(&mut self, first: u8, rest: &[u8]) -> Judgement {
        if self.strangers > 0 {
            return Judgement::Foreign;
        }
        let Some(&identifier) = rest.first_chunk().filter(|_| rest.len() >= SHORT_BYTES_MIN.saturating_sub(1)) else {
            return Judgement::Foreign;
        };
        let repeated = self.repeated.get_or_insert(Repeated { identifier, first, first_has_changed: false, times: 0 });
        if repeated.identifier != identifier {
            return Judgement::Foreign;
        }
        repeated.times = repeated.times.saturating_add(1);
        repeated.first_has_changed |= repeated.first != first;
        match repeated.first_has_changed && repeated.times >= REPETITIONS {
            true => Judgement::Quic,
            false => Judgement::Undecided,
        }
    }
}

/// The version of a datagram that its packets fill to the end, or to a short header or padding behind them.
fn outline(bytes: &[u8], missing: u32) -> Option<Version> {
    let is_known = |version: &Version| version.is_readable() && !version.is_reserved();
    if let Some(version) = google::long_header_version(bytes) {
        return Some(version);
    }
    if missing > 0 {
        return wire::version_of_cut(bytes, missing).filter(is_known);
    }
    let mut datagram = Cursor::new(bytes);
    let mut version = None;
    let mut ahead = datagram;
    while let Some(packet) = wire::packet(&mut ahead) {
        datagram = ahead;
        match packet {
            Packet::Initial(initial) => version = Some(initial.header.version),
            Packet::Protected(header) | Packet::Retry(header) => version = version.or(Some(header.version)),
            Packet::Unknown(_) | Packet::VersionNegotiation { .. } => return None,
        }
    }
    let ends_well = datagram.peek().is_none_or(|next| next == 0 || next & FORM_AND_FIXED == SHORT);
    version.filter(|version| ends_well && is_known(version))
}
