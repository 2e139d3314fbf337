//! Captures to facts, frame by frame and in groups, with one shard and with two. Input: a classic little-endian capture file.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use spanwatch::capture::{Frame, LinkType};
use spanwatch::decode::{self, Decoder};
use spanwatch::facts::{Fact, Watermark};
use spanwatch::flow;
use spanwatch::shard::{Settings, Shard};
use spanwatch::time::Timestamp;

fuzz_target!(|input: &[u8]| {
    let frames = frames(input);
    let settings = Settings {
        decode: decode::Limits { duplicate_packets_max: 64, ..decode::Limits::default() },
        flow: flow::Settings { flows_max: 4096, ..flow::Settings::default() },
        openings: None,
    };
    let one = through_one_shard(&settings, &frames, 1);
    let together = through_one_shard(&settings, &frames, 7);
    assert_eq!(one, together, "the facts depend on the groups of frames");
    let two = through_two_shards(&settings, &frames);
    assert_eq!(one, two, "the facts depend on the number of shards");
});

fn frames(input: &[u8]) -> Vec<Frame<'_>> {
    let Some((header, mut rest)) = input.split_first_chunk::<24>() else { return Vec::new() };
    let link = LinkType::from_value(u16::from_le_bytes([header[20], header[21]]));
    let mut frames: Vec<Frame<'_>> = Vec::new();
    while let Some((record, behind)) = rest.split_first_chunk::<16>() {
        let number = |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        let captured_len = (number(8) as usize).min(behind.len());
        let (bytes, behind) = behind.split_at(captured_len);
        let last = frames.last().map_or(Timestamp::ZERO, |frame| frame.at);
        let at = Timestamp::from_nanos(u64::from(number(0)) * 1_000_000_000 + u64::from(number(4)) * 1000).max(last);
        let wire_len = number(12).max(captured_len as u32);
        frames.push(Frame { at, seq: frames.len() as u64, link, wire_len, bytes });
        rest = behind;
    }
    frames
}

fn through_one_shard(settings: &Settings, frames: &[Frame<'_>], together: usize) -> Vec<String> {
    let mut shard = Shard::new(settings);
    let mut facts = Vec::new();
    for group in frames.chunks(together) {
        shard.on_frames(group, &mut facts);
    }
    finish(&mut shard, frames, &mut facts);
    shown(facts)
}

/// As a replay does with several: one thread decodes, and the addresses decide.
fn through_two_shards(settings: &Settings, frames: &[Frame<'_>]) -> Vec<String> {
    let mut decoder = Decoder::new(settings.decode);
    let mut shards = [Shard::new(settings), Shard::new(settings)];
    let mut facts = Vec::new();
    for frame in frames {
        let Ok(packet) = decoder.decode(*frame) else { continue };
        let (a, b) = decode::address_pair(packet.head);
        shards[usize::from((last_byte(a) ^ last_byte(b)) & 1)].on_packets(std::iter::once(packet), &mut facts);
        // Watermarks may be asked for at any time.
        for shard in &mut shards {
            shard.on_time(frame.at, &mut facts);
        }
    }
    for shard in &mut shards {
        finish(shard, frames, &mut facts);
    }
    shown(facts)
}

fn last_byte(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(ip) => ip.octets()[15],
    }
}

fn finish(shard: &mut Shard, frames: &[Frame<'_>], facts: &mut Vec<Fact>) {
    let end = frames.last().map_or(Timestamp::ZERO, |frame| frame.at);
    while shard.finish(end, facts) != Watermark::END {}
}

fn shown(mut facts: Vec<Fact>) -> Vec<String> {
    facts.sort_by_key(|fact| (fact.at, fact.seq));
    facts.iter().map(|fact| format!("{fact:?}")).collect()
}
