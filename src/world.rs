//! Everything that is known beside the fact at hand: networks, inventory, places, products, devices.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::enrich::classes::{self, AddressClass, Classes};
use crate::enrich::geo::Geo;
use crate::enrich::inventory::{self, Host, Inventory};
use crate::enrich::networks::{NamedNetwork, Networks, NetworksError};
use crate::enrich::products::{self, Basis, Kind, Product, Products, Sighting};
use crate::facts::{Fact, FactKind, FlowId, Hello, Name, Sender};
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::identity::site::{Site, Stay};
use crate::identity::{self, Identity};
use crate::memory::{Memory, MemoryError};
use crate::net::{Endpoint, Text};
use crate::recent::{Recent, Retention, Usage};
use crate::time::Timestamp;

/// What the operator tells of the organisation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub networks: Vec<NamedNetwork>,
    pub inventory: inventory::Settings,
    pub sanctioned: Vec<Sanctioned>,
    pub address_classes: classes::Settings,
}

/// A product the organisation uses itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Sanctioned {
    /// The product's id in the data file, the value of `network.application`.
    pub product: String,
    /// The organisation's own servers or tenants: these names and everything below them. Empty means any.
    #[serde(default)]
    pub names: Vec<String>,
}

/// A product in use on a flow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Application {
    pub product: Arc<Product>,
    pub basis: Basis,
    pub sanctioned: bool,
}

impl Application {
    /// What it is used for; none where a name only tells the vendor.
    pub fn kind(&self) -> Option<Kind> {
        (self.basis != Basis::VendorName).then_some(self.product.kind)
    }

    /// Whether the flow is the product's own, not a question for its name nor a look at its vendor's pages.
    pub const fn is_in_use(&self) -> bool {
        !matches!(self.basis, Basis::DnsQuestion | Basis::ProxyQuestion | Basis::VendorName)
    }
}

pub struct World {
    pub networks: Networks,
    pub inventory: Inventory,
    pub classes: Classes,
    pub geo: Geo,
    pub identity: Identity,
    products: Arc<Products>,
    sanctioned: Vec<Sanctioned>,
    /// The time of the first fact.
    since: Option<Timestamp>,
    /// The products of the flows that are open.
    applications: Recent<(FlowId, Endpoint), Application>,
}

impl World {
    const APPLICATIONS: Retention = Retention { entries_max: 65_536, keep: Duration::from_secs(86_400) };

    pub fn new(
        settings: &Settings,
        products: &Arc<Products>,
        geo: Geo,
        limits: identity::Limits,
    ) -> Result<Self, NetworksError> {
        Ok(Self {
            networks: Networks::new(&settings.networks)?,
            inventory: Inventory::new(&settings.inventory),
            classes: Classes::new(&settings.address_classes),
            geo,
            identity: Identity::new(limits),
            products: Arc::clone(products),
            sanctioned: settings.sanctioned.clone(),
            since: None,
            applications: Recent::new(Self::APPLICATIONS),
        })
    }

    /// Takes new settings and keeps what was learnt. Nothing changes where the settings are at fault.
    pub fn reload(&mut self, settings: &Settings, products: &Arc<Products>, geo: Geo) -> Result<(), NetworksError> {
        self.networks = Networks::new(&settings.networks)?;
        self.inventory = Inventory::new(&settings.inventory);
        self.classes = Classes::new(&settings.address_classes);
        self.geo = geo;
        self.products = Arc::clone(products);
        self.sanctioned = settings.sanctioned.clone();
        Ok(())
    }

    /// Reads what [`Self::observe`] will need for facts to come, so that it need not wait for each of them.
    pub fn fetch(&self, facts: &[&Fact]) {
        self.identity.fetch(facts, &self.networks);
    }

    /// Learns from a fact who is who, and tells which product its flow serves.
    pub fn observe(&mut self, fact: &Fact) -> Option<Application> {
        self.since.get_or_insert(fact.at);
        self.identity.observe(fact, &self.networks);
        let key = (fact.flow.id, fact.flow.client);
        match &fact.kind {
            // Only a recognised flow has a product.
            FactKind::FlowEnded(_) if fact.flow.protocol.is_none() || self.applications.is_empty() => None,
            FactKind::FlowEnded(_) => self.applications.remove(&key),
            FactKind::Hello(hello) => {
                let in_http = || if is_of(fact, "http") { self.products.by_http(hello) } else { None };
                let sighting = self.products.by_hello(hello).or_else(in_http).or_else(|| self.by_protocol(fact));
                let sighting = sighting.or_else(|| self.by_tls_port(fact, hello));
                let seen = sighting.map(|sighting| self.judge(sighting, products::server_name(hello)));
                match seen {
                    // The same client asks its proxy for others, too.
                    Some(seen) if seen.basis == Basis::ProxyQuestion => Some(seen),
                    seen => self.settle(key, seen, fact.at),
                }
            }
            FactKind::RemoteDesktop(_) | FactKind::Tunnel(_) => {
                let seen = self.by_protocol(fact).map(|sighting| self.judge(sighting, None));
                self.settle(key, seen, fact.at)
            }
            FactKind::Lease(lease) => {
                let sighting = self.products.by_lease(lease)?;
                Some(self.judge(sighting, None))
            }
            FactKind::Name(name) => {
                if is_of_client(fact, name)
                    && let Some(sighting) = self.products.by_announcement(name)
                {
                    return Some(self.judge(sighting, None));
                }
                let question = name.question.as_ref()?.as_str();
                let sighting = self.products.by_name(question)?;
                let basis = if sighting.basis == Basis::ServerName { Basis::DnsQuestion } else { sighting.basis };
                Some(self.judge(Sighting { basis, ..sighting }, Some(question)))
            }
            _ => self.applications.get(&key).cloned(),
        }
    }

    pub fn expire(&mut self, now: Timestamp) {
        self.identity.expire(now);
        self.applications.expire(now);
    }

    /// The device that holds a home address.
    pub fn device_id(&self, address: IpAddr) -> Option<DeviceId> {
        self.identity.device_id(address, &self.networks)
    }

    /// The inventory's entry for the machine at a home address: by MAC, by the name it gave, by address.
    pub fn host(&self, address: IpAddr) -> Option<&Host> {
        if self.inventory.is_empty() || !self.networks.is_home(address) {
            return None;
        }
        let device = self.device_id(address).and_then(|id| self.identity.device(id));
        let by_mac = || self.inventory.by_mac(device?.mac()?);
        let by_name = || self.inventory.by_name(device?.host_name.as_ref()?.as_str());
        by_mac().or_else(by_name).or_else(|| self.inventory.by_address(address))
    }

    /// The name of a device: the one it gave, or else the one the inventory has for it.
    pub fn name_of(&self, device: DeviceId) -> Option<Text> {
        let known = self.identity.device(device)?;
        let host = || self.host(self.address_of(device)?);
        known.host_name.clone().or_else(|| Some(host()?.name.as_deref()?.into()))
    }

    /// The address that a device had last.
    pub fn address_of(&self, device: DeviceId) -> Option<IpAddr> {
        Some(self.identity.device(device)?.bindings().next_back()?.address)
    }

    /// Where a device is.
    pub fn site_of(&self, device: DeviceId) -> Option<(Site, Stay)> {
        self.identity.sites().site_of(device)
    }

    /// When a device was first heard of; none where that says nothing, because the sensor had not been watching for so long
    /// before.
    pub fn first_seen(&self, device: DeviceId, watched: Duration) -> Option<Timestamp> {
        let first_seen = self.identity.device(device)?.first_seen;
        (first_seen.since(self.watching_since()) >= watched).then_some(first_seen)
    }

    /// The devices that were at a site, those confirmed longest ago first.
    pub fn devices_at(&self, site: Site) -> impl Iterator<Item = (DeviceId, Stay)> {
        self.identity.sites().devices_at(site)
    }

    /// The accounts that were at a site, those confirmed longest ago first.
    pub fn accounts_at(&self, site: Site) -> impl Iterator<Item = (&Text, Stay)> {
        self.identity.sites().accounts_at(site)
    }

    /// The sites where an account was, the one confirmed last at the end. `account` is as [`identity::account`] says it.
    pub fn sites_of(&self, account: &Text) -> impl DoubleEndedIterator<Item = (Site, Stay)> {
        self.identity.sites().sites_of(account)
    }

    /// The sites that most of their accounts left for this one.
    pub fn sites_left_for(&self, site: Site) -> Vec<Site> {
        self.identity.sites().left_for(site)
    }

    pub fn remember(&self, memory: &mut Memory) {
        memory.put("since", &self.since);
        self.identity.remember(memory);
    }

    pub fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        self.since = memory.get("since")?.unwrap_or_default();
        self.identity.recall(memory)
    }

    /// When the first fact was seen, ever.
    pub fn watching_since(&self) -> Timestamp {
        self.since.unwrap_or(Timestamp::MAX)
    }

    /// What kind of line an address is at, by the operator's lists.
    pub fn address_class(&self, address: IpAddr) -> Option<AddressClass> {
        self.classes.get(address, || self.geo.get(address).as_number)
    }

    /// Whether a site may stand for one household: neither a network that the configuration names nor a line that many
    /// share.
    pub fn is_a_household(&self, site: Site) -> bool {
        let class = self.address_class(site.address());
        self.networks.get(site.address()).is_none() && class.is_none_or(AddressClass::is_a_household)
    }

    /// Who answers for an entity: the household where it is, the hand that drives it and others, or else itself. An account
    /// is named without its domain.
    pub fn holder(&self, entity: &Entity) -> Entity {
        let of_device = |device| {
            let home = self.site_of(device).map(|(site, _)| site).filter(|site| self.is_a_household(*site));
            home.or_else(|| self.identity.hands().driver(device).filter(|site| !self.is_a_crowds(*site)))
        };
        let (itself, site) = match entity {
            Entity::Account(user) => {
                let account = identity::account(user);
                let home = account.and_then(|account| self.home_of(&account));
                (entity.clone().canonical(), home.filter(|site| self.is_a_household(*site)))
            }
            Entity::Address(address) if self.networks.is_home(*address) => {
                let device = self.device_id(*address);
                (device.map_or_else(|| entity.clone(), Entity::Device), device.and_then(of_device))
            }
            Entity::Address(address) => {
                let site = Site::of(*address);
                (Entity::Site(site), self.house_behind(site).filter(|site| self.is_a_household(*site)))
            }
            Entity::Device(device) => (entity.clone(), of_device(*device)),
            Entity::Site(site) => (entity.clone(), self.house_behind(*site).filter(|site| self.is_a_household(*site))),
            Entity::Group(_) => (entity.clone(), None),
        };
        site.map_or(itself, Entity::Site)
    }

    /// Whether so many share a site that nothing follows from two of them being there.
    fn is_a_crowds(&self, site: Site) -> bool {
        self.networks.get(site.address()).is_some()
            || self.address_class(site.address()).is_some_and(AddressClass::is_a_crowds)
    }

    /// Where an account lives: the latest of its sites where there are devices, since a machine that stands there says more
    /// than a log-on; or else the latest.
    fn home_of(&self, account: &Text) -> Option<Site> {
        let sites = || self.sites_of(account).rev().map(|(site, _)| site);
        sites().find(|&site| self.devices_at(site).next().is_some()).or_else(|| sites().next())
    }

    /// The house of all who log on or are driven from a site where no device of ours is: an exit that only its people use.
    fn house_behind(&self, site: Site) -> Option<Site> {
        if self.devices_at(site).next().is_some() {
            return None;
        }
        let home_of_device = |device| self.site_of(device).map(|(site, _)| site);
        let driven = self.identity.hands().driven_from(site).map(home_of_device);
        let mut homes = self.accounts_at(site).map(|(account, _)| self.home_of(account)).chain(driven);
        let home = homes.next()??;
        homes.all(|other| other == Some(home)).then_some(home).filter(|&home| home != site)
    }

    /// The site of an address: its own outside, or where the device is that holds it inside.
    pub fn site_of_address(&self, address: IpAddr) -> Option<Site> {
        match self.networks.is_home(address) {
            true => self.site_of(self.device_id(address)?).map(|(site, _)| site),
            false => Some(Site::of(address)),
        }
    }

    /// How full the tables are.
    pub fn usage(&self) -> impl Iterator<Item = (&'static str, Usage)> {
        self.identity.usage().chain([("applications", self.applications.usage())])
    }

    /// How many entries gave way to others because a table was full.
    pub fn evicted(&self) -> u64 {
        self.identity.evicted() + self.applications.evicted()
    }

    fn by_protocol(&self, fact: &Fact) -> Option<Sighting> {
        self.products.by_protocol(fact.protocol?)
    }

    /// Of a server that showed nothing else when it answered.
    fn by_tls_port(&self, fact: &Fact, hello: &Hello) -> Option<Sighting> {
        let answers = hello.sender == Sender::Server && is_of(fact, "tls");
        if answers { self.products.by_tls_port(fact.flow.server.port) } else { None }
    }

    fn judge(&self, sighting: Sighting, name: Option<&str>) -> Application {
        let is_below = |suffix: &String| name.is_some_and(|name| is_at_or_below(name, suffix));
        let sanctioned = self.sanctioned.iter().any(|sanctioned| {
            sanctioned.product == sighting.product.id
                && (sanctioned.names.is_empty() || sanctioned.names.iter().any(is_below))
        });
        Application { product: sighting.product, basis: sighting.basis, sanctioned }
    }

    /// What the flow was first known for stays, unless it was a vendor's name only, or where a proxy leads: what is spoken
    /// through it says more.
    fn settle(&mut self, key: (FlowId, Endpoint), seen: Option<Application>, at: Timestamp) -> Option<Application> {
        let known = self.applications.get(&key);
        let Some(seen) = seen else {
            return known.cloned();
        };
        let stays = |known: &&Application| match known.basis {
            Basis::VendorName => false,
            Basis::ProxiedName => seen.basis == Basis::VendorName,
            _ => true,
        };
        if let Some(known) = known.filter(stays) {
            return Some(known.clone());
        }
        *self.applications.get_or_insert_with(key, at, || seen.clone()) = seen.clone();
        Some(seen)
    }
}

/// Whether a name is `suffix` or ends in its labels, in any case.
fn is_at_or_below(name: &str, suffix: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let suffix = suffix.trim_start_matches("*.").to_ascii_lowercase();
    name.strip_suffix(&*suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether the parser of this protocol says it.
fn is_of(fact: &Fact, protocol: &str) -> bool {
    fact.protocol.is_some_and(|of| of.as_str() == protocol)
}

/// Whether a name was told by the flow's client, and is its own: what goes to everybody is, and what names its address. An
/// answer to the client alone is of somebody else, whom the client asked for.
fn is_of_client(fact: &Fact, name: &Name) -> bool {
    fact.flow.server.ip.is_multicast() || name.addresses.contains(&fact.flow.client.ip)
}
