//! Frames to packets. Input: frames, each after its link type, time step, and length (two bytes).
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use spanwatch::capture::{Frame, LinkType};
use spanwatch::decode::{Counters, Decoder, Limits, Skip};
use spanwatch::time::Timestamp;

const LIMITS: Limits = Limits {
    headers_max: 16,
    duplicate_window: Duration::from_millis(2),
    duplicate_packets_max: 16,
    fragment_timeout: Duration::from_secs(30),
    fragment_datagrams_max: 8,
    fragment_bytes_max: 64 << 10,
};

/// Link types by their LINKTYPE_ values, the usual one more often.
const LINKS: [u16; 25] =
    [1, 1, 1, 1, 113, 276, 0, 9, 101, 147, 104, 105, 163, 119, 127, 239, 258, 192, 7, 129, 107, 242, 51, 6, 149];

fuzz_target!(|input: &[u8]| {
    let frames = frames(input);
    let mut decoder = Decoder::new(LIMITS);
    for frame in &frames {
        if let Ok(packet) = decoder.decode(*frame) {
            assert!(packet.payload.len() <= packet.head.payload_len as usize);
            assert!(packet.head.payload_len <= packet.head.ip.len);
        }
        bounded(&decoder.counters());
    }
    if let Some(frame) = frames.first() {
        no_prefix_has_other_ends(frame);
    }
});

fn frames(mut input: &[u8]) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    let mut at = Timestamp::from_secs(1);
    while let Some((&[link, step, high, low], rest)) = input.split_first_chunk() {
        at = at + Duration::from_micros(u64::from(step) * 500);
        let wire_len = u16::from_be_bytes([high, low]);
        let (bytes, rest) = rest.split_at(rest.len().min(wire_len.into()));
        let link = LinkType::from_value(LINKS[usize::from(link) % LINKS.len()]);
        frames.push(Frame { at, seq: frames.len() as u64, link, wire_len: wire_len.into(), bytes });
        input = rest;
    }
    frames
}

fn bounded(counters: &Counters) {
    let skipped: u64 = Skip::ALL.iter().map(|&skip| counters.skipped(skip)).sum();
    assert_eq!(counters.frames, counters.packets + skipped);
    assert!(counters.fragments.waiting <= LIMITS.fragment_datagrams_max as u64);
    assert!(counters.fragments.waiting_bytes <= LIMITS.fragment_bytes_max as u64);
    if counters.fragments.waiting == 0 {
        assert_eq!(counters.fragments.waiting_bytes, 0);
    }
}

/// A frame that was cut has the ends of the whole frame, or is no packet.
fn no_prefix_has_other_ends(frame: &Frame<'_>) {
    let ends = |frame: Frame<'_>| {
        Decoder::new(LIMITS).decode(frame).map(|packet| (packet.head.source, packet.head.target, packet.head.transport))
    };
    let Ok(whole) = ends(*frame) else { return };
    for len in 0..frame.bytes.len().min(200) {
        if let Ok(cut) = ends(Frame { bytes: &frame.bytes[..len], ..*frame }) {
            assert_eq!(cut, whole, "cut at {len}");
        }
    }
}
