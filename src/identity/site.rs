//! An outside address in, the household it stands for out.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::facts::Confidence;
use crate::time::Timestamp;

/// A place outside as one household is given it: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(from = "IpAddr", into = "IpAddr")]
pub struct Site(IpAddr);

impl Site {
    const HOST_BITS: u32 = 64;

    /// The site of any address in it.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self(address),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => Self(IpAddr::V4(v4)),
                None => Self(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> Self::HOST_BITS << Self::HOST_BITS))),
            },
        }
    }

    /// The IPv4 address, or the first of the /64.
    pub const fn address(self) -> IpAddr {
        self.0
    }

    /// Reads what `Display` writes, and any single address in the site.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_suffix("/64").unwrap_or(text).parse().ok().map(Self::of)
    }
}

impl From<IpAddr> for Site {
    fn from(address: IpAddr) -> Self {
        Self::of(address)
    }
}

impl From<Site> for IpAddr {
    fn from(site: Site) -> Self {
        site.address()
    }
}

/// `203.0.113.9` or `2001:db8:1:2::/64`.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// How it is known that a device or an account is at a site, the surer the greater.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum KnownBy {
    /// A pool address first spoke just after the only tunnel was opened, and that came from the site.
    Timing,
    /// The same user logged on from the site and, soon after, on the device.
    SameUser,
    /// The account logged on from the site itself.
    LogOn,
    /// The gateway's accounting names both the address outside and the one inside.
    Accounting,
}

impl KnownBy {
    pub const ALL: &'static [Self] = &[Self::Timing, Self::SameUser, Self::LogOn, Self::Accounting];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accounting => "accounting",
            Self::LogOn => "log_on",
            Self::SameUser => "same_user",
            Self::Timing => "timing",
        }
    }

    pub const fn confidence(self) -> Confidence {
        match self {
            Self::Accounting | Self::LogOn => Confidence::Certain,
            Self::SameUser | Self::Timing => Confidence::Likely,
        }
    }
}

/// That a device or an account was at a site: since when, when that was last confirmed, and the surest sign of it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Stay {
    pub since: Timestamp,
    pub last: Timestamp,
    pub known_by: KnownBy,
}

impl Stay {
    pub const fn new(at: Timestamp, known_by: KnownBy) -> Self {
        Self { since: at, last: at, known_by }
    }

    pub fn confirm(&mut self, at: Timestamp, known_by: KnownBy) {
        self.last = self.last.max(at);
        self.known_by = self.known_by.max(known_by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_has_one_ipv4_address_or_a_64() {
        for (address, site) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(Site::of(address.parse().unwrap()).to_string(), site);
            assert_eq!(Site::parse(site), Some(Site::of(address.parse().unwrap())));
        }
        assert_ne!(Site::parse("2001:db8:1:2::1"), Site::parse("2001:db8:1:3::1"));
        assert_eq!(Site::parse("192.0.2.0/24"), None);
    }

    #[test]
    fn a_stay_lasts_until_it_was_last_confirmed_and_only_becomes_surer() {
        let at = Timestamp::from_secs;
        let mut stay = Stay::new(at(10), KnownBy::SameUser);
        stay.confirm(at(30), KnownBy::Timing);
        stay.confirm(at(20), KnownBy::Accounting);
        assert_eq!(stay, Stay { since: at(10), last: at(30), known_by: KnownBy::Accounting });
    }
}
