//! Messages in, whether the same was heard a moment ago out. What is said to a group is said over and over, word for word
//! (RFC 6762 §5.2, §8.3): most of it need be read once a minute.

use std::hash::BuildHasher;
use std::time::Duration;

use hashbrown::DefaultHashBuilder;

use crate::time::Timestamp;

/// The messages of a flow that were heard last, by a seeded hash.
#[derive(Default)]
pub(in crate::protocol) struct Repeats {
    seed: DefaultHashBuilder,
    heard: [Heard; Self::MESSAGES_MAX],
}

#[derive(Clone, Copy, Default)]
struct Heard {
    /// None before there was one.
    at: Option<Timestamp>,
    hash: u64,
}

impl Repeats {
    const MESSAGES_MAX: usize = 8;
    const WINDOW: Duration = Duration::from_secs(60);

    /// Whether the message was heard within the last minute, and let through then.
    pub(in crate::protocol) fn has_heard(&mut self, at: Timestamp, message: &[u8]) -> bool {
        let hash = self.seed.hash_one(message);
        let is_fresh = |heard: &Heard| heard.at.is_some_and(|then| at.since(then) < Self::WINDOW);
        if self.heard.iter().any(|heard| heard.hash == hash && is_fresh(heard)) {
            return true;
        }
        if let Some(oldest) = self.heard.iter_mut().min_by_key(|heard| heard.at) {
            *oldest = Heard { at: Some(at), hash };
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_heard_once_a_minute() {
        let mut repeats = Repeats::default();
        let heard = |repeats: &mut Repeats, secs| repeats.has_heard(Timestamp::from_secs(secs), b"who is there?");
        assert_eq!(
            [0, 1, 59, 60, 61, 119, 120].map(|secs| heard(&mut repeats, secs)),
            [false, true, true, false, true, true, false]
        );
    }

    #[test]
    fn the_message_heard_longest_ago_gives_way() {
        let mut repeats = Repeats::default();
        let mut heard = |message: usize, secs| repeats.has_heard(Timestamp::from_secs(secs), &message.to_be_bytes());
        for message in 0..=Repeats::MESSAGES_MAX {
            assert!(!heard(message, 1 + message as u64));
        }
        let now = 20;
        assert!(heard(1, now) && heard(Repeats::MESSAGES_MAX, now));
        assert!(!heard(0, now));
    }
}
