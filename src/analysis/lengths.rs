//! Facts of flows that somebody works through in; how long those flows last, what kind of VPN they are, and how much
//! farther than its address a client is, as numbers out.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::distribution::Distribution;
use crate::enrich::networks::Role;
use crate::enrich::products::Kind;
use crate::facts::{Channel, Fact, FactKind, FlowId, FlowSummary};
use crate::net::Endpoint;
use crate::recent::{Recent, Retention, Usage};
use crate::world::{Application, World};

/// Seconds: from a look at a screen to more than a working day.
const SESSION_SECS: &[f64] = &[10.0, 60.0, 300.0, 1800.0, 3600.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0];
/// Seconds. A client in its own country has a few hundredths at most; 75 ms is where the detector `relay` begins to count.
const EXCESS_SECS: &[f64] = &[0.005, 0.01, 0.02, 0.04, 0.075, 0.15, 0.3, 0.6];

/// Whose way in or out a tunnel is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum VpnClass {
    /// To a gateway or by a product that the configuration names.
    Own,
    /// A product that organisations use for their own way in, and which is not known to be this one's.
    Corporate,
    /// A private network over others' networks.
    Overlay,
    /// A service that lets its customers come out elsewhere.
    Vendor,
    /// A protocol that anybody may use.
    Other,
}

impl VpnClass {
    pub const ALL: &'static [Self] = &[Self::Own, Self::Corporate, Self::Overlay, Self::Vendor, Self::Other];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Corporate => "corporate",
            Self::Other => "other",
            Self::Overlay => "overlay",
            Self::Own => "own",
            Self::Vendor => "vendor",
        }
    }

    fn of(fact: &Fact, application: Option<&Application>, world: &World) -> Self {
        let is_gateway =
            |end: Endpoint| world.networks.get(end.ip).is_some_and(|zone| zone.roles.contains(&Role::VpnGateway));
        let is_own = application.is_some_and(|application| application.sanctioned)
            || [fact.flow.client, fact.flow.server].into_iter().any(is_gateway);
        match application.and_then(Application::kind) {
            _ if is_own => Self::Own,
            Some(Kind::CorporateVpn) => Self::Corporate,
            Some(Kind::Overlay) => Self::Overlay,
            Some(Kind::Vpn) => Self::Vendor,
            _ => Self::Other,
        }
    }
}

/// What is counted of flows when they end.
#[derive(Clone, Debug, PartialEq)]
pub struct Counters {
    /// How long flows lasted, in seconds, by what somebody works through.
    pub sessions: BTreeMap<&'static str, Distribution>,
    /// Flows of tunnels.
    pub vpns: BTreeMap<VpnClass, u64>,
    /// By how much the answer of what runs in a connection comes later than that of the connection itself, in seconds.
    pub excess: Distribution,
}

impl Default for Counters {
    fn default() -> Self {
        let channels = [Channel::Desktop, Channel::Shell, Channel::Tunnel];
        Self {
            sessions: channels.map(|channel| (channel.as_str(), Distribution::new(SESSION_SECS))).into(),
            vpns: VpnClass::ALL.iter().map(|class| (*class, 0)).collect(),
            excess: Distribution::new(EXCESS_SECS),
        }
    }
}

pub(super) struct Lengths {
    pub(super) counters: Counters,
    /// The open flows that a parser said a desktop or a tunnel of.
    open: Recent<(FlowId, Endpoint), Channel>,
}

impl Lengths {
    const OPEN: Retention = Retention { entries_max: 65_536, keep: Duration::from_secs(86_400) };

    pub(super) fn new() -> Self {
        Self { counters: Counters::default(), open: Recent::new(Self::OPEN) }
    }

    pub(super) fn observe(&mut self, fact: &Fact, application: Option<&Application>, world: &World) {
        match &fact.kind {
            FactKind::FlowEnded(summary) => self.on_end(fact, summary, application, world),
            FactKind::RemoteDesktop(_) => self.note(fact, Channel::Desktop),
            FactKind::Tunnel(_) => self.note(fact, Channel::Tunnel),
            // An open flow stays in mind however long it is open.
            FactKind::Activity(_) if !self.open.is_empty() => _ = self.open.get_mut(&key(fact), fact.at),
            _ => {}
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.open.usage()
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.open.evicted()
    }

    fn note(&mut self, fact: &Fact, channel: Channel) {
        self.open.get_or_insert_with(key(fact), fact.at, || channel);
    }

    fn on_end(&mut self, fact: &Fact, summary: &FlowSummary, application: Option<&Application>, world: &World) {
        if let (Some(tcp), Some(flight)) = (summary.client_rtt, summary.flight_rtt) {
            self.counters.excess.add(flight.saturating_sub(tcp).as_secs_f64());
        }
        if fact.flow.protocol.is_none() {
            return;
        }
        let said = if self.open.is_empty() { None } else { self.open.remove(&key(fact)) };
        let Some(channel) = said.or_else(|| of_product(application)).or_else(|| of_protocol(fact)) else { return };
        if let Some(lengths) = self.counters.sessions.get_mut(channel.as_str()) {
            lengths.add(summary.duration.as_secs_f64());
        }
        if channel == Channel::Tunnel {
            *self.counters.vpns.entry(VpnClass::of(fact, application, world)).or_default() += 1;
        }
    }
}

fn key(fact: &Fact) -> (FlowId, Endpoint) {
    (fact.flow.id, fact.flow.client)
}

/// What a product is for that speaks TLS and nothing else that a parser knows.
fn of_product(application: Option<&Application>) -> Option<Channel> {
    match application.filter(|application| application.is_in_use())?.kind()? {
        Kind::IpKvm | Kind::RemoteAccess | Kind::VirtualDesktop => Some(Channel::Desktop),
        Kind::CorporateVpn | Kind::Overlay | Kind::Vpn => Some(Channel::Tunnel),
        _ => None,
    }
}

fn of_protocol(fact: &Fact) -> Option<Channel> {
    matches!(fact.flow.protocol?.as_str(), "rlogin" | "rsh" | "ssh" | "telnet").then_some(Channel::Shell)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::enrich::geo::Geo;
    use crate::enrich::products::{Basis, Products};
    use crate::event::tests::{fact, flow, summary};
    use crate::facts::{Confidence, FlowRef, RemoteDesktop, Tunnel, TunnelBasis};
    use crate::net::Transport;
    use crate::protocol::Protocol;

    fn world() -> World {
        let settings = "networks: [{name: gate, roles: [vpn_gateway], prefixes: [203.0.113.10]}]";
        let settings = crate::yaml::parse("example.yml", settings).unwrap();
        World::new(&settings, &Arc::default(), Geo::default(), Default::default()).unwrap()
    }

    fn of(protocol: &'static str, server: &str) -> FlowRef {
        FlowRef {
            protocol: Some(Protocol::named(protocol)),
            ..flow("192.0.2.1:40000", &format!("{server}:443"), Transport::Tcp)
        }
    }

    fn application(kind: Kind) -> Application {
        let product = Products::shipped().iter().find(|product| product.kind == kind).unwrap().clone();
        Application { product: Arc::new(product), basis: Basis::ServerName, sanctioned: false }
    }

    fn ended(lengths: &mut Lengths, flow: FlowRef, secs: u64, application: Option<&Application>) {
        lengths.observe(&fact(flow, 9000, FactKind::FlowEnded(summary(secs))), application, &world());
    }

    fn counts(lengths: &Lengths) -> Vec<(&'static str, u64)> {
        lengths.counters.sessions.iter().map(|(channel, lengths)| (*channel, lengths.count())).collect()
    }

    #[test]
    fn a_flow_is_counted_when_it_ends_by_what_was_said_of_it_its_product_or_its_protocol() {
        let mut lengths = Lengths::new();
        let desktop = of("rdp", "198.51.100.1");
        lengths.observe(&fact(desktop, 1, FactKind::RemoteDesktop(RemoteDesktop::default().into())), None, &world());
        assert_eq!(counts(&lengths), [("desktop", 0), ("shell", 0), ("tunnel", 0)]);
        ended(&mut lengths, desktop, 45, None);
        ended(&mut lengths, of("ssh", "198.51.100.1"), 5, None);
        ended(&mut lengths, of("tls", "198.51.100.1"), 5, Some(&application(Kind::RemoteAccess)));
        ended(&mut lengths, of("tls", "198.51.100.1"), 5, None);
        ended(&mut lengths, flow("192.0.2.1:40000", "198.51.100.1:443", Transport::Tcp), 5, None);
        assert_eq!(counts(&lengths), [("desktop", 2), ("shell", 1), ("tunnel", 0)]);
        assert_eq!(lengths.counters.sessions["desktop"].sum(), 50.0);
    }

    #[test]
    fn a_vpn_is_the_organisations_own_where_the_configuration_says_so() {
        let mut lengths = Lengths::new();
        for (server, application) in [
            ("203.0.113.10", None),
            ("198.51.100.1", Some(Application { sanctioned: true, ..application(Kind::Vpn) })),
            ("198.51.100.1", Some(application(Kind::Vpn))),
            ("198.51.100.1", Some(application(Kind::Overlay))),
            ("198.51.100.1", Some(application(Kind::CorporateVpn))),
            ("198.51.100.1", None),
        ] {
            let tunnel = of("wireguard", server);
            let said = FactKind::Tunnel(Box::new(Tunnel::new(TunnelBasis::Exchange, Confidence::Certain, true)));
            lengths.observe(&fact(tunnel, 1, said), application.as_ref(), &world());
            ended(&mut lengths, tunnel, 5, application.as_ref());
        }
        let counted: Vec<_> = lengths.counters.vpns.iter().map(|(class, count)| (class.as_str(), *count)).collect();
        assert_eq!(counted, [("own", 2), ("corporate", 1), ("overlay", 1), ("vendor", 1), ("other", 1)]);
    }

    #[test]
    fn the_excess_is_what_the_first_flight_takes_longer_than_the_handshake() {
        let mut lengths = Lengths::new();
        let millis = |millis| Some(Duration::from_millis(millis));
        for (tcp, flight) in [(millis(20), millis(100)), (millis(20), millis(10)), (millis(20), None)] {
            let summary = FlowSummary { client_rtt: tcp, flight_rtt: flight, ..summary(1) };
            let ended = fact(of("tls", "198.51.100.1"), 9, FactKind::FlowEnded(summary));
            lengths.observe(&ended, None, &world());
        }
        assert_eq!((lengths.counters.excess.count(), lengths.counters.excess.sum()), (2, 0.08));
    }
}
