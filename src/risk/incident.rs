//! What the evidence about one site, account or device amounts to, as it is told.

use std::collections::BTreeSet;
use std::fmt;

use ring::hmac::{self, HMAC_SHA256};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::detect::Family;
use crate::exhibit::ExhibitName;
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::net::Text;
use crate::rules::Level;
use crate::time::Timestamp;

/// What ids of incidents are made with. Ids stand in metrics and in other programs: without the key nobody can try addresses
/// and names against one.
#[derive(Clone, Debug)]
pub struct IncidentKey(hmac::Key);

impl IncidentKey {
    pub const BYTES: usize = 32;

    pub fn new(secret: &[u8; Self::BYTES]) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, secret))
    }

    /// No secret: the same capture gives the same ids everywhere.
    pub fn published() -> Self {
        Self::new(b"spanwatch incident id, published")
    }
}

/// Names an incident for its lifetime: the first eight bytes of an HMAC-SHA256 of whom it is about and when it opened.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IncidentId([u8; 8]);

impl IncidentId {
    pub fn of(key: &IncidentKey, entity: &Entity, opened: Timestamp) -> Self {
        let hash = hmac::sign(&key.0, format!("{} {entity} {opened}", entity.kind()).as_bytes());
        Self(hash.as_ref().first_chunk().copied().expect("an HMAC-SHA256 has 32 bytes"))
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let is_written = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = u64::from_str_radix(text, 16).ok().filter(|_| is_written)?;
        Some(Self(bits.to_be_bytes()))
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// What is said by handing an incident out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum State {
    Opened,
    /// A family joined, or the level rose.
    Updated,
    /// The evidence faded, or an analyst dismissed it.
    Closed,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Opened => "opened",
            Self::Updated => "updated",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Incident {
    pub id: IncidentId,
    /// The site; a device or an account where no site is known.
    pub entity: Entity,
    pub state: State,
    pub opened: Timestamp,
    /// The moment that this is said of.
    pub updated: Timestamp,
    pub level: Level,
    /// The evidence of all families together, in nats.
    pub score: f64,
    /// The strongest first.
    pub families: Vec<FamilyEvidence>,
    /// The accounts at the site, in alphabetical order.
    pub accounts: Vec<Text>,
    /// The devices at the site, in the order of their ids.
    pub devices: Vec<DeviceId>,
    /// The names of those devices that have one, in alphabetical order.
    pub hosts: Vec<Text>,
    /// The ATT&CK techniques of the evidence, in order.
    pub techniques: Vec<String>,
    /// What was seen, what is expected, since when, on which sessions, what would make it innocent: in sentences.
    pub explanation: Vec<String>,
}

/// What one kind of evidence comes to.
#[derive(Clone, Debug)]
pub struct FamilyEvidence {
    pub family: Family,
    /// The strongest item whole and a quarter of each other, less what a dismissal takes away.
    pub nats: f64,
    /// The strongest first.
    pub items: Vec<EvidenceItem>,
}

/// What one rule found of one subject.
#[derive(Clone, Debug)]
pub struct EvidenceItem {
    /// The rule's name.
    pub rule: String,
    /// The rule's title.
    pub title: String,
    /// Whom the rule is about: the site itself, or a device or account in it.
    pub subject: Entity,
    pub first: Timestamp,
    pub last: Timestamp,
    /// How often the rule matched.
    pub count: u64,
    /// What it is worth at [`Incident::updated`].
    pub nats: f64,
    /// The fields the rule went by at its last match, and their values.
    pub values: Vec<(String, Value)>,
    /// Community ids of the flows of the last matches.
    pub flows: Vec<String>,
    /// The captures of flows of the matches, where the rule asks for them and they are kept.
    pub captures: Vec<ExhibitName>,
}

impl Incident {
    /// The value of `event.dataset` that tells an incident from an alert.
    pub const DATASET: &'static str = "spanwatch.incident";

    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// The fields in the order they are written.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let texts = |values: &mut dyn Iterator<Item = String>| json!(values.collect::<Vec<_>>());
        let families: Vec<Value> = self.families.iter().map(FamilyEvidence::to_json).collect();
        let items = || self.families.iter().flat_map(|family| &family.items);
        let mut flows: Vec<&String> = items().flat_map(|item| &item.flows).collect();
        flows.sort();
        flows.dedup();
        let first = items().map(|item| item.first).min().unwrap_or(self.opened);
        let mut fields = vec![
            ("@timestamp", json!(self.updated.to_string())),
            ("event.kind", json!("alert")),
            ("event.dataset", json!(Self::DATASET)),
            ("event.category", json!(["intrusion_detection"])),
            ("event.action", json!(self.state.as_str())),
            ("event.id", json!(self.id.to_string())),
            ("event.start", json!(first.to_string())),
            ("event.severity", json!(self.level.severity())),
            ("event.risk_score", json!(rounded(self.score))),
            ("spanwatch.incident.opened", json!(self.opened.to_string())),
            ("spanwatch.incident.level", json!(self.level.as_str())),
            ("spanwatch.incident.score", json!(rounded(self.score))),
            ("spanwatch.incident.families", json!(families)),
            ("spanwatch.incident.explanation", json!(self.explanation)),
            ("spanwatch.incident.devices", texts(&mut self.devices.iter().map(DeviceId::to_string))),
            ("spanwatch.entity.kind", json!(self.entity.kind())),
            ("spanwatch.entity.id", json!(self.entity.to_string())),
            ("message", json!(self.explanation.join(" "))),
            ("threat.framework", json!("MITRE ATT&CK")),
            ("threat.technique.id", json!(self.techniques)),
            ("network.community_id", json!(flows)),
            ("related.hosts", texts(&mut self.hosts.iter().map(|host| host.as_str().to_owned()))),
            ("related.user", texts(&mut self.accounts.iter().map(|account| account.as_str().to_owned()))),
        ];
        let captures: BTreeSet<&str> = items().flat_map(|item| &item.captures).map(ExhibitName::as_str).collect();
        if !captures.is_empty() {
            fields.push(("spanwatch.captures", json!(captures)));
        }
        fields
    }
}

impl FamilyEvidence {
    fn to_json(&self) -> Value {
        let items: Vec<Value> = self.items.iter().map(EvidenceItem::to_json).collect();
        json!({"family": self.family.as_str(), "nats": rounded(self.nats), "items": items})
    }
}

impl EvidenceItem {
    fn to_json(&self) -> Value {
        let values: Vec<Value> =
            self.values.iter().map(|(field, value)| json!({"field": field, "value": value})).collect();
        json!({
            "rule": self.rule,
            "title": self.title,
            "subject": {"kind": self.subject.kind(), "id": self.subject.to_string()},
            "first": self.first.to_string(),
            "last": self.last.to_string(),
            "count": self.count,
            "nats": rounded(self.nats),
            "evidence": values,
            "flows": self.flows,
        })
    }
}

impl Serialize for Incident {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.fields();
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (name, value) in &fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Hundredths of a nat are beyond what anybody can measure.
fn rounded(nats: f64) -> f64 {
    (nats * 100.0).round() / 100.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn incident() -> Incident {
        let entity = Entity::parse("site", "198.51.100.9").unwrap();
        let opened = Timestamp::from_secs(1_700_000_000);
        let item = EvidenceItem {
            rule: "overlapping_tunnels_from_one_address".into(),
            title: "One outside address holds several VPN tunnels at a time".into(),
            subject: entity.clone(),
            first: opened,
            last: opened,
            count: 1,
            nats: 3.5,
            values: vec![("spanwatch.tunnels.overlapping".into(), json!(4))],
            flows: vec!["1:abc=".into()],
            captures: Vec::new(),
        };
        let families = vec![FamilyEvidence { family: Family::Multiplicity, nats: 3.5, items: vec![item] }];
        Incident {
            id: IncidentId::of(&IncidentKey::published(), &entity, opened),
            entity,
            state: State::Opened,
            opened,
            updated: opened,
            level: Level::High,
            score: 14.123_456,
            families,
            accounts: vec!["ann".into()],
            devices: Vec::new(),
            hosts: vec!["LAPTOP-ANN".into()],
            techniques: vec!["T1133".into()],
            explanation: vec!["One.".into(), "Two.".into()],
        }
    }

    #[test]
    fn an_incident_is_one_document_with_the_names_of_the_common_schema() {
        let document = serde_json::to_value(incident()).unwrap();
        for (name, value) in [
            ("@timestamp", json!("2023-11-14T22:13:20.000000000Z")),
            ("event.dataset", json!("spanwatch.incident")),
            ("event.action", json!("opened")),
            ("event.severity", json!(4)),
            ("spanwatch.incident.score", json!(14.12)),
            ("spanwatch.entity.kind", json!("site")),
            ("spanwatch.entity.id", json!("198.51.100.9")),
            ("message", json!("One. Two.")),
            ("related.hosts", json!(["LAPTOP-ANN"])),
            ("related.user", json!(["ann"])),
            ("network.community_id", json!(["1:abc="])),
        ] {
            assert_eq!(document[name], value, "{name}");
        }
        assert_eq!(document["spanwatch.incident.families"][0]["items"][0]["evidence"][0]["value"], 4);
    }

    #[test]
    fn an_id_names_entity_and_opening_and_is_read_as_it_is_written() {
        let incident = incident();
        assert_eq!(IncidentId::parse(&incident.id.to_string()), Some(incident.id));
        let key = IncidentKey::published();
        assert_ne!(IncidentId::of(&key, &incident.entity, Timestamp::ZERO), incident.id);
        assert_eq!(IncidentId::parse("xyz"), None);
    }

    #[test]
    fn an_id_tells_nobody_whom_it_is_about_who_has_not_the_key() {
        let incident = incident();
        let ids = [[1; 32], [2; 32]].map(|secret| {
            let id = || IncidentId::of(&IncidentKey::new(&secret), &incident.entity, incident.opened);
            assert_eq!(id(), id(), "stable under one key");
            id()
        });
        assert!(ids[0] != ids[1] && !ids.contains(&incident.id), "{ids:?}");
        assert!(!format!("{:?}", IncidentKey::new(&[1; 32])).contains("[1,"));
    }
}
