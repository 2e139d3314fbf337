//! What every member of the fleet uses in, how common each thing is out: what many do is nobody's sign.

use std::hash::Hash;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use crate::memory::{Memory, MemoryError};
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

/// How many use each thing, as far as that matters.
pub struct Users<K, M> {
    /// The users of each thing, sorted, the first [`Self::USERS_MAX`] of them.
    users: Recent<K, SmallVec<[M; 2]>>,
}

/// How many members use each thing, where the members are those who use any of them.
pub struct Prevalence<K, M> {
    users: Users<K, M>,
    members: Recent<M, ()>,
}

impl<K: Clone + Eq + Hash, M: Clone + Ord> Users<K, M> {
    const THINGS: Retention = Retention { entries_max: 20_000, keep: Duration::from_secs(30 * 86_400) };
    /// What more use is common in any fleet.
    const USERS_MAX: usize = 256;

    /// Returns whether the member was known to use it.
    pub fn add(&mut self, thing: &K, member: &M, at: Timestamp) -> bool {
        self.users.expire(at);
        let users = self.users.get_or_insert_with(thing.clone(), at, SmallVec::new);
        let Err(place) = users.binary_search(member) else {
            return true;
        };
        if users.len() < Self::USERS_MAX {
            users.insert(place, member.clone());
        }
        false
    }

    pub fn users(&self, thing: &K) -> usize {
        self.users.get(thing).map_or(0, SmallVec::len)
    }

    /// Whether at least `percent` of `members` use the thing, and at least `least` do.
    pub fn is_common(&self, thing: &K, members: usize, percent: usize, least: usize) -> bool {
        let users = self.users(thing);
        users >= Self::USERS_MAX || users >= least && users * 100 >= members * percent
    }
}

impl<K: Clone + Eq + Hash, M: Clone + Eq + Hash + Ord> Prevalence<K, M> {
    const MEMBERS: Retention = Retention { entries_max: 100_000, keep: Duration::from_secs(30 * 86_400) };

    pub fn add(&mut self, thing: &K, member: &M, at: Timestamp) {
        self.members.expire(at);
        self.members.get_or_insert_with(member.clone(), at, || ());
        self.users.add(thing, member, at);
    }

    pub fn users(&self, thing: &K) -> usize {
        self.users.users(thing)
    }

    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Whether at least `percent` of the members use the thing, and at least `least` do.
    pub fn is_common(&self, thing: &K, percent: usize, least: usize) -> bool {
        self.users.is_common(thing, self.members(), percent, least)
    }
}

impl<K: Clone + Eq + Hash, M: Clone + Ord> Default for Users<K, M> {
    fn default() -> Self {
        Self { users: Recent::new(Self::THINGS) }
    }
}

impl<K, M> Users<K, M>
where
    K: Clone + DeserializeOwned + Eq + Hash + Serialize,
    M: Clone + DeserializeOwned + Ord + Serialize,
{
    pub fn remember(&self, section: &str, memory: &mut Memory) {
        memory.put(&format!("{section}.users"), &self.users);
    }

    pub fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.users.restore(memory.get(&format!("{section}.users"))?.unwrap_or_default());
        Ok(())
    }
}

impl<K, M> Prevalence<K, M>
where
    K: Clone + DeserializeOwned + Eq + Hash + Serialize,
    M: Clone + DeserializeOwned + Eq + Hash + Ord + Serialize,
{
    pub fn remember(&self, section: &str, memory: &mut Memory) {
        self.users.remember(section, memory);
        memory.put(&format!("{section}.members"), &self.members);
    }

    pub fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.users.recall(section, memory)?;
        self.members.restore(memory.get(&format!("{section}.members"))?.unwrap_or_default());
        Ok(())
    }
}

impl<K: Clone + Eq + Hash, M: Clone + Eq + Hash + Ord> Default for Prevalence<K, M> {
    fn default() -> Self {
        Self { users: Users::default(), members: Recent::new(Self::MEMBERS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_common_from_its_share_on() {
        let mut fleet: Prevalence<&str, u32> = Prevalence::default();
        for member in 0..500 {
            fleet.add(&"common", &member, Timestamp::ZERO);
        }
        for member in 0..4 {
            fleet.add(&"rare", &member, Timestamp::ZERO);
            fleet.add(&"rare", &member, Timestamp::ZERO);
        }
        assert!(fleet.is_common(&"common", 100, 500), "more users than are told apart");
        assert_eq!((fleet.users(&"rare"), fleet.members()), (4, 500));
        assert!(!fleet.is_common(&"rare", 1, 1));
        fleet.add(&"rare", &4, Timestamp::ZERO);
        assert!(fleet.is_common(&"rare", 1, 5));
        assert!(!fleet.is_common(&"rare", 1, 6), "in a small fleet a share says little");
    }

    #[test]
    fn who_is_not_heard_of_for_a_month_is_no_member() {
        let mut fleet: Prevalence<&str, u32> = Prevalence::default();
        fleet.add(&"a", &1, Timestamp::ZERO);
        fleet.add(&"b", &2, Timestamp::from_secs(31 * 86_400));
        assert_eq!((fleet.users(&"a"), fleet.members()), (0, 1));
    }
}
