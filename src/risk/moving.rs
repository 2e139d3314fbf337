//! A site in, the ledgers of those who are there now taken over by its own: devices and accounts move in, and a household
//! whose provider gave it another address moves with its people.

use super::ledger::Ledger;
use super::{Incident, Risk};
use crate::identity::entity::Entity;
use crate::time::Timestamp;
use crate::world::World;

impl Risk {
    /// Takes over the evidence about those who are at the site, and about the site that they had before.
    pub(super) fn move_in(&mut self, holder: &Entity, at: Timestamp, world: &World) -> Vec<Incident> {
        let Entity::Site(site) = holder else {
            return Vec::new();
        };
        let driven = world.identity.hands().driven_from(*site);
        let devices = world.devices_at(*site).map(|(device, _)| device).chain(driven).map(Entity::Device);
        let accounts = world.accounts_at(*site).map(|(account, _)| Entity::Account(account.clone()));
        let moves_in = |who: &Entity| self.ledgers.get(who).is_some() && world.holder(who) == *holder;
        let housed: Vec<Entity> = devices.chain(accounts).filter(moves_in).collect();
        let left: Vec<Entity> = world.sites_left_for(*site).into_iter().map(Entity::Site).collect();
        housed.iter().chain(&left).flat_map(|who| self.take_over(who, holder, at, world)).collect()
    }

    /// Takes over one ledger. What was said of the one is said of the other from now on.
    fn take_over(&mut self, who: &Entity, holder: &Entity, at: Timestamp, world: &World) -> Option<Incident> {
        let open = self.ledgers.get(who)?.open.as_ref().map(|open| (open.closes, who.clone()));
        let closed = open.and_then(|open| {
            self.closing.remove(&open);
            self.close(who, at, world)
        });
        let mut moved = self.ledgers.remove(who)?;
        if let Entity::Site(_) = who {
            moved.rename(who, holder);
        }
        let ledger = self.ledgers.get_or_insert_with(holder.clone(), at, Ledger::default);
        ledger.absorb(moved, at, &self.settings);
        closed
    }
}
