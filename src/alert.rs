//! A judgement in, an alert that explains itself out, said once per rule and entity in a while.

pub mod words;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::Event;
use crate::exhibit::ExhibitName;
use crate::facts::FlowRef;
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::memory::{Memory, MemoryError};
use crate::recent::{Recent, Retention, Usage};
use crate::rules::{Correlated, Judgement, Rule};
use crate::time::Timestamp;

/// What a rule has to say of somebody.
#[derive(Clone, Debug)]
pub struct Alert {
    pub rule: Arc<Rule>,
    pub at: Timestamp,
    pub entity: Entity,
    /// The flow of the event that completed it.
    pub flow: FlowRef,
    /// The fields the rule went by, and their values.
    pub evidence: Vec<(String, Value)>,
    /// How often the rule matched for the entity since its last alert, without being said.
    pub suppressed: u64,
    /// The captures of the flows, where the rule asks for them and they are kept.
    pub captures: Vec<ExhibitName>,
    /// What was seen, why it matters and what would make it innocent, in sentences.
    pub explanation: String,
    /// The fields of the event that completed it.
    context: Vec<(&'static str, Value)>,
    related: Related,
}

/// Whom and what an alert touches, to look further.
#[derive(Clone, Debug, Default)]
struct Related {
    flows: BTreeSet<String>,
    hosts: BTreeSet<String>,
    ips: BTreeSet<String>,
    users: BTreeSet<String>,
}

/// The event's fields that an alert repeats.
const CONTEXT: &[&str] = &[
    "network.transport",
    "network.protocol",
    "network.application",
    "network.direction",
    "source.ip",
    "source.port",
    "source.geo.country_iso_code",
    "source.as.number",
    "source.as.organization.name",
    "source.network.name",
    "source.device.id",
    "source.device.name",
    "source.user.name",
    "destination.ip",
    "destination.port",
    "destination.geo.country_iso_code",
    "destination.as.number",
    "destination.as.organization.name",
    "destination.network.name",
    "destination.device.id",
    "destination.device.name",
    "spanwatch.site",
    "user.name",
    "host.hostname",
    "tls.client.server_name",
    "spanwatch.remote_desktop.client_name",
];

impl Alert {
    pub fn new(judgement: Judgement, event: &Event<'_>, suppressed: u64, captures: Vec<ExhibitName>) -> Self {
        let entity = entity(&judgement, event);
        let evidence = evidence(&judgement, event);
        let rule = judgement.rule;
        let context: Vec<(&'static str, Value)> =
            CONTEXT.iter().filter_map(|&name| Some((name, event.get(name)?.to_json()))).collect();
        let events = judgement.correlation.map(|correlated| correlated.events).unwrap_or_default();
        let related = Related::of(event, &events);
        let explanation = explanation(&rule, event, &entity, &evidence);
        let flow = *event.flow();
        Self { rule, at: event.at(), entity, flow, evidence, suppressed, captures, explanation, context, related }
    }

    /// The fields in the order they are written.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let rule = &self.rule;
        let techniques: Vec<String> = rule.techniques().collect();
        let evidence: Vec<Value> =
            self.evidence.iter().map(|(field, value)| json!({"field": field, "value": value})).collect();
        let mut fields = vec![
            ("@timestamp", json!(self.at.to_string())),
            ("event.kind", json!("alert")),
            ("event.action", json!(rule.name)),
            ("event.severity", json!(rule.level.severity())),
            ("rule.id", json!(rule.id)),
            ("rule.name", json!(rule.title)),
            ("rule.category", json!(rule.family.as_str())),
            ("spanwatch.alert.level", json!(rule.level.as_str())),
            ("spanwatch.alert.weight", json!(rule.weight)),
            ("spanwatch.alert.suppressed", json!(self.suppressed)),
            ("spanwatch.entity.kind", json!(self.entity.kind())),
            ("spanwatch.entity.id", json!(self.entity.to_string())),
            ("message", json!(self.explanation)),
            ("spanwatch.evidence", json!(evidence)),
            ("spanwatch.false_positives", json!(rule.falsepositives)),
            ("threat.framework", json!("MITRE ATT&CK")),
            ("threat.technique.id", json!(techniques)),
        ];
        if !self.captures.is_empty() {
            let names: Vec<&str> = self.captures.iter().map(ExhibitName::as_str).collect();
            fields.push(("spanwatch.captures", json!(names)));
        }
        fields.extend(self.context.iter().cloned());
        for (name, values) in [
            ("network.community_id", &self.related.flows),
            ("related.hosts", &self.related.hosts),
            ("related.ip", &self.related.ips),
            ("related.user", &self.related.users),
        ] {
            if !values.is_empty() {
                fields.push((name, json!(values)));
            }
        }
        fields
    }
}

impl Serialize for Alert {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.fields();
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (name, value) in &fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Related {
    fn of(event: &Event<'_>, counted: &[Value]) -> Self {
        let mut related = Self::default();
        let this = rsigma_eval::Event::to_json(event);
        for fields in counted.iter().chain([&this]) {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
            related.flows.extend(text("network.community_id"));
            related.ips.extend(["source.ip", "destination.ip"].into_iter().filter_map(text));
            related.hosts.extend(text("host.hostname"));
            related.users.extend(text("user.name"));
        }
        related
    }
}

/// Whom a judgement is about: what a correlation groups by, a finding's subject, the rule's own field, the device at
/// home, or else the client's address. An address outside is the site it is of.
pub fn entity(judgement: &Judgement, event: &Event<'_>) -> Entity {
    match subject(judgement, event) {
        Entity::Address(address) if !event.is_home_address(address) => Entity::Site(Site::of(address)),
        entity => entity,
    }
}

fn subject(judgement: &Judgement, event: &Event<'_>) -> Entity {
    if let Some(correlated) = &judgement.correlation {
        return Entity::of_fields(&correlated.group);
    }
    if let Some(finding) = event.finding() {
        return finding.entity.clone();
    }
    let own = judgement.rule.entity.as_ref().and_then(|field| {
        let value = event.get(field)?;
        Some(Entity::of_fields(&[(field.clone(), value.as_str()?.into_owned())]))
    });
    let device = || event.device(event.home_side()?).map(Entity::Device);
    own.or_else(device).unwrap_or_else(|| Entity::Address(event.flow().client.ip))
}

/// The fields a rule went by and the numbers of the finding it judged, with their values, each once.
pub fn evidence(judgement: &Judgement, event: &Event<'_>) -> Vec<(String, Value)> {
    let mut evidence = judgement.matched.clone();
    if let Some(correlated) = &judgement.correlation {
        evidence.extend(of_correlation(correlated));
    }
    let Some(finding) = event.finding() else {
        return evidence;
    };
    let numbers = finding.evidence.iter().map(|(name, _)| name);
    evidence.extend(numbers.filter_map(|name| Some((name.to_owned(), event.get(name)?.to_json()))));
    let mut seen = BTreeSet::new();
    evidence.retain(|(name, _)| seen.insert(name.clone()));
    evidence
}

fn of_correlation(correlated: &Correlated) -> impl Iterator<Item = (String, Value)> {
    let group = correlated.group.iter().map(|(field, value)| (field.clone(), json!(value)));
    group.chain([
        ("spanwatch.correlation.value".to_owned(), json!(correlated.value)),
        ("spanwatch.correlation.timespan".to_owned(), json!(correlated.timespan_secs)),
    ])
}

fn explanation(rule: &Rule, event: &Event<'_>, entity: &Entity, evidence: &[(String, Value)]) -> String {
    let flow = event.flow();
    let protocol = event.protocol().map_or("an unknown protocol", |protocol| protocol.as_str());
    let mut text = format!(
        "{} Seen at {} between {} and {} ({protocol} over {}), about {}.",
        rule.description,
        event.at(),
        flow.client,
        flow.server,
        flow.transport,
        words::whom(entity),
    );
    if !evidence.is_empty() {
        let values: Vec<String> = evidence.iter().map(|(field, value)| words::said(field, value)).collect();
        text += &format!(" The evidence: {}.", values.join("; "));
    }
    if !rule.falsepositives.is_empty() {
        text += &format!(" It may be innocent: {}.", rule.falsepositives.join("; "));
    }
    text
}

/// Remembers what was said of whom.
pub struct Suppression {
    said: Recent<(String, Entity), Said>,
    suppressed: u64,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Said {
    until: Timestamp,
    since: u64,
}

impl Suppression {
    pub const RETENTION: Retention = Retention { entries_max: 50_000, keep: Duration::from_secs(31 * 86_400) };

    pub fn new(retention: Retention) -> Self {
        Self { said: Recent::new(retention), suppressed: 0 }
    }

    /// Whether the rule may speak of the entity, and if so how often it matched in silence before.
    pub fn admit(&mut self, rule: &Rule, entity: &Entity, at: Timestamp) -> Option<u64> {
        let key = (rule.id.clone(), entity.clone());
        if let Some(said) = self.said.get_mut(&key, at).filter(|said| at < said.until) {
            said.since += 1;
            self.suppressed += 1;
            return None;
        }
        let silent = self.said.get(&key).map_or(0, |said| said.since);
        let said = Said { until: at + rule.suppress, since: 0 };
        *self.said.get_or_insert_with(key, at, || said) = said;
        Some(silent)
    }

    pub fn expire(&mut self, now: Timestamp) {
        self.said.expire(now);
    }

    pub fn remember(&self, memory: &mut Memory) {
        memory.put("suppression", &self.said);
    }

    pub fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        self.said.restore(memory.get("suppression")?.unwrap_or_default());
        Ok(())
    }

    pub const fn suppressed(&self) -> u64 {
        self.suppressed
    }

    pub const fn evicted(&self) -> u64 {
        self.said.evicted()
    }

    pub fn usage(&self) -> Usage {
        self.said.usage()
    }
}

#[cfg(test)]
#[path = "alert_tests.rs"]
pub(crate) mod tests;
