//! A file of alerts and incidents in, what each of them is about out.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use super::time;
use crate::time::Timestamp;

/// An alert or an incident, as far as it is to be judged.
#[derive(Clone, Debug)]
pub struct Said {
    pub at: Timestamp,
    pub is_incident: bool,
    /// The incident is said for the first time.
    pub is_opening: bool,
    pub id: String,
    /// The name of an alert's rule.
    pub rule: String,
    pub entity: String,
    pub accounts: BTreeSet<String>,
    pub score: f64,
    pub families: BTreeSet<String>,
    /// The rules whose evidence the incident is made of.
    pub evidence: BTreeSet<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SaidError {
    #[error("{file}: cannot be read: {source}; write it with `spanwatch replay --alerts {file}`")]
    Unreadable { file: String, source: std::io::Error },
    #[error("{file}:{line}: not an alert that spanwatch wrote: {reason}")]
    Malformed { file: String, line: usize, reason: String },
}

impl Said {
    /// Reads the lines of a file.
    pub fn load(path: &Path) -> Result<Vec<Self>, SaidError> {
        let file = || path.display().to_string();
        let unreadable = |source| SaidError::Unreadable { file: file(), source };
        let lines = BufReader::new(File::open(path).map_err(unreadable)?).lines();
        let mut all = Vec::new();
        for (line, text) in (1..).zip(lines) {
            let said = Self::parse(&text.map_err(unreadable)?);
            all.push(said.map_err(|reason| SaidError::Malformed { file: file(), line, reason })?);
        }
        Ok(all)
    }

    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let at = text("@timestamp").and_then(|at| time(&at)).ok_or("it has no @timestamp")?;
        let entity = text("spanwatch.entity.id").ok_or("it has no spanwatch.entity.id")?;
        let action = text("event.action").unwrap_or_default();
        let is_incident = text("event.dataset").is_some_and(|dataset| dataset == "spanwatch.incident");
        let families = document.get("spanwatch.incident.families").and_then(Value::as_array);
        let items = |family: &Value| family.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let rule = |item: Value| item.get("rule").and_then(Value::as_str).map(str::to_owned);
        let evidence = families.into_iter().flatten().flat_map(items).filter_map(rule).collect();
        let family = |family: &Value| family.get("family").and_then(Value::as_str).map(str::to_owned);
        let accounts = ["user.name", "related.user"].iter().filter_map(|name| document.get(name));
        Ok(Self {
            at,
            is_incident,
            is_opening: is_incident && action == "opened",
            id: text("event.id").unwrap_or_else(|| entity.clone()),
            rule: if is_incident { String::new() } else { action },
            entity,
            accounts: accounts.flat_map(texts).collect(),
            score: document.get("spanwatch.incident.score").and_then(Value::as_f64).unwrap_or(0.0),
            families: families.into_iter().flatten().filter_map(family).collect(),
            evidence,
        })
    }
}

/// A text, or each of a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}
