//! What runs on the analysis thread: batches of facts in, findings in the sinks and in the published view out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, select};

use super::archive::Archive;
use super::keeper::Keeper;
use super::outputs::Outputs;
use super::policy::Policy;
use super::shards::{Input, SourceCounters};
use super::showcase::Showcase;
use super::tape::Tapes;
use super::{Fault, Report};
use crate::analysis::Analysis;
use crate::detect::Family;
use crate::metrics::{Reload, Risks, Snapshot};
use crate::risk::{Called, Dismissal};
use crate::serve::Dismissed;
use crate::shard;
use crate::summary::{DEVICES_SHOWN_MAX, Summary};
use crate::time::{Span, Timestamp};

/// How often what was found is flushed and published.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);
/// Whom and what was seen is published at every so many of those.
const LISTS_EVERY: u64 = 10;

/// The analysis and everything that its findings go to.
pub(super) struct Desk {
    analysis: Analysis,
    outputs: Outputs,
    tapes: Tapes,
    keeper: Option<Keeper>,
    shards: BTreeMap<usize, shard::Counters>,
    sources: BTreeMap<usize, SourceCounters>,
    reload: Option<Reload>,
    risks: Option<Risks>,
    faults: Vec<Fault>,
    published: u64,
}

/// What the facts come from. A replay does not read its policy anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Live,
    Replay,
}

impl Desk {
    pub(super) fn new(analysis: Analysis, outputs: Outputs, tapes: Tapes, kind: Kind) -> Self {
        let reload = (kind == Kind::Live).then(|| Reload { successful: true, success_secs: now_secs() });
        let (shards, sources) = (BTreeMap::new(), BTreeMap::new());
        Self {
            analysis,
            outputs,
            tapes,
            keeper: None,
            shards,
            sources,
            reload,
            risks: None,
            faults: Vec::new(),
            published: 0,
        }
    }

    /// Keeps the state from here on.
    pub(super) fn keep(&mut self, keeper: Option<Keeper>) {
        self.keeper = keeper;
    }

    /// Tells from here on of those with most evidence.
    pub(super) fn tell(&mut self, risks: Option<Risks>) {
        self.risks = risks;
    }

    /// Keeps evidence captures from here on.
    pub(super) fn file(&mut self, archive: Option<Archive>) {
        self.outputs.archive = archive;
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Batch(mut batch) => {
                self.shards.insert(batch.shard, std::mem::take(&mut batch.counters));
                self.analysis.on_batch(*batch, &mut self.outputs);
                if let Some(keeper) = &mut self.keeper {
                    keeper.look(&self.analysis);
                }
            }
            Input::Complete => {
                self.analysis.finish(&mut self.outputs);
                self.publish_all();
            }
            Input::Dismiss(dismissed, answer) => answer.give(self.on_dismissal(&dismissed)),
            Input::Last => {}
            Input::Reload(policy) => self.on_reload(policy),
            Input::Source(counters) => {
                self.sources.insert(counters.source, *counters);
            }
        }
    }

    /// Takes the facts of recordings for as long as nothing else is waited for, and something can be written.
    fn catch_up(&mut self) {
        while self.is_well()
            && let Some(batch) = self.analysis.slowest_shard().and_then(|shard| self.tapes.next(shard))
        {
            self.analysis.on_batch(batch, &mut self.outputs);
        }
    }

    fn is_well(&self) -> bool {
        self.faults.is_empty() && self.outputs.failures.is_empty()
    }

    fn on_reload(&mut self, policy: Option<Box<Policy>>) {
        self.outputs.reopen();
        let outcome = match policy {
            Some(policy) => policy.replace(&mut self.analysis).map_err(|error| tracing::error!("{error}")),
            None => Err(()),
        };
        self.take_dismissals();
        let successful = outcome.is_ok();
        let before = self.reload.map_or(0, |reload| reload.success_secs);
        self.reload = Some(Reload { successful, success_secs: if successful { now_secs() } else { before } });
        self.publish();
    }

    /// Takes dismissals that were said beside the sensor since.
    fn take_dismissals(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        match keeper.dismissals() {
            Ok(dismissals) => {
                for dismissal in &dismissals {
                    self.analysis.dismiss(dismissal, &mut self.outputs);
                }
            }
            Err(error) => tracing::error!("{error}"),
        }
    }

    fn publish(&mut self) {
        self.outputs.flush();
        self.faults.extend(self.outputs.failures.drain(..).map(Fault::Sink));
        let snapshot = self.snapshot();
        let Some(showcase) = &mut self.outputs.showcase else { return };
        showcase.publish(snapshot);
        if self.published.is_multiple_of(LISTS_EVERY) {
            showcase.begin_lists(&self.analysis);
        }
        self.published += 1;
    }

    /// Goes on with lists that are being published.
    fn go_on(&mut self) {
        if let Some(showcase) = &mut self.outputs.showcase {
            showcase.go_on(&self.analysis);
        }
    }

    fn is_drafting(&self) -> bool {
        self.outputs.showcase.as_ref().is_some_and(Showcase::is_drafting)
    }

    /// Takes the evidence of an open incident as innocent, from the latest packet on.
    fn on_dismissal(&mut self, dismissed: &Dismissed) -> Result<(), String> {
        let Some(incident) = self.analysis.incidents().find(|incident| incident.id.to_string() == dismissed.incident)
        else {
            return Err("the incident is not open any more".into());
        };
        let family = match &dismissed.family {
            None => None,
            Some(name) => {
                let known = Family::ALL.iter().copied().find(|family| family.as_str() == name);
                Some(known.ok_or_else(|| format!("there is no family of evidence `{name}`"))?)
            }
        };
        tracing::info!(incident = %incident.id, by = dismissed.by, reason = dismissed.reason, "dismissed");
        let dismissal =
            Dismissal { entity: incident.entity, family, reason: dismissed.reason.clone(), at: incident.updated };
        // What cannot be kept is not said to be: the analyst would find it undone after a restart.
        if let Some(keeper) = &self.keeper {
            keeper.dismiss(&dismissal).map_err(|error| error.to_string())?;
        }
        self.analysis.dismiss(&dismissal, &mut self.outputs);
        self.publish();
        Ok(())
    }

    /// Publishes the lists, too, as they are now.
    fn publish_all(&mut self) {
        self.publish();
        if let Some(showcase) = &mut self.outputs.showcase {
            showcase.publish_lists(&self.analysis);
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            recorded_facts: self.tapes.facts,
            span: self.tapes.span,
            shards: self.shards.values().cloned().collect(),
            analysis: self.analysis.counters(),
            lines: self.outputs.lines().collect(),
            pushes: self.outputs.pushes().collect(),
            risks: self.risks.as_ref().map_or_else(Vec::new, |risks| risks.tell(self.analysis.riskiest())),
            captures: self.outputs.archive.as_ref().map(Archive::counters),
            state: self.keeper.as_ref().map(Keeper::counters),
            reload: self.reload,
            ..Snapshot::default()
        };
        for source in self.sources.values() {
            snapshot.frames = snapshot.frames.plus(source.frames);
            snapshot.drops = snapshot.drops.plus(source.drops);
            snapshot.decode += source.decode;
            snapshot.span = snapshot.span.into_iter().chain(source.span).reduce(Span::join);
        }
        let complete = self.analysis.complete();
        let span = snapshot.span.filter(|_| complete > Timestamp::ZERO);
        snapshot.lag = span.map_or(Duration::ZERO, |span| span.last.since(complete));
        snapshot
    }

    fn finish(mut self) -> Report {
        self.analysis.finish(&mut self.outputs);
        if let Some(keeper) = &mut self.keeper {
            keeper.finish(&self.analysis);
        }
        if let Some(archive) = &mut self.outputs.archive {
            archive.finish();
        }
        self.publish_all();
        let snapshot = self.snapshot();
        let newest = self.analysis.devices().count().saturating_sub(DEVICES_SHOWN_MAX);
        let devices = self.analysis.devices().skip(newest).map(|(id, device)| (id, device.clone())).collect();
        let incidents = std::mem::take(&mut self.outputs.incidents).into_values().collect();
        let alerts = std::mem::take(&mut self.outputs.kept);
        let world = self.analysis.world();
        let called = alerts.iter().filter_map(|alert| {
            let device = alert.entity.device()?;
            Some((device, Called::of(device, world)))
        });
        let summary = Summary { called: called.collect(), devices, incidents, alerts };
        Report { snapshot, summary, faults: self.faults }
    }
}

/// The one time that is not a packet's: when an operator's files were read.
#[allow(clippy::disallowed_methods)]
fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Takes inputs until nobody sends any more, or one says it is the last. Sets `stop` when nothing can be written.
pub(super) fn analyse(mut desk: Desk, inputs: &Receiver<Input>, stop: &AtomicBool, taken: &AtomicU64) -> Report {
    desk.publish();
    let intervals = crossbeam_channel::tick(PUBLISH_INTERVAL);
    loop {
        desk.catch_up();
        if !desk.is_well() {
            stop.store(true, Ordering::Relaxed);
        }
        // Between batches, so that none waits for more than a part of the lists.
        let idle =
            if desk.is_drafting() { crossbeam_channel::after(Duration::ZERO) } else { crossbeam_channel::never() };
        select! {
            recv(inputs) -> input => match input {
                Ok(Input::Last) | Err(_) => break,
                Ok(input) => {
                    desk.on_input(input);
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            },
            recv(intervals) -> _ => desk.publish(),
            recv(idle) -> _ => desk.go_on(),
        }
    }
    desk.finish()
}
