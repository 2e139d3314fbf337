//! Telnet (RFC 854): the negotiation of options in, a hello of each side, one for the terminal and the user name that the
//! client passes on (RFC 1091, RFC 1572) out. What is typed and shown is passed over.

pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Fields, Hello, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

use wire::{Command, IAC, Subnegotiation};

pub const PROTOCOL: Protocol = Protocol::new(&"telnet");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(IAC, IAC)],
    probe,
    start: |_| Box::<Telnet>::default(),
    fields: &[TERMINAL, DISPLAY],
};

const TERMINAL: FieldSpec =
    FieldSpec { name: "telnet.terminal", help: "The type of the client's terminal (RFC 1091)." };
const DISPLAY: FieldSpec =
    FieldSpec { name: "telnet.display", help: "The client's X display, its host before the colon (RFC 1096)." };

const PORT: u16 = 23;

/// Options are asked for before anything else is said. One such command tells on Telnet's port, two tell everywhere.
fn probe(opening: &Opening<'_>) -> Probe {
    let wanted = if opening.on_port(PORT) { 1 } else { 2 };
    let mut cursor = Cursor::new(opening.bytes);
    for _ in 0..wanted {
        match wire::command(&mut cursor) {
            Ok(Some(Command::Option(option))) if wire::is_registered(option) => {}
            Ok(None) => return Probe::More,
            _ => return Probe::No,
        }
    }
    Probe::Match
}

#[derive(Default)]
struct Telnet {
    client: Side,
    server: Side,
    told: Told,
}

#[derive(Default)]
struct Side {
    has_spoken: bool,
    bytes: usize,
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

    const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
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
            wire::skip_data(&mut cursor);
            match wire::command(&mut cursor) {
                Ok(Some(command)) => self.on_command(command, chunk.sender, facts),
                Ok(None) => break,
                Err(reason) => return Progress::Malformed(reason),
            }
        }
        let consumed = chunk.bytes.len().saturating_sub(cursor.len());
        let side = self.side(chunk.sender);
        side.bytes = side.bytes.saturating_add(consumed);
        if side.bytes > Self::BYTES_MAX { Progress::Done } else { Progress::Continue { consumed } }
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
