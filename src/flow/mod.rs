//! Packets in, facts out: finds the flow of each packet, follows it, lets the protocols read it, and ends it in time.
//!
//! A table has one writer, a hard capacity and no clock: flows are reported and ended by the time of the packets, each
//! at its own deadline, so that the facts do not depend on when the table was looked at.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

mod channels;
mod community;
mod conversation;
mod counters;
mod direction;
mod expiry;
mod key;
mod meter;
mod opening;
mod reading;
mod reassembly;
mod record;
mod signature;
mod timing;
mod turns;

#[cfg(test)]
mod tests;

pub use community::community_id;
pub use counters::Counters;
pub use opening::{OpeningLimits, OpeningPacket, Openings};
pub use record::IdleTimes;
pub use signature::{SynSignature, initial_ttl};

use std::hash::BuildHasher;
use std::hint::black_box;
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use serde::Deserialize;

use crate::decode::{Head, Packet, TcpHeader};
use crate::facts::{Encapsulation, EndReason, Fact, FactKind, FlowId, Watermark};
use crate::flow::conversation::Said;
use crate::flow::expiry::Wheel;
use crate::flow::key::{End, Key};
use crate::flow::reassembly::Room;
use crate::flow::record::{Class, Flow, State};
use crate::flow::signature::Signatures;
use crate::index::Index;
use crate::net::Network;
use crate::protocol::{ah, l2tp};
use crate::quantity;
use crate::slab::{Queues, Slab, Slot};
use crate::time::Timestamp;

/// The limits of one table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The most flows; one more puts out the one that is worth least.
    pub flows_max: usize,
    /// The most payload bytes kept for missing segments and undecided parsers, over all flows.
    #[serde(deserialize_with = "quantity::bytes")]
    pub buffers_bytes_max: usize,
    /// The most payload bytes of one side of a flow that wait for a missing segment.
    #[serde(deserialize_with = "quantity::bytes")]
    pub reassembly_bytes_max: usize,
    /// The most segments of one side of a flow that wait for a missing one.
    pub reassembly_segments_max: usize,
    /// How long a silent flow is kept.
    pub idle: IdleTimes,
    /// The networks of this site: amid a flow its client is at home.
    #[serde(skip)]
    pub home_networks: Vec<Network>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            flows_max: 1 << 20,
            buffers_bytes_max: 128 << 20,
            reassembly_bytes_max: 128 << 10,
            reassembly_segments_max: 64,
            idle: IdleTimes::default(),
            home_networks: Vec::new(),
        }
    }
}

/// Every flow of a shard.
pub struct FlowTable {
    settings: Settings,
    now: Timestamp,
    hasher: DefaultHashBuilder,
    index: Index,
    flows: Slab<Flow>,
    signatures: Signatures,
    classes: Queues,
    wheel: Wheel,
    room: Room,
    buffers_bytes_max: u64,
    said: Said,
    /// The packets that are shown together.
    ahead: Vec<Ahead>,
    counters: Counters,
    /// The flows that [`FlowTable::finish`] has yet to end, the last one first.
    unfinished: Option<Vec<(FlowId, Slot)>>,
    /// The first packets of the flows, where somebody keeps them.
    openings: Option<Box<(OpeningLimits, Openings)>>,
}

/// Where a packet belongs.
struct Ahead {
    key: Key,
    source: End,
    hash: u32,
    /// The packet opens or closes something.
    is_turn: bool,
    /// Where a flow of this hash lay when the packets were fetched: most likely its own, and still there.
    slot: Option<Slot>,
}

/// Where a fact is placed in the order of all facts.
#[derive(Clone, Copy)]
struct Moment {
    at: Timestamp,
    seq: u64,
}

impl FlowTable {
    /// The most flows that one call of [`Self::finish`] ends, so that a full table is not doubled by the facts of its end.
    pub const FINISHED_MAX: usize = 256;
    /// The most flows that one call of [`Self::on_time`] looks at.
    pub const EXPIRED_MAX: usize = 4096;
    /// The most flows looked at on the side of a packet: more than packets can open.
    pub const EXPIRED_MAX_PER_PACKET: usize = 4;
    /// How many flows that are due are fetched together.
    const DUE_TOGETHER: usize = 16;

    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: Settings { flows_max: settings.flows_max.max(1), ..settings.clone() },
            now: Timestamp::ZERO,
            hasher: DefaultHashBuilder::default(),
            index: Index::new(),
            flows: Slab::new(),
            signatures: Signatures::new(),
            classes: Queues::new(Class::COUNT),
            wheel: Wheel::new(),
            room: Room { bytes_max: settings.reassembly_bytes_max, segments_max: settings.reassembly_segments_max },
            buffers_bytes_max: u64::try_from(settings.buffers_bytes_max).unwrap_or(u64::MAX),
            said: Said::new(),
            ahead: Vec::new(),
            counters: Counters::default(),
            unfinished: None,
            openings: None,
        }
    }

    /// The same table, which from now on keeps the first packets of its flows until they are taken.
    pub fn with_openings(self, limits: Option<OpeningLimits>) -> Self {
        Self { openings: limits.map(|limits| Box::new((limits, Openings::default()))), ..self }
    }

    /// How much memory the first packets take that were not taken yet.
    pub fn opening_bytes(&self) -> usize {
        self.openings.as_ref().map_or(0, |openings| openings.1.bytes())
    }

    /// The first packets of flows that were seen since this was last asked.
    pub fn take_openings(&mut self) -> Openings {
        self.openings.as_mut().map(|openings| std::mem::take(&mut openings.1)).unwrap_or_default()
    }

    pub fn on_packet(&mut self, packet: Packet<'_>, facts: &mut Vec<Fact>) {
        self.on_packets(std::iter::once(packet), facts);
    }

    /// Takes packets in their order. The memory that some of them need is fetched for all of them together; one after
    /// the other they would wait for it as long as they are worked on.
    pub fn on_packets<'a>(&mut self, packets: impl Iterator<Item = Packet<'a>> + Clone, facts: &mut Vec<Fact>) {
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.extend(packets.clone().map(|packet| self.ahead_of(packet.head)));
        self.fetch(&mut ahead);
        if let Some(first) = packets.clone().next() {
            self.now = self.now.max(first.head.at);
        }
        self.expire(Self::EXPIRED_MAX_PER_PACKET.saturating_mul(ahead.len()), facts);
        for (packet, ahead) in packets.zip(&ahead) {
            self.take(&packet, ahead, facts);
        }
        ahead.clear();
        self.ahead = ahead;
    }

    /// Reports and ends what is due, but no more than [`Self::EXPIRED_MAX`] flows. `now` is a time that no packet to come
    /// is before. Returns the watermark.
    pub fn on_time(&mut self, now: Timestamp, facts: &mut Vec<Fact>) -> Watermark {
        self.now = self.now.max(now);
        self.expire(Self::EXPIRED_MAX, facts);
        self.watermark()
    }

    /// How far the facts are complete: not quite to the present.
    pub fn watermark(&self) -> Watermark {
        Watermark::before(self.wheel.start())
    }

    /// Ends every flow at `now`, [`Self::FINISHED_MAX`] of them a call, in the order of their ids: call it until it returns
    /// [`Watermark::END`].
    pub fn finish(&mut self, now: Timestamp, facts: &mut Vec<Fact>) -> Watermark {
        if self.unfinished.is_none() {
            self.now = self.now.max(now);
            let nothing_is_due = self.expire(Self::EXPIRED_MAX, facts);
            let watermark = self.watermark();
            if nothing_is_due {
                self.begin_to_finish(facts);
            }
            return watermark;
        }
        let mut watermark = Watermark::END;
        for _ in 0..Self::FINISHED_MAX {
            let Some((id, slot)) = self.unfinished.as_mut().and_then(Vec::pop) else { break };
            self.end(slot, Moment { at: self.now, seq: id.0 }, EndReason::CaptureEnd, facts);
            watermark = Watermark { at: self.now, seq: id.0.saturating_add(1) };
        }
        watermark
    }

    /// How many flows it holds.
    pub const fn len(&self) -> usize {
        self.flows.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn counters(&self) -> Counters {
        let table_bytes = [
            self.index.allocated_bytes(),
            self.flows.allocated_bytes(),
            self.signatures.allocated_bytes(),
            self.classes.allocated_bytes(),
            self.wheel.allocated_bytes(),
        ];
        let mut counters = self.counters.clone();
        counters.flows_active = u64::try_from(self.flows.len()).unwrap_or(u64::MAX);
        counters.table_bytes = u64::try_from(table_bytes.iter().sum::<usize>()).unwrap_or(u64::MAX);
        counters
    }

    fn ahead_of(&self, head: &Head) -> Ahead {
        let (key, source) = Key::of(head);
        let hash = u32::try_from(self.hasher.hash_one(key) >> 32).unwrap_or(0);
        let is_turn =
            head.tcp.as_ref().is_some_and(|tcp| tcp.flags & (TcpHeader::SYN | TcpHeader::FIN | TcpHeader::RST) != 0);
        Ahead { key, source, hash, is_turn, slot: None }
    }

    /// Reads where the packets' flows lie, the flows, and their queues where they may move in them. Reads that do not wait
    /// for each other wait for memory together.
    fn fetch(&self, ahead: &mut [Ahead]) {
        if ahead.len() < 2 {
            return;
        }
        black_box(ahead.iter().fold(0, |all, packet| all ^ self.index.touch(packet.hash)));
        let mut touched = 0;
        for packet in ahead.iter_mut() {
            packet.slot = self.index.find(packet.hash, |_| true);
            touched ^= packet.slot.map_or(0, |slot| self.touch(slot));
        }
        black_box(touched);
        let moves = |packet: &Ahead| {
            let slot = packet.slot?;
            (packet.is_turn || self.flows.get(slot)?.may_rise()).then_some(slot)
        };
        black_box(ahead.iter().filter_map(moves).fold(0, |all, slot| all ^ self.touch_queues(slot)));
    }

    fn touch(&self, slot: Slot) -> u64 {
        self.flows.get(slot).map_or(0, Flow::touch)
    }

    fn touch_queues(&self, slot: Slot) -> u64 {
        self.classes.touch(slot) ^ self.wheel.touch(slot)
    }

    fn take(&mut self, packet: &Packet<'_>, ahead: &Ahead, facts: &mut Vec<Fact>) {
        if packet.head.at < self.now {
            let head = Head { at: self.now, ..*packet.head };
            return self.take_in_time(&Packet { head: &head, ..*packet }, ahead, facts);
        }
        self.now = packet.head.at;
        self.take_in_time(packet, ahead, facts);
    }

    fn take_in_time(&mut self, packet: &Packet<'_>, ahead: &Ahead, facts: &mut Vec<Fact>) {
        let head = packet.head;
        self.counters.packets = self.counters.packets.saturating_add(1);
        self.counters.bytes = self.counters.bytes.saturating_add(u64::from(head.ip.len));
        let (slot, is_new) = match self.find(ahead) {
            Some(slot) if self.takes(slot, head, ahead.source, facts) => (slot, false),
            _ => (self.open(ahead, head, facts), true),
        };
        let Some(before) = self.flows.get(slot).map(|flow| flow.state) else {
            return;
        };
        self.read(slot, ahead.source, packet, facts);
        let in_l2tp = packet.head.tunnel == Some(Encapsulation::L2tp);
        if is_new && (packet.head.is_authenticated || in_l2tp) {
            self.said.extend(packet.head.is_authenticated.then(ah::of_flow));
            self.said.extend(in_l2tp.then(l2tp::of_flow));
            self.relay(slot, Moment { at: packet.head.at, seq: packet.head.seq }, facts);
        }
        self.requeue(slot, before);
    }

    /// Whether the flow takes the packet: it is still alive, and the packet does not open another one.
    fn takes(&mut self, slot: Slot, head: &Head, source: End, facts: &mut Vec<Fact>) -> bool {
        let Some(flow) = self.flows.get(slot) else {
            return false;
        };
        if flow.wake <= head.at && !self.settle(slot, head.at, facts) {
            return false;
        }
        let Some((flow, tcp)) = self.flows.get(slot).zip(head.tcp.as_ref()) else {
            return true;
        };
        if flow.is_reused_by(tcp, source) {
            self.end(slot, Moment { at: head.at, seq: head.seq }, EndReason::Reused, facts);
            return false;
        }
        true
    }

    fn open(&mut self, &Ahead { key, source, hash, .. }: &Ahead, head: &Head, facts: &mut Vec<Fact>) -> Slot {
        if self.flows.len() >= self.settings.flows_max {
            self.make_room(Moment { at: head.at, seq: head.seq }, facts);
        }
        let mut flow = Flow::open(key, source, head, &self.settings.home_networks);
        flow.hash = hash;
        flow.wake = flow.idle_end(&self.settings.idle).min(report_at(&flow));
        let (class, wake) = (flow.class, flow.wake);
        let slot = self.flows.insert(flow);
        self.index.insert(hash, slot);
        self.classes.push(class as u16, slot);
        self.wheel.enter(slot, wake);
        self.counters.flows_started = self.counters.flows_started.saturating_add(1);
        slot
    }

    /// Puts out what is over by now, or else the oldest of the flows that are worth least.
    fn make_room(&mut self, moment: Moment, facts: &mut Vec<Fact>) {
        while self.flows.len() >= self.settings.flows_max {
            let Some(slot) = self.wheel.due_before(moment.at) else { break };
            self.settle(slot, moment.at, facts);
        }
        while self.flows.len() >= self.settings.flows_max {
            let Some(slot) = (0..Class::COUNT).find_map(|class| self.classes.first(class)) else {
                return;
            };
            if self.settle(slot, moment.at, facts) {
                self.counters.flows_evicted = self.counters.flows_evicted.saturating_add(1);
                self.end(slot, moment, EndReason::Evicted, facts);
            }
        }
    }

    /// Does what is due on the flow by `now`. Returns whether it lives on.
    fn settle(&mut self, slot: Slot, now: Timestamp, facts: &mut Vec<Fact>) -> bool {
        while let Some(flow) = self.flows.get_mut(slot) {
            let (idle_end, report_at, minute_end) =
                (flow.idle_end(&self.settings.idle), report_at(flow), flow.minute_end());
            let say_at = report_at.min(minute_end.unwrap_or(report_at));
            if idle_end.min(say_at) > now {
                flow.wake = idle_end.min(say_at);
                self.wheel.enter(slot, flow.wake);
                return true;
            }
            let seq = flow.id.0;
            if idle_end <= say_at {
                self.end(slot, Moment { at: idle_end, seq }, EndReason::Idle, facts);
                return false;
            }
            if minute_end == Some(say_at) {
                facts.extend(flow.take_minute(Moment { at: say_at, seq }));
                continue;
            }
            let kind = FactKind::Activity(flow.summary(None, &self.signatures));
            facts.push(Fact { at: report_at, seq, flow: flow.reference(), protocol: None, kind });
            flow.reports = flow.reports.saturating_add(1);
        }
        false
    }

    /// Looks at no more than `flows_max` flows. Returns whether nothing is left that was due in an earlier tick.
    fn expire(&mut self, flows_max: usize, facts: &mut Vec<Fact>) -> bool {
        let mut left = flows_max;
        while left > 0 {
            let mut due = [Slot::NONE; Self::DUE_TOGETHER];
            let mut count = 0_usize;
            for (place, slot) in due.iter_mut().take(left).zip(std::iter::from_fn(|| self.wheel.due_before(self.now))) {
                *place = slot;
                count = count.saturating_add(1);
            }
            let due = due.get(..count).unwrap_or(&due);
            self.fetch_due(due);
            for &slot in due {
                self.settle(slot, self.now, facts);
            }
            if count < Self::DUE_TOGETHER.min(left) {
                return true;
            }
            left = left.saturating_sub(count);
        }
        false
    }

    /// As [`Self::fetch`], and where the index has them: most will end.
    fn fetch_due(&self, due: &[Slot]) {
        if due.len() < 2 {
            return;
        }
        black_box(due.iter().fold(0, |all, &slot| all ^ self.touch(slot) ^ self.touch_queues(slot)));
        let flows = due.iter().filter_map(|&slot| self.flows.get(slot));
        black_box(flows.fold(0, |all, flow| all ^ self.index.touch(flow.hash)));
    }

    /// Nothing is looked up any more: what orders the flows is dropped as a whole.
    fn begin_to_finish(&mut self, facts: &mut Vec<Fact>) {
        let is_due = |flow: &Flow| flow.wake <= self.now;
        let due: Vec<Slot> = self.flows.iter().filter(|(_, flow)| is_due(flow)).map(|(slot, _)| slot).collect();
        for slot in due {
            self.settle(slot, self.now, facts);
        }
        self.index = Index::new();
        self.classes = Queues::new(Class::COUNT);
        self.wheel = Wheel::new();
        let mut live: Vec<(FlowId, Slot)> = Vec::with_capacity(self.flows.len());
        live.extend(self.flows.iter().map(|(slot, flow)| (flow.id, slot)));
        live.sort_unstable_by(|a, b| b.cmp(a));
        self.unfinished = Some(live);
    }

    fn end(&mut self, slot: Slot, moment: Moment, reason: EndReason, facts: &mut Vec<Fact>) {
        self.end_conversation(slot, moment, facts);
        self.wheel.leave(slot);
        self.classes.remove(slot);
        let Some(flow) = self.flows.get_mut(slot) else {
            return;
        };
        facts.extend(flow.take_minute(moment));
        let summary = flow.summary(Some(reason), &self.signatures);
        self.counters.count_end(summary.end.unwrap_or(reason));
        facts.push(Fact {
            at: moment.at,
            seq: moment.seq,
            flow: flow.reference(),
            protocol: None,
            kind: FactKind::FlowEnded(summary),
        });
        flow.give_back(&mut self.signatures);
        self.index.remove(flow.hash, slot);
        self.flows.vacate(slot);
    }

    /// The flow's queue and its deadline, where its state has changed. In the same state a packet only puts the deadline
    /// off, but for that of a minute.
    fn requeue(&mut self, slot: Slot, before: State) {
        let Some(flow) = self.flows.get_mut(slot) else {
            return;
        };
        if flow.state != before || flow.is_metered() {
            let idle_end = flow.idle_end(&self.settings.idle);
            let due = flow.minute_end().map_or(idle_end, |minute_end| minute_end.min(idle_end));
            if due < flow.wake {
                flow.wake = due;
                self.wheel.enter(slot, due);
            }
        }
        let class = flow.worth();
        if class != flow.class {
            flow.class = class;
            self.classes.push(class as u16, slot);
        }
    }

    fn find(&self, ahead: &Ahead) -> Option<Slot> {
        let is_it = |slot: Slot| self.flows.get(slot).is_some_and(|flow| flow.key == ahead.key);
        ahead.slot.filter(|&slot| is_it(slot)).or_else(|| self.index.find(ahead.hash, is_it))
    }
}

/// When the open flow is reported next: at 1, 10 and 60 minutes of its life, then hourly, for seven years.
fn report_at(flow: &Flow) -> Timestamp {
    let minutes = match flow.reports {
        0 => 1,
        1 => 10,
        // What is not counted any more would be due for ever.
        u16::MAX => return Timestamp::MAX,
        later => u64::from(later).saturating_sub(1).saturating_mul(60),
    };
    flow.started + Duration::from_secs(minutes.saturating_mul(60))
}
