//! `spanwatch check`: configuration, rules and the files they name in, every fault in them out, or which detectors they
//! leave silent, and what they leave out that a sensor of months would miss.

use std::fmt::Write as _;

use clap::Args;

use super::{Failure, Sources, print};
use crate::config::Config;
use crate::sensor::Policy;

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    sources: Sources,
}

pub(super) fn check(options: &Options) -> Result<(), Failure> {
    let mut faults = Vec::new();
    let config = options.sources.config().unwrap_or_else(|fault| {
        faults.push(fault.to_string());
        let mut config = Config::default();
        config.rules.directory.clone_from(&options.sources.rules);
        config
    });
    faults.extend(options.sources.edge_faults(&config));
    let policy = Policy::load(&config).map_err(|fault| faults.push(fault.to_string()));
    let (Ok(policy), true) = (policy, faults.is_empty()) else {
        return Err(Failure::BeforeStart(faults.join("\n")));
    };
    let mut said = match &policy.directory {
        Some(directory) => {
            let count = policy.rules().list().count();
            format!("The configuration and {count} rules of {} are valid.\n", directory.display())
        }
        None => "The configuration is valid. No directory of rules was found.\n".into(),
    };
    for (remedy, detectors) in config.silent_detectors() {
        let _ = writeln!(said, "Silent: {}; to wake them, {remedy}.", detectors.join(", "));
    }
    if config.state.dir.is_none() {
        said += "Not kept: what is learnt ends with the process; to keep it, set state.dir.\n";
    }
    if config.sinks.alerts.is_none() && !config.sinks.push.has_receivers() {
        said += "Not told: alerts show on the console alone; to write or send them, set sinks.alerts or sinks.push.\n";
    }
    print(&said)
}
