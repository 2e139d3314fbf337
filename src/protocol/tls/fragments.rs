//! Pieces of a byte sequence in, in any order; the sequence out, as far as it has no hole.

/// Puts together what CRYPTO frames (RFC 9000 §19.6) or handshake fragments (RFC 9147 §5.5) cut. It takes the memory of what
/// has come, wherever the sender says that it belongs.
#[derive(Debug, Default)]
pub struct Fragments {
    /// In order, with a hole between each and the next.
    ranges: Vec<Range>,
}

#[derive(Debug)]
struct Range {
    from: usize,
    bytes: Vec<u8>,
}

impl Range {
    const fn to(&self) -> usize {
        self.from.saturating_add(self.bytes.len())
    }
}

impl Fragments {
    /// The longest sequence that is put together.
    pub const BYTES_MAX: usize = 64 << 10;
    /// The most ranges with holes between them. Browsers cut a ClientHello into a dozen or two.
    pub const RANGES_MAX: usize = 64;

    /// Takes a piece. What has come already stays as it came first.
    pub fn insert(&mut self, offset: usize, piece: &[u8]) -> Result<(), &'static str> {
        let end = offset.saturating_add(piece.len());
        if end > Self::BYTES_MAX {
            return Err("fragment_length");
        }
        let mut at = offset;
        while at < end {
            let next = self.ranges.partition_point(|range| range.to() <= at);
            let (from, to) = self.ranges.get(next).map_or((end, end), |range| (range.from.min(end), range.to()));
            if let Some(news) = piece.get(at.saturating_sub(offset)..from.saturating_sub(offset))
                && !news.is_empty()
            {
                self.fill(at, news, next);
                at = from;
            } else {
                at = to;
            }
        }
        if self.ranges.len() > Self::RANGES_MAX { Err("fragment_holes") } else { Ok(()) }
    }

    /// The bytes from the beginning to the first hole.
    pub fn prefix(&self) -> &[u8] {
        self.ranges.first().filter(|range| range.from == 0).map_or(&[], |range| &range.bytes)
    }

    pub fn kept_bytes(&self) -> usize {
        self.ranges.iter().fold(0, |all, range| all.saturating_add(range.bytes.len()))
    }

    /// Takes bytes of the hole before the range at `next`.
    fn fill(&mut self, from: usize, bytes: &[u8], next: usize) {
        let before = next.checked_sub(1);
        let at = match before.and_then(|before| self.ranges.get_mut(before)).filter(|range| range.to() == from) {
            Some(range) => {
                range.bytes.extend_from_slice(bytes);
                next.saturating_sub(1)
            }
            None => {
                self.ranges.insert(next, Range { from, bytes: bytes.into() });
                next
            }
        };
        let behind = at.saturating_add(1);
        let to = from.saturating_add(bytes.len());
        if self.ranges.get(behind).is_some_and(|range| range.from == to) {
            let tail = self.ranges.remove(behind).bytes;
            if let Some(range) = self.ranges.get_mut(at) {
                range.bytes.extend_from_slice(&tail);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hole_ends_what_is_known() {
        let mut fragments = Fragments::default();
        fragments.insert(3, b"def").unwrap();
        assert_eq!(fragments.prefix(), b"");
        fragments.insert(0, b"ab").unwrap();
        assert_eq!(fragments.prefix(), b"ab");
        fragments.insert(1, b"XcXX").unwrap();
        assert_eq!(fragments.prefix(), b"abcdef", "what came first stays");
    }

    #[test]
    fn length_and_holes_are_bounded() {
        let mut fragments = Fragments::default();
        assert_eq!(fragments.insert(Fragments::BYTES_MAX, b"x"), Err("fragment_length"));
        assert_eq!(fragments.insert(usize::MAX, b"x"), Err("fragment_length"));
        for index in 0..Fragments::RANGES_MAX {
            fragments.insert(index * 2, b"x").unwrap();
        }
        assert_eq!(fragments.insert(Fragments::RANGES_MAX * 2, b"x"), Err("fragment_holes"));
    }

    #[test]
    fn a_piece_far_away_takes_no_memory_but_its_own() {
        let mut fragments = Fragments::default();
        fragments.insert(Fragments::BYTES_MAX - 1, b"x").unwrap();
        let taken: usize = fragments.ranges.iter().map(|range| range.bytes.capacity()).sum();
        assert!(taken < 64, "{taken}");
        assert_eq!(fragments.prefix(), b"");
    }

    proptest! {
        /// Against a map of single bytes.
        #[test]
        fn any_order_and_overlap_gives_the_sequence(pieces in prop::collection::vec((0_usize..40, prop::collection::vec(any::<u8>(), 0..12)), 0..20)) {
            let mut fragments = Fragments::default();
            let mut model = std::collections::BTreeMap::new();
            for (offset, piece) in &pieces {
                fragments.insert(*offset, piece).unwrap();
                for (at, byte) in (*offset..).zip(piece) {
                    model.entry(at).or_insert(*byte);
                }
            }
            let known: Vec<u8> = (0..).map_while(|at| model.get(&at).copied()).collect();
            prop_assert_eq!(fragments.prefix(), &known[..]);
        }
    }
}
