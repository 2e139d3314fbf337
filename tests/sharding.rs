//! Neither the number of shards nor the time of day is seen in what the sensor says.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::slice;

use support::{Outcome, Place, RULES, configuration, scenarios};

/// Events, alerts and the summary of a replay, judged by the configuration of the scenario.
fn said(place: &Place, scenario: &Path, captures: &[PathBuf], shards: &str) -> [String; 3] {
    said_under(place, &configuration(scenario), captures, shards)
}

fn said_under(place: &Place, config: &Path, captures: &[PathBuf], shards: &str) -> [String; 3] {
    let mut command = place.command(&["replay", "--rules", RULES, "--shards", shards]);
    command.args(["--events", "events.jsonl", "--alerts", "alerts.jsonl", "--config"]).arg(config).args(captures);
    let outcome = Outcome::from(command.output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    [place.read("events.jsonl"), place.read("alerts.jsonl"), outcome.stdout]
}

#[test]
fn every_number_of_shards_says_the_same() {
    let place = Place::new();
    for capture in scenarios() {
        let captures = slice::from_ref(&capture);
        let one = said(&place, &capture, captures, "1");
        assert!(!one[0].is_empty(), "{} shows something", capture.display());
        for shards in ["2", "3", "8"] {
            assert!(said(&place, &capture, captures, shards) == one, "{} with {shards} shards", capture.display());
        }
    }
}

#[test]
fn several_captures_are_one_in_any_order_of_naming() {
    let place = Place::new();
    // Frames of equal times stand in the order of naming, and simulated captures begin at one moment.
    let begins = |capture: &PathBuf| bytes(capture).get(24..32).map(<[u8]>::to_vec);
    let mut alike: BTreeMap<_, usize> = BTreeMap::new();
    scenarios().iter().for_each(|capture| *alike.entry(begins(capture)).or_default() += 1);
    let mut captures: Vec<PathBuf> =
        scenarios().into_iter().filter(|capture| alike.get(&begins(capture)) == Some(&1)).collect();
    assert!(captures.len() > 30, "most are recorded, each at a time of its own");
    let first = captures[0].clone();
    let forwards = said(&place, &first, &captures, "1");
    captures.reverse();
    assert!(said(&place, &first, &captures, "3") == forwards);
}

#[test]
fn a_hundred_days_later_everything_is_said_a_hundred_days_later() {
    let place = Place::new();
    for capture in scenarios() {
        let then = said(&place, &capture, slice::from_ref(&capture), "1");
        let later = [place.write("later.pcap", shifted(&bytes(&capture), 100 * 86_400))];
        let config = a_hundred_days_later(&place, configuration(&capture));
        for shards in ["1", "3"] {
            let later = said_under(&place, &config, &later, shards);
            let (days, days_then) = (days(&later[0]), days(&then[0]));
            assert!(days.is_disjoint(&days_then));
            let moved = days.iter().zip(&days_then);
            let later = later.map(|text| moved.clone().fold(text, |text, (day, then)| text.replace(day, then)));
            let unnamed = |texts: &[String; 3]| texts.clone().map(|text| without_incident_ids(&text));
            assert!(unnamed(&later) == unnamed(&then), "{} with {shards} shards", capture.display());
        }
    }
}

/// The configuration with its dates moved, where it has any: people come and leave a hundred days later, too.
fn a_hundred_days_later(place: &Place, config: PathBuf) -> PathBuf {
    const DATES: [(&str, &str); 5] = [
        (": 2019-09-02", ": 2019-12-11"),
        (": 2021-03-01", ": 2021-06-09"),
        (": 2026-11-02", ": 2027-02-10"),
        (": 2026-11-16", ": 2027-02-24"),
        (": 2026-11-25", ": 2027-03-05"),
    ];
    let text = fs::read_to_string(&config).unwrap();
    let is_date = |value: &&str| value.get(4..5) == Some("-") && value.get(7..8) == Some("-");
    let dates = text.split(": ").filter(is_date).count();
    if dates == 0 {
        return config;
    }
    let known: usize = DATES.iter().map(|(date, _)| text.matches(date).count()).sum();
    assert_eq!(dates, known, "{} has another date", config.display());
    place.write("later.yml", DATES.iter().fold(text, |text, (date, later)| text.replace(date, later)))
}

/// A capture's bytes, without its compression.
fn bytes(capture: &Path) -> Vec<u8> {
    let file = fs::read(capture).unwrap();
    if capture.extension().is_some_and(|extension| extension == "zst") {
        zstd::decode_all(&*file).unwrap()
    } else {
        file
    }
}

/// What was said without the names of incidents, which are made of whom they are about and when they opened.
fn without_incident_ids(text: &str) -> String {
    let mut parts = text.split("\"event.id\":\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('"').map_or(part, |(_, rest)| rest))
}

/// The days of the events, as times begin: `2026-11-24T`.
fn days(events: &str) -> BTreeSet<String> {
    let times = events.split("\"@timestamp\":\"").skip(1);
    times.map(|time| time[.."2026-11-24T".len()].into()).collect()
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
