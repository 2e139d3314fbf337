//! A fact or a finding and what is known around it in, fields with Elastic Common Schema names out.
//!
//! An event is lazy: it borrows the fact and the world and works a field out when a rule or a sink asks for it. With
//! no sink and no rule of its category, an event costs nothing.

pub mod catalogue;
mod fields;
mod json;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;
use std::time::Duration;

use rsigma_eval::{Event as SigmaEvent, EventValue};

use crate::detect::Finding;
use crate::enrich::inventory::Host;
use crate::enrich::networks::Role;
use crate::event::catalogue::{Field, Lookup};
use crate::facts::{Fact, FactKind, Fields, FlowRef, FlowSummary, Hello, Sender, SideSummary, Tunnel, Value};
use crate::flow::community_id;
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::net::{Mac, Text};
use crate::protocol::Protocol;
use crate::time::Timestamp;
use crate::world::{Application, World};

/// What rules judge and sinks write.
pub struct Event<'a> {
    subject: Subject<'a>,
    application: Option<&'a Application>,
    world: &'a World,
    client: End,
    server: End,
}

/// What most detectors ask the world of a side, once it was asked.
struct End {
    is_home: OnceCell<bool>,
    device: OnceCell<Option<DeviceId>>,
}

impl End {
    const fn unasked() -> Self {
        Self { is_home: OnceCell::new(), device: OnceCell::new() }
    }
}

#[derive(Clone, Copy)]
enum Subject<'a> {
    Fact(&'a Fact),
    Finding(&'a Finding),
}

const DAY_SECS: u64 = 86_400;

/// Packets of one side, and their bytes.
struct Sent {
    packets: u64,
    bytes: u64,
}

impl<'a> Event<'a> {
    pub const fn of_fact(fact: &'a Fact, application: Option<&'a Application>, world: &'a World) -> Self {
        Self { subject: Subject::Fact(fact), application, world, client: End::unasked(), server: End::unasked() }
    }

    pub const fn of_finding(finding: &'a Finding, world: &'a World) -> Self {
        let (subject, application) = (Subject::Finding(finding), finding.application.as_ref());
        Self { subject, application, world, client: End::unasked(), server: End::unasked() }
    }

    pub const fn at(&self) -> Timestamp {
        match self.subject {
            Subject::Fact(fact) => fact.at,
            Subject::Finding(finding) => finding.at,
        }
    }

    pub const fn seq(&self) -> u64 {
        match self.subject {
            Subject::Fact(fact) => fact.seq,
            Subject::Finding(finding) => finding.seq,
        }
    }

    pub const fn flow(&self) -> &'a FlowRef {
        match self.subject {
            Subject::Fact(fact) => &fact.flow,
            Subject::Finding(finding) => &finding.flow,
        }
    }

    /// What a rule's `logsource.category` is matched with: the name of the fact or of the detector.
    pub const fn category(&self) -> &'static str {
        match self.subject {
            Subject::Fact(fact) => fact.kind.category(),
            Subject::Finding(finding) => finding.detector,
        }
    }

    /// The protocol that spoke, or else the first one recognised on the flow.
    pub fn protocol(&self) -> Option<Protocol> {
        let spoke = match self.subject {
            Subject::Fact(Fact { kind: FactKind::Hello(hello), protocol, .. }) => hello.inside.or(*protocol),
            Subject::Fact(fact) => fact.protocol,
            Subject::Finding(finding) => finding.protocol,
        };
        spoke.or(self.flow().protocol)
    }

    pub const fn application(&self) -> Option<&'a Application> {
        self.application
    }

    pub const fn fact(&self) -> Option<&'a Fact> {
        match self.subject {
            Subject::Fact(fact) => Some(fact),
            Subject::Finding(_) => None,
        }
    }

    pub const fn finding(&self) -> Option<&'a Finding> {
        match self.subject {
            Subject::Fact(_) => None,
            Subject::Finding(finding) => Some(finding),
        }
    }

    pub const fn world(&self) -> &'a World {
        self.world
    }

    /// The Community ID of the flow; none without IP.
    pub fn community_id(&self) -> Option<String> {
        let flow = self.flow();
        flow.transport.is_over_ip().then(|| community_id(flow.client, flow.server, flow.transport))
    }

    /// A side's address; none in frames without IP.
    pub fn address(&self, side: Sender) -> Option<IpAddr> {
        let end = match side {
            Sender::Client => self.flow().client,
            Sender::Server => self.flow().server,
        };
        self.flow().transport.is_over_ip().then_some(end.ip)
    }

    /// A side's MAC, where it is a machine's.
    fn mac(&self, side: Sender) -> Option<Mac> {
        let mac = match side {
            Sender::Client => self.flow().client_mac,
            Sender::Server => self.flow().server_mac,
        };
        mac.filter(|mac| mac.is_a_machine())
    }

    pub fn device(&self, side: Sender) -> Option<DeviceId> {
        *self.end(side).device.get_or_init(|| match self.address(side) {
            Some(address) => self.world.device_id(address),
            None => self.mac(side).map(DeviceId::of_mac),
        })
    }

    /// The site of a side: its own address outside, or where its device is.
    pub fn site(&self, side: Sender) -> Option<Site> {
        self.world.site_of_address(self.address(side)?)
    }

    /// The site that an event is about: where the home side's device is, or else, of what comes from outside, the client's.
    pub fn site_about(&self) -> Option<Site> {
        if let Some(Finding { entity: Entity::Site(site), .. }) = self.finding() {
            return Some(*site);
        }
        let home = self.home_side()?;
        self.site(home).or_else(|| self.site(Sender::Client).filter(|_| home == Sender::Server))
    }

    /// The side whose device an event is about: the client if it is at home, or else the server if that is.
    pub fn home_side(&self) -> Option<Sender> {
        [Sender::Client, Sender::Server].into_iter().find(|&side| self.is_home(side))
    }

    /// Whether the side's address is at home. Without IP a machine speaks to those of its own segment only.
    pub fn is_home(&self, side: Sender) -> bool {
        *self.end(side).is_home.get_or_init(|| match self.address(side) {
            Some(address) => self.world.networks.is_home(address),
            None => self.mac(side).is_some(),
        })
    }

    /// Whether an address is the organisation's own.
    pub fn is_home_address(&self, address: IpAddr) -> bool {
        self.world.networks.is_home(address)
    }

    /// Whether an outside address speaks to one of the configured VPN gateways.
    pub fn is_to_vpn_gateway(&self) -> bool {
        let gateway = self.address(Sender::Server).and_then(|address| self.world.networks.get(address));
        gateway.is_some_and(|network| network.roles.contains(&Role::VpnGateway)) && !self.is_home(Sender::Client)
    }

    /// The value of a field; none where the event does not have it.
    pub fn get(&self, name: &str) -> Option<EventValue<'_>> {
        self.read(catalogue::typed(name), name)
    }

    /// As [`Self::get`].
    pub fn find(&self, field: &Lookup) -> Option<EventValue<'_>> {
        self.read(field.typed, &field.name)
    }

    fn read(&self, typed: Option<&'static Field>, name: &str) -> Option<EventValue<'_>> {
        let typed = typed.and_then(|field| (field.get)(self));
        typed.or_else(|| self.extras()?.get(name).map(event_value))
    }

    /// The fields with values, in the order of the catalogue, those of the parser or detector last.
    pub fn visit<'e>(&'e self, visit: &mut dyn FnMut(&'static str, EventValue<'e>)) {
        for field in catalogue::all_typed() {
            if let Some(value) = (field.get)(self) {
                visit(field.name, value);
            }
        }
        for (name, value) in self.extras().into_iter().flat_map(Fields::iter) {
            let is_said = catalogue::typed(name).is_some_and(|field| (field.get)(self).is_some());
            if !is_said {
                visit(name, event_value(value));
            }
        }
    }

    const fn end(&self, side: Sender) -> &End {
        match side {
            Sender::Client => &self.client,
            Sender::Server => &self.server,
        }
    }

    fn kind(&self) -> Option<&'a FactKind> {
        self.fact().map(|fact| &fact.kind)
    }

    fn extras(&self) -> Option<&'a Fields> {
        match self.subject {
            Subject::Fact(fact) => fact.kind.fields(),
            Subject::Finding(finding) => Some(&finding.evidence),
        }
    }

    fn summary(&self) -> Option<&'a FlowSummary> {
        match self.kind()? {
            FactKind::Activity(summary) | FactKind::FlowEnded(summary) => Some(summary),
            _ => None,
        }
    }

    fn side_summary(&self, side: Sender) -> Option<&'a SideSummary> {
        self.summary().map(|summary| match side {
            Sender::Client => &summary.client,
            Sender::Server => &summary.server,
        })
    }

    /// What a side sent, in the life of the flow or in the minute that is told.
    fn sent(&self, side: Sender) -> Option<Sent> {
        if let FactKind::Minute(minute) = self.kind()? {
            return Some(match side {
                Sender::Client => Sent { packets: minute.client_packets.into(), bytes: minute.client_bytes },
                Sender::Server => Sent { packets: minute.server_packets.into(), bytes: minute.server_bytes },
            });
        }
        self.side_summary(side).map(|summary| Sent { packets: summary.packets, bytes: summary.bytes })
    }

    fn hello(&self, sender: Sender) -> Option<&'a Hello> {
        match self.kind()? {
            FactKind::Hello(hello) if hello.sender == sender => Some(hello),
            _ => None,
        }
    }

    fn tunnel(&self) -> Option<&'a Tunnel> {
        match self.kind()? {
            FactKind::Tunnel(tunnel) => Some(tunnel),
            _ => None,
        }
    }

    fn user(&self) -> Option<&'a Text> {
        if let Some(Finding { entity: Entity::Account(account), .. }) = self.finding() {
            return Some(account);
        }
        match self.kind()? {
            FactKind::Credential(credential) => credential.user.as_ref(),
            FactKind::RemoteDesktop(desktop) => desktop.user.as_ref(),
            _ => None,
        }
    }

    /// How many days ago the home side's device came.
    fn device_days(&self) -> Option<u64> {
        /// Nothing is new to a sensor that is new itself.
        const WATCHED: Duration = Duration::from_secs(14 * DAY_SECS);
        let first_seen = self.world.first_seen(self.device(self.home_side()?)?, WATCHED)?;
        Some(self.at().since(first_seen).as_secs() / DAY_SECS)
    }

    /// How many days the user who last logged on at the home side has until the inventory's last one; negative after it.
    fn user_days_left(&self) -> Option<i64> {
        let user = self.world.identity.user(self.address(self.home_side()?)?)?;
        let end = self.world.inventory.account(user.as_str())?.end?;
        let day = |at: Timestamp| i64::try_from(at.as_secs() / DAY_SECS).unwrap_or(i64::MAX);
        Some(day(end) - day(self.at()))
    }

    fn host(&self, side: Sender) -> Option<&'a Host> {
        match self.address(side) {
            Some(address) => self.world.host(address),
            None => self.world.inventory.by_mac(self.mac(side)?),
        }
    }
}

/// Sigma looks fields up by name and, for keywords, goes through all texts.
impl SigmaEvent for Event<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        self.get(path)
    }

    fn any_string_value(&self, predicate: &dyn Fn(&str) -> bool) -> bool {
        let mut found = false;
        self.visit(&mut |_, value| found = found || texts(&value).iter().any(|text| predicate(text)));
        found
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut all = Vec::new();
        self.visit(&mut |_, value| all.extend(texts(&value).into_iter().map(|text| Cow::Owned(text.into_owned()))));
        all
    }

    /// What a correlation keeps of the events it counts, see [`crate::alert`].
    fn to_json(&self) -> serde_json::Value {
        let kept = catalogue::KEPT_BY_CORRELATIONS.iter();
        kept.filter_map(|name| Some(((*name).to_owned(), self.get(name)?.to_json()))).collect()
    }
}

fn texts<'v>(value: &'v EventValue<'_>) -> Vec<Cow<'v, str>> {
    match value {
        EventValue::Array(values) => values.iter().flat_map(texts).collect(),
        EventValue::Str(text) => vec![Cow::Borrowed(text)],
        _ => Vec::new(),
    }
}

fn event_value(value: &Value) -> EventValue<'_> {
    match value {
        Value::Bool(value) => EventValue::Bool(*value),
        Value::Float(value) => EventValue::Float(*value),
        Value::Ip(value) => owned(value),
        Value::List(values) => EventValue::Array(values.iter().map(event_value).collect()),
        Value::Mac(value) => owned(value),
        Value::Number(value) => integer(*value),
        Value::Text(value) => EventValue::Str(Cow::Borrowed(value.as_str())),
        Value::Time(value) => owned(value),
        Value::Word(value) => EventValue::Str(Cow::Borrowed(value)),
    }
}

fn owned<'v>(value: impl ToString) -> EventValue<'v> {
    EventValue::Str(Cow::Owned(value.to_string()))
}

fn integer<'v>(value: u64) -> EventValue<'v> {
    EventValue::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The roles of the configuration's network that an address is in.
fn roles<'e>(event: &'e Event<'e>, address: IpAddr) -> Option<EventValue<'e>> {
    let roles = &event.world.networks.get(address)?.roles;
    Some(EventValue::Array(roles.iter().map(|role| EventValue::Str(Cow::Borrowed(role.as_str()))).collect()))
}

#[cfg(test)]
pub(crate) mod tests;
