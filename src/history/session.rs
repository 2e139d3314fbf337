//! The events of one flow in, a session as people know it out.

use std::net::IpAddr;
use std::time::Duration;

use super::text;
use crate::enrich::products;
use crate::event::Event;
use crate::facts::{Fact, FactKind, FlowSummary, Sender};
use crate::identity::device::DeviceId;
use crate::identity::site::Site;
use crate::net::{Endpoint, Text};
use crate::protocol::Protocol;
use crate::time::Timestamp;

/// What a session is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionKind {
    /// A product for remote control, an IP-KVM, an overlay network.
    Product(products::Kind),
    RemoteDesktop,
    Shell,
    Tunnel,
}

impl SessionKind {
    pub(super) fn of(event: &Event<'_>, fact: &Fact) -> Option<Self> {
        match &fact.kind {
            FactKind::RemoteDesktop(_) => Some(Self::RemoteDesktop),
            FactKind::Tunnel(_) => Some(Self::Tunnel),
            FactKind::Hello(_) if event.protocol().is_some_and(|protocol| protocol.as_str() == "ssh") => {
                Some(Self::Shell)
            }
            FactKind::Hello(_) => {
                let application = event.application().filter(|application| application.is_in_use())?;
                application.kind().map(Self::Product)
            }
            _ => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Product(kind) => kind.as_str(),
            Self::RemoteDesktop => "remote_desktop",
            Self::Shell => "shell",
            Self::Tunnel => "tunnel",
        }
    }
}

/// A remote desktop, a shell, a tunnel, or a product in use, from its beginning on.
#[derive(Clone, Debug)]
pub struct Session {
    /// Counts the sessions of the sensor's run.
    pub number: u64,
    pub kind: SessionKind,
    pub client: Endpoint,
    pub server: Endpoint,
    pub client_device: Option<DeviceId>,
    pub server_device: Option<DeviceId>,
    pub site: Option<Site>,
    pub protocol: Option<Protocol>,
    pub application: Option<String>,
    pub sanctioned: bool,
    pub user: Option<Text>,
    /// The name the driving machine gives itself.
    pub client_name: Option<Text>,
    pub client_country: Option<String>,
    pub server_country: Option<String>,
    pub community_id: String,
    pub started: Timestamp,
    pub last: Timestamp,
    pub is_over: bool,
    pub client_bytes: u64,
    pub server_bytes: u64,
    /// The tap to the client and back.
    pub client_rtt: Option<Duration>,
    /// One layer above it, so that a relay between them shows.
    pub flight_rtt: Option<Duration>,
}

impl Session {
    pub(super) fn new(number: u64, kind: SessionKind, event: &Event<'_>, site: Option<Site>) -> Self {
        let flow = event.flow();
        Self {
            number,
            kind,
            client: flow.client,
            server: flow.server,
            client_device: event.device(Sender::Client),
            server_device: event.device(Sender::Server),
            site,
            protocol: event.protocol(),
            application: event.application().map(|application| application.product.id.clone()),
            sanctioned: event.application().is_some_and(|application| application.sanctioned),
            user: None,
            client_name: None,
            client_country: text(event, "source.geo.country_iso_code"),
            server_country: text(event, "destination.geo.country_iso_code"),
            community_id: text(event, "network.community_id").unwrap_or_default(),
            started: flow.started,
            last: event.at(),
            is_over: false,
            client_bytes: 0,
            server_bytes: 0,
            client_rtt: None,
            flight_rtt: None,
        }
    }

    /// Takes what a later event of the flow adds.
    pub(super) fn learn(&mut self, event: &Event<'_>, fact: &Fact) {
        self.last = self.last.max(fact.at);
        if self.application.is_none() {
            self.application = event.application().map(|application| application.product.id.clone());
            self.sanctioned = event.application().is_some_and(|application| application.sanctioned);
        }
        if let FactKind::RemoteDesktop(desktop) = &fact.kind {
            self.kind = SessionKind::RemoteDesktop;
            self.client_name = self.client_name.take().or_else(|| desktop.client_name.clone());
        }
    }

    pub(super) fn measure(&mut self, summary: &FlowSummary, at: Timestamp, is_over: bool) {
        self.last = match is_over {
            true => self.started + summary.duration,
            false => at,
        };
        self.is_over = is_over;
        (self.client_bytes, self.server_bytes) = (summary.client.bytes, summary.server.bytes);
        (self.client_rtt, self.flight_rtt) = (summary.client_rtt, summary.flight_rtt);
    }

    /// The addresses of both ends.
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.client.ip, self.server.ip]
    }
}
