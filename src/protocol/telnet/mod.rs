//! Telnet (RFC 854): the negotiation of options in, a hello of each side, one for the terminal and the user name that the
//! client passes on (RFC 1091, RFC 1572) out. What is typed and shown is passed over. On its port a server that asks for a
//! name or a password at once, and negotiates nothing, is one, too; and amid a connection keys that come back.

pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Fields, Hello, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};

use wire::{Command, IAC, Subnegotiation};

pub const PROTOCOL: Protocol = Protocol::new(&"telnet");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    // IAC; on its port a server's text.
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(Telnet::new(start)),
    fields: &[TERMINAL, DISPLAY],
};

const TERMINAL: FieldSpec =
    FieldSpec { name: "telnet.terminal", help: "The type of the client's terminal (RFC 1091)." };
const DISPLAY: FieldSpec =
    FieldSpec { name: "telnet.display", help: "The client's X display, its host before the colon (RFC 1096)." };

const PORT: u16 = 23;

/// Options are asked for before anything else is said. One such command tells on Telnet's port, two tell everywhere, the
/// second perhaps what was asked for. On its port a server may greet before.
fn probe(opening: &Opening<'_>) -> Probe {
    let on_port = opening.on_port(PORT);
    let mut cursor = Cursor::new(opening.bytes);
    if on_port && opening.is_midway && opening.sender == Sender::Client && wire::is_key(opening.bytes) {
        return Probe::Match;
    }
    if on_port && opening.sender == Sender::Server {
        let text = wire::text(&mut cursor);
        match wire::asks_for_name(text) {
            true => return Probe::Match,
            false if text.len() > TEXT_BYTES_MAX => return Probe::No,
            false if cursor.is_empty() => return Probe::More,
            false => {}
        }
    }
    if cursor.peek().is_some_and(|first| first != IAC) {
        return Probe::No;
    }
    let wanted = if on_port { 1 } else { 2 };
    for number in 0..wanted {
        match wire::command(&mut cursor) {
            Ok(Some(Command::Option(option))) if wire::is_registered(option) => {}
            Ok(Some(Command::Subnegotiation([option, ..]))) if number > 0 && wire::is_registered(*option) => {}
            Ok(None) => return Probe::More,
            _ => return Probe::No,
        }
    }
    Probe::Match
}

/// The most a server says before it asks.
const TEXT_BYTES_MAX: usize = 2 << 10;

struct Telnet {
    on_port: bool,
    /// As long as the connection may have begun before.
    echo: Option<Echo>,
    client: Side,
    server: Side,
    told: Told,
}

/// What was typed and has not come back yet.
#[derive(Default)]
struct Echo {
    typed: Vec<u8>,
    echoes: u32,
}

impl Echo {
    /// So many keys that come back are typed at a terminal.
    const MIN: u32 = 2;
    const TYPED_MAX: usize = 16;

    fn is_known_by(&mut self, data: &[u8], sender: Sender) -> bool {
        match sender {
            Sender::Client if wire::is_key(data) && self.typed.len() < Self::TYPED_MAX => self.typed.extend(data),
            Sender::Server if !data.is_empty() && self.typed.starts_with(data) => {
                self.typed.drain(..data.len());
                self.echoes = self.echoes.saturating_add(1);
            }
            _ if data.is_empty() => {}
            Sender::Client => self.typed.clear(),
            // What a command shows.
            Sender::Server if self.typed.is_empty() => {}
            Sender::Server => *self = Self::default(),
        }
        self.echoes >= Self::MIN
    }
}

#[derive(Default)]
struct Side {
    has_spoken: bool,
    bytes: usize,
    /// What a server says before it has asked for anything, up to a limit.
    text: Vec<u8>,
}

#[derive(Default)]
struct Told {
    terminal: bool,
    display: bool,
    user: bool,
}

impl Telnet {
    /// Negotiation stands at the beginning: after so many bytes of a side nothing is waited for.
    const BYTES_MAX: usize = 8 << 10;

    fn new(start: &Start) -> Self {
        let on_port = start.on_port(PORT);
        let echo = (on_port && start.is_midway).then(Echo::default);
        Self { on_port, echo, client: Side::default(), server: Side::default(), told: Told::default() }
    }

    const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }

    fn on_data(&mut self, data: &[u8], sender: Sender, facts: &mut Vec<Statement>) {
        if let Some(echo) = &mut self.echo
            && echo.is_known_by(data, sender)
        {
            self.echo = None;
            if !std::mem::replace(&mut self.client.has_spoken, true) {
                facts.push(hello(Sender::Client, Fields::default()));
            }
        }
        let server = &mut self.server;
        if !self.on_port || sender == Sender::Client || server.has_spoken || server.text.len() > TEXT_BYTES_MAX {
            return;
        }
        let room = TEXT_BYTES_MAX.saturating_add(1).saturating_sub(server.text.len());
        let from = server.text.len().saturating_sub(wire::QUESTION_BYTES_MAX);
        server.text.extend(data.iter().take(room));
        if wire::asks_for_name(server.text.get(from..).unwrap_or_default()) {
            (server.has_spoken, server.text) = (true, Vec::new());
            facts.push(hello(sender, Fields::default()));
        }
    }

    fn on_command(&mut self, command: Command<'_>, sender: Sender, facts: &mut Vec<Statement>) {
        if !std::mem::replace(&mut self.side(sender).has_spoken, true) {
            facts.push(hello(sender, Fields::default()));
        }
        let Command::Subnegotiation(bytes) = command else { return };
        match (wire::subnegotiation(bytes), sender) {
            (Some(Subnegotiation::Terminal(terminal)), Sender::Client) if !self.told.terminal => {
                self.told.terminal = true;
                facts.push(of_client(TERMINAL.name, &terminal));
            }
            (Some(Subnegotiation::Display(display)), Sender::Client) if !self.told.display => {
                self.told.display = true;
                facts.push(of_client(DISPLAY.name, &display));
            }
            (Some(Subnegotiation::User(user)), Sender::Client) if !self.told.user => {
                self.told.user = true;
                let user = Some(Text::from_utf8(&user));
                facts.push(Statement::Credential(Box::new(Credential { user, ..Credential::default() })));
            }
            _ => {}
        }
    }
}

impl Parser for Telnet {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            let before = cursor;
            wire::skip_data(&mut cursor);
            let data_bytes = before.len().saturating_sub(cursor.len());
            self.on_data(before.rest().get(..data_bytes).unwrap_or_default(), chunk.sender, facts);
            match wire::command(&mut cursor) {
                Ok(Some(command)) => self.on_command(command, chunk.sender, facts),
                Ok(None) => break,
                Err(reason) => return Progress::Malformed(reason),
            }
        }
        let consumed = chunk.bytes.len().saturating_sub(cursor.len());
        let side = self.side(chunk.sender);
        side.bytes = side.bytes.saturating_add(consumed);
        match side.bytes > Self::BYTES_MAX {
            false => Progress::Continue { consumed },
            true if self.client.has_spoken || self.server.has_spoken => Progress::Done,
            true => Progress::Reject,
        }
    }

    fn kept_bytes(&self) -> usize {
        self.server.text.len()
    }
}

fn of_client(name: &'static str, value: &[u8]) -> Statement {
    let mut fields = Fields::default();
    fields.push(name, Text::from_latin1(value));
    hello(Sender::Client, fields)
}

fn hello(sender: Sender, fields: Fields) -> Statement {
    Statement::Hello(Box::new(Hello { fields, ..Hello::new(sender) }))
}
