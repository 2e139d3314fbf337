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
            let step = match &mut self.format {
                Format::Classic(classic) => classic.step(window.bytes()),
                Format::Pcapng(pcapng) => pcapng.step(window.bytes()),
            };
            let whole = match step {
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

    /// The bytes of the record the file stands at.
    pub fn frame_bytes(&self, head: &Record) -> &[u8] {
        let end = head.data_start.saturating_add(head.data_len);
        self.source.window.bytes().get(head.data_start..end).unwrap_or_default()
    }

    /// Moves past the record the file stands at.
    pub fn advance(&mut self) {
        if let Some(head) = self.head.take() {
            self.source.window.consume(head.len);
        }
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
