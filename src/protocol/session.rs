//! The bytes of one flow in, the facts of its protocols out: finds who can read the flow, and lets it.
//!
//! The first byte a side sends selects the candidates in one look-up. A candidate that matches is started and shown
//! everything since the beginning; until it has said its first fact it may still reject the flow, and the others are
//! asked. From then on the flow is its own, and the bytes it has read are forgotten.

use std::cell::Cell;

use crate::facts::{Sender, Shape, Statement};
use crate::net::Transport;
use crate::protocol::selection::{self, Selection, Set};
use crate::protocol::session::handover::Answer;
use crate::protocol::session::late::{Heard, Late};
use crate::protocol::session::midway::Midway;
use crate::protocol::session::pending::Pending;
use crate::protocol::session::proxy::Preamble;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start, shape};
use crate::time::Timestamp;

mod handover;
mod late;
mod midway;
mod pending;
mod proxy;

/// Whether the protocol's roles are those of the flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Roles {
    AsOpened,
    /// The flow's client speaks as the protocol's server: a reverse connection, or a capture that began amid the flow.
    Reversed,
}

impl Roles {
    const fn turned(self) -> Self {
        match self {
            Self::AsOpened => Self::Reversed,
            Self::Reversed => Self::AsOpened,
        }
    }

    const fn of(self, sender: Sender) -> Sender {
        match self {
            Self::AsOpened => sender,
            Self::Reversed => sender.other(),
        }
    }
}

thread_local! {
    /// What a parser says at one turn; empty between turns, and kept so that its memory is asked for once.
    static SAID: Cell<Vec<Statement>> = const { Cell::new(Vec::new()) };
}

/// One flow's way from unknown bytes to facts.
pub struct Session {
    selection: &'static Selection,
    start: Start,
    state: State,
    /// What was said before a protocol was sure of itself, in order of arrival.
    history: Vec<Said>,
    history_bytes: usize,
    /// The protocols that gave the flow up after they had begun with it: they are not asked again, or the same beginning
    /// would win them over for ever, and it would matter where a stream was cut.
    rejected: Set,
    midway: Midway,
    preamble: Preamble,
    answer: Answer,
    late: Late,
    protocol: Option<Protocol>,
    roles: Roles,
    /// What the beginning looks like, once nobody is left to claim it.
    shape: Option<Shape>,
}

/// A datagram, or what a side said on TCP until the other one spoke.
struct Said {
    at: Timestamp,
    sender: Sender,
    bytes: Vec<u8>,
    missing: u32,
}

impl Said {
    fn chunk(&self) -> Chunk<'_> {
        Chunk { at: self.at, sender: self.sender, bytes: &self.bytes, missing: self.missing }
    }
}

enum State {
    Probing(Candidates),
    Parsing(Parsing),
    /// Nobody knows how the stream began.
    Unknown,
    Done,
}

/// The protocols that still may be it: of what the client and the server sent.
#[derive(Clone, Copy)]
struct Candidates {
    client: Option<Set>,
    server: Option<Set>,
}

struct Parsing {
    protocol: Protocol,
    /// The protocol's bit in probing order.
    bit: Set,
    parser: Box<dyn Parser>,
    /// What a side sent and the parser has not consumed.
    pending: Pending,
    /// The candidates to go back to on a rejection; none once the flow is claimed or upgraded.
    others: Option<Candidates>,
}

enum Step {
    Go,
    Stop,
    Reject,
}

impl Session {
    /// The most bytes kept until a protocol is sure of itself.
    pub const HISTORY_BYTES_MAX: usize = 32 << 10;
    /// The most datagrams, or turns of a stream's sides, kept until then.
    pub const HISTORY_TURNS_MAX: usize = 12;
    /// The most bytes of a side that wait for a parser.
    pub const PENDING_BYTES_MAX: usize = 64 << 10;

    pub fn new(start: Start) -> Self {
        Self::among(selection::of_all(), start)
    }

    pub(super) fn among(selection: &'static Selection, start: Start) -> Self {
        Self {
            selection,
            start,
            state: State::Probing(Candidates { client: None, server: None }),
            history: Vec::new(),
            history_bytes: 0,
            rejected: 0,
            midway: Midway::default(),
            preamble: Preamble::default(),
            answer: Answer::default(),
            late: Late::default(),
            protocol: None,
            roles: Roles::AsOpened,
            shape: None,
        }
    }

    /// The protocol that claimed the flow first; one it was upgraded to does not change it.
    pub const fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// What the flow looks like where nothing can be read of it, or not any more.
    pub const fn shape(&self) -> Option<Shape> {
        match self.shape {
            Some(Shape::FullyEncrypted) if self.protocol.is_some() => None,
            shape => shape,
        }
    }

    pub const fn roles(&self) -> Roles {
        self.roles
    }

    /// Whether the session has nothing more to say, so that it can be dropped.
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// As of [`Parser::is_watching`].
    pub fn is_watching(&self) -> bool {
        matches!(&self.state, State::Parsing(parsing) if parsing.parser.is_watching())
    }

    /// Bytes that wait for a decision or for more.
    pub fn buffered_bytes(&self) -> usize {
        let undecided = self.history_bytes.saturating_add(self.late.buffered_bytes());
        let undecided = undecided.saturating_add(self.preamble.buffered_bytes());
        match &self.state {
            State::Parsing(parsing) => {
                undecided.saturating_add(parsing.pending.len()).saturating_add(parsing.parser.kept_bytes())
            }
            State::Probing(_) | State::Unknown | State::Done => undecided,
        }
    }

    /// Takes bytes of the flow's client or server, in order and each once (TCP), or one datagram (UDP).
    pub fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) {
        if !self.is_stream() {
            return self.take(chunk, facts);
        }
        if chunk.sender == Sender::Client && !self.preamble.is_over() {
            if let Some(bytes) = self.preamble.behind(chunk) {
                self.on_stream(Chunk { bytes: &bytes, ..chunk }, facts);
            }
            return;
        }
        self.on_stream(chunk, facts);
    }

    fn on_stream(&mut self, chunk: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) {
        if chunk.bytes.is_empty() {
            return;
        }
        if chunk.sender == Sender::Server {
            self.end_turn(facts);
        }
        if self.protocol.is_some() || self.start.is_midway {
            return self.read(chunk, facts);
        }
        match self.late.on_bytes(chunk) {
            Heard::Nothing => {}
            Heard::Chunk => self.read(chunk, facts),
            Heard::Turn(said) => self.read(Chunk { bytes: &said, ..chunk }, facts),
        }
    }

    /// Shows what is not held back to who reads the stream, and to TLS where nobody does.
    fn read(&mut self, chunk: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) {
        if self.begin_tls(chunk, facts) {
            return;
        }
        // What the limit falls into is cut there, so that the limit stands at one place of the stream.
        let room = Self::HISTORY_BYTES_MAX.saturating_sub(self.history_bytes);
        let (within, beyond) = chunk.bytes.split_at_checked(room).unwrap_or((chunk.bytes, &[]));
        self.take_answer(Chunk { bytes: within, ..chunk }, facts);
        self.take_answer(Chunk { bytes: beyond, ..chunk }, facts);
        self.begin_tls(chunk, facts);
        if self.protocol.is_some() {
            self.late = Late::default();
        }
        if matches!(self.state, State::Unknown) && self.late.is_over() {
            self.finish();
        }
    }

    fn take(&mut self, chunk: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) {
        if chunk.bytes.is_empty() {
            return;
        }
        if matches!(self.state, State::Probing(_)) && self.is_used_up(chunk.sender) {
            return self.pass_over(chunk.bytes.len());
        }
        if self.is_stream() && !self.has_room_for(&chunk) {
            self.decide();
        }
        match &self.state {
            State::Unknown | State::Done => {}
            State::Probing(candidates) => {
                let candidates = *candidates;
                self.probe(candidates, chunk, facts);
            }
            State::Parsing(parsing) => {
                let unclaimed = parsing.others.is_some();
                match self.feed(chunk, facts) {
                    Step::Go => {
                        if unclaimed && self.is_unclaimed() {
                            self.remember_or_decide(chunk);
                        }
                    }
                    Step::Stop => self.finish(),
                    Step::Reject => self.go_back(chunk, facts),
                }
            }
        }
    }

    /// The flow is over. Who began to read it and knows nothing leaves what there is of it to the others.
    pub fn on_end(&mut self, facts: &mut Vec<(Protocol, Statement)>) {
        if let Some((at, said)) = self.preamble.take() {
            self.on_stream(Chunk { at, sender: Sender::Client, bytes: &said, missing: 0 }, facts);
        }
        self.end_turn(facts);
        while let State::Parsing(parsing) = &mut self.state {
            let mut said = Vec::new();
            parsing.parser.on_end(&mut said);
            let protocol = parsing.protocol;
            if said.is_empty() && self.protocol.is_none() {
                self.ask_others(facts);
                continue;
            }
            self.protocol.get_or_insert(protocol);
            facts.extend(said.into_iter().map(|kind| (kind.carried().unwrap_or(protocol), kind)));
            break;
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.judge_shape();
        self.state = State::Done;
        self.forget();
    }

    fn judge_shape(&mut self) {
        if let State::Parsing(parsing) = &self.state {
            self.shape = parsing.parser.shape().or(self.shape);
        }
        if self.protocol.is_none() && self.is_stream() && !self.midway.is_behind_hole() {
            let opening = self.history.first().filter(|said| said.sender == Sender::Client);
            self.shape = self.shape.or(opening.and_then(|said| shape::of_opening(&said.bytes)));
        }
    }

    fn forget(&mut self) {
        self.history = Vec::new();
        self.history_bytes = 0;
    }

    fn remember(&mut self, chunk: Chunk<'_>) {
        self.history_bytes = self.history_bytes.saturating_add(chunk.bytes.len());
        let is_stream = self.is_stream();
        match self.history.last_mut().filter(|turn| is_stream && turn.sender == chunk.sender) {
            Some(turn) => turn.bytes.extend_from_slice(chunk.bytes),
            None => {
                let Chunk { at, sender, bytes, missing } = chunk;
                self.history.push(Said { at, sender, bytes: bytes.into(), missing });
            }
        }
    }

    /// Keeps `chunk` for a rejection to come, where the history has room for it.
    fn remember_or_decide(&mut self, chunk: Chunk<'_>) {
        if self.has_room_for(&chunk) { self.remember(chunk) } else { self.decide() }
    }

    /// So much was said that there is no way back any more: whoever reads the flow keeps it.
    fn decide(&mut self) {
        match &mut self.state {
            State::Probing(_) => self.finish(),
            State::Parsing(parsing) => {
                parsing.others = None;
                self.forget();
            }
            State::Unknown | State::Done => {}
        }
    }

    fn has_room_for(&self, chunk: &Chunk<'_>) -> bool {
        let goes_on = self.is_stream() && self.history.last().is_some_and(|turn| turn.sender == chunk.sender);
        self.history_bytes < Self::HISTORY_BYTES_MAX && (goes_on || self.history.len() < Self::HISTORY_TURNS_MAX)
    }

    fn is_stream(&self) -> bool {
        self.start.transport == Transport::Tcp
    }

    /// What `chunk`'s side has sent so far, `chunk` at the end. A datagram stands alone.
    fn opening(&self, chunk: &Chunk<'_>) -> Option<Vec<u8>> {
        let earlier = || self.history.iter().filter(|said| said.sender == chunk.sender);
        if !self.is_stream() || earlier().next().is_none() {
            return None;
        }
        let len = earlier().fold(chunk.bytes.len(), |len, said| len.saturating_add(said.bytes.len()));
        let mut joined = Vec::with_capacity(len);
        for said in earlier() {
            joined.extend_from_slice(&said.bytes);
        }
        joined.extend_from_slice(chunk.bytes);
        Some(joined)
    }

    fn probe(&mut self, mut candidates: Candidates, chunk: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) {
        let joined = self.opening(&chunk);
        let bytes = joined.as_deref().unwrap_or(chunk.bytes);
        let opening = Opening { missing: chunk.missing, ..self.start.opening(chunk.sender, bytes) };
        let of_datagram = !self.is_stream();
        let side = candidates.side(chunk.sender);
        let mut mask = match *side {
            Some(mask) if !of_datagram => mask,
            _ => self.selection.candidates(opening.transport, bytes),
        } & !self.rejected;
        for (bit, candidate) in self.selection.members(mask) {
            let roles = match (candidate.probe)(&opening) {
                Probe::More => continue,
                Probe::No => {
                    mask &= !bit;
                    continue;
                }
                Probe::Match => Roles::AsOpened,
                Probe::Reversed => Roles::Reversed,
            };
            mask &= !bit;
            // Who asked first stays the client, whatever the answer looks like.
            if self.protocol.is_some() && roles != self.roles {
                continue;
            }
            *candidates.side(chunk.sender) = Some(mask);
            match self.begin((bit, candidate), roles, candidates, chunk, facts) {
                Step::Go => return,
                Step::Stop => return self.finish(),
                Step::Reject if self.is_stream() && !self.start.is_midway => self.rejected |= bit,
                Step::Reject => {}
            }
        }
        *candidates.side(chunk.sender) = Some(mask);
        if mask == 0 && self.start.is_midway {
            self.begin_again(chunk.sender, candidates);
            // What it was joined to may have ended something, and it may begin something else.
            if joined.is_some() && matches!(self.state, State::Probing(_)) {
                self.take(chunk, facts);
            }
            return;
        }
        if !of_datagram && candidates.client == Some(0) && candidates.server == Some(0) {
            return self.give_up();
        }
        if !self.has_room_for(&chunk) {
            return self.finish();
        }
        self.remember(chunk);
        self.state = State::Probing(candidates);
    }

    /// Starts a candidate and shows it everything so far.
    fn begin(
        &mut self,
        (bit, candidate): (Set, &'static ProtocolSpec),
        roles: Roles,
        others: Candidates,
        chunk: Chunk<'_>,
        facts: &mut Vec<(Protocol, Statement)>,
    ) -> Step {
        self.roles = roles;
        let start = self.start_in_role();
        self.state = State::Parsing(Parsing {
            protocol: candidate.protocol,
            bit,
            parser: (candidate.start)(&start),
            pending: Pending::default(),
            others: Some(others),
        });
        let (history, history_bytes) = (std::mem::take(&mut self.history), std::mem::take(&mut self.history_bytes));
        let mut step = Step::Go;
        for said in &history {
            step = self.feed(said.chunk(), facts);
            if !matches!(step, Step::Go) {
                break;
            }
        }
        if matches!(step, Step::Go) {
            step = self.feed(chunk, facts);
        }
        if self.is_unclaimed() {
            (self.history, self.history_bytes) = (history, history_bytes);
            if matches!(step, Step::Go) {
                self.remember(chunk);
            }
        }
        step
    }

    /// Whether who reads the flow may still reject it.
    const fn is_unclaimed(&self) -> bool {
        matches!(&self.state, State::Parsing(Parsing { others: Some(_), .. }))
    }

    const fn start_in_role(&self) -> Start {
        match self.roles {
            Roles::AsOpened => self.start,
            Roles::Reversed => {
                Start { client_port: self.start.server_port, server_port: self.start.client_port, ..self.start }
            }
        }
    }

    /// The parser rejected the flow on a later chunk: the other candidates see the beginning again.
    fn go_back(&mut self, chunk: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) {
        if self.late.is_tls() {
            self.state = State::Unknown;
            self.begin_tls(chunk, facts);
            return;
        }
        if !self.has_room_for(&chunk) {
            return self.finish();
        }
        self.ask_others(facts);
        self.take(chunk, facts);
    }

    /// Shows the beginning to those that were not asked yet; there are none once the flow is claimed or too much was said.
    fn ask_others(&mut self, facts: &mut Vec<(Protocol, Statement)>) {
        let State::Parsing(Parsing { others: Some(others), bit, .. }) = std::mem::replace(&mut self.state, State::Done)
        else {
            return self.finish();
        };
        self.rejected |= bit;
        if self.protocol.is_none() {
            self.roles = Roles::AsOpened;
        }
        let history = std::mem::take(&mut self.history);
        self.history_bytes = 0;
        self.state = State::Probing(others);
        for said in &history {
            self.take(said.chunk(), facts);
        }
    }

    fn feed(&mut self, chunk: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) -> Step {
        let of_datagram = !self.is_stream();
        let State::Parsing(parsing) = &mut self.state else {
            return Step::Stop;
        };
        let sender = self.roles.of(chunk.sender);
        let mut pending = parsing.pending.take(sender);
        let bytes = if pending.is_empty() || of_datagram {
            chunk.bytes
        } else {
            pending.extend_from_slice(chunk.bytes);
            &pending
        };
        let mut said = SAID.take();
        let progress = parsing.parser.on_bytes(Chunk { sender, bytes, ..chunk }, &mut said);
        let protocol = parsing.protocol;
        if !said.is_empty() {
            self.protocol.get_or_insert(protocol);
            if parsing.others.take().is_some() {
                (self.history, self.history_bytes) = (Vec::new(), 0);
            }
            facts.extend(said.drain(..).map(|kind| (kind.carried().unwrap_or(protocol), kind)));
        }
        SAID.set(said);
        let claimed = parsing.others.is_none();
        match progress {
            Progress::Continue { .. } if of_datagram => Step::Go,
            Progress::Continue { consumed } => {
                if bytes.len().saturating_sub(consumed) > Self::PENDING_BYTES_MAX {
                    return Self::malformed(claimed, protocol, "buffer_limit", facts);
                }
                if pending.is_empty() {
                    pending.extend_from_slice(chunk.bytes.get(consumed..).unwrap_or_default());
                } else {
                    pending.drain(..consumed.min(pending.len()));
                }
                parsing.pending.keep(sender, pending);
                Step::Go
            }
            Progress::Done => Step::Stop,
            Progress::Malformed(reason) if claimed && self.answer.is_awaited_of(sender) => {
                facts.push((protocol, Statement::Malformed(reason)));
                self.ask_about_answer(chunk.at, facts);
                Step::Go
            }
            Progress::Malformed(reason) => Self::malformed(claimed, protocol, reason, facts),
            Progress::Reject if claimed => Step::Stop,
            Progress::Reject => Step::Reject,
            Progress::Upgrade { to, consumed } => {
                let rest: Vec<u8> = bytes.get(consumed..).unwrap_or_default().into();
                self.upgrade(to, Chunk { bytes: &rest, ..chunk }, facts)
            }
        }
    }

    fn malformed(
        claimed: bool,
        protocol: Protocol,
        reason: &'static str,
        facts: &mut Vec<(Protocol, Statement)>,
    ) -> Step {
        if !claimed {
            return Step::Reject;
        }
        facts.push((protocol, Statement::Malformed(reason)));
        Step::Stop
    }
}

impl Candidates {
    const fn side(&mut self, sender: Sender) -> &mut Option<Set> {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }
}

#[cfg(test)]
mod tests;
