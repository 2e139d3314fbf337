//! From how many networks an account logs on in short order, and whether it goes back and forth between them.
//!
//! # What it sees
//!
//! Log-ons that succeeded, with the outside address they came from. Networks are counted as /24 and /48 with their
//! autonomous system, within a day; systems and countries within the hour. A return is a log-on from a network that the
//! account had left for another within the hour. A leap is a way between two networks that nobody travels so fast, where
//! the databases know points. Every number that grows is a finding.
//!
//! # Why it matters
//!
//! A person is in one place. An account that is at home and abroad in turn has a laptop in one place and somebody who
//! drives it in another; one with a new network every hour hides where it comes from.
//!
//! # Normal causes
//!
//! A train, a hotel, a phone's hotspot beside the line at home: the same two networks on several days are known and
//! count no more. Exits that many accounts share (a SASE's, an office's) are left out, as are sanctioned and
//! corporate networks; of mobile ones only the country counts.
//!
//! # Blind spots
//!
//! Needs accounts: log-ons in clear, or RADIUS. Without databases of countries and systems only networks are counted. The
//! points of mobile networks, data centres, VPNs and Tor are not where anybody is, and are left out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::fleet::Prevalence;
use crate::detect::log_on::LogOn;
use crate::detect::{Detector, Family};
use crate::enrich::classes::AddressClass;
use crate::enrich::networks::Role;
use crate::enrich::point::Point;
use crate::event::Event;
use crate::facts::Fields;
use crate::identity::entity::Entity;
use crate::memory::{Memory, MemoryError};
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "account_networks";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.account.networks", help: "From how many networks the account logged on in the day." },
    FieldSpec { name: "spanwatch.account.systems", help: "From how many autonomous systems it did in the hour." },
    FieldSpec { name: "spanwatch.account.countries", help: "The countries it logged on from in the hour." },
    FieldSpec { name: "spanwatch.account.countries_count", help: "How many they are." },
    FieldSpec {
        name: "spanwatch.account.returns",
        help: "How often it came back within the hour to a network it had left.",
    },
    FieldSpec {
        name: "spanwatch.account.address_class",
        help: "What kind of line the latest is, where lists say so: `residential`, `hosting`, `vpn` …",
    },
    FieldSpec { name: "spanwatch.account.leaps", help: "How often in the day it came faster than anybody travels." },
    FieldSpec { name: "spanwatch.account.distance", help: "How far the fastest of them went at least, in km." },
    FieldSpec { name: "spanwatch.account.speed", help: "How fast that was, in km/h." },
    FieldSpec { name: "spanwatch.account.since", help: "When the first log-on of the day was." },
];

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Networks and returns are counted within so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub day: Duration,
    /// Systems and countries are counted within so long, and a return takes no longer.
    #[serde(deserialize_with = "quantity::duration")]
    pub hour: Duration,
    /// A network that so many percent of the accounts use is shared by design.
    pub common_percent: usize,
    /// And at least so many accounts do.
    pub common_accounts: usize,
    /// Who came so far at least…
    pub leap_km: f64,
    /// … at such a speed did not travel.
    pub leap_km_per_hour: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            day: Duration::from_secs(86_400),
            hour: Duration::from_secs(3600),
            common_percent: 1,
            common_accounts: 10,
            leap_km: 500.0,
            leap_km_per_hour: 1000.0,
        }
    }
}

#[derive(Default)]
pub struct AccountNetworks {
    settings: Settings,
    fleet: Prevalence<IpAddr, Text>,
}

/// A log-on from a network.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Arrival {
    network: IpAddr,
    system: Option<u32>,
    country: Option<Box<str>>,
    /// Addresses of mobile networks change by themselves: of those only the country counts.
    is_mobile: bool,
    class: Option<AddressClass>,
    /// Where somebody is who comes from it.
    point: Option<Point>,
}

/// A stay in a network, from the first log-on to the last before another network's.
#[derive(Deserialize, Serialize)]
struct Stay {
    at: Arrival,
    first: Timestamp,
    last: Timestamp,
    /// It is a return, and not between two networks that the account is known to change between.
    is_return: bool,
    leap: Option<Leap>,
}

/// A way that nobody travels in the time it took.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Leap {
    distance_km: f64,
    km_per_hour: f64,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    /// The latest last.
    stays: VecDeque<Stay>,
    /// The latest days on which the account returned between two networks.
    #[serde(with = "crate::memory::pairs")]
    habits: BTreeMap<(IpAddr, IpAddr), BTreeSet<u64>>,
    told: Numbers,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Numbers {
    networks: usize,
    systems: usize,
    countries: usize,
    returns: usize,
    leaps: usize,
}

impl Numbers {
    fn has_more_than(self, other: Self) -> bool {
        self.networks > other.networks.max(1)
            || self.systems > other.systems.max(1)
            || self.countries > other.countries.max(1)
            || self.returns > other.returns
            || self.leaps > other.leaps
    }
}

impl AccountNetworks {
    const STAYS_MAX: usize = 64;
    const HABITS_MAX: usize = 16;
    /// Two networks on so many days are a person's own.
    const HABIT_DAYS: usize = 3;

    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Adds the arrival to the stays: a later log-on from the same network goes on with the last of them.
    fn arrive(&self, window: &mut Window, arrival: Arrival, at: Timestamp) {
        if let Some(last) = window.stays.back_mut().filter(|stay| stay.at.network == arrival.network) {
            last.last = at;
            return;
        }
        let recent = |stay: &&Stay| at.since(stay.last) <= self.settings.hour;
        let was_here = window.stays.iter().filter(recent).any(|stay| stay.at.network == arrival.network);
        let left = window.stays.back().map(|stay| stay.at.network);
        let is_mobile = arrival.is_mobile || window.stays.back().is_some_and(|stay| stay.at.is_mobile);
        let is_return =
            was_here && !is_mobile && left.is_some_and(|left| !Self::is_habit(window, left, arrival.network, at));
        let leap = window.stays.back().and_then(|left| self.leap(left, &arrival, at));
        if window.stays.len() == Self::STAYS_MAX {
            window.stays.pop_front();
        }
        window.stays.push_back(Stay { at: arrival, first: at, last: at, is_return, leap });
    }

    fn leap(&self, left: &Stay, arrival: &Arrival, at: Timestamp) -> Option<Leap> {
        const HOUR_SECS: f64 = 3600.0;
        /// Clocks differ, and log-ons are told late.
        const SHORTEST_SECS: f64 = 60.0;
        let distance_km = left.at.point?.distance_km(&arrival.point?);
        let km_per_hour = distance_km / at.since(left.last).as_secs_f64().max(SHORTEST_SECS) * HOUR_SECS;
        let is_one = distance_km >= self.settings.leap_km && km_per_hour >= self.settings.leap_km_per_hour;
        is_one.then_some(Leap { distance_km, km_per_hour })
    }

    /// Whether the account returned between the two networks on several earlier days. The day at hand is learnt.
    fn is_habit(window: &mut Window, a: IpAddr, b: IpAddr, at: Timestamp) -> bool {
        let pair = (a.min(b), a.max(b));
        let day = at.as_secs() / 86_400;
        if window.habits.len() >= Self::HABITS_MAX && !window.habits.contains_key(&pair) {
            let longest_ago = window.habits.iter().min_by_key(|(_, days)| days.last()).map(|(pair, _)| *pair);
            longest_ago.map(|pair| window.habits.remove(&pair));
        }
        let days = window.habits.entry(pair).or_default();
        let is_habit = days.range(..day).count() >= Self::HABIT_DAYS;
        days.insert(day);
        if days.len() > Self::HABIT_DAYS + 1 {
            days.pop_first();
        }
        is_habit
    }

    fn count(&self, window: &Window, at: Timestamp) -> (Numbers, BTreeSet<Box<str>>) {
        let in_hour = || window.stays.iter().filter(|stay| at.since(stay.last) <= self.settings.hour);
        let fixed = window.stays.iter().filter(|stay| !stay.at.is_mobile);
        let networks: BTreeSet<IpAddr> = fixed.map(|stay| stay.at.network).collect();
        let systems: BTreeSet<u32> =
            in_hour().filter(|stay| !stay.at.is_mobile).filter_map(|stay| stay.at.system).collect();
        let countries: BTreeSet<Box<str>> = in_hour().filter_map(|stay| stay.at.country.clone()).collect();
        let numbers = Numbers {
            networks: networks.len(),
            systems: systems.len(),
            countries: countries.len(),
            returns: window
                .stays
                .iter()
                .filter(|stay| stay.is_return && at.since(stay.first) <= self.settings.day)
                .count(),
            leaps: window.leaps(at, self.settings.day).count(),
        };
        (numbers, countries)
    }
}

impl Window {
    fn leaps(&self, at: Timestamp, within: Duration) -> impl Iterator<Item = Leap> {
        self.stays.iter().filter(move |stay| at.since(stay.first) <= within).filter_map(|stay| stay.leap)
    }
}

impl Detector for AccountNetworks {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Location;
    const HEARS: &'static [&'static str] = &["credential"];
    type Subject = Text;
    type Sighting = Arrival;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        if let Some(log_on) = LogOn::of(event) {
            self.fleet.add(&log_on.network(), &log_on.account, event.at());
        }
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        self.fleet.remember(section, memory);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.fleet.recall(section, memory)
    }

    fn sight(&self, event: &Event<'_>) -> Option<(Text, Arrival)> {
        let log_on = LogOn::of(event)?;
        let network = log_on.network();
        let world = event.world();
        let class = world.address_class(log_on.from);
        let is_sanctioned = class == Some(AddressClass::Corporate)
            || world.networks.get(log_on.from).is_some_and(|zone| zone.roles.contains(&Role::Sanctioned));
        let (percent, least) = (self.settings.common_percent, self.settings.common_accounts);
        if is_sanctioned || self.fleet.is_common(&network, percent, least) {
            return None;
        }
        let place = world.geo.get(log_on.from);
        let is_mobile = matches!(class, Some(AddressClass::CarrierNat | AddressClass::Mobile));
        let is_elsewhere = matches!(class, Some(AddressClass::Hosting | AddressClass::Tor | AddressClass::Vpn));
        let point = place.point.filter(|_| !is_mobile && !is_elsewhere);
        let arrival =
            Arrival { network, system: place.as_number, country: place.country.clone(), is_mobile, class, point };
        Some((log_on.account, arrival))
    }

    fn judge(&self, window: &mut Window, arrival: Arrival, at: Timestamp) -> Option<Fields> {
        window.stays.retain(|stay| at.since(stay.last) <= self.settings.day);
        self.arrive(window, arrival, at);
        let (numbers, countries) = self.count(window, at);
        let told = std::mem::replace(&mut window.told, numbers);
        if !numbers.has_more_than(told) {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.account.networks", numbers.networks as u64);
        evidence.push("spanwatch.account.systems", numbers.systems as u64);
        let countries: Vec<Text> = countries.iter().map(|country| Text::from(&**country)).collect();
        evidence.push("spanwatch.account.countries", countries);
        evidence.push("spanwatch.account.countries_count", numbers.countries as u64);
        evidence.push("spanwatch.account.returns", numbers.returns as u64);
        let class = window.stays.back().and_then(|stay| stay.at.class);
        evidence.push_some("spanwatch.account.address_class", class.map(AddressClass::as_str));
        let fastest = window.leaps(at, self.settings.day).max_by(|a, b| a.km_per_hour.total_cmp(&b.km_per_hour));
        evidence.push("spanwatch.account.leaps", numbers.leaps as u64);
        evidence.push_some("spanwatch.account.distance", fastest.map(|leap| leap.distance_km.round() as u64));
        evidence.push_some("spanwatch.account.speed", fastest.map(|leap| leap.km_per_hour.round() as u64));
        evidence.push_some("spanwatch.account.since", window.stays.front().map(|stay| stay.first));
        Some(evidence)
    }

    fn entity(account: &Text) -> Entity {
        Entity::Account(account.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Value;

    const MINUTE: u64 = 60;
    /// Networks from here on are mobile ones.
    const MOBILE: u8 = 200;
    const DAY: u64 = 86_400;

    /// Judges log-ons by network, country and second; networks, countries and returns of the findings.
    fn found(window: &mut Window, log_ons: &[(u8, &str, u64)]) -> Vec<Option<[u64; 3]>> {
        let detector = AccountNetworks::default();
        let judge = |&(network, country, secs): &(u8, &str, u64)| {
            let arrival = Arrival {
                network: IpAddr::from([198, 51, network, 0]),
                system: Some(u32::from(network)),
                country: Some(country.into()),
                is_mobile: network >= MOBILE,
                class: None,
                point: None,
            };
            let evidence = detector.judge(window, arrival, Timestamp::from_secs(secs))?;
            let number = |name| match evidence.get(name) {
                Some(Value::Number(number)) => *number,
                _ => u64::MAX,
            };
            Some([
                number("spanwatch.account.networks"),
                number("spanwatch.account.countries_count"),
                number("spanwatch.account.returns"),
            ])
        };
        log_ons.iter().map(judge).collect()
    }

    #[test]
    fn every_further_network_of_the_day_is_a_finding() {
        assert_eq!(
            found(&mut Window::default(), &[(1, "US", 0), (1, "US", 9), (2, "US", 2 * 3600), (3, "US", DAY)]),
            [None, None, Some([2, 1, 0]), Some([3, 1, 0])]
        );
        assert_eq!(found(&mut Window::default(), &[(1, "US", 0), (2, "US", DAY + 1)]), [None, None]);
    }

    #[test]
    fn countries_count_together_within_the_hour() {
        assert_eq!(found(&mut Window::default(), &[(1, "US", 0), (2, "CN", 3600)]), [None, Some([2, 2, 0])]);
        assert_eq!(found(&mut Window::default(), &[(1, "US", 0), (2, "CN", 3601)]), [None, Some([2, 1, 0])]);
    }

    #[test]
    fn who_goes_back_and_forth_within_the_hour_returns() {
        let back = |minutes: u64| [(1, "US", 0), (2, "US", MINUTE), (1, "US", minutes * MINUTE)];
        assert_eq!(found(&mut Window::default(), &back(60)), [None, Some([2, 1, 0]), Some([2, 1, 1])]);
        assert_eq!(found(&mut Window::default(), &back(61)), [None, Some([2, 1, 0]), None]);
    }

    /// The distance and the speed of the leaps of an account that is at one degree of longitude on the equator, and so many
    /// seconds later at another, told to 10 km each.
    fn leap(degrees: f64, secs: u64) -> Option<(u64, u64)> {
        let (detector, mut window) = (AccountNetworks::default(), Window::default());
        let arrival = |network, longitude| Arrival {
            network: IpAddr::from([198, 51, network, 0]),
            system: None,
            country: None,
            is_mobile: false,
            class: None,
            point: Point::new(0.0, longitude, Some(10.0)),
        };
        detector.judge(&mut window, arrival(1, 10.0), Timestamp::ZERO);
        let found = detector.judge(&mut window, arrival(2, 10.0 + degrees), Timestamp::from_secs(secs))?;
        let number = |name| match found.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        Some((number("spanwatch.account.distance")?, number("spanwatch.account.speed")?))
    }

    #[test]
    fn a_way_that_nobody_travels_is_a_leap() {
        // A degree is 111.19 km.
        assert_eq!(leap(18.2, 2 * 3600), Some((2004, 1002)));
        assert_eq!(leap(18.1, 2 * 3600), None, "996 km/h");
        assert_eq!(leap(4.7, 600), Some((503, 3016)));
        assert_eq!(leap(4.6, 600), None, "491 km");
        assert_eq!(leap(90.0, 0), Some((9988, 599_253)), "at a minute's distance at least");
    }

    #[test]
    fn of_mobile_networks_only_the_country_counts() {
        let roaming = [(200, "US", 0), (201, "US", MINUTE), (200, "US", 2 * MINUTE), (1, "US", 3 * MINUTE)];
        assert_eq!(found(&mut Window::default(), &roaming), [None; 4]);
        assert_eq!(found(&mut Window::default(), &[(1, "US", 0), (200, "CN", MINUTE)]), [None, Some([1, 2, 0])]);
    }

    #[test]
    fn two_networks_of_several_days_are_a_persons_own() {
        let mut window = Window::default();
        let returns: Vec<u64> = (0..6)
            .map(|day| {
                let log_ons = [(1, "US", day * DAY), (2, "US", day * DAY + 60), (1, "US", day * DAY + 120)];
                found(&mut window, &log_ons).into_iter().flatten().map(|[_, _, returns]| returns).max().unwrap_or(0)
            })
            .collect();
        assert!(returns[..3].iter().all(|&returns| returns >= 1), "{returns:?}");
        assert_eq!(window.stays.iter().filter(|stay| stay.is_return).count(), 0, "{returns:?}");
    }

    #[test]
    fn networks_that_an_account_left_make_room_for_its_next_ones() {
        let mut window = Window::default();
        let mut returns = |home: u8, hotspot: u8, day: u64| {
            let at = 2 * day * DAY;
            found(&mut window, &[(home, "US", at), (hotspot, "US", at + 60), (home, "US", at + 120)]);
            window.stays.iter().filter(|stay| stay.is_return).count()
        };
        // A line whose address changes after two days, each time to another network.
        for day in 0..60 {
            returns(u8::try_from(day / 2).unwrap(), 100, day);
        }
        let then: Vec<usize> = (60..80).map(|day| returns(99, 100, day)).collect();
        assert_eq!((&then[..3], then[3..].iter().sum::<usize>()), (&[1, 1, 1][..], 0));
        for (day, other) in (80..120).zip(110..) {
            assert_eq!((returns(other, 101, day), returns(99, 100, day)), (1, 1), "the other one's alone");
        }
    }

    #[test]
    fn what_is_remembered_of_an_account_is_bounded() {
        let mut window = Window::default();
        for n in 0..500_u64 {
            found(&mut window, &[(u8::try_from(n % 199).unwrap(), "US", n)]);
        }
        assert_eq!(window.stays.len(), AccountNetworks::STAYS_MAX);
        assert!(window.habits.len() <= AccountNetworks::HABITS_MAX);
    }
}
