//! What runs on the analysis thread: batches of facts in, lines in the sinks and the published view out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::Fault;
use super::shards::{Input, SourceCounters};
use crate::metrics::Snapshot;
use crate::serve::view::View;
use crate::shard;

/// How often what was found is flushed and published.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// What a sensor has done when it ends.
#[derive(Debug, Default)]
pub struct Report {
    pub snapshot: Snapshot,
    /// Why it ended early, in the order of time.
    pub faults: Vec<Fault>,
}

/// The analysis and everything that its findings go to.
pub(super) struct Desk {
    shards: BTreeMap<usize, shard::Counters>,
    sources: BTreeMap<usize, SourceCounters>,
    view: Option<Arc<View>>,
    faults: Vec<Fault>,
}

impl Desk {
    pub(super) fn new(view: Option<Arc<View>>) -> Self {
        Self { shards: BTreeMap::new(), sources: BTreeMap::new(), view, faults: Vec::new() }
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Batch(batch) => {
                self.shards.insert(batch.shard, batch.counters);
            }
            Input::Last => {}
            Input::Source(counters) => {
                self.sources.insert(counters.source, *counters);
            }
        }
    }

    fn publish(&mut self) {
        if let Some(view) = &self.view {
            view.publish_metrics(self.snapshot());
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot { shards: self.shards.values().cloned().collect(), ..Snapshot::default() };
        for source in self.sources.values() {
            snapshot.frames = snapshot.frames.plus(source.frames);
            snapshot.drops = snapshot.drops.plus(source.drops);
            snapshot.decode += source.decode;
            let (first, last) = match (snapshot.span, source.span) {
                (Some(a), Some(b)) => (a.0.min(b.0), a.1.max(b.1)),
                (Some(span), None) | (None, Some(span)) => span,
                (None, None) => continue,
            };
            snapshot.span = Some((first, last));
        }
        snapshot
    }
}

/// Takes inputs until nobody sends any more, or one says it is the last. Sets `stop` when nothing can be written.
pub(super) fn analyse(mut desk: Desk, inputs: &Receiver<Input>, stop: &AtomicBool) -> Report {
    let intervals = crossbeam_channel::tick(PUBLISH_INTERVAL);
    loop {
        select! {
            recv(inputs) -> input => match input {
                Ok(Input::Last) | Err(_) => break,
                Ok(input) => desk.on_input(input),
            },
            recv(intervals) -> _ => desk.publish(),
        }
        if !desk.faults.is_empty() {
            stop.store(true, Ordering::Relaxed);
        }
    }
    desk.publish();
    Report { snapshot: desk.snapshot(), faults: desk.faults }
}
