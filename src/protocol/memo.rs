//! Bytes in, what was worked out of the same bytes before out: programs introduce themselves in the same words, and
//! servers show the same certificate, to everybody they speak with.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

/// The latest of what was worked out. Each key has one place, by a seeded hash, and leaves it to the next one that has the
/// same: there is nothing to look for, and no way to make it grow.
pub struct Memo<V> {
    seed: DefaultHashBuilder,
    places: Box<[Option<Known<V>>]>,
}

struct Known<V> {
    key: Box<[u8]>,
    value: V,
}

impl<V: Clone> Memo<V> {
    /// The longest key that is kept.
    pub const KEY_BYTES_MAX: usize = 4096;

    pub fn new(places: usize) -> Self {
        Self { seed: DefaultHashBuilder::default(), places: (0..places).map(|_| None).collect() }
    }

    /// What `make` makes of the key, which must follow from the key alone.
    pub fn get_or_make(&mut self, key: &[u8], make: impl FnOnce() -> V) -> V {
        let len = u64::try_from(self.places.len()).unwrap_or(u64::MAX);
        let place = self.seed.hash_one(key).checked_rem(len).and_then(|place| usize::try_from(place).ok());
        let Some(place) = place.and_then(|place| self.places.get_mut(place)) else { return make() };
        if let Some(known) = place.as_ref().filter(|known| *known.key == *key) {
            return known.value.clone();
        }
        let value = make();
        if key.len() <= Self::KEY_BYTES_MAX {
            *place = Some(Known { key: key.into(), value: value.clone() });
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_worked_out_once_as_long_as_it_keeps_its_place() {
        let mut memo = Memo::new(1);
        let mut made = Vec::new();
        for key in [b"a", b"a", b"b", b"b", b"a"] {
            let value = memo.get_or_make(key, || {
                made.push(*key);
                key.to_vec()
            });
            assert_eq!(value, key);
        }
        assert_eq!(made, [*b"a", *b"b", *b"a"]);
    }

    #[test]
    fn a_long_key_takes_no_place_and_a_memo_without_places_keeps_nothing() {
        for (places, len) in [(1, Memo::<usize>::KEY_BYTES_MAX + 1), (0, 1)] {
            let mut memo = Memo::new(places);
            let key = vec![7; len];
            assert_eq!([1, 2].map(|value| memo.get_or_make(&key, || value)), [1, 2]);
        }
        let key = [7; Memo::<usize>::KEY_BYTES_MAX];
        let mut memo = Memo::new(1);
        assert_eq!([1, 2].map(|value| memo.get_or_make(&key, || value)), [1, 1]);
    }
}
