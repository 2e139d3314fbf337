use std::fs;
use std::path::Path;

use super::*;
use crate::event::tests::{fact, flow, summary};
use crate::facts::{FlowId, Watermark};
use crate::net::Transport;
use crate::protocol::Protocol;
use crate::shard;

/// What came out, as JSON lines.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) events: Vec<String>,
    pub(crate) alerts: Vec<String>,
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

fn batch(shard: usize, facts: Vec<Fact>, watermark: Watermark) -> Batch {
    Batch { shard, facts, watermark, counters: shard::Counters::default() }
}

fn remote_desktop(id: u64, client: &str, secs: u64) -> Fact {
    let mut flow = flow(client, "10.0.0.5:3389", Transport::Tcp);
    flow.id = FlowId(id);
    flow.protocol = Some(Protocol::new("rdp"));
    fact(flow, secs, FactKind::RemoteDesktop(Box::default()))
}

#[test]
fn a_fact_is_an_event_and_an_alert_if_a_rule_says_so() {
    let rules = rules(&[("from_outside.yml", RULE)]);
    let mut analysis = Analysis::new(&Settings::default(), &rules, Geo::default(), 1).unwrap();
    let mut out = Lines::default();
    let ended =
        fact(flow("10.0.0.9:1000", "10.0.0.5:80", Transport::Tcp), 20, FactKind::FlowEnded(Box::new(summary(10))));
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
    assert_eq!(counters.alerts, BTreeMap::from([(("from_outside".to_owned(), Level::High), 1)]));
    assert_eq!(counters.sessions, BTreeMap::from([("", 1)]));
}
