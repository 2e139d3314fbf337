//! DTLS that another protocol carries in, its hellos out, marked as being inside it.

use crate::facts::Statement;
use crate::protocol::dtls::{Dtls, PROTOCOL};
use crate::protocol::tls::carried::inside;
use crate::protocol::tls::wire::content;
use crate::protocol::{Chunk, Parser, Progress};

/// A DTLS association inside a conversation of another protocol.
#[derive(Debug, Default)]
pub struct CarriedDtls {
    dtls: Dtls,
    has_begun: bool,
    is_over: bool,
}

impl CarriedDtls {
    /// Takes a datagram. Without a hello first it is not DTLS, or cannot be read.
    pub fn on_datagram(&mut self, datagram: Chunk<'_>, facts: &mut Vec<Statement>) {
        self.is_over = self.is_over || !(self.has_begun || datagram.bytes.first() == Some(&content::HANDSHAKE));
        if self.is_over {
            return;
        }
        self.has_begun = true;
        let mut said = Vec::new();
        self.is_over = !matches!(self.dtls.on_bytes(datagram, &mut said), Progress::Continue { .. });
        facts.extend(said.into_iter().map(|kind| inside(kind, PROTOCOL)));
    }

    /// Whether nothing more can be read.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    pub fn kept_bytes(&self) -> usize {
        self.dtls.kept_bytes()
    }
}
