//! What runs on the analysis thread: batches of facts in, findings in the sinks and in the published view out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, select};
use serde_json::{Value, json};

use super::outputs::Outputs;
use super::policy::Policy;
use super::shards::{Input, SourceCounters};
use super::tape::Tapes;
use super::{Fault, Report};
use crate::analysis::Analysis;
use crate::identity::device::{Device, DeviceId};
use crate::metrics::{Reload, Snapshot};
use crate::serve::view::{DEVICES_MAX, View};
use crate::shard;
use crate::summary::{DEVICES_SHOWN_MAX, Summary};
use crate::time::Span;

/// How often what was found is flushed and published.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);
/// The devices are published at every so many of those.
const DEVICES_EVERY: u64 = 10;

/// The analysis and everything that its findings go to.
pub(super) struct Desk {
    analysis: Analysis,
    outputs: Outputs,
    tapes: Tapes,
    shards: BTreeMap<usize, shard::Counters>,
    sources: BTreeMap<usize, SourceCounters>,
    reload: Option<Reload>,
    faults: Vec<Fault>,
    published: u64,
}

impl Desk {
    pub(super) fn new(analysis: Analysis, outputs: Outputs, tapes: Tapes) -> Self {
        // A sensor that nobody looks at does not read its policy anew.
        let reload = outputs.view().map(|_| Reload { successful: true, success_secs: now_secs() });
        let (shards, sources) = (BTreeMap::new(), BTreeMap::new());
        Self { analysis, outputs, tapes, shards, sources, reload, faults: Vec::new(), published: 0 }
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Batch(mut batch) => {
                self.shards.insert(batch.shard, std::mem::take(&mut batch.counters));
                self.analysis.on_batch(*batch, &mut self.outputs);
            }
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
        let successful = outcome.is_ok();
        let before = self.reload.map_or(0, |reload| reload.success_secs);
        self.reload = Some(Reload { successful, success_secs: if successful { now_secs() } else { before } });
        self.publish();
    }

    fn publish(&mut self) {
        self.outputs.flush();
        self.faults.extend(self.outputs.failures.drain(..).map(Fault::Sink));
        let Some(view) = self.outputs.view() else { return };
        view.publish_metrics(self.snapshot());
        if self.published.is_multiple_of(DEVICES_EVERY) {
            publish_devices(view, &self.analysis);
        }
        self.published += 1;
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            recorded_facts: self.tapes.facts,
            span: self.tapes.span,
            shards: self.shards.values().cloned().collect(),
            analysis: self.analysis.counters(),
            lines: self.outputs.lines().collect(),
            pushes: self.outputs.pushes().collect(),
            reload: self.reload,
            ..Snapshot::default()
        };
        for source in self.sources.values() {
            snapshot.frames = snapshot.frames.plus(source.frames);
            snapshot.drops = snapshot.drops.plus(source.drops);
            snapshot.decode += source.decode;
            snapshot.span = snapshot.span.into_iter().chain(source.span).reduce(Span::join);
        }
        snapshot
    }

    fn finish(mut self) -> Report {
        self.analysis.finish(&mut self.outputs);
        self.publish();
        let snapshot = self.snapshot();
        let newest = self.analysis.devices().count().saturating_sub(DEVICES_SHOWN_MAX);
        let devices = self.analysis.devices().skip(newest).map(|(id, device)| (id, device.clone())).collect();
        let incidents = std::mem::take(&mut self.outputs.incidents).into_values().collect();
        let summary = Summary { devices, incidents, alerts: std::mem::take(&mut self.outputs.kept) };
        Report { snapshot, summary, faults: self.faults }
    }
}

fn publish_devices(view: &View, analysis: &Analysis) {
    let newest = analysis.devices().count().saturating_sub(DEVICES_MAX);
    view.publish_devices(analysis.devices().skip(newest).map(|(id, device)| (id.to_string(), shown(id, device))));
}

fn shown(id: DeviceId, device: &Device) -> Value {
    let addresses: Vec<String> = device.bindings().map(|binding| binding.address.to_string()).collect();
    json!({
        "id": id.to_string(),
        "mac": device.mac().map(|mac| mac.to_string()),
        "name": device.host_name.as_ref().map(|name| name.as_str()),
        "vendor_class": device.vendor_class.as_ref().map(|class| class.as_str()),
        "addresses": addresses,
        "first_seen": device.first_seen.to_string(),
    })
}

/// The one time that is not a packet's: when an operator's files were read.
#[allow(clippy::disallowed_methods)]
fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Takes inputs until nobody sends any more, or one says it is the last. Sets `stop` when nothing can be written.
pub(super) fn analyse(mut desk: Desk, inputs: &Receiver<Input>, stop: &AtomicBool) -> Report {
    desk.publish();
    let intervals = crossbeam_channel::tick(PUBLISH_INTERVAL);
    loop {
        desk.catch_up();
        if !desk.is_well() {
            stop.store(true, Ordering::Relaxed);
        }
        select! {
            recv(inputs) -> input => match input {
                Ok(Input::Last) | Err(_) => break,
                Ok(input) => desk.on_input(input),
            },
            recv(intervals) -> _ => desk.publish(),
        }
    }
    desk.finish()
}
