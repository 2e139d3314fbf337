//! A folder of Sigma rules in, judgements of events out.
//!
//! Rules say what of all that happens matters, how much and to whom it must be said; the code that finds out what
//! happens knows none of it. `rules/README.md` describes the format.

pub mod document;
mod explain;
mod judge;
mod lint;
mod load;
mod needed;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rsigma_parser::SigmaCollection;

use crate::detect::Family;
use crate::enrich::products::Products;
use crate::yaml::Fault;
pub use judge::{Correlated, Judge, Judgement, Limits};

/// A rule, beside what the Sigma engine knows of it.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    /// The file's name without its ending.
    pub name: String,
    pub title: String,
    pub kind: RuleKind,
    pub path: PathBuf,
    pub level: Level,
    pub description: String,
    pub falsepositives: Vec<String>,
    pub tags: Vec<String>,
    pub references: Vec<String>,
    /// The fact or finding it judges; none for correlations, and for filters of rules of any category.
    pub category: Option<String>,
    /// The rules that a correlation counts or a filter narrows, by id or name.
    pub refers_to: Vec<String>,
    pub family: Family,
    /// How much a match speaks for a farm, in nats: the logarithm of the likelihood ratio.
    pub weight: f64,
    /// For so long the same rule is silent about the same entity.
    pub suppress: Duration,
    /// The field whose value an alert is about; without it the device at home, or else the client's address.
    pub entity: Option<String>,
    /// What is seen of the innocent instead, in a sentence; the explanation of an incident says it.
    pub expected: Option<String>,
    /// Whether it only feeds correlations.
    pub is_counted_only: bool,
    /// Whether the first packets of the flows it matches are kept, where the configuration has a folder for them.
    pub capture: bool,
    pub evidence: Evidence,
}

impl Rule {
    /// The ATT&CK techniques of its tags, such as `T1219.002`.
    pub fn techniques(&self) -> impl Iterator<Item = String> {
        let techniques = self.tags.iter().filter_map(|tag| tag.strip_prefix("attack."));
        techniques.filter(|tag| lint::is_technique(tag)).map(str::to_uppercase)
    }
}

/// The captures that hold a rule to its word, as folders of `pcaps/`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Evidence {
    pub fires: Vec<String>,
    pub quiet: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RuleKind {
    Correlation,
    Detection,
    Filter,
}

impl RuleKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Correlation => "correlation",
            Self::Detection => "detection",
            Self::Filter => "filter",
        }
    }
}

/// How loudly a rule speaks, in Sigma's words.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    #[default]
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Level {
    pub const ALL: &'static [Self] = &[Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// For `event.severity`: 1 to 5.
    pub const fn severity(self) -> u64 {
        match self {
            Self::Informational => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }
}

/// The rules of a folder, checked, and the products of its `data/products.yml`.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Arc<Rule>>,
    collection: SigmaCollection,
    products: Arc<Products>,
}

impl Rules {
    /// No rules, and the products that the project ships: what is recognised does not hang on a folder.
    pub fn none() -> Self {
        Self { products: Arc::new(Products::shipped()), ..Self::default() }
    }

    /// The rules, by path.
    pub fn list(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|rule| &**rule)
    }

    /// The rules, by path, to be kept.
    pub fn shared(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.iter()
    }

    /// A rule by its id or name.
    pub fn find(&self, id_or_name: &str) -> Option<&Rule> {
        self.list().find(|rule| rule.id == id_or_name || rule.name == id_or_name)
    }

    pub const fn products(&self) -> &Arc<Products> {
        &self.products
    }
}

/// All that is wrong in a folder of rules.
#[derive(Debug)]
pub struct RuleFaults(pub Vec<Fault>);

impl fmt::Display for RuleFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleFaults {}

#[cfg(test)]
mod shipped_findings_tests;
#[cfg(test)]
mod shipped_shapes_tests;
#[cfg(test)]
mod shipped_tests;
#[cfg(test)]
mod tests;
