//! The control messages of an open session in, the hellos of the TLS that they carry out.

use crate::facts::{Sender, Statement};
use crate::protocol::Chunk;
use crate::protocol::openvpn::wire::{ClientReset, Piece, SessionId, Wrap};
use crate::protocol::pieces::Pieces;
use crate::protocol::tls::carried::CarriedTls;

pub(super) struct Channel {
    hmac_bytes: Option<usize>,
    client: Side,
    server: Side,
    tls: CarriedTls,
    messages: u32,
}

struct Side {
    session: SessionId,
    pieces: Pieces,
}

impl Side {
    /// Number 0 was the reset.
    const fn new(session: SessionId) -> Self {
        Self { session, pieces: Pieces::starting_at(1) }
    }
}

impl Channel {
    /// A handshake takes fewer messages.
    const MESSAGES_MAX: u32 = 200;

    /// None where the messages are encrypted.
    pub(super) fn new(reset: &ClientReset, server: SessionId) -> Option<Self> {
        let hmac_bytes = match reset.wrap {
            Wrap::Plain => None,
            Wrap::TlsAuth { hmac_bytes } => Some(hmac_bytes),
            Wrap::TlsCrypt | Wrap::TlsCryptV2 => return None,
        };
        let (client, server) = (Side::new(reset.session), Side::new(server));
        Some(Self { hmac_bytes, client, server, tls: CarriedTls::default(), messages: 0 })
    }

    pub(super) fn on_message(&mut self, message: Chunk<'_>, facts: &mut Vec<Statement>) {
        self.messages = self.messages.saturating_add(1);
        let side = match message.sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        let Some(piece) = Piece::parse(message.bytes, side.session, self.hmac_bytes) else {
            return;
        };
        let bytes = side.pieces.insert(piece.number, piece.bytes);
        if !bytes.is_empty() {
            self.tls.on_bytes(Chunk { bytes: &bytes, ..message }, facts);
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.tls.is_over() || self.messages >= Self::MESSAGES_MAX
    }

    pub(super) fn kept_bytes(&self) -> usize {
        let pieces = self.client.pieces.kept_bytes().saturating_add(self.server.pieces.kept_bytes());
        pieces.saturating_add(self.tls.kept_bytes())
    }
}
