//! `spanwatch replay`: capture files in, metrics out.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Failure, Policy, print};
use crate::capture::Progress;
use crate::metrics::Exposition;
use crate::sensor::{self, Report};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    policy: Policy,
    /// Write the metrics at the end, in the Prometheus text format; - is the standard output
    #[arg(short, long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Threads that read flows; the output is the same for any number [default: one for each processor]
    #[arg(short, long, value_name = "N")]
    shards: Option<NonZeroUsize>,
    /// Read only the packets that this pcap-filter(7) expression selects
    #[arg(short, long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// pcap or pcapng files, plain, .gz or .zst, read in the order of their packets' times; - is the standard input
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
}

pub(super) fn replay(options: Options) -> Result<(), Failure> {
    let mut config = options.policy.config().map_err(Failure::before_start)?;
    config.shards = options.shards.or(config.shards);
    config.capture.filter = options.filter.or(config.capture.filter);

    let bar = Bar::new();
    let report = sensor::replay(&config, &options.captures, |progress| bar.show(progress));
    bar.clear();
    let report = report.map_err(Failure::before_start)?;

    if let Some(path) = &options.metrics {
        write_metrics(path, &report)?;
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
