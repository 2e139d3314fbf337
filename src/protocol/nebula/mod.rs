//! Nebula's handshake (an overlay network over UDP) in, a tunnel out: the initiator sends its certificate in clear, and
//! with it the name that its owner gave the machine.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::{Text, Transport};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::{Header, Initiation};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"nebula"),
    transports: &[Transport::Udp],
    opens_with: &[(wire::HANDSHAKE, wire::HANDSHAKE)],
    probe,
    start: |_| Box::new(Nebula::default()),
    fields: &[FieldSpec { name: NAME, help: "The name of the machine in the overlay, out of its certificate." }],
};

const NAME: &str = "nebula.name";

fn probe(opening: &Opening<'_>) -> Probe {
    match (Initiation::parse(opening.bytes), opening.sender) {
        (None, _) => Probe::No,
        (Some(_), Sender::Client) => Probe::Match,
        (Some(_), Sender::Server) => Probe::Reversed,
    }
}

#[derive(Default)]
struct Nebula {
    /// The number that the initiator wants its answer under.
    index: Option<u32>,
    name: Option<Text>,
    datagrams: u32,
}

impl Nebula {
    const DATAGRAMS_MAX: u32 = 16;

    fn say(&mut self, established: bool, facts: &mut Vec<Statement>) {
        if self.index.take().is_none() {
            return;
        }
        let mut fields = Fields::default();
        fields.push_some(NAME, self.name.take());
        let basis = TunnelBasis::of_opening(established);
        let tunnel = Tunnel { fields, ..Tunnel::new(basis, Confidence::Certain, established) };
        facts.push(Statement::Tunnel(Box::new(tunnel)));
    }
}

impl Parser for Nebula {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        if let Some(initiation) = Initiation::parse(chunk.bytes).filter(|_| chunk.sender == Sender::Client) {
            self.index = Some(initiation.index);
            self.name = initiation.name.or(self.name.take());
        }
        let answered = Header::parse(chunk.bytes).is_some_and(|header| Some(header.remote_index) == self.index);
        if (answered && chunk.sender == Sender::Server) || self.datagrams >= Self::DATAGRAMS_MAX {
            self.say(answered, facts);
            return Progress::Done;
        }
        Progress::Continue { consumed: 0 }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.say(false, facts);
    }
}
