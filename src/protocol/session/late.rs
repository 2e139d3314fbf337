//! The turns of a stream that nobody knows by its beginning in, whether TLS begins with one of them out: so do all the
//! protocols that ask for it first and whose asking is not read here (XMPP, NNTP, IRC, ManageSieve and many more).

use crate::facts::{Sender, Statement};
use crate::protocol::session::pending::Pending;
use crate::protocol::session::{Parsing, Roles, Session, State, Step};
use crate::protocol::tls::begins_with_client_hello as begins_with_tls;
use crate::protocol::{Chunk, Protocol, tls};
use crate::time::Timestamp;

/// A watch over the turns. What begins one is held back until it is known whether that is TLS, so that nobody else decides
/// by fewer bytes where the stream is cut among them.
#[derive(Default)]
pub(super) struct Late {
    /// Whose turn it is.
    sender: Option<Sender>,
    turn: Turn,
    turns: u8,
    bytes: usize,
}

/// What the client says in this turn, which is not the stream's first.
#[derive(Default)]
enum Turn {
    /// It, or the server's, begins with something else.
    #[default]
    Other,
    /// What there is of it, and since when.
    Undecided(Timestamp, Vec<u8>),
    Tls(Vec<u8>),
}

/// What of a turn is to be read now.
pub(super) enum Heard {
    Nothing,
    Chunk,
    /// All of the turn so far.
    Turn(Vec<u8>),
}

impl Late {
    /// The most turns that are looked at once nobody is left, and the most bytes in all of them.
    const TURNS_MAX: u8 = 12;
    const BYTES_MAX: usize = 8 << 10;
    /// The most bytes of a turn that are kept.
    const TURN_BYTES_MAX: usize = 32 << 10;

    pub(super) fn on_bytes(&mut self, chunk: Chunk<'_>) -> Heard {
        if self.sender != Some(chunk.sender) {
            self.sender = Some(chunk.sender);
            self.turns = self.turns.saturating_add(1);
            let is_later = chunk.sender == Sender::Client && self.turns > 1;
            self.turn = if is_later { Turn::Undecided(chunk.at, Vec::new()) } else { Turn::Other };
        }
        self.bytes = self.bytes.saturating_add(chunk.bytes.len());
        let (turn, heard) = match std::mem::take(&mut self.turn) {
            Turn::Undecided(_, said) if said.is_empty() && begins_with_tls(chunk.bytes) == Some(false) => {
                (Turn::Other, Heard::Chunk)
            }
            Turn::Undecided(since, mut said) => {
                said.extend_from_slice(chunk.bytes);
                match begins_with_tls(&said) {
                    None => (Turn::Undecided(since, said), Heard::Nothing),
                    Some(false) => (Turn::Other, Heard::Turn(said)),
                    Some(true) => (Turn::Tls(said.clone()), Heard::Turn(said)),
                }
            }
            Turn::Tls(mut said) if said.len() < Self::TURN_BYTES_MAX => {
                said.extend_from_slice(chunk.bytes);
                (Turn::Tls(said), Heard::Chunk)
            }
            Turn::Tls(_) | Turn::Other => (Turn::Other, Heard::Chunk),
        };
        self.turn = turn;
        heard
    }

    /// Takes what was held back of a turn that has ended undecided, and since when.
    pub(super) fn take(&mut self) -> Option<(Timestamp, Vec<u8>)> {
        match std::mem::take(&mut self.turn) {
            Turn::Undecided(since, said) => Some((since, said)),
            other => {
                self.turn = other;
                None
            }
        }
    }

    pub(super) const fn is_tls(&self) -> bool {
        matches!(self.turn, Turn::Tls(_))
    }

    /// Takes what the client has said in this turn, if it begins with TLS.
    pub(super) fn tls(&mut self) -> Option<Vec<u8>> {
        match std::mem::take(&mut self.turn) {
            Turn::Tls(said) => Some(said),
            other => {
                self.turn = other;
                None
            }
        }
    }

    /// Bytes of the turn that are kept.
    pub(super) const fn buffered_bytes(&self) -> usize {
        match &self.turn {
            Turn::Undecided(_, said) | Turn::Tls(said) => said.len(),
            Turn::Other => 0,
        }
    }

    /// Whether so much was said that nothing more is looked for.
    pub(super) const fn is_over(&self) -> bool {
        let has_ended = self.turns > Self::TURNS_MAX || self.bytes > Self::BYTES_MAX;
        has_ended && matches!(self.turn, Turn::Other)
    }
}

impl Session {
    /// The client says no more in its turn: what was held back of it is read.
    pub(super) fn end_turn(&mut self, facts: &mut Vec<(Protocol, Statement)>) {
        if let Some((at, said)) = self.late.take() {
            self.read(Chunk { at, sender: Sender::Client, bytes: &said, missing: 0 }, facts);
        }
    }

    /// Nobody is left to claim the stream: what follows may be TLS still, where its beginning was seen.
    pub(super) fn give_up(&mut self) {
        self.finish();
        if !self.start.is_midway && self.protocol.is_none() && self.selection.spec(tls::PROTOCOL).is_some() {
            self.state = State::Unknown;
        }
    }

    /// Hands a stream over that nobody has claimed, where the client begins with TLS in this turn.
    pub(super) fn begin_tls(&mut self, chunk: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) -> bool {
        if !matches!(self.state, State::Probing(_) | State::Unknown) {
            return false;
        }
        let Some(said) = self.late.tls() else { return false };
        let Some(spec) = self.selection.spec(tls::PROTOCOL) else { return false };
        self.forget();
        self.roles = Roles::AsOpened;
        self.state = State::Parsing(Parsing {
            protocol: spec.protocol,
            bit: 0,
            parser: (spec.start)(&self.start),
            pending: Pending::default(),
            others: None,
        });
        if !matches!(self.feed(Chunk { bytes: &said, ..chunk }, facts), Step::Go) {
            self.finish();
        }
        true
    }
}
