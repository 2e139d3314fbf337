use super::*;
use crate::detect::Family;
use crate::enrich::geo::Geo;
use crate::enrich::products::Products;
use crate::facts::{Access, AccessPhase, Channel, Credential, FactKind, Lease, Minute};
use crate::identity;
use crate::identity::device::DeviceId;
use crate::net::Transport;
use crate::rules::{Rule, Rules};
use std::sync::Arc;

const DAY: u64 = 86_400;
/// Far enough from the epoch for dismissals and first days before it.
const START: u64 = 1_700_000_000;

fn at(days: f64) -> Timestamp {
    let distance = Duration::from_secs_f64((days * DAY as f64).abs());
    let start = Timestamp::from_secs(START);
    if days < 0.0 { start - distance } else { start + distance }
}

fn house() -> Entity {
    Entity::parse("site", "198.51.100.9").unwrap()
}

fn device(number: u8) -> Entity {
    Entity::Device(DeviceId::of_address([10, 20, 0, number].into()))
}

fn rule(name: &str, family: Family, weight: f64) -> Arc<Rule> {
    let mut rule = crate::alert::tests::rule(name, 0);
    (rule.family, rule.weight) = (family, weight);
    rule.description = "Somebody did something.".into();
    rule.falsepositives = vec![format!("{name} is innocent")];
    Arc::new(rule)
}

/// A rule of each family whose name is the family's.
fn of(family: Family, weight: f64) -> Arc<Rule> {
    rule(family.as_str(), family, weight)
}

fn world(yaml: &str) -> World {
    let settings = crate::yaml::parse("settings.yml", yaml).unwrap_or_else(|fault| panic!("{fault}"));
    World::new(&settings, &Arc::new(Products::shipped()), Geo::default(), identity::Limits::default()).unwrap()
}

struct Bench {
    risk: Risk,
    world: World,
}

impl Bench {
    fn new() -> Self {
        Self { risk: Risk::new(Settings::default()), world: world("") }
    }

    /// A rule matches about a subject, as the analysis tells it.
    fn see(&mut self, rule: &Arc<Rule>, subject: &Entity, days: f64) -> Vec<Incident> {
        let (holder, subject) = (self.world.holder(subject), subject.clone().canonical());
        self.see_of(&holder, rule, &subject, days)
    }

    fn see_of(&mut self, holder: &Entity, rule: &Arc<Rule>, subject: &Entity, days: f64) -> Vec<Incident> {
        if let Some(said) = self.risk.repeat(holder, rule, subject, at(days), &self.world) {
            return said;
        }
        let evidence = Evidence {
            rule: Arc::clone(rule),
            subject: subject.clone(),
            at: at(days),
            nats: rule.weight,
            values: vec![("spanwatch.tunnels.overlapping".into(), 4.into())],
            flow: Some("1:flow=".into()),
            captures: Vec::new(),
        };
        self.risk.credit(holder, evidence, &self.world)
    }

    /// The gateway lets a user in from an address outside, and gives one inside.
    fn let_in(&mut self, user: &str, outside: &str, inside: &str, days: f64) {
        let phase = AccessPhase::Open;
        let access = Access { outside: outside.parse().ok(), inside: inside.parse().ok(), station: None, phase };
        let credential = Credential { user: Some(user.into()), access: Some(access), ..Credential::default() };
        let flow = crate::event::tests::flow("10.0.0.2:1812", "10.0.0.3:1812", Transport::Udp);
        let mut fact = crate::event::tests::fact(flow, 0, FactKind::Credential(Box::new(credential)));
        fact.at = at(days);
        self.world.observe(&fact);
    }

    /// Somebody outside works at a desktop inside for a minute, or only looks at it.
    fn drive(&mut self, outside: &str, inside: &str, client_bursts: u32) {
        let minute = Minute { start: at(0.0), through: Channel::Desktop, client_bursts, ..Minute::default() };
        let flow = crate::event::tests::flow(&format!("{outside}:40000"), &format!("{inside}:5900"), Transport::Tcp);
        let mut fact = crate::event::tests::fact(flow, 0, FactKind::Minute(Box::new(minute)));
        fact.at = at(0.0);
        self.world.observe(&fact);
    }

    fn states(&mut self, rule: &Arc<Rule>, subject: &Entity, days: f64) -> Vec<State> {
        self.see(rule, subject, days).iter().map(|incident| incident.state).collect()
    }

    fn score(&self, entity: &Entity, days: f64) -> f64 {
        let ledger = self.risk.ledgers.get(entity).unwrap();
        self.risk.balance(entity, ledger, at(days)).score()
    }
}

fn is_near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-9
}

/// The fusion against numbers worked out by hand: (family, weight, subject, day of the match)…, asked on a day.
#[test]
fn evidence_adds_up_as_worked_out_by_hand() {
    use Family::{Identity, Location, Multiplicity, RemoteControl};
    type Match = (Family, f64, u8, f64);
    let cases: &[(&str, &[Match], f64, f64)] = &[
        ("one item whole", &[(Identity, 4.0, 0, 0.0)], 0.0, 4.0),
        ("families add up", &[(Identity, 4.0, 0, 0.0), (Location, 2.5, 0, 0.0), (Multiplicity, 3.0, 0, 0.0)], 0.0, 9.5),
        // 4 + (4 + 4) / 4
        (
            "of a family the rest counts a quarter",
            &[(Identity, 4.0, 1, 0.0), (Identity, 4.0, 2, 0.0), (Identity, 4.0, 3, 0.0)],
            0.0,
            6.0,
        ),
        // 4 + 2 / 4, whichever came first
        ("the strongest counts whole", &[(RemoteControl, 2.0, 1, 0.0), (RemoteControl, 4.0, 2, 0.0)], 0.0, 4.5),
        ("within the window the same counts once", &[(Identity, 4.0, 1, 0.0), (Identity, 4.0, 1, 6.9)], 0.0, 4.0),
        // 4 × 2^(-7/14)
        ("it fades", &[(Identity, 4.0, 1, 0.0)], 7.0, 4.0 * std::f64::consts::FRAC_1_SQRT_2),
        ("by half in a half-life", &[(Identity, 4.0, 1, 0.0)], 14.0, 2.0),
        ("from when it was last seen", &[(Identity, 4.0, 1, 0.0), (Identity, 4.0, 1, 6.5)], 20.5, 2.0),
        (
            "after the window it counts anew",
            &[(Identity, 4.0, 1, 0.0), (Identity, 4.0, 1, 7.0)],
            14.0,
            4.0 * std::f64::consts::FRAC_1_SQRT_2,
        ),
        // 4/2 + (2)/4: what is fresh may become the strongest
        ("what is fresh overtakes", &[(Identity, 3.0, 1, 0.0), (Identity, 2.0, 2, 14.0)], 14.0, 2.0 + 1.5 / 4.0),
        ("no item is worth more than ln 1000", &[(Identity, 99.0, 1, 0.0)], 0.0, 6.9),
    ];
    for (name, matches, days, expected) in cases {
        let mut bench = Bench::new();
        for (family, weight, subject, days) in *matches {
            let subject = if *subject == 0 { house() } else { device(*subject) };
            bench.see_of(&house(), &of(*family, *weight), &subject, *days);
        }
        let found = bench.score(&house(), *days);
        assert!(is_near(found, *expected), "{name}: {found} instead of {expected}");
    }
}

#[test]
fn an_incident_takes_the_threshold() {
    use Family::{Identity, Location, Multiplicity};
    for (last, expected) in [(3.99, vec![]), (4.0, vec![State::Opened]), (4.01, vec![State::Opened])] {
        let mut bench = Bench::new();
        assert_eq!(bench.states(&of(Identity, 5.0), &house(), 0.0), []);
        assert_eq!(bench.states(&of(Location, 5.0), &house(), 0.0), []);
        assert_eq!(bench.states(&of(Multiplicity, last), &house(), 0.0), expected, "{last}");
    }
}

#[test]
fn an_incident_takes_three_families_of_some_weight() {
    use Family::{Identity, Location, Time};
    let mut bench = Bench::new();
    for (family, subject) in [(Identity, 1), (Identity, 2), (Location, 1), (Location, 2)] {
        assert_eq!(bench.see_of(&house(), &of(family, 6.9), &device(subject), 0.0).len(), 0);
    }
    assert!(bench.score(&house(), 0.0) > 14.0);
    assert_eq!(bench.states(&of(Time, 0.49), &house(), 0.0), []);
    let other = rule("other", Time, 0.5);
    assert_eq!(bench.states(&other, &house(), 0.0), [State::Opened]);
}

#[test]
fn an_incident_is_said_again_when_a_family_joins_or_its_level_rises_and_only_then() {
    use Family::{DataAccess, Identity, Location, Multiplicity, RemoteControl};
    let mut bench = Bench::new();
    for family in [Identity, Location] {
        bench.see(&of(family, 5.0), &house(), 0.0);
    }
    let opened = bench.see(&of(Multiplicity, 5.0), &house(), 0.0);
    assert_eq!((opened[0].state, opened[0].level, opened[0].score), (State::Opened, Level::High, 15.0));
    assert_eq!(bench.states(&rule("more", Identity, 4.0), &house(), 0.1), [], "16 nats, no new family");
    assert_eq!(bench.states(&of(RemoteControl, 1.0), &house(), 0.2), [State::Updated], "a new family");
    assert_eq!(bench.states(&rule("again", RemoteControl, 1.0), &house(), 0.3), []);
    // 5 + 1 + 5 + 5 + 1.25, faded by 0.3 days, and 6.9 are over 14 + 6.9 nats.
    let risen = bench.see(&of(DataAccess, 6.9), &house(), 0.4);
    assert_eq!((risen[0].state, risen[0].level), (State::Updated, Level::Critical));
    assert_eq!(risen[0].id, opened[0].id);
    assert_eq!(bench.risk.opened()["site"].count, 1);
    let open: Vec<_> = bench.risk.open_by_kind().into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(open, [(("site", Level::Critical), 1)]);
    assert_eq!(bench.risk.open_about(&house()), Some(opened[0].id));
    assert_eq!(bench.risk.open_about(&Entity::Account("eve".into())), None);
    bench.risk.count(at(0.5));
    assert_eq!(bench.risk.riskiest()[0].0, house());
}

/// 15 nats fade to 7 in 14 days × log2(15 / 7).
#[test]
fn an_incident_closes_when_its_evidence_has_faded_to_half_the_threshold() {
    let mut bench = Bench::new();
    for family in [Family::Identity, Family::Location, Family::Multiplicity] {
        bench.see(&of(family, 5.0), &house(), 0.0);
    }
    let days = 14.0 * (15.0_f64 / 7.0).log2();
    assert_eq!(bench.risk.expire(at(days - 0.001), &bench.world).len(), 0);
    let closed = bench.risk.expire(at(days + 5.0), &bench.world);
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].state, State::Closed);
    assert!(closed[0].updated.since(at(days)) < Duration::from_secs(1) && (closed[0].score - 7.0).abs() < 0.001);
    assert_eq!(bench.risk.expire(at(days + 6.0), &bench.world).len(), 0);
    for family in [Family::Identity, Family::Location, Family::Multiplicity] {
        bench.see(&of(family, 5.0), &house(), days + 7.0);
    }
    assert_eq!(bench.risk.opened()["site"].count, 2, "it may open again");
}

/// Evidence that is still seen holds the incident, though it is not counted again within the window.
#[test]
fn an_incident_stays_open_while_its_evidence_is_seen() {
    let mut bench = Bench::new();
    let families = [Family::Identity, Family::Location, Family::Multiplicity].map(|family| of(family, 5.0));
    families.iter().for_each(|rule| drop(bench.see(rule, &house(), 0.0)));
    for rule in &families {
        assert_eq!(bench.see(rule, &house(), 6.5).len(), 0);
    }
    let days = 14.0 * (15.0_f64 / 7.0).log2();
    assert_eq!(bench.risk.expire(at(days + 6.4), &bench.world).len(), 0, "though that is when it would have faded");
    assert_eq!(bench.risk.expire(at(days + 6.6), &bench.world).len(), 1);
    assert!(bench.risk.closing.is_empty());
}

#[test]
fn evidence_that_is_seen_again_may_open_an_incident() {
    let mut bench = Bench::new();
    let (first, second, third) = (of(Family::Identity, 5.0), of(Family::Location, 5.0), of(Family::Multiplicity, 4.1));
    bench.see(&first, &house(), 0.0);
    bench.see(&second, &house(), 3.0);
    assert_eq!(bench.states(&third, &house(), 3.0), [], "5 have faded to 4.3");
    assert_eq!(bench.states(&first, &house(), 3.1), [State::Opened]);
}

/// Of twelve residents somebody has some tool or other: ln(12 / 3) less, or ln(12 / 6) where two have it. What is said of the
/// house itself counts whole.
#[test]
fn a_sign_of_one_resident_counts_for_less_where_many_live() {
    let mut bench = Bench::new();
    let signed = rule("tool", Family::RemoteControl, 4.0);
    for resident in 1..=12 {
        bench.let_in(&format!("user{resident}"), "198.51.100.9", &format!("10.20.0.{resident}"), 0.0);
    }
    bench.see(&signed, &device(1), 0.0);
    assert!(is_near(bench.score(&house(), 0.0), 4.0 - 4.0_f64.ln()));
    bench.see(&signed, &device(2), 0.0);
    assert!(is_near(bench.score(&house(), 0.0), (4.0 - 2.0_f64.ln()) * 1.25));
    bench.see(&of(Family::Multiplicity, 4.0), &house(), 0.0);
    assert!(is_near(bench.score(&house(), 0.0), (4.0 - 2.0_f64.ln()) * 1.25 + 4.0));
}

fn dismissal(entity: Entity, family: Option<Family>, days: f64) -> Dismissal {
    Dismissal { entity, family, reason: "known".into(), at: at(days) }
}

#[test]
fn a_dismissal_takes_four_nats_from_its_family_for_ninety_days() {
    use Family::{Identity, Location};
    let mut bench = Bench::new();
    bench.see(&of(Identity, 6.0), &house(), 0.0);
    bench.see(&of(Location, 3.0), &house(), 0.0);
    bench.risk.dismiss(&dismissal(house(), Some(Identity), 0.0), at(0.0), &bench.world);
    assert!(is_near(bench.score(&house(), 0.0), 2.0 + 3.0));
    bench.risk.dismiss(&dismissal(house(), None, 0.0), at(0.0), &bench.world);
    assert!(is_near(bench.score(&house(), 0.0), 2.0), "nothing falls below nothing");
    bench.see(&rule("later", Identity, 6.0), &house(), 90.0);
    assert!(bench.score(&house(), 90.0) > 6.0);
}

#[test]
fn a_dismissed_device_takes_its_own_evidence_from_the_house() {
    let mut bench = Bench::new();
    bench.see_of(&house(), &of(Family::Identity, 6.0), &device(1), 0.0);
    bench.see_of(&house(), &of(Family::Identity, 6.0), &device(2), 0.0);
    bench.risk.dismiss(&dismissal(device(1), None, 0.0), at(0.0), &bench.world);
    assert!(is_near(bench.score(&house(), 0.0), 6.0 + 2.0 / 4.0));
}

#[test]
fn a_dismissed_incident_is_closed_and_opens_for_much_more_only() {
    use Family::{Identity, Location, Multiplicity};
    let mut bench = Bench::new();
    for family in [Identity, Location, Multiplicity] {
        bench.see(&of(family, 5.0), &house(), 0.0);
    }
    let closed = bench.risk.dismiss(&dismissal(house(), None, 1.0), at(1.0), &bench.world);
    assert_eq!(closed.iter().map(|incident| incident.state).collect::<Vec<_>>(), [State::Closed]);
    assert_eq!(bench.states(&of(Family::Time, 6.9), &house(), 2.0), []);
    assert_eq!(bench.risk.open(at(2.0), &bench.world).count(), 0);
}

#[test]
fn a_family_dismissed_closes_an_incident_that_it_carried() {
    use Family::{Identity, Location, Multiplicity};
    let mut bench = Bench::new();
    for (family, weight) in [(Identity, 6.9), (Location, 3.9), (Multiplicity, 3.9)] {
        bench.see(&of(family, weight), &house(), 0.0);
    }
    let dismiss = |bench: &mut Bench, family, days| {
        let dismissal = dismissal(house(), Some(family), days);
        let said = bench.risk.dismiss(&dismissal, at(days), &bench.world);
        said.iter().map(|incident| incident.state).collect::<Vec<_>>()
    };
    assert_eq!(dismiss(&mut bench, Identity, 0.0), [], "10.7 nats are left");
    assert_eq!(dismiss(&mut bench, Location, 0.0), [State::Closed], "6.8 nats are left");
}

/// The sensor was stopped before it took an analyst's word.
#[test]
fn a_dismissal_that_is_read_at_the_start_closes_the_incident_that_it_is_about() {
    use Family::{Identity, Location, Multiplicity};
    let open = |weights: [f64; 3]| {
        let mut bench = Bench::new();
        for (family, weight) in [Identity, Location, Multiplicity].into_iter().zip(weights) {
            bench.see(&of(family, weight), &house(), 2.0);
        }
        assert_eq!(bench.risk.open(at(2.0), &bench.world).count(), 1);
        bench
    };
    for (weights, said, state) in [
        ([5.0; 3], dismissal(house(), None, 3.0), Some(State::Closed)),
        ([5.0; 3], dismissal(house(), None, 1.0), None),
        ([5.0; 3], dismissal(device(1), None, 3.0), None),
        ([5.0; 3], dismissal(house(), Some(Identity), 3.0), None),
        ([6.9, 6.9, 0.6], dismissal(house(), Some(Identity), 3.0), None),
    ] {
        let mut bench = open(weights);
        bench.risk.restore_dismissals(std::slice::from_ref(&said));
        let closed = bench.risk.expire(at(4.0), &bench.world);
        assert_eq!(closed.first().map(|incident| incident.state), state, "{said:?}");
        assert!(closed.iter().all(|incident| incident.updated == at(3.0)));
        assert_eq!(bench.risk.open(at(4.0), &bench.world).count(), usize::from(state.is_none()), "{said:?}");
    }
    let mut bench = open([6.9, 3.9, 3.9]);
    let words = [Identity, Location].map(|family| dismissal(house(), Some(family), 3.0));
    bench.risk.restore_dismissals(&words);
    assert_eq!(bench.risk.expire(at(4.0), &bench.world).len(), 1, "less than 7 nats are left");
}

#[test]
fn evidence_has_the_values_of_its_last_match() {
    let mut bench = Bench::new();
    let rule = of(Family::Multiplicity, 5.0);
    bench.see(&rule, &house(), 0.0);
    let values = vec![("spanwatch.tunnels.overlapping".to_owned(), 12.into())];
    bench.risk.renew(&house(), &rule, &house(), values.clone());
    assert_eq!(bench.risk.ledgers.get(&house()).unwrap().items[0].values, values);
}

#[test]
fn somebody_new_weighs_more_for_two_weeks_and_a_little_for_thirty_days() {
    let start = "2023-11-14";
    for (days, expected) in [(-3.0, 3.0), (13.0, 3.0), (14.0, 2.5), (29.0, 2.5), (30.0, 2.0)] {
        let mut bench = Bench::new();
        bench.world = world(&format!("inventory: {{accounts: [{{name: ann, start: {start}}}, {{name: bob}}]}}"));
        let since_midnight = Timestamp::from_secs(START).since(Timestamp::of_date(start).unwrap());
        let days = days - since_midnight.as_secs_f64() / DAY as f64;
        for (user, expected) in [("ann", expected), ("bob", 2.0)] {
            let account = Entity::Account(user.into());
            bench.see(&of(Family::Identity, 2.0), &account, days);
            assert!(is_near(bench.score(&account, days), expected), "{user} on day {days}");
        }
    }
}

#[test]
fn what_was_said_of_the_devices_moves_into_their_house() {
    let mut bench = Bench::new();
    let laptop = device(1);
    bench.see(&of(Family::RemoteControl, 5.0), &laptop, 0.0);
    bench.see(&of(Family::Identity, 5.0), &Entity::Account("CORP\\Ann".into()), 0.0);
    bench.let_in("ann", "198.51.100.9", "10.20.0.1", 0.5);
    let said = bench.see(&of(Family::Multiplicity, 5.0), &house(), 1.0);
    assert_eq!(
        said.iter().map(|incident| (incident.state, &incident.entity)).collect::<Vec<_>>(),
        [(State::Opened, &house())]
    );
    let accounts: Vec<&str> = said[0].accounts.iter().map(|account| account.as_str()).collect();
    assert_eq!((accounts, said[0].devices.len()), (vec!["ann"], 1));
    assert!(bench.risk.ledgers.get(&laptop).is_none());
    assert_eq!(bench.see(&of(Family::RemoteControl, 5.0), &laptop, 2.0).len(), 0, "it counts already, at the house");
}

/// Nobody knows where the devices are, but that one hand drives them.
#[test]
fn what_was_said_of_devices_that_one_hand_drives_adds_up_where_the_hand_is() {
    let mut bench = Bench::new();
    let hand = Entity::parse("site", "203.0.113.66").unwrap();
    let (shown, driven) = (rule("shown", Family::RemoteControl, 4.0), rule("driven", Family::Time, 3.0));
    bench.drive("203.0.113.66", "10.20.0.1", 3);
    bench.drive("203.0.113.66", "10.20.0.2", 2);
    bench.see(&shown, &device(1), 0.0);
    assert_eq!(bench.world.holder(&device(1)), device(1), "a look at another one is no work");
    bench.drive("203.0.113.66", "10.20.0.2", 3);
    bench.see(&driven, &device(2), 0.0);
    assert!(bench.risk.ledgers.get(&device(1)).is_none());
    assert!(is_near(bench.score(&hand, 0.0), 7.0));
    for (user, inside) in [("ann", "10.20.0.1"), ("bob", "10.20.0.2")] {
        bench.let_in(user, "198.51.100.9", inside, 0.1);
    }
    assert_eq!(bench.world.holder(&device(1)), house(), "where they are is known by now");
    assert_eq!(bench.world.holder(&hand), house(), "and what is said of the hand is said of the house");
    bench.let_in("bob", "198.51.100.10", "10.20.0.2", 0.2);
    assert_eq!(bench.world.holder(&hand), hand, "of two houses it is neither's");
}

#[test]
fn a_household_with_another_address_takes_its_evidence_along() {
    let mut bench = Bench::new();
    let people = [("ann", "10.20.0.1"), ("bob", "10.20.0.2"), ("cho", "10.20.0.3")];
    let (before, after) = (house(), Entity::parse("site", "198.51.100.77").unwrap());
    for (user, inside) in people {
        bench.let_in(user, "198.51.100.9", inside, 0.0);
    }
    bench.see(&of(Family::Multiplicity, 5.0), &before, 0.1);
    bench.see(&of(Family::Time, 5.0), &before, 0.1);
    bench.let_in("ann", "198.51.100.77", "10.20.0.1", 1.0);
    bench.see(&of(Family::Multiplicity, 5.0), &after, 1.1);
    assert!(is_near(bench.score(&after, 1.1), 5.0), "one alone may be elsewhere for a day");
    bench.let_in("bob", "198.51.100.77", "10.20.0.2", 1.2);
    let said = bench.see(&of(Family::Location, 5.0), &after, 1.3);
    assert_eq!(
        said.iter().map(|incident| (incident.state, &incident.entity)).collect::<Vec<_>>(),
        [(State::Opened, &after)],
        "two of three have left"
    );
    assert!(bench.risk.ledgers.get(&before).is_none());
    let multiplicity = said[0].families.iter().find(|family| family.family == Family::Multiplicity).unwrap();
    assert_eq!(multiplicity.items.len(), 1, "the same of the same household counts once");
    bench.let_in("ann", "198.51.100.9", "10.20.0.1", 1.4);
    bench.see(&of(Family::Identity, 5.0), &before, 1.5);
    assert!(bench.risk.ledgers.get(&after).is_some(), "who goes back and forth has not left");
}

#[test]
fn who_shares_a_line_with_many_answers_for_themselves() {
    let mut bench = Bench::new();
    bench.world = world("address_classes: {carrier_nat: {networks: [198.51.100.0/24]}}");
    assert!(!bench.world.is_a_household(crate::identity::site::Site::parse("198.51.100.9").unwrap()));
    assert!(bench.world.is_a_household(crate::identity::site::Site::parse("192.0.2.9").unwrap()));
    bench.world = world("networks: [{name: cafe, roles: [sanctioned], prefixes: [192.0.2.0/24]}]");
    assert!(!bench.world.is_a_household(crate::identity::site::Site::parse("192.0.2.9").unwrap()));
}

#[test]
fn an_incident_explains_itself() {
    use Family::{Identity, Location, Multiplicity};
    let mut bench = Bench::new();
    let mut several = Rule::clone(&of(Multiplicity, 6.0));
    several.title = "Several tunnels at a time".into();
    several.expected = Some("a household holds one tunnel.".into());
    bench.see(&Arc::new(several), &house(), 0.0);
    bench.see(&of(Location, 5.0), &house(), 0.0);
    let incident = bench.see_of(&house(), &of(Identity, 5.0), &device(1), 0.0).remove(0);
    let sentences: Vec<&str> = incident.explanation.iter().map(String::as_str).collect();
    assert_eq!(
        sentences,
        [
            "Evidence of 3 kinds about the site 198.51.100.9 adds up to 16.0 nats since 2023-11-14T22:13:20Z; \
             an incident takes 14.0.",
            "Known there: no account; devices 4abc2b3f1aa87925.",
            "multiplicity (6.0 nats): Several tunnels at a time, about the site 198.51.100.9, once at \
             2023-11-14T22:13:20Z. Seen: tunnels open at a time: 4. Flows: 1:flow=.",
            "Expected: a household holds one tunnel.",
            "identity (5.0 nats): identity, about the device 4abc2b3f1aa87925, once at 2023-11-14T22:13:20Z. \
             Seen: tunnels open at a time: 4. Flows: 1:flow=.",
            "Somebody did something.",
            "location (5.0 nats): location, about the site 198.51.100.9, once at 2023-11-14T22:13:20Z. \
             Seen: tunnels open at a time: 4. Flows: 1:flow=.",
            "Somebody did something.",
            "It would be innocent if: multiplicity is innocent; identity is innocent; location is innocent.",
        ]
    );
}

#[test]
fn devices_are_called_by_name_or_address() {
    let mut bench = Bench::new();
    let mac = "00:0c:29:6d:01:cf".parse().unwrap();
    let lease = Lease {
        mac: Some(mac),
        address: Some([10, 20, 0, 7].into()),
        granted: true,
        host_name: Some("LAPTOP-ANN".into()),
        ..Lease::default()
    };
    for (client, kind) in
        [("10.20.0.7:68", FactKind::Lease(Box::new(lease))), ("10.20.0.8:5000", FactKind::Malformed("test"))]
    {
        let flow = crate::event::tests::flow(client, "10.0.0.2:67", Transport::Udp);
        let mut fact = crate::event::tests::fact(flow, 0, kind);
        fact.at = at(0.0);
        bench.world.observe(&fact);
    }
    let named = Entity::Device(DeviceId::of_mac(mac));
    bench.see_of(&house(), &of(Family::Location, 6.0), &named, 0.0);
    bench.see_of(&house(), &of(Family::Multiplicity, 6.0), &device(8), 0.0);
    let incident = bench.see_of(&house(), &of(Family::Identity, 6.0), &named, 0.0).remove(0);
    let told = incident.explanation.join(" ");
    for words in ["LAPTOP-ANN", "10.20.0.8"].map(|name| format!("about the device {name},")) {
        assert!(told.contains(&words), "{words}: {told}");
    }
    let ids = [DeviceId::of_mac(mac), DeviceId::of_address([10, 20, 0, 8].into())];
    assert!(ids.iter().all(|id| !told.contains(&id.to_string())), "{told}");
    assert_eq!(incident.hosts, ["LAPTOP-ANN"].map(Text::from));
}

#[test]
fn a_ledger_is_bounded_and_the_least_gives_way() {
    let mut bench = Bench::new();
    for number in 0..200_u8 {
        let rule = of(Family::Identity, f64::from(number) / 100.0 + 0.1);
        bench.see_of(&house(), &rule, &device(number), 0.0);
    }
    let ledger = bench.risk.ledgers.get(&house()).unwrap();
    let least = ledger.items.iter().map(|item| item.nats).fold(f64::MAX, f64::min);
    assert_eq!(ledger.items.len(), Ledger::ITEMS_MAX);
    assert!(is_near(least, f64::from(200 - Ledger::ITEMS_MAX as u8) / 100.0 + 0.1), "{least}");
}

#[test]
fn how_much_there_is_about_how_many_is_counted() {
    let mut bench = Bench::new();
    for (number, weight) in [(1, 3.4), (2, 3.5), (3, 6.9)] {
        bench.see(&of(Family::Identity, weight), &device(number), 0.0);
    }
    bench.see(&of(Family::Location, 6.9), &device(3), 0.0);
    bench.risk.count(at(0.0));
    assert_eq!(bench.risk.distribution(), [2, 1, 1, 0]);
}

/// The release build's shipped rules all say how they are to be weighed.
#[test]
fn every_shipped_rule_that_speaks_has_a_weight() {
    let rules = Rules::load(std::path::Path::new("rules")).unwrap();
    for rule in rules.list().filter(|rule| rule.kind != crate::rules::RuleKind::Filter && !rule.is_counted_only) {
        assert!(rule.weight > 0.0, "{}", rule.name);
    }
}

#[test]
fn an_incident_that_gives_way_in_a_full_table_is_closed() {
    let settings =
        Settings { entities: Retention { entries_max: 2, ..Settings::default().entities }, ..Settings::default() };
    let mut bench = Bench { risk: Risk::new(settings), world: world("") };
    for family in [Family::Identity, Family::Location, Family::Multiplicity] {
        bench.see(&of(family, 6.0), &house(), 0.0);
    }
    assert_eq!(bench.risk.open(at(0.0), &bench.world).count(), 1);
    let weak = of(Family::Time, 1.0);
    assert_eq!(bench.states(&weak, &device(1), 10.0), []);
    let said = bench.see(&weak, &device(2), 20.0);
    assert_eq!(
        said.iter().map(|incident| (incident.state, incident.entity.clone())).collect::<Vec<_>>(),
        [(State::Closed, house())]
    );
    assert_eq!(bench.risk.open(at(20.0), &bench.world).count(), 0);
    assert_eq!((bench.risk.evicted(), bench.risk.ledgers.len()), (1, 2));
    assert_eq!(bench.states(&weak, &device(3), 30.0), []);
    assert_eq!(bench.risk.evicted(), 2);
}
