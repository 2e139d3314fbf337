//! The operator's named networks: an address in, its network's name and roles and the direction of a flow out.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use thiserror::Error;

use crate::enrich::prefixes::{Prefixes, bounds};
use crate::net::Network;

/// One named network of the configuration.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct NamedNetwork {
    pub name: String,
    pub roles: Vec<Role>,
    pub prefixes: Vec<Network>,
}

/// What a network is for. A prefix has the roles of the networks around it, too.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Visitors and private devices.
    Guest,
    /// The organisation's own.
    Home,
    /// Help desk, administrators and jump hosts.
    Management,
    /// Not the organisation's own, but approved: a partner, a cloud gateway, a SASE exit.
    Sanctioned,
    Servers,
    /// The outer side of the organisation's VPN concentrators.
    VpnGateway,
    /// The addresses that VPN clients are given inside.
    VpnPool,
    Workstations,
}

impl Role {
    pub const ALL: &'static [Self] = &[
        Self::Guest,
        Self::Home,
        Self::Management,
        Self::Sanctioned,
        Self::Servers,
        Self::VpnGateway,
        Self::VpnPool,
        Self::Workstations,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Home => "home",
            Self::Management => "management",
            Self::Sanctioned => "sanctioned",
            Self::Servers => "servers",
            Self::VpnGateway => "vpn_gateway",
            Self::VpnPool => "vpn_pool",
            Self::Workstations => "workstations",
        }
    }

    /// Whether the role makes a network the organisation's own.
    const fn is_home(self) -> bool {
        !matches!(self, Self::Sanctioned)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The most specific named network of an address, and what is around it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Zone {
    pub name: Box<str>,
    /// Its own roles and those of the networks around it, sorted.
    pub roles: Vec<Role>,
}

impl Zone {
    pub fn is_home(&self) -> bool {
        self.roles.iter().any(|role| role.is_home())
    }
}

/// Where a flow goes, seen from the home networks; the values of `network.direction`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bearing {
    /// Neither side is at home.
    External,
    Inbound,
    Internal,
    Outbound,
}

impl Bearing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Inbound => "inbound",
            Self::Internal => "internal",
            Self::Outbound => "outbound",
        }
    }
}

#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum NetworksError {
    #[error("{prefix} belongs to both {first:?} and {second:?}; leave it in one of them")]
    Twice { prefix: Network, first: String, second: String },
}

#[derive(Clone, Debug, Default)]
pub struct Networks {
    table: Prefixes<Zone>,
}

impl Networks {
    /// Without any network of an own role, the private address ranges are home.
    pub fn new(named: &[NamedNetwork]) -> Result<Self, NetworksError> {
        let entries: Vec<(&str, &[Role], Network)> = named
            .iter()
            .flat_map(|network| {
                network.prefixes.iter().map(|&prefix| (network.name.as_str(), network.roles.as_slice(), prefix))
            })
            .collect();
        check(&entries)?;
        let mut table: Vec<(Network, Zone)> = entries
            .iter()
            .map(|&(name, _, prefix)| (prefix, Zone { name: name.into(), roles: roles_around(prefix, &entries) }))
            .collect();
        if !entries.iter().any(|(_, roles, _)| roles.iter().any(|role| role.is_home())) {
            let home = Zone { name: "private".into(), roles: vec![Role::Home] };
            table.extend(private().map(|prefix| (prefix, home.clone())));
        }
        Ok(Self { table: Prefixes::new(table) })
    }

    pub fn get(&self, address: IpAddr) -> Option<&Zone> {
        self.table.get(address)
    }

    pub fn is_home(&self, address: IpAddr) -> bool {
        self.get(address).is_some_and(Zone::is_home)
    }

    pub fn bearing(&self, client: IpAddr, server: IpAddr) -> Bearing {
        match (self.is_home(client), self.is_home(server)) {
            (false, false) => Bearing::External,
            (false, true) => Bearing::Inbound,
            (true, true) => Bearing::Internal,
            (true, false) => Bearing::Outbound,
        }
    }
}

/// The prefixes of the networks that are the organisation's own: what decides direction where no opening was seen.
pub fn home_prefixes(named: &[NamedNetwork]) -> Vec<Network> {
    let own: Vec<Network> = named
        .iter()
        .filter(|network| network.roles.iter().any(|role| role.is_home()))
        .flat_map(|network| network.prefixes.iter().copied())
        .collect();
    if own.is_empty() { private().collect() } else { own }
}

/// RFC 1918, RFC 6598, link-local (RFC 3927, RFC 4291) and unique local addresses (RFC 4193).
fn private() -> impl Iterator<Item = Network> {
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"]
        .into_iter()
        .map(|prefix| prefix.parse().expect("a prefix in the source is valid"))
}

fn check(entries: &[(&str, &[Role], Network)]) -> Result<(), NetworksError> {
    let mut seen: Vec<(Network, &str)> = entries.iter().map(|&(name, _, prefix)| (prefix, name)).collect();
    seen.sort_by_key(|&(prefix, _)| bounds(prefix));
    for (&(prefix, first), &(other, second)) in seen.iter().zip(seen.iter().skip(1)) {
        if prefix == other {
            return Err(NetworksError::Twice { prefix, first: first.into(), second: second.into() });
        }
    }
    Ok(())
}

fn roles_around(prefix: Network, entries: &[(&str, &[Role], Network)]) -> Vec<Role> {
    let (first, last) = bounds(prefix);
    let mut roles: Vec<Role> = entries
        .iter()
        .filter(|&&(_, _, outer)| {
            let (outer_first, outer_last) = bounds(outer);
            outer_first <= first && last <= outer_last
        })
        .flat_map(|(_, roles, _)| roles.iter().copied())
        .collect();
    roles.sort();
    roles.dedup();
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str, roles: &[Role], prefixes: &[&str]) -> NamedNetwork {
        NamedNetwork {
            name: name.into(),
            roles: roles.into(),
            prefixes: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn a_network_has_the_roles_of_those_around_it() {
        let networks = Networks::new(&[
            network("site", &[Role::Home], &["203.0.113.0/24"]),
            network("gateway", &[Role::VpnGateway], &["203.0.113.5/32"]),
            network("partner", &[Role::Sanctioned], &["198.51.100.0/24"]),
        ])
        .unwrap();
        let gateway = networks.get("203.0.113.5".parse().unwrap()).unwrap();
        assert_eq!((&*gateway.name, gateway.roles.as_slice()), ("gateway", [Role::Home, Role::VpnGateway].as_slice()));
        assert!(!networks.is_home("198.51.100.1".parse().unwrap()));
        assert!(!networks.is_home("10.0.0.1".parse().unwrap()), "private ranges are home only by default");
    }

    #[test]
    fn direction_follows_the_home_networks() {
        let networks = Networks::new(&[]).unwrap();
        let (home, outside) = ("10.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        assert_eq!(networks.bearing(home, home), Bearing::Internal);
        assert_eq!(networks.bearing(home, outside), Bearing::Outbound);
        assert_eq!(networks.bearing(outside, home), Bearing::Inbound);
        assert_eq!(networks.bearing(outside, outside), Bearing::External);
    }

    #[test]
    fn a_prefix_of_two_networks_names_both() {
        let fault = |named: &[NamedNetwork]| Networks::new(named).unwrap_err().to_string();
        assert_eq!(
            fault(&[network("a", &[Role::Home], &["10.0.0.0/8"]), network("b", &[Role::Guest], &["10.0.0.0/8"])]),
            "10.0.0.0/8 belongs to both \"a\" and \"b\"; leave it in one of them"
        );
    }
}
