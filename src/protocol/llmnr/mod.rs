//! Link-local multicast name resolution in (RFC 4795), the names that machines ask for and answer to out.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Name, Sender, Statement};
use crate::net::Transport;
use crate::protocol::dns::budget::Budget;
use crate::protocol::dns::names;
use crate::protocol::dns::wire::Message;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"llmnr"),
    transports: &[Transport::Udp],
    opens_with: ANY_BYTE,
    probe,
    start: |_| Box::new(Llmnr { budget: Budget::per_minute(FACTS_PER_MINUTE) }),
    fields: &[FieldSpec { name: "host.hostname", help: "The name that the answering machine goes by." }],
};

const PORT: u16 = 5355;
const FACTS_PER_MINUTE: u32 = 600;

fn probe(opening: &Opening<'_>) -> Probe {
    match Message::parse(opening.bytes).filter(|message| opening.on_port(PORT) && is_plausible(message)) {
        None => Probe::No,
        Some(message) if message.header.is_response() == (opening.sender == Sender::Server) => Probe::Match,
        Some(_) => Probe::Reversed,
    }
}

/// One question, of class IN, and opcode 0 (§2.1.1).
fn is_plausible(message: &Message<'_>) -> bool {
    let header = message.header;
    let asks_once = message.only_question().is_some_and(|question| question.class == 1);
    asks_once && header.opcode() == 0 && (header.is_response() || header.answers == 0 && header.authorities == 0)
}

struct Llmnr {
    budget: Budget,
}

impl Parser for Llmnr {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(message) = Message::parse(chunk.bytes).filter(is_plausible) {
            for mut name in names(&message) {
                name_host(&mut name);
                self.budget.push(chunk.at, Statement::Name(Box::new(name)), facts);
            }
        }
        Progress::Continue { consumed: 0 }
    }
}

/// Only the machine itself answers for a name (§2.3).
fn name_host(name: &mut Name) {
    let host = name.question.clone().filter(|_| !name.addresses.is_empty());
    name.fields.push_some("host.hostname", host);
}
