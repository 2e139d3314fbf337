//! Names and addresses that devices call in, whether a person may have called them out.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::identity::device::DeviceId;
use crate::memory::{self, MemoryError};
use crate::recent::{Recent, Retention, Usage};
use crate::time::Timestamp;

/// A name or an address, by its hash: two that are taken for one are both common or both called lately.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Destination(u64);

impl Destination {
    /// FNV-1a over the name in lower case: the same in every run, for the devices' sketches to be the same.
    pub(super) fn of_name(name: &str) -> Self {
        let name = name.trim_end_matches('.');
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
    }

    const fn short(self) -> u32 {
        (self.0 >> 32) as u32 ^ self.0 as u32
    }
}

/// What a device called lately.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Memory {
    /// The name asked for, and when, in seconds; the latest last.
    questions: SmallVec<[(u32, u32); 2]>,
    calls: SmallVec<[Call; 1]>,
}

/// The latest connections to a destination.
#[derive(Deserialize, Serialize)]
struct Call {
    destination: u32,
    /// In seconds.
    last: u32,
    gap: u32,
    /// Gaps in a row that were as long as the one before.
    regular: u8,
}

impl Memory {
    const QUESTIONS_MAX: usize = 32;
    const CALLS_MAX: usize = 16;
    /// A name asked for again within so long is the same work.
    const QUESTION_KEPT: Duration = Duration::from_secs(600);
    /// So many gaps in a row that differ by a tenth at most are a machine's.
    const REGULAR_MIN: u8 = 3;
    const GAP_MIN_SECS: u32 = 10;
    #[cfg(test)]
    pub(super) const BYTES_MAX: usize =
        Self::QUESTIONS_MAX * size_of::<(u32, u32)>() + Self::CALLS_MAX * size_of::<Call>();

    pub(super) fn is_new_question(&mut self, destination: Destination, at: Timestamp) -> bool {
        let now = seconds(at);
        let kept = Self::QUESTION_KEPT.as_secs() as u32;
        self.questions.retain(|&mut (_, asked)| now.saturating_sub(asked) < kept);
        let known = self.questions.iter_mut().find(|(name, _)| *name == destination.short());
        if let Some((_, asked)) = known {
            *asked = now;
            return false;
        }
        if self.questions.len() == Self::QUESTIONS_MAX {
            self.questions.remove(0);
        }
        self.questions.push((destination.short(), now));
        true
    }

    /// Notes a connection, and whether it comes as regularly as those before.
    pub(super) fn is_called_regularly(&mut self, destination: Destination, at: Timestamp) -> bool {
        let (now, short) = (seconds(at), destination.short());
        let Some(index) = self.calls.iter().position(|call| call.destination == short) else {
            if self.calls.len() == Self::CALLS_MAX {
                self.calls.remove(0);
            }
            self.calls.push(Call { destination: short, last: now, gap: 0, regular: 0 });
            return false;
        };
        // The one called latest stands last.
        let mut call = self.calls.remove(index);
        let gap = now.saturating_sub(call.last);
        if gap >= Self::GAP_MIN_SECS {
            let is_regular = gap.abs_diff(call.gap) <= call.gap / 10;
            call.regular = if is_regular { call.regular.saturating_add(1) } else { 0 };
            call.gap = gap;
        }
        call.last = now;
        let is_regular = call.regular >= Self::REGULAR_MIN;
        self.calls.push(call);
        is_regular
    }
}

fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_secs()).unwrap_or(u32::MAX)
}

/// What part of the devices calls each destination within a day.
pub(super) struct Audiences(Recent<Destination, Audience>);

/// A sketch of the devices of a day (Whang et al., "A Linear-Time Probabilistic Counting Algorithm", TODS 1990); of a large
/// fleet it is a sample's, so that it counts up to all of them.
#[derive(Deserialize, Serialize)]
struct Audience {
    day: u64,
    bits: [u64; 4],
    /// The last day on which it was common.
    common: Option<u64>,
}

impl Audiences {
    /// Once common, common for so many days.
    const COMMON_DAYS: u64 = 7;
    /// Fewer devices are not everybody, however small the fleet.
    const COMMON_MIN: f64 = 10.0;

    pub(super) fn new(retention: Retention) -> Self {
        Self(Recent::new(retention))
    }

    /// A device of so many calls the destination.
    pub(super) fn add(
        &mut self,
        destination: Destination,
        (device, devices): (DeviceId, usize),
        day: u64,
        at: Timestamp,
    ) {
        let make = || Audience { day, bits: [0; 4], common: None };
        let audience = self.0.get_or_insert_with(destination, at, make);
        if audience.day != day {
            (audience.day, audience.bits) = (day, [0; 4]);
        }
        let bits = device.bits() as usize;
        if (bits / Audience::PLACES).is_multiple_of(Audience::one_in(devices)) {
            let place = bits % Audience::PLACES;
            if let Some(word) = audience.bits.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
    }

    /// Whether so many of the devices call it that it says nothing of one of them.
    pub(super) fn is_common(&mut self, destination: Destination, day: u64, devices: usize, share: f64) -> bool {
        let least = (share * devices as f64).max(Self::COMMON_MIN);
        let Some(audience) = self.0.get_unmoved(&destination) else { return false };
        if audience.day == day && audience.count() * Audience::one_in(devices) as f64 >= least {
            audience.common = Some(day);
        }
        audience.common.is_some_and(|common| day.saturating_sub(common) < Self::COMMON_DAYS)
    }

    pub(super) fn remember(&self, memory: &mut memory::Memory) {
        memory.put("activity.audiences", &self.0);
    }

    pub(super) fn recall(&mut self, memory: &memory::Memory) -> Result<(), MemoryError> {
        self.0.restore(memory.get("activity.audiences")?.unwrap_or_default());
        Ok(())
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.0.expire(now);
    }

    pub(super) fn usage(&self) -> Usage {
        self.0.usage()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.0.evicted()
    }
}

impl Audience {
    const PLACES: usize = 256;

    /// One in how many devices is counted: so many that the sketch tells a sample of all others apart.
    const fn one_in(devices: usize) -> usize {
        (devices / Self::PLACES).next_power_of_two()
    }

    fn count(&self) -> f64 {
        let taken: u32 = self.bits.iter().map(|word| word.count_ones()).sum();
        let places = Self::PLACES as f64;
        let free = (places - f64::from(taken)).max(1.0);
        -places * (free / places).ln()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + secs)
    }

    #[test]
    fn a_name_is_new_again_after_ten_minutes() {
        let (mut memory, name) = (Memory::default(), Destination::of_name("www.example.com"));
        let new: Vec<bool> = [0, 1, 600, 1199, 1799].map(|secs| memory.is_new_question(name, at(secs))).into();
        assert_eq!(new, [true, false, false, false, true]);
        assert_eq!(name, Destination::of_name("WWW.example.com."));
    }

    #[test]
    fn the_fifth_call_at_regular_times_is_a_machines() {
        let called = |gaps: [u64; 5]| {
            let (mut memory, name) = (Memory::default(), Destination::of_name("a"));
            let mut now = 0;
            gaps.map(|gap| {
                now += gap;
                memory.is_called_regularly(name, at(now))
            })
        };
        assert_eq!(called([0, 60, 60, 63, 60]), [false, false, false, false, true]);
        assert_eq!(called([0, 60, 60, 67, 60]), [false; 5]);
    }

    #[test]
    fn what_is_remembered_of_a_device_is_bounded() {
        let mut memory = Memory::default();
        for number in 0..1000 {
            let name = Destination::of_name(&number.to_string());
            assert!(memory.is_new_question(name, at(0)));
            assert!(!memory.is_called_regularly(name, at(0)));
        }
        assert_eq!((memory.questions.len(), memory.calls.len()), (Memory::QUESTIONS_MAX, Memory::CALLS_MAX));
    }

    #[test]
    fn what_many_of_the_fleet_call_is_common_for_a_week() {
        let mut audiences = Audiences::new(Retention { entries_max: 10, keep: Duration::from_secs(9) });
        let name = Destination::of_name("update.example.com");
        let mut is_common_with = |devices: u16| {
            call(&mut audiences, name, devices, 40);
            audiences.is_common(name, 1, 40, 0.25)
        };
        assert!(!is_common_with(8));
        assert!(is_common_with(14));
        assert!(audiences.is_common(name, 7, 40, 0.25));
        assert!(!audiences.is_common(name, 8, 40, 0.25));
    }

    #[test]
    fn the_part_of_the_fleet_counts_however_large_the_fleet() {
        for devices in [100, 1000, 10_000, 60_000_u16] {
            let mut audiences = Audiences::new(Retention { entries_max: 10, keep: Duration::from_secs(9) });
            for (name, percent, is_common) in [("a", 15, false), ("b", 40, true), ("c", 100, true)] {
                let name = Destination::of_name(name);
                let callers = (u32::from(devices) * percent / 100) as u16;
                call(&mut audiences, name, callers, devices.into());
                assert_eq!(audiences.is_common(name, 1, devices.into(), 0.25), is_common, "{percent} % of {devices}");
            }
        }
    }

    fn call(audiences: &mut Audiences, name: Destination, callers: u16, devices: usize) {
        for caller in 0..callers {
            let [high, low] = caller.to_be_bytes();
            let device = DeviceId::of_address(IpAddr::from([10, 0, high, low]));
            audiences.add(name, (device, devices), 1, at(0));
        }
    }
}
