//! Multicast DNS in (RFC 6762), the names that machines ask for and the ones they give themselves out; with services
//! (RFC 6763), which tell what a machine is.

mod sections;

#[cfg(test)]
pub(crate) mod tests;

use smallvec::smallvec;

use crate::facts::{Fields, Name, Statement};
use crate::net::{Text, Transport};
use crate::protocol::dns::budget::Budget;
use crate::protocol::dns::name::DomainName;
use crate::protocol::dns::repeats::Repeats;
use crate::protocol::dns::wire::{Data, Message, Question};
use crate::protocol::dns::{address, is_on_port_of, is_sound, kind_text};
use crate::protocol::mdns::sections::Sections;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"mdns"),
    transports: &[Transport::Udp],
    opens_with: ANY_BYTE,
    probe,
    start: |_| {
        let budget = Budget::per_minute(FACTS_PER_MINUTE);
        let sections = Sections::default();
        Box::new(Mdns { budget, messages: Repeats::default(), sections, questions: Repeats::default() })
    },
    fields: &[
        FieldSpec { name: "host.hostname", help: "The name that a machine gives itself, without `.local`." },
        FieldSpec { name: "dns.answers.name", help: "The names that the records of an answer belong to." },
        FieldSpec {
            name: "dns.answers.data",
            help: "The names that PTR and SRV records give: services, their instances, hosts.",
        },
    ],
};

const PORT: u16 = 5353;
/// The group's flow carries every machine of a segment.
const FACTS_PER_MINUTE: u32 = 1000;
/// The most questions of a message that become facts.
const QUESTIONS_MAX: usize = 32;
/// The most names of a message's records that are told.
const NAMES_MAX: usize = 16;

fn probe(opening: &Opening<'_>) -> Probe {
    let message = Message::parse(opening.bytes).filter(|message| is_on_port_of(opening, PORT) && is_told(message));
    // Whoever announces itself opens the flow, so that an answer says nothing of roles.
    if message.is_some() { Probe::Match } else { Probe::No }
}

/// What is sound to its end is told at this port, though nobody should heed it.
fn is_told(message: &Message<'_>) -> bool {
    is_plausible(message) || is_sound(message)
}

/// Opcode and response code are 0 (§18.3, §18.11).
fn is_plausible(message: &Message<'_>) -> bool {
    let header = message.header;
    header.opcode() == 0
        && header.response_code() == 0
        && !header.is_reserved_bit_set()
        && message.is_of_the_internet
        && (header.questions > 0 || message.has_records())
}

struct Mdns {
    budget: Budget,
    messages: Repeats<8>,
    sections: Sections,
    /// Machines ask the same questions for as long as they run, beside ever other answers that they know (RFC 6762 §7.1).
    questions: Repeats<QUESTIONS_MAX>,
}

impl Parser for Mdns {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if self.sections.has_heard(chunk.at, chunk.bytes) || self.messages.has_heard(chunk.at, chunk.bytes) {
            return Progress::Continue { consumed: 0 };
        }
        if let Some(message) = Message::parse(chunk.bytes).filter(is_told) {
            let tell = |name| self.budget.push(chunk.at, Statement::Name(Box::new(name)), facts);
            if message.header.is_response() && !is_plausible(&message) {
                heading(&message).into_iter().for_each(tell);
            } else if message.header.is_response() {
                answered(&message).into_iter().for_each(tell);
            } else {
                let mut first_at = chunk.at;
                let is_new = |question: &Question<'_>| {
                    let heard_at = self.questions.heard_at(chunk.at, (question.name, question.kind));
                    first_at = heard_at.map_or(first_at, |then| then.min(first_at));
                    heard_at.is_none()
                };
                message.questions().take(QUESTIONS_MAX).filter(is_new).map(asked).for_each(tell);
                self.sections.keep(first_at, chunk.bytes, &message);
            }
        }
        Progress::Continue { consumed: 0 }
    }
}

fn asked(question: Question<'_>) -> Name {
    Name { question: Some(question.name.text()), kind: Some(kind_text(question.kind)), ..Name::default() }
}

/// A fact for each machine that gives its address, and one for the services.
fn answered(message: &Message<'_>) -> Vec<Name> {
    let mut told: Vec<Name> = Vec::new();
    let mut pointers = Vec::new();
    for record in message.records() {
        // Whose the record is, and to whom it points.
        if let Data::Name(target) = record.data
            && pointers.len() < NAMES_MAX
        {
            pointers.push((record.name, target));
        }
        let Some(address) = address(&record) else {
            continue;
        };
        let owner = record.name.text();
        if let Some(known) = told.iter_mut().find(|name| name.question.as_ref() == Some(&owner)) {
            known.addresses.push(address);
        } else if told.len() < NAMES_MAX {
            let mut fields = Fields::default();
            fields.push("host.hostname", Text::from(without_local(&record.name.spelt())));
            let (question, addresses) = (Some(owner), smallvec![address]);
            told.push(Name { question, answered: true, addresses, fields, ..Name::default() });
        }
    }
    told.extend(services(&pointers));
    if told.is_empty() && message.is_whole {
        told.extend(heading(message));
    }
    told
}

/// Whose the first record is, of an answer that gives no address and points to nobody (TXT, NSEC). Questions in answers are
/// passed over (RFC 6762 §6) but where there is nothing else.
fn heading(message: &Message<'_>) -> Option<Name> {
    let owner = message.records().next().map(|record| (record.name, record.kind));
    let (name, kind) = owner.or_else(|| message.questions().next().map(|question| (question.name, question.kind)))?;
    Some(Name { question: Some(name.text()), kind: Some(kind_text(kind)), answered: true, ..Name::default() })
}

fn services(pointers: &[(DomainName<'_>, DomainName<'_>)]) -> Option<Name> {
    if pointers.is_empty() {
        return None;
    }
    let mut fields = Fields::default();
    fields.push("dns.answers.name", pointers.iter().map(|(owner, _)| owner.text()).collect::<Vec<_>>());
    fields.push("dns.answers.data", pointers.iter().map(|(_, target)| target.text()).collect::<Vec<_>>());
    Some(Name { answered: true, fields, ..Name::default() })
}

fn without_local(name: &str) -> &str {
    let host = name.len().checked_sub(".local".len()).and_then(|at| name.split_at_checked(at));
    match host {
        Some((host, end)) if end.eq_ignore_ascii_case(".local") => host,
        _ => name,
    }
}
