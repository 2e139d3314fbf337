//! SMB 1 to 3 ([MS-CIFS], [MS-SMB2]) over TCP and the NetBIOS session service: negotiation and session setups in, a
//! [`Hello`] of each side and a [`Credential`] for each log-on out; after it, for some messages, which interfaces are bound
//! through named pipes. Files and their names are not read.

pub mod mailslot;
mod pipe;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Hello, Outcome, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::gss::LogOn;
use crate::protocol::smb::pipe::Pipes;
use crate::protocol::smb::wire::{Command, Head, SessionPacket};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, dcerpc};

pub const PROTOCOL: Protocol = Protocol::new(&"smb");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(0x00, 0x00), (0x81, 0x81), (0x85, 0x85)],
    probe,
    start: |_| Box::<Smb>::default(),
    fields: &[
        FieldSpec {
            name: DIALECT,
            help: "What the client offers, or the server chose: a name of SMB 1; of SMB 2 and 3 the number and the name, `0x0311` and `SMB 3.1.1` ([MS-SMB2] §2.2.3)",
        },
        dcerpc::INTERFACE,
        FieldSpec { name: "smb.calling_name", help: "The NetBIOS name of the client (RFC 1002 §4.3.2)" },
        FieldSpec {
            name: "smb.native_os",
            help: "The client's operating system in its own words ([MS-CIFS] §2.2.4.53)",
        },
        FieldSpec { name: "ntlm.server_name", help: "The name the server gives itself ([MS-NLMP] §2.2.2.1)" },
        FieldSpec { name: "ntlm.server_domain", help: "The DNS domain the server says it is in ([MS-NLMP] §2.2.2.1)" },
        FieldSpec {
            name: "ntlm.server_version", help: "The server's Windows version and build ([MS-NLMP] §2.2.2.10)"
        },
    ],
};

const DIALECT: &str = "smb.dialect";
const PORT: u16 = 445;
const STATUS_MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;
/// The answer takes a while and is still to come (MS-SMB2 §3.3.4.2).
const STATUS_PENDING: u32 = 0x0000_0103;
/// The most keep-alives that an opening may begin with.
const KEEP_ALIVES_MAX: usize = 16;
/// The most bytes of a message that is read; longer ones are passed over.
const MESSAGE_BYTES_MAX: usize = 32 << 10;
/// The most messages of a connection that are looked at in search of a log-on.
const MESSAGES_MAX: u16 = 512;
/// The most messages after a log-on that are looked at in search of pipes.
const PIPE_MESSAGES_MAX: u16 = 64;
/// The most bytes of a message to a pipe that is read: interfaces are bound by short ones.
const PIPE_BYTES_MAX: usize = 8 << 10;

fn probe(opening: &Opening<'_>) -> Probe {
    let mut cursor = Cursor::new(opening.bytes);
    // A capture that begins while nothing is said but that one is still there.
    for _ in 0..KEEP_ALIVES_MAX {
        let mut ahead = cursor;
        let Ok(Some(SessionPacket::Control { kind: SessionPacket::KEEP_ALIVE, .. })) = SessionPacket::read(&mut ahead)
        else {
            break;
        };
        cursor = ahead;
    }
    let sender = match wire::SessionPacket::read(&mut cursor) {
        Err(_) => return Probe::No,
        Ok(None) => return Probe::More,
        Ok(Some(SessionPacket::Control { kind: SessionPacket::REQUEST, len })) => match cursor.sub(len) {
            None => return Probe::More,
            Some(body) if wire::is_session_request(body) => Sender::Client,
            Some(_) => return Probe::No,
        },
        Ok(Some(SessionPacket::Control { .. })) => return Probe::No,
        Ok(Some(SessionPacket::Message { len })) => {
            if opening.is_midway {
                match wire::is_encrypted(cursor, len) {
                    None => return Probe::More,
                    Some(true) => return by_port(opening),
                    Some(false) => {}
                }
            }
            let seen = cursor.rest().get(..4.min(cursor.len())).unwrap_or_default();
            let is_smb = [b"\xffSMB", b"\xfeSMB"].iter().any(|magic| magic.starts_with(seen));
            if len < wire::HEAD_BYTES || !is_smb {
                return Probe::No;
            }
            if cursor.len() < wire::HEAD_BYTES {
                return Probe::More;
            }
            match wire::head(cursor) {
                Some(Head { is_reply: false, .. }) => Sender::Client,
                Some(_) => Sender::Server,
                None => return Probe::No,
            }
        }
    };
    if sender == opening.sender { Probe::Match } else { Probe::Reversed }
}

/// Encrypted messages of both sides look alike.
const fn by_port(opening: &Opening<'_>) -> Probe {
    if opening.client_port == PORT && opening.server_port != PORT { Probe::Reversed } else { Probe::Match }
}

#[derive(Default)]
struct Smb {
    client: Skipping,
    server: Skipping,
    messages: u16,
    /// Once somebody was let in: the message that the parse ends with.
    last_message: Option<u16>,
    pipes: Pipes,
    said: bool,
    calling_name: Option<Text>,
    offered: Vec<Text>,
    log_on: LogOn,
}

/// How many bytes of a side's message are still to be passed over.
#[derive(Default)]
struct Skipping(usize);

enum Step {
    Done,
    Foreign,
    Next,
    Wait,
}

impl Parser for Smb {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            let skip = &mut self.side(chunk.sender).0;
            let len = (*skip).min(cursor.len());
            *skip = skip.saturating_sub(len);
            let _ = cursor.skip(len);
            match self.step(chunk.sender, &mut cursor, facts) {
                Step::Next => {}
                Step::Wait => break,
                Step::Done => {
                    self.on_end(facts);
                    return Progress::Done;
                }
                Step::Foreign => {
                    self.on_end(facts);
                    return Progress::Malformed("smb_message");
                }
            }
        }
        Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.log_on.on_end(facts);
    }
}

impl Smb {
    fn step(&mut self, sender: Sender, cursor: &mut Cursor<'_>, facts: &mut Vec<Statement>) -> Step {
        let mut ahead = *cursor;
        let len = match SessionPacket::read(&mut ahead) {
            Err(_) => return Step::Foreign,
            Ok(None) => return Step::Wait,
            Ok(Some(SessionPacket::Control { kind, len })) => {
                let Some(body) = ahead.sub(len) else { return Step::Wait };
                if kind == SessionPacket::REQUEST {
                    self.calling_name = wire::calling_name(body);
                }
                *cursor = ahead;
                return Step::Next;
            }
            Ok(Some(SessionPacket::Message { len })) => len,
        };
        if ahead.len() < wire::HEAD_BYTES.min(len) {
            return Step::Wait;
        }
        let message = ahead.rest().get(..len).unwrap_or(ahead.rest());
        let Some(head) = wire::head(Cursor::new(message)) else { return Step::Foreign };
        self.messages = self.messages.saturating_add(1);
        if head.command == Command::Hidden && !self.said && self.log_on.pending().is_none() {
            self.hello(sender, Vec::new(), facts);
        }
        if head.command == Command::Hidden || self.messages > self.last_message.unwrap_or(MESSAGES_MAX) {
            return Step::Done;
        }
        if is_passed_over(head, len) {
            if !self.said {
                // A capture that began amid the connection.
                self.hello(sender, Vec::new(), facts);
            }
            self.side(sender).0 = len;
            *cursor = ahead;
            return Step::Next;
        }
        let Some(message) = ahead.sub(len) else {
            self.messages = self.messages.saturating_sub(1);
            return Step::Wait;
        };
        *cursor = ahead;
        let is_in = if head.is_reply {
            self.on_reply(head.command, message, facts)
        } else {
            self.on_request(head.command, message, facts);
            false
        };
        if is_in {
            self.last_message.get_or_insert(self.messages.saturating_add(PIPE_MESSAGES_MAX));
        }
        Step::Next
    }

    fn on_request(&mut self, command: Command, message: Cursor<'_>, facts: &mut Vec<Statement>) {
        match command {
            Command::Negotiate1 => {
                self.offered = wire::offered_names(message).unwrap_or_default();
                self.hello(Sender::Client, self.offered.clone(), facts);
            }
            Command::Negotiate2 => {
                let offered = wire::offered_numbers(message).unwrap_or_default();
                self.hello(Sender::Client, offered.into_iter().flat_map(dialect).collect(), facts);
            }
            Command::SessionSetup1 => self.on_setup1(message, facts),
            Command::SessionSetup2 => {
                self.log_on.on_client(wire::setup2_token(message, false).unwrap_or_default(), facts);
            }
            Command::Control2 => self.pipes.on_control(message, facts),
            Command::Write2 => self.pipes.on_write(message, facts),
            Command::Hidden | Command::Other => {}
        }
        if let (Some(claim), Some(name)) = (self.log_on.pending(), &self.calling_name) {
            claim.host.get_or_insert_with(|| name.clone());
        }
    }

    /// Returns whether somebody was let in by name.
    fn on_reply(&mut self, command: Command, message: Cursor<'_>, facts: &mut Vec<Statement>) -> bool {
        let outcome = match wire::status(message) {
            Some(STATUS_PENDING) => return false,
            Some(0) => Some(Outcome::Success),
            Some(STATUS_MORE_PROCESSING_REQUIRED) | None => None,
            Some(_) => Some(Outcome::Failure),
        };
        let token = match command {
            Command::Negotiate1 => {
                let chosen = wire::chosen_index(message).and_then(|index| self.offered.get(index).cloned());
                self.hello(Sender::Server, chosen.into_iter().collect(), facts);
                return false;
            }
            Command::Negotiate2 => {
                let chosen = wire::chosen_number(message).filter(|_| outcome == Some(Outcome::Success));
                self.hello(Sender::Server, chosen.into_iter().flat_map(dialect).collect(), facts);
                return false;
            }
            Command::SessionSetup1 => wire::setup1_reply_token(message),
            Command::SessionSetup2 => wire::setup2_token(message, true),
            Command::Control2 | Command::Hidden | Command::Other | Command::Write2 => return false,
        };
        if !self.said && self.log_on.pending().is_none() {
            // A capture that began amid the log-on.
            self.hello(Sender::Server, Vec::new(), facts);
        }
        self.log_on.on_server(token.unwrap_or_default(), outcome, facts)
    }

    fn on_setup1(&mut self, message: Cursor<'_>, facts: &mut Vec<Statement>) {
        let Some(setup) = wire::setup1(message) else { return };
        match setup.token {
            Some(token) => self.log_on.on_client(token, facts),
            None => {
                let claim = Credential { user: setup.user, domain: setup.domain, ..Credential::default() };
                self.log_on.claim(claim, facts);
            }
        }
        if let Some(claim) = self.log_on.pending() {
            claim.fields.push_some("smb.native_os", setup.native_os);
        }
    }

    fn hello(&mut self, sender: Sender, dialects: Vec<Text>, facts: &mut Vec<Statement>) {
        self.said = true;
        let mut hello = Hello::new(sender);
        if !dialects.is_empty() {
            hello.fields.push(DIALECT, dialects);
        }
        if sender == Sender::Client {
            hello.fields.push_some("smb.calling_name", self.calling_name.clone());
        }
        facts.push(Statement::Hello(Box::new(hello)));
    }

    const fn side(&mut self, sender: Sender) -> &mut Skipping {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }
}

fn is_passed_over(head: Head, len: usize) -> bool {
    match head.command {
        Command::Control2 | Command::Write2 => head.is_reply || len > PIPE_BYTES_MAX,
        command => command == Command::Other || len > MESSAGE_BYTES_MAX,
    }
}

/// A dialect's number, as it is written, and its name ([MS-SMB2] §2.2.4).
fn dialect(number: u16) -> impl Iterator<Item = Text> {
    let name = match number {
        0x0202 => Some("SMB 2.0.2"),
        0x0210 => Some("SMB 2.1"),
        0x02ff => Some("SMB2 wildcard"),
        0x0300 => Some("SMB 3.0"),
        0x0302 => Some("SMB 3.0.2"),
        0x0311 => Some("SMB 3.1.1"),
        _ => None,
    };
    std::iter::once(format!("0x{number:04x}").into()).chain(name.map(Text::from))
}
