//! SoftEther's NAT traversal in, a tunnel out: a VPN server that makes itself reachable behind a router tells its name to
//! the vendor's relay, in clear, and either side asks the relay for the address it is seen under.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::{Text, Transport};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::Dictionary;

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"softether"),
    transports: &[Transport::Udp],
    // The high byte of a count, or the question for an address.
    opens_with: &[(0x00, 0x00), (b'A', b'A')],
    probe,
    start: |_| Box::new(SoftEther::default()),
    fields: &[
        FieldSpec {
            name: "softether.operation",
            help: "What is asked of the relay: get_token, nat_t_register …; get_address for the bare question.",
        },
        FieldSpec { name: "host.hostname", help: "The name of the machine that the VPN server runs on." },
    ],
};

const PORT: u16 = 5004;
const GET_ADDRESS: &str = "get_address";

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.bytes == wire::ADDRESS_QUESTION {
        return match (opening.server_port == PORT, opening.sender) {
            (true, Sender::Client) => Probe::Match,
            _ => Probe::No,
        };
    }
    match Dictionary::parse(opening.bytes) {
        Some(dictionary) if dictionary.text("opcode").is_none() => Probe::No,
        Some(dictionary) if dictionary.is_answer() == (opening.sender == Sender::Server) => Probe::Match,
        Some(_) => Probe::Reversed,
        None => Probe::No,
    }
}

#[derive(Default)]
struct SoftEther {
    operation: Option<Text>,
    asked_address: bool,
    host: Option<Text>,
    is_answered: bool,
    datagrams: u32,
}

impl SoftEther {
    /// The name comes with the second request.
    const DATAGRAMS_MAX: u32 = 16;

    /// Whether the relay answers what the client asked: a byte, and an address in text.
    fn is_address_given(&mut self, chunk: Chunk<'_>) -> bool {
        match chunk.sender {
            Sender::Client => {
                self.asked_address |= chunk.bytes == wire::ADDRESS_QUESTION;
                false
            }
            Sender::Server => self.asked_address && wire::is_address_answer(chunk.bytes),
        }
    }

    fn say(&mut self, facts: &mut Vec<Statement>) {
        let Some(operation) = self.operation.take() else { return };
        let mut fields = Fields::default();
        fields.push("softether.operation", operation);
        fields.push_some("host.hostname", self.host.take());
        let (confidence, established) = (Confidence::Certain, self.is_answered);
        let basis = TunnelBasis::of_opening(established);
        facts.push(Statement::Tunnel(Box::new(Tunnel { fields, ..Tunnel::new(basis, confidence, established) })));
    }
}

impl Parser for SoftEther {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        if self.operation.is_none() && self.is_address_given(chunk) {
            self.operation = Some(GET_ADDRESS.into());
        }
        if let Some(dictionary) = Dictionary::parse(chunk.bytes)
            && let Some(operation) = dictionary.text("opcode")
        {
            self.operation = Some(operation);
            self.host = dictionary.text("host_name").or(self.host.take());
            self.is_answered = self.is_answered || chunk.sender == Sender::Server;
        }
        if (self.is_answered && self.host.is_some()) || self.datagrams >= Self::DATAGRAMS_MAX {
            self.say(facts);
            return Progress::Done;
        }
        Progress::Continue { consumed: chunk.bytes.len() }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.say(facts);
    }
}
