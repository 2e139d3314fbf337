//! Whether the TLS client behind an outside address is farther away than its TCP end.
//!
//! # What it sees
//!
//! Connections from outside to our servers, with two round trips each: of TCP (SYN/ACK to ACK) and of what is spoken over
//! it (the end of the server's first flight to the client's answer). Of each layer a low quantile is taken over all
//! connections of a day between an address and a server, and the one is subtracted from the other: a single connection
//! says nothing, because one delayed packet moves either layer. The difference is what lies between TCP's end and TLS's. Where
//! enough other sites are known that come to the same server, it must lie beyond what theirs have, too. Strangers at a public
//! server are left out.
//!
//! # Why it matters
//!
//! A SOCKS relay, a residential proxy or a browser steered at the house ends TCP there and TLS abroad: their user is not
//! at home.
//!
//! # Normal causes
//!
//! Slow machines take 10 to 60 ms; below 75 ms nothing is said. A server that asks for a signature of a TPM or a smart card
//! gets every answer late: then all of its sites do. A proxy of the client's own organisation.
//!
//! # Blind spots
//!
//! A VPN on the network layer carries TCP end to end, so both layers are equally far. Only protocols whose clients answer
//! by themselves are measured. Other machines of the household that come directly hide a relay that serves one of them. A
//! server to which most sites come through relays; where a signature takes long, a relay that adds less than signatures differ.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::handshake::{Callers, Handshake};
use crate::detect::spread::median_and_deviation;
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{Fields, Sender};
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::memory::{Memory, MemoryError};
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

pub const NAME: &str = "relay";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec {
        name: "spanwatch.relay.excess",
        help: "How much longer the round trip over TLS is than that of TCP, in seconds.",
    },
    FieldSpec { name: "spanwatch.relay.tcp_rtt", help: "The low quantile of the round trips of TCP, in seconds." },
    FieldSpec { name: "spanwatch.relay.tls_rtt", help: "The low quantile of the round trips over TLS, in seconds." },
    FieldSpec { name: "spanwatch.relay.connections", help: "Over how many connections they were taken." },
    FieldSpec { name: "spanwatch.relay.days", help: "On how many days of the last fortnight it was so." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// From this difference on it is a finding.
    #[serde(deserialize_with = "quantity::duration")]
    pub excess: Duration,
    /// So many connections are needed.
    pub connections: usize,
    /// They are taken together within so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub window: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { excess: Duration::from_millis(75), connections: 5, window: Duration::from_secs(86_400) }
    }
}

pub struct Relay {
    settings: Settings,
    callers: Callers,
    /// Who comes to each server.
    servers: Recent<IpAddr, Clients>,
}

/// By how much TLS was later than TCP in the latest connection of each site, and on which day.
#[derive(Default, Deserialize, Serialize)]
struct Clients {
    sites: BTreeMap<Site, (u64, Duration)>,
}

/// A connection, with whose and where to.
pub struct Sighting {
    site: Site,
    server: IpAddr,
    trips: RoundTrips,
}

/// Both round trips of a connection.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct RoundTrips {
    tcp: Duration,
    tls: Duration,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    /// The latest last.
    connections: VecDeque<(Timestamp, RoundTrips)>,
    days: BTreeSet<u64>,
}

/// What both layers come to.
#[derive(Clone, Copy, Debug)]
struct Layers {
    tcp: Duration,
    tls: Duration,
}

impl Relay {
    const CONNECTIONS_MAX: usize = 64;
    /// From so many connections on the fifth part of them may be wrong; with fewer the least is taken.
    const QUANTILE_FROM: usize = 10;
    const DAYS_KEPT: u64 = 14;
    /// The protocols whose clients answer the server's first flight without anybody's help.
    const ANSWERS_BY_ITSELF: &'static [&'static str] = &["rdp", "tls"];

    const SERVERS: Retention = Retention { entries_max: 1024, keep: Duration::from_secs(7 * 86_400) };
    /// As many stand for all others.
    const SITES_MAX: usize = 256;
    /// Fewer say nothing of what is usual.
    const OTHERS_MIN: usize = 8;
    /// Of which one in a thousand is farther from the median.
    const DEVIATIONS: f64 = 3.0;
    /// An answer takes so long at any server.
    const ANSWER: Duration = Duration::from_millis(15);

    pub fn new(settings: Settings) -> Self {
        Self { settings, callers: Callers::default(), servers: Recent::new(Self::SERVERS) }
    }

    fn sighting(&self, event: &Event<'_>) -> Option<Sighting> {
        let Handshake { site, summary } =
            Handshake::of(event).filter(|handshake| self.callers.may_be_ours(event, handshake.site))?;
        if !Self::ANSWERS_BY_ITSELF.contains(&event.protocol()?.as_str()) {
            return None;
        }
        let trips = RoundTrips { tcp: summary.client_rtt?, tls: summary.flight_rtt? };
        Some(Sighting { site, server: event.address(Sender::Server)?, trips })
    }

    /// From which difference on a site is unlike the others that come to the server.
    fn excess_beyond_others(&self, site: Site, server: IpAddr) -> Option<Duration> {
        let others = self.servers.get(&server)?.others(site);
        if others.len() < Self::OTHERS_MIN {
            return None;
        }
        let (usual, deviation) = median_and_deviation(&others);
        let spread = Duration::from_secs_f64(Self::DEVIATIONS * deviation);
        Some(Duration::from_secs_f64(usual).saturating_sub(Self::ANSWER) + spread.max(self.settings.excess))
    }

    /// The difference of the layers' quantiles, never a quantile of the connections' differences: one late ACK makes a
    /// connection's TCP round trip long and its difference small.
    fn layers(connections: &VecDeque<(Timestamp, RoundTrips)>) -> Layers {
        let layer = |of: fn(&RoundTrips) -> Duration| {
            quantile(connections.iter().map(|(_, connection)| of(connection)).collect())
        };
        Layers { tcp: layer(|connection| connection.tcp), tls: layer(|connection| connection.tls) }
    }
}

impl Clients {
    fn add(&mut self, site: Site, trips: RoundTrips, day: u64) {
        if self.sites.len() >= Relay::SITES_MAX && !self.sites.contains_key(&site) {
            self.sites.retain(|_, (latest, _)| day.saturating_sub(*latest) < Relay::DAYS_KEPT);
            if self.sites.len() >= Relay::SITES_MAX {
                return;
            }
        }
        self.sites.insert(site, (day, trips.tls.saturating_sub(trips.tcp)));
    }

    /// By how much TLS is later than TCP at the other sites, in seconds.
    fn others(&self, site: Site) -> Vec<f64> {
        let others = self.sites.iter().filter(|&(&other, _)| other != site);
        others.map(|(_, (_, excess))| excess.as_secs_f64()).collect()
    }
}

/// The value that a fifth of many lie below, or the least of few.
fn quantile(mut values: Vec<Duration>) -> Duration {
    values.sort();
    let place = if values.len() < Relay::QUANTILE_FROM { 0 } else { values.len() / 5 };
    values.get(place).copied().unwrap_or_default()
}

impl Detector for Relay {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Location;
    const HEARS: &'static [&'static str] = &["activity", "flow"];
    type Subject = (Site, IpAddr);
    type Sighting = Sighting;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        self.callers.learn(event);
        if let Some(Sighting { site, server, trips }) = self.sighting(event) {
            self.servers.expire(event.at());
            let clients = self.servers.get_or_insert_with(server, event.at(), Clients::default);
            clients.add(site, trips, event.at().as_secs() / 86_400);
        }
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        self.callers.remember(section, memory);
        memory.put(&format!("{section}.servers"), &self.servers);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.servers.restore(memory.get(&format!("{section}.servers"))?.unwrap_or_default());
        self.callers.recall(section, memory)
    }

    fn sight(&self, event: &Event<'_>) -> Option<((Site, IpAddr), Sighting)> {
        let sighting = self.sighting(event)?;
        Some(((sighting.site, sighting.server), sighting))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        window.connections.retain(|&(seen, _)| at.since(seen) <= self.settings.window);
        if window.connections.len() == Self::CONNECTIONS_MAX {
            window.connections.pop_front();
        }
        window.connections.push_back((at, sighting.trips));
        if window.connections.len() < self.settings.connections {
            return None;
        }
        let Layers { tcp, tls } = Self::layers(&window.connections);
        let excess = tls.saturating_sub(tcp);
        let day = at.as_secs() / 86_400;
        window.days.retain(|&known| day.saturating_sub(known) < Self::DAYS_KEPT);
        if excess < self.settings.excess || window.days.contains(&day) {
            return None;
        }
        let least = self.excess_beyond_others(sighting.site, sighting.server);
        if least.is_some_and(|least| excess < least) {
            return None;
        }
        window.days.insert(day);
        let mut evidence = Fields::default();
        evidence.push("spanwatch.relay.excess", excess.as_secs_f64());
        evidence.push("spanwatch.relay.tcp_rtt", tcp.as_secs_f64());
        evidence.push("spanwatch.relay.tls_rtt", tls.as_secs_f64());
        evidence.push("spanwatch.relay.connections", window.connections.len() as u64);
        evidence.push("spanwatch.relay.days", window.days.len() as u64);
        Some(evidence)
    }

    fn entity((site, _): &(Site, IpAddr)) -> Entity {
        Entity::Site(*site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::handshake::tests::{gate_and_web, strangers_come};
    use crate::event::tests::{fact, flow, summary};
    use crate::facts::{FactKind, FlowSummary, Value};
    use crate::net::Transport;
    use crate::protocol::Protocol;

    const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn site(number: u32) -> Site {
        Site::of(std::net::Ipv4Addr::from_bits(0xc633_6400 + number).into())
    }

    fn relay() -> Relay {
        Relay::new(Settings::default())
    }

    /// One whose server so many other sites come to, each with that excess.
    fn among(others_millis: &[u64]) -> Relay {
        let mut relay = relay();
        let clients = relay.servers.get_or_insert_with(SERVER, Timestamp::ZERO, Clients::default);
        for (number, &millis) in (1..).zip(others_millis) {
            let tls = Duration::from_millis(30 + millis);
            clients.add(site(number), RoundTrips { tcp: Duration::from_millis(30), tls }, 0);
        }
        relay
    }

    fn judge_by(relay: &Relay, window: &mut Window, secs: u64, (tcp_millis, tls_millis): (u64, u64)) -> Option<Fields> {
        let trips = RoundTrips { tcp: Duration::from_millis(tcp_millis), tls: Duration::from_millis(tls_millis) };
        let sighting = Sighting { site: site(0), server: SERVER, trips };
        relay.judge(window, sighting, Timestamp::from_secs(secs))
    }

    fn judge(window: &mut Window, secs: u64, tcp_millis: u64, tls_millis: u64) -> Option<Fields> {
        judge_by(&relay(), window, secs, (tcp_millis, tls_millis))
    }

    fn is_found_by(relay: &Relay, excess_millis: u64) -> bool {
        let mut window = Window::default();
        (0..5).any(|n| judge_by(relay, &mut window, n, (30, 30 + excess_millis)).is_some())
    }

    fn days(evidence: Option<Fields>) -> Option<u64> {
        match evidence?.get("spanwatch.relay.days") {
            Some(Value::Number(days)) => Some(*days),
            _ => None,
        }
    }

    #[test]
    fn strangers_at_a_public_server_are_not_judged() {
        let world = gate_and_web();
        let is_seen = |server: &str, strangers| {
            let mut detector = relay();
            strangers_come(strangers, |event| detector.learn(event));
            let mut flow = flow("198.51.100.7:5000", server, Transport::Tcp);
            flow.protocol = Some(Protocol::new(&"tls"));
            let [client_rtt, flight_rtt] = [Some(Duration::from_millis(30)), Some(Duration::from_millis(200))];
            let ended = FlowSummary { client_rtt, flight_rtt, ..summary(5) };
            let fact = fact(flow, 6, FactKind::FlowEnded(ended));
            detector.sight(&Event::of_fact(&fact, None, &world)).is_some()
        };
        assert!(is_seen("192.0.2.1:443", 9));
        assert!(!is_seen("192.0.2.2:443", 9));
        assert!(is_seen("192.0.2.2:443", 8), "a portal that hardly anybody else comes to");
    }

    #[test]
    fn the_fifth_connection_with_the_excess_is_a_finding_once_a_day() {
        let mut window = Window::default();
        let found: Vec<_> = (0..8).map(|n| days(judge(&mut window, n, 30, 105))).collect();
        assert_eq!(found, [None, None, None, None, Some(1), None, None, None]);
        assert_eq!(days(judge(&mut window, 86_400, 30, 105)), Some(2));
        assert_eq!(days(judge(&mut window, 86_401, 30, 105)), None);
    }

    #[test]
    fn below_the_excess_nothing_is_said() {
        let mut window = Window::default();
        assert!((0..60).all(|n| judge(&mut window, n, 30, 104).is_none()));
    }

    #[test]
    fn where_every_answer_is_late_a_relay_is_later() {
        let signing = among(&[150, 151, 152, 153, 154, 155, 156, 157]);
        assert!(!is_found_by(&signing, 213));
        assert!(is_found_by(&signing, 214), "the median and 75 ms, less 15 that any answer takes");
        let unlike = among(&[100, 130, 160, 190, 220, 250, 280, 310]);
        assert!(!is_found_by(&unlike, 471));
        assert!(is_found_by(&unlike, 472), "three deviations");
        let ordinary = among(&[1, 2, 3, 4, 5, 6, 7, 60]);
        assert!(is_found_by(&ordinary, 75) && !is_found_by(&ordinary, 74));
    }

    #[test]
    fn it_takes_eight_others_to_say_what_is_usual() {
        assert!(is_found_by(&among(&[150; 7]), 160));
        assert!(!is_found_by(&among(&[150; 8]), 160));
    }

    #[test]
    fn what_is_remembered_of_a_server_is_bounded() {
        let relay = among(&[150; 2000]);
        assert_eq!(relay.servers.get(&SERVER).map(|clients| clients.sites.len()), Some(Relay::SITES_MAX));
    }

    #[test]
    fn connections_of_another_day_do_not_count() {
        let mut window = Window::default();
        assert!((0..20).all(|n| judge(&mut window, n * 21_601, 30, 300).is_none()));
    }

    #[test]
    fn one_late_packet_moves_neither_layer() {
        let mut window = Window::default();
        for n in 0..4 {
            judge(&mut window, n, 30, 180);
        }
        // A late ACK: the connection alone would show no difference.
        assert!(judge(&mut window, 5, 230, 180).is_some());
        let mut direct = Window::default();
        for n in 0..4 {
            judge(&mut direct, n, 30, 900);
        }
        assert!(judge(&mut direct, 5, 30, 34).is_none());
    }

    #[test]
    fn what_is_remembered_of_an_address_is_bounded() {
        let mut window = Window::default();
        for n in 0..1000 {
            judge(&mut window, n * 60, 30, 200);
        }
        assert_eq!(window.connections.len(), Relay::CONNECTIONS_MAX);
    }

    /// Round trips as detection-science models them: a base that differs between households, queues, slow machines,
    /// retransmissions; and behind a relay one hop more over TLS.
    struct Model(u64);

    impl Model {
        /// SplitMix64 (Steele, Lea, Flood 2014), to a number in [0, 1).
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = self.0;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bits ^= bits >> 31;
            f64::from(u32::try_from(bits >> 32).unwrap()) / f64::from(u32::MAX)
        }

        fn exponential(&mut self, mean: f64) -> f64 {
            -mean * (1.0 - self.uniform()).max(1e-12).ln()
        }

        fn log_normal(&mut self, median: f64, deviation: f64) -> f64 {
            let normal =
                (-2.0 * self.uniform().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos();
            median * (deviation * normal).exp()
        }

        fn rarely(&mut self, chance: f64, low: f64, high: f64) -> f64 {
            let amount = low + (high - low) * self.uniform();
            if self.uniform() < chance { amount } else { 0.0 }
        }

        fn jitter(&mut self) -> f64 {
            let queue = self.exponential(40.0);
            let queue = if self.uniform() < 0.05 { queue } else { 0.0 };
            self.exponential(3.0) + queue
        }

        /// What a connection of a household takes.
        fn trips(&mut self, house: House) -> RoundTrips {
            let tcp = house.base + self.jitter() + self.rarely(0.005, 200.0, 1000.0);
            let machine = self.log_normal(4.0, 0.9) + house.machine + self.rarely(0.05, 20.0, 250.0);
            let hop = if house.hop > 0.0 { house.hop + self.exponential(6.0) } else { 0.0 };
            let tls = house.base + self.jitter() + machine + hop + self.rarely(0.015, 200.0, 1000.0);
            RoundTrips { tcp: Duration::from_secs_f64(tcp / 1000.0), tls: Duration::from_secs_f64(tls / 1000.0) }
        }

        /// A household whose machine takes so long to sign an answer.
        fn house(&mut self, hop_millis: f64, signature: std::ops::Range<f64>) -> House {
            let base = self.log_normal(28.0, 0.5);
            let signature = signature.start + (signature.end - signature.start) * self.uniform();
            let machine = self.rarely(0.03, 10.0, 60.0) + signature;
            House { base, machine, hop: hop_millis * self.log_normal(1.0, 0.08) }
        }

        /// A server to which so many households come.
        fn server(&mut self, households: u32, signature: std::ops::Range<f64>) -> Relay {
            let mut relay = relay();
            for number in 1..=households {
                let house = self.house(0.0, signature.clone());
                let trips = self.trips(house);
                let clients = relay.servers.get_or_insert_with(SERVER, Timestamp::ZERO, Clients::default);
                clients.add(site(number), trips, 0);
            }
            relay
        }

        /// Whether a household is found after some connections.
        fn is_found(&mut self, relay: &Relay, house: House, connections: usize) -> bool {
            let mut window = Window::default();
            let is_found = |n| {
                let sighting = Sighting { site: site(0), server: SERVER, trips: self.trips(house) };
                relay.judge(&mut window, sighting, Timestamp::from_secs(n)).is_some()
            };
            (0..connections as u64).any(is_found)
        }

        fn found(&mut self, relay: &Relay, households: usize, connections: usize, hop_millis: f64) -> usize {
            let is_found = |_: &usize| {
                let house = self.house(hop_millis, 0.0..0.0);
                self.is_found(relay, house, connections)
            };
            (0..households).filter(is_found).count()
        }
    }

    #[derive(Clone, Copy)]
    struct House {
        base: f64,
        machine: f64,
        hop: f64,
    }

    #[test]
    fn a_relay_of_100_ms_is_found_from_five_connections_on_and_a_direct_client_is_not() {
        let mut model = Model(1);
        let servers = [relay(), model.server(8, 0.0..0.0), model.server(200, 0.0..0.0)];
        for (relay, connections) in servers.iter().flat_map(|relay| [(relay, 5), (relay, 20)]) {
            let false_alarms = model.found(relay, 10_000, connections, 0.0);
            assert!(false_alarms < 10, "{false_alarms} of 10,000 direct households at {connections} connections");
            for hop_millis in [100.0, 150.0, 250.0] {
                let hits = model.found(relay, 500, connections, hop_millis);
                assert!(hits >= 498, "{hits} of 500 relays of {hop_millis} ms at {connections} connections");
            }
        }
    }

    #[test]
    fn at_a_server_that_asks_for_slow_signatures_nobody_is_found_but_relays_are() {
        let mut model = Model(1);
        for (signature, hop_millis) in [(100.0..300.0, 400.0), (145.0..155.0, 150.0)] {
            let relay = model.server(200, signature.clone());
            let mut found = |households: usize, hop_millis: f64| {
                let is_found = |_: &usize| {
                    let house = model.house(hop_millis, signature.clone());
                    model.is_found(&relay, house, 5)
                };
                (0..households).filter(is_found).count()
            };
            let (false_alarms, hits) = (found(10_000, 0.0), found(500, hop_millis));
            assert!(false_alarms < 10, "{false_alarms} of 10,000 direct households at {signature:?}");
            assert!(hits >= 498, "{hits} of 500 relays at {signature:?}");
        }
    }
}
