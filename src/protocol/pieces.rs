//! Numbered pieces of a stream in, in any order and perhaps twice, the stream out: for protocols that put one over
//! datagrams.

use std::collections::VecDeque;

/// One side's stream. What waits for a missing piece is bounded; where that does not suffice the stream ends.
#[derive(Debug)]
pub struct Pieces {
    /// The number of the piece that comes next; numbers wrap.
    next: u32,
    waiting: VecDeque<(u32, Box<[u8]>)>,
}

impl Pieces {
    const WAITING_MAX: usize = 32;
    const PIECE_BYTES_MAX: usize = 2048;

    pub const fn starting_at(next: u32) -> Self {
        Self { next, waiting: VecDeque::new() }
    }

    pub fn kept_bytes(&self) -> usize {
        self.waiting.iter().fold(0, |all, (_, piece)| all.saturating_add(piece.len()))
    }

    /// Takes a piece and gives what of the stream is whole now.
    pub fn insert(&mut self, number: u32, piece: &[u8]) -> Vec<u8> {
        let distance = usize::try_from(number.wrapping_sub(self.next)).unwrap_or(usize::MAX);
        let is_known = self.waiting.iter().any(|(known, _)| *known == number);
        if distance > Self::WAITING_MAX || is_known || piece.len() > Self::PIECE_BYTES_MAX {
            return Vec::new();
        }
        if distance > 0 {
            self.waiting.push_back((number, piece.into()));
            return Vec::new();
        }
        let mut stream = piece.to_vec();
        self.next = self.next.wrapping_add(1);
        while let Some(at) = self.waiting.iter().position(|(number, _)| *number == self.next) {
            stream.extend(self.waiting.remove(at).into_iter().flat_map(|(_, piece)| piece));
            self.next = self.next.wrapping_add(1);
        }
        stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_put_in_order_and_taken_once() {
        let mut pieces = Pieces::starting_at(u32::MAX);
        assert_eq!(pieces.insert(1, b"c"), b"");
        assert_eq!(pieces.insert(u32::MAX, b"a"), b"a");
        assert_eq!(pieces.insert(u32::MAX, b"a"), b"");
        assert_eq!(pieces.insert(1, b"x"), b"");
        assert_eq!(pieces.insert(0, b"b"), b"bc");
        assert_eq!(pieces.insert(2, b"d"), b"d");
    }

    #[test]
    fn a_piece_far_ahead_or_too_long_is_refused() {
        let mut pieces = Pieces::starting_at(0);
        assert_eq!(pieces.insert(1000, b"x"), b"");
        assert_eq!(pieces.insert(0, &[0; Pieces::PIECE_BYTES_MAX + 1]), b"");
        assert!(pieces.waiting.is_empty());
    }
}
