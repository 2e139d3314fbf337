//! `spanwatch run`: an interface in; events, alerts and HTTP out, until it is told to stop.

use clap::Args;

use super::{Failure, Policy};
use crate::config::Config;
use crate::sensor;

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    policy: Policy,
    /// The interface to watch, instead of the configuration's
    #[arg(short, long, value_name = "NAME")]
    interface: Option<String>,
}

pub(super) fn run(options: Options) -> Result<(), Failure> {
    let config = config(&options).map_err(Failure::BeforeStart)?;
    let report = sensor::run(
        &config,
        || reload(&options),
        |address| {
            let address = address.map(tracing::field::display);
            tracing::info!(interface = config.capture.interface, http = address, "watching");
        },
    );
    super::end(&report.map_err(Failure::before_start)?)
}

fn config(options: &Options) -> Result<Config, String> {
    let mut config = options.policy.config().map_err(|error| error.to_string())?;
    if let Some(interface) = &options.interface {
        config.capture.interface.clone_from(interface);
    }
    if config.capture.interface.is_empty() {
        return Err(
            "no interface to watch; give --interface NAME, or set capture.interface in the configuration".into()
        );
    }
    Ok(config)
}

fn reload(options: &Options) -> Result<(), String> {
    config(options).map(|_| ())
}
