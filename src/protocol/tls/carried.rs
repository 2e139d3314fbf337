//! TLS that another protocol carries in, its hellos out, marked as being inside it.

use crate::facts::{Sender, Statement};
use crate::protocol::tls::wire::content;
use crate::protocol::tls::{self, Tls};
use crate::protocol::{Chunk, Parser, Progress, Protocol};

/// A TLS connection inside a conversation of another protocol, which puts its pieces in order.
#[derive(Debug, Default)]
pub struct CarriedTls {
    tls: Tls,
    /// What a side sent and the reader has not consumed.
    client: Vec<u8>,
    server: Vec<u8>,
    is_over: bool,
}

impl CarriedTls {
    /// The most bytes of a side that wait for the rest of their record.
    const PENDING_BYTES_MAX: usize = 20 << 10;

    /// Takes the next bytes of a side. Without a hello first it is not TLS, or cannot be read.
    pub fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) {
        if self.is_over {
            return;
        }
        let mut pending = std::mem::take(match chunk.sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        });
        pending.extend_from_slice(chunk.bytes);
        if self.tls.is_unheard() && pending.first() != Some(&content::HANDSHAKE) {
            self.is_over = true;
            return;
        }
        let mut said = Vec::new();
        match self.tls.on_bytes(Chunk { bytes: &pending, ..chunk }, &mut said) {
            Progress::Continue { consumed } if pending.len().saturating_sub(consumed) <= Self::PENDING_BYTES_MAX => {
                pending.drain(..consumed.min(pending.len()));
            }
            _ => {
                self.is_over = true;
                pending = Vec::new();
            }
        }
        facts.extend(said.into_iter().map(|kind| inside(kind, tls::PROTOCOL)));
        match chunk.sender {
            Sender::Client => self.client = pending,
            Sender::Server => self.server = pending,
        }
    }

    /// Whether nothing more can be read.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    pub fn kept_bytes(&self) -> usize {
        self.client.len().saturating_add(self.server.len()).saturating_add(self.tls.kept_bytes())
    }
}

/// Marks a hello as being inside what the parser reads.
pub(in crate::protocol) fn inside(mut kind: Statement, protocol: Protocol) -> Statement {
    if let Statement::Hello(hello) = &mut kind {
        hello.inside = Some(protocol);
    }
    kind
}
