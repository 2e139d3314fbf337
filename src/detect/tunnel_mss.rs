//! Whether an outside client's TCP segments are as small as a VPN makes them.
//!
//! # What it sees
//!
//! The maximum segment size in the SYNs of outside clients, where it is one that tunnels leave (1200 to 1430 bytes), on how
//! many days it was so, and how many other sites of the same provider have it. Strangers at a public server are left out.
//!
//! # Why it matters
//!
//! A line at home that takes 1460 bytes on the other days, or that everybody else of the provider has with 1460, is
//! reached through a tunnel.
//!
//! # Normal causes
//!
//! Mobile networks, PPPoE and IPv6 in IPv4: then many sites of the provider have it, and nothing is said. A router with an
//! own idea of the size. Weak evidence by itself.
//!
//! # Blind spots
//!
//! TCP from outside only; a tunnel over UDP has no SYN. Middleboxes before the tap set sizes of their own.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::detect::fleet::Prevalence;
use crate::detect::handshake::{Callers, Handshake};
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::Fields;
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::memory::{Memory, MemoryError};
use crate::protocol::FieldSpec;
use crate::time::Timestamp;

pub const NAME: &str = "tunnel_mss";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.mss.size", help: "The maximum segment size, in bytes." },
    FieldSpec { name: "spanwatch.mss.days", help: "On how many days of the last fortnight it was so small." },
    FieldSpec { name: "spanwatch.mss.sites", help: "How many sites of the same provider have it." },
    FieldSpec { name: "spanwatch.mss.provider_sites", help: "How many sites of that provider were seen." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// From so many days on it is a finding.
    pub days: usize,
    /// What so many percent of the provider's sites have is the provider's.
    pub common_percent: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { days: 3, common_percent: 20 }
    }
}

/// A provider by its system's number, 0 where it is unknown.
type Provider = u32;

#[derive(Default)]
pub struct TunnelMss {
    settings: Settings,
    /// The sites of a provider with a size, and under [`Self::ANY`] all of them.
    fleet: Prevalence<(Provider, u16), Site>,
    callers: Callers,
}

#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    mss: u16,
    sites: usize,
    provider_sites: usize,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    days: BTreeSet<u64>,
    told: usize,
}

impl TunnelMss {
    /// From Tailscale's, an MTU of 1280 less the headers, to what p0f's list of link types gives as "generic tunnel or VPN".
    /// Between them lie WireGuard's 1380, the same over PPPoE, and what a router is told to leave for a second tunnel.
    const SIZES: std::ops::RangeInclusive<u16> = 1200..=1430;
    /// A line with PPPoE over L2TP.
    const OF_A_LINE: u16 = 1412;
    const ANY: u16 = 0;
    const DAYS_KEPT: u64 = 14;

    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    fn is_a_tunnels(mss: u16) -> bool {
        Self::SIZES.contains(&mss) && mss != Self::OF_A_LINE
    }

    fn read(event: &Event<'_>) -> Option<(Site, Provider, u16)> {
        let Handshake { site, summary } = Handshake::of(event)?;
        let provider = event.world().geo.get(site.address()).as_number.unwrap_or(0);
        Some((site, provider, summary.client.mss?))
    }
}

impl Detector for TunnelMss {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Location;
    const HEARS: &'static [&'static str] = &["activity", "flow"];
    type Subject = Site;
    type Sighting = Sighting;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        self.callers.learn(event);
        if let Some((site, provider, mss)) = Self::read(event) {
            self.fleet.add(&(provider, Self::ANY), &site, event.at());
            self.fleet.add(&(provider, mss), &site, event.at());
        }
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        self.fleet.remember(section, memory);
        self.callers.remember(section, memory);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.fleet.recall(section, memory)?;
        self.callers.recall(section, memory)
    }

    fn sight(&self, event: &Event<'_>) -> Option<(Site, Sighting)> {
        let (site, provider, mss) = Self::read(event)
            .filter(|&(site, _, mss)| Self::is_a_tunnels(mss) && self.callers.may_be_ours(event, site))?;
        let [sites, provider_sites] = [mss, Self::ANY].map(|size| self.fleet.users(&(provider, size)));
        Some((site, Sighting { mss, sites, provider_sites }))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        let day = at.as_secs() / 86_400;
        window.days.retain(|&known| day.saturating_sub(known) < Self::DAYS_KEPT);
        window.days.insert(day);
        // Its own site is always one of them.
        let others = sighting.sites.saturating_sub(1);
        let is_common = others > 0 && others * 100 >= sighting.provider_sites * self.settings.common_percent;
        let is_news = window.days.len() > window.told;
        window.told = window.days.len();
        if is_common || !is_news || window.days.len() < self.settings.days {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.mss.size", sighting.mss);
        evidence.push("spanwatch.mss.days", window.days.len() as u64);
        evidence.push("spanwatch.mss.sites", sighting.sites as u64);
        evidence.push("spanwatch.mss.provider_sites", sighting.provider_sites as u64);
        Some(evidence)
    }

    fn entity(site: &Site) -> Entity {
        Entity::Site(*site)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::detect::handshake::tests::{gate_and_web, strangers_come};
    use crate::event::tests::{fact, flow, summary};
    use crate::facts::{FactKind, FlowSummary};
    use crate::net::Transport;

    /// The days at which sightings on consecutive days are findings.
    fn found(sites: usize, provider_sites: usize, days: u64) -> Vec<u64> {
        let (detector, mut window) = (TunnelMss::default(), Window::default());
        let is_found = |&day: &u64| {
            let sighting = Sighting { mss: 1380, sites, provider_sites };
            let twice = (0..2).map(|n| Timestamp::from_secs(day * 86_400 + n));
            let findings = twice.filter_map(|at| detector.judge(&mut window, sighting, at)).count();
            assert!(findings <= 1, "once a day");
            findings > 0
        };
        (0..days).filter(is_found).collect()
    }

    #[test]
    fn strangers_at_a_public_server_are_not_judged() {
        let world = gate_and_web();
        let is_seen = |server: &str, strangers| {
            let mut detector = TunnelMss::default();
            strangers_come(strangers, |event| detector.learn(event));
            let mut ended = FlowSummary { client_rtt: Some(Duration::from_millis(30)), ..summary(5) };
            ended.client.mss = Some(1380);
            let fact = fact(flow("198.51.100.7:5000", server, Transport::Tcp), 6, FactKind::FlowEnded(ended));
            detector.sight(&Event::of_fact(&fact, None, &world)).is_some()
        };
        assert!(is_seen("192.0.2.1:443", 9));
        assert!(!is_seen("192.0.2.2:443", 9));
        assert!(is_seen("192.0.2.2:443", 8), "a portal that hardly anybody else comes to");
    }

    #[test]
    fn the_third_day_is_a_finding_and_each_further_one() {
        assert_eq!(found(1, 1, 2), [] as [u64; 0]);
        assert_eq!(found(1, 1, 5), [2, 3, 4]);
    }

    #[test]
    fn what_a_fifth_of_the_providers_sites_have_is_the_providers() {
        assert_eq!(found(20, 100, 3), [2], "19 others");
        assert_eq!(found(21, 100, 3), [] as [u64; 0]);
    }

    #[test]
    fn the_sizes_are_those_of_tunnels_and_not_of_lines() {
        for line in [1460, 1452, 1440, 1412, 536] {
            assert!(!TunnelMss::is_a_tunnels(line), "{line}");
        }
        for tunnel in [1420, 1380, 1372, 1340, 1240] {
            assert!(TunnelMss::is_a_tunnels(tunnel), "{tunnel}");
        }
    }
}
