//! TeamViewer's own protocol: messages over TCP in, a hello out; datagrams between two machines in, a hello and one
//! [`RemoteDesktop`] with the address of the other machine out.
//!
//! TeamViewer publishes no specification. The heads are as its programs send them (version 10 and before as well as later
//! ones); the bodies are encrypted.

pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;

use crate::facts::{Hello, RemoteDesktop, Sender, Statement};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};

use wire::Generation;

pub const PROTOCOL: Protocol = Protocol::new(&"teamviewer");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp, Transport::Udp],
    opens_with: &[(0x00, 0x00), (0x11, 0x11), (0x17, 0x17)],
    probe,
    start,
    fields: &[PEER_IP, PEER_PORT],
};

const PEER_IP: FieldSpec =
    FieldSpec { name: "teamviewer.peer.ip", help: "The machine at the other end, as the datagrams name it." };
const PEER_PORT: FieldSpec = FieldSpec { name: "teamviewer.peer.port", help: "Its port." };

const PORT: u16 = 5938;

fn start(start: &Start) -> Box<dyn Parser> {
    match start.transport {
        Transport::Tcp => Box::new(Stream { on_port: start.on_port(PORT), ..Stream::default() }),
        _ => Box::new(Datagrams::new(start)),
    }
}

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.transport == Transport::Udp {
        return if wire::is_datagram(opening.bytes) { Probe::Match } else { Probe::No };
    }
    match wire::head(&mut Cursor::new(opening.bytes)) {
        Ok(Some(_)) => Probe::Match,
        Ok(None) => Probe::More,
        Err(_) => Probe::No,
    }
}

/// Messages over TCP. One head of the second generation tells; of the first, which is short, it takes two, or a whole message
/// on the port after which nothing else is said.
#[derive(Default)]
struct Stream {
    on_port: bool,
    client_body_bytes: usize,
    server_body_bytes: usize,
    messages: u32,
    /// A message has come to its end.
    has_whole: bool,
}

impl Stream {
    const MESSAGES_MIN: u32 = 2;
}

impl Parser for Stream {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let body_bytes = match chunk.sender {
            Sender::Client => &mut self.client_body_bytes,
            Sender::Server => &mut self.server_body_bytes,
        };
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            let skipped = (*body_bytes).min(cursor.len());
            cursor.skip(skipped);
            *body_bytes = body_bytes.saturating_sub(skipped);
            self.has_whole |= skipped > 0 && *body_bytes == 0;
            match wire::head(&mut cursor) {
                Ok(None) => return Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) },
                Err(_) => return Progress::Reject,
                Ok(Some((generation, len))) => {
                    *body_bytes = len;
                    self.messages = self.messages.saturating_add(1);
                    if generation == Generation::Second || self.messages >= Self::MESSAGES_MIN {
                        facts.push(Statement::Hello(Box::new(Hello::new(Sender::Client))));
                        return Progress::Done;
                    }
                }
            }
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.on_port && self.has_whole {
            facts.push(Statement::Hello(Box::new(Hello::new(Sender::Client))));
        }
    }
}

/// Datagrams: each alone proves little.
struct Datagrams {
    is_port: bool,
    evidence: u32,
    datagrams: u32,
    is_known: bool,
    peers: Vec<(IpAddr, u16)>,
}

impl Datagrams {
    /// Of datagrams with the magic, its port, and the address of the other machine.
    const EVIDENCE_MIN: u32 = 4;
    const DATAGRAMS_MAX: u32 = 32;
    const PEERS_MAX: usize = 4;

    fn new(start: &Start) -> Self {
        let is_port = start.on_port(PORT);
        Self { is_port, evidence: if is_port { 2 } else { 0 }, datagrams: 0, is_known: false, peers: Vec::new() }
    }
}

impl Parser for Datagrams {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        if self.datagrams > Self::DATAGRAMS_MAX {
            return if self.is_known { Progress::Done } else { Progress::Reject };
        }
        if !wire::is_datagram(chunk.bytes) {
            let may_follow = self.is_known || self.is_port;
            return if may_follow { Progress::Continue { consumed: 0 } } else { Progress::Reject };
        }
        let peer = wire::peer(chunk.bytes).filter(|peer| !self.peers.contains(peer));
        if let Some(peer) = peer.filter(|_| self.peers.len() < Self::PEERS_MAX) {
            self.peers.push(peer);
            self.evidence = self.evidence.saturating_add(2);
        }
        self.evidence = self.evidence.saturating_add(1);
        if self.evidence < Self::EVIDENCE_MIN {
            return Progress::Continue { consumed: 0 };
        }
        if !std::mem::replace(&mut self.is_known, true) {
            facts.push(Statement::Hello(Box::new(Hello::new(Sender::Client))));
            facts.extend(self.peers.iter().map(|&peer| desktop(peer)));
        } else if let Some(peer) = peer {
            facts.push(desktop(peer));
        }
        Progress::Continue { consumed: 0 }
    }
}

/// Machines that look for a way to each other are about to share a screen.
fn desktop((ip, port): (IpAddr, u16)) -> Statement {
    let mut desktop = RemoteDesktop::default();
    desktop.fields.push(PEER_IP.name, ip);
    desktop.fields.push(PEER_PORT.name, port);
    Statement::RemoteDesktop(Box::new(desktop))
}
