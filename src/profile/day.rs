//! One day of somebody's minutes, a bit each, and what is counted over them.

use serde::{Deserialize, Serialize};

/// Which minutes of a day somebody was at work in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Day {
    words: [u64; Self::WORDS],
}

/// Which bins of five minutes somebody was at work in for two minutes or more: a glance does not count.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bins {
    words: [u64; Self::WORDS],
}

impl Day {
    pub const MINUTES: u16 = 1440;
    const WORDS: usize = 23;

    pub const fn new() -> Self {
        Self { words: [0; Self::WORDS] }
    }

    /// Marks a minute, counted from the day's beginning; beyond its end nothing is marked.
    pub const fn mark(&mut self, minute: u16) {
        if minute < Self::MINUTES {
            self.words[minute as usize / 64] |= 1 << (minute % 64);
        }
    }

    pub const fn has(&self, minute: u16) -> bool {
        minute < Self::MINUTES && self.words[minute as usize / 64] >> (minute % 64) & 1 == 1
    }

    pub fn count(&self) -> u16 {
        self.words.iter().map(|word| word.count_ones() as u16).sum()
    }

    /// The minutes that are marked, the first one first.
    pub fn minutes(&self) -> impl Iterator<Item = u16> + '_ {
        (0..Self::MINUTES).filter(|&minute| self.has(minute))
    }

    /// The first and the last minute that are marked.
    pub fn ends(&self) -> Option<(u16, u16)> {
        let first = self.minutes().next()?;
        let last = (0..Self::MINUTES).rev().find(|&minute| self.has(minute))?;
        Some((first, last))
    }

    pub fn unite(&mut self, other: &Self) {
        for (word, others) in self.words.iter_mut().zip(other.words) {
            *word |= others;
        }
    }

    /// What is marked in the quarters of an hour that `keeps` says to keep.
    pub fn in_quarters(&self, mut keeps: impl FnMut() -> bool) -> Self {
        const QUARTER: u16 = 15;
        let mut kept = Self::new();
        for quarter in 0..Self::MINUTES / QUARTER {
            if keeps() {
                let minutes = quarter * QUARTER..(quarter + 1) * QUARTER;
                minutes.filter(|&minute| self.has(minute)).for_each(|minute| kept.mark(minute));
            }
        }
        kept
    }

    /// How many minutes are marked in both.
    pub fn common(&self, other: &Self) -> u16 {
        self.words.iter().zip(other.words).map(|(word, others)| (word & others).count_ones() as u16).sum()
    }

    pub fn bins(&self) -> Bins {
        let mut counts = [0_u8; Bins::COUNT];
        for minute in self.minutes() {
            counts[usize::from(minute / Bins::MINUTES)] += 1;
        }
        let mut bins = Bins::default();
        for (bin, _) in (0..).zip(counts).filter(|&(_, count)| count >= Bins::ACTIVE_MINUTES_MIN) {
            bins.words[bin / 64] |= 1 << (bin % 64);
        }
        bins
    }
}

impl Default for Day {
    fn default() -> Self {
        Self::new()
    }
}

impl Bins {
    pub const COUNT: usize = (Day::MINUTES / Self::MINUTES) as usize;
    pub const MINUTES: u16 = 5;
    const ACTIVE_MINUTES_MIN: u8 = 2;
    const WORDS: usize = Self::COUNT.div_ceil(64);

    pub fn count(&self) -> u16 {
        self.words.iter().map(|word| word.count_ones() as u16).sum()
    }

    /// How many bins are marked in both.
    pub fn common(&self, other: &Self) -> u16 {
        self.words.iter().zip(other.words).map(|(word, others)| (word & others).count_ones() as u16).sum()
    }

    /// The bins that are marked, the first one first.
    pub fn marked(&self) -> impl Iterator<Item = usize> + '_ {
        (0..).zip(self.words).flat_map(|(index, word)| Ones(word).map(move |bit| index * 64 + bit))
    }
}

/// The places of the ones in a word.
struct Ones(u64);

impl Iterator for Ones {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(minutes: &[u16]) -> Day {
        let mut day = Day::new();
        minutes.iter().for_each(|&minute| day.mark(minute));
        day
    }

    #[test]
    fn a_day_has_its_minutes_and_no_others() {
        let day = day(&[0, 63, 64, 1439, 1440, 9999]);
        assert_eq!(day.minutes().collect::<Vec<_>>(), [0, 63, 64, 1439]);
        assert_eq!((day.count(), day.ends()), (4, Some((0, 1439))));
        assert!(!day.has(1440));
        assert_eq!(Day::new().ends(), None);
    }

    #[test]
    fn days_are_united_and_compared() {
        let (mut one, other) = (day(&[1, 2, 700]), day(&[2, 3, 700]));
        assert_eq!(one.common(&other), 2);
        one.unite(&other);
        assert_eq!(one, day(&[1, 2, 3, 700]));
    }

    #[test]
    fn a_bin_counts_from_two_minutes_on() {
        let bins = day(&[0, 4, 5, 10, 11, 12, 1435, 1439]).bins();
        assert_eq!(bins.marked().collect::<Vec<_>>(), [0, 2, 287]);
        assert_eq!(bins.count(), 3);
    }

    #[test]
    fn a_day_takes_184_bytes() {
        assert_eq!(size_of::<Day>(), 184);
    }
}
