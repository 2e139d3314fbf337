//! The hash of a key in, the slot of its entry out: open addressing, so that a look-up takes one cache line.
//!
//! (Knuth, "The Art of Computer Programming", volume 3, 6.4: linear probing, algorithms L and R.)

use crate::slab::Slot;

/// Hashes are seeded, so nobody outside makes them collide, and all of their bits are as good.
pub(crate) struct Index {
    /// A power of two of them, half of them empty at least.
    places: Vec<Place>,
    len: usize,
}

/// The hash is kept beside the slot, so that hardly ever a wrong flow is looked at and the table grows without them.
#[derive(Clone, Copy)]
struct Place {
    hash: u32,
    slot: Slot,
}

impl Place {
    const EMPTY: Self = Self { hash: 0, slot: Slot::NONE };

    fn is_empty(self) -> bool {
        self.slot == Slot::NONE
    }
}

impl Index {
    const PLACES_MIN: usize = 64;

    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), len: 0 }
    }

    pub(crate) const fn allocated_bytes(&self) -> usize {
        self.places.capacity().saturating_mul(size_of::<Place>())
    }

    /// The slot of the hash that is the one looked for.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        let (_, place) = self.seek(hash, |place| place.hash == hash && is_it(place.slot))?;
        Some(place.slot)
    }

    /// Reads the place a hash is looked for at first, and tells nothing by it: several reads wait for memory together.
    pub(crate) fn touch(&self, hash: u32) -> u32 {
        self.places.get(self.home(hash)).map_or(0, |place| place.hash)
    }

    /// Adds a slot that is not in the index.
    pub(crate) fn insert(&mut self, hash: u32, slot: Slot) {
        if self.len.saturating_add(1).saturating_mul(2) > self.places.len() {
            self.grow();
        }
        self.len = self.len.saturating_add(1);
        self.put(Place { hash, slot });
    }

    pub(crate) fn remove(&mut self, hash: u32, slot: Slot) {
        let Some((mut hole, _)) = self.seek(hash, |place| place.slot == slot) else {
            return;
        };
        self.len = self.len.saturating_sub(1);
        let mut at = hole;
        loop {
            at = self.behind(at);
            let place = self.places.get(at).copied().unwrap_or(Place::EMPTY);
            // One that would be looked for behind the hole stays.
            if !place.is_empty() && self.distance(self.home(place.hash), at) < self.distance(hole, at) {
                continue;
            }
            self.set(hole, place);
            if place.is_empty() {
                return;
            }
            hole = at;
        }
    }

    fn put(&mut self, place: Place) {
        let mut at = self.home(place.hash);
        while self.places.get(at).is_some_and(|place| !place.is_empty()) {
            at = self.behind(at);
        }
        self.set(at, place);
    }

    fn set(&mut self, at: usize, place: Place) {
        if let Some(known) = self.places.get_mut(at) {
            *known = place;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let count = self.places.len().saturating_mul(2).max(Self::PLACES_MIN);
        let old = std::mem::replace(&mut self.places, vec![Place::EMPTY; count]);
        for place in old.into_iter().filter(|place| !place.is_empty()) {
            self.put(place);
        }
    }

    /// The first taken place that is the one looked for, before the next empty one.
    fn seek(&self, hash: u32, is_it: impl Fn(Place) -> bool) -> Option<(usize, Place)> {
        let mut at = self.home(hash);
        loop {
            let place = *self.places.get(at)?;
            if place.is_empty() {
                return None;
            }
            if is_it(place) {
                return Some((at, place));
            }
            at = self.behind(at);
        }
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & self.places.len().saturating_sub(1)
    }

    fn behind(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.places.len().saturating_sub(1)
    }

    /// How many places `to` lies behind `from`.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.places.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::slab::Slab;

    proptest! {
        /// Against a `BTreeMap`, with hashes that crowd at the end of the table and run over it.
        #[test]
        fn what_was_added_is_found_until_it_is_removed(steps in prop::collection::vec((any::<bool>(), 0_u32..24), 0..300)) {
            let (mut index, mut slab, mut model) = (Index::new(), Slab::new(), BTreeMap::new());
            for (adds, number) in steps {
                let hash = 52_u32.wrapping_add(number % 12);
                if adds && !model.contains_key(&number) {
                    let slot = slab.insert(number);
                    index.insert(hash, slot);
                    model.insert(number, slot);
                } else if let Some(slot) = model.remove(&number) {
                    index.remove(hash, slot);
                    slab.remove(slot);
                }
                for number in 0..24 {
                    let found = index.find(52_u32.wrapping_add(number % 12), |slot| slab.get(slot) == Some(&number));
                    prop_assert_eq!(found, model.get(&number).copied());
                }
                prop_assert_eq!(index.len, model.len());
            }
        }
    }

    #[test]
    fn it_grows_and_keeps_everything() {
        let (mut index, mut slab) = (Index::new(), Slab::new());
        let hash = |number: u32| number.wrapping_mul(0x9e37_79b9);
        for number in 0..10_000 {
            let slot = slab.insert(number);
            index.insert(hash(number), slot);
        }
        for number in 0..10_000 {
            assert!(index.find(hash(number), |slot| slab.get(slot) == Some(&number)).is_some(), "{number}");
        }
        assert!(index.places.len() <= 4 * 10_000);
        assert_eq!(index.find(1, |_| true), None);
    }
}
