//! Datagrams after the handshake in, the hellos of the TLS (reliable) or DTLS (lossy) in them out.

use crate::facts::{Sender, Statement};
use crate::protocol::Chunk;
use crate::protocol::dtls::carried::CarriedDtls;
use crate::protocol::pieces::Pieces;
use crate::protocol::rdpeudp::wire::{self, Syn};
use crate::protocol::tls::carried::CarriedTls;

pub(super) struct Inside {
    secured: Secured,
    datagrams: u32,
}

enum Secured {
    Lossy(CarriedDtls),
    Reliable { client: Pieces, server: Pieces, tls: Box<CarriedTls> },
}

impl Inside {
    /// A handshake takes fewer datagrams.
    const DATAGRAMS_MAX: u32 = 100;

    /// None where the sides agreed on a version of another format.
    pub(super) fn new(syn: &Syn, answer: &Syn) -> Option<Self> {
        if answer.version == Some(wire::VERSION_3) {
            return None;
        }
        let after = |syn: &Syn| Pieces::starting_at(syn.sequence.wrapping_add(1));
        let secured = if syn.is_lossy {
            Secured::Lossy(CarriedDtls::default())
        } else {
            Secured::Reliable { client: after(syn), server: after(answer), tls: Box::default() }
        };
        Some(Self { secured, datagrams: 0 })
    }

    pub(super) fn on_datagram(&mut self, datagram: Chunk<'_>, facts: &mut Vec<Statement>) {
        self.datagrams = self.datagrams.saturating_add(1);
        let Some(data) = wire::data(datagram.bytes) else {
            return;
        };
        match &mut self.secured {
            Secured::Lossy(dtls) => dtls.on_datagram(Chunk { bytes: data.bytes, ..datagram }, facts),
            Secured::Reliable { client, server, tls } => {
                let pieces = match datagram.sender {
                    Sender::Client => client,
                    Sender::Server => server,
                };
                let bytes = pieces.insert(data.sequence, data.bytes);
                if !bytes.is_empty() {
                    tls.on_bytes(Chunk { bytes: &bytes, ..datagram }, facts);
                }
            }
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        let is_read = match &self.secured {
            Secured::Lossy(dtls) => dtls.is_over(),
            Secured::Reliable { tls, .. } => tls.is_over(),
        };
        is_read || self.datagrams >= Self::DATAGRAMS_MAX
    }

    pub(super) fn kept_bytes(&self) -> usize {
        match &self.secured {
            Secured::Lossy(dtls) => dtls.kept_bytes(),
            Secured::Reliable { client, server, tls } => {
                client.kept_bytes().saturating_add(server.kept_bytes()).saturating_add(tls.kept_bytes())
            }
        }
    }
}
