//! Work by another clock than the inventory says, or around it.
//!
//! # What it sees
//!
//! The minutes of work at a device or through a tunnel on the last days, read by the clock of the account that logs on
//! there: the middle of all the work round the clock, how far that is from the middle of a working day, and which part of
//! the work lies within working hours. Days with work in nearly all waking hours are counted, too.
//!
//! # Why it matters
//!
//! Who is hired in one zone and lives in another works by one of the two clocks. Where it is the own one, the work lies in
//! what is night where the person is said to be; where several share the work, it does not end.
//!
//! # Normal causes
//!
//! Night shifts, on-call weeks, a journey or a move that the inventory does not know; a student who works in the evenings
//! still works in some of the ordinary hours, and is left out.
//!
//! # Blind spots
//!
//! An operator who keeps the employer's hours, as most are told to. Accounts without a zone in the inventory; sites whose
//! accounts work in several.

use std::f64::consts::TAU;
use std::time::Duration;

use serde::Deserialize;

use crate::detect::daily::{One, OneDetector};
use crate::detect::{Family, rounded};
use crate::enrich::inventory::UtcOffset;
use crate::facts::Fields;
use crate::net::Text;
use crate::profile::day::Day;
use crate::protocol::FieldSpec;
use crate::quantity;

pub const NAME: &str = "wrong_clock";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.clock.days", help: "How many days of work were looked at." },
    FieldSpec { name: "spanwatch.clock.offset", help: "The offset from UTC that the inventory says." },
    FieldSpec { name: "spanwatch.clock.offset_fitting", help: "The one by which the work is done at ordinary hours." },
    FieldSpec {
        name: "spanwatch.clock.middle",
        help: "The middle of the work by the account's own clock, as `23:40`.",
    },
    FieldSpec { name: "spanwatch.clock.shift", help: "How far that is from the middle of working hours, in hours." },
    FieldSpec { name: "spanwatch.clock.in_hours", help: "Which part of the work is within working hours, 0 to 1." },
    FieldSpec {
        name: "spanwatch.clock.active_hours",
        help: "In how many hours of a day there was work: the median of the days.",
    },
];

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct WrongClock {
    /// Working hours in the widest sense, by the clock on the wall.
    #[serde(deserialize_with = "quantity::duration")]
    pub work_begins: Duration,
    #[serde(deserialize_with = "quantity::duration")]
    pub work_ends: Duration,
    /// A day with fewer minutes of work does not count.
    pub minutes_per_day_min: u16,
    /// Fewer days say nothing.
    pub days_min: usize,
    /// From this distance on between the middle of the work and that of working hours it is told.
    #[serde(deserialize_with = "quantity::duration")]
    pub shift: Duration,
    /// Where no more of the work than this part is within working hours.
    pub in_hours_max: f64,
    /// From work in so many hours of a day on it is told, too.
    pub active_hours_min: u16,
}

impl Default for WrongClock {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self {
            work_begins: 7 * hour,
            work_ends: 19 * hour,
            minutes_per_day_min: 30,
            days_min: 5,
            shift: 6 * hour,
            in_hours_max: 0.25,
            active_hours_min: 14,
        }
    }
}

/// What the days of one add up to.
struct Clock {
    days: usize,
    /// Minutes of work by the minute of the day on the account's clock.
    minutes: Vec<u32>,
    /// The hours with work on each day, in order.
    active_hours: Vec<u16>,
}

impl Clock {
    fn of(one: &One<'_>, minutes_per_day_min: u16) -> Self {
        let mut clock = Self { days: 0, minutes: vec![0; usize::from(Day::MINUTES)], active_hours: Vec::new() };
        for day in one.days.iter().filter(|day| day.count() >= minutes_per_day_min) {
            clock.days += 1;
            clock.active_hours.push(active_hours(day));
            for minute in day.minutes() {
                let on_the_wall = one.zone.clock(minute + one.day_begins_minute);
                if let Some(count) = clock.minutes.get_mut(usize::from(on_the_wall)) {
                    *count += 1;
                }
            }
        }
        clock.active_hours.sort_unstable();
        clock
    }

    /// The mean direction of the work on the face of the clock, in minutes after midnight, and how much it is all in that
    /// direction: 1 for a single minute, 0 for work at all hours alike (Fisher, "Statistical Analysis of Circular Data").
    fn middle(&self) -> (f64, f64) {
        let (mut sine, mut cosine, mut total) = (0.0, 0.0, 0.0);
        for (minute, &count) in self.minutes.iter().enumerate() {
            let (angle, count) = (TAU * minute as f64 / DAY_MINUTES, f64::from(count));
            (sine, cosine, total) =
                (count.mul_add(angle.sin(), sine), count.mul_add(angle.cos(), cosine), total + count);
        }
        let middle = sine.atan2(cosine).rem_euclid(TAU) / TAU * DAY_MINUTES;
        (middle, sine.hypot(cosine) / f64::max(total, 1.0))
    }

    fn share_within(&self, begin: Duration, end: Duration) -> f64 {
        let of = |duration: Duration| (duration.as_secs() / 60) as usize;
        let within: u32 = self.minutes.iter().take(of(end)).skip(of(begin)).sum();
        f64::from(within) / f64::from(self.minutes.iter().sum::<u32>().max(1))
    }

    fn active_hours(&self) -> u16 {
        self.active_hours.get(self.active_hours.len() / 2).copied().unwrap_or(0)
    }
}

const DAY_MINUTES: f64 = 1440.0;

impl WrongClock {
    /// Work that is less in one direction has no middle.
    const DIRECTION_MIN: f64 = 0.4;
}

impl OneDetector for WrongClock {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Time;

    fn judge(&self, one: &One<'_>) -> Option<Fields> {
        let clock = Clock::of(one, self.minutes_per_day_min);
        if clock.days < self.days_min {
            return None;
        }
        let (middle, direction) = clock.middle();
        let expected = (self.work_begins + self.work_ends).as_secs_f64() / 120.0;
        let behind = (expected - middle + DAY_MINUTES / 2.0).rem_euclid(DAY_MINUTES) - DAY_MINUTES / 2.0;
        let in_hours = clock.share_within(self.work_begins, self.work_ends);
        let is_elsewhere = direction >= Self::DIRECTION_MIN
            && behind.abs() * 60.0 >= self.shift.as_secs_f64()
            && in_hours <= self.in_hours_max;
        let active_hours = clock.active_hours();
        if !is_elsewhere && active_hours < self.active_hours_min {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.clock.days", clock.days as u64);
        evidence.push("spanwatch.clock.offset", Text::from(one.zone.to_string()));
        evidence.push("spanwatch.clock.offset_fitting", Text::from(fitting(one.zone, behind).to_string()));
        evidence
            .push("spanwatch.clock.middle", Text::from(format!("{:02}:{:02}", middle as u16 / 60, middle as u16 % 60)));
        evidence.push("spanwatch.clock.shift", rounded(behind.abs() / 60.0));
        evidence.push("spanwatch.clock.in_hours", rounded(in_hours));
        evidence.push("spanwatch.clock.active_hours", u64::from(active_hours));
        Some(evidence)
    }
}

/// The whole hours from UTC at which the middle of the work is that of working hours.
fn fitting(zone: UtcOffset, behind: f64) -> UtcOffset {
    const WESTERNMOST_HOURS: i32 = -12;
    let hours = ((f64::from(zone.minutes) + behind) / 60.0).round() as i32;
    let hours = (hours - WESTERNMOST_HOURS).rem_euclid(24) + WESTERNMOST_HOURS;
    UtcOffset { minutes: (hours * 60) as i16 }
}

/// The hours of a day with any work.
fn active_hours(day: &Day) -> u16 {
    let mut hours: Vec<u16> = day.minutes().map(|minute| minute / 60).collect();
    hours.dedup();
    hours.len() as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Value;

    /// New York's winter.
    const ZONE: UtcOffset = UtcOffset { minutes: -300 };

    /// What is said of so many days with work from one hour to another by the clock of [`ZONE`], every third minute.
    fn judge(count: usize, hours: std::ops::Range<u16>) -> Option<Fields> {
        let mut day = Day::new();
        (hours.start * 60..hours.end * 60).step_by(3).for_each(|minute| day.mark((minute + 300) % Day::MINUTES));
        WrongClock::default().judge(&One::of_days(vec![&day; count], ZONE))
    }

    fn text<'f>(found: &'f Fields, name: &str) -> &'f str {
        match found.get(name) {
            Some(Value::Text(text)) => text.as_str(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn work_in_the_night_is_told_with_the_clock_that_it_fits() {
        // From 9 to 17 o'clock in a zone that is 14 hours ahead.
        let found = judge(5, 19..27).unwrap();
        assert_eq!(text(&found, "spanwatch.clock.offset"), "-05:00");
        assert_eq!(text(&found, "spanwatch.clock.offset_fitting"), "+09:00");
        assert_eq!(text(&found, "spanwatch.clock.middle"), "22:58");
        assert_eq!(found.get("spanwatch.clock.in_hours"), Some(&0.0.into()));
        assert_eq!(found.get("spanwatch.clock.active_hours"), Some(&8_u64.into()));
    }

    #[test]
    fn it_takes_five_days() {
        assert!(judge(4, 19..27).is_none());
        assert!(judge(5, 19..27).is_some());
    }

    #[test]
    fn early_and_late_people_work_in_some_of_the_ordinary_hours() {
        assert!(judge(9, 9..17).is_none());
        assert!(judge(9, 4..12).is_none());
        assert!(judge(9, 14..23).is_none());
        assert!(judge(9, 16..24).is_none(), "three hours of eight are within working hours");
        assert!(judge(9, 17..25).is_some(), "and two are not enough");
    }

    #[test]
    fn work_in_fourteen_hours_of_a_day_is_told() {
        let found = judge(5, 7..21).unwrap();
        assert_eq!(found.get("spanwatch.clock.active_hours"), Some(&14_u64.into()));
        assert!(judge(5, 7..20).is_none());
    }

    #[test]
    fn a_day_with_little_work_does_not_count() {
        let (mut little, mut much) = (Day::new(), Day::new());
        (0..29).for_each(|minute| little.mark(minute));
        (0..30).for_each(|minute| much.mark(minute));
        let judge = |day: &Day| WrongClock::default().judge(&One::of_days(vec![day; 5], UtcOffset { minutes: 0 }));
        assert!(judge(&little).is_none());
        assert!(judge(&much).is_some());
    }
}
