//! One operator against independent people, both made by a model: how well the score tells them apart.
//!
//! The model is the one of the design: the operator stays with a laptop for 15 minutes on average, glances at another one
//! in a minute of six, goes through all of them every 75 minutes, works 85 % of the time and has lunch. The others are
//! exactly as active, at hours of their own, with meetings in common. The sensor misses a quarter of the minutes, adds 3 %
//! and, for all laptops of a house at once, half a percent.

use std::collections::BTreeMap;
use std::ops::Range;

use super::null::Null;
use super::picked::Picked;
use crate::analysis::tests::{events, settings};
use crate::detect::daily::Other;
use crate::detect::daily::draw::Draw;
use crate::event::tests::{fact, flow};
use crate::facts::{Channel, Fact, FactKind, FlowId, Minute};
use crate::net::Transport;
use crate::profile::co_activity::{Ratios, Shape, Worker};
use crate::profile::day::Day;
use crate::time::Timestamp;

/// A working day of eight hours, which begins at nine o'clock.
const MINUTES: usize = 480;
const BEGIN: u16 = 540;

pub(super) type Grid = Vec<Vec<Vec<bool>>>;

impl Draw {
    /// Box and Muller.
    fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        deviation.mul_add(radius * (std::f64::consts::TAU * self.unit()).cos(), mean)
    }
}

/// When somebody works: from the beginning to the end, each moved by some minutes, less at lunch.
fn hours(draw: &mut Draw, deviations: [f64; 3]) -> Vec<f64> {
    let [start, end, lunch] = deviations.map(|deviation| draw.normal(0.0, deviation));
    let logistic = |x: f64| 1.0 / (1.0 + (-x / 6.0).exp());
    let at = |minute: usize| {
        let minute = minute as f64;
        let eats = (225.0 + lunch..270.0 + lunch).contains(&minute);
        let works = logistic(minute - 10.0 - start) * logistic(465.0 + end - minute);
        works * if eats { 0.45 } else { 1.0 }
    };
    (0..MINUTES).map(at).collect()
}

/// The minutes of independent people, by person and day.
pub(super) fn people(draw: &mut Draw, days: usize, count: usize, activity: f64) -> Grid {
    let meeting = |draw: &mut Draw| {
        let begin = 30 + draw.below(MINUTES - 90);
        let length = 30 + draw.below(30);
        if draw.chance(0.8) { begin..begin + length } else { 0..0 }
    };
    let meetings: Vec<[Range<usize>; 2]> = (0..days).map(|_| [meeting(draw), meeting(draw)]).collect();
    let person = |draw: &mut Draw| {
        let hours = hours(draw, [60.0, 60.0, 30.0]);
        let mean = (hours.iter().sum::<f64>() / MINUTES as f64).max(0.05);
        let diligence = activity * draw.normal(0.0, 0.25).exp();
        let day = |draw: &mut Draw, day: usize| {
            let level = diligence * draw.normal(0.0, 0.15).exp() / mean;
            let chance = |minute: usize| (level * hours[minute]).clamp(0.002, 0.95);
            let attends = draw.chance(0.7);
            let mut is_active = draw.chance(chance(0));
            let mut minute = |minute: usize| {
                let p = chance(minute);
                is_active = draw.chance(if is_active { 1.0 - 1.0 / 8.0 } else { (p / (1.0 - p) / 8.0).min(0.95) });
                is_active && !(attends && meetings[day].iter().any(|meeting| meeting.contains(&minute)))
            };
            (0..MINUTES).map(&mut minute).collect::<Vec<_>>()
        };
        (0..days).map(|index| day(draw, index)).collect::<Vec<_>>()
    };
    (0..count).map(|_| person(draw)).collect()
}

/// The minutes of the laptops of one operator, by laptop and day.
pub(super) fn farm(draw: &mut Draw, days: usize, count: usize) -> Grid {
    const DUTY: f64 = 0.85;
    const PAUSE: f64 = 0.008;
    const SWEEP: usize = 75;
    let mut grid = vec![vec![vec![false; MINUTES]; days]; count];
    let hours = hours(draw, [30.0, 30.0, 15.0]);
    (0..days).for_each(|day| {
        let (mut current, mut is_on, phase) = (draw.below(count), draw.chance(DUTY), draw.below(SWEEP));
        let mut sweep: Option<usize> = None;
        for minute in 0..MINUTES {
            if draw.chance(1.0 / 15.0) {
                current = draw.below(count);
            }
            is_on = if is_on { !draw.chance(PAUSE) } else { draw.chance(PAUSE * DUTY / (1.0 - DUTY)) };
            let is_active = is_on && draw.chance(hours[minute]);
            if sweep.is_none() && (minute + phase).is_multiple_of(SWEEP) && is_active {
                sweep = Some(0);
            }
            let laptop = match sweep {
                Some(laptop) => laptop,
                None if draw.chance(1.0 / 6.0) => draw.below(count),
                None => current,
            };
            grid[laptop][day][minute] |= is_active;
            sweep = sweep.map(|laptop| laptop + 1).filter(|&laptop| laptop < count);
        }
    });
    grid
}

/// What the sensor makes of it.
pub(super) fn observed(draw: &mut Draw, grid: &Grid) -> Vec<Worker> {
    let days = grid.first().map_or(0, Vec::len);
    let common: Vec<Vec<bool>> = (0..days).map(|_| (0..MINUTES).map(|_| draw.chance(0.005)).collect()).collect();
    let mut day = |minutes: &[bool], common: &[bool]| {
        let mut day = Day::new();
        for (minute, (&is_active, &is_common)) in (BEGIN..).zip(minutes.iter().zip(common)) {
            if is_common || draw.chance(if is_active { 0.75 } else { 0.03 }) {
                day.mark(minute);
            }
        }
        day
    };
    grid.iter()
        .map(|days| {
            Worker::new(days.iter().zip(&common).map(|(minutes, common)| day(minutes, common)).collect::<Vec<_>>())
        })
        .collect()
}

fn activity(draw: &mut Draw, count: usize) -> f64 {
    let grids: Vec<Grid> = (0..20).map(|_| farm(draw, 2, count)).collect();
    let active: usize = grids.iter().flatten().flatten().flatten().map(|&is_active| usize::from(is_active)).sum();
    active as f64 / (20 * 2 * count * MINUTES) as f64
}

/// How the score tells farms from groups of people.
struct Outcome {
    auc: f64,
    /// The part of the farms above all but one in a hundred of the groups.
    found: f64,
    /// The part of the farms, and of the groups, at the threshold.
    above: [f64; 2],
    median: f64,
}

fn evaluate(seed: u64, count: usize, days: usize, groups: usize, fleet_activity: Option<f64>) -> Outcome {
    let mut draw = Draw::new(seed);
    let activity = activity(&mut draw, count);
    let fleet: Vec<Worker> = (0..60)
        .flat_map(|_| {
            let grid = people(&mut draw, days, 5, fleet_activity.unwrap_or(activity));
            observed(&mut draw, &grid)
        })
        .collect();
    let shape = Shape::of(&fleet).unwrap();
    let others: Vec<Other> = fleet.iter().map(|worker| (None, worker.clone())).collect();
    let level = 480.0 * (activity * 0.75 + (1.0 - activity) * 0.03);
    let null = Null::of_fleet(&others, (count, level), &shape, &mut draw).unwrap();
    let mut scores = |make: &dyn Fn(&mut Draw) -> Grid| -> Vec<f64> {
        let score = |draw: &mut Draw| {
            let grid = make(draw);
            let workers = observed(draw, &grid);
            null.score(&Ratios::of(&workers.iter().collect::<Vec<_>>(), &shape))
        };
        let mut scores: Vec<f64> = (0..groups).map(|_| score(&mut draw)).collect();
        scores.sort_by(f64::total_cmp);
        scores
    };
    let innocent = scores(&|draw| people(draw, days, count, activity));
    let farms = scores(&|draw| farm(draw, days, count));
    let beyond = |scores: &[f64], bar: f64| {
        (scores.len() - scores.partition_point(|&score| score < bar)) as f64 / scores.len() as f64
    };
    let auc = farms.iter().map(|&farm| innocent.partition_point(|&score| score < farm)).sum::<usize>() as f64
        / (farms.len() * innocent.len()) as f64;
    let bar = innocent[innocent.len() - 1 - innocent.len() / 100];
    let threshold = super::OneOperator::default().score_min;
    let above = [beyond(&farms, threshold), beyond(&innocent, threshold)];
    Outcome { auc, found: beyond(&farms, bar), above, median: farms[farms.len() / 2] }
}

/// `cargo test --release --lib one_operator::evaluation_tests -- --ignored --nocapture`
#[test]
#[ignore = "prints the table of the documentation; takes minutes"]
fn the_table() {
    println!("| fleet | laptops | days | AUC | found at 1 % | farms ≥ threshold | people ≥ threshold | median score |");
    println!("|---|---|---|---|---|---|---|---|");
    for (name, fleet_activity) in [("as light", None), ("full-time", Some(0.55))] {
        for count in [3, 5, 8, 12, 20] {
            for days in [1, 2, 3, 5] {
                let seed = 0x5eed_0000 + (count * 100 + days) as u64;
                let Outcome { auc, found, above: [farms, people], median } =
                    evaluate(seed, count, days, 400, fleet_activity);
                println!(
                    "| {name} | {count} | {days} | {auc:.4} | {found:.2} | {farms:.3} | {people:.4} | {median:.1} |"
                );
            }
        }
    }
}

#[test]
fn one_operator_is_told_from_independent_people_within_a_day() {
    for (count, days, bar) in [(3, 1, 0.98), (5, 1, 0.98), (8, 1, 0.98), (12, 1, 0.97), (8, 3, 0.995)] {
        let auc = evaluate(7, count, days, 60, None).auc;
        assert!(auc >= bar, "{count} laptops in {days} days: {auc}");
    }
}

#[test]
fn the_three_laptops_of_one_of_two_operators_are_picked_out_of_six() {
    const DAYS: usize = 3;
    let mut draw = Draw::new(11);
    let activity = activity(&mut draw, 3);
    let group = |draw: &mut Draw, is_farm: bool| {
        let grid = match is_farm {
            true => [farm(draw, DAYS, 3), farm(draw, DAYS, 3)].concat(),
            false => people(draw, DAYS, 6, activity),
        };
        observed(draw, &grid)
    };
    let others: Vec<Other> = (0..50).flat_map(|_| group(&mut draw, false)).map(|worker| (None, worker)).collect();
    let shape = Shape::of(others.iter().map(|(_, worker)| worker)).unwrap();
    let level = 480.0 * (activity * 0.75 + (1.0 - activity) * 0.03);
    let null = Null::of_fleet(&others, (6, level), &shape, &mut draw).unwrap();
    let mut share_picked = |is_farm: bool, groups: usize| {
        let is_picked = |_: &usize| {
            let workers = group(&mut draw, is_farm);
            let picked = Picked::of(&workers.iter().collect::<Vec<_>>()).unwrap();
            null.score_of_picked(&picked).unwrap() >= super::OneOperator::default().picked_score_min
        };
        (0..groups).filter(is_picked).count() as f64 / groups as f64
    };
    let (farms, innocent) = (share_picked(true, 60), share_picked(false, 300));
    println!("of farms {farms}, of people {innocent}");
    assert!(farms >= 0.8 && innocent <= 0.015, "{farms}, {innocent}");
}

/// What the sensor finds on facts of tunnels: three laptops of one operator, three of independent people, each at a site,
/// and single tunnels of `others` elsewhere.
fn findings(seed: u64, days: usize, others: usize) -> Vec<(String, BTreeMap<String, String>)> {
    let mut draw = Draw::new(seed);
    let grids = [farm(&mut draw, days, 3), people(&mut draw, days, 3, 0.25), people(&mut draw, days, others, 0.4)];
    let site = |index: usize, person: usize| match index {
        2 => format!("203.0.113.{}:4000", 1 + person),
        index => format!("198.51.100.{}:{}", 1 + index, 4000 + person),
    };
    let mut facts = Vec::new();
    for (index, grid) in grids.iter().enumerate() {
        for (person, worker) in observed(&mut draw, grid).iter().enumerate() {
            facts.extend(minutes_of(worker, &site(index, person)));
        }
    }
    facts.push(minute_fact("198.18.0.1:9", days, 0));
    facts.sort_by_key(|fact| (fact.at, fact.seq));
    let settings =
        settings("world:\n  networks: [{name: gateway, roles: [home, vpn_gateway], prefixes: [192.0.2.10/32]}]\n");
    let mut found = Vec::new();
    for event in events(&settings, facts) {
        if event["event.action"] == "one_operator" {
            let fields = event.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.to_string()));
            found.push((event["source.ip"].as_str().unwrap().to_owned(), fields.collect()));
        }
    }
    found
}

pub(super) fn minutes_of(worker: &Worker, client: &str) -> Vec<Fact> {
    let days = worker.days().enumerate();
    days.flat_map(|(day, minutes)| minutes.minutes().map(move |minute| (day, minute)).collect::<Vec<_>>())
        .map(|(day, minute)| minute_fact(client, day, minute))
        .collect()
}

/// A busy minute of a tunnel, told at its end.
pub(super) fn minute_fact(client: &str, day: usize, minute: u16) -> Fact {
    let start = 1_788_134_400 + 86_400 * day as u64 + 60 * u64::from(minute);
    let minute =
        Minute { start: Timestamp::from_secs(start), through: Channel::Tunnel, client_bursts: 40, ..Minute::default() };
    let mut flow = flow(client, "192.0.2.10:1194", Transport::Udp);
    flow.started = Timestamp::from_secs(1_788_134_400);
    flow.id = FlowId(
        u64::from(flow.client.port) << 32
            | u64::from(u32::from(match flow.client.ip {
                std::net::IpAddr::V4(address) => address,
                std::net::IpAddr::V6(_) => unreachable!(),
            })),
    );
    fact(flow, start + 60, FactKind::Minute(Box::new(minute)))
}

#[test]
fn the_operators_site_is_found_once_a_day_and_the_peoples_is_not() {
    let found = findings(3, 3, 60);
    let sites: Vec<&str> = found.iter().map(|(site, _)| site.as_str()).collect();
    assert!(sites.len() >= 2 && sites.iter().all(|site| *site == "198.51.100.1"), "{sites:?}");
    let (_, fields) = found.last().unwrap();
    assert_eq!(fields["spanwatch.operator.devices"], "3");
    assert_eq!(fields["spanwatch.operator.days"], "3");
    assert_eq!(fields["spanwatch.operator.compared_with"], "\"fleet\"");
}

#[test]
fn without_a_fleet_the_own_days_are_compared_and_few_of_them_say_nothing() {
    assert_eq!(findings(4, 3, 5), []);
    let found = findings(4, 6, 5);
    let (site, fields) = found.last().unwrap();
    assert_eq!(site, "198.51.100.1");
    assert_eq!(fields["spanwatch.operator.compared_with"], "\"own_days\"");
}
