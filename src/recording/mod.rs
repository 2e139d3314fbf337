//! Facts written down and read back: `*.facts.jsonl` and `*.facts.jsonl.zst`, for spans of time that are too long for a
//! capture.
//!
//! One JSON object a line, each with one member that says what it is:
//!
//! ```text
//! {"recording":{"version":1}}                  the first line
//! {"flow":{"id":7,"client":"198.51.100.7:51820","server":"203.0.113.10:51820",…}}
//! {"said":{"protocol":"dns","kind":{"name":{"question":"www.example.com",…}}}}
//! {"fact":{"at":1788000000000000000,"flow":7,"said":0}}
//! {"fact":{"at":1788000060000000000,"flow":7,"kind":{"activity":{…}}}}
//! ```
//!
//! A `flow` line stands before the first fact of its flow, and again where something about the flow has changed; a flow is
//! forgotten behind its `flow_ended`. What is said more than once stands in a `said` line, numbered from 0 on. Facts stand
//! in the order of their time, of equal times in the order in which they are to be judged.

mod error;
mod reader;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

pub use error::{Fault, RecordingError};
pub use reader::Reader;
pub use writer::Writer;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::facts::{FactKind, FlowRef};
use crate::protocol::Protocol;
use crate::time::Timestamp;

/// The version of the form. One that is read must be the same.
pub const VERSION: u32 = 1;

/// The most different things that are said by number.
const SAID_MAX: usize = 1 << 16;

/// Whether a file is a recording of facts, by its name.
pub fn is_recording(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.ends_with(".facts.jsonl") || name.ends_with(".facts.jsonl.zst"))
}

/// What a line says.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Recording(Header),
    Flow(FlowRef),
    Said(Said),
    Fact(Record),
}

#[derive(Deserialize, Serialize)]
struct Header {
    version: u32,
}

/// What a parser said.
#[derive(Clone, Deserialize, Serialize)]
struct Said {
    protocol: Option<Protocol>,
    kind: FactKind,
}

/// A fact: with a number of what was said, or with its own words.
#[derive(Deserialize, Serialize)]
struct Record {
    at: Timestamp,
    flow: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protocol: Option<Protocol>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<FactKind>,
}

/// Whether every fact of a kind has numbers of its own, so that nothing of it is said twice.
const fn is_singular(kind: &FactKind) -> bool {
    matches!(kind, FactKind::Activity(_) | FactKind::FlowEnded(_) | FactKind::Minute(_))
}
