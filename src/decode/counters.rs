//! What became of the frames: plain numbers, added up over shards.

use std::ops::AddAssign;

use super::{Head, Skip};
use crate::facts::Encapsulation;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    pub frames: u64,
    pub packets: u64,
    /// By [`Skip`], in the order of [`Skip::ALL`].
    skipped: [u64; Skip::ALL.len()],
    /// By [`Encapsulation`], in the order of [`Encapsulation::ALL`].
    unwrapped: [u64; Encapsulation::ALL.len()],
    pub fragments: FragmentCounters,
}

/// What became of fragmented datagrams.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FragmentCounters {
    pub joined: u64,
    /// Given up because the rest did not come in time.
    pub expired: u64,
    /// Given up for younger ones because there was no room.
    pub evicted: u64,
    /// Given up because their fragments overlapped or disagreed about the length.
    pub overlapping: u64,
    /// Datagrams that wait for fragments.
    pub waiting: u64,
    /// The memory they take.
    pub waiting_bytes: u64,
}

impl Counters {
    pub fn skipped(&self, skip: Skip) -> u64 {
        self.skipped.get(skip as usize).copied().unwrap_or(0)
    }

    /// The packets whose innermost tunnel this was.
    pub fn unwrapped(&self, encapsulation: Encapsulation) -> u64 {
        self.unwrapped.get(encapsulation as usize).copied().unwrap_or(0)
    }

    pub(super) fn count(&mut self, outcome: Result<&Head, &Skip>) {
        self.frames = self.frames.saturating_add(1);
        match outcome {
            Ok(head) => {
                self.packets = self.packets.saturating_add(1);
                if let Some(encapsulation) = head.tunnel {
                    bump(&mut self.unwrapped, encapsulation as usize);
                }
            }
            Err(&skip) => bump(&mut self.skipped, skip as usize),
        }
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.frames = self.frames.saturating_add(other.frames);
        self.packets = self.packets.saturating_add(other.packets);
        add_each(&mut self.skipped, &other.skipped);
        add_each(&mut self.unwrapped, &other.unwrapped);
        self.fragments.add_assign(other.fragments);
    }
}

impl AddAssign for FragmentCounters {
    fn add_assign(&mut self, other: Self) {
        self.joined = self.joined.saturating_add(other.joined);
        self.expired = self.expired.saturating_add(other.expired);
        self.evicted = self.evicted.saturating_add(other.evicted);
        self.overlapping = self.overlapping.saturating_add(other.overlapping);
        self.waiting = self.waiting.saturating_add(other.waiting);
        self.waiting_bytes = self.waiting_bytes.saturating_add(other.waiting_bytes);
    }
}

fn bump(numbers: &mut [u64], index: usize) {
    if let Some(number) = numbers.get_mut(index) {
        *number = number.saturating_add(1);
    }
}

fn add_each(numbers: &mut [u64], others: &[u64]) {
    for (number, other) in numbers.iter_mut().zip(others) {
        *number = number.saturating_add(*other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_number() {
        let mut counters = Counters::default();
        for (times, skip) in (1..).zip(Skip::ALL) {
            for _ in 0..times {
                counters.count(Err(skip));
            }
        }
        let mut twice = counters;
        twice += counters;
        for (times, &skip) in (1..).zip(Skip::ALL) {
            assert_eq!((counters.skipped(skip), twice.skipped(skip)), (times, 2 * times), "{}", skip.as_str());
        }
        for (index, &encapsulation) in Encapsulation::ALL.iter().enumerate() {
            assert_eq!(encapsulation as usize, index, "{}", encapsulation.as_str());
        }
    }
}
