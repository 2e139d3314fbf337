//! Packets in, their copies refused: a mirror of both directions of a port, or of several ports, shows a packet twice.
//!
//! Two packets are the same where addresses, protocol, IP identification, length, transport header and the ends of the
//! payload are. What a switch or a router on the way between the two changes is left out: link header, VLAN tags and
//! tunnel, TTL, DSCP and ECN, and the checksums, which the sender's network interface may fill in behind the first.
//!
//! A retransmission has another IPv4 identification, so it is no copy. Where there is none (IPv6, or identification 0
//! beside don't-fragment) a segment sent again within the window passes for a copy; the first was seen, so nothing that
//! it carries is lost.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use hashbrown::DefaultHashBuilder;

use super::ip::{self, Part};
use super::layer::Position;
use super::{Limits, Skip};
use crate::net::{Mac, Transport};
use crate::time::Timestamp;

/// The packets of the last moments.
///
/// A ring in order of arrival, whose entries form a list for each bucket of hashes, the newest first. An entry that is out
/// of the window, or that the ring has overwritten, ends its list, as all behind it are older. What is found depends on the
/// packets alone, not on the seed: a direct-mapped table would forget one packet for another that fell into its place.
///
/// What every packet reads lies closely together, so that it stays in the cache beside everything else that passes.
pub(super) struct Duplicates {
    window: Duration,
    /// Nobody outside can make two packets look alike.
    seed: DefaultHashBuilder,
    ring: Box<[Link]>,
    /// The whole hashes of the ring's packets, looked at where a part of one is the same.
    hashes: Box<[u64]>,
    times: Box<[Timestamp]>,
    /// The serial number of the newest packet in each bucket.
    newest: Box<[Serial]>,
    /// The serial number of the next packet; 0 is none.
    next: u64,
    /// The serial number of the first packet within the window.
    first: u64,
}

/// The lower half of a serial number.
type Serial = u32;

#[derive(Clone, Copy, Default)]
struct Link {
    /// The upper half of the hash.
    tag: u32,
    /// The packet before it in its bucket.
    before: Serial,
}

/// What two copies of a packet have in common.
struct Identity<'a> {
    source: IpAddr,
    target: IpAddr,
    protocol: u8,
    /// The identification, and for fragments the place; of a link's own frame who sent it.
    id: u64,
    len: u32,
    body: &'a [u8],
    /// Where in the body a checksum stands.
    checksum_offset: Option<usize>,
}

impl Duplicates {
    pub(super) fn new(limits: &Limits) -> Self {
        let len = limits.duplicate_packets_max.clamp(1, 1 << 20).next_power_of_two();
        Self {
            window: limits.duplicate_window,
            seed: DefaultHashBuilder::default(),
            ring: vec![Link::default(); len].into(),
            hashes: vec![0; len].into(),
            times: vec![Timestamp::ZERO; len].into(),
            newest: vec![0; len].into(),
            next: 1,
            first: 1,
        }
    }

    /// Refuses a packet that was seen within the window.
    pub(super) fn refuse(&mut self, position: &Position<'_>) -> Result<(), Skip> {
        let head = &position.head;
        self.refuse_identity(
            head.at,
            &Identity {
                source: head.source.ip,
                target: head.target.ip,
                protocol: head.transport.number(),
                id: match head.transport {
                    // Two stations say the same, word for word.
                    Transport::Link => head.source_mac.map_or(0, Mac::bits),
                    _ => head.ip.id.map_or(0, u64::from),
                },
                len: head.ip.len,
                body: position.body.bytes(),
                checksum_offset: checksum_offset(head.transport.number()),
            },
        )
    }

    pub(super) fn refuse_fragment(&mut self, position: &Position<'_>, part: Part, protocol: u8) -> Result<(), Skip> {
        let head = &position.head;
        let place = u64::from(part.offset).wrapping_mul(2) | u64::from(part.more);
        self.refuse_identity(
            head.at,
            &Identity {
                source: head.source.ip,
                target: head.target.ip,
                protocol,
                id: (place << 32) | u64::from(part.id),
                len: head.ip.len,
                body: position.body.bytes(),
                checksum_offset: if part.offset == 0 { checksum_offset(protocol) } else { None },
            },
        )
    }

    #[inline]
    fn refuse_identity(&mut self, at: Timestamp, identity: &Identity<'_>) -> Result<(), Skip> {
        let hash = identity.hash(&self.seed);
        self.forget(at);
        let mask = len_u64(&self.ring).wrapping_sub(1);
        let slot = |number: u64| usize::try_from(number & mask).unwrap_or(0);
        let Some(newest) = self.newest.get_mut(slot(hash)) else {
            return Ok(());
        };
        let (next, tag) = (lower(self.next), lower(hash >> 32));
        let mut serial = *newest;
        let mut younger = 0;
        let mut age = next.wrapping_sub(serial);
        // What is within the window is younger than the first in it, and older than what led to it.
        while age > younger && u64::from(age) <= self.next.saturating_sub(self.first) {
            let place = slot(u64::from(serial));
            let Some(link) = self.ring.get(place) else {
                break;
            };
            if link.tag == tag && self.hashes.get(place) == Some(&hash) {
                return Err(Skip::Duplicate);
            }
            serial = link.before;
            younger = age;
            age = next.wrapping_sub(serial);
        }
        let place = slot(self.next);
        let entry = (self.ring.get_mut(place), self.hashes.get_mut(place), self.times.get_mut(place));
        if let (Some(link), Some(kept), Some(time)) = entry {
            *link = Link { tag, before: *newest };
            (*kept, *time) = (hash, at);
            *newest = next;
            self.next = self.next.wrapping_add(1);
        }
        Ok(())
    }

    /// Leaves the packets behind that are too old, and those that the ring has overwritten.
    fn forget(&mut self, at: Timestamp) {
        let mask = len_u64(&self.ring).wrapping_sub(1);
        self.first = self.first.max(self.next.saturating_sub(len_u64(&self.ring)));
        while self.first < self.next {
            let oldest = usize::try_from(self.first & mask).ok().and_then(|slot| self.times.get(slot));
            if oldest.is_some_and(|&then| at.since(then) <= self.window) {
                return;
            }
            self.first = self.first.wrapping_add(1);
        }
    }
}

/// How much of a body is looked at: from its start, the headers and some of the payload; and from its end.
const START_LEN: usize = 64;
const END_LEN: usize = 16;
const WORD_LEN: usize = 16;

impl Identity<'_> {
    fn hash(&self, seed: &DefaultHashBuilder) -> u64 {
        let mut hasher = seed.build_hasher();
        match (self.source, self.target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                hasher.write_u64((u64::from(source.to_bits()) << 32) | u64::from(target.to_bits()));
            }
            (source, target) => {
                hasher.write_u128(bits(source));
                hasher.write_u128(bits(target));
            }
        }
        hasher.write_u128((u128::from(self.id) << 64) | u128::from(self.len) << 32 | u128::from(self.protocol));
        // In whole words, the last one filled up with zeros; the length is told already.
        let mut words = [0; START_LEN];
        let start_len = match self.body.first_chunk() {
            Some(start) => {
                words = *start;
                START_LEN
            }
            None => {
                words.iter_mut().zip(self.body).for_each(|(place, byte)| *place = *byte);
                self.body.len()
            }
        };
        if let Some(checksum) = self.checksum_offset.and_then(|at| words.get_mut(at..)?.first_chunk_mut::<2>()) {
            *checksum = [0; 2];
        }
        hasher.write(words.get(..start_len.next_multiple_of(WORD_LEN)).unwrap_or(&words));
        if let Some(end) = self.body.last_chunk::<END_LEN>().filter(|_| self.body.len() > START_LEN) {
            hasher.write_u128(u128::from_ne_bytes(*end));
        }
        hasher.finish()
    }
}

/// Where in its header a transport has its checksum.
const fn checksum_offset(protocol: u8) -> Option<usize> {
    match protocol {
        ip::TCP => Some(16),
        ip::UDP => Some(6),
        _ => None,
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The lower half.
const fn lower(number: u64) -> u32 {
    number as u32
}

fn len_u64<T>(slice: &[T]) -> u64 {
    u64::try_from(slice.len()).unwrap_or(u64::MAX)
}
