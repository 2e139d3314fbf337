//! `spanwatch check`: configuration and rules in, every fault in them out.

use clap::Args;

use super::{Failure, Policy, print};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    policy: Policy,
}

pub(super) fn check(options: &Options) -> Result<(), Failure> {
    options.policy.config().map_err(Failure::before_start)?;
    print("the configuration is valid\n")
}
