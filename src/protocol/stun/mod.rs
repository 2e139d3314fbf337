//! STUN and TURN in (RFC 8489, RFC 8656; classic STUN: RFC 3489), a hello of each side and one for each address learnt
//! out: the outside of address translation, what a relay lends and whom it is used to talk to.
//!
//! What two programs that found each other speak then on the same ports (RFC 7983) is handed to its own protocol.

pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;

use crate::facts::{Fields, Hello, Sender, Statement};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::{
    Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start, dtls, rdpeudp, wireguard,
};

use wire::{Class, Framing, Message};

pub const PROTOCOL: Protocol = Protocol::new(&"stun");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp, Transport::Udp],
    opens_with: &[(0x00, 0x3f)],
    probe,
    start: |start| Box::new(Stun::new(*start)),
    fields: &[METHOD, SOFTWARE, MAPPED_IP, MAPPED_PORT, RELAYED_IP, RELAYED_PORT, PEER_IP, PEER_PORT],
};

const METHOD: FieldSpec = FieldSpec {
    name: "stun.method",
    help: "What is asked for or answered: `binding`, `allocate` … (RFC 8489 §18.2, RFC 8656 §17).",
};
const SOFTWARE: FieldSpec = FieldSpec { name: "stun.software", help: "What the side says it runs." };
const MAPPED_IP: FieldSpec =
    FieldSpec { name: "stun.mapped.ip", help: "The client's address as the server sees it, behind any translation." };
const MAPPED_PORT: FieldSpec = FieldSpec { name: "stun.mapped.port", help: "The port beside it." };
const RELAYED_IP: FieldSpec = FieldSpec { name: "stun.relayed.ip", help: "The address that a relay lends the client." };
const RELAYED_PORT: FieldSpec = FieldSpec { name: "stun.relayed.port", help: "The port beside it." };
const PEER_IP: FieldSpec = FieldSpec { name: "stun.peer.ip", help: "Whom the client talks to through the relay." };
const PEER_PORT: FieldSpec = FieldSpec { name: "stun.peer.port", help: "The port beside it." };

const PORT: u16 = 3478;

/// What follows on the same ports.
const FOLLOWERS: &[&ProtocolSpec] = &[&dtls::SPEC, &rdpeudp::SPEC, &wireguard::SPEC];

fn probe(opening: &Opening<'_>) -> Probe {
    match read(&mut Cursor::new(opening.bytes), framings(opening.transport)) {
        Ok(Some((_, message))) if message.sender() == opening.sender => Probe::Match,
        Ok(Some(_)) => Probe::Reversed,
        Ok(None) if opening.transport == Transport::Tcp => Probe::More,
        Ok(None) | Err(_) => Probe::No,
    }
}

/// Reads a message in the framing that fits; none as long as it has not come whole.
fn read(cursor: &mut Cursor<'_>, framings: &[Framing]) -> Result<Option<(Framing, Message)>, &'static str> {
    let mut outcome = Err("stun_header");
    for &framing in framings {
        match Message::read(cursor, framing) {
            Ok(Some(message)) => return Ok(Some((framing, message))),
            Ok(None) => outcome = Ok(None),
            Err(_) => {}
        }
    }
    outcome
}

const fn framings(transport: Transport) -> &'static [Framing] {
    match transport {
        Transport::Tcp => &[Framing::Stream, Framing::Framed],
        _ => &[Framing::Datagram],
    }
}

struct Stun {
    start: Start,
    /// Of the last request without a cookie: only its answer tells that it was one.
    asked: Option<Message>,
    has_asked: bool,
    /// An answer without a cookie came, to whatever it was.
    is_answered: bool,
    client: Side,
    server: Side,
    facts: u32,
    datagrams: u32,
}

#[derive(Default)]
struct Side {
    /// What the last hello told beside the method.
    told: Option<Told>,
    framing: Option<Framing>,
}

type Told = [Option<(IpAddr, u16)>; 3];

impl Parser for Stun {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        match self.start.transport {
            Transport::Tcp => self.on_stream(chunk, facts),
            _ => self.on_datagram(chunk, facts),
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.on_silence(facts);
    }
}

impl Stun {
    /// The most datagrams that are looked at for more messages and for what follows them.
    const DATAGRAMS_MAX: u32 = 128;
    /// The most hellos of a flow: a relay's client may talk to many.
    const FACTS_MAX: u32 = 16;
    /// The most datagrams until a classic request is answered.
    const UNANSWERED_MAX: u32 = 8;

    fn new(start: Start) -> Self {
        Self {
            start,
            asked: None,
            has_asked: false,
            is_answered: false,
            client: Side::default(),
            server: Side::default(),
            facts: 0,
            datagrams: 0,
        }
    }

    fn on_stream(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        while !cursor.is_empty() {
            let framings = match self.side(chunk.sender).framing {
                Some(Framing::Framed) => &[Framing::Framed],
                Some(_) => &[Framing::Stream],
                None => framings(Transport::Tcp),
            };
            match read(&mut cursor, framings) {
                Ok(Some((framing, message))) => {
                    self.side(chunk.sender).framing = Some(framing);
                    self.on_message(message, chunk.sender, facts);
                }
                Ok(None) => break,
                // A relay's channel, or what both sides speak from now on.
                Err(_) => return Progress::Done,
            }
        }
        Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) }
    }

    fn on_datagram(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        match Message::read(&mut Cursor::new(chunk.bytes), Framing::Datagram) {
            Ok(Some(message)) => self.on_message(message, chunk.sender, facts),
            _ if self.facts == 0 => return Progress::Reject,
            _ => {
                if let Some(follower) = self.follower(chunk) {
                    return Progress::Upgrade { to: follower.protocol, consumed: 0 };
                }
            }
        }
        if self.datagrams > Self::UNANSWERED_MAX {
            self.on_silence(facts);
        }
        match self.facts {
            0 if self.datagrams > Self::UNANSWERED_MAX => Progress::Reject,
            _ if self.datagrams > Self::DATAGRAMS_MAX => Progress::Done,
            _ => Progress::Continue { consumed: chunk.bytes.len() },
        }
    }

    /// Whoever asks at its port means STUN, whether there is an answer or not.
    fn on_silence(&mut self, facts: &mut Vec<Statement>) {
        if self.start.server_port == PORT
            && !self.is_answered
            && let Some(asked) = self.asked.clone().filter(|_| self.facts == 0)
        {
            self.tell(&asked, Sender::Client, facts);
        }
    }

    fn follower(&self, chunk: Chunk<'_>) -> Option<&'static ProtocolSpec> {
        let opening = Opening { is_midway: false, ..self.start.opening(chunk.sender, chunk.bytes) };
        FOLLOWERS.iter().copied().find(|spec| matches!((spec.probe)(&opening), Probe::Match | Probe::Reversed))
    }

    fn on_message(&mut self, message: Message, sender: Sender, facts: &mut Vec<Statement>) {
        if !message.is_classic || message.is_ms_turn {
            return self.tell(&message, sender, facts);
        }
        if message.class == Class::Request {
            (self.asked, self.has_asked) = (Some(message), true);
            return;
        }
        // What comes from its port with an address answers a request that was not seen.
        let is_from_port = sender == Sender::Server && self.start.server_port == PORT;
        if is_from_port && !self.has_asked && message.class == Class::Success && message.mapped.is_some() {
            return self.tell(&message, sender, facts);
        }
        self.is_answered = true;
        let asked = self.asked.take_if(|asked| {
            asked.transaction == message.transaction && asked.method == message.method && message.sender() == sender
        });
        if let Some(asked) = asked {
            self.tell(&asked, sender.other(), facts);
            self.tell(&message, sender, facts);
        }
    }

    /// Says what is new of a side.
    fn tell(&mut self, message: &Message, sender: Sender, facts: &mut Vec<Statement>) {
        let told = [message.mapped, message.relayed, message.peer];
        let side = self.side(sender);
        let is_news = match &side.told {
            None => true,
            Some(before) => told.iter().zip(before).any(|(now, before)| now.is_some() && now != before),
        };
        if !is_news || self.facts >= Self::FACTS_MAX {
            return;
        }
        self.side(sender).told = Some(told);
        self.facts = self.facts.saturating_add(1);
        let mut fields = Fields::default();
        fields.push_some(METHOD.name, message.method_name());
        fields.push_some(SOFTWARE.name, message.software.clone());
        let addresses = [
            (MAPPED_IP, MAPPED_PORT, message.mapped),
            (RELAYED_IP, RELAYED_PORT, message.relayed),
            (PEER_IP, PEER_PORT, message.peer),
        ];
        for (ip_field, port_field, address) in addresses {
            fields.push_some(ip_field.name, address.map(|(ip, _)| ip));
            fields.push_some(port_field.name, address.map(|(_, port)| port));
        }
        facts.push(Statement::Hello(Box::new(Hello { fields, ..Hello::new(sender) })));
    }

    const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }
}
