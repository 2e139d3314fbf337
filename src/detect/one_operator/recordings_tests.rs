//! Writes the recordings under `pcaps/` that hold the rules of days to their word, out of models with fixed seeds.

use super::evaluation_tests::{Grid, farm, minute_fact, minutes_of, observed, people};
use crate::detect::daily::draw::Draw;
use crate::event::tests::{fact, flow};
use crate::facts::{Channel, Fact, FactKind, FlowId, Groups, Minute};
use crate::net::Transport;
use crate::profile::co_activity::Worker;
use crate::profile::day::Day;
use crate::protocol::Protocol;
use crate::recording::tests::write_scenario as write;
use crate::time::Timestamp;

/// 2026-11-24, ten o'clock.
const TEN: u64 = 1_795_514_400;

/// The minutes of laptops at one site, and the first of the day after.
fn site(workers: &[Worker], days: usize) -> Vec<Fact> {
    let client = |laptop: usize| format!("198.51.100.7:{}", 41_000 + laptop);
    let mut facts: Vec<Fact> =
        workers.iter().enumerate().flat_map(|(laptop, worker)| minutes_of(worker, &client(laptop))).collect();
    facts.push(minute_fact("198.51.100.99:41000", days, 0));
    facts
}

/// Laptops of one shift, which begins and ends up to 90 minutes earlier or later from day to day.
fn one_shift(draw: &mut Draw, days: usize) -> Vec<Worker> {
    let mut moved = |most: usize| draw.below(2 * most + 1) as f64 - most as f64;
    let shifts: Vec<(f64, f64)> = (0..days).map(|_| (600.0 + moved(90), 900.0 + moved(90))).collect();
    let mut laptops = Vec::new();
    for _ in 0..4 {
        let mut day = |&(first, last): &(f64, f64)| {
            let (first, last) = (first + moved(8), last + moved(8));
            let mut day = Day::new();
            (first as u16..=last as u16).step_by(3).for_each(|minute| day.mark(minute));
            day
        };
        laptops.push(Worker::new(shifts.iter().map(&mut day).collect::<Vec<_>>()));
    }
    laptops
}

/// The minutes of an RDP session with input after each of these pauses, in milliseconds.
fn desktop(pauses_ms: impl Iterator<Item = u64>) -> Vec<Fact> {
    let mut flow = flow("203.0.113.77:50123", "10.10.1.11:3389", Transport::Tcp);
    (flow.id, flow.started, flow.protocol) = (FlowId(7), Timestamp::from_secs(TEN), Some(Protocol::new(&"rdp")));
    let mut minutes: Vec<Minute> = Vec::new();
    let mut now_ms = TEN * 1000;
    for pause_ms in pauses_ms {
        now_ms += pause_ms;
        let at = Timestamp::from_nanos(now_ms * 1_000_000);
        let start = Minute::start_of(at);
        if minutes.last().is_none_or(|minute| minute.start != start) {
            let client_groups = Groups { first: at, last: at, ..Groups::default() };
            minutes.push(Minute { start, through: Channel::Desktop, client_groups, ..Minute::default() });
        }
        let minute = minutes.last_mut().unwrap();
        minute.client_packets += 1;
        minute.client_bytes += 91;
        minute.server_packets += 2;
        minute.server_bytes += 1400;
        minute.client_bursts += u32::from((30..=10_000).contains(&pause_ms));
        let groups = &mut minute.client_groups;
        if groups.count > 0 {
            groups.gap_squares_ms2 += pause_ms * pause_ms;
        }
        (groups.count, groups.last) = (groups.count + 1, at);
    }
    let told = |minute: Minute| {
        let end = minute.end().as_secs();
        fact(flow, end, FactKind::Minute(Box::new(minute)))
    };
    minutes.into_iter().map(told).collect()
}

#[test]
#[ignore = "writes files under pcaps/"]
fn recordings_of_the_scenarios() {
    let mut draw = Draw::new(20_261_124);
    let grid: Grid = farm(&mut draw, 6, 3);
    write("one-operator", site(&observed(&mut draw, &grid), 6));
    let grid = people(&mut draw, 9, 3, 0.25);
    write("three-colleagues", site(&observed(&mut draw, &grid), 9));
    write("one-shift", site(&one_shift(&mut draw, 9), 9));
    write("input-by-the-clock", desktop((0..260).map(|number| 42_000 + 300 * (number % 3))));
    // Pauses of a person: mostly seconds, now and then minutes.
    let pauses: Vec<u64> = (0..5000).map(|_| (300.0 / draw.unit().max(0.002)) as u64).collect();
    write("input-by-hand", desktop(pauses.into_iter()));
    let mut grid: Grid = farm(&mut draw, 9, 3);
    grid.append(&mut people(&mut draw, 9, 6, 0.35));
    write("operator-among-colleagues", site(&observed(&mut draw, &grid), 9));
}
