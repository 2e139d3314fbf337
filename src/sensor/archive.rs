//! Evidence captures of the analysis thread in, files in their folder out, on a thread of its own: a slow or failing disk holds
//! up no packet and ends no sensor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::desk::Kind;
use crate::exhibit::{self, Exhibit};
use crate::metrics::Captures;
use crate::sinks::{CaptureFolder, Kept, SinkError};

/// Captures that may wait for the disk.
const CAPTURES_WAITING: usize = 64;

/// The analysis thread's end.
pub(super) struct Archive {
    /// None when there is nothing more to come.
    captures: Option<Sender<Exhibit>>,
    /// Whether it waits for the disk, as a replay does, whose files are to be the same each time.
    waits: bool,
    refused: u64,
    tally: Arc<Tally>,
    /// Closed when all was written.
    ended: Receiver<()>,
}

/// The end of the thread that writes.
pub(super) struct Archivist {
    folder: CaptureFolder,
    captures: Receiver<Exhibit>,
    tally: Arc<Tally>,
    _ended: Sender<()>,
}

#[derive(Default)]
struct Tally {
    written: AtomicU64,
    failed: AtomicU64,
    too_large: AtomicU64,
    too_old: AtomicU64,
    removed: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
}

/// Opens the folder, if there is to be one.
pub(super) fn open(settings: &exhibit::Settings, kind: Kind) -> Result<Option<(Archive, Archivist)>, SinkError> {
    let Some(dir) = &settings.dir else { return Ok(None) };
    let folder = CaptureFolder::open(dir, settings.folder_bytes_max)?;
    let tally = Arc::<Tally>::default();
    tally.note(&folder);
    let (captures, waiting) = crossbeam_channel::bounded(CAPTURES_WAITING);
    let (end, ended) = crossbeam_channel::bounded(0);
    let waits = kind == Kind::Replay;
    let archive = Archive { captures: Some(captures), waits, refused: 0, tally: Arc::clone(&tally), ended };
    Ok(Some((archive, Archivist { folder, captures: waiting, tally, _ended: end })))
}

impl Archive {
    pub(super) fn keep(&mut self, exhibit: Exhibit) {
        let is_taken = match &self.captures {
            Some(captures) if self.waits => captures.send(exhibit).is_ok(),
            Some(captures) => captures.try_send(exhibit).is_ok(),
            None => false,
        };
        self.refused += u64::from(!is_taken);
    }

    pub(super) fn counters(&self) -> Captures {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let Tally { written, failed, too_large, too_old, removed, files, bytes } = &*self.tally;
        Captures {
            written: count(written),
            failed: count(failed),
            refused: self.refused,
            too_large: count(too_large),
            too_old: count(too_old),
            removed: count(removed),
            files: count(files),
            bytes: count(bytes),
        }
    }

    /// Waits until all was written: what the counters say is then final.
    pub(super) fn finish(&mut self) {
        self.captures = None;
        let _closed = self.ended.recv();
    }
}

impl Archivist {
    /// Writes until there is no more to come.
    pub(super) fn write(mut self) {
        let mut is_failing = false;
        for exhibit in &self.captures {
            let outcome = self.folder.keep(&exhibit);
            self.tally.note(&self.folder);
            let counter = match outcome {
                Ok(Kept::Written) => &self.tally.written,
                Ok(Kept::TooLarge) => &self.tally.too_large,
                Ok(Kept::TooOld) => &self.tally.too_old,
                Err(_) => &self.tally.failed,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            // Once for each time that it begins: a full disk stays full for a while.
            match &outcome {
                Err(error) if !is_failing => tracing::error!(capture = %exhibit.name, "cannot be written: {error}"),
                Ok(_) if is_failing => tracing::info!("evidence captures are written again"),
                _ => {}
            }
            is_failing = outcome.is_err();
        }
    }
}

impl Tally {
    fn note(&self, folder: &CaptureFolder) {
        let contents = folder.contents();
        self.files.store(contents.files, Ordering::Relaxed);
        self.bytes.store(contents.bytes, Ordering::Relaxed);
        self.removed.store(contents.removed, Ordering::Relaxed);
    }
}
