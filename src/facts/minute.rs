//! What flows that somebody drives something through do in a minute, as the shards tell it to the analysis.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::net::is_default;
use crate::time::{Timestamp, nanos};

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
    /// The tap to the client of a tunnel and back: the least of the minute's handshakes, where there were any.
    #[serde(default, skip_serializing_if = "is_default", with = "nanos::maybe")]
    pub client_rtt: Option<Duration>,
    /// What followed what, in a desktop or a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rhythm: Option<Box<Rhythm>>,
}

/// How input and pictures of a desktop or a shell follow each other in a minute.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rhythm {
    /// When groups of the client's small packets began.
    pub input: Quarters,
    /// When the server began to send a kilobyte or more at a time.
    pub pictures: Quarters,
    /// How long after the beginnings of the server's packets the client's came, in steps of [`Self::LAG_STEP`]: a program
    /// that answers every picture does so at one distance.
    pub lags: Vec<u16>,
}

impl Rhythm {
    pub const LAG_STEP: Duration = Duration::from_millis(10);
    pub const LAGS: usize = 80;

    /// Which of the lags a time is.
    pub const fn lag(time: Duration) -> usize {
        (time.as_millis() / Self::LAG_STEP.as_millis()) as usize
    }
}

/// Some quarters of a second of a minute.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Quarters([u64; Self::WORDS]);

impl Quarters {
    pub const COUNT: usize = 240;
    pub const LENGTH: Duration = Duration::from_millis(250);
    const WORDS: usize = 4;

    /// Which of them a moment is in, so long after the minute's beginning.
    pub const fn place(since_start: Duration) -> usize {
        (since_start.as_millis() / Self::LENGTH.as_millis()) as usize
    }

    /// Marks one; beyond the minute nothing is marked.
    pub fn mark(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64).filter(|_| place < Self::COUNT) {
            *word |= 1 << (place % 64);
        }
    }

    pub fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// Those that are marked, the first one first.
    pub fn marked(&self) -> impl Iterator<Item = usize> + '_ {
        (0..Self::COUNT).filter(|&place| self.has(place))
    }

    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Those that are marked, and so many after each.
    pub fn and_after(&self, more: usize) -> Self {
        let mut all = Self::default();
        self.marked().for_each(|place| (place..=place + more).for_each(|place| all.mark(place)));
        all
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_are_those_of_the_minute_and_no_others() {
        let mut quarters = Quarters::default();
        [0, 63, 64, 239, 240, 9999].into_iter().for_each(|place| quarters.mark(place));
        assert_eq!(quarters.marked().collect::<Vec<_>>(), [0, 63, 64, 239]);
        assert_eq!(quarters.and_after(2).marked().collect::<Vec<_>>(), [0, 1, 2, 63, 64, 65, 66, 239]);
        assert_eq!((quarters.count(), Quarters::place(Duration::from_millis(1749))), (4, 6));
    }
}
