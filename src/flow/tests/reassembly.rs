//! Reassembly against a stream in which every byte has its place.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::flow::reassembly::{Payload, Piece, Reassembly, Room, Seen, Sequence, Track};

const ROOMY: Room = Room { bytes_max: 1 << 20, segments_max: 1 << 10 };

/// A side's stream, and what was handed out of it: the byte at each place, nothing where a hole was given up.
struct Stream {
    begin: u32,
    track: Track,
    reassembly: Reassembly,
    out: Vec<Option<u8>>,
    seen: Seen,
}

impl Stream {
    fn new(begin: u32) -> Self {
        let mut track = Track::default();
        track.begin(Sequence(begin));
        Self { begin, track, reassembly: Reassembly::default(), out: Vec::new(), seen: Seen::default() }
    }

    fn segment(&mut self, at: u32, bytes: &[u8], room: Room) {
        let sequence = Sequence(self.begin.wrapping_add(at));
        let payload = Payload { sequence, len: u32::try_from(bytes.len()).unwrap(), bytes };
        let out = &mut self.out;
        let seen = self.reassembly.on_payload(&mut self.track, payload, room, &mut |piece| take(out, piece));
        self.add(seen);
    }

    fn acknowledge(&mut self, at: u32) {
        let (out, acknowledgment) = (&mut self.out, Sequence(self.begin.wrapping_add(at)));
        let seen = self.reassembly.on_acknowledgment(&mut self.track, acknowledgment, &mut |piece| take(out, piece));
        self.add(seen);
    }

    fn finish(&mut self) {
        let out = &mut self.out;
        let seen = self.reassembly.finish(&mut self.track, &mut |piece| take(out, piece));
        self.add(seen);
    }

    fn add(&mut self, seen: Seen) {
        self.seen.fresh += seen.fresh;
        self.seen.repeated += seen.repeated;
        self.seen.lost += seen.lost;
        self.seen.found += seen.found;
    }

    fn text(&self) -> String {
        self.out.iter().map(|byte| byte.map_or('_', char::from)).collect()
    }
}

fn take(out: &mut Vec<Option<u8>>, piece: Piece<'_>) {
    match piece {
        Piece::Bytes(bytes) => out.extend(bytes.iter().copied().map(Some)),
        Piece::Gap(len) => out.extend(std::iter::repeat_n(None, usize::try_from(len).unwrap())),
    }
}

/// Streams that begin near the wrap and anywhere else.
fn begin() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..300, (u32::MAX - 300)..=u32::MAX, (i32::MAX as u32 - 200)..(i32::MAX as u32 + 200), any::<u32>()]
}

/// Segments with bytes of their own: overlapping ones contradict each other.
fn segments() -> impl Strategy<Value = Vec<(u32, Vec<u8>)>> {
    prop::collection::vec((0_u32..200, prop::collection::vec(any::<u8>(), 0..40)), 0..60)
}

proptest! {
    #[test]
    fn the_stream_is_handed_out_as_far_as_it_is_known_and_the_first_copy_wins(begin in begin(), segments in segments()) {
        let mut stream = Stream::new(begin);
        let mut model: BTreeMap<u32, u8> = BTreeMap::new();
        let mut total = 0;
        for (at, bytes) in &segments {
            for (place, &byte) in (*at..).zip(bytes) {
                model.entry(place).or_insert(byte);
            }
            total += u32::try_from(bytes.len()).unwrap();
            stream.segment(*at, bytes, ROOMY);
            let known: Vec<Option<u8>> = (0..).map_while(|place| model.get(&place).copied().map(Some)).collect();
            prop_assert_eq!(&stream.out, &known);
            prop_assert_eq!(stream.reassembly.waiting_bytes(), model.len() - known.len());
        }
        stream.finish();
        let end = model.last_key_value().map_or(0, |(place, _)| place + 1);
        let expected: Vec<Option<u8>> = (0..end).map(|place| model.get(&place).copied()).collect();
        prop_assert_eq!(&stream.out, &expected);
        let fresh = u32::try_from(model.len()).unwrap();
        prop_assert_eq!(stream.seen, Seen { fresh, repeated: total - fresh, lost: end - fresh, found: 0 });
        prop_assert_eq!(stream.reassembly.waiting_bytes(), 0);
    }

    #[test]
    fn whatever_is_given_up_early_no_byte_is_out_of_its_place(
        begin in begin(),
        segments in segments(),
        acknowledgments in prop::collection::vec(0_u32..240, 60),
        bytes_max in 0_usize..100,
        segments_max in 0_usize..5,
    ) {
        let room = Room { bytes_max, segments_max };
        let mut stream = Stream::new(begin);
        let mut copies: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for ((at, bytes), acknowledged) in segments.iter().zip(acknowledgments) {
            for (place, &byte) in (*at..).zip(bytes) {
                copies.entry(place).or_default().push(byte);
            }
            stream.segment(*at, bytes, room);
            prop_assert!(stream.reassembly.waiting_bytes() <= bytes_max);
            if acknowledged % 3 == 0 {
                stream.acknowledge(acknowledged);
            }
        }
        stream.finish();
        for (place, byte) in (0..).zip(&stream.out) {
            prop_assert!(byte.is_none_or(|byte| copies.get(&place).is_some_and(|copies| copies.contains(&byte))));
        }
        let holes = u32::try_from(stream.out.iter().filter(|byte| byte.is_none()).count()).unwrap();
        prop_assert_eq!(stream.seen.lost, holes);
    }

    /// In order, with holes: counting alone comes to the same numbers as reading.
    #[test]
    fn counting_agrees_with_reading(begin in begin(), segments in prop::collection::vec((0_u32..20, 1_usize..50), 0..40)) {
        let mut stream = Stream::new(begin);
        let mut track = Track::default();
        track.begin(Sequence(begin));
        let (mut at, mut counted) = (0, Seen::default());
        for (hole, len) in segments {
            at += hole;
            let bytes = vec![0; len];
            stream.segment(at, &bytes, ROOMY);
            let sequence = Sequence(begin.wrapping_add(at));
            let seen = track.count(&Payload { sequence, len: u32::try_from(len).unwrap(), bytes: &bytes });
            counted.fresh += seen.fresh;
            counted.lost += seen.lost;
            at += u32::try_from(len).unwrap();
        }
        stream.finish();
        prop_assert_eq!(counted, stream.seen);
        prop_assert_eq!(track.next(), stream.track.next());
    }
}

#[test]
fn a_hole_is_waited_for_until_the_other_side_acknowledges_what_lies_behind_it() {
    let mut stream = Stream::new(u32::MAX - 1);
    stream.segment(0, b"ab", ROOMY);
    stream.segment(4, b"ef", ROOMY);
    stream.acknowledge(2);
    assert_eq!(stream.text(), "ab");
    stream.acknowledge(6);
    assert_eq!(stream.text(), "ab__ef");
    assert_eq!(stream.seen.lost, 2);
}

#[test]
fn a_segment_that_was_acknowledged_before_it_was_seen_is_waited_for_by_nobody() {
    let mut stream = Stream::new(7);
    stream.acknowledge(10);
    stream.segment(4, b"ef", ROOMY);
    assert_eq!(stream.text(), "____ef");
}

#[test]
fn what_fills_a_hole_that_was_given_up_is_found_again_but_not_handed_out() {
    let mut stream = Stream::new(7);
    stream.segment(4, b"efgh", Room { bytes_max: 0, segments_max: 8 });
    stream.segment(1, b"bcd", ROOMY);
    stream.segment(0, b"abc", ROOMY);
    assert_eq!(stream.text(), "____efgh");
    assert_eq!(stream.seen, Seen { fresh: 8, repeated: 2, lost: 4, found: 4 });
}

#[test]
fn what_the_snap_length_cut_is_a_hole() {
    let mut stream = Stream::new(7);
    let out = &mut stream.out;
    for (at, len, bytes) in [(10, 4, &b"kl"[..]), (0, 10, b"abcdefg")] {
        let payload = Payload { sequence: Sequence(7 + at), len, bytes };
        stream.reassembly.on_payload(&mut stream.track, payload, ROOMY, &mut |piece| take(out, piece));
    }
    assert_eq!(stream.text(), "abcdefg___kl__");
}

#[test]
fn late_bytes_shrink_the_hole_that_was_counted() {
    let mut track = Track::default();
    track.begin(Sequence(u32::MAX - 20));
    let mut count = |at: u32, len: u32| {
        track.count(&Payload { sequence: Sequence((u32::MAX - 20).wrapping_add(at)), len, bytes: b"" })
    };
    assert_eq!(count(100, 10), Seen { fresh: 10, lost: 100, ..Seen::default() });
    assert_eq!(count(0, 30), Seen { fresh: 30, found: 30, ..Seen::default() });
    assert_eq!(count(20, 20), Seen { fresh: 10, found: 10, repeated: 10, lost: 0 });
    assert_eq!(count(90, 15), Seen { fresh: 10, found: 10, repeated: 5, lost: 0 });
    assert_eq!(count(0, 110), Seen { fresh: 50, found: 50, repeated: 60, lost: 0 });
    assert_eq!(count(0, 110), Seen { repeated: 110, ..Seen::default() });
}
