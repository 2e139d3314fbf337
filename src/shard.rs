//! Frames in, facts out: decoding, flows and protocols as one value. It owns no thread and no channel.

use serde::Deserialize;

use crate::capture::Frame;
use crate::decode::{self, Decoder, Packet, Packets};
use crate::facts::{Fact, Watermark};
use crate::flow::{self, FlowTable, OpeningLimits, Openings};
use crate::time::Timestamp;

/// The limits of one shard.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub decode: decode::Limits,
    pub flow: flow::Settings,
    /// How much is handed on of the packets themselves; nothing, unless somebody keeps it.
    #[serde(skip)]
    pub openings: Option<OpeningLimits>,
}

/// Everything between the frames of a source and the facts about them.
pub struct Shard {
    decoder: Decoder,
    /// Packets that the flows are shown together.
    waiting: Packets,
    flows: FlowTable,
}

/// What a shard hands to the analysis.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Which shard, counted from 0.
    pub shard: usize,
    /// In no order; [`Fact`] tells it.
    pub facts: Vec<Fact>,
    /// The first packets of flows, in their order.
    pub openings: Openings,
    /// How far the facts are complete with this batch.
    pub watermark: Watermark,
    pub counters: Counters,
}

impl Batch {
    /// Facts that come from no packets of this process.
    pub fn of_facts(shard: usize, facts: Vec<Fact>, watermark: Watermark) -> Self {
        Self { shard, facts, openings: Openings::default(), watermark, counters: Counters::default() }
    }
}

/// What a shard counts.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Nothing where packets were handed in.
    pub decode: decode::Counters,
    pub flow: flow::Counters,
}

impl Shard {
    /// How many packets are shown to the flows together.
    pub const GROUP_PACKETS: usize = 32;
    /// The most payload of packets that wait.
    const GROUP_BYTES: usize = 64 << 10;
    /// So few flows are in the cache anyway: packets need not be copied out of their frames to wait for each other.
    const FLOWS_FEW: usize = 4096;

    pub fn new(settings: &Settings) -> Self {
        Self {
            decoder: Decoder::new(settings.decode),
            waiting: Packets::default(),
            flows: FlowTable::new(&settings.flow).with_openings(settings.openings),
        }
    }

    /// Takes a frame. Frames come in the order of their time. What it brings is told by the time [`Shard::on_time`] or
    /// [`Shard::finish`] is called.
    pub fn on_frame(&mut self, frame: Frame<'_>, facts: &mut Vec<Fact>) {
        // Why a frame is no packet was counted.
        if self.waiting.is_empty() && self.flows.len() < Self::FLOWS_FEW {
            if let Ok(packet) = self.decoder.decode(frame) {
                self.flows.on_packet(packet, facts);
            }
            return;
        }
        let _counted = self.decoder.decode_into(frame, &mut self.waiting);
        if self.waiting.len() >= Self::GROUP_PACKETS || self.waiting.payload_bytes() >= Self::GROUP_BYTES {
            self.take_waiting(facts);
        }
    }

    /// Takes packets that another thread decoded, [`Self::GROUP_PACKETS`] of them at best. All packets between two
    /// addresses come to one shard.
    pub fn on_packets<'a>(&mut self, packets: impl Iterator<Item = Packet<'a>> + Clone, facts: &mut Vec<Fact>) {
        self.flows.on_packets(packets, facts);
    }

    /// Does what is due: `now` is a time that no frame to come is before. Returns the watermark.
    pub fn on_time(&mut self, now: Timestamp, facts: &mut Vec<Fact>) -> Watermark {
        self.take_waiting(facts);
        self.decoder.on_time(now);
        self.flows.on_time(now, facts)
    }

    /// How far the facts are complete, all that were handed out before among them: some milliseconds less than the time
    /// of the last frame, and less still where much is due at once. Frames take it on as [`Shard::on_time`] does.
    pub fn watermark(&self) -> Watermark {
        self.flows.watermark()
    }

    /// Ends every flow with `now` as the time, some thousand of them a call, so that a full table is not doubled by the
    /// facts of its end: to be called, and its facts handed on, until it returns [`Watermark::END`].
    pub fn finish(&mut self, now: Timestamp, facts: &mut Vec<Fact>) -> Watermark {
        self.take_waiting(facts);
        self.flows.finish(now, facts)
    }

    /// How much memory the first packets of flows take that were not taken yet.
    pub fn opening_bytes(&self) -> usize {
        self.flows.opening_bytes()
    }

    /// The first packets of flows that were seen since this was last asked; all those before the watermark are among them.
    pub fn take_openings(&mut self) -> Openings {
        self.flows.take_openings()
    }

    pub fn counters(&self) -> Counters {
        Counters { decode: self.decoder.counters(), flow: self.flows.counters() }
    }

    fn take_waiting(&mut self, facts: &mut Vec<Fact>) {
        self.flows.on_packets(self.waiting.iter(), facts);
        self.waiting.clear();
    }
}
