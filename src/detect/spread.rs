//! Values in, what is usual of them and how far they spread, out, whatever a few of them are.

/// Of a normal distribution: the standard deviation over the median absolute deviation.
const DEVIATION_OF_MAD: f64 = 1.4826;

/// The median, and the standard deviation as the median absolute deviation tells it (Rousseeuw and Croux, "Alternatives to the
/// Median Absolute Deviation", JASA 1993).
pub(super) fn median_and_deviation(values: &[f64]) -> (f64, f64) {
    let usual = median(values.to_vec());
    let deviations = values.iter().map(|value| (value - usual).abs()).collect();
    (usual, DEVIATION_OF_MAD * median(deviations))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_that_are_far_away_move_nothing() {
        assert_eq!(median_and_deviation(&[3.0, 1.0, 2.0, 900.0, 2.5]), (2.5, 0.5 * DEVIATION_OF_MAD));
        assert_eq!(median_and_deviation(&[7.0]), (7.0, 0.0));
        assert_eq!(median_and_deviation(&[]), (0.0, 0.0));
    }
}
