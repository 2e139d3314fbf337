//! How much a device takes from services that host code, and brings to services that store files, in a day.
//!
//! # What it sees
//!
//! The payload of a device's connections to products of either kind, in the direction that matters: down from code, up to
//! storage and to paste sites. A device that passes the least amount is a finding, and again at each doubling.
//!
//! # Why it matters
//!
//! Source code is what is taken, and a personal drive is where to.
//!
//! # Normal causes
//!
//! A build machine, a first day at work, a backup that the organisation wants. Its own tenant is best named as sanctioned.
//!
//! # Blind spots
//!
//! How many repositories, and which, is inside TLS. A drive under a name of its customer's. Many small amounts.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::reported::Reported;
use crate::detect::{Detector, Family};
use crate::enrich::products::Kind;
use crate::event::Event;
use crate::facts::{FactKind, Fields, FlowId};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "transfer";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.transfer.bytes", help: "How much the device transferred in the window, in bytes." },
    FieldSpec { name: "spanwatch.transfer.what", help: "`code_read` or `cloud_upload`." },
    FieldSpec { name: "spanwatch.transfer.since", help: "When the first of it was." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Transfer {
    /// From so much read from code hosting on it is a finding.
    #[serde(deserialize_with = "quantity::bytes")]
    pub code_read_bytes: u64,
    /// From so much brought to file storage on it is a finding.
    #[serde(deserialize_with = "quantity::bytes")]
    pub cloud_upload_bytes: u64,
    /// Bytes count together within so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub window: Duration,
}

impl Default for Transfer {
    fn default() -> Self {
        Self { code_read_bytes: 2_000_000_000, cloud_upload_bytes: 200_000_000, window: Duration::from_secs(86_400) }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum What {
    CloudUpload,
    CodeRead,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::CloudUpload => "cloud_upload",
            Self::CodeRead => "code_read",
        }
    }
}

/// What a flow has carried so far.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    what: What,
    flow: FlowId,
    bytes: u64,
    is_over: bool,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    #[serde(skip)]
    reported: Reported<u64>,
    /// What came in each slice of time, the latest last.
    slices: VecDeque<(u64, u64)>,
    told_bytes: u64,
}

impl Transfer {
    const SLICE_SECS: u64 = 600;

    fn add(self, window: &mut Window, report: Report, at: Timestamp) -> u64 {
        let before = window.reported.take((report.flow, report.is_over), (at, report.bytes), (at, 0));
        let slice = at.as_secs() / Self::SLICE_SECS;
        let slices = self.window.as_secs() / Self::SLICE_SECS;
        while window.slices.front().is_some_and(|&(old, _)| slice.saturating_sub(old) > slices) {
            window.slices.pop_front();
        }
        let more = before.map_or(0, |(_, before)| report.bytes.saturating_sub(before));
        match window.slices.back_mut().filter(|(latest, _)| *latest == slice) {
            Some((_, bytes)) => *bytes = bytes.saturating_add(more),
            None => window.slices.push_back((slice, more)),
        }
        window.slices.iter().fold(0, |sum: u64, &(_, bytes)| sum.saturating_add(bytes))
    }
}

impl Detector for Transfer {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::DataAccess;
    const HEARS: &'static [&'static str] = &["activity", "flow"];
    type Subject = (DeviceId, What);
    type Sighting = Report;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<((DeviceId, What), Report)> {
        let application = event.application().filter(|application| !application.sanctioned)?;
        let fact = event.fact()?;
        let (FactKind::Activity(summary) | FactKind::FlowEnded(summary)) = &fact.kind else {
            return None;
        };
        let (what, bytes) = match application.kind()? {
            Kind::CloudStorage | Kind::PasteSite => (What::CloudUpload, summary.client.payload_bytes),
            Kind::CodeHosting => (What::CodeRead, summary.server.payload_bytes),
            _ => return None,
        };
        let device = event.device(event.home_side()?)?;
        let is_over = matches!(fact.kind, FactKind::FlowEnded(_));
        Some(((device, what), Report { what, flow: fact.flow.id, bytes, is_over }))
    }

    fn judge(&self, window: &mut Window, report: Report, at: Timestamp) -> Option<Fields> {
        let bytes = self.add(window, report, at);
        let least = match report.what {
            What::CloudUpload => self.cloud_upload_bytes,
            What::CodeRead => self.code_read_bytes,
        };
        if bytes < least {
            window.told_bytes = 0;
            return None;
        }
        if bytes < window.told_bytes.saturating_mul(2) {
            return None;
        }
        window.told_bytes = bytes;
        let mut evidence = Fields::default();
        evidence.push("spanwatch.transfer.bytes", bytes);
        evidence.push("spanwatch.transfer.what", report.what.as_str());
        let first = window.slices.front().map(|&(slice, _)| Timestamp::from_secs(slice * Self::SLICE_SECS));
        evidence.push_some("spanwatch.transfer.since", first);
        Some(evidence)
    }

    fn entity((device, _): &(DeviceId, What)) -> Entity {
        Entity::Device(*device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Value;

    const MB: u64 = 1_000_000;

    /// Judges uploads by flow, megabytes so far, and second; the megabytes of the findings.
    fn found(reports: &[(u64, u64, u64)]) -> Vec<Option<u64>> {
        let (detector, mut window) = (Transfer::default(), Window::default());
        let judge = |&(flow, megabytes, secs): &(u64, u64, u64)| {
            let report = Report { what: What::CloudUpload, flow: FlowId(flow), bytes: megabytes * MB, is_over: false };
            match detector.judge(&mut window, report, Timestamp::from_secs(secs))?.get("spanwatch.transfer.bytes") {
                Some(Value::Number(bytes)) => Some(bytes / MB),
                _ => None,
            }
        };
        reports.iter().map(judge).collect()
    }

    #[test]
    fn the_least_amount_is_a_finding_and_each_doubling() {
        assert_eq!(
            found(&[(1, 199, 0), (1, 200, 1), (1, 399, 2), (1, 400, 3), (2, 1, 4)]),
            [None, Some(200), None, Some(400), None]
        );
    }

    #[test]
    fn many_flows_count_together_within_the_day() {
        assert_eq!(found(&[(1, 150, 0), (2, 50, 86_400)]), [None, Some(200)]);
        assert_eq!(found(&[(1, 150, 0), (2, 50, 87_000)]), [None, None]);
    }

    #[test]
    fn a_flow_that_is_over_is_forgotten() {
        let (detector, mut window) = (Transfer::default(), Window::default());
        let report = Report { what: What::CloudUpload, flow: FlowId(1), bytes: 250 * MB, is_over: true };
        assert!(detector.judge(&mut window, report, Timestamp::ZERO).is_some());
        assert_eq!(window.reported.len(), 0);
    }

    #[test]
    fn what_is_remembered_of_a_device_is_bounded() {
        let (detector, mut window) = (Transfer::default(), Window::default());
        for n in 0..2000 {
            let report = Report { what: What::CodeRead, flow: FlowId(n), bytes: u64::MAX, is_over: false };
            detector.judge(&mut window, report, Timestamp::from_secs(n * 600));
        }
        assert_eq!(window.reported.len(), 64);
        assert_eq!(window.slices.len(), 145);
    }
}
