//! Values in numbered slots, and queues of slots: what a table needs to move an entry between orders without looking it
//! up and without allocating.

/// A place in a [`Slab`]; it is free again once its value was taken out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Slot(u32);

impl Slot {
    /// The end of a list.
    pub(crate) const NONE: Self = Self(u32::MAX);

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Grows by chunks, so that no growth copies what is there or needs room for it twice.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    len: usize,
    /// The latest freed first: its memory is still in the cache.
    free: Vec<Slot>,
}

impl<T> Slab<T> {
    const CHUNK_LEN: usize = 1024;

    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), len: 0, free: Vec::new() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory it holds.
    pub(crate) const fn allocated_bytes(&self) -> usize {
        self.chunks.len().saturating_mul(Self::CHUNK_LEN).saturating_mul(size_of::<Option<T>>())
    }

    pub(crate) fn insert(&mut self, value: T) -> Slot {
        self.len = self.len.saturating_add(1);
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.place(slot)
        {
            *place = Some(value);
            return slot;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() >= Self::CHUNK_LEN) {
            self.chunks.push(Vec::with_capacity(Self::CHUNK_LEN));
        }
        let full_len = self.chunks.len().saturating_sub(1).saturating_mul(Self::CHUNK_LEN);
        let Some(chunk) = self.chunks.last_mut() else {
            return Slot::NONE;
        };
        let slot = Slot(u32::try_from(full_len.saturating_add(chunk.len())).unwrap_or(u32::MAX));
        chunk.push(Some(value));
        slot
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<T> {
        let value = self.place(slot)?.take()?;
        self.free.push(slot);
        self.len = self.len.saturating_sub(1);
        Some(value)
    }

    /// Drops a value where it lies.
    pub(crate) fn vacate(&mut self, slot: Slot) {
        if let Some(place) = self.place(slot).filter(|place| place.is_some()) {
            *place = None;
            self.free.push(slot);
            self.len = self.len.saturating_sub(1);
        }
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        self.chunks.get(slot.index() / Self::CHUNK_LEN)?.get(slot.index() % Self::CHUNK_LEN)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.place(slot)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        (0..).map(Slot).zip(self.chunks.iter().flatten()).filter_map(|(slot, place)| Some((slot, place.as_ref()?)))
    }

    fn place(&mut self, slot: Slot) -> Option<&mut Option<T>> {
        self.chunks.get_mut(slot.index() / Self::CHUNK_LEN)?.get_mut(slot.index() % Self::CHUNK_LEN)
    }
}

/// A number of first-in-first-out queues over the slots of one slab; a slot is in one of them at most.
#[derive(Debug)]
pub(crate) struct Queues {
    ends: Vec<Ends>,
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: Slot,
    last: Slot,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    before: Slot,
    behind: Slot,
    queue: u16,
}

impl Link {
    const UNQUEUED: Self = Self { before: Slot::NONE, behind: Slot::NONE, queue: u16::MAX };
}

impl Queues {
    pub(crate) fn new(count: u16) -> Self {
        let empty = Ends { first: Slot::NONE, last: Slot::NONE };
        Self { ends: vec![empty; usize::from(count)], links: Vec::new() }
    }

    pub(crate) const fn allocated_bytes(&self) -> usize {
        self.links.capacity().saturating_mul(size_of::<Link>())
    }

    pub(crate) fn first(&self, queue: u16) -> Option<Slot> {
        self.ends.get(usize::from(queue)).map(|ends| ends.first).filter(|&slot| slot != Slot::NONE)
    }

    /// The slots of a queue, the first one first.
    pub(crate) fn iter(&self, queue: u16) -> impl Iterator<Item = Slot> {
        let behind = |slot: &Slot| self.links.get(slot.index()).map(|link| link.behind);
        std::iter::successors(self.first(queue), move |slot| behind(slot).filter(|&behind| behind != Slot::NONE))
    }

    /// Reads the links of `slot` and its neighbours, and tells nothing by it.
    pub(crate) fn touch(&self, slot: Slot) -> u64 {
        let link = self.links.get(slot.index()).copied().unwrap_or(Link::UNQUEUED);
        let number = |slot: Slot| self.links.get(slot.index()).map_or(0, |link| u64::from(link.queue));
        number(link.before) ^ number(link.behind)
    }

    pub(crate) fn is_empty(&self, queue: u16) -> bool {
        self.first(queue).is_none()
    }

    /// Moves `slot` to the back of `queue`, out of the one it was in.
    pub(crate) fn push(&mut self, queue: u16, slot: Slot) {
        self.remove(slot);
        if self.links.len() <= slot.index() {
            self.links.resize(slot.index().saturating_add(1), Link::UNQUEUED);
        }
        let Some(ends) = self.ends.get_mut(usize::from(queue)) else {
            return;
        };
        let last = std::mem::replace(&mut ends.last, slot);
        if last == Slot::NONE {
            ends.first = slot;
        } else if let Some(link) = self.links.get_mut(last.index()) {
            link.behind = slot;
        }
        if let Some(link) = self.links.get_mut(slot.index()) {
            *link = Link { before: last, behind: Slot::NONE, queue };
        }
    }

    /// Takes `slot` out of its queue, and says which it was.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<u16> {
        let link = std::mem::replace(self.links.get_mut(slot.index())?, Link::UNQUEUED);
        let ends = self.ends.get_mut(usize::from(link.queue))?;
        match self.links.get_mut(link.before.index()) {
            Some(before) => before.behind = link.behind,
            None => ends.first = link.behind,
        }
        match self.links.get_mut(link.behind.index()) {
            Some(behind) => behind.before = link.before,
            None => ends.last = link.before,
        }
        Some(link.queue)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_freed_slot_is_used_again() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!((slab.remove(a), slab.get(a), slab.len()), (None, None, 1));
        assert_eq!(slab.insert('c'), a);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(a, &'c'), (b, &'b')]);
    }

    proptest! {
        /// Against one `VecDeque` for each queue.
        #[test]
        fn queues_keep_their_order(moves in prop::collection::vec((0_u32..12, 0_u16..4), 0..200)) {
            let mut queues = Queues::new(3);
            let mut model = vec![VecDeque::new(); 3];
            for (slot, queue) in moves {
                let slot = Slot(slot);
                let was = model.iter().position(|queue| queue.contains(&slot));
                model.iter_mut().for_each(|queue| queue.retain(|&other| other != slot));
                if let Some(queue_of_model) = model.get_mut(usize::from(queue)) {
                    queue_of_model.push_back(slot);
                    queues.push(queue, slot);
                } else {
                    prop_assert_eq!(queues.remove(slot).map(usize::from), was);
                }
                for (index, queue_of_model) in (0..).zip(&model) {
                    prop_assert_eq!(queues.iter(index).collect::<Vec<_>>(), queue_of_model.iter().copied().collect::<Vec<_>>());
                }
            }
        }
    }
}
