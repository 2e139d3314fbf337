//! The analysis in, its memory in the directory of the state out: now and then in packet time, and at the end.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::analysis::Analysis;
use crate::memory::Memory;
use crate::risk::Dismissal;
use crate::state::{self, StateDirectory, StateError};
use crate::time::Timestamp;

/// Memories that may wait for the disk before one is left out.
const MEMORIES_WAITING: usize = 1;

/// What the analysis thread hands to the thread that writes.
pub(super) struct Keeper {
    directory: StateDirectory,
    interval: Duration,
    /// The packet time of the last memory.
    kept: Timestamp,
    memories: Sender<Memory>,
}

/// What the thread that writes needs.
pub(super) struct Scribe {
    directory: StateDirectory,
    memories: Receiver<Memory>,
}

/// Opens the directory of the state, if there is one, and restores the analysis from it.
pub(super) fn open(
    settings: &state::Settings,
    analysis: &mut Analysis,
) -> Result<Option<(Keeper, Scribe)>, StateError> {
    let Some(path) = &settings.dir else {
        return Ok(None);
    };
    let directory = StateDirectory::open(path)?;
    analysis.recall_dismissals(&directory.dismissals()?);
    if let Some(memory) = directory.memory()? {
        analysis.recall(&memory).map_err(|source| directory.refused(source))?;
    }
    let (memories, waiting) = crossbeam_channel::bounded(MEMORIES_WAITING);
    let scribe = Scribe { directory: directory.clone(), memories: waiting };
    Ok(Some((Keeper { directory, interval: settings.interval, kept: analysis.latest(), memories }, scribe)))
}

impl Keeper {
    /// Hands the memory over if it is time. While the disk is slow, the memory waits for the next time.
    pub(super) fn look(&mut self, analysis: &Analysis) {
        let now = analysis.latest();
        if self.kept == Timestamp::ZERO {
            self.kept = now;
        }
        if now.since(self.kept) < self.interval || !self.memories.is_empty() {
            return;
        }
        self.kept = now;
        if let Err(TrySendError::Disconnected(_)) = self.memories.try_send(analysis.memory()) {
            tracing::error!("nobody writes the state any more");
        }
    }

    pub(super) fn dismiss(&self, dismissal: &Dismissal) -> Result<(), StateError> {
        self.directory.add_dismissal(dismissal)
    }

    /// The dismissals that are kept.
    pub(super) fn dismissals(&self) -> Result<Vec<Dismissal>, StateError> {
        self.directory.dismissals()
    }

    /// Hands over the last memory; the thread that writes ends with it.
    pub(super) fn finish(self, analysis: &Analysis) {
        // Where the writer is gone, its fault is told when it is waited for.
        let _gone = self.memories.send(analysis.memory());
    }
}

impl Scribe {
    /// Writes until there is no more to come. Gets what went wrong with the last memory.
    pub(super) fn write(self) -> Option<StateError> {
        let mut fault = None;
        for memory in &self.memories {
            fault = self.directory.remember(&memory).err();
            if let Some(fault) = &fault {
                tracing::error!("{fault}");
            }
        }
        fault
    }
}
