//! Apache Guacamole ([protocol](https://guacamole.apache.org/doc/gug/guacamole-protocol.html)): a remote desktop in a
//! browser. What its web server asks of `guacd`, or what travels to the browser in a WebSocket, in; one
//! [`RemoteDesktop`] with what drives the machine behind it out. Passwords are passed over.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{RemoteDesktop, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::Instruction;

pub const PROTOCOL: Protocol = Protocol::new(&"guacamole");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(b'0', b'0'), (b'6', b'6')],
    probe,
    start: |_| Box::<Guacamole>::default(),
    fields: &[
        FieldSpec {
            name: DRIVER,
            help: "What drives the machine behind the gateway: `rdp`, `vnc`, `ssh`, `telnet` or `kubernetes`.",
        },
        FieldSpec { name: TARGET, help: "The machine that the gateway was told to connect to." },
    ],
};

const DRIVER: &str = "guacamole.driver";
const TARGET: &str = "guacamole.target";

const DRIVERS: &[&str] = &["kubernetes", "rdp", "ssh", "telnet", "vnc"];

/// `6.select,3.rdp;` opens a session with guacd, `0.,36.` and a UUID one with a browser.
fn probe(opening: &Opening<'_>) -> Probe {
    match wire::instruction(&mut Cursor::new(opening.bytes)) {
        Ok(Some(instruction)) if opens(&instruction, opening.sender) => Probe::Match,
        Ok(Some(instruction)) if opens(&instruction, opening.sender.other()) => Probe::Reversed,
        Ok(None) if [&b"6.select,"[..], b"0.,36."].iter().any(|way| may_begin(opening.bytes, way)) => Probe::More,
        _ => Probe::No,
    }
}

fn may_begin(bytes: &[u8], way: &[u8]) -> bool {
    way.starts_with(bytes) || bytes.starts_with(way)
}

fn opens(instruction: &Instruction<'_>, sender: Sender) -> bool {
    match (sender, instruction.opcode, instruction.arguments.as_slice()) {
        (Sender::Client, b"select", [chosen]) => driver(chosen).is_some() || chosen.starts_with(b"$"),
        (Sender::Server, b"", [uuid]) => {
            uuid.len() == 36 && uuid.iter().all(|&byte| byte.is_ascii_hexdigit() || byte == b'-')
        }
        _ => false,
    }
}

fn driver(name: &[u8]) -> Option<&'static str> {
    DRIVERS.iter().copied().find(|known| known.as_bytes() == name)
}

#[derive(Default)]
struct Guacamole {
    driver: Option<&'static str>,
    /// Which arguments of `connect` are the machine and the user.
    target_at: Option<usize>,
    user_at: Option<usize>,
    target: Option<Text>,
    user: Option<Text>,
    has_opened: bool,
    instructions: u32,
}

impl Guacamole {
    const INSTRUCTIONS_MAX: u32 = 16;

    /// Whether everything is known.
    fn take(&mut self, instruction: &Instruction<'_>, sender: Sender) -> bool {
        self.instructions = self.instructions.saturating_add(1);
        match (sender, instruction.opcode) {
            (Sender::Client, b"select") => {
                self.driver = instruction.arguments.first().and_then(|name| driver(name));
            }
            (Sender::Server, b"args") => {
                let place = |name: &[u8]| instruction.arguments.iter().position(|argument| *argument == name);
                self.target_at = place(b"hostname");
                self.user_at = place(b"username");
            }
            (Sender::Client, b"connect") => {
                let value = |at: Option<usize>| instruction.arguments.get(at?).filter(|value| !value.is_empty());
                self.target = value(self.target_at).map(|value| Text::from_utf8(value));
                self.user = value(self.user_at).map(|value| Text::from_utf8(value));
            }
            _ => {}
        }
        // To a browser nothing more is told.
        let is_told = matches!((sender, instruction.opcode), (Sender::Client, b"connect") | (Sender::Server, b""));
        is_told || self.instructions >= Self::INSTRUCTIONS_MAX
    }
}

impl Parser for Guacamole {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            match wire::instruction(&mut cursor) {
                Ok(None) => return Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) },
                Err(_) if !self.has_opened => return Progress::Reject,
                Err(reason) => {
                    self.on_end(facts);
                    return Progress::Malformed(reason);
                }
                Ok(Some(instruction)) => {
                    self.has_opened = self.has_opened || opens(&instruction, chunk.sender);
                    if self.take(&instruction, chunk.sender) {
                        self.on_end(facts);
                        return Progress::Done;
                    }
                }
            }
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if !std::mem::take(&mut self.has_opened) {
            return;
        }
        let mut desktop = RemoteDesktop { user: self.user.take(), ..RemoteDesktop::default() };
        desktop.fields.push_some(DRIVER, self.driver);
        desktop.fields.push_some(TARGET, self.target.take());
        facts.push(Statement::RemoteDesktop(Box::new(desktop)));
    }
}
