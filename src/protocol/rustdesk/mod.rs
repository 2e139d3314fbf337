//! RustDesk's own protocol: what a machine and its rendezvous server, its relay or another machine say before they
//! encrypt in; a hello with the machine's id, and a [`RemoteDesktop`] for each meeting of two machines out.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;

use crate::facts::{Hello, RemoteDesktop, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};
use wire::{Framed, Message};

pub const PROTOCOL: Protocol = Protocol::new(&"rustdesk");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp, Transport::Udp],
    // On a stream a length stands first.
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(RustDesk::new(start)),
    fields: &[
        FieldSpec { name: OPERATION, help: "The message that told: register_peer, punch_hole, request_relay …" },
        FieldSpec {
            name: ID,
            help: "The id in the message: of the machine that registers, or of the one that is asked for.",
        },
        FieldSpec { name: PEER_IP, help: "The machine at the other end, as the rendezvous server names it." },
        FieldSpec { name: PEER_PORT, help: "Its port." },
        FieldSpec { name: USER, help: "The user of a machine that was found on its own network." },
        FieldSpec { name: HOST, help: "The name of that machine." },
        FieldSpec { name: MAC, help: "Its hardware address." },
    ],
};

const HOST: &str = "rustdesk.host.name";
const ID: &str = "rustdesk.id";
const MAC: &str = "rustdesk.host.mac";
const OPERATION: &str = "rustdesk.operation";
const PEER_IP: &str = "rustdesk.peer.ip";
const PEER_PORT: &str = "rustdesk.peer.port";
const USER: &str = "rustdesk.user";

fn probe(opening: &Opening<'_>) -> Probe {
    let message = match opening.transport {
        Transport::Tcp => match wire::framed(opening.bytes) {
            Framed::Message { message, .. } => message,
            Framed::Wanting => return Probe::More,
            Framed::Other => return Probe::No,
        },
        _ => opening.bytes,
    };
    match Message::parse(message) {
        None => Probe::No,
        // A datagram alone proves it, or the flow is nobody's.
        Some(message) if opening.transport == Transport::Udp && !message.is_proof => Probe::No,
        Some(message) if message.form.sender == Some(opening.sender.other()) => Probe::Reversed,
        Some(_) => Probe::Match,
    }
}

struct RustDesk {
    transport: Transport,
    /// Messages of either side, without proof in them.
    client_messages: u32,
    server_messages: u32,
    messages: u32,
    is_known: bool,
    met: Vec<Meeting>,
}

/// What is told of two machines that meet: once of each pair.
type Meeting = (Option<Text>, Option<(IpAddr, u16)>);

impl RustDesk {
    /// A machine registers every 12 seconds as long as it runs: meetings are told for a day and more.
    const DATAGRAMS_MAX: u32 = 20_000;
    /// On a stream everything worth knowing comes first.
    const STREAM_MESSAGES_MAX: u32 = 8;
    const MEETINGS_MAX: usize = 64;

    const fn new(start: &Start) -> Self {
        Self {
            transport: start.transport,
            client_messages: 0,
            server_messages: 0,
            messages: 0,
            is_known: false,
            met: Vec::new(),
        }
    }

    fn on_message(&mut self, bytes: &[u8], sender: Sender, facts: &mut Vec<Statement>) -> Progress {
        self.messages = self.messages.saturating_add(1);
        let Some(message) = Message::parse(bytes) else {
            return self.progress_without();
        };
        let count = match sender {
            Sender::Client => &mut self.client_messages,
            Sender::Server => &mut self.server_messages,
        };
        *count = count.saturating_add(1);
        let is_proven = message.is_proof || (self.client_messages > 0 && self.server_messages > 0);
        if !self.is_known && is_proven {
            self.is_known = true;
            facts.push(hello(&message, sender));
        }
        if self.is_known && message.form.is_meeting {
            self.meet(message, facts);
        }
        self.progress()
    }

    /// What is not one of the known messages: encrypted on a stream, of a later version in a datagram.
    const fn progress_without(&self) -> Progress {
        match (self.is_known, self.transport) {
            (false, _) => Progress::Reject,
            (true, Transport::Tcp) => Progress::Done,
            (true, _) => self.progress(),
        }
    }

    const fn progress(&self) -> Progress {
        let most =
            if matches!(self.transport, Transport::Tcp) { Self::STREAM_MESSAGES_MAX } else { Self::DATAGRAMS_MAX };
        match self.is_known {
            _ if self.messages < most => Progress::Continue { consumed: 0 },
            true => Progress::Done,
            false => Progress::Reject,
        }
    }

    fn meet(&mut self, message: Message, facts: &mut Vec<Statement>) {
        let meeting = (message.id, message.peer);
        if self.met.contains(&meeting) || self.met.len() >= Self::MEETINGS_MAX {
            return;
        }
        self.met.push(meeting.clone());
        let (id, peer) = meeting;
        let mut desktop = RemoteDesktop::default();
        desktop.fields.push(OPERATION, message.form.name);
        desktop.fields.push_some(ID, id);
        if let Some((ip, port)) = peer {
            desktop.fields.push(PEER_IP, ip);
            desktop.fields.push(PEER_PORT, port);
        }
        facts.push(Statement::RemoteDesktop(Box::new(desktop)));
    }
}

impl Parser for RustDesk {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if self.transport != Transport::Tcp {
            return self.on_message(chunk.bytes, chunk.sender, facts);
        }
        let mut consumed = 0_usize;
        loop {
            let rest = chunk.bytes.get(consumed..).unwrap_or_default();
            let (message, len) = match wire::framed(rest) {
                Framed::Message { message, consumed } => (message, consumed),
                Framed::Wanting => return Progress::Continue { consumed },
                Framed::Other => return self.progress_without(),
            };
            match self.on_message(message, chunk.sender, facts) {
                Progress::Continue { .. } => consumed = consumed.saturating_add(len),
                other => return other,
            }
        }
    }
}

fn hello(message: &Message, sender: Sender) -> Statement {
    let mut hello = Hello::new(sender);
    hello.fields.push(OPERATION, message.form.name);
    hello.fields.push_some(ID, message.id.clone());
    if let Some(host) = &message.host {
        hello.fields.push_some(USER, host.user.clone());
        hello.fields.push_some(HOST, host.name.clone());
        hello.fields.push_some(MAC, host.mac);
    }
    Statement::Hello(Box::new(hello))
}
