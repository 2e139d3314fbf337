//! The first lines of a tinc meta connection in, a tunnel between two named nodes out: each side gives its name and the
//! protocol's version, 17 since 1999. On tinc's port one side is enough for a likely one.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"tinc"),
    transports: &[Transport::Tcp],
    opens_with: &[(b'0', b'0')],
    probe,
    start: |start| Box::new(Tinc::new(start)),
    fields: &[
        FieldSpec { name: "tinc.client_node", help: "The name that the connecting node gives itself." },
        FieldSpec { name: "tinc.server_node", help: "The name that the answering node gives itself." },
        FieldSpec { name: "tinc.version", help: "The version of the protocol that the answering node speaks." },
    ],
};

const PORT: u16 = 655;

fn probe(opening: &Opening<'_>) -> Probe {
    match Identity::parse(opening.bytes) {
        Some(Some(_)) => Probe::Match,
        Some(None) => Probe::No,
        None => Probe::More,
    }
}

/// A node's first line: `0`, its name, its version.
struct Identity {
    name: Text,
    version: Text,
    len: usize,
}

impl Identity {
    const LINE_BYTES_MAX: usize = 300;

    /// None where the line has not come whole, some none where it is another one.
    #[expect(clippy::option_option, reason = "the two say different things")]
    fn parse(bytes: &[u8]) -> Option<Option<Self>> {
        let mut cursor = Cursor::new(bytes);
        match cursor.until(b'\n') {
            Some(line) => Some(Self::of_line(line, bytes.len().saturating_sub(cursor.len()))),
            None if bytes.len() > Self::LINE_BYTES_MAX => Some(None),
            None if b"0 ".iter().zip(bytes).any(|(expected, byte)| expected != byte) => Some(None),
            None => None,
        }
    }

    fn of_line(line: &[u8], len: usize) -> Option<Self> {
        let mut words = line.split(|&byte| byte == b' ');
        let (request, name, version, end) = (words.next()?, words.next()?, words.next()?, words.next());
        let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let minor = version.strip_prefix(b"17")?;
        let is_minor = minor.is_empty()
            || minor
                .strip_prefix(b".")
                .is_some_and(|minor| (1..=3).contains(&minor.len()) && minor.iter().all(u8::is_ascii_digit));
        let fits = request == b"0" && is_name && is_minor && end.is_none();
        fits.then(|| Self { name: Text::from_utf8(name), version: Text::from_utf8(version), len })
    }
}

struct Tinc {
    on_port: bool,
    client: Option<Identity>,
    server: Option<Identity>,
}

impl Tinc {
    const fn new(start: &Start) -> Self {
        Self { on_port: start.on_port(PORT), client: None, server: None }
    }

    fn say(&self, confidence: Confidence, facts: &mut Vec<Statement>) {
        let mut fields = Fields::default();
        fields.push_some("tinc.client_node", self.client.as_ref().map(|client| client.name.clone()));
        fields.push_some("tinc.server_node", self.server.as_ref().map(|server| server.name.clone()));
        fields.push_some("tinc.version", self.server.as_ref().map(|server| server.version.clone()));
        let established = self.client.is_some() && self.server.is_some();
        let basis = if self.client.is_none() { TunnelBasis::Response } else { TunnelBasis::of_opening(established) };
        facts.push(Statement::Tunnel(Box::new(Tunnel { fields, ..Tunnel::new(basis, confidence, established) })));
    }
}

impl Parser for Tinc {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let side = match chunk.sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        let mut consumed = 0;
        if side.is_none() {
            match Identity::parse(chunk.bytes) {
                Some(Some(identity)) => {
                    consumed = identity.len;
                    *side = Some(identity);
                }
                Some(None) => return Progress::Reject,
                None => {}
            }
        }
        if self.client.is_none() || self.server.is_none() {
            return Progress::Continue { consumed };
        }
        self.say(Confidence::Certain, facts);
        Progress::Done
    }

    /// What was lost may have been the other name.
    fn on_gap(&mut self, _sender: Sender, _len: u32) -> Progress {
        self.on_port = false;
        Progress::Done
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.on_port && (self.client.is_some() || self.server.is_some()) {
            self.say(Confidence::Likely, facts);
        }
    }
}
