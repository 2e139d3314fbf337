//! Frames in, facts out: decoding, flows and protocols as one value. It owns no thread and no channel.

use arrayvec::ArrayVec;
use serde::Deserialize;

use crate::capture::Frame;
use crate::decode::{self, Decoder, Head, Packet, Packets};
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
    /// Of packets whose frames are at hand; empty between calls.
    heads: Vec<Head>,
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
            heads: Vec::new(),
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

    /// As [`Shard::on_frame`] with each of the frames, which lie in memory together: what they carry is not copied.
    pub fn on_frames(&mut self, frames: &[Frame<'_>], facts: &mut Vec<Fact>) {
        if let [frame] = frames {
            return self.on_frame(*frame, facts);
        }
        self.take_waiting(facts);
        for group in frames.chunks(Self::GROUP_PACKETS) {
            let mut payloads = ArrayVec::<&[u8], { Self::GROUP_PACKETS }>::new();
            for frame in group {
                match self.decoder.decode_apart(frame, &mut self.heads) {
                    Ok(Some(payload)) => payloads.push(payload),
                    Ok(None) => {
                        let joined = self.heads.pop();
                        self.take_heads(&payloads, facts);
                        payloads.clear();
                        if let Some(head) = &joined {
                            self.flows.on_packet(Packet { head, payload: self.decoder.joined() }, facts);
                        }
                    }
                    // Why a frame is no packet was counted.
                    Err(_) => {}
                }
            }
            self.take_heads(&payloads, facts);
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

    fn take_heads(&mut self, payloads: &[&[u8]], facts: &mut Vec<Fact>) {
        let packets = self.heads.iter().zip(payloads);
        self.flows.on_packets(packets.map(|(head, payload)| Packet { head, payload }), facts);
        self.heads.clear();
    }

    fn take_waiting(&mut self, facts: &mut Vec<Fact>) {
        self.flows.on_packets(self.waiting.iter(), facts);
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;

    /// A question over raw IPv4 from a port of its own; a part of it where `part` says which bytes and whether more follow.
    fn question(port: u16, part: Option<(std::ops::Range<usize>, bool)>) -> Vec<u8> {
        let dns = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01";
        let udp_len = 8 + dns.len() as u16;
        let [port, target, udp_len] = [port, 53, udp_len].map(u16::to_be_bytes);
        let datagram = [&port[..], &target, &udp_len, &[0, 0], dns].concat();
        let (range, more) = part.unwrap_or((0..datagram.len(), false));
        let place = ((range.start as u16 / 8) | (u16::from(more) << 13)).to_be_bytes();
        let body = &datagram[range.start..range.end.min(datagram.len())];
        let len = (20 + body.len() as u16).to_be_bytes();
        let ip = [&[0x45, 0], &len[..], &port, &place, &[64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]].concat();
        [&ip[..], body].concat()
    }

    /// What frames come to that are shown in groups of so many.
    fn told(frames: &[Vec<u8>], together: usize) -> (String, Counters) {
        let frames: Vec<Frame<'_>> = (0..)
            .zip(frames)
            .map(|(seq, bytes)| {
                let (at, wire_len) = (Timestamp::from_secs(seq / 8), bytes.len() as u32);
                Frame { at, seq, link: LinkType::Raw, wire_len, bytes }
            })
            .collect();
        let (mut shard, mut facts) = (Shard::new(&Settings::default()), Vec::new());
        frames.chunks(together).for_each(|group| shard.on_frames(group, &mut facts));
        while shard.finish(Timestamp::from_secs(60), &mut facts) != Watermark::END {}
        facts.sort_by_key(|fact| (fact.at, fact.seq));
        (format!("{facts:#?}"), shard.counters())
    }

    #[test]
    fn frames_together_tell_what_they_tell_alone_fragments_among_them() {
        let mut frames: Vec<Vec<u8>> = (1..80).map(|port| question(port, None)).collect();
        frames.insert(40, question(200, Some((0..16, true))));
        frames.insert(50, question(200, Some((16..99, false))));
        frames.insert(60, vec![0x45, 0]);
        let (alone, of_alone) = told(&frames, 1);
        assert_eq!((of_alone.flow.packets, of_alone.decode.fragments.joined), (80, 1));
        for together in [2, 7, 32, 33, 100] {
            let (facts, counters) = told(&frames, together);
            assert_eq!(facts, alone, "{together}");
            assert_eq!(counters.decode.skipped(decode::Skip::Truncated), 1);
        }
    }
}
