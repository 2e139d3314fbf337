//! Recordings of facts beside the captures: each read by a thread of its own, and taken by the analysis as the facts of one
//! more shard, whenever it waits for nothing else. So neither runs ahead of the other, and their order is that of time.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::Fault;
use crate::facts::{Fact, Watermark};
use crate::recording::{Reader, RecordingError};
use crate::shard::Batch;
use crate::time::Span;

/// Batches that may wait for the analysis.
pub(super) const BATCHES_WAITING: usize = 8;
/// Facts that make a batch.
const BATCH_FACTS: usize = 1024;

/// The analysis' end of the recordings, in the order of their shards.
pub(super) struct Tapes {
    /// The shard of the first one; those before it are of captures.
    first_shard: usize,
    tapes: Vec<Receiver<Batch>>,
    pub(super) facts: u64,
    /// The times of the facts that were taken.
    pub(super) span: Option<Span>,
}

impl Tapes {
    pub(super) const fn new(first_shard: usize, tapes: Vec<Receiver<Batch>>) -> Self {
        Self { first_shard, tapes, facts: 0, span: None }
    }

    /// How many shards there are with these.
    pub(super) const fn shards(&self) -> usize {
        self.first_shard + self.tapes.len()
    }

    /// The next facts of a shard, if it is one of a recording; behind the last ones its end.
    pub(super) fn next(&mut self, shard: usize) -> Option<Batch> {
        let tape = self.tapes.get(shard.checked_sub(self.first_shard)?)?;
        let batch = tape.recv().unwrap_or_else(|_| Batch::of_facts(shard, Vec::new(), Watermark::END));
        self.facts += batch.facts.len() as u64;
        if let (Some(first), Some(last)) = (batch.facts.first(), batch.facts.last()) {
            let span = Span { first: first.at, last: last.at };
            self.span = Some(self.span.map_or(span, |known| known.join(span)));
        }
        Some(batch)
    }
}

/// Reads a recording to its end, or until `stop` is set or nobody listens.
pub(super) fn play(mut reader: Reader, shard: usize, batches: &Sender<Batch>, stop: &AtomicBool) -> Vec<Fault> {
    while !stop.load(Ordering::Relaxed) {
        let (facts, ended) = read(&mut reader);
        if let Some(last) = facts.last() {
            let watermark = Watermark { at: last.at, seq: last.seq.saturating_add(1) };
            if batches.send(Batch::of_facts(shard, facts, watermark)).is_err() {
                break;
            }
        }
        match ended {
            None => {}
            Some(Ok(())) => break,
            Some(Err(error)) => return vec![Fault::Recording(error)],
        }
    }
    Vec::new()
}

/// The facts of a batch, and how the recording ended if it did.
fn read(reader: &mut Reader) -> (Vec<Fact>, Option<Result<(), RecordingError>>) {
    let mut facts = Vec::with_capacity(BATCH_FACTS);
    while facts.len() < BATCH_FACTS {
        match reader.read() {
            Ok(Some(fact)) => facts.push(fact),
            Ok(None) => return (facts, Some(Ok(()))),
            Err(error) => return (facts, Some(Err(error))),
        }
    }
    (facts, None)
}
