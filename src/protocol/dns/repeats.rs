//! Words in, whether the same were heard a moment ago out. What is said to a group is said over and over, message for
//! message or question for question (RFC 6762 §5.2, §8.3): most of it need be told once a minute.

use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use hashbrown::DefaultHashBuilder;

use crate::time::Timestamp;

const WINDOW: Duration = Duration::from_secs(60);

/// Whether what was told then need not be told again.
pub(in crate::protocol) fn is_recent(at: Timestamp, then: Timestamp) -> bool {
    at.since(then) < WINDOW
}

/// The `N` words of a flow that were heard last, by a seeded hash.
pub(in crate::protocol) struct Repeats<const N: usize> {
    seed: DefaultHashBuilder,
    heard: [Heard; N],
}

#[derive(Clone, Copy, Default)]
struct Heard {
    /// None before there was one.
    at: Option<Timestamp>,
    hash: u64,
}

impl<const N: usize> Default for Repeats<N> {
    fn default() -> Self {
        Self { seed: DefaultHashBuilder::default(), heard: [Heard::default(); N] }
    }
}

impl<const N: usize> Repeats<N> {
    /// Whether the words were heard within the last minute, and let through then.
    pub(in crate::protocol) fn has_heard(&mut self, at: Timestamp, words: impl Hash) -> bool {
        self.heard_at(at, words).is_some()
    }

    /// When within the last minute the words were let through; none where that is now.
    pub(in crate::protocol) fn heard_at(&mut self, at: Timestamp, words: impl Hash) -> Option<Timestamp> {
        let hash = self.seed.hash_one(words);
        let mut same = self.heard.iter().filter(|heard| heard.hash == hash).filter_map(|heard| heard.at);
        let heard = same.find(|&then| is_recent(at, then));
        if heard.is_none()
            && let Some(oldest) = self.heard.iter_mut().min_by_key(|heard| heard.at)
        {
            *oldest = Heard { at: Some(at), hash };
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_heard_once_a_minute() {
        let mut repeats = Repeats::<8>::default();
        let heard = |repeats: &mut Repeats<8>, secs| repeats.has_heard(Timestamp::from_secs(secs), b"who is there?");
        assert_eq!(
            [0, 1, 59, 60, 61, 119, 120].map(|secs| heard(&mut repeats, secs)),
            [false, true, true, false, true, true, false]
        );
    }

    #[test]
    fn the_words_heard_longest_ago_give_way() {
        let mut repeats = Repeats::<8>::default();
        let mut heard = |message: usize, secs| repeats.has_heard(Timestamp::from_secs(secs), message);
        for message in 0..=8 {
            assert!(!heard(message, 1 + message as u64));
        }
        let now = 20;
        assert!(heard(1, now) && heard(8, now));
        assert!(!heard(0, now));
    }
}
