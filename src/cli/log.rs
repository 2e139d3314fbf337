//! How the sensor's own log is written, always to the standard error.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

#[derive(Args)]
pub(super) struct Options {
    /// What is logged: error, warn, info, debug, trace, or a list such as `info,spanwatch::flow=debug`
    /// [default: info for `run`, warn otherwise]
    #[arg(long, global = true, value_name = "FILTER", env = "SPANWATCH_LOG")]
    log: Option<String>,
    /// How a line of the log is written
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    log_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Text,
}

pub(super) fn start(options: &Options, long_running: bool) {
    let default = if long_running { "info" } else { "warn" };
    let filter = EnvFilter::new(options.log.as_deref().unwrap_or(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match options.log_format {
        Format::Json => builder.json().init(),
        Format::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
    }
}
