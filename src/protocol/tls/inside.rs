//! The records behind a handshake in, whether they carry a second handshake out: TLS in TLS, as HTTPS proxies, Trojan,
//! VLESS and stunnel carry it.
//!
//! A record adds as much to whatever it carries (RFC 8446 §5.2, RFC 5288 §3, RFC 7905 §2), so the length of that is no
//! secret. In a handshake the client answers the server's flight by a message of a length that its ciphers alone decide: its
//! Finished, with ChangeCipherSpec and, up to TLS 1.2, its keys before it. That such handshakes show through TLS was measured
//! by Xue et al. ("Fingerprinting Obfuscated Proxy Traffic with Encapsulated TLS Handshakes", USENIX Security 2024), whose
//! statistics of bursts are not used here.

use std::ops::RangeInclusive;

use arrayvec::ArrayVec;
use tls_parser::{TlsCipherEncMode, TlsCipherSuite};

use crate::facts::{Sender, Shape};
use crate::protocol::cursor::Cursor;
use crate::protocol::tls::wire::{Record, content, is_1_3, is_record_version};

/// What a record adds to what it carries: the content type and the tag in TLS 1.3, before that an explicit nonce and the
/// tag, or the tag alone.
const OVERHEAD_1_3: u32 = 17;
const OVERHEAD_GCM: u32 = 24;
const OVERHEAD_CHACHA: u32 = 16;
const HEADER_BYTES: u32 = 5;
const CHANGE_CIPHER_SPEC_BYTES: u32 = HEADER_BYTES + 1;
/// A message of a handshake has a header of four, and Finished a digest in it: 12 bytes, in TLS 1.3 as long as the hash.
const FINISHED_1_3_BYTES: [u32; 2] = [4 + 32, 4 + 48];
const FINISHED_BYTES: u32 = 4 + 12;
/// The client's answer to the flight of TLS 1.3 (RFC 8446 §4.4.4, §D.4).
const ANSWERS_1_3: [u32; 2] = [
    CHANGE_CIPHER_SPEC_BYTES + HEADER_BYTES + OVERHEAD_1_3 + FINISHED_1_3_BYTES[0],
    CHANGE_CIPHER_SPEC_BYTES + HEADER_BYTES + OVERHEAD_1_3 + FINISHED_1_3_BYTES[1],
];
/// ChangeCipherSpec and Finished of TLS 1.2 (RFC 5246 §7.1, §7.4.9).
const CHANGES_1_2: [u32; 2] = [
    CHANGE_CIPHER_SPEC_BYTES + HEADER_BYTES + OVERHEAD_GCM + FINISHED_BYTES,
    CHANGE_CIPHER_SPEC_BYTES + HEADER_BYTES + OVERHEAD_CHACHA + FINISHED_BYTES,
];
/// The ClientKeyExchange before them: a point of X25519 or P-256 (RFC 8422 §5.7).
const KEYS_1_2: [u32; 2] = [HEADER_BYTES + 5 + 32, HEADER_BYTES + 5 + 65];

/// Fewer bytes are no record that carries something encrypted. HTTP/2 acknowledges settings by 9 (RFC 9113 §6.5).
const PIECE_BYTES_MIN: u32 = HEADER_BYTES + OVERHEAD_1_3;
/// What lies behind so many bytes may be the end of what a proxy read at once.
const WHOLE_READ_BYTES_MIN: u32 = 1024;
/// A ClientHello, with a proxy's request before it.
const HELLO_BYTES_MIN: u32 = 200;
const HELLO_TURN_BYTES_MAX: u32 = 4096;
const HELLO_TURN_RECORDS_MAX: u8 = 4;
/// The server's flight with its certificates, which begins with a record as large; a WebSocket's answer is smaller.
const FLIGHT_BYTES_MIN: u32 = 700;
const FLIGHT_BYTES_MAX: u32 = 16 << 10;
/// The same where an earlier session goes on: a ServerHello, ChangeCipherSpec and Finished, in TLS 1.3 with extensions between.
const RESUMED_FLIGHT_1_3_BYTES: RangeInclusive<u32> = 210..=290;
const RESUMED_FLIGHT_1_2_BYTES: RangeInclusive<u32> = 130..=175;
/// The outer server's tickets may come before it (RFC 8446 §4.6.1): two of one length, or one that holds no state.
const STATELESS_TICKET_BYTES_MAX: u32 = 100;
/// The server's ChangeCipherSpec and Finished, with a ticket before them or settings behind them.
const LAST_FLIGHT_BYTES: RangeInclusive<u32> = CHANGES_1_2[1]..=400;
/// With what a client goes on: the shortest request of HTTP, or the preface of HTTP/2, in a record.
const NEXT_BYTES_MIN: u32 = HEADER_BYTES + OVERHEAD_1_3 + 30;
/// A proxy is asked, and perhaps a second time, before the ClientHello.
const TURNS_MAX: u8 = 3;
const RECORDS_MAX: u8 = 40;

/// Watches the records of a connection whose handshake was read.
#[derive(Debug)]
pub(super) struct Inside {
    overhead: u32,
    /// The bytes of the present record of each side that have not come.
    client_rest: usize,
    server_rest: usize,
    /// In TLS 1.3 the client's Finished looks like data, and what the server says before it is its handshake.
    is_finished: bool,
    records: u8,
    turns: u8,
    last: Option<Sender>,
    asked: Turn,
    answered: Turn,
    found: Option<Found>,
}

/// What a side said until the other one spoke.
#[derive(Debug, Default)]
struct Turn {
    bytes: u32,
    records: u8,
    longest: u32,
    first: ArrayVec<u32, 3>,
}

/// The client's last message of an inner handshake, and what lies around it.
#[derive(Clone, Copy, Debug)]
struct Found {
    answer: Answer,
    framing: Framing,
}

/// What a proxy's client puts around each piece.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Bare,
    /// A masked frame (RFC 6455 §5.2).
    WebSocket,
    /// A length and a tag; Xray and V2Ray put noise behind them, too, which hides what they carry.
    VMess,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    Tls13,
    Tls12,
    Tls12Resumed,
}

pub(super) enum Verdict {
    /// The bytes are used up but for the beginning of a header.
    More,
    /// It carries no handshake, or none that shows.
    No,
    Found(Shape),
}

impl Inside {
    /// What to watch a connection of this version and cipher by; none where its records hide how much they carry.
    pub(super) fn of(version: u16, cipher: u16) -> Option<Self> {
        let overhead = overhead(version, cipher)?;
        Some(Self {
            overhead,
            client_rest: 0,
            server_rest: 0,
            is_finished: overhead != OVERHEAD_1_3,
            records: 0,
            turns: 0,
            last: None,
            asked: Turn::default(),
            answered: Turn::default(),
            found: None,
        })
    }

    /// Takes the bytes of a side behind its part of the handshake, whose records are not kept.
    pub(super) fn on_bytes(&mut self, sender: Sender, cursor: &mut Cursor<'_>) -> Verdict {
        loop {
            let rest = match sender {
                Sender::Client => &mut self.client_rest,
                Sender::Server => &mut self.server_rest,
            };
            let skipped = (*rest).min(cursor.len());
            cursor.skip(skipped);
            *rest = rest.saturating_sub(skipped);
            let mut ahead = *cursor;
            let (Some(kind), Some(version), Some(len)) = (ahead.u8(), ahead.u16(), ahead.u16()) else {
                return Verdict::More;
            };
            *cursor = ahead;
            *rest = usize::from(len);
            self.records = self.records.saturating_add(1);
            if *rest > Record::BODY_BYTES_MAX || !is_record_version(version) || self.records > RECORDS_MAX {
                return Verdict::No;
            }
            let verdict = match kind {
                content::APPLICATION_DATA => match u32::from(len).checked_sub(self.overhead) {
                    Some(len) => self.on_data(sender, len),
                    None => Verdict::No,
                },
                content::CHANGE_CIPHER_SPEC | content::HANDSHAKE => Verdict::More,
                _ => Verdict::No,
            };
            if !matches!(verdict, Verdict::More) {
                return verdict;
            }
        }
    }

    fn on_data(&mut self, sender: Sender, len: u32) -> Verdict {
        if !self.is_finished {
            let fits = match sender {
                Sender::Client => FINISHED_1_3_BYTES.contains(&len),
                Sender::Server => {
                    self.answered.add(len);
                    self.answered.bytes <= FLIGHT_BYTES_MAX
                }
            };
            self.is_finished = sender == Sender::Client;
            return if fits { Verdict::More } else { Verdict::No };
        }
        if let Some(found) = self.found {
            return found.confirm(sender, len);
        }
        let is_turn = self.last.replace(sender) != Some(sender);
        match sender {
            Sender::Client if is_turn && self.asked.may_end_with_hello() => {
                self.found = Found::of(len, &self.answered, self.turns);
                if self.found.is_some() {
                    return Verdict::More;
                }
            }
            _ => {}
        }
        let turn = match sender {
            Sender::Client => &mut self.asked,
            Sender::Server => &mut self.answered,
        };
        if is_turn {
            *turn = Turn::default();
            self.turns = self.turns.saturating_add(u8::from(sender == Sender::Client));
        }
        turn.add(len);
        let bytes_max = match sender {
            Sender::Client => HELLO_TURN_BYTES_MAX,
            Sender::Server => FLIGHT_BYTES_MAX,
        };
        let is_piece = len >= PIECE_BYTES_MIN || turn.bytes >= WHOLE_READ_BYTES_MIN;
        let fits = is_piece && turn.bytes <= bytes_max && self.turns <= TURNS_MAX;
        if fits { Verdict::More } else { Verdict::No }
    }
}

impl Turn {
    fn add(&mut self, len: u32) {
        self.bytes = self.bytes.saturating_add(len);
        self.records = self.records.saturating_add(1);
        self.longest = self.longest.max(len);
        // What comes behind the third does not matter.
        let _is_among_first = self.first.try_push(len);
    }

    fn may_end_with_hello(&self) -> bool {
        self.longest >= HELLO_BYTES_MIN && self.records <= HELLO_TURN_RECORDS_MAX
    }

    /// The bytes of a flight behind tickets; none where it does not begin with a record that is large for one.
    fn flight(&self) -> Option<u32> {
        let is_large = |len: &u32| *len >= self.longest.min(FLIGHT_BYTES_MIN);
        let tickets = match self.first[..] {
            [first, ..] if is_large(&first) => 0,
            [ticket, first, ..] if ticket < STATELESS_TICKET_BYTES_MAX && is_large(&first) => ticket,
            [one, other, first] if one == other && is_large(&first) => one.saturating_add(other),
            _ => return None,
        };
        Some(self.bytes.saturating_sub(tickets))
    }
}

impl Found {
    /// What the client's answer to a flight is by its length, so many turns after it began.
    fn of(len: u32, flight: &Turn, turns: u8) -> Option<Self> {
        // A WebSocket is asked for first, and VMess's request goes with the ClientHello.
        let framings = [Framing::Bare, if turns > 1 { Framing::WebSocket } else { Framing::VMess }];
        framings.into_iter().find_map(|framing| {
            let answer = Answer::of(framing.carried(len)?, flight)?;
            let fits = answer == Answer::Tls13 || !matches!(framing, Framing::VMess);
            fits.then_some(Self { answer, framing })
        })
    }

    /// Whether the next that is said fits: TLS 1.2's server changes its cipher, too; and where the handshake is over with
    /// it, the client goes on.
    fn confirm(self, sender: Sender, len: u32) -> Verdict {
        let fits = match (self.answer, sender) {
            (Answer::Tls13 | Answer::Tls12Resumed, Sender::Server) => return Verdict::More,
            (_, Sender::Client) => self.framing.carried(len).is_some_and(|len| len >= NEXT_BYTES_MIN),
            (Answer::Tls12, Sender::Server) => LAST_FLIGHT_BYTES.contains(&len),
        };
        match self.answer {
            _ if !fits => Verdict::No,
            Answer::Tls12 if sender == Sender::Client => Verdict::More,
            Answer::Tls12 | Answer::Tls12Resumed => Verdict::Found(Shape::Tls12InTls),
            Answer::Tls13 => Verdict::Found(Shape::Tls13InTls),
        }
    }
}

impl Framing {
    /// How much lies in a client's piece of this length.
    fn carried(self, len: u32) -> Option<u32> {
        match self {
            Self::Bare => Some(len),
            Self::WebSocket => {
                let short = len.checked_sub(2 + 4).filter(|short| *short < 126);
                short.or_else(|| len.checked_sub(2 + 2 + 4).filter(|long| *long >= 126))
            }
            Self::VMess => len.checked_sub(2 + 16),
        }
    }
}

impl Answer {
    fn of(len: u32, flight: &Turn) -> Option<Self> {
        let bytes = flight.flight()?;
        let has_keys = |len: u32| {
            KEYS_1_2.iter().any(|&keys| len.checked_sub(keys).is_some_and(|rest| CHANGES_1_2.contains(&rest)))
        };
        let is_whole = flight.longest >= FLIGHT_BYTES_MIN;
        let is_resumed = !is_whole && RESUMED_FLIGHT_1_3_BYTES.contains(&bytes);
        if (is_whole || is_resumed) && ANSWERS_1_3.contains(&len) {
            Some(Self::Tls13)
        } else if is_whole && has_keys(len) {
            Some(Self::Tls12)
        } else if RESUMED_FLIGHT_1_2_BYTES.contains(&bytes) && CHANGES_1_2.contains(&len) {
            Some(Self::Tls12Resumed)
        } else {
            None
        }
    }
}

/// What a record adds to what it carries. Those of block ciphers are padded.
fn overhead(version: u16, cipher: u16) -> Option<u32> {
    if is_1_3(version) {
        return Some(OVERHEAD_1_3);
    }
    let suite = TlsCipherSuite::from_id(cipher).filter(|_| version == 0x0303)?;
    match suite.enc_mode {
        TlsCipherEncMode::Gcm => Some(OVERHEAD_GCM),
        _ if suite.name.ends_with("CHACHA20_POLY1305_SHA256") => Some(OVERHEAD_CHACHA),
        _ => None,
    }
}
