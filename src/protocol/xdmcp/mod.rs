//! XDMCP (X Display Manager Control Protocol 1.1, X.Org): datagrams in, a hello of the display that looks for a manager
//! and of the manager that answers, and one [`RemoteDesktop`] for each session granted out.

pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Fields, Hello, RemoteDesktop, Sender, Statement};
use crate::net::Transport;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

use wire::Message;

pub const PROTOCOL: Protocol = Protocol::new(&"xdmcp");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Udp],
    opens_with: &[(0x00, 0x00)],
    probe,
    start: |_| Box::<Xdmcp>::default(),
    fields: &[HOST, STATUS, DISPLAY_CLASS],
};

const HOST: FieldSpec = FieldSpec { name: "xdmcp.host", help: "The name of the machine that offers its desktop." };
const STATUS: FieldSpec = FieldSpec { name: "xdmcp.status", help: "What it says of itself, or why it refuses." };
const DISPLAY_CLASS: FieldSpec =
    FieldSpec { name: "xdmcp.display_class", help: "The kind of the display, as it says." };

const PORT: u16 = 177;

fn probe(opening: &Opening<'_>) -> Probe {
    match wire::message(opening.bytes).filter(|_| opening.on_port(PORT)) {
        None => Probe::No,
        Some(message) if message.sender() == opening.sender => Probe::Match,
        Some(_) => Probe::Reversed,
    }
}

#[derive(Default)]
struct Xdmcp {
    has_asked: bool,
    answers: u32,
    sessions: u32,
}

impl Xdmcp {
    /// The most answers told of a flow, and sessions.
    const TOLD_MAX: u32 = 8;
}

impl Parser for Xdmcp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let Some(message) = wire::message(chunk.bytes) else { return Progress::Continue { consumed: 0 } };
        match message {
            Message::Manage { display_class } if self.sessions < Self::TOLD_MAX => {
                self.sessions = self.sessions.saturating_add(1);
                let mut desktop = RemoteDesktop::default();
                desktop.fields.push_some(DISPLAY_CLASS.name, display_class);
                facts.push(Statement::RemoteDesktop(Box::new(desktop)));
            }
            Message::Answer { host, status } if self.answers < Self::TOLD_MAX => {
                self.answers = self.answers.saturating_add(1);
                let mut fields = Fields::default();
                fields.push_some(HOST.name, host);
                fields.push_some(STATUS.name, status);
                facts.push(hello(Sender::Server, fields));
            }
            Message::OfDisplay if !self.has_asked => {
                self.has_asked = true;
                facts.push(hello(Sender::Client, Fields::default()));
            }
            _ => {}
        }
        Progress::Continue { consumed: 0 }
    }
}

fn hello(sender: Sender, fields: Fields) -> Statement {
    Statement::Hello(Box::new(Hello { fields, ..Hello::new(sender) }))
}
