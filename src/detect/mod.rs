//! Events in, findings out: what happened, with its numbers. Whether anyone cares is said by the rules.
//!
//! A detector knows no clock, keeps no map and does no I/O: it says whom an event is about and judges that one's
//! window. To add one: its file, its `mod` line and its line in [`ALL`].

pub mod account_hosts;
pub mod account_networks;
pub mod account_sessions;
pub mod accounts_at_site;
pub mod always_on;
pub mod arp_channel;
pub mod beacon;
mod chains;
pub mod co_outage;
pub mod controlled_host;
pub mod daily;
pub mod disguised_device;
pub mod distances_at_site;
pub mod distant_client;
mod fleet;
mod handshake;
pub mod hosts_at_site;
pub mod jiggler;
mod log_on;
pub mod one_operator;
pub mod one_way_call;
pub mod overlapping_tunnels;
pub mod rare_product;
#[cfg(test)]
mod recordings_tests;
pub mod relay;
pub mod remote_access_product;
mod reported;
mod running;
pub mod second_stack;
pub mod session_hours;
pub mod shared_installation;
mod sightings;
mod spans;
mod spread;
pub mod synchronised_shift;
pub mod transfer;
pub mod tunnel_mss;
pub mod upload_volume;
pub mod who_drives;
pub mod wrong_clock;

use std::hash::Hash;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::facts::{FactKind, Fields, FlowRef};
use crate::identity::entity::Entity;
use crate::memory::{Memory, MemoryError};
use crate::protocol::{FieldSpec, Protocol};
use crate::recent::Retention;
use crate::time::Timestamp;
use crate::world::Application;
pub use daily::DailyDetectors;
use daily::DailySpec;
pub use running::Detectors;
use running::{Run, Running};

/// Every detector, by name.
pub const ALL: &[DetectorSpec] = &[
    DetectorSpec {
        name: account_hosts::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: account_hosts::FIELDS,
        start: |settings| Box::new(Running::new(settings.account_hosts, settings.windows)),
    },
    DetectorSpec {
        name: account_networks::NAME,
        vantage: Vantage::Edge,
        needs: &[],
        fields: account_networks::FIELDS,
        start: |settings| {
            Box::new(Running::new(account_networks::AccountNetworks::new(settings.account_networks), settings.windows))
        },
    },
    DetectorSpec {
        name: account_sessions::NAME,
        vantage: Vantage::Edge,
        needs: &[],
        fields: account_sessions::FIELDS,
        start: |settings| Box::new(Running::new(settings.account_sessions, settings.windows)),
    },
    DetectorSpec {
        name: accounts_at_site::NAME,
        vantage: Vantage::Edge,
        needs: &[],
        fields: accounts_at_site::FIELDS,
        start: |settings| Box::new(Running::new(settings.accounts_at_site, settings.windows)),
    },
    DetectorSpec {
        name: always_on::NAME,
        vantage: Vantage::Edge,
        needs: &[Need::VpnGateway],
        fields: always_on::FIELDS,
        start: |settings| Box::new(Running::new(always_on::AlwaysOn::new(settings.always_on), settings.windows)),
    },
    DetectorSpec {
        name: arp_channel::NAME,
        vantage: Vantage::Lan,
        needs: &[],
        fields: arp_channel::FIELDS,
        start: |settings| Box::new(Running::new(settings.arp_channel, settings.windows)),
    },
    DetectorSpec {
        name: beacon::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: beacon::FIELDS,
        start: |settings| Box::new(Running::new(beacon::Beacon::new(settings.beacon), settings.windows)),
    },
    DetectorSpec {
        name: co_outage::NAME,
        vantage: Vantage::Edge,
        needs: &[Need::VpnGateway],
        fields: co_outage::FIELDS,
        start: |settings| Box::new(Running::new(co_outage::CoOutage::new(settings.co_outage), settings.windows)),
    },
    DetectorSpec {
        name: controlled_host::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: controlled_host::FIELDS,
        start: |settings| Box::new(Running::new(settings.controlled_host, settings.windows)),
    },
    DetectorSpec {
        name: disguised_device::NAME,
        vantage: Vantage::Lan,
        needs: &[],
        fields: disguised_device::FIELDS,
        start: |settings| Box::new(Running::new(settings.disguised_device, settings.windows)),
    },
    DetectorSpec {
        name: distances_at_site::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: distances_at_site::FIELDS,
        start: |settings| Box::new(Running::new(settings.distances_at_site, settings.windows)),
    },
    DetectorSpec {
        name: distant_client::NAME,
        vantage: Vantage::Edge,
        needs: &[],
        fields: distant_client::FIELDS,
        start: |settings| {
            Box::new(Running::new(distant_client::DistantClient::new(settings.distant_client), settings.windows))
        },
    },
    DetectorSpec {
        name: hosts_at_site::NAME,
        vantage: Vantage::Edge,
        needs: &[],
        fields: hosts_at_site::FIELDS,
        start: |settings| Box::new(Running::new(settings.hosts_at_site, settings.windows)),
    },
    DetectorSpec {
        name: jiggler::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: jiggler::FIELDS,
        start: |settings| Box::new(Running::new(settings.jiggler, settings.windows)),
    },
    DetectorSpec {
        name: one_way_call::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: one_way_call::FIELDS,
        start: |settings| {
            Box::new(Running::new(one_way_call::OneWayCall::new(settings.one_way_call), settings.windows))
        },
    },
    DetectorSpec {
        name: overlapping_tunnels::NAME,
        vantage: Vantage::Edge,
        needs: &[Need::VpnGateway],
        fields: overlapping_tunnels::FIELDS,
        start: |settings| Box::new(Running::new(settings.overlapping_tunnels, settings.windows)),
    },
    DetectorSpec {
        name: rare_product::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: rare_product::FIELDS,
        start: |settings| {
            Box::new(Running::new(rare_product::RareProduct::new(settings.rare_product), settings.windows))
        },
    },
    DetectorSpec {
        name: relay::NAME,
        vantage: Vantage::Edge,
        needs: &[],
        fields: relay::FIELDS,
        start: |settings| Box::new(Running::new(relay::Relay::new(settings.relay), settings.windows)),
    },
    DetectorSpec {
        name: remote_access_product::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: remote_access_product::FIELDS,
        start: |settings| Box::new(Running::new(settings.remote_access_product, settings.windows)),
    },
    DetectorSpec {
        name: second_stack::NAME,
        vantage: Vantage::Edge,
        needs: &[],
        fields: second_stack::FIELDS,
        start: |settings| {
            Box::new(Running::new(second_stack::SecondStack::new(settings.second_stack), settings.windows))
        },
    },
    DetectorSpec {
        name: session_hours::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: session_hours::FIELDS,
        start: |settings| {
            Box::new(Running::new(session_hours::SessionHours::new(settings.session_hours), settings.windows))
        },
    },
    DetectorSpec {
        name: shared_installation::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: shared_installation::FIELDS,
        start: |settings| Box::new(Running::new(settings.shared_installation, settings.windows)),
    },
    DetectorSpec {
        name: transfer::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: transfer::FIELDS,
        start: |settings| Box::new(Running::new(settings.transfer, settings.windows)),
    },
    DetectorSpec {
        name: tunnel_mss::NAME,
        vantage: Vantage::Edge,
        needs: &[],
        fields: tunnel_mss::FIELDS,
        start: |settings| Box::new(Running::new(tunnel_mss::TunnelMss::new(settings.tunnel_mss), settings.windows)),
    },
    DetectorSpec {
        name: upload_volume::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: upload_volume::FIELDS,
        start: |settings| Box::new(Running::new(settings.upload_volume, settings.windows)),
    },
    DetectorSpec {
        name: who_drives::NAME,
        vantage: Vantage::Inside,
        needs: &[],
        fields: who_drives::FIELDS,
        start: |settings| Box::new(Running::new(who_drives::WhoDrives::new(settings.who_drives), settings.windows)),
    },
];

/// Every detector that judges a day when it is over, by name.
pub const DAILY: &[DailySpec] = &[
    DailySpec {
        name: one_operator::NAME,
        vantage: Vantage::Edge,
        fields: one_operator::FIELDS,
        start: |settings| Box::new(daily::Running::new(settings.one_operator)),
    },
    DailySpec {
        name: synchronised_shift::NAME,
        vantage: Vantage::Edge,
        fields: synchronised_shift::FIELDS,
        start: |settings| Box::new(daily::Running::new(settings.synchronised_shift)),
    },
    DailySpec {
        name: wrong_clock::NAME,
        vantage: Vantage::Edge,
        fields: wrong_clock::FIELDS,
        start: |settings| Box::new(daily::RunningOne(settings.wrong_clock)),
    },
];

/// The name of every detector, where it sees from, and the fields of its findings.
pub fn specs() -> impl Iterator<Item = (&'static str, Vantage, &'static [FieldSpec])> {
    let of_subjects = ALL.iter().map(|spec| (spec.name, spec.vantage, spec.fields));
    of_subjects.chain(DAILY.iter().map(|spec| (spec.name, spec.vantage, spec.fields)))
}

pub struct DetectorSpec {
    /// What a rule names as `logsource.category`.
    pub name: &'static str,
    pub vantage: Vantage,
    /// What it is silent without.
    pub needs: &'static [Need],
    /// The fields of its findings.
    pub fields: &'static [FieldSpec],
    start: fn(&Settings) -> Box<dyn Run>,
}

/// The thresholds of the detectors and the limit on what each remembers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub account_hosts: account_hosts::AccountHosts,
    pub account_networks: account_networks::Settings,
    pub account_sessions: account_sessions::AccountSessions,
    pub accounts_at_site: accounts_at_site::AccountsAtSite,
    pub always_on: always_on::Settings,
    pub arp_channel: arp_channel::ArpChannel,
    pub beacon: beacon::Settings,
    pub co_outage: co_outage::Settings,
    pub controlled_host: controlled_host::ControlledHost,
    pub disguised_device: disguised_device::DisguisedDevice,
    pub distances_at_site: distances_at_site::DistancesAtSite,
    pub distant_client: distant_client::Settings,
    pub hosts_at_site: hosts_at_site::HostsAtSite,
    pub jiggler: jiggler::Jiggler,
    pub one_operator: one_operator::OneOperator,
    pub one_way_call: one_way_call::Settings,
    pub overlapping_tunnels: overlapping_tunnels::OverlappingTunnels,
    pub rare_product: rare_product::Settings,
    pub relay: relay::Settings,
    pub remote_access_product: remote_access_product::RemoteAccessProduct,
    pub second_stack: second_stack::Settings,
    pub session_hours: session_hours::Settings,
    pub shared_installation: shared_installation::SharedInstallation,
    pub synchronised_shift: synchronised_shift::SynchronisedShift,
    pub transfer: transfer::Transfer,
    pub tunnel_mss: tunnel_mss::Settings,
    pub upload_volume: upload_volume::UploadVolume,
    pub who_drives: who_drives::Settings,
    pub wrong_clock: wrong_clock::WrongClock,
    /// The windows of each detector.
    pub windows: Retention,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account_hosts: Default::default(),
            account_networks: Default::default(),
            account_sessions: Default::default(),
            accounts_at_site: Default::default(),
            always_on: Default::default(),
            arp_channel: Default::default(),
            beacon: Default::default(),
            co_outage: Default::default(),
            controlled_host: Default::default(),
            disguised_device: Default::default(),
            distances_at_site: Default::default(),
            distant_client: Default::default(),
            hosts_at_site: Default::default(),
            jiggler: Default::default(),
            one_operator: Default::default(),
            one_way_call: Default::default(),
            overlapping_tunnels: Default::default(),
            rare_product: Default::default(),
            relay: Default::default(),
            remote_access_product: Default::default(),
            second_stack: Default::default(),
            session_hours: Default::default(),
            shared_installation: Default::default(),
            synchronised_shift: Default::default(),
            transfer: Default::default(),
            tunnel_mss: Default::default(),
            upload_volume: Default::default(),
            who_drives: Default::default(),
            wrong_clock: Default::default(),
            windows: Retention { entries_max: 50_000, keep: Duration::from_secs(30 * 86_400) },
        }
    }
}

/// Where the mirror must be for a detector to see what it judges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vantage {
    /// Outside the VPN gateway, where houses are seen by their public addresses.
    Edge,
    /// Behind the gateway or on the way to the Internet, where a laptop's own traffic is seen.
    Inside,
    /// On the segment of the devices, where their MACs, leases and link frames are seen.
    Lan,
}

impl Vantage {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Inside => "inside",
            Self::Lan => "lan",
        }
    }
}

/// Something of the configuration that a detector cannot do without.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// A network with the role of a VPN gateway.
    VpnGateway,
}

impl Need {
    /// What the operator is told to add.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::VpnGateway => "give a network under `networks` the role `vpn_gateway`",
        }
    }
}

/// The detectors that lack something, each with the first thing that it lacks.
pub fn silent(has: impl Fn(Need) -> bool) -> Vec<(&'static DetectorSpec, Need)> {
    let lacking = |spec: &'static DetectorSpec| spec.needs.iter().copied().find(|&need| !has(need));
    ALL.iter().filter_map(|spec| Some((spec, lacking(spec)?))).collect()
}

/// The detector's own settings are its `self`, with what it knows of the whole fleet where it needs that.
pub trait Detector: Send + 'static {
    const NAME: &'static str;
    const FAMILY: Family;
    /// The categories of the facts it is shown, of [`FactKind::CATEGORIES`]: all others say nothing to it.
    const HEARS: &'static [&'static str] = FactKind::CATEGORIES;
    /// Whom it watches.
    type Subject: Clone + DeserializeOwned + Eq + Hash + Send + Serialize;
    /// What it needs to know of an event.
    type Sighting;
    /// What it remembers of a subject.
    type Window: Default + DeserializeOwned + Send + Serialize;

    /// Learns of the whole fleet from every fact, before anybody is judged by it.
    fn learn(&mut self, _event: &Event<'_>) {}

    /// Writes down what it knows of the whole fleet, in sections whose names begin with `section`. What is counted of flows
    /// that are still open needs not be: after a restart they are others.
    fn remember(&self, _section: &str, _memory: &mut Memory) {}

    fn recall(&mut self, _section: &str, _memory: &Memory) -> Result<(), MemoryError> {
        Ok(())
    }

    /// Whom the event is about, and what it says of them; none where it says nothing.
    fn sight(&self, event: &Event<'_>) -> Option<(Self::Subject, Self::Sighting)>;

    /// Whether the sighting completes something, with the evidence for it.
    fn judge(&self, window: &mut Self::Window, sighting: Self::Sighting, at: Timestamp) -> Option<Fields>;

    fn entity(subject: &Self::Subject) -> Entity;
}

/// A kind of evidence. What is found in one family adds little to what was found in it before.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
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

/// To a hundredth: more is not known.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
