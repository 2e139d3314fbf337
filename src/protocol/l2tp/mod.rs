//! L2TP versions 2 and 3 in (RFC 2661, RFC 3931 over UDP), a tunnel out: by the control messages that open it, or by data
//! messages that agree.

#[cfg(test)]
pub(crate) mod tests;
mod wire;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel};
use crate::net::{Text, Transport};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::{Control, Data, Message, START_REPLY, START_REQUEST};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"l2tp"),
    transports: &[Transport::Udp],
    // The flags: type, length, sequence, offset, priority.
    opens_with: &[(0x00, 0x03), (0x08, 0x0b), (0x40, 0x43), (0x48, 0x4b), (0xc8, 0xc8)],
    probe,
    start: |_| Box::new(L2tp::default()),
    fields: &[
        FieldSpec { name: "l2tp.host_name", help: "The name that the opening side gives itself (RFC 2661 §4.4.3)." },
        FieldSpec { name: "l2tp.vendor", help: "The vendor that the opening side names." },
        FieldSpec { name: "l2tp.server_host_name", help: "The name that the answering side gives itself." },
    ],
};

const PORT: u16 = 1701;

fn probe(opening: &Opening<'_>) -> Probe {
    match Message::parse(opening.bytes) {
        Some(Message::Control(control)) if control.kind == Some(START_REQUEST) => {
            if opening.sender == Sender::Client {
                Probe::Match
            } else {
                Probe::Reversed
            }
        }
        Some(_) if opening.on_port(PORT) => Probe::Match,
        _ => Probe::No,
    }
}

#[derive(Default)]
struct L2tp {
    request: Option<Names>,
    /// The last control or data message of each side.
    client: Option<Heard>,
    server: Option<Heard>,
    messages: u32,
}

#[derive(Default)]
struct Names {
    host: Option<Text>,
    vendor: Option<Text>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Heard {
    Control { tunnel: u32 },
    Data { tunnel: u16, session: u32 },
}

impl L2tp {
    /// What two messages of a tunnel have not shown by now is something else.
    const MESSAGES_MAX: u32 = 16;

    fn on_control(&mut self, control: Control<'_>, facts: &mut Vec<Statement>) -> Progress {
        match (control.kind, &self.request) {
            (Some(START_REQUEST), None) => {
                self.request = Some(Names { host: control.host_name(), vendor: control.vendor() });
            }
            (Some(START_REPLY), Some(names)) => {
                say(Confidence::Certain, true, names, control.host_name(), facts);
                self.request = None;
                return Progress::Done;
            }
            _ => {}
        }
        Progress::Continue { consumed: 0 }
    }

    /// Two messages in a row of one side that name the same tunnel and session.
    fn on_heard(&mut self, sender: Sender, heard: Heard, facts: &mut Vec<Statement>) -> Progress {
        let last = match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        if last.replace(heard) != Some(heard) || self.request.is_some() {
            return Progress::Continue { consumed: 0 };
        }
        let established = self.client.is_some() && self.server.is_some();
        say(Confidence::Likely, established, &Names::default(), None, facts);
        Progress::Done
    }
}

fn say(confidence: Confidence, established: bool, names: &Names, server: Option<Text>, facts: &mut Vec<Statement>) {
    let mut fields = Fields::default();
    fields.push_some("l2tp.host_name", names.host.clone());
    fields.push_some("l2tp.vendor", names.vendor.clone());
    fields.push_some("l2tp.server_host_name", server);
    facts.push(Statement::Tunnel(Box::new(Tunnel { fields, ..Tunnel::new(confidence, established) })));
}

impl Parser for L2tp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.messages = self.messages.saturating_add(1);
        let progress = match Message::parse(chunk.bytes) {
            Some(Message::Control(control)) if matches!(control.kind, Some(START_REQUEST | START_REPLY)) => {
                self.on_control(control, facts)
            }
            Some(Message::Control(Control { tunnel, .. })) => {
                self.on_heard(chunk.sender, Heard::Control { tunnel }, facts)
            }
            Some(Message::Data(Data { tunnel, session })) => {
                self.on_heard(chunk.sender, Heard::Data { tunnel, session }, facts)
            }
            None => Progress::Continue { consumed: 0 },
        };
        match progress {
            Progress::Continue { .. } if self.messages >= Self::MESSAGES_MAX => Progress::Reject,
            progress => progress,
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if let Some(names) = self.request.take() {
            return say(Confidence::Likely, false, &names, None, facts);
        }
        // Of control messages the header and what follows hold together; of data that may be chance.
        let is_control = |heard: &Option<Heard>| matches!(heard, Some(Heard::Control { .. }));
        if is_control(&self.client) || is_control(&self.server) {
            let established = self.client.is_some() && self.server.is_some();
            say(Confidence::Likely, established, &Names::default(), None, facts);
        }
    }
}
