//! The control channel of PPTP in (RFC 2637 §2), a tunnel out.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new("pptp"),
    transports: &[Transport::Tcp],
    opens_with: &[(0x00, 0x00)],
    probe,
    start: |_| Box::new(Pptp::default()),
    fields: &[
        FieldSpec { name: "pptp.host_name", help: "The name that the client gives itself." },
        FieldSpec { name: "pptp.vendor", help: "The vendor that the client names." },
        FieldSpec { name: "pptp.server_host_name", help: "The name that the server gives itself." },
        FieldSpec { name: "pptp.server_vendor", help: "The vendor that the server names." },
    ],
};

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.bytes.len() < Start::BYTES {
        let same = opening.bytes.iter().zip(Start::HEAD).take_while(|(byte, head)| *byte == head).count();
        return if same == opening.bytes.len().min(Start::HEAD.len()) { Probe::More } else { Probe::No };
    }
    match (Start::parse(opening.bytes), opening.sender) {
        (Some(Start { kind: Start::REQUEST, .. }), Sender::Client) => Probe::Match,
        (Some(Start { kind: Start::REQUEST, .. }), Sender::Server) => Probe::Reversed,
        _ => Probe::No,
    }
}

/// Start-Control-Connection-Request or -Reply.
struct Start {
    kind: u16,
    accepted: bool,
    host_name: Option<Text>,
    vendor: Option<Text>,
}

impl Start {
    const BYTES: usize = 156;
    /// Length, control message, magic cookie.
    const HEAD: [u8; 8] = [0x00, 0x9c, 0x00, 0x01, 0x1a, 0x2b, 0x3c, 0x4d];
    const REQUEST: u16 = 1;
    const REPLY: u16 = 2;
    const VERSION: u16 = 0x0100;

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes.get(..Self::BYTES)?);
        if cursor.array()? != Self::HEAD {
            return None;
        }
        let (kind, _reserved, version) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
        let [result, _error] = cursor.array()?;
        // Framing, bearer, channels, firmware.
        cursor.skip(12)?;
        let (host_name, vendor) = (text(cursor.take(64)?), text(cursor.take(64)?));
        let fits = matches!(kind, Self::REQUEST | Self::REPLY) && version == Self::VERSION;
        fits.then_some(Self { kind, accepted: result == 1, host_name, vendor })
    }
}

/// Text up to the first NUL.
fn text(field: &[u8]) -> Option<Text> {
    let value = field.split(|&byte| byte == 0).next().unwrap_or_default();
    (!value.is_empty()).then(|| Text::from_utf8(value))
}

#[derive(Default)]
struct Pptp {
    request: Option<Start>,
}

impl Pptp {
    fn say(&mut self, reply: Option<Start>, facts: &mut Vec<Statement>) {
        let Some(request) = self.request.take() else {
            return;
        };
        let confidence = if reply.is_some() { Confidence::Certain } else { Confidence::Likely };
        let established = reply.as_ref().is_some_and(|reply| reply.accepted);
        let mut fields = Fields::default();
        fields.push_some("pptp.host_name", request.host_name);
        fields.push_some("pptp.vendor", request.vendor);
        if let Some(reply) = reply {
            fields.push_some("pptp.server_host_name", reply.host_name);
            fields.push_some("pptp.server_vendor", reply.vendor);
        }
        facts.push(Statement::Tunnel(Box::new(Tunnel { fields, ..Tunnel::new(confidence, established) })));
    }
}

impl Parser for Pptp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if chunk.bytes.len() < Start::BYTES && !(chunk.sender == Sender::Client && self.request.is_some()) {
            return Progress::Continue { consumed: 0 };
        }
        match (chunk.sender, Start::parse(chunk.bytes)) {
            (Sender::Client, Some(request)) if request.kind == Start::REQUEST && self.request.is_none() => {
                self.request = Some(request);
                Progress::Continue { consumed: chunk.bytes.len() }
            }
            // What the client sends before it is answered does not matter.
            (Sender::Client, _) => Progress::Continue { consumed: chunk.bytes.len() },
            (Sender::Server, Some(reply)) if reply.kind == Start::REPLY => {
                self.say(Some(reply), facts);
                Progress::Done
            }
            (Sender::Server, _) => Progress::Reject,
        }
    }

    /// The reply may have been in the hole.
    fn on_gap(&mut self, _sender: Sender, _len: u32) -> Progress {
        self.request = None;
        Progress::Done
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.say(None, facts);
    }
}
