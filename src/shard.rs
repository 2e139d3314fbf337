//! Frames in, facts out: decoding, flows and protocols as one value. It owns no thread and no channel.

use serde::Deserialize;

use crate::capture::Frame;
use crate::decode::{self, Decoder, Packet};
use crate::facts::{Fact, Watermark};
use crate::flow::{self, FlowTable};
use crate::time::Timestamp;

/// The limits of one shard.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub decode: decode::Limits,
    pub flow: flow::Settings,
}

/// Everything between the frames of a source and the facts about them.
pub struct Shard {
    decoder: Decoder,
    flows: FlowTable,
}

/// What a shard hands to the analysis.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Which shard, counted from 0.
    pub shard: usize,
    /// In no order; [`Fact`] tells it.
    pub facts: Vec<Fact>,
    /// How far the facts are complete with this batch.
    pub watermark: Watermark,
    pub counters: Counters,
}

/// What a shard counts.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Nothing where packets were handed in.
    pub decode: decode::Counters,
    pub flow: flow::Counters,
}

impl Shard {
    pub fn new(settings: &Settings) -> Self {
        Self { decoder: Decoder::new(settings.decode), flows: FlowTable::new(&settings.flow) }
    }

    /// Takes a frame. Frames come in the order of their time.
    pub fn on_frame(&mut self, frame: Frame<'_>, facts: &mut Vec<Fact>) {
        if let Ok(packet) = self.decoder.decode(frame) {
            self.flows.on_packet(packet, facts);
        }
    }

    /// Takes a packet that another thread decoded. All packets between two addresses come to one shard.
    pub fn on_packet(&mut self, packet: Packet<'_>, facts: &mut Vec<Fact>) {
        self.flows.on_packet(packet, facts);
    }

    /// Does what is due: `now` is a time that no frame to come is before. Returns the watermark.
    pub fn on_time(&mut self, now: Timestamp, facts: &mut Vec<Fact>) -> Watermark {
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
        self.flows.finish(now, facts)
    }

    pub fn counters(&self) -> Counters {
        Counters { decode: self.decoder.counters(), flow: self.flows.counters() }
    }
}
