//! For how many hours a day a device is driven from elsewhere.
//!
//! # What it sees
//!
//! Flows of remote desktops and of remote-access products at a device at home, by the hours in which they carried more than
//! an idle connection does. A day counts that has enough of them; the fifth such day of a week is a finding, and each
//! further one.
//!
//! # Why it matters
//!
//! Help is given for half an hour. Somebody who works through a machine is connected to it all day, every day.
//!
//! # Normal causes
//!
//! A workstation in the office that its user drives from home, a monitor on a wall, an administrator's console.
//!
//! # Blind spots
//!
//! An IP-KVM at the machine's own screen. Where the traffic leaves at the user's home, and not through the tunnel.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::reported::Reported;
use crate::detect::{Detector, Family};
use crate::enrich::products::Kind;
use crate::event::Event;
use crate::facts::{FactKind, Fields, FlowId, FlowSummary, Sender};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

pub const NAME: &str = "session_hours";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec {
        name: "spanwatch.session.days",
        help: "On how many days of the last week the device was driven all day.",
    },
    FieldSpec { name: "spanwatch.session.hours", help: "In how many hours of that day it was." },
    FieldSpec { name: "spanwatch.session.hours_week", help: "In how many hours of the week." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A day with so many hours counts.
    pub hours: usize,
    /// From so many days of a week on it is a finding.
    pub days: usize,
    /// An hour counts in which so much was carried, both ways.
    #[serde(deserialize_with = "quantity::bytes")]
    pub hour_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { hours: 12, days: 5, hour_bytes: 1_000_000 }
    }
}

pub struct SessionHours {
    settings: Settings,
    /// The flows that were said to be remote desktops.
    desktops: Recent<FlowId, ()>,
}

/// A flow as it was reported.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    flow: FlowId,
    started: Timestamp,
    bytes: u64,
    is_over: bool,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    /// What the flows had carried at their last reports.
    #[serde(skip)]
    reported: Reported<u64>,
    /// The hours since the epoch in which the device was driven.
    hours: BTreeSet<u64>,
    told_day: u64,
}

impl SessionHours {
    const DESKTOPS: Retention = Retention { entries_max: 16_384, keep: Duration::from_secs(7 * 86_400) };
    const HOURS_KEPT: u64 = 7 * 24;

    pub fn new(settings: Settings) -> Self {
        Self { settings, desktops: Recent::new(Self::DESKTOPS) }
    }

    fn summary<'e>(event: &Event<'e>) -> Option<&'e FlowSummary> {
        match &event.fact()?.kind {
            FactKind::Activity(summary) | FactKind::FlowEnded(summary) => Some(summary),
            _ => None,
        }
    }

    /// The side that is driven: the server of a remote desktop, and whoever speaks to a product's relays.
    fn driven_side(&self, event: &Event<'_>) -> Option<Sender> {
        if self.desktops.get(&event.flow().id).is_some() && event.is_home(Sender::Server) {
            return Some(Sender::Server);
        }
        let application = event.application()?;
        let is_product = application.is_in_use() && application.kind() == Some(Kind::RemoteAccess);
        is_product.then(|| event.home_side()).flatten()
    }

    /// Adds the hours since the flow's last report, if it carried enough in them.
    fn add(&self, window: &mut Window, report: Report, at: Timestamp) {
        let beginning = (report.started, 0);
        let before = window.reported.take((report.flow, report.is_over), (at, report.bytes), beginning);
        let Some((since, bytes)) = before else { return };
        let span_secs = at.since(since).as_secs().max(1);
        let hour_bytes = u128::from(report.bytes.saturating_sub(bytes)) * 3600 / u128::from(span_secs);
        if hour_bytes < u128::from(self.settings.hour_bytes) {
            return;
        }
        let last = at.as_secs() / 3600;
        let first = (since.as_secs() / 3600).max(last.saturating_sub(Self::HOURS_KEPT));
        window.hours.extend(first..=last);
    }
}

impl Detector for SessionHours {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    const HEARS: &'static [&'static str] = &["activity", "flow", "remote_desktop"];
    type Subject = DeviceId;
    type Sighting = Report;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        match event.fact().map(|fact| &fact.kind) {
            Some(FactKind::RemoteDesktop(_)) => {
                self.desktops.expire(event.at());
                self.desktops.get_or_insert_with(event.flow().id, event.at(), || ());
            }
            Some(FactKind::Activity(_)) => {
                self.desktops.get_mut(&event.flow().id, event.at());
            }
            _ => {}
        }
    }

    fn sight(&self, event: &Event<'_>) -> Option<(DeviceId, Report)> {
        let summary = Self::summary(event)?;
        let device = event.device(self.driven_side(event)?)?;
        let flow = event.flow();
        let bytes = summary.client.bytes.saturating_add(summary.server.bytes);
        let is_over = summary.end.is_some();
        Some((device, Report { flow: flow.id, started: flow.started, bytes, is_over }))
    }

    fn judge(&self, window: &mut Window, report: Report, at: Timestamp) -> Option<Fields> {
        self.add(window, report, at);
        let hour = at.as_secs() / 3600;
        window.hours.retain(|&known| hour.saturating_sub(known) < Self::HOURS_KEPT);
        let mut days: BTreeMap<u64, usize> = BTreeMap::new();
        for hour in &window.hours {
            *days.entry(hour / 24).or_default() += 1;
        }
        days.retain(|_, hours| *hours >= self.settings.hours);
        let (&day, &hours) = days.last_key_value()?;
        if days.len() < self.settings.days || day <= window.told_day {
            return None;
        }
        window.told_day = day;
        let mut evidence = Fields::default();
        evidence.push("spanwatch.session.days", days.len() as u64);
        evidence.push("spanwatch.session.hours", hours as u64);
        evidence.push("spanwatch.session.hours_week", window.hours.len() as u64);
        Some(evidence)
    }

    fn entity(device: &DeviceId) -> Entity {
        Entity::Device(*device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Value;

    const HOUR: u64 = 3600;

    /// One flow a day, from eight on, for so many hours, reported hourly; on which days it is a finding, with how many.
    fn found(days: u64, hours: u64, hour_bytes: u64) -> Vec<(u64, u64)> {
        let (detector, mut window) = (SessionHours::new(Settings::default()), Window::default());
        let mut found = Vec::new();
        for (day, hour) in (1..=days).flat_map(|day| (1..=hours).map(move |hour| (day, hour))) {
            let started = Timestamp::from_secs((day * 24 + 8) * HOUR);
            let report = Report { flow: FlowId(day), started, bytes: hour * hour_bytes, is_over: false };
            // An hour is over a second before the next one.
            let at = Timestamp::from_secs((day * 24 + 8 + hour) * HOUR - 1);
            if let Some(Value::Number(count)) =
                detector.judge(&mut window, report, at).as_ref().and_then(|found| found.get("spanwatch.session.days"))
            {
                found.push((day, *count));
            }
        }
        found
    }

    #[test]
    fn the_fifth_long_day_of_a_week_is_a_finding_and_each_further_one_once() {
        assert_eq!(found(4, 14, 2_000_000), []);
        assert_eq!(found(6, 14, 2_000_000), [(5, 5), (6, 6)]);
    }

    #[test]
    fn a_day_counts_from_twelve_hours_on() {
        assert_eq!(found(5, 12, 2_000_000), [(5, 5)]);
        assert_eq!(found(7, 11, 2_000_000), []);
    }

    #[test]
    fn a_connection_that_only_stays_up_is_no_session() {
        assert_eq!(found(7, 14, 900_000), []);
    }

    #[test]
    fn what_is_remembered_of_a_device_is_bounded() {
        let (detector, mut window) = (SessionHours::new(Settings::default()), Window::default());
        for n in 0..10_000 {
            let at = Timestamp::from_secs(n * HOUR);
            let report = Report { flow: FlowId(n), started: Timestamp::ZERO, bytes: u64::MAX, is_over: false };
            detector.judge(&mut window, report, at);
        }
        assert_eq!(window.reported.len(), 64);
        assert!(window.hours.len() <= 7 * 24);
    }
}
