//! Every rule alerts on the scenarios that it names as evidence, and is quiet on those that are close to it.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use spanwatch::rules::{RuleKind, Rules};
use support::{Place, RULES, configuration, recordings, scenarios};

/// Scenarios in which nothing happens that anybody should be told of.
const ORDINARY: &[&str] =
    &["office-day", "ordinary-web", "remote-desktop-inside", "ssh-inside", "tunnel-to-own-gateway"];

#[test]
fn every_rule_fires_and_keeps_quiet_where_it_says() {
    let fired: BTreeMap<String, BTreeSet<String>> =
        scenarios().iter().chain(&recordings()).map(|capture| (scenario(capture), alerts(capture))).collect();
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
    for scenario in ORDINARY {
        let alerts = &fired[*scenario];
        if !alerts.is_empty() {
            wrong.push(format!("{scenario} is an ordinary day, and raised {alerts:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names of the rules that alerted.
fn alerts(capture: &Path) -> BTreeSet<String> {
    let place = Place::new();
    let [capture_name, config] = [capture, &configuration(capture)].map(|path| path.to_str().unwrap().to_owned());
    let outcome = place.run(&["replay", "--config", &config, "--rules", RULES, "--alerts", "a.jsonl", &capture_name]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{}", capture.display());
    let name = |line: &str| {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        alert["event.action"].as_str().expect("every alert names its rule").to_owned()
    };
    place.read("a.jsonl").lines().map(name).collect()
}

fn scenario(capture: &Path) -> String {
    capture.parent().and_then(Path::file_name).unwrap().to_str().unwrap().to_owned()
}
