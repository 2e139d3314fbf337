//! WireGuard datagrams in, a tunnel out: by the handshake's indices, or by counters that rise where a capture began
//! amid the flow ([white paper](https://www.wireguard.com/papers/wireguard.pdf), §5.4).

pub mod warp;
mod rekeying;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use rekeying::Rekeying;

use crate::facts::{Confidence, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::Transport;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::{Index, Message};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"wireguard"),
    transports: &[Transport::Udp],
    opens_with: &[(0x01, 0x01), (0x04, 0x04)],
    probe,
    start: |_| Box::new(WireGuard::default()),
    fields: &[],
};

/// An answer says nothing without its question.
fn probe(opening: &Opening<'_>) -> Probe {
    match (Message::parse(opening.bytes, opening.missing), opening.sender) {
        (Some(Message::Initiation { .. }), Sender::Server) => Probe::Reversed,
        (Some(Message::Initiation { .. } | Message::Data { .. }), _) => Probe::Match,
        _ => Probe::No,
    }
}

#[derive(Default)]
struct WireGuard {
    initiation: Option<Initiation>,
    /// What the claim so far rests on.
    said: Option<Confidence>,
    client: Lane,
    server: Lane,
    datagrams: u32,
}

struct Initiation {
    from: Sender,
    sender: Index,
    ephemeral: [u8; 8],
    unproven: bool,
}

/// The data messages of one direction.
#[derive(Default)]
struct Lane {
    last: Option<(Index, u64)>,
    /// Messages in a row for one receiver, with a rising counter.
    run: u32,
}

/// One direction's data messages in a row that make a tunnel whose handshake was not seen.
const RUN_MIN: u32 = 3;
/// So many are enough where both directions have them.
const RUN_MIN_OF_BOTH: u32 = 2;

impl WireGuard {
    /// Without a claim after so many datagrams there will be none.
    const DATAGRAMS_MAX: u32 = 16;

    fn say(&mut self, basis: TunnelBasis, confidence: Confidence, established: bool, facts: &mut Vec<Statement>) {
        if self.said < Some(confidence) {
            self.said = Some(confidence);
            facts.push(Statement::Tunnel(Box::new(Tunnel::new(basis, confidence, established))));
        }
    }

    /// A second initiation with a fresh key, as a client sends it that hears no answer, is more than a likely length.
    fn initiate(&mut self, initiation: Initiation, facts: &mut Vec<Statement>) -> Progress {
        let retried = self.initiation.as_ref().is_some_and(|earlier| {
            earlier.from == initiation.from
                && earlier.sender != initiation.sender
                && earlier.ephemeral != initiation.ephemeral
        });
        if retried {
            self.say(TunnelBasis::Request, Confidence::Likely, false, facts);
        }
        self.initiation = Some(initiation);
        Progress::Continue { consumed: 0 }
    }

    fn answers(&self, from: Sender, receiver: Index) -> bool {
        self.initiation.as_ref().is_some_and(|asked| asked.from == from.other() && asked.sender == receiver)
    }

    fn data(&mut self, from: Sender, receiver: Index, counter: u64, facts: &mut Vec<Statement>) -> Progress {
        let lane = match from {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        lane.take(receiver, counter);
        if lane.run < RUN_MIN && self.client.run.min(self.server.run) < RUN_MIN_OF_BOTH {
            return Progress::Continue { consumed: 0 };
        }
        let established = self.client.run > 0 && self.server.run > 0;
        self.say(TunnelBasis::Data, Confidence::Likely, established, facts);
        Progress::Done
    }
}

impl Parser for WireGuard {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        let from = chunk.sender;
        let progress = match Message::parse(chunk.bytes, chunk.missing) {
            Some(Message::Initiation { sender, ephemeral, unproven }) => {
                self.initiate(Initiation { from, sender, ephemeral, unproven }, facts)
            }
            Some(Message::Response { receiver, .. }) if self.answers(from, receiver) => {
                self.say(TunnelBasis::Exchange, Confidence::Certain, true, facts);
                Progress::Done
            }
            Some(Message::CookieReply { receiver }) if self.answers(from, receiver) => {
                self.say(TunnelBasis::Exchange, Confidence::Certain, false, facts);
                Progress::Continue { consumed: 0 }
            }
            Some(Message::Data { receiver, counter }) => self.data(from, receiver, counter, facts),
            _ => Progress::Continue { consumed: 0 },
        };
        match progress {
            Progress::Continue { .. } if self.datagrams >= Self::DATAGRAMS_MAX => {
                if self.said.is_some() {
                    Progress::Done
                } else {
                    Progress::Reject
                }
            }
            progress => progress,
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.initiation.as_ref().is_some_and(|initiation| initiation.unproven) {
            self.say(TunnelBasis::Request, Confidence::Likely, false, facts);
        }
    }
}

impl Lane {
    /// The largest step of a counter that loss and another path explain.
    const STEP_MAX: u64 = 4096;
    /// 2^48 messages are more than a session of three minutes can send.
    const COUNTER_MAX: u64 = 1 << 48;

    fn take(&mut self, receiver: Index, counter: u64) {
        let rises = self.last.is_some_and(|(known, last)| {
            known == receiver && counter > last && counter.saturating_sub(last) <= Self::STEP_MAX
        });
        self.run = match (counter < Self::COUNTER_MAX, rises) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => self.run.saturating_add(1),
        };
        self.last = Some((receiver, counter));
    }
}
