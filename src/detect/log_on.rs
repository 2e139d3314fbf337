//! An event in, who logged on from which outside address out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::enrich::classes::AddressClass;
use crate::event::Event;
use crate::facts::{AccessPhase, Credential, FactKind, Outcome, Sender};
use crate::identity;
use crate::net::Text;

/// An account that proved itself, and the outside address it came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LogOn {
    pub(super) account: Text,
    pub(super) from: IpAddr,
}

impl LogOn {
    /// A log-on that succeeded: as an access server tells of it, of an outside client at a server of ours, or of a device
    /// behind a VPN whose site is known.
    pub(super) fn of(event: &Event<'_>) -> Option<Self> {
        let credential = proven(event)?;
        let account = identity::account(credential.user.as_ref()?)?;
        let from = match &credential.access {
            Some(access) => access.outside.filter(|&outside| !event.is_home_address(outside))?,
            None if event.is_home(Sender::Server) => event.site(Sender::Client)?.address(),
            None => return None,
        };
        Some(Self { account, from })
    }

    /// The network that one subscriber's addresses change within.
    pub(super) fn network(&self) -> IpAddr {
        network(self.from)
    }
}

/// A log-on that succeeded, or a session that was let in.
pub(super) fn proven<'e>(event: &Event<'e>) -> Option<&'e Credential> {
    let FactKind::Credential(credential) = &event.fact()?.kind else {
        return None;
    };
    let is_open = credential.access.is_some_and(|access| access.phase == AccessPhase::Open);
    (credential.outcome == Some(Outcome::Success) || is_open).then_some(credential)
}

/// Whether an address stands for so many people that nothing follows from two of them being there.
pub(super) fn is_a_crowds(event: &Event<'_>, address: IpAddr) -> bool {
    event.world().address_class(address).is_some_and(AddressClass::is_a_crowds)
}

/// The /24 or /48 of an address.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & 0xffff_ff00).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> 48)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::{fact, flow, world};
    use crate::facts::Access;
    use crate::net::Transport;

    const NETWORKS: &str = "networks: [{name: servers, roles: [servers], prefixes: [10.0.0.0/8, 192.0.2.0/24]}]";

    fn log_on(client: &str, server: &str, credential: Credential) -> Option<(String, String)> {
        let world = world(NETWORKS);
        let fact = fact(flow(client, server, Transport::Tcp), 1, FactKind::Credential(Box::new(credential)));
        let log_on = LogOn::of(&Event::of_fact(&fact, None, &world))?;
        Some((log_on.account.to_string(), log_on.from.to_string()))
    }

    fn of(user: &str, outcome: Option<Outcome>) -> Credential {
        Credential { user: Some(user.into()), outcome, ..Credential::default() }
    }

    #[test]
    fn an_outside_client_that_succeeded_is_where_its_account_is() {
        let at_server = |outcome| log_on("198.51.100.7:5000", "192.0.2.1:443", of("CORP\\Ann", outcome));
        assert_eq!(at_server(Some(Outcome::Success)), Some(("ann".into(), "198.51.100.7".into())));
        assert_eq!(at_server(Some(Outcome::Failure)), None);
        assert_eq!(at_server(None), None);
        assert_eq!(log_on("10.0.0.1:5000", "10.0.0.2:443", of("ann", Some(Outcome::Success))), None);
    }

    #[test]
    fn an_access_server_tells_who_calls() {
        let told = |phase, outside: &str| {
            let access = Access { outside: outside.parse().ok(), phase, ..Access::default() };
            let credential = Credential { access: Some(access), ..of("ann@corp.example", None) };
            log_on("10.0.0.1:5000", "10.0.0.2:1812", credential)
        };
        let outside = "198.51.100.7";
        assert_eq!(told(AccessPhase::Open, outside), Some(("ann".into(), outside.into())));
        assert_eq!(told(AccessPhase::Asked, outside), None);
        assert_eq!(told(AccessPhase::Open, "10.0.0.9"), None, "a machine of this house");
        assert_eq!(told(AccessPhase::Open, "none"), None);
    }

    #[test]
    fn a_subscribers_network_is_a_24_or_a_48() {
        assert_eq!(network("198.51.100.77".parse().unwrap()).to_string(), "198.51.100.0");
        assert_eq!(network("2001:db8:1:2::3".parse().unwrap()).to_string(), "2001:db8:1::");
    }
}
