//! The first packets of every flow in, captures of those that a rule asked for out: what an analyst is shown beside the words.
//!
//! The analysis keeps the beginnings of flows in bounded memory ([`Shelf`]), in the order of the packets, and so gives the
//! same captures for any number of shards, live and in a replay. A rule that says `capture: true` makes exhibits of the flows
//! it matched. What of the payload is shown depends on the protocol: see [`Shelf`].

mod name;
mod pcap;
mod shelf;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::flow::OpeningLimits;
use crate::quantity;
pub use name::ExhibitName;
pub use shelf::{Counters, Shelf};

/// Whether evidence captures are kept, and how much of them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The folder of the captures. Without it none are kept, and no packet is looked at for them.
    pub dir: Option<PathBuf>,
    /// The most that all captures take; the oldest give way.
    #[serde(deserialize_with = "quantity::bytes")]
    pub folder_bytes_max: u64,
    /// The first packets of a session that its capture holds.
    #[serde(deserialize_with = "packets")]
    pub packets_max: u64,
    /// The first bytes of a packet's payload that are kept, where the protocol allows it.
    #[serde(deserialize_with = "payload_bytes")]
    pub payload_bytes_max: usize,
    /// The most memory that the beginnings of flows take until a rule asks for them.
    #[serde(deserialize_with = "quantity::bytes")]
    pub memory_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dir: None,
            folder_bytes_max: 256 << 20,
            packets_max: 16,
            payload_bytes_max: 128,
            memory_bytes_max: 64 << 20,
        }
    }
}

impl Settings {
    const PACKETS_MAX: u64 = 256;
    const PAYLOAD_BYTES_MAX: usize = 1500;

    /// What the shards are to hand on; nothing where no captures are kept.
    pub fn openings(&self) -> Option<OpeningLimits> {
        let limits = OpeningLimits { packets_max: self.packets_max, payload_bytes_max: self.payload_bytes_max };
        self.dir.is_some().then_some(limits)
    }
}

fn packets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let packets = u64::deserialize(deserializer)?;
    if (1..=Settings::PACKETS_MAX).contains(&packets) {
        return Ok(packets);
    }
    let most = Settings::PACKETS_MAX;
    Err(D::Error::custom(format_args!("an evidence capture holds 1 to {most} packets, not {packets}")))
}

fn payload_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let bytes: usize = quantity::bytes(deserializer)?;
    if bytes <= Settings::PAYLOAD_BYTES_MAX {
        return Ok(bytes);
    }
    let most = Settings::PAYLOAD_BYTES_MAX;
    Err(D::Error::custom(format_args!(
        "evidence captures hold at most {most} bytes of a packet's payload, not {bytes}"
    )))
}

/// The capture of one session, as a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exhibit {
    pub name: ExhibitName,
    pub bytes: Vec<u8>,
}
