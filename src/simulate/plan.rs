//! Where everything of the company is: addresses, names and hardware addresses, all of ranges that stand for nobody
//! (RFC 2544, RFC 5737, RFC 7042).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::Mac;

/// The outer side of the VPN gateway.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub const GATEWAY_PORT: u16 = 51_820;
/// Where employees log on from anywhere.
pub const PORTAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 20);
pub const PORTAL_NAME: &str = "portal.corp.example";
pub const MAIL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 30);
pub const MAIL_NAME: &str = "mail.corp.example";

/// The access servers: what tells RADIUS of the sessions at the gateway and at the portal.
pub const GATEWAY_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 5);
pub const PORTAL_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 6);
pub const RADIUS: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 18);
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 53);
pub const DHCP: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 67);

/// The hardware addresses of what stands between the segments that are mirrored.
pub const BORDER: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x53, 0x01]);
pub const GATEWAY_MAC: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x53, 0x02]);
pub const CORE: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x53, 0x03]);
pub const DMZ: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x53, 0x04]);

/// The help desk's own tenant of the product that it helps with.
pub const HELP_PRODUCT: &str = "screenconnect";
pub const HELP_NAME: &str = "instance-c0rp01-relay.screenconnect.com";

/// The products that farms drive laptops with: where the laptop's program connects to.
pub const REMOTE_PRODUCTS: &[(&str, &str)] = &[
    ("anydesk", "relay-5d0c7a1e.net.anydesk.com"),
    ("chrome-remote-desktop", "remotedesktop-pa.googleapis.com"),
    ("rustdesk", "rs-ny.rustdesk.com"),
    ("splashtop", "st2-v3-dc.relay.splashtop.com"),
    ("teamviewer", "router14.teamviewer.com"),
];

/// The names that employees go to: those that everybody goes to first, then those that many do, then those that few do.
pub const SITES: usize = 20_000;
pub const SITES_OF_ALL: usize = 12;
pub const SITES_OF_MANY: usize = 300;

/// The name of a place in the web.
pub fn site_name(number: usize) -> String {
    const INTERNAL: [&str; 6] = ["wiki", "git", "tickets", "build", "people", "files"];
    const KINDS: [&str; 8] = ["www", "app", "api", "cdn", "docs", "news", "static", "login"];
    match INTERNAL.get(number) {
        Some(name) => format!("{name}.corp.example"),
        None => format!("{}.site{number:05}.example", KINDS[number % KINDS.len()]),
    }
}

/// Where a name leads to: servers of the company, or somewhere in the Internet.
pub fn address_of(name: &str) -> Ipv4Addr {
    // FNV-1a: it only has to spread.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [_, _, high, low] = hash.to_be_bytes();
    match name {
        PORTAL_NAME => PORTAL,
        MAIL_NAME => MAIL,
        _ if name.ends_with(".corp.example") => Ipv4Addr::new(10, 30, 1, low | 1),
        _ => Ipv4Addr::new(198, 19, high, low | 1),
    }
}

/// What a household, or a server that is seen from outside, has of IPv6 where its lines have it (RFC 3849): the same numbers
/// in its /64, in which `host` is the machine. Carriers put their customers behind IPv4.
pub fn ipv6(address: Ipv4Addr, host: u64) -> IpAddr {
    const PREFIX: u128 = 0x2001_0db8 << 96;
    let [first, second, third, fourth] = address.octets();
    let is_carriers = [Line::CarrierNat, Line::Mobile].iter().any(|line| line.has(address));
    let network = match [first, second] {
        [198, 18] if is_carriers => return address.into(),
        [198, 18] => u128::from(third) << 80 | u128::from(fourth) << 64,
        _ => 0xffff << 80 | u128::from(third) << 64,
    };
    Ipv6Addr::from_bits(PREFIX | network | u128::from(host)).into()
}

/// The prefix of the same, of one that is written as `198.18.0.0/17`; none where they stay behind IPv4.
pub fn ipv6_prefix(network: &str) -> Option<String> {
    const OF_THIRD_BYTE: u8 = 40;
    let (address, length) = network.split_once('/')?;
    let (address, length) = (ipv6(address.parse().ok()?, 0), length.parse::<u8>().ok()?);
    address.is_ipv6().then(|| format!("{address}/{}", OF_THIRD_BYTE + length.saturating_sub(16)))
}

/// Kinds of places that employees connect from.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Line {
    CarrierNat,
    Coworking,
    Hotel,
    Household,
    Mobile,
    /// The exit of a VPN that anybody can rent.
    VpnExit,
}

impl Line {
    pub const ALL: [Self; 6] =
        [Self::CarrierNat, Self::Coworking, Self::Hotel, Self::Household, Self::Mobile, Self::VpnExit];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CarrierNat => "carrier_nat",
            Self::Coworking => "coworking",
            Self::Hotel => "hotel",
            Self::Household => "household",
            Self::Mobile => "mobile",
            Self::VpnExit => "vpn_exit",
        }
    }

    /// The third byte of the first address and how many such networks of 256 addresses there are.
    pub const fn networks(self) -> (u8, u8) {
        match self {
            Self::Household => (0, 128),
            Self::CarrierNat => (128, 16),
            Self::Mobile => (144, 16),
            Self::Coworking => (160, 16),
            Self::Hotel => (176, 16),
            Self::VpnExit => (192, 16),
        }
    }

    /// The prefixes that the operator's lists have of it, and what they call it.
    pub const fn class(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::CarrierNat => Some(("carrier_nat", "198.18.128.0/20")),
            Self::Coworking => Some(("corporate", "198.18.160.0/20")),
            Self::Hotel => None,
            Self::Household => Some(("residential", "198.18.0.0/17")),
            Self::Mobile => Some(("mobile", "198.18.144.0/20")),
            Self::VpnExit => Some(("vpn", "198.18.192.0/21")),
        }
    }

    fn has(self, address: Ipv4Addr) -> bool {
        let (first, count) = self.networks();
        let [high, low, third, _] = address.octets();
        [high, low] == [198, 18] && (first..first + count).contains(&third)
    }

    pub fn address(self, number: usize) -> Ipv4Addr {
        let (first, count) = self.networks();
        // Exits of VPNs are in two ranges, of which the lists that one can buy know the first.
        let number = if self == Self::VpnExit { number / 2 + number % 2 * 8 * 250 } else { number };
        let number = number % (usize::from(count) * 250);
        Ipv4Addr::new(198, 18, first + (number / 250) as u8, (number % 250) as u8 + 2)
    }
}
