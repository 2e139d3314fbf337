//! IKE version 1 and 2 in (RFC 2408, 2409, 7296; behind a NAT RFC 3947 and 3948; over TCP RFC 9329), a tunnel out; in
//! aggressive mode of version 1 also who asked for it, which it says in clear. ESP that follows on the same flow is
//! handed on, and over TCP told of.

mod stream;
mod vendor;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Credential, Fields, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{
    ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start, esp,
};
use wire::{Exchange, Message, Payload, Spi, Version};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"ike"),
    transports: &[Transport::Tcp, Transport::Udp],
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(Ike::new(start)),
    fields: &[
        FieldSpec { name: "ike.version", help: "The protocol's version: 1.0 or 2.0." },
        FieldSpec {
            name: "ike.exchange",
            help: "The first exchange seen: main, aggressive, ike_sa_init, or other for one amid an association.",
        },
        FieldSpec {
            name: "ike.vendor_ids",
            help: "What the vendor ids of both sides say they run or know, where it is known.",
        },
        FieldSpec { name: "ike.nat_detection", help: "Whether the sides look for a NAT between them (RFC 3947)." },
        FieldSpec {
            name: "ike.initiator_id",
            help: "The name the initiator gives itself in aggressive mode: a domain name, a user's, or a group's.",
        },
    ],
};

const PORT: u16 = 500;
/// Group keys (RFC 8263) are asked for in exchanges of IKE.
const GROUP_PORT: u16 = 848;
/// IKE and ESP in UDP share it, once a NAT was found (RFC 3948).
const NAT_PORT: u16 = 4500;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.transport == Transport::Tcp {
        return probe_stream(opening);
    }
    let is_on_port = is_own(opening.client_port) || is_own(opening.server_port);
    let on_nat_port = opening.on_port(NAT_PORT);
    let damaged = || damaged(opening.bytes, on_nat_port).filter(|_| is_on_port);
    let Some(message) = message(opening.bytes, is_on_port).or_else(damaged) else {
        return Probe::No;
    };
    if !is_on_port && !message.opens() {
        return Probe::No;
    }
    match speaks_as(&message) {
        Some(role) if role != opening.sender => Probe::Reversed,
        _ => Probe::Match,
    }
}

const fn is_own(port: u16) -> bool {
    matches!(port, PORT | GROUP_PORT | NAT_PORT)
}

fn probe_stream(opening: &Opening<'_>) -> Probe {
    let said = opening.bytes.get(..stream::PREFIX.len()).unwrap_or(opening.bytes);
    match stream::PREFIX.starts_with(said) {
        false => Probe::No,
        true if said.len() < stream::PREFIX.len() => Probe::More,
        true if opening.sender == Sender::Client => Probe::Match,
        true => Probe::Reversed,
    }
}

/// What has a message's header, and is cut or broken behind it; where ESP may stand, the marker has to be there, too.
fn damaged(datagram: &[u8], on_nat_port: bool) -> Option<Message<'_>> {
    let bytes = if on_nat_port { wire::without_marker(datagram)? } else { datagram };
    Message::parse_header(bytes)
}

fn message(datagram: &[u8], is_on_port: bool) -> Option<Message<'_>> {
    let parse = if is_on_port { Message::parse_on_port } else { Message::parse };
    wire::without_marker(datagram).and_then(parse).or_else(|| parse(datagram))
}

/// Whether this is a message with the marker that tells it from ESP in UDP (RFC 3948 §2.2), as far as its header shows.
pub(super) fn is_marked(datagram: &[u8]) -> bool {
    wire::without_marker(datagram).is_some_and(wire::has_header)
}

/// Who sends such a message, where it tells.
fn speaks_as(message: &Message<'_>) -> Option<Sender> {
    match (message.version, message.exchange) {
        (Version::V2, Exchange::Init) if message.is_response => Some(Sender::Server),
        (Version::V2, Exchange::Init) => Some(Sender::Client),
        (Version::V1, _) if message.opens() => Some(Sender::Client),
        (Version::V1, _) if message.has_proposal() => Some(Sender::Server),
        _ => None,
    }
}

struct Ike {
    transport: Transport,
    is_on_port: bool,
    on_nat_port: bool,
    association: Option<Association>,
    said: bool,
    messages: u32,
    /// On TCP: the client has said what it begins with.
    has_begun: bool,
    /// On TCP: of whom bytes were lost, so that nothing more of that side is read.
    lost: Option<Sender>,
    /// Something came that has no more than a message's header.
    is_damaged: bool,
}

/// What the messages of one association told.
struct Association {
    initiator: Spi,
    /// Who sent the first message seen.
    from: Sender,
    version: Version,
    exchange: Exchange,
    vendors: Vec<&'static str>,
    nat_detection: bool,
    initiator_id: Option<Text>,
}

impl Ike {
    /// An association that did not come about among so many messages is told as it is.
    const MESSAGES_MAX: u32 = 32;

    const fn new(start: &Start) -> Self {
        Self {
            transport: start.transport,
            is_on_port: is_own(start.client_port) || is_own(start.server_port),
            on_nat_port: start.on_port(NAT_PORT),
            association: None,
            said: false,
            messages: 0,
            has_begun: false,
            lost: None,
            is_damaged: false,
        }
    }

    fn on_message(&mut self, from: Sender, message: &Message<'_>, facts: &mut Vec<Statement>) {
        let association = match &mut self.association {
            Some(known) if known.initiator == message.initiator => known,
            unknown => unknown.insert(Association::new(from, message)),
        };
        if let Some(credential) = association.take(message) {
            facts.push(Statement::Credential(Box::new(credential)));
        }
        if association.is_accepted_by(from, message) {
            self.say(true, facts);
        }
    }

    fn on_stream(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        if self.lost == Some(chunk.sender) {
            return Progress::Continue { consumed: chunk.bytes.len() };
        }
        if !self.has_begun {
            if chunk.sender == Sender::Server || cursor.len() < stream::PREFIX.len() {
                return Progress::Continue { consumed: 0 };
            }
            if cursor.take(stream::PREFIX.len()) != Some(stream::PREFIX) {
                return Progress::Reject;
            }
            self.has_begun = true;
        }
        loop {
            let framed = match stream::message(&mut cursor) {
                Ok(Some(framed)) => framed,
                Ok(None) => return Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) },
                Err(_) if self.association.is_none() => return Progress::Reject,
                Err(reason) => return Progress::Malformed(reason),
            };
            self.messages = self.messages.saturating_add(1);
            match framed {
                stream::Framed::Ike(bytes) => match Message::parse(bytes) {
                    Some(message) => self.on_message(chunk.sender, &message, facts),
                    None if self.association.is_none() => return Progress::Reject,
                    None => {}
                },
                stream::Framed::Esp(packet) if self.association.is_some() && esp::is_packet(packet) => {
                    self.say(true, facts);
                    let protocol = Some(esp::SPEC.protocol);
                    let tunnel = Tunnel { protocol, ..Tunnel::new(TunnelBasis::Data, Confidence::Certain, true) };
                    facts.push(Statement::Tunnel(Box::new(tunnel)));
                    return Progress::Done;
                }
                stream::Framed::Esp(_) if self.association.is_none() => return Progress::Reject,
                stream::Framed::Esp(_) => {}
            }
            if self.messages >= Self::MESSAGES_MAX {
                self.say(false, facts);
                return Progress::Done;
            }
        }
    }

    fn say(&mut self, established: bool, facts: &mut Vec<Statement>) {
        // What was lost may have been the answer.
        let is_known = !self.said && (established || self.lost.is_none());
        let Some(association) = self.association.as_ref().filter(|_| is_known) else {
            return;
        };
        self.said = true;
        let (confidence, fields) = (Confidence::Certain, association.fields());
        let basis = TunnelBasis::of_opening(established);
        facts.push(Statement::Tunnel(Box::new(Tunnel { fields, ..Tunnel::new(basis, confidence, established) })));
    }
}

impl Parser for Ike {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if self.transport == Transport::Tcp {
            return self.on_stream(chunk, facts);
        }
        self.messages = self.messages.saturating_add(1);
        if let Some(message) = message(chunk.bytes, self.is_on_port) {
            self.on_message(chunk.sender, &message, facts);
        } else if self.on_nat_port && esp::is_in_udp(chunk.bytes) && self.association.is_some() {
            self.say(true, facts);
            return Progress::Upgrade { to: esp::SPEC.protocol, consumed: 0 };
        } else {
            self.is_damaged |= damaged(chunk.bytes, self.on_nat_port).is_some();
        }
        if self.said && !self.on_nat_port {
            return Progress::Done;
        }
        if self.messages >= Self::MESSAGES_MAX {
            self.say(false, facts);
            return Progress::Done;
        }
        Progress::Continue { consumed: 0 }
    }

    /// The other side shows, too, whether it was answered.
    fn on_gap(&mut self, sender: Sender, _len: u32) -> Progress {
        match self.lost.replace(sender) {
            Some(other) if other != sender => Progress::Done,
            _ if !self.has_begun => Progress::Done,
            _ => Progress::Continue { consumed: 0 },
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.say(false, facts);
        if self.is_damaged && !self.said {
            facts.push(Statement::Malformed("ike_message"));
        }
    }
}

impl Association {
    const VENDORS_MAX: usize = 16;

    fn new(from: Sender, message: &Message<'_>) -> Self {
        Self {
            initiator: message.initiator,
            from,
            version: message.version,
            exchange: message.exchange,
            vendors: Vec::new(),
            nat_detection: false,
            initiator_id: None,
        }
    }

    /// Learns from a message; the first that names its sender says who it is.
    fn take(&mut self, message: &Message<'_>) -> Option<Credential> {
        let mut credential = None;
        for payload in message.payloads() {
            match payload {
                Payload::NatDetection => self.nat_detection = true,
                Payload::VendorId(id) => self.learn_vendor(id),
                Payload::Identification { kind, value } if message.opens() && self.initiator_id.is_none() => {
                    self.initiator_id = identity(kind, value);
                    let user = self.initiator_id.clone().filter(|_| matches!(kind, ID_FQDN | ID_USER_FQDN));
                    credential = user.map(|user| Credential { user: Some(user), ..Credential::default() });
                }
                _ => {}
            }
        }
        credential
    }

    fn learn_vendor(&mut self, id: &[u8]) {
        let Some(name) = vendor::name(id) else {
            return;
        };
        if self.vendors.len() < Self::VENDORS_MAX && !self.vendors.contains(&name) {
            self.vendors.push(name);
        }
    }

    /// A message with both indices shows that the responder took part, unless it is the responder's refusal.
    fn is_accepted_by(&self, from: Sender, message: &Message<'_>) -> bool {
        let is_refusal = message.is_readable && !message.has_proposal() && (from != self.from || message.is_response);
        message.responder != [0; 8] && !is_refusal
    }

    fn fields(&self) -> Fields {
        let mut fields = Fields::default();
        fields.push("ike.version", self.version.as_str());
        fields.push("ike.exchange", self.exchange.as_str());
        if !self.vendors.is_empty() {
            fields.push("ike.vendor_ids", self.vendors.clone());
        }
        fields.push("ike.nat_detection", self.nat_detection);
        fields.push_some("ike.initiator_id", self.initiator_id.clone());
        fields
    }
}

// Identification types, RFC 2407 §4.6.2.1.
const ID_FQDN: u8 = 2;
const ID_USER_FQDN: u8 = 3;
const ID_KEY_ID: u8 = 11;

fn identity(kind: u8, value: &[u8]) -> Option<Text> {
    let is_name = matches!(kind, ID_FQDN | ID_USER_FQDN | ID_KEY_ID)
        && !value.is_empty()
        && value.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    is_name.then(|| Text::from_utf8(value))
}
