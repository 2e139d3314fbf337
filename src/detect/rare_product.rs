//! Whether a device uses a remote-access product that hardly anybody else in the fleet uses.
//!
//! # What it sees
//!
//! Which devices use which remote-access product, and how many devices there are. A device that uses a product for the
//! first time in a month, or since fifty devices are known, is a finding if at most one in fifty of all devices uses it.
//!
//! # Why it matters
//!
//! The organisation's own tool is everywhere. What is on one machine alone was put there by somebody for that machine.
//!
//! # Normal causes
//!
//! A supplier's support session, the first devices of a roll-out, a developer who tries things.
//!
//! # Blind spots
//!
//! In a fleet of fewer than fifty devices nothing is rare. Products reached under names of their customers'.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::fleet::Users;
use crate::detect::sightings::Sightings;
use crate::detect::{Detector, Family};
use crate::enrich::products::Kind;
use crate::event::Event;
use crate::facts::Fields;
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::memory::{Memory, MemoryError};
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "rare_product";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.product.devices", help: "How many devices use the product." },
    FieldSpec { name: "spanwatch.product.devices_known", help: "How many devices there are." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// So many percent of the devices, and a product is not rare.
    pub common_percent: usize,
    /// With fewer devices than that nothing is rare.
    pub devices: usize,
    /// A product that a device did not use for so long is new to it again.
    #[serde(deserialize_with = "quantity::duration")]
    pub memory: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { common_percent: 2, devices: 50, memory: Duration::from_secs(30 * 86_400) }
    }
}

#[derive(Default)]
pub struct RareProduct {
    settings: Settings,
    fleet: Users<Text, DeviceId>,
}

#[derive(Clone, Debug)]
pub struct Sighting {
    product: Text,
    devices: usize,
    devices_known: usize,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    products: Sightings<Text>,
}

impl RareProduct {
    const PRODUCTS_MAX: usize = 16;

    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    fn product(event: &Event<'_>) -> Option<Text> {
        let application = event.application()?;
        let counts = application.is_in_use() && application.kind() == Some(Kind::RemoteAccess);
        counts.then(|| Text::from(application.product.id.as_str()))
    }
}

impl Detector for RareProduct {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    type Subject = DeviceId;
    type Sighting = Sighting;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        let Some(product) = Self::product(event) else {
            return;
        };
        if let Some(device) = event.home_side().and_then(|side| event.device(side)) {
            self.fleet.add(&product, &device, event.at());
        }
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        self.fleet.remember(section, memory);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.fleet.recall(section, memory)
    }

    fn sight(&self, event: &Event<'_>) -> Option<(DeviceId, Sighting)> {
        let product = Self::product(event)?;
        let device = event.device(event.home_side()?)?;
        let (devices, devices_known) = (self.fleet.users(&product), event.world().identity.device_count());
        Some((device, Sighting { product, devices, devices_known }))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        if sighting.devices_known < self.settings.devices {
            return None;
        }
        let is_new = window.products.add(sighting.product, at, self.settings.memory, Self::PRODUCTS_MAX);
        let is_rare = sighting.devices * 100 <= sighting.devices_known * self.settings.common_percent;
        if !is_new || !is_rare {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.product.devices", sighting.devices as u64);
        evidence.push("spanwatch.product.devices_known", sighting.devices_known as u64);
        Some(evidence)
    }

    fn entity(device: &DeviceId) -> Entity {
        Entity::Device(*device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_found(window: &mut Window, devices: usize, devices_known: usize, secs: u64) -> bool {
        let sighting = Sighting { product: "anydesk".into(), devices, devices_known };
        RareProduct::default().judge(window, sighting, Timestamp::from_secs(secs)).is_some()
    }

    #[test]
    fn a_product_of_one_device_in_fifty_is_rare() {
        assert!(is_found(&mut Window::default(), 1, 50, 0));
        assert!(is_found(&mut Window::default(), 20, 1000, 0));
        assert!(!is_found(&mut Window::default(), 21, 1000, 0));
    }

    #[test]
    fn in_a_small_fleet_nothing_is_rare() {
        assert!(!is_found(&mut Window::default(), 1, 49, 0));
    }

    #[test]
    fn a_product_that_was_there_before_the_fleet_was_known_is_told_when_it_is() {
        let mut window = Window::default();
        assert!(!is_found(&mut window, 1, 49, 0));
        assert!(is_found(&mut window, 1, 50, 60));
        assert!(!is_found(&mut window, 1, 51, 120));
    }

    #[test]
    fn a_device_is_told_of_once_in_a_month() {
        let mut window = Window::default();
        assert!(is_found(&mut window, 1, 100, 0));
        assert!(!is_found(&mut window, 1, 100, 30 * 86_400));
        assert!(is_found(&mut window, 1, 100, 60 * 86_400 + 1));
    }
}
