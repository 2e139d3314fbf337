//! Whether an account shows a machine that it never had, beside its own, within the hour.
//!
//! # What it sees
//!
//! Connections on which somebody logged on or opened a desktop, and the machine's stack that made them: the SYN (TTL,
//! window, options) and the JA4 of its TLS. A stack that is new to an account, while the account's other one was seen
//! within the hour, is a finding; with how many other accounts have such a stack. It is another machine's where the account
//! never had its SYN, or where the same SYN had another JA4 in the same protocol; one machine's programs differ in the JA4,
//! and some have none.
//!
//! # Why it matters
//!
//! A session that was stolen, or credentials that two people share, come from a second machine; and that is seldom the
//! image that the organisation gives its people.
//!
//! # Normal causes
//!
//! A new laptop, a phone, a second program for the same protocol, an update of either: then the new stack is common among the
//! others' soon.
//!
//! # Blind spots
//!
//! Log-ons inside TLS show no account. A second machine of the organisation's own image looks like the first.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::fleet::Prevalence;
use crate::detect::log_on::proven;
use crate::detect::sightings::Sightings;
use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{FactKind, Fields, Fingerprint, FingerprintMethod, FlowId, FlowSummary, Sender};
use crate::identity;
use crate::identity::entity::Entity;
use crate::memory::{Memory, MemoryError};
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::recent::{Recent, Retention};
use crate::time::Timestamp;

pub const NAME: &str = "second_stack";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec { name: "spanwatch.stack.new", help: "The account's new stack: SYN in p0f notation, and JA4." },
    FieldSpec { name: "spanwatch.stack.other", help: "The one that it had within the hour." },
    FieldSpec { name: "spanwatch.stack.accounts", help: "How many accounts have the new one." },
    FieldSpec { name: "spanwatch.stack.accounts_known", help: "How many accounts' stacks are known." },
    FieldSpec { name: "spanwatch.stack.common", help: "Whether the new one is common among the accounts." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Both stacks are seen within so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub together: Duration,
    /// A stack that was not seen for so long is new again.
    #[serde(deserialize_with = "quantity::duration")]
    pub memory: Duration,
    /// A stack is common that so many percent of the accounts have.
    pub common_percent: usize,
    /// And at least so many accounts do.
    pub common_accounts: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            together: Duration::from_secs(3600),
            memory: Duration::from_secs(30 * 86_400),
            common_percent: 2,
            common_accounts: 3,
        }
    }
}

pub struct SecondStack {
    settings: Settings,
    fleet: Prevalence<Text, Text>,
    /// The flows on which somebody was named, until they are told of.
    named: Recent<FlowId, Named>,
}

#[derive(Default)]
struct Named {
    account: Option<Text>,
    /// Asked for and not proven: taken as true where the session lasts.
    is_claimed_only: bool,
    ja4: Option<Fingerprint>,
}

pub struct Sighting {
    stack: Text,
    protocol: Option<Text>,
    accounts: usize,
    accounts_known: usize,
    is_common: bool,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    known: Sightings<Text>,
    /// The stacks of the last hour, the latest last.
    #[serde(default)]
    lately: Vec<Lately>,
}

#[derive(Deserialize, Serialize)]
struct Lately {
    stack: Text,
    protocol: Option<Text>,
    at: Timestamp,
}

/// The SYN of a stack and its JA4, where it has one.
fn parts(stack: &Text) -> (&str, Option<&str>) {
    let (syn, ja4) = stack.as_str().rsplit_once(' ').unwrap_or((stack.as_str(), SecondStack::NO_JA4));
    (syn, Some(ja4).filter(|ja4| *ja4 != SecondStack::NO_JA4))
}

impl SecondStack {
    const NAMED: Retention = Retention { entries_max: 16_384, keep: Duration::from_secs(3600) };
    const STACKS_MAX: usize = 16;
    const NO_JA4: &'static str = "-";
    /// A session that lasts so long was let in.
    const LET_IN: Duration = Duration::from_secs(30);

    pub fn new(settings: Settings) -> Self {
        Self { settings, fleet: Prevalence::default(), named: Recent::new(Self::NAMED) }
    }

    fn name(&mut self, event: &Event<'_>, user: &Text, is_claimed_only: bool) {
        let Some(account) = identity::account(user) else {
            return;
        };
        let named = self.named.get_or_insert_with(event.flow().id, event.at(), Named::default);
        if named.account.is_none() || !is_claimed_only {
            named.account = Some(account);
            named.is_claimed_only = is_claimed_only;
        }
    }

    /// The account and the stack of a flow that is told of for the first time or the last.
    fn stack(&self, event: &Event<'_>) -> Option<(Text, Text)> {
        let summary = summary(event)?;
        let named = self.named.get(&event.flow().id)?;
        if named.is_claimed_only && summary.duration < Self::LET_IN {
            return None;
        }
        let syn = summary.client.syn_signature.as_ref()?.stack();
        let stack = format!("{syn} {}", named.ja4.as_ref().map_or(Self::NO_JA4, |ja4| &ja4.value));
        Some((named.account.clone()?, stack.into()))
    }
}

fn summary<'e>(event: &Event<'e>) -> Option<&'e FlowSummary> {
    match &event.fact()?.kind {
        FactKind::Activity(summary) | FactKind::FlowEnded(summary) => Some(summary),
        _ => None,
    }
}

impl Detector for SecondStack {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Identity;
    const HEARS: &'static [&'static str] = &["activity", "credential", "flow", "hello", "remote_desktop"];
    type Subject = Text;
    type Sighting = Sighting;
    type Window = Window;

    fn learn(&mut self, event: &Event<'_>) {
        self.named.expire(event.at());
        match event.fact().map(|fact| &fact.kind) {
            // Of an access server's log-ons the flow is the server's own.
            Some(FactKind::Credential(credential)) if credential.access.is_none() => {
                if let Some(user) = proven(event).and_then(|proven| proven.user.as_ref()) {
                    self.name(event, user, false);
                }
            }
            Some(FactKind::RemoteDesktop(desktop)) => {
                if let Some(user) = &desktop.user {
                    self.name(event, user, true);
                }
            }
            Some(FactKind::Hello(hello)) if hello.sender == Sender::Client => {
                let ja4 = hello.fingerprints.iter().find(|print| print.method == FingerprintMethod::Ja4);
                if let (Some(named), Some(ja4)) = (self.named.get_mut(&event.flow().id, event.at()), ja4) {
                    named.ja4 = Some(*ja4);
                }
            }
            Some(FactKind::Activity(_) | FactKind::FlowEnded(_)) => {
                if let Some((account, stack)) = self.stack(event) {
                    self.fleet.add(&stack, &account, event.at());
                }
            }
            _ => {}
        }
    }

    fn remember(&self, section: &str, memory: &mut Memory) {
        self.fleet.remember(section, memory);
    }

    fn recall(&mut self, section: &str, memory: &Memory) -> Result<(), MemoryError> {
        self.fleet.recall(section, memory)
    }

    fn sight(&self, event: &Event<'_>) -> Option<(Text, Sighting)> {
        let (account, stack) = self.stack(event)?;
        let is_common = self.fleet.is_common(&stack, self.settings.common_percent, self.settings.common_accounts);
        let (accounts, accounts_known) = (self.fleet.users(&stack), self.fleet.members());
        let protocol = event.protocol().map(|protocol| protocol.as_str().into());
        Some((account, Sighting { stack, protocol, accounts, accounts_known, is_common }))
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, at: Timestamp) -> Option<Fields> {
        let stack = sighting.stack.clone();
        let is_new = window.known.add(stack.clone(), at, self.settings.memory, Self::STACKS_MAX);
        let (syn, ja4) = parts(&stack);
        let has_syn = window.known.values().any(|known| *known != stack && parts(known).0 == syn);
        window.lately.retain(|seen| at.since(seen.at) <= self.settings.together && seen.stack != stack);
        let is_anothers = |seen: &&Lately| match parts(&seen.stack) {
            (other, _) if other != syn => !has_syn,
            (_, Some(other)) => ja4.is_some_and(|ja4| ja4 != other) && seen.protocol == sighting.protocol,
            (_, None) => false,
        };
        let other = window.lately.iter().rev().find(is_anothers).map(|seen| seen.stack.clone());
        if window.lately.len() == Self::STACKS_MAX {
            window.lately.remove(0);
        }
        window.lately.push(Lately { stack: stack.clone(), protocol: sighting.protocol, at });
        let other = other.filter(|_| is_new)?;
        let mut evidence = Fields::default();
        evidence.push("spanwatch.stack.new", sighting.stack);
        evidence.push("spanwatch.stack.other", other);
        evidence.push("spanwatch.stack.accounts", sighting.accounts as u64);
        evidence.push("spanwatch.stack.accounts_known", sighting.accounts_known as u64);
        evidence.push("spanwatch.stack.common", sighting.is_common);
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

    /// Judges stacks by second; the other stack of the findings.
    fn found(stacks: &[(&str, u64)]) -> Vec<Option<String>> {
        found_in(&stacks.iter().map(|&(stack, secs)| (stack, "rdp", secs)).collect::<Vec<_>>())
    }

    fn found_in(stacks: &[(&str, &str, u64)]) -> Vec<Option<String>> {
        let (detector, mut window) = (SecondStack::new(Settings::default()), Window::default());
        let judge = |&(stack, protocol, secs): &(&str, &str, u64)| {
            let (stack, protocol) = (stack.into(), Some(protocol.into()));
            let sighting = Sighting { stack, protocol, accounts: 1, accounts_known: 9, is_common: false };
            let evidence = detector.judge(&mut window, sighting, Timestamp::from_secs(secs))?;
            match evidence.get("spanwatch.stack.other") {
                Some(Value::Text(other)) => Some(other.to_string()),
                _ => None,
            }
        };
        stacks.iter().map(judge).collect()
    }

    #[test]
    fn a_new_stack_within_the_hour_of_another_is_a_finding_once() {
        assert_eq!(
            found(&[("windows", 0), ("windows", 10), ("linux", 3610), ("windows", 3620), ("linux", 3630)]),
            [None, None, Some("windows".into()), None, None]
        );
    }

    #[test]
    fn programs_of_one_machine_are_one_machine() {
        assert_eq!(found_in(&[("windows -", "smb", 0), ("windows t13i", "rdp", 1)]), [None, None]);
        assert_eq!(found_in(&[("windows t13i", "rdp", 0), ("windows -", "smb", 1)]), [None, None]);
        assert_eq!(found_in(&[("windows t13i", "rdp", 0), ("windows t13d", "http", 1)]), [None, None]);
        let beside_linux = [("linux t13x", "rdp", 0), ("windows -", "smb", 7200), ("linux t13x", "rdp", 7201)];
        let then = [&beside_linux[..], &[("windows t13i", "rdp", 7202)]].concat();
        assert_eq!(found_in(&then), [const { None }; 4], "both are the account's");
    }

    #[test]
    fn another_machine_has_another_syn_or_another_program_for_the_same_protocol() {
        let other = |stack: &str| Some(stack.to_owned());
        assert_eq!(found_in(&[("windows -", "smb", 0), ("linux t13i", "rdp", 1)]), [None, other("windows -")]);
        assert_eq!(
            found_in(&[("windows t13i", "rdp", 0), ("windows -", "smb", 1), ("windows t12i", "rdp", 2)]),
            [None, None, other("windows t13i")]
        );
    }

    #[test]
    fn a_new_stack_after_the_hour_is_a_new_machine() {
        assert_eq!(found(&[("windows", 0), ("linux", 3601)]), [None, None]);
    }

    #[test]
    fn a_stack_that_was_not_seen_for_a_month_is_new_again() {
        let month = 30 * 86_400;
        assert_eq!(
            found(&[("windows", 0), ("linux", 1), ("windows", month + 2), ("linux", month + 3)]),
            [None, Some("windows".into()), None, Some("windows".into())]
        );
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let stacks: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        assert_eq!(found(&stacks).iter().flatten().count(), SecondStack::STACKS_MAX - 1);
    }
}
