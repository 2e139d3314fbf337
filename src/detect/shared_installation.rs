//! Whether several devices at home are reached under one installation of a remote-access product.
//!
//! # What it sees
//!
//! What a product names an installation or its owner by: the certificate of its client, an identifier in its protocol. The
//! second device with the same one is a finding, and each further one, with the groups that the devices belong to.
//!
//! # Why it matters
//!
//! Laptops that have nothing to do with each other are driven by the same person, or were set up by the same hand.
//!
//! # Normal causes
//!
//! The image of the organisation's laptops has the product in it, configured; a laptop that was moved to other hardware.
//!
//! # Blind spots
//!
//! Under TLS 1.3 certificates are hidden; most products show no identifier at all.

use std::collections::BTreeSet;
use std::time::Duration;

use rsigma_eval::EventValue;
use serde::{Deserialize, Serialize};

use crate::detect::sightings::Sightings;
use crate::detect::{Detector, Family};
use crate::enrich::products::Kind;
use crate::event::Event;
use crate::facts::Fields;
use crate::facts::words;
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "shared_installation";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.installation.id", help: "What the devices have in common." },
    FieldSpec { name: "spanwatch.installation.field", help: "The field that says it." },
    FieldSpec { name: "spanwatch.installation.devices", help: "How many devices have it." },
    FieldSpec { name: "spanwatch.installation.groups", help: "The groups of the inventory that they belong to." },
    FieldSpec { name: "spanwatch.installation.groups_count", help: "How many groups those are." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SharedInstallation {
    /// Devices count together that showed it within so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub window: Duration,
}

impl Default for SharedInstallation {
    fn default() -> Self {
        Self { window: Duration::from_secs(14 * 86_400) }
    }
}

/// A field and its value.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Installation {
    #[serde(deserialize_with = "words::word")]
    field: words::Word,
    id: Text,
}

pub struct Sighting {
    installation: Installation,
    device: DeviceId,
    group: Option<Text>,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    devices: Sightings<DeviceId>,
    groups: BTreeSet<Text>,
}

impl SharedInstallation {
    /// What names an installation or its owner.
    const IDS: &'static [&'static str] = &["tls.client.hash.sha256"];
    const DEVICES_MAX: usize = 64;
}

impl Detector for SharedInstallation {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    type Subject = Installation;
    type Sighting = Sighting;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(Installation, Sighting)> {
        let application = event.application()?;
        if !application.is_in_use() || application.kind() != Some(Kind::RemoteAccess) {
            return None;
        }
        let device = event.device(event.home_side()?)?;
        let text = |field| match event.get(field) {
            Some(EventValue::Str(text)) => Some(Text::from(text.as_ref())),
            _ => None,
        };
        let installation = Self::IDS.iter().find_map(|&field| Some(Installation { field, id: text(field)? }))?;
        let group = text("device.group");
        Some((installation.clone(), Sighting { installation, device, group }))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        let is_new = window.devices.add(sighting.device, at, self.window, Self::DEVICES_MAX);
        if window.groups.len() < Self::DEVICES_MAX {
            window.groups.extend(sighting.group);
        }
        if !is_new || window.devices.len() < 2 {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.installation.id", sighting.installation.id);
        evidence.push("spanwatch.installation.field", sighting.installation.field);
        evidence.push("spanwatch.installation.devices", window.devices.len() as u64);
        evidence.push("spanwatch.installation.groups", window.groups.iter().cloned().collect::<Vec<_>>());
        evidence.push("spanwatch.installation.groups_count", window.groups.len() as u64);
        Some(evidence)
    }

    /// The devices are told apart in the finding; together they are the installation.
    fn entity(installation: &Installation) -> Entity {
        Entity::Group(format!("{}={}", installation.field, installation.id.as_str()).into())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::facts::Value;

    const DAY: u64 = 86_400;

    /// Judges devices by second; how many devices the findings tell of.
    fn found(devices: &[(u8, u64)]) -> Vec<Option<u64>> {
        let (detector, mut window) = (SharedInstallation::default(), Window::default());
        let judge = |&(device, secs): &(u8, u64)| {
            let sighting = Sighting {
                installation: Installation { field: "tls.client.hash.sha256", id: "00ff".into() },
                device: DeviceId::of_address(IpAddr::from([10, 0, 0, device])),
                group: Some("desks".into()),
            };
            match detector
                .judge(&mut window, sighting, Timestamp::from_secs(secs))?
                .get("spanwatch.installation.devices")
            {
                Some(Value::Number(count)) => Some(*count),
                _ => None,
            }
        };
        devices.iter().map(judge).collect()
    }

    #[test]
    fn the_second_device_is_a_finding_and_each_further_one() {
        assert_eq!(found(&[(1, 0), (1, 1), (2, 2), (1, 3), (3, 4)]), [None, None, Some(2), None, Some(3)]);
    }

    #[test]
    fn devices_count_together_up_to_the_window_and_no_longer() {
        assert_eq!(found(&[(1, 0), (2, 14 * DAY)]), [None, Some(2)]);
        assert_eq!(found(&[(1, 0), (2, 14 * DAY + 1)]), [None, None]);
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let devices: Vec<(u8, u64)> = (0..200).map(|device| (device, 0)).collect();
        assert_eq!(found(&devices).iter().flatten().last(), Some(&(SharedInstallation::DEVICES_MAX as u64)));
    }
}
