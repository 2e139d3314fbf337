//! Whether an outside address is farther away than its neighbours: than others of its country and provider; of its kind of
//! line where no database knows those; or than everybody of whom nothing is known, either.
//!
//! # What it sees
//!
//! The TCP round trip to each outside client (SYN/ACK to ACK), and through the tunnel to each device whose site is known;
//! the round trip of the handshakes that a WireGuard tunnel to the gateway repeats every two minutes. The least of a day's
//! connections is what the way takes. It is compared with the same of the other sites of its country
//! and autonomous system, and the finding says what with. Strangers at a public server are left out.
//!
//! # Why it matters
//!
//! A router at the house that forwards everything through a VPN carries TCP end to end, so that no layer differs from
//! another; but the way is longer than the address admits. The same holds for a foreign user of a VPN's local exit.
//!
//! # Normal causes
//!
//! Satellite and mobile access, a country as large as its provider; both widen the spread among the neighbours, which the
//! threshold follows. Where nothing is known of addresses, every journey abroad.
//!
//! # Blind spots
//!
//! Needs enough other sites of the same country and system, or kind of address. A provider all of whose customers here are
//! relayed is its own neighbour.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::handshake::{self, Callers, Handshake};
use crate::detect::spread::median_and_deviation;
use crate::detect::{Detector, Family};
use crate::enrich::classes::AddressClass;
use crate::event::Event;
use crate::facts::{Fields, Sender};
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::memory::{Memory, MemoryError};
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

pub const NAME: &str = "distant_client";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.distance.rtt", help: "The least TCP round trip of the day, in seconds." },
    FieldSpec { name: "spanwatch.distance.peers_rtt", help: "The median of its neighbours', in seconds." },
    FieldSpec { name: "spanwatch.distance.peers_spread", help: "The standard deviation of those, in seconds." },
    FieldSpec { name: "spanwatch.distance.peers", help: "How many neighbours there are." },
    FieldSpec {
        name: "spanwatch.distance.compared_with",
        help: "Whose others those are: of its `provider` in its country, of its `class` of address, or `everybody`, of whom no \
               more is known.",
    },
    FieldSpec { name: "spanwatch.distance.days", help: "On how many days of the last fortnight it was so." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// From this difference on it is a finding, if it is six deviations of the neighbours, too.
    #[serde(deserialize_with = "quantity::duration")]
    pub excess: Duration,
    /// So many connections of a day are needed, or minutes with a tunnel's handshakes.
    pub connections: u32,
    /// So many neighbours are needed.
    pub peers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { excess: Duration::from_millis(80), connections: 20, peers: 8 }
    }
}

pub struct DistantClient {
    settings: Settings,
    neighbourhoods: Recent<Neighbourhood, Peers>,
    callers: Callers,
}

/// Where sites are comparable.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Neighbourhood {
    Class(AddressClass),
    Provider {
        system: u32,
        country: Box<str>,
    },
    /// Of whom nothing is known.
    Unknown,
}

impl Neighbourhood {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Class(_) => "class",
            Self::Provider { .. } => "provider",
            Self::Unknown => "everybody",
        }
    }
}

/// The least round trip of the latest day of each site.
#[derive(Default, Deserialize, Serialize)]
struct Peers {
    sites: BTreeMap<Site, Least>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Least {
    day: u64,
    rtt: Duration,
    connections: u32,
}

pub struct Sighting {
    site: Site,
    rtt: Duration,
    neighbourhood: Neighbourhood,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    least: Least,
    /// The days on which the site was too far away.
    days: BTreeSet<u64>,
}

impl Least {
    fn add(&mut self, rtt: Duration, day: u64) {
        if self.day != day || self.connections == 0 {
            *self = Self { day, rtt, connections: 0 };
        }
        self.rtt = self.rtt.min(rtt);
        self.connections = self.connections.saturating_add(1);
    }
}

impl DistantClient {
    const NEIGHBOURHOODS: Retention = Retention { entries_max: 4096, keep: Duration::from_secs(7 * 86_400) };
    /// As many stand for all others.
    const SITES_MAX: usize = 256;
    const DAYS_KEPT: u64 = 14;
    const DEVIATIONS: f64 = 6.0;

    pub fn new(settings: Settings) -> Self {
        Self { settings, neighbourhoods: Recent::new(Self::NEIGHBOURHOODS), callers: Callers::default() }
    }

    fn sighting(event: &Event<'_>) -> Option<Sighting> {
        let (site, rtt) = match Handshake::of(event).or_else(|| Handshake::through_tunnel(event)) {
            Some(Handshake { site, summary }) => (site, summary.client_rtt?),
            None => handshake::rekeying(event)?,
        };
        let (place, class) = (event.world().geo.get(site.address()), event.world().address_class(site.address()));
        let neighbourhood = match (place.as_number, &place.country) {
            (Some(system), Some(country)) => Neighbourhood::Provider { system, country: country.clone() },
            _ => class.map_or(Neighbourhood::Unknown, Neighbourhood::Class),
        };
        Some(Sighting { site, rtt, neighbourhood })
    }
}

impl Peers {
    fn add(&mut self, site: Site, rtt: Duration, day: u64) {
        if self.sites.len() >= DistantClient::SITES_MAX && !self.sites.contains_key(&site) {
            self.sites.retain(|_, least| day.saturating_sub(least.day) < DistantClient::DAYS_KEPT);
            if self.sites.len() >= DistantClient::SITES_MAX {
                return;
            }
        }
        self.sites.entry(site).or_default().add(rtt, day);
    }

    /// The least round trips of the other sites, in seconds, sorted.
    fn others(&self, site: Site) -> Vec<f64> {
        let others = self.sites.iter().filter(|&(&other, _)| other != site);
        others.map(|(_, least)| least.rtt.as_secs_f64()).collect()
    }
}

impl Detector for DistantClient {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Location;
    const HEARS: &'static [&'static str] = &["activity", "flow", "minute"];
    type Subject = Site;
    type Sighting = Sighting;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        self.callers.learn(event);
        let Some(Sighting { site, rtt, neighbourhood }) = Self::sighting(event) else {
            return;
        };
        let peers = self.neighbourhoods.get_or_insert_with(neighbourhood, event.at(), Peers::default);
        peers.add(site, rtt, event.at().as_secs() / 86_400);
        self.neighbourhoods.expire(event.at());
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        memory.put(&format!("{section}.neighbourhoods"), &self.neighbourhoods);
        self.callers.remember(section, memory);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.neighbourhoods.restore(memory.get(&format!("{section}.neighbourhoods"))?.unwrap_or_default());
        self.callers.recall(section, memory)
    }

    fn sight(&self, event: &Event<'_>) -> Option<(Site, Sighting)> {
        let is_inside = event.is_home(Sender::Client);
        let sighting = Self::sighting(event).filter(|seen| is_inside || self.callers.may_be_ours(event, seen.site))?;
        Some((sighting.site, sighting))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        let day = at.as_secs() / 86_400;
        window.least.add(sighting.rtt, day);
        let own = window.least;
        if !own.connections.is_multiple_of(self.settings.connections) || window.days.contains(&day) {
            return None;
        }
        let others = self.neighbourhoods.get(&sighting.neighbourhood)?.others(sighting.site);
        if others.len() < self.settings.peers {
            return None;
        }
        let (usual, spread) = median_and_deviation(&others);
        let excess = own.rtt.as_secs_f64() - usual;
        if excess < self.settings.excess.as_secs_f64().max(Self::DEVIATIONS * spread) {
            return None;
        }
        window.days.retain(|&known| day.saturating_sub(known) < Self::DAYS_KEPT);
        window.days.insert(day);
        let mut evidence = Fields::default();
        evidence.push("spanwatch.distance.rtt", own.rtt.as_secs_f64());
        evidence.push("spanwatch.distance.peers_rtt", usual);
        evidence.push("spanwatch.distance.peers_spread", spread);
        evidence.push("spanwatch.distance.peers", others.len() as u64);
        evidence.push("spanwatch.distance.compared_with", sighting.neighbourhood.as_str());
        evidence.push("spanwatch.distance.days", window.days.len() as u64);
        Some(evidence)
    }

    fn entity(site: &Site) -> Entity {
        Entity::Site(*site)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::detect::handshake::tests::{gate_and_web, strangers_come};
    use crate::event::tests::{fact, flow, summary};
    use crate::facts::{FactKind, FlowSummary, Value};
    use crate::net::Transport;

    fn place() -> Neighbourhood {
        Neighbourhood::Provider { system: 64_500, country: "US".into() }
    }

    fn site(number: u8) -> Site {
        Site::of(IpAddr::from([198, 51, 100, number]))
    }

    /// A provider's sites whose ways take so many milliseconds, each with as many connections a day as asked for.
    struct Provider {
        detector: DistantClient,
        window: Window,
    }

    impl Provider {
        fn new(peers_millis: &[u64]) -> Self {
            let mut detector = DistantClient::new(Settings::default());
            let peers = detector.neighbourhoods.get_or_insert_with(place(), Timestamp::ZERO, Peers::default);
            for (number, &millis) in (100..).zip(peers_millis) {
                peers.add(site(number), Duration::from_millis(millis), 0);
            }
            Self { detector, window: Window::default() }
        }

        /// On how many days a client of so many connections a day was found at each of them.
        fn found(&mut self, millis: u64, connections: u64, days: u64) -> Vec<u64> {
            let mut found = Vec::new();
            for secs in (0..days).flat_map(|day| (0..connections).map(move |n| day * 86_400 + n)) {
                let at = Timestamp::from_secs(secs);
                let rtt = Duration::from_millis(millis);
                let sighting = Sighting { site: site(1), rtt, neighbourhood: place() };
                let evidence = self.detector.judge(&mut self.window, sighting, at);
                if let Some(Value::Number(days)) =
                    evidence.as_ref().and_then(|evidence| evidence.get("spanwatch.distance.days"))
                {
                    found.push(*days);
                }
            }
            found
        }
    }

    const NEAR: &[u64] = &[20, 22, 24, 26, 28, 30, 32, 34, 36];

    #[test]
    fn strangers_at_a_public_server_are_not_judged() {
        let world = gate_and_web();
        let is_seen = |server: &str, strangers| {
            let mut detector = DistantClient::new(Settings::default());
            strangers_come(strangers, |event| detector.learn(event));
            let ended = FlowSummary { client_rtt: Some(Duration::from_millis(30)), ..summary(5) };
            let fact = fact(flow("198.51.100.7:5000", server, Transport::Tcp), 6, FactKind::FlowEnded(ended));
            detector.sight(&Event::of_fact(&fact, None, &world)).is_some()
        };
        assert!(is_seen("192.0.2.1:443", 9));
        assert!(!is_seen("192.0.2.2:443", 9));
        assert!(is_seen("192.0.2.2:443", 8), "a portal that hardly anybody else comes to");
    }

    #[test]
    fn a_client_that_is_80_ms_farther_away_than_its_neighbours_is_a_finding_each_day() {
        assert_eq!(Provider::new(NEAR).found(108, 20, 3), [1, 2, 3]);
        assert_eq!(Provider::new(NEAR).found(107, 20, 3), [] as [u64; 0]);
    }

    #[test]
    fn it_takes_twenty_connections_of_a_day() {
        assert_eq!(Provider::new(NEAR).found(300, 19, 3), [] as [u64; 0]);
    }

    #[test]
    fn it_takes_eight_neighbours() {
        assert_eq!(Provider::new(&NEAR[..7]).found(300, 20, 1), [] as [u64; 0]);
        assert_eq!(Provider::new(&NEAR[..8]).found(300, 20, 1), [1]);
    }

    #[test]
    fn where_the_neighbours_differ_much_it_takes_more() {
        let wide = [20, 40, 60, 80, 100, 120, 140, 160, 180];
        assert_eq!(Provider::new(&wide).found(300, 20, 1), [] as [u64; 0]);
    }

    #[test]
    fn what_is_remembered_of_a_provider_is_bounded() {
        let mut peers = Peers::default();
        for number in 0..2000_u32 {
            peers.add(Site::of(std::net::Ipv4Addr::from_bits(number).into()), Duration::from_millis(1), 0);
        }
        assert_eq!(peers.sites.len(), DistantClient::SITES_MAX);
    }
}
