//! Events in, findings out: what happened, with its numbers. Whether anyone cares is said by the rules.
//!
//! A detector knows no clock, keeps no map and does no I/O: it says whom an event is about and judges that one's
//! window. To add one: its file, its `mod` line and its line in [`ALL`].

pub mod overlapping_tunnels;
pub mod remote_access_product;
mod running;

use std::hash::Hash;
use std::time::Duration;

use serde::Deserialize;

use crate::event::Event;
use crate::facts::{Fields, FlowRef};
use crate::identity::entity::Entity;
use crate::protocol::{FieldSpec, Protocol};
use crate::recent::Retention;
use crate::time::Timestamp;
use crate::world::Application;
pub use running::Detectors;
use running::{Run, Running};

/// Every detector, by name.
pub const ALL: &[DetectorSpec] = &[
    DetectorSpec {
        name: overlapping_tunnels::NAME,
        fields: overlapping_tunnels::FIELDS,
        start: |settings| Box::new(Running::new(settings.overlapping_tunnels, settings.windows)),
    },
    DetectorSpec {
        name: remote_access_product::NAME,
        fields: remote_access_product::FIELDS,
        start: |settings| Box::new(Running::new(settings.remote_access_product, settings.windows)),
    },
];

pub struct DetectorSpec {
    /// What a rule names as `logsource.category`.
    pub name: &'static str,
    /// The fields of its findings.
    pub fields: &'static [FieldSpec],
    start: fn(&Settings) -> Box<dyn Run>,
}

/// The thresholds of the detectors and the limit on what each remembers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub overlapping_tunnels: overlapping_tunnels::OverlappingTunnels,
    pub remote_access_product: remote_access_product::RemoteAccessProduct,
    /// The windows of each detector.
    pub windows: Retention,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            overlapping_tunnels: Default::default(),
            remote_access_product: Default::default(),
            windows: Retention { entries_max: 50_000, keep: Duration::from_secs(30 * 86_400) },
        }
    }
}

/// The detector's own settings are its `self`.
pub trait Detector: Send + 'static {
    const NAME: &'static str;
    const FAMILY: Family;
    /// Whom it watches.
    type Subject: Clone + Eq + Hash + Send;
    /// What it needs to know of an event.
    type Sighting;
    /// What it remembers of a subject.
    type Window: Default + Send;

    /// Whom the event is about, and what it says of them; none where it says nothing.
    fn sight(&self, event: &Event<'_>) -> Option<(Self::Subject, Self::Sighting)>;

    /// Whether the sighting completes something, with the evidence for it.
    fn judge(&self, window: &mut Self::Window, sighting: Self::Sighting, at: Timestamp) -> Option<Fields>;

    fn entity(subject: &Self::Subject) -> Entity;
}

/// A kind of evidence. What is found in one family adds little to what was found in it before.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// What is read, and where it is taken to.
    DataAccess,
    /// A device is not what it says.
    Identity,
    /// Where somebody is, and on which way they come.
    Location,
    /// Several behind one, or one behind several.
    Multiplicity,
    RemoteControl,
    /// When somebody works.
    Time,
}

impl Family {
    pub const ALL: &'static [Self] =
        &[Self::DataAccess, Self::Identity, Self::Location, Self::Multiplicity, Self::RemoteControl, Self::Time];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DataAccess => "data_access",
            Self::Identity => "identity",
            Self::Location => "location",
            Self::Multiplicity => "multiplicity",
            Self::RemoteControl => "remote_control",
            Self::Time => "time",
        }
    }
}

/// What a detector found: an event in its own right, which rules judge.
#[derive(Clone, Debug)]
pub struct Finding {
    pub detector: &'static str,
    pub family: Family,
    pub entity: Entity,
    pub at: Timestamp,
    pub seq: u64,
    /// The flow that completed it.
    pub flow: FlowRef,
    pub protocol: Option<Protocol>,
    pub application: Option<Application>,
    pub evidence: Fields,
}
