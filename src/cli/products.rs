//! `spanwatch products`: the signatures of products describe themselves.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failure, print};
use crate::enrich::manual;
use crate::enrich::products::Products;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print how each product is recognised, as Markdown
    List(Options),
}

#[derive(Args)]
pub(super) struct Options {
    /// The file of products, instead of the one that the program was built with
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn products(command: &Command) -> Result<(), Failure> {
    let Command::List(options) = command;
    let products = match &options.file {
        Some(file) => Products::load(file).map_err(Failure::before_start)?,
        None => Products::shipped(),
    };
    print(&manual::markdown(&products))
}
