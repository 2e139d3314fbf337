//! How many accounts log on from one household outside.
//!
//! # What it sees
//!
//! Log-ons that succeeded, each with its account and the outside address it came from: of the client itself at a server
//! that is reached from outside, or as a VPN gateway tells RADIUS. Every further account of a household within the
//! window is a finding, with how many there are, and on how many days there were several.
//!
//! # Why it matters
//!
//! A farm is a house where several of the organisation's people are supposed to live in different places.
//!
//! # Normal causes
//!
//! Two colleagues in one household, a coworking space, a hotel, a branch office, the NAT of a mobile operator. A house
//! with dozens of accounts is none, and an address of a class that many share (mobile, carrier NAT, corporate) is left out.
//!
//! # Blind spots
//!
//! A house where each laptop has an exit of its own. Without RADIUS or log-ons in clear there are no accounts to count.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::log_on::{LogOn, is_a_crowds};
use crate::detect::sightings::Sightings;
use crate::detect::{Detector, Family};
use crate::enrich::classes::AddressClass;
use crate::event::Event;
use crate::facts::Fields;
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "accounts_at_site";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.accounts.count", help: "How many accounts logged on from the site in the window." },
    FieldSpec { name: "spanwatch.accounts.names", help: "Their names, in alphabetical order." },
    FieldSpec { name: "spanwatch.accounts.days", help: "On how many days several of them did." },
    FieldSpec {
        name: "spanwatch.accounts.new",
        help: "How many of them began within the last 30 days, by the inventory; absent where it knows of none.",
    },
    FieldSpec {
        name: "spanwatch.accounts.new_percent",
        help: "The same in percent of those of whom the inventory knows when they began.",
    },
    FieldSpec {
        name: "spanwatch.accounts.time_zones",
        help: "In how many time zones they live, by the inventory; absent where it knows of none.",
    },
    FieldSpec { name: "spanwatch.accounts.since", help: "When the first of them did." },
    FieldSpec {
        name: "spanwatch.accounts.network_roles",
        help: "The roles of the site's network in the configuration.",
    },
    FieldSpec { name: "spanwatch.accounts.address_class", help: "What kind of line the site is at, if that is known." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsAtSite {
    /// Accounts are counted together that logged on within so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub window: Duration,
}

impl Default for AccountsAtSite {
    fn default() -> Self {
        Self { window: Duration::from_secs(7 * 86_400) }
    }
}

pub struct Sighting {
    guest: Guest,
    roles: Vec<&'static str>,
    class: Option<&'static str>,
}

/// An account, and what the inventory said of it last: in which zone it lives, in minutes before UTC, and its first day. It is
/// the same account when the inventory changes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Guest {
    account: Text,
    zone_minutes: Option<i16>,
    #[serde(default)]
    start: Option<Timestamp>,
}

impl Ord for Guest {
    fn cmp(&self, other: &Self) -> Ordering {
        self.account.cmp(&other.account)
    }
}

impl PartialOrd for Guest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Guest {
    fn eq(&self, other: &Self) -> bool {
        self.account == other.account
    }
}

impl Eq for Guest {}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    accounts: Sightings<Guest>,
    /// Those of the latest day.
    today: BTreeSet<Text>,
    day: u64,
    /// The latest days with several, up to the window's.
    shared_days: BTreeSet<u64>,
    told: usize,
    told_days: usize,
}

impl AccountsAtSite {
    /// A place with more is a carrier's NAT, a campus or a hotel.
    const ACCOUNTS_MAX: usize = 50;
    /// An account is new for so long.
    const NEW: Duration = Duration::from_secs(30 * 86_400);

    /// On how many days of the window several accounts logged on, the day at hand among them.
    fn shared_days(self, window: &mut Window, account: Text, at: Timestamp) -> usize {
        let day = at.as_secs() / 86_400;
        if day != window.day {
            window.today.clear();
            window.day = day;
        }
        if window.today.len() < 2 {
            window.today.insert(account);
        }
        if window.today.len() > 1 {
            window.shared_days.insert(day);
        }
        let first_day = (at - self.window).as_secs() / 86_400;
        window.shared_days.retain(|&shared| shared >= first_day);
        window.shared_days.len()
    }
}

impl Detector for AccountsAtSite {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Multiplicity;
    const HEARS: &'static [&'static str] = &["credential"];
    type Subject = Site;
    type Sighting = Sighting;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(Site, Sighting)> {
        let log_on = LogOn::of(event).filter(|log_on| !is_a_crowds(event, log_on.from))?;
        let class = event.world().address_class(log_on.from).map(AddressClass::as_str);
        let zone = event.world().networks.get(log_on.from);
        let roles = zone.map(|zone| zone.roles.iter().map(|role| role.as_str()).collect()).unwrap_or_default();
        let known = event.world().inventory.account(log_on.account.as_str());
        let zone_minutes = known.and_then(|account| account.time_zone).map(|zone| zone.minutes);
        let start = known.and_then(|account| account.start);
        let guest = Guest { account: log_on.account, zone_minutes, start };
        Some((Site::of(log_on.from), Sighting { guest, roles, class }))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        window.accounts.add(sighting.guest.clone(), at, self.window, Self::ACCOUNTS_MAX);
        let days = self.shared_days(window, sighting.guest.account, at);
        let count = window.accounts.len();
        let is_news = count > window.told || days > window.told_days;
        (window.told, window.told_days) = (count, days);
        if count < 2 || count == Self::ACCOUNTS_MAX || !is_news {
            return None;
        }
        let zones: BTreeSet<i16> = window.accounts.values().filter_map(|guest| guest.zone_minutes).collect();
        let starts: Vec<Timestamp> = window.accounts.values().filter_map(|guest| guest.start).collect();
        // Work before the first day is no less new.
        let new = starts.iter().filter(|&&start| at.since(start) < Self::NEW).count();
        let names: Vec<Text> = window.accounts.values().map(|guest| guest.account.clone()).collect();
        let mut evidence = Fields::default();
        evidence.push("spanwatch.accounts.count", count as u64);
        evidence.push("spanwatch.accounts.names", names);
        evidence.push("spanwatch.accounts.days", days as u64);
        evidence.push_some("spanwatch.accounts.new", (!starts.is_empty()).then_some(new as u64));
        evidence
            .push_some("spanwatch.accounts.new_percent", (100 * new).checked_div(starts.len()).map(|part| part as u64));
        evidence.push_some("spanwatch.accounts.time_zones", (!zones.is_empty()).then_some(zones.len() as u64));
        evidence.push_some("spanwatch.accounts.since", window.accounts.since());
        evidence.push("spanwatch.accounts.network_roles", sighting.roles);
        evidence.push_some("spanwatch.accounts.address_class", sighting.class);
        Some(evidence)
    }

    fn entity(site: &Site) -> Entity {
        Entity::Site(*site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Value;

    const DAY: u64 = 86_400;

    /// Judges log-ons by account and hour; accounts and days of the findings.
    fn found(log_ons: &[(&str, u64)]) -> Vec<Option<(u64, u64)>> {
        let (detector, mut window) = (AccountsAtSite::default(), Window::default());
        let judge = |&(account, secs): &(&str, u64)| {
            let guest = Guest { account: account.into(), zone_minutes: None, start: None };
            let sighting = Sighting { guest, roles: Vec::new(), class: None };
            let evidence = detector.judge(&mut window, sighting, Timestamp::from_secs(secs))?;
            let number = |name| match evidence.get(name) {
                Some(Value::Number(number)) => *number,
                _ => 0,
            };
            Some((number("spanwatch.accounts.count"), number("spanwatch.accounts.days")))
        };
        log_ons.iter().map(judge).collect()
    }

    #[test]
    fn every_further_account_is_a_finding_and_every_further_day_with_several() {
        assert_eq!(
            found(&[("a", 0), ("a", 1), ("b", 2), ("a", 3), ("c", 4), ("a", DAY), ("b", DAY + 1), ("c", DAY + 2)]),
            [None, None, Some((2, 1)), None, Some((3, 1)), None, Some((3, 2)), None]
        );
    }

    #[test]
    fn accounts_count_together_up_to_the_window_and_no_longer() {
        assert_eq!(found(&[("a", 0), ("b", 7 * DAY)]), [None, Some((2, 0))].map(|found| found.map(|(n, _)| (n, 0))));
        assert_eq!(found(&[("a", 0), ("b", 7 * DAY + 1)]), [None, None]);
    }

    #[test]
    fn the_zones_that_the_inventory_knows_are_counted() {
        let (detector, mut window) = (AccountsAtSite::default(), Window::default());
        let mut zones = |account: &str, zone_minutes| {
            let guest = Guest { account: account.into(), zone_minutes, start: None };
            let sighting = Sighting { guest, roles: Vec::new(), class: None };
            let evidence = detector.judge(&mut window, sighting, Timestamp::from_secs(1))?;
            evidence.get("spanwatch.accounts.time_zones").cloned()
        };
        assert_eq!(zones("a", Some(-300)), None, "one alone is no finding");
        assert_eq!(zones("b", None), Some(Value::Number(1)));
        assert_eq!(zones("c", Some(-300)), Some(Value::Number(1)));
        assert_eq!(zones("d", Some(-480)), Some(Value::Number(2)));
    }

    #[test]
    fn an_account_is_the_same_when_the_inventory_changes() {
        let (detector, mut window) = (AccountsAtSite::default(), Window::default());
        let mut found = |account: &str, zone_minutes, start: Option<u64>| {
            let guest = Guest { account: account.into(), zone_minutes, start: start.map(Timestamp::from_secs) };
            let sighting = Sighting { guest, roles: Vec::new(), class: None };
            let evidence = detector.judge(&mut window, sighting, Timestamp::from_secs(100 * DAY))?;
            let fields = ["spanwatch.accounts.count", "spanwatch.accounts.time_zones", "spanwatch.accounts.new"];
            Some(fields.map(|name| evidence.get(name).cloned()))
        };
        assert_eq!(found("a", None, None), None);
        assert_eq!(found("b", Some(-300), None), Some([Some(Value::Number(2)), Some(Value::Number(1)), None]));
        assert_eq!(found("a", Some(-300), Some(99 * DAY)), None);
        assert_eq!(found("b", Some(-480), Some(99 * DAY)), None);
        assert_eq!(found("c", None, None), Some([3, 2, 2].map(|number| Some(Value::Number(number)))));
    }

    #[test]
    fn an_account_is_new_for_thirty_days_and_before_the_first_one() {
        let (detector, mut window) = (AccountsAtSite::default(), Window::default());
        let mut new = |account: &str, start: Option<u64>| {
            let guest = Guest { account: account.into(), zone_minutes: None, start: start.map(Timestamp::from_secs) };
            let sighting = Sighting { guest, roles: Vec::new(), class: None };
            let evidence = detector.judge(&mut window, sighting, Timestamp::from_secs(100 * DAY))?;
            let fields = ["spanwatch.accounts.new", "spanwatch.accounts.new_percent"];
            Some(fields.map(|name| evidence.get(name).cloned()))
        };
        let numbers = |numbers: [u64; 2]| Some(numbers.map(|number| Some(Value::Number(number))));
        assert_eq!(new("a", None), None);
        assert_eq!(new("b", None), Some([None, None]), "the inventory knows of none");
        assert_eq!(new("c", Some(70 * DAY)), numbers([0, 0]));
        assert_eq!(new("d", Some(70 * DAY + 1)), numbers([1, 50]));
        assert_eq!(new("e", Some(120 * DAY)), numbers([2, 66]));
    }

    #[test]
    fn a_place_with_dozens_of_accounts_is_no_household() {
        let names: Vec<String> = (0..200).map(|number| format!("user{number:03}")).collect();
        let log_ons: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let found = found(&log_ons);
        assert_eq!(found.iter().flatten().last(), Some(&(49, 1)));
        assert_eq!(found.last(), Some(&None));
    }
}
