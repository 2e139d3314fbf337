use super::*;
use crate::enrich::networks::NamedNetwork;
use crate::event::tests::{fact, flow};
use crate::facts::{FactKind, Hello};
use crate::net::Transport;

const GATEWAY: &str = "203.0.113.10:443";
const HOUSE: &str = "198.51.100.9:40000";
const OTHER_HOUSE: &str = "198.51.100.77:40000";

fn networks() -> Networks {
    let named = |name: &str, role, prefix: &str| NamedNetwork {
        name: name.into(),
        roles: vec![role],
        prefixes: vec![prefix.parse().unwrap()],
    };
    Networks::new(&[
        named("gateway", Role::VpnGateway, "203.0.113.10/32"),
        named("pool", Role::VpnPool, "10.20.0.0/24"),
        named("office", Role::Workstations, "10.1.0.0/16"),
    ])
    .unwrap()
}

struct Scene {
    identity: Identity,
    networks: Networks,
}

impl Scene {
    fn new() -> Self {
        Self { identity: Identity::new(Limits::default()), networks: networks() }
    }

    /// Somebody opens a TLS flow.
    fn hello(&mut self, client: &str, server: &str, secs: u64) {
        let mut flow = flow(client, server, Transport::Tcp);
        flow.started = Timestamp::from_secs(secs);
        let hello = FactKind::Hello(Box::new(Hello::new(Sender::Client)));
        self.identity.observe(&fact(flow, secs, hello), &self.networks);
    }

    fn credential(&mut self, client: &str, credential: Credential, secs: u64) {
        let mut flow = flow(client, "10.1.0.1:88", Transport::Tcp);
        flow.started = Timestamp::from_secs(secs);
        self.identity.observe(&fact(flow, secs, FactKind::Credential(Box::new(credential))), &self.networks);
    }

    fn log_on(&mut self, user: &str, client: &str, secs: u64) {
        self.credential(client, Credential { user: Some(user.into()), ..Credential::default() }, secs);
    }

    fn session(&mut self, user: &str, outside: &str, inside: &str, phase: AccessPhase, secs: u64) {
        let access = Access { outside: outside.parse().ok(), inside: inside.parse().ok(), station: None, phase };
        let credential = Credential { user: Some(user.into()), access: Some(access), ..Credential::default() };
        self.credential("10.1.0.2:1812", credential, secs);
    }

    fn place(&self, inside: &str) -> Option<(String, KnownBy)> {
        let device = self.identity.device_id(inside.parse().unwrap(), &self.networks)?;
        let (site, stay) = self.identity.sites().site_of(device)?;
        Some((site.to_string(), stay.known_by))
    }

    fn accounts_at(&self, site: &str) -> Vec<&str> {
        let accounts = self.identity.sites().accounts_at(Site::parse(site).unwrap());
        accounts.map(|(account, _)| account.as_str()).collect()
    }
}

fn at(site: &str, known_by: KnownBy) -> Option<(String, KnownBy)> {
    Some((site.to_owned(), known_by))
}

#[test]
fn accounting_joins_user_device_and_household() {
    let mut scene = Scene::new();
    scene.session("CORP\\Ann", "198.51.100.9", "10.20.0.5", AccessPhase::Open, 10);
    scene.session("bob@corp.example", "198.51.100.9", "10.20.0.6", AccessPhase::Open, 20);
    assert_eq!(scene.place("10.20.0.5"), at("198.51.100.9", KnownBy::Accounting));
    assert_eq!(scene.accounts_at("198.51.100.9"), ["ann", "bob"]);
    let site = Site::parse("198.51.100.9").unwrap();
    assert_eq!(scene.identity.sites().devices_at(site).count(), 2);
    assert_eq!(scene.identity.user("10.20.0.5".parse().unwrap()).map(Text::as_str), Some("CORP\\Ann"));
    assert_eq!(scene.identity.user("10.1.0.2".parse().unwrap()), None, "the access server is nobody's machine");
    scene.session("CORP\\Ann", "198.51.100.9", "10.20.0.5", AccessPhase::Over, 30);
    assert_eq!(scene.place("10.20.0.5"), None, "the address may be given to anybody");
    assert_eq!(scene.identity.sites().devices_at(site).count(), 2, "what was is remembered");
}

#[test]
fn who_only_asks_to_be_let_in_is_at_no_site() {
    let mut scene = Scene::new();
    scene.session("ann", "198.51.100.9", "10.20.0.5", AccessPhase::Asked, 10);
    assert_eq!((scene.place("10.20.0.5"), scene.accounts_at("198.51.100.9").len()), (None, 0));
}

#[test]
fn an_account_has_its_sites_the_latest_last() {
    let mut scene = Scene::new();
    for (secs, outside) in [(10, "198.51.100.9"), (20, "192.0.2.7"), (30, "198.51.100.9")] {
        scene.session("ann", outside, "10.20.0.5", AccessPhase::Open, secs);
    }
    let account = "ann".into();
    let sites = scene.identity.sites().sites_of(&account);
    let sites: Vec<(String, u64)> = sites.map(|(site, stay)| (site.to_string(), stay.since.as_secs())).collect();
    assert_eq!(sites, [("192.0.2.7".to_owned(), 20), ("198.51.100.9".to_owned(), 10)]);
    assert_eq!(scene.place("10.20.0.5"), at("198.51.100.9", KnownBy::Accounting));
}

#[test]
fn an_address_that_first_speaks_just_after_the_only_tunnel_is_that_tunnels() {
    for (gap, expected) in [(0, true), (10, true), (11, false)] {
        let mut scene = Scene::new();
        scene.hello(HOUSE, GATEWAY, 100);
        scene.hello("10.20.0.5:5000", "10.1.0.3:443", 100 + gap);
        let expected = expected.then(|| ("198.51.100.9".to_owned(), KnownBy::Timing));
        assert_eq!(scene.place("10.20.0.5"), expected, "{gap} s");
    }
}

#[test]
fn several_tunnels_of_one_house_are_as_good_as_one_and_of_two_are_not() {
    let mut scene = Scene::new();
    scene.hello(HOUSE, GATEWAY, 100);
    scene.hello("198.51.100.9:40001", GATEWAY, 101);
    scene.hello("10.20.0.5:5000", "10.1.0.3:443", 102);
    assert_eq!(scene.place("10.20.0.5"), at("198.51.100.9", KnownBy::Timing));
    scene.hello(OTHER_HOUSE, GATEWAY, 103);
    scene.hello("10.20.0.6:5000", "10.1.0.3:443", 104);
    assert_eq!(scene.place("10.20.0.6"), None);
}

#[test]
fn an_address_that_spoke_before_the_tunnel_is_somebody_elses_until_it_was_silent() {
    let mut scene = Scene::new();
    scene.hello("10.20.0.5:5000", "10.1.0.3:443", 90);
    scene.hello(HOUSE, GATEWAY, 100);
    scene.hello("10.20.0.5:5001", "10.1.0.3:443", 101);
    assert_eq!(scene.place("10.20.0.5"), None);
    for (secs, expected) in [(101 + 5399, None), (101 + 5399 + 5400, at("198.51.100.77", KnownBy::Timing))] {
        scene.hello(OTHER_HOUSE, GATEWAY, secs - 1);
        scene.hello("10.20.0.5:5002", "10.1.0.3:443", secs);
        assert_eq!(scene.place("10.20.0.5"), expected, "{secs}");
    }
}

#[test]
fn what_accounting_said_is_not_overruled_by_timing() {
    let mut scene = Scene::new();
    scene.session("ann", "198.51.100.9", "10.20.0.5", AccessPhase::Open, 10);
    scene.hello(OTHER_HOUSE, GATEWAY, 20_000);
    scene.hello("10.20.0.5:5000", "10.1.0.3:443", 20_001);
    assert_eq!(scene.place("10.20.0.5"), at("198.51.100.9", KnownBy::Accounting));
}

#[test]
fn a_user_seen_outside_is_joined_with_the_device_inside_for_an_hour() {
    for (gap, expected) in [(3600, true), (3601, false)] {
        let mut scene = Scene::new();
        scene.log_on("ann", HOUSE, 100);
        scene.log_on("CORP\\ANN", "10.20.0.5:5000", 100 + gap);
        let expected = expected.then(|| ("198.51.100.9".to_owned(), KnownBy::SameUser));
        assert_eq!(scene.place("10.20.0.5"), expected, "{gap} s");
    }
}

/// Without accounting nobody says that the address went on to somebody else.
#[test]
fn an_address_whose_user_was_silent_for_long_is_open_again() {
    for (silence, expected) in
        [(5399, at("198.51.100.9", KnownBy::SameUser)), (5400, at("198.51.100.77", KnownBy::Timing))]
    {
        let mut scene = Scene::new();
        scene.hello(HOUSE, GATEWAY, 150);
        scene.log_on("ann", HOUSE, 151);
        scene.log_on("ann", "10.20.0.5:5000", 200);
        assert_eq!(scene.place("10.20.0.5"), at("198.51.100.9", KnownBy::SameUser));
        scene.hello(OTHER_HOUSE, GATEWAY, 200 + silence - 1);
        scene.log_on("bob", "10.20.0.5:5001", 200 + silence);
        assert_eq!(scene.place("10.20.0.5"), expected, "{silence}");
        assert_eq!(scene.accounts_at("198.51.100.9").contains(&"bob"), silence < 5400);
    }
}

#[test]
fn a_user_seen_at_two_sites_within_the_hour_joins_nothing() {
    let mut scene = Scene::new();
    scene.log_on("ann", HOUSE, 100);
    scene.log_on("ann", OTHER_HOUSE, 200);
    scene.log_on("ann", "10.20.0.5:5000", 300);
    assert_eq!(scene.place("10.20.0.5"), None);
}

#[test]
fn a_machines_own_account_is_no_user_of_a_site() {
    let mut scene = Scene::new();
    scene.log_on("LAPTOP-7$", HOUSE, 100);
    scene.log_on("host/laptop-7.corp.example", HOUSE, 100);
    assert!(scene.accounts_at("198.51.100.9").is_empty());
}

#[test]
fn what_a_site_houses_is_bounded_and_forgotten_in_time() {
    let mut scene = Scene::new();
    for number in 0..100 {
        scene.log_on(&format!("user{number:02}"), HOUSE, 100 + number);
    }
    let accounts = scene.accounts_at("198.51.100.9");
    assert_eq!((accounts.len(), accounts.first(), accounts.last()), (64, Some(&"user36"), Some(&"user99")));
    scene.identity.expire(Timestamp::from_secs(200 + 31 * 86_400));
    assert_eq!((scene.identity.sites().count(), scene.accounts_at("198.51.100.9").len()), (0, 0));
}
