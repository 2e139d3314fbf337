//! The number of shards is not seen in what the sensor says.

mod support;

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
