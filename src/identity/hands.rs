//! Minutes of work from outside in, which of our devices one hand drives out.
//!
//! Where nothing tells in which house devices are, the address that several of them are driven from is what they have in
//! common.

use std::time::Duration;

use smallvec::SmallVec;

use crate::identity::device::DeviceId;
use crate::identity::site::Site;
use crate::memory::{Memory, MemoryError};
use crate::recent::{Recent, Retention, Usage};
use crate::time::Timestamp;

/// Who drives whom.
pub struct Hands {
    driven: Recent<Site, SmallVec<[DeviceId; 2]>>,
    drivers: Recent<DeviceId, Site>,
}

impl Default for Hands {
    fn default() -> Self {
        Self { driven: Recent::new(Self::RETENTION), drivers: Recent::new(Self::RETENTION) }
    }
}

impl Hands {
    const RETENTION: Retention = Retention { entries_max: 8192, keep: Duration::from_secs(7 * 86_400) };
    /// The most devices that are known of one hand.
    const DEVICES_MAX: usize = 64;
    /// Groups of small packets in a minute that are a hand's input.
    pub(super) const BURSTS_MIN: u32 = 3;
    /// One device is driven from anywhere; several from one place are one hand's.
    const DEVICES_MIN: usize = 2;

    /// A device was driven from a site, the latest that counts.
    pub fn on_drive(&mut self, device: DeviceId, from: Site, at: Timestamp) {
        *self.drivers.get_or_insert_with(device, at, || from) = from;
        let devices = self.driven.get_or_insert_with(from, at, SmallVec::new);
        if !devices.contains(&device) && devices.len() < Self::DEVICES_MAX {
            devices.push(device);
        }
    }

    /// Where the hand is that drives this device and others.
    pub fn driver(&self, device: DeviceId) -> Option<Site> {
        self.drivers.get(&device).copied().filter(|site| self.driven_from(*site).nth(Self::DEVICES_MIN - 1).is_some())
    }

    /// The devices that are driven from a site.
    pub fn driven_from(&self, site: Site) -> impl Iterator<Item = DeviceId> {
        let devices = self.driven.get(&site).into_iter().flatten().copied();
        devices.filter(move |device| self.drivers.get(device) == Some(&site))
    }

    pub fn expire(&mut self, now: Timestamp) {
        self.driven.expire(now);
        self.drivers.expire(now);
    }

    pub fn remember(&self, memory: &mut Memory) {
        memory.put("hands", &self.driven);
        memory.put("hands.devices", &self.drivers);
    }

    pub fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        self.driven.restore(memory.get("hands")?.unwrap_or_default());
        self.drivers.restore(memory.get("hands.devices")?.unwrap_or_default());
        Ok(())
    }

    pub fn evicted(&self) -> u64 {
        self.driven.evicted() + self.drivers.evicted()
    }

    pub fn usage(&self) -> Usage {
        [self.driven.usage(), self.drivers.usage()].into_iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_drives_two_devices_or_more_and_each_device_has_one() {
        let site = |host: u8| Site::of([203, 0, 113, host].into());
        let device = |host: u8| DeviceId::of_address([10, 20, 0, host].into());
        let at = Timestamp::from_secs;
        let mut hands = Hands::default();
        hands.on_drive(device(1), site(66), at(1));
        hands.on_drive(device(1), site(66), at(2));
        assert_eq!(hands.driver(device(1)), None, "it alone");
        hands.on_drive(device(2), site(66), at(3));
        assert_eq!([1, 2, 3].map(|host| hands.driver(device(host))), [Some(site(66)), Some(site(66)), None]);
        let (mut memory, mut later) = (Memory::default(), Hands::default());
        hands.remember(&mut memory);
        later.recall(&memory).unwrap();
        assert_eq!(later.driver(device(2)), Some(site(66)), "after a restart, too");
        hands.on_drive(device(2), site(77), at(4));
        assert_eq!([1, 2].map(|host| hands.driver(device(host))), [None, None], "each has another hand now");
        assert_eq!(hands.driven_from(site(66)).collect::<Vec<_>>(), [device(1)]);
        hands.expire(at(8 * 86_400));
        assert_eq!(hands.driven_from(site(77)).count(), 0);
    }
}
