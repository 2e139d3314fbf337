//! A flow that goes on in another protocol than it began with: because a parser says so, or because the server does.

use crate::facts::Statement;
use crate::net::Transport;
use crate::protocol::session::{Candidates, Parsing, Session, State, Step};
use crate::protocol::{Chunk, Opening, Probe, Protocol, ProtocolSpec, Start};

impl Session {
    /// The server does not answer in the protocol that it was asked in: the others see what it says. The flow stays whose it
    /// was.
    pub(super) fn ask_about_answer(&mut self, answer: Chunk<'_>, facts: &mut Vec<(Protocol, Statement)>) {
        let State::Parsing(Parsing { bit, .. }) = self.state else { return };
        self.rejected |= bit;
        self.forget();
        let mut candidates = Candidates { client: Some(0), server: Some(0) };
        *candidates.side(answer.sender) = None;
        self.probe(candidates, answer, facts);
    }

    /// Datagrams of peers: whoever asked first need not be the client of what follows.
    fn turn_roles(&mut self, next: &ProtocolSpec, rest: &Chunk<'_>) {
        let start = self.start_in_role();
        let Start { transport, client_port, server_port, is_midway } = start;
        let (sender, bytes) = (self.roles.of(rest.sender), rest.bytes);
        let opening = Opening { transport, sender, client_port, server_port, is_midway, bytes };
        if transport == Transport::Udp && (next.probe)(&opening) == Probe::Reversed {
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
        parsing.others = None;
        parsing.is_answered = true;
        parsing.protocol = to;
        parsing.parser = (next.start)(&start);
        let sender = rest.sender.other();
        let waiting = parsing.pending.take(self.roles.of(sender));
        parsing.pending.take(self.roles.of(rest.sender));
        for chunk in [Chunk { at: rest.at, sender, bytes: &waiting }, rest] {
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
