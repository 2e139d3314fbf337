//! What flows that somebody drives something through do in a minute, as the shards tell it to the analysis.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What a flow that somebody drives something through (a remote desktop, a shell, a tunnel) did in one minute of packet
/// time: said when the minute or the flow is over, and only where the client sent payload.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Minute {
    /// A whole minute since the Unix epoch.
    pub start: Timestamp,
    pub through: Channel,
    pub client_packets: u32,
    pub server_packets: u32,
    /// Bytes of the IP packets, headers and all.
    pub client_bytes: u64,
    pub server_bytes: u64,
    /// Groups of small packets of the client that a hand may have made: they began 30 ms to 10 s after the packet before.
    pub client_bursts: u32,
    /// All groups of small packets of the client that are 30 ms or more apart.
    pub client_groups: Groups,
}

/// What somebody drives something through.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The screen, keys and mouse of the server.
    #[default]
    Desktop,
    /// A shell on the server.
    Shell,
    /// Any traffic of the client to a network behind the server.
    Tunnel,
}

impl Channel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Shell => "shell",
            Self::Tunnel => "tunnel",
        }
    }
}

/// How regularly groups of packets began, such that the parts of several minutes add up.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Groups {
    pub count: u32,
    /// When the first and the last one began; zero where there is none.
    pub first: Timestamp,
    pub last: Timestamp,
    /// The sum of the squares of the times between their beginnings, in ms².
    pub gap_squares_ms2: u64,
}

impl Minute {
    pub const LENGTH: Duration = Duration::from_secs(60);

    /// The beginning of the minute that holds `at`.
    pub const fn start_of(at: Timestamp) -> Timestamp {
        Timestamp::from_secs(at.as_secs() / 60 * 60)
    }

    pub fn end(&self) -> Timestamp {
        self.start + Self::LENGTH
    }
}
