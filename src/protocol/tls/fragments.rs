//! Pieces of a byte sequence in, in any order; the sequence out, as far as it has no hole.

/// Puts together what CRYPTO frames (RFC 9000 §19.6) or handshake fragments (RFC 9147 §5.5) cut.
#[derive(Debug, Default)]
pub struct Fragments {
    bytes: Vec<u8>,
    /// What of `bytes` has come: start and end, in order, with a hole between each and the next.
    ranges: Vec<(usize, usize)>,
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
        if piece.is_empty() {
            return Ok(());
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let mut at = offset;
        for &(from, to) in self.ranges.iter().filter(|(from, to)| *from < end && offset < *to) {
            copy(&mut self.bytes, piece, offset, at, from);
            at = at.max(to);
        }
        copy(&mut self.bytes, piece, offset, at, end);
        self.cover(offset, end);
        if self.ranges.len() > Self::RANGES_MAX { Err("fragment_holes") } else { Ok(()) }
    }

    /// The bytes from the beginning to the first hole.
    pub fn prefix(&self) -> &[u8] {
        let len = self.ranges.first().filter(|(from, _)| *from == 0).map_or(0, |(_, to)| *to);
        self.bytes.get(..len).unwrap_or_default()
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn cover(&mut self, from: usize, to: usize) {
        let first = self.ranges.partition_point(|(_, end)| *end < from);
        let behind = self.ranges.partition_point(|(start, _)| *start <= to);
        let joined = self.ranges.get(first..behind).unwrap_or_default();
        let from = joined.first().map_or(from, |(start, _)| from.min(*start));
        let to = joined.last().map_or(to, |(_, end)| to.max(*end));
        self.ranges.splice(first..behind, [(from, to)]);
    }
}

/// Copies what of the piece at `offset` lies between `from` and `to`.
fn copy(bytes: &mut [u8], piece: &[u8], offset: usize, from: usize, to: usize) {
    let source = piece.get(from.saturating_sub(offset)..to.saturating_sub(offset));
    if let (Some(source), Some(target)) = (source, bytes.get_mut(from..to)) {
        target.copy_from_slice(source);
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
