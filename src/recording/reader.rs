//! A recording in, its facts in order out. Everything it keeps has a limit.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use hashbrown::HashMap;

use super::{Fault, Header, Line, Record, RecordingError, SAID_MAX, Said, VERSION};
use crate::facts::{Fact, FactKind, FlowId, FlowRef, Numbers};
use crate::time::Timestamp;

/// Reads one recording.
pub struct Reader {
    file: String,
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    line_number: u64,
    flows: HashMap<u64, FlowRef>,
    said: Vec<Said>,
    /// What sets the facts and flows of this recording apart from those of captures and of other recordings.
    base: u64,
    facts_read: u64,
    last: Timestamp,
}

impl Reader {
    /// The most bytes of a line.
    pub const LINE_BYTES_MAX: usize = 64 << 10;
    /// The most flows that are open at a time.
    pub const FLOWS_MAX: usize = 1 << 21;
    /// Zstandard at its strongest needs a window of this many bits.
    const WINDOW_LOG_MAX: u32 = 27;
    const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

    /// Opens a file and reads its first line. `number` tells the recordings of one replay, and of those before it that are
    /// remembered, apart.
    pub fn open(path: &Path, number: usize) -> Result<Self, RecordingError> {
        let file = path.display().to_string();
        let opened = File::open(path).map_err(|source| RecordingError::Open { file: file.clone(), source })?;
        Self::new(file, opened, number)
    }

    /// Reads from what is open already; `file` is its name in messages.
    pub fn new(file: String, input: impl Read + Send + 'static, number: usize) -> Result<Self, RecordingError> {
        let input = match uncompressed(input) {
            Ok(input) => input,
            Err(source) => return Err(RecordingError::Open { file, source }),
        };
        let mut reader = Self {
            file,
            input,
            line: Vec::new(),
            line_number: 0,
            flows: HashMap::new(),
            said: Vec::new(),
            base: Numbers::of_recording(number as u64),
            facts_read: 0,
            last: Timestamp::ZERO,
        };
        reader.header().map_err(|fault| reader.damaged(fault))?;
        Ok(reader)
    }

    /// Numbers the recording behind those that are remembered of earlier replays.
    pub const fn renumber(&mut self, number: u64) {
        self.base = Numbers::of_recording(number);
    }

    /// The next fact; none at the end.
    pub fn read(&mut self) -> Result<Option<Fact>, RecordingError> {
        loop {
            match self.step() {
                Ok(Step::End) => return Ok(None),
                Ok(Step::Fact(fact)) => return Ok(Some(*fact)),
                Ok(Step::Noted) => {}
                Err(fault) => return Err(self.damaged(fault)),
            }
        }
    }

    fn damaged(&self, fault: Fault) -> RecordingError {
        RecordingError::Damaged { file: self.file.clone(), line: self.line_number, fault }
    }

    fn header(&mut self) -> Result<(), Fault> {
        let first = if self.next_line()? { serde_json::from_slice(&self.line).ok() } else { None };
        match first {
            Some(Line::Recording(Header { version: VERSION })) => Ok(()),
            Some(Line::Recording(Header { version: found })) => Err(Fault::OtherVersion { found }),
            _ => Err(Fault::NoHeader),
        }
    }

    fn step(&mut self) -> Result<Step, Fault> {
        if !self.next_line()? {
            return Ok(Step::End);
        }
        match serde_json::from_slice(&self.line).map_err(|error| Fault::NotALine(error.to_string()))? {
            Line::Recording(_) => Err(Fault::NotALine("a second header".into())),
            Line::Flow(flow) => self.note_flow(flow),
            Line::Said(said) => self.note_said(said),
            Line::Fact(record) => self.fact(record).map(|fact| Step::Fact(Box::new(fact))),
        }
    }

    fn note_flow(&mut self, mut flow: FlowRef) -> Result<Step, Fault> {
        let number = flow.id.0;
        if self.flows.len() >= Self::FLOWS_MAX && !self.flows.contains_key(&number) {
            return Err(Fault::TooMany { what: "open flows", max: Self::FLOWS_MAX });
        }
        flow.id = FlowId(self.base | (number & ((1 << Numbers::RECORDING_BITS) - 1)));
        self.flows.insert(number, flow);
        Ok(Step::Noted)
    }

    fn note_said(&mut self, said: Said) -> Result<Step, Fault> {
        if self.said.len() >= SAID_MAX {
            return Err(Fault::TooMany { what: "things said by number", max: SAID_MAX });
        }
        self.said.push(said);
        Ok(Step::Noted)
    }

    fn fact(&mut self, record: Record) -> Result<Fact, Fault> {
        if record.at < self.last {
            return Err(Fault::Unordered);
        }
        self.last = record.at;
        let flow = *self.flows.get(&record.flow).ok_or(Fault::UnknownFlow(record.flow))?;
        let Said { protocol, kind } = self.words(&record).and_then(|said| match (said, record.kind) {
            (Some(said), None) => Ok(said),
            (None, Some(kind)) => Ok(Said { protocol: record.protocol, kind }),
            _ => Err(Fault::Ambiguous),
        })?;
        if matches!(kind, FactKind::FlowEnded(_)) {
            self.flows.remove(&record.flow);
        }
        let seq = self.base | self.facts_read;
        self.facts_read = self.facts_read.saturating_add(1);
        Ok(Fact { at: record.at, seq, flow, protocol, kind })
    }

    fn words(&self, record: &Record) -> Result<Option<Said>, Fault> {
        let Some(number) = record.said else {
            return Ok(None);
        };
        let said = usize::try_from(number).ok().and_then(|number| self.said.get(number));
        said.cloned().map(Some).ok_or(Fault::UnknownWords(number))
    }

    /// Fills [`Self::line`]; whether there was one.
    fn next_line(&mut self) -> Result<bool, Fault> {
        self.line.clear();
        self.line_number += 1;
        let limit = Self::LINE_BYTES_MAX as u64 + 1;
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.line);
        let bytes = read.map_err(|error| Fault::Unreadable(error.to_string()))?;
        if bytes > Self::LINE_BYTES_MAX {
            return Err(Fault::TooLong { max: Self::LINE_BYTES_MAX });
        }
        Ok(bytes > 0)
    }
}

enum Step {
    End,
    Fact(Box<Fact>),
    Noted,
}

fn uncompressed(mut input: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut magic = Vec::new();
    input.by_ref().take(Reader::ZSTD_MAGIC.len() as u64).read_to_end(&mut magic)?;
    let is_compressed = magic == Reader::ZSTD_MAGIC;
    let input = io::Cursor::new(magic).chain(input);
    if !is_compressed {
        return Ok(Box::new(BufReader::new(input)));
    }
    let mut decoder = zstd::Decoder::new(input)?;
    decoder.window_log_max(Reader::WINDOW_LOG_MAX)?;
    Ok(Box::new(BufReader::with_capacity(1 << 17, decoder)))
}
