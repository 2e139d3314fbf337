//! The analysis in, its memory in the directory of the state out: now and then in packet time, and at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::SensorError;
use super::desk::Kind;
use super::policy::Policy;
use crate::analysis::Analysis;
use crate::memory::Memory;
use crate::metrics;
use crate::risk::{Dismissal, IncidentKey};
use crate::state::{self, StateDirectory, StateError};
use crate::time::Timestamp;

/// Memories that may wait for the disk before one is left out.
const MEMORIES_WAITING: usize = 1;

/// What the analysis thread hands to the thread that writes.
pub(super) struct Keeper {
    directory: StateDirectory,
    interval: Duration,
    /// The packet time of the last memory.
    kept: Timestamp,
    /// The memory that is being made, a part after each batch of facts: all at once would hold the packets up.
    draft: Option<Memory>,
    /// None when there is nothing more to come.
    memories: Option<Sender<(Timestamp, Memory)>>,
    unreadable_dismissals: u64,
    tally: Arc<Tally>,
    /// Closed when all was written.
    ended: Receiver<()>,
}

/// What the thread that writes needs.
pub(super) struct Scribe {
    directory: StateDirectory,
    memories: Receiver<(Timestamp, Memory)>,
    tally: Arc<Tally>,
    _ended: Sender<()>,
}

/// What both threads count.
#[derive(Default)]
struct Tally {
    written: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    /// In packet time, and seconds.
    saved: AtomicU64,
    damaged_files: AtomicU64,
}

/// An analysis that has taken up what the directory of the state holds, if there is one.
///
/// A sensor on an interface starts whatever it finds there: what is damaged is put aside, and said. Before a replay there
/// is somebody to decide, and it changes nothing of another sensor's.
pub(super) fn open(
    settings: &state::Settings,
    policy: &Policy,
    shards: usize,
    kind: Kind,
) -> Result<(Analysis, Option<(Keeper, Scribe)>), SensorError> {
    let Some(path) = &settings.dir else {
        let mut analysis = policy.start(shards)?;
        if kind == Kind::Live {
            analysis.use_incident_key(state::passing_incident_key()?);
        }
        return Ok((analysis, None));
    };
    let directory = StateDirectory::open(path)?;
    let mut analysis = restored(&directory, policy, shards, kind)?;
    if let Some(key) = incident_key(&directory, kind)? {
        analysis.use_incident_key(key);
    }
    let mut keeper = Keeper::new(directory.clone(), settings.interval, analysis.latest());
    analysis.recall_dismissals(&keeper.dismissals()?);
    let (memories, waiting) = crossbeam_channel::bounded(MEMORIES_WAITING);
    let (end, ended) = crossbeam_channel::bounded(0);
    (keeper.memories, keeper.ended) = (Some(memories), ended);
    let scribe = Scribe { directory, memories: waiting, tally: Arc::clone(&keeper.tally), _ended: end };
    Ok((analysis, Some((keeper, scribe))))
}

/// An analysis that goes on where the memory ends.
fn restored(directory: &StateDirectory, policy: &Policy, shards: usize, kind: Kind) -> Result<Analysis, SensorError> {
    let mut analysis = policy.start(shards)?;
    let Some(bytes) = directory.memory()? else {
        return Ok(analysis);
    };
    let parsed = Memory::parse(&bytes);
    // It may be as large as all that is made of it.
    drop(bytes);
    let fault = match parsed.and_then(|memory| analysis.recall(&memory)) {
        Ok(()) => return Ok(analysis),
        Err(fault) if kind == Kind::Replay => return Err(directory.refused(fault).into()),
        Err(fault) => fault,
    };
    let aside = directory.put_memory_aside()?;
    tracing::error!(
        kept_as = %aside.display(),
        "the memory cannot be restored: {fault}; the sensor begins anew, and has forgotten evidence, open incidents and what \
         takes days to find"
    );
    Ok(policy.start(shards)?)
}

/// The key of the directory. A sensor on an interface makes one where there is none.
fn incident_key(directory: &StateDirectory, kind: Kind) -> Result<Option<IncidentKey>, StateError> {
    match directory.incident_key() {
        Ok(None) | Err(StateError::Key { .. }) if kind == Kind::Live => {
            let (key, aside) = directory.make_incident_key()?;
            if let Some(aside) = aside {
                tracing::error!(
                    kept_as = %aside.display(),
                    "the key of incidents' ids is damaged; incidents that open from now on have ids by another one"
                );
            }
            Ok(Some(key))
        }
        found => found,
    }
}

impl Keeper {
    fn new(directory: StateDirectory, interval: Duration, kept: Timestamp) -> Self {
        let (tally, ended) = (Arc::default(), crossbeam_channel::never());
        Self { directory, interval, kept, draft: None, memories: None, unreadable_dismissals: 0, tally, ended }
    }

    /// Hands the memory over if it is time. While the disk is slow, the memory waits for the next time.
    pub(super) fn look(&mut self, analysis: &Analysis) {
        let now = analysis.latest();
        if self.kept == Timestamp::ZERO {
            self.kept = now;
        }
        let Some(memories) = self.memories.as_ref().filter(|memories| memories.is_empty()) else { return };
        if self.draft.is_none() && now.since(self.kept) < self.interval {
            return;
        }
        let mut memory = self.draft.take().unwrap_or_default();
        memory.begin_pass(1);
        analysis.remember(&mut memory);
        if !memory.is_complete() {
            self.draft = Some(memory);
            return;
        }
        self.kept = now;
        if let Err(TrySendError::Disconnected(_)) = memories.try_send((now, memory)) {
            tracing::error!("nobody writes the state any more");
        }
    }

    pub(super) fn dismiss(&self, dismissal: &Dismissal) -> Result<(), StateError> {
        self.directory.add_dismissal(dismissal)
    }

    /// The dismissals that are kept. What of them cannot be read is said.
    pub(super) fn dismissals(&mut self) -> Result<Vec<Dismissal>, StateError> {
        self.tally.look(&self.directory);
        let kept = self.directory.dismissals()?;
        self.unreadable_dismissals = kept.faults.len() as u64;
        for fault in kept.faults.iter().take(Self::FAULTS_SAID_MAX) {
            tracing::error!("{fault}");
        }
        Ok(kept.dismissals)
    }

    /// A file of another kind would fill the log.
    const FAULTS_SAID_MAX: usize = 10;

    pub(super) fn counters(&self) -> metrics::State {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let Tally { written, failed, bytes, saved, damaged_files } = &*self.tally;
        metrics::State {
            written: count(written),
            failed: count(failed),
            bytes: count(bytes),
            saved: Timestamp::from_secs(count(saved)),
            damaged_files: count(damaged_files),
            unreadable_dismissals: self.unreadable_dismissals,
        }
    }

    /// Hands over the last memory and waits until it was written: what the counters say is then final.
    pub(super) fn finish(&mut self, analysis: &Analysis) {
        self.draft = None;
        if let Some(memories) = self.memories.take() {
            // Where the writer is gone, its fault is told when it is waited for.
            let _gone = memories.send((analysis.latest(), analysis.memory()));
        }
        let _closed = self.ended.recv();
    }
}

impl Scribe {
    /// Writes until there is no more to come. Gets what went wrong with the last memory.
    pub(super) fn write(self) -> Option<StateError> {
        let mut fault = None;
        for (at, memory) in &self.memories {
            match self.directory.remember(&memory) {
                Ok(bytes) => {
                    self.tally.written.fetch_add(1, Ordering::Relaxed);
                    self.tally.bytes.store(bytes, Ordering::Relaxed);
                    self.tally.saved.store(at.as_secs(), Ordering::Relaxed);
                    fault = None;
                }
                Err(met) => {
                    self.tally.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::error!("{met}");
                    fault = Some(met);
                }
            }
            self.tally.look(&self.directory);
        }
        fault
    }
}

impl Tally {
    /// Counts what was put aside: somebody may have taken it away.
    fn look(&self, directory: &StateDirectory) {
        self.damaged_files.store(directory.damaged_files() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::identity::entity::Entity;

    fn policy() -> Policy {
        let mut config = Config::default();
        config.rules.directory = Some("rules".into());
        Policy::load(&config).unwrap()
    }

    fn settings(dir: &Path) -> state::Settings {
        state::Settings { dir: Some(dir.into()), ..state::Settings::default() }
    }

    /// Opens the state, writes it once more as at the end, and tells what the metrics say.
    fn run(dir: &Path, kind: Kind) -> Result<metrics::State, SensorError> {
        let (analysis, keeping) = open(&settings(dir), &policy(), 1, kind)?;
        let (mut keeper, scribe) = keeping.unwrap();
        let writing = std::thread::Builder::new().spawn(move || scribe.write().is_none()).unwrap();
        keeper.finish(&analysis);
        assert!(writing.join().unwrap());
        Ok(keeper.counters())
    }

    #[test]
    fn a_sensor_on_an_interface_puts_a_damaged_memory_aside_and_a_replay_leaves_it_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("memory");
        assert_eq!(run(place.path(), Kind::Live).unwrap().damaged_files, 0);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        let newer = String::from_utf8(whole.clone()).unwrap().replacen(" 3 ", " 4 ", 1).into_bytes();
        let mut other = Memory::default();
        other.put("detect.relay", &"no list");
        let mut not_understood = Vec::new();
        other.write_to(&mut not_understood).unwrap();
        let cut = whole[..whole.len() / 2].to_vec();
        for (number, damaged) in (1..).zip([Vec::new(), cut, changed, newer, not_understood]) {
            fs::write(&path, &damaged).unwrap();
            let refused = run(place.path(), Kind::Replay).unwrap_err().to_string();
            assert!(refused.ends_with("; move it away to begin anew"), "{refused}");
            assert_eq!(fs::read(&path).unwrap(), damaged);

            let counted = run(place.path(), Kind::Live).unwrap();
            assert_eq!((counted.damaged_files, counted.written), (number, 1));
            assert_eq!(fs::read(place.path().join(format!("memory.damaged-{number}"))).unwrap(), damaged);
            assert_eq!(counted.bytes, fs::metadata(&path).unwrap().len());
            assert!(Memory::parse(&fs::read(&path).unwrap()).is_ok());
        }
        fs::remove_file(place.path().join("memory.damaged-1")).unwrap();
        assert_eq!(run(place.path(), Kind::Live).unwrap().damaged_files, 4, "somebody took one away");
    }

    #[test]
    fn a_memory_that_cannot_be_read_for_another_reason_ends_the_sensor() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("memory")).unwrap();
        let fault = run(place.path(), Kind::Live).unwrap_err().to_string();
        assert!(fault.starts_with("cannot read ") && fault.contains("Is a directory"), "{fault}");
    }

    #[test]
    fn the_key_of_incidents_is_made_once_and_never_by_a_replay() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("incident.key");
        run(place.path(), Kind::Replay).unwrap();
        assert!(!path.exists());
        run(place.path(), Kind::Live).unwrap();
        let made = fs::read(&path).unwrap();
        for kind in [Kind::Live, Kind::Replay] {
            run(place.path(), kind).unwrap();
            assert_eq!(fs::read(&path).unwrap(), made);
        }
        fs::write(&path, "").unwrap();
        assert!(run(place.path(), Kind::Replay).unwrap_err().to_string().contains("is no key"));
        assert_eq!(run(place.path(), Kind::Live).unwrap().damaged_files, 1);
        assert_eq!(fs::read(&path).unwrap().len(), made.len());
    }

    #[test]
    fn dismissals_that_can_be_read_are_in_force_beside_those_that_cannot() {
        let place = tempfile::tempdir().unwrap();
        let said = Dismissal {
            entity: Entity::parse("site", "198.51.100.9").unwrap(),
            family: None,
            reason: "ours".into(),
            at: Timestamp::from_secs(7),
        };
        fs::write(place.path().join("dismissals.jsonl"), "{\"entity\": \n{}\n").unwrap();
        let (_, keeping) = open(&settings(place.path()), &policy(), 1, Kind::Live).unwrap();
        let (mut keeper, _scribe) = keeping.unwrap();
        assert_eq!(keeper.counters().unreadable_dismissals, 2);
        keeper.dismiss(&said).unwrap();
        assert_eq!(keeper.dismissals().unwrap(), [said]);
        assert_eq!(keeper.counters().unreadable_dismissals, 2);
        fs::write(place.path().join("dismissals.jsonl"), "").unwrap();
        keeper.dismissals().unwrap();
        assert_eq!(keeper.counters().unreadable_dismissals, 0);
    }
}
