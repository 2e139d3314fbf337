//! Link-local multicast name resolution in (RFC 4795), the names that machines ask for and answer to out.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Name, Sender, Statement};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::dns::budget::Budget;
use crate::protocol::dns::wire::Message;
use crate::protocol::dns::{is_on_port_of, is_sound, names};
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};
use crate::time::Timestamp;

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"llmnr"),
    transports: &[Transport::Tcp, Transport::Udp],
    opens_with: ANY_BYTE,
    probe,
    start,
    fields: &[FieldSpec { name: "host.hostname", help: "The name that the answering machine goes by." }],
};

const PORT: u16 = 5355;
const FACTS_PER_MINUTE: u32 = 600;

fn start(start: &Start) -> Box<dyn Parser> {
    Box::new(Llmnr { transport: start.transport, budget: Budget::per_minute(FACTS_PER_MINUTE) })
}

fn probe(opening: &Opening<'_>) -> Probe {
    if !is_on_port_of(opening, PORT) {
        return Probe::No;
    }
    let bytes = match opening.transport {
        // Behind its length, as with DNS (§2.4).
        Transport::Tcp => match Cursor::new(opening.bytes).vec16() {
            Some(message) => message.rest(),
            None => return Probe::More,
        },
        _ => opening.bytes,
    };
    match Message::parse(bytes).filter(is_told) {
        None => Probe::No,
        Some(message) if message.header.is_response() == (opening.sender == Sender::Server) => Probe::Match,
        Some(_) => Probe::Reversed,
    }
}

/// What is sound to its end is told at this port, though nobody should answer it.
fn is_told(message: &Message<'_>) -> bool {
    is_plausible(message) || is_sound(message)
}

/// One question, of class IN or any, and opcode 0 (§2.1.1).
fn is_plausible(message: &Message<'_>) -> bool {
    let header = message.header;
    let asks_once = message.only_question().is_some_and(|question| matches!(question.class, 1 | 255));
    asks_once && header.opcode() == 0 && (header.is_response() || header.answers == 0 && header.authorities == 0)
}

struct Llmnr {
    transport: Transport,
    budget: Budget,
}

impl Llmnr {
    fn on_message(&mut self, at: Timestamp, bytes: &[u8], facts: &mut Vec<Statement>) {
        let Some(message) = Message::parse(bytes).filter(is_told) else { return };
        for mut name in names(&message) {
            if is_plausible(&message) {
                name_host(&mut name);
            }
            self.budget.push(at, Statement::Name(Box::new(name)), facts);
        }
    }
}

impl Parser for Llmnr {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if self.transport != Transport::Tcp {
            self.on_message(chunk.at, chunk.bytes, facts);
            return Progress::Continue { consumed: 0 };
        }
        let mut cursor = Cursor::new(chunk.bytes);
        while let Some(message) = cursor.vec16() {
            self.on_message(chunk.at, message.rest(), facts);
        }
        Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) }
    }
}

/// Only the machine itself answers for a name (§2.3).
fn name_host(name: &mut Name) {
    let host = name.question.clone().filter(|_| !name.addresses.is_empty());
    name.fields.push_some("host.hostname", host);
}
