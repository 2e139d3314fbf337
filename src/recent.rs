//! A bounded map on packet time: what was touched longest ago is forgotten first, and everything after its time.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use serde::Deserialize;

use crate::quantity;
use crate::time::Timestamp;

/// How much a [`Recent`] keeps, and for how long.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub entries_max: usize,
    /// An entry that was not touched for so long is forgotten.
    #[serde(deserialize_with = "quantity::duration")]
    pub keep: Duration,
}

/// Keys may come from the wire, so the index is seeded per process; order is that of touching, never of hashing.
pub struct Recent<K, V> {
    retention: Retention,
    slots: HashMap<K, Slot<V>>,
    /// Turn → key, the turn growing with every touch that counted.
    order: BTreeMap<u64, K>,
    turn: u64,
    evicted: u64,
}

struct Slot<V> {
    value: V,
    turn: u64,
    touched: Timestamp,
}

impl<V> Slot<V> {
    /// A touch within this part of the keeping time after the last one is not written down.
    const TOUCHES_PER_KEEP: u32 = 64;

    fn is_due(&self, at: Timestamp, retention: Retention) -> bool {
        at.since(self.touched) >= retention.keep / Self::TOUCHES_PER_KEEP
    }
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub fn new(retention: Retention) -> Self {
        Self { retention, slots: HashMap::new(), order: BTreeMap::new(), turn: 0, evicted: 0 }
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.slots.get(key).map(|slot| &slot.value)
    }

    /// The value of a key, touched.
    pub fn get_mut(&mut self, key: &K, at: Timestamp) -> Option<&mut V> {
        let slot = self.slots.get_mut(key)?;
        if slot.is_due(at, self.retention) {
            self.turn += 1;
            self.order.remove(&slot.turn);
            self.order.insert(self.turn, key.clone());
            (slot.turn, slot.touched) = (self.turn, at);
        }
        Some(&mut slot.value)
    }

    /// The value of a key, touched; made where it is new. The one touched longest ago gives way when the map is full.
    pub fn get_or_insert_with(&mut self, key: K, at: Timestamp, make: impl FnOnce() -> V) -> &mut V {
        if self.slots.len() >= self.retention.entries_max.max(1) && !self.slots.contains_key(&key) {
            self.evict();
        }
        match self.slots.entry(key) {
            Entry::Occupied(mut entry) => {
                if entry.get().is_due(at, self.retention) {
                    self.turn += 1;
                    self.order.remove(&entry.get().turn);
                    self.order.insert(self.turn, entry.key().clone());
                    (entry.get_mut().turn, entry.get_mut().touched) = (self.turn, at);
                }
                &mut entry.into_mut().value
            }
            Entry::Vacant(entry) => {
                self.turn += 1;
                self.order.insert(self.turn, entry.key().clone());
                &mut entry.insert(Slot { value: make(), turn: self.turn, touched: at }).value
            }
        }
    }

    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let slot = self.slots.remove(key)?;
        self.order.remove(&slot.turn);
        Some(slot.value)
    }

    /// Forgets what was not touched for the keeping time.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some(oldest) = self.order.first_entry() {
            let touched = self.slots.get(oldest.get()).expect("order and slots hold the same keys").touched;
            if now.since(touched) < self.retention.keep {
                break;
            }
            let key = oldest.remove();
            self.slots.remove(&key);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many entries gave way to others because the map was full.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The entries, those touched longest ago first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.order.values().filter_map(|key| self.slots.get(key).map(|slot| (key, &slot.value)))
    }

    fn evict(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.slots.remove(&key);
            self.evicted += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn recent(entries_max: usize) -> Recent<&'static str, u32> {
        Recent::new(Retention { entries_max, keep: Duration::from_secs(640) })
    }

    #[test]
    fn a_full_map_forgets_what_was_touched_longest_ago() {
        let mut map = recent(2);
        map.get_or_insert_with("a", at(0), || 1);
        map.get_or_insert_with("b", at(10), || 2);
        map.get_mut(&"a", at(20));
        map.get_or_insert_with("c", at(30), || 3);
        assert_eq!(map.iter().collect::<Vec<_>>(), [(&"a", &1), (&"c", &3)]);
        assert_eq!(map.evicted(), 1);
    }

    #[test]
    fn an_entry_expires_at_the_keeping_time_and_not_before() {
        let mut map = recent(9);
        map.get_or_insert_with("a", at(100), || 1);
        map.expire(at(739));
        assert_eq!(map.get("a"), Some(&1));
        map.expire(at(740));
        assert!(map.is_empty());
        assert_eq!(map.evicted(), 0);
    }

    #[test]
    fn a_removed_key_leaves_no_trace() {
        let mut map = recent(9);
        map.get_or_insert_with("a", at(1), || 1);
        assert_eq!(map.remove("a"), Some(1));
        map.expire(at(10_000));
        assert_eq!(map.len(), 0);
    }
}
