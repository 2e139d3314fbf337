//! Neither the number of shards nor the time of day is seen in what the sensor says.

mod support;

use std::fs;
use std::path::Path;

use support::{Place, scenarios};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");

/// Events, alerts and the summary of a replay.
fn said(place: &Place, captures: &[&str], shards: &str) -> [String; 3] {
    let mut arguments = vec!["replay", "--shards", shards, "--events", "events.jsonl", "--alerts", "alerts.jsonl"];
    if Path::new(RULES).is_dir() {
        arguments.extend(["--rules", RULES]);
    }
    arguments.extend(captures);
    let outcome = place.run(&arguments);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    [place.read("events.jsonl"), place.read("alerts.jsonl"), outcome.stdout]
}

#[test]
fn every_number_of_shards_says_the_same() {
    let place = Place::new();
    for capture in scenarios() {
        let capture = capture.to_str().unwrap();
        let one = said(&place, &[capture], "1");
        assert!(one[0].lines().count() > 5, "{capture} shows something");
        for shards in ["2", "3", "8"] {
            assert!(said(&place, &[capture], shards) == one, "{capture} with {shards} shards");
        }
    }
}

#[test]
fn several_captures_are_one_in_any_order_of_naming() {
    let place = Place::new();
    let captures = scenarios();
    let mut names: Vec<&str> = captures.iter().map(|path| path.to_str().unwrap()).collect();
    let forwards = said(&place, &names, "1");
    names.reverse();
    assert!(said(&place, &names, "3") == forwards);
}

#[test]
fn a_hundred_days_later_everything_is_said_a_hundred_days_later() {
    let place = Place::new();
    for capture in scenarios() {
        let then = said(&place, &[capture.to_str().unwrap()], "1");
        place.write("later.pcap", shifted(&fs::read(&capture).unwrap(), 100 * 86_400));
        for shards in ["1", "3"] {
            let later = said(&place, &["later.pcap"], shards);
            let (day, day_then) = (day_of(&later[0]), day_of(&then[0]));
            assert_ne!(day, day_then);
            let later = later.map(|text| text.replace(&day, &day_then));
            assert!(later == then, "{} with {shards} shards", capture.display());
        }
    }
}

/// The day of the first event; the scenarios are each of one.
fn day_of(events: &str) -> String {
    let (_, time) = events.split_once("\"@timestamp\":\"").unwrap();
    time[.."2026-11-24T".len()].into()
}

/// A little-endian pcap file with every frame's time moved.
fn shifted(file: &[u8], secs: u32) -> Vec<u8> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert!(matches!(word(0), 0xa1b2_c3d4 | 0xa1b2_3c4d), "a little-endian pcap file");
    let (mut moved, mut at) = (file.to_vec(), 24);
    while at < file.len() {
        moved[at..at + 4].copy_from_slice(&(word(at) + secs).to_le_bytes());
        at += 16 + word(at + 8) as usize;
    }
    moved
}
