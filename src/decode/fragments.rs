//! Fragments in, whole datagrams out (RFC 791 §3.2, RFC 8200 §4.5), within fixed bounds.
//!
//! Overlapping fragments are how a packet hides from a sensor: a datagram that has some is refused as a whole, in IPv6
//! (RFC 5722) as in IPv4, where hosts do the same. A fragment that comes twice, byte for byte, is no overlap.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Add;
use std::time::Duration;

use hashbrown::HashMap;

use super::counters::FragmentCounters;
use super::ip::Part;
use super::layer::{Position, len_u32};
use super::{IpHeader, Limits, Skip};
use crate::time::Timestamp;

/// A datagram whose fragments have all come.
pub(super) struct Datagram {
    /// The header of its first fragment, with the whole's length.
    pub(super) header: IpHeader,
    /// What it carries, by its IANA number.
    pub(super) protocol: u8,
    pub(super) bytes: Vec<u8>,
}

/// The datagrams that wait for fragments, numbered in order of arrival.
pub(super) struct Fragments {
    timeout: Duration,
    datagrams_max: usize,
    bytes_max: usize,
    numbers: HashMap<Key, u64>,
    waiting: BTreeMap<u64, Waiting>,
    next_number: u64,
    bytes: usize,
    counters: FragmentCounters,
}

/// What the fragments of a datagram have in common. Two VLANs may use the same addresses.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Key {
    source: IpAddr,
    target: IpAddr,
    id: u32,
    /// For IPv6 0: only the first fragment's counts (RFC 8200 §4.5).
    protocol: u8,
    vlan: Option<u16>,
    inner_vlan: Option<u16>,
}

struct Waiting {
    key: Key,
    deadline: Timestamp,
    pieces: Pieces,
    bytes: usize,
}

/// Parts of a datagram by their offset; they do not overlap.
#[derive(Default)]
struct Pieces {
    by_offset: BTreeMap<u32, Box<[u8]>>,
    /// The header of the part at offset 0.
    first: Option<(IpHeader, u8)>,
    filled_len: u32,
    /// Known from the last part on.
    len: Option<u32>,
    /// They overlapped: what is still to come is refused.
    refused: bool,
}

/// What adding a part came to.
#[derive(Debug, Eq, PartialEq)]
enum Added {
    Complete,
    Kept,
    Overlaps,
    Repeated,
}

impl Fragments {
    /// The longest datagram: RFC 791 §3.1.
    const DATAGRAM_LEN_MAX: u32 = 65_535;
    /// The most parts of a datagram: the longest in parts of 512 bytes, or the 576 that every IPv4 link takes.
    const PIECES_MAX: usize = 128;
    /// What a part and a datagram take beside their bytes.
    const PIECE_OVERHEAD_BYTES: usize = 64;
    const DATAGRAM_OVERHEAD_BYTES: usize = 384;

    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            timeout: limits.fragment_timeout,
            datagrams_max: limits.fragment_datagrams_max,
            bytes_max: limits.fragment_bytes_max,
            numbers: HashMap::new(),
            waiting: BTreeMap::new(),
            next_number: 0,
            bytes: 0,
            counters: FragmentCounters::default(),
        }
    }

    pub(super) fn counters(&self) -> FragmentCounters {
        FragmentCounters {
            waiting: u64::try_from(self.waiting.len()).unwrap_or(u64::MAX),
            waiting_bytes: u64::try_from(self.bytes).unwrap_or(u64::MAX),
            ..self.counters
        }
    }

    /// Keeps a fragment ([`Skip::Fragment`]), or hands out the datagram that it completes.
    pub(super) fn add(&mut self, position: &Position<'_>, part: Part, protocol: u8) -> Result<Datagram, Skip> {
        let head = &position.head;
        self.expire(head.at);
        if position.body.is_cut() {
            return Err(Skip::Truncated);
        }
        let body = position.body.bytes();
        let end = part.offset.saturating_add(len_u32(body));
        if body.is_empty() || end > Self::DATAGRAM_LEN_MAX || (part.more && !body.len().is_multiple_of(8)) {
            return Err(Skip::FragmentRefused);
        }
        let key = Key {
            source: head.source.ip,
            target: head.target.ip,
            id: part.id,
            protocol: if head.source.ip.is_ipv4() { protocol } else { 0 },
            vlan: head.vlan,
            inner_vlan: head.inner_vlan,
        };
        let cost = body.len().saturating_add(Self::PIECE_OVERHEAD_BYTES);
        self.make_room(&key, cost)?;
        let number = self.number(key, head.at);
        let Some(datagram) = self.waiting.get_mut(&number) else {
            return Err(Skip::FragmentRefused);
        };
        if datagram.pieces.refused || datagram.pieces.by_offset.len() >= Self::PIECES_MAX {
            return Err(Skip::FragmentRefused);
        }
        match datagram.pieces.add(part, body, (head.ip, protocol)) {
            Added::Repeated => Err(Skip::Fragment),
            Added::Kept => {
                datagram.bytes = datagram.bytes.saturating_add(cost);
                self.bytes = self.bytes.saturating_add(cost);
                Err(Skip::Fragment)
            }
            Added::Overlaps => {
                self.counters.overlapping = self.counters.overlapping.saturating_add(1);
                self.bytes = self.bytes.saturating_sub(datagram.bytes).saturating_add(Self::DATAGRAM_OVERHEAD_BYTES);
                datagram.bytes = Self::DATAGRAM_OVERHEAD_BYTES;
                datagram.pieces = Pieces { refused: true, ..Pieces::default() };
                Err(Skip::FragmentRefused)
            }
            Added::Complete => {
                let datagram = self.remove(number).ok_or(Skip::FragmentRefused)?;
                self.counters.joined = self.counters.joined.saturating_add(1);
                datagram.pieces.join().ok_or(Skip::FragmentRefused)
            }
        }
    }

    /// Gives up the datagrams whose time is over.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some((&number, datagram)) = self.waiting.first_key_value() {
            if datagram.deadline >= now {
                return;
            }
            self.remove(number);
            self.counters.expired = self.counters.expired.saturating_add(1);
        }
    }

    /// Gives up the oldest datagrams until a part, and the datagram it may begin, has room.
    fn make_room(&mut self, key: &Key, cost: usize) -> Result<(), Skip> {
        let cost = cost.saturating_add(Self::DATAGRAM_OVERHEAD_BYTES);
        if cost > self.bytes_max || self.datagrams_max == 0 {
            return Err(Skip::FragmentRefused);
        }
        while self.bytes.saturating_add(cost) > self.bytes_max
            || (self.waiting.len() >= self.datagrams_max && !self.numbers.contains_key(key))
        {
            let Some((&number, _)) = self.waiting.first_key_value() else {
                return Err(Skip::FragmentRefused);
            };
            self.remove(number);
            self.counters.evicted = self.counters.evicted.saturating_add(1);
        }
        Ok(())
    }

    /// The number of a datagram, which begins to wait where it is new.
    fn number(&mut self, key: Key, at: Timestamp) -> u64 {
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        self.numbers.insert(key, number);
        let bytes = Self::DATAGRAM_OVERHEAD_BYTES;
        self.bytes = self.bytes.saturating_add(bytes);
        self.waiting.insert(number, Waiting { key, deadline: at.add(self.timeout), pieces: Pieces::default(), bytes });
        number
    }

    fn remove(&mut self, number: u64) -> Option<Waiting> {
        let datagram = self.waiting.remove(&number)?;
        self.numbers.remove(&datagram.key);
        self.bytes = self.bytes.saturating_sub(datagram.bytes);
        Some(datagram)
    }
}

impl Pieces {
    fn add(&mut self, part: Part, body: &[u8], header: (IpHeader, u8)) -> Added {
        let Part { offset, more, .. } = part;
        if self.by_offset.get(&offset).is_some_and(|piece| **piece == *body) && more == self.more_after(offset, body) {
            return Added::Repeated;
        }
        let end = offset.saturating_add(len_u32(body));
        if self.overlaps(offset, end) || self.contradicts(end, more) {
            return Added::Overlaps;
        }
        if !more {
            self.len = Some(end);
        }
        if offset == 0 {
            self.first = Some(header);
        }
        self.by_offset.insert(offset, body.into());
        self.filled_len = self.filled_len.saturating_add(len_u32(body));
        if self.len == Some(self.filled_len) { Added::Complete } else { Added::Kept }
    }

    fn more_after(&self, offset: u32, body: &[u8]) -> bool {
        self.len != Some(offset.saturating_add(len_u32(body)))
    }

    fn overlaps(&self, offset: u32, end: u32) -> bool {
        self.by_offset
            .range(..end)
            .next_back()
            .is_some_and(|(&start, piece)| start.saturating_add(len_u32(piece)) > offset)
    }

    /// Whether a part disagrees with the others about where the datagram ends.
    fn contradicts(&self, end: u32, more: bool) -> bool {
        let last_end =
            self.by_offset.last_key_value().map_or(0, |(&start, piece)| start.saturating_add(len_u32(piece)));
        match self.len {
            Some(len) => end > len || !more,
            None => !more && last_end > end,
        }
    }

    fn join(self) -> Option<Datagram> {
        let (mut header, protocol) = self.first?;
        let first_len = self.by_offset.get(&0).map_or(0, |piece| len_u32(piece));
        header.len = header.len.saturating_sub(first_len).saturating_add(self.filled_len);
        let mut bytes = Vec::with_capacity(usize::try_from(self.filled_len).unwrap_or(0));
        self.by_offset.values().for_each(|piece| bytes.extend_from_slice(piece));
        Some(Datagram { header, protocol, bytes })
    }
}
