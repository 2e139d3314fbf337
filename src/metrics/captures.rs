//! What became of evidence captures in, their metrics out.

use super::{Kind, Metric, Samples, Snapshot};

/// What came of the captures that rules asked for, and what is in their folder.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Captures {
    pub written: u64,
    /// The disk did not take them.
    pub failed: u64,
    /// Too many waited for the disk.
    pub refused: u64,
    /// One alone takes more than the folder may.
    pub too_large: u64,
    /// Of earlier sessions than all that the folder has room for.
    pub too_old: u64,
    /// Removed, to make room for later ones.
    pub removed: u64,
    /// Gauge: files in the folder, and their bytes.
    pub files: u64,
    pub bytes: u64,
}

pub(super) const BY_OUTCOME: Metric = Metric {
    name: "evidence_captures_total",
    kind: Kind::Counter,
    labels: &["outcome"],
    help: "Captures that rules asked for: written, failed (the disk did not take it), refused (too many waited for the \
           disk), missed (the session's first packets were not in memory any more), too_large (it alone takes more than \
           evidence_captures.folder_bytes_max), or too_old (the folder is full of later sessions).",
    read: |snapshot, samples| {
        let Some(captures) = snapshot.captures else { return };
        let missed = snapshot.analysis.exhibits.map_or(0, |exhibits| exhibits.missed);
        for (outcome, count) in [
            ("failed", captures.failed),
            ("missed", missed),
            ("refused", captures.refused),
            ("too_large", captures.too_large),
            ("too_old", captures.too_old),
            ("written", captures.written),
        ] {
            samples.labelled(&[outcome], count);
        }
    },
};

pub(super) const REMOVED: Metric = Metric {
    name: "evidence_captures_removed_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Captures removed to make room for those of later sessions; raise evidence_captures.folder_bytes_max.",
    read: |snapshot, samples| captured(snapshot, samples, |captures| captures.removed),
};

pub(super) const FILES: Metric = Metric {
    name: "evidence_captures_files",
    kind: Kind::Gauge,
    labels: &[],
    help: "Captures in their folder.",
    read: |snapshot, samples| captured(snapshot, samples, |captures| captures.files),
};

pub(super) const BYTES: Metric = Metric {
    name: "evidence_captures_bytes",
    kind: Kind::Gauge,
    labels: &[],
    help: "What the captures in their folder take.",
    read: |snapshot, samples| captured(snapshot, samples, |captures| captures.bytes),
};

pub(super) const MEMORY_BYTES: Metric = Metric {
    name: "evidence_captures_memory_bytes",
    kind: Kind::Gauge,
    labels: &[],
    help: "Memory that the first packets of sessions take until a rule asks for them.",
    read: |snapshot, samples| {
        if let Some(exhibits) = snapshot.analysis.exhibits {
            samples.one(exhibits.memory_bytes);
        }
    },
};

fn captured(snapshot: &Snapshot, samples: &mut Samples, number: fn(&Captures) -> u64) {
    if let Some(captures) = &snapshot.captures {
        samples.one(number(captures));
    }
}
