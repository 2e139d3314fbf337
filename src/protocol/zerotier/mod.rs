//! ZeroTier's packets (an overlay network over UDP) in, a tunnel with the addresses of both machines out. A machine's
//! address is 40 bits of a hash over its key: it stays as long as the installation.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::{Text, Transport};
use crate::protocol::hex::Hex;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::Packet;

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"zerotier"),
    transports: &[Transport::Udp],
    // A random number stands first.
    opens_with: ANY_BYTE,
    probe,
    start: |_| Box::new(ZeroTier::default()),
    fields: &[
        FieldSpec {
            name: CLIENT,
            help: "The address of the client's machine in ZeroTier, in hex: names its installation.",
        },
        FieldSpec { name: SERVER, help: "The address of the server's machine." },
        FieldSpec { name: VERSION, help: "The version of the software that says hello." },
    ],
};

const CLIENT: &str = "zerotier.client_address";
const SERVER: &str = "zerotier.server_address";
const VERSION: &str = "zerotier.version";

const PORT: u16 = 9993;

/// A hello names its sender twice; another packet is only looked into on ZeroTier's port, and needs its answer.
fn probe(opening: &Opening<'_>) -> Probe {
    match Packet::parse(opening.bytes) {
        Some(packet) if packet.hello.is_some() || opening.on_port(PORT) => Probe::Match,
        _ => Probe::No,
    }
}

#[derive(Default)]
struct ZeroTier {
    client: Option<Packet>,
    server: Option<Packet>,
    datagrams: u32,
}

impl ZeroTier {
    const DATAGRAMS_MAX: u32 = 12;

    /// Each side sends to whom the other one is.
    fn is_answered(&self) -> bool {
        match (&self.client, &self.server) {
            (Some(client), Some(server)) => client.from == server.to && client.to == server.from,
            _ => false,
        }
    }

    fn say(&mut self, facts: &mut Vec<Statement>) -> bool {
        let established = self.is_answered();
        let of_hello = |packet: &Option<Packet>| packet.as_ref().and_then(|packet| packet.hello.clone());
        let version = of_hello(&self.client).or_else(|| of_hello(&self.server));
        if !established && version.is_none() {
            return false;
        }
        let (client, server) = match (self.client.take(), self.server.take()) {
            (Some(client), _) => (client.from, client.to),
            (None, Some(server)) => (server.to, server.from),
            (None, None) => return false,
        };
        let mut fields = Fields::default();
        fields.push(CLIENT, Text::from(Hex(&client).to_string().as_str()));
        fields.push(SERVER, Text::from(Hex(&server).to_string().as_str()));
        fields.push_some(VERSION, version);
        let basis = TunnelBasis::of_opening(established);
        let tunnel = Tunnel { fields, ..Tunnel::new(basis, Confidence::Certain, established) };
        facts.push(Statement::Tunnel(Box::new(tunnel)));
        true
    }
}

impl Parser for ZeroTier {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        if let Some(packet) = Packet::parse(chunk.bytes) {
            let side = match chunk.sender {
                Sender::Client => &mut self.client,
                Sender::Server => &mut self.server,
            };
            let is_news = side.as_ref().is_none_or(|known| known.hello.is_none() || packet.hello.is_some());
            if is_news {
                *side = Some(packet);
            }
        }
        if self.is_answered() && self.say(facts) {
            return Progress::Done;
        }
        if self.datagrams < Self::DATAGRAMS_MAX {
            return Progress::Continue { consumed: 0 };
        }
        if self.say(facts) { Progress::Done } else { Progress::Reject }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.say(facts);
    }
}
