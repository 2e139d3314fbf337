//! An event in, the handshake of a TCP connection from outside out: its round trips and what its SYN tells; or how far
//! away the client of a tunnel is.

use std::time::Duration;

use crate::event::Event;
use crate::facts::{FactKind, FlowSummary, Sender};
use crate::identity::site::Site;
use crate::net::Transport;

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
mod tests {
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

    #[test]
    fn only_tcp_from_outside_to_us_counts() {
        let ended = || FactKind::FlowEnded(summary(5));
        assert!(!is_one("198.51.100.7:5000", "192.0.2.1:443", Transport::Udp, 6, ended()));
        assert!(!is_one("192.0.2.9:5000", "192.0.2.1:443", Transport::Tcp, 6, ended()));
        assert!(!is_one("192.0.2.9:5000", "198.51.100.7:443", Transport::Tcp, 6, ended()));
    }
}
