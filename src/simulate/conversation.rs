//! What two machines say to each other, step by step, in; the packets as the mirror shows them out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::course::Course;
use super::message::{tls, wireguard};
use super::random::Random;
use super::stack::{self, Stack};
use crate::decode::{Head, IpHeader, TcpHeader};
use crate::facts::Sender;
use crate::net::{Endpoint, Mac, Transport};
use crate::time::Timestamp;

/// One machine of a conversation, as far as the mirror is away from it.
#[derive(Clone, Copy, Debug)]
pub struct Party {
    pub end: Endpoint,
    pub mac: Mac,
    /// As the mirror shows it: what routers on the way have taken is taken.
    pub ttl: u8,
    pub stack: &'static Stack,
    pub mss: u16,
}

/// What one side sends at a moment, as the mirror sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    pub at: Timestamp,
    pub sender: Sender,
    pub load: Load,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Load {
    /// An acknowledgment without payload.
    Ack,
    /// So many bytes of payload that nobody can read.
    Data(u16),
    Fin,
    Message(Vec<u8>),
    /// As many bytes of payload, the first within the session that the latest handshake made.
    Renewed(u16),
    /// The SYN of a client, the SYN/ACK of a server.
    Syn,
}

/// What payload that nobody can read looks like.
#[derive(Clone, Copy, Debug)]
pub enum Hidden {
    Noise,
    Tls,
    /// By the indices that the client and the server gave their session.
    WireGuard {
        client: u32,
        server: u32,
    },
}

/// A conversation from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub client: Party,
    pub server: Party,
    pub transport: Transport,
    pub hidden: Hidden,
    /// What chance decides in it: numbers of segments, clocks, noise.
    pub seed: u64,
    pub opening: Vec<Step>,
    /// What follows the opening, minute by minute.
    pub course: Option<Course>,
    pub closing: Vec<Step>,
}

impl Conversation {
    pub fn packets(self) -> Packets {
        Packets::new(self)
    }
}

/// The packets of a conversation, one after the other.
pub struct Packets {
    client: Side,
    server: Side,
    transport: Transport,
    hidden: Hidden,
    /// What the latest handshake agreed on.
    agreed: Option<Hidden>,
    has_timestamps: bool,
    noise: Random,
    queue: VecDeque<Step>,
    course: Option<Course>,
    minute: usize,
    closing: Vec<Step>,
}

struct Side {
    party: Party,
    sequence: u32,
    ip_id: u16,
    clock: u32,
    /// The clock of the other side that was heard last.
    echo: u32,
    messages: u64,
}

impl Side {
    fn new(party: Party, random: &mut Random) -> Self {
        let bits = random.bits();
        let (sequence, clock) = (bits as u32 | 1, (bits >> 32) as u32 >> 1);
        Self { party, sequence, ip_id: (bits >> 20) as u16 | 1, clock, echo: 0, messages: 0 }
    }

    fn clock_at(&self, at: Timestamp) -> u32 {
        self.clock.wrapping_add((at.as_nanos() / 1_000_000) as u32)
    }
}

impl Packets {
    /// The time between segments that are sent in one go.
    const SEGMENT_GAP: Duration = Duration::from_micros(15);
    const TIMESTAMPS_BYTES: u16 = 12;

    fn new(conversation: Conversation) -> Self {
        let Conversation { client, server, transport, hidden, seed, opening, course, closing } = conversation;
        let mut random = Random::of(seed, &[u64::from(client.end.port)]);
        let mut packets = Self {
            client: Side::new(client, &mut random),
            server: Side::new(server, &mut random),
            transport,
            hidden,
            agreed: None,
            has_timestamps: client.stack.has_timestamps(),
            noise: random,
            queue: VecDeque::new(),
            course,
            minute: 0,
            closing,
        };
        packets.enqueue(opening);
        packets.refill();
        packets
    }

    /// When the next packet passes the mirror; none when all have.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.queue.front().map(|step| step.at)
    }

    /// The next packet, with its payload in `payload`. It has no sequence number in the capture yet.
    pub fn next(&mut self, payload: &mut Vec<u8>) -> Option<Head> {
        let step = self.queue.pop_front()?;
        self.refill();
        payload.clear();
        self.write_payload(&step, payload);
        Some(self.head(&step, payload.len()))
    }

    /// Where the queue is empty, the steps that follow.
    fn refill(&mut self) {
        while self.queue.is_empty() {
            let steps = match &self.course {
                Some(course) if self.minute < course.minutes() => course.steps(self.minute),
                _ if self.closing.is_empty() => return,
                _ => std::mem::take(&mut self.closing),
            };
            self.minute += 1;
            self.enqueue(steps);
        }
    }

    /// Cuts messages into segments and puts everything in the order of its time.
    fn enqueue(&mut self, steps: Vec<Step>) {
        let mut cut: Vec<Step> = Vec::with_capacity(steps.len());
        for step in steps {
            match step.load {
                Load::Message(bytes) if self.transport == Transport::Tcp => {
                    let parts = bytes.chunks(usize::from(self.segment_bytes()));
                    cut.extend((0..).zip(parts).map(|(number, part)| Step {
                        at: step.at + Self::SEGMENT_GAP * number,
                        sender: step.sender,
                        load: Load::Message(part.to_vec()),
                    }));
                }
                _ => cut.push(step),
            }
        }
        cut.sort_by_key(|step| step.at);
        self.queue.extend(cut);
    }

    fn segment_bytes(&self) -> u16 {
        let mss = self.client.party.mss.min(self.server.party.mss);
        if self.has_timestamps { mss - Self::TIMESTAMPS_BYTES } else { mss }
    }

    fn write_payload(&mut self, step: &Step, payload: &mut Vec<u8>) {
        match &step.load {
            Load::Ack | Load::Fin | Load::Syn => {}
            Load::Message(bytes) => {
                payload.extend_from_slice(bytes);
                if let (Hidden::WireGuard { .. }, Some((server, client))) = (self.hidden, wireguard::agreed(bytes)) {
                    self.agreed = Some(Hidden::WireGuard { client, server });
                }
            }
            Load::Data(len) | Load::Renewed(len) => {
                if matches!(step.load, Load::Renewed(_))
                    && let Some(agreed) = self.agreed.take()
                {
                    self.hidden = agreed;
                    (self.client.messages, self.server.messages) = (0, 0);
                }
                self.write_head_of_hidden(step.sender, usize::from(*len), payload);
                // The same noise for a whole packet, which is cheap, and never the same packet twice.
                let word = self.noise.bits().to_le_bytes();
                payload.extend(word.iter().cycle().take(usize::from(*len).saturating_sub(payload.len())));
            }
        }
    }

    fn write_head_of_hidden(&mut self, sender: Sender, len: usize, payload: &mut Vec<u8>) {
        match self.hidden {
            Hidden::Noise => {}
            Hidden::Tls => payload.extend_from_slice(&tls::application_data_head(len)),
            Hidden::WireGuard { client, server } => {
                let (receiver, side) = match sender {
                    Sender::Client => (server, &mut self.client),
                    Sender::Server => (client, &mut self.server),
                };
                payload.extend_from_slice(&wireguard::data_head(receiver, side.messages));
                side.messages += 1;
            }
        }
    }

    fn head(&mut self, step: &Step, payload_bytes: usize) -> Head {
        let is_tcp = self.transport == Transport::Tcp;
        let tcp = is_tcp.then(|| self.tcp(step, payload_bytes));
        let (own, other) = match step.sender {
            Sender::Client => (&mut self.client, &self.server),
            Sender::Server => (&mut self.server, &self.client),
        };
        own.ip_id = own.ip_id.wrapping_add(1).max(1);
        let is_ipv6 = own.party.end.ip.is_ipv6();
        let headers = if is_ipv6 { 40 } else { 20 } + tcp.map_or(8, |tcp| 20 + u32::from(tcp.options_len));
        Head {
            at: step.at,
            seq: 0,
            source: own.party.end,
            target: other.party.end,
            transport: self.transport,
            source_mac: Some(own.party.mac),
            target_mac: Some(other.party.mac),
            vlan: None,
            inner_vlan: None,
            tunnel: None,
            is_authenticated: false,
            ip: IpHeader {
                len: headers + payload_bytes as u32,
                ttl: own.party.ttl,
                id: (!is_ipv6).then_some(own.ip_id),
                dont_fragment: is_tcp && !is_ipv6,
                ..IpHeader::default()
            },
            tcp,
            payload_len: payload_bytes as u32,
        }
    }

    fn tcp(&mut self, step: &Step, payload_bytes: usize) -> TcpHeader {
        let has_timestamps = self.has_timestamps;
        let (own, other) = match step.sender {
            Sender::Client => (&mut self.client, &mut self.server),
            Sender::Server => (&mut self.server, &mut self.client),
        };
        let clock = own.clock_at(step.at);
        let timestamps = has_timestamps.then_some((clock, own.echo));
        other.echo = clock;
        let (sequence, acknowledgment) = (own.sequence, other.sequence);
        let (flags, consumed) = match step.load {
            Load::Ack => (TcpHeader::ACK, 0),
            Load::Data(_) | Load::Message(_) | Load::Renewed(_) => (stack::DATA, payload_bytes as u32),
            Load::Fin => (TcpHeader::ACK | TcpHeader::FIN, 1),
            Load::Syn if step.sender == Sender::Client => (TcpHeader::SYN, 1),
            Load::Syn => (TcpHeader::SYN | TcpHeader::ACK, 1),
        };
        own.sequence = own.sequence.wrapping_add(consumed);
        let (options, options_len) = match flags {
            TcpHeader::SYN => own.party.stack.syn_options(own.party.mss, clock),
            _ if flags & TcpHeader::SYN != 0 => stack::answer_options(own.party.mss, timestamps),
            _ => stack::segment_options(timestamps),
        };
        let is_syn = flags & TcpHeader::SYN != 0;
        TcpHeader {
            sequence,
            acknowledgment: if flags & TcpHeader::ACK != 0 { acknowledgment } else { 0 },
            flags,
            reserved: false,
            // A mirror's copies are told from packets that come again by their numbers, of which IPv6 has none: a little is
            // still to be read.
            window: match own.party.end.ip {
                _ if is_syn => own.party.stack.window(),
                IpAddr::V4(_) => 1026,
                IpAddr::V6(_) => 1026 - own.ip_id % 16,
            },
            urgent: 0,
            options,
            options_len,
        }
    }
}
