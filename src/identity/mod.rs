//! Facts in, devices, accounts and sites out: who an address belonged to, how that is known and since when.
//!
//! A device is known by its MAC where it is on the same segment as the mirror or asked a DHCP server for its address,
//! and by its address otherwise, as the clients of a VPN are: the MAC beside their addresses is the gateway's. Only
//! home addresses belong to devices; an outside address stands for a household, the site.

pub mod accounts;
pub mod device;
pub mod entity;
pub mod hands;
pub mod site;
pub mod sites;

use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::enrich::inventory::account_name;
use crate::enrich::networks::{Networks, Role};
use crate::facts::{Access, AccessPhase, Channel, Credential, Fact, FactKind, FlowRef, Lease, Minute, Outcome, Sender};
use crate::identity::accounts::Accounts;
use crate::identity::device::{Binding, Device, DeviceId, Key, Provenance};
use crate::identity::hands::Hands;
use crate::identity::site::{KnownBy, Site};
use crate::identity::sites::Sites;
use crate::memory::{Memory, MemoryError};
use crate::net::{Mac, Text};
use crate::recent::{Recent, Retention, Usage};
use crate::time::Timestamp;

/// How much identity remembers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub devices: Retention,
    /// Addresses whose device is known, and MACs whose addresses are.
    pub addresses: Retention,
    pub accounts: Retention,
    pub sites: sites::Settings,
}

impl Default for Limits {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            devices: Retention { entries_max: 50_000, keep: 30 * day },
            addresses: Retention { entries_max: 100_000, keep: day },
            accounts: Retention { entries_max: 50_000, keep: day / 2 },
            sites: sites::Settings::default(),
        }
    }
}

/// Who is who.
pub struct Identity {
    devices: Recent<DeviceId, Device>,
    holders: Recent<IpAddr, Holder>,
    neighbours: Recent<Mac, Neighbour>,
    accounts: Accounts,
    sites: Sites,
    hands: Hands,
}

/// Which device holds an address, and how that is known.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Holder {
    mac: Option<Mac>,
    device: DeviceId,
    provenance: Provenance,
}

/// Whose a MAC is. There may be as many routers as there are MACs, and nothing else is known of one.
#[derive(Deserialize, Serialize)]
enum Neighbour {
    /// The home addresses it was seen with.
    Machine(Box<Addresses>),
    Router,
}

/// A machine has few IPv4 addresses at a time; a MAC with more is a router's.
const V4_MAX: usize = 4;

#[derive(Default, Deserialize, Serialize)]
struct Addresses {
    v4: ArrayVec<IpAddr, V4_MAX>,
    v6: Vec<IpAddr>,
}

impl Addresses {
    /// Privacy extensions (RFC 8981) give a machine several IPv6 addresses a day.
    const V6_MAX: usize = 24;

    /// `is_held` tells whether the machine still has an address: what it gave back makes room.
    fn is_full_with(&mut self, address: IpAddr, is_held: impl Fn(&IpAddr) -> bool) -> bool {
        if self.v4.contains(&address) || self.v6.contains(&address) {
            return false;
        }
        if address.is_ipv4() {
            if self.v4.is_full() {
                self.v4.retain(|known| is_held(known));
            }
            return self.v4.try_push(address).is_err();
        }
        if self.v6.len() == Self::V6_MAX {
            self.v6.retain(is_held);
        }
        let is_full = self.v6.len() == Self::V6_MAX;
        if !is_full {
            self.v6.push(address);
        }
        is_full
    }
}

impl Identity {
    pub fn new(limits: Limits) -> Self {
        Self {
            devices: Recent::new(limits.devices),
            holders: Recent::new(limits.addresses),
            neighbours: Recent::new(limits.addresses),
            accounts: Accounts::new(limits.accounts),
            sites: Sites::new(limits.sites),
            hands: Hands::default(),
        }
    }

    /// Reads what [`Self::observe`] and detectors will need for facts to come, so that they need not wait for each of them.
    pub fn fetch(&self, facts: &[&Fact], networks: &Networks) {
        let (mut holders, mut neighbours) =
            (ArrayVec::<IpAddr, FETCHED_MAX>::new(), ArrayVec::<Mac, FETCHED_MAX>::new());
        for fact in facts.iter().take(FETCHED_MAX / ENDS_FETCHED_MAX) {
            for (address, mac) in ends_told(fact) {
                match mac {
                    _ if networks.is_home(address) => holders.push(address),
                    Some(mac) => neighbours.push(mac),
                    None => {}
                }
            }
            // Detectors ask for the device of a client at home.
            if fact.flow.has_spoken {
                holders.push(fact.flow.client.ip);
            }
        }
        self.holders.fetch(holders.into_iter());
        self.neighbours.fetch(neighbours.into_iter());
    }

    /// Takes a fact in the order of packet time.
    pub fn observe(&mut self, fact: &Fact, networks: &Networks) {
        let flow = &fact.flow;
        for (address, mac) in ends_told(fact) {
            self.observe_end(address, mac, fact.at, networks);
        }
        // Whoever has the address now is not where the one before was.
        let begins = self.begins_to_speak(fact, networks);
        match &fact.kind {
            FactKind::Credential(credential) => self.observe_credential(credential, flow.client.ip, fact.at, networks),
            FactKind::Lease(lease) => self.observe_lease(lease, fact.at),
            FactKind::Minute(minute) => self.observe_minute(minute, flow, fact.at, networks),
            _ => {}
        }
        if let Some(device) = begins {
            self.sites.join_by_timing(device, flow.started);
        }
    }

    pub fn expire(&mut self, now: Timestamp) {
        self.devices.expire(now);
        self.holders.expire(now);
        self.neighbours.expire(now);
        self.accounts.expire(now);
        self.sites.expire(now);
        self.hands.expire(now);
    }

    /// The device that holds a home address.
    pub fn device_id(&self, address: IpAddr, networks: &Networks) -> Option<DeviceId> {
        if let Some(holder) = self.holders.get(&address) {
            return Some(holder.device);
        }
        (is_a_machine(address) && networks.is_home(address)).then(|| DeviceId::of_address(address))
    }

    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(&id)
    }

    /// The user who last logged on from an address.
    pub fn user(&self, address: IpAddr) -> Option<&Text> {
        self.accounts.user(address)
    }

    /// The devices, those heard of longest ago first.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices.iter().map(|(id, device)| (*id, device))
    }

    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    pub fn remember(&self, memory: &mut Memory) {
        memory.put("devices", &self.devices);
        memory.put("holders", &self.holders);
        memory.put("neighbours", &self.neighbours);
        self.accounts.remember(memory);
        self.sites.remember(memory);
        self.hands.remember(memory);
    }

    pub fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        self.devices.restore(memory.get("devices")?.unwrap_or_default());
        self.holders.restore(memory.get("holders")?.unwrap_or_default());
        self.neighbours.restore(memory.get("neighbours")?.unwrap_or_default());
        self.accounts.recall(memory)?;
        self.sites.recall(memory)?;
        self.hands.recall(memory)
    }

    /// How full the tables are.
    pub fn usage(&self) -> impl Iterator<Item = (&'static str, Usage)> {
        let own = [
            ("addresses", self.holders.usage()),
            ("devices", self.devices.usage()),
            ("hands", self.hands.usage()),
            ("macs", self.neighbours.usage()),
            ("users", self.accounts.usage()),
        ];
        own.into_iter().chain(self.sites.usage())
    }

    /// Who was at which site.
    pub const fn sites(&self) -> &Sites {
        &self.sites
    }

    /// Who from outside drives which of our devices.
    pub const fn hands(&self) -> &Hands {
        &self.hands
    }

    /// How many entries gave way to others because a table was full.
    pub fn evicted(&self) -> u64 {
        self.devices.evicted()
            + self.holders.evicted()
            + self.neighbours.evicted()
            + self.accounts.evicted()
            + self.sites.evicted()
            + self.hands.evicted()
    }

    fn observe_end(&mut self, address: IpAddr, mac: Option<Mac>, at: Timestamp, networks: &Networks) {
        if !is_a_machine(address) {
            return;
        }
        let is_tunnelled = networks.get(address).is_some_and(|zone| zone.roles.contains(&Role::VpnPool));
        let mac = mac.filter(|mac| mac.is_a_machine() && !is_tunnelled);
        if !networks.is_home(address) {
            // Whatever brings an outside address onto a home segment routes.
            if let Some(mac) = mac {
                self.mark_router(mac, at);
            }
            return;
        }
        let known = self.holders.touch(&address, at).map(|(holder, is_written)| (*holder, is_written));
        if let Some((holder, is_written)) = known {
            let may_move = mac.is_some() && mac != holder.mac && holder.provenance != Provenance::Lease;
            if !may_move {
                // A device is kept longer than its addresses, so it need not be touched more often.
                if is_written {
                    self.devices.get_mut(&holder.device, at);
                }
                return;
            }
        }
        match mac {
            Some(mac) if self.is_neighbour(mac, address, at) => self.bind(address, mac, Provenance::Segment, at),
            _ if known.is_none() => self.hold_nameless(address, at),
            _ => {}
        }
    }

    /// The address is all that is known of its device.
    fn hold_nameless(&mut self, address: IpAddr, at: Timestamp) {
        let device = DeviceId::of_address(address);
        let holder = Holder { mac: None, device, provenance: Provenance::Address };
        self.holders.get_or_insert_with(address, at, || holder);
        let device = self.devices.get_or_insert_with(device, at, || Device::new(Key::Address(address), at));
        device.bind(Binding { address, provenance: Provenance::Address, since: at });
    }

    /// Whether the MAC is the machine's own, not a router's.
    fn is_neighbour(&mut self, mac: Mac, address: IpAddr, at: Timestamp) -> bool {
        let unknown = || Neighbour::Machine(Box::default());
        let holders = &self.holders;
        let is_held = |known: &IpAddr| holders.get(known).is_some_and(|holder| holder.mac == Some(mac));
        let is_full = match self.neighbours.get_or_insert_with(mac, at, unknown) {
            Neighbour::Machine(addresses) => addresses.is_full_with(address, is_held),
            Neighbour::Router => return false,
        };
        if is_full {
            self.mark_router(mac, at);
        }
        !is_full
    }

    fn mark_router(&mut self, mac: Mac, at: Timestamp) {
        let neighbour = self.neighbours.get_or_insert_with(mac, at, || Neighbour::Router);
        // Of a router that was never anything else there is nothing to take back.
        let Neighbour::Machine(addresses) = std::mem::replace(neighbour, Neighbour::Router) else { return };
        for address in addresses.v4.into_iter().chain(addresses.v6) {
            let by_segment = |holder: &Holder| holder.mac == Some(mac) && holder.provenance == Provenance::Segment;
            if self.holders.get(&address).is_some_and(by_segment) {
                self.holders.remove(&address);
            }
        }
        self.devices.remove(&DeviceId::of_mac(mac));
    }

    fn bind(&mut self, address: IpAddr, mac: Mac, provenance: Provenance, at: Timestamp) {
        let id = DeviceId::of_mac(mac);
        let holder = Holder { mac: Some(mac), device: id, provenance };
        let before = std::mem::replace(self.holders.get_or_insert_with(address, at, || holder), holder);
        let device = self.devices.get_or_insert_with(id, at, || Device::new(Key::Mac(mac), at));
        device.bind(Binding { address, provenance, since: at });
        // What was known of the machine by its address alone is this machine's.
        if before.provenance == Provenance::Address
            && let Some(nameless) = self.devices.remove(&before.device)
            && let Some(device) = self.devices.get_mut(&id, at)
        {
            device.first_seen = device.first_seen.min(nameless.first_seen);
        }
    }

    fn observe_lease(&mut self, lease: &Lease, at: Timestamp) {
        let Some(mac) = lease.mac.filter(|mac| mac.is_a_machine()) else {
            return;
        };
        if let Some(address) = lease.address.filter(|&address| lease.granted && is_a_machine(address)) {
            self.bind(address, mac, Provenance::Lease, at);
        }
        if lease.host_name.is_none() && lease.vendor_class.is_none() {
            return;
        }
        let device = self.devices.get_or_insert_with(DeviceId::of_mac(mac), at, || Device::new(Key::Mac(mac), at));
        device.host_name = lease.host_name.clone().or(device.host_name.take());
        device.vendor_class = lease.vendor_class.clone().or(device.vendor_class.take());
    }

    fn observe_credential(&mut self, credential: &Credential, client: IpAddr, at: Timestamp, networks: &Networks) {
        let Some(user) = credential.user.as_ref().filter(|user| !user.is_empty()) else {
            return;
        };
        if credential.outcome == Some(Outcome::Failure) {
            return;
        }
        match &credential.access {
            Some(access) => self.observe_access(user, access, at, networks),
            None => self.observe_log_on(user, client, at, networks),
        }
    }

    /// What an access server tells of a session: where the user is and which address is the user's inside.
    fn observe_access(&mut self, user: &Text, access: &Access, at: Timestamp, networks: &Networks) {
        if access.phase == AccessPhase::Asked {
            return;
        }
        let outside = access.outside.filter(|&address| is_a_machine(address) && !networks.is_home(address));
        let site = outside.map(Site::of);
        if let (Some(site), Some(account)) = (site, account(user)) {
            self.sites.settle_account(&account, site, KnownBy::Accounting, at);
        }
        let Some(inside) = access.inside.filter(|&address| is_a_machine(address)) else {
            return;
        };
        if self.holders.get(&inside).is_none() {
            self.hold_nameless(inside, at);
        }
        self.accounts.bind(inside, user, at);
        let Some(device) = self.device_id(inside, networks) else {
            return;
        };
        match (access.phase, site) {
            (AccessPhase::Over, _) => self.sites.leave(device),
            (_, Some(site)) => self.sites.settle_device(device, site, KnownBy::Accounting, at),
            (_, None) => {}
        }
    }

    fn observe_log_on(&mut self, user: &Text, client: IpAddr, at: Timestamp, networks: &Networks) {
        if !is_a_machine(client) {
            return;
        }
        self.accounts.bind(client, user, at);
        let Some(account) = account(user) else {
            return;
        };
        match self.device_id(client, networks) {
            Some(device) => self.sites.on_user_inside(&account, device, at),
            None => self.sites.settle_account(&account, Site::of(client), KnownBy::LogOn, at),
        }
    }

    /// A minute of a desktop that somebody outside works at: whoever only looks whether it opens makes no input.
    fn observe_minute(&mut self, minute: &Minute, flow: &FlowRef, at: Timestamp, networks: &Networks) {
        let driver = flow.client.ip;
        let is_work = minute.through == Channel::Desktop && minute.client_bursts >= Hands::BURSTS_MIN;
        if !is_work || !is_a_machine(driver) || networks.is_home(driver) || networks.get(driver).is_some() {
            return;
        }
        if let Some(device) = self.device_id(flow.server.ip, networks) {
            self.hands.on_drive(device, Site::of(driver), at);
        }
    }

    /// Takes note of tunnels that open and of pool addresses that speak just then; the device of one that was silent before.
    fn begins_to_speak(&mut self, fact: &Fact, networks: &Networks) -> Option<DeviceId> {
        let flow = &fact.flow;
        let is = |address, role| networks.get(address).is_some_and(|zone| zone.roles.contains(&role));
        let opens = match &fact.kind {
            FactKind::Hello(hello) => hello.sender == Sender::Client,
            FactKind::Tunnel(_) => true,
            _ => false,
        };
        if opens && is(flow.server.ip, Role::VpnGateway) && !networks.is_home(flow.client.ip) {
            self.sites.on_opening(Site::of(flow.client.ip), flow.started);
            return None;
        }
        if !self.sites.has_openings() || !is(flow.client.ip, Role::VpnPool) {
            return None;
        }
        let device = self.holders.get(&flow.client.ip)?.device;
        let first_seen = self.devices.get(&device)?.first_seen;
        self.sites.on_pool_address(device, first_seen, flow.started, fact.at).then_some(device)
    }
}

/// The account that a user name is, without its domain and in lower case; none for a machine's own account.
pub fn account(user: &Text) -> Option<Text> {
    let name = account_name(user.as_str());
    let is_a_machines = name.ends_with('$') || name.starts_with("host/");
    (!name.is_empty() && !is_a_machines).then(|| name.to_lowercase().into())
}

/// The ends that a fact tells of.
///
/// A flow tells of its ends when a protocol first speaks on it and as long as it is open. At the end it tells nothing
/// more: by then an address may be another machine's.
fn ends_told(fact: &Fact) -> impl Iterator<Item = (IpAddr, Option<Mac>)> {
    let flow = &fact.flow;
    let (client_spoke, server_spoke) = match &fact.kind {
        FactKind::Activity(summary) => (summary.client.payload_bytes > 0, summary.server.payload_bytes > 0),
        _ if flow.has_spoken => (false, false),
        // Bare handshakes are cheap to forge: a scan or a flood makes no devices.
        FactKind::FlowEnded(summary) => (summary.client.payload_bytes > 0, summary.server.payload_bytes > 0),
        _ => (true, true),
    };
    let client = client_spoke.then_some((flow.client.ip, flow.client_mac));
    let server = server_spoke.then_some((flow.server.ip, flow.server_mac));
    client.into_iter().chain(server)
}

/// The most ends that are fetched together.
const FETCHED_MAX: usize = 64;
/// The most ends fetched for one fact: both that it tells of, and its client again.
const ENDS_FETCHED_MAX: usize = 3;

/// Whether the address is one machine's: not a group's, everybody's or nobody's.
fn is_a_machine(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_multicast() || address.is_unspecified() || address.is_loopback() || is_broadcast)
}

#[cfg(test)]
mod site_tests;
#[cfg(test)]
mod tests;
