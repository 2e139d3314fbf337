//! The UDP transport of RDP ([MS-RDPEUDP]): SYN and SYN+ACK in, one [`RemoteDesktop`] out, and then the hellos of the TLS
//! or DTLS in its first versions' packets. On RDP's port the numbers of the data are enough. The third version has packets
//! of another form ([MS-RDPEUDP2]), not read.

mod inside;
mod midway;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{RemoteDesktop, Sender, Statement};
use crate::net::Transport;
use crate::protocol::rdpeudp::inside::Inside;
use crate::protocol::rdpeudp::midway::{Judgement, Midway};
use crate::protocol::rdpeudp::wire::Syn;
use crate::protocol::tls::hello;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, rdp};

pub const PROTOCOL: Protocol = Protocol::new(&"rdpeudp");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Udp],
    opens_with: ANY_BYTE,
    probe,
    start: |_| Box::<RdpUdp>::default(),
    fields: &[
        FieldSpec { name: "network.application", help: "What the transport carries: `rdp`" },
        FieldSpec {
            name: "rdpeudp.mode",
            help: "Whether lost packets are sent again: `reliable` or `lossy` ([MS-RDPEUDP] §1.3.1)",
        },
        FieldSpec { name: "rdpeudp.version", help: "The version number last announced ([MS-RDPEUDP] §2.2.2.9)" },
        hello::VERSION,
        hello::VERSION_PROTOCOL,
        hello::CIPHER,
        hello::RESUMED,
        hello::HELLO_RETRY,
        hello::ALERT,
    ],
};

const PORT: u16 = 3389;

fn probe(opening: &Opening<'_>) -> Probe {
    let role = match wire::syn(opening.bytes) {
        None if !opening.on_port(PORT) || wire::data_midway(opening.bytes).is_none() => return Probe::No,
        None if opening.server_port == PORT => return Probe::Match,
        None => return Probe::Reversed,
        Some(Syn { acknowledges: None, .. }) => Sender::Client,
        Some(Syn { acknowledges: Some(_), .. }) => Sender::Server,
    };
    if role == opening.sender { Probe::Match } else { Probe::Reversed }
}

#[derive(Default)]
struct RdpUdp {
    syn: Option<Syn>,
    answer: Option<Syn>,
    midway: Midway,
    /// What is inside, once the handshake is over.
    inside: Option<Inside>,
}

impl Parser for RdpUdp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(inside) = &mut self.inside {
            inside.on_datagram(chunk, facts);
            return if inside.is_over() { Progress::Done } else { Progress::Continue { consumed: chunk.bytes.len() } };
        }
        match (wire::syn(chunk.bytes), chunk.sender) {
            (Some(syn), Sender::Client) if syn.acknowledges.is_none() => self.syn = Some(syn),
            (Some(answer), Sender::Server) if answer.acknowledges.is_some() => self.answer = Some(answer),
            (None, sender) if self.syn.is_none() && self.answer.is_none() => {
                return match self.midway.on_datagram(chunk.bytes, sender) {
                    Judgement::Foreign => Progress::Reject,
                    Judgement::Undecided => Progress::Continue { consumed: chunk.bytes.len() },
                    Judgement::RdpUdp => {
                        facts.push(Statement::RemoteDesktop(Box::new(of_rdp())));
                        Progress::Done
                    }
                };
            }
            // A SYN is sent again until it is answered; anything else ends the handshake.
            _ => {
                self.on_end(facts);
                return Progress::Done;
            }
        }
        match (self.syn, self.answer) {
            (Some(syn), Some(answer)) if answer.acknowledges == Some(syn.sequence) => {
                self.on_end(facts);
                self.inside = Inside::new(&syn, &answer);
                if self.inside.is_none() { Progress::Done } else { Progress::Continue { consumed: chunk.bytes.len() } }
            }
            _ => Progress::Continue { consumed: chunk.bytes.len() },
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.inside.is_some() {
            return;
        }
        let Some(first) = self.syn.or(self.answer) else { return };
        let mut desktop = of_rdp();
        desktop.fields.push("rdpeudp.mode", if first.is_lossy { "lossy" } else { "reliable" });
        desktop.fields.push_some("rdpeudp.version", self.answer.unwrap_or(first).version);
        facts.push(Statement::RemoteDesktop(Box::new(desktop)));
    }

    fn kept_bytes(&self) -> usize {
        self.inside.as_ref().map_or(0, Inside::kept_bytes)
    }
}

fn of_rdp() -> RemoteDesktop {
    let mut desktop = RemoteDesktop::default();
    desktop.fields.push("network.application", rdp::PROTOCOL.as_str());
    desktop
}
