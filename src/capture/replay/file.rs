//! One capture file: records in the order they stand in it.

use std::io;

use super::classic::Classic;
use super::pcapng::Pcapng;
use super::record::{Record, Step};
use super::source::Source;
use crate::capture::{CaptureError, Drops, Place};

/// An open capture file and the record it stands at.
pub struct CaptureFile {
    source: Source,
    format: Format,
    head: Option<Record>,
}

enum Format {
    Classic(Classic),
    Pcapng(Pcapng),
}

/// Whether the next record may be waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// Only what is in memory.
    No,
    Yes,
}

/// What [`CaptureFile::head`] came to.
#[derive(Clone, Copy, Debug)]
pub enum Head {
    /// The file has no more records.
    End,
    /// Nothing in memory is a whole record.
    Pending,
    Record(Record),
}

/// The records in memory, which stay there as long as somebody looks at them.
pub struct Ahead<'a> {
    format: &'a mut Format,
    bytes: &'a [u8],
    passed: usize,
}

impl<'a> Ahead<'a> {
    /// The next record and its bytes, where it is whole and due.
    pub fn next_before(&mut self, is_due: impl Fn(&Record) -> bool) -> Option<(Record, &'a [u8])> {
        loop {
            let bytes = self.bytes.get(self.passed..)?;
            match self.format.step(bytes) {
                Step::Record(record) if is_due(&record) => {
                    self.passed = self.passed.saturating_add(record.len);
                    let end = record.data_start.saturating_add(record.data_len);
                    return Some((record, bytes.get(record.data_start..end).unwrap_or_default()));
                }
                Step::Skip(len) => {
                    let len = usize::try_from(len).ok().filter(|&len| len <= bytes.len())?;
                    self.passed = self.passed.saturating_add(len);
                }
                Step::Damaged(_) | Step::Need(_) | Step::Record(_) => return None,
            }
        }
    }

    /// How many bytes the records handed out, and what lay between them, take.
    pub const fn passed(&self) -> usize {
        self.passed
    }
}

impl Format {
    fn step(&mut self, bytes: &[u8]) -> Step {
        match self {
            Self::Classic(classic) => classic.step(bytes),
            Self::Pcapng(pcapng) => pcapng.step(bytes),
        }
    }
}

impl CaptureFile {
    /// Reads the file header.
    pub fn new(mut source: Source) -> Result<Self, CaptureError> {
        let filled = source.window.fill(4).map_err(|error| broken(&source, 0, error))?;
        let begin = source.window.bytes();
        let format = match begin.first_chunk::<4>() {
            None if begin.is_empty() => return Err(CaptureError::Empty { file: source.name }),
            Some(&Pcapng::MAGIC) if filled => Format::Pcapng(Pcapng::new()),
            Some(&magic) if Classic::is_magic(magic) => Format::Classic(classic(&mut source)?),
            _ => return Err(CaptureError::NotACapture { begins: hex(begin), file: source.name }),
        };
        Ok(Self { source, format, head: None })
    }

    /// The record the file stands at.
    pub fn head(&mut self, wait: Wait) -> Result<Head, CaptureError> {
        if let Some(head) = self.head {
            return Ok(Head::Record(head));
        }
        let window = &mut self.source.window;
        loop {
            let begin = window.offset();
            let whole = match self.format.step(window.bytes()) {
                Step::Record(record) => {
                    self.head = Some(record);
                    return Ok(Head::Record(record));
                }
                Step::Damaged(fault) => {
                    return Err(CaptureError::Damaged { place: place(&self.source, begin), file: self.name(), fault });
                }
                Step::Need(_) if wait == Wait::No => return Ok(Head::Pending),
                Step::Skip(len) if wait == Wait::No && len > window.bytes().len() as u64 => return Ok(Head::Pending),
                Step::Need(len) => window.fill(len),
                Step::Skip(len) => window.skip(len),
            };
            match whole {
                Ok(true) => {}
                Ok(false) if window.offset() == begin && window.bytes().is_empty() => return Ok(Head::End),
                Ok(false) => return Err(truncated(&self.source, begin)),
                Err(error) => return Err(broken(&self.source, begin, error)),
            }
        }
    }

    /// What is in memory from where the file stands on.
    pub fn ahead(&mut self) -> Ahead<'_> {
        Ahead { format: &mut self.format, bytes: self.source.window.bytes(), passed: 0 }
    }

    /// Moves past bytes that are in memory, and that [`Ahead`] has passed.
    pub fn pass(&mut self, len: usize) {
        self.head = None;
        self.source.window.consume(len);
    }

    /// What the file says was lost while it was written.
    pub fn drops(&self) -> Drops {
        match &self.format {
            Format::Classic(_) => Drops::default(),
            Format::Pcapng(pcapng) => pcapng.drops(),
        }
    }

    fn name(&self) -> String {
        self.source.name.clone()
    }
}

fn classic(source: &mut Source) -> Result<Classic, CaptureError> {
    source.window.fill(Classic::FILE_HEADER_LEN).map_err(|error| broken(source, 0, error))?;
    let Some(classic) = Classic::from_file_header(source.window.bytes()) else {
        return Err(truncated(source, 0));
    };
    source.window.consume(Classic::FILE_HEADER_LEN);
    Ok(classic)
}

/// A reader's error at the record that begins at `offset`; a compressed stream that is cut off is truncated like any.
fn broken(source: &Source, offset: u64, error: io::Error) -> CaptureError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => truncated(source, offset),
        _ => CaptureError::Read { file: source.name.clone(), place: place(source, offset), source: error },
    }
}

fn truncated(source: &Source, offset: u64) -> CaptureError {
    CaptureError::Truncated { file: source.name.clone(), place: place(source, offset) }
}

fn place(source: &Source, offset: u64) -> Place {
    Place { offset, uncompressed: source.compressed }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
