//! AmneziaWG, WireGuard disguised ([project](https://github.com/amnezia-vpn/amneziawg-go)): datagrams in, a tunnel out.
//!
//! Junk goes before the handshake, its messages get padding in front, and their types are numbers of the user's choice.
//! What is left is the handshake itself: an initiation ends with sixteen zeros, for it proves no cookie, and the answer
//! names the 32 bits that the initiation's sender called itself. Where in a datagram they stand its length tells, since
//! padding comes first. Both together are chance in one of 2^160.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::Transport;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"amneziawg"),
    transports: &[Transport::Udp],
    // Padding, or a number of the user's choice.
    opens_with: ANY_BYTE,
    probe,
    start: |_| Box::new(AmneziaWg::default()),
    fields: &[
        FieldSpec { name: INITIATION_PADDING, help: "The bytes before the initiation (S1)." },
        FieldSpec { name: RESPONSE_PADDING, help: "The bytes before the response (S2)." },
    ],
};

const INITIATION_PADDING: &str = "amneziawg.initiation_padding";
const RESPONSE_PADDING: &str = "amneziawg.response_padding";

fn probe(opening: &Opening<'_>) -> Probe {
    match (Initiation::parse(opening.bytes), opening.sender) {
        (None, _) => Probe::No,
        (Some(_), Sender::Client) => Probe::Match,
        (Some(_), Sender::Server) => Probe::Reversed,
    }
}

/// WireGuard's messages (white paper, §5.4.2 and §5.4.3) behind padding.
const WIREGUARD_INITIATION: u8 = 1;
const INITIATION_BYTES: usize = 148;
const RESPONSE_BYTES: usize = 92;
const PADDING_BYTES_MAX: usize = 1280;
/// Where a message has its sender and its receiver.
const SENDER_AT: usize = 4;
const RECEIVER_AT: usize = 8;

#[derive(Clone, Copy)]
struct Initiation {
    sender: [u8; 4],
    padding: usize,
}

impl Initiation {
    fn parse(datagram: &[u8]) -> Option<Self> {
        let (padding, message) = padded(datagram, INITIATION_BYTES)?;
        // WireGuard's own, or one of those that put a client's number behind the type.
        if padding == 0 && message.first() == Some(&WIREGUARD_INITIATION) {
            return None;
        }
        let (_, mac1_and_2) = message.split_last_chunk::<32>()?;
        let (mac1, mac2) = mac1_and_2.split_first_chunk::<16>()?;
        let is_unproven = mac2.iter().all(|&byte| byte == 0) && mac1.iter().filter(|&&byte| byte != 0).count() > 8;
        // Padding is random, and messages are encrypted: zeros elsewhere are somebody else's fill.
        let is_filled = message.windows(8).rev().skip(16).any(|run| run == [0; 8]);
        let sender = number_at(message, SENDER_AT)?;
        (is_unproven && !is_filled && sender != [0; 4]).then_some(Self { sender, padding })
    }

    /// The padding of the answer.
    fn answer(self, datagram: &[u8]) -> Option<usize> {
        let (padding, message) = padded(datagram, RESPONSE_BYTES)?;
        (number_at(message, RECEIVER_AT)? == self.sender).then_some(padding)
    }
}

/// A message of so many bytes at a datagram's end, and how much stands before it.
fn padded(datagram: &[u8], len: usize) -> Option<(usize, &[u8])> {
    let padding = datagram.len().checked_sub(len).filter(|&padding| padding <= PADDING_BYTES_MAX)?;
    Some((padding, datagram.get(padding..)?))
}

fn number_at(message: &[u8], at: usize) -> Option<[u8; 4]> {
    message.get(at..)?.first_chunk().copied()
}

#[derive(Default)]
struct AmneziaWg {
    initiation: Option<Initiation>,
    datagrams: u32,
}

impl AmneziaWg {
    const DATAGRAMS_MAX: u32 = 12;
}

impl Parser for AmneziaWg {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        match chunk.sender {
            Sender::Client => self.initiation = Initiation::parse(chunk.bytes).or(self.initiation),
            Sender::Server => {
                let answered =
                    self.initiation.and_then(|initiation| Some((initiation, initiation.answer(chunk.bytes)?)));
                if let Some((initiation, padding)) = answered {
                    let mut fields = Fields::default();
                    fields.push(INITIATION_PADDING, initiation.padding as u64);
                    fields.push(RESPONSE_PADDING, padding as u64);
                    let tunnel = Tunnel { fields, ..Tunnel::new(TunnelBasis::Exchange, Confidence::Certain, true) };
                    facts.push(Statement::Tunnel(Box::new(tunnel)));
                    return Progress::Done;
                }
            }
        }
        if self.datagrams >= Self::DATAGRAMS_MAX { Progress::Reject } else { Progress::Continue { consumed: 0 } }
    }
}
