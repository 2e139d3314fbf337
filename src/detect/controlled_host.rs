//! For how long a day a desktop is driven by a hand from elsewhere, and how far away that hand is.
//!
//! # What it sees
//!
//! The minutes of a desktop's flow: small input with a hand's pauses, pictures that follow it within half a second, and many
//! more bytes of pictures than of input. Further, how long after pictures the client's next packets come: viewers answer
//! what they show, all at the distance of their round trip. A narrow peak among those distances is the operator's lag.
//!
//! # Why it matters
//!
//! An open session may be a monitor on a wall. One that is driven for hours is somebody's workplace; and one whose answers
//! come after a fifth of a second is worked at from another continent, whatever the address says.
//!
//! # Normal causes
//!
//! Somebody who works from home on the machine in the office. Mobile and satellite lines, which are far away, too.
//!
//! # Blind spots
//!
//! Viewers that do not answer pictures show no lag. A product's relay is a program's end, and the hand behind it is hidden.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::detect::{Detector, Family, rounded};
use crate::event::Event;
use crate::facts::{Channel, FactKind, Fields, Minute, Quarters, Rhythm, Sender};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::protocol::FieldSpec;
use crate::time::Timestamp;

pub const NAME: &str = "controlled_host";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.control.minutes", help: "In how many minutes of the day a hand drove the desktop." },
    FieldSpec { name: "spanwatch.control.since", help: "When the first of them began." },
    FieldSpec {
        name: "spanwatch.control.asymmetry",
        help: "How many bytes the device sent for each that it was sent.",
    },
    FieldSpec {
        name: "spanwatch.control.drive",
        help: "Which part of the input was followed by a picture within half a second, more than by chance.",
    },
    FieldSpec {
        name: "spanwatch.control.variation",
        help: "How much the times between input vary: the standard deviation over the mean. A hand's is about 1 or more.",
    },
    FieldSpec {
        name: "spanwatch.control.lag",
        help: "How long after pictures the client answers, in ms; absent where it does not.",
    },
    FieldSpec {
        name: "spanwatch.control.lag_deviations",
        help: "How far that distance stands out from those around it, in standard deviations.",
    },
];

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ControlledHost {
    /// A minute counts with so many groups of input.
    pub bursts_min: u32,
    /// From so many minutes of a day on it is told, and again at each doubling.
    pub minutes: u32,
    /// The device sends at least so many times what it is sent.
    pub asymmetry: f64,
    /// At least this part of the input is followed by pictures, beyond chance.
    pub drive: f64,
    /// Input that varies less is a program's.
    pub variation_min: f64,
}

impl Default for ControlledHost {
    fn default() -> Self {
        Self { bursts_min: 3, minutes: 30, asymmetry: 5.0, drive: 0.4, variation_min: 0.7 }
    }
}

/// The device, and where it is driven from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Subject {
    device: DeviceId,
    driver: IpAddr,
}

/// What is counted in a day.
#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    day: u64,
    since: Option<Timestamp>,
    minutes: u32,
    told_minutes: u32,
    client_bytes: u64,
    server_bytes: u64,
    input: f64,
    followed: f64,
    by_chance: f64,
    gaps: u64,
    gaps_secs: f64,
    gap_squares: f64,
    lags: Vec<u32>,
}

impl Detector for ControlledHost {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    const HEARS: &'static [&'static str] = &["minute"];
    type Subject = Subject;
    type Sighting = Minute;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(Subject, Minute)> {
        let FactKind::Minute(minute) = &event.fact()?.kind else {
            return None;
        };
        let is_driven = minute.through == Channel::Desktop && minute.client_bursts >= self.bursts_min;
        if !is_driven || minute.rhythm.is_none() || !event.is_home(Sender::Server) {
            return None;
        }
        let subject = Subject { device: event.device(Sender::Server)?, driver: event.address(Sender::Client)? };
        Some((subject, (**minute).clone()))
    }

    fn judge(&self, window: &mut Window, minute: Minute, _at: Timestamp) -> Option<Fields> {
        let day = minute.start.as_secs() / 86_400;
        if window.day != day {
            *window = Window { day, ..Window::default() };
        }
        window.add(&minute);
        let (asymmetry, drive, variation) = (window.asymmetry(), window.drive(), window.variation());
        let is_due = window.minutes >= self.minutes.max(window.told_minutes.saturating_mul(2));
        if !is_due || asymmetry < self.asymmetry || drive < self.drive || variation < self.variation_min {
            return None;
        }
        window.told_minutes = window.minutes;
        let lag = peak(&window.lags);
        let mut evidence = Fields::default();
        evidence.push("spanwatch.control.minutes", window.minutes);
        evidence.push_some("spanwatch.control.since", window.since);
        evidence.push("spanwatch.control.asymmetry", rounded(asymmetry));
        evidence.push("spanwatch.control.drive", rounded(drive));
        evidence.push("spanwatch.control.variation", rounded(variation));
        evidence.push_some("spanwatch.control.lag", lag.map(|(lag_ms, _)| lag_ms));
        evidence.push_some("spanwatch.control.lag_deviations", lag.map(|(_, deviations)| rounded(deviations)));
        Some(evidence)
    }

    fn entity(subject: &Subject) -> Entity {
        Entity::Device(subject.device)
    }
}

impl Window {
    /// The quarters in which a picture may follow input.
    const FOLLOWING: usize = 1;

    fn add(&mut self, minute: &Minute) {
        self.since.get_or_insert(minute.start);
        self.minutes = self.minutes.saturating_add(1);
        self.client_bytes = self.client_bytes.saturating_add(minute.client_bytes);
        self.server_bytes = self.server_bytes.saturating_add(minute.server_bytes);
        let groups = minute.client_groups;
        self.gaps = self.gaps.saturating_add(u64::from(groups.count.saturating_sub(1)));
        self.gaps_secs += groups.last.since(groups.first).as_secs_f64();
        self.gap_squares += groups.gap_squares_ms2 as f64 / 1e6;
        let Some(rhythm) = &minute.rhythm else {
            return;
        };
        let is_followed = |place: usize| (place..=place + Self::FOLLOWING).any(|place| rhythm.pictures.has(place));
        let input = rhythm.input.count() as f64;
        self.input += input;
        self.followed += rhythm.input.marked().filter(|&place| is_followed(place)).count() as f64;
        let anywhere = (0..Quarters::COUNT).filter(|&place| is_followed(place)).count();
        self.by_chance += input * anywhere as f64 / Quarters::COUNT as f64;
        self.lags.resize(Rhythm::LAGS, 0);
        for (count, &more) in self.lags.iter_mut().zip(&rhythm.lags) {
            *count = count.saturating_add(u32::from(more));
        }
    }

    fn asymmetry(&self) -> f64 {
        self.server_bytes as f64 / self.client_bytes.max(1) as f64
    }

    fn drive(&self) -> f64 {
        (self.followed - self.by_chance) / self.input.max(1.0)
    }

    /// Of the times between input within minutes.
    fn variation(&self) -> f64 {
        let mean = self.gaps_secs / self.gaps.max(1) as f64;
        let variance = self.gap_squares / self.gaps.max(1) as f64 - mean * mean;
        variance.max(0.0).sqrt() / mean.max(f64::MIN_POSITIVE)
    }
}

/// The distance at which most answers are, in ms, and how far it stands out from the others around it: a program's answers
/// are all within some hundredths of a second, the rhythm of a hand is not.
fn peak(lags: &[u32]) -> Option<(u64, f64)> {
    const ANSWERS_MIN: f64 = 30.0;
    const NEAR: usize = 4;
    const FAR: usize = 10;
    let at = |place: usize| f64::from(lags.get(place).copied().unwrap_or(0));
    let three = |place: usize| at(place.wrapping_sub(1)) + at(place) + at(place + 1);
    let stands_out = |place: usize| {
        let around = (0..lags.len()).filter(|other| (NEAR..=FAR).contains(&other.abs_diff(place)));
        let (sum, count) = around.fold((0.0, 0.0), |(sum, count), other| (sum + three(other), count + 1.0));
        let usual = sum / f64::max(count, 1.0);
        let here = three(place);
        let is_narrow = here >= ANSWERS_MIN && here >= 2.0 * usual;
        is_narrow.then(|| (place, (here - usual) / (usual + 1.0).sqrt()))
    };
    let (place, deviations) = (0..lags.len()).filter_map(stands_out).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let lag = Rhythm::LAG_STEP * place as u32 + Rhythm::LAG_STEP / 2;
    Some((lag.as_millis() as u64, deviations))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::daily::draw::Draw;
    use crate::facts::{Groups, Value};

    /// A driven minute: so many bytes for each of input, pictures after input or before it, input at irregular times.
    fn minute(number: u64, asymmetry: u64, pictures_later: i64) -> Minute {
        let start = Timestamp::from_secs(60 * number);
        let mut rhythm = Rhythm::default();
        for place in (8..232).step_by(16) {
            rhythm.input.mark(place);
            rhythm.pictures.mark(usize::try_from(place as i64 + pictures_later).unwrap());
        }
        let client_groups = Groups {
            count: 11,
            first: start,
            last: start + std::time::Duration::from_secs(10),
            gap_squares_ms2: 20_000_000,
        };
        Minute {
            start,
            client_bursts: 10,
            client_bytes: 1000,
            server_bytes: 1000 * asymmetry,
            client_groups,
            rhythm: Some(Box::new(rhythm)),
            ..Minute::default()
        }
    }

    /// The minutes of a day at which it is told.
    fn told(minutes: u64, make: impl Fn(u64) -> Minute) -> Vec<u64> {
        let (detector, mut window) = (ControlledHost::default(), Window::default());
        let judge = |number| {
            let found = detector.judge(&mut window, make(number), Timestamp::ZERO)?;
            match found.get("spanwatch.control.minutes") {
                Some(Value::Number(minutes)) => Some(*minutes),
                other => panic!("{other:?}"),
            }
        };
        (1..=minutes).filter_map(judge).collect()
    }

    #[test]
    fn half_an_hour_of_a_hand_is_told_and_each_doubling() {
        assert_eq!(told(29, |number| minute(number, 10, 1)), [0; 0]);
        assert_eq!(told(240, |number| minute(number, 10, 1)), [30, 60, 120, 240]);
    }

    #[test]
    fn a_device_that_sends_little_or_whose_pictures_do_not_follow_is_not_driven() {
        assert_eq!(told(60, |number| minute(number, 5, 1)), [30, 60]);
        assert_eq!(told(60, |number| minute(number, 4, 1)), [0; 0]);
        assert_eq!(told(60, |number| minute(number, 10, -6)), [0; 0]);
    }

    #[test]
    fn input_by_the_clock_is_no_hand() {
        let by_the_clock = |number| {
            let mut minute = minute(number, 10, 1);
            minute.client_groups.gap_squares_ms2 = 10_400_000;
            minute
        };
        assert_eq!(told(60, by_the_clock), [0; 0]);
    }

    /// Pictures at thirty a second for so long, answered after `lag_ms` by the program, or never, and a hand's input.
    fn lags(draw: &mut Draw, secs: u64, lag_ms: Option<f64>, hand: bool) -> Vec<u32> {
        let exponential = |mean: f64, draw: &mut Draw| -mean * (1.0 - draw.unit()).ln();
        let (mut pictures, mut input) = (Vec::new(), Vec::new());
        let mut now = 0.0;
        while now < secs as f64 * 1000.0 {
            now += exponential(170.0, draw).max(33.0);
            pictures.push(now);
            if let Some(lag_ms) = lag_ms {
                input.push(now + lag_ms + exponential(6.0, draw));
            }
        }
        let mut typed = 0.0;
        while hand && typed < now {
            // Keys of one word, and pauses.
            typed += if draw.chance(0.1) { exponential(2000.0, draw) } else { 120.0 + 200.0 * draw.unit() };
            input.push(typed);
            // The key is shown.
            pictures.push(typed + 40.0);
        }
        pictures.sort_by(f64::total_cmp);
        let mut counts = vec![0; Rhythm::LAGS];
        for at in input {
            let since = pictures.partition_point(|&picture| picture <= at - 799.0);
            let until = pictures.partition_point(|&picture| picture <= at);
            pictures[since..until].iter().for_each(|picture| counts[((at - picture) / 10.0) as usize] += 1);
        }
        counts
    }

    #[test]
    fn the_operators_lag_is_found_to_twenty_milliseconds() {
        let mut draw = Draw::new(11);
        for number in 0..30 {
            let lag_ms = 30.0 + 10.0 * f64::from(number);
            let (found, deviations) = peak(&lags(&mut draw, 60, Some(lag_ms), true)).unwrap();
            assert!(deviations >= 8.0 && (found as f64 - lag_ms).abs() <= 20.0, "{lag_ms}: {found}, {deviations}");
        }
    }

    #[test]
    fn a_hand_has_no_lag() {
        let mut draw = Draw::new(12);
        let found = |draw: &mut Draw| peak(&lags(draw, 1800, None, true)).filter(|(lag, _)| *lag >= 120);
        let found: Vec<_> =
            (0..50).filter_map(|_| found(&mut draw)).filter(|(_, deviations)| *deviations >= 8.0).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}
