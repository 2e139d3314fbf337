//! Whether what a device does follows the hand of somebody who drives it from elsewhere.
//!
//! # What it sees
//!
//! The quarters of a second in which input reached the device's desktop, and the moments at which the device itself began
//! something: asked for a name, opened a connection, sent input into a desktop or a shell elsewhere. What it begins within
//! half a second of input is compared with how often that would be at any other moment of the same minute (Zhang and
//! Paxson, "Detecting Stepping Stones", USENIX Security 2000, against shifted times).
//!
//! # Why it matters
//!
//! A session that stands open is a look; one that the device's own work follows is somebody working through it, and the
//! person whose account it is may not be there at all.
//!
//! # Normal causes
//!
//! The help desk for as long as it helps; somebody who works from home on the machine in the office.
//!
//! # Blind spots
//!
//! Input through a product's relay, or by an IP-KVM at the machine. Work that shows no traffic of its own where the mirror
//! is. Input without a pause, which everything follows.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::{Detector, Family, rounded};
use crate::event::Event;
use crate::facts::{Channel, FactKind, Fields, Minute, Quarters, Sender};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::memory::{Memory, MemoryError};
use crate::protocol::FieldSpec;
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

pub const NAME: &str = "who_drives";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.drive.begun", help: "How much the device began in the driven minutes of the day." },
    FieldSpec { name: "spanwatch.drive.coincidences", help: "How much of it within half a second of input." },
    FieldSpec { name: "spanwatch.drive.ratio", help: "Which part that is, 0 to 1." },
    FieldSpec { name: "spanwatch.drive.by_chance", help: "Which part it would be at other moments of those minutes." },
    FieldSpec { name: "spanwatch.drive.deviations", help: "How far it is from that, in standard deviations." },
    FieldSpec { name: "spanwatch.drive.minutes", help: "In how many minutes of the day there was input." },
    FieldSpec { name: "spanwatch.drive.days", help: "On how many days of the last week it was so." },
    FieldSpec { name: "spanwatch.drive.since", help: "When the first driven minute of the day began." },
];

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// From so many coincidences of a day on.
    pub coincidences: u32,
    /// Which are at least this part of all that the device began.
    pub ratio: f64,
    /// And so many standard deviations more than by chance.
    pub deviations: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { coincidences: 20, ratio: 0.3, deviations: 4.0 }
    }
}

pub struct WhoDrives {
    settings: Settings,
    /// What driven devices began in the last minutes.
    driven: Recent<DeviceId, VecDeque<Timestamp>>,
}

/// The device, and where it is driven from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Subject {
    device: DeviceId,
    driver: IpAddr,
}

/// A driven minute, and what the device began in it and before.
pub struct Driven {
    start: Timestamp,
    input: Quarters,
    begun: Vec<Timestamp>,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    /// The minute that is not judged yet: what the device sent in it into another desktop is told at its end, too.
    last: Option<(Timestamp, Quarters)>,
    day: u64,
    tally: Tally,
    /// The days of the last week on which it was so.
    days: BTreeSet<u64>,
}

/// What is counted in a day.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
struct Tally {
    since: Option<Timestamp>,
    minutes: u32,
    begun: u32,
    coincidences: u32,
    expected: f64,
    variance: f64,
}

impl WhoDrives {
    const DRIVEN: Retention = Retention { entries_max: 4096, keep: Duration::from_secs(600) };
    const BEGUN_MAX: usize = 512;
    const BEGUN_KEPT: Duration = Duration::from_secs(180);

    pub fn new(settings: Settings) -> Self {
        Self { settings, driven: Recent::new(Self::DRIVEN) }
    }

    /// The minute of a desktop or a shell, and when there was input in it.
    fn rhythm<'e>(event: &Event<'e>) -> Option<(&'e Minute, Quarters)> {
        let FactKind::Minute(minute) = &event.fact()?.kind else {
            return None;
        };
        Some((minute, minute.rhythm.as_ref()?.input))
    }

    /// Takes note of what a driven device begins.
    fn note(&mut self, event: &Event<'_>, moments: impl Iterator<Item = Timestamp>) {
        let device = event.is_home(Sender::Client).then(|| event.device(Sender::Client)).flatten();
        let Some(begun) = device.and_then(|device| self.driven.get_mut(&device, event.at())) else {
            return;
        };
        while begun.front().is_some_and(|&earliest| event.at().since(earliest) > Self::BEGUN_KEPT) {
            begun.pop_front();
        }
        let room = Self::BEGUN_MAX.saturating_sub(begun.len());
        begun.extend(moments.take(room));
    }
}

impl Detector for WhoDrives {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    const HEARS: &'static [&'static str] = &["hello", "minute", "name", "remote_desktop"];
    type Subject = Subject;
    type Sighting = Driven;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        match event.fact().map(|fact| &fact.kind) {
            Some(FactKind::RemoteDesktop(_)) if event.is_home(Sender::Server) => {
                self.driven.expire(event.at());
                if let Some(device) = event.device(Sender::Server) {
                    self.driven.get_or_insert_with(device, event.at(), VecDeque::new);
                }
            }
            Some(FactKind::Minute(minute)) if minute.through == Channel::Desktop && event.is_home(Sender::Server) => {
                if let Some(device) = event.device(Sender::Server) {
                    self.driven.get_or_insert_with(device, event.at(), VecDeque::new);
                }
            }
            _ if self.driven.is_empty() => return,
            Some(FactKind::Name(name)) if !name.answered => return self.note(event, std::iter::once(event.at())),
            Some(FactKind::Hello(hello)) if hello.sender == Sender::Client => {
                return self.note(event, std::iter::once(event.at()));
            }
            _ => {}
        }
        if let Some((minute, input)) = Self::rhythm(event) {
            let moment = |place: usize| minute.start + Quarters::LENGTH * place as u32;
            self.note(event, input.marked().map(moment));
        }
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        memory.put(&format!("{section}.driven"), &self.driven);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.driven.restore(memory.get(&format!("{section}.driven"))?.unwrap_or_default());
        Ok(())
    }

    fn sight(&self, event: &Event<'_>) -> Option<(Subject, Driven)> {
        let (minute, input) = Self::rhythm(event)?;
        if minute.through != Channel::Desktop || !event.is_home(Sender::Server) {
            return None;
        }
        let device = event.device(Sender::Server)?;
        let begun = self.driven.get(&device)?.iter().copied().collect();
        let subject = Subject { device, driver: event.address(Sender::Client)? };
        Some((subject, Driven { start: minute.start, input, begun }))
    }

    fn judge(&self, window: &mut Window, driven: Driven, _at: Timestamp) -> Option<Fields> {
        let Driven { start, input, begun } = driven;
        let day = start.as_secs() / 86_400;
        if window.day != day {
            (window.day, window.tally) = (day, Tally::default());
            window.days.retain(|&known| day.saturating_sub(known) < 7);
        }
        let (start, input) = window.last.replace((start, input)).filter(|&(last, _)| last < start)?;
        window.tally.add(start, input, begun);
        let tally = window.tally;
        let is_so = tally.coincidences >= self.settings.coincidences
            && tally.ratio() >= self.settings.ratio
            && tally.deviations() >= self.settings.deviations;
        if !is_so || !window.days.insert(day) {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.drive.begun", tally.begun);
        evidence.push("spanwatch.drive.coincidences", tally.coincidences);
        evidence.push("spanwatch.drive.ratio", rounded(tally.ratio()));
        evidence.push("spanwatch.drive.by_chance", rounded(tally.expected / f64::from(tally.begun.max(1))));
        evidence.push("spanwatch.drive.deviations", rounded(tally.deviations()));
        evidence.push("spanwatch.drive.minutes", tally.minutes);
        evidence.push("spanwatch.drive.days", window.days.len() as u64);
        evidence.push_some("spanwatch.drive.since", tally.since);
        Some(evidence)
    }

    fn entity(subject: &Subject) -> Entity {
        Entity::Device(subject.device)
    }
}

impl Tally {
    /// What begins sooner after something else belongs to it.
    const IDLE: Duration = Duration::from_millis(500);
    /// The quarters after input in which what begins may follow it.
    const FOLLOWING: usize = 2;

    fn add(&mut self, start: Timestamp, input: Quarters, mut begun: Vec<Timestamp>) {
        self.since.get_or_insert(start);
        self.minutes = self.minutes.saturating_add(1);
        begun.sort_unstable();
        let after_input = input.and_after(Self::FOLLOWING);
        // At any other moment of the minute.
        let chance = after_input.count() as f64 / Quarters::COUNT as f64;
        let mut before = Timestamp::ZERO;
        for moment in begun {
            let is_first = moment.since(before) >= Self::IDLE;
            before = moment;
            if !is_first || moment < start || moment.since(start) >= Minute::LENGTH {
                continue;
            }
            self.begun = self.begun.saturating_add(1);
            self.coincidences += u32::from(after_input.has(Quarters::place(moment.since(start))));
            self.expected += chance;
            self.variance = (1.0 - chance).mul_add(chance, self.variance);
        }
    }

    fn ratio(&self) -> f64 {
        f64::from(self.coincidences) / f64::from(self.begun.max(1))
    }

    fn deviations(&self) -> f64 {
        (f64::from(self.coincidences) - self.expected) / (self.variance + 1.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::daily::draw::Draw;
    use crate::facts::Value;

    /// So many minutes with input in ten quarters of a second each; in every one the device begins six things, the first
    /// `follow` of them 300 ms after input.
    fn findings(seed: u64, minutes: u64, follow: usize) -> Vec<Fields> {
        let (detector, mut window, mut draw) =
            (WhoDrives::new(Settings::default()), Window::default(), Draw::new(seed));
        let mut found = Vec::new();
        let mut before = Vec::new();
        for minute in 0..=minutes {
            let start = Timestamp::from_secs(60 * (minute + 1));
            let (mut input, mut begun) = (Quarters::default(), Vec::new());
            for number in 0..10 {
                let place = 24 * number + draw.below(20);
                input.mark(place);
                if number < 6 {
                    let ms = 250 * place as u64 + 300;
                    let ms = if number < follow { ms } else { 10_000 * number as u64 + draw.below(9000) as u64 };
                    begun.push(start + Duration::from_millis(ms));
                }
            }
            before.extend(begun.iter().copied());
            let driven = Driven { start, input, begun: std::mem::replace(&mut before, begun) };
            found.extend(detector.judge(&mut window, driven, start + Minute::LENGTH));
        }
        found
    }

    #[test]
    fn what_follows_input_is_found_once_a_day() {
        let found = findings(1, 30, 6);
        let [found] = &found[..] else { panic!("{found:?}") };
        assert_eq!(found.get("spanwatch.drive.coincidences"), Some(&Value::Number(24)));
        assert_eq!(found.get("spanwatch.drive.ratio"), Some(&1.0.into()));
        assert_eq!(found.get("spanwatch.drive.minutes"), Some(&Value::Number(4)));
    }

    #[test]
    fn twenty_coincidences_are_the_least() {
        assert_eq!(findings(1, 3, 6).len(), 0, "eighteen");
        assert_eq!(findings(1, 4, 6).len(), 1, "twenty-four");
    }

    #[test]
    fn what_a_device_begins_by_itself_is_as_often_by_chance() {
        let found = (0..50).filter(|&seed| !findings(seed, 120, 0).is_empty()).count();
        assert_eq!(found, 0);
    }

    #[test]
    fn half_of_what_it_begins_is_enough() {
        assert!((0..20).all(|seed| findings(seed, 60, 3).len() == 1));
    }

    #[test]
    fn input_without_a_pause_says_nothing() {
        let mut tally = Tally::default();
        let mut always = Quarters::default();
        (0..Quarters::COUNT).for_each(|place| always.mark(place));
        let begun = (0..60).map(Timestamp::from_secs).collect();
        tally.add(Timestamp::ZERO, always, begun);
        assert!(tally.coincidences >= 59 && tally.deviations() < 0.1, "{}", tally.deviations());
    }
}
