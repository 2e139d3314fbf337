//! The detectors at work: each with a bounded window for every subject.

use crate::detect::{ALL, Detector, Finding, Settings};
use crate::event::Event;
use crate::facts::FactKind;
use crate::memory::{Memory, MemoryError};
use crate::recent::{Recent, Retention, Usage};
use crate::time::Timestamp;

/// All detectors and what they remember.
pub struct Detectors {
    running: Vec<Box<dyn Run>>,
    /// Which of them hear a category of facts, in the order of [`ALL`].
    hearing: Vec<Vec<usize>>,
}

impl Detectors {
    pub fn new(settings: &Settings) -> Self {
        let running: Vec<Box<dyn Run>> = ALL.iter().map(|spec| (spec.start)(settings)).collect();
        let hear = |category| (0..running.len()).filter(|&index| running[index].hears().contains(category)).collect();
        let hearing = FactKind::CATEGORIES.iter().map(hear).collect();
        Self { running, hearing }
    }

    /// Shows the event of a fact to every detector that hears its category, in the order of [`ALL`].
    pub fn on_event(&mut self, event: &Event<'_>, findings: &mut Vec<Finding>) {
        let Some(fact) = event.fact() else { return };
        for &index in &self.hearing[fact.kind.category_index()] {
            self.running[index].on_event(event, findings);
        }
    }

    pub fn expire(&mut self, now: Timestamp) {
        for detector in &mut self.running {
            detector.expire(now);
        }
    }

    /// What outlives the process: the windows, and what is known of the whole fleet.
    pub fn remember(&self, memory: &mut Memory) {
        self.running.iter().for_each(|detector| detector.remember(memory));
    }

    /// A detector that was not there when the memory was written begins anew.
    pub fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        self.running.iter_mut().try_for_each(|detector| detector.recall(memory))
    }

    /// How full the tables of windows are together.
    pub fn usage(&self) -> Usage {
        self.running.iter().map(|detector| detector.usage()).sum()
    }

    /// How many windows gave way to others because a table was full.
    pub fn evicted(&self) -> u64 {
        self.running.iter().map(|detector| detector.evicted()).sum()
    }
}

pub(super) trait Run: Send {
    fn hears(&self) -> &'static [&'static str];
    /// Appends what the event completes: hardly any does, and a finding is large to hand back.
    fn on_event(&mut self, event: &Event<'_>, findings: &mut Vec<Finding>);
    fn expire(&mut self, now: Timestamp);
    fn evicted(&self) -> u64;
    fn usage(&self) -> Usage;
    fn remember(&self, memory: &mut Memory);
    fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError>;
}

pub(super) struct Running<D: Detector> {
    detector: D,
    windows: Recent<D::Subject, D::Window>,
}

impl<D: Detector> Running<D> {
    pub(super) fn new(detector: D, windows: Retention) -> Self {
        Self { detector, windows: Recent::new(windows) }
    }

    fn section() -> String {
        format!("detect.{}", D::NAME)
    }
}

impl<D: Detector> Run for Running<D> {
    fn hears(&self) -> &'static [&'static str] {
        D::HEARS
    }

    fn on_event(&mut self, event: &Event<'_>, findings: &mut Vec<Finding>) {
        self.detector.learn(event);
        let Some((subject, sighting)) = self.detector.sight(event) else { return };
        let window = self.windows.get_or_insert_with(subject.clone(), event.at(), D::Window::default);
        let Some(evidence) = self.detector.judge(window, sighting, event.at()) else { return };
        findings.push(Finding {
            detector: D::NAME,
            family: D::FAMILY,
            entity: D::entity(&subject),
            at: event.at(),
            seq: event.seq(),
            flow: *event.flow(),
            protocol: event.protocol(),
            application: event.application().cloned(),
            evidence,
        });
    }

    fn expire(&mut self, now: Timestamp) {
        self.windows.expire(now);
    }

    fn evicted(&self) -> u64 {
        self.windows.evicted()
    }

    fn usage(&self) -> Usage {
        self.windows.usage()
    }

    fn remember(&self, memory: &mut Memory) {
        memory.together(D::NAME, |memory| {
            memory.put(&Self::section(), &self.windows);
            self.detector.remember(&Self::section(), memory);
        });
    }

    fn recall(&mut self, memory: &Memory) -> Result<(), MemoryError> {
        self.windows.restore(memory.get(&Self::section())?.unwrap_or_default());
        self.detector.recall(&Self::section(), memory)
    }
}
