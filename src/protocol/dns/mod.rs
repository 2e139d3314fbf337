//! DNS messages in, over UDP or over TCP behind their length (RFC 1035), the names asked for and their answers out.

pub(super) mod budget;
pub(super) mod name;
pub(super) mod repeats;
pub(super) mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;
use std::net::IpAddr;

use crate::facts::{Fields, Name, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};
use budget::Budget;
use wire::{Data, Message, Question, Record, Section};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"dns"),
    transports: &[Transport::Tcp, Transport::Udp],
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(Dns::new(start)),
    fields: &[
        FieldSpec { name: "dns.response_code", help: "The answer's response code (RFC 6895 §2.3), or its number." },
        FieldSpec {
            name: "dns.answers.data",
            help: "The names that the answer's CNAME, PTR, NS and SRV records give.",
        },
    ],
};

const PORT: u16 = 53;
/// NetBIOS names, mDNS and LLMNR: the same format, and parsers of their own.
const PORTS_OF_OTHERS: [u16; 3] = [137, 5353, 5355];

/// Whether a flow is on the port of one of the others. Who asks a server of DNS may do so from there.
pub(super) const fn is_on_port_of(opening: &Opening<'_>, other: u16) -> bool {
    opening.on_port(other) && !opening.on_port(PORT)
}

fn probe(opening: &Opening<'_>) -> Probe {
    if PORTS_OF_OTHERS.into_iter().any(|port| is_on_port_of(opening, port)) {
        return Probe::No;
    }
    let on_port = opening.on_port(PORT);
    let bytes = match opening.transport {
        Transport::Tcp if !on_port => return Probe::No,
        Transport::Tcp => match Cursor::new(opening.bytes).vec16() {
            Some(message) => message.rest(),
            None => return Probe::More,
        },
        _ => opening.bytes,
    };
    let Some(message) = Message::parse(bytes) else {
        return Probe::No;
    };
    let is_dns =
        if on_port { is_plausible_on_port(&message) } else { is_plausible(&message) && is_unmistakable(&message) };
    match (is_dns, message.header.is_response()) {
        (false, _) => Probe::No,
        (true, true) if opening.sender == Sender::Client => Probe::Reversed,
        (true, false) if opening.sender == Sender::Server => Probe::Reversed,
        (true, _) => Probe::Match,
    }
}

/// Opcodes and classes that exist; a query asks, and an answer without a question is sound to its end.
fn is_plausible(message: &Message<'_>) -> bool {
    let header = message.header;
    let opcode_exists = matches!(header.opcode(), 0..=2 | 4..=6);
    let classes_exist = message.questions().all(|question| matches!(question.class, 1 | 3 | 4 | 254 | 255));
    let says_something = header.questions > 0 || (header.is_response() && message.is_whole);
    opcode_exists && !header.is_reserved_bit_set() && classes_exist && says_something
}

/// At its port a message may have what nobody assigned or few still send (an inverse query, RFC 1035 §6.4; cookies alone,
/// RFC 7873 §5.4), where it is sound to its end and says something.
fn is_plausible_on_port(message: &Message<'_>) -> bool {
    is_plausible(message) || is_sound(message)
}

/// A message that is sound to its end and says something.
pub(super) fn is_sound(message: &Message<'_>) -> bool {
    message.is_whole && (message.header.questions > 0 || message.has_records())
}

/// A message that would be one on any port: one question of a known type for a name of host characters, to the last byte
/// (behind it an OPT record, or DNSCrypt's padding), or with it an answer that points to its name.
fn is_unmistakable(message: &Message<'_>) -> bool {
    let Some(question) = message.only_question() else {
        return false;
    };
    let is_of_host =
        |label: &[u8]| label.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let is_query = message.header.is_plain_query()
        && message.records().all(|record| record.section == Section::Additional && record.name.is_root());
    let is_answer = message.header.is_plain_answer()
        && message.records().next().is_some_and(|record| {
            record.section == Section::Answer && record.name.has_pointers() && record.name.is_like(question.name)
        });
    (is_query || is_answer)
        && message.is_whole
        && question.class == 1
        && kind_name(question.kind).is_some()
        && question.name.len() > 1
        && !question.name.has_pointers()
        && question.name.labels().all(is_of_host)
}

struct Dns {
    transport: Transport,
    on_port: bool,
    budget: Budget,
}

impl Dns {
    const FACTS_PER_MINUTE: u32 = 600;

    const fn new(start: &Start) -> Self {
        let on_port = start.on_port(PORT);
        Self { transport: start.transport, on_port, budget: Budget::per_minute(Self::FACTS_PER_MINUTE) }
    }

    fn on_message(&mut self, chunk: &Chunk<'_>, bytes: &[u8], facts: &mut Vec<Statement>) {
        let is_dns = if self.on_port { is_plausible_on_port } else { is_plausible };
        let Some(message) = Message::parse(bytes).filter(is_dns) else {
            return;
        };
        for fact in names(&message) {
            self.budget.push(chunk.at, Statement::Name(Box::new(fact)), facts);
        }
    }
}

impl Parser for Dns {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if self.transport != Transport::Tcp {
            self.on_message(&chunk, chunk.bytes, facts);
            return Progress::Continue { consumed: 0 };
        }
        let mut cursor = Cursor::new(chunk.bytes);
        while let Some(message) = cursor.vec16() {
            self.on_message(&chunk, message.rest(), facts);
        }
        Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) }
    }
}

/// What a message says that travels in another protocol.
pub(super) fn carried(message: &[u8]) -> Vec<Name> {
    let message = Message::parse(message).filter(|message| message.is_whole && is_plausible(message));
    let names = message.as_ref().map(|message| names(message).collect::<Vec<_>>()).unwrap_or_default();
    names.into_iter().map(|name| Name { protocol: Some(SPEC.protocol), ..name }).collect()
}

/// A fact for each question, or for what has none; and what was answered with the first.
pub(super) fn names<'a>(message: &'a Message<'_>) -> impl Iterator<Item = Name> + 'a {
    let is_response = message.header.is_response();
    let asks_nothing = message.header.questions == 0;
    let asked = message.questions().map(|question| asked(message, &question));
    let told = asked.chain(asks_nothing.then(Name::default)).enumerate();
    told.map(move |(index, mut name)| {
        if is_response && index == 0 {
            answer(message, &mut name);
        }
        name
    })
}

fn asked(message: &Message<'_>, question: &Question<'_>) -> Name {
    Name {
        question: Some(question.name.lowercase()),
        kind: Some(kind_text(question.kind)),
        answered: message.header.is_response(),
        ..Name::default()
    }
}

fn answer(message: &Message<'_>, name: &mut Name) {
    const ANSWERS_MAX: usize = 32;
    let answers = || message.records().filter(|record| record.section == Section::Answer).take(ANSWERS_MAX);
    name.answered = true;
    name.addresses = answers().filter_map(|record| address(&record)).collect();
    let data: Vec<Text> = answers().filter_map(|record| pointed_to(&record)).collect();
    name.fields = Fields::default();
    match response_code_name(message.header.response_code()) {
        Some(code) => name.fields.push("dns.response_code", code),
        None => name.fields.push("dns.response_code", message.header.response_code().to_string()),
    }
    if !data.is_empty() {
        name.fields.push("dns.answers.data", data);
    }
}

pub(super) fn address(record: &Record<'_>) -> Option<IpAddr> {
    match record.data {
        Data::Address(address) => Some(address),
        _ => None,
    }
}

fn pointed_to(record: &Record<'_>) -> Option<Text> {
    match record.data {
        Data::Name(name) => Some(name.lowercase()),
        _ => None,
    }
}

/// The name of a question's type, or its number.
pub(super) fn kind_text(kind: u16) -> Cow<'static, str> {
    kind_name(kind).map_or_else(|| Cow::Owned(kind.to_string()), Cow::Borrowed)
}

/// The question types in use, out of the IANA registry.
fn kind_name(kind: u16) -> Option<&'static str> {
    let name = match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        39 => "DNAME",
        43 => "DS",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        52 => "TLSA",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        257 => "CAA",
        _ => return None,
    };
    Some(name)
}

fn response_code_name(code: u16) -> Option<&'static str> {
    let name = match code {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        _ => return None,
    };
    Some(name)
}
