//! An incident's evidence in, sentences for a person out.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::alert::words;
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::net::Text;
use crate::risk::incident::{EvidenceItem, FamilyEvidence};
use crate::risk::ledger::Ledger;
use crate::rules::Rule;
use crate::time::Timestamp;
use crate::world::World;

/// The most values, flows and names that a sentence lists.
const LISTED_MAX: usize = 6;

/// A device and what people call it: by its name, or else by the address that it had last.
#[derive(Debug)]
pub struct Called {
    id: DeviceId,
    pub(super) name: Option<Text>,
    address: Option<IpAddr>,
}

impl Called {
    pub fn of(id: DeviceId, world: &World) -> Self {
        Self { id, name: world.name_of(id), address: world.address_of(id) }
    }
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.address) {
            (Some(name), _) => name.fmt(f),
            (None, Some(address)) => address.fmt(f),
            (None, None) => self.id.fmt(f),
        }
    }
}

/// What the sentences are about.
pub(super) struct Story<'a> {
    pub(super) entity: &'a Entity,
    pub(super) score: f64,
    pub(super) threshold: f64,
    pub(super) families: &'a [FamilyEvidence],
    pub(super) accounts: &'a [Text],
    pub(super) devices: &'a [Called],
    pub(super) ledger: &'a Ledger,
}

impl Story<'_> {
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![self.sum()];
        sentences.extend(self.housed());
        sentences.extend(self.families.iter().flat_map(|family| self.family(family)));
        sentences.extend(self.innocent());
        sentences
    }

    /// How much there is against whom, and since when.
    fn sum(&self) -> String {
        let items = self.families.iter().flat_map(|family| &family.items);
        let since = items.map(|item| item.first).min().unwrap_or(Timestamp::ZERO);
        let kinds = self.families.iter().filter(|family| family.nats > 0.0).count();
        format!(
            "Evidence of {kinds} kinds about {} adds up to {:.1} nats since {}; an incident takes {:.1}.",
            self.whom(self.entity),
            self.score,
            moment(since),
            self.threshold,
        )
    }

    fn housed(&self) -> Option<String> {
        let accounts = listed(", ", self.accounts.iter().map(ToString::to_string));
        let devices = listed(", ", self.devices.iter().map(ToString::to_string));
        match (accounts, devices) {
            (None, None) => None,
            (accounts, devices) => Some(format!(
                "Known there: {}; {}.",
                accounts.map_or_else(|| "no account".into(), |names| format!("accounts {names}")),
                devices.map_or_else(|| "no device".into(), |names| format!("devices {names}")),
            )),
        }
    }

    /// What was seen of one kind, the strongest first, and what is expected.
    fn family(&self, family: &FamilyEvidence) -> Vec<String> {
        let mut sentences = Vec::new();
        let mut explained = BTreeSet::new();
        for item in &family.items {
            let heading = format!("{} ({:.1} nats)", family.family.as_str().replace('_', " "), item.nats);
            sentences.push(format!("{heading}: {}", self.seen(item)));
            let rule = self.rule(&item.rule).filter(|rule| explained.insert(rule.name.clone()));
            sentences.extend(rule.map(|rule| match &rule.expected {
                Some(expected) => format!("Expected: {expected}"),
                None => rule.description.clone(),
            }));
        }
        sentences
    }

    fn innocent(&self) -> Option<String> {
        let mut said = BTreeSet::new();
        let rules = self.families.iter().flat_map(|family| &family.items).filter_map(|item| self.rule(&item.rule));
        let causes: Vec<&str> = rules
            .flat_map(|rule| &rule.falsepositives)
            .map(String::as_str)
            .filter(|cause| said.insert(*cause))
            .collect();
        (!causes.is_empty()).then(|| format!("It would be innocent if: {}.", causes.join("; ")))
    }

    fn seen(&self, item: &EvidenceItem) -> String {
        let mut text = format!("{}, about {}, ", item.title, self.whom(&item.subject));
        text += &match item.count {
            1 => format!("once at {}", moment(item.first)),
            count => format!("{count} times from {} to {}", moment(item.first), moment(item.last)),
        };
        text.push('.');
        let values = listed("; ", item.values.iter().map(|(field, value)| words::said(field, value)));
        text += &values.map_or_else(String::new, |values| format!(" Seen: {values}."));
        let flows = listed(", ", item.flows.iter().cloned());
        text += &flows.map_or_else(String::new, |flows| format!(" Flows: {flows}."));
        text
    }

    fn whom(&self, entity: &Entity) -> String {
        let device = match entity {
            Entity::Device(id) => self.devices.iter().find(|device| device.id == *id),
            Entity::Account(_) | Entity::Address(_) | Entity::Group(_) | Entity::Site(_) => None,
        };
        device.map_or_else(|| words::whom(entity), |device| format!("the {} {device}", entity.kind()))
    }

    fn rule(&self, name: &str) -> Option<&Rule> {
        self.ledger.items.iter().map(|item| &*item.rule).find(|rule| rule.name == name)
    }
}

/// A time to the second: `2026-11-24T10:00:00Z`.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.split('.').next().unwrap_or(&text))
}

fn listed(separator: &str, mut items: impl Iterator<Item = String>) -> Option<String> {
    let shown: Vec<String> = items.by_ref().take(LISTED_MAX).collect();
    let more = items.count();
    let and_more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (!shown.is_empty()).then(|| format!("{}{and_more}", shown.join(separator)))
}
