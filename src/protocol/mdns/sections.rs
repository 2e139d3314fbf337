//! A query in, whether the same questions were heard a moment ago out, before anything of it is read.
//!
//! Machines ask the same questions for as long as they run, beside ever other answers that they know (RFC 6762 §7.1): most
//! queries differ behind their questions alone.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use crate::protocol::dns::repeats::is_recent;
use crate::protocol::dns::wire::{Header, Message};
use crate::time::Timestamp;

/// How many machines of a segment ask in turn.
const COUNT: usize = 8;

/// The question sections of a flow that were heard last, by a seeded hash of their bytes.
#[derive(Default)]
pub(super) struct Sections {
    seed: DefaultHashBuilder,
    heard: [Heard; COUNT],
}

#[derive(Clone, Copy, Default)]
struct Heard {
    /// None before there was one.
    at: Option<Timestamp>,
    hash: u64,
    len: usize,
}

impl Sections {
    /// Where the header says that it is a query, and how many questions it has.
    const FLAGS_AND_COUNT: std::ops::Range<usize> = 2..6;

    /// Whether the message asks what one of a moment ago did, all of which was told then or before.
    pub(super) fn has_heard(&self, at: Timestamp, message: &[u8]) -> bool {
        let is_heard = |heard: &Heard| {
            heard.at.is_some_and(|then| is_recent(at, then)) && self.hash(message, heard.len) == Some(heard.hash)
        };
        self.heard.iter().any(is_heard)
    }

    /// Keeps the questions of a message, the first of which was told at this time.
    pub(super) fn keep(&mut self, at: Timestamp, bytes: &[u8], message: &Message<'_>) {
        let Some(len) = message.questions_len() else { return };
        let Some(hash) = self.hash(bytes, len) else { return };
        if let Some(oldest) = self.heard.iter_mut().min_by_key(|heard| (heard.hash != hash, heard.at)) {
            *oldest = Heard { at: Some(at), hash, len };
        }
    }

    fn hash(&self, message: &[u8], len: usize) -> Option<u64> {
        let section = message.get(Header::BYTES..)?.get(..len)?;
        Some(self.seed.hash_one((message.get(Self::FLAGS_AND_COUNT)?, section)))
    }
}
