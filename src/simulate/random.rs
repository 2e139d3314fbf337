//! Numbers by chance that follow from a seed alone: the same on every machine, for every order of asking.

use std::time::Duration;

/// A stream of numbers (SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
///
/// Everything is worked out with the operations that IEEE 754 rounds exactly, so that no mathematical library is seen in
/// what comes out.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of one of many things, such as the third person's second day: none of them moves another's.
    pub fn of(seed: u64, path: &[u64]) -> Self {
        path.iter().fold(Self(seed), |mut random, &part| Self(random.bits() ^ part.wrapping_mul(Self::STEP)))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::STEP);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 on, less than 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 on, less than `end`; 0 where that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub fn pick<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len() as u64) as usize]
    }

    /// The sum of twelve numbers: normal up to six deviations.
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.unit()).sum();
        mean + deviation * (sum - 6.0)
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * logarithm(1.0 - self.unit())
    }

    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * power(self.normal(0.0, sigma))
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| self.bits().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }

    /// Puts things in another order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// A duration of milliseconds, in whole microseconds; none is shorter than nothing.
pub fn millis(millis: f64) -> Duration {
    Duration::from_micros((millis.max(0.0) * 1000.0) as u64)
}

/// The natural logarithm of a normal number greater than 0.
fn logarithm(number: f64) -> f64 {
    let bits = number.to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    // ln m = 2 artanh((m − 1) / (m + 1)), with an argument of at most a third.
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let series = (0..16).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 1));
    2.0 * ratio * series + f64::from(exponent) * std::f64::consts::LN_2
}

/// The exponential function, for arguments that are no greater than some hundreds.
fn power(exponent: f64) -> f64 {
    let twos = (exponent / std::f64::consts::LN_2).round();
    let rest = exponent - twos * std::f64::consts::LN_2;
    let series = (1..=16).rev().fold(1.0, |sum, term| 1.0 + sum * rest / f64::from(term));
    series * f64::from_bits(((twos as i64 + 1023).clamp(1, 2046) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mathematics_is_right() {
        for number in [1e-9, 0.1, 0.5, 1.0, 2.0, 12345.678] {
            assert!((logarithm(number) - number.ln()).abs() < 1e-10, "{number}");
        }
        for number in [-30.0, -1.0, 0.0, 0.3, 5.0, 40.0] {
            assert!((power(number) / number.exp() - 1.0).abs() < 1e-10, "{number}");
        }
    }

    #[test]
    fn streams_are_told_apart_and_repeat() {
        let first = |path: &[u64]| Random::of(7, path).bits();
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1]), first(&[1, 0]));
        assert_ne!(Random::of(8, &[1]).bits(), first(&[1]));
    }

    #[test]
    fn distributions_have_their_means() {
        let mut random = Random::new(1);
        let mut mean =
            |draw: &mut dyn FnMut(&mut Random) -> f64| (0..20_000).map(|_| draw(&mut random)).sum::<f64>() / 20_000.0;
        assert!((mean(&mut |random| random.normal(10.0, 2.0)) - 10.0).abs() < 0.1);
        assert!((mean(&mut |random| random.exponential(3.0)) - 3.0).abs() < 0.1);
        assert!((mean(&mut |random| random.below(10) as f64) - 4.5).abs() < 0.1);
        let mut drawn: Vec<f64> = (0..9999).map(|_| random.lognormal(28.0, 0.5)).collect();
        drawn.sort_by(f64::total_cmp);
        assert!((drawn[5000] - 28.0).abs() < 1.0);
    }
}
