//! Tailscale's path discovery in, a tunnel out: datagrams with which two nodes look for a way to each other beside the
//! WireGuard between them, to which the flow is handed on.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::hex::Hex;
use crate::protocol::{Chunk, FieldSpec, Parser, Probe, Progress, Protocol, ProtocolSpec, Start, wireguard};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"tailscale"),
    transports: &[Transport::Udp],
    opens_with: &[(b'T', b'T')],
    probe: |opening| if Disco::parse(opening.bytes).is_some() { Probe::Match } else { Probe::No },
    start: |&start| Box::new(Tailscale { start, client: None, server: None, datagrams: 0, said: false }),
    fields: &[FieldSpec {
        name: "tailscale.disco_key",
        help: "The client's public key for path discovery, which names a node for one run of its program.",
    }],
};

/// A datagram of path discovery: magic, the sender's key, a nonce, a sealed box.
#[derive(Clone, Copy)]
struct Disco {
    key: [u8; 32],
}

impl Disco {
    fn parse(datagram: &[u8]) -> Option<Self> {
        const MAGIC: [u8; 6] = *b"TS\xf0\x9f\x92\xac";
        const NONCE_BYTES: usize = 24;
        /// A tag of 16 bytes, a type and a version.
        const BOX_BYTES_MIN: usize = 18;
        let mut cursor = Cursor::new(datagram);
        let (magic, key) = (cursor.array()?, cursor.array()?);
        cursor.skip(NONCE_BYTES)?;
        (magic == MAGIC && cursor.len() >= BOX_BYTES_MIN).then_some(Self { key })
    }
}

struct Tailscale {
    start: Start,
    client: Option<Disco>,
    server: Option<Disco>,
    datagrams: u32,
    said: bool,
}

impl Tailscale {
    /// After so many datagrams of one node the other is not waited for.
    const UNANSWERED_MAX: u32 = 8;
    /// Nodes that found a way have gone on to WireGuard by now.
    const DATAGRAMS_MAX: u32 = 128;

    fn is_wireguard(&self, chunk: &Chunk<'_>) -> bool {
        let opening = self.start.opening(chunk.sender, chunk.bytes);
        matches!((wireguard::SPEC.probe)(&opening), Probe::Match | Probe::Reversed)
    }

    fn say(&mut self, facts: &mut Vec<Statement>) {
        self.said = true;
        let mut fields = Fields::default();
        fields.push_some("tailscale.disco_key", self.client.map(|disco| Hex(&disco.key).to_string()));
        let established = self.client.is_some() && self.server.is_some();
        let basis = TunnelBasis::of_opening(established);
        let tunnel = Tunnel { fields, ..Tunnel::new(basis, Confidence::Certain, established) };
        facts.push(Statement::Tunnel(Box::new(tunnel)));
    }
}

impl Parser for Tailscale {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        if let Some(disco) = Disco::parse(chunk.bytes) {
            match chunk.sender {
                Sender::Client => self.client = Some(disco),
                Sender::Server => self.server = Some(disco),
            }
        } else if self.said && self.is_wireguard(&chunk) {
            return Progress::Upgrade { to: wireguard::SPEC.protocol, consumed: 0 };
        }
        let is_answered = self.client.is_some() && self.server.is_some();
        if !self.said && (is_answered || self.datagrams >= Self::UNANSWERED_MAX) {
            self.say(facts);
        }
        if self.datagrams >= Self::DATAGRAMS_MAX {
            return Progress::Done;
        }
        Progress::Continue { consumed: chunk.bytes.len() }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if !self.said && (self.client.is_some() || self.server.is_some()) {
            self.say(facts);
        }
    }
}
