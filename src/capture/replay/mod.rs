//! Capture files in, frames in time order out: pcap and pcapng, plain or compressed, several merged into one source.

mod classic;
mod file;
mod pcapng;
mod record;
mod source;
mod window;

pub use record::Fault;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;

use self::file::{CaptureFile, Head, Wait};
use self::source::Source;
use super::{CaptureError, Clock, Counters, Drops, Filter, Frame, FrameSource, GROUP_FRAMES, Read};
use crate::time::Timestamp;

/// Capture files as one source of frames.
///
/// Frames come in the order of their times, of equal times in the order of the files on the command line, and within a
/// file in the order they stand there. A file's times are believed, whatever they are: one frame stamped far in the
/// future moves packet time there for good, so that every frame behind it is given that time and counted as reordered.
///
/// A file that ends within a record, or goes on with something that is none, ends there: its frames so far have been
/// handed on, the other files are read on, and [`Replay::damage`] tells of it.
pub struct Replay {
    /// Files whose frames are due.
    active: Vec<Active>,
    /// Files whose first frame is not due, the next one last; they are not kept open.
    waiting: Vec<Waiting>,
    filter: Option<Filter>,
    clock: Clock,
    counters: Counters,
    seq: u64,
    /// The drops of the files that have been read to their end.
    drops: Drops,
    damage: Vec<CaptureError>,
    progress: Progress,
}

/// How far a replay has come; a copy of it can be asked from another thread.
#[derive(Clone, Debug)]
pub struct Progress {
    read_bytes: Arc<AtomicU64>,
    total_bytes: Option<u64>,
}

impl Progress {
    /// Bytes read from the files, before decompression.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }

    /// The size of the files; none where one of them is a pipe.
    pub const fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }
}

/// A place in the order of frames: time, then the file's place on the command line.
type Due = (Timestamp, usize);

struct Active {
    order: usize,
    file: CaptureFile,
}

struct Waiting {
    due: Due,
    path: PathBuf,
}

/// Whose frame is next.
enum Turn {
    End,
    /// The file at this index of `active`, for frames due before `until`.
    File {
        index: usize,
        until: Due,
    },
    /// A file has to be read to tell.
    Pending,
}

impl Replay {
    /// After every frame there can be.
    const NEVER: Due = (Timestamp::MAX, usize::MAX);

    /// Opens capture files, `-` being standard input, and checks that each is one. The capture filter is in the
    /// language of pcap-filter(7).
    pub fn open(paths: &[PathBuf], filter: Option<&str>) -> Result<Self, CaptureError> {
        let sizes = paths.iter().map(|path| source::file_bytes(path)).collect::<Vec<_>>();
        let total_bytes = sizes.iter().try_fold(0_u64, |sum, size| size.map(|size| sum.saturating_add(size)));
        let mut replay = Self::new(filter, total_bytes)?;
        for (order, (path, size)) in paths.iter().zip(sizes).enumerate() {
            let can_wait = size.is_some() && paths.len() > 1;
            if can_wait { replay.queue(order, path)? } else { replay.activate(order, path)? }
        }
        replay.waiting.sort_by_key(|waiting| std::cmp::Reverse(waiting.due));
        Ok(replay)
    }

    /// Numbers the frames behind those that are remembered of earlier captures.
    pub const fn number_from(&mut self, first: u64) {
        self.seq = first;
    }

    /// Reads one capture file out of `reader`, which messages call `name`.
    pub fn from_reader(
        name: &str,
        reader: impl io::Read + Send + 'static,
        filter: Option<&str>,
    ) -> Result<Self, CaptureError> {
        let mut replay = Self::new(filter, None)?;
        let source = Source::new(name.to_owned(), Box::new(reader), &replay.progress.read_bytes)?;
        replay.active.push(Active { order: 0, file: CaptureFile::new(source)? });
        Ok(replay)
    }

    fn new(filter: Option<&str>, total_bytes: Option<u64>) -> Result<Self, CaptureError> {
        Ok(Self {
            active: Vec::new(),
            waiting: Vec::new(),
            filter: filter.map(Filter::new).transpose()?,
            clock: Clock::default(),
            counters: Counters::default(),
            seq: 0,
            drops: Drops::default(),
            damage: Vec::new(),
            progress: Progress { read_bytes: Arc::default(), total_bytes },
        })
    }

    /// How far the replay has come.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// The files that ended before their end, and why; at most one entry for each file.
    pub fn damage(&self) -> &[CaptureError] {
        &self.damage
    }

    /// [`Replay::damage`], when the replay is over.
    pub fn into_damage(self) -> Vec<CaptureError> {
        self.damage
    }

    fn activate(&mut self, order: usize, path: &Path) -> Result<(), CaptureError> {
        let file = CaptureFile::new(Source::open(path, &self.progress.read_bytes)?)?;
        self.active.push(Active { order, file });
        Ok(())
    }

    /// Looks for the time of a file's first frame, and closes it until then.
    fn queue(&mut self, order: usize, path: &Path) -> Result<(), CaptureError> {
        let uncounted = Arc::default();
        let first = match CaptureFile::new(Source::open(path, &uncounted)?)?.head(Wait::Yes) {
            Ok(Head::Record(record)) => record.at,
            // Without a frame, or broken before it: that is found again, and told, at once.
            Ok(_) | Err(_) => Timestamp::ZERO,
        };
        self.waiting.push(Waiting { due: (first, order), path: path.to_owned() });
        Ok(())
    }

    fn turn(&mut self, wait: Wait) -> Turn {
        loop {
            let Some((next, until)) = self.next_two(wait) else { return Turn::Pending };
            let waiting = self.waiting.last().map_or(Self::NEVER, |waiting| waiting.due);
            match next {
                Some((due, index)) if due < waiting => return Turn::File { index, until: until.min(waiting) },
                None if waiting == Self::NEVER => return Turn::End,
                _ => self.open_next(),
            }
        }
    }

    /// Among the active files, the next frame's due and its file, and the due of the next frame of any other file;
    /// none where a file has to be read to tell. Files that have ended are closed.
    fn next_two(&mut self, wait: Wait) -> Option<(Option<(Due, usize)>, Due)> {
        let (mut next, mut until) = (None, Self::NEVER);
        let mut index = 0;
        while let Some(Active { order, file }) = self.active.get_mut(index) {
            let due = match file.head(wait) {
                Ok(Head::Record(record)) => (record.at, *order),
                Ok(Head::Pending) => return None,
                ended => {
                    self.close(index, ended.err());
                    continue;
                }
            };
            match next {
                Some((first, _)) if due > first => until = until.min(due),
                Some((first, _)) => (next, until) = (Some((due, index)), first),
                None => next = Some((due, index)),
            }
            index = index.saturating_add(1);
        }
        Some((next, until))
    }

    /// Opens the waiting file that is due next.
    fn open_next(&mut self) {
        let Some(Waiting { due: (_, order), path }) = self.waiting.pop() else { return };
        if let Err(error) = self.activate(order, &path) {
            self.damage.push(error);
        }
    }

    fn close(&mut self, index: usize, error: Option<CaptureError>) {
        let closed = self.active.swap_remove(index);
        self.drops = self.drops.plus(closed.file.drops());
        self.damage.extend(error);
    }

    /// Hands on the frames of a file that are in memory and due before `until`.
    fn hand_on(&mut self, index: usize, until: Due, each: &mut dyn FnMut(&[Frame<'_>])) -> Result<(), CaptureError> {
        while self.hand_on_group(index, until, each)? {}
        Ok(())
    }

    /// Hands on the next of them that lie together. Returns whether there may be more.
    fn hand_on_group(
        &mut self,
        index: usize,
        until: Due,
        each: &mut dyn FnMut(&[Frame<'_>]),
    ) -> Result<bool, CaptureError> {
        let Some(Active { order, file }) = self.active.get_mut(index) else { return Ok(false) };
        let mut fault = None;
        let passed = {
            let mut frames = ArrayVec::<_, GROUP_FRAMES>::new();
            let mut ahead = file.ahead();
            while !frames.is_full()
                && let Some((record, bytes)) = ahead.next_before(|record| (record.at, *order) < until)
            {
                let seq = self.seq;
                self.seq = seq.saturating_add(1);
                let at = self.clock.frame(record.at);
                match self.filter.as_mut().map_or(Ok(true), |filter| filter.matches(record.link, bytes)) {
                    Ok(true) => frames.push(Frame { at, seq, link: record.link, wire_len: record.wire_len, bytes }),
                    Ok(false) => self.counters.filtered = self.counters.filtered.saturating_add(1),
                    Err(error) => {
                        fault = Some(error);
                        break;
                    }
                }
            }
            if !frames.is_empty() {
                self.counters.frames = self.counters.frames.saturating_add(frames.len() as u64);
                let bytes = frames.iter().map(|frame| frame.bytes.len() as u64).sum::<u64>();
                self.counters.bytes = self.counters.bytes.saturating_add(bytes);
                each(&frames);
            }
            ahead.passed()
        };
        file.pass(passed);
        fault.map_or(Ok(passed > 0), Err)
    }
}

impl FrameSource for Replay {
    /// Hands on what is in memory, and reads more only when nothing of it is due: frames of a pipe come through as
    /// they arrive.
    fn read_groups(&mut self, each: &mut dyn FnMut(&[Frame<'_>])) -> Result<Read, CaptureError> {
        let mut wait = Wait::Yes;
        loop {
            match self.turn(wait) {
                Turn::End if wait == Wait::Yes => return Ok(Read::End),
                Turn::End | Turn::Pending => return Ok(Read::Frames),
                Turn::File { index, until } => self.hand_on(index, until, each)?,
            }
            wait = Wait::No;
        }
    }

    /// What pcapng files say was lost while they were written.
    fn drops(&mut self) -> Drops {
        self.active.iter().fold(self.drops, |sum, active| sum.plus(active.file.drops()))
    }

    fn counters(&self) -> Counters {
        Counters { reordered: self.clock.reordered, ..self.counters }
    }
}

#[cfg(test)]
mod tests;
