//! Events and alerts in, lines in files out.

mod jsonl;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use jsonl::JsonLines;

/// Which lines are written where; `-` is the standard output. What is not named is not written.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// One JSON object a line for every event.
    pub events: Option<PathBuf>,
    /// One JSON object a line for every alert.
    pub alerts: Option<PathBuf>,
}

impl Settings {
    /// Whether a sink writes to the standard output, which the summary then leaves alone.
    pub fn use_standard_output(&self) -> bool {
        [&self.events, &self.alerts].into_iter().flatten().any(|path| is_standard_output(path))
    }

    /// The file that both sinks would write to, each over the other.
    pub fn shared_file(&self) -> Option<&Path> {
        let events = self.events.as_deref()?;
        (self.alerts.as_deref() == Some(events) && !is_standard_output(events)).then_some(events)
    }
}

/// Whether a file is begun anew or written on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opening {
    Append,
    Truncate,
}

/// A sink that cannot be opened or written on.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("{sink}: cannot open {}: {source}", path.display())]
    Open { sink: &'static str, path: PathBuf, source: std::io::Error },
    #[error("events and alerts both go to {}; give each its own file", path.display())]
    Shared { path: PathBuf },
    #[error("{sink}: cannot write to {target}: {source}; the {lines} lines before are complete")]
    Write { sink: &'static str, target: String, lines: u64, source: std::io::Error },
}

fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}
