//! On how many machines an account logs on in a day, compared with its own days before.
//!
//! # What it sees
//!
//! Log-ons that succeeded: with the home device they came from and the name the machine gave itself (NTLM, Kerberos, LDAP,
//! SMB), and with the hardware address that an access server names (802.1X). A machine more than on any of the account's
//! days before is a finding from the second on.
//!
//! # Why it matters
//!
//! An account that works for several machines is several people, or one person at several machines that are given to
//! several people. The second hardware address on a wired port may be a device that stands in for the first.
//!
//! # Normal causes
//!
//! Administrators, service accounts, shared desks, a new laptop, a dock with an address of its own.
//!
//! # Blind spots
//!
//! Machines that log on through something in between. Made-up hardware addresses (of phones) count as one for each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::detect::log_on::proven;
use crate::detect::sightings::Sightings;
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{Fields, Sender};
use crate::identity;
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::net::{Mac, Text};
use crate::protocol::FieldSpec;
use crate::time::Timestamp;

pub const NAME: &str = "account_hosts";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.account.hosts", help: "On how many machines the account logged on in the day." },
    FieldSpec { name: "spanwatch.account.stations", help: "From how many hardware addresses it did in the day." },
    FieldSpec { name: "spanwatch.account.hosts_usual", help: "The most machines of a day of the fortnight before." },
    FieldSpec { name: "spanwatch.account.stations_usual", help: "The most hardware addresses of one." },
    FieldSpec { name: "spanwatch.account.days_known", help: "On how many of those days the account logged on." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AccountHosts {
    /// The days before that a day is compared with.
    pub days: u64,
}

impl Default for AccountHosts {
    fn default() -> Self {
        Self { days: 14 }
    }
}

/// A machine, by what the log-on tells of it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Machine {
    Device(DeviceId),
    Named(Text),
    Station(Mac),
}

/// The numbers of a day.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Counts {
    hosts: usize,
    stations: usize,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    day: u64,
    machines: Sightings<Machine>,
    told: Counts,
    before: BTreeMap<u64, Counts>,
}

impl AccountHosts {
    const MACHINES_MAX: usize = 64;

    fn count(window: &Window) -> Counts {
        let stations = window.machines.values().filter(|machine| matches!(machine, Machine::Station(_))).count();
        Counts { hosts: window.machines.len() - stations, stations }
    }

    /// Begins another day: the one before is kept to compare with.
    fn turn(self, window: &mut Window, day: u64) {
        if day == window.day {
            return;
        }
        let counts = Self::count(window);
        if counts != Counts::default() {
            window.before.insert(window.day, counts);
        }
        window.before.retain(|&known, _| day.saturating_sub(known) <= self.days);
        *window = Window { day, before: std::mem::take(&mut window.before), ..Window::default() };
    }
}

impl Detector for AccountHosts {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Identity;
    const HEARS: &'static [&'static str] = &["credential"];
    type Subject = Text;
    type Sighting = Machine;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(Text, Machine)> {
        let credential = proven(event)?;
        let account = identity::account(credential.user.as_ref()?)?;
        let machine = match (&credential.access, &credential.host) {
            (Some(access), _) => Machine::Station(access.station?),
            (None, _) if event.is_home(Sender::Client) => Machine::Device(event.device(Sender::Client)?),
            (None, host) => Machine::Named(host.as_ref()?.as_str().to_lowercase().into()),
        };
        Some((account, machine))
    }

    fn judge(&self, window: &mut Window, machine: Machine, at: Timestamp) -> Option<Fields> {
        self.turn(window, at.as_secs() / 86_400);
        window.machines.add(machine, at, std::time::Duration::MAX, Self::MACHINES_MAX);
        let (counts, told) = (Self::count(window), window.told);
        window.told = counts;
        let usual = |of: fn(&Counts) -> usize| window.before.values().map(of).max().unwrap_or(0);
        let (hosts, stations) = (usual(|counts| counts.hosts), usual(|counts| counts.stations));
        let is_more = |now: usize, told: usize, usual: usize| now > told && now > usual.max(1);
        if !is_more(counts.hosts, told.hosts, hosts) && !is_more(counts.stations, told.stations, stations) {
            return None;
        }
        let mut evidence = Fields::default();
        evidence.push("spanwatch.account.hosts", counts.hosts as u64);
        evidence.push("spanwatch.account.stations", counts.stations as u64);
        evidence.push("spanwatch.account.hosts_usual", hosts as u64);
        evidence.push("spanwatch.account.stations_usual", stations as u64);
        evidence.push("spanwatch.account.days_known", window.before.len() as u64);
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

    const DAY: u64 = 86_400;

    /// Judges log-ons by machine and second; hosts, stations and the usual hosts of the findings.
    fn found(log_ons: &[(Machine, u64)]) -> Vec<Option<[u64; 3]>> {
        let (detector, mut window) = (AccountHosts::default(), Window::default());
        let judge = |(machine, secs): &(Machine, u64)| {
            let evidence = detector.judge(&mut window, machine.clone(), Timestamp::from_secs(*secs))?;
            let number = |name| match evidence.get(name) {
                Some(Value::Number(number)) => *number,
                _ => u64::MAX,
            };
            Some([
                number("spanwatch.account.hosts"),
                number("spanwatch.account.stations"),
                number("spanwatch.account.hosts_usual"),
            ])
        };
        log_ons.iter().map(judge).collect()
    }

    fn named(name: &str, secs: u64) -> (Machine, u64) {
        (Machine::Named(name.into()), secs)
    }

    #[test]
    fn the_second_machine_of_a_day_is_a_finding_and_each_further_one() {
        assert_eq!(
            found(&[named("a", 0), named("a", 1), named("b", 2), named("a", 3), named("c", 4)]),
            [None, None, Some([2, 0, 0]), None, Some([3, 0, 0])]
        );
    }

    #[test]
    fn machines_of_different_days_do_not_count_together() {
        assert_eq!(found(&[named("a", DAY - 1), named("b", DAY)]), [None, None]);
    }

    #[test]
    fn as_many_as_on_a_day_of_the_fortnight_before_are_usual() {
        let days = |gap: u64| {
            let later = gap * DAY;
            let log_ons =
                [named("a", 0), named("b", 1), named("a", later), named("b", later + 1), named("c", later + 2)];
            found(&log_ons).split_off(2)
        };
        assert_eq!(days(14), [None, None, Some([3, 0, 2])]);
        assert_eq!(days(15), [None, Some([2, 0, 0]), Some([3, 0, 0])]);
    }

    #[test]
    fn hardware_addresses_are_counted_apart() {
        let station = |last, secs| (Machine::Station(Mac([0, 0, 0, 0, 0, last])), secs);
        assert_eq!(found(&[named("a", 0), station(1, 1), station(2, 2)]), [None, None, Some([1, 2, 0])]);
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let log_ons: Vec<(Machine, u64)> = (0..500).map(|number: u32| named(&number.to_string(), 1)).collect();
        assert_eq!(found(&log_ons).iter().flatten().last(), Some(&[64, 0, 0]));
    }
}
