//! Whether a machine asks for addresses under hardware addresses that are not its own: a channel inside ARP.
//!
//! # What it sees
//!
//! ARP probes (requests without an address of the sender's own) whose sender differs from the frame's. Ten of a machine in a
//! minute, or three different senders, are a finding once an hour.
//!
//! # Why it matters
//!
//! Malware of remote workers carried orders in the sender of ARP probes: they reach every machine of the segment, pass no
//! firewall and look like housekeeping.
//!
//! # Normal causes
//!
//! A machine that takes an address probes three times, under its own hardware address. Some wireless bridges and failover
//! pairs ask for others.
//!
//! # Blind spots
//!
//! Works on the machines' own segment. ARP with other contents is not looked into.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::sightings::Sightings;
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{FactKind, Fields, Value};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::net::Mac;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "arp_channel";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.arp.probes", help: "How many probes in the window were under another address." },
    FieldSpec { name: "spanwatch.arp.senders", help: "Under how many different ones." },
    FieldSpec { name: "spanwatch.arp.since", help: "When the first of them was." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ArpChannel {
    /// So many probes under another hardware address.
    pub probes: usize,
    /// Or under so many different ones.
    pub senders: usize,
    /// Within so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub window: Duration,
}

impl Default for ArpChannel {
    fn default() -> Self {
        Self { probes: 10, senders: 3, window: Duration::from_secs(60) }
    }
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    /// The latest last.
    probes: VecDeque<Timestamp>,
    senders: Sightings<Mac>,
    told: Option<Timestamp>,
}

impl ArpChannel {
    const PROBES_MAX: usize = 64;
    const SENDERS_MAX: usize = 64;
    const TOLD_FOR: Duration = Duration::from_secs(3600);
}

impl Detector for ArpChannel {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    const HEARS: &'static [&'static str] = &["name"];
    type Subject = DeviceId;
    type Sighting = Mac;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(DeviceId, Mac)> {
        let FactKind::Name(name) = &event.fact()?.kind else {
            return None;
        };
        let Some(Value::Mac(sender)) = name.fields.get("arp.sender_mac") else {
            return None;
        };
        let own = event.flow().client_mac.filter(|own| own.is_a_machine() && own != sender)?;
        Some((DeviceId::of_mac(own), *sender))
    }

    fn judge(&self, window: &mut Window, sender: Mac, at: Timestamp) -> Option<Fields> {
        window.senders.add(sender, at, self.window, Self::SENDERS_MAX);
        window.probes.retain(|&probe| at.since(probe) <= self.window);
        if window.probes.len() == Self::PROBES_MAX {
            window.probes.pop_front();
        }
        window.probes.push_back(at);
        let is_enough = window.probes.len() >= self.probes || window.senders.len() >= self.senders;
        if !is_enough || window.told.is_some_and(|told| at.since(told) < Self::TOLD_FOR) {
            return None;
        }
        window.told = Some(at);
        let mut evidence = Fields::default();
        evidence.push("spanwatch.arp.probes", window.probes.len() as u64);
        evidence.push("spanwatch.arp.senders", window.senders.len() as u64);
        evidence.push_some("spanwatch.arp.since", window.probes.front().copied());
        Some(evidence)
    }

    fn entity(device: &DeviceId) -> Entity {
        Entity::Device(*device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges probes by the last byte of their sender and second; at which of them there was a finding.
    fn found(probes: impl IntoIterator<Item = (u8, u64)>) -> Vec<usize> {
        let (detector, mut window) = (ArpChannel::default(), Window::default());
        let judge = |(sender, secs)| {
            detector.judge(&mut window, Mac([2, 0, 0, 0, 0, sender]), Timestamp::from_secs(secs)).is_some()
        };
        probes.into_iter().map(judge).enumerate().filter(|(_, found)| *found).map(|(number, _)| number + 1).collect()
    }

    const NEVER: [usize; 0] = [];

    #[test]
    fn the_tenth_probe_of_a_minute_is_a_finding_once_an_hour() {
        assert_eq!(found((0..9).map(|n| (1, n))), NEVER);
        assert_eq!(found((0..40).map(|n| (1, n))), [10]);
        assert_eq!(found((0..3700).map(|n| (1, n))), [10, 3610]);
    }

    #[test]
    fn probes_of_more_than_a_minute_do_not_count_together() {
        assert_eq!(found((0..100).map(|n| (1, n * 7))), NEVER);
    }

    #[test]
    fn the_third_sender_is_a_finding() {
        assert_eq!(found([(1, 0), (2, 1), (1, 2), (2, 3)]), NEVER);
        assert_eq!(found([(1, 0), (2, 1), (3, 60)]), [3]);
        assert_eq!(found([(1, 0), (2, 1), (3, 61)]), NEVER);
    }
}
