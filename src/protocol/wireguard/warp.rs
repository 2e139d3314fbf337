//! Cloudflare WARP, WireGuard with a number of the client's in the three bytes that WireGuard leaves zero: datagrams in, a
//! tunnel out.
//!
//! Cloudflare publishes no specification; the messages are as its programs send them. The type is WireGuard's, or that
//! with the two highest bits set where the handshake carries a second, larger key. A client's first initiation has no
//! number yet, so there the answer must name its sender.

use crate::facts::{Confidence, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::wireguard::wire::{Index, is_padded};
use crate::protocol::wireguard::{Lane, RUN_MIN};
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"warp"),
    transports: &[Transport::Udp],
    opens_with: &[(0x01, 0x01), (0x04, 0x04), (0xc1, 0xc1), (0xc4, 0xc4)],
    probe,
    start: |_| Box::<Warp>::default(),
    fields: &[],
};

fn probe(opening: &Opening<'_>) -> Probe {
    match (Message::parse(opening.bytes), opening.sender) {
        (Some(Message::Initiation { .. }), Sender::Server) => Probe::Reversed,
        (Some(Message::Initiation { .. } | Message::Data { .. }), _) => Probe::Match,
        _ => Probe::No,
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Message {
    Initiation { sender: Index },
    Response { receiver: Index },
    Data { receiver: Index, counter: u64 },
}

impl Message {
    const INITIATION_BYTES: usize = 148;
    const RESPONSE_BYTES: usize = 92;
    const DATA_BYTES_MIN: usize = 32;
    const WITH_LARGER_KEY: u8 = 0xc0;

    fn parse(datagram: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(datagram);
        let ([kind, number @ ..], first) = (cursor.array::<4>()?, cursor.array()?);
        let has_number = number != [0; 3];
        match kind.checked_sub(Self::WITH_LARGER_KEY) {
            Some(1) if datagram.len() > Self::INITIATION_BYTES => Some(Self::Initiation { sender: first }),
            Some(2) if datagram.len() > Self::RESPONSE_BYTES => Some(Self::Response { receiver: cursor.array()? }),
            Some(4) if has_number && datagram.len() >= Self::DATA_BYTES_MIN => Self::data(first, cursor),
            None if has_number => Self::parse_plain(kind, datagram.len(), first, cursor),
            _ => None,
        }
    }

    fn parse_plain(kind: u8, len: usize, first: Index, mut cursor: Cursor<'_>) -> Option<Self> {
        match (kind, len) {
            (1, Self::INITIATION_BYTES) => Some(Self::Initiation { sender: first }),
            (2, Self::RESPONSE_BYTES) => Some(Self::Response { receiver: cursor.array()? }),
            (4, len) if len >= Self::DATA_BYTES_MIN && is_padded(len) => Self::data(first, cursor),
            _ => None,
        }
    }

    fn data(receiver: Index, mut cursor: Cursor<'_>) -> Option<Self> {
        let counter = cursor.u64_le().filter(|&counter| counter < Lane::COUNTER_MAX)?;
        Some(Self::Data { receiver, counter })
    }
}

#[derive(Default)]
struct Warp {
    initiation: Option<(Sender, Index)>,
    client: Lane,
    server: Lane,
    datagrams: u32,
}

impl Warp {
    const DATAGRAMS_MAX: u32 = 16;

    /// What a message proves, and whether both sides have spoken.
    fn proof(&mut self, from: Sender, message: Message) -> Option<(TunnelBasis, Confidence, bool)> {
        match message {
            Message::Initiation { sender } => {
                self.initiation = Some((from, sender));
                None
            }
            Message::Response { receiver } => (self.initiation == Some((from.other(), receiver))).then_some((
                TunnelBasis::Exchange,
                Confidence::Certain,
                true,
            )),
            Message::Data { receiver, counter } => {
                let lane = match from {
                    Sender::Client => &mut self.client,
                    Sender::Server => &mut self.server,
                };
                lane.take(receiver, counter);
                let established = self.client.run > 0 && self.server.run > 0;
                let is_proven = self.client.run.max(self.server.run) >= RUN_MIN;
                is_proven.then_some((TunnelBasis::Data, Confidence::Likely, established))
            }
        }
    }
}

impl Parser for Warp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        let proof = Message::parse(chunk.bytes).and_then(|message| self.proof(chunk.sender, message));
        match proof {
            Some((basis, confidence, established)) => {
                facts.push(Statement::Tunnel(Box::new(Tunnel::new(basis, confidence, established))));
                Progress::Done
            }
            None if self.datagrams >= Self::DATAGRAMS_MAX => Progress::Reject,
            None => Progress::Continue { consumed: 0 },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::protocol::tests::Fixture;

    const NUMBER: [u8; 3] = [0x02, 0x78, 0x00];

    fn message(kind: u8, number: [u8; 3], indices: &[Index], len: usize) -> Vec<u8> {
        let head = [&[kind], &number[..], &indices.concat()].concat();
        (0..len).map(|at| head.get(at).copied().unwrap_or((at * 37 % 251) as u8)).collect()
    }

    fn data(kind: u8, receiver: Index, counter: u64, len: usize) -> Vec<u8> {
        let mut bytes = message(kind, NUMBER, &[receiver], len);
        bytes[8..16].copy_from_slice(&counter.to_le_bytes());
        bytes
    }

    fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
        let (protocol, transport) = (SPEC.protocol, Transport::Udp);
        Fixture { name, protocol, transport, client_port: 60_555, server_port: 2408, chunks }
    }

    pub(crate) fn fixtures() -> Vec<Fixture> {
        let (client, server) = ([0x00, 0x90, 0x83, 0x01], [0x68, 0x84, 0xee, 0x00]);
        vec![
            fixture(
                "a handshake with a second key",
                vec![
                    (Sender::Client, message(0xc1, [0; 3], &[client], 194)),
                    (Sender::Server, message(0xc2, NUMBER, &[server, client], 778)),
                    (Sender::Client, data(0xc4, server, 0, 84)),
                ],
            ),
            fixture(
                "WireGuard's handshake with a number",
                vec![
                    (Sender::Client, message(1, NUMBER, &[client], 148)),
                    (Sender::Server, message(2, NUMBER, &[server, client], 92)),
                ],
            ),
            fixture(
                "amid a session",
                vec![
                    (Sender::Client, data(0xc4, server, 5, 84)),
                    (Sender::Client, data(0xc4, server, 6, 92)),
                    (Sender::Server, data(0xc4, client, 9, 84)),
                    (Sender::Client, data(0xc4, server, 7, 84)),
                ],
            ),
        ]
    }

    #[test]
    fn an_answered_initiation_is_a_certain_tunnel_and_rising_counters_a_likely_one() {
        for (fixture, expected) in fixtures().iter().zip([Confidence::Certain, Confidence::Certain, Confidence::Likely])
        {
            let facts = fixture.facts();
            let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("{}: {facts:?}", fixture.name) };
            assert_eq!((tunnel.confidence, tunnel.established), (expected, true), "{}", fixture.name);
        }
    }

    #[test]
    fn an_initiation_alone_another_answer_and_counters_without_order_prove_nothing() {
        let [handshake, _, session] = &fixtures()[..] else { panic!() };
        assert!(handshake.facts_of(&handshake.chunks[..1]).is_empty());
        let mut other = handshake.chunks.clone();
        other[1].1[8] ^= 1;
        assert!(handshake.facts_of(&other).is_empty());
        let [first, second, _, third] = &session.chunks[..] else { panic!() };
        assert!(session.facts_of(&[first.clone(), third.clone(), second.clone(), third.clone()]).is_empty());
    }

    #[test]
    fn a_question_to_the_dns_may_begin_like_data_but_counts_to_nowhere() {
        let question =
            crate::protocol::tests::hex("04d2 0100 0001 0000 0000 0000 08 74657374686f7374 05 6c6f63616c 00 0001 0001");
        assert_eq!((question.len(), Message::parse(&question)), (32, None));
    }

    #[test]
    fn without_a_number_it_is_plain_wireguard_or_nothing() {
        for bytes in [message(1, [0; 3], &[[1; 4]], 148), message(0xc4, [0; 3], &[[1; 4]], 84), vec![0xc1; 7]] {
            assert_eq!(Message::parse(&bytes), None, "{bytes:02x?}");
        }
    }
}
