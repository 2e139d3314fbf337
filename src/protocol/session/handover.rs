//! A flow that goes on in another protocol than it began with: because a parser says so, or because the server does.

use arrayvec::ArrayVec;

use crate::facts::{Sender, Statement};
use crate::net::Transport;
use crate::protocol::session::{Candidates, Parsing, Roles, Session, State, Step};
use crate::protocol::{Chunk, Probe, Protocol, ProtocolSpec};
use crate::time::Timestamp;

/// The first that a server says on a stream that its client's bytes have claimed: so few of them that a parser knows by
/// them whether they are its protocol's, and always as many, wherever the stream is cut.
#[derive(Default)]
pub(super) struct Answer {
    bytes: ArrayVec<u8, { Self::BYTES_MAX }>,
    /// There is none, or it was decided about.
    is_over: bool,
}

impl Answer {
    const BYTES_MAX: usize = 8;

    const fn room(&self) -> usize {
        self.bytes.remaining_capacity()
    }

    pub(super) fn is_awaited_of(&self, sender: Sender) -> bool {
        sender == Sender::Server && !self.is_over && !self.bytes.is_empty()
    }
}

impl Session {
    /// Takes what a side of a stream says. The first bytes of a server that answers a claimed one are taken by themselves.
    pub(super) fn take_answer(&mut self, chunk: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) {
        if chunk.sender == Sender::Client || chunk.bytes.is_empty() || self.answer.is_over {
            return self.take(chunk, facts);
        }
        let is_claimed = matches!(self.state, State::Parsing(Parsing { others: None, .. }));
        if !is_claimed || self.roles != Roles::AsOpened {
            self.answer.is_over = true;
            return self.take(chunk, facts);
        }
        let (first, rest) = chunk.bytes.split_at_checked(self.answer.room()).unwrap_or((chunk.bytes, &[]));
        let _fits = self.answer.bytes.try_extend_from_slice(first);
        self.take(Chunk { bytes: first, ..chunk }, facts);
        self.answer.is_over |= self.answer.room() == 0;
        self.take(Chunk { bytes: rest, ..chunk }, facts);
    }

    /// The server does not answer in the protocol that it was asked in: the others see what it says. The flow stays whose it
    /// was.
    pub(super) fn ask_about_answer(&mut self, at: Timestamp, facts: &mut Vec<(Protocol, Statement)>) {
        let State::Parsing(Parsing { bit, .. }) = self.state else { return };
        self.rejected |= bit;
        self.forget();
        self.answer.is_over = true;
        let bytes = std::mem::take(&mut self.answer.bytes);
        let candidates = Candidates { client: Some(0), server: None };
        self.probe(candidates, Chunk { at, sender: Sender::Server, bytes: &bytes, missing: 0 }, facts);
    }

    /// Datagrams of peers: whoever asked first need not be the client of what follows.
    fn turn_roles(&mut self, next: &ProtocolSpec, rest: &Chunk<'_>) {
        let opening = self.start_in_role().opening(self.roles.of(rest.sender), rest.bytes);
        if opening.transport == Transport::Udp && (next.probe)(&opening) == Probe::Reversed {
            self.roles = self.roles.turned();
        }
    }

    /// Hands the flow to another protocol, and what both sides sent and nobody consumed with it.
    pub(super) fn upgrade(&mut self, to: Protocol, rest: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) -> Step {
        let Some(next) = self.selection.spec(to) else {
            return Step::Stop;
        };
        self.turn_roles(next, &rest);
        let start = self.start_in_role();
        let State::Parsing(parsing) = &mut self.state else {
            return Step::Stop;
        };
        self.protocol.get_or_insert(parsing.protocol);
        (self.history, self.history_bytes) = (Vec::new(), 0);
        self.answer.is_over = true;
        parsing.others = None;
        parsing.protocol = to;
        parsing.parser = (next.start)(&start);
        let sender = rest.sender.other();
        let waiting = parsing.pending.take(self.roles.of(sender));
        parsing.pending.take(self.roles.of(rest.sender));
        for chunk in [Chunk { at: rest.at, sender, bytes: &waiting, missing: 0 }, rest] {
            if chunk.bytes.is_empty() {
                continue;
            }
            let step = self.feed(chunk, facts);
            if !matches!(step, Step::Go) {
                return Step::Stop;
            }
        }
        Step::Go
    }
}
