//! Facts of all shards in, events and alerts out: merging, enrichment, identity, detection, rules and suppression as one
//! value, on one thread.

mod court;
mod lengths;
mod merge;
mod tally;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::alert::Alert;
use crate::detect::{self, DailyDetectors, Detectors, Finding};
use crate::distribution::Distribution;
use crate::enrich::geo::Geo;
use crate::enrich::networks::NetworksError;
use crate::event::Event;
use crate::exhibit::{self, Exhibit, Shelf};
use crate::facts::{Fact, FactKind, Numbers};
use crate::identity;
use crate::identity::device::{Device, DeviceId};
use crate::identity::entity::Entity;
use crate::memory::{Memory, MemoryError};
use crate::net::Transport;
use crate::profile::activity::{self, Activity};
use crate::recent::Usage;
use crate::risk::{self, Dismissal, Incident, IncidentKey, Openings};
use crate::rules::{Level, Rules};
use crate::shard::Batch;
use crate::time::Timestamp;
use crate::world::{self, World};
use court::Court;
pub use court::Said;
use lengths::Lengths;
pub use lengths::{Counters as LengthCounters, VpnClass};
use merge::{Merge, Reader};
use tally::Tally;

/// What the analysis is told by the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub world: world::Settings,
    pub activity: activity::Settings,
    pub detect: detect::Settings,
    pub risk: risk::Settings,
    pub limits: Limits,
    pub evidence_captures: exhibit::Settings,
}

/// How much the analysis remembers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub identity: identity::Limits,
    pub correlations: crate::rules::Limits,
    /// The most facts that wait for the slowest shard.
    pub waiting_facts_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { identity: Default::default(), correlations: Default::default(), waiting_facts_max: 1 << 18 }
    }
}

/// Where events and alerts go.
pub trait Output {
    /// Whether every event is to be handed out; rules see them anyway.
    fn wants_events(&self) -> bool;
    fn event(&mut self, event: &Event<'_>);
    fn alert(&mut self, alert: &Alert);
    fn incident(&mut self, incident: &Incident);
    /// A capture that a rule asked for. Where nobody keeps them, there are none.
    fn exhibit(&mut self, _: Exhibit) {}
}

/// What the analysis counts, as plain numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Counters {
    /// Facts by their category.
    pub facts: BTreeMap<&'static str, u64>,
    /// Findings by their detector.
    pub findings: BTreeMap<&'static str, u64>,
    /// Alerts by rule name and level.
    pub alerts: BTreeMap<(String, Level), Said>,
    /// Flows that ended, by their first protocol; the empty name stands for none.
    pub sessions: BTreeMap<&'static str, u64>,
    /// Flows that ended, by the id of their product and whether the organisation uses it itself.
    pub applications: BTreeMap<(String, bool), u64>,
    pub lengths: LengthCounters,
    /// TCP flows that ended and carried payload, by the sides that were seen; a payload has an acknowledgement.
    pub tcp_flows_of_both_sides: u64,
    pub tcp_flows_of_one_side: u64,
    /// Incidents that opened, by the kind of whom they are about, and those that are open, by kind and level.
    pub incidents_opened: BTreeMap<&'static str, Openings>,
    pub incidents_open: BTreeMap<(&'static str, Level), u64>,
    /// How many entities' evidence comes to each part of the threshold, see [`risk::SHARES`].
    pub risk: [u64; risk::SHARES.len()],
    /// Households outside, devices and accounts that are known.
    pub entities: BTreeMap<&'static str, u64>,
    /// How many accounts each site houses that houses any, and at how many sites each account was.
    pub accounts_per_site: Distribution,
    pub sites_per_account: Distribution,
    /// Matches that were not said because the same was said before.
    pub alerts_suppressed: u64,
    /// How full each table is.
    pub tables: BTreeMap<&'static str, Usage>,
    /// Rules in force.
    pub rules: u64,
    pub correlation_groups: u64,
    /// Entries that gave way to others because a table was full.
    pub evicted: u64,
    /// Destinations that gave way because their table was full.
    pub destinations_evicted: u64,
    /// Facts that were handled before the slowest shard had come so far, because too many waited.
    pub hurried_facts: u64,
    /// Facts that wait for the slowest shard.
    pub waiting_facts: u64,
    /// The first packets of flows; nothing where they are not kept.
    pub exhibits: Option<exhibit::Counters>,
    /// Records that a geographic database could not give.
    pub undecodable_places: u64,
}

/// A house has few accounts, and an account few houses.
const HOUSED: &[f64] = &[1.0, 2.0, 3.0, 5.0, 8.0, 16.0, 32.0, 64.0];
const PLACES: &[f64] = &[1.0, 2.0, 3.0, 5.0, 8.0, 16.0];

impl Default for Counters {
    fn default() -> Self {
        Self {
            facts: BTreeMap::new(),
            findings: BTreeMap::new(),
            alerts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            applications: BTreeMap::new(),
            lengths: LengthCounters::default(),
            tcp_flows_of_both_sides: 0,
            tcp_flows_of_one_side: 0,
            incidents_opened: BTreeMap::new(),
            incidents_open: BTreeMap::new(),
            risk: [0; risk::SHARES.len()],
            entities: BTreeMap::new(),
            accounts_per_site: Distribution::new(HOUSED),
            sites_per_account: Distribution::new(PLACES),
            alerts_suppressed: 0,
            tables: BTreeMap::new(),
            rules: 0,
            correlation_groups: 0,
            evicted: 0,
            destinations_evicted: 0,
            hurried_facts: 0,
            waiting_facts: 0,
            exhibits: None,
            undecodable_places: 0,
        }
    }
}

impl Counters {
    pub fn incidents(&self) -> u64 {
        self.incidents_opened.values().map(|opened| opened.count).sum()
    }

    pub fn alerts(&self) -> u64 {
        self.alerts.values().map(|said| said.count).sum()
    }

    /// Flows that ended, by the id of their product.
    pub fn products(&self) -> BTreeMap<&str, u64> {
        let mut sums = BTreeMap::new();
        for ((product, _), count) in &self.applications {
            *sums.entry(product.as_str()).or_default() += count;
        }
        sums
    }

    /// How many entities of a kind are known.
    pub fn known(&self, kind: &str) -> u64 {
        self.entities.get(kind).copied().unwrap_or(0)
    }
}

pub struct Analysis {
    merge: Merge,
    stages: Stages,
}

/// What follows the merge.
struct Stages {
    world: World,
    activity: Activity,
    detectors: Detectors,
    daily_detectors: DailyDetectors,
    court: Court,
    expired: Timestamp,
    /// The time of the latest fact.
    latest: Timestamp,
    numbers: Numbers,
    findings: Vec<Finding>,
    facts: Tally,
    sessions: Tally,
    lengths: Lengths,
    counters: Counters,
}

impl Analysis {
    pub fn new(settings: &Settings, rules: &Rules, geo: Geo, shards: usize) -> Result<Self, NetworksError> {
        let kept = &settings.evidence_captures;
        let shelf = kept.openings().map(|_| Shelf::new(kept, shards));
        let stages = Stages {
            world: World::new(&settings.world, rules.products(), geo, settings.limits.identity)?,
            activity: Activity::new(settings.activity),
            detectors: Detectors::new(&settings.detect),
            daily_detectors: DailyDetectors::new(&settings.detect),
            court: Court::new(rules, settings.limits.correlations, settings.risk, shelf),
            expired: Timestamp::ZERO,
            latest: Timestamp::ZERO,
            numbers: Numbers::default(),
            findings: Vec::new(),
            facts: Tally::default(),
            sessions: Tally::default(),
            lengths: Lengths::new(),
            counters: Counters { rules: rules.list().count() as u64, ..Counters::default() },
        };
        Ok(Self { merge: Merge::new(shards, settings.limits.waiting_facts_max), stages })
    }

    /// Takes what a shard hands over, and handles every fact that no shard can come before any more.
    pub fn on_batch(&mut self, batch: Batch, out: &mut dyn Output) {
        if let Some(shelf) = &mut self.stages.court.shelf {
            shelf.add(batch.shard, batch.openings);
        }
        self.merge.add(batch.shard, batch.facts, batch.watermark);
        self.merge.release(&mut Handling { stages: &mut self.stages, out });
        self.stages.court.put_up(self.merge.complete(), out);
    }

    /// Handles what still waits: no shard has more to say.
    pub fn finish(&mut self, out: &mut dyn Output) {
        self.merge.release_all(&mut Handling { stages: &mut self.stages, out });
        let stages = &mut self.stages;
        stages.court.finish(out);
        stages.court.risk.count(stages.latest);
    }

    /// The shard that has come least far, whose facts are waited for; none where every shard is finished.
    pub fn slowest_shard(&self) -> Option<usize> {
        self.merge.slowest()
    }

    /// Takes new settings and rules and keeps what was learnt. Where the settings are at fault, the old ones stay in
    /// force. Limits and the detectors' thresholds are those of the start.
    pub fn reload(&mut self, settings: &world::Settings, rules: &Rules, geo: Geo) -> Result<(), NetworksError> {
        self.stages.world.reload(settings, rules.products(), geo)?;
        self.stages.court.judge.reload(rules);
        self.stages.counters.rules = rules.list().count() as u64;
        Ok(())
    }

    pub fn counters(&self) -> Counters {
        let stages = &self.stages;
        let sites = stages.world.identity.sites();
        Counters {
            facts: stages.facts.counts(),
            sessions: stages.sessions.counts(),
            alerts: stages.court.alerts.clone(),
            alerts_suppressed: stages.court.suppression.suppressed(),
            lengths: stages.lengths.counters.clone(),
            incidents_opened: stages.court.risk.opened().clone(),
            incidents_open: stages.court.risk.open_by_kind(),
            risk: stages.court.risk.distribution(),
            entities: stages.entities(),
            accounts_per_site: Distribution::of(HOUSED, sites.accounts_per_site()),
            sites_per_account: Distribution::of(PLACES, sites.sites_per_account()),
            tables: stages.tables(),
            correlation_groups: stages.court.judge.group_count() as u64,
            destinations_evicted: stages.activity.destinations_evicted(),
            evicted: stages.world.evicted()
                + stages.activity.evicted()
                + stages.detectors.evicted()
                + stages.daily_detectors.left_out()
                + stages.lengths.evicted()
                + stages.court.evicted(),
            hurried_facts: self.merge.hurried(),
            waiting_facts: self.merge.waiting() as u64,
            exhibits: stages.court.shelf.as_ref().map(Shelf::counters),
            undecodable_places: stages.world.geo.undecodable(),
            ..stages.counters.clone()
        }
    }

    /// How far the facts of all shards are handled.
    pub fn complete(&self) -> Timestamp {
        self.merge.complete().at
    }

    /// Those of whom there was most evidence when it was last counted, in nats, the most first.
    pub fn riskiest(&self) -> &[(Entity, f64)] {
        self.stages.court.risk.riskiest()
    }

    /// What outlives the process; what still waits for a slow shard does not.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        self.remember(&mut memory);
        memory
    }

    /// Puts what outlives the process into a memory, as much of it as the pass takes. Stages may be of different moments then;
    /// what numbers and times are counted on from comes last, so that it is behind all of them.
    pub fn remember(&self, memory: &mut Memory) {
        let stages = &self.stages;
        stages.world.remember(memory);
        memory.together("activity", |memory| stages.activity.remember(memory));
        stages.detectors.remember(memory);
        stages.court.remember(memory);
        memory.together("numbers", |memory| {
            memory.put("clock", &stages.latest);
            memory.put("numbers", &stages.numbers);
        });
    }

    /// Takes up what an earlier process remembered, and the dismissals.
    pub fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        let stages = &mut self.stages;
        stages.latest = memory.get("clock")?.unwrap_or_default();
        stages.numbers = memory.get("numbers")?.unwrap_or_default();
        stages.world.recall(memory)?;
        stages.activity.recall(memory)?;
        stages.detectors.recall(memory)?;
        stages.court.recall(memory)
    }

    /// Makes the ids of incidents that open from here on with a key.
    pub fn use_incident_key(&mut self, key: IncidentKey) {
        self.stages.court.risk.use_key(key);
    }

    /// Takes dismissals that were said before, without a word.
    pub fn recall_dismissals(&mut self, dismissals: &[Dismissal]) {
        self.stages.court.risk.restore_dismissals(dismissals);
    }

    /// How far frames and recordings were numbered.
    pub const fn numbers(&self) -> Numbers {
        self.stages.numbers
    }

    /// The time of the latest fact.
    pub const fn latest(&self) -> Timestamp {
        self.stages.latest
    }

    /// Takes an analyst's word of what is innocent, as of the latest fact.
    pub fn dismiss(&mut self, dismissal: &Dismissal, out: &mut dyn Output) {
        let stages = &mut self.stages;
        stages.court.on_dismissal(dismissal, stages.latest, &stages.world, out);
    }

    /// The open incidents as they are at the latest fact, those that fade first at the beginning.
    pub fn incidents(&self) -> impl Iterator<Item = Incident> {
        self.stages.court.risk.open(self.stages.latest, &self.stages.world)
    }

    /// What is known beside the facts.
    pub fn world(&self) -> &World {
        &self.stages.world
    }

    /// The devices, those heard of longest ago first.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.stages.world.identity.devices()
    }
}

struct Handling<'a> {
    stages: &'a mut Stages,
    out: &'a mut dyn Output,
}

impl Reader for Handling<'_> {
    fn ahead(&self, facts: &[&Fact]) {
        self.stages.world.fetch(facts);
        self.stages.activity.fetch(facts, |address| self.stages.world.device_id(address));
    }

    fn on_fact(&mut self, fact: &Fact) {
        self.stages.on_fact(fact, self.out);
    }
}

impl Stages {
    /// What is out of date is forgotten so often, in packet time.
    const EXPIRY_INTERVAL_SECS: u64 = 10;

    fn on_fact(&mut self, fact: &Fact, out: &mut dyn Output) {
        self.latest = self.latest.max(fact.at);
        self.numbers.note(fact.seq);
        self.expire(fact.at, out);
        self.court.before(fact);
        let application = self.world.observe(fact);
        self.count(fact, application.as_ref());
        let event = Event::of_fact(fact, application.as_ref(), &self.world);
        let mut findings = std::mem::take(&mut self.findings);
        if let Some(day) = self.activity.on_event(&event) {
            findings.extend(self.daily_detectors.on_day(day, &self.activity, &self.world, &event));
        }
        // What came to nothing is cheap to forge, and a scan makes any number.
        if !is_mere_attempt(fact) {
            self.detectors.on_event(&event, &mut findings);
        }
        if out.wants_events() {
            out.event(&event);
        }
        self.court.on_event(event, out);
        for finding in &findings {
            *self.counters.findings.entry(finding.detector).or_default() += 1;
            let event = Event::of_finding(finding, &self.world);
            if out.wants_events() {
                out.event(&event);
            }
            self.court.on_event(event, out);
        }
        findings.clear();
        self.findings = findings;
        self.court.after(fact, out);
    }

    fn expire(&mut self, now: Timestamp, out: &mut dyn Output) {
        if now.since(self.expired).as_secs() < Self::EXPIRY_INTERVAL_SECS {
            return;
        }
        self.expired = now;
        self.world.expire(now);
        self.activity.expire(now);
        self.detectors.expire(now);
        self.court.expire(now, &self.world, out);
    }

    fn entities(&self) -> BTreeMap<&'static str, u64> {
        let identity = &self.world.identity;
        let counts = [
            ("account", identity.sites().account_count()),
            ("device", identity.device_count()),
            ("site", identity.sites().count()),
        ];
        counts.map(|(kind, count)| (kind, count as u64)).into()
    }

    fn tables(&self) -> BTreeMap<&'static str, Usage> {
        let own = [
            ("destinations", self.activity.destinations()),
            ("sessions", self.lengths.usage()),
            ("windows", self.detectors.usage()),
            ("workers", self.activity.usage()),
        ];
        self.world.usage().chain(self.court.usage()).chain(own).collect()
    }

    fn count(&mut self, fact: &Fact, application: Option<&world::Application>) {
        self.facts.add(fact.kind.category());
        self.lengths.observe(fact, application, &self.world);
        let FactKind::FlowEnded(summary) = &fact.kind else {
            return;
        };
        if fact.flow.transport == Transport::Tcp && summary.client.payload_bytes + summary.server.payload_bytes > 0 {
            match summary.client.packets.min(summary.server.packets) {
                0 => self.counters.tcp_flows_of_one_side += 1,
                _ => self.counters.tcp_flows_of_both_sides += 1,
            }
        }
        self.sessions.add(fact.flow.protocol.map_or("", |protocol| protocol.as_str()));
        let Some(application) = application.filter(|application| application.is_in_use()) else {
            return;
        };
        let counted = (application.product.id.clone(), application.sanctioned);
        *self.counters.applications.entry(counted).or_default() += 1;
    }
}

/// Whether the fact sums up a TCP flow that carried nothing and whose handshake was not seen to the end.
const fn is_mere_attempt(fact: &Fact) -> bool {
    let (FactKind::Activity(summary) | FactKind::FlowEnded(summary)) = &fact.kind else {
        return false;
    };
    let carried = summary.client.payload_bytes.saturating_add(summary.server.payload_bytes);
    matches!(fact.flow.transport, Transport::Tcp) && carried == 0 && summary.client_rtt.is_none()
}

#[cfg(test)]
pub(crate) mod tests;
