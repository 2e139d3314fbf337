//! Public captures with known truth, which lie beside the project and are no part of it: the score does not fall, and
//! damaged captures are read to their end. Where they are not there, the tests say so.

#![allow(clippy::disallowed_methods)] // how long a replay takes is asked of the clock

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::Place;

const CONFORMANCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/conformance");
/// So long a replay of a damaged capture may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The least share of known values found, or the most faults.
const FINGERPRINTS_MIN: f64 = 0.999;
const PROTOCOLS_MIN: f64 = 0.969;
const FIELDS_MIN: f64 = 0.959;
/// Two claims are true and not in the tags: a WireGuard initiation and a Kerberos ticket exchange that tshark reads, too.
const FALSE_CLAIMS_MAX: u64 = 2;

fn folder(name: &str) -> Option<PathBuf> {
    let folder = Path::new(CONFORMANCE).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is not there", folder.display());
    None
}

#[test]
fn the_score_on_public_captures_does_not_fall() {
    let Some(set) = folder("open") else { return };
    let score = Command::new("python3")
        .arg(Path::new(CONFORMANCE).join("score.py"))
        .args(["--bin", env!("CARGO_BIN_EXE_spanwatch"), "--set"])
        .arg(set)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&score.stdout);
    let summary: serde_json::Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let share = |name: &str| summary[name].as_f64().unwrap();
    assert!(share("fingerprints") >= FINGERPRINTS_MIN, "{printed}");
    assert!(share("protocols") >= PROTOCOLS_MIN, "{printed}");
    assert!(share("fields") >= FIELDS_MIN, "{printed}");
    assert!(summary["false_claims"].as_u64().unwrap() <= FALSE_CLAIMS_MAX, "{printed}");
    assert_eq!(summary["broken"], 0, "{printed}");
}

#[test]
fn damaged_captures_are_read_to_their_end_or_refused_by_name() {
    let Some(set) = folder("malformed/pcap") else { return };
    let place = Place::new();
    for entry in fs::read_dir(set).unwrap() {
        let capture = entry.unwrap().path();
        let name = capture.file_name().unwrap().to_str().unwrap();
        let started = Instant::now();
        let outcome = place.run(&["replay", "--shards", "2", "--events", "e.jsonl", capture.to_str().unwrap()]);
        assert!(started.elapsed() < PATIENCE, "{name} took {:?}", started.elapsed());
        assert!(!outcome.stderr.contains("panicked"), "{name}: {}", outcome.stderr);
        let refused = matches!(outcome.code, Some(1 | 2)) && outcome.stderr.contains(name);
        assert!(outcome.code == Some(0) || refused, "{name}: {:?} {}", outcome.code, outcome.stderr);
    }
}
