//! A window that moves over a stream: bytes of a reader in, slices of a reused buffer out.

use std::io;

/// The part of a stream that is in memory.
pub struct Window {
    reader: Box<dyn io::Read + Send>,
    buffer: Box<[u8]>,
    /// What of the buffer is filled and not consumed.
    start: usize,
    end: usize,
    /// How far into the stream `start` is.
    offset: u64,
}

impl Window {
    /// The most that is in memory at a time.
    pub const BYTES: usize = 1 << 20;
    /// How much is asked for at a time: so little that it is still in the cache when it is parsed.
    const READ_BYTES: usize = 256 << 10;

    pub fn new(reader: Box<dyn io::Read + Send>) -> Self {
        Self { reader, buffer: vec![0; Self::BYTES].into_boxed_slice(), start: 0, end: 0, offset: 0 }
    }

    /// What is there to be read without asking the reader.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Asks the reader until `len` bytes are there, at most [`Self::BYTES`]; false where the stream ends before.
    pub fn fill(&mut self, len: usize) -> io::Result<bool> {
        if self.bytes().len() >= len {
            return Ok(true);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.bytes().len());
        while self.end < len {
            let until = self.end.saturating_add(Self::READ_BYTES).min(self.buffer.len());
            match self.reader.read(self.buffer.get_mut(self.end..until).unwrap_or_default()) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end = self.end.saturating_add(read).min(self.buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Moves past bytes that are in the window.
    pub fn consume(&mut self, len: usize) {
        let len = len.min(self.bytes().len());
        self.start = self.start.saturating_add(len);
        self.offset = self.offset.saturating_add(len as u64);
    }

    /// Moves past bytes whether they are in the window or not; false where the stream ends before.
    pub fn skip(&mut self, len: u64) -> io::Result<bool> {
        let mut left = len;
        while left > 0 {
            if !self.fill(1)? {
                return Ok(false);
            }
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(self.bytes().len());
            self.consume(step);
            left = left.saturating_sub(step as u64);
        }
        Ok(true)
    }
}
