//! Whether a device calls one outside address as regularly as a program does.
//!
//! # What it sees
//!
//! The beginnings of a device's connections to an outside address and port, and what they send. Even intervals and even
//! sizes over hours make a score: half for the intervals (how little they differ from their mean, and from their median),
//! half for the sizes. What many devices call is left out, and so is each device's first call: most are never repeated,
//! and nothing need be kept of them.
//!
//! # Why it matters
//!
//! Whatever waits for orders asks for them, again and again.
//!
//! # Normal causes
//!
//! Updates, telemetry, mail, synchronised clocks and monitoring: regular, too, but common in the fleet or sanctioned.
//! What is the device's alone, in clear, and to a bare address is left.
//!
//! # Blind spots
//!
//! Intervals that were made uneven. A connection that stays open.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::fleet::Users;
use crate::detect::{Detector, Family};
use crate::enrich::networks::Role;
use crate::event::Event;
use crate::facts::{FactKind, Fields, Sender};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::memory::{Memory, MemoryError};
use crate::net::{Endpoint, Transport};
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "beacon";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.beacon.score", help: "How regular the calls are, 0 to 1." },
    FieldSpec { name: "spanwatch.beacon.period", help: "The median of the intervals, in seconds." },
    FieldSpec { name: "spanwatch.beacon.variation", help: "The intervals' standard deviation over their mean." },
    FieldSpec { name: "spanwatch.beacon.calls", help: "How many calls were compared." },
    FieldSpec { name: "spanwatch.beacon.since", help: "When the first of them was." },
    FieldSpec { name: "spanwatch.beacon.devices", help: "How many devices call that address." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// So many calls are needed.
    pub calls: usize,
    /// Over so long at least.
    #[serde(deserialize_with = "quantity::duration")]
    pub span: Duration,
    /// From this score on it is a finding, in percent.
    pub score_percent: u32,
    /// What so many percent of the devices call is common.
    pub common_percent: usize,
    /// And at least so many devices do.
    pub common_devices: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { calls: 20, span: Duration::from_secs(3600), score_percent: 80, common_percent: 2, common_devices: 3 }
    }
}

#[derive(Default)]
pub struct Beacon {
    settings: Settings,
    fleet: Users<Endpoint, DeviceId>,
    /// Of the event at hand, where its device called the same address before.
    call: Option<(DeviceId, Endpoint, Call)>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Call {
    started: Timestamp,
    sent_bytes: u64,
    devices: usize,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    /// The latest last.
    calls: VecDeque<Call>,
    told_day: Option<u64>,
}

/// How far numbers are from all being the same.
#[derive(Clone, Copy, Debug)]
struct Spread {
    median: f64,
    /// The standard deviation over the mean.
    variation: f64,
    /// 1 where all are the same, 0 where they differ as much as they are large.
    evenness: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let middle = |sorted: &[f64]| sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        let median = middle(&values);
        let mut deviations: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
        deviations.sort_by(f64::total_cmp);
        let over = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let variation = over(variance.sqrt(), mean);
        let evenness = (1.0 - variation).max(0.0).midpoint((1.0 - over(middle(&deviations), median)).max(0.0));
        Self { median, variation, evenness }
    }
}

impl Beacon {
    const CALLS_MAX: usize = 32;

    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// A connection of a device at home to an address outside that is nobody's we know, once it is over.
    fn call(event: &Event<'_>) -> Option<(DeviceId, Endpoint, Call)> {
        let fact = event.fact()?;
        let FactKind::FlowEnded(summary) = &fact.kind else {
            return None;
        };
        if fact.flow.transport != Transport::Tcp || summary.client.payload_bytes == 0 {
            return None;
        }
        let server = fact.flow.server;
        let is_sanctioned =
            event.world().networks.get(server.ip).is_some_and(|zone| zone.roles.contains(&Role::Sanctioned));
        let is_outbound = event.is_home(Sender::Client) && !event.is_home(Sender::Server);
        if !is_outbound || is_sanctioned || event.application().is_some_and(|known| known.sanctioned) {
            return None;
        }
        let call = Call { started: fact.flow.started, sent_bytes: summary.client.payload_bytes, devices: 0 };
        Some((event.device(Sender::Client)?, server, call))
    }
}

impl Detector for Beacon {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    const HEARS: &'static [&'static str] = &["flow"];
    type Subject = (DeviceId, Endpoint);
    type Sighting = Call;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        let call = Self::call(event);
        self.call = call.filter(|(device, server, _)| self.fleet.add(server, device, event.at()));
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        self.fleet.remember(section, memory);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.fleet.recall(section, memory)
    }

    fn sight(&self, event: &Event<'_>) -> Option<((DeviceId, Endpoint), Call)> {
        let (device, server, call) = self.call?;
        let (percent, least) = (self.settings.common_percent, self.settings.common_devices);
        if self.fleet.is_common(&server, event.world().identity.device_count(), percent, least) {
            return None;
        }
        Some(((device, server), Call { devices: self.fleet.users(&server), ..call }))
    }

    fn judge(&self, window: &mut Window, call: Call, at: Timestamp) -> Option<Fields> {
        // Ends come in another order than beginnings.
        let place = window.calls.partition_point(|known| known.started <= call.started);
        window.calls.insert(place, call);
        if window.calls.len() > Self::CALLS_MAX {
            window.calls.pop_front();
        }
        let (first, last) = (window.calls.front()?.started, window.calls.back()?.started);
        let day = at.as_secs() / 86_400;
        let is_enough = window.calls.len() >= self.settings.calls && last.since(first) >= self.settings.span;
        if !is_enough || window.told_day == Some(day) {
            return None;
        }
        let pairs = window.calls.iter().zip(window.calls.iter().skip(1));
        let intervals =
            Spread::of(pairs.map(|(before, after)| after.started.since(before.started).as_secs_f64()).collect());
        let sizes = Spread::of(window.calls.iter().map(|call| call.sent_bytes as f64).collect());
        let score = intervals.evenness.midpoint(sizes.evenness);
        if score * 100.0 < f64::from(self.settings.score_percent) {
            return None;
        }
        window.told_day = Some(day);
        let mut evidence = Fields::default();
        evidence.push("spanwatch.beacon.score", score);
        evidence.push("spanwatch.beacon.period", intervals.median);
        evidence.push("spanwatch.beacon.variation", intervals.variation);
        evidence.push("spanwatch.beacon.calls", window.calls.len() as u64);
        evidence.push("spanwatch.beacon.since", first);
        evidence.push("spanwatch.beacon.devices", call.devices as u64);
        Some(evidence)
    }

    fn entity((device, _): &(DeviceId, Endpoint)) -> Entity {
        Entity::Device(*device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: [usize; 0] = [];

    /// Judges calls by second and size; after how many each finding came.
    fn found(calls: impl IntoIterator<Item = (u64, u64)>) -> Vec<usize> {
        let (detector, mut window) = (Beacon::default(), Window::default());
        let is_found = |(number, (secs, sent_bytes)): (usize, (u64, u64))| {
            let started = Timestamp::from_secs(secs);
            let call = Call { started, sent_bytes, devices: 1 };
            detector.judge(&mut window, call, started).map(|_| number + 1)
        };
        calls.into_iter().enumerate().filter_map(is_found).collect()
    }

    /// Every five minutes, give or take.
    fn every_five_minutes(calls: u64, off_secs: u64) -> impl Iterator<Item = (u64, u64)> {
        (0..calls).map(move |n| (n * 300 + (n * 7919 % 2) * off_secs, 200))
    }

    #[test]
    fn the_twentieth_even_call_is_a_finding_once_a_day() {
        assert_eq!(found(every_five_minutes(19, 0)), NEVER);
        assert_eq!(found(every_five_minutes(40, 0)), [20]);
        assert_eq!(found(every_five_minutes(300, 0)), [20, 289]);
    }

    #[test]
    fn it_takes_an_hour() {
        assert_eq!(found((0..21).map(|n| (n * 170, 200))), NEVER);
        assert_eq!(found((0..21).map(|n| (n * 180, 200))), [21]);
    }

    #[test]
    fn uneven_calls_are_somebodys() {
        assert_eq!(found(every_five_minutes(60, 20)), [20], "a little jitter");
        assert_eq!(found(every_five_minutes(60, 280)), NEVER);
        assert_eq!(found((0..60).map(|n| (n * n * 20, 200 + n * n * 40))), NEVER);
    }

    #[test]
    fn what_is_remembered_of_a_call_is_bounded() {
        let (detector, mut window) = (Beacon::default(), Window::default());
        for n in 0..1000 {
            let call = Call { started: Timestamp::from_secs(n), sent_bytes: 1, devices: 1 };
            detector.judge(&mut window, call, Timestamp::from_secs(n));
        }
        assert_eq!(window.calls.len(), Beacon::CALLS_MAX);
    }
}
