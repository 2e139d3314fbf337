//! `spanwatch replay`: capture files in; events, alerts, metrics and a summary out.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Failure, Sources, print};
use crate::capture::Progress;
use crate::metrics::Exposition;
use crate::report;
use crate::sensor::{self, Policy, Replayed, Report};
use crate::serve::view::View;
use crate::summary::Page;

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    sources: Sources,
    /// Write every event as a line of JSON; - is the standard output
    #[arg(short, long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Write every alert as a line of JSON; - is the standard output
    #[arg(short, long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// Write the metrics at the end, in the Prometheus text format; - is the standard output
    #[arg(short, long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Write what was found as one HTML file that needs nothing beside it, for a ticket
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Answer HTTP with the console and the metrics on an address such as 127.0.0.1:9787, until interrupted
    #[arg(long, value_name = "ADDRESS")]
    serve: Option<SocketAddr>,
    /// Take up the state of this directory, dismissals with it, and leave there what is remembered at the end
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Threads that read flows; the output is the same for any number [default: one for each processor]
    #[arg(short, long, value_name = "N")]
    shards: Option<NonZeroUsize>,
    /// Read only the packets that this pcap-filter(7) expression selects
    #[arg(short, long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// pcap or pcapng files, plain, .gz or .zst, read in the order of their packets' times; - is the standard input.
    /// Recordings of facts (*.facts.jsonl, *.facts.jsonl.zst) are read beside them
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
}

pub(super) fn replay(options: Options) -> Result<(), Failure> {
    let mut config = options.sources.config().map_err(Failure::before_start)?;
    // What a live sensor writes is its configuration's; a replay writes what its command line says.
    config.sinks.events = options.events;
    config.sinks.alerts = options.alerts;
    config.server.listen = options.serve.unwrap_or(config.server.listen);
    config.state.dir = options.state;
    config.shards = options.shards.or(config.shards);
    config.capture.filter = options.filter.or(config.capture.filter);

    let policy = Policy::load(&config).map_err(Failure::before_start)?;
    let (directory, rules) = (policy.directory.clone(), policy.rules().list().count());

    let is_looked_at = options.serve.is_some() || options.report.is_some();
    let view = is_looked_at.then(|| Arc::new(View::new()));
    let replayed = Replayed { files: &options.captures, view: view.clone(), serves: options.serve.is_some() };
    let bar = Bar::new();
    let served = |address| eprintln!("spanwatch: the console is at http://{address}/ until this is interrupted");
    let report = sensor::replay(&config, policy, replayed, |progress| bar.show(progress), served);
    bar.clear();
    let report = report.map_err(Failure::before_start)?;

    if let Some(path) = &options.metrics {
        write_metrics(path, &report)?;
    }
    if let (Some(path), Some(view)) = (&options.report, &view) {
        std::fs::write(path, report::page(view))
            .map_err(|error| Failure::OnTheWay(format!("report: cannot write to {}: {error}", path.display())))?;
    }
    let page = Page { summary: &report.summary, snapshot: &report.snapshot, rules: (directory.as_deref(), rules) };
    let is_output_taken =
        config.sinks.use_standard_output() || options.metrics.is_some_and(|path| path.as_os_str() == "-");
    if is_output_taken {
        eprint!("{page}")
    } else {
        print(&page.to_string())?
    }
    super::end(&report)
}

fn write_metrics(path: &Path, report: &Report) -> Result<(), Failure> {
    let exposition = Exposition::new();
    exposition.publish(report.snapshot.clone());
    let text = exposition.text().map_err(|error| Failure::OnTheWay(error.to_string()))?;
    if path.as_os_str() == "-" {
        return print(&text);
    }
    std::fs::write(path, text)
        .map_err(|error| Failure::OnTheWay(format!("metrics: cannot write to {}: {error}", path.display())))
}

/// How far a replay has come, on a terminal only.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(Self::style("{spinner} {bytes} read, {bytes_per_sec}"));
        Self(bar)
    }

    fn show(&self, progress: &Progress) {
        if let (None, Some(total)) = (self.0.length(), progress.total_bytes()) {
            self.0.set_length(total);
            self.0.set_style(Self::style("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} left"));
        }
        self.0.set_position(progress.read_bytes());
    }

    fn clear(&self) {
        self.0.finish_and_clear();
    }

    fn style(template: &str) -> ProgressStyle {
        ProgressStyle::with_template(template).expect("the template is a literal of the right form")
    }
}
