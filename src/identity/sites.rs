//! Sessions, log-ons and openings of tunnels in; which device and account was at which site, since when and how that
//! is known, out.
//!
//! Inside a VPN a device has a pool address and outside its household's. Accounting names both. Without it two other
//! signs join them: the user, who was seen on both sides, and time, where every tunnel of the last seconds came from one site.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::device::DeviceId;
use crate::identity::site::{KnownBy, Site, Stay};
use crate::memory::{Memory, MemoryError};
use crate::net::Text;
use crate::quantity;
use crate::recent::{Recent, Retention, Usage};
use crate::time::Timestamp;

/// How much is remembered of sites, and what joins the two sides of a gateway.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Sites with whom they house, and accounts and devices with where they were.
    pub memory: Retention,
    /// An address inside that first speaks so soon after a tunnel was opened is its client's.
    #[serde(deserialize_with = "quantity::duration")]
    pub opening: Duration,
    /// A user who logged on from outside is looked for inside for so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub same_user: Duration,
    /// An address inside of which nothing was told for so long may have gone to somebody else. Open flows are told of
    /// once an hour.
    #[serde(deserialize_with = "quantity::duration")]
    pub silence: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory: Retention { entries_max: 200_000, keep: Duration::from_secs(30 * 86_400) },
            opening: Duration::from_secs(10),
            same_user: Duration::from_secs(3600),
            silence: Duration::from_secs(5400),
        }
    }
}

pub struct Sites {
    settings: Settings,
    households: Recent<Site, Household>,
    /// Where each device is now.
    devices: Recent<DeviceId, Place>,
    accounts: Recent<Text, Places>,
    /// The last packets of pool addresses, for as long as tunnels are seen to be opened.
    heard: Recent<DeviceId, Timestamp>,
    /// The tunnels opened last, the latest last.
    openings: VecDeque<Opening>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Place {
    site: Site,
    stay: Stay,
}

type Places = Vec<Place>;

/// Whom a site houses, those confirmed longest ago first.
#[derive(Default, Deserialize, Serialize)]
struct Household {
    devices: Vec<(DeviceId, Stay)>,
    accounts: Vec<(Text, Stay)>,
}

#[derive(Clone, Copy)]
struct Opening {
    at: Timestamp,
    site: Site,
}

impl Sites {
    /// The most devices, and the most accounts, that a site keeps; those confirmed longest ago give way.
    const HOUSED_MAX: usize = 64;
    /// The most sites that an account keeps.
    const PLACES_MAX: usize = 16;
    const OPENINGS_MAX: usize = 256;
    /// A flow may be told of so long after it began; openings are kept so much longer than they join.
    const TOLD_LATE: Duration = Duration::from_secs(600);

    pub fn new(settings: Settings) -> Self {
        let Settings { memory, .. } = settings;
        Self {
            settings,
            households: Recent::new(memory),
            devices: Recent::new(memory),
            accounts: Recent::new(memory),
            heard: Recent::new(memory),
            openings: VecDeque::new(),
        }
    }

    /// Where a device is.
    pub fn site_of(&self, device: DeviceId) -> Option<(Site, Stay)> {
        self.devices.get(&device).map(|place| (place.site, place.stay))
    }

    /// The devices that were at a site, those confirmed longest ago first.
    pub fn devices_at(&self, site: Site) -> impl Iterator<Item = (DeviceId, Stay)> {
        self.households.get(&site).into_iter().flat_map(|household| household.devices.iter().copied())
    }

    /// The accounts that were at a site, those confirmed longest ago first.
    pub fn accounts_at(&self, site: Site) -> impl Iterator<Item = (&Text, Stay)> {
        let accounts = self.households.get(&site).into_iter().flat_map(|household| household.accounts.iter());
        accounts.map(|(account, stay)| (account, *stay))
    }

    /// The sites where an account was, the one confirmed last at the end.
    pub fn sites_of(&self, account: &Text) -> impl DoubleEndedIterator<Item = (Site, Stay)> {
        let places = self.accounts.get(account).map_or(&[][..], Vec::as_slice);
        places.iter().map(|place| (place.site, place.stay))
    }

    /// The sites that most of their accounts, and at least two, left for this one: the same household under another address.
    /// Who still comes to both of them has left none.
    pub fn left_for(&self, site: Site) -> Vec<Site> {
        let mut leavers: BTreeMap<Site, usize> = BTreeMap::new();
        for (account, here) in self.accounts_at(site) {
            let left = self.sites_of(account).filter(|(other, there)| *other != site && there.last < here.since);
            left.for_each(|(other, _)| *leavers.entry(other).or_default() += 1);
        }
        let is_most = |&(left, count): &(Site, usize)| count >= 2 && count * 3 >= self.accounts_at(left).count() * 2;
        leavers.into_iter().filter(is_most).map(|(left, _)| left).collect()
    }

    pub fn settle_device(&mut self, device: DeviceId, site: Site, known_by: KnownBy, at: Timestamp) {
        let stay = Stay::new(at, known_by);
        let place = self.devices.get_or_insert_with(device, at, || Place { site, stay });
        if place.site != site {
            // What is surer is not overruled while it is fresh.
            if known_by < place.stay.known_by {
                return;
            }
            *place = Place { site, stay };
        }
        place.stay.confirm(at, known_by);
        let household = self.households.get_or_insert_with(site, at, Household::default);
        confirm(&mut household.devices, &device, at, known_by);
    }

    pub fn settle_account(&mut self, account: &Text, site: Site, known_by: KnownBy, at: Timestamp) {
        let household = self.households.get_or_insert_with(site, at, Household::default);
        confirm(&mut household.accounts, account, at, known_by);
        let places = match self.accounts.get_mut(account, at) {
            Some(places) => places,
            None => self.accounts.get_or_insert_with(account.clone(), at, Places::default),
        };
        let mut place = match places.iter().position(|place| place.site == site) {
            Some(known) => places.remove(known),
            None => Place { site, stay: Stay::new(at, known_by) },
        };
        place.stay.confirm(at, known_by);
        if places.len() == Self::PLACES_MAX {
            places.remove(0);
        }
        places.push(place);
    }

    /// The device's session is over: its address may be given to anybody.
    pub fn leave(&mut self, device: DeviceId) {
        self.devices.remove(&device);
    }

    /// Whether a pool address that speaks now may be joined with a tunnel.
    pub fn has_openings(&self) -> bool {
        !self.openings.is_empty()
    }

    /// A flow from a site to a VPN gateway began.
    pub fn on_opening(&mut self, site: Site, at: Timestamp) {
        if self.openings.iter().any(|known| known.site == site && known.at == at) {
            return;
        }
        if self.openings.len() == Self::OPENINGS_MAX {
            self.openings.pop_front();
        }
        self.openings.push_back(Opening { at, site });
    }

    /// A pool address spoke in a flow that began at `started`. `first_seen` is when it was heard of first. Whether it was silent
    /// before, so that somebody else may have it now; only accounting would have said so.
    pub fn on_pool_address(
        &mut self,
        device: DeviceId,
        first_seen: Timestamp,
        started: Timestamp,
        at: Timestamp,
    ) -> bool {
        let was_silent = match self.heard.get_mut(&device, at) {
            Some(heard) => started.since(std::mem::replace(heard, at.max(*heard))) >= self.settings.silence,
            None => {
                self.heard.get_or_insert_with(device, at, || at);
                first_seen >= started
            }
        };
        let may_have_left =
            |(site, stay): (Site, Stay)| stay.known_by <= KnownBy::SameUser && self.only_opening(started) != Some(site);
        if was_silent && self.site_of(device).is_some_and(may_have_left) {
            self.leave(device);
        }
        was_silent
    }

    /// Joins a pool address that begins to speak with the tunnel that was opened just before, if it is one.
    pub fn join_by_timing(&mut self, device: DeviceId, started: Timestamp) {
        if let Some(site) = self.only_opening(started) {
            self.settle_device(device, site, KnownBy::Timing, started);
        }
    }

    /// The site of every tunnel that was opened just before, if it is one.
    fn only_opening(&self, at: Timestamp) -> Option<Site> {
        let mut just_before = self
            .openings
            .iter()
            .filter(|opening| opening.at <= at && at.since(opening.at) <= self.settings.opening)
            .map(|opening| opening.site);
        let site = just_before.next()?;
        just_before.all(|other| other == site).then_some(site)
    }

    /// A user logged on inside, on a device of the pool: joins it with where the user was outside a while ago.
    pub fn on_user_inside(&mut self, account: &Text, device: DeviceId, at: Timestamp) {
        if let Some((site, stay)) = self.site_of(device) {
            self.settle_account(account, site, stay.known_by.min(KnownBy::SameUser), at);
            return;
        }
        let is_recent = |place: &&Place| {
            place.stay.known_by >= KnownBy::LogOn && at.since(place.stay.last) <= self.settings.same_user
        };
        let recent: BTreeMap<Site, Stay> =
            self.accounts.get(account).into_iter().flatten().filter(is_recent).map(|p| (p.site, p.stay)).collect();
        if let (Some((&site, _)), 1) = (recent.first_key_value(), recent.len()) {
            self.settle_device(device, site, KnownBy::SameUser, at);
        }
    }

    pub fn expire(&mut self, now: Timestamp) {
        self.households.expire(now);
        self.devices.expire(now);
        self.accounts.expire(now);
        self.heard.expire(now);
        let kept = self.settings.opening + Self::TOLD_LATE;
        while self.openings.front().is_some_and(|opening| now.since(opening.at) > kept) {
            self.openings.pop_front();
        }
    }

    pub fn remember(&self, memory: &mut Memory) {
        memory.put("sites.households", &self.households);
        memory.put("sites.devices", &self.devices);
        memory.put("sites.accounts", &self.accounts);
    }

    pub fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        self.households.restore(memory.get("sites.households")?.unwrap_or_default());
        self.devices.restore(memory.get("sites.devices")?.unwrap_or_default());
        self.accounts.restore(memory.get("sites.accounts")?.unwrap_or_default());
        Ok(())
    }

    pub const fn account_count(&self) -> usize {
        self.accounts.len()
    }

    pub const fn count(&self) -> usize {
        self.households.len()
    }

    /// How full the tables are.
    pub fn usage(&self) -> [(&'static str, Usage); 3] {
        [
            ("site_accounts", self.accounts.usage()),
            ("site_devices", self.devices.usage()),
            ("sites", self.households.usage()),
        ]
    }

    /// How many accounts each site houses.
    pub fn accounts_per_site(&self) -> impl Iterator<Item = usize> {
        self.households.iter().map(|(_, household)| household.accounts.len()).filter(|count| *count > 0)
    }

    /// At how many sites each account was.
    pub fn sites_per_account(&self) -> impl Iterator<Item = usize> {
        self.accounts.iter().map(|(_, places)| places.len())
    }

    /// How many entries gave way to others because a table was full.
    pub const fn evicted(&self) -> u64 {
        self.households.evicted() + self.devices.evicted() + self.accounts.evicted() + self.heard.evicted()
    }
}

/// Confirms one of those a site houses, or takes it in; it is then the last.
fn confirm<K: Clone + PartialEq>(housed: &mut Vec<(K, Stay)>, who: &K, at: Timestamp, known_by: KnownBy) {
    let mut entry = match housed.iter().position(|(known, _)| known == who) {
        Some(known) => housed.remove(known),
        None => (who.clone(), Stay::new(at, known_by)),
    };
    entry.1.confirm(at, known_by);
    if housed.len() == Sites::HOUSED_MAX {
        housed.remove(0);
    }
    housed.push(entry);
}
