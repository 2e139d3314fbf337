//! Whether the laptops of one household are as far away as each other.
//!
//! # What it sees
//!
//! The TCP round trip (SYN/ACK to ACK) through the tunnel to each device whose site is known; and outside the gateway the
//! round trip of the handshakes that each WireGuard tunnel of a site repeats every two minutes. The least of a day's is what
//! the way takes, to the millisecond or so wherever in a house a laptop stands. A day on which the farthest of a site's
//! devices, or of its tunnels that are up, is much farther away than the nearest is a finding, told again where more are
//! compared.
//!
//! # Why it matters
//!
//! Routers that lead several laptops to the address of one house leave each of them where it is. However near the house, what
//! answers are machines in different places.
//!
//! # Normal causes
//!
//! One of two colleagues on a journey who leads the own traffic home. A carrier's NAT that no list knows as one.
//!
//! # Blind spots
//!
//! Needs the traffic behind the gateway, and accounting or times that join it with the addresses outside; or tunnels of
//! WireGuard. Laptops that are all in one place elsewhere are as far away as each other; [`super::distant_client`] sees them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::handshake::{self, Handshake};
use crate::detect::log_on::is_a_crowds;
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{Fields, FlowId, Sender};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "distances_at_site";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec {
        name: "spanwatch.distances.nearest",
        help: "The least TCP round trip of the nearest device, in seconds.",
    },
    FieldSpec { name: "spanwatch.distances.farthest", help: "The least one of the farthest device, in seconds." },
    FieldSpec { name: "spanwatch.distances.devices", help: "How many devices or tunnels of the site were compared." },
    FieldSpec {
        name: "spanwatch.distances.days",
        help: "On how many days of the last fortnight they were so far apart.",
    },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DistancesAtSite {
    /// From this difference on it is a finding.
    #[serde(deserialize_with = "quantity::duration")]
    pub apart: Duration,
    /// So many connections of a device in a day are needed, or minutes with a tunnel's handshakes.
    pub connections: u32,
}

impl Default for DistancesAtSite {
    fn default() -> Self {
        Self { apart: Duration::from_millis(25), connections: 20 }
    }
}

/// Where a laptop was seen: the same laptop may be told behind the gateway and before it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Side {
    Inside,
    Outside,
}

/// A laptop as it is told from the others of its site.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
enum Laptop {
    Device(DeviceId),
    Tunnel(FlowId),
}

#[derive(Clone, Copy)]
pub struct Sighting {
    laptop: Laptop,
    rtt: Duration,
}

/// The least round trip of a laptop on a day, of how many, and when the latest was.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Least {
    rtt: Duration,
    connections: u32,
    latest: Timestamp,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    day: u64,
    #[serde(with = "crate::memory::pairs")]
    today: BTreeMap<Laptop, Least>,
    /// The days on which devices were too far apart, and of how many that was told.
    days: BTreeMap<u64, usize>,
}

impl DistancesAtSite {
    /// The most laptops of a site that are told apart; the one that was heard of longest ago gives way.
    const LAPTOPS_MAX: usize = 32;
    const DAYS_KEPT: u64 = 14;
    /// A tunnel whose last handshake is longer ago may have ended, and be its laptop's next one.
    const UP: Duration = Duration::from_secs(600);

    fn add(window: &mut Window, Sighting { laptop, rtt }: Sighting, at: Timestamp) -> Least {
        if window.today.len() >= Self::LAPTOPS_MAX && !window.today.contains_key(&laptop) {
            let stalest = window.today.iter().min_by_key(|(_, least)| least.latest).map(|(laptop, _)| *laptop);
            if let Some(stalest) = stalest {
                window.today.remove(&stalest);
            }
        }
        let least = window.today.entry(laptop).or_insert(Least { rtt, connections: 0, latest: at });
        *least = Least { rtt: least.rtt.min(rtt), connections: least.connections.saturating_add(1), latest: at };
        *least
    }
}

impl Detector for DistancesAtSite {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Location;
    const HEARS: &'static [&'static str] = &["activity", "flow", "minute"];
    type Subject = (Site, Side);
    type Sighting = Sighting;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<((Site, Side), Sighting)> {
        let (site, side, sighting) = match Handshake::through_tunnel(event) {
            Some(Handshake { site, summary }) => {
                let laptop = Laptop::Device(event.device(Sender::Client)?);
                (site, Side::Inside, Sighting { laptop, rtt: summary.client_rtt? })
            }
            None => {
                let (site, rtt) = handshake::rekeying(event)?;
                (site, Side::Outside, Sighting { laptop: Laptop::Tunnel(event.flow().id), rtt })
            }
        };
        (!is_a_crowds(event, site.address())).then_some(((site, side), sighting))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        let day = at.as_secs() / 86_400;
        if day != window.day {
            window.today.clear();
            window.day = day;
        }
        if !Self::add(window, sighting, at).connections.is_multiple_of(self.connections) {
            return None;
        }
        let is_there = |laptop: &Laptop, least: &Least| match laptop {
            Laptop::Device(_) => true,
            Laptop::Tunnel(_) => at.since(least.latest) <= Self::UP,
        };
        let compared = window.today.iter().filter(|(laptop, least)| is_there(laptop, least)).map(|(_, least)| least);
        let compared = compared.filter(|least| least.connections >= self.connections);
        let (nearest, farthest) =
            (compared.clone().map(|least| least.rtt).min()?, compared.clone().map(|least| least.rtt).max()?);
        let devices = compared.count();
        let told = window.days.get(&day).copied().unwrap_or(0);
        if farthest.saturating_sub(nearest) < self.apart || devices <= told {
            return None;
        }
        window.days.retain(|&known, _| day.saturating_sub(known) < Self::DAYS_KEPT);
        window.days.insert(day, devices);
        let mut evidence = Fields::default();
        evidence.push("spanwatch.distances.nearest", nearest.as_secs_f64());
        evidence.push("spanwatch.distances.farthest", farthest.as_secs_f64());
        evidence.push("spanwatch.distances.devices", devices as u64);
        evidence.push("spanwatch.distances.days", window.days.len() as u64);
        Some(evidence)
    }

    fn entity((site, _): &(Site, Side)) -> Entity {
        Entity::Site(*site)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::facts::Value;

    const DAY: u64 = 86_400;

    /// Devices with their round trips in milliseconds, each with so many connections a day; devices and days of findings.
    fn found(millis: &[u64], connections: u64, days: u64) -> Vec<(u64, u64)> {
        let (detector, mut window) = (DistancesAtSite::default(), Window::default());
        let mut found = Vec::new();
        for (day, number) in (0..days).flat_map(|day| (0..connections).map(move |number| (day, number))) {
            for (host, &millis) in (1..).zip(millis) {
                let laptop = Laptop::Device(DeviceId::of_address(IpAddr::from([10, 0, 0, host])));
                // Every second connection takes longer.
                let rtt = Duration::from_millis(millis + number % 2 * 300);
                let at = Timestamp::from_secs(day * DAY + number);
                let evidence = detector.judge(&mut window, Sighting { laptop, rtt }, at);
                let number = |evidence: &Fields, name| match evidence.get(name) {
                    Some(Value::Number(number)) => *number,
                    other => panic!("{other:?}"),
                };
                found.extend(evidence.map(|evidence| {
                    (number(&evidence, "spanwatch.distances.devices"), number(&evidence, "spanwatch.distances.days"))
                }));
            }
        }
        found
    }

    #[test]
    fn laptops_that_are_25_ms_apart_are_a_finding_each_day() {
        assert_eq!(found(&[180, 205], 20, 3), [(2, 1), (2, 2), (2, 3)]);
        assert_eq!(found(&[180, 204], 20, 3), []);
        assert_eq!(found(&[180, 205, 181], 20, 1), [(2, 1), (3, 1)]);
    }

    #[test]
    fn it_takes_twenty_connections_of_each() {
        assert_eq!(found(&[180, 300], 19, 3), []);
    }

    #[test]
    fn a_device_alone_is_as_far_as_itself() {
        assert_eq!(found(&[300], 50, 3), []);
    }

    #[test]
    fn what_is_remembered_of_a_site_is_bounded() {
        let (detector, mut window) = (DistancesAtSite::default(), Window::default());
        for host in 0..200 {
            let laptop = Laptop::Device(DeviceId::of_address(IpAddr::from([10, 0, 0, host])));
            detector.judge(&mut window, Sighting { laptop, rtt: Duration::ZERO }, Timestamp::from_secs(1));
        }
        assert_eq!(window.today.len(), DistancesAtSite::LAPTOPS_MAX);
    }

    /// Tunnels with their round trips in milliseconds and the minutes in which each is up, with a handshake every two; how many
    /// were compared in each finding.
    fn found_of_tunnels(tunnels: &[(u64, std::ops::Range<u64>)]) -> Vec<Option<Value>> {
        let (detector, mut window) = (DistancesAtSite::default(), Window::default());
        let mut found = Vec::new();
        for minute in (0..600).step_by(2) {
            let up = (0..).zip(tunnels).filter(|(_, (_, minutes))| minutes.contains(&minute));
            for (number, &(millis, _)) in up {
                let laptop = Laptop::Tunnel(FlowId(number));
                let sighting = Sighting { laptop, rtt: Duration::from_millis(millis) };
                let evidence = detector.judge(&mut window, sighting, Timestamp::from_secs(DAY + 60 * minute));
                found.extend(evidence.map(|evidence| evidence.get("spanwatch.distances.devices").cloned()));
            }
        }
        found
    }

    #[test]
    fn tunnels_are_compared_that_are_up_at_the_same_time() {
        let count = |count| Some(Value::Number(count));
        assert_eq!(found_of_tunnels(&[(180, 0..60), (205, 0..60), (190, 20..80)]), [count(2), count(3)]);
        assert_eq!(found_of_tunnels(&[(180, 0..60), (204, 0..60)]), []);
        assert_eq!(found_of_tunnels(&[(180, 0..60), (205, 70..130)]), [], "the same laptop over another line");
        assert_eq!(found_of_tunnels(&[(180, 0..38), (205, 0..60)]), [], "nineteen handshakes");
    }
}
