//! Whom evidence is about in, how much more it counts because they are new out.
//!
//! A farm's machines are set up in their first days: that is when remote control is installed and the account is tried.

use std::time::Duration;

use serde::Deserialize;

use crate::identity::entity::Entity;
use crate::quantity;
use crate::time::Timestamp;
use crate::world::World;

/// How much more the evidence about somebody new counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Newness {
    /// Somebody is new for so long, and `factor` times the weight counts.
    #[serde(deserialize_with = "quantity::duration")]
    pub fresh: Duration,
    pub fresh_factor: f64,
    /// And then settles in.
    #[serde(deserialize_with = "quantity::duration")]
    pub settling: Duration,
    pub settling_factor: f64,
    /// A device is only new where the sensor had been watching for so long before it came.
    #[serde(deserialize_with = "quantity::duration")]
    pub watched: Duration,
}

impl Default for Newness {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self { fresh: 14 * day, fresh_factor: 1.5, settling: 30 * day, settling_factor: 1.25, watched: 14 * day }
    }
}

impl Newness {
    /// What the weight of evidence about an entity is multiplied with. A site is never new: its people are.
    pub(super) fn factor(&self, entity: &Entity, at: Timestamp, world: &World) -> f64 {
        let since = match entity {
            Entity::Account(account) => world.inventory.account(account.as_str()).and_then(|account| account.start),
            Entity::Device(device) => world.first_seen(*device, self.watched),
            Entity::Address(_) | Entity::Group(_) | Entity::Site(_) => None,
        };
        // Work before the first day is no less new.
        match since.map(|since| at.since(since)) {
            Some(age) if age < self.fresh => self.fresh_factor,
            Some(age) if age < self.settling => self.settling_factor,
            _ => 1.0,
        }
    }
}
