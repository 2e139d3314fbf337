//! The shipped rules over findings, each held to the least numbers that it must speak of and to the greatest below them.

use std::path::Path;
use std::sync::Arc;

use crate::detect::{self, Family, Finding};
use crate::enrich::products::Basis;
use crate::event::Event;
use crate::event::tests::{fact, flow, world};
use crate::facts::{Fact, FactKind, Fields, RemoteDesktop, Value};
use crate::identity::entity::Entity;
use crate::net::{Text, Transport};
use crate::protocol::Protocol;
use crate::rules::{Judge, Limits, Rules};
use crate::time::Timestamp;
use crate::world::{Application, World};

const SETTINGS: &str = "
networks:
  - {name: gateway, roles: [home, vpn_gateway], prefixes: [203.0.113.1/32]}
  - {name: servers, roles: [servers], prefixes: [10.9.0.0/16]}
  - {name: help-desk, roles: [management], prefixes: [10.2.0.0/16]}
  - {name: office, roles: [home], prefixes: [10.0.0.0/8]}
  - {name: partner, roles: [sanctioned], prefixes: [198.51.100.0/24]}
address_classes:
  vpn: {networks: [192.0.2.192/26]}
";

const COMPARED_WITH: &str = "spanwatch.distance.compared_with";
const INBOUND: (&str, &str) = ("192.0.2.7:50000", "203.0.113.1:443");
const OF_A_PARTNER: (&str, &str) = ("198.51.100.7:50000", "203.0.113.1:443");
const AT_HOME: (&str, &str) = ("10.1.0.7:50000", "10.1.0.8:3389");

/// A finding of a detector on a flow, with its numbers.
struct Said {
    detector: &'static str,
    ends: (&'static str, &'static str),
    protocol: &'static str,
    evidence: Vec<(&'static str, Value)>,
    sanctioned: Option<bool>,
}

fn said(detector: &'static str, evidence: &[(&'static str, u64)]) -> Said {
    let evidence = evidence.iter().map(|&(name, number)| (name, Value::Number(number))).collect();
    Said { detector, ends: INBOUND, protocol: "tls", evidence, sanctioned: None }
}

impl Said {
    fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.evidence.push((name, value.into()));
        self
    }

    fn on(self, ends: (&'static str, &'static str)) -> Self {
        Self { ends, ..self }
    }

    fn over(self, protocol: &'static str) -> Self {
        Self { protocol, ..self }
    }

    fn using(self, sanctioned: bool) -> Self {
        Self { sanctioned: Some(sanctioned), ..self }
    }

    fn finding(self, rules: &Rules) -> Finding {
        let (detector, _, fields) = detect::specs().find(|(name, ..)| *name == self.detector).unwrap();
        let mut evidence = Fields::default();
        for (name, value) in self.evidence {
            assert!(fields.iter().any(|field| field.name == name), "{name}");
            evidence.push(name, value);
        }
        let product = rules.products().iter().find(|product| product.id == "anydesk").unwrap();
        let application =
            |sanctioned| Application { product: Arc::new(product.clone()), basis: Basis::ServerName, sanctioned };
        Finding {
            detector,
            family: Family::Location,
            entity: Entity::Account("ann".into()),
            at: Timestamp::from_secs(1),
            seq: 1,
            flow: flow(self.ends.0, self.ends.1, Transport::Tcp),
            protocol: Some(Protocol::named(self.protocol)),
            application: self.sanctioned.map(application),
            evidence,
        }
    }
}

/// Holds a rule to what it must speak of and to what it must not.
fn check(rule: &str, fires: Vec<Said>, quiet: Vec<Said>) {
    let rules = Rules::load(Path::new("rules")).unwrap_or_else(|faults| panic!("{faults}"));
    let world: World = world(SETTINGS);
    for (said, fires) in fires.into_iter().map(|said| (said, true)).chain(quiet.into_iter().map(|said| (said, false))) {
        let finding = said.finding(&rules);
        let judgements = Judge::new(&rules, Limits::default()).on_event(&Event::of_finding(&finding, &world));
        let spoke = judgements.iter().any(|judgement| judgement.rule.name == rule);
        assert_eq!(spoke, fires, "{rule} on {:?}", finding.evidence);
    }
}

/// Whether a rule speaks of findings, one after another, and then of facts.
fn speaks(rule: &str, findings: Vec<Said>, facts: &[Fact]) -> bool {
    let rules = Rules::load(Path::new("rules")).unwrap_or_else(|faults| panic!("{faults}"));
    let world: World = world(SETTINGS);
    let mut judge = Judge::new(&rules, Limits::default());
    let findings: Vec<Finding> = findings.into_iter().map(|said| said.finding(&rules)).collect();
    let events = findings.iter().map(|finding| Event::of_finding(finding, &world));
    let events = events.chain(facts.iter().map(|fact| Event::of_fact(fact, None, &world)));
    events.flat_map(|event| judge.on_event(&event)).any(|judgement| judgement.rule.name == rule)
}

#[test]
fn accounts_of_a_site_that_is_not_known_to_share_it() {
    let found = |count, days| {
        said("accounts_at_site", &[("spanwatch.accounts.count", count), ("spanwatch.accounts.days", days)])
    };
    let known = |said: Said| said.with("spanwatch.accounts.network_roles", vec!["sanctioned"]);
    let laptops = |estimate, least| {
        said("hosts_at_site", &[("spanwatch.hosts.estimate", estimate), ("spanwatch.hosts.least", least)])
    };
    check(
        "company_laptops_at_one_site",
        vec![laptops(3, 2)],
        vec![laptops(2, 2), laptops(5, 1), laptops(9, 9).on(OF_A_PARTNER)],
    );
    let at_exit = |said: Said| said.with("spanwatch.accounts.address_class", "vpn");
    check(
        "several_accounts_at_one_site",
        vec![found(3, 0)],
        vec![found(2, 4), known(found(9, 0)), at_exit(found(9, 0))],
    );
    check("accounts_share_a_vpn_exit", vec![at_exit(found(2, 0))], vec![found(9, 0), known(at_exit(found(9, 0)))]);
    let apart = |count, zones: u64| found(count, 0).with("spanwatch.accounts.time_zones", zones);
    check(
        "accounts_of_one_site_live_apart",
        vec![apart(3, 2)],
        vec![apart(2, 2), apart(9, 1), known(apart(9, 3)), at_exit(apart(9, 3))],
    );
    let new = |count: u64, new: u64| {
        found(count, 0).with("spanwatch.accounts.new", new).with("spanwatch.accounts.new_percent", 100 * new / count)
    };
    check(
        "new_accounts_at_one_site",
        vec![new(3, 2), new(8, 4)],
        vec![new(2, 2), new(9, 1), new(8, 3), known(new(9, 9)), at_exit(new(9, 9)), found(9, 0)],
    );
    check("two_accounts_at_one_site_for_days", vec![found(2, 5)], vec![found(2, 4), known(found(2, 7))]);
}

#[test]
fn outages_and_ways_of_a_site_that_is_not_known() {
    for (rule, detector, field, least) in [
        ("tunnels_fail_together", "co_outage", "spanwatch.outages.count", 3),
        ("relay_before_tls_for_days", "relay", "spanwatch.relay.days", 2),
        ("client_far_for_a_day", "distant_client", "spanwatch.distance.days", 1),
    ] {
        let found = |number| said(detector, &[(field, number)]);
        check(rule, vec![found(least)], vec![found(least - 1), found(least).on(OF_A_PARTNER)]);
    }
    let far = |days, among| said("distant_client", &[("spanwatch.distance.days", days)]).with(COMPARED_WITH, among);
    check(
        "client_farther_than_neighbours",
        vec![far(3, "provider"), far(3, "class")],
        vec![far(2, "provider"), far(9, "everybody"), far(3, "class").on(OF_A_PARTNER)],
    );
    let apart = |devices, days| {
        said("distances_at_site", &[("spanwatch.distances.devices", devices), ("spanwatch.distances.days", days)])
    };
    let near = apart(3, 2).on(OF_A_PARTNER);
    check("laptops_of_one_site_are_apart", vec![apart(3, 2)], vec![apart(2, 9), apart(9, 1), near]);
    let on = |tunnels, days| {
        said("always_on", &[("spanwatch.always_on.tunnels", tunnels), ("spanwatch.always_on.days", days)])
    };
    check("laptops_of_one_site_are_never_off", vec![on(3, 2)], vec![on(2, 9), on(9, 1), on(3, 2).on(OF_A_PARTNER)]);
    let relay = |excess: f64| said("relay", &[]).with("spanwatch.relay.excess", excess);
    check("relay_before_tls", vec![relay(0.075)], vec![relay(0.074), relay(0.2).on(OF_A_PARTNER)]);
    let segments = |days| said("tunnel_mss", &[("spanwatch.mss.days", days)]);
    check("segments_of_a_tunnel", vec![segments(3)], vec![segments(2)]);
}

#[test]
fn networks_of_an_account() {
    for (rule, field, least) in [
        ("account_from_many_networks", "spanwatch.account.networks", 6),
        ("account_from_many_networks", "spanwatch.account.systems", 3),
        ("account_in_two_countries", "spanwatch.account.countries_count", 2),
        ("account_alternates_between_networks", "spanwatch.account.returns", 3),
    ] {
        let found = |number| said("account_networks", &[(field, number)]);
        check(rule, vec![found(least)], vec![found(least - 1)]);
    }
    let leap = |distance, speed| {
        said("account_networks", &[("spanwatch.account.distance", distance), ("spanwatch.account.speed", speed)])
    };
    check(
        "account_leaps",
        vec![leap(500, 1000)],
        vec![leap(499, 9000), leap(9000, 999), said("account_networks", &[])],
    );
}

#[test]
fn sessions_of_an_account_that_were_both_open() {
    let found = |secs| said("account_sessions", &[("spanwatch.sessions.both_open", secs)]);
    check("account_has_sessions_at_two_places", vec![found(3600)], vec![found(3599)]);
}

#[test]
fn machines_of_an_account_that_is_known() {
    for (rule, field, least) in [
        ("account_on_many_hosts", "spanwatch.account.hosts", 3),
        ("account_from_two_stations", "spanwatch.account.stations", 2),
    ] {
        let found = |number, days| said("account_hosts", &[(field, number), ("spanwatch.account.days_known", days)]);
        check(rule, vec![found(least, 3)], vec![found(least - 1, 3), found(least, 2)]);
    }
    let stack = |common: bool| said("second_stack", &[]).with("spanwatch.stack.common", common);
    check("second_machine_of_account", vec![stack(false)], vec![stack(true)]);
}

#[test]
fn devices_that_are_not_what_they_say_or_that_others_drive() {
    let disguised = |count| said("disguised_device", &[("spanwatch.disguise.contradictions_count", count)]);
    check("disguised_device", vec![disguised(2)], vec![disguised(1)]);
    let driven = |days| said("session_hours", &[("spanwatch.session.days", days)]).on(AT_HOME);
    check("device_driven_all_day", vec![driven(5)], vec![driven(4), driven(7).on(("10.1.0.7:50000", "10.9.0.1:3389"))]);
    let shared = |devices| said("shared_installation", &[("spanwatch.installation.devices", devices)]);
    check(
        "installation_on_several_devices",
        vec![shared(2).using(false)],
        vec![shared(1).using(false), shared(9).using(true)],
    );
    let call = |days| said("one_way_call", &[("spanwatch.call.days", days)]).on(AT_HOME);
    check("screen_shown_in_calls", vec![call(3)], vec![call(2)]);
    let rare = || said("rare_product", &[("spanwatch.product.devices", 1)]);
    check("remote_access_product_of_few", vec![rare().using(false)], vec![rare().using(true)]);
    let orders = |probes| said("arp_channel", &[("spanwatch.arp.probes", probes)]).on(AT_HOME);
    check("orders_in_arp", vec![orders(1)], vec![orders(0)]);
    let beacon = |score: f64| said("beacon", &[]).with("spanwatch.beacon.score", score).over("http");
    check("beacon_in_clear", vec![beacon(0.8)], vec![beacon(0.79), beacon(0.99).over("tls")]);
}

#[test]
fn days_of_several_laptops_and_input_by_the_clock() {
    let operator = |score: f64, days| {
        said("one_operator", &[("spanwatch.operator.days", days)]).with("spanwatch.operator.score", score)
    };
    check(
        "one_operator_drives_several_laptops",
        vec![operator(4.5, 2)],
        vec![operator(4.4, 2), operator(9.0, 1), operator(9.0, 9).on(OF_A_PARTNER)],
    );
    let picked = |score: f64, days: u64| operator(score, days).with("spanwatch.operator.picked", true);
    check(
        "one_operator_drives_some_laptops",
        vec![picked(3.5, 2)],
        vec![picked(3.4, 2), picked(9.0, 1), picked(9.0, 9).on(OF_A_PARTNER), operator(9.0, 9)],
    );
    let shift = |shared: f64| said("synchronised_shift", &[]).with("spanwatch.shift.shared", shared);
    check("laptops_of_one_site_keep_one_shift", vec![shift(0.6)], vec![shift(0.59), shift(0.9).on(OF_A_PARTNER)]);
    let input = |variation: f64, period: f64| {
        said("jiggler", &[]).with("spanwatch.input.variation", variation).with("spanwatch.input.period", period)
    };
    check(
        "remote_desktop_input_by_the_clock",
        vec![input(0.09, 5.0)],
        vec![input(0.1, 5.0), input(0.01, 4.9), input(0.01, 60.0).on(("10.2.0.7:50000", "10.1.0.8:3389"))],
    );
}

#[test]
fn a_hand_elsewhere_that_a_device_follows() {
    const FROM_HELP_DESK: (&str, &str) = ("10.2.0.7:50000", "10.1.0.8:3389");
    const TO_SERVER: (&str, &str) = ("10.1.0.7:50000", "10.9.0.1:3389");
    let drive = |coincidences, ratio: f64, deviations: f64| {
        let said = said("who_drives", &[("spanwatch.drive.coincidences", coincidences)]).on(AT_HOME);
        said.with("spanwatch.drive.ratio", ratio).with("spanwatch.drive.deviations", deviations)
    };
    check(
        "device_follows_its_driver",
        vec![drive(20, 0.3, 4.0)],
        vec![
            drive(19, 0.9, 9.0),
            drive(99, 0.29, 9.0),
            drive(99, 0.9, 3.9),
            drive(99, 0.9, 9.0).on(FROM_HELP_DESK),
            drive(99, 0.9, 9.0).on(TO_SERVER),
        ],
    );
    let controlled = |minutes| said("controlled_host", &[("spanwatch.control.minutes", minutes)]).on(AT_HOME);
    check(
        "desktop_controlled_for_hours",
        vec![controlled(60)],
        vec![controlled(59), controlled(600).on(FROM_HELP_DESK), controlled(600).on(TO_SERVER)],
    );
    let lag = |lag, deviations: f64| {
        said("controlled_host", &[("spanwatch.control.lag", lag)]).with("spanwatch.control.lag_deviations", deviations)
    };
    check(
        "operator_far_behind_desktop",
        vec![lag(120, 8.0)],
        vec![lag(119, 99.0), lag(300, 7.9), lag(300, 99.0).on(FROM_HELP_DESK)],
    );
}

#[test]
fn work_by_another_clock_and_around_it() {
    let clock = |shift: f64, in_hours: f64, days, active_hours| {
        let numbers = [("spanwatch.clock.days", days), ("spanwatch.clock.active_hours", active_hours)];
        let said = said("wrong_clock", &numbers).with("spanwatch.clock.shift", shift);
        said.with("spanwatch.clock.in_hours", in_hours)
    };
    check(
        "work_by_another_clock",
        vec![clock(6.0, 0.25, 5, 8)],
        vec![clock(5.9, 0.25, 9, 8), clock(9.0, 0.26, 9, 8), clock(9.0, 0.0, 4, 8)],
    );
    check("work_around_the_clock", vec![clock(0.0, 0.8, 5, 14)], vec![clock(0.0, 0.8, 9, 13), clock(0.0, 0.8, 4, 20)]);
}

#[test]
fn what_is_taken_and_where_to() {
    let carried = |what: &'static str| said("transfer", &[]).with("spanwatch.transfer.what", what);
    check("much_code_read", vec![carried("code_read")], vec![carried("cloud_upload")]);
    check("files_to_personal_storage", vec![carried("cloud_upload")], vec![carried("code_read")]);
    let beyond = |deviations: f64| said("upload_volume", &[]).with("spanwatch.volume.deviations", deviations);
    check("upload_beyond_usual", vec![beyond(5.0)], vec![beyond(4.9)]);
}

#[test]
fn a_strange_machine_and_the_exit_of_a_vpn() {
    let moves = |networks, class: &'static str| {
        let said = said("account_networks", &[("spanwatch.account.networks", networks)]);
        said.with("spanwatch.account.address_class", class)
    };
    check("account_moves_to_a_vpn_exit", vec![moves(2, "vpn")], vec![moves(1, "vpn"), moves(5, "residential")]);
    let stack = || said("second_stack", &[]).with("spanwatch.stack.common", false);
    let rule = "stolen_account_behind_a_vpn";
    assert!(speaks(rule, vec![moves(2, "vpn"), stack()], &[]));
    assert!(!speaks(rule, vec![moves(2, "vpn"), moves(3, "vpn")], &[]));
    assert!(!speaks(rule, vec![moves(5, "residential"), stack()], &[]));
}

#[test]
fn three_ways_out_of_sight() {
    let orders = || said("arp_channel", &[("spanwatch.arp.probes", 1)]).on(AT_HOME);
    let beacon = || said("beacon", &[]).with("spanwatch.beacon.score", 0.9).over("http").on(AT_HOME);
    let call = || said("one_way_call", &[("spanwatch.call.days", 3)]).on(AT_HOME);
    let elsewhere = || call().on(("10.1.0.9:50000", "10.1.0.8:3389"));
    let rule = "driven_out_of_sight";
    assert!(speaks(rule, vec![orders(), beacon(), call()], &[]));
    assert!(!speaks(rule, vec![orders(), beacon(), beacon(), orders()], &[]), "two of them");
    assert!(!speaks(rule, vec![orders(), beacon(), elsewhere()], &[]), "of two devices");
}

#[test]
fn a_desktop_that_is_opened_from_a_hidden_place_far_away() {
    let opened = |client: &str, channels: &[&'static str]| {
        let mut desktop = RemoteDesktop { security: Some("rdp"), ..RemoteDesktop::default() };
        let channels: Vec<Text> = channels.iter().map(|&channel| channel.into()).collect();
        desktop.fields.push("rdp.channels", channels);
        fact(flow(client, "10.9.0.1:3389", Transport::Tcp), 2, FactKind::RemoteDesktop(Box::new(desktop)))
    };
    let drives = ["rdpdr", "rdpsnd"];
    let alone = |fact: Fact| speaks("desktop_shares_drives_outside", Vec::new(), &[fact]);
    assert!(alone(opened("192.0.2.200:50000", &drives)));
    assert!(!alone(opened("192.0.2.200:50000", &["rdpsnd"])), "sound only");
    assert!(!alone(opened("198.51.100.7:50000", &drives)), "a partner");
    let days = &[("spanwatch.distance.days", 3)];
    let far = |client| said("distant_client", days).with(COMPARED_WITH, "provider").on((client, "203.0.113.1:443"));
    let rule = "operator_of_a_virtual_desktop";
    assert!(speaks(rule, vec![far("192.0.2.200:50000")], &[opened("192.0.2.200:50000", &drives)]));
    assert!(!speaks(rule, vec![far("192.0.2.201:50000")], &[opened("192.0.2.200:50000", &drives)]), "two addresses");
    assert!(!speaks(rule, vec![far("192.0.2.7:50000")], &[opened("192.0.2.7:50000", &drives)]), "not hidden");
    assert!(!speaks(rule, Vec::new(), &[opened("192.0.2.200:50000", &drives)]), "not far");
}
