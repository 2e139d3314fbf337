//! What the operator is told when a recording of facts cannot be opened, read on or written.

use std::io;

/// A recording that cannot be used any further. The message names the file, the line and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("{file}:{line}: {fault}; every fact before it was judged, what follows it is not read")]
    Damaged { file: String, line: u64, fault: Fault },

    #[error("{file}: cannot be read: {source}")]
    Open { file: String, source: io::Error },

    #[error("{file}: cannot be written: {source}")]
    Write { file: String, source: io::Error },
}

/// What is wrong with a line.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("not a recording of facts: the first line must be {{\"recording\":{{\"version\":{version}}}}}", version = super::VERSION)]
    NoHeader,
    #[error("recorded in form {found}, and this sensor reads form {version}; record it anew", version = super::VERSION)]
    OtherVersion { found: u32 },
    #[error("no line of a recording: {0}")]
    NotALine(String),
    #[error("longer than {max} bytes")]
    TooLong { max: usize },
    #[error("the file ends within the line, or cannot be read on: {0}")]
    Unreadable(String),
    #[error("its time is before that of the fact before it; facts must stand in the order of their time")]
    Unordered,
    #[error("flow {0} has no line of its own before this")]
    UnknownFlow(u64),
    #[error("nothing was said with number {0} before this")]
    UnknownWords(u32),
    #[error("a fact has either `said` or `kind`")]
    Ambiguous,
    #[error("more than {max} {what}; split the recording")]
    TooMany { what: &'static str, max: usize },
}
