//! Batches of several shards in, their facts in one order out: the same for any number of shards.

use std::vec::Drain;

use crate::facts::{Fact, Watermark};

/// Facts wait until no shard can make one that comes before them.
pub(super) struct Merge {
    waiting: Vec<Fact>,
    watermarks: Vec<Watermark>,
    waiting_max: usize,
    hurried: u64,
}

impl Merge {
    pub(super) fn new(shards: usize, waiting_max: usize) -> Self {
        Self { waiting: Vec::new(), watermarks: vec![Watermark::START; shards.max(1)], waiting_max, hurried: 0 }
    }

    pub(super) fn add(&mut self, shard: usize, facts: Vec<Fact>, watermark: Watermark) {
        self.waiting.extend(facts);
        if let Some(known) = self.watermarks.get_mut(shard) {
            *known = watermark.max(*known);
        }
    }

    /// The facts before the least watermark, in order. Where too many wait, the oldest half of them comes, too.
    pub(super) fn release(&mut self) -> Drain<'_, Fact> {
        let complete = self.watermarks.iter().min().copied().unwrap_or(Watermark::START);
        self.sort();
        let mut count = self.waiting.partition_point(|fact| place(fact) < complete);
        let left = self.waiting.len() - count;
        if left > self.waiting_max {
            let hurried = left - self.waiting_max / 2;
            self.hurried += hurried as u64;
            count += hurried;
        }
        self.waiting.drain(..count)
    }

    pub(super) fn release_all(&mut self) -> Drain<'_, Fact> {
        self.sort();
        self.waiting.drain(..)
    }

    /// How many facts came before their time.
    pub(super) const fn hurried(&self) -> u64 {
        self.hurried
    }

    /// Facts of one place are of one shard, which put them in order.
    fn sort(&mut self) {
        self.waiting.sort_by_key(place);
    }
}

fn place(fact: &Fact) -> Watermark {
    Watermark { at: fact.at, seq: fact.seq }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::fact_at;
    use crate::time::Timestamp;

    fn released(facts: Drain<'_, Fact>) -> Vec<(u64, u64)> {
        facts.map(|fact| (fact.at.as_secs(), fact.seq)).collect()
    }

    fn until(secs: u64) -> Watermark {
        Watermark::before(Timestamp::from_secs(secs))
    }

    #[test]
    fn facts_wait_for_the_slowest_shard_and_come_in_order() {
        let mut merge = Merge::new(2, 100);
        merge.add(0, vec![fact_at(5, 9), fact_at(3, 1), fact_at(8, 2)], until(9));
        assert_eq!(released(merge.release()), []);
        merge.add(1, vec![fact_at(3, 0), fact_at(5, 3)], until(5));
        assert_eq!(released(merge.release()), [(3, 0), (3, 1)]);
        merge.add(1, vec![fact_at(5, 11)], until(7));
        assert_eq!(released(merge.release()), [(5, 3), (5, 9), (5, 11)]);
        assert_eq!(released(merge.release_all()), [(8, 2)]);
    }

    #[test]
    fn a_watermark_within_a_moment_holds_back_what_comes_behind_it() {
        let mut merge = Merge::new(1, 100);
        let within = Watermark { at: Timestamp::from_secs(4), seq: 7 };
        merge.add(0, vec![fact_at(4, 7), fact_at(4, 6)], within);
        assert_eq!(released(merge.release()), [(4, 6)]);
    }

    #[test]
    fn too_many_waiting_facts_do_not_wait_for_a_shard_that_is_stuck() {
        let mut merge = Merge::new(2, 4);
        merge.add(0, (0..5).map(|seq| fact_at(seq, seq)).collect(), until(99));
        assert_eq!(released(merge.release()), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(merge.hurried(), 3);
    }
}
