//! SPICE ([protocol](https://www.spice-space.org/spice-protocol.html)), the remote desktop of QEMU: how both sides link a
//! channel in, one [`RemoteDesktop`] for the main channel and a hello for any other out. The ticket is passed over.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Hello, RemoteDesktop, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::{ClientLink, MAGIC, ServerLink};

pub const PROTOCOL: Protocol = Protocol::new(&"spice");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(b'R', b'R')],
    probe,
    start: |_| Box::<Spice>::default(),
    fields: &[
        FieldSpec { name: CHANNEL, help: "What the connection carries: `main`, `display`, `inputs`, `usbredir` …" },
        FieldSpec { name: VERSION, help: "The version of the protocol that the client speaks." },
        FieldSpec { name: SUCCESS, help: "Whether the server let the client in; absent where it did not say." },
        FieldSpec { name: MACHINE, help: "The name of the virtual machine, as the server tells it." },
    ],
};

const CHANNEL: &str = "spice.channel";
const MACHINE: &str = "spice.machine_name";
const SUCCESS: &str = "spice.authentication_success";
const VERSION: &str = "spice.version";

fn probe(opening: &Opening<'_>) -> Probe {
    let Some(magic) = opening.bytes.get(..MAGIC.len()) else {
        return if MAGIC.starts_with(opening.bytes) { Probe::More } else { Probe::No };
    };
    match (wire::link(&mut Cursor::new(opening.bytes)), opening.sender) {
        _ if magic != MAGIC => Probe::No,
        (Ok(None), _) => Probe::More,
        (Err(_), _) => Probe::No,
        (Ok(Some(_)), Sender::Client) => Probe::Match,
        // Only the answer was seen: whoever speaks is the server.
        (Ok(Some(_)), Sender::Server) => Probe::No,
    }
}

#[derive(Default)]
struct Spice {
    client: Option<ClientLink>,
    server: Option<ServerLink>,
    mechanism: Option<u32>,
    success: Option<bool>,
    machine: Option<Text>,
    messages: u32,
    is_over: bool,
}

enum Step {
    Next,
    Over,
    Wait,
}

impl Spice {
    /// The name comes among the first messages of the main channel.
    const MESSAGES_MAX: u32 = 6;

    fn step(&mut self, sender: Sender, cursor: &mut Cursor<'_>) -> Result<Step, &'static str> {
        match (sender, &self.client, &self.server) {
            (Sender::Client, None, _) => {
                self.client = wire::link(cursor)?.map(ClientLink::parse).transpose()?;
                Ok(if self.client.is_some() { Step::Next } else { Step::Wait })
            }
            (Sender::Client, Some(client), Some(server)) if self.mechanism.is_none() && client.selects(server) => {
                self.mechanism = cursor.u32_le();
                Ok(if self.mechanism.is_some() { Step::Next } else { Step::Wait })
            }
            (Sender::Client, _, None) => Ok(Step::Wait),
            (Sender::Client, ..) => {
                cursor.skip(cursor.len());
                Ok(Step::Wait)
            }
            (Sender::Server, _, None) => {
                self.server = wire::link(cursor)?.map(ServerLink::parse).transpose()?;
                Ok(match &self.server {
                    Some(server) if server.is_refusal => Step::Over,
                    Some(_) => Step::Next,
                    None => Step::Wait,
                })
            }
            (Sender::Server, Some(client), Some(server)) if self.success.is_none() => {
                if self.mechanism == Some(wire::MECHANISM_SASL) {
                    return Ok(Step::Over);
                }
                let Some(result) = cursor.u32_le() else { return Ok(Step::Wait) };
                let goes_on = result == 0 && client.is_main() && client.has_short_heads(server);
                self.success = Some(result == 0);
                Ok(if goes_on { Step::Next } else { Step::Over })
            }
            (Sender::Server, ..) => {
                let Some((kind, body)) = wire::message(cursor)? else { return Ok(Step::Wait) };
                self.messages = self.messages.saturating_add(1);
                self.machine = wire::machine_name(kind, body);
                let is_over = self.machine.is_some() || self.messages >= Self::MESSAGES_MAX;
                Ok(if is_over { Step::Over } else { Step::Next })
            }
        }
    }

    fn security(&self) -> Option<&'static str> {
        match self.mechanism? {
            wire::MECHANISM_SASL => Some("sasl"),
            wire::MECHANISM_TICKET => Some("ticket"),
            _ => None,
        }
    }
}

impl Parser for Spice {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            match self.step(chunk.sender, &mut cursor) {
                Ok(Step::Next) => {}
                Ok(Step::Wait) => {
                    return Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) };
                }
                Ok(Step::Over) => {
                    self.on_end(facts);
                    return Progress::Done;
                }
                Err(_) if self.client.is_none() => return Progress::Reject,
                Err(reason) => {
                    self.on_end(facts);
                    return Progress::Malformed(reason);
                }
            }
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        let Some(client) = self.client.as_ref().filter(|_| !self.is_over) else { return };
        self.is_over = true;
        let mut fields = crate::facts::Fields::default();
        fields.push(CHANNEL, client.channel());
        fields.push(VERSION, client.version());
        fields.push_some(SUCCESS, self.success);
        fields.push_some(MACHINE, self.machine.clone());
        facts.push(if client.is_main() {
            let security = self.security();
            Statement::RemoteDesktop(Box::new(RemoteDesktop { security, fields, ..RemoteDesktop::default() }))
        } else {
            Statement::Hello(Box::new(Hello { fields, ..Hello::new(Sender::Client) }))
        });
    }
}
