//! What runs on the threads before the analysis: frames of a source in, batches of facts out.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::policy::Policy;
use crate::capture::{self, CaptureError, Frame, FrameSource, Read};
use crate::decode::{self, Decoder, Head, Packets};
use crate::facts::{Fact, Watermark};
use crate::serve::{Answer, Dismissed};
use crate::shard::{Batch, Shard};
use crate::time::{Span, Timestamp};

/// How far packet time may come before a shard is asked what has expired.
const TICK: Duration = Duration::from_millis(100);
/// How far packet time may come before a shard speaks without having seen anything.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Facts that make a batch: so many that waking the analysis is little beside handling them.
const BATCH_FACTS: usize = 512;
/// So much of the first packets of flows makes a batch, too.
const BATCH_OPENING_BYTES: usize = 256 << 10;

/// What the analysis thread receives.
pub(super) enum Input {
    Batch(Box<Batch>),
    /// Nothing more comes, and who looks on stays.
    Complete,
    Dismiss(Dismissed, Answer),
    /// Nothing more is waited for.
    Last,
    /// The policy from here on; none where the new one is at fault.
    Reload(Option<Box<Policy>>),
    Source(Box<SourceCounters>),
}

/// What a source, and the decoder of the thread that reads it, counted since the start.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceCounters {
    /// Which source of the sensor.
    pub source: usize,
    pub frames: capture::Counters,
    pub drops: capture::Drops,
    /// Nothing, where the shards decode by themselves.
    pub decode: decode::Counters,
    /// The times of the frames; none before there was one.
    pub span: Option<Span>,
}

/// One thread's way to the analysis.
pub(super) struct Outbox {
    shard: usize,
    inputs: Sender<Input>,
    facts: Vec<Fact>,
    /// How far `facts`, with all that were sent, are complete.
    watermark: Watermark,
    ticks: Ticks,
    sent_at: Timestamp,
    /// The analysis is gone: there is nobody to read for.
    disconnected: bool,
}

impl Outbox {
    pub(super) fn new(shard: usize, inputs: Sender<Input>) -> Self {
        Self {
            shard,
            inputs,
            facts: Vec::new(),
            watermark: Watermark::START,
            ticks: Ticks::default(),
            sent_at: Timestamp::ZERO,
            disconnected: false,
        }
    }

    /// Packet time has come to `now`, and the frame that brought it there was not shown to the shard yet.
    fn advance(&mut self, shard: &mut Shard, now: Timestamp) {
        if self.ticks.advance(now) {
            shard.on_time(now, &mut self.facts);
        }
        let is_full = self.facts.len() >= BATCH_FACTS || shard.opening_bytes() >= BATCH_OPENING_BYTES;
        if is_full || now.since(self.sent_at) >= HEARTBEAT {
            self.sent_at = now;
            self.watermark = shard.watermark();
            self.send(shard);
        }
    }

    /// Whether [`Self::advance`] does more by `now` than to hand on a full batch.
    fn is_due(&self, now: Timestamp) -> bool {
        self.ticks.is_due(now) || now.since(self.sent_at) >= HEARTBEAT
    }

    fn finish(mut self, shard: &mut Shard, now: Timestamp) {
        while self.watermark < Watermark::END && !self.disconnected {
            self.watermark = shard.finish(now, &mut self.facts);
            self.send(shard);
        }
    }

    fn send(&mut self, shard: &mut Shard) {
        let facts = std::mem::replace(&mut self.facts, Vec::with_capacity(BATCH_FACTS + BATCH_FACTS / 4));
        let (openings, counters) = (shard.take_openings(), shard.counters());
        let batch = Batch { shard: self.shard, facts, openings, watermark: self.watermark, counters };
        self.disconnected |= self.inputs.send(Input::Batch(Box::new(batch))).is_err();
    }
}

/// The moments of packet time at which a stage is asked what is due: the same ones, whoever decodes.
#[derive(Default)]
struct Ticks {
    at: Timestamp,
}

impl Ticks {
    fn is_due(&self, now: Timestamp) -> bool {
        now.since(self.at) >= TICK
    }

    fn advance(&mut self, now: Timestamp) -> bool {
        let is_due = self.is_due(now);
        if is_due {
            self.at = now;
        }
        is_due
    }
}

/// Reads a source with its own shard, on one thread, until the source ends or `stop` is set. `number` is both the
/// source's and the shard's.
pub(super) fn watch(
    number: usize,
    source: &mut dyn FrameSource,
    shard: &mut Shard,
    inputs: Sender<Input>,
    stop: &AtomicBool,
) -> Result<(), CaptureError> {
    let mut outbox = Outbox::new(number, inputs.clone());
    let (mut now, mut reported_at) = (Timestamp::ZERO, Timestamp::ZERO);
    let mut span = None;
    let report = |source: &mut dyn FrameSource, span| {
        let decode = decode::Counters::default();
        let (frames, drops) = (source.counters(), source.drops());
        // Where the analysis is gone, the outbox notices.
        let _gone =
            inputs.send(Input::Source(Box::new(SourceCounters { source: number, frames, drops, decode, span })));
    };
    let ended = loop {
        if stop.load(Ordering::Relaxed) || outbox.disconnected {
            break Ok(());
        }
        match source.read_groups(&mut |frames| {
            let mut rest = frames;
            while let Some(first) = rest.first() {
                outbox.advance(shard, first.at);
                let later = rest.get(1..).unwrap_or_default();
                let together = 1 + later.iter().take_while(|frame| !outbox.is_due(frame.at)).count();
                let (due, later) = rest.split_at(together);
                shard.on_frames(due, &mut outbox.facts);
                rest = later;
            }
            if let (Some(first), Some(last)) = (frames.first(), frames.last()) {
                now = last.at;
                span = extend(extend(span, first.at), now);
            }
        }) {
            Ok(Read::End) => break Ok(()),
            Ok(Read::Frames) => {}
            Ok(Read::Idle(at)) => {
                now = now.max(at);
                outbox.advance(shard, now);
            }
            Err(error) => break Err(error),
        }
        if now.since(reported_at) >= HEARTBEAT {
            reported_at = now;
            report(source, span);
        }
    };
    report(source, span);
    outbox.finish(shard, now);
    ended
}

fn extend(span: Option<Span>, at: Timestamp) -> Option<Span> {
    Some(span.map_or(Span::at(at), |span| Span { last: at, ..span }))
}

/// Packets on their way from the reader to a shard, and back empty.
#[derive(Default)]
pub(super) struct Parcel {
    packets: Packets,
    now: Timestamp,
    last: bool,
}

impl Parcel {
    const PACKETS: usize = 1024;
    const PAYLOAD_BYTES: usize = 512 << 10;

    const fn is_full(&self) -> bool {
        self.packets.len() >= Self::PACKETS || self.packets.payload_bytes() >= Self::PAYLOAD_BYTES
    }
}

/// The reader's end of the way to a shard.
pub(super) struct Lane {
    pub(super) parcels: Sender<Parcel>,
    pub(super) empties: Receiver<Parcel>,
    pub(super) filling: Parcel,
}

impl Lane {
    /// Whether there still was somebody to take it.
    fn send(&mut self, now: Timestamp, last: bool) -> bool {
        let mut parcel = std::mem::replace(&mut self.filling, self.empties.try_recv().unwrap_or_default());
        parcel.now = now;
        parcel.last = last;
        self.parcels.send(parcel).is_ok()
    }
}

/// Reads and decodes a source, and deals its packets out to the lanes by address pair.
pub(super) fn deal(
    source: &mut dyn FrameSource,
    decoder: Decoder,
    lanes: Vec<Lane>,
    inputs: &Sender<Input>,
    stop: &AtomicBool,
) -> Result<(), CaptureError> {
    let mut dealer = Dealer::new(decoder, lanes);
    let mut reported_at = Timestamp::ZERO;
    let ended = loop {
        if stop.load(Ordering::Relaxed) || dealer.disconnected {
            break Ok(());
        }
        match source.read(&mut |frame| dealer.on_frame(frame)) {
            Ok(Read::End) => break Ok(()),
            Ok(Read::Frames) => {}
            Ok(Read::Idle(at)) => dealer.advance(at),
            Err(error) => break Err(error),
        }
        if dealer.now.since(reported_at) >= HEARTBEAT {
            reported_at = dealer.now;
            let _gone = inputs.send(Input::Source(dealer.counters(source)));
        }
    };
    let _gone = inputs.send(Input::Source(dealer.counters(source)));
    dealer.send_all(true);
    ended
}

struct Dealer {
    decoder: Decoder,
    lanes: Vec<Lane>,
    span: Option<Span>,
    now: Timestamp,
    ticks: Ticks,
    /// When every lane last heard of the time.
    dealt_at: Timestamp,
    disconnected: bool,
}

impl Dealer {
    fn new(decoder: Decoder, lanes: Vec<Lane>) -> Self {
        let (now, dealt_at) = (Timestamp::ZERO, Timestamp::ZERO);
        Self { decoder, lanes, span: None, now, ticks: Ticks::default(), dealt_at, disconnected: false }
    }

    fn on_frame(&mut self, frame: Frame<'_>) {
        self.span = extend(self.span, frame.at);
        self.advance(frame.at);
        let Ok(packet) = self.decoder.decode(frame) else { return };
        let index = lane_of(packet.head, self.lanes.len());
        let Some(lane) = self.lanes.get_mut(index) else { return };
        lane.filling.packets.push(&packet);
        if lane.filling.is_full() {
            self.disconnected |= !lane.send(frame.at, false);
        }
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if self.ticks.advance(self.now) {
            self.decoder.on_time(self.now);
        }
        if self.now.since(self.dealt_at) >= HEARTBEAT {
            self.dealt_at = self.now;
            self.send_all(false);
        }
    }

    fn send_all(&mut self, last: bool) {
        for lane in &mut self.lanes {
            self.disconnected |= !lane.send(self.now, last);
        }
    }

    fn counters(&self, source: &mut dyn FrameSource) -> Box<SourceCounters> {
        let (frames, drops) = (source.counters(), source.drops());
        Box::new(SourceCounters { source: 0, frames, drops, decode: self.decoder.counters(), span: self.span })
    }
}

/// Both directions of a flow, and all flows between two hosts, come to the same lane. Which one is of no consequence.
fn lane_of(head: &Head, lanes: usize) -> usize {
    // Fibonacci hashing: it only has to spread.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (low, high) = decode::address_pair(head);
    let hash = folded(low).wrapping_mul(FACTOR).wrapping_add(folded(high)).wrapping_mul(FACTOR) >> 32;
    usize::try_from(hash % lanes.max(1) as u64).unwrap_or(0)
}

fn folded(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => {
            let [a, b, c, d] = [0, 1, 2, 3].map(|word| (address.to_bits() >> (32 * word)) as u32);
            u64::from(a ^ c) << 32 | u64::from(b ^ d)
        }
    }
}

/// Takes parcels until the reader has sent its last.
pub(super) fn unpack(parcels: &Receiver<Parcel>, empties: &Sender<Parcel>, shard: &mut Shard, mut outbox: Outbox) {
    let mut now = Timestamp::ZERO;
    for mut parcel in parcels {
        now = parcel.now;
        for group in parcel.packets.groups(Shard::GROUP_PACKETS) {
            if let Some(first) = group.clone().next() {
                outbox.advance(shard, first.head.at);
            }
            shard.on_packets(group, &mut outbox.facts);
        }
        if parcel.last || outbox.disconnected {
            break;
        }
        outbox.advance(shard, now);
        parcel.packets.clear();
        let _reader_gone = empties.try_send(parcel);
    }
    outbox.finish(shard, now);
}
