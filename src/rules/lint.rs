//! A rule's tree in, the rule and its faults out: what the sensor asks of a rule beyond Sigma.

use std::path::Path;
use std::time::Duration;

use rsigma_parser::lint::{Severity, lint_yaml_str};
use rsigma_parser::{Timespan, parse_field_spec};

use crate::detect::Family;
use crate::event::catalogue;
use crate::rules::document::{Node, Place, Yaml};
use crate::rules::{Evidence, Level, Rule, RuleKind};
use crate::yaml::{Fault, nearest};

/// The value of `logsource.product` in every rule.
const PRODUCT: &str = "spanwatch";

const KEYS: &[&str] = &[
    "author",
    "correlation",
    "date",
    "description",
    "detection",
    "falsepositives",
    "fields",
    "filter",
    "generate",
    "id",
    "level",
    "license",
    "logsource",
    "modified",
    "name",
    "references",
    "related",
    "scope",
    "sigma-version",
    "spanwatch",
    "status",
    "tags",
    "taxonomy",
    "title",
];

const OWN_KEYS: &[&str] = &["capture", "entity", "evidence", "expected", "family", "suppress", "weight"];

/// The likelihood ratio of one sign is at most 1000 to 1.
const WEIGHT_MAX: f64 = 6.9;
const SUPPRESS_DEFAULT: Duration = Duration::from_secs(3600);
const SUPPRESS_MAX: Duration = Duration::from_secs(30 * 86_400);
const TIMESPAN_MAX: Duration = Duration::from_secs(90 * 86_400);

/// Checks a rule by itself.
pub(super) fn check(path: &Path, file: &str, text: &str, tree: &Node, faults: &mut Vec<Fault>) -> Rule {
    let mut lint = Lint { file, text, tree, faults };
    lint.check_sigma();
    lint.check_keys();
    let kind = match () {
        () if tree.get("correlation").is_some() => RuleKind::Correlation,
        () if tree.get("filter").is_some() => RuleKind::Filter,
        () => RuleKind::Detection,
    };
    lint.check_name(path);
    lint.check_id();
    lint.check_logsource(kind);
    lint.check_fields(kind);
    let own = lint.own(kind);
    let section = if kind == RuleKind::Filter { "filter" } else { "correlation" };
    Rule {
        id: tree.text("id").unwrap_or_default().to_owned(),
        name: tree.text("name").unwrap_or_default().to_owned(),
        title: tree.text("title").unwrap_or_default().to_owned(),
        kind,
        path: path.into(),
        level: level(tree.text("level")).unwrap_or_default(),
        description: one_line(tree.text("description").unwrap_or_default()),
        falsepositives: tree.texts("falsepositives"),
        tags: tree.texts("tags"),
        references: tree.texts("references"),
        category: tree.get("logsource").and_then(|source| source.text("category")).map(str::to_owned),
        refers_to: tree.get(section).map(|node| node.texts("rules")).unwrap_or_default(),
        family: own.family,
        weight: own.weight,
        suppress: own.suppress,
        entity: own.entity,
        expected: own.expected,
        is_counted_only: false,
        capture: own.capture,
        evidence: own.evidence,
    }
}

/// Checks what a rule needs that alerts by itself.
pub(super) fn check_alerting(file: &str, text: &str, tree: &Node, faults: &mut Vec<Fault>) {
    let mut lint = Lint { file, text, tree, faults };
    for (key, remedy) in [
        ("description", "say what was seen and why it matters"),
        ("level", "write informational, low, medium, high or critical"),
        ("falsepositives", "say what innocent traffic looks like it"),
    ] {
        if tree.texts(key).is_empty() {
            lint.missing(tree.place, key, remedy);
        }
    }
    if !tree.texts("tags").iter().any(|tag| tag.strip_prefix("attack.").is_some_and(is_technique)) {
        lint.fault(tree.place_of("tags"), "no ATT&CK technique among the tags; add one such as attack.t1219.002");
    }
    let Some(own) = tree.get("spanwatch") else {
        return lint.missing(tree.place, "spanwatch", "give the rule a family and its evidence");
    };
    if own.get("family").is_none() {
        lint.missing(own.place, "family", &format!("write one of {}", families().join(", ")));
    }
    let Some(evidence) = own.get("evidence") else {
        return lint.missing(own.place, "evidence", "name the captures that fire the rule and that keep it quiet");
    };
    for key in ["fires", "quiet"] {
        if evidence.texts(key).is_empty() {
            lint.missing(evidence.place, key, "name folders of pcaps/");
        }
    }
}

/// Whether it is a technique of ATT&CK: `t1219` or `t1219.002`.
pub(super) fn is_technique(tag: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(number) = tag.strip_prefix('t') else {
        return false;
    };
    match number.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(number, 4),
    }
}

pub(super) fn unknown(what: &str, found: &str, known: &[&str], remedy: &str) -> String {
    match nearest(found, known) {
        Some(near) => format!("unknown {what} `{found}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{found}`; {remedy}"),
    }
}

/// Where the tree has a scalar that a message quotes: the longest one.
pub(super) fn place_of_text_in(tree: &Node, message: &str) -> Option<Place> {
    fn scalars<'t>(node: &'t Node, found: &mut Vec<(&'t str, Place)>) {
        match &node.value {
            Yaml::List(items) => items.iter().for_each(|item| scalars(item, found)),
            Yaml::Map(entries) => entries.iter().for_each(|(_, _, value)| scalars(value, found)),
            Yaml::Null => {}
            Yaml::Scalar(text) => found.push((text, node.place)),
        }
    }
    let mut found = Vec::new();
    for section in ["detection", "filter", "correlation"] {
        scalars(tree.get(section).unwrap_or(&Node::NOTHING), &mut found);
    }
    let quoted = found.into_iter().filter(|(text, _)| text.len() > 2 && message.contains(text));
    quoted.max_by_key(|(text, _)| text.len()).map(|(_, place)| place)
}

fn level(text: Option<&str>) -> Option<Level> {
    Level::ALL.iter().copied().find(|level| Some(level.as_str()) == text)
}

fn families() -> Vec<&'static str> {
    Family::ALL.iter().map(|family| family.as_str()).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands under `spanwatch`.
struct Own {
    capture: bool,
    family: Family,
    weight: f64,
    suppress: Duration,
    entity: Option<String>,
    expected: Option<String>,
    evidence: Evidence,
}

struct Lint<'a> {
    file: &'a str,
    text: &'a str,
    tree: &'a Node,
    faults: &'a mut Vec<Fault>,
}

impl Lint<'_> {
    fn fault(&mut self, place: Place, message: impl Into<String>) {
        self.faults.push(Fault::at(self.file, self.text, place, message));
    }

    fn missing(&mut self, place: Place, key: &str, remedy: &str) {
        self.fault(place, format!("the key `{key}` is missing; {remedy}"));
    }

    /// What the Sigma specification forbids.
    fn check_sigma(&mut self) {
        for warning in lint_yaml_str(self.text) {
            if warning.severity == Severity::Error {
                let place = self.place_of_path(&warning.path);
                self.fault(place, warning.message);
            }
        }
    }

    /// The place of a path such as `/correlation/type`, or of as much of it as exists.
    fn place_of_path(&self, path: &str) -> Place {
        let (mut node, mut place) = (self.tree, self.tree.place);
        for step in path.split('/').filter(|step| !step.is_empty()) {
            let next = match step.parse::<usize>() {
                Ok(index) => node.items().nth(index).map(|item| (item, item.place)),
                Err(_) => node.get(step).map(|value| (value, node.place_of(step))),
            };
            let Some((value, at)) = next else {
                break;
            };
            (node, place) = (value, at);
        }
        place
    }

    fn check_keys(&mut self) {
        for (key, place, _) in self.tree.entries() {
            if !KEYS.contains(&key) {
                self.fault(place, unknown("key", key, KEYS, "put what is the sensor's own under `spanwatch`"));
            }
        }
    }

    fn check_name(&mut self, path: &Path) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let Some(name) = self.tree.text("name") else {
            return self.missing(self.tree.place, "name", &format!("write name: {stem}"));
        };
        if name != stem {
            let message = format!("the rule `{name}` stands in the file of `{stem}`; give both the same name");
            self.fault(self.tree.place_of("name"), message);
        }
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            self.fault(self.tree.place_of("name"), "a name has lower-case letters, digits and underscores only");
        }
    }

    fn check_id(&mut self) {
        let Some(id) = self.tree.text("id") else {
            return self.missing(self.tree.place, "id", "write a UUID that no other rule has");
        };
        if !is_uuid(id) {
            self.fault(self.tree.place_of("id"), format!("`{id}` is not a UUID such as {EXAMPLE_UUID}"));
        }
    }

    fn check_logsource(&mut self, kind: RuleKind) {
        let Some(source) = self.tree.get("logsource") else {
            return;
        };
        if source.text("product") != Some(PRODUCT) {
            self.fault(source.place_of("product"), format!("the product of every rule is `{PRODUCT}`"));
        }
        let known: Vec<&str> = catalogue::categories().collect();
        match source.text("category") {
            Some(category) if !known.contains(&category) => {
                let remedy = format!("known are {}", known.join(", "));
                self.fault(source.place_of("category"), unknown("category", category, &known, &remedy));
            }
            None if kind == RuleKind::Detection => {
                self.missing(source.place, "category", &format!("write one of {}", known.join(", ")));
            }
            _ => {}
        }
    }

    fn check_fields(&mut self, kind: RuleKind) {
        let tree = self.tree;
        match kind {
            RuleKind::Correlation => {
                let Some(correlation) = tree.get("correlation") else {
                    return;
                };
                self.check_timespan(correlation);
                let condition = correlation.get("condition").and_then(|condition| condition.get("field"));
                for node in [correlation.get("group-by"), condition].into_iter().flatten() {
                    node.items().for_each(|item| self.check_field_value(item));
                }
            }
            RuleKind::Detection | RuleKind::Filter => {
                let section = if kind == RuleKind::Filter { "filter" } else { "detection" };
                let selections = tree.get(section).into_iter().flat_map(Node::entries);
                for (_, _, selection) in selections.filter(|(key, _, _)| !["condition", "rules"].contains(key)) {
                    self.check_selection(selection);
                }
            }
        }
    }

    fn check_timespan(&mut self, correlation: &Node) {
        for node in ["timespan", "timeframe", "gap"].into_iter().filter_map(|key| correlation.get(key)) {
            let parsed = node.scalar().and_then(|text| Timespan::parse(text).ok());
            if parsed.is_some_and(|span| span.seconds > TIMESPAN_MAX.as_secs()) {
                self.fault(node.place, "a correlation looks back 90d at most");
            }
        }
    }

    fn check_selection(&mut self, selection: &Node) {
        for item in selection.items() {
            for (key, place, value) in item.entries() {
                let Ok(spec) = parse_field_spec(key) else {
                    // Sigma's own lints say what is wrong with it.
                    continue;
                };
                if let Some(field) = &spec.name {
                    self.check_field(field, place);
                }
                if spec.has_modifier(rsigma_parser::Modifier::FieldRef) {
                    value.items().for_each(|item| self.check_field_value(item));
                }
            }
        }
    }

    fn check_field_value(&mut self, node: &Node) {
        if let Some(field) = node.scalar() {
            self.check_field(field, node.place);
        }
    }

    fn check_field(&mut self, field: &str, place: Place) {
        if !catalogue::is_known(field) {
            let known: Vec<&str> = catalogue::names().collect();
            self.fault(place, unknown("field", field, &known, "docs/events.md lists the fields"));
        }
    }

    fn own(&mut self, kind: RuleKind) -> Own {
        let mut own = Own {
            capture: false,
            family: Family::RemoteControl,
            weight: 0.0,
            suppress: SUPPRESS_DEFAULT,
            entity: None,
            expected: None,
            evidence: Evidence::default(),
        };
        let Some(node) = self.tree.get("spanwatch") else {
            return own;
        };
        for (key, place, value) in node.entries() {
            match key {
                "capture" => own.capture = self.capture(value),
                "family" => own.family = self.family(value),
                "weight" => own.weight = self.weight(value),
                "suppress" => own.suppress = self.suppress(value),
                "entity" if kind != RuleKind::Correlation => {
                    self.check_field_value(value);
                    own.entity = value.scalar().map(str::to_owned);
                }
                "entity" => self.fault(place, "a correlation's entity is what it is grouped by; leave `entity` out"),
                "evidence" => own.evidence = self.evidence(value),
                "expected" => own.expected = value.scalar().map(one_line),
                _ => self.fault(place, unknown("key", key, OWN_KEYS, &format!("known are {}", OWN_KEYS.join(", ")))),
            }
        }
        own
    }

    fn capture(&mut self, node: &Node) -> bool {
        match node.scalar() {
            Some("true") => true,
            Some("false") => false,
            _ => {
                self.fault(
                    node.place,
                    "`capture` is true or false: whether the first packets of what matches are kept",
                );
                false
            }
        }
    }

    fn family(&mut self, node: &Node) -> Family {
        let text = node.scalar().unwrap_or_default();
        let Some(&family) = Family::ALL.iter().find(|family| family.as_str() == text) else {
            let remedy = format!("known are {}", families().join(", "));
            self.fault(node.place, unknown("family", text, &families(), &remedy));
            return Family::RemoteControl;
        };
        family
    }

    fn weight(&mut self, node: &Node) -> f64 {
        match node.scalar().and_then(|text| text.parse::<f64>().ok()) {
            Some(weight) if (0.0..=WEIGHT_MAX).contains(&weight) => weight,
            _ => {
                self.fault(node.place, format!("a weight is a number of nats from 0 to {WEIGHT_MAX}"));
                0.0
            }
        }
    }

    fn suppress(&mut self, node: &Node) -> Duration {
        let parsed = node.scalar().and_then(|text| Timespan::parse(text).ok());
        match parsed.map(|span| Duration::from_secs(span.seconds)) {
            Some(suppress) if suppress <= SUPPRESS_MAX => suppress,
            _ => {
                self.fault(node.place, "not a time such as 30m, 12h or 1d, up to 30d");
                SUPPRESS_DEFAULT
            }
        }
    }

    fn evidence(&mut self, node: &Node) -> Evidence {
        for (key, place, _) in node.entries() {
            if !["fires", "quiet"].contains(&key) {
                self.fault(place, unknown("key", key, &["fires", "quiet"], "known are fires, quiet"));
            }
        }
        Evidence { fires: node.texts("fires"), quiet: node.texts("quiet") }
    }
}

const EXAMPLE_UUID: &str = "0b9a5c52-5d3f-4a0c-9a53-6a5d2f6c1e01";

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
