//! How often the tunnels of one household outside fell silent and came back together.
//!
//! # What it sees
//!
//! Flows of one outside address to a VPN gateway, each with its first and last packet. Where at least two had their last
//! packets within seconds of each other, and soon after as many began within seconds of each other, the line or the
//! power failed for all of them: an outage. Tunnels of different transports are counted apart, because one client may use
//! TLS and DTLS, or IKE and ESP, together. The third within the window is a finding, and each further one. What one in two
//! hundred of the sites had at the same moment, and at least four, is the gateway's or the carrier's fault and does not count.
//!
//! # Why it matters
//!
//! Laptops that share each failure share a socket and a line, whatever their users say of where they are.
//!
//! # Normal causes
//!
//! Two colleagues in one household, or a coworking space, with a bad line. Two tunnels of one client over one transport.
//!
//! # Blind spots
//!
//! Works outside the gateway only. A tunnel that survives the outage on the same ports does not fall silent; farms
//! with uninterrupted power and line have none. Two laptops of which one uses TLS and the other DTLS are not counted together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::log_on::is_a_crowds;
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{EndReason, FactKind, Fields, FlowId, Sender};
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::memory::{Memory, MemoryError};
use crate::net::Transport;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

pub const NAME: &str = "co_outage";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.outages.count", help: "How often tunnels of the site failed together." },
    FieldSpec { name: "spanwatch.outages.tunnels", help: "How many did at least, each time." },
    FieldSpec { name: "spanwatch.outages.since", help: "When they first did." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Last packets, and first ones, are together that are no further apart.
    #[serde(deserialize_with = "quantity::duration")]
    pub together: Duration,
    /// An outage lasts no longer.
    #[serde(deserialize_with = "quantity::duration")]
    pub outage: Duration,
    /// Outages are counted together within so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub window: Duration,
    /// From how many outages on it is a finding.
    pub outages: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            together: Duration::from_secs(10),
            outage: Duration::from_secs(3600),
            window: Duration::from_secs(14 * 86_400),
            outages: 3,
        }
    }
}

pub struct CoOutage {
    settings: Settings,
    /// The sites whose tunnels had their last packets in each slice of time.
    silences: BTreeMap<u64, BTreeSet<Site>>,
    /// The sites with tunnels.
    sites: Recent<Site, ()>,
}

/// A tunnel as far as it was seen.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Span {
    flow: FlowId,
    #[serde(default)]
    transport: Option<Transport>,
    first: Timestamp,
    last: Timestamp,
    is_over: bool,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    spans: BTreeMap<FlowId, Span>,
    /// When each outage began, with how many tunnels shared it.
    outages: BTreeMap<Timestamp, usize>,
}

impl CoOutage {
    /// The most tunnels of a site that are told apart; the oldest give way.
    const SPANS_MAX: usize = 64;
    const OUTAGES_MAX: usize = 64;
    /// Silences are compared with those of other sites in slices of so many seconds.
    const SLICE_SECS: u64 = 15;
    /// Slices are kept until every tunnel's end of that time is known.
    const SLICES_MAX: usize = 1024;
    /// So long after an outage every tunnel that it ended, and every one that stayed up, has been told of.
    const SETTLED: Duration = Duration::from_secs(3900);
    /// As many sites at once are no matter of one of them: where there are more, laptops are closed at any moment.
    const SHARED_BY: usize = 4;
    /// One of so many sites.
    const SHARED_PART: usize = 200;
    /// The most sites of a slice.
    const SITES_MAX: usize = 256;
    /// Open flows are told of once an hour.
    const SITES: Retention = Retention { entries_max: 100_000, keep: Duration::from_secs(2 * 3600) };

    pub fn new(settings: Settings) -> Self {
        Self { settings, silences: BTreeMap::new(), sites: Recent::new(Self::SITES) }
    }

    fn span(event: &Event<'_>) -> Option<(Site, Span)> {
        let fact = event.fact()?;
        let (summary, is_over) = match &fact.kind {
            FactKind::Activity(summary) => (summary, false),
            // The sensor's own reasons to end a flow are no silence.
            FactKind::FlowEnded(summary) => {
                (summary, !matches!(summary.end, Some(EndReason::CaptureEnd | EndReason::Evicted)))
            }
            _ => return None,
        };
        if summary.duration < Duration::from_secs(60) || !event.is_to_vpn_gateway() {
            return None;
        }
        let first = fact.flow.started;
        let transport = Some(fact.flow.transport);
        let span = Span { flow: fact.flow.id, transport, first, last: first + summary.duration, is_over };
        Some((Site::of(event.address(Sender::Client)?), span))
    }

    /// Whether other sites fell silent, too, so that it was no matter of this one.
    fn is_shared(&self, moment: Timestamp) -> bool {
        let slice = moment.as_secs() / Self::SLICE_SECS;
        let sites: BTreeSet<&Site> = self
            .silences
            .range(slice.saturating_sub(1)..=slice.saturating_add(1))
            .flat_map(|(_, sites)| sites)
            .collect();
        let part = self.sites.len().div_ceil(Self::SHARED_PART).min(Self::SITES_MAX);
        sites.len() >= part.max(Self::SHARED_BY)
    }

    /// The moment of the tunnels that fell silent together with this one, and how many they are, if as many came back.
    fn outage(&self, spans: &BTreeMap<FlowId, Span>, over: Span) -> Option<(Timestamp, usize)> {
        let is_together = |a: Timestamp, b: Timestamp| a.since(b).max(b.since(a)) <= self.settings.together;
        let alike = || spans.values().filter(|span| span.transport == over.transport);
        let silent = alike().filter(|span| span.is_over && is_together(span.last, over.last));
        let moment = silent.clone().map(|span| span.last).min()?;
        let (silent, end) = (silent.clone().count(), silent.map(|span| span.last).max()?);
        let back = |from: &Span| from.first >= end && from.first.since(end) <= self.settings.outage;
        let begun = alike().filter(|span| back(span)).min_by_key(|span| span.first)?.first;
        let begun = alike().filter(|span| back(span) && is_together(span.first, begun)).count();
        // Whoever stayed up had line and power.
        let stayed = spans.values().any(|span| span.first < moment && span.last.since(end) > self.settings.together);
        let shared = silent.min(begun);
        (shared >= 2 && !stayed).then_some((moment, shared))
    }
}

impl Detector for CoOutage {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Multiplicity;
    const HEARS: &'static [&'static str] = &["activity", "flow"];
    type Subject = Site;
    type Sighting = Span;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        let Some((site, span)) = Self::span(event) else {
            return;
        };
        self.sites.expire(event.at());
        self.sites.get_or_insert_with(site, event.at(), || ());
        if !span.is_over {
            return;
        }
        let sites = self.silences.entry(span.last.as_secs() / Self::SLICE_SECS).or_default();
        if sites.len() < Self::SITES_MAX {
            sites.insert(site);
        }
        if self.silences.len() > Self::SLICES_MAX {
            self.silences.pop_first();
        }
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        memory.put(&format!("{section}.silences"), &self.silences);
        memory.put(&format!("{section}.sites"), &self.sites);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.silences = memory.get(&format!("{section}.silences"))?.unwrap_or_default();
        self.sites.restore(memory.get(&format!("{section}.sites"))?.unwrap_or_default());
        Ok(())
    }

    fn sight(&self, event: &Event<'_>) -> Option<(Site, Span)> {
        Self::span(event).filter(|(site, _)| !is_a_crowds(event, site.address()))
    }

    fn judge(&self, window: &mut Window, span: Span, at: Timestamp) -> Option<Fields> {
        window.spans.retain(|_, known| at.since(known.last) <= self.settings.outage * 4);
        window.spans.insert(span.flow, span);
        if window.spans.len() > Self::SPANS_MAX {
            window.spans.pop_first();
        }
        window.outages.retain(|&moment, _| at.since(moment) <= self.settings.window);
        let over = window.spans.values().filter(|span| span.is_over);
        let outages: Vec<(Timestamp, usize)> = over.filter_map(|&span| self.outage(&window.spans, span)).collect();
        let mut is_news = false;
        for (moment, tunnels) in outages {
            let is_known = |known: &Timestamp| known.since(moment).max(moment.since(*known)) <= self.settings.outage;
            let is_settled = at.since(moment) >= Self::SETTLED;
            if !is_settled || window.outages.keys().any(is_known) || self.is_shared(moment) {
                continue;
            }
            is_news = true;
            window.outages.insert(moment, tunnels);
        }
        while window.outages.len() > Self::OUTAGES_MAX {
            window.outages.pop_first();
        }
        if !is_news || window.outages.len() < self.settings.outages {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.outages.count", window.outages.len() as u64);
        evidence.push("spanwatch.outages.tunnels", window.outages.values().copied().min().unwrap_or(0) as u64);
        evidence.push_some("spanwatch.outages.since", window.outages.keys().next().copied());
        Some(evidence)
    }

    fn entity(site: &Site) -> Entity {
        Entity::Site(*site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    /// Tunnels over UDP that were up from each first to each last second, those of one outage in a row.
    fn judge(detector: &CoOutage, tunnels: &[(u64, u64)]) -> Vec<u64> {
        let over_udp: Vec<_> = tunnels.iter().map(|&(first, last)| (Transport::Udp, first, last)).collect();
        judge_over(detector, &over_udp)
    }

    fn judge_over(detector: &CoOutage, tunnels: &[(Transport, u64, u64)]) -> Vec<u64> {
        let mut window = Window::default();
        let mut found = Vec::new();
        // A tunnel is told of hourly, and its end three minutes late.
        let mut events: Vec<(u64, Span)> = Vec::new();
        for (id, &(transport, first, last)) in (0..).zip(tunnels) {
            let span = |last, is_over| Span {
                flow: FlowId(id),
                transport: Some(transport),
                first: Timestamp::from_secs(first),
                last: Timestamp::from_secs(last),
                is_over,
            };
            let hours = (first / HOUR + 1..).map(|hour| hour * HOUR).take_while(|&at| at < last);
            events.extend(hours.map(|at| (at, span(at, false))));
            events.push((last + 180, span(last, true)));
        }
        events.sort_by_key(|&(at, span)| (at, span.flow));
        for (at, span) in events {
            let evidence = detector.judge(&mut window, span, Timestamp::from_secs(at));
            if let Some(crate::facts::Value::Number(count)) =
                evidence.as_ref().and_then(|evidence| evidence.get("spanwatch.outages.count"))
            {
                found.push(*count);
            }
        }
        found
    }

    fn detector() -> CoOutage {
        CoOutage::new(Settings::default())
    }

    /// Two laptops whose line fails each hour; the second one's times differ by so many seconds.
    fn outages(count: u64, apart_secs: u64) -> Vec<(u64, u64)> {
        (0..=count)
            .flat_map(|n| {
                let (first, last) = (n * HOUR * 2 + 100, (n + 1) * HOUR * 2);
                [(first, last), (first + apart_secs, last + apart_secs)]
            })
            .collect()
    }

    #[test]
    fn the_third_outage_is_a_finding_and_each_further_one() {
        assert_eq!(judge(&detector(), &outages(2, 0)), [] as [u64; 0]);
        assert_eq!(judge(&detector(), &outages(4, 0)), [3, 4]);
    }

    #[test]
    fn what_fails_more_than_ten_seconds_apart_does_not_fail_together() {
        assert_eq!(judge(&detector(), &outages(3, 10)), [3]);
        assert_eq!(judge(&detector(), &outages(3, 11)), [] as [u64; 0]);
    }

    #[test]
    fn one_laptop_that_connects_anew_is_no_outage() {
        let alone: Vec<(u64, u64)> = (0..6).map(|n| (n * 2 * HOUR + 100, (n + 1) * 2 * HOUR)).collect();
        assert_eq!(judge(&detector(), &alone), [] as [u64; 0]);
        let mut beside_one_that_stays = outages(4, 0);
        beside_one_that_stays.push((0, 20 * HOUR));
        assert_eq!(judge(&detector(), &beside_one_that_stays), [] as [u64; 0]);
    }

    #[test]
    fn the_two_tunnels_of_one_client_are_one() {
        let over = |transport: [Transport; 2]| -> Vec<(Transport, u64, u64)> {
            let tunnels = outages(4, 0).into_iter().enumerate();
            tunnels.map(|(number, (first, last))| (transport[number % 2], first, last)).collect()
        };
        assert_eq!(judge_over(&detector(), &over([Transport::Tcp, Transport::Udp])), [] as [u64; 0]);
        let (one, other) = (over([Transport::Tcp, Transport::Udp]), over([Transport::Udp, Transport::Tcp]));
        assert_eq!(judge_over(&detector(), &[one, other].concat()), [3, 4], "two clients");
    }

    /// Whether outages are found of a site when so many others of so many fell silent at each of them.
    fn is_found_among(silent: u32, sites: u32) -> bool {
        let mut detector = detector();
        let site = |number: u32| Site::of(std::net::Ipv4Addr::from_bits(0xc633_0000 + number).into());
        for number in 0..sites {
            detector.sites.get_or_insert_with(site(number), Timestamp::ZERO, || ());
        }
        for n in 0..5 {
            let slice = (n + 1) * HOUR * 2 / CoOutage::SLICE_SECS;
            detector.silences.entry(slice).or_default().extend((0..silent).map(site));
        }
        !judge(&detector, &outages(4, 0)).is_empty()
    }

    #[test]
    fn what_other_sites_have_too_is_not_the_sites_fault() {
        assert!(is_found_among(3, 100));
        assert!(!is_found_among(4, 100));
    }

    #[test]
    fn where_there_are_many_some_are_closed_at_any_moment() {
        assert!(is_found_among(9, 2000));
        assert!(!is_found_among(10, 2000));
    }
}
