//! How many of the organisation's laptops are in one household outside: an estimate, and how far it may be off.
//!
//! # What it sees
//!
//! Four counts of a day, each of which misses something else: the most tunnels that ran side by side, the accounts that
//! logged on, the devices inside whose household it is, and the most machines that opened connections to one of our servers
//! side by side, told apart by how Windows numbers its packets. The greatest is the estimate. Tunnels and devices cannot be
//! more than there are laptops, and that number is right to one; so the greatest of those is the least that there are.
//! Accounts can be more, where several people share a laptop. A greater estimate, or a greater least number, is a finding.
//!
//! # Why it matters
//!
//! That a house has two laptops is a couple; that it has eight is a farm. Whoever goes there wants to know how many.
//!
//! # Normal causes
//!
//! As for tunnels and accounts of one address: households of colleagues, coworking, hotels. Addresses of a
//! class that many share (mobile, carrier NAT, corporate) are left out.
//!
//! # Blind spots
//!
//! Laptops that take turns are never side by side, and are counted by their accounts alone. Houses with an exit for each
//! laptop look like as many houses. Packets of Linux and macOS, and those that a NAT numbers anew, are not told apart.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::chains::{Chains, Connection};
use crate::detect::handshake::{self, Handshake};
use crate::detect::log_on::{LogOn, is_a_crowds};
use crate::detect::sightings::Sightings;
use crate::detect::spans::{self, Span, Way};
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{Fields, FlowId, Sender};
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "hosts_at_site";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec {
        name: "spanwatch.hosts.estimate",
        help: "How many of the organisation's laptops the site has, as it seems.",
    },
    FieldSpec { name: "spanwatch.hosts.least", help: "How many it has at least." },
    FieldSpec { name: "spanwatch.hosts.error", help: "How many fewer than the estimate those are." },
    FieldSpec { name: "spanwatch.hosts.tunnels", help: "The most tunnels at a time in the day." },
    FieldSpec { name: "spanwatch.hosts.accounts", help: "The accounts that logged on from it in the day." },
    FieldSpec { name: "spanwatch.hosts.devices", help: "The devices inside that were there in the day." },
    FieldSpec {
        name: "spanwatch.hosts.machines",
        help: "The most machines that opened connections at a time, by how they number their packets; right to one.",
    },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct HostsAtSite {
    /// Counts are of so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub window: Duration,
    /// So long two tunnels must have run side by side.
    #[serde(deserialize_with = "quantity::duration")]
    pub overlap: Duration,
}

impl Default for HostsAtSite {
    fn default() -> Self {
        Self { window: Duration::from_secs(86_400), overlap: Duration::from_secs(300) }
    }
}

/// What an event tells of a site's hosts, and how many devices were there lately.
pub struct Sighting {
    sign: Sign,
    devices: usize,
}

enum Sign {
    Account(Text),
    /// To one of our servers.
    Connection(IpAddr, Connection),
    Tunnel(Way, Span),
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    accounts: Sightings<Text>,
    #[serde(with = "crate::memory::pairs")]
    tunnels: BTreeMap<Way, BTreeMap<FlowId, Span>>,
    /// The most tunnels at a time, with the day on which they were.
    together: BTreeMap<u64, usize>,
    chains: BTreeMap<IpAddr, Chains>,
    /// The most machines at a time, with the day on which they were.
    machines: BTreeMap<u64, usize>,
    told: (usize, usize),
}

impl HostsAtSite {
    const ACCOUNTS_MAX: usize = 64;
    const WAYS_MAX: usize = 8;
    /// Open flows are told of once an hour: a way that is silent for longer is used no more.
    const SILENCE_MAX: Duration = Duration::from_secs(2 * 3600);
    const SPANS_MAX: usize = 64;
    const SERVERS_MAX: usize = 2;

    fn add_tunnel(self, window: &mut Window, way: Way, span: Span, at: Timestamp) {
        // Ways in use do not drive each other out in turns.
        if window.tunnels.len() >= Self::WAYS_MAX && !window.tunnels.contains_key(&way) {
            let last = |spans: &BTreeMap<FlowId, Span>| spans.values().map(|span| span.last).max();
            let stalest = window.tunnels.iter().map(|(way, spans)| (last(spans), *way)).min();
            match stalest {
                Some((last, stalest)) if last.is_none_or(|last| at.since(last) > Self::SILENCE_MAX) => {
                    window.tunnels.remove(&stalest);
                }
                _ => return,
            }
        }
        let spans = window.tunnels.entry(way).or_default();
        spans.retain(|_, known| at.since(known.last) <= self.window);
        spans.insert(span.flow, span);
        if spans.len() > Self::SPANS_MAX {
            spans.pop_first();
        }
        let (count, _) = spans::together(spans, span, self.overlap);
        self.note(&mut window.together, count, at);
    }

    fn add_connection(self, window: &mut Window, server: IpAddr, connection: Connection, at: Timestamp) {
        if window.chains.len() >= Self::SERVERS_MAX && !window.chains.contains_key(&server) {
            let stalest = window.chains.iter().map(|(server, chains)| (chains.latest(), *server)).min();
            match stalest {
                Some((latest, stalest)) if latest.is_none_or(|latest| at.since(latest) > self.window) => {
                    window.chains.remove(&stalest);
                }
                _ => return,
            }
        }
        let count = window.chains.entry(server).or_default().add(connection, at);
        self.note(&mut window.machines, count, at);
    }

    /// Keeps the greatest count of this window and of the one before.
    fn note(self, counts: &mut BTreeMap<u64, usize>, count: usize, at: Timestamp) {
        let most = counts.entry(at.as_secs() / self.window.as_secs().max(1)).or_default();
        *most = count.max(*most);
        while counts.len() > 2 {
            counts.pop_first();
        }
    }

    /// A connection of a household that somebody of ours is known at: any other's are no laptop's.
    fn connection(event: &Event<'_>) -> Option<(Site, Sign)> {
        let handshake = Handshake::of(event)?;
        let site = handshake.site;
        let syn_id = handshake.summary.syn_id.filter(|_| handshake::is_known(event, site))?;
        let flow = event.flow();
        let packets = handshake.summary.client.packets;
        let connection = Connection { syn_id, packets, flow: flow.id, started: flow.started };
        Some((site, Sign::Connection(event.address(Sender::Server)?, connection)))
    }
}

impl Detector for HostsAtSite {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Multiplicity;
    const HEARS: &'static [&'static str] = &["activity", "credential", "flow"];
    type Subject = Site;
    type Sighting = Sighting;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(Site, Sighting)> {
        let tunnel = spans::tunnel(event).filter(|(_, _, span)| span.last.since(span.first) >= self.overlap);
        let (site, sign) = match tunnel {
            Some((site, way, span)) => (site, Sign::Tunnel(way, span)),
            None => LogOn::of(event)
                .map(|log_on| (Site::of(log_on.from), Sign::Account(log_on.account)))
                .or_else(|| Self::connection(event))?,
        };
        if is_a_crowds(event, site.address()) {
            return None;
        }
        let lately = |last: Timestamp| event.at().since(last) <= self.window;
        let devices = event.world().devices_at(site).filter(|(_, stay)| lately(stay.last)).count();
        Some((site, Sighting { sign, devices }))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        window.accounts.forget(at, self.window);
        match sighting.sign {
            Sign::Account(account) => {
                window.accounts.add(account, at, self.window, Self::ACCOUNTS_MAX);
            }
            Sign::Connection(server, connection) => self.add_connection(window, server, connection, at),
            Sign::Tunnel(way, span) => self.add_tunnel(window, way, span, at),
        }
        let tunnels = window.together.values().copied().max().unwrap_or(0);
        let accounts = window.accounts.len();
        let machines = window.machines.values().copied().max().unwrap_or(0);
        let least = tunnels.max(sighting.devices).max(machines.saturating_sub(1));
        let estimate = least.max(accounts).max(machines);
        let told = std::mem::replace(&mut window.told, (estimate, least));
        let is_more = estimate > told.0 || least > told.1;
        if estimate < 2 || !is_more {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.hosts.estimate", estimate as u64);
        evidence.push("spanwatch.hosts.least", least as u64);
        evidence.push("spanwatch.hosts.error", (estimate - least) as u64);
        evidence.push("spanwatch.hosts.tunnels", tunnels as u64);
        evidence.push("spanwatch.hosts.accounts", accounts as u64);
        evidence.push("spanwatch.hosts.devices", sighting.devices as u64);
        evidence.push("spanwatch.hosts.machines", machines as u64);
        Some(evidence)
    }

    fn entity(site: &Site) -> Entity {
        Entity::Site(*site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::{fact, flow, summary, world};
    use crate::facts::{FactKind, FlowSummary, Value};
    use crate::net::Transport;

    const HOUR: u64 = 3600;

    struct House {
        detector: HostsAtSite,
        window: Window,
        found: Vec<[u64; 3]>,
    }

    impl House {
        fn new() -> Self {
            Self { detector: HostsAtSite::default(), window: Window::default(), found: Vec::new() }
        }

        fn see(&mut self, sighting: Sighting, secs: u64) {
            if let Some(evidence) = self.detector.judge(&mut self.window, sighting, Timestamp::from_secs(secs)) {
                let number = |name| match evidence.get(name) {
                    Some(Value::Number(number)) => *number,
                    _ => u64::MAX,
                };
                let fields = ["spanwatch.hosts.estimate", "spanwatch.hosts.least", "spanwatch.hosts.error"];
                self.found.push(fields.map(number));
            }
        }

        fn log_on(&mut self, account: &str, secs: u64) {
            self.see(Sighting { sign: Sign::Account(account.into()), devices: 0 }, secs);
        }

        /// A connection of nine packets to the gateway, told after a minute.
        fn connect(&mut self, flow_id: FlowId, syn_id: u16, started: u64) {
            let world = world("networks: [{name: gate, roles: [vpn_gateway], prefixes: [192.0.2.1/32]}]");
            let mut flow = flow("198.51.100.7:4000", "192.0.2.1:443", Transport::Tcp);
            (flow.id, flow.started) = (flow_id, Timestamp::from_secs(started));
            let client_rtt = Some(Duration::from_millis(20));
            let mut summary = FlowSummary { syn_id: Some(syn_id), client_rtt, ..summary(60) };
            summary.client.packets = 9;
            let fact = fact(flow, started + 60, FactKind::Activity(summary));
            let (_, sighting) = self.detector.sight(&Event::of_fact(&fact, None, &world)).unwrap();
            self.see(sighting, started + 60);
        }

        /// A tunnel of so many seconds, told at its end.
        fn tunnel(&mut self, port: u16, started: u64, secs: u64) {
            self.tunnel_to(1, port, started, secs);
        }

        fn tunnel_to(&mut self, gateway: u8, port: u16, started: u64, secs: u64) {
            let world = world("networks: [{name: gate, roles: [vpn_gateway], prefixes: [192.0.2.0/24]}]");
            let (client, server) = (format!("198.51.100.7:{port}"), format!("192.0.2.{gateway}:51820"));
            let mut flow = flow(&client, &server, Transport::Udp);
            (flow.id, flow.started) = (FlowId(u64::from(port)), Timestamp::from_secs(started));
            let fact = fact(flow, started + secs, FactKind::FlowEnded(summary(secs)));
            if let Some((_, sighting)) = self.detector.sight(&Event::of_fact(&fact, None, &world)) {
                self.see(sighting, started + secs);
            }
        }
    }

    #[test]
    fn the_greatest_count_is_the_estimate_and_tunnels_and_devices_the_least() {
        let mut house = House::new();
        house.log_on("ann", 0);
        house.log_on("bob", 1);
        house.log_on("cho", 2);
        house.tunnel(1, 0, HOUR);
        house.tunnel(2, 10, HOUR);
        house.see(Sighting { sign: Sign::Account("ann".into()), devices: 3 }, HOUR + 20);
        assert_eq!(house.found, [[2, 0, 2], [3, 0, 3], [3, 1, 2], [3, 2, 1], [3, 3, 0]]);
    }

    #[test]
    fn tunnels_count_that_ran_side_by_side_for_five_minutes() {
        let mut house = House::new();
        house.tunnel(1, 0, 600);
        house.tunnel(2, 300, 600);
        house.tunnel(3, 901, 600);
        assert_eq!(house.found, [[2, 2, 0]]);
        let mut turns = House::new();
        turns.tunnel(1, 0, 600);
        turns.tunnel(2, 301, 600);
        assert_eq!(turns.found, [] as [[u64; 3]; 0]);
    }

    #[test]
    fn machines_are_counted_by_their_connections_to_a_server_of_ours() {
        let mut house = House::new();
        for number in 0..8_u64 {
            for (machine, first_id) in [(0, 100), (1, 20_000), (2, 40_000)] {
                let syn_id = first_id + 10 * u16::try_from(number).unwrap();
                house.connect(FlowId(10 * number + machine), syn_id, 60 * number);
            }
        }
        assert_eq!(house.found, [[3, 2, 1]]);
    }

    #[test]
    fn ways_in_use_stay_and_one_that_is_silent_makes_room() {
        let mut house = House::new();
        for way in 1..=8 {
            house.tunnel_to(way, u16::from(way), 0, 600);
        }
        house.tunnel_to(1, 11, 0, 600);
        assert_eq!(house.found, [[2, 2, 0]], "the first of them was not forgotten");
        for port in 21..24 {
            house.tunnel_to(9, port, 2 * HOUR, 600);
        }
        assert_eq!(house.found, [[2, 2, 0]], "others are in use");
    }

    #[test]
    fn a_gateway_that_moved_is_counted_at_its_new_address() {
        let mut house = House::new();
        for way in 1..=8 {
            house.tunnel_to(way, u16::from(way), 0, 600);
        }
        for port in 21..24 {
            house.tunnel_to(9, port, 2 * HOUR + 1, 600);
        }
        assert_eq!(house.found, [[2, 2, 0], [3, 3, 0]]);
    }

    /// How many machines are counted of one that connects to two servers at first and of two that come to another later.
    fn machines_at_another_server(later: u64) -> usize {
        let (detector, mut window) = (HostsAtSite::default(), Window::default());
        let mut connect = |server: u8, number: u64, first_id: u16, secs: u64| {
            let (flow, started) = (FlowId(secs + u64::from(first_id)), Timestamp::from_secs(secs));
            let syn_id = first_id + 10 * u16::try_from(number).unwrap();
            let server = IpAddr::from([192, 0, 2, server]);
            detector.add_connection(&mut window, server, Connection { syn_id, packets: 9, flow, started }, started);
        };
        [1, 2].into_iter().for_each(|server| connect(server, 0, 100, 0));
        for (number, first_id) in (0..12).flat_map(|number| [(number, 100), (number, 20_000)]) {
            connect(3, number, first_id, later + 60 * number);
        }
        window.machines.values().copied().max().unwrap_or(0)
    }

    #[test]
    fn a_server_that_nobody_comes_to_any_more_makes_room_after_the_day() {
        assert_eq!(machines_at_another_server(23 * HOUR), 0);
        assert_eq!(machines_at_another_server(24 * HOUR + 1), 2);
    }

    #[test]
    fn what_was_counted_is_forgotten_after_the_day() {
        let mut house = House::new();
        house.log_on("ann", 0);
        house.log_on("bob", 24 * HOUR + 1);
        assert_eq!(house.found, [] as [[u64; 3]; 0]);
        house.log_on("ann", 48 * HOUR);
        assert_eq!(house.found, [[2, 0, 2]]);
    }

    #[test]
    fn what_is_remembered_of_a_site_is_bounded() {
        let mut house = House::new();
        for number in 0..200 {
            house.log_on(&number.to_string(), 1);
            house.tunnel(number + 1, 0, 600);
        }
        assert_eq!(house.found.last(), Some(&[64, 64, 0]));
    }
}
