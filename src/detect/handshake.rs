//! An event in, the handshake of a TCP connection from outside out: its round trips and what its SYN tells; or how far
//! away the client of a tunnel is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::spans;
use crate::event::Event;
use crate::facts::{FactKind, FlowSummary, Sender};
use crate::identity::site::Site;
use crate::memory::{Memory, MemoryError};
use crate::net::Transport;
use crate::recent::{Recent, Retention};

/// A TCP connection of an outside client to a server of ours, told once for each; a scan's SYN is none.
pub(super) struct Handshake<'e> {
    pub(super) site: Site,
    pub(super) summary: &'e FlowSummary,
}

impl<'e> Handshake<'e> {
    pub(super) fn of(event: &Event<'e>) -> Option<Self> {
        let summary = first_summary(event)?;
        let is_from_outside = event.is_home(Sender::Server) && !event.is_home(Sender::Client);
        is_from_outside.then_some(Self { site: Site::of(event.flow().client.ip), summary })
    }

    /// The same of a device whose site outside is known, as it is seen behind the VPN gateway: the way to the client is the
    /// one through the tunnel.
    pub(super) fn through_tunnel(event: &Event<'e>) -> Option<Self> {
        let summary = first_summary(event)?;
        let site = event.is_home(Sender::Client).then(|| event.site(Sender::Client)).flatten()?;
        Some(Self { site, summary })
    }
}

/// Which outside clients may be ours: those of sites where somebody of ours is, and all of a server that hardly anybody else
/// comes to.
pub(super) struct Callers {
    /// The sites that held a tunnel to a VPN gateway lately: somebody of ours is there, also where no account is seen.
    sites: Recent<Site, ()>,
    servers: Recent<IpAddr, Audience>,
}

/// The sites that came to a server in the last days.
#[derive(Default, Deserialize, Serialize)]
struct Audience {
    sites: BTreeMap<Site, Visit>,
    /// More strangers come to it than sites where somebody of ours is.
    is_public: bool,
    /// When those that came no more were looked for last.
    expired: u64,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Visit {
    day: u64,
    is_known: bool,
}

impl Audience {
    /// As many stand for all others.
    const SITES_MAX: usize = 512;
    const DAYS_KEPT: u64 = 7;
    /// So many come to any server that can be reached: those who look what there is.
    const STRANGERS_MAX: usize = 8;

    fn add(&mut self, site: Site, is_known: bool, day: u64) {
        if self.expired < day {
            self.expired = day;
            self.sites.retain(|_, visit| day.saturating_sub(visit.day) < Self::DAYS_KEPT);
        }
        let is_full = self.sites.len() >= Self::SITES_MAX;
        let before = match self.sites.get(&site) {
            None if is_full => return,
            before => before.copied(),
        };
        let is_known = is_known || before.is_some_and(|before| before.is_known);
        self.sites.insert(site, Visit { day, is_known });
        if before.is_none_or(|before| before.is_known != is_known) {
            let known = self.sites.values().filter(|visit| visit.is_known).count();
            self.is_public = self.sites.len() - known > known.max(Self::STRANGERS_MAX);
        }
    }
}

impl Callers {
    const SITES: Retention = Retention { entries_max: 50_000, keep: Duration::from_secs(30 * 86_400) };
    const SERVERS: Retention = Retention { entries_max: 1024, keep: Duration::from_secs(7 * 86_400) };
    /// Who only tries the gateway does not stay so long.
    const STAYED: Duration = Duration::from_secs(60);

    pub(super) fn learn(&mut self, event: &Event<'_>) {
        let stayed = match event.fact().map(|fact| &fact.kind) {
            Some(FactKind::Activity(summary) | FactKind::FlowEnded(summary)) => summary.duration >= Self::STAYED,
            _ => false,
        };
        if let Some((site, ..)) = stayed.then(|| spans::tunnel(event)).flatten() {
            self.sites.expire(event.at());
            self.sites.get_or_insert_with(site, event.at(), || ());
        }
        if let (Some(Handshake { site, .. }), Some(server)) = (Handshake::of(event), event.address(Sender::Server)) {
            let is_known = self.knows(event, site);
            self.servers.expire(event.at());
            let audience = self.servers.get_or_insert_with(server, event.at(), Audience::default);
            audience.add(site, is_known, event.at().as_secs() / 86_400);
        }
    }

    /// Whether an outside client may be one of ours: any other one of a public server's is nobody to be judged.
    pub(super) fn may_be_ours(&self, event: &Event<'_>, site: Site) -> bool {
        let audience = || self.servers.get(&event.address(Sender::Server)?);
        self.knows(event, site) || !audience().is_some_and(|audience| audience.is_public)
    }

    fn knows(&self, event: &Event<'_>, site: Site) -> bool {
        is_known(event, site) || self.sites.get(&site).is_some()
    }

    pub(super) fn remember(&self, section: &str, memory: &mut Memory) {
        memory.put(&format!("{section}.callers"), &self.sites);
        memory.put(&format!("{section}.audiences"), &self.servers);
    }

    pub(super) fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.sites.restore(memory.get(&format!("{section}.callers"))?.unwrap_or_default());
        self.servers.restore(memory.get(&format!("{section}.audiences"))?.unwrap_or_default());
        Ok(())
    }
}

impl Default for Callers {
    fn default() -> Self {
        Self { sites: Recent::new(Self::SITES), servers: Recent::new(Self::SERVERS) }
    }
}

/// Whether an outside client comes to a VPN gateway, or from where an account or a device of ours is known to be.
pub(super) fn is_known(event: &Event<'_>, site: Site) -> bool {
    let world = event.world();
    event.is_to_vpn_gateway() || world.accounts_at(site).next().is_some() || world.devices_at(site).next().is_some()
}

/// The outside client of a tunnel to a VPN gateway, and the round trip to it that the handshakes of a minute tell.
pub(super) fn rekeying(event: &Event<'_>) -> Option<(Site, Duration)> {
    let FactKind::Minute(minute) = &event.fact()?.kind else {
        return None;
    };
    let rtt = minute.client_rtt.filter(|_| event.is_to_vpn_gateway())?;
    Some((Site::of(event.address(Sender::Client)?), rtt))
}

/// The first summary of a TCP connection that came about is the one of its first minute, or of its end where that comes
/// before.
fn first_summary<'e>(event: &Event<'e>) -> Option<&'e FlowSummary> {
    const FIRST: Duration = Duration::from_secs(60);
    const SECOND: Duration = Duration::from_secs(600);
    let fact = event.fact()?;
    let age = fact.at.since(fact.flow.started);
    let summary = match &fact.kind {
        FactKind::Activity(summary) if age < SECOND => summary,
        FactKind::FlowEnded(summary) if age < FIRST => summary,
        _ => return None,
    };
    (fact.flow.transport == Transport::Tcp && summary.client_rtt.is_some()).then_some(summary)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::tests::{self, fact, flow, world};
    use crate::facts::{Channel, Minute};

    fn summary(duration_secs: u64) -> FlowSummary {
        FlowSummary { client_rtt: Some(Duration::from_millis(20)), ..tests::summary(duration_secs) }
    }

    fn is_one(client: &str, server: &str, transport: Transport, at_secs: u64, kind: FactKind) -> bool {
        let world = world("networks: [{name: edge, roles: [servers], prefixes: [192.0.2.0/24]}]");
        let fact = fact(flow(client, server, transport), at_secs, kind);
        Handshake::of(&Event::of_fact(&fact, None, &world)).is_some()
    }

    #[test]
    fn a_connection_is_told_once_by_its_minute_or_by_its_end() {
        let tcp = |at_secs, kind| is_one("198.51.100.7:5000", "192.0.2.1:443", Transport::Tcp, at_secs, kind);
        assert!(tcp(59, FactKind::FlowEnded(summary(50))));
        assert!(tcp(60, FactKind::Activity(summary(59))));
        assert!(!tcp(600, FactKind::Activity(summary(599))));
        assert!(!tcp(60, FactKind::FlowEnded(summary(59))));
        assert!(!tcp(59, FactKind::FlowEnded(tests::summary(50))), "nobody answered");
    }

    #[test]
    fn a_minute_of_a_tunnel_to_the_gateway_tells_how_far_its_client_is() {
        let world = world("networks: [{name: gate, roles: [vpn_gateway], prefixes: [192.0.2.1/32]}]");
        let told = |client: &str, server: &str, client_rtt| {
            let minute = Minute { through: Channel::Tunnel, client_rtt, ..Minute::default() };
            let fact = fact(flow(client, server, Transport::Udp), 60, FactKind::Minute(Box::new(minute)));
            rekeying(&Event::of_fact(&fact, None, &world)).map(|(site, rtt)| (site.to_string(), rtt.as_millis()))
        };
        let rtt = Some(Duration::from_millis(30));
        assert_eq!(told("198.51.100.7:5000", "192.0.2.1:51820", rtt), Some(("198.51.100.7".to_owned(), 30)));
        assert_eq!(told("[2001:db8:1:2::3]:5000", "192.0.2.1:51820", rtt), Some(("2001:db8:1:2::/64".to_owned(), 30)));
        assert_eq!(told("198.51.100.7:5000", "192.0.2.1:51820", None), None);
        assert_eq!(told("198.51.100.7:5000", "192.0.2.2:51820", rtt), None, "no gateway of ours");
    }

    /// A VPN gateway, and a server beside it.
    pub(in crate::detect) fn gate_and_web() -> crate::world::World {
        world(
            "networks: [{name: gate, roles: [vpn_gateway], prefixes: [192.0.2.1/32]},\n\
             {name: web, roles: [servers], prefixes: [192.0.2.2/32]}]",
        )
    }

    /// Shows as many connections of different strangers to the server beside the gateway.
    pub(in crate::detect) fn strangers_come(count: u8, mut learn: impl FnMut(&Event<'_>)) {
        let world = gate_and_web();
        for number in 0..count {
            let client = format!("203.0.113.{number}:5000");
            let fact = fact(flow(&client, "192.0.2.2:443", Transport::Tcp), 6, FactKind::FlowEnded(summary(5)));
            learn(&Event::of_fact(&fact, None, &world));
        }
    }

    fn may_be_ours(callers: &Callers, client: &str, server: &str) -> bool {
        let world = gate_and_web();
        let fact = fact(flow(client, server, Transport::Tcp), 6, FactKind::FlowEnded(summary(5)));
        let event = Event::of_fact(&fact, None, &world);
        callers.may_be_ours(&event, Handshake::of(&event).unwrap().site)
    }

    #[test]
    fn a_client_of_a_public_server_is_ours_where_somebody_of_ours_is_known() {
        let mut callers = Callers::default();
        strangers_come(9, |event| callers.learn(event));
        assert!(may_be_ours(&callers, "198.51.100.7:5000", "192.0.2.1:443"), "at the gateway");
        assert!(!may_be_ours(&callers, "198.51.100.7:5000", "192.0.2.2:443"));
        let world = gate_and_web();
        for (client, secs) in [("198.51.100.7:5001", 60), ("198.51.100.8:5001", 59)] {
            let fact = fact(flow(client, "192.0.2.1:443", Transport::Udp), 60, FactKind::FlowEnded(summary(secs)));
            callers.learn(&Event::of_fact(&fact, None, &world));
        }
        assert!(may_be_ours(&callers, "198.51.100.7:5000", "192.0.2.2:443"), "a tunnel came from there");
        assert!(!may_be_ours(&callers, "198.51.100.8:5000", "192.0.2.2:443"), "it was only tried");
    }

    #[test]
    fn a_server_is_public_from_nine_strangers_on_that_are_more_than_those_who_are_known() {
        let is_public = |strangers: u32, known: u32| {
            let mut audience = Audience::default();
            let site = |number: u32| Site::of(std::net::Ipv4Addr::from_bits(0xc633_0000 + number).into());
            (0..known).for_each(|number| audience.add(site(number), true, 1));
            (known..known + strangers).for_each(|number| audience.add(site(number), false, 1));
            audience.is_public
        };
        assert!(!is_public(8, 0) && is_public(9, 0));
        assert!(!is_public(20, 20) && is_public(21, 20));
        assert!(is_public(2000, 20), "as far as they are told apart");
    }

    #[test]
    fn strangers_of_last_week_and_those_who_turn_out_to_be_ours_are_none() {
        let mut audience = Audience::default();
        let site = |number: u8| Site::of(IpAddr::from([203, 0, 113, number]));
        (0..9).for_each(|number| audience.add(site(number), false, 1));
        audience.add(site(0), true, 2);
        assert!(!audience.is_public);
        audience.add(site(9), false, 2);
        assert!(audience.is_public);
        audience.add(site(10), false, 8);
        assert!(!audience.is_public);
    }

    #[test]
    fn only_tcp_from_outside_to_us_counts() {
        let ended = || FactKind::FlowEnded(summary(5));
        assert!(!is_one("198.51.100.7:5000", "192.0.2.1:443", Transport::Udp, 6, ended()));
        assert!(!is_one("192.0.2.9:5000", "192.0.2.1:443", Transport::Tcp, 6, ended()));
        assert!(!is_one("192.0.2.9:5000", "198.51.100.7:443", Transport::Tcp, 6, ended()));
    }
}
