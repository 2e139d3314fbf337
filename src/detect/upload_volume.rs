//! Whether a device sends far more out in a day than it ever does.
//!
//! # What it sees
//!
//! The payload that a device at home sends to the outside, by day, as a power of two. The day at hand is compared with the
//! days before: with their median, in units of their median deviation, and with the greatest of them. A day that is far
//! beyond all of it, and large by itself, is a finding once.
//!
//! # Why it matters
//!
//! What is taken away leaves in bulk, whichever way it goes.
//!
//! # Normal causes
//!
//! A backup, a system image, a day of video calls, a move to another laptop.
//!
//! # Blind spots
//!
//! A device that is known for fewer than ten days. A little every day. What goes to sanctioned networks is left out.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::detect::reported::Reported;
use crate::detect::{Detector, Family};
use crate::enrich::networks::Role;
use crate::event::Event;
use crate::facts::{FactKind, Fields, FlowId, Sender};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "upload_volume";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.volume.bytes", help: "What the device sent out today, in bytes." },
    FieldSpec { name: "spanwatch.volume.usual_bytes", help: "The median of the days before." },
    FieldSpec { name: "spanwatch.volume.most_bytes", help: "The greatest of them." },
    FieldSpec {
        name: "spanwatch.volume.deviations",
        help: "How many deviations today is above the median (robust z).",
    },
    FieldSpec { name: "spanwatch.volume.days", help: "How many days before are known." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct UploadVolume {
    /// Less is never a finding.
    #[serde(deserialize_with = "quantity::bytes")]
    pub bytes: u64,
    /// So many deviations above the median.
    pub deviations: u32,
    /// So many days must be known.
    pub days: usize,
}

impl Default for UploadVolume {
    fn default() -> Self {
        Self { bytes: 500_000_000, deviations: 5, days: 10 }
    }
}

/// What a flow has sent so far.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    flow: FlowId,
    bytes: u64,
    is_over: bool,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    #[serde(skip)]
    reported: Reported<u64>,
    day: u64,
    today_bytes: u64,
    is_told: bool,
    /// The days with traffic before this one, the latest last.
    days_bytes: VecDeque<u64>,
}

impl UploadVolume {
    const DAYS_MAX: usize = 30;
    /// A flow that sends less is no upload.
    const BYTES_MIN: u64 = 4096;
    /// Iglewicz and Hoaglin (1993): 0.6745 deviations of a normal distribution are its median absolute deviation.
    const NORMAL: f64 = 0.6745;
    /// Days that are all alike still differ by so much, in powers of two.
    const DEVIATION_MIN: f64 = 0.25;

    fn turn(window: &mut Window, at: Timestamp) {
        let day = at.as_secs() / 86_400;
        if day == window.day {
            return;
        }
        if window.today_bytes > 0 {
            window.days_bytes.push_back(window.today_bytes);
        }
        if window.days_bytes.len() > Self::DAYS_MAX {
            window.days_bytes.pop_front();
        }
        (window.day, window.today_bytes, window.is_told) = (day, 0, false);
    }

    fn add(window: &mut Window, report: Report, at: Timestamp) {
        let before = window.reported.take((report.flow, report.is_over), (at, report.bytes), (at, 0));
        let more = before.map_or(0, |(_, before)| report.bytes.saturating_sub(before));
        window.today_bytes = window.today_bytes.saturating_add(more);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Amounts as powers of two: what differs by a factor differs by the same at any size.
fn power(bytes: u64) -> f64 {
    (bytes as f64 + 1.0).log2()
}

impl Detector for UploadVolume {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::DataAccess;
    const HEARS: &'static [&'static str] = &["activity", "flow"];
    type Subject = DeviceId;
    type Sighting = Report;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(DeviceId, Report)> {
        let fact = event.fact()?;
        let (FactKind::Activity(summary) | FactKind::FlowEnded(summary)) = &fact.kind else {
            return None;
        };
        let zone = event.world().networks.get(event.address(Sender::Server)?);
        let is_sanctioned = zone.is_some_and(|zone| zone.roles.contains(&Role::Sanctioned));
        let report = Report { flow: fact.flow.id, bytes: summary.client.payload_bytes, is_over: summary.end.is_some() };
        let is_outbound = event.is_home(Sender::Client) && !event.is_home(Sender::Server);
        if !is_outbound || is_sanctioned || report.bytes < Self::BYTES_MIN {
            return None;
        }
        Some((event.device(Sender::Client)?, report))
    }

    fn judge(&self, window: &mut Window, report: Report, at: Timestamp) -> Option<Fields> {
        Self::turn(window, at);
        Self::add(window, report, at);
        let today = window.today_bytes;
        let most = window.days_bytes.iter().copied().max()?;
        if window.is_told || today < self.bytes || today <= most || window.days_bytes.len() < self.days {
            return None;
        }
        let usual = median(window.days_bytes.iter().map(|&bytes| power(bytes)).collect());
        let spread = median(window.days_bytes.iter().map(|&bytes| (power(bytes) - usual).abs()).collect());
        let deviations = Self::NORMAL * (power(today) - usual) / spread.max(Self::DEVIATION_MIN);
        if deviations < f64::from(self.deviations) {
            return None;
        }
        window.is_told = true;
        let mut evidence = Fields::default();
        evidence.push("spanwatch.volume.bytes", today);
        let usual_bytes = median(window.days_bytes.iter().map(|&bytes| bytes as f64).collect());
        evidence.push("spanwatch.volume.usual_bytes", usual_bytes);
        evidence.push("spanwatch.volume.most_bytes", most);
        evidence.push("spanwatch.volume.deviations", deviations);
        evidence.push("spanwatch.volume.days", window.days_bytes.len() as u64);
        Some(evidence)
    }

    fn entity(device: &DeviceId) -> Entity {
        Entity::Device(*device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    /// Judges days by the megabytes sent on each; which of them are findings.
    fn found(days: &[u64]) -> Vec<usize> {
        let (detector, mut window) = (UploadVolume::default(), Window::default());
        let is_found = |(day, &megabytes): (usize, &u64)| {
            let number = u64::try_from(day).unwrap();
            let report = |n, is_over| Report { flow: FlowId(number), bytes: megabytes * MB / 2 * n, is_over };
            let at = |n| Timestamp::from_secs((number + 1) * 86_400 + n);
            let findings = [(1, false), (2, true)]
                .into_iter()
                .filter_map(|(n, is_over)| detector.judge(&mut window, report(n, is_over), at(n)))
                .count();
            assert!(findings <= 1, "once a day");
            (findings > 0).then_some(day)
        };
        days.iter().enumerate().filter_map(is_found).collect()
    }

    fn usual(days: usize) -> Vec<u64> {
        (0..days).map(|day| 40 + u64::try_from(day % 5).unwrap() * 10).collect()
    }

    fn then(days: usize, last: u64) -> Vec<u64> {
        let mut all = usual(days);
        all.push(last);
        all
    }

    #[test]
    fn a_day_far_beyond_all_others_is_a_finding() {
        assert_eq!(found(&then(14, 5000)), [14]);
        assert_eq!(found(&usual(60)), [] as [usize; 0]);
    }

    #[test]
    fn it_takes_ten_days_and_half_a_gigabyte() {
        assert_eq!(found(&then(9, 5000)), [] as [usize; 0]);
        assert_eq!(found(&then(10, 5000)), [10]);
        assert_eq!(found(&then(14, 499)), [] as [usize; 0]);
    }

    #[test]
    fn who_sends_much_now_and_then_may_do_so_again() {
        let mut days = usual(14);
        days.extend([2000, 40, 1900]);
        assert_eq!(found(&days), [14]);
    }

    #[test]
    fn devices_whose_days_differ_are_judged_by_that() {
        let uneven: Vec<u64> = (0..14).map(|day| if day % 2 == 0 { 1 } else { 300 }).collect();
        assert_eq!(found(&[&uneven[..], &[2000]].concat()), [] as [usize; 0]);
    }

    #[test]
    fn a_long_upload_is_counted_once_whatever_else_is_open() {
        let mut window = Window::default();
        let mut add = |flow, bytes, hour: u64| {
            let report = Report { flow: FlowId(flow), bytes, is_over: false };
            UploadVolume::add(&mut window, report, Timestamp::from_secs(hour * 3600));
            window.today_bytes
        };
        for hour in 1..=4 {
            assert_eq!(add(0, hour * MB, hour), hour * MB + 63 * MB.min((hour - 1) * MB));
            for flow in 1..100 {
                add(flow, MB, hour);
            }
        }
    }

    #[test]
    fn what_is_remembered_of_a_device_is_bounded() {
        let (detector, mut window) = (UploadVolume::default(), Window::default());
        for n in 0..1000 {
            let report = Report { flow: FlowId(n), bytes: u64::MAX, is_over: false };
            detector.judge(&mut window, report, Timestamp::from_secs(n * 86_400));
        }
        assert_eq!((window.reported.len(), window.days_bytes.len()), (64, 30));
    }
}
