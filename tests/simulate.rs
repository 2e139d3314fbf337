//! Simulated companies: the files are the same for the same seed, and the sensor reads them.

mod support;

use support::{Outcome, Place, RULES};

fn simulate(place: &Place, scenario: &str, seed: &str, out: &str) -> Outcome {
    place.run(&[
        "simulate",
        scenario,
        "--seed",
        seed,
        "--days",
        "1",
        "--employees",
        "2",
        "--form",
        "both",
        "--out",
        out,
    ])
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_one_others() {
    let place = Place::new();
    for (seed, out) in [("7", "one"), ("7", "two"), ("8", "three")] {
        let outcome = simulate(&place, "family", seed, out);
        let said = format!("spanwatch: writing about 2 MB to {out}\n");
        assert_eq!((outcome.code, outcome.stderr), (Some(0), said));
        assert!(outcome.stdout.starts_with("2 people, 1 days, 0 farms, "), "{}", outcome.stdout);
        let files = std::fs::read_dir(place.path(out)).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        let bytes: u64 = files.sum();
        let end = format!(", {} MB in {out}\n", bytes.div_ceil(1_000_000));
        assert!(outcome.stdout.ends_with(&end), "{} for {bytes}", outcome.stdout);
    }
    for file in ["capture.pcap.zst", "company.facts.jsonl.zst", "truth.json", "spanwatch.yml", "README.md"] {
        let read = |directory: &str| std::fs::read(place.path(directory).join(file)).unwrap();
        assert!(read("one") == read("two"), "{file}");
        assert!(read("one") != read("three") || file == "spanwatch.yml", "{file}");
    }
}

#[test]
fn a_capture_its_facts_and_both_halves_beside_each_other_are_judged_alike() {
    let place = Place::new();
    assert_eq!(simulate(&place, "family", "5", "made").code, Some(0));
    let judged = |files: &[&str], shards: &str| {
        let mut arguments = vec!["replay", "--rules", RULES, "--config", "made/spanwatch.yml", "--shards", shards];
        arguments.extend(["--events", "events.jsonl", "--alerts", "alerts.jsonl"]);
        arguments.extend(files);
        let outcome = place.run(&arguments);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        let events: Vec<serde_json::Value> =
            place.read("events.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!events.is_empty());
        (events, place.read("alerts.jsonl"))
    };
    let (mut of_capture, alerts_of_capture) = judged(&["made/capture.pcap.zst"], "2");
    let (mut of_facts, alerts_of_facts) = judged(&["made/company.facts.jsonl.zst"], "1");
    for event in of_capture.iter_mut().chain(&mut of_facts) {
        event.as_object_mut().unwrap().remove("spanwatch.flow.id");
    }
    assert_eq!(of_capture, of_facts);
    assert_eq!(alerts_of_capture, alerts_of_facts);

    let together = ["made/capture.pcap.zst", "made/company.facts.jsonl.zst"];
    let (of_both, _) = judged(&together, "3");
    let flows = |events: &[serde_json::Value]| events.iter().filter(|event| event["event.action"] == "flow").count();
    assert_eq!(flows(&of_both), flows(&of_capture) * 2);
    assert!(of_both.is_sorted_by_key(|event| event["@timestamp"].as_str().unwrap().to_owned()));
    assert_eq!(judged(&together, "1").0, of_both, "for any number of shards");
}

#[test]
fn a_scenario_that_there_is_not_is_answered_with_those_there_are() {
    let place = Place::new();
    let outcome = simulate(&place, "farm-rnm", "1", "out");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.starts_with("spanwatch: no scenario has the name `farm-rnm`; did you mean `farm-rmm`?\n"));
    assert!(outcome.stderr.contains("The scenarios are: carrier-nat, company, cookie-theft,"), "{}", outcome.stderr);
    let list = place.run(&["simulate", "--list"]);
    assert!(list.stdout.contains("\nfarm-kvm "), "{}", list.stdout);
    let few = place.run(&["simulate", "company", "--employees", "20", "--out", "out"]);
    assert!(
        few.stderr.starts_with("spanwatch: --employees 20: the scenario `company` may need up to "),
        "{}",
        few.stderr
    );
}

#[test]
fn a_recording_that_is_damaged_is_told_with_its_line() {
    let place = Place::new();
    place.write("bad.facts.jsonl", "{\"recording\":{\"version\":1}}\nno line\n");
    let outcome = place.run(&["replay", "bad.facts.jsonl"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.starts_with("spanwatch: bad.facts.jsonl:2: no line of a recording: "), "{}", outcome.stderr);
    place.write("none.facts.jsonl", "");
    assert_eq!(place.run(&["replay", "none.facts.jsonl"]).code, Some(2));
}

#[test]
fn a_company_without_farms_is_evaluated_and_what_is_missing_is_told() {
    let place = Place::new();
    let made = ["simulate", "family", "--days", "1", "--employees", "2", "--form", "facts", "--out", "quiet"];
    assert_eq!(place.run(&made).code, Some(0));
    let judged = place.run(&["evaluate", "--rules", RULES, "quiet"]);
    assert_eq!((judged.code, judged.stderr.as_str()), (Some(0), ""));
    assert!(judged.stdout.starts_with("Data       1 runs, 2 laptop days\nFarms      0 of 0"), "{}", judged.stdout);
    let again = place.run(&["evaluate", "--judged", "quiet"]);
    assert_eq!(again.stdout, judged.stdout);

    let missing = place.run(&["evaluate", "nowhere"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.starts_with("spanwatch: nowhere/truth.json: cannot be read: "), "{}", missing.stderr);
    assert!(missing.stderr.contains("give a directory that `spanwatch simulate` wrote"), "{}", missing.stderr);
    std::fs::remove_file(place.path("quiet/company.facts.jsonl.zst")).unwrap();
    let empty = place.run(&["evaluate", "--rules", RULES, "quiet"]);
    assert!(
        empty.stderr.contains("quiet: holds neither company.facts.jsonl.zst nor capture.pcap.zst"),
        "{}",
        empty.stderr
    );
}
