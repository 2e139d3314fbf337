//! Batches of several shards in, their facts in one order out: the same for any number of shards.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use arrayvec::ArrayVec;

use crate::facts::{Fact, Watermark};

/// Who is shown the facts.
pub(super) trait Reader {
    /// These come soon, though perhaps not next: what they need may be fetched for all of them together.
    fn ahead(&self, facts: &[&Fact]);
    fn on_fact(&mut self, fact: &Fact);
}

/// Facts wait, each batch in its own memory, until no shard can make one that comes before them.
pub(super) struct Merge {
    /// The batch with the fact that comes first is at the top.
    batches: BinaryHeap<Waiting>,
    waiting: usize,
    arrivals: u64,
    watermarks: Vec<Watermark>,
    waiting_max: usize,
    hurried: u64,
}

/// A batch of which some facts still wait.
struct Waiting {
    facts: Vec<Fact>,
    /// Which fact comes when, the last one first.
    order: Vec<u32>,
    /// The place of the fact that comes next, the end where there is none.
    next: Watermark,
    /// How many of the facts that come next were announced.
    announced: usize,
    arrival: u64,
}

impl Merge {
    /// How many facts of a batch are announced together.
    pub(super) const ANNOUNCED: usize = 16;

    pub(super) fn new(shards: usize, waiting_max: usize) -> Self {
        Self {
            batches: BinaryHeap::new(),
            waiting: 0,
            arrivals: 0,
            watermarks: vec![Watermark::START; shards.max(1)],
            waiting_max,
            hurried: 0,
        }
    }

    pub(super) fn add(&mut self, shard: usize, facts: Vec<Fact>, watermark: Watermark) {
        self.waiting += facts.len();
        self.arrivals += 1;
        self.batches.extend(Waiting::new(facts, self.arrivals));
        if let Some(known) = self.watermarks.get_mut(shard) {
            *known = watermark.max(*known);
        }
    }

    /// Shows the facts before the least watermark, in order. Where too many wait, the oldest of them come, too, until
    /// half as many are left.
    pub(super) fn release(&mut self, reader: &mut impl Reader) {
        let complete = self.complete();
        while self.show_run(complete, usize::MAX, reader) > 0 {}
        if self.waiting > self.waiting_max {
            while let excess @ 1.. = self.waiting.saturating_sub(self.waiting_max / 2) {
                match self.show_run(Watermark::END, excess, reader) {
                    0 => break,
                    shown => self.hurried += shown as u64,
                }
            }
        }
    }

    /// How far the facts of all shards are complete.
    pub(super) fn complete(&self) -> Watermark {
        self.watermarks.iter().min().copied().unwrap_or(Watermark::START)
    }

    /// How many facts wait for the slowest shard.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// The shard with the least watermark, the first of several; none where all are at their end.
    pub(super) fn slowest(&self) -> Option<usize> {
        let (shard, watermark) = self.watermarks.iter().enumerate().min_by_key(|(_, watermark)| **watermark)?;
        (*watermark < Watermark::END).then_some(shard)
    }

    /// Shows all facts that wait.
    pub(super) fn release_all(&mut self, reader: &mut impl Reader) {
        while self.show_run(Watermark::END, usize::MAX, reader) > 0 {}
    }

    /// How many facts came before their time.
    pub(super) const fn hurried(&self) -> u64 {
        self.hurried
    }

    /// Shows the facts of one batch that come next, as far as they are placed before `end` and before every other batch's;
    /// `facts_max` of them at most. Returns how many there were.
    fn show_run(&mut self, end: Watermark, facts_max: usize, reader: &mut impl Reader) -> usize {
        if self.batches.peek().is_none_or(|first| first.next >= end) {
            return 0;
        }
        let Some(mut batch) = self.batches.pop() else { return 0 };
        let mut shown = 0;
        while shown < facts_max && batch.next < end && self.batches.peek().is_none_or(|rival| batch > *rival) {
            batch.show_next(reader);
            shown += 1;
        }
        self.waiting -= shown;
        if !batch.order.is_empty() {
            self.batches.push(batch);
        }
        shown
    }
}

impl Waiting {
    fn new(facts: Vec<Fact>, arrival: u64) -> Option<Self> {
        let place_of = |&index: &u32| facts.get(index as usize).map(place);
        let mut order: Vec<u32> = (0..).take(facts.len()).collect();
        // Facts of one place are of one shard, which put them in order.
        order.sort_by_key(place_of);
        order.reverse();
        let next = order.last().and_then(place_of)?;
        Some(Self { facts, order, next, announced: 0, arrival })
    }

    fn show_next(&mut self, reader: &mut impl Reader) {
        if self.announced == 0 {
            self.announce(reader);
        }
        self.announced -= 1;
        if let Some(fact) = self.order.pop().and_then(|index| self.facts.get(index as usize)) {
            reader.on_fact(fact);
        }
        let next = self.order.last().and_then(|&index| self.facts.get(index as usize));
        self.next = next.map_or(Watermark::END, place);
    }

    fn announce(&mut self, reader: &impl Reader) {
        let coming = self.order.iter().rev().filter_map(|&index| self.facts.get(index as usize));
        let coming: ArrayVec<&Fact, { Merge::ANNOUNCED }> = coming.take(Merge::ANNOUNCED).collect();
        reader.ahead(&coming);
        self.announced = coming.len();
    }
}

impl Ord for Waiting {
    /// The greatest comes first; of two facts in one place, the one that arrived first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.next, other.arrival).cmp(&(self.next, self.arrival))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Waiting {}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

fn place(fact: &Fact) -> Watermark {
    Watermark { at: fact.at, seq: fact.seq }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::event::tests::fact_at;
    use crate::time::Timestamp;

    /// What was shown, how many were announced, and whether each was before it was shown.
    #[derive(Default)]
    struct Shown {
        facts: Vec<Fact>,
        announced: Cell<usize>,
        was_surprised: bool,
    }

    impl Reader for Shown {
        fn ahead(&self, facts: &[&Fact]) {
            self.announced.set(self.announced.get() + facts.len());
        }

        fn on_fact(&mut self, fact: &Fact) {
            self.facts.push(fact.clone());
            self.was_surprised |= self.facts.len() > self.announced.get();
        }
    }

    impl Shown {
        fn places(&self) -> Vec<(u64, u64)> {
            self.facts.iter().map(|fact| (fact.at.as_secs(), fact.seq)).collect()
        }
    }

    fn released(merge: &mut Merge) -> Vec<(u64, u64)> {
        let mut shown = Shown::default();
        merge.release(&mut shown);
        shown.places()
    }

    fn all_released(merge: &mut Merge) -> Shown {
        let mut shown = Shown::default();
        merge.release_all(&mut shown);
        shown
    }

    fn until(secs: u64) -> Watermark {
        Watermark::before(Timestamp::from_secs(secs))
    }

    #[test]
    fn facts_wait_for_the_slowest_shard_and_come_in_order() {
        let mut merge = Merge::new(2, 100);
        merge.add(0, vec![fact_at(5, 9), fact_at(3, 1), fact_at(8, 2)], until(9));
        assert_eq!(released(&mut merge), []);
        merge.add(1, vec![fact_at(3, 0), fact_at(5, 3)], until(5));
        assert_eq!(released(&mut merge), [(3, 0), (3, 1)]);
        merge.add(1, vec![fact_at(5, 11)], until(7));
        assert_eq!(released(&mut merge), [(5, 3), (5, 9), (5, 11)]);
        assert_eq!(all_released(&mut merge).places(), [(8, 2)]);
    }

    #[test]
    fn a_watermark_within_a_moment_holds_back_what_comes_behind_it() {
        let mut merge = Merge::new(1, 100);
        let within = Watermark { at: Timestamp::from_secs(4), seq: 7 };
        merge.add(0, vec![fact_at(4, 7), fact_at(4, 6)], within);
        assert_eq!(released(&mut merge), [(4, 6)]);
    }

    #[test]
    fn too_many_waiting_facts_do_not_wait_for_a_shard_that_is_stuck() {
        let mut merge = Merge::new(2, 4);
        merge.add(0, (0..5).map(|seq| fact_at(seq, seq)).collect(), until(99));
        assert_eq!(released(&mut merge), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(merge.hurried(), 3);
    }

    #[test]
    fn each_fact_is_announced_once_and_before_it_is_shown() {
        let mut merge = Merge::new(2, 100);
        merge.add(0, (0..40).map(|seq| fact_at(seq, seq)).collect(), Watermark::END);
        merge.add(1, (0..3).map(|seq| fact_at(20, 100 + seq)).collect(), Watermark::END);
        let shown = all_released(&mut merge);
        assert_eq!((shown.facts.len(), shown.announced.get(), shown.was_surprised), (43, 43, false));
    }

    #[test]
    fn facts_of_one_place_keep_the_order_of_their_shard() {
        let mut merge = Merge::new(1, 100);
        let fact = |port| {
            let mut fact = fact_at(3, 7);
            fact.flow.client.port = port;
            fact
        };
        merge.add(0, vec![fact(1), fact_at(4, 0), fact(2)], Watermark::START);
        merge.add(0, vec![fact(3), fact_at(2, 0), fact(4)], Watermark::START);
        let ports: Vec<u16> = all_released(&mut merge).facts.iter().map(|fact| fact.flow.client.port).collect();
        assert_eq!(ports, [1000, 1, 2, 3, 4, 1000]);
    }
}
