//! The control channel of PPTP in (RFC 2637 §2), a tunnel out; amid a connection by any of its messages.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"pptp"),
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

const PORT: u16 = 1723;

fn probe(opening: &Opening<'_>) -> Probe {
    match is_amid(opening.bytes) {
        Some(false) => {}
        Some(true) if opening.client_port == PORT && opening.server_port != PORT => return Probe::Reversed,
        Some(true) => return Probe::Match,
        None => return Probe::More,
    }
    if opening.bytes.len() < Start::BYTES {
        let same = opening.bytes.iter().zip(Start::HEAD).take_while(|(byte, head)| *byte == head).count();
        return if same == opening.bytes.len().min(Start::HEAD.len()) { Probe::More } else { Probe::No };
    }
    match (Start::parse(opening.bytes), opening.sender) {
        (Some(Start { kind: Start::REQUEST, .. }), Sender::Client) => Probe::Match,
        (Some(Start { kind: Start::REQUEST, .. }), Sender::Server) => Probe::Reversed,
        (Some(_), Sender::Server) => Probe::Match,
        (Some(_), Sender::Client) => Probe::Reversed,
        (None, _) => Probe::No,
    }
}

/// Whether a side begins with a message of a connection that is open: length, control message, magic cookie, type. None
/// as long as it cannot be told.
fn is_amid(bytes: &[u8]) -> Option<bool> {
    const HEAD_BYTES: usize = 12;
    let known = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    let is = |at: usize, wanted: &[u8]| known.iter().skip(at).zip(wanted).all(|(byte, wanted)| byte == wanted);
    let lengths = LENGTHS.iter().filter(|(len, kind)| is(0, &[0, *len]) && is(8, &[0, *kind, 0, 0]));
    let fits = is(2, &[0, 1, 0x1a, 0x2b, 0x3c, 0x4d]) && lengths.count() > 0;
    if fits && known.len() < HEAD_BYTES { None } else { Some(fits) }
}

/// The lengths of the messages but those that open a connection, and their types (RFC 2637 §2.3 and on).
const LENGTHS: [(u8, u8); 13] = [
    (16, 3),
    (16, 4),
    (16, 5),
    (20, 6),
    (168, 7),
    (32, 8),
    (220, 9),
    (24, 10),
    (28, 11),
    (16, 12),
    (148, 13),
    (40, 14),
    (24, 15),
];

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
        let request = self.request.take();
        let (basis, confidence) = match (&request, &reply) {
            (Some(_), Some(_)) => (TunnelBasis::Exchange, Confidence::Certain),
            (Some(_), None) => (TunnelBasis::Request, Confidence::Likely),
            (None, Some(_)) => (TunnelBasis::Response, Confidence::Likely),
            (None, None) => return,
        };
        let established = reply.as_ref().is_some_and(|reply| reply.accepted);
        let mut fields = Fields::default();
        if let Some(request) = request {
            fields.push_some("pptp.host_name", request.host_name);
            fields.push_some("pptp.vendor", request.vendor);
        }
        if let Some(reply) = reply {
            fields.push_some("pptp.server_host_name", reply.host_name);
            fields.push_some("pptp.server_vendor", reply.vendor);
        }
        facts.push(Statement::Tunnel(Box::new(Tunnel { fields, ..Tunnel::new(basis, confidence, established) })));
    }
}

impl Parser for Pptp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if self.request.is_none() {
            match is_amid(chunk.bytes) {
                Some(true) => {
                    facts.push(Statement::Tunnel(Box::new(Tunnel::new(TunnelBasis::Data, Confidence::Likely, true))));
                    return Progress::Done;
                }
                Some(false) => {}
                None => return Progress::Continue { consumed: 0 },
            }
        }
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
