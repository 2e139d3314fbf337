//! `spanwatch events`: the events describe themselves.

use clap::Subcommand;

use super::{Failure, print};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print the reference of every event field, as Markdown
    List,
}

pub(super) fn events(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List => print(&crate::event::catalogue::markdown()),
    }
}
