//! A bounded map on packet time: what was touched longest ago is forgotten first, and everything after its time.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::hint::black_box;
use std::time::Duration;

use arrayvec::ArrayVec;
use hashbrown::DefaultHashBuilder;
use serde::Deserialize;
use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::index::Index;
use crate::quantity;
use crate::slab::{Queues, Slab, Slot};
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
    hasher: DefaultHashBuilder,
    index: Index,
    entries: Slab<Entry<K, V>>,
    /// The one touched longest ago first.
    order: Queues,
    evicted: u64,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    pub entries: u64,
    pub entries_max: u64,
    /// The table's own memory, without what its entries keep elsewhere.
    pub bytes: u64,
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(tables: I) -> Self {
        tables.fold(Self::default(), |sum, table| Self {
            entries: sum.entries + table.entries,
            entries_max: sum.entries_max + table.entries_max,
            bytes: sum.bytes + table.bytes,
        })
    }
}

struct Entry<K, V> {
    key: K,
    /// Of the key, as the index knows it.
    hash: u32,
    touched: Timestamp,
    value: V,
}

/// The most keys that are fetched together.
const FETCHED_MAX: usize = 64;

/// The only queue of [`Recent::order`].
const ORDER: u16 = 0;

impl<K: Eq + Hash, V> Recent<K, V> {
    /// A touch within this part of the keeping time after the last one is not written down.
    const TOUCHES_PER_KEEP: u32 = 64;

    pub fn new(retention: Retention) -> Self {
        Self {
            retention,
            hasher: DefaultHashBuilder::default(),
            index: Index::new(),
            entries: Slab::new(),
            order: Queues::new(1),
            evicted: 0,
        }
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(self.find(key)?).map(|entry| &entry.value)
    }

    /// The value of a key, which stays in its place.
    pub fn get_unmoved<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let slot = self.find(key)?;
        self.entries.get_mut(slot).map(|entry| &mut entry.value)
    }

    /// Reads where the keys are kept, 64 of them at most, and where those are that give way to new ones; tells nothing by
    /// it. Reads that do not wait for each other wait for memory together.
    pub fn fetch(&self, keys: impl Iterator<Item = K>) {
        if self.is_empty() {
            return;
        }
        let hashes = keys.map(|key| self.hash(&key));
        let hashes: ArrayVec<u32, FETCHED_MAX> = hashes.take(FETCHED_MAX).collect();
        black_box(hashes.iter().fold(0, |all, &hash| all ^ self.index.touch(hash)));
        let found = hashes.iter().filter_map(|&hash| self.index.find(hash, |_| true));
        let (known, _) = black_box(found.fold((0, 0), |(count, all), slot| (count + 1, all ^ self.touch_entry(slot))));
        let new = hashes.len().saturating_sub(known);
        let leaving = (self.len() + new).saturating_sub(self.retention.entries_max).min(new);
        let leaving: ArrayVec<Slot, FETCHED_MAX> = self.order.iter(ORDER).take(leaving).collect();
        black_box(leaving.iter().fold(0, |all, &slot| all ^ self.touch_entry(slot)));
        let entries = leaving.iter().filter_map(|&slot| self.entries.get(slot));
        black_box(entries.fold(0, |all, entry| all ^ self.index.touch(entry.hash)));
    }

    /// The value of a key, touched.
    pub fn get_mut(&mut self, key: &K, at: Timestamp) -> Option<&mut V> {
        self.touch(key, at).map(|(value, _)| value)
    }

    /// The value of a key, touched, and whether the touch was written down.
    pub fn touch(&mut self, key: &K, at: Timestamp) -> Option<(&mut V, bool)> {
        let slot = self.find(key)?;
        let entry = self.entries.get_mut(slot)?;
        let is_written = at.since(entry.touched) >= self.retention.keep / Self::TOUCHES_PER_KEEP;
        if is_written {
            entry.touched = at;
            self.order.push(ORDER, slot);
        }
        Some((&mut entry.value, is_written))
    }

    /// The value of a key, touched; made where it is new. The one touched longest ago gives way when the map is full.
    pub fn get_or_insert_with(&mut self, key: K, at: Timestamp, make: impl FnOnce() -> V) -> &mut V {
        let hash = self.hash(&key);
        let slot = match self.find_hashed(hash, &key) {
            Some(slot) => slot,
            None => self.insert(key, hash, at, make()),
        };
        let entry = self.entries.get_mut(slot).expect("the index holds slots that are taken");
        if at.since(entry.touched) >= self.retention.keep / Self::TOUCHES_PER_KEEP {
            entry.touched = at;
            self.order.push(ORDER, slot);
        }
        &mut entry.value
    }

    /// Who gives way to the next new key: nobody while there is room.
    pub fn next_to_go(&self) -> Option<&K> {
        if self.entries.len() < self.retention.entries_max.max(1) {
            return None;
        }
        self.iter().next().map(|(key, _)| key)
    }

    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let slot = self.find(key)?;
        self.take(slot).map(|entry| entry.value)
    }

    /// Forgets what was not touched for the keeping time.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some(slot) = self.order.first(ORDER)
            && self.entries.get(slot).is_none_or(|entry| now.since(entry.touched) >= self.retention.keep)
        {
            self.take(slot);
        }
    }

    pub const fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn usage(&self) -> Usage {
        let bytes = self.index.allocated_bytes() + self.entries.allocated_bytes() + self.order.allocated_bytes();
        Usage { entries: self.len() as u64, entries_max: self.retention.entries_max as u64, bytes: bytes as u64 }
    }

    /// How many entries gave way to others because the map was full.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The entries, those touched longest ago first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let entry = |slot| self.entries.get(slot).map(|entry| (&entry.key, &entry.value));
        self.order.iter(ORDER).filter_map(entry)
    }

    /// Takes entries as they were written, those touched longest ago first.
    pub fn restore(&mut self, entries: Vec<(K, V, Timestamp)>) {
        for (key, value, touched) in entries {
            let hash = self.hash(&key);
            if self.find_hashed(hash, &key).is_none() {
                self.insert(key, hash, touched, value);
            }
        }
    }

    /// The entries and when they were touched, those touched longest ago first.
    pub fn touched(&self) -> impl Iterator<Item = (&K, &V, Timestamp)> {
        let entry = |slot| self.entries.get(slot).map(|entry| (&entry.key, &entry.value, entry.touched));
        self.order.iter(ORDER).filter_map(entry)
    }

    fn touch_entry(&self, slot: Slot) -> u64 {
        self.entries.get(slot).map_or(0, |entry| entry.touched.as_nanos())
    }

    fn find<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Slot>
    where
        K: Borrow<Q>,
    {
        if self.is_empty() {
            return None;
        }
        self.find_hashed(self.hash(key), key)
    }

    fn find_hashed<Q: Eq + ?Sized>(&self, hash: u32, key: &Q) -> Option<Slot>
    where
        K: Borrow<Q>,
    {
        self.index.find(hash, |slot| self.entries.get(slot).is_some_and(|entry| entry.key.borrow() == key))
    }

    fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u32 {
        u32::try_from(self.hasher.hash_one(key) >> 32).unwrap_or(0)
    }

    fn insert(&mut self, key: K, hash: u32, at: Timestamp, value: V) -> Slot {
        if self.entries.len() >= self.retention.entries_max.max(1)
            && let Some(oldest) = self.order.first(ORDER)
        {
            self.take(oldest);
            self.evicted += 1;
        }
        let slot = self.entries.insert(Entry { key, hash, touched: at, value });
        self.index.insert(hash, slot);
        self.order.push(ORDER, slot);
        slot
    }

    fn take(&mut self, slot: Slot) -> Option<Entry<K, V>> {
        self.order.remove(slot);
        let entry = self.entries.remove(slot)?;
        self.index.remove(entry.hash, slot);
        Some(entry)
    }
}

/// As a list of keys, values and when they were touched, those touched longest ago first.
impl<K: Eq + Hash + Serialize, V: Serialize> Serialize for Recent<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.entries.len()))?;
        for entry in self.touched() {
            list.serialize_element(&entry)?;
        }
        list.end()
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
        assert_eq!(map.next_to_go(), None);
        map.get_or_insert_with("b", at(10), || 2);
        map.get_mut(&"a", at(20));
        assert_eq!(map.next_to_go(), Some(&"b"));
        map.get_or_insert_with("c", at(30), || 3);
        assert_eq!(map.iter().collect::<Vec<_>>(), [(&"a", &1), (&"c", &3)]);
        assert_eq!(map.evicted(), 1);
        let Usage { entries, entries_max, bytes } = map.usage();
        assert_eq!((entries, entries_max), (2, 2));
        assert!(bytes > 1024, "a chunk of the slab");
    }

    #[test]
    fn fetching_changes_nothing() {
        let mut map = recent(2);
        map.fetch(["a"].into_iter());
        map.get_or_insert_with("a", at(0), || 1);
        map.get_or_insert_with("b", at(10), || 2);
        map.fetch(["c", "b", "d", "e"].into_iter().cycle().take(FETCHED_MAX + 1));
        assert_eq!(map.touched().collect::<Vec<_>>(), [(&"a", &1, at(0)), (&"b", &2, at(10))]);
        assert_eq!(map.evicted(), 0);
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
    fn what_was_written_is_restored_in_its_order() {
        let mut map: Recent<u32, u32> = Recent::new(Retention { entries_max: 9, keep: Duration::from_secs(640) });
        for (key, secs) in [(1, 10), (2, 20), (1, 30), (3, 40)] {
            map.get_or_insert_with(key, at(secs), || key * 10);
        }
        let written = serde_json::to_string(&map).unwrap();
        let mut restored = Recent::new(Retention { entries_max: 2, keep: Duration::from_secs(640) });
        restored.restore(serde_json::from_str(&written).unwrap());
        assert_eq!(restored.iter().collect::<Vec<_>>(), [(&1, &10), (&3, &30)], "a smaller one forgets the oldest");
        restored.expire(at(670));
        assert_eq!(restored.iter().count(), 1);
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
