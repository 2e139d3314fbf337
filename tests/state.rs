//! What outlives the process: incidents that are said once, dismissals, and a memory that was damaged.

mod support;

use std::fs;
use std::path::Path;

use support::{Outcome, Place, RULES, configuration, scenarios};

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
    place.write("state/memory", "spanwatch-memory 1 00\n");
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
