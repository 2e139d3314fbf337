//! `spanwatch run`: an interface in; events, alerts and HTTP out, until it is told to stop.

use clap::Args;

use super::{Failure, Sources};
use crate::config::Config;
use crate::sensor::{self, Policy};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    sources: Sources,
    /// The interface to watch, instead of the configuration's
    #[arg(short, long, value_name = "NAME")]
    interface: Option<String>,
}

pub(super) fn run(options: Options) -> Result<(), Failure> {
    let (config, policy) = read(&options).map_err(Failure::BeforeStart)?;
    let rules = policy.rules().list().count();
    let report = sensor::run(
        &config,
        policy,
        || reload(&options, &config),
        |address| {
            let http = address.map(tracing::field::display);
            tracing::info!(interface = config.capture.interface, http, rules, "watching");
        },
    );
    let report = report.map_err(Failure::before_start)?;
    let (frames, drops) = (report.snapshot.frames, report.snapshot.drops);
    tracing::info!(
        packets = frames.frames,
        bytes = frames.bytes,
        dropped = drops.kernel + drops.interface,
        alerts = report.snapshot.analysis.alerts(),
        "stopped"
    );
    super::end(&report)
}

fn read(options: &Options) -> Result<(Config, Policy), String> {
    let mut config = options.sources.config().map_err(|fault| fault.to_string())?;
    if let Some(interface) = &options.interface {
        config.capture.interface.clone_from(interface);
    }
    if config.capture.interface.is_empty() {
        return Err(
            "no interface to watch; give --interface NAME, or set capture.interface in the configuration".into()
        );
    }
    let policy = Policy::load(&config).map_err(|fault| fault.to_string())?;
    Ok((config, policy))
}

fn reload(options: &Options, running: &Config) -> Result<Policy, String> {
    match read(options) {
        Ok((config, policy)) => {
            let fixed = running.fixed_sections_changed(&config);
            if !fixed.is_empty() {
                tracing::warn!(sections = fixed.join(", "), "changed, but only a restart brings these into force");
            }
            tracing::info!(rules = policy.rules().list().count(), "configuration and rules reloaded");
            Ok(policy)
        }
        Err(fault) => {
            tracing::error!("configuration and rules not reloaded, the ones before stay in force: {fault}");
            Err(fault)
        }
    }
}
