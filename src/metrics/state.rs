//! What became of the state in, its metrics out.

use super::{Kind, Metric, Samples, Snapshot};
use crate::time::Timestamp;

/// What came of writing the memory, and what of the state cannot be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct State {
    pub written: u64,
    /// The disk did not take it.
    pub failed: u64,
    /// Gauge: what the last memory takes on disk.
    pub bytes: u64,
    /// Gauge: the packet time that the last memory holds.
    pub saved: Timestamp,
    /// Gauge: files that were put aside because they were damaged, and are still there.
    pub damaged_files: u64,
    /// Gauge: dismissals that are not in force because their lines cannot be read.
    pub unreadable_dismissals: u64,
}

pub(super) const WRITES: Metric = Metric {
    name: "state_writes_total",
    kind: Kind::Counter,
    labels: &["outcome"],
    help: "Attempts to write what outlives the process: written, or failed (the disk did not take it; the one before is \
           still there).",
    read: |snapshot, samples| {
        if let Some(state) = &snapshot.state {
            samples.labelled(&["failed"], state.failed);
            samples.labelled(&["written"], state.written);
        }
    },
};

pub(super) const BYTES: Metric = Metric {
    name: "state_bytes",
    kind: Kind::Gauge,
    labels: &[],
    help: "What the last memory takes on disk; 0 before the first one is written.",
    read: |snapshot, samples| stated(snapshot, samples, |state| state.bytes),
};

pub(super) const SAVED: Metric = Metric {
    name: "state_saved_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "The time of the last packet that the last memory knows of, in seconds since the epoch; 0 before the first one is \
           written.",
    read: |snapshot, samples| stated(snapshot, samples, |state| state.saved.as_secs()),
};

pub(super) const DAMAGED_FILES: Metric = Metric {
    name: "state_damaged_files",
    kind: Kind::Gauge,
    labels: &[],
    help: "Files in the directory of the state that were put aside because they could not be read; it goes down when somebody \
           takes them away.",
    read: |snapshot, samples| stated(snapshot, samples, |state| state.damaged_files),
};

pub(super) const UNREADABLE_DISMISSALS: Metric = Metric {
    name: "state_unreadable_dismissals",
    kind: Kind::Gauge,
    labels: &[],
    help: "Lines of dismissals.jsonl that cannot be read, at the start or the last reload; what they dismissed is not \
           dismissed.",
    read: |snapshot, samples| stated(snapshot, samples, |state| state.unreadable_dismissals),
};

fn stated(snapshot: &Snapshot, samples: &mut Samples, number: fn(&State) -> u64) {
    if let Some(state) = &snapshot.state {
        samples.one(number(state));
    }
}
