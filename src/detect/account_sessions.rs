//! Whether an account has sessions open at two places at the same time, and for how long.
//!
//! # What it sees
//!
//! Sessions at access servers (a VPN gateway, a portal) as RADIUS accounting tells of them: who, from which outside address,
//! from when until when. A session that begins again has ended unseen before; one that is told of now and then and no more
//! has, too. When both sessions of an account from two networks are over, the time that both were open is
//! known. From an hour on it is a finding, once a day for each pair of networks.
//!
//! # Why it matters
//!
//! A person is in one place. Where a laptop stays connected at a house while its account works from elsewhere, somebody
//! else uses a session or a password that was taken from it.
//!
//! # Normal causes
//!
//! A telephone at the carrier's beside the laptop: addresses of mobile networks, carriers' NATs and companies are left
//! out. A laptop that left without saying so: its old session is closed by the server, within the hour in most places.
//!
//! # Blind spots
//!
//! Access servers that report no ends of sessions: one that nobody ended proves nothing. A session that goes on under the
//! operator's address alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::log_on::{is_a_crowds, network};
use crate::detect::{Detector, Family};
use crate::enrich::classes::AddressClass;
use crate::event::Event;
use crate::facts::words::{self, Word};
use crate::facts::{AccessPhase, FactKind, Fields, Value};
use crate::identity;
use crate::identity::entity::Entity;
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "account_sessions";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec {
        name: "spanwatch.sessions.from",
        help: "The outside addresses of the two sessions, the earlier one first.",
    },
    FieldSpec { name: "spanwatch.sessions.both_open", help: "How long both were open, in seconds." },
    FieldSpec { name: "spanwatch.sessions.days", help: "On how many days of the last fortnight the account had two." },
    FieldSpec {
        name: "spanwatch.sessions.address_classes",
        help: "What kinds of lines the two are at, as far as that is known.",
    },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSessions {
    /// From so long on that both are open it is a finding.
    #[serde(deserialize_with = "quantity::duration")]
    pub both_open: Duration,
}

impl Default for AccountSessions {
    fn default() -> Self {
        Self { both_open: Duration::from_secs(3600) }
    }
}

/// A session that is told of.
pub struct Sighting {
    from: IpAddr,
    what: Told,
    class: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Start,
    /// Its user was let in.
    Accept,
    Interim,
    Stop,
}

/// The sessions of an account.
#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    /// By the network they come from.
    open: BTreeMap<IpAddr, Session>,
    /// With the time of their ends, the latest last.
    over: VecDeque<(Session, Timestamp)>,
    /// The days on which there were two, and the networks of each pair.
    days: BTreeMap<u64, BTreeSet<(IpAddr, IpAddr)>>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Session {
    from: IpAddr,
    #[serde(deserialize_with = "words::maybe_word")]
    class: Option<Word>,
    since: Timestamp,
    /// When it was told of last.
    #[serde(default)]
    heard: Option<Timestamp>,
    /// The server tells of it while it goes on.
    #[serde(default)]
    has_interims: bool,
}

impl Session {
    /// Whether its end must have been lost.
    fn is_lost(&self, at: Timestamp) -> bool {
        let silence = if self.has_interims { AccountSessions::INTERIM_MAX } else { AccountSessions::SILENCE_MAX };
        self.heard.is_none_or(|heard| at.since(heard) > silence)
    }
}

impl AccountSessions {
    const SESSIONS_MAX: usize = 16;
    const PAIRS_MAX: usize = 16;
    const DAYS_KEPT: u64 = 14;
    /// Sessions that were over longer ago are forgotten.
    const OVER_KEPT: Duration = Duration::from_secs(2 * 86_400);
    /// Servers that tell of a session while it goes on do so every few minutes, and seldom less than once an hour.
    const INTERIM_MAX: Duration = Duration::from_secs(6 * 3600);
    /// Who is let in again after so long has another session, where servers do not tell of its beginning.
    const SILENCE_MAX: Duration = Duration::from_secs(86_400);
}

impl Detector for AccountSessions {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Identity;
    const HEARS: &'static [&'static str] = &["credential"];
    type Subject = Text;
    type Sighting = Sighting;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(Text, Sighting)> {
        let FactKind::Credential(credential) = &event.fact()?.kind else {
            return None;
        };
        let access = credential.access.filter(|access| access.phase != AccessPhase::Asked)?;
        let from = access.outside.filter(|&from| !event.is_home_address(from) && !is_a_crowds(event, from))?;
        let account = identity::account(credential.user.as_ref()?)?;
        let class = event.world().address_class(from).map(AddressClass::as_str);
        let status = match credential.fields.get("radius.accounting_status") {
            Some(Value::Text(status)) => Some(status.as_str()),
            _ => None,
        };
        let what = match (access.phase, status) {
            (AccessPhase::Over, _) => Told::Stop,
            (_, Some("start")) => Told::Start,
            (_, Some("interim")) => Told::Interim,
            _ => Told::Accept,
        };
        Some((account, Sighting { from, what, class }))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        let Sighting { from, what, class } = sighting;
        if what != Told::Stop {
            let has_interims = what == Told::Interim;
            window.begin(Session { from, class, since: at, heard: Some(at), has_interims }, what);
            return None;
        }
        let own = window.open.remove(&network(from)).filter(|own| !own.has_interims || !own.is_lost(at))?;
        let (other, both_open) = window.end(own, at)?;
        if both_open < self.both_open || !window.is_news(own, other, at) {
            return None;
        }
        let mut both = [own, other];
        both.sort_by_key(|session| (session.since, session.from));
        let addresses: Vec<Text> = both.iter().map(|session| session.from.to_string().into()).collect();
        let mut evidence = Fields::default();
        evidence.push("spanwatch.sessions.from", addresses);
        evidence.push("spanwatch.sessions.both_open", both_open.as_secs());
        evidence.push("spanwatch.sessions.days", window.days.len() as u64);
        evidence.push("spanwatch.sessions.address_classes", both.iter().filter_map(|s| s.class).collect::<Vec<_>>());
        Some(evidence)
    }

    fn entity(account: &Text) -> Entity {
        Entity::Account(account.clone())
    }
}

impl Window {
    /// A session begins, or goes on. The one that was told of longest ago gives way.
    fn begin(&mut self, session: Session, what: Told) {
        let (place, at) = (network(session.from), session.since);
        if let Some(known) = self.open.get_mut(&place).filter(|known| what != Told::Start && !known.is_lost(at)) {
            known.heard = session.heard;
            known.has_interims |= session.has_interims;
            return;
        }
        if self.open.len() >= AccountSessions::SESSIONS_MAX && !self.open.contains_key(&place) {
            let longest_ago = self.open.iter().min_by_key(|(_, known)| known.heard).map(|(place, _)| *place);
            longest_ago.map(|place| self.open.remove(&place));
        }
        self.open.insert(place, session);
    }

    /// A session is over: the one from another network that was open for the longest time beside it, and for how long. An
    /// address of the other version is no other place.
    fn end(&mut self, own: Session, at: Timestamp) -> Option<(Session, Duration)> {
        self.over.retain(|(_, end)| at.since(*end) <= AccountSessions::OVER_KEPT);
        let is_elsewhere =
            |other: &Session| other.from.is_ipv4() == own.from.is_ipv4() && network(other.from) != network(own.from);
        let elsewhere = self.over.iter().filter(|(other, _)| is_elsewhere(other));
        let beside = elsewhere.map(|(other, end)| (*other, end.since(own.since.max(other.since))));
        let longest = beside.max_by_key(|(_, both_open)| *both_open);
        if self.over.len() == AccountSessions::SESSIONS_MAX {
            self.over.pop_front();
        }
        self.over.push_back((own, at));
        longest
    }

    /// Whether the pair of networks was not told of today.
    fn is_news(&mut self, one: Session, other: Session, at: Timestamp) -> bool {
        let day = at.as_secs() / 86_400;
        self.days.retain(|&known, _| day.saturating_sub(known) < AccountSessions::DAYS_KEPT);
        let today = self.days.entry(day).or_default();
        let (one, other) = (network(one.from), network(other.from));
        today.len() < AccountSessions::PAIRS_MAX && today.insert((one.min(other), one.max(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Value;

    const HOUSE: &str = "198.51.100.7";
    const ELSEWHERE: &str = "203.0.113.9";
    const HOUR: u64 = 3600;

    /// Judges sessions that begin or end, by address, whether they end, and second; for how long both were open, and on how
    /// many days.
    fn found(told: &[(&str, bool, u64)]) -> Vec<(u64, u64)> {
        let what = |is_over| if is_over { Told::Stop } else { Told::Start };
        found_of(&told.iter().map(|&(from, is_over, secs)| (from, what(is_over), secs)).collect::<Vec<_>>())
    }

    fn found_of(told: &[(&str, Told, u64)]) -> Vec<(u64, u64)> {
        let (detector, mut window) = (AccountSessions::default(), Window::default());
        let judge = |&(from, what, secs): &(&str, Told, u64)| {
            let sighting = Sighting { from: from.parse().unwrap(), what, class: None };
            let evidence = detector.judge(&mut window, sighting, Timestamp::from_secs(secs))?;
            let number = |name| match evidence.get(name) {
                Some(Value::Number(number)) => *number,
                _ => 0,
            };
            Some((number("spanwatch.sessions.both_open"), number("spanwatch.sessions.days")))
        };
        told.iter().filter_map(judge).collect()
    }

    #[test]
    fn two_sessions_that_were_open_for_an_hour_are_a_finding_when_both_are_over() {
        let until =
            |end| [(HOUSE, false, 0), (ELSEWHERE, false, 100), (ELSEWHERE, true, 100 + end), (HOUSE, true, 9 * HOUR)];
        assert_eq!(found(&until(HOUR)), [(HOUR, 1)]);
        assert_eq!(found(&until(HOUR - 1)), []);
        assert_eq!(found(&until(HOUR)[..3]), [], "nobody said that the one at the house went on");
    }

    #[test]
    fn sessions_one_after_the_other_or_in_one_network_are_none() {
        let moves = [(HOUSE, false, 0), (HOUSE, true, 9), (ELSEWHERE, false, 9), (ELSEWHERE, true, 9 * HOUR)];
        assert_eq!(found(&moves), []);
        let neighbour = "198.51.100.8";
        let at_once = [(HOUSE, false, 0), (neighbour, false, 0), (neighbour, true, 9 * HOUR), (HOUSE, true, 9 * HOUR)];
        assert_eq!(found(&at_once), []);
    }

    /// A session at the house whose end was lost on Monday, one elsewhere on Tuesday, and on Wednesday the house again.
    fn three_days(monday: &[(Told, u64)], wednesday: &[(Told, u64)]) -> Vec<(u64, u64)> {
        let at_house = |told: &[(Told, u64)], day: u64| -> Vec<(&str, Told, u64)> {
            told.iter().map(|&(what, hour)| (HOUSE, what, (24 * day + hour) * HOUR)).collect()
        };
        let tuesday = [(ELSEWHERE, Told::Start, 32 * HOUR), (ELSEWHERE, Told::Stop, 40 * HOUR)];
        let mut told = [at_house(monday, 0), tuesday.to_vec(), at_house(wednesday, 2)].concat();
        told.sort_by_key(|&(_, _, secs)| secs);
        found_of(&told)
    }

    #[test]
    fn a_session_whose_end_was_lost_was_not_open_until_the_next_one_ends() {
        let (begins, ends) = ((Told::Start, 8), (Told::Stop, 16));
        assert_eq!(three_days(&[begins], &[begins, ends]), []);
        assert_eq!(three_days(&[(Told::Accept, 8)], &[(Told::Accept, 9), ends]), [], "more than a day later");
        assert_eq!(three_days(&[begins, (Told::Interim, 9)], &[ends]), [], "nothing was told of it for days");
        assert_eq!(three_days(&[begins], &[ends]), [(8 * HOUR, 1)], "a server that tells of ends only");
        let hourly: Vec<(Told, u64)> = (9..64).map(|hour| (Told::Interim, hour)).collect();
        assert_eq!(three_days(&[&[begins], &hourly[..]].concat(), &[ends]), [(8 * HOUR, 1)], "it went on");
    }

    #[test]
    fn what_is_told_of_every_six_hours_goes_on() {
        let until = |hour: u64| {
            let house = [(HOUSE, Told::Start, 0), (HOUSE, Told::Interim, HOUR)];
            let elsewhere = [(ELSEWHERE, Told::Start, HOUR), (ELSEWHERE, Told::Stop, 3 * HOUR)];
            [&house[..], &elsewhere, &[(HOUSE, Told::Stop, hour * HOUR)]].concat()
        };
        assert_eq!(found_of(&until(7)), [(2 * HOUR, 1)]);
        assert_eq!(found_of(&until(8)), []);
    }

    #[test]
    fn lost_ends_of_many_networks_keep_no_later_session_out() {
        let networks: Vec<String> = (0..20).map(|number| format!("192.0.{number}.1")).collect();
        let mut told: Vec<(&str, Told, u64)> = (0..).zip(&networks).map(|(n, at)| (&**at, Told::Start, n)).collect();
        told.extend([(HOUSE, Told::Start, 100), (ELSEWHERE, Told::Start, 100)]);
        told.extend([(ELSEWHERE, Told::Stop, 2 * HOUR + 100), (HOUSE, Told::Stop, 3 * HOUR)]);
        assert_eq!(found_of(&told), [(2 * HOUR, 1)]);
    }

    #[test]
    fn a_pair_is_told_once_a_day() {
        let day = |day: u64| {
            let at = move |hour: u64| (24 * day + hour) * HOUR;
            let pair = move |from: u64| {
                [
                    (HOUSE, false, at(from)),
                    (ELSEWHERE, false, at(from)),
                    (ELSEWHERE, true, at(from + 2)),
                    (HOUSE, true, at(from + 3)),
                ]
            };
            [pair(8), pair(12)].concat()
        };
        let told: Vec<_> = (0..3).flat_map(day).collect();
        assert_eq!(found(&told), [(2 * HOUR, 1), (2 * HOUR, 2), (2 * HOUR, 3)]);
    }

    #[test]
    fn what_is_remembered_of_an_account_is_bounded() {
        let (detector, mut window) = (AccountSessions::default(), Window::default());
        for number in 0..200_u8 {
            let from = IpAddr::from([198, 51, number, 7]);
            let mut tell = |what, secs| {
                detector.judge(&mut window, Sighting { from, what, class: None }, Timestamp::from_secs(secs))
            };
            tell(Told::Start, u64::from(number));
            tell(if number % 2 == 1 { Told::Stop } else { Told::Interim }, 2 * HOUR);
        }
        assert!(
            window.open.len() <= AccountSessions::SESSIONS_MAX && window.over.len() <= AccountSessions::SESSIONS_MAX
        );
    }
}
