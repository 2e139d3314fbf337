//! What the analysis has to say to people, in the form that every push shares.

use serde_json::Value;

use crate::time::Timestamp;

/// An alert, or a state of an incident.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The same for all that is said of one incident; an alert has its own.
    pub id: String,
    pub kind: Kind,
    /// Whether the matter is over.
    pub ended: bool,
    /// When it began, and the moment this is said of.
    pub since: Timestamp,
    pub at: Timestamp,
    /// `informational` to `critical`, and the same from 1 to 5.
    pub level: &'static str,
    pub severity: u64,
    /// One line.
    pub title: String,
    /// Whom it is about, by kind and name.
    pub entity: (&'static str, String),
    /// The whole, with the names of the Elastic Common Schema.
    pub document: Value,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Alert,
    Incident,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Incident => "incident",
        }
    }
}
