//! Events, alerts and incidents in; lines in files, and messages to other programs out.

mod alertmanager;
mod captures;
mod connect;
mod http;
mod jsonl;
pub mod notice;
mod pseudonyms;
pub mod push;
mod spool;
mod syslog;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::tls::CertificatesError;
pub use captures::{CaptureFolder, Contents, Kept};
pub use jsonl::JsonLines;
pub use notice::Notice;
pub use pseudonyms::Pseudonyms;
pub use push::{Delivery, Pushes};

/// Which lines are written where; `-` is the standard output. What is not named is neither written nor sent.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// One JSON object a line for every event.
    pub events: Option<PathBuf>,
    /// One JSON object a line for every alert.
    pub alerts: Option<PathBuf>,
    /// What is sent to other programs while the sensor runs on an interface.
    pub push: push::Settings,
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
    #[error("{sink}: `{address}` is no address; write {}", if *sink == "syslog" { "HOST:PORT" } else { "http:// or https://, host, port and path" })]
    Address { sink: &'static str, address: String },
    #[error("{url}: give either `user` and `password_file`, or `bearer_token_file`")]
    Authorization { url: String },
    #[error("evidence captures: cannot keep them in {}: {source}; set evidence_captures.dir to a folder that the sensor's user can write in", path.display())]
    Captures { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    #[error("syslog: the hostname `{hostname}` must be of 1 to 255 printable letters without spaces")]
    Hostname { hostname: String },
    #[error("{sink}: cannot open {}: {source}", path.display())]
    Open { sink: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{sink}: cannot keep what waits in {}: {source}; set sinks.push.queue.directory to a folder that can be written in", path.display())]
    Queue { sink: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{}: cannot read the secret: {source}", path.display())]
    Secret { path: PathBuf, source: std::io::Error },
    #[error("events and alerts both go to {}; give each its own file", path.display())]
    Shared { path: PathBuf },
    #[error("{}: the key for pseudonyms has {bytes} bytes and needs {bytes_min}; `openssl rand -hex 32` makes one", path.display())]
    WeakKey { path: PathBuf, bytes: usize, bytes_min: usize },
    #[error("{sink}: cannot write to {target}: {source}; the {lines} lines before are complete")]
    Write { sink: &'static str, target: String, lines: u64, source: std::io::Error },
}

fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Why a message was not delivered.
#[derive(Debug)]
enum Undelivered {
    /// It may be, another time.
    Later(String),
    /// The receiver says that it can do nothing with it.
    Never(String),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::Timestamp;

    pub(super) fn notice() -> Notice {
        Notice {
            id: "1f".into(),
            kind: notice::Kind::Incident,
            ended: false,
            since: Timestamp::from_secs(1_700_000_000),
            at: Timestamp::from_secs(1_700_000_000),
            level: "high",
            severity: 4,
            title: "Evidence of a laptop farm".into(),
            entity: ("site", "198.51.100.7".into()),
            document: json!({"message": "Three sentences.", "event.id": "1f"}),
        }
    }
}
