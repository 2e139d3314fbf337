//! What rules matched in, incidents out: evidence adds up for each site, account and device until it is worth
//! somebody's time, and then it is said once.
//!
//! A rule's weight is the logarithm of its likelihood ratio, in nats. Evidence about a device or an account is credited
//! to the site where it is, or that it is driven from, since a farm is a house and not a laptop. The rule, its weight and
//! its family are policy; here is how they add up (`ledger`), when that is an incident, and what analysts dismissed
//! (`dismissal`).

pub mod dismissal;
mod explain;
pub mod incident;
mod kept;
mod ledger;
mod moving;
mod newness;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::net::Text;
use crate::quantity;
use crate::recent::{Recent, Retention, Usage};
use crate::rules::{Level, Rule};
use crate::time::Timestamp;
use crate::world::World;
pub use dismissal::{Dismissal, Dismissals};
pub use explain::Called;
use explain::Story;
pub use incident::{EvidenceItem, FamilyEvidence, Incident, IncidentId, IncidentKey, State};
pub use ledger::Evidence;
use ledger::{Balance, Ledger, Open};
pub use newness::Newness;

/// How evidence adds up, and when it is an incident.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// So much evidence is an incident, in nats. Two thirds of what a farm of eight in 10,000 laptops takes to be likelier
    /// than not is the prior's; the rest pays for what is correlated across families.
    #[serde(deserialize_with = "quantity::positive")]
    pub threshold: f64,
    /// And of so many families.
    pub families_min: usize,
    /// What a family must come to, to be counted among them.
    pub family_nats_min: f64,
    /// The same rule about the same subject counts once in this time.
    #[serde(deserialize_with = "quantity::duration")]
    pub window: Duration,
    /// In this time evidence that is not seen again loses half its worth.
    #[serde(deserialize_with = "quantity::some_time")]
    pub half_life: Duration,
    /// How long a dismissal holds, and what it takes from a family.
    #[serde(deserialize_with = "quantity::duration")]
    pub dismissal: Duration,
    pub dismissal_nats: f64,
    pub newness: Newness,
    /// The entities that evidence is kept of.
    pub entities: Retention,
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            threshold: 14.0,
            families_min: 3,
            family_nats_min: 0.5,
            window: 7 * day,
            half_life: 14 * day,
            dismissal: 90 * day,
            dismissal_nats: 4.0,
            newness: Newness::default(),
            entities: Retention { entries_max: 200_000, keep: 90 * day },
        }
    }
}

/// The evidence about everybody.
pub struct Risk {
    settings: Settings,
    key: IncidentKey,
    ledgers: Recent<Entity, Ledger>,
    dismissals: Dismissals,
    /// Open incidents by when their evidence will have faded.
    closing: BTreeSet<(Timestamp, Entity)>,
    opened: BTreeMap<&'static str, Openings>,
    /// Entities that gave way with an open incident.
    displaced: u64,
    counted: Timestamp,
    /// Those of whom there was most evidence when it was last counted, in nats, the most first.
    riskiest: Vec<(Entity, f64)>,
    distribution: [u64; SHARES.len()],
}

/// Incidents that opened about one kind of entity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Openings {
    pub count: u64,
    pub latest: Example,
}

/// An incident that a number can be explained with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Example {
    pub incident: IncidentId,
    /// When it was counted.
    pub at: Timestamp,
}

/// Parts of the threshold that evidence can come to, and their names.
pub const SHARES: &[(f64, &str)] = &[(0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75"), (1.0, "1")];

impl Risk {
    /// The most nats that one item is worth: ln(1000).
    pub const ITEM_NATS_MAX: f64 = 6.9;
    /// So much more than the threshold is critical: another item as strong as one can be.
    const CRITICAL_NATS: f64 = Self::ITEM_NATS_MAX;
    /// All evidence is counted so often, in packet time.
    const COUNT_INTERVAL: Duration = Duration::from_secs(600);
    /// The most entities that are told with their evidence.
    pub const RISKIEST_MAX: usize = 100;
    /// An incident closes when its evidence comes to less than this part of the threshold.
    const CLOSED_BELOW: f64 = 0.5;
    /// A match that is seen again is worth a look where it brings back so much of what had faded.
    const NOTICED_NATS: f64 = 0.1;
    /// An incident whose evidence is still there when it would have faded stays open for so long at least.
    const CLOSED_LATER: Duration = Duration::from_secs(3600);

    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            key: IncidentKey::published(),
            ledgers: Recent::new(settings.entities),
            dismissals: Dismissals::default(),
            closing: BTreeSet::new(),
            opened: BTreeMap::new(),
            displaced: 0,
            counted: Timestamp::ZERO,
            riskiest: Vec::new(),
            distribution: [0; SHARES.len()],
        }
    }

    /// Makes the ids of incidents that open from here on with a key.
    pub fn use_key(&mut self, key: IncidentKey) {
        self.key = key;
    }

    /// Takes note of a match that counts already; what there is to say of it, if anything. Where there is none,
    /// [`Self::credit`] it.
    pub fn repeat(
        &mut self,
        holder: &Entity,
        rule: &Rule,
        subject: &Entity,
        at: Timestamp,
        world: &World,
    ) -> Option<Vec<Incident>> {
        let brought_back = self.ledgers.get_mut(holder, at)?.repeat(rule, subject, at, &self.settings)?;
        let is_noticed = brought_back >= Self::NOTICED_NATS;
        Some(is_noticed.then(|| self.weigh(holder, at, world)).flatten().into_iter().collect())
    }

    /// Takes the values of a match that counts already over those of the ones before.
    pub fn renew(&mut self, holder: &Entity, rule: &Rule, subject: &Entity, values: Vec<(String, Value)>) {
        if let Some(ledger) = self.ledgers.get_unmoved(holder) {
            ledger.renew(rule, subject, values);
        }
    }

    /// Credits a match to `holder`; what there is to say of it, if anything.
    pub fn credit(&mut self, holder: &Entity, mut evidence: Evidence, world: &World) -> Vec<Incident> {
        let at = evidence.at;
        let factor = self.settings.newness.factor(&evidence.subject, at, world);
        evidence.nats = (evidence.nats * factor).min(Self::ITEM_NATS_MAX);
        let mut said = self.move_in(holder, at, world);
        let settings = self.settings;
        if self.ledgers.get(holder).is_none() {
            said.extend(self.give_way(at, world));
        }
        let ledger = match self.ledgers.get_mut(holder, at) {
            Some(ledger) => ledger,
            None => self.ledgers.get_or_insert_with(holder.clone(), at, Ledger::default),
        };
        if ledger.repeat(&evidence.rule, &evidence.subject, at, &settings).is_none() {
            ledger.credit(evidence, &settings);
        }
        said.extend(self.weigh(holder, at, world));
        said
    }

    /// Takes an analyst's word. What it closes, or changes, is said.
    pub fn dismiss(&mut self, dismissal: &Dismissal, now: Timestamp, world: &World) -> Vec<Incident> {
        if !self.dismissals.add(dismissal) {
            return Vec::new();
        }
        let open = self.closing.iter().find(|(_, entity)| *entity == dismissal.entity).cloned();
        if let Some(open) = open.filter(|_| dismissal.family.is_none()) {
            self.closing.remove(&open);
            return self.close(&open.1, now, world).into_iter().collect();
        }
        let concerned: Vec<Entity> = self.closing.iter().map(|(_, entity)| entity.clone()).collect();
        concerned.iter().filter_map(|entity| self.weigh(entity, now, world)).collect()
    }

    /// Dismissals that were said before the start. One that an open incident was not told of closes it with the next fact.
    pub fn restore_dismissals(&mut self, dismissals: &[Dismissal]) {
        for dismissal in dismissals {
            self.dismissals.add(dismissal);
        }
        for (closes, entity) in self.closing.clone() {
            let Some((ledger, open)) =
                self.ledgers.get(&entity).and_then(|ledger| Some((ledger, ledger.open.as_ref()?)))
            else {
                continue;
            };
            let said = || dismissals.iter().filter(|said| said.entity == entity && said.at >= open.opened);
            let Some(at) = said().map(|said| said.at).max() else { continue };
            let is_too_little =
                self.balance(&entity, ledger, at).score() < self.settings.threshold * Self::CLOSED_BELOW;
            if is_too_little || said().any(|said| said.family.is_none()) {
                let at = at.min(closes);
                self.closing.remove(&(closes, entity.clone()));
                if let Some(open) = self.ledgers.get_unmoved(&entity).and_then(|ledger| ledger.open.as_mut()) {
                    (open.closes, open.is_dismissed) = (at, true);
                }
                self.closing.insert((at, entity));
            }
        }
    }

    /// Closes the incidents whose evidence has faded, and forgets who was not heard of.
    pub fn expire(&mut self, now: Timestamp, world: &World) -> Vec<Incident> {
        let mut said = Vec::new();
        while let Some((closes, entity)) = self.closing.first().filter(|(closes, _)| *closes <= now).cloned() {
            self.closing.remove(&(closes, entity.clone()));
            if !self.stays_open(&entity, closes) {
                said.extend(self.close(&entity, closes, world));
            }
        }
        self.ledgers.expire(now);
        if now.since(self.counted) >= Self::COUNT_INTERVAL {
            self.count(now);
        }
        said
    }

    /// The open incidents as they are at a moment, by when their evidence will have faded.
    pub fn open(&self, now: Timestamp, world: &World) -> impl Iterator<Item = Incident> {
        self.closing.iter().filter_map(move |(_, entity)| {
            let ledger = self.ledgers.get(entity)?;
            let open = ledger.open.as_ref()?;
            Some(self.incident(entity, ledger, open, State::Updated, &self.balance(entity, ledger, now), world))
        })
    }

    /// Open incidents by the kind of whom they are about, and by level.
    pub fn open_by_kind(&self) -> BTreeMap<(&'static str, Level), u64> {
        let levels = [Level::High, Level::Critical];
        let kinds = Entity::KINDS.iter().flat_map(|kind| levels.map(|level| ((*kind, level), 0)));
        let mut counts: BTreeMap<_, _> = kinds.collect();
        for (_, entity) in &self.closing {
            if let Some(open) = self.ledgers.get(entity).and_then(|ledger| ledger.open.as_ref()) {
                *counts.entry((entity.kind(), open.level)).or_default() += 1;
            }
        }
        counts
    }

    /// The open incident about an entity.
    pub fn open_about(&self, entity: &Entity) -> Option<IncidentId> {
        self.ledgers.get(entity)?.open.as_ref().map(|open| open.id)
    }

    /// Counts anew how much evidence there is about how many.
    pub fn count(&mut self, now: Timestamp) {
        self.counted = now;
        let mut distribution = [0; SHARES.len()];
        let mut scores: Vec<(f64, &Entity)> = Vec::new();
        for (entity, ledger) in self.ledgers.iter() {
            let score = self.balance(entity, ledger, now).score();
            for (count, (reached, _)) in distribution.iter_mut().zip(SHARES) {
                *count += u64::from(score / self.settings.threshold >= *reached);
            }
            scores.push((score, entity));
        }
        let most_first = |a: &(f64, &Entity), b: &(f64, &Entity)| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1));
        if scores.len() > Self::RISKIEST_MAX {
            scores.select_nth_unstable_by(Self::RISKIEST_MAX, most_first);
            scores.truncate(Self::RISKIEST_MAX);
        }
        scores.sort_by(most_first);
        self.riskiest = scores.into_iter().map(|(score, entity)| (entity.clone(), score)).collect();
        self.distribution = distribution;
    }

    /// How many entities' evidence came to each of [`SHARES`] when that was last counted.
    pub const fn distribution(&self) -> [u64; SHARES.len()] {
        self.distribution
    }

    /// Those of whom there was most evidence when it was last counted, in nats, the most first.
    pub fn riskiest(&self) -> &[(Entity, f64)] {
        &self.riskiest
    }

    /// Incidents ever opened, by the kind of whom they are about.
    pub const fn opened(&self) -> &BTreeMap<&'static str, Openings> {
        &self.opened
    }

    pub fn usage(&self) -> Usage {
        self.ledgers.usage()
    }

    /// How many entities gave way to others because the table was full.
    pub const fn evicted(&self) -> u64 {
        self.ledgers.evicted() + self.displaced
    }

    /// Puts off the end of an incident whose evidence was seen again since that was worked out. False where there is none.
    fn stays_open(&mut self, entity: &Entity, at: Timestamp) -> bool {
        let Some(ledger) = self.ledgers.get(entity) else { return false };
        let lasting = self.lasting(self.balance(entity, ledger, at).score());
        let open = self.ledgers.get_unmoved(entity).and_then(|ledger| ledger.open.as_mut());
        let Some(open) = open.filter(|open| lasting >= Self::CLOSED_LATER && !open.is_dismissed) else {
            return false;
        };
        open.closes = at + lasting;
        self.closing.insert((open.closes, entity.clone()));
        true
    }

    /// Closes the incident of the one that a new entity displaces from a full table.
    fn give_way(&mut self, at: Timestamp, world: &World) -> Option<Incident> {
        let going = self.ledgers.next_to_go()?;
        let open = self.ledgers.get(going)?.open.as_ref()?;
        let going = (open.closes, going.clone());
        self.closing.remove(&going);
        let closed = self.close(&going.1, at, world);
        self.ledgers.remove(&going.1);
        self.displaced += 1;
        closed
    }

    /// Whether there is something to say of an entity: an incident opens, changes or closes.
    fn weigh(&mut self, entity: &Entity, at: Timestamp, world: &World) -> Option<Incident> {
        let settings = self.settings;
        if let Entity::Site(site) = entity {
            self.ledgers.get_unmoved(entity)?.residents = residents(*site, world);
        }
        let ledger = self.ledgers.get(entity)?;
        let balance = self.balance(entity, ledger, at);
        let (score, counted) = (balance.score(), balance.counted(&settings));
        let level = if score >= settings.threshold + Self::CRITICAL_NATS { Level::Critical } else { Level::High };
        let closes = at + self.lasting(score);
        let (state, open) = match &ledger.open {
            Some(open) if score < settings.threshold * Self::CLOSED_BELOW => {
                self.closing.remove(&(open.closes, entity.clone()));
                return self.close(entity, at, world);
            }
            Some(open) => {
                let is_news = level > open.level || counted.iter().any(|family| !open.families.contains(family));
                let families = open.families.iter().chain(&counted).copied().collect::<BTreeSet<_>>();
                let families = families.into_iter().collect();
                self.closing.remove(&(open.closes, entity.clone()));
                let open = Open { level: level.max(open.level), families, closes, ..open.clone() };
                (is_news.then_some(State::Updated), open)
            }
            None if score >= settings.threshold && counted.len() >= settings.families_min => {
                let id = IncidentId::of(&self.key, entity, at);
                let latest = Example { incident: id, at };
                let opened = self.opened.entry(entity.kind()).or_insert(Openings { count: 0, latest });
                *opened = Openings { count: opened.count + 1, latest };
                (Some(State::Opened), Open { id, opened: at, level, families: counted, closes, is_dismissed: false })
            }
            None => return None,
        };
        self.closing.insert((closes, entity.clone()));
        let ledger = self.ledgers.get(entity)?;
        let incident = state.map(|state| self.incident(entity, ledger, &open, state, &balance, world));
        if let Some(ledger) = self.ledgers.get_mut(entity, at) {
            ledger.open = Some(open);
        }
        incident
    }

    fn close(&mut self, entity: &Entity, at: Timestamp, world: &World) -> Option<Incident> {
        let ledger = self.ledgers.get(entity)?;
        let open = ledger.open.as_ref()?;
        let balance = self.balance(entity, ledger, at);
        let incident = self.incident(entity, ledger, open, State::Closed, &balance, world);
        if let Some(ledger) = self.ledgers.get_mut(entity, at) {
            ledger.open = None;
        }
        Some(incident)
    }

    fn balance(&self, entity: &Entity, ledger: &Ledger, at: Timestamp) -> Balance {
        ledger.balance(entity, at, &self.settings, &self.dismissals)
    }

    /// How long evidence stays above where an incident closes. What a dismissal takes makes it less: then the incident
    /// closes at the latest so.
    fn lasting(&self, score: f64) -> Duration {
        let half_lives = (score / (self.settings.threshold * Self::CLOSED_BELOW)).max(1.0).log2();
        self.settings.half_life.mul_f64(half_lives)
    }

    fn incident(
        &self,
        entity: &Entity,
        ledger: &Ledger,
        open: &Open,
        state: State,
        balance: &Balance,
        world: &World,
    ) -> Incident {
        let families = ledger.told(balance);
        let (accounts, devices) = housed(entity, ledger, world);
        let techniques: BTreeSet<String> = ledger.items.iter().flat_map(|item| item.rule.techniques()).collect();
        let (score, threshold) = (balance.score(), self.settings.threshold);
        let called: Vec<Called> = devices.iter().map(|&device| Called::of(device, world)).collect();
        let hosts: BTreeSet<Text> = called.iter().filter_map(|device| device.name.clone()).collect();
        let story =
            Story { entity, score, threshold, families: &families, accounts: &accounts, devices: &called, ledger };
        Incident {
            id: open.id,
            entity: entity.clone(),
            state,
            opened: open.opened,
            updated: balance.at,
            level: open.level,
            score,
            explanation: story.sentences(),
            families,
            accounts,
            devices,
            hosts: hosts.into_iter().collect(),
            techniques: techniques.into_iter().collect(),
        }
    }
}

/// How many accounts are at a site, or devices where they are more.
fn residents(site: Site, world: &World) -> usize {
    world.accounts_at(site).count().max(world.devices_at(site).count())
}

/// The accounts and devices at a site, and those that the evidence is about, each in order.
fn housed(entity: &Entity, ledger: &Ledger, world: &World) -> (Vec<Text>, Vec<crate::identity::device::DeviceId>) {
    let (mut accounts, mut devices) = (BTreeSet::new(), BTreeSet::new());
    if let Entity::Site(site) = entity {
        accounts.extend(world.accounts_at(*site).map(|(account, _)| account.clone()));
        devices.extend(world.devices_at(*site).map(|(device, _)| device));
    }
    for subject in ledger.items.iter().map(|item| &item.subject).chain([entity]) {
        match subject {
            Entity::Account(account) => drop(accounts.insert(account.clone())),
            Entity::Device(device) => drop(devices.insert(*device)),
            Entity::Address(_) | Entity::Group(_) | Entity::Site(_) => {}
        }
    }
    (accounts.into_iter().collect(), devices.into_iter().collect())
}

#[cfg(test)]
mod tests;
