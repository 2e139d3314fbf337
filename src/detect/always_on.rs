//! How many tunnels of one household outside are up day and night.
//!
//! # What it sees
//!
//! Flows of one outside address to a VPN gateway, each with its first and last packet. At every half hour of the last 24
//! hours it is counted how many of them were up; what nearly all of those moments have are laptops that are never switched
//! off, however often they connect anew. Flows of different transports are counted apart, because one client may use TLS and
//! DTLS, or IKE and ESP, together. Two or more are a finding, each day once, and once more where they become more.
//!
//! # Why it matters
//!
//! Whoever sits before a laptop closes it in the evening. One that is to be reached from elsewhere must stay on, and so do
//! all of a house that are: over an IP-KVM, too, which the network does not see.
//!
//! # Normal causes
//!
//! A docked laptop that nobody closes; rarely all of several in one house. A branch office with desks behind one address.
//! Where the client stays connected by itself, many sites are like that, and nothing is said.
//!
//! # Blind spots
//!
//! Works outside the gateway only. Laptops that are woken for their hours; tunnels that an idle machine gives up; two laptops
//! of which one uses TLS and the other DTLS.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::log_on::is_a_crowds;
use crate::detect::spans::{self, Span};
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{Fields, FlowId};
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::memory::{Memory, MemoryError};
use crate::net::Transport;
use crate::protocol::FieldSpec;
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

pub const NAME: &str = "always_on";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.always_on.tunnels", help: "How many tunnels were up all day and night." },
    FieldSpec { name: "spanwatch.always_on.days", help: "On how many days of the last fortnight two or more were." },
    FieldSpec { name: "spanwatch.always_on.sites", help: "How many other sites had a tunnel up all day and night." },
    FieldSpec { name: "spanwatch.always_on.sites_seen", help: "Of how many other sites with tunnels." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where so many percent of all sites have a tunnel up all day and night, that is how the client works.
    pub common_percent: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { common_percent: 20 }
    }
}

pub struct AlwaysOn {
    settings: Settings,
    /// When each site had any tunnel up.
    sites: Recent<Site, Coverage>,
    /// The last moment of the fleet's count, how many sites were up all day then, and of how many.
    counted: (u64, usize, usize),
}

/// At which of the last moments a tunnel was up, the latest in the lowest bit.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
struct Coverage {
    latest: u64,
    bits: u64,
}

#[derive(Clone, Copy)]
pub struct Sighting {
    span: Span,
    transport: Transport,
    /// How many other sites are up all day, of how many.
    others: (usize, usize),
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    spans: BTreeMap<FlowId, Span>,
    /// Of each span, where it is known.
    #[serde(default)]
    transports: BTreeMap<FlowId, Transport>,
    /// The last moment that was judged.
    judged: u64,
    /// How many tunnels were up all day, by the number of the day.
    days: BTreeMap<u64, usize>,
}

impl Coverage {
    fn add(&mut self, moments: std::ops::RangeInclusive<u64>) {
        let (first, last) = moments.into_inner();
        if last > self.latest {
            self.bits = u32::try_from(last - self.latest).map_or(0, |by| self.bits.checked_shl(by).unwrap_or(0));
            self.latest = last;
        }
        let oldest = self.latest.saturating_sub(u64::from(u64::BITS) - 1);
        for moment in first.max(oldest)..=last {
            self.bits |= 1 << (self.latest - moment);
        }
    }

    /// Whether a tunnel was up at nearly all of a day's moments that end with `end`.
    fn is_all_day(&self, end: u64) -> bool {
        let up = |moment: &u64| {
            let age = self.latest.checked_sub(*moment).and_then(|age| u32::try_from(age).ok());
            age.and_then(|age| self.bits.checked_shr(age)).is_some_and(|bits| bits & 1 == 1)
        };
        AlwaysOn::moments(end).filter(up).count() >= AlwaysOn::MOMENTS - AlwaysOn::MISSED_MAX
    }
}

impl AlwaysOn {
    const MOMENT_SECS: u64 = 1800;
    /// The moments of a day.
    const MOMENTS: usize = 48;
    /// So many of them may find a tunnel down: lines fail, and clients connect anew.
    const MISSED_MAX: usize = 4;
    /// Open flows are told of once an hour, so what was up is known of the time before.
    const TOLD_LATE: Duration = Duration::from_secs(5400);
    /// The most tunnels of a site that are told apart.
    const SPANS_MAX: usize = 64;
    /// What ended so long ago was up at none of a day's moments.
    const MEMORY: Duration = Duration::from_secs(86_400 + 5400);
    const DAYS_KEPT: u64 = 14;
    const SITES: Retention = Retention { entries_max: 100_000, keep: Duration::from_secs(7 * 86_400) };

    pub fn new(settings: Settings) -> Self {
        Self { settings, sites: Recent::new(Self::SITES), counted: (0, 0, 0) }
    }

    /// The latest moment of which everything is known.
    fn known_moment(at: Timestamp) -> u64 {
        (at - Self::TOLD_LATE).as_secs() / Self::MOMENT_SECS
    }

    /// A day's moments, the last of which is `end`.
    fn moments(end: u64) -> impl Iterator<Item = u64> {
        (end + 1).saturating_sub(Self::MOMENTS as u64)..=end
    }

    /// Counts the sites that are up all day anew, when there is another moment.
    fn count(&mut self, at: Timestamp) {
        let end = Self::known_moment(at);
        if end > self.counted.0 {
            let all_day = self.sites.iter().filter(|(_, coverage)| coverage.is_all_day(end)).count();
            self.counted = (end, all_day, self.sites.len());
        }
    }

    /// How many tunnels of one transport were up at nearly all of the moments.
    fn all_day(window: &Window, end: u64) -> usize {
        let transports: BTreeSet<Option<Transport>> =
            window.spans.keys().map(|flow| window.transports.get(flow).copied()).collect();
        transports.into_iter().map(|transport| Self::all_day_over(window, transport, end)).max().unwrap_or(0)
    }

    fn all_day_over(window: &Window, transport: Option<Transport>, end: u64) -> usize {
        let is_of = |span: &&Span| window.transports.get(&span.flow).copied() == transport;
        let spans: Vec<&Span> = window.spans.values().filter(is_of).collect();
        let up_at = |moment: u64| {
            let at = Timestamp::from_secs(moment * Self::MOMENT_SECS);
            spans.iter().filter(|span| span.first <= at && at <= span.last).count()
        };
        let mut counts: Vec<usize> = Self::moments(end).map(up_at).collect();
        counts.sort_unstable();
        counts.get(Self::MISSED_MAX).copied().unwrap_or(0)
    }
}

impl Detector for AlwaysOn {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    const HEARS: &'static [&'static str] = &["activity", "flow"];
    type Subject = Site;
    type Sighting = Sighting;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        let Some((site, _, span)) = spans::tunnel(event) else { return };
        let (first, last) = (span.first.as_secs().div_ceil(Self::MOMENT_SECS), span.last.as_secs() / Self::MOMENT_SECS);
        self.sites.get_or_insert_with(site, event.at(), Coverage::default).add(first..=last);
        self.sites.expire(event.at());
        self.count(event.at());
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        memory.put(&format!("{section}.sites"), &self.sites);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.sites.restore(memory.get(&format!("{section}.sites"))?.unwrap_or_default());
        Ok(())
    }

    fn sight(&self, event: &Event<'_>) -> Option<(Site, Sighting)> {
        let (site, way, span) = spans::tunnel(event).filter(|(site, ..)| !is_a_crowds(event, site.address()))?;
        let (end, all_day, seen) = self.counted;
        let itself = usize::from(self.sites.get(&site).is_some_and(|coverage| coverage.is_all_day(end)));
        let others = (all_day.saturating_sub(itself), seen.saturating_sub(1));
        Some((site, Sighting { span, transport: way.transport, others }))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        window.spans.retain(|_, known| at.since(known.last) <= Self::MEMORY);
        window.spans.insert(sighting.span.flow, sighting.span);
        window.transports.insert(sighting.span.flow, sighting.transport);
        if window.spans.len() > Self::SPANS_MAX {
            let longest_ago = window.spans.values().min_by_key(|span| span.last).map(|span| span.flow);
            longest_ago.map(|flow| window.spans.remove(&flow));
        }
        window.transports.retain(|flow, _| window.spans.contains_key(flow));
        let end = Self::known_moment(at);
        if end <= window.judged {
            return None;
        }
        window.judged = end;
        let count = Self::all_day(window, end);
        let (others, seen) = sighting.others;
        let is_common = others > 0 && others * 100 >= seen * self.settings.common_percent;
        if count < 2 || is_common {
            return None;
        }
        let day = at.as_secs() / 86_400;
        window.days.retain(|&known, _| day.saturating_sub(known) < Self::DAYS_KEPT);
        let told = window.days.insert(day, count).unwrap_or(0);
        if count <= told {
            window.days.insert(day, told);
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.always_on.tunnels", count as u64);
        evidence.push("spanwatch.always_on.days", window.days.len() as u64);
        evidence.push("spanwatch.always_on.sites", others as u64);
        evidence.push("spanwatch.always_on.sites_seen", seen as u64);
        Some(evidence)
    }

    fn entity(site: &Site) -> Entity {
        Entity::Site(*site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Value;

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    const BEGIN: u64 = 10 * DAY;

    /// Tunnels over UDP that were up from each first to each last second, told of hourly; tunnels and days of the findings.
    fn found(others: (usize, usize), tunnels: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let over_udp: Vec<_> = tunnels.iter().map(|&(first, last)| (Transport::Udp, first, last)).collect();
        found_over(others, &over_udp)
    }

    fn found_over(others: (usize, usize), tunnels: &[(Transport, u64, u64)]) -> Vec<(u64, u64)> {
        let (detector, mut window) = (AlwaysOn::new(Settings::default()), Window::default());
        let mut told: Vec<(u64, Transport, Span)> = Vec::new();
        for (id, &(transport, first, last)) in (0..).zip(tunnels) {
            let (first, last) = (BEGIN + first, BEGIN + last);
            let span =
                |last| Span { flow: FlowId(id), first: Timestamp::from_secs(first), last: Timestamp::from_secs(last) };
            let hours = (1..).map(|hour| first + hour * HOUR).take_while(|&at| at < last);
            told.extend(hours.chain([last]).map(|at| (at, transport, span(at))));
        }
        told.sort_by_key(|&(at, _, span)| (at, span.flow));
        let mut judge = |(at, transport, span)| {
            let sighting = Sighting { span, transport, others };
            let evidence = detector.judge(&mut window, sighting, Timestamp::from_secs(at))?;
            let number = |name| match evidence.get(name) {
                Some(Value::Number(number)) => *number,
                other => panic!("{other:?}"),
            };
            Some((number("spanwatch.always_on.tunnels"), number("spanwatch.always_on.days")))
        };
        told.into_iter().filter_map(&mut judge).collect()
    }

    #[test]
    fn tunnels_that_are_up_day_and_night_are_a_finding_each_day() {
        let three = [(0, 71 * HOUR), (60, 71 * HOUR), (120, 71 * HOUR)];
        assert_eq!(found((0, 50), &three), [(3, 1), (3, 2)]);
        assert_eq!(found((0, 50), &three[..1]), []);
    }

    #[test]
    fn the_two_tunnels_of_one_client_are_one() {
        let one = [Transport::Tcp, Transport::Udp].map(|transport| (transport, 0, 47 * HOUR));
        assert_eq!(found_over((0, 50), &one), []);
        assert_eq!(found_over((0, 50), &[one, one].concat()), [(2, 1), (2, 2)]);
    }

    #[test]
    fn a_day_is_nearly_all_of_its_hours() {
        assert_eq!(found((0, 50), &[(0, 21 * HOUR), (0, 21 * HOUR)]), []);
        let of_work = [(8 * HOUR, 18 * HOUR), (9 * HOUR, 17 * HOUR), (32 * HOUR, 42 * HOUR), (33 * HOUR, 41 * HOUR)];
        assert_eq!(found((0, 50), &of_work), []);
    }

    #[test]
    fn those_that_connect_anew_are_on_still_and_not_more() {
        let pieces: Vec<(u64, u64)> =
            (0..2).flat_map(|_| (0..8).map(|n| (n * 5 * HOUR, (n + 1) * 5 * HOUR - 60))).collect();
        assert_eq!(found((0, 50), &pieces), [(2, 1), (2, 2)]);
    }

    #[test]
    fn what_a_fifth_of_all_sites_do_is_how_the_client_works() {
        let two = [(0, 47 * HOUR), (0, 47 * HOUR)];
        assert_eq!(found((9, 50), &two), [(2, 1), (2, 2)]);
        assert_eq!(found((10, 50), &two), []);
    }

    #[test]
    fn the_sites_that_are_up_all_day_are_counted() {
        let mut coverage = Coverage::default();
        coverage.add(100..=120);
        coverage.add(121..=147);
        assert!(coverage.is_all_day(147));
        assert!(coverage.is_all_day(151), "four moments may be missed");
        assert!(!coverage.is_all_day(152));
        coverage.add(400..=401);
        assert!(!coverage.is_all_day(401), "what was long ago is forgotten");
    }

    #[test]
    fn what_is_remembered_of_a_site_is_bounded_and_the_longest_stay() {
        let (detector, mut window) = (AlwaysOn::new(Settings::default()), Window::default());
        for id in 0..200 {
            let first = Timestamp::from_secs(if id < 2 { 0 } else { id });
            let last = Timestamp::from_secs(if id < 2 { DAY } else { id + 1 });
            let span = Span { flow: FlowId(id), first, last };
            let sighting = Sighting { span, transport: Transport::Udp, others: (0, 0) };
            detector.judge(&mut window, sighting, Timestamp::from_secs(DAY));
        }
        assert_eq!((window.spans.len(), window.transports.len()), (AlwaysOn::SPANS_MAX, AlwaysOn::SPANS_MAX));
        assert!(window.spans.contains_key(&FlowId(0)) && window.spans.contains_key(&FlowId(1)));
    }
}
