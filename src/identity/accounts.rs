//! Log-ons in, the user of an address out.

use std::net::IpAddr;

use crate::memory::{Memory, MemoryError};
use crate::net::Text;
use crate::recent::{Recent, Retention, Usage};
use crate::time::Timestamp;

/// The user who last logged on from each address, as long as the address is heard of in log-ons.
pub struct Accounts {
    users: Recent<IpAddr, Text>,
}

impl Accounts {
    pub fn new(retention: Retention) -> Self {
        Self { users: Recent::new(retention) }
    }

    pub fn bind(&mut self, address: IpAddr, user: &Text, at: Timestamp) {
        let bound = self.users.get_or_insert_with(address, at, || user.clone());
        if bound != user {
            *bound = user.clone();
        }
    }

    pub fn user(&self, address: IpAddr) -> Option<&Text> {
        self.users.get(&address)
    }

    pub fn remember(&self, memory: &mut Memory) {
        memory.put("users", &self.users);
    }

    pub fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        self.users.restore(memory.get("users")?.unwrap_or_default());
        Ok(())
    }

    pub fn expire(&mut self, now: Timestamp) {
        self.users.expire(now);
    }

    pub const fn evicted(&self) -> u64 {
        self.users.evicted()
    }

    pub fn usage(&self) -> Usage {
        self.users.usage()
    }
}
