//! Every rule matches on the scenarios that it names as evidence, and is quiet on those that are close to it; the farm
//! is one incident, and an ordinary day none.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use spanwatch::rules::{RuleKind, Rules};
use support::{Place, RULES, configuration, recordings, scenarios};

/// Scenarios in which nothing happens that anybody should be told of.
const ORDINARY: &[&str] =
    &["house-honest", "office-day", "ordinary-web", "remote-desktop-inside", "ssh-inside", "tunnel-to-own-gateway"];

/// The farms, each in the house at 198.51.100.7.
const FARMS: &[&str] = &["house-farm", "laptop-farm"];

#[test]
fn every_rule_fires_and_keeps_quiet_where_it_says() {
    let rules = loud_rules();
    let fired: BTreeMap<String, BTreeSet<String>> = scenarios()
        .iter()
        .chain(&recordings())
        .map(|capture| (scenario(capture), said(capture, &rules).alerts))
        .collect();
    let rules = Rules::load(Path::new(RULES)).unwrap();
    let mut wrong = Vec::new();
    for rule in rules.list() {
        let evidence = &rule.evidence;
        let alerts = rule.kind != RuleKind::Filter && !rule.is_counted_only;
        assert_eq!(!evidence.fires.is_empty() && !evidence.quiet.is_empty(), alerts, "evidence of {}", rule.name);
        for (scenarios, fires) in [(&evidence.fires, true), (&evidence.quiet, false)] {
            for scenario in scenarios {
                match fired.get(scenario) {
                    None => wrong.push(format!("{}: there is no scenario {scenario}", rule.name)),
                    Some(alerts) if alerts.contains(&rule.name) != fires => {
                        let what = if fires { "is quiet" } else { "fires" };
                        wrong.push(format!("{} {what} on {scenario}", rule.name));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_farm_is_one_incident_and_an_ordinary_day_is_nothing() {
    for capture in scenarios().into_iter().chain(recordings()) {
        let scenario = scenario(&capture);
        let said = said(&capture, Path::new(RULES));
        if ORDINARY.contains(&scenario.as_str()) {
            assert_eq!((said.alerts, said.incidents), Default::default(), "{scenario}");
        } else if FARMS.contains(&scenario.as_str()) {
            let opened: Vec<_> =
                said.incidents.iter().filter(|incident| incident["event.action"] == "opened").collect();
            assert_eq!(opened.len(), 1, "{scenario}");
            assert_eq!(opened[0]["spanwatch.entity.kind"], "site");
            assert_eq!(opened[0]["spanwatch.entity.id"], "198.51.100.7");
        } else {
            assert_eq!(said.incidents.len(), 0, "{scenario}: one sign is no incident");
        }
    }
}

/// What a replay wrote beside events.
#[derive(Debug)]
struct Said {
    /// The names of the rules that alerted.
    alerts: BTreeSet<String>,
    incidents: Vec<serde_json::Value>,
}

fn said(capture: &Path, rules: &Path) -> Said {
    let place = Place::new();
    let [capture_name, config, rules] =
        [capture, &configuration(capture), rules].map(|path| path.to_str().unwrap().to_owned());
    let outcome = place.run(&["replay", "--config", &config, "--rules", &rules, "--alerts", "a.jsonl", &capture_name]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{}", capture.display());
    let written = place.read("a.jsonl");
    let lines: Vec<serde_json::Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (incidents, alerts): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line["event.dataset"] == "spanwatch.incident");
    let name = |alert: &serde_json::Value| alert["event.action"].as_str().expect("an alert names its rule").to_owned();
    Said { alerts: alerts.iter().map(name).collect(), incidents }
}

/// The shipped rules, each that is evidence only speaking, too. They stay for as long as the process.
fn loud_rules() -> PathBuf {
    let copy = tempfile::tempdir().unwrap().keep();
    let mut folders = vec![PathBuf::from(RULES)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let target = copy.join(path.strip_prefix(RULES).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            fs::write(target, text.replace("\nlevel: informational\n", "\nlevel: low\n")).unwrap();
        }
    }
    copy
}

fn scenario(capture: &Path) -> String {
    capture.parent().and_then(Path::file_name).unwrap().to_str().unwrap().to_owned()
}
