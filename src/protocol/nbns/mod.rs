//! The NetBIOS name service in (RFC 1002 §4.2), the names that machines ask for, claim and answer to out.

pub(super) mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Fields, Name, Sender, Statement};
use crate::net::Transport;
use crate::protocol::dns::budget::Budget;
use crate::protocol::dns::wire::{Data, Message};
use crate::protocol::dns::{is_on_port_of, kind_text};
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::NetbiosName;

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"nbns"),
    transports: &[Transport::Udp],
    opens_with: ANY_BYTE,
    probe,
    start: |_| Box::new(Nbns { budget: Budget::per_minute(FACTS_PER_MINUTE) }),
    fields: &[
        FieldSpec {
            name: "nbns.operation",
            help: "query, registration, release, wait or refresh (RFC 1002 §4.2.1.1).",
        },
        FieldSpec { name: "host.hostname", help: "The name that a machine claims, gives up or answers to." },
        FieldSpec { name: "host.mac", help: "The hardware address in a machine's answer about its status." },
        FieldSpec { name: "host.domain", help: "The workgroup or domain that a machine claims, or says it is in." },
    ],
};

const PORT: u16 = 137;
const FACTS_PER_MINUTE: u32 = 1000;

// Record types, RFC 1002 §4.2.1.2.
const NULL: u16 = 0x0a;
const NB: u16 = 0x20;
const NBSTAT: u16 = 0x21;
const INTERNET: u16 = 1;
/// A class without the bit that mDNS asks by for an answer to one machine alone (RFC 6762 §5.4).
const CLASS: u16 = 0x7fff;

fn probe(opening: &Opening<'_>) -> Probe {
    let is_nbns = |message: &Message<'_>| is_on_port_of(opening, PORT) && subject(message).is_some();
    match Message::parse(opening.bytes).filter(is_nbns) {
        None => Probe::No,
        Some(message) if message.header.is_response() == (opening.sender == Sender::Server) => Probe::Match,
        Some(_) => Probe::Reversed,
    }
}

/// The name that a message is about: the one question of a request, the first record of an answer. A message that is sound to
/// its end may ask more, and for anything.
fn subject(message: &Message<'_>) -> Option<(NetbiosName, u16)> {
    let (name, kind) = if message.header.questions == 0 {
        let record = message.records().next().filter(|_| message.header.is_response())?;
        (record.name, record.kind)
    } else {
        let question = message.questions().next().filter(|_| message.is_whole || is_regular(message))?;
        (question.name, question.kind)
    };
    // An answer about nothing has the type NULL.
    let is_known = message.is_whole || matches!(kind, NB | NBSTAT) || (message.header.is_response() && kind == NULL);
    NetbiosName::decode(&name.spelt()).filter(|_| is_known).map(|name| (name, kind))
}

/// Whether a message asks once and of the Internet, if it asks.
fn is_regular(message: &Message<'_>) -> bool {
    message.header.questions == 0 || message.only_question().is_some_and(|question| question.class & CLASS == INTERNET)
}

/// None of what RFC 1002 §4.2.1.1 does not know.
const fn operation(opcode: u16) -> Option<&'static str> {
    let name = match opcode {
        0 => "query",
        5 | 15 => "registration",
        6 => "release",
        7 => "wait",
        8 | 9 => "refresh",
        _ => return None,
    };
    Some(name)
}

struct Nbns {
    budget: Budget,
}

impl Parser for Nbns {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(name) = Message::parse(chunk.bytes).and_then(|message| name(&message)) {
            self.budget.push(chunk.at, Statement::Name(Box::new(name)), facts);
        }
        Progress::Continue { consumed: 0 }
    }
}

fn name(message: &Message<'_>) -> Option<Name> {
    let (subject, kind) = subject(message)?;
    let operation = operation(message.header.opcode());
    let mut fields = Fields::default();
    fields.push_some("nbns.operation", operation);
    let mut name = Name {
        question: Some(subject.text.clone()),
        kind: Some(match kind {
            NBSTAT => "NBSTAT".into(),
            NB | NULL => "NB".into(),
            other => kind_text(other),
        }),
        answered: message.header.is_response(),
        ..Name::default()
    };
    // A query that is not answered is about somebody else; all other messages come from who has the name.
    let is_owners = name.answered || operation.is_some_and(|operation| operation != "query");
    let is_learnt = is_owners && is_regular(message) && matches!(kind, NB | NBSTAT);
    let record = message
        .records()
        .next()
        .filter(|record| is_learnt && message.header.response_code() == 0 && record.kind == kind);
    if let Some(Data::Other(data)) = record.map(|record| record.data) {
        learn(kind, data, &subject, &mut name, &mut fields);
    }
    name.fields = fields;
    Some(name)
}

fn learn(kind: u16, data: &[u8], subject: &NetbiosName, name: &mut Name, fields: &mut Fields) {
    if kind == NBSTAT {
        let Some(status) = wire::status(data) else {
            return;
        };
        fields.push_some("host.hostname", status.machine);
        fields.push_some("host.domain", status.group);
        fields.push_some("host.mac", status.mac);
        return;
    }
    let owners = wire::owners(data);
    name.addresses = owners.iter().map(|owner| owner.address).collect();
    match owners.first() {
        Some(owner) if owner.is_group && subject.suffix == 0 => fields.push("host.domain", subject.text.clone()),
        Some(owner) if !owner.is_group && subject.is_of_machine() => fields.push("host.hostname", subject.text.clone()),
        _ => {}
    }
}
