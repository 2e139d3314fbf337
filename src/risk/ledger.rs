//! Matches of rules about one entity in; what they are worth together at a moment out.
//!
//! Evidence of one family is correlated: the second sign of remote control says little that the first did not. So the
//! strongest item of a family counts whole and each other a quarter. Signs persist, too, so the same rule about the
//! same subject counts once in a window, and fades with a half-life once it is not seen any more. Where many live, some
//! sign is soon seen of somebody, so one resident's own counts for less there. All of it follows from the times of the
//! matches and from who lives where, so nothing has to tick.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use crate::detect::Family;
use crate::exhibit::ExhibitName;
use crate::identity::entity::Entity;
use crate::risk::Settings;
use crate::risk::dismissal::Dismissals;
use crate::risk::incident::{EvidenceItem, FamilyEvidence, IncidentId};
use crate::rules::{Level, Rule};
use crate::time::Timestamp;

/// What one match of a rule adds.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub rule: Arc<Rule>,
    /// Whom the rule is about.
    pub subject: Entity,
    pub at: Timestamp,
    /// The rule's weight.
    pub nats: f64,
    pub values: Vec<(String, Value)>,
    /// The community id of the flow.
    pub flow: Option<String>,
    /// The captures of the flows, where they are kept.
    pub captures: Vec<ExhibitName>,
}

/// The evidence about one entity.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) items: Vec<Item>,
    /// How many accounts, or devices where they are more, were at the site when evidence last came.
    pub(super) residents: usize,
    pub(super) open: Option<Open>,
}

/// What one rule found of one subject.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) rule: Arc<Rule>,
    pub(super) subject: Entity,
    /// What it was worth when it was credited.
    pub(super) nats: f64,
    pub(super) credited: Timestamp,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) count: u64,
    pub(super) values: Vec<(String, Value)>,
    pub(super) flows: VecDeque<String>,
    pub(super) captures: VecDeque<ExhibitName>,
}

/// An incident that was told and is not over.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) id: IncidentId,
    pub(super) opened: Timestamp,
    pub(super) level: Level,
    /// The families that were told.
    pub(super) families: Vec<Family>,
    /// When the evidence will have faded, if none comes.
    pub(super) closes: Timestamp,
    /// It closes then, whatever the evidence comes to.
    pub(super) is_dismissed: bool,
}

/// What a ledger comes to at a moment.
pub(super) struct Balance {
    pub(super) at: Timestamp,
    /// Families with evidence, the strongest first, each with its items, the strongest first.
    families: Vec<Sum>,
}

/// What one family comes to.
struct Sum {
    family: Family,
    nats: f64,
    /// What each item is worth, and its place in the ledger.
    items: Vec<(f64, usize)>,
}

impl Balance {
    pub(super) fn score(&self) -> f64 {
        self.families.iter().map(|sum| sum.nats).sum()
    }

    /// The families that weigh enough to be counted, in their order.
    pub(super) fn counted(&self, settings: &Settings) -> Vec<Family> {
        let heavy = self.families.iter().filter(|sum| sum.nats >= settings.family_nats_min);
        let mut families: Vec<Family> = heavy.map(|sum| sum.family).collect();
        families.sort();
        families
    }
}

impl Item {
    /// The most values and flows that are kept of a rule's match.
    const VALUES_MAX: usize = 16;
    pub(super) const FLOWS_MAX: usize = 4;
    /// The most captures that are kept of a rule's matches; the oldest give way.
    const CAPTURES_MAX: usize = 8;

    fn new(evidence: Evidence) -> Self {
        let at = evidence.at;
        let Evidence { rule, subject, nats, mut values, flow, captures, .. } = evidence;
        values.truncate(Self::VALUES_MAX);
        let (flows, captures) = (flow.into_iter().collect(), captures.into());
        Self { rule, subject, nats, credited: at, first: at, last: at, count: 1, values, flows, captures }
    }

    fn is_of(&self, rule: &Rule, subject: &Entity) -> bool {
        self.rule.id == rule.id && self.subject == *subject
    }

    /// Whether it is a sign of one resident, not of the house.
    const fn is_personal(&self) -> bool {
        matches!(self.subject, Entity::Account(_) | Entity::Device(_))
    }

    fn worth(&self, at: Timestamp, settings: &Settings) -> f64 {
        let half_lives = at.since(self.last).as_secs_f64() / settings.half_life.as_secs_f64();
        self.nats * (-half_lives).exp2()
    }
}

impl Ledger {
    /// The most items; the one that is worth least gives way.
    pub(super) const ITEMS_MAX: usize = 96;
    /// What each item of a family but the strongest counts for.
    const REST: f64 = 0.25;
    /// The weight of a sign of one resident is that of a household of so many.
    const HOUSEHOLD: f64 = 3.0;

    /// Takes note of a match within the window of one that counts already, and says how much it has brought back of what had
    /// faded; nothing where there is none.
    pub(super) fn repeat(&mut self, rule: &Rule, subject: &Entity, at: Timestamp, settings: &Settings) -> Option<f64> {
        let item = self.items.iter_mut().find(|item| item.is_of(rule, subject))?;
        if at.since(item.credited) >= settings.window {
            return None;
        }
        let faded = item.worth(at, settings);
        item.last = item.last.max(at);
        item.count += 1;
        Some(item.worth(at, settings) - faded)
    }

    /// Takes the values of a match that [`Self::repeat`] has taken note of.
    pub(super) fn renew(&mut self, rule: &Rule, subject: &Entity, mut values: Vec<(String, Value)>) {
        values.truncate(Item::VALUES_MAX);
        if let Some(item) = self.items.iter_mut().find(|item| item.is_of(rule, subject)) {
            item.values = values;
        }
    }

    /// Credits a match that counts: the first of its rule and subject in a window.
    pub(super) fn credit(&mut self, evidence: Evidence, settings: &Settings) {
        let known = self.items.iter().position(|item| item.is_of(&evidence.rule, &evidence.subject));
        let at = evidence.at;
        let mut item = Item::new(evidence);
        if let Some(known) = known {
            let before = self.items.swap_remove(known);
            item.first = before.first;
            item.count = before.count + 1;
            // A rule that a reload made weaker, or a device that is no longer new, takes nothing back within a half-life.
            item.nats = item.nats.max(before.worth(at, settings));
            item.flows = before.flows.into_iter().chain(item.flows).collect();
            while item.flows.len() > Item::FLOWS_MAX {
                item.flows.pop_front();
            }
            item.captures = before.captures.into_iter().chain(item.captures).collect();
        }
        let excess = item.captures.len().saturating_sub(Item::CAPTURES_MAX);
        item.captures.drain(..excess);
        self.items.push(item);
        self.make_room(at, settings);
    }

    /// Takes over the items of another ledger: those of a device or account that turned out to be at this site.
    pub(super) fn absorb(&mut self, other: Self, at: Timestamp, settings: &Settings) {
        for item in other.items {
            let known = self.items.iter_mut().find(|known| known.is_of(&item.rule, &item.subject));
            match known {
                None => self.items.push(item),
                Some(known) if known.worth(at, settings) < item.worth(at, settings) => *known = item,
                Some(_) => {}
            }
        }
        self.make_room(at, settings);
    }

    /// What was said of one is said of another from now on.
    pub(super) fn rename(&mut self, one: &Entity, other: &Entity) {
        for item in self.items.iter_mut().filter(|item| item.subject == *one) {
            item.subject.clone_from(other);
        }
    }

    fn make_room(&mut self, at: Timestamp, settings: &Settings) {
        while self.items.len() > Self::ITEMS_MAX {
            let least = self.items.iter().enumerate().min_by(|(_, a), (_, b)| {
                let by_worth = a.worth(at, settings).total_cmp(&b.worth(at, settings));
                by_worth.then_with(|| (a.last, &a.rule.id, &a.subject).cmp(&(b.last, &b.rule.id, &b.subject)))
            });
            let Some((least, _)) = least else { return };
            self.items.swap_remove(least);
        }
    }

    /// What the ledger of `entity` comes to.
    pub(super) fn balance(
        &self,
        entity: &Entity,
        at: Timestamp,
        settings: &Settings,
        dismissals: &Dismissals,
    ) -> Balance {
        let lasting = settings.dismissal;
        let less = |who: &Entity, family| {
            let is_dismissed = dismissals.is_dismissed(who, family, at, lasting);
            if is_dismissed { settings.dismissal_nats } else { 0.0 }
        };
        let mut by_family: BTreeMap<Family, Vec<(f64, usize)>> = BTreeMap::new();
        let shown_by = self.shown_by();
        for (index, item) in self.items.iter().enumerate() {
            let family = item.rule.family;
            let of_subject = if item.subject == *entity { 0.0 } else { less(&item.subject, family) };
            let of_crowd = if item.is_personal() { self.crowd_nats(shown_by.get(&*item.rule.id)) } else { 0.0 };
            let worth = item.worth(at, settings) - of_subject - of_crowd;
            by_family.entry(family).or_default().push((worth.max(0.0), index));
        }
        let mut families: Vec<Sum> = by_family
            .into_iter()
            .map(|(family, mut items)| {
                items.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| self.key(a.1).cmp(&self.key(b.1))));
                let strongest = items.first().map_or(0.0, |(worth, _)| *worth);
                let rest: f64 = items.iter().skip(1).map(|(worth, _)| worth).sum();
                let nats = strongest + Self::REST * rest - less(entity, family);
                Sum { family, nats: nats.max(0.0), items }
            })
            .collect();
        families.sort_by(|a, b| b.nats.total_cmp(&a.nats).then(a.family.cmp(&b.family)));
        Balance { at, families }
    }

    pub(super) fn told(&self, balance: &Balance) -> Vec<FamilyEvidence> {
        let item = |&(nats, index): &(f64, usize)| {
            let item = self.items.get(index)?;
            Some(EvidenceItem {
                rule: item.rule.name.clone(),
                title: item.rule.title.clone(),
                subject: item.subject.clone(),
                first: item.first,
                last: item.last,
                count: item.count,
                nats,
                values: item.values.clone(),
                flows: item.flows.iter().cloned().collect(),
                captures: item.captures.iter().cloned().collect(),
            })
        };
        let family = |sum: &Sum| FamilyEvidence {
            family: sum.family,
            nats: sum.nats,
            items: sum.items.iter().filter_map(item).collect(),
        };
        balance.families.iter().map(family).collect()
    }

    /// How many residents show each rule's sign.
    fn shown_by(&self) -> BTreeMap<&str, usize> {
        let mut shown_by = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.is_personal()) {
            *shown_by.entry(&*item.rule.id).or_default() += 1;
        }
        shown_by
    }

    /// What a sign says less that so many show, since one of the others might have.
    fn crowd_nats(&self, shown_by: Option<&usize>) -> f64 {
        let expected = Self::HOUSEHOLD * shown_by.map_or(1.0, |&shown_by| shown_by as f64);
        (self.residents as f64 / expected).max(1.0).ln()
    }

    /// What orders items of the same worth.
    fn key(&self, index: usize) -> Option<(&str, &Entity)> {
        self.items.get(index).map(|item| (item.rule.name.as_str(), &item.subject))
    }
}
