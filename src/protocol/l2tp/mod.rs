//! L2TP versions 2 and 3 in (RFC 2661, RFC 3931 over UDP or IP), a tunnel out: by the control messages that open it, or by
//! data messages that agree, or that have an IP protocol of their own.
//!
//! It hides nothing: what is read in its sessions are flows of their own, which say that they are in one.

#[cfg(test)]
pub(crate) mod tests;
mod wire;

use crate::facts::{Confidence, Fields, Hello, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::{Text, Transport};
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::{Control, Data, Message, START_REPLY, START_REQUEST};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"l2tp"),
    transports: &[Transport::L2tp, Transport::Udp],
    // Over UDP the flags; over IP any session's number.
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(L2tp { is_over_ip: start.transport == Transport::L2tp, ..L2tp::default() }),
    fields: &[
        FieldSpec { name: "l2tp.host_name", help: "The name that the opening side gives itself (RFC 2661 §4.4.3)." },
        FieldSpec { name: "l2tp.vendor", help: "The vendor that the opening side names." },
        FieldSpec { name: "l2tp.server_host_name", help: "The name that the answering side gives itself." },
    ],
};

const PORT: u16 = 1701;

/// What is said of a flow in a session, when it opens.
pub fn of_flow() -> (Protocol, Statement) {
    (SPEC.protocol, Statement::Hello(Box::new(Hello::new(Sender::Client))))
}

fn probe(opening: &Opening<'_>) -> Probe {
    let is_over_ip = opening.transport == Transport::L2tp;
    match Message::parse(opening.bytes, is_over_ip) {
        Some(Message::Control(control)) if control.kind == Some(START_REQUEST) => {
            if opening.sender == Sender::Client {
                Probe::Match
            } else {
                Probe::Reversed
            }
        }
        Some(_) if is_over_ip || opening.on_port(PORT) => Probe::Match,
        _ => Probe::No,
    }
}

#[derive(Default)]
struct L2tp {
    /// The protocol is what IP said.
    is_over_ip: bool,
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
                say(TunnelBasis::Exchange, Confidence::Certain, true, names, control.host_name(), facts);
                self.request = None;
                return Progress::Done;
            }
            _ => {}
        }
        Progress::Continue { consumed: 0 }
    }

    /// Two messages in a row of one side that name the same tunnel and session; over IP, one of each side.
    fn on_heard(&mut self, sender: Sender, heard: Heard, facts: &mut Vec<Statement>) -> Progress {
        let last = match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        let agrees = last.replace(heard) == Some(heard);
        let established = self.client.is_some() && self.server.is_some();
        if self.request.is_some() || !(agrees || self.is_over_ip && established) {
            return Progress::Continue { consumed: 0 };
        }
        say(TunnelBasis::Data, self.confidence(), established, &Names::default(), None, facts);
        Progress::Done
    }

    /// In messages that did not open the tunnel.
    fn confidence(&self) -> Confidence {
        if self.is_over_ip { Confidence::Certain } else { Confidence::Likely }
    }
}

fn say(
    basis: TunnelBasis,
    confidence: Confidence,
    established: bool,
    names: &Names,
    server: Option<Text>,
    facts: &mut Vec<Statement>,
) {
    let mut fields = Fields::default();
    fields.push_some("l2tp.host_name", names.host.clone());
    fields.push_some("l2tp.vendor", names.vendor.clone());
    fields.push_some("l2tp.server_host_name", server);
    facts.push(Statement::Tunnel(Box::new(Tunnel { fields, ..Tunnel::new(basis, confidence, established) })));
}

impl Parser for L2tp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.messages = self.messages.saturating_add(1);
        let progress = match Message::parse(chunk.bytes, self.is_over_ip) {
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
            return say(TunnelBasis::Request, Confidence::Likely, false, &names, None, facts);
        }
        // Of control messages the header and what follows hold together; of data that may be chance.
        let is_proof = |heard: &Option<Heard>| match heard {
            Some(Heard::Control { .. }) => true,
            Some(Heard::Data { .. }) => self.is_over_ip,
            None => false,
        };
        if is_proof(&self.client) || is_proof(&self.server) {
            let established = self.client.is_some() && self.server.is_some();
            say(TunnelBasis::Data, self.confidence(), established, &Names::default(), None, facts);
        }
    }
}
