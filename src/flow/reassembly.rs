//! The TCP segments of one side in, its bytes in order and the holes between them out.
//!
//! [`Track`] follows a side for the whole life of its flow and only counts. [`Reassembly`] keeps what came too early, as
//! long as a parser listens. Where two segments say different things of the same byte, the first copy wins.

use std::collections::VecDeque;

/// A TCP sequence number; it wraps (RFC 9293 section 3.4).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sequence(pub u32);

impl Sequence {
    pub(super) const fn plus(self, len: u32) -> Self {
        Self(self.0.wrapping_add(len))
    }

    /// How far `self` lies behind `earlier`, `Err` with the distance where it lies before it.
    pub(super) const fn since(self, earlier: Self) -> Result<u32, u32> {
        let distance = self.0.wrapping_sub(earlier.0);
        if distance <= i32::MAX as u32 { Ok(distance) } else { Err(distance.wrapping_neg()) }
    }

    pub(super) const fn is_behind(self, earlier: Self) -> bool {
        matches!(self.since(earlier), Ok(distance) if distance > 0)
    }
}

/// A segment's payload: `bytes` may be cut shorter than `len` by the snap length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload<'a> {
    pub(super) sequence: Sequence,
    pub(super) len: u32,
    pub(super) bytes: &'a [u8],
}

impl<'a> Payload<'a> {
    const fn end(&self) -> Sequence {
        self.sequence.plus(self.len)
    }

    /// Without its first `len` bytes.
    fn behind(&self, len: u32) -> Self {
        Self {
            sequence: self.sequence.plus(len),
            len: self.len.saturating_sub(len),
            bytes: usize::try_from(len).ok().and_then(|len| self.bytes.get(len..)).unwrap_or_default(),
        }
    }

    /// Its first `len` bytes.
    fn first(&self, len: u32) -> Self {
        let bytes = usize::try_from(len).ok().and_then(|len| self.bytes.get(..len)).unwrap_or(self.bytes);
        Self { sequence: self.sequence, len: len.min(self.len), bytes }
    }
}

/// What the payload of one segment was, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Seen {
    /// Not seen before.
    pub(super) fresh: u32,
    pub(super) repeated: u32,
    /// Missing before it.
    pub(super) lost: u32,
    /// Of the fresh ones, those that had been counted as lost.
    pub(super) found: u32,
}

/// How far a side's stream has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Track {
    next: Sequence,
    begun: bool,
    /// The latest hole: what arrives late is no retransmission.
    hole: Sequence,
    hole_len: u32,
}

impl Track {
    pub(super) const fn has_begun(&self) -> bool {
        self.begun
    }

    pub(super) const fn next(&self) -> Sequence {
        self.next
    }

    /// The stream's first byte has this number.
    pub(super) const fn begin(&mut self, sequence: Sequence) {
        self.next = sequence;
        self.begun = true;
        self.hole_len = 0;
    }

    /// Whether it is a keepalive probe: nothing, or one byte, before the next one (RFC 9293 section 3.8.4).
    pub(super) fn is_keepalive(&self, payload: &Payload<'_>) -> bool {
        self.begun && payload.len <= 1 && payload.sequence.plus(1) == self.next
    }

    /// Counts a segment of a stream that nobody reads.
    pub(super) fn count(&mut self, payload: &Payload<'_>) -> Seen {
        match payload.sequence.since(self.next) {
            Ok(lost) => {
                if lost > 0 {
                    (self.hole, self.hole_len) = (self.next, lost);
                }
                self.next = payload.end();
                Seen { fresh: payload.len, lost, ..Seen::default() }
            }
            Err(behind) => {
                let old = payload.len.min(behind);
                let found = self.fill_hole(payload.sequence, old);
                let new = payload.len.saturating_sub(old);
                self.next = self.next.plus(new);
                Seen { fresh: new.saturating_add(found), repeated: old.saturating_sub(found), lost: 0, found }
            }
        }
    }

    /// Takes `len` bytes from `sequence` on out of the hole; what remains is the longer part beside them.
    fn fill_hole(&mut self, sequence: Sequence, len: u32) -> u32 {
        let (before, from) = match sequence.since(self.hole) {
            Ok(before) => (before, before),
            Err(_) => (0, 0),
        };
        let until = sequence.plus(len).since(self.hole).unwrap_or(0).min(self.hole_len);
        let found = until.saturating_sub(from);
        if found > 0 {
            let after = self.hole_len.saturating_sub(until);
            if after >= before {
                self.hole = self.hole.plus(until);
            }
            self.hole_len = after.max(before);
        }
        found
    }
}

/// What reassembly hands out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Piece<'a> {
    Bytes(&'a [u8]),
    Gap(u32),
}

/// The most that waits for a missing segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) bytes_max: usize,
    pub(super) segments_max: usize,
}

/// The segments of one side that came before their turn: in order, without overlap, all behind the track's `next`.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// Most streams come in order from beginning to end: none unless something waits.
    early: Option<Box<Early>>,
    /// The highest acknowledgment the other side sent: what lies before it was received, whether it was seen or not.
    acknowledged: Option<Sequence>,
}

#[derive(Debug, Default)]
struct Early {
    segments: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    sequence: Sequence,
    len: u32,
    bytes: Box<[u8]>,
}

impl Waiting {
    const fn end(&self) -> Sequence {
        self.sequence.plus(self.len)
    }
}

impl Reassembly {
    pub(super) fn waiting_bytes(&self) -> usize {
        self.early.as_ref().map_or(0, |early| early.bytes)
    }

    /// Takes a segment, hands out what its turn has come for, and gives up a hole that need not be waited for.
    pub(super) fn on_payload(
        &mut self,
        track: &mut Track,
        payload: Payload<'_>,
        room: Room,
        out: &mut impl FnMut(Piece<'_>),
    ) -> Seen {
        let (payload, mut seen) = match payload.sequence.since(track.next) {
            Ok(_) => (payload, Seen::default()),
            Err(behind) => {
                let old = behind.min(payload.len);
                let found = track.fill_hole(payload.sequence, old);
                let repeated = old.saturating_sub(found);
                (payload.behind(old), Seen { fresh: found, repeated, lost: 0, found })
            }
        };
        if payload.len == 0 {
            return seen;
        }
        if payload.sequence == track.next && self.early.is_none() {
            seen.fresh = seen.fresh.saturating_add(payload.len);
            hand_out(track, payload, out);
            return seen;
        }
        self.early.get_or_insert_default().keep(payload, &mut seen);
        self.hand_out_ready(track, out);
        seen.lost = self.give_up_acknowledged(track, out);
        while self.early.as_ref().is_some_and(|early| early.is_beyond(room)) {
            seen.lost = seen.lost.saturating_add(self.give_up_hole(track, out));
        }
        seen
    }

    /// The other side has received everything before `acknowledgment`.
    pub(super) fn on_acknowledgment(
        &mut self,
        track: &mut Track,
        acknowledgment: Sequence,
        out: &mut impl FnMut(Piece<'_>),
    ) -> Seen {
        if self.acknowledged.is_none_or(|highest| acknowledgment.is_behind(highest)) {
            self.acknowledged = Some(acknowledgment);
        }
        let lost = if self.early.is_none() { 0 } else { self.give_up_acknowledged(track, out) };
        Seen { lost, ..Seen::default() }
    }

    /// The flow is over: hands out what still waits.
    pub(super) fn finish(&mut self, track: &mut Track, out: &mut impl FnMut(Piece<'_>)) -> Seen {
        let mut lost = 0_u32;
        while self.first().is_some() {
            lost = lost.saturating_add(self.give_up_hole(track, out));
        }
        Seen { lost, ..Seen::default() }
    }

    /// Returns the bytes given up for lost.
    fn give_up_acknowledged(&mut self, track: &mut Track, out: &mut impl FnMut(Piece<'_>)) -> u32 {
        let mut lost = 0_u32;
        while let (Some(first), Some(acknowledged)) = (self.first(), self.acknowledged) {
            if first.sequence.is_behind(acknowledged) {
                break;
            }
            lost = lost.saturating_add(self.give_up_hole(track, out));
        }
        lost
    }

    /// Gives up the first hole and hands out what lies behind it. Returns the hole's length.
    fn give_up_hole(&mut self, track: &mut Track, out: &mut impl FnMut(Piece<'_>)) -> u32 {
        let Some(first) = self.first() else {
            return 0;
        };
        let lost = first.sequence.since(track.next).unwrap_or(0);
        if lost > 0 {
            out(Piece::Gap(lost));
        }
        (track.hole, track.hole_len, track.next) = (track.next, lost, first.sequence);
        self.hand_out_ready(track, out);
        lost
    }

    fn hand_out_ready(&mut self, track: &mut Track, out: &mut impl FnMut(Piece<'_>)) {
        let Some(early) = &mut self.early else {
            return;
        };
        while let Some(first) = early.segments.pop_front_if(|first| first.sequence == track.next) {
            early.bytes = early.bytes.saturating_sub(first.bytes.len());
            hand_out(track, Payload { sequence: first.sequence, len: first.len, bytes: &first.bytes }, out);
        }
        if early.segments.is_empty() {
            self.early = None;
        }
    }

    fn first(&self) -> Option<&Waiting> {
        self.early.as_ref()?.segments.front()
    }
}

impl Early {
    fn is_beyond(&self, room: Room) -> bool {
        self.bytes > room.bytes_max || self.segments.len() > room.segments_max
    }

    /// Copies the parts of `payload` that nothing waiting covers.
    fn keep(&mut self, mut payload: Payload<'_>, seen: &mut Seen) {
        let mut place = self.segments.partition_point(|waiting| !waiting.end().is_behind(payload.sequence));
        while payload.len > 0 {
            let next = self.segments.get(place).map(|waiting| (waiting.sequence, waiting.end()));
            let free = match next.map(|(begin, _)| begin.since(payload.sequence)) {
                None => payload.len,
                Some(Ok(distance)) => distance.min(payload.len),
                Some(Err(_)) => 0,
            };
            if free > 0 {
                self.insert(place, payload.first(free));
                seen.fresh = seen.fresh.saturating_add(free);
                place = place.saturating_add(1);
                payload = payload.behind(free);
            }
            let covered = next.map_or(0, |(_, end)| end.since(payload.sequence).unwrap_or(0).min(payload.len));
            seen.repeated = seen.repeated.saturating_add(covered);
            payload = payload.behind(covered);
            place = place.saturating_add(1);
        }
    }

    fn insert(&mut self, place: usize, payload: Payload<'_>) {
        self.bytes = self.bytes.saturating_add(payload.bytes.len());
        let waiting = Waiting { sequence: payload.sequence, len: payload.len, bytes: payload.bytes.into() };
        self.segments.insert(place.min(self.segments.len()), waiting);
    }
}

fn hand_out(track: &mut Track, payload: Payload<'_>, out: &mut impl FnMut(Piece<'_>)) {
    track.next = payload.end();
    if !payload.bytes.is_empty() {
        out(Piece::Bytes(payload.bytes));
    }
    let cut = payload.len.saturating_sub(u32::try_from(payload.bytes.len()).unwrap_or(u32::MAX));
    if cut > 0 {
        out(Piece::Gap(cut));
    }
}
