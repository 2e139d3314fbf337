//! What outlives the process: incidents that are said once, what takes days to find, dismissals, and what a replay makes of a
//! memory that was damaged.

mod support;

use std::fs;
use std::path::Path;

use support::{Outcome, Place, RULES, configuration, recordings, scenarios};

/// Replays the farm with the state in `state`.
fn replay(place: &Place) -> Outcome {
    let capture = scenarios().into_iter().find(|path| path.to_string_lossy().contains("laptop-farm")).unwrap();
    let [file, config] =
        [&capture, &configuration(&capture)].map(|path: &std::path::PathBuf| path.to_str().unwrap().to_owned());
    place.run(&["replay", "--config", &config, "--rules", RULES, "--state", "state", "--alerts", "a.jsonl", &file])
}

/// The actions of the incidents, and how many alerts there are beside them.
fn said(place: &Place) -> (Vec<String>, usize) {
    let written = place.read("a.jsonl");
    let lines: Vec<serde_json::Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let incidents = lines.iter().filter(|line| line["event.dataset"] == "spanwatch.incident");
    let actions: Vec<String> = incidents.map(|line| line["event.action"].as_str().unwrap().to_owned()).collect();
    let alerts = lines.len() - actions.len();
    (actions, alerts)
}

fn without_memory(place: &Place) {
    fs::remove_file(place.path("state").join("memory")).unwrap();
}

#[test]
fn what_was_said_is_not_said_again_after_a_restart() {
    let place = Place::new();
    assert_eq!(replay(&place).code, Some(0));
    let (incidents, alerts) = said(&place);
    assert_eq!((incidents, alerts > 0), (vec!["opened".to_owned()], true));
    assert_eq!(replay(&place).code, Some(0));
    assert_eq!(said(&place), (vec![], 0));
    without_memory(&place);
    assert_eq!(replay(&place).code, Some(0));
    assert_eq!(said(&place), (vec!["opened".to_owned()], alerts));
}

#[test]
fn a_dismissed_house_is_no_incident_and_still_has_its_alerts() {
    let place = Place::new();
    let dismissed = place.run(&["dismiss", "--state", "state", "site", "198.51.100.7", "--reason", "our test house"]);
    assert_eq!((dismissed.code, dismissed.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        dismissed.stdout,
        "site 198.51.100.7 is dismissed for 90 days. A running sensor learns of it when it reloads.\n"
    );
    assert_eq!(replay(&place).code, Some(0));
    let (incidents, alerts) = said(&place);
    assert_eq!((incidents.len(), alerts > 0), (0, true));
}

#[test]
fn a_dismissal_names_its_fault() {
    let place = Place::new();
    for (arguments, fault) in [
        (
            vec!["dismiss", "site", "198.51.100.7", "--reason", "x"],
            "spanwatch: no directory of the state; give --state DIR, or set state.dir in the configuration\n",
        ),
        (
            vec!["dismiss", "--state", "state", "site", "198.51.100.0/24", "--reason", "x"],
            "spanwatch: \"198.51.100.0/24\" is no site; take it from spanwatch.entity.id\n",
        ),
    ] {
        let outcome = place.run(&arguments);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(2), fault));
    }
}

#[test]
fn a_damaged_memory_is_refused_before_anything_is_read() {
    let place = Place::new();
    place.write("state/memory", "spanwatch-memory 3 00\n");
    let outcome = replay(&place);
    assert_eq!(outcome.code, Some(2));
    let path = Path::new("state").join("memory");
    assert_eq!(
        outcome.stderr,
        format!(
            "spanwatch: {} cannot be restored: it is damaged: its digest does not fit; move it away to begin anew\n",
            path.display()
        )
    );
}

/// The two halves of a recording, as recordings of their own, cut amid a day of work.
fn halves(recording: &Path) -> [String; 2] {
    let text = zstd::decode_all(fs::File::open(recording).unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    let fact_at = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["fact"]["at"].as_u64()
    };
    let times: Vec<u64> = text.lines().filter_map(fact_at).collect();
    let middle = times[times.len() / 2];
    let half = |keeps: &dyn Fn(u64) -> bool| {
        let kept = text.lines().filter(|line| fact_at(line).is_none_or(keeps));
        kept.map(|line| format!("{line}\n")).collect()
    };
    [half(&|at| at < middle), half(&|at| at >= middle)]
}

/// Alerts, incidents and findings, without the numbers of flows, which are a process's own.
fn found(place: &Place, state: &[&str], file: &str) -> Vec<String> {
    let config = configuration(&recordings()[0]);
    let arguments = ["--config", config.to_str().unwrap(), "--rules", RULES, "--alerts", "a.jsonl"];
    let outcome = place.run(&[&["replay"], &arguments[..], &["--events", "e.jsonl"], state, &[file]].concat());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{file}");
    let findings = place.read("e.jsonl");
    let findings = findings.lines().filter(|line| line.contains("\"spanwatch.finding.family\""));
    let alerts = place.read("a.jsonl");
    let without_numbers = |line: &str| {
        let mut said: serde_json::Value = serde_json::from_str(line).unwrap();
        said.as_object_mut().unwrap().remove("spanwatch.flow.id");
        said.to_string()
    };
    alerts.lines().chain(findings).map(without_numbers).collect()
}

/// Their tunnels are open at the cut. The facts behind it say when those began, which a sensor that starts amid them cannot know.
const OPEN_AT_THE_CUT: &[&str] = &["laptops-by-day", "laptops-never-off"];

#[test]
fn what_takes_days_to_find_is_found_across_a_restart_just_as_without_one() {
    let is_open = |path: &Path| OPEN_AT_THE_CUT.iter().any(|name| path.to_string_lossy().contains(name));
    for recording in recordings().into_iter().filter(|path| !is_open(path)) {
        let name = recording.display();
        let place = Place::new();
        let whole = found(&place, &[], recording.to_str().unwrap());
        let [first, second] = halves(&recording);
        place.write("first.facts.jsonl", first);
        place.write("second.facts.jsonl", second);
        let state = ["--state", "state"];
        let mut across = found(&place, &state, "first.facts.jsonl");
        across.extend(found(&place, &state, "second.facts.jsonl"));
        let sorted = |mut said: Vec<String>| {
            said.sort();
            said
        };
        assert_eq!(sorted(across), sorted(whole), "{name}");
    }
}

#[test]
fn a_part_of_the_memory_that_is_not_understood_is_named() {
    let place = Place::new();
    assert_eq!(replay(&place).code, Some(0));
    let text = place.read("state/memory");
    let (_, body) = text.split_once('\n').unwrap();
    let at = body.find("\ndetect.relay\n").unwrap() + "\ndetect.relay\n".len();
    let end = at + body[at..].find('\n').unwrap();
    let body = format!("{}{{}}{}", &body[..at], &body[end..]);
    let digest = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    place.write("state/memory", format!("spanwatch-memory 3 {digest}\n{body}"));
    let outcome = replay(&place);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.starts_with(
            "spanwatch: state/memory cannot be restored: its section detect.relay is not what this sensor writes: "
        ) && outcome.stderr.ends_with("; move it away to begin anew\n"),
        "{}",
        outcome.stderr
    );
}
