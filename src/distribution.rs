//! Numbers in, how many of them come to at most each of some bounds out.

/// How numbers are distributed. The bounds are ascending; what is above the last one is counted beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    bounds: &'static [f64],
    /// How many are at most the bound of the same place and above the one before; the last is above all.
    counts: Vec<u64>,
    sum: f64,
}

impl Distribution {
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Of numbers that are all there.
    pub fn of(bounds: &'static [f64], numbers: impl IntoIterator<Item = usize>) -> Self {
        let mut distribution = Self::new(bounds);
        for number in numbers {
            // Exact up to 2^53.
            #[allow(clippy::cast_precision_loss)]
            distribution.add(number as f64);
        }
        distribution
    }

    pub fn add(&mut self, number: f64) {
        let place = self.bounds.iter().take_while(|bound| number > **bound).count();
        self.counts[place] += 1;
        self.sum += number;
    }

    /// Each bound, and how many numbers are at most that.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut below = 0;
        self.bounds.iter().zip(&self.counts).map(move |(bound, count)| {
            below += count;
            (*bound, below)
        })
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub const fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_for_every_bound_that_it_does_not_exceed() {
        let mut lengths = Distribution::new(&[1.0, 10.0]);
        for number in [0.5, 1.0, 1.5, 10.0, 11.0] {
            lengths.add(number);
        }
        assert_eq!(lengths.cumulative().collect::<Vec<_>>(), [(1.0, 2), (10.0, 4)]);
        assert_eq!((lengths.count(), lengths.sum()), (5, 24.0));
    }

    #[test]
    fn a_distribution_of_nothing_has_its_bounds() {
        let nobody = Distribution::of(&[1.0], []);
        assert_eq!((nobody.cumulative().collect::<Vec<_>>(), nobody.count()), (vec![(1.0, 0)], 0));
    }
}
