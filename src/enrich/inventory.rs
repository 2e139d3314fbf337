//! The operator's list of managed hosts and accounts: a MAC, a name or an address in, the managed host out.

use std::fmt;
use std::net::IpAddr;

use hashbrown::HashMap;
use serde::{Deserialize, Deserializer};

use crate::enrich::prefixes::Prefixes;
use crate::net::{Mac, Network};
use crate::time::Timestamp;

/// The inventory as it is configured.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub hosts: Vec<Host>,
    pub accounts: Vec<Account>,
}

/// A managed host, or many of one kind by their networks.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    pub name: Option<String>,
    pub group: Option<String>,
    pub macs: Vec<Mac>,
    /// Single addresses and prefixes.
    pub addresses: Vec<Network>,
}

/// A known account.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: String,
    pub group: Option<String>,
    /// The country it is to work from: ISO 3166-1 alpha-2.
    pub country: Option<Country>,
    /// The zone it is to work in.
    pub time_zone: Option<UtcOffset>,
    /// The first working day, from its midnight in UTC.
    #[serde(default, deserialize_with = "date")]
    pub start: Option<Timestamp>,
    /// The last working day, from its midnight in UTC.
    #[serde(default, deserialize_with = "date")]
    pub end: Option<Timestamp>,
    /// Any address of the place it is known to work from.
    pub home_site: Option<IpAddr>,
}

/// Two capital letters (ISO 3166-1 alpha-2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Country(Box<str>);

impl Country {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Country {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        is_code.then(|| Self(text.clone().into())).ok_or_else(|| format!("{text:?} is no country; write it as US"))
    }
}

/// How far a zone's clock is before UTC. A zone with summer time is named by its winter.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct UtcOffset {
    pub minutes: i16,
}

impl UtcOffset {
    const DAY_MINUTES: u16 = 1440;

    /// The minute of the day that this zone's clock shows in a minute of the day in UTC.
    pub const fn clock(self, utc_minute: u16) -> u16 {
        (utc_minute as i32 + self.minutes as i32).rem_euclid(Self::DAY_MINUTES as i32) as u16
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minutes < 0 { '-' } else { '+' };
        let minutes = self.minutes.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl TryFrom<String> for UtcOffset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let (sign, clock) = match text.split_at_checked(1)? {
                ("+", clock) => (1, clock),
                ("-", clock) => (-1, clock),
                _ => return None,
            };
            let (hours, minutes) = clock.split_once(':')?;
            let number = |text: &str| text.parse::<i16>().ok().filter(|_| text.len() == 2);
            let (hours, minutes) = (number(hours)?, number(minutes)?);
            let is_a_clock = (0..=14).contains(&hours) && (0..60).contains(&minutes);
            is_a_clock.then_some(Self { minutes: sign * (hours * 60 + minutes) })
        };
        parse().ok_or_else(|| format!("{text:?} is no offset from UTC; write it as -05:00"))
    }
}

#[derive(Debug, Default)]
pub struct Inventory {
    hosts: Vec<Host>,
    by_mac: HashMap<Mac, usize>,
    by_name: HashMap<Box<str>, usize>,
    by_address: Prefixes<usize>,
    accounts: HashMap<Box<str>, Account>,
    has_time_zones: bool,
}

impl Inventory {
    /// The length that NetBIOS and the RDP client data cut host names to (MS-RDPBCGR 2.2.1.3.2, `clientName`).
    const SHORT_NAME_CHARS: usize = 15;

    /// Where two hosts claim the same MAC, name or prefix, the earlier one counts.
    pub fn new(settings: &Settings) -> Self {
        let hosts = settings.hosts.clone();
        let (mut by_mac, mut by_name, mut prefixes) = (HashMap::new(), HashMap::new(), Vec::new());
        for (index, host) in hosts.iter().enumerate() {
            for &mac in &host.macs {
                by_mac.entry(mac).or_insert(index);
            }
            if let Some(name) = &host.name {
                by_name.entry(short(name)).or_insert(index);
            }
            prefixes.extend(host.addresses.iter().map(|&prefix| (prefix, index)));
        }
        let accounts = settings.accounts.iter().map(|account| (folded(&account.name), account.clone())).collect();
        let has_time_zones = settings.accounts.iter().any(|account| account.time_zone.is_some());
        Self { hosts, by_mac, by_name, by_address: Prefixes::new(prefixes), accounts, has_time_zones }
    }

    /// Whether no host is listed, so that nothing can be said of being managed.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Whether hosts are listed by name, so that a name can be said to be unknown.
    pub fn has_names(&self) -> bool {
        !self.by_name.is_empty()
    }

    /// Whether any account's zone is known.
    pub fn has_time_zones(&self) -> bool {
        self.has_time_zones
    }

    pub fn by_mac(&self, mac: Mac) -> Option<&Host> {
        self.by_mac.get(&mac).and_then(|&index| self.hosts.get(index))
    }

    /// By host name, with or without its domain, in any case.
    pub fn by_name(&self, name: &str) -> Option<&Host> {
        self.by_name.get(&*short(name)).and_then(|&index| self.hosts.get(index))
    }

    pub fn by_address(&self, address: IpAddr) -> Option<&Host> {
        self.by_address.get(address).and_then(|&index| self.hosts.get(index))
    }

    /// By user name without its domain (`DOMAIN\user`, `user@domain`), in any case.
    pub fn account(&self, user: &str) -> Option<&Account> {
        self.accounts.get(&*folded(account_name(user)))
    }
}

/// A user name without its domain: `CORP\ann` and `ann@corp.example` are `ann`.
pub fn account_name(user: &str) -> &str {
    let user = user.rsplit('\\').next().unwrap_or(user);
    user.split('@').next().unwrap_or(user)
}

/// The first label of a name, folded and cut as Windows protocols carry it.
fn short(name: &str) -> Box<str> {
    let label = name.split('.').next().unwrap_or(name);
    label.chars().take(Inventory::SHORT_NAME_CHARS).flat_map(char::to_lowercase).collect()
}

fn folded(name: &str) -> Box<str> {
    name.to_lowercase().into()
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let date = Timestamp::of_date(&text);
    date.map(Some).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no date; write it as 2026-11-24")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_by_mac_name_and_the_most_specific_address() {
        let settings: Settings = serde_yaml::from_str(
            "hosts:\n\
             - {name: LAPTOP-0123456789AB, group: laptops, macs: ['00:11:22:AA:bb:cc']}\n\
             - {group: vpn, addresses: [10.8.0.0/16]}\n\
             - {name: jump, group: it, addresses: [10.8.0.1/32]}\n\
             accounts:\n\
             - {name: Ann, group: sales}\n",
        )
        .unwrap();
        let inventory = Inventory::new(&settings);
        let group = |host: Option<&Host>| host.and_then(|host| host.group.clone());
        assert_eq!(group(inventory.by_mac(Mac([0, 0x11, 0x22, 0xaa, 0xbb, 0xcc]))).as_deref(), Some("laptops"));
        assert_eq!(group(inventory.by_name("laptop-01234567")).as_deref(), Some("laptops"), "cut to 15 characters");
        assert_eq!(group(inventory.by_name("Jump.corp.example")).as_deref(), Some("it"));
        assert_eq!(group(inventory.by_address("10.8.0.1".parse().unwrap())).as_deref(), Some("it"));
        assert_eq!(group(inventory.by_address("10.8.0.2".parse().unwrap())).as_deref(), Some("vpn"));
        assert_eq!(inventory.by_name("stranger"), None);
        assert_eq!(inventory.account("CORP\\ann").and_then(|account| account.group.as_deref()), Some("sales"));
        assert_eq!(inventory.account("ANN@corp.example"), inventory.account("ann"));
    }

    #[test]
    fn an_account_has_its_country_zone_days_and_home() {
        let settings: Settings = serde_yaml::from_str(
            "accounts:\n\
             - {name: ann, country: US, time_zone: '-05:30', start: 2026-11-24, end: 2027-11-30, home_site: 198.51.100.9}\n",
        )
        .unwrap();
        let inventory = Inventory::new(&settings);
        let ann = inventory.account("CORP\\Ann").unwrap();
        assert_eq!(ann.country.as_ref().map(Country::as_str), Some("US"));
        let zone = ann.time_zone.unwrap();
        assert_eq!((zone, zone.to_string().as_str()), (UtcOffset { minutes: -330 }, "-05:30"));
        assert_eq!([zone.clock(0), zone.clock(330), zone.clock(1439)], [1110, 0, 1109]);
        assert_eq!(ann.start.map(|start| start.to_string()).as_deref(), Some("2026-11-24T00:00:00.000000000Z"));
        assert_eq!(ann.end.map(|end| end.to_string()).as_deref(), Some("2027-11-30T00:00:00.000000000Z"));
        assert_eq!(ann.home_site, "198.51.100.9".parse().ok());
    }

    #[test]
    fn what_is_no_country_zone_or_date_says_how_to_write_one() {
        for (member, fault) in [
            ("country: usa", "\"usa\" is no country; write it as US"),
            ("time_zone: '5'", "\"5\" is no offset from UTC; write it as -05:00"),
            ("time_zone: '+15:00'", "\"+15:00\" is no offset from UTC; write it as -05:00"),
            ("start: 2026-02-30", "\"2026-02-30\" is no date; write it as 2026-11-24"),
            ("end: 24.11.2026", "\"24.11.2026\" is no date; write it as 2026-11-24"),
            ("start: yesterday", "\"yesterday\" is no date; write it as 2026-11-24"),
        ] {
            let yaml = format!("accounts: [{{name: ann, {member}}}]\n");
            let found = serde_yaml::from_str::<Settings>(&yaml).unwrap_err().to_string();
            assert!(found.contains(fault), "{found}");
        }
    }

    #[test]
    fn a_bad_mac_says_how_to_write_one() {
        let fault = serde_yaml::from_str::<Settings>("hosts: [{macs: ['0011.22aa.bbcc']}]\n").unwrap_err().to_string();
        assert!(fault.contains("\"0011.22aa.bbcc\" is no MAC address; write it as 00:11:22:aa:bb:cc"), "{fault}");
    }
}
