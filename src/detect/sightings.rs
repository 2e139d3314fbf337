//! Values of one subject in, how many different ones there were lately out: a bounded set on packet time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// Each value with its first and last time.
#[derive(Deserialize, Serialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Ord + Deserialize<'de>"))]
pub(super) struct Sightings<T> {
    #[serde(with = "crate::memory::pairs")]
    seen: BTreeMap<T, Span>,
}

impl<T> Default for Sightings<T> {
    fn default() -> Self {
        Self { seen: BTreeMap::new() }
    }
}

impl<T: Ord> Sightings<T> {
    /// Takes a value and forgets those that were not seen for longer than `within`. Returns whether it is another one.
    /// Of more than `most` values the further ones are not told apart.
    pub(super) fn add(&mut self, value: T, at: Timestamp, within: Duration, most: usize) -> bool {
        self.forget(at, within);
        // What is equal may say more than it did.
        if let Some(span) = self.seen.remove(&value) {
            self.seen.insert(value, Span { last: at, ..span });
            return false;
        }
        if self.seen.len() >= most {
            return false;
        }
        self.seen.insert(value, Span::at(at));
        true
    }

    pub(super) fn forget(&mut self, at: Timestamp, within: Duration) {
        self.seen.retain(|_, span| at.since(span.last) <= within);
    }

    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// When the first of them was first seen.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.seen.values().map(|span| span.first).min()
    }

    /// The values, in their order.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.seen.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(set: &mut Sightings<u8>, value: u8, secs: u64) -> bool {
        set.add(value, Timestamp::from_secs(secs), Duration::from_secs(10), 3)
    }

    #[test]
    fn a_value_is_another_one_until_it_is_forgotten() {
        let mut set = Sightings::default();
        assert!(add(&mut set, 1, 0));
        assert!(!add(&mut set, 1, 10));
        assert!(add(&mut set, 2, 20));
        assert_eq!(set.values().collect::<Vec<_>>(), [&1, &2]);
        assert!(add(&mut set, 1, 31));
        assert_eq!(set.len(), 1);
        assert_eq!(set.since(), Some(Timestamp::from_secs(31)));
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let mut set = Sightings::default();
        assert_eq!((0..9).filter(|&value| add(&mut set, value, 0)).count(), 3);
    }
}
