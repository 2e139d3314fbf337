//! How many VPN tunnels one outside address holds open at the same time.
//!
//! # What it sees
//!
//! Flows from one outside address to a VPN gateway that ran side by side for a while. Each flow counts with its first
//! and last packet, so a laptop that connects anew is not two. Flows of different transports are counted apart,
//! because one client may use TLS and DTLS, or IKE and ESP, together.
//!
//! # Why it matters
//!
//! Several company laptops in one house: nobody but their users can tell why.
//!
//! # Normal causes
//!
//! Two colleagues in one household, a coworking space, a hotel, a mobile operator's NAT.
//!
//! # Blind spots
//!
//! Works outside the gateway only, where the public addresses are seen. A NAT that gives each laptop an address of
//! its own hides them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::spans::{self, Span, Way};
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{Fields, FlowId, Value};
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "overlapping_tunnels";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.tunnels.overlapping", help: "The most tunnels that the address held open at a time." },
    FieldSpec { name: "spanwatch.tunnels.since", help: "When the first of them began." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct OverlappingTunnels {
    /// So long two flows must have run side by side.
    #[serde(deserialize_with = "quantity::duration")]
    pub overlap: Duration,
}

impl Default for OverlappingTunnels {
    fn default() -> Self {
        Self { overlap: Duration::from_secs(300) }
    }
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    spans: BTreeMap<FlowId, Span>,
    told: usize,
}

impl OverlappingTunnels {
    /// The most flows of an address that are told apart; the oldest give way.
    const SPANS_MAX: usize = 64;
    /// What ended so long ago overlaps with nothing that is still to come.
    const MEMORY: Duration = Duration::from_secs(86_400);
}

impl Detector for OverlappingTunnels {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Multiplicity;
    const HEARS: &'static [&'static str] = &["activity", "flow"];
    type Subject = (Site, Way);
    type Sighting = Span;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<((Site, Way), Span)> {
        let (site, way, span) = spans::tunnel(event)?;
        (span.last.since(span.first) >= self.overlap).then_some(((site, way), span))
    }

    fn judge(&self, window: &mut Window, span: Span, at: Timestamp) -> Option<Fields> {
        window.spans.retain(|_, known| at.since(known.last) <= Self::MEMORY);
        if window.spans.len() <= 1 {
            window.told = 0;
        }
        window.spans.insert(span.flow, span);
        if window.spans.len() > Self::SPANS_MAX {
            window.spans.pop_first();
        }
        let (count, since) = spans::together(&window.spans, span, self.overlap);
        if count < 2 || count <= window.told {
            return None;
        }
        window.told = count;
        let mut evidence = Fields::default();
        evidence.push("spanwatch.tunnels.overlapping", Value::Number(count as u64));
        evidence.push("spanwatch.tunnels.since", since);
        Some(evidence)
    }

    fn entity((site, _): &(Site, Way)) -> Entity {
        Entity::Site(*site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges flows by id, first and last second; the counts of the findings.
    fn counts(spans: &[(u64, u64, u64)]) -> Vec<Option<Value>> {
        let (detector, mut window) = (OverlappingTunnels::default(), Window::default());
        let judge = |&(id, first, last): &(u64, u64, u64)| {
            let (first, last) = (Timestamp::from_secs(first), Timestamp::from_secs(last));
            let evidence = detector.judge(&mut window, Span { flow: FlowId(id), first, last }, last)?;
            evidence.get("spanwatch.tunnels.overlapping").cloned()
        };
        spans.iter().map(judge).collect()
    }

    fn number(count: u64) -> Option<Value> {
        Some(Value::Number(count))
    }

    #[test]
    fn flows_that_ran_side_by_side_are_counted_and_told_when_there_are_more() {
        assert_eq!(
            counts(&[(1, 0, 600), (2, 10, 610), (3, 20, 620), (2, 10, 3610), (4, 3000, 3620)]),
            [None, number(2), number(3), None, None]
        );
    }

    #[test]
    fn an_overlap_counts_from_its_least_length_on() {
        assert_eq!(counts(&[(1, 0, 600), (2, 300, 900)]), [None, number(2)]);
        assert_eq!(counts(&[(1, 0, 600), (2, 301, 901)]), [None, None]);
    }

    #[test]
    fn one_that_connects_anew_is_not_two() {
        assert_eq!(counts(&[(1, 0, 600), (2, 600, 1200), (3, 1200, 1800)]), [None, None, None]);
    }

    #[test]
    fn after_a_quiet_day_the_same_is_told_again() {
        let later = 3 * 86_400;
        assert_eq!(
            counts(&[(1, 0, 600), (2, 0, 600), (3, later, later + 600), (4, later, later + 600)]),
            [None, number(2), None, number(2)]
        );
    }

    #[test]
    fn what_is_remembered_of_an_address_is_bounded() {
        let spans: Vec<(u64, u64, u64)> = (0..200).map(|id| (id, 0, 600)).collect();
        assert_eq!(counts(&spans).last(), Some(&None));
        assert_eq!(counts(&spans).iter().flatten().last(), Some(&Value::Number(OverlappingTunnels::SPANS_MAX as u64)));
    }
}
