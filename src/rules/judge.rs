//! Events in, judgements out: the Sigma engine at work on packet time, with bounded state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rsigma_eval::{
    CorrelationConfig, CorrelationEngine, CorrelationEventMode, CorrelationSnapshot, Engine, EvaluationResult,
    GroupKey, ResultBody, TimestampFallback, WindowState,
};
use rsigma_parser::{FilterRule, FilterRuleTarget, LogSource, SigmaCollection};
use serde::Deserialize;
use serde_json::Value;

use crate::event::Event;
use crate::event::catalogue::Lookup;
use crate::memory::{Memory, MemoryError};
use crate::rules::{Rule, Rules, needed};

/// How much the correlations remember.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Groups of all correlations together; those heard of longest ago give way.
    pub groups_max: usize,
    /// Counted events of all groups together; those of the groups heard of longest ago give way.
    pub entries_max: usize,
    /// Counted events of one group; the oldest give way.
    pub group_entries_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { groups_max: 50_000, entries_max: 200_000, group_entries_max: 2_000 }
    }
}

/// A rule that matched.
#[derive(Clone, Debug)]
pub struct Judgement {
    pub rule: Arc<Rule>,
    /// Fields and their values that the rule asked for, by name.
    pub matched: Vec<(String, Value)>,
    pub correlation: Option<Correlated>,
}

/// What a correlation counted.
#[derive(Clone, Debug)]
pub struct Correlated {
    /// What it is grouped by, in the rule's order.
    pub group: Vec<(String, String)>,
    pub value: f64,
    pub timespan_secs: u64,
    /// The latest of the events counted, as [`rsigma_eval::Event::to_json`] gives them.
    pub events: Vec<Value>,
}

/// The engine counts time in whole numbers without a unit. It is given microseconds, so that it makes no difference
/// where in a second something happened.
const TICKS_PER_SECOND: u64 = 1_000_000;
const NANOS_PER_TICK: u64 = 1_000;

/// The rules, compiled, and what their correlations remember.
pub struct Judge {
    collection: SigmaCollection,
    rules: HashMap<String, Arc<Rule>>,
    /// The detection rules of each category: an event of any other is never looked at.
    categories: Vec<Category>,
    correlations: CorrelationEngine,
    /// How many fields each correlation groups by.
    group_sizes: HashMap<String, usize>,
    /// Ids of the rules that correlations count.
    correlated: Vec<String>,
    limits: Limits,
    /// At most so many counted events are remembered.
    entries: usize,
    forgotten: u64,
}

/// The detection rules of events of one category.
struct Category {
    name: String,
    engine: Engine,
    /// An event without any of these fields matches no rule.
    needed: Option<Vec<Lookup>>,
}

impl Category {
    fn evaluate(&self, event: &Event<'_>) -> Vec<EvaluationResult> {
        let is_hopeless = |needed: &Vec<Lookup>| !needed.iter().any(|field| event.find(field).is_some());
        if self.needed.as_ref().is_some_and(is_hopeless) { Vec::new() } else { self.engine.evaluate(event) }
    }
}

impl Judge {
    /// The most events whose traces a correlation's group keeps.
    const TRACES_MAX: usize = 8;

    pub fn new(rules: &Rules, limits: Limits) -> Self {
        let collection = rules.collection.clone();
        let mut correlated: Vec<String> =
            collection.correlations.iter().flat_map(|correlation| correlation.rules.iter().cloned()).collect();
        correlated.sort();
        correlated.dedup();
        Self {
            rules: rules.rules.iter().map(|rule| (rule.id.clone(), Arc::clone(rule))).collect(),
            categories: categories(&collection),
            group_sizes: group_sizes(&collection),
            correlations: correlations(&collection, limits),
            correlated,
            collection,
            limits,
            entries: 0,
            forgotten: 0,
        }
    }

    /// Takes new rules; correlations with the same id go on counting.
    pub fn reload(&mut self, rules: &Rules) {
        let state = self.correlations.export_state();
        let mut next = Self::new(rules, self.limits);
        next.correlations.import_state(state);
        (next.entries, next.forgotten) = (self.entries, self.forgotten);
        *self = next;
    }

    /// The rules that match, detections before correlations, each by id.
    pub fn on_event(&mut self, event: &Event<'_>) -> Vec<Judgement> {
        let name = event.category();
        let Some(category) = self.categories.iter().find(|category| category.name == name) else {
            return Vec::new();
        };
        let mut results = category.evaluate(event);
        if results.is_empty() {
            return Vec::new();
        }
        results.sort_by(|a, b| a.header.rule_id.cmp(&b.header.rule_id));
        let is_counted = |result: &EvaluationResult| {
            result.header.rule_id.as_ref().is_some_and(|id| self.correlated.binary_search(id).is_ok())
        };
        let counted = results.iter().filter(|result| is_counted(result)).count();
        if counted > 0 {
            let now = i64::try_from(event.at().as_nanos() / NANOS_PER_TICK).unwrap_or(i64::MAX);
            self.make_room(now);
            self.entries += counted;
            results = self.correlations.process_with_detections(event, results, now);
            results.sort_by_key(|result| (result.is_correlation(), result.header.rule_id.clone()));
        }
        results.into_iter().filter_map(|result| self.judgement(result)).collect()
    }

    pub fn rule(&self, id: &str) -> Option<&Arc<Rule>> {
        self.rules.get(id)
    }

    pub fn remember(&self, memory: &mut Memory) {
        memory.put_made("correlations", || self.correlations.export_state());
    }

    /// What correlations of rules that are no more have counted is left out.
    pub fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        let Some(state) = memory.get::<CorrelationSnapshot>("correlations")? else {
            return Ok(());
        };
        self.entries = windows(&state).map(|(_, _, window)| window.entry_count()).sum();
        self.correlations.import_state(state);
        Ok(())
    }

    /// How many groups the correlations count in.
    pub fn group_count(&self) -> usize {
        self.correlations.state_count()
    }

    /// How many groups gave way to others because a limit was reached.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn judgement(&self, result: EvaluationResult) -> Option<Judgement> {
        let rule = Arc::clone(self.rules.get(result.header.rule_id.as_deref()?)?);
        let (mut matched, correlation) = match result.body {
            ResultBody::Detection(body) => {
                (body.matched_fields.into_iter().map(|matched| (matched.field, matched.value)).collect(), None)
            }
            // What lacks a field of the group is nobody's in particular: strangers would be taken together.
            ResultBody::Correlation(body) if body.group_key.len() < *self.group_sizes.get(&rule.id)? => return None,
            ResultBody::Correlation(body) => {
                let correlated = Correlated {
                    group: body.group_key,
                    value: body.aggregated_value,
                    timespan_secs: body.timespan_secs / TICKS_PER_SECOND,
                    events: body.events.unwrap_or_default(),
                };
                (Vec::new(), Some(correlated))
            }
        };
        // The engine goes through the selections in the order of a hash.
        matched.sort_by(|a: &(String, Value), b| (&a.0, a.1.to_string()).cmp(&(&b.0, b.1.to_string())));
        matched.dedup();
        Some(Judgement { rule, matched, correlation })
    }

    /// Holds the correlations to their limits before something is counted. The engine's own eviction goes by the order
    /// of a hash where times are equal, so it is never reached.
    fn make_room(&mut self, now: i64) {
        if self.correlations.state_count() < self.limits.groups_max && self.entries < self.limits.entries_max {
            return;
        }
        self.correlations.evict_expired(now);
        let mut state = self.correlations.export_state();
        self.entries = windows(&state).map(|(_, _, window)| window.entry_count()).sum();
        let kept = |max: usize| max - max / 4;
        if self.correlations.state_count() <= kept(self.limits.groups_max)
            && self.entries <= kept(self.limits.entries_max)
        {
            return;
        }
        let mut oldest: Vec<_> = windows(&state)
            .map(|(id, key, window)| {
                (window.latest_timestamp().unwrap_or(i64::MIN), id.to_owned(), key.0.clone(), window.entry_count())
            })
            .collect();
        oldest.sort();
        let (mut groups, mut entries) = (oldest.len(), self.entries);
        let mut gone: HashMap<String, Vec<GroupKey>> = HashMap::new();
        for (_, id, key, count) in oldest {
            if groups <= kept(self.limits.groups_max) && entries <= kept(self.limits.entries_max) {
                break;
            }
            groups -= 1;
            entries -= count;
            self.forgotten += 1;
            gone.entry(id).or_default().push(GroupKey(key));
        }
        forget(&mut state, &gone);
        self.entries = entries;
        self.correlations = correlations(&self.collection, self.limits);
        self.correlations.import_state(state);
    }
}

fn windows(state: &CorrelationSnapshot) -> impl Iterator<Item = (&str, &GroupKey, &WindowState)> {
    state.windows.iter().flat_map(|(id, groups)| groups.iter().map(move |(key, window)| (id.as_str(), key, window)))
}

fn group_sizes(collection: &SigmaCollection) -> HashMap<String, usize> {
    let sizes = collection.correlations.iter().filter_map(|correlation| {
        let id = correlation.id.clone()?;
        Some((id, correlation.group_by.len()))
    });
    sizes.collect()
}

fn forget(state: &mut CorrelationSnapshot, gone: &HashMap<String, Vec<GroupKey>>) {
    for (id, keys) in gone {
        let keys: std::collections::HashSet<&GroupKey> = keys.iter().collect();
        if let Some(groups) = state.windows.get_mut(id) {
            groups.retain(|(key, _)| !keys.contains(key));
        }
        if let Some(groups) = state.event_buffers.get_mut(id) {
            groups.retain(|(key, _)| !keys.contains(key));
        }
        if let Some(groups) = state.last_alert.get_mut(id) {
            groups.retain(|(key, _)| !keys.contains(key));
        }
    }
}

fn categories(collection: &SigmaCollection) -> Vec<Category> {
    let mut by_category: BTreeMap<String, SigmaCollection> = BTreeMap::new();
    for rule in &collection.rules {
        let category = rule.logsource.category.clone().unwrap_or_default();
        by_category.entry(category).or_default().rules.push(rule.clone());
    }
    for (category, rules) in &mut by_category {
        rules.filters = collection.filters.iter().filter(|filter| applies(filter, category, rules)).cloned().collect();
    }
    let compiled = by_category.into_iter().map(|(name, rules)| {
        let mut engine = Engine::new();
        engine.add_collection(&rules).expect("every rule was compiled when it was loaded");
        let needed = needed::any_of(&rules.rules).map(|names| names.into_iter().map(Lookup::of).collect());
        Category { name, engine, needed }
    });
    compiled.collect()
}

/// Whether a filter narrows any rule of a category.
fn applies(filter: &FilterRule, category: &str, rules: &SigmaCollection) -> bool {
    let of_category = |source: &LogSource| source.category.as_deref().is_none_or(|own| own == category);
    if !filter.logsource.as_ref().is_none_or(of_category) {
        return false;
    }
    match &filter.rules {
        FilterRuleTarget::Any => true,
        FilterRuleTarget::Specific(ids) => {
            rules.rules.iter().any(|rule| rule.id.as_ref().is_some_and(|id| ids.contains(id)))
        }
    }
}

fn correlations(collection: &SigmaCollection, limits: Limits) -> CorrelationEngine {
    let mut engine = CorrelationEngine::new(CorrelationConfig {
        timestamp_fields: Vec::new(),
        timestamp_fallback: TimestampFallback::Skip,
        max_state_entries: usize::MAX,
        max_group_entries: Some(limits.group_entries_max),
        emit_detections: false,
        correlation_event_mode: CorrelationEventMode::Full,
        max_correlation_events: Judge::TRACES_MAX,
        ..CorrelationConfig::default()
    });
    // It is given the detections, so it needs the rules for their ids alone, without filters.
    let mut rules = SigmaCollection { filters: Vec::new(), ..collection.clone() };
    for correlation in &mut rules.correlations {
        for span in [Some(&mut correlation.timespan), correlation.gap.as_mut()].into_iter().flatten() {
            span.seconds = span.seconds.saturating_mul(TICKS_PER_SECOND);
        }
    }
    engine.add_collection(&rules).expect("every correlation was compiled when it was loaded");
    engine
}
