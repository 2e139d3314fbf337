//! Work at the devices of one site that begins and ends together.
//!
//! # What it sees
//!
//! The first and the last minute of work at each device of a site, or through each of its tunnels, on each of the last
//! days, against what is usual for that device and, on that day, for the fleet. If one is early, all are. The finding says
//! how much of the differences is the day's and not the device's, where days shuffled for each device apart hardly ever
//! give as much.
//!
//! # Why it matters
//!
//! Colleagues who share a house keep hours of their own. Laptops of one operator, or of a team that works in shifts, begin
//! when the shift does.
//!
//! # Normal causes
//!
//! People who go to work together; a branch office that is opened and closed; a household with an unsteady connection.
//!
//! # Blind spots
//!
//! Shifts that are the same to the minute every day differ from nothing. Less than three days say nothing, nor do so few
//! devices and days that shuffling gives the same order again and again: it takes four devices over three days, or three
//! over four.

use serde::Deserialize;

use crate::detect::Family;
use crate::detect::daily::draw::Draw;
use crate::detect::daily::{DailyDetector, Fleet, Group};
use crate::facts::Fields;
use crate::profile::co_activity::Worker;
use crate::protocol::FieldSpec;

pub const NAME: &str = "synchronised_shift";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.shift.devices", help: "How many devices or tunnels of the site were compared." },
    FieldSpec { name: "spanwatch.shift.days", help: "Days on which two or more of them were active." },
    FieldSpec { name: "spanwatch.shift.since", help: "When the first of the days began that were looked at." },
    FieldSpec {
        name: "spanwatch.shift.shared",
        help: "The part of the differences in beginning and end that all had in common, 0 to 1.",
    },
    FieldSpec {
        name: "spanwatch.shift.shared_by_chance",
        help: "The mean of that part where the days of each are shuffled.",
    },
    FieldSpec {
        name: "spanwatch.shift.chance",
        help: "The part of the shuffles with as much in common, at least one in 201.",
    },
];

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SynchronisedShift {
    /// Fewer devices of a site are not compared.
    pub devices_min: usize,
    /// A device with work on fewer days is left out.
    pub days_min: u32,
    /// From this part on that the differences have in common it is told.
    pub shared_min: f64,
    /// And only where no more of the shuffles have as much.
    pub chance_max: f64,
}

impl Default for SynchronisedShift {
    fn default() -> Self {
        Self { devices_min: 3, days_min: 3, shared_min: 0.6, chance_max: 0.01 }
    }
}

/// How many minutes later than usual one began, and ended, on each day.
pub type Lateness = Vec<Option<[f64; 2]>>;

impl SynchronisedShift {
    const SHUFFLES: usize = 200;
}

impl DailyDetector for SynchronisedShift {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Time;
    type Today = Option<Vec<Lateness>>;

    fn judge(&self, group: &Group, fleet: &mut Fleet, today: &mut Self::Today) -> Option<Fields> {
        let workers = group.workers().into_iter().filter(|worker| worker.days_active() >= self.days_min);
        let mut members: Vec<Lateness> = workers.map(lateness).collect();
        if members.len() < self.devices_min {
            return None;
        }
        let others = today.get_or_insert_with(|| fleet.others.iter().map(|(_, worker)| lateness(worker)).collect());
        take_off(&mut members, &of_days(others, fleet.day_count));
        let (shared, days) = shared(&members)?;
        if shared < self.shared_min {
            return None;
        }
        let by_chance = shuffled(&members, &mut fleet.draw);
        let as_much = by_chance.iter().filter(|&&chance| chance >= shared).count();
        let chance = (1 + as_much) as f64 / (1 + by_chance.len()) as f64;
        if chance > self.chance_max {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.shift.devices", members.len() as u64);
        evidence.push("spanwatch.shift.days", days);
        evidence.push("spanwatch.shift.since", fleet.begins);
        evidence.push("spanwatch.shift.shared", rounded(shared));
        evidence.push("spanwatch.shift.shared_by_chance", rounded(mean(&by_chance)));
        evidence.push("spanwatch.shift.chance", rounded(chance));
        Some(evidence)
    }
}

fn lateness(worker: &Worker) -> Lateness {
    let ends: Vec<Option<[f64; 2]>> =
        worker.days().map(|day| day.ends().map(|(first, last)| [f64::from(first), f64::from(last)])).collect();
    let usual = |end: usize| median(ends.iter().flatten().filter_map(|ends| ends.get(end).copied()).collect());
    let usual = [usual(0), usual(1)];
    ends.into_iter().map(|ends| ends.map(|[first, last]| [first - usual[0], last - usual[1]])).collect()
}

/// How late everybody is on each day; nothing where few are there.
fn of_days(others: &[Lateness], day_count: usize) -> Vec<[f64; 2]> {
    const OTHERS_MIN: usize = 20;
    let of_day = |day: usize| {
        let late: Vec<[f64; 2]> = others.iter().filter_map(|other| other.get(day).copied().flatten()).collect();
        if late.len() < OTHERS_MIN {
            return [0.0; 2];
        }
        [0, 1].map(|end| median(late.iter().filter_map(|late| late.get(end).copied()).collect()))
    };
    (0..day_count).map(of_day).collect()
}

fn take_off(members: &mut [Lateness], of_days: &[[f64; 2]]) {
    for member in members {
        for (late, of_day) in member.iter_mut().zip(of_days) {
            if let Some([first, last]) = late {
                (*first, *last) = (*first - of_day[0], *last - of_day[1]);
            }
        }
    }
}

/// The part of the sum of squares that the means of days have, and on how many days there were two or more.
fn shared(members: &[Lateness]) -> Option<(f64, u32)> {
    let day_count = members.iter().map(Vec::len).max()?;
    let (mut of_days, mut all, mut days) = (0.0, 0.0, 0);
    for day in 0..day_count {
        let late: Vec<[f64; 2]> = members.iter().filter_map(|member| member.get(day).copied().flatten()).collect();
        if late.len() < 2 {
            continue;
        }
        days += 1;
        for end in 0..2 {
            let values: Vec<f64> = late.iter().filter_map(|late| late.get(end).copied()).collect();
            of_days += values.len() as f64 * mean(&values).powi(2);
            all += values.iter().map(|value| value * value).sum::<f64>();
        }
    }
    (days >= 2 && all > 0.0).then(|| (of_days / all, days))
}

/// What the same have in common when the days on which each worked are shuffled.
fn shuffled(members: &[Lateness], draw: &mut Draw) -> Vec<f64> {
    let mut shuffle = |member: &Lateness| -> Lateness {
        let mut worked: Vec<[f64; 2]> = member.iter().flatten().copied().collect();
        let count = worked.len();
        draw.shuffle_first(&mut worked, count);
        let mut worked = worked.into_iter();
        member.iter().map(|late| late.and_then(|_| worked.next())).collect()
    };
    let mut once = || shared(&members.iter().map(&mut shuffle).collect::<Vec<_>>()).map(|(shared, _)| shared);
    (0..SynchronisedShift::SHUFFLES).filter_map(|_| once()).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::detect::daily::Member;
    use crate::identity::device::DeviceId;
    use crate::identity::site::Site;
    use crate::profile::activity::Whose;
    use crate::profile::co_activity::Shape;
    use crate::profile::day::Day;
    use crate::time::Timestamp;

    /// One who begins at 9 and ends at 17 o'clock, so many minutes later on each day.
    fn worker(late: &[i32]) -> Worker {
        Worker::new(late.iter().map(|late| {
            let mut day = Day::new();
            for minute in [540, 541, 1020] {
                day.mark(u16::try_from(minute + late).unwrap());
            }
            day
        }))
    }

    /// The lateness of several on ten days: what they have in common, and what each has besides.
    fn late(draw: &mut Draw, count: usize, common: i32, own: i32) -> Vec<Worker> {
        let mut minutes = |most: i32| draw.below(2 * most as usize + 1) as i32 - most;
        let days: Vec<i32> = (0..10).map(|_| minutes(common)).collect();
        (0..count).map(|_| worker(&days.iter().map(|day| day + minutes(own)).collect::<Vec<_>>())).collect()
    }

    fn judge(members: Vec<Worker>, others: Vec<Worker>) -> Option<Fields> {
        let member = |(number, worker): (u8, Worker)| Member {
            whose: Whose::Device(DeviceId::of_address(IpAddr::from([10, 0, 0, number]))),
            worker,
        };
        let group =
            Group { site: Site::of(IpAddr::from([192, 0, 2, 1])), members: (0..).zip(members).map(member).collect() };
        let shape = Shape::of(&group.workers().into_iter().cloned().collect::<Vec<_>>()).unwrap();
        let others = others.into_iter().map(|worker| (None, worker)).collect();
        let begins = Timestamp::from_secs(1_788_134_400);
        let mut fleet = Fleet { day: 1, day_count: 10, begins, others, shape, draw: Draw::new(1) };
        SynchronisedShift::default().judge(&group, &mut fleet, &mut None)
    }

    #[test]
    fn a_shift_in_common_is_found_and_hours_of_their_own_are_not() {
        let mut draw = Draw::new(7);
        let found = judge(late(&mut draw, 4, 60, 8), Vec::new()).unwrap();
        assert_eq!(found.get("spanwatch.shift.days"), Some(&10_u32.into()));
        for seed in 0..50 {
            assert!(judge(late(&mut Draw::new(seed), 4, 0, 50), Vec::new()).is_none(), "{seed}");
        }
    }

    #[test]
    fn a_day_that_is_late_for_everybody_says_nothing() {
        let mut draw = Draw::new(9);
        let mut all = late(&mut draw, 44, 60, 8);
        let others = all.split_off(4);
        assert!(judge(all.clone(), others).is_none());
        assert!(judge(all, Vec::new()).is_some());
    }

    #[test]
    fn few_devices_and_few_days_say_nothing() {
        let of = |count, days: usize| {
            let workers = late(&mut Draw::new(5), count, 60, 2);
            let days: Vec<usize> = (0..days).collect();
            judge(workers.iter().map(|worker| worker.reordered(&days)).collect(), Vec::new())
        };
        assert!(of(3, 5).is_some());
        assert!(of(6, 3).is_some());
        assert!(of(2, 10).is_none());
        assert!(of(3, 3).is_none(), "as good an order as any");
        assert!(of(6, 2).is_none());
    }
}
