//! The messages of an OpenVPN control channel in (over UDP, or over TCP behind their length), a tunnel out, and where
//! the channel is not encrypted the hellos of the TLS in it.
//!
//! Opcodes alone fit one random byte in six, so a claim rests on the answer: the server's reset names the session that
//! the client's reset opened. Under tls-crypt, which hides that, it rests on lengths, replay counters and both opcodes.
//! Amid a session over UDP, it rests on the numbers of its data, or on what acknowledges the other side's. Static-key mode
//! has no handshake and is not claimed.

mod control;
mod midway;
pub mod scramble;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::tls::hello;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};
use control::Channel;
use midway::{Data, Midway, Proof};
use wire::{Acknowledging, ClientReset};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"openvpn"),
    transports: &[Transport::Tcp, Transport::Udp],
    // The high byte of a length (TCP), or a reset, what follows it, or data (UDP).
    opens_with: &[
        (0x00, 0x04),
        (0x08, 0x08),
        (0x10, 0x10),
        (0x20, 0x20),
        (0x28, 0x28),
        (0x30, 0x38),
        (0x40, 0x40),
        (0x48, 0x50),
    ],
    probe,
    start: |start| Box::new(OpenVpn::new(start)),
    fields: &[
        FieldSpec {
            name: "openvpn.control_channel_wrap",
            help: "How the control channel is wrapped: none, tls-auth, tls-crypt or tls-crypt-v2.",
        },
        hello::VERSION,
        hello::VERSION_PROTOCOL,
        hello::CIPHER,
        hello::RESUMED,
        hello::HELLO_RETRY,
        hello::ALERT,
    ],
};

const PORT: u16 = 1194;

fn probe(opening: &Opening<'_>) -> Probe {
    let message = match opening.transport {
        Transport::Tcp => match framed(opening.bytes) {
            Framed::Message { message, .. } => message,
            Framed::Wanting { len } if len.is_none_or(ClientReset::can_be_of) => return Probe::More,
            Framed::Wanting { .. } => return Probe::No,
        },
        _ => opening.bytes,
    };
    match (ClientReset::parse(message), opening.sender) {
        (None, sender) if opening.transport == Transport::Udp => probe_midway(message, sender, opening.on_port(PORT)),
        (None, _) => Probe::No,
        (Some(_), Sender::Client) => Probe::Match,
        (Some(_), Sender::Server) => Probe::Reversed,
    }
}

fn probe_midway(message: &[u8], sender: Sender, on_port: bool) -> Probe {
    let is_answer = message.first().is_some_and(|&opcode| wire::is_server_reset(opcode));
    match Acknowledging::parse(message) {
        Some(_) if is_answer && sender == Sender::Client => Probe::Reversed,
        Some(_) => Probe::Match,
        None if Data::parse(message, on_port).is_some() => Probe::Match,
        None => Probe::No,
    }
}

enum Framed<'a> {
    Message { message: &'a [u8], consumed: usize },
    Wanting { len: Option<usize> },
}

/// The first message of a TCP stream.
fn framed(bytes: &[u8]) -> Framed<'_> {
    let mut cursor = Cursor::new(bytes);
    match cursor.vec16() {
        Some(message) => {
            Framed::Message { message: message.rest(), consumed: bytes.len().saturating_sub(cursor.len()) }
        }
        None => Framed::Wanting { len: cursor.u16().map(usize::from) },
    }
}

struct OpenVpn {
    transport: Transport,
    reset: Option<ClientReset>,
    /// Messages of the client that go on with its session, where the server is not seen.
    continuations: u32,
    said: Option<Confidence>,
    messages: u32,
    midway: Midway,
    /// Once both sides have opened the session, where its messages can be read.
    channel: Option<Channel>,
}

impl OpenVpn {
    /// Without an answer among so many messages there will be none.
    const MESSAGES_MAX: u32 = 16;
    /// So often the client names its session before it is one without the server's answer.
    const CONTINUATIONS_MIN: u32 = 3;
    /// What is no session by now is left to others, who can still be shown all of it.
    const MIDWAY_MESSAGES_MAX: u32 = 10;

    fn new(start: &Start) -> Self {
        let transport = start.transport;
        let midway = Midway::new(start.on_port(PORT));
        Self { transport, reset: None, continuations: 0, said: None, messages: 0, midway, channel: None }
    }

    fn on_message(&mut self, message: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(channel) = &mut self.channel {
            channel.on_message(message, facts);
            return if channel.is_over() { Progress::Done } else { Progress::Continue { consumed: 0 } };
        }
        self.messages = self.messages.saturating_add(1);
        match message.sender {
            Sender::Client => self.open(message.bytes, facts),
            Sender::Server => {
                let answered = self.reset.and_then(|reset| Some((reset, reset.answer(message.bytes)?)));
                if let Some((reset, server)) = answered {
                    self.say(TunnelBasis::Exchange, Confidence::Certain, true, facts);
                    self.channel = Channel::new(&reset, server);
                    return if self.channel.is_some() { Progress::Continue { consumed: 0 } } else { Progress::Done };
                }
            }
        }
        if self.reset.is_none() && self.transport == Transport::Udp {
            return self.on_midway(message, facts);
        }
        match self.said {
            _ if self.messages < Self::MESSAGES_MAX => Progress::Continue { consumed: 0 },
            Some(_) => Progress::Done,
            None => Progress::Reject,
        }
    }

    fn on_midway(&mut self, message: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(proof) = self.midway.take(message.bytes, message.sender) {
            let mut tunnel = Tunnel::new(TunnelBasis::Data, Confidence::Likely, proof != Proof::DataOfOneSide);
            if let Proof::Handshake(wrap) = proof {
                (tunnel.basis, tunnel.confidence) = (TunnelBasis::Exchange, Confidence::Certain);
                tunnel.fields.push("openvpn.control_channel_wrap", wrap.as_str());
            }
            facts.push(Statement::Tunnel(Box::new(tunnel)));
            return Progress::Done;
        }
        if self.messages < Self::MIDWAY_MESSAGES_MAX { Progress::Continue { consumed: 0 } } else { Progress::Reject }
    }

    /// A client repeats the reset of the same session until it is answered; then it goes on.
    fn open(&mut self, message: &[u8], facts: &mut Vec<Statement>) {
        let Some(reset) = ClientReset::parse(message) else {
            if self.reset.is_some_and(|reset| reset.is_followed_by(message)) {
                self.continuations = self.continuations.saturating_add(1);
            }
            if self.continuations == Self::CONTINUATIONS_MIN {
                self.say(TunnelBasis::Request, Confidence::Likely, true, facts);
            }
            return;
        };
        if self.reset.replace(reset) == Some(reset) {
            self.say(TunnelBasis::Request, Confidence::Likely, false, facts);
        }
    }

    fn say(&mut self, basis: TunnelBasis, confidence: Confidence, established: bool, facts: &mut Vec<Statement>) {
        let Some(reset) = self.reset else {
            return;
        };
        if self.said < Some(confidence) {
            self.said = Some(confidence);
            let mut fields = Fields::default();
            fields.push("openvpn.control_channel_wrap", reset.wrap.as_str());
            facts.push(Statement::Tunnel(Box::new(Tunnel { fields, ..Tunnel::new(basis, confidence, established) })));
        }
    }
}

impl Parser for OpenVpn {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if self.transport != Transport::Tcp {
            return self.on_message(chunk, facts);
        }
        let mut consumed = 0_usize;
        let mut rest = chunk.bytes;
        while let Framed::Message { message, consumed: len } = framed(rest) {
            match self.on_message(Chunk { bytes: message, ..chunk }, facts) {
                Progress::Continue { .. } => {}
                other => return other,
            }
            consumed = consumed.saturating_add(len);
            rest = chunk.bytes.get(consumed..).unwrap_or_default();
        }
        Progress::Continue { consumed }
    }

    fn kept_bytes(&self) -> usize {
        self.channel.as_ref().map_or(0, Channel::kept_bytes)
    }
}
