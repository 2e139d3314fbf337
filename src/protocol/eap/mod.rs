//! EAP packets of one supplicant in (RFC 3748), whoever carries them; who logs on, by which method, whether it was let
//! in, and the hellos of the TLS inside out. Challenges and their answers are not looked at.

mod fragments;
mod wire;

#[cfg(test)]
mod tests;

use crate::facts::{Credential, Fields, Outcome, Sender, Statement};
use crate::net::Text;
use crate::protocol::tls::carried::CarriedTls;
use crate::protocol::{Chunk, FieldSpec, Protocol};
use crate::time::Timestamp;

pub use wire::{Code, Packet};

pub const PROTOCOL: Protocol = Protocol::new(&"eap");

pub const METHOD: FieldSpec =
    FieldSpec { name: "eap.method", help: "The EAP method agreed on: tls, peap, ttls, md5, aka … or its number." };

/// What one supplicant and its authenticator say to each other.
#[derive(Default)]
pub struct Conversation {
    identity: Option<Text>,
    method: Option<u8>,
    /// The last packet of each side, so that one sent again is not read twice.
    client: Option<(Code, u8)>,
    server: Option<(Code, u8)>,
    tls: CarriedTls,
}

impl Conversation {
    /// Takes the next packet; says what the TLS inside it says.
    pub fn on_packet(&mut self, at: Timestamp, packet: &Packet<'_>, facts: &mut Vec<Statement>) {
        let sender = packet.code.sender();
        let last = match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        if last.replace((packet.code, packet.identifier)) == Some((packet.code, packet.identifier)) {
            return;
        }
        if let Some(identity) = packet.identity() {
            if self.identity.as_ref() != Some(&identity) {
                *self = Self { client: self.client, server: self.server, ..Self::default() };
            }
            self.identity = Some(identity);
        }
        self.method = packet.method().or(self.method);
        if let Some(bytes) = fragments::tls_bytes(packet) {
            self.tls.on_bytes(Chunk { at, sender, bytes, missing: 0 }, facts);
        }
    }

    pub const fn identity(&self) -> Option<&Text> {
        self.identity.as_ref()
    }

    /// The name of the method, once both sides speak of one.
    pub fn method(&self) -> Option<Text> {
        self.method.map(wire::method_name)
    }

    /// Who logs on, and how it ended.
    pub fn credential(&self, outcome: Option<Outcome>) -> Credential {
        let mut fields = Fields::default();
        fields.push_some(METHOD.name, self.method());
        Credential { protocol: Some(PROTOCOL), user: self.identity.clone(), outcome, fields, ..Credential::default() }
    }
}
