//! Every field an event can have: its name, its type and what it means. `docs/events.md` is written from it.

use std::fmt::Write as _;
use std::sync::OnceLock;

use hashbrown::HashMap;
use rsigma_eval::EventValue;

use crate::detect;
use crate::event::Event;
use crate::event::fields::GROUPS;
use crate::protocol::{self, FieldSpec};

/// A field that every stage knows, and how to read it.
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    /// What it holds, with its unit.
    pub help: &'static str,
    pub(super) get: for<'e> fn(&'e Event<'e>) -> Option<EventValue<'e>>,
}

/// The type of a field's value in JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Boolean,
    /// RFC 3339 in UTC, with nanoseconds.
    Date,
    Float,
    Integer,
    Ip,
    /// A text compared as a whole; of a list, each.
    Keyword,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Ip => "ip",
            Self::Keyword => "keyword",
        }
    }
}

/// The fields of an alert's line beside those of the event that completed it.
pub const ALERT_FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "@timestamp", help: "When the rule matched, in packet time." },
    FieldSpec { name: "event.kind", help: "Always `alert`." },
    FieldSpec { name: "event.action", help: "The name of the rule." },
    FieldSpec { name: "event.severity", help: "The rule's level as a number: 1 for informational to 5 for critical." },
    FieldSpec { name: "rule.id", help: "The rule's UUID." },
    FieldSpec { name: "rule.name", help: "The rule's title." },
    FieldSpec { name: "rule.category", help: "The family of evidence." },
    FieldSpec { name: "spanwatch.alert.level", help: "The rule's level." },
    FieldSpec { name: "spanwatch.alert.weight", help: "How much it speaks for a farm, in nats." },
    FieldSpec { name: "spanwatch.alert.suppressed", help: "Matches for the same entity since its last alert, unsaid." },
    FieldSpec {
        name: "spanwatch.entity.kind",
        help: "Whom it is about: an `account`, `address`, `device`, `site` or `group` of values.",
    },
    FieldSpec { name: "spanwatch.entity.id", help: "Which one." },
    FieldSpec { name: "message", help: "What was seen, why it matters and what would make it innocent, in sentences." },
    FieldSpec { name: "spanwatch.evidence", help: "The fields the rule went by: a list of `field` and `value`." },
    FieldSpec { name: "spanwatch.false_positives", help: "What innocent traffic looks like it." },
    FieldSpec { name: "threat.framework", help: "Always `MITRE ATT&CK`." },
    FieldSpec { name: "threat.technique.id", help: "The techniques of the rule's tags." },
    FieldSpec { name: "network.community_id", help: "The flows that were counted, the latest eight of them." },
    FieldSpec { name: "related.hosts", help: "The host names of those flows." },
    FieldSpec { name: "related.ip", help: "The addresses of those flows." },
    FieldSpec { name: "related.user", help: "The users of those flows." },
];

/// What an incident's line has, in its order.
pub const INCIDENT_FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "@timestamp", help: "The moment of packet time that it is said of." },
    FieldSpec { name: "event.kind", help: "Always `alert`." },
    FieldSpec { name: "event.dataset", help: "Always `spanwatch.incident`; an alert of a rule has none." },
    FieldSpec { name: "event.category", help: "Always `intrusion_detection`." },
    FieldSpec { name: "event.action", help: "`opened`, `updated` (a family joined, or the level rose) or `closed`." },
    FieldSpec { name: "event.id", help: "The incident's id, the same until it is closed." },
    FieldSpec { name: "event.start", help: "The first match of its evidence." },
    FieldSpec { name: "event.severity", help: "The level as a number: 4 for high, 5 for critical." },
    FieldSpec { name: "event.risk_score", help: "The evidence of all families together, in nats." },
    FieldSpec { name: "spanwatch.incident.opened", help: "When it opened." },
    FieldSpec { name: "spanwatch.incident.level", help: "`high`, or `critical` far above the threshold." },
    FieldSpec { name: "spanwatch.incident.score", help: "As `event.risk_score`." },
    FieldSpec {
        name: "spanwatch.incident.families",
        help: "A list of `family`, its `nats`, and its `items`: `rule`, `title`, `subject`, `first`, `last`, `count`, \
               `nats`, `evidence` (a list of `field` and `value`) and `flows` (Community IDs).",
    },
    FieldSpec { name: "spanwatch.incident.explanation", help: "The sentences of `message`, one by one." },
    FieldSpec { name: "spanwatch.incident.devices", help: "The ids of the devices at the site." },
    FieldSpec {
        name: "spanwatch.entity.kind",
        help: "Whom it is about: a `site`; where none is known, a `device` or `account`.",
    },
    FieldSpec { name: "spanwatch.entity.id", help: "Which one." },
    FieldSpec {
        name: "message",
        help: "What was seen, what is expected, since when, on which flows, and what would make it innocent.",
    },
    FieldSpec { name: "threat.framework", help: "Always `MITRE ATT&CK`." },
    FieldSpec { name: "threat.technique.id", help: "The techniques of the rules that matched." },
    FieldSpec { name: "network.community_id", help: "The flows of the evidence." },
    FieldSpec { name: "related.hosts", help: "The names of the devices at the site, where they have one." },
    FieldSpec { name: "related.user", help: "The accounts at the site." },
];

/// What a correlation keeps of each event it counts, for the evidence of its alert.
pub(super) const KEPT_BY_CORRELATIONS: &[&str] = &[
    "network.community_id",
    "source.ip",
    "source.port",
    "destination.ip",
    "destination.port",
    "source.device.id",
    "destination.device.id",
    "spanwatch.site",
    "host.hostname",
    "user.name",
];

/// A field to ask events for time and again: its name is looked up once.
pub struct Lookup {
    pub(super) name: String,
    pub(super) typed: Option<&'static Field>,
}

impl Lookup {
    pub fn of(name: String) -> Self {
        Self { typed: typed(&name), name }
    }
}

/// The typed field of a name.
pub(super) fn typed(name: &str) -> Option<&'static Field> {
    static INDEX: OnceLock<HashMap<&'static str, &'static Field>> = OnceLock::new();
    INDEX.get_or_init(|| all_typed().map(|field| (field.name, field)).collect()).get(name).copied()
}

pub(super) fn all_typed() -> impl Iterator<Item = &'static Field> {
    GROUPS.iter().flat_map(|group| group.fields)
}

/// The name of every field: the typed ones, those of the parsers and those of the detectors.
pub fn names() -> impl Iterator<Item = &'static str> {
    let of_parsers = protocol::ALL.iter().flat_map(|spec| spec.fields).map(|field| field.name);
    let of_detectors = detect::specs().flat_map(|(_, _, fields)| fields).map(|field| field.name);
    all_typed().map(|field| field.name).chain(of_parsers).chain(of_detectors)
}

pub fn is_known(name: &str) -> bool {
    names().any(|known| known == name)
}

/// The names a rule's `logsource.category` can take.
pub fn categories() -> impl Iterator<Item = &'static str> {
    let of_facts = crate::facts::FactKind::CATEGORIES.iter().copied();
    of_facts.chain(detect::specs().map(|(name, _, _)| name))
}

/// The reference of events, as `docs/events.md` holds it.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Events\n\n\
         Written by the sensor's own catalogue; a test holds it to that. One JSON object a line, dotted names, fields \
         without a value left out. Names are the Elastic Common Schema's where it has one, `spanwatch.*` where it has \
         none. `source` is the side that opened the flow, `destination` the other.\n",
    );
    for group in GROUPS {
        section(&mut text, group.title);
        for field in group.fields {
            row(&mut text, field.name, field.kind.as_str(), field.help);
        }
    }
    for spec in protocol::ALL.iter().filter(|spec| !spec.fields.is_empty()) {
        section(&mut text, &format!("Protocol `{}`", spec.protocol));
        for field in spec.fields {
            row(&mut text, field.name, "", field.help);
        }
    }
    for (name, vantage, fields) in detect::specs() {
        section(&mut text, &format!("Finding `{name}`, seen from the {}", vantage.as_str()));
        for field in fields {
            row(&mut text, field.name, "", field.help);
        }
    }
    section(&mut text, "Alerts");
    for field in ALERT_FIELDS {
        row(&mut text, field.name, "", field.help);
    }
    section(&mut text, "Incidents");
    for field in INCIDENT_FIELDS {
        row(&mut text, field.name, "", field.help);
    }
    text
}

fn section(text: &mut String, title: &str) {
    let _ = write!(text, "\n## {title}\n\n| field | type | meaning |\n|---|---|---|\n");
}

fn row(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "| `{name}` | {kind} | {} |", help.replace('|', "\\|"));
}
