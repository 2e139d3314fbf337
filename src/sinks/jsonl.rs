//! Values in, JSON lines out: always whole lines, a block at a time.
//!
//! The analysis thread writes by itself. A slow disk or reader therefore slows the analysis, whose channel then fills
//! and blocks the shards; on a live interface the loss shows as kernel drops, and no line is lost silently.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Opening, SinkError, is_standard_output};

/// A file or the standard output that takes one JSON object a line.
pub struct JsonLines {
    sink: &'static str,
    /// None for what is no file, and cannot be opened again.
    path: Option<PathBuf>,
    target: String,
    writer: Box<dyn Write + Send>,
    /// Whole lines that were not written yet.
    block: Vec<u8>,
    lines_pending: u64,
    lines_written: u64,
    failed: bool,
}

impl JsonLines {
    /// A block is written when it has this many bytes, and at every [`JsonLines::flush`].
    const BLOCK_BYTES: usize = 64 << 10;

    /// Opens the file, or the standard output for `-`. `sink` names it in errors and metrics.
    pub fn open(sink: &'static str, path: &Path, opening: Opening) -> Result<Self, SinkError> {
        if is_standard_output(path) {
            return Ok(Self::to_writer(sink, "the standard output".into(), Box::new(io::stdout())));
        }
        let file = open(sink, path, opening)?;
        Ok(Self { path: Some(path.into()), ..Self::to_writer(sink, path.display().to_string(), Box::new(file)) })
    }

    fn to_writer(sink: &'static str, target: String, writer: Box<dyn Write + Send>) -> Self {
        let block = Vec::with_capacity(Self::BLOCK_BYTES * 2);
        Self { sink, path: None, target, writer, block, lines_pending: 0, lines_written: 0, failed: false }
    }

    /// Opens the file again by its name, so that what rotates files can move it away; what was not flushed goes into
    /// the new one. Where that fails, the old one is written on.
    pub fn reopen(&mut self) -> Result<(), SinkError> {
        if let Some(path) = &self.path {
            self.writer = Box::new(open(self.sink, path, Opening::Append)?);
        }
        Ok(())
    }

    /// Takes a value as one line. After an error nothing more is written: what stands in the file ends with what could
    /// be written.
    pub fn write(&mut self, value: &impl Serialize) -> Result<(), SinkError> {
        if self.failed {
            return Ok(());
        }
        let before = self.block.len();
        if let Err(error) = serde_json::to_writer(&mut self.block, value) {
            self.block.truncate(before);
            return Err(self.fail(error.into()));
        }
        self.block.push(b'\n');
        self.lines_pending += 1;
        if self.block.len() >= Self::BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Hands every whole line to the operating system.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        if self.failed || self.block.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.writer.write_all(&self.block).and_then(|()| self.writer.flush()) {
            return Err(self.fail(error));
        }
        self.block.clear();
        self.lines_written += self.lines_pending;
        self.lines_pending = 0;
        Ok(())
    }

    pub fn sink(&self) -> &'static str {
        self.sink
    }

    pub fn lines_written(&self) -> u64 {
        self.lines_written
    }

    fn fail(&mut self, source: io::Error) -> SinkError {
        self.failed = true;
        SinkError::Write { sink: self.sink, target: self.target.clone(), lines: self.lines_written, source }
    }
}

fn open(sink: &'static str, path: &Path, opening: Opening) -> Result<File, SinkError> {
    let mut options = OpenOptions::new();
    match opening {
        Opening::Append => options.append(true).create(true),
        Opening::Truncate => options.write(true).truncate(true).create(true),
    };
    options.open(path).map_err(|source| SinkError::Open { sink, path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;

    /// Takes `room` bytes, then says the disk is full.
    #[derive(Clone)]
    struct Disk {
        written: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.written.lock().unwrap();
            if written.len() + bytes.len() > self.room {
                return Err(io::ErrorKind::StorageFull.into());
            }
            written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sink(room: usize) -> (JsonLines, Disk) {
        let disk = Disk { written: Arc::default(), room };
        (JsonLines::to_writer("events", "disk".into(), Box::new(disk.clone())), disk)
    }

    #[test]
    fn lines_are_written_whole_and_in_blocks() {
        let (mut sink, disk) = sink(usize::MAX);
        sink.write(&json!({"name": "a\nb"})).unwrap();
        assert!(disk.written.lock().unwrap().is_empty(), "one line is no block");
        sink.flush().unwrap();
        assert_eq!(*disk.written.lock().unwrap(), b"{\"name\":\"a\\nb\"}\n");
        let long = "x".repeat(JsonLines::BLOCK_BYTES);
        sink.write(&long).unwrap();
        assert_eq!(disk.written.lock().unwrap().len(), 16 + long.len() + 3);
        assert_eq!(sink.lines_written(), 2);
    }

    #[test]
    fn a_full_disk_is_said_once_and_ends_the_sink() {
        let (mut sink, _) = sink(20);
        sink.write(&json!({"n": 1})).unwrap();
        sink.flush().unwrap();
        sink.write(&json!({"text": "more than the disk has room for"})).unwrap();
        let message = sink.flush().unwrap_err().to_string();
        assert_eq!(message, "events: cannot write to disk: no storage space; the 1 lines before are complete");
        assert!(sink.write(&json!(2)).is_ok() && sink.flush().is_ok());
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, moved) = (directory.path().join("events.jsonl"), directory.path().join("events.jsonl.1"));
        let mut sink = JsonLines::open("events", &path, Opening::Append).unwrap();
        sink.write(&json!(1)).unwrap();
        sink.flush().unwrap();
        std::fs::rename(&path, &moved).unwrap();
        sink.reopen().unwrap();
        sink.write(&json!(2)).unwrap();
        sink.flush().unwrap();
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(moved), read(path)), ("1\n".into(), "2\n".into()));
    }
}
