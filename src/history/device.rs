//! What a device shows of itself, what it uses, and the minutes it was worked on in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::facts::{Fingerprint, FingerprintMethod};
use crate::net::Text;
use crate::time::Timestamp;

#[derive(Clone, Debug, Default)]
pub struct DeviceHistory {
    fingerprints: BTreeMap<Fingerprint, Timestamp>,
    products: BTreeMap<String, Use>,
    users: BTreeSet<Text>,
    /// The latest last.
    days: VecDeque<Day>,
}

/// How a product is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Use {
    pub first: Timestamp,
    pub last: Timestamp,
    pub sessions: u64,
    pub sanctioned: bool,
}

/// The minutes of a day of UTC in which somebody sent something through the device's sessions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Day {
    /// Days since the epoch.
    pub number: u64,
    minutes: [u64; Day::WORDS],
}

impl Day {
    pub const MINUTES: usize = 1440;
    const WORDS: usize = Self::MINUTES.div_ceil(64);

    pub fn beginning(&self) -> Timestamp {
        Timestamp::from_secs(self.number.saturating_mul(86_400))
    }

    /// The first and last minute of each span of activity.
    pub fn spans(&self) -> Vec<(usize, usize)> {
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for minute in (0..Self::MINUTES).filter(|&minute| self.is_active(minute)) {
            match spans.last_mut() {
                Some((_, last)) if *last + 1 == minute => *last = minute,
                _ => spans.push((minute, minute)),
            }
        }
        spans
    }

    fn is_active(&self, minute: usize) -> bool {
        self.minutes[minute / 64] >> (minute % 64) & 1 == 1
    }

    fn set(&mut self, minute: usize) {
        self.minutes[minute / 64] |= 1 << (minute % 64);
    }
}

impl DeviceHistory {
    /// The most of each kind that is kept; what comes later is not.
    const ENTRIES_MAX: usize = 32;
    const DAYS_MAX: usize = 14;

    pub(super) fn shows(&mut self, fingerprint: &Fingerprint, at: Timestamp) {
        if self.fingerprints.len() < Self::ENTRIES_MAX || self.fingerprints.contains_key(fingerprint) {
            self.fingerprints.insert(*fingerprint, at);
        }
    }

    pub(super) fn uses(&mut self, product: &str, sanctioned: bool, at: Timestamp) {
        if self.products.len() >= Self::ENTRIES_MAX && !self.products.contains_key(product) {
            return;
        }
        let seen =
            self.products.entry(product.to_owned()).or_insert(Use { first: at, last: at, sessions: 0, sanctioned });
        (seen.last, seen.sanctioned) = (at, sanctioned);
        seen.sessions += 1;
    }

    pub(super) fn used_by(&mut self, account: &Text) {
        if self.users.len() < Self::ENTRIES_MAX {
            self.users.insert(account.clone());
        }
    }

    pub(super) fn active_in(&mut self, minute: Timestamp) {
        let (number, second) = (minute.as_secs() / 86_400, minute.as_secs() % 86_400);
        if !self.days.iter().any(|day| day.number == number) {
            if self.days.len() == Self::DAYS_MAX {
                self.days.pop_front();
            }
            self.days.push_back(Day { number, minutes: [0; Day::WORDS] });
        }
        let day = self.days.iter_mut().rev().find(|day| day.number == number);
        day.expect("it is there or was added").set(usize::try_from(second / 60).unwrap_or(0));
    }

    /// Fingerprints, and when each was seen last.
    pub fn fingerprints(&self) -> impl Iterator<Item = (FingerprintMethod, &str, Timestamp)> {
        self.fingerprints.iter().map(|(shown, at)| (shown.method, &*shown.value, *at))
    }

    pub fn products(&self) -> impl Iterator<Item = (&str, Use)> {
        self.products.iter().map(|(product, seen)| (product.as_str(), *seen))
    }

    pub fn users(&self) -> impl Iterator<Item = &Text> {
        self.users.iter()
    }

    /// The days it was worked on, the latest last.
    pub fn days(&self) -> impl Iterator<Item = &Day> {
        self.days.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(day: u64, minute: u64) -> Timestamp {
        Timestamp::from_secs(day * 86_400 + minute * 60)
    }

    #[test]
    fn minutes_side_by_side_are_one_span_up_to_midnight() {
        let mut device = DeviceHistory::default();
        for number in [0, 1, 2, 63, 64, 1439] {
            device.active_in(minute(20_000, number));
        }
        device.active_in(minute(20_001, 0));
        let days: Vec<_> = device.days().map(|day| (day.number, day.spans())).collect();
        assert_eq!(days, [(20_000, vec![(0, 2), (63, 64), (1439, 1439)]), (20_001, vec![(0, 0)])]);
    }

    #[test]
    fn a_device_keeps_the_latest_days_and_a_bounded_number_of_products() {
        let mut device = DeviceHistory::default();
        for number in 0..100 {
            device.active_in(minute(number, 0));
            device.uses(&format!("product-{number:02}"), false, minute(number, 0));
        }
        assert_eq!((device.days().count(), device.days().next().unwrap().number), (14, 86));
        assert_eq!(device.products().count(), 32);
        device.uses("product-00", true, minute(100, 0));
        let (_, first) = device.products().next().unwrap();
        assert_eq!((first.sessions, first.sanctioned, first.last), (2, true, minute(100, 0)));
    }
}
