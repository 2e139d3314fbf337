//! What the hellos of a client told, so that each is told once.

use std::hash::{BuildHasher, Hash};

use hashbrown::DefaultHashBuilder;

/// By a seeded hash.
#[derive(Default)]
pub(super) struct Told {
    seed: DefaultHashBuilder,
    hashes: Vec<u64>,
}

impl Told {
    pub(super) fn is_news(&mut self, words: impl Hash) -> bool {
        let hash = self.seed.hash_one(words);
        let is_news = !self.hashes.contains(&hash);
        if is_news {
            self.hashes.push(hash);
        }
        is_news
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.hashes.len().saturating_mul(size_of::<u64>())
    }
}
