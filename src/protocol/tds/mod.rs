//! Tabular Data Stream ([MS-TDS]), as Microsoft SQL Server and Sybase's heirs speak it: the negotiation, and where it is
//! in clear the log-on in; a [`Hello`] of each side and a [`Credential`] out, or the hellos of the TLS that its packets
//! carry. Passwords are not looked at, nor is what is asked for.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Hello, Outcome, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::gss::LogOn;
use crate::protocol::tls::carried::CarriedTls;
use crate::protocol::tls::hello;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

use wire::{Answer, Packet, packet};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"tds"),
    transports: &[Transport::Tcp],
    opens_with: &[(packet::LOGIN7, packet::LOGIN7), (packet::PRELOGIN, packet::PRELOGIN)],
    probe,
    start: |_| Box::<Tds>::default(),
    fields: &[
        FieldSpec { name: VERSION, help: "The version that a side says it has, as of Microsoft's numbering." },
        FieldSpec { name: APPLICATION, help: "The program that logs on, as it calls itself." },
        FieldSpec { name: SERVER, help: "The server that the client means." },
        FieldSpec { name: DATABASE, help: "The database that the client asks for first." },
        hello::VERSION,
        hello::VERSION_PROTOCOL,
        hello::CIPHER,
        hello::RESUMED,
        hello::HELLO_RETRY,
        hello::ALERT,
    ],
};

const VERSION: &str = "tds.version";
const APPLICATION: &str = "tds.application";
const SERVER: &str = "tds.server_name";
const DATABASE: &str = "tds.database";

fn probe(opening: &Opening<'_>) -> Probe {
    let read = wire::packet(&mut Cursor::new(opening.bytes));
    let fits = match read {
        Err(_) => false,
        Ok(None) => return Probe::More,
        Ok(Some(Packet { kind: packet::PRELOGIN, is_last: true, data })) => wire::prelogin(data).is_some(),
        Ok(Some(Packet { kind: packet::LOGIN7, is_last: true, data })) => wire::login(data).is_some(),
        Ok(Some(_)) => false,
    };
    match (fits, opening.sender) {
        (false, _) => Probe::No,
        (true, Sender::Client) => Probe::Match,
        (true, Sender::Server) => Probe::Reversed,
    }
}

#[derive(Default)]
struct Tds {
    client: Side,
    server: Side,
    tls: Option<CarriedTls>,
    log_on: LogOn,
    has_logged_on: bool,
    packets: u32,
}

#[derive(Default)]
struct Side {
    has_spoken: bool,
    /// The packets of a message whose last has not come.
    message: Vec<u8>,
}

impl Tds {
    /// The most packets until the log-on is judged.
    const PACKETS_MAX: u32 = 64;
    const MESSAGE_BYTES_MAX: usize = 64 << 10;

    const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }

    fn on_packet(&mut self, packet: Packet<'_>, chunk: &Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.packets = self.packets.saturating_add(1);
        let both_spoke = self.client.has_spoken && self.server.has_spoken;
        if packet.kind == packet::PRELOGIN && both_spoke {
            // What both say after they have agreed on it.
            let tls = self.tls.get_or_insert_default();
            tls.on_bytes(Chunk { bytes: packet.data, ..*chunk }, facts);
            return if tls.is_over() { Progress::Done } else { go_on() };
        }
        let side = self.side(chunk.sender);
        if side.message.len().saturating_add(packet.data.len()) > Self::MESSAGE_BYTES_MAX {
            return Progress::Malformed("tds_message");
        }
        side.message.extend_from_slice(packet.data);
        if !packet.is_last {
            return go_on();
        }
        let message = std::mem::take(&mut side.message);
        match (packet.kind, chunk.sender) {
            (packet::PRELOGIN, Sender::Client) | (packet::RESULT, Sender::Server) if !self.has_logged_on => {
                self.on_prelogin(&message, chunk.sender, facts)
            }
            (packet::LOGIN7, Sender::Client) => self.on_login(&message, facts),
            (packet::SSPI, Sender::Client) => {
                self.log_on.on_client(&message, facts);
                go_on()
            }
            (packet::RESULT, Sender::Server) => self.on_answer(&message, facts),
            _ => Progress::Reject,
        }
    }

    fn on_prelogin(&mut self, message: &[u8], sender: Sender, facts: &mut Vec<Statement>) -> Progress {
        let Some(version) = wire::prelogin(message) else { return Progress::Reject };
        if !std::mem::replace(&mut self.side(sender).has_spoken, true) {
            let mut hello = Hello::new(sender);
            hello.fields.push(VERSION, version);
            facts.push(Statement::Hello(Box::new(hello)));
        }
        go_on()
    }

    fn on_login(&mut self, message: &[u8], facts: &mut Vec<Statement>) -> Progress {
        let Some(login) = wire::login(message) else { return Progress::Reject };
        self.has_logged_on = true;
        let said = |text: Text| Some(text).filter(|text| !text.is_empty());
        let mut credential = Credential { user: said(login.user), host: said(login.host), ..Credential::default() };
        credential.fields.push_some(APPLICATION, said(login.application));
        credential.fields.push_some(SERVER, said(login.server));
        credential.fields.push_some(DATABASE, said(login.database));
        if login.token.is_empty() {
            self.log_on.claim(credential, facts);
        } else {
            // Who the domain's account is stands in its tokens; from which program it logs on is told apart.
            facts.push(Statement::Credential(Box::new(credential)));
            self.log_on.on_client(&login.token, facts);
        }
        go_on()
    }

    fn on_answer(&mut self, message: &[u8], facts: &mut Vec<Statement>) -> Progress {
        match wire::answer(message) {
            Some(Answer::Token(token)) => {
                self.log_on.on_server(token, None, facts);
                return go_on();
            }
            Some(Answer::Accepted) => _ = self.log_on.on_server(&[], Some(Outcome::Success), facts),
            Some(Answer::Refused) => _ = self.log_on.on_server(&[], Some(Outcome::Failure), facts),
            None => self.log_on.on_end(facts),
        }
        Progress::Done
    }
}

const fn go_on() -> Progress {
    Progress::Continue { consumed: 0 }
}

impl Parser for Tds {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            let packet = match wire::packet(&mut cursor) {
                Ok(Some(packet)) => packet,
                Ok(None) => return Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) },
                Err(_) if self.packets == 0 => return Progress::Reject,
                // Encrypted, or a request: what follows is not read.
                Err(_) => {
                    self.on_end(facts);
                    return Progress::Done;
                }
            };
            match self.on_packet(packet, &chunk, facts) {
                Progress::Continue { .. } if self.packets < Self::PACKETS_MAX => {}
                Progress::Continue { .. } | Progress::Done => {
                    self.on_end(facts);
                    return Progress::Done;
                }
                other => return other,
            }
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.log_on.on_end(facts);
    }

    fn kept_bytes(&self) -> usize {
        let messages = self.client.message.len().saturating_add(self.server.message.len());
        messages.saturating_add(self.tls.as_ref().map_or(0, CarriedTls::kept_bytes))
    }
}
