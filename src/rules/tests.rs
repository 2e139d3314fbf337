use std::fs;
use std::path::Path;

use super::*;
use crate::analysis::tests::{Lines, batch, settings};
use crate::analysis::{Analysis, Settings};
use crate::enrich::geo::Geo;
use crate::event::tests::{fact, flow};
use crate::facts::{Fact, FactKind, FlowId, Watermark};
use crate::net::Transport;

const GOOD: &str = "\
title: A rule
name: good
id: 5a6f2f7e-7b39-4a66-9a1e-0f3a9f0c0001
description: It is there to be spoilt.
logsource: {product: spanwatch, category: malformed}
detection:
  selection: {event.reason: test}
  condition: selection
falsepositives: [every test]
level: low
tags: [attack.t1219]
spanwatch:
  family: identity
  weight: 1
  suppress: 1h
  evidence: {fires: [a], quiet: [b]}
";

/// The faults of a folder, without its path and the lines they show.
fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let Err(RuleFaults(faults)) = Rules::load(dir.path()) else {
        return Vec::new();
    };
    let prefix = format!("{}/", dir.path().display());
    let first_line = |fault: &Fault| fault.to_string().lines().next().unwrap_or_default().replace(&prefix, "");
    faults.iter().map(first_line).collect()
}

/// The faults of [`GOOD`] with a text in it replaced.
fn spoilt(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "{from}");
    faults(&[("good.yml", &GOOD.replacen(from, to, 1))])
}

#[test]
fn the_shipped_rules_have_no_fault() {
    let rules = Rules::load(Path::new("rules")).unwrap_or_else(|faults| panic!("{faults}"));
    let alerting = rules.list().filter(|rule| rule.kind != RuleKind::Filter && !rule.is_counted_only);
    assert!(alerting.count() >= 12);
}

#[test]
fn each_fault_of_a_rule_says_where_it_is_and_what_to_write() {
    for (from, to, expected) in [
        (
            "name: good",
            "name: other",
            "good.yml:2:1: the rule `other` stands in the file of `good`; give both the same name",
        ),
        ("name: good\n", "", "good.yml:1:1: the key `name` is missing; write name: good"),
        (
            "id: 5a6f2f7e-7b39-4a66-9a1e-0f3a9f0c0001\n",
            "",
            "good.yml:1:1: the key `id` is missing; write a UUID that no other rule has",
        ),
        (
            "id: 5a6f2f7e",
            "id: rule5a6f",
            "good.yml:3:1: `rule5a6f-7b39-4a66-9a1e-0f3a9f0c0001` is not a UUID such as 0b9a5c52-5d3f-4a0c-9a53-6a5d2f6c1e01",
        ),
        ("product: spanwatch", "product: windows", "good.yml:5:13: the product of every rule is `spanwatch`"),
        (
            "category: malformed",
            "category: malformd",
            "good.yml:5:33: unknown category `malformd`; did you mean `malformed`?",
        ),
        ("event.reason", "event.reasons", "good.yml:7:15: unknown field `event.reasons`; did you mean `event.reason`?"),
        ("event.reason", "CommandLine", "good.yml:7:15: unknown field `CommandLine`; docs/events.md lists the fields"),
        (
            "falsepositives: [every test]\n",
            "",
            "good.yml:1:1: the key `falsepositives` is missing; say what innocent traffic looks like it",
        ),
        (
            "level: low\n",
            "",
            "good.yml:1:1: the key `level` is missing; write informational, low, medium, high or critical",
        ),
        (
            "attack.t1219",
            "attack.initial_access",
            "good.yml:11:1: no ATT&CK technique among the tags; add one such as attack.t1219.002",
        ),
        ("family: identity", "family: identiti", "good.yml:13:11: unknown family `identiti`; did you mean `identity`?"),
        ("weight: 1", "weight: 70", "good.yml:14:11: a weight is a number of nats from 0 to 6.9"),
        (
            "suppress: 1h",
            "capture: yes please",
            "good.yml:15:12: `capture` is true or false: whether the first packets of what matches are kept",
        ),
        ("suppress: 1h", "suppress: soon", "good.yml:15:13: not a time such as 30m, 12h or 1d, up to 30d"),
        ("suppress: 1h", "suppress: 31d", "good.yml:15:13: not a time such as 30m, 12h or 1d, up to 30d"),
        (
            "suppress: 1h",
            "silence: 1h",
            "good.yml:15:3: unknown key `silence`; known are capture, entity, evidence, expected, family, suppress, weight",
        ),
        ("quiet: [b]", "quiet: []", "good.yml:16:13: the key `quiet` is missing; name folders of pcaps/"),
        (
            "  evidence: {fires: [a], quiet: [b]}\n",
            "",
            "good.yml:13:3: the key `evidence` is missing; name the captures that fire the rule and that keep it quiet",
        ),
        (
            "falsepositives:",
            "false_positives:",
            "good.yml:9:1: unknown key `false_positives`; did you mean `falsepositives`?",
        ),
        (
            "condition: selection",
            "condition: selektion",
            "good.yml:8:3: condition references 'selektion' but no such detection identifier exists",
        ),
        ("{event.reason: test}", "{event.reason|re: '(['}", ""),
        ("title: A rule", "title: [A", ""),
    ] {
        let faults = spoilt(from, to);
        if expected.is_empty() {
            assert!(!faults.is_empty(), "{to}");
        } else {
            assert!(faults.iter().any(|fault| fault == expected), "{to}:\n{faults:#?}");
        }
    }
    assert_eq!(faults(&[("good.yml", GOOD)]), Vec::<String>::new());
}

#[test]
fn a_bad_regular_expression_is_shown_where_it_stands() {
    let faults = spoilt("{event.reason: test}", "{event.reason|re: 'a([b'}");
    let [fault] = faults.as_slice() else { panic!("{faults:#?}") };
    assert!(fault.starts_with("good.yml:7:32: ") && fault.contains("regex"), "{fault}");
}

#[test]
fn faults_between_files_are_found() {
    let again = GOOD.replace("name: good", "name: again");
    assert_eq!(
        faults(&[("good.yml", GOOD), ("x/again.yml", &again)]).first().map(|fault| fault
            .split(" is that of")
            .next()
            .unwrap()
            .to_owned()),
        Some("x/again.yml:3:1: the id `5a6f2f7e-7b39-4a66-9a1e-0f3a9f0c0001`".to_owned())
    );
    let correlation = correlation("many", "goood", 3);
    assert_eq!(
        faults(&[("good.yml", GOOD), ("many.yml", &correlation)]),
        ["many.yml:5:11: unknown rule `goood`; did you mean `good`?"]
    );
}

#[test]
fn a_correlation_looks_back_so_far_only() {
    let correlation = correlation("many", "good", 3).replace("timespan: 1h", "timespan: 91d");
    assert_eq!(
        faults(&[("good.yml", GOOD), ("many.yml", &correlation)]),
        ["many.yml:8:13: a correlation looks back 90d at most"]
    );
}

#[test]
fn all_faults_are_reported_at_once() {
    let faults =
        faults(&[("good.yml", &GOOD.replace("low", "loud").replace("malformed", "malforme")), ("b.yml", "- 1")]);
    assert!(faults.len() >= 3, "{faults:#?}");
}

#[test]
fn a_folder_that_is_not_there_is_a_fault() {
    let message = Rules::load(Path::new("/nonexistent")).unwrap_err().to_string();
    assert_eq!(message, "/nonexistent: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_rule_is_explained_with_what_narrows_it() {
    let rules = Rules::load(Path::new("rules")).unwrap();
    let text = rules.explain("remote_desktop_client_not_in_inventory").unwrap();
    for expected in [
        "Remote desktop from a machine that the inventory does not list\n=====",
        "\nLevel: medium\n",
        "\nJudges: remote_desktop events\n",
        "\nATT&CK: T1021.001, T1078\n",
        "\nNarrowed by:\n  - The management network drives desktops by trade\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(rules.explain("nothing"), None);
}

fn correlation(name: &str, counted: &str, least: u64) -> String {
    let digit = name.len() % 10;
    format!(
        "title: Many\nname: {name}\nid: 5a6f2f7e-7b39-4a66-9a1e-0f3a9f0c1{digit:03}\ncorrelation:\n  rules: [{counted}]\n  \
         type: value_count\n  group-by: [source.ip]\n  timespan: 1h\n  \
         condition: {{field: destination.port, gte: {least}}}\ndescription: Many.\nfalsepositives: [every test]\n\
         level: low\ntags: [attack.t1219]\nspanwatch:\n  family: identity\n  suppress: 0s\n  \
         evidence: {{fires: [a], quiet: [b]}}\n"
    )
}

fn load(files: &[(&str, &str)]) -> Rules {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    Rules::load(dir.path()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn counting(least: u64) -> Rules {
    load(&[("good.yml", GOOD), ("many.yml", &correlation("many", "good", least))])
}

/// The `number`th client's flow to a port.
fn seen(number: u32, port: u16, secs: u64) -> Fact {
    let client = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
    let mut flow = flow(&format!("{client}:1000"), &format!("192.0.2.1:{port}"), Transport::Tcp);
    flow.id = FlowId(secs);
    fact(flow, secs, FactKind::Malformed("test"))
}

fn run(analysis: &mut Analysis, facts: Vec<Fact>) -> Vec<String> {
    let mut out = Lines::default();
    analysis.on_batch(batch(0, facts, Watermark::END), &mut out);
    analysis.finish(&mut out);
    out.alerts
}

fn analysis(settings: &Settings, rules: &Rules) -> Analysis {
    Analysis::new(settings, rules, Geo::default(), 1).unwrap()
}

#[test]
fn a_correlation_counts_on_packet_time_and_its_alert_names_every_flow() {
    let mut analysis = analysis(&Settings::default(), &counting(3));
    let half = |fact: Fact| Fact { at: fact.at + Duration::from_millis(500), ..fact };
    assert_eq!(run(&mut analysis, vec![seen(1, 1, 0), half(seen(1, 2, 3600)), seen(1, 3, 3602)]).len(), 0);
    let alerts = run(&mut analysis, vec![seen(1, 4, 3603)]);
    let alert: serde_json::Value = serde_json::from_str(&alerts[0]).unwrap();
    assert_eq!(alert["spanwatch.entity.id"], "10.0.0.1");
    assert_eq!(alert["network.community_id"].as_array().unwrap().len(), 3);
    let evidence = alert["spanwatch.evidence"].to_string();
    assert!(evidence.contains(r#"{"field":"spanwatch.correlation.value","value":3.0}"#), "{evidence}");
    assert!(evidence.contains(r#"{"field":"spanwatch.correlation.timespan","value":3600}"#), "{evidence}");
}

#[test]
fn correlations_forget_the_groups_heard_of_longest_ago_and_nothing_else() {
    let settings = settings("limits: {correlations: {groups_max: 8, entries_max: 1000, group_entries_max: 50}}");
    let outcome = || {
        let mut analysis = analysis(&settings, &counting(2));
        let mut alerts = run(&mut analysis, (0..100).map(|number| seen(number, 1, 5)).collect());
        assert!(analysis.counters().correlation_groups <= 8);
        assert!(analysis.counters().evicted >= 92);
        alerts.extend(run(&mut analysis, (0..100).rev().map(|number| seen(number, 2, 6)).collect()));
        alerts
    };
    let first = outcome();
    assert!(!first.is_empty() && first.len() < 20, "{}", first.len());
    assert_eq!(first, outcome(), "the same again, though everything was heard of at the same time");
}

#[test]
fn correlations_are_bounded_by_their_entries() {
    let settings = settings("limits: {correlations: {groups_max: 1000, entries_max: 100, group_entries_max: 60}}");
    let mut analysis = analysis(&settings, &counting(60));
    let alerts = run(
        &mut analysis,
        (0..50_u16).map(|port| seen(1, port, 5)).chain((0..70).map(|port| seen(2, port, 6))).collect(),
    );
    assert_eq!(alerts.len(), 11, "the second client's are whole");
    assert!(analysis.counters().evicted > 0);
}

#[test]
fn a_reload_keeps_what_was_counted() {
    let mut analysis = analysis(&Settings::default(), &counting(3));
    run(&mut analysis, vec![seen(1, 1, 0), seen(1, 2, 1)]);
    analysis.reload(&Default::default(), &counting(3), Geo::default()).unwrap();
    assert_eq!(run(&mut analysis, vec![seen(1, 3, 2)]).len(), 1);
}

#[test]
fn a_filter_narrows_the_rule_it_names() {
    let filter = "title: Not the first\nname: filter\nid: 5a6f2f7e-7b39-4a66-9a1e-0f3a9f0c0009\n\
                  logsource: {product: spanwatch}\nfilter:\n  rules: [good]\n  selection: {source.ip: 10.0.0.1}\n  \
                  condition: not selection\n";
    let mut analysis = analysis(&Settings::default(), &load(&[("good.yml", GOOD), ("filter.yml", filter)]));
    let alerts = run(&mut analysis, vec![seen(1, 1, 0), seen(2, 1, 0)]);
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].contains("10.0.0.2"));
}
