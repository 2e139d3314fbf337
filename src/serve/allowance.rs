//! Addresses that ask, and when, in; whether they may ask once more, out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A bucket of tokens for each address that asked lately: it empties with each request, and fills with time.
pub(super) struct Allowance {
    most: u32,
    refill: Duration,
    /// Those that asked longest ago first.
    buckets: VecDeque<Bucket>,
}

struct Bucket {
    address: IpAddr,
    left: u32,
    since: Instant,
}

impl Allowance {
    /// The most addresses that are remembered; the one that asked longest ago is forgotten.
    const ADDRESSES_MAX: usize = 1024;

    /// `most` at once, and one more every `refill`.
    pub(super) const fn new(most: u32, refill: Duration) -> Self {
        Self { most, refill, buckets: VecDeque::new() }
    }

    /// Takes a token; false where there is none.
    pub(super) fn take(&mut self, address: IpAddr, now: Instant) -> bool {
        let mut bucket = self.filled(address, now);
        let taken = bucket.left > 0;
        bucket.left -= u32::from(taken);
        self.buckets.push_back(bucket);
        if self.buckets.len() > Self::ADDRESSES_MAX {
            self.buckets.pop_front();
        }
        taken
    }

    /// Whether there is a token left.
    pub(super) fn has(&mut self, address: IpAddr, now: Instant) -> bool {
        let bucket = self.filled(address, now);
        let has = bucket.left > 0;
        if bucket.left < self.most {
            self.buckets.push_back(bucket);
        }
        has
    }

    /// The address's bucket, taken out, with what came since.
    fn filled(&mut self, address: IpAddr, now: Instant) -> Bucket {
        let place = self.buckets.iter().position(|bucket| bucket.address == address);
        let Some(mut bucket) = place.and_then(|place| self.buckets.remove(place)) else {
            return Bucket { address, left: self.most, since: now };
        };
        let passed = now.saturating_duration_since(bucket.since);
        let refilled = u32::try_from(passed.as_nanos() / self.refill.as_nanos().max(1)).unwrap_or(u32::MAX);
        if refilled > 0 {
            bucket.left = bucket.left.saturating_add(refilled).min(self.most);
            bucket.since = now;
        }
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn an_address_may_ask_so_often_at_once_and_again_after_a_while() {
        let mut allowance = Allowance::new(2, Duration::from_secs(1));
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let start = Instant::now();
        assert_eq!([(); 3].map(|()| allowance.take(one, start)), [true, true, false]);
        assert!(allowance.take(other, start), "each has its own");
        assert!(!allowance.has(one, start + Duration::from_millis(900)));
        assert!(allowance.take(one, start + Duration::from_secs(1)));
        assert!(!allowance.take(one, start + Duration::from_secs(1)));
        assert_eq!([(); 3].map(|()| allowance.take(one, start + Duration::from_secs(60))), [true, true, false]);
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn many_addresses_are_forgotten_in_turn() {
        let mut allowance = Allowance::new(1, Duration::from_secs(60));
        let now = Instant::now();
        for number in 0..5000_u32 {
            allowance.take(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(allowance.buckets.len(), Allowance::ADDRESSES_MAX);
    }
}
