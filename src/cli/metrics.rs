//! `spanwatch metrics`: the metrics describe themselves.

use clap::Subcommand;

use super::{Failure, print};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print the reference of every metric, as Markdown
    List,
}

pub(super) fn metrics(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List => print(&crate::metrics::reference()),
    }
}
