//! Calls in which a device shows its screen all day and hears nothing.
//!
//! # What it sees
//!
//! What a device sends and gets, hour by hour, on its connections to a conferencing product and, while it is in touch with
//! one, in datagrams of no known protocol. An hour counts in which much went out, several times what came in, and less came
//! in than a voice takes. A day with enough such hours counts; the third one of a week is a finding, and each further one.
//!
//! # Why it matters
//!
//! Most of these products let one participant drive another one's screen. A laptop that shows itself all day to somebody who
//! does not speak is driven by them, with a product that nobody forbids.
//!
//! # Normal causes
//!
//! A dashboard or a test rig that is shown to colleagues. Talks and meetings are heard, too; they count for nothing.
//!
//! # Blind spots
//!
//! Products that are not known; calls whose traffic leaves at the user's home, and not through the tunnel. A call with the
//! sound on.

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
use crate::memory::{Memory, MemoryError};
use crate::net::Transport;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

pub const NAME: &str = "one_way_call";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec {
        name: "spanwatch.call.days",
        help: "On how many days of the last week the device showed itself all day.",
    },
    FieldSpec { name: "spanwatch.call.hours", help: "In how many hours of the latest of them." },
    FieldSpec { name: "spanwatch.call.bytes_out", help: "What it sent in these hours, in bytes." },
    FieldSpec { name: "spanwatch.call.bytes_in", help: "What it got in them." },
];

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A day with so many hours counts.
    pub hours: usize,
    /// From so many days of a week on it is a finding.
    pub days: usize,
    /// An hour counts in which so much went out…
    #[serde(deserialize_with = "quantity::bytes")]
    pub hour_bytes_out: u64,
    /// … and no more than this came in: a voice takes 15 MB and more.
    #[serde(deserialize_with = "quantity::bytes")]
    pub hour_bytes_in_max: u64,
    /// So many times more went out than came in.
    pub ratio: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { hours: 8, days: 3, hour_bytes_out: 10_000_000, hour_bytes_in_max: 5_000_000, ratio: 4.0 }
    }
}

pub struct OneWayCall {
    settings: Settings,
    /// When devices were last in touch with a conferencing product.
    in_touch: Recent<DeviceId, Timestamp>,
}

/// A flow as it was reported: what the device sent and got in it so far.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    flow: FlowId,
    started: Timestamp,
    sent: Carried,
    is_over: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Carried {
    out: u64,
    back: u64,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    /// What the flows had carried at their last reports.
    #[serde(skip)]
    reported: Reported<Carried>,
    /// By the hour since the epoch.
    hours: BTreeMap<u64, Carried>,
    told_day: u64,
}

impl OneWayCall {
    const IN_TOUCH: Retention = Retention { entries_max: 16_384, keep: Self::IN_TOUCH_FOR };
    /// Open flows are told of once an hour.
    const IN_TOUCH_FOR: Duration = Duration::from_secs(5400);
    const HOURS_KEPT: u64 = 7 * 24;
    /// What came in an hour is known when every flow was told of after it.
    const TOLD_HOURS_LATER: u64 = 2;

    pub fn new(settings: Settings) -> Self {
        Self { settings, in_touch: Recent::new(Self::IN_TOUCH) }
    }

    fn is_conferencing(event: &Event<'_>) -> bool {
        let is = |application: &crate::world::Application| {
            application.is_in_use() && application.kind() == Some(Kind::Conferencing)
        };
        event.application().is_some_and(is)
    }

    /// Whether a flow may carry pictures of a call that its device is in.
    fn is_media(&self, event: &Event<'_>, device: DeviceId) -> bool {
        let is_unknown = event.protocol().is_none_or(|protocol| matches!(protocol.as_str(), "dtls" | "stun"));
        event.flow().transport == Transport::Udp && is_unknown && self.in_touch.get(&device).is_some()
    }

    /// Spreads what came since the flow's last report over the hours in between.
    fn add(window: &mut Window, report: Report, at: Timestamp) {
        let beginning = (report.started, Carried::default());
        let before = window.reported.take((report.flow, report.is_over), (at, report.sent), beginning);
        let Some((since, sent)) = before else { return };
        let last = at.as_secs() / 3600;
        let first = (since.as_secs() / 3600).max(last.saturating_sub(Self::HOURS_KEPT));
        let out = report.sent.out.saturating_sub(sent.out);
        let back = report.sent.back.saturating_sub(sent.back);
        let span_secs = at.since(since).as_secs_f64().max(1.0);
        for hour in first..=last {
            let begin = since.max(Timestamp::from_secs(hour * 3600));
            let end = at.min(Timestamp::from_secs((hour + 1) * 3600));
            let share = if first == last { 1.0 } else { end.since(begin).as_secs_f64() / span_secs };
            let carried = window.hours.entry(hour).or_default();
            carried.out = carried.out.saturating_add((out as f64 * share) as u64);
            carried.back = carried.back.saturating_add((back as f64 * share) as u64);
        }
    }

    fn is_one_way(&self, carried: Carried) -> bool {
        carried.out >= self.settings.hour_bytes_out
            && carried.back <= self.settings.hour_bytes_in_max
            && carried.out as f64 >= self.settings.ratio * carried.back as f64
    }
}

impl Detector for OneWayCall {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    type Subject = DeviceId;
    type Sighting = Report;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        if !Self::is_conferencing(event) {
            return;
        }
        self.in_touch.expire(event.at());
        if let Some(device) = event.home_side().and_then(|side| event.device(side)) {
            *self.in_touch.get_or_insert_with(device, event.at(), || event.at()) = event.at();
        }
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        memory.put(&format!("{section}.in_touch"), &self.in_touch);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.in_touch.restore(memory.get(&format!("{section}.in_touch"))?.unwrap_or_default());
        Ok(())
    }

    fn sight(&self, event: &Event<'_>) -> Option<(DeviceId, Report)> {
        let (FactKind::Activity(summary) | FactKind::FlowEnded(summary)) = &event.fact()?.kind else {
            return None;
        };
        let is_call = Self::is_conferencing(event);
        if !is_call && (event.flow().transport != Transport::Udp || self.in_touch.is_empty()) {
            return None;
        }
        let side = event.home_side().filter(|&side| !event.is_home(side.other()))?;
        let device = event.device(side)?;
        if !is_call && !self.is_media(event, device) {
            return None;
        }
        let flow = event.flow();
        let report = Report {
            flow: flow.id,
            started: flow.started,
            sent: carried(summary, side),
            is_over: summary.end.is_some(),
        };
        Some((device, report))
    }

    fn judge(&self, window: &mut Window, report: Report, at: Timestamp) -> Option<Fields> {
        Self::add(window, report, at);
        let now = at.as_secs() / 3600;
        window.hours.retain(|&hour, _| now.saturating_sub(hour) < Self::HOURS_KEPT);
        let is_known = |hour: u64| now.saturating_sub(hour) >= Self::TOLD_HOURS_LATER;
        let mut days: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for (&hour, &carried) in &window.hours {
            if is_known(hour) && self.is_one_way(carried) {
                days.entry(hour / 24).or_default().insert(hour);
            }
        }
        days.retain(|_, hours| hours.len() >= self.settings.hours);
        let (&day, hours) = days.last_key_value()?;
        if days.len() < self.settings.days || day <= window.told_day {
            return None;
        }
        window.told_day = day;
        let carried = || hours.iter().filter_map(|hour| window.hours.get(hour));
        let mut evidence = Fields::default();
        evidence.push("spanwatch.call.days", days.len() as u64);
        evidence.push("spanwatch.call.hours", hours.len() as u64);
        evidence
            .push("spanwatch.call.bytes_out", carried().fold(0, |sum: u64, carried| sum.saturating_add(carried.out)));
        evidence
            .push("spanwatch.call.bytes_in", carried().fold(0, |sum: u64, carried| sum.saturating_add(carried.back)));
        Some(evidence)
    }

    fn entity(device: &DeviceId) -> Entity {
        Entity::Device(*device)
    }
}

/// What a side sent and got.
const fn carried(summary: &FlowSummary, side: Sender) -> Carried {
    match side {
        Sender::Client => Carried { out: summary.client.bytes, back: summary.server.bytes },
        Sender::Server => Carried { out: summary.server.bytes, back: summary.client.bytes },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Value;

    const HOUR: u64 = 3600;
    const MB: u64 = 1_000_000;

    /// A call a day, from eight on, for so many hours, with so much out and in each hour; on which days it is a finding.
    fn found(days: u64, hours: u64, (out, back): (u64, u64)) -> Vec<u64> {
        let (detector, mut window) = (OneWayCall::new(Settings::default()), Window::default());
        let mut found = Vec::new();
        for day in 1..=days {
            let started = Timestamp::from_secs((day * 24 + 8) * HOUR);
            for hour in 1..=hours + 2 {
                let told = hour.min(hours);
                let sent = Carried { out: told * out, back: told * back };
                let report = Report { flow: FlowId(day), started, sent, is_over: false };
                let at = Timestamp::from_secs((day * 24 + 8 + hour) * HOUR);
                if let Some(evidence) = detector.judge(&mut window, report, at) {
                    let Some(Value::Number(bytes)) = evidence.get("spanwatch.call.bytes_out") else {
                        panic!("{evidence:?}")
                    };
                    assert!(*bytes >= 8 * out, "{bytes}");
                    found.push(day);
                }
            }
        }
        found
    }

    #[test]
    fn the_third_silent_day_of_a_week_is_a_finding_and_each_further_one() {
        assert_eq!(found(2, 9, (20 * MB, MB)), [0; 0]);
        assert_eq!(found(4, 9, (20 * MB, MB)), [3, 4]);
    }

    #[test]
    fn a_day_counts_from_eight_hours_on() {
        assert_eq!(found(3, 8, (20 * MB, MB)), [3]);
        assert_eq!(found(3, 7, (20 * MB, MB)), [0; 0]);
    }

    #[test]
    fn who_hears_or_sees_something_is_in_a_meeting() {
        assert_eq!(found(5, 9, (60 * MB, 6 * MB)), [0; 0], "a voice");
        assert_eq!(found(5, 9, (15 * MB, 4 * MB)), [0; 0], "not four times as much");
        assert_eq!(found(3, 9, (20 * MB, 5 * MB)), [3]);
        assert_eq!(found(5, 9, (9 * MB, 0)), [0; 0], "a picture of nothing");
    }

    #[test]
    fn what_is_remembered_of_a_device_is_bounded() {
        let (detector, mut window) = (OneWayCall::new(Settings::default()), Window::default());
        for n in 0..5000 {
            let sent = Carried { out: u64::MAX, back: 0 };
            let report = Report { flow: FlowId(n), started: Timestamp::ZERO, sent, is_over: false };
            detector.judge(&mut window, report, Timestamp::from_secs(n * HOUR));
        }
        assert_eq!(window.reported.len(), 64);
        assert!(window.hours.len() <= 7 * 24);
    }
}
