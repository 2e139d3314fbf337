//! Input into a remote desktop that comes by the clock.
//!
//! # What it sees
//!
//! The groups of small packets that a desktop's client sends, as its minutes tell them: when they began, and how far apart.
//! Sixty-four intervals in a row that vary by less than a tenth are a machine's; a finding is a row of them that lasts for
//! hours, once until it breaks.
//!
//! # Why it matters
//!
//! A program or a gadget keeps the session awake and its user present while nobody is there.
//!
//! # Normal causes
//!
//! An employee who does not want to appear away. A client that keeps its session alive with input of its own.
//!
//! # Blind spots
//!
//! Gadgets at the machine itself, whose input never crosses the network. Random intervals: a person's vary by as much. A
//! person who works in the same session now and then breaks the row.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{Channel, FactKind, Fields, Groups, Sender};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "jiggler";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.input.period", help: "The mean time between groups of input, in seconds." },
    FieldSpec { name: "spanwatch.input.variation", help: "Its standard deviation over its mean." },
    FieldSpec { name: "spanwatch.input.since", help: "When the regular input began." },
    FieldSpec { name: "spanwatch.input.duration", help: "How long it has lasted, in seconds." },
];

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Jiggler {
    /// A person's intervals vary by more: the standard deviation over the mean.
    pub variation_max: f64,
    /// So long the regular input must last.
    #[serde(deserialize_with = "quantity::duration")]
    pub lasting: Duration,
}

impl Default for Jiggler {
    fn default() -> Self {
        Self { variation_max: 0.1, lasting: Duration::from_secs(2 * 3600) }
    }
}

/// The device at home, and who drives it or is driven by it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Subject {
    device: DeviceId,
    client: IpAddr,
    server: IpAddr,
}

/// The intervals that are looked at together, and the row of regular ones before them.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
pub struct Window {
    block: Block,
    /// When the regular row began.
    regular_since: Option<Timestamp>,
    told: bool,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
struct Block {
    first: Option<Timestamp>,
    last: Timestamp,
    intervals: u64,
    squares_ms2: u64,
}

impl Jiggler {
    const INTERVALS: u64 = 64;
    /// Whoever pauses for longer begins anew.
    const PAUSE_MAX: Duration = Duration::from_secs(660);
    /// Closer groups are a movement's, not a clock's.
    const PERIOD_MIN: Duration = Duration::from_secs(1);
}

impl Detector for Jiggler {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Time;
    const HEARS: &'static [&'static str] = &["minute"];
    type Subject = Subject;
    type Sighting = Groups;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(Subject, Groups)> {
        let FactKind::Minute(minute) = &event.fact()?.kind else {
            return None;
        };
        if minute.through != Channel::Desktop || minute.client_groups.count == 0 {
            return None;
        }
        // Whom the input reaches, or else whose it is.
        let home = [Sender::Server, Sender::Client].into_iter().find(|&side| event.is_home(side))?;
        let (client, server) = (event.address(Sender::Client)?, event.address(Sender::Server)?);
        Some((Subject { device: event.device(home)?, client, server }, minute.client_groups))
    }

    fn judge(&self, window: &mut Window, groups: Groups, _at: Timestamp) -> Option<Fields> {
        if window.block.first.is_some() && groups.first.since(window.block.last) > Self::PAUSE_MAX {
            *window = Window::default();
        }
        window.block.add(groups);
        if window.block.intervals < Self::INTERVALS {
            return None;
        }
        let block = std::mem::replace(&mut window.block, Block::after(groups));
        let (period, variation) = block.regularity();
        if variation >= self.variation_max || period < Self::PERIOD_MIN.as_secs_f64() {
            (window.regular_since, window.told) = (None, false);
            return None;
        }
        let since = *window.regular_since.get_or_insert(block.first?);
        let duration = block.last.since(since);
        if window.told || duration < self.lasting {
            return None;
        }
        window.told = true;
        let mut evidence = Fields::default();
        evidence.push("spanwatch.input.period", (period * 1000.0).round() / 1000.0);
        evidence.push("spanwatch.input.variation", (variation * 1000.0).round() / 1000.0);
        evidence.push("spanwatch.input.since", since);
        evidence.push("spanwatch.input.duration", duration.as_secs());
        Some(evidence)
    }

    fn entity(subject: &Subject) -> Entity {
        Entity::Device(subject.device)
    }
}

impl Block {
    /// An empty one, whose first interval begins with the last of the groups.
    fn after(groups: Groups) -> Self {
        Self { first: Some(groups.last), last: groups.last, ..Self::default() }
    }

    fn add(&mut self, groups: Groups) {
        if self.first.is_some() {
            let gap_ms = u64::try_from(groups.first.since(self.last).as_millis()).unwrap_or(u64::MAX);
            self.intervals += 1;
            self.squares_ms2 = self.squares_ms2.saturating_add(gap_ms.saturating_mul(gap_ms));
        }
        self.first.get_or_insert(groups.first);
        self.last = groups.last;
        self.intervals += u64::from(groups.count.saturating_sub(1));
        self.squares_ms2 = self.squares_ms2.saturating_add(groups.gap_squares_ms2);
    }

    /// The mean of the intervals in seconds, and their standard deviation over it.
    fn regularity(&self) -> (f64, f64) {
        let duration = self.first.map_or(Duration::ZERO, |first| self.last.since(first));
        let mean = duration.as_secs_f64() / self.intervals as f64;
        let variance = self.squares_ms2 as f64 / 1e6 / self.intervals as f64 - mean * mean;
        (mean, variance.max(0.0).sqrt() / mean.max(f64::MIN_POSITIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings on input at these times, in milliseconds, told minute by minute.
    fn findings(times: impl IntoIterator<Item = u64>) -> Vec<Fields> {
        let (detector, mut window) = (Jiggler::default(), Window::default());
        let mut minutes: Vec<(u64, Groups)> = Vec::new();
        for ms in times {
            let at = Timestamp::from_nanos(ms * 1_000_000);
            match minutes.last_mut().filter(|(minute, _)| *minute == ms / 60_000) {
                Some((_, groups)) => {
                    let gap_ms = at.since(groups.last).as_millis() as u64;
                    groups.gap_squares_ms2 += gap_ms * gap_ms;
                    (groups.count, groups.last) = (groups.count + 1, at);
                }
                None => minutes.push((ms / 60_000, Groups { count: 1, first: at, last: at, gap_squares_ms2: 0 })),
            }
        }
        minutes.iter().filter_map(|(_, groups)| detector.judge(&mut window, *groups, groups.last)).collect()
    }

    /// Input every 42 s, every other time earlier by so many milliseconds, for so many hours.
    fn every_42_s(early_ms: u64, hours: u64) -> impl Iterator<Item = u64> {
        (1..hours * 3_600_000 / 42_000).map(move |number| number * 42_000 - early_ms * (number % 2))
    }

    #[test]
    fn input_by_the_clock_is_found_once() {
        let found = findings(every_42_s(0, 10));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].get("spanwatch.input.period"), Some(&42.0.into()));
        assert_eq!(found[0].get("spanwatch.input.variation"), Some(&0.0.into()));
    }

    #[test]
    fn a_variation_of_a_tenth_is_a_persons() {
        assert_eq!(findings(every_42_s(4100, 10)).len(), 1);
        assert_eq!(findings(every_42_s(4250, 10)).len(), 0);
    }

    #[test]
    fn it_must_last() {
        // Three blocks of 64 intervals are 2.24 hours.
        assert_eq!(findings(every_42_s(0, 2)).len(), 0);
        assert_eq!(findings(every_42_s(0, 3)).len(), 1);
    }

    #[test]
    fn work_in_between_breaks_the_row_and_a_pause_too() {
        let work = (3_600_000..3_700_000).step_by(700);
        let mut times: Vec<u64> = every_42_s(0, 3).chain(work).collect();
        times.sort_unstable();
        assert_eq!(findings(times).len(), 0);
        let paused = every_42_s(0, 4).map(|ms| if ms > 4_000_000 { ms + 700_000 } else { ms });
        assert_eq!(findings(paused.take_while(|&ms| ms < 9_000_000)).len(), 0);
    }

    #[test]
    fn several_groups_in_a_minute_count_too() {
        assert_eq!(findings((1..3000).map(|number| number * 10_000)).len(), 1);
        assert_eq!(findings((1..30_000).map(|number| number * 900)).len(), 0, "that is a movement");
    }
}
