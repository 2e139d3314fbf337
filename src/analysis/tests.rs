use std::fs;
use std::path::Path;

use super::*;
use crate::event::tests::{fact, flow, summary};
use crate::facts::{FlowId, Watermark};
use crate::net::Transport;
use crate::protocol::Protocol;

/// What came out, as JSON lines.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) events: Vec<String>,
    pub(crate) alerts: Vec<String>,
    pub(crate) incidents: Vec<String>,
}

impl Output for Lines {
    fn wants_events(&self) -> bool {
        true
    }

    fn event(&mut self, event: &Event<'_>) {
        self.events.push(serde_json::to_string(event).unwrap());
    }

    fn alert(&mut self, alert: &Alert) {
        self.alerts.push(serde_json::to_string(alert).unwrap());
    }

    fn incident(&mut self, incident: &Incident) {
        self.incidents.push(serde_json::to_string(incident).unwrap());
    }
}

pub(crate) fn settings(yaml: &str) -> Settings {
    crate::yaml::parse("settings.yml", yaml).unwrap_or_else(|fault| panic!("{fault}"))
}

/// The alerts on facts that are in order.
pub(crate) fn alerts(settings: &Settings, rules: &Rules, facts: Vec<Fact>) -> Vec<serde_json::Value> {
    let mut analysis = Analysis::new(settings, rules, Geo::default(), 1).unwrap();
    let mut out = Lines::default();
    analysis.on_batch(batch(0, facts, Watermark::END), &mut out);
    analysis.finish(&mut out);
    out.alerts.iter().map(|alert| serde_json::from_str(alert).unwrap()).collect()
}

/// The events on facts that are in order, without rules.
pub(crate) fn events(settings: &Settings, facts: Vec<Fact>) -> Vec<serde_json::Value> {
    let mut analysis = Analysis::new(settings, &Rules::none(), Geo::default(), 1).unwrap();
    let mut out = Lines::default();
    analysis.on_batch(batch(0, facts, Watermark::END), &mut out);
    analysis.finish(&mut out);
    out.events.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

const RULE: &str = "\
title: Remote desktop from outside
name: from_outside
id: 5a6f2f7e-7b39-4a66-9a1e-0f3a9f0c0001
status: test
description: Somebody outside drives a machine inside.
logsource: {product: spanwatch, category: remote_desktop}
detection:
  outside: {network.direction: inbound}
  condition: outside
falsepositives: [a gateway]
level: high
tags: [attack.t1021.001]
spanwatch:
  family: remote_control
  weight: 2
  suppress: 1h
  evidence: {fires: [a], quiet: [b]}
";

fn rules(files: &[(&str, &str)]) -> Rules {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        fs::write(path, text).unwrap();
    }
    Rules::load(dir.path()).unwrap_or_else(|faults| panic!("{faults}"))
}

pub(crate) fn batch(shard: usize, facts: Vec<Fact>, watermark: Watermark) -> Batch {
    Batch::of_facts(shard, facts, watermark)
}

fn remote_desktop(id: u64, client: &str, secs: u64) -> Fact {
    let mut flow = flow(client, "10.0.0.5:3389", Transport::Tcp);
    flow.id = FlowId(id);
    flow.protocol = Some(Protocol::new(&"rdp"));
    fact(flow, secs, FactKind::RemoteDesktop(Box::default()))
}

#[test]
fn a_fact_is_an_event_and_an_alert_if_a_rule_says_so() {
    let rules = rules(&[("from_outside.yml", RULE)]);
    let mut analysis = Analysis::new(&Settings::default(), &rules, Geo::default(), 1).unwrap();
    let mut out = Lines::default();
    let ended = fact(flow("10.0.0.9:1000", "10.0.0.5:80", Transport::Tcp), 20, FactKind::FlowEnded(summary(10)));
    let facts = vec![remote_desktop(2, "192.0.2.9:50000", 10), ended];
    analysis.on_batch(batch(0, facts, Watermark::END), &mut out);
    analysis.finish(&mut out);
    assert_eq!(out.events.len(), 2);
    let alert: serde_json::Value = serde_json::from_str(&out.alerts[0]).unwrap();
    assert_eq!(alert["rule.name"], "Remote desktop from outside");
    assert_eq!(alert["threat.technique.id"], serde_json::json!(["T1021.001"]));
    assert_eq!(alert["spanwatch.entity.kind"], "device");
    assert_eq!(alert["spanwatch.evidence"], serde_json::json!([{"field": "network.direction", "value": "inbound"}]));
    let counters = analysis.counters();
    let said = Said { count: 1, example: None };
    assert_eq!(counters.alerts, BTreeMap::from([(("from_outside".to_owned(), Level::High), said)]));
    assert_eq!(counters.sessions, BTreeMap::from([("", 1)]));
}

/// Facts of many flows and moments, some at the same time, none in order.
fn many_facts() -> Vec<Fact> {
    let mut facts = Vec::new();
    for id in 0..400_u64 {
        let secs = id * 37 % 101;
        let client = format!("192.0.2.{}:{}", id % 9, 1000 + id);
        facts.push(Fact { seq: id, ..remote_desktop(id, &client, secs) });
        let ended = FactKind::FlowEnded(summary(id % 7));
        let mut flow = flow(&client, "10.0.0.5:3389", Transport::Tcp);
        flow.id = FlowId(id);
        facts.push(Fact { seq: id, ..fact(flow, secs + 50, ended) });
    }
    facts
}

fn outcome(shards: usize, shift_millis: u64) -> (Vec<String>, Vec<String>) {
    let rules = rules(&[("from_outside.yml", RULE)]);
    let mut analysis = Analysis::new(&Settings::default(), &rules, Geo::default(), shards).unwrap();
    let mut out = Lines::default();
    for secs in (0..200).step_by(20) {
        for shard in 0..shards {
            let is_due = |fact: &Fact| (secs..secs + 20).contains(&fact.at.as_secs());
            let of_shard = |fact: &Fact| fact.flow.id.0 % shards as u64 == shard as u64;
            let mut facts: Vec<Fact> = many_facts().into_iter().filter(|fact| is_due(fact) && of_shard(fact)).collect();
            let shift = std::time::Duration::from_millis(shift_millis);
            for fact in &mut facts {
                (fact.at, fact.flow.started) = (fact.at + shift, fact.flow.started + shift);
            }
            let watermark = Watermark::before(Timestamp::from_secs(secs + 20) + shift);
            analysis.on_batch(batch(shard, facts, watermark), &mut out);
        }
    }
    analysis.finish(&mut out);
    (out.events, out.alerts)
}

#[test]
fn the_number_of_shards_is_not_seen_in_what_comes_out() {
    let one = outcome(1, 0);
    assert_eq!((one.0.len(), one.1.is_empty()), (800, false));
    for shards in [2, 3, 8] {
        assert!(outcome(shards, 0) == one, "{shards} shards");
    }
}

#[test]
fn a_shift_of_all_times_shifts_the_times_only() {
    let without_times = |lines: &[String]| -> Vec<String> {
        let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[0-9:.]+Z").unwrap();
        lines.iter().map(|line| time.replace_all(line, "TIME").into_owned()).collect()
    };
    let (now, later) = (outcome(2, 0), outcome(2, 86_400_000 * 365 + 777));
    assert_eq!(without_times(&now.0), without_times(&later.0));
    assert_eq!(without_times(&now.1), without_times(&later.1));
}

#[test]
fn a_reload_that_is_at_fault_changes_nothing() {
    let rules = rules(&[("from_outside.yml", RULE)]);
    let mut analysis = Analysis::new(&Settings::default(), &rules, Geo::default(), 1).unwrap();
    let twice = settings(
        "world: {networks: [{name: a, roles: [home], prefixes: [10.0.0.0/8]}, {name: b, roles: [home], prefixes: [10.0.0.0/8]}]}",
    );
    let fault = analysis.reload(&twice.world, &Rules::default(), Geo::default()).unwrap_err();
    assert_eq!(fault.to_string(), "10.0.0.0/8 belongs to both \"a\" and \"b\"; leave it in one of them");
    let mut out = Lines::default();
    analysis.on_batch(batch(0, vec![remote_desktop(1, "192.0.2.9:1", 1)], Watermark::END), &mut out);
    assert_eq!(out.alerts.len(), 1);
    analysis.reload(&Default::default(), &Rules::default(), Geo::default()).unwrap();
    analysis.on_batch(batch(0, vec![remote_desktop(2, "192.0.2.9:2", 9999)], Watermark::END), &mut out);
    assert_eq!(out.alerts.len(), 1, "the rules are gone");
}

#[test]
fn a_process_that_takes_up_a_memory_says_what_one_process_would_have_said() {
    let rules = rules(&[("from_outside.yml", RULE)]);
    let mut facts = many_facts();
    facts.sort_by_key(|fact| (fact.at, fact.seq));
    let run = |halves: Vec<Vec<Fact>>| {
        let (mut out, mut memory) = (Lines::default(), None);
        for facts in halves {
            let mut analysis = Analysis::new(&Settings::default(), &rules, Geo::default(), 1).unwrap();
            if let Some(memory) = &memory {
                analysis.recall(memory).unwrap();
            }
            analysis.on_batch(batch(0, facts, Watermark::END), &mut out);
            analysis.finish(&mut out);
            memory = Some(written_and_read(&analysis.memory()));
        }
        (out.events, out.alerts, out.incidents)
    };
    let whole = run(vec![facts.clone()]);
    assert!(!whole.1.is_empty());
    let (first, second) = facts.split_at(facts.len() / 2);
    assert!(run(vec![first.to_vec(), second.to_vec()]) == whole);
}

fn written_and_read(memory: &crate::memory::Memory) -> crate::memory::Memory {
    let mut bytes = Vec::new();
    memory.write_to(&mut bytes).unwrap();
    crate::memory::Memory::parse(&bytes).unwrap()
}
