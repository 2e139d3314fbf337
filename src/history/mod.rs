//! Events in; what each device, account and household did lately out, bounded, for people who look into it.
//!
//! Nothing is judged here, and nothing that is judged depends on it: it is kept only where somebody can look.

mod account;
mod device;
mod session;

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::event::Event;
use crate::facts::{Fact, FactKind, FlowId, Outcome, Sender};
use crate::identity::device::DeviceId;
use crate::identity::site::Site;
use crate::net::{Endpoint, Text};
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

pub use account::AccountHistory;
pub use device::DeviceHistory;
pub use session::{Session, SessionKind};

/// How much is kept to look at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub sessions: Retention,
    pub devices: Retention,
    pub accounts: Retention,
    pub sites: Retention,
}

impl Default for Limits {
    fn default() -> Self {
        let retention = |entries_max| Retention { entries_max, keep: Duration::from_secs(30 * 86_400) };
        Self {
            sessions: retention(10_000),
            devices: retention(50_000),
            accounts: retention(10_000),
            sites: retention(10_000),
        }
    }
}

/// What was seen of a household as such.
#[derive(Clone, Debug)]
pub struct SiteHistory {
    pub first: Timestamp,
    pub last: Timestamp,
    pub sessions: u64,
    pub country: Option<String>,
    pub organization: Option<String>,
}

/// What tells one session from another: the flow and its client, as protocols turn it.
pub type SessionKey = (FlowId, Endpoint);

pub struct History {
    sessions: Recent<SessionKey, Session>,
    devices: Recent<DeviceId, DeviceHistory>,
    accounts: Recent<Text, AccountHistory>,
    sites: Recent<Site, SiteHistory>,
    /// Sessions that were ever begun.
    begun: u64,
}

impl History {
    pub fn new(limits: Limits) -> Self {
        Self {
            sessions: Recent::new(limits.sessions),
            devices: Recent::new(limits.devices),
            accounts: Recent::new(limits.accounts),
            sites: Recent::new(limits.sites),
            begun: 0,
        }
    }

    pub fn on_event(&mut self, event: &Event<'_>) {
        let Some(fact) = event.fact() else { return };
        match &fact.kind {
            FactKind::Activity(summary) | FactKind::FlowEnded(summary) => {
                let is_over = matches!(fact.kind, FactKind::FlowEnded(_));
                if let Some(session) = self.sessions.get_mut(&key(fact), fact.at) {
                    session.measure(summary, fact.at, is_over);
                }
            }
            FactKind::Credential(credential) if credential.outcome != Some(Outcome::Failure) => {
                // What a gateway's accounting tells of is not where the accounting comes from.
                let outside = credential.access.as_ref().and_then(|access| access.outside);
                if let Some(user) = &credential.user {
                    self.log_on(event, fact, user, outside);
                }
            }
            FactKind::Hello(hello) => {
                self.introduce(event, fact, hello.sender);
                self.begin(event, fact);
            }
            FactKind::Minute(minute) => {
                if let Some(device) = device_at_home(event) {
                    let (minute, at) = (minute.start, fact.at);
                    self.devices.get_or_insert_with(device, at, DeviceHistory::default).active_in(minute);
                }
            }
            FactKind::RemoteDesktop(desktop) => {
                self.begin(event, fact);
                if let Some(user) = &desktop.user {
                    self.log_on(event, fact, user, None);
                }
            }
            FactKind::Tunnel(_) => self.begin(event, fact),
            FactKind::Credential(_) | FactKind::Lease(_) | FactKind::Malformed(_) | FactKind::Name(_) => {}
        }
    }

    /// The sessions, those heard of longest ago first.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionKey, &Session)> {
        self.sessions.iter().map(|(key, session)| (*key, session))
    }

    pub fn session(&self, key: &SessionKey) -> Option<&Session> {
        self.sessions.get(key)
    }

    pub fn device(&self, id: DeviceId) -> Option<&DeviceHistory> {
        self.devices.get(&id)
    }

    /// The accounts, those heard of longest ago first.
    pub fn accounts(&self) -> impl Iterator<Item = (&Text, &AccountHistory)> {
        self.accounts.iter()
    }

    pub fn account(&self, account: &Text) -> Option<&AccountHistory> {
        self.accounts.get(account)
    }

    /// The households, those heard of longest ago first.
    pub fn sites(&self) -> impl Iterator<Item = (Site, &SiteHistory)> {
        self.sites.iter().map(|(site, history)| (*site, history))
    }

    pub fn site(&self, site: Site) -> Option<&SiteHistory> {
        self.sites.get(&site)
    }

    fn begin(&mut self, event: &Event<'_>, fact: &Fact) {
        let Some(kind) = SessionKind::of(event, fact) else { return };
        let (key, begun) = (key(fact), self.begun);
        let site = site(event);
        let session = self.sessions.get_or_insert_with(key, fact.at, || Session::new(begun, kind, event, site));
        let is_new = session.number == begun;
        session.learn(event, fact);
        if !is_new {
            return;
        }
        self.begun += 1;
        if let Some(site) = site {
            self.visit(event, fact, site);
        }
        if let (Some(device), Some(application)) = (device_at_home(event), event.application()) {
            let history = self.devices.get_or_insert_with(device, fact.at, DeviceHistory::default);
            history.uses(&application.product.id, application.sanctioned, fact.at);
        }
    }

    fn visit(&mut self, event: &Event<'_>, fact: &Fact, site: Site) {
        let history = self.sites.get_or_insert_with(site, fact.at, || SiteHistory {
            first: fact.at,
            last: fact.at,
            sessions: 0,
            country: text(event, "source.geo.country_iso_code"),
            organization: text(event, "source.as.organization.name"),
        });
        history.last = fact.at;
        history.sessions += 1;
    }

    fn introduce(&mut self, event: &Event<'_>, fact: &Fact, side: Sender) {
        let FactKind::Hello(hello) = &fact.kind else { return };
        let Some(device) = event.device(side).filter(|_| event.is_home(side)) else { return };
        let history = self.devices.get_or_insert_with(device, fact.at, DeviceHistory::default);
        for fingerprint in &hello.fingerprints {
            history.shows(fingerprint, fact.at);
        }
    }

    /// `outside` is the address of the user where that is not the client's.
    fn log_on(&mut self, event: &Event<'_>, fact: &Fact, user: &Text, outside: Option<IpAddr>) {
        let Some(account) = crate::identity::account(user) else { return };
        let place = match outside {
            Some(address) => Some((address, None, None)),
            None => event
                .address(Sender::Client)
                .map(|address| (address, text(event, "source.geo.country_iso_code"), event.device(Sender::Client))),
        };
        let Some((address, country, device)) = place else { return };
        let history = self.accounts.get_or_insert_with(account.clone(), fact.at, || AccountHistory::new(fact.at));
        history.seen_at(address, country, device, fact.at);
        if outside.is_some() {
            return;
        }
        if let Some(session) = self.sessions.get_mut(&key(fact), fact.at) {
            session.user.get_or_insert(account.clone());
        }
        if let Some(device) = device_at_home(event) {
            self.devices.get_or_insert_with(device, fact.at, DeviceHistory::default).used_by(&account);
        }
    }
}

fn key(fact: &Fact) -> SessionKey {
    (fact.flow.id, fact.flow.client)
}

fn device_at_home(event: &Event<'_>) -> Option<DeviceId> {
    event.device(event.home_side()?)
}

/// The household that a session from outside comes from.
fn site(event: &Event<'_>) -> Option<Site> {
    let is_from_outside = !event.is_home(Sender::Client) && event.is_home(Sender::Server);
    event.address(Sender::Client).filter(|_| is_from_outside).map(Site::of)
}

fn text(event: &Event<'_>, field: &str) -> Option<String> {
    Some(event.get(field)?.as_str()?.into_owned())
}

#[cfg(test)]
mod tests;
