//! Every recorded scenario says what its `expected.jsonl` holds; `UPDATE=1` writes that anew, for a person to read.

mod support;

use std::fs;
use std::path::Path;

use support::{Place, RULES, configuration, recordings, scenarios};

const BYTES_MAX: u64 = 1 << 20;

#[test]
fn every_scenario_says_what_is_expected() {
    let mut wrong = Vec::new();
    for capture in scenarios().into_iter().chain(recordings()) {
        let said = said(&capture);
        let file = capture.with_file_name("expected.jsonl");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &said).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        let differs = expected.lines().zip(said.lines()).position(|(expected, said)| expected != said);
        if expected != said {
            let line = differs.map_or(expected.lines().count().min(said.lines().count()), |line| line) + 1;
            wrong.push(format!("{} differs at line {line}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 cargo test --test scenarios writes them anew", wrong.join("\n"));
}

/// Events and alerts with everything in them, alerts first; of a recording, which is said in events already, alerts and
/// findings alone.
fn said(capture: &Path) -> String {
    let place = Place::new();
    let [capture_name, config] = [capture, &configuration(capture)].map(|path| path.to_str().unwrap().to_owned());
    let arguments = ["--config", &config, "--rules", RULES, "--events", "events.jsonl", "--alerts", "alerts.jsonl"];
    let outcome = place.run(&[&["replay"], &arguments[..], &[&capture_name]].concat());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{}", capture.display());
    let events = place.read("events.jsonl");
    if capture.extension().is_some_and(|extension| extension == "pcap") {
        return place.read("alerts.jsonl") + &events;
    }
    let findings = events.lines().filter(|line| line.contains("\"spanwatch.finding.family\""));
    place.read("alerts.jsonl") + &findings.map(|line| format!("{line}\n")).collect::<String>()
}

#[test]
fn every_scenario_is_small_and_says_where_it_comes_from() {
    let table = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/pcaps/README.md")).unwrap();
    for capture in scenarios().into_iter().chain(recordings()) {
        let name = capture.parent().and_then(Path::file_name).unwrap().to_str().unwrap();
        assert!(fs::metadata(&capture).unwrap().len() <= BYTES_MAX, "{name} is too large");
        assert!(table.contains(&format!("| `{name}` |")), "pcaps/README.md does not tell of {name}");
    }
}
