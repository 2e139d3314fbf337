//! Events, alerts and incidents in; the published view out.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::publication::{self, Draft};
use crate::alert::{Alert, words};
use crate::analysis::Analysis;
use crate::config::Config;
use crate::event::Event;
use crate::history::History;
use crate::metrics::Snapshot;
use crate::risk::{Incident, IncidentId};
use crate::serve::view::{Entry, List, View};

/// What people can look at, where there is somewhere to look.
pub(super) struct Showcase {
    view: Arc<View>,
    history: History,
    /// The latest first.
    alerts: VecDeque<Arc<Entry>>,
    alerts_ever: u64,
    /// The latest said of first.
    incidents: VecDeque<(IncidentId, Arc<Entry>)>,
    is_changed: bool,
    draft: Draft,
    /// What the configuration leaves unseen, in sentences.
    unseen: Vec<String>,
}

impl Showcase {
    pub(super) fn new(view: Arc<View>, config: &Config) -> Self {
        Self {
            view,
            history: History::new(config.history),
            alerts: VecDeque::new(),
            alerts_ever: 0,
            incidents: VecDeque::new(),
            is_changed: true,
            draft: Draft::default(),
            unseen: unseen(config),
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        self.history.on_event(event);
    }

    pub(super) fn alert(&mut self, alert: &Alert) {
        let mut document = serde_json::to_value(alert).expect("an alert's keys are text");
        put_into_words(&mut document["spanwatch.evidence"]);
        document["about"] = words::whom(&alert.entity).into();
        document["id"] = self.alerts_ever.into();
        let terms = terms(&document, &alert.entity.to_string(), &alert.rule.name);
        self.alerts.push_front(Arc::new(Entry::new(self.alerts_ever, &document, terms)));
        self.alerts.truncate(List::Alerts.entries_max());
        self.alerts_ever += 1;
        self.is_changed = true;
    }

    pub(super) fn incident(&mut self, incident: &Incident) {
        let mut document = serde_json::to_value(incident).expect("an incident's keys are text");
        let families = document["spanwatch.incident.families"].as_array_mut().into_iter().flatten();
        let items = families.filter_map(|family| family["items"].as_array_mut()).flatten();
        for (item, told) in items.zip(incident.families.iter().flat_map(|family| &family.items)) {
            put_into_words(&mut item["evidence"]);
            item["subject"]["about"] = words::whom(&told.subject).into();
        }
        document["id"] = incident.id.to_string().into();
        let state = if incident.is_open() { "open" } else { "closed" };
        let mut terms = terms(&document, &incident.entity.to_string(), state);
        terms.extend(incident.devices.iter().map(ToString::to_string));
        self.incidents.retain(|(id, _)| *id != incident.id);
        self.incidents.push_front((incident.id, Arc::new(Entry::new(incident.id, &document, terms))));
        self.incidents.truncate(List::Incidents.entries_max());
        self.is_changed = true;
    }

    /// Publishes the numbers, and what was found if there is anything new.
    pub(super) fn publish(&mut self, snapshot: Snapshot) {
        self.view.publish(List::Status, [publication::status(&snapshot, &self.unseen)]);
        self.view.publish_metrics(snapshot);
        if std::mem::take(&mut self.is_changed) {
            self.view.publish(List::Alerts, self.alerts.iter().cloned());
            self.view.publish(List::Incidents, self.incidents.iter().map(|(_, entry)| Arc::clone(entry)));
        }
    }

    /// Begins to publish whom and what was seen. What is still being published is not begun anew.
    pub(super) fn begin_lists(&mut self, analysis: &Analysis) {
        if self.draft.is_done() {
            self.draft = Draft::new(analysis, &self.history);
        }
    }

    /// Goes on with that for some milliseconds.
    pub(super) fn go_on(&mut self, analysis: &Analysis) {
        self.draft.go_on(&self.view, analysis, &self.history);
    }

    /// Publishes all of it, as it is now.
    pub(super) fn publish_lists(&mut self, analysis: &Analysis) {
        self.draft = Draft::new(analysis, &self.history);
        while !self.draft.is_done() {
            self.go_on(analysis);
        }
    }

    pub(super) fn is_drafting(&self) -> bool {
        !self.draft.is_done()
    }
}

/// Adds to each field of the evidence and its value what they are called.
fn put_into_words(evidence: &mut Value) {
    for item in evidence.as_array_mut().into_iter().flatten() {
        let field = item["field"].as_str().unwrap_or_default().to_owned();
        item["label"] = words::label(&field).into();
        item["text"] = words::text(&field, &item["value"]).into();
    }
}

fn unseen(config: &Config) -> Vec<String> {
    let silent = config.silent_detectors();
    silent
        .into_iter()
        .map(|(remedy, detectors)| {
            format!("What these detectors look for: {}. To wake them, {remedy}", detectors.join(", "))
        })
        .collect()
}

/// What an alert or an incident is found by.
fn terms(document: &Value, entity: &str, word: &str) -> Vec<String> {
    const FIELDS: &[&str] = &[
        "destination.device.id",
        "network.community_id",
        "related.hosts",
        "related.ip",
        "related.user",
        "source.device.id",
        "spanwatch.site",
    ];
    let mut terms = vec![entity.to_owned(), word.to_owned()];
    for field in FIELDS {
        match &document[*field] {
            Value::String(text) => terms.push(text.clone()),
            Value::Array(values) => terms.extend(values.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => {}
        }
    }
    terms
}
