//! Counts in, shares and rates with their intervals of 95 % out.

/// The quantile of the normal distribution that leaves 2.5 % on either side.
const Z: f64 = 1.959_964;

/// A share of `total` and its interval (Wilson 1927), each from 0 to 1; everything where there is nothing.
pub fn share(part: u64, total: u64) -> (f64, [f64; 2]) {
    if total == 0 {
        return (0.0, [0.0, 1.0]);
    }
    let (n, p) = (total as f64, part as f64 / total as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * ((p * (1.0 - p) + Z * Z / (4.0 * n)) / n).sqrt();
    let scale = 1.0 + Z * Z / n;
    (p, [((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0)])
}

/// The interval of the mean of a count (Byar's approximation to the exact one of Poisson's distribution).
pub fn count(seen: u64) -> [f64; 2] {
    let bound = |count: f64, z: f64| count * (1.0 - 1.0 / (9.0 * count) + z / (3.0 * count.sqrt())).powi(3);
    let low = if seen == 0 { 0.0 } else { bound(seen as f64, -Z) };
    [low, bound(seen as f64 + 1.0, Z)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(found: [f64; 2], expected: [f64; 2]) -> bool {
        found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.01)
    }

    #[test]
    fn intervals_are_those_of_the_tables() {
        assert!(is_near(share(9, 10).1, [0.596, 0.982]));
        assert!(is_near(share(0, 20).1, [0.0, 0.161]));
        assert_eq!(share(0, 0), (0.0, [0.0, 1.0]));
        // The exact ones are 0 to 3.69, 1.62 to 11.67 and 15.04 to 34.
        assert!(is_near(count(5), [1.61, 11.67]), "{:?}", count(5));
        assert!((count(0)[1] - 3.69).abs() < 0.05 && count(0)[0] == 0.0, "{:?}", count(0));
    }
}
