//! The only file that starts threads. Configuration in; captures, sinks and the listener opened, the threads started,
//! waited for and ended in order; a [`Report`] out.
//!
//! Start: open everything, then the shards and the analysis, then the asynchronous edge. Stop: the sources end, the
//! shards finish their flows, the channel closes, the analysis drains, the sinks are flushed.

mod archive;
mod crew;
mod desk;
mod keeper;
mod outputs;
mod policy;
mod publication;
mod shards;
mod showcase;
mod tape;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};

use crate::capture::{CaptureError, FrameSource, Live, Progress, Replay};
use crate::config::Config;
use crate::decode::Decoder;
use crate::enrich::networks::NetworksError;
use crate::metrics::{Risks, Snapshot};
use crate::recording::{self, Reader, RecordingError};
use crate::serve::view::View;
use crate::serve::{self, Dismissed, Edge, Request, ServeError};
use crate::shard::{Batch, Shard};
use crate::sinks::{Opening, Pushes, SinkError};
use crate::state::StateError;
use crate::summary::Summary;

use self::archive::{Archive, Archivist};
use self::crew::{Crew, Panicked};
use self::desk::{Desk, Kind};
use self::keeper::{Keeper, Scribe};
use self::outputs::Outputs;
use self::shards::{Input, Lane, Outbox, Parcel};
use self::showcase::Showcase;
use self::tape::Tapes;

pub use self::policy::{Policy, PolicyError};

/// Batches that may wait for the analysis before the shards wait for it.
const INPUTS_WAITING: usize = 32;
/// Parcels that may wait for a shard before the reader waits for it.
const PARCELS_WAITING: usize = 4;
/// Requests from outside that may wait.
const REQUESTS_WAITING: usize = 8;
/// How long threads that read may take to say something once they were told to end: one that waits for a pipe cannot be woken,
/// and one that ends a million flows takes longer.
const GRACE: Duration = Duration::from_secs(2);
/// How many times over. The service manager waits for half a minute, and the memory has to be written, too.
const GRACES_MAX: u32 = 8;
/// How often a replay says how far it has come.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// What a sensor has done when it ends.
#[derive(Debug, Default)]
pub struct Report {
    pub snapshot: Snapshot,
    pub summary: Summary,
    /// Why it ended early, in the order of time.
    pub faults: Vec<Fault>,
}

/// Why a sensor did not start.
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Networks(#[from] NetworksError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// Why a sensor ended early. Everything read before was judged and written.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Capture(CaptureError),
    #[error("interrupted; the summary and the files tell what was read until then")]
    Interrupted,
    #[error("the thread {0} panicked, which is a bug; its message stands above")]
    Panicked(String),
    #[error(transparent)]
    Recording(RecordingError),
    #[error(transparent)]
    Sink(SinkError),
    #[error(transparent)]
    State(StateError),
}

impl Fault {
    /// Whether it is ordinary: a capture that is still being written ends within a record.
    pub const fn is_harmless(&self) -> bool {
        matches!(self, Self::Capture(CaptureError::Truncated { .. }))
    }
}

/// What is replayed, and who looks on.
pub struct Replayed<'a> {
    /// Captures, and recordings of facts.
    pub files: &'a [PathBuf],
    /// Where what was seen is published.
    pub view: Option<Arc<View>>,
    /// Whether HTTP is answered from the view, until the replay is told to stop.
    pub serves: bool,
}

/// Reads capture files, and recordings of facts, to their end. `show` is told now and then how far the captures have come,
/// `served` the address that HTTP is answered on.
pub fn replay(
    config: &Config,
    policy: Policy,
    Replayed { files, view, serves }: Replayed<'_>,
    mut show: impl FnMut(&Progress),
    served: impl FnOnce(SocketAddr),
) -> Result<Report, SensorError> {
    let (recordings, captures): (Vec<PathBuf>, Vec<PathBuf>) =
        files.iter().cloned().partition(|path| recording::is_recording(path));
    let open = |(number, path): (usize, &PathBuf)| Reader::open(path, number);
    let mut readers = recordings.iter().enumerate().map(open).collect::<Result<Vec<_>, _>>()?;
    let mut source = Replay::open(&captures, config.capture.filter.as_deref())?;
    let progress = source.progress();
    let folder = config.evidence_captures.dir.as_deref();
    let listening = serves.then(|| serve::listen(&config.server, folder)).transpose()?;
    let showcase = view.clone().map(|view| Showcase::new(view, config));
    let mut outputs = Outputs::open(&config.sinks, Opening::Truncate, Pushes::default(), showcase)?;
    let shards = if captures.is_empty() { 0 } else { config.shards.map_or_else(cores, NonZeroUsize::get) };
    let (requests, requested) = crossbeam_channel::bounded(REQUESTS_WAITING);
    let mut edge = Edge::start(requests.clone())?;

    let channels = || crossbeam_channel::bounded(tape::BATCHES_WAITING);
    let (batches, tapes): (Vec<_>, Vec<_>) = readers.iter().map(|_| channels()).unzip();
    let tapes = Tapes::new(shards, tapes);
    let (analysis, keeping) = keeper::open(&config.state, &policy, tapes.shards(), Kind::Replay)?;
    outputs.settle(&analysis);
    let numbers = analysis.numbers();
    source.number_from(numbers.frames);
    for (number, reader) in (numbers.recordings..).zip(&mut readers) {
        reader.renumber(number);
    }
    let filing = archive::open(&config.evidence_captures, Kind::Replay)?;
    let mut desk = Desk::new(analysis, outputs, tapes, Kind::Replay);
    desk.tell(Risks::open(&config.metrics)?);
    let mut sensor = Sensor::start(desk, keeping, filing)?;
    for (shard, (reader, batches)) in (shards..).zip(readers.into_iter().zip(batches)) {
        sensor.play(reader, shard, batches)?;
    }
    match shards {
        0 => {}
        1 => sensor.watch(0, source, config, 1, Replay::into_damage)?,
        _ => sensor.deal(source, config, shards, Replay::into_damage)?,
    }
    if let (Some(listening), Some(view)) = (listening, &view) {
        edge.serve(listening, Arc::clone(view), requests)?;
        view.set_ready(true);
        if let Some(address) = edge.address() {
            served(address);
        }
    }
    let no_reload = |answer: serve::Answer| answer.give(Err("a replay does not reload".into()));
    let was_stopped = sensor.wait(&requested, no_reload, || show(&progress));
    if was_stopped {
        sensor.faults.push(Fault::Interrupted);
    } else if serves {
        sensor.linger(&requested, no_reload);
    }
    let report = sensor.stop();
    edge.stop();
    Ok(report)
}

/// Watches an interface until it is told to stop. `started` is told the address that HTTP is answered on.
///
/// `reload` reads the policy anew; until it succeeds, the one before stays in force.
pub fn run(
    config: &Config,
    policy: Policy,
    mut reload: impl FnMut() -> Result<Policy, String>,
    started: impl FnOnce(Option<SocketAddr>),
) -> Result<Report, SensorError> {
    let shards = config.shards.map_or(1, NonZeroUsize::get);
    let listener = serve::listen(&config.server, config.evidence_captures.dir.as_deref())?;
    let mut sources = Live::open(&config.capture, shards)?;
    let view = Arc::new(View::new());
    let (pushes, deliveries) = Pushes::open(&config.sinks.push)?;
    let mut outputs =
        Outputs::open(&config.sinks, Opening::Append, pushes, Some(Showcase::new(Arc::clone(&view), config)))?;
    let (requests, requested) = crossbeam_channel::bounded(REQUESTS_WAITING);
    let mut edge = Edge::start(requests.clone())?;

    let (analysis, keeping) = keeper::open(&config.state, &policy, shards, Kind::Live)?;
    outputs.settle(&analysis);
    sources.iter_mut().for_each(|source| source.number_from(analysis.numbers().frames));
    let tapes = Tapes::new(shards, Vec::new());
    let filing = archive::open(&config.evidence_captures, Kind::Live)?;
    let mut desk = Desk::new(analysis, outputs, tapes, Kind::Live);
    desk.tell(Risks::open(&config.metrics)?);
    let mut sensor = Sensor::start(desk, keeping, filing)?;
    for (number, source) in sources.into_iter().enumerate() {
        sensor.watch(number, source, config, shards, |_| Vec::new())?;
    }
    edge.serve(listener, Arc::clone(&view), requests)?;
    deliveries.into_iter().for_each(|delivery| edge.carry(delivery));
    view.set_ready(true);
    edge.report(Arc::clone(&view));
    started(edge.address());
    let inputs = sensor.inputs.clone();
    let reload = |answer: serve::Answer| {
        let (policy, outcome) =
            reload().map_or_else(|fault| (None, Err(fault)), |policy| (Some(policy.into()), Ok(())));
        let _gone = inputs.send(Input::Reload(policy));
        answer.give(outcome);
    };
    sensor.wait(&requested, reload, || ());
    view.set_ready(false);
    edge.report_end();
    let report = sensor.stop();
    edge.stop();
    Ok(report)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The threads of a started sensor.
struct Sensor {
    crew: Crew,
    analysis: thread::JoinHandle<Report>,
    /// Writes the state, where that is kept.
    scribe: Option<thread::JoinHandle<Option<StateError>>>,
    /// Writes evidence captures, where those are kept.
    archivist: Option<thread::JoinHandle<()>>,
    inputs: Sender<Input>,
    /// How many of them the analysis has taken.
    taken: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    faults: Vec<Fault>,
}

impl Sensor {
    fn start(
        mut desk: Desk,
        keeping: Option<(Keeper, Scribe)>,
        filing: Option<(Archive, Archivist)>,
    ) -> Result<Self, SensorError> {
        let ((keeper, scribe), (archive, archivist)) = (keeping.unzip(), filing.unzip());
        desk.keep(keeper);
        desk.file(archive);
        let write = |scribe: Scribe| thread::Builder::new().name("state".into()).spawn(move || scribe.write());
        let scribe = scribe.map(write).transpose().map_err(SensorError::Thread)?;
        let write = |archivist: Archivist| thread::Builder::new().name("captures".into()).spawn(|| archivist.write());
        let archivist = archivist.map(write).transpose().map_err(SensorError::Thread)?;
        let (inputs, incoming) = crossbeam_channel::bounded(INPUTS_WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let taken = Arc::new(AtomicU64::new(0));
        let taking = Arc::clone(&taken);
        let analysis = thread::Builder::new()
            .name("analysis".into())
            .spawn(move || desk::analyse(desk, &incoming, &stopping, &taking))
            .map_err(SensorError::Thread)?;
        Ok(Self { crew: Crew::new(), analysis, scribe, archivist, inputs, taken, stop, faults: Vec::new() })
    }

    /// Starts a thread that reads a source and its flows. `damage` is what the source met without ending.
    fn watch<S: FrameSource + Send + 'static>(
        &mut self,
        number: usize,
        mut source: S,
        config: &Config,
        shards: usize,
        damage: fn(S) -> Vec<CaptureError>,
    ) -> Result<(), SensorError> {
        let settings = config.shard(shards);
        let (inputs, stop) = (self.inputs.clone(), Arc::clone(&self.stop));
        self.spawn(format!("shard-{number}"), move || {
            let ended = shards::watch(number, &mut source, &mut Shard::new(&settings), inputs, &stop);
            damage(source).into_iter().chain(ended.err()).map(Fault::Capture).collect()
        })
    }

    /// Starts a thread that reads and decodes a source, and threads that read its flows.
    fn deal<S: FrameSource + Send + 'static>(
        &mut self,
        mut source: S,
        config: &Config,
        shards: usize,
        damage: fn(S) -> Vec<CaptureError>,
    ) -> Result<(), SensorError> {
        let mut lanes = Vec::new();
        for number in 0..shards {
            let (parcels, incoming) = crossbeam_channel::bounded(PARCELS_WAITING);
            let (returning, empties) = crossbeam_channel::bounded(PARCELS_WAITING);
            let settings = config.shard(shards);
            let outbox = Outbox::new(number, self.inputs.clone());
            self.spawn(format!("shard-{number}"), move || {
                shards::unpack(&incoming, &returning, &mut Shard::new(&settings), outbox);
                Vec::new()
            })?;
            lanes.push(Lane { parcels, empties, filling: Parcel::default() });
        }
        let decoder = Decoder::new(config.decode);
        let (inputs, stop) = (self.inputs.clone(), Arc::clone(&self.stop));
        self.spawn("reader".into(), move || {
            let ended = shards::deal(&mut source, decoder, lanes, &inputs, &stop);
            damage(source).into_iter().chain(ended.err()).map(Fault::Capture).collect()
        })
    }

    /// Starts a thread that reads a recording of facts.
    fn play(&mut self, reader: Reader, shard: usize, batches: Sender<Batch>) -> Result<(), SensorError> {
        let stop = Arc::clone(&self.stop);
        self.spawn(format!("recording-{shard}"), move || tape::play(reader, shard, &batches, &stop))
    }

    fn spawn(&mut self, name: String, body: impl FnOnce() -> Vec<Fault> + Send + 'static) -> Result<(), SensorError> {
        let bell = self.crew.bell();
        let handle = thread::Builder::new().name(name.clone()).spawn(move || {
            let _rings_at_the_end = bell;
            body()
        });
        self.crew.add(name, handle.map_err(SensorError::Thread)?);
        Ok(())
    }

    /// Returns when every thread that reads has ended, or has said nothing for [`GRACE`] though it was told to; whether a
    /// request to stop was the reason.
    fn wait(
        &mut self,
        requested: &Receiver<Request>,
        mut reload: impl FnMut(serve::Answer),
        mut tick: impl FnMut(),
    ) -> bool {
        let mut grace = crossbeam_channel::never();
        let (mut graces, mut taken_before) = (0, 0);
        let mut was_stopped = false;
        while !self.crew.is_empty() {
            select! {
                recv(self.crew.ended()) -> number => self.dismiss(number.expect("the crew holds a sender")),
                recv(requested) -> request => match request.expect("the edge outlives the sensor") {
                    Request::Dismiss(dismissed, answer) => self.dismiss_incident(dismissed, answer),
                    Request::Reload(answer) => reload(answer),
                    Request::Stop => {
                        was_stopped = true;
                        self.stop.store(true, Ordering::Relaxed);
                        taken_before = self.taken.load(Ordering::Relaxed);
                        grace = crossbeam_channel::after(GRACE);
                    }
                },
                recv(grace) -> _ => {
                    let taken = self.taken.load(Ordering::Relaxed);
                    graces += 1;
                    if taken == taken_before || graces >= GRACES_MAX {
                        break;
                    }
                    taken_before = taken;
                    grace = crossbeam_channel::after(GRACE);
                }
                default(PROGRESS_INTERVAL) => tick(),
            }
        }
        was_stopped
    }

    fn dismiss(&mut self, number: usize) {
        match self.crew.dismiss(number) {
            Ok(met) if met.is_empty() => {}
            Ok(met) => {
                self.faults.extend(met);
                self.stop.store(true, Ordering::Relaxed);
            }
            Err(Panicked(name)) => {
                self.faults.push(Fault::Panicked(name));
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Lets the analysis judge all there is, and then answers requests until it is told to stop.
    fn linger(&self, requested: &Receiver<Request>, reload: impl Fn(serve::Answer)) {
        let _gone = self.inputs.send(Input::Complete);
        for request in requested {
            match request {
                Request::Dismiss(dismissed, answer) => self.dismiss_incident(dismissed, answer),
                Request::Reload(answer) => reload(answer),
                Request::Stop => break,
            }
        }
    }

    fn dismiss_incident(&self, dismissed: Dismissed, answer: serve::Answer) {
        let _gone = self.inputs.send(Input::Dismiss(dismissed, answer));
    }

    /// Lets the analysis come to its end.
    fn stop(mut self) -> Report {
        // The analysis may be gone already, or all who write to it: either way there is nothing to wait for.
        let _gone = self.inputs.send(Input::Last);
        drop(self.inputs);
        let mut report = match self.analysis.join() {
            Ok(mut report) => {
                report.faults.splice(0..0, self.faults);
                report
            }
            Err(_) => {
                self.faults.push(Fault::Panicked("analysis".into()));
                Report { faults: self.faults, ..Report::default() }
            }
        };
        match self.scribe.map(thread::JoinHandle::join) {
            Some(Ok(fault)) => report.faults.extend(fault.map(Fault::State)),
            Some(Err(_)) => report.faults.push(Fault::Panicked("state".into())),
            None => {}
        }
        if self.archivist.is_some_and(|archivist| archivist.join().is_err()) {
            report.faults.push(Fault::Panicked("captures".into()));
        }
        report
    }
}
