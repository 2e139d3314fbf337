//! Names out of the program's own text in, how often each was said out.

use std::collections::BTreeMap;

/// Counts by name. A name that lies at the same address is the same one, so nothing is compared letter by letter; one
/// that lies at two addresses is counted twice and added up when asked for.
#[derive(Default)]
pub(super) struct Tally {
    counts: Vec<(&'static str, u64)>,
}

impl Tally {
    pub(super) fn add(&mut self, name: &'static str) {
        match self.counts.iter_mut().find(|(known, _)| std::ptr::eq(*known, name)) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((name, 1)),
        }
    }

    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = BTreeMap::new();
        for &(name, count) in &self.counts {
            *sums.entry(name).or_default() += count;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_counted_wherever_it_lies() {
        let mut tally = Tally::default();
        let text = "flow, flow, name";
        for name in [&text[..4], &text[6..10], &text[12..], &text[..4]] {
            tally.add(name);
        }
        assert_eq!(tally.counts(), BTreeMap::from([("flow", 3), ("name", 1)]));
    }
}
