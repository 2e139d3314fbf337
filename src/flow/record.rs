//! One flow: its packets in, its state and its numbers out.

use std::time::Duration;

use serde::Deserialize;

use crate::decode::{Head, TcpHeader};
use crate::facts::{
    Channel, Direction, Encapsulation, EndReason, Fact, FactKind, FlowId, FlowRef, FlowSummary, Sender, Shape,
    SideSummary,
};
use crate::flow::Moment;
use crate::flow::conversation::Conversation;
use crate::flow::direction::{Opener, opener};
use crate::flow::key::{End, Key};
use crate::flow::meter::Meter;
use crate::flow::reassembly::{Payload, Seen, Sequence, Track};
use crate::flow::signature::{SignaturePlace, Signatures, SynSignature};
use crate::flow::timing::Timing;
use crate::net::{Mac, Network, Transport, Vlans};
use crate::protocol::{Chunk, Protocol, Start};
use crate::quantity;
use crate::time::Timestamp;

/// A flow of the table. Its client is the side that opened it; where the protocol's bytes say otherwise, `is_reversed`
/// turns what is told to the outside.
///
/// The members stand in the order of use: a packet of a known flow touches the first two cache lines and the one of its
/// side.
#[repr(C, align(64))]
pub(super) struct Flow {
    pub(super) key: Key,
    client_end: End,
    pub(super) state: State,
    pub(super) class: Class,
    /// Nobody listens to the bytes any more.
    pub(super) is_read: bool,
    is_reversed: bool,
    is_recognised: bool,
    /// A parser has said a fact of it.
    pub(super) has_spoken: bool,
    /// What its beginning looks like, where no protocol claimed it.
    pub(super) shape: Option<Shape>,
    direction: Direction,
    closed: Option<EndReason>,
    tunnel: Option<Encapsulation>,
    /// Of the key, as the index knows it.
    pub(super) hash: u32,
    pub(super) last_at: Timestamp,

    /// The earliest moment that something is due in; the wheel knows the flow by it.
    pub(super) wake: Timestamp,
    pub(super) conversation: Option<Box<Conversation>>,
    meter: Option<Box<Meter>>,
    timing: Timing,

    pub(super) client: Side,
    pub(super) server: Side,

    pub(super) id: FlowId,
    pub(super) started: Timestamp,
    protocol: Option<Protocol>,
    client_signature: SignaturePlace,
    server_signature: SignaturePlace,
    /// How many times the open flow was reported.
    pub(super) reports: u16,
    client_mac: Option<Mac>,
    server_mac: Option<Mac>,
    client_vlans: Vlans,
    server_vlans: Vlans,
}

const _: () = assert!(size_of::<Option<Flow>>() == 320, "five cache lines");

/// One side of a flow, as opened.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Side {
    packets: u64,
    bytes: u64,
    payload_bytes: u64,
    retransmitted_bytes: u64,
    lost_bytes: u64,
    pub(super) track: Track,
    /// The number of its SYN, if it has sent one.
    syn: Sequence,
    has_sent_syn: bool,
    has_finished: bool,
    ttl: u8,
}

/// What a flow is doing, which decides how long its silence is waited out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// TCP: a SYN, or packets without payload of one side only.
    Opening,
    /// TCP: both sides were heard, or one with payload.
    Open,
    /// TCP: one side has sent FIN.
    Closing,
    /// TCP: a RST refused the connection.
    Refused,
    /// TCP: both sides have sent FIN, or one a RST.
    Closed,
    /// Datagrams, just begun or of one side only: a question and its answer.
    Exchange,
    /// Datagrams both ways for longer than [`Flow::STREAM_AFTER`], or frames of the link.
    Stream,
}

/// What a flow is worth when the table is full, the least first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Class {
    /// Over, and kept for its stragglers.
    Over,
    /// Only one side was heard.
    Unanswered,
    Answered,
    /// The handshake was completed, or payload went both ways.
    Established,
    /// Established, and its protocol is known.
    Recognised,
}

impl Class {
    pub(super) const COUNT: u16 = Self::Recognised as u16 + 1;
}

/// How long a flow may be silent before it is over, by what it was doing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct IdleTimes {
    /// A TCP handshake that was not completed.
    #[serde(deserialize_with = "quantity::duration")]
    pub tcp_opening: Duration,
    /// An open TCP connection. Long, because a desktop left alone overnight is still the same session.
    #[serde(deserialize_with = "quantity::duration")]
    pub tcp_open: Duration,
    /// A TCP connection that one side has closed.
    #[serde(deserialize_with = "quantity::duration")]
    pub tcp_closing: Duration,
    /// A TCP connection after both FIN or a RST: for what arrives late.
    #[serde(deserialize_with = "quantity::duration")]
    pub tcp_closed: Duration,
    /// A TCP connection that was refused.
    #[serde(deserialize_with = "quantity::duration")]
    pub tcp_refused: Duration,
    /// UDP, ESP or AH of one side only, or that has just begun.
    #[serde(deserialize_with = "quantity::duration")]
    pub datagram_exchange: Duration,
    /// UDP, ESP or AH both ways, and frames of the link.
    #[serde(deserialize_with = "quantity::duration")]
    pub datagram_stream: Duration,
}

impl Default for IdleTimes {
    fn default() -> Self {
        Self {
            tcp_opening: Duration::from_secs(30),
            tcp_open: Duration::from_secs(60 * 60),
            tcp_closing: Duration::from_secs(2 * 60),
            tcp_closed: Duration::from_secs(5),
            tcp_refused: Duration::from_secs(1),
            datagram_exchange: Duration::from_secs(30),
            datagram_stream: Duration::from_secs(3 * 60),
        }
    }
}

impl IdleTimes {
    pub(super) const fn of(&self, state: State) -> Duration {
        match state {
            State::Opening => self.tcp_opening,
            State::Open => self.tcp_open,
            State::Closing => self.tcp_closing,
            State::Refused => self.tcp_refused,
            State::Closed => self.tcp_closed,
            State::Exchange => self.datagram_exchange,
            State::Stream => self.datagram_stream,
        }
    }
}

impl Flow {
    /// An exchange of datagrams that lasts longer than this is a stream.
    pub(super) const STREAM_AFTER: Duration = Duration::from_secs(2);
    /// A RST is believed if it lies this close to where the stream has come.
    const RESET_WINDOW: u32 = 1 << 20;

    /// The flow that `head` is the first packet of; the packet itself is not counted yet.
    pub(super) fn open(key: Key, source: End, head: &Head, home_networks: &[Network]) -> Self {
        let (opener, direction) = opener(head, home_networks);
        let (client_end, client_mac, server_mac) = match opener {
            Opener::Source => (source, head.source_mac, head.target_mac),
            Opener::Target => (source.other(), head.target_mac, head.source_mac),
        };
        let state = match head.transport {
            Transport::Tcp => State::Opening,
            // Stations announce themselves for as long as they are there.
            Transport::Link => State::Stream,
            Transport::Ah | Transport::Esp | Transport::L2tp | Transport::Udp => State::Exchange,
        };
        Self {
            key,
            client_end,
            state,
            class: Class::Unanswered,
            is_read: false,
            is_reversed: false,
            is_recognised: false,
            has_spoken: false,
            shape: None,
            reports: 0,
            direction,
            closed: None,
            tunnel: head.tunnel,
            hash: 0,
            last_at: head.at,
            wake: Timestamp::MAX,
            conversation: None,
            meter: None,
            timing: Timing::new(),
            id: FlowId(head.seq),
            client: Side::default(),
            server: Side::default(),
            started: head.at,
            protocol: None,
            client_signature: SignaturePlace::NONE,
            server_signature: SignaturePlace::NONE,
            client_mac,
            server_mac,
            client_vlans: Vlans::NONE,
            server_vlans: Vlans::NONE,
        }
    }

    /// Reads what lies on each cache line that a packet needs, and tells nothing by it.
    pub(super) fn touch(&self) -> u64 {
        let lines = [self.last_at.as_nanos(), self.wake.as_nanos(), self.client.packets, self.server.packets];
        lines.iter().fold(0, |all, line| all ^ line)
    }

    pub(super) fn sender(&self, source: End) -> Sender {
        if source == self.client_end { Sender::Client } else { Sender::Server }
    }

    pub(super) const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }

    pub(super) fn start(&self) -> Start {
        Start {
            transport: self.key.transport(),
            client_port: self.key.endpoint(self.client_end).port,
            server_port: self.key.endpoint(self.client_end.other()).port,
            is_midway: self.key.transport() == Transport::Tcp && self.direction != Direction::Handshake,
        }
    }

    /// Whether `tcp` belongs to a new connection on the ports of this one.
    pub(super) fn is_reused_by(&self, tcp: &TcpHeader, source: End) -> bool {
        if !tcp.has(TcpHeader::SYN) {
            return false;
        }
        let (own, other) = match self.sender(source) {
            Sender::Client => (&self.client, &self.server),
            Sender::Server => (&self.server, &self.client),
        };
        let answers = tcp.has(TcpHeader::ACK);
        if own.has_sent_syn {
            return own.syn.0 != tcp.sequence || (self.closed.is_some() && !answers);
        }
        // A SYN/ACK may overtake its SYN on the way through the mirror.
        self.closed.is_some() || own.packets > 0 || (!answers && !other.has_sent_syn)
    }

    /// Counts a packet's headers and takes the flow's state further.
    pub(super) fn on_head(&mut self, head: &Head, sender: Sender, signatures: &mut Signatures) {
        self.last_at = head.at;
        if self.side(sender).packets == 0 {
            self.on_first_head(head, sender);
        }
        let side = self.side(sender);
        side.packets = side.packets.saturating_add(1);
        side.bytes = side.bytes.saturating_add(u64::from(head.ip.len));
        match &head.tcp {
            Some(tcp) => self.on_tcp((head, tcp), sender, signatures),
            None if self.both_were_heard() && head.at.since(self.started) > Self::STREAM_AFTER => {
                self.state = State::Stream;
            }
            None => {}
        }
    }

    fn on_first_head(&mut self, head: &Head, sender: Sender) {
        self.side(sender).ttl = head.ip.ttl;
        let vlans = match sender {
            Sender::Client => &mut self.client_vlans,
            Sender::Server => &mut self.server_vlans,
        };
        *vlans = Vlans::new(head.vlan, head.inner_vlan);
    }

    /// Counts payload, which [`Flow::on_head`] has been told of.
    pub(super) fn on_payload(&mut self, head: &Head, sender: Sender, seen: Seen) {
        self.side(sender).count(seen);
        if head.tcp.as_ref().is_some_and(|tcp| tcp.has(TcpHeader::ACK) && !tcp.has(TcpHeader::SYN)) {
            self.timing.on_ack(head.at, sender, seen.fresh > 0);
        }
        if let Some(meter) = &mut self.meter {
            let rtt = |rtt: Option<Duration>| rtt.unwrap_or_default();
            let (of_client, of_server) = (rtt(self.timing.client_rtt()), rtt(self.timing.server_rtt()));
            if self.is_reversed {
                meter.on_packet(head, sender.other(), seen.fresh, (of_server, of_client));
            } else {
                meter.on_packet(head, sender, seen.fresh, (of_client, of_server));
            }
        }
    }

    /// Takes the time of the handshakes within a tunnel; [`Flow::on_payload`] has been told of the packet.
    pub(super) fn on_datagram(&mut self, datagram: Chunk<'_>) {
        if let Some(meter) = &mut self.meter {
            let sender = if self.is_reversed { datagram.sender.other() } else { datagram.sender };
            meter.on_datagram(Chunk { sender, ..datagram });
        }
    }

    /// From now on the flow's minutes are told.
    pub(super) fn begin_metering(&mut self, through: Channel) {
        self.meter.get_or_insert_with(|| Box::new(Meter::new(through)));
    }

    /// The same of a shell whose channels may carry connections.
    pub(super) fn begin_metering_channels(&mut self) {
        self.meter.get_or_insert_with(|| Box::new(Meter::of_channels()));
    }

    /// The same of a tunnel whose handshakes tell how far away its client is.
    pub(super) fn begin_metering_rekeying(&mut self) {
        self.meter.get_or_insert_with(|| Box::new(Meter::of_rekeying()));
    }

    /// Whether the flow's minutes are told.
    pub(super) const fn is_metered(&self) -> bool {
        self.meter.is_some()
    }

    /// When the present minute is to be told, where it is.
    pub(super) fn minute_end(&self) -> Option<Timestamp> {
        self.meter.as_ref()?.due()
    }

    /// What is to be told of the present minute.
    pub(super) fn take_minute(&mut self, Moment { at, seq }: Moment) -> Option<Fact> {
        let minute = self.meter.as_mut()?.take()?;
        Some(Fact { at, seq, flow: self.reference(), protocol: None, kind: FactKind::Minute(Box::new(minute)) })
    }

    /// A parser has claimed the flow, which is known by the first one. Returns whether this is it.
    pub(super) const fn recognise(&mut self, protocol: Protocol, is_reversed: bool) -> bool {
        self.is_reversed = is_reversed;
        let is_first = !self.is_recognised;
        if is_first {
            self.protocol = Some(protocol);
            self.is_recognised = true;
        }
        is_first
    }

    pub(super) fn idle_end(&self, times: &IdleTimes) -> Timestamp {
        self.last_at + times.of(self.state)
    }

    /// What the facts of the flow say of it.
    pub(super) fn reference(&self) -> FlowRef {
        let (client, server) = (self.key.endpoint(self.client_end), self.key.endpoint(self.client_end.other()));
        let as_opened = FlowRef {
            id: self.id,
            client,
            server,
            transport: self.key.transport(),
            direction: self.direction,
            client_mac: self.client_mac,
            server_mac: self.server_mac,
            client_vlans: self.client_vlans,
            server_vlans: self.server_vlans,
            tunnel: self.tunnel,
            protocol: self.protocol,
            has_spoken: self.has_spoken,
            started: self.started,
        };
        if !self.is_reversed {
            return as_opened;
        }
        FlowRef {
            client: server,
            server: client,
            direction: Direction::Protocol,
            client_mac: self.server_mac,
            server_mac: self.client_mac,
            client_vlans: self.server_vlans,
            server_vlans: self.client_vlans,
            ..as_opened
        }
    }

    /// The flow in numbers; `end` where it is over, unless it was closed before.
    pub(super) fn summary(&self, end: Option<EndReason>, signatures: &Signatures) -> FlowSummary {
        let as_opened = FlowSummary {
            client: self.client.summary(signatures.get(self.client_signature)),
            server: self.server.summary(signatures.get(self.server_signature)),
            duration: self.last_at.since(self.started),
            client_rtt: self.timing.client_rtt(),
            server_rtt: self.timing.server_rtt(),
            flight_rtt: self.timing.flight_rtt(),
            syn_id: self.timing.syn_id(),
            shape: self.shape.or_else(|| self.meter.as_ref()?.shape()),
            end: end.map(|end| self.closed.unwrap_or(end)),
        };
        if !self.is_reversed {
            return as_opened;
        }
        FlowSummary {
            client: as_opened.server,
            server: as_opened.client,
            client_rtt: as_opened.server_rtt,
            server_rtt: as_opened.client_rtt,
            // The answer that was waited for was not the client's, nor was the SYN.
            flight_rtt: None,
            syn_id: None,
            ..as_opened
        }
    }

    /// The flow is over.
    pub(super) fn give_back(&self, signatures: &mut Signatures) {
        signatures.give_back(self.client_signature);
        signatures.give_back(self.server_signature);
    }

    fn on_tcp(&mut self, (head, tcp): (&Head, &TcpHeader), sender: Sender, signatures: &mut Signatures) {
        let sequence = Sequence(tcp.sequence);
        if tcp.has(TcpHeader::SYN) {
            self.on_syn((head, tcp), sender, signatures);
            if tcp.has(TcpHeader::ACK) {
                self.timing.on_syn_ack(head.at);
            } else {
                self.timing.on_syn(head.at, head.ip.id);
            }
        }
        if tcp.has(TcpHeader::RST) {
            return self.on_reset(sequence, sender);
        }
        if !self.side(sender).track.has_begun() {
            self.side(sender).track.begin(sequence);
        }
        if tcp.has(TcpHeader::ACK) && !self.side(sender.other()).track.has_begun() {
            self.side(sender.other()).track.begin(Sequence(tcp.acknowledgment));
        }
        let is_open = !tcp.has(TcpHeader::SYN) && (head.payload_len > 0 || self.both_were_heard());
        if self.state == State::Opening && is_open {
            self.state = State::Open;
        }
        if tcp.has(TcpHeader::FIN) && self.closed.is_none() {
            self.on_finish(sender);
        }
    }

    fn on_syn(&mut self, (head, tcp): (&Head, &TcpHeader), sender: Sender, signatures: &mut Signatures) {
        let (side, place) = match sender {
            Sender::Client => (&mut self.client, &mut self.client_signature),
            Sender::Server => (&mut self.server, &mut self.server_signature),
        };
        if side.has_sent_syn {
            return;
        }
        side.has_sent_syn = true;
        side.syn = Sequence(tcp.sequence);
        side.track.begin(side.syn.plus(1));
        *place = signatures.keep(SynSignature::read(head, tcp));
    }

    /// Whether a side has said that it sends no more.
    pub(super) const fn has_finished_side(&self) -> bool {
        self.client.has_finished || self.server.has_finished
    }

    fn on_finish(&mut self, sender: Sender) {
        self.side(sender).has_finished = true;
        if self.client.has_finished && self.server.has_finished {
            self.closed = Some(EndReason::Finished);
            self.state = State::Closed;
        } else {
            self.state = State::Closing;
        }
    }

    fn on_reset(&mut self, sequence: Sequence, sender: Sender) {
        let track = self.side(sender).track;
        let (Ok(distance) | Err(distance)) = sequence.since(track.next());
        let is_believed = self.state == State::Opening || !track.has_begun() || distance <= Self::RESET_WINDOW;
        if !is_believed || self.closed.is_some() {
            return;
        }
        self.closed = Some(EndReason::Reset);
        self.state = if self.state == State::Opening { State::Refused } else { State::Closed };
    }

    /// The packets of both sides.
    pub(super) const fn packets(&self) -> u64 {
        self.client.packets.saturating_add(self.server.packets)
    }

    const fn both_were_heard(&self) -> bool {
        self.client.packets > 0 && self.server.packets > 0
    }

    /// Whether its next packet may make it worth more: by an answer, the end of its handshake, or what a protocol says.
    pub(super) fn may_rise(&self) -> bool {
        match self.class {
            Class::Unanswered => true,
            Class::Answered | Class::Established => self.key.transport() == Transport::Tcp && !self.is_read,
            Class::Over | Class::Recognised => false,
        }
    }

    pub(super) const fn worth(&self) -> Class {
        match self.state {
            State::Closed | State::Refused => Class::Over,
            _ if !self.both_were_heard() => Class::Unanswered,
            State::Opening | State::Exchange => Class::Answered,
            State::Open | State::Closing | State::Stream if self.is_recognised => Class::Recognised,
            State::Open | State::Closing => Class::Established,
            State::Stream => Class::Answered,
        }
    }
}

impl Side {
    pub(super) fn count(&mut self, seen: Seen) {
        let count = |total: &mut u64, bytes: u32| *total = total.saturating_add(u64::from(bytes));
        count(&mut self.payload_bytes, seen.fresh);
        count(&mut self.retransmitted_bytes, seen.repeated);
        count(&mut self.lost_bytes, seen.lost);
        self.lost_bytes = self.lost_bytes.saturating_sub(u64::from(seen.found));
    }

    fn summary(&self, signature: Option<SynSignature>) -> SideSummary {
        SideSummary {
            packets: self.packets,
            bytes: self.bytes,
            payload_bytes: self.payload_bytes,
            retransmitted_bytes: self.retransmitted_bytes,
            lost_bytes: self.lost_bytes,
            ttl: (self.ttl > 0).then_some(self.ttl),
            mss: signature.and_then(|signature| signature.mss()),
            syn_signature: signature,
        }
    }
}

/// The payload of a TCP segment; behind a SYN it begins one number later.
pub(super) fn payload_of<'a>(head: &Head, tcp: &TcpHeader, bytes: &'a [u8]) -> Payload<'a> {
    let sequence = Sequence(tcp.sequence).plus(u32::from(tcp.has(TcpHeader::SYN)));
    // What a RST carries is a remark for people (RFC 9293 section 3.5.3), no part of the stream.
    let len = if tcp.has(TcpHeader::RST) { 0 } else { head.payload_len };
    Payload { sequence, len, bytes }
}
