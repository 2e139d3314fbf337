//! Events in; alerts by the rules, and incidents where what the rules matched adds up, out.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::{self, Alert, Suppression};
use crate::event::Event;
use crate::exhibit::{ExhibitName, Shelf};
use crate::facts::{Fact, Watermark};
use crate::identity::entity::Entity;
use crate::memory::{Memory, MemoryError};
use crate::recent::Usage;
use crate::risk::{self, Dismissal, Evidence, Example, Incident, Risk};
use crate::rules::{Judge, Judgement, Level, Limits, Rules};
use crate::time::Timestamp;
use crate::world::World;

use super::Output;

/// The rules, what was said by them, and what they come to.
pub(super) struct Court {
    pub(super) judge: Judge,
    pub(super) suppression: Suppression,
    pub(super) risk: Risk,
    /// The first packets of flows, where they are kept for rules that ask for them.
    pub(super) shelf: Option<Shelf>,
    /// Alerts by rule name and level.
    pub(super) alerts: BTreeMap<(String, Level), Said>,
}

/// How often a rule spoke.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Said {
    pub count: u64,
    /// An incident that was open about the same when it spoke.
    pub example: Option<Example>,
}

impl Court {
    pub(super) fn new(rules: &Rules, limits: Limits, risk: risk::Settings, shelf: Option<Shelf>) -> Self {
        Self {
            judge: Judge::new(rules, limits),
            suppression: Suppression::new(Suppression::RETENTION),
            risk: Risk::new(risk),
            shelf,
            alerts: BTreeMap::new(),
        }
    }

    pub(super) fn on_event(&mut self, event: Event<'_>, out: &mut dyn Output) {
        for judgement in self.judge.on_event(&event) {
            let entity = alert::entity(&judgement, &event);
            let holder = self.add_up(&judgement, entity.clone().canonical(), &event, out);
            let rule = &judgement.rule;
            if rule.level == Level::Informational {
                continue;
            }
            let Some(silent) = self.suppression.admit(rule, &entity, event.at()) else {
                continue;
            };
            let incident = holder.and_then(|holder| self.risk.open_about(&holder));
            let said = self.alerts.entry((rule.name.clone(), rule.level)).or_default();
            said.count += 1;
            said.example = incident.map(|incident| Example { incident, at: event.at() }).or(said.example);
            let captures = self.exhibits(&judgement, &event);
            out.alert(&Alert::new(judgement, &event, silent, captures));
        }
    }

    /// What is known of the fact's flow comes before the fact is judged.
    pub(super) fn before(&mut self, fact: &Fact) {
        if let Some(shelf) = &mut self.shelf {
            shelf.on_fact(fact);
        }
    }

    /// The fact, and what was found in it, was judged.
    pub(super) fn after(&mut self, fact: &Fact, out: &mut dyn Output) {
        if let Some(shelf) = &mut self.shelf {
            shelf.after_fact(fact);
            shelf.take_finished().into_iter().for_each(|exhibit| out.exhibit(exhibit));
        }
    }

    /// Every fact before `end` was judged.
    pub(super) fn put_up(&mut self, end: Watermark, out: &mut dyn Output) {
        if let Some(shelf) = &mut self.shelf {
            shelf.advance(end);
            shelf.take_finished().into_iter().for_each(|exhibit| out.exhibit(exhibit));
        }
    }

    /// Every fact was judged.
    pub(super) fn finish(&mut self, out: &mut dyn Output) {
        if let Some(shelf) = &mut self.shelf {
            shelf.finish();
            shelf.take_finished().into_iter().for_each(|exhibit| out.exhibit(exhibit));
        }
    }

    pub(super) fn on_dismissal(&mut self, said: &Dismissal, now: Timestamp, world: &World, out: &mut dyn Output) {
        hand_out(&self.risk.dismiss(said, now, world), out);
    }

    pub(super) fn expire(&mut self, now: Timestamp, world: &World, out: &mut dyn Output) {
        self.suppression.expire(now);
        hand_out(&self.risk.expire(now, world), out);
    }

    pub(super) fn remember(&self, memory: &mut Memory) {
        self.judge.remember(memory);
        self.suppression.remember(memory);
        self.risk.remember(memory);
    }

    pub(super) fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        self.judge.recall(memory)?;
        self.suppression.recall(memory)?;
        self.risk.recall(memory, |id| self.judge.rule(id))
    }

    /// How full the tables are.
    pub(super) fn usage(&self) -> [(&'static str, Usage); 2] {
        [("alerts", self.suppression.usage()), ("evidence", self.risk.usage())]
    }

    pub(super) fn evicted(&self) -> u64 {
        self.suppression.evicted() + self.judge.forgotten() + self.risk.evicted()
    }

    /// Writes a match down, and tells in whose ledger.
    fn add_up(
        &mut self,
        judgement: &Judgement,
        entity: Entity,
        event: &Event<'_>,
        out: &mut dyn Output,
    ) -> Option<Entity> {
        let (rule, at) = (&judgement.rule, event.at());
        if rule.weight <= 0.0 {
            return None;
        }
        let holder = holder(&entity, event);
        if let Some(said) = self.risk.repeat(&holder, rule, &entity, at, event.world()) {
            hand_out(&said, out);
            // Facts say the same time and again; what a detector found grows.
            if event.finding().is_some() {
                self.risk.renew(&holder, rule, &entity, alert::evidence(judgement, event));
            }
            return Some(holder);
        }
        let evidence = Evidence {
            rule: std::sync::Arc::clone(rule),
            subject: entity,
            at,
            nats: rule.weight,
            values: alert::evidence(judgement, event),
            flow: event.community_id(),
            captures: self.exhibits(judgement, event),
        };
        hand_out(&self.risk.credit(&holder, evidence, event.world()), out);
        Some(holder)
    }

    /// The captures of the flows that a rule matched, where it asks for them: of the event's, and of those it counted.
    fn exhibits(&mut self, judgement: &Judgement, event: &Event<'_>) -> Vec<ExhibitName> {
        let Some(shelf) = self.shelf.as_mut().filter(|_| judgement.rule.capture) else {
            return Vec::new();
        };
        let own = event.community_id();
        let mut counted: BTreeSet<&str> = judgement
            .correlation
            .iter()
            .flat_map(|correlated| &correlated.events)
            .filter_map(|fields| fields.get("network.community_id")?.as_str())
            .collect();
        counted.remove(own.as_deref().unwrap_or_default());
        let mut names: Vec<ExhibitName> = own.and_then(|_| shelf.want(event.flow())).into_iter().collect();
        names.extend(counted.into_iter().filter_map(|id| shelf.want_community_id(id)));
        names.sort();
        names
    }
}

/// Whose ledger a match is written into. Values that only together name somebody say nothing of where that is: the event
/// does.
fn holder(entity: &Entity, event: &Event<'_>) -> Entity {
    let world = event.world();
    if !matches!(entity, Entity::Group(_)) {
        return world.holder(entity);
    }
    let site = event.site_about().filter(|site| world.is_a_household(*site)).map(Entity::Site);
    let device = || event.device(event.home_side()?).map(Entity::Device);
    site.or_else(device).unwrap_or_else(|| entity.clone())
}

fn hand_out(incidents: &[Incident], out: &mut dyn Output) {
    for incident in incidents {
        out.incident(incident);
    }
}
