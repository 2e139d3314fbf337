//! Kerberos 5 (RFC 4120): requests to a key distribution centre and its answers in, one [`Credential`] for each exchange
//! out: who asked, for what, and whether it was granted.

pub(crate) mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Outcome, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::kerberos::wire::{Message, Request};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, der};

pub const PROTOCOL: Protocol = Protocol::new(&"kerberos");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp, Transport::Udp],
    // The first byte of a length over TCP, of a message over UDP.
    opens_with: &[(0x00, 0x00), (0x6a, 0x6d), (0x7e, 0x7e)],
    probe,
    start: |start| Box::new(Kerberos { transport: start.transport, on_port: start.on_port(PORT), asked: None }),
    fields: &[
        FieldSpec { name: "kerberos.request", help: "`AS` for a log-on, `TGS` for a service ticket (RFC 4120 §3)" },
        FieldSpec { name: SERVICE, help: "The service a ticket is for (RFC 4120 §5.4.1)" },
        FieldSpec { name: "kerberos.error_code", help: "Why the request was refused (RFC 4120 §7.5.9)" },
    ],
};

pub const SERVICE: &str = "kerberos.service";

const PORT: u16 = 88;
/// The most bytes of a message over TCP.
const MESSAGE_BYTES_MAX: u32 = 64 << 10;
/// What asks for another try and refuses nobody: KDC_ERR_PREAUTH_REQUIRED, KRB_ERR_RESPONSE_TOO_BIG, KDC_ERR_WRONG_REALM
/// (RFC 4120 §7.5.9; RFC 6806 §7) and KDC_ERR_MORE_PREAUTH_DATA_REQUIRED (RFC 6113 §5.2).
const ASKS_AGAIN: [u64; 4] = [25, 52, 68, 91];

fn probe(opening: &Opening<'_>) -> Probe {
    let mut cursor = Cursor::new(opening.bytes);
    if opening.transport == Transport::Tcp {
        let Some(len) = cursor.u32() else { return Probe::More };
        if len > MESSAGE_BYTES_MAX {
            return Probe::No;
        }
        let Some(first) = cursor.peek() else { return Probe::More };
        let fits = || der::header(&mut cursor.clone()).is_none_or(|(_, body)| body < usize::try_from(len).unwrap_or(0));
        if wire::exchange(first).is_none() || !fits() {
            return Probe::No;
        }
        if cursor.len() < usize::try_from(len).unwrap_or(usize::MAX) {
            return Probe::More;
        }
        cursor = cursor.sub(usize::try_from(len).unwrap_or(0)).unwrap_or(cursor);
    }
    let sender = match message(cursor.rest(), opening.on_port(PORT)) {
        None => return Probe::No,
        Some(Message::Request(_)) => Sender::Client,
        Some(Message::Reply(_) | Message::Error(_)) => Sender::Server,
    };
    if sender == opening.sender { Probe::Match } else { Probe::Reversed }
}

/// Reads a message. At its port an error need have little in it.
fn message(bytes: &[u8], on_port: bool) -> Option<Message> {
    wire::message(bytes).or_else(|| wire::sparse_error(bytes).filter(|_| on_port).map(Message::Error))
}

struct Kerberos {
    transport: Transport,
    on_port: bool,
    /// A request that is not answered yet.
    asked: Option<Request>,
}

impl Parser for Kerberos {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if self.transport != Transport::Tcp {
            // A datagram that is no message, a fragment say, says nothing.
            if let Some(message) = message(chunk.bytes, self.on_port) {
                self.on_message(message, facts);
            }
            return Progress::Continue { consumed: chunk.bytes.len() };
        }
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            let mut ahead = cursor;
            let Some(len) = ahead.u32() else { break };
            if len > MESSAGE_BYTES_MAX {
                self.on_end(facts);
                return Progress::Malformed("kerberos_length");
            }
            let Some(bytes) = ahead.take(usize::try_from(len).unwrap_or(usize::MAX)) else { break };
            let Some(message) = message(bytes, self.on_port) else {
                self.on_end(facts);
                return Progress::Malformed("kerberos_message");
            };
            self.on_message(message, facts);
            cursor = ahead;
        }
        Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if let Some(request) = self.asked.take() {
            Exchange::of_request(Some(request)).say(facts);
        }
    }
}

impl Kerberos {
    fn on_message(&mut self, message: Message, facts: &mut Vec<Statement>) {
        match message {
            Message::Request(request) => {
                // The same request again is the first one sent again.
                if self.asked.as_ref() != Some(&request) {
                    self.on_end(facts);
                }
                self.asked = Some(request);
            }
            Message::Reply(reply) => {
                let mut exchange = Exchange::of_request(self.asked.take());
                exchange.is_initial = Some(reply.is_initial);
                exchange.client = Some(reply.client);
                exchange.realm = Some(reply.realm);
                exchange.outcome = Some(Outcome::Success);
                exchange.say(facts);
            }
            Message::Error(error) => {
                let mut exchange = Exchange::of_request(self.asked.take());
                exchange.client = exchange.client.or(error.client);
                exchange.realm = exchange.realm.or(error.client_realm).or(error.realm);
                exchange.outcome = Some(Outcome::Failure).filter(|_| !ASKS_AGAIN.contains(&error.code));
                exchange.error_code = Some(error.code);
                exchange.say(facts);
            }
        }
    }
}

/// A request and its answer, or what was seen of them.
#[derive(Default)]
struct Exchange {
    is_initial: Option<bool>,
    client: Option<Text>,
    realm: Option<Text>,
    service: Option<Text>,
    host: Option<Text>,
    outcome: Option<Outcome>,
    error_code: Option<u64>,
}

impl Exchange {
    fn of_request(request: Option<Request>) -> Self {
        let Some(request) = request else { return Self::default() };
        Self {
            is_initial: Some(request.is_initial),
            client: request.client,
            realm: Some(request.realm),
            service: request.service,
            host: request.host,
            ..Self::default()
        }
    }

    fn say(self, facts: &mut Vec<Statement>) {
        let mut credential = Credential {
            user: self.client,
            domain: self.realm.filter(|realm| !realm.is_empty()),
            host: self.host,
            outcome: self.outcome,
            ..Credential::default()
        };
        let request = self.is_initial.map(|is_initial| if is_initial { "AS" } else { "TGS" });
        credential.fields.push_some("kerberos.request", request);
        credential.fields.push_some(SERVICE, self.service);
        credential.fields.push_some("kerberos.error_code", self.error_code);
        facts.push(Statement::Credential(Box::new(credential)));
    }
}
