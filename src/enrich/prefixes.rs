//! Prefixes in, the most specific one that holds an address out: disjoint ranges, one binary search.

use std::net::IpAddr;

use crate::net::Network;

/// A longest-prefix table. IPv4 lives in the IPv4-mapped part of the IPv6 space, so `::ffff:10.0.0.1` is `10.0.0.1`.
#[derive(Clone, Debug)]
pub struct Prefixes<V> {
    ranges: Vec<Range>,
    values: Vec<V>,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    first: u128,
    last: u128,
    value: usize,
}

impl<V> Default for Prefixes<V> {
    fn default() -> Self {
        Self { ranges: Vec::new(), values: Vec::new() }
    }
}

impl<V> Prefixes<V> {
    /// Where two entries have the same prefix, the earlier one counts.
    pub fn new(entries: impl IntoIterator<Item = (Network, V)>) -> Self {
        let (mut prefixes, mut values) = (Vec::new(), Vec::new());
        for (network, value) in entries {
            let (first, last) = bounds(network);
            prefixes.push(Range { first, last, value: values.len() });
            values.push(value);
        }
        // The widest first where several begin together, so that the narrower ones are laid over it.
        prefixes.sort_by_key(|range| (range.first, u128::MAX - range.last));
        prefixes.dedup_by_key(|range| (range.first, range.last));
        Self { ranges: flatten(&prefixes), values }
    }

    pub fn get(&self, address: IpAddr) -> Option<&V> {
        let position = position(address);
        let after = self.ranges.partition_point(|range| range.first <= position);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        (position <= range.last).then(|| self.values.get(range.value)).flatten()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// The first and last position of a prefix.
pub fn bounds(network: Network) -> (u128, u128) {
    (position(network.first()), position(network.last()))
}

fn position(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Nested ranges, the outer ones first, to disjoint ones.
fn flatten(nested: &[Range]) -> Vec<Range> {
    let mut flat = Vec::with_capacity(nested.len());
    let mut open: Vec<Range> = Vec::new();
    let mut next = 0_u128;
    for &range in nested {
        close(&mut open, &mut flat, &mut next, Some(range.first));
        if let Some(outer) = open.last()
            && next < range.first
        {
            flat.push(Range { first: next, last: range.first - 1, value: outer.value });
        }
        next = range.first;
        open.push(range);
    }
    close(&mut open, &mut flat, &mut next, None);
    flat
}

/// Ends the open ranges that lie before `until`, the innermost first.
fn close(open: &mut Vec<Range>, flat: &mut Vec<Range>, next: &mut u128, until: Option<u128>) {
    while let Some(&inner) = open.last() {
        if until.is_some_and(|until| inner.last >= until) {
            return;
        }
        open.pop();
        if *next <= inner.last {
            flat.push(Range { first: *next, ..inner });
        }
        match inner.last.checked_add(1) {
            Some(after) => *next = (*next).max(after),
            // The end of the address space: whatever is still open ends here too.
            None => open.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(prefixes: &[&'static str]) -> Prefixes<&'static str> {
        Prefixes::new(prefixes.iter().map(|prefix| (prefix.parse().unwrap(), *prefix)))
    }

    fn get(table: &Prefixes<&'static str>, address: &str) -> Option<&'static str> {
        table.get(address.parse().unwrap()).copied()
    }

    #[test]
    fn the_most_specific_prefix_wins_and_the_outer_one_goes_on_behind_it() {
        let table = table(&["10.0.0.0/8", "10.1.2.0/24", "10.1.0.0/16", "10.1.2.3/32", "192.168.0.0/16"]);
        for (address, expected) in [
            ("9.255.255.255", None),
            ("10.0.0.0", Some("10.0.0.0/8")),
            ("10.1.0.0", Some("10.1.0.0/16")),
            ("10.1.2.2", Some("10.1.2.0/24")),
            ("10.1.2.3", Some("10.1.2.3/32")),
            ("10.1.2.4", Some("10.1.2.0/24")),
            ("10.1.3.0", Some("10.1.0.0/16")),
            ("10.2.0.0", Some("10.0.0.0/8")),
            ("10.255.255.255", Some("10.0.0.0/8")),
            ("11.0.0.0", None),
            ("192.168.255.255", Some("192.168.0.0/16")),
        ] {
            assert_eq!(get(&table, address), expected, "{address}");
        }
    }

    #[test]
    fn mapped_addresses_and_the_edges_of_the_space_are_found() {
        let table = table(&["10.0.0.0/8", "::/0", "ffff::/16", "255.255.255.255/32"]);
        assert_eq!(get(&table, "::ffff:10.0.0.1"), Some("10.0.0.0/8"));
        assert_eq!(get(&table, "::"), Some("::/0"));
        assert_eq!(get(&table, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), Some("ffff::/16"));
        assert_eq!(get(&table, "fffe::1"), Some("::/0"));
        assert_eq!(get(&table, "255.255.255.255"), Some("255.255.255.255/32"));
    }

    #[test]
    fn the_earlier_of_two_equal_prefixes_counts() {
        let table = Prefixes::new([("10.0.0.0/8".parse().unwrap(), 1), ("10.0.0.0/8".parse().unwrap(), 2)]);
        assert_eq!(table.get("10.0.0.1".parse().unwrap()), Some(&1));
    }
}
