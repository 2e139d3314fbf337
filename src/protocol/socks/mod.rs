//! SOCKS 4, 4a and 5 (RFC 1928, RFC 1929): the negotiation in, one [`Tunnel`] with its destination, and a [`Credential`]
//! where a user is named, out. Passwords are passed over. What is relayed is handed to its own protocol.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Credential, Outcome, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::selection::{self, Inner};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};

pub const PROTOCOL: Protocol = Protocol::new(&"socks");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(0x04, 0x05)],
    probe,
    start: |start| Box::new(Socks::new(*start)),
    fields: &[
        FieldSpec { name: "socks.version", help: "4 or 5" },
        FieldSpec { name: "socks.command", help: "`connect`, `bind` or `udp_associate` (RFC 1928 §4)" },
        FieldSpec { name: "socks.destination", help: "The host and port the proxy is asked to reach (RFC 1928 §4)" },
    ],
};

const PORT: u16 = 1080;

/// A client's first message is told from chance by its shape; the claim waits for the proxy's answer. On its port the proxy's
/// answers are enough.
fn probe(opening: &Opening<'_>) -> Probe {
    if is_proxy_by_port(opening) {
        match wire::begins_answers(opening.bytes) {
            None => {}
            Some(false) => return Probe::More,
            Some(true) if opening.sender == Sender::Server => return Probe::Match,
            Some(true) => return Probe::Reversed,
        }
    }
    let mut cursor = Cursor::new(opening.bytes);
    let read = match opening.bytes.first() {
        Some(4) => wire::request4(&mut cursor).map(|request| request.map(|_| false)),
        _ => wire::methods(&mut cursor),
    };
    match read {
        Err(_) => Probe::No,
        Ok(None) => Probe::More,
        // Nothing may follow before the proxy has answered, but what one says who is sure of the answer.
        Ok(Some(offers_user)) if !cursor.is_empty() && !wire::begins_early(cursor.rest(), offers_user) => Probe::No,
        Ok(Some(_)) if opening.sender == Sender::Client => Probe::Match,
        Ok(Some(_)) => Probe::Reversed,
    }
}

const fn is_proxy_by_port(opening: &Opening<'_>) -> bool {
    match opening.sender {
        Sender::Client => opening.client_port == PORT && opening.server_port != PORT,
        Sender::Server => opening.server_port == PORT,
    }
}

struct Socks {
    start: Start,
    phase: Phase,
    version: u8,
    request: Option<wire::Request>,
    offers_user: bool,
    user: Option<Text>,
    /// The proxy began with something else, before it was asked.
    names_itself: bool,
    /// The client, which is not seen, was answered on the proxy's port.
    is_unseen: bool,
    has_gap: bool,
    /// The proxy spoke the protocol.
    is_certain: bool,
    said: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Opening,
    Answer4,
    Method,
    UserPassword,
    UserPasswordAnswer,
    Request,
    Answer5,
    Relayed,
}

impl Phase {
    const fn speaker(self) -> Sender {
        match self {
            Self::Opening | Self::UserPassword | Self::Request | Self::Relayed => Sender::Client,
            Self::Answer4 | Self::Method | Self::UserPasswordAnswer | Self::Answer5 => Sender::Server,
        }
    }
}

enum Step {
    Next(Phase),
    Over,
    Wait,
}

impl Parser for Socks {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        if self.phase == Phase::Opening && chunk.sender == Sender::Server && self.is_answered_on_port(chunk.bytes) {
            (self.version, self.phase, self.is_unseen) = (5, Phase::Method, true);
        }
        while self.phase.speaker() == chunk.sender && self.phase != Phase::Relayed {
            match self.step(&mut cursor, facts) {
                Ok(Step::Next(phase)) => self.phase = phase,
                Ok(Step::Wait) => break,
                Ok(Step::Over) => {
                    self.on_end(facts);
                    return Progress::Done;
                }
                Err(_) if !self.is_certain => return Progress::Reject,
                Err(reason) => {
                    self.on_end(facts);
                    return Progress::Malformed(reason);
                }
            }
        }
        let is_early = chunk.sender == Sender::Client && self.read_early(&mut cursor);
        let consumed = chunk.bytes.len().saturating_sub(cursor.len());
        if self.phase == Phase::Relayed && !cursor.is_empty() {
            return match self.inner(chunk.sender, cursor.rest()) {
                Inner::Protocol(to) => Progress::Upgrade { to, consumed },
                Inner::More => Progress::Continue { consumed },
                Inner::None => Progress::Done,
            };
        }
        // Who speaks out of turn before the proxy's first answer speaks something else; the probe says the same of a
        // client that goes on within its first segment.
        if self.is_certain || self.phase.speaker() == chunk.sender || cursor.is_empty() {
            return Progress::Continue { consumed };
        }
        match (self.phase, cursor.peek()) {
            (Phase::Method, _) if is_early => Progress::Continue { consumed },
            // Proxies that call their clients (back connections) may name themselves before they are asked.
            (Phase::Opening, first) if self.names_itself || !matches!(first, Some(4 | 5)) => {
                self.names_itself = true;
                Progress::Continue { consumed: chunk.bytes.len() }
            }
            _ => Progress::Reject,
        }
    }

    /// What was lost may have been the answer, so whether the tunnel was opened is not known.
    fn on_gap(&mut self, _sender: Sender, _len: u32) -> Progress {
        self.is_certain = false;
        self.has_gap = true;
        Progress::Done
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        let on_port = self.start.server_port == PORT;
        let is_unanswered = match self.phase {
            Phase::Answer4 => on_port,
            Phase::Method => !self.is_unseen && (on_port || self.request.is_some()),
            _ => false,
        };
        if self.is_certain || (is_unanswered && !self.has_gap) {
            self.say(false, facts);
        }
    }
}

impl Socks {
    fn new(start: Start) -> Self {
        Self {
            start,
            phase: Phase::Opening,
            version: 0,
            request: None,
            offers_user: false,
            user: None,
            names_itself: false,
            is_unseen: false,
            has_gap: false,
            is_certain: false,
            said: false,
        }
    }

    fn step(&mut self, cursor: &mut Cursor<'_>, facts: &mut Vec<Statement>) -> Result<Step, &'static str> {
        Ok(match self.phase {
            Phase::Opening if cursor.peek() == Some(4) => {
                let Some((request, user)) = wire::request4(cursor)? else { return Ok(Step::Wait) };
                self.version = 4;
                self.request = Some(request);
                self.user = user;
                Step::Next(Phase::Answer4)
            }
            Phase::Opening => {
                self.version = 5;
                let Some(offers_user) = wire::methods(cursor)? else { return Ok(Step::Wait) };
                self.offers_user = offers_user;
                Step::Next(Phase::Method)
            }
            Phase::Answer4 => {
                let Some(is_granted) = wire::answer4(cursor)? else { return Ok(Step::Wait) };
                self.judged(is_granted, facts)
            }
            Phase::Method => {
                let Some(method) = wire::method(cursor)? else { return Ok(Step::Wait) };
                self.is_certain = !self.is_unseen;
                match method {
                    wire::METHOD_NONE => Step::Next(self.asked()),
                    wire::METHOD_USER if self.is_unseen || self.user.is_some() => Step::Next(Phase::UserPasswordAnswer),
                    wire::METHOD_USER => Step::Next(Phase::UserPassword),
                    _ => Step::Over,
                }
            }
            Phase::UserPassword => {
                self.user = wire::user(cursor)?;
                if self.user.is_some() { Step::Next(Phase::UserPasswordAnswer) } else { Step::Wait }
            }
            Phase::UserPasswordAnswer => {
                let Some(is_granted) = wire::user_answer(cursor)? else { return Ok(Step::Wait) };
                self.say_user(Some(if is_granted { Outcome::Success } else { Outcome::Failure }), facts);
                if is_granted { Step::Next(self.asked()) } else { Step::Over }
            }
            Phase::Request => {
                self.request = wire::request5(cursor)?;
                if self.request.is_some() { Step::Next(Phase::Answer5) } else { Step::Wait }
            }
            Phase::Answer5 => {
                let Some(is_granted) = wire::answer5(cursor)? else { return Ok(Step::Wait) };
                self.judged(is_granted, facts)
            }
            Phase::Relayed => Step::Wait,
        })
    }

    /// What follows where the proxy waits for the request.
    const fn asked(&self) -> Phase {
        if self.is_unseen || self.request.is_some() { Phase::Answer5 } else { Phase::Request }
    }

    fn is_answered_on_port(&self, bytes: &[u8]) -> bool {
        !self.names_itself && self.start.server_port == PORT && wire::begins_answers(bytes).is_some()
    }

    /// What a client says that is sure of the answers. Returns whether it may be the beginning of that, where more is there.
    fn read_early(&mut self, cursor: &mut Cursor<'_>) -> bool {
        if !matches!(self.phase, Phase::Method | Phase::UserPasswordAnswer) || self.is_unseen {
            return false;
        }
        let may_name_user = self.phase == Phase::Method && self.offers_user && self.user.is_none();
        if may_name_user && self.request.is_none() && wire::begins_user(cursor.rest()) {
            self.user = wire::user(cursor).ok().flatten();
            if self.user.is_none() {
                return true;
            }
        }
        if self.request.is_none() && wire::begins_request5(cursor.rest()) {
            self.request = wire::request5(cursor).ok().flatten();
            return true;
        }
        self.request.is_some()
    }

    /// What is spoken through the proxy.
    fn inner(&self, sender: Sender, bytes: &[u8]) -> Inner {
        selection::inner(&Start { is_midway: false, ..self.start }.opening(sender, bytes))
    }

    fn judged(&mut self, is_granted: bool, facts: &mut Vec<Statement>) -> Step {
        self.is_certain = !self.is_unseen;
        self.say(is_granted, facts);
        if is_granted { Step::Next(Phase::Relayed) } else { Step::Over }
    }

    fn say(&mut self, established: bool, facts: &mut Vec<Statement>) {
        if self.said {
            return;
        }
        self.said = true;
        self.say_user(None, facts);
        let confidence = if self.is_certain { Confidence::Certain } else { Confidence::Likely };
        let basis = if self.is_unseen { TunnelBasis::Response } else { TunnelBasis::of_opening(self.is_certain) };
        let mut tunnel = Tunnel::new(basis, confidence, established);
        tunnel.fields.push("socks.version", self.version);
        if let Some(request) = self.request.take() {
            tunnel.fields.push("socks.command", request.command);
            tunnel.fields.push("socks.destination", request.destination);
        }
        facts.push(Statement::Tunnel(Box::new(tunnel)));
    }

    fn say_user(&mut self, outcome: Option<Outcome>, facts: &mut Vec<Statement>) {
        let Some(user) = self.user.take().filter(|user| !user.is_empty()) else { return };
        let credential = Credential { user: Some(user), outcome, ..Credential::default() };
        facts.push(Statement::Credential(Box::new(credential)));
    }
}
