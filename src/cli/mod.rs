//! The command line in, an exit code out.

mod check;
mod client;
mod dismiss;
mod evaluate;
mod events;
mod log;
mod metrics;
mod products;
mod replay;
mod rules;
mod run;
mod simulate;
mod top;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::sensor::{Fault, Report};

/// A passive sensor for a mirror port: reads remote-desktop, VPN and TLS flows, fingerprints devices, recognises laptop
/// farms, and tells Prometheus. It sends nothing into the network that it watches.
#[derive(Parser)]
#[command(name = "spanwatch", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    log: log::Options,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  stopped by a fault on the way; everything read before it was judged and written
  2  not started: a fault in the command line, the configuration, a rule, or a capture, file or address that cannot be opened";

#[derive(Subcommand)]
enum Command {
    /// Check configuration and rules; every fault is named with file, line and column
    Check(check::Options),
    /// Say that what was found of a site, device or account is innocent
    Dismiss(dismiss::Options),
    /// Judge labelled companies, as `simulate` writes them, and say how right that was
    Evaluate(evaluate::Options),
    /// Describe the fields of events
    #[command(subcommand)]
    Events(events::Command),
    /// Describe the metrics
    #[command(subcommand)]
    Metrics(metrics::Command),
    /// Describe the products that are recognised
    #[command(subcommand)]
    Products(products::Command),
    /// Read capture files as if they came from the mirror port, and summarise what they show
    Replay(replay::Options),
    /// Show the rules
    #[command(subcommand)]
    Rules(rules::Command),
    /// Watch an interface until SIGTERM or SIGINT; SIGHUP reloads configuration and rules
    Run(run::Options),
    /// Write a labelled company at work, with or without laptop farms: a capture, a recording of facts, what is true
    Simulate(simulate::Options),
    /// Show what a running sensor sees, again and again
    Top(top::Options),
}

/// Where configuration and rules come from.
#[derive(Args)]
struct Sources {
    /// The configuration file; without it everything has its default
    #[arg(short, long, value_name = "FILE", env = "SPANWATCH_CONFIG")]
    config: Option<PathBuf>,
    /// The directory of the rules, instead of the configuration's
    #[arg(short, long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

impl Sources {
    fn config(&self) -> Result<Config, ConfigError> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
        if let Some(directory) = &self.rules {
            config.rules.directory = Some(directory.clone());
        }
        Ok(config)
    }

    /// What is wrong with what the configuration names for use at the edge.
    fn edge_faults(&self, config: &Config) -> Vec<String> {
        let Some(path) = &self.config else { return Vec::new() };
        let text = std::fs::read_to_string(path).unwrap_or_default();
        config.faults(&path.display().to_string(), &text)
    }
}

/// Why a command did not do what it was asked, which decides the exit code.
enum Failure {
    /// Found before anything was read.
    BeforeStart(String),
    /// Found on the way.
    OnTheWay(String),
}

impl Failure {
    fn before_start(error: impl ToString) -> Self {
        Self::BeforeStart(error.to_string())
    }
}

/// The end of a sensor as the end of its command.
fn end(report: &Report) -> Result<(), Failure> {
    let (warnings, faults): (Vec<&Fault>, Vec<&Fault>) = report.faults.iter().partition(|fault| fault.is_harmless());
    for warning in warnings {
        eprintln!("spanwatch: warning: {warning}");
    }
    match faults.as_slice() {
        [] => Ok(()),
        faults => {
            Err(Failure::OnTheWay(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nspanwatch: ")))
        }
    }
}

/// Writes to the standard output. A reader that has seen enough and closed it is no fault.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::OnTheWay(format!("cannot write to the standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(&cli.log, matches!(cli.command, Command::Run(_)));
    let done = match cli.command {
        Command::Check(options) => check::check(&options),
        Command::Dismiss(options) => dismiss::dismiss(&options),
        Command::Evaluate(options) => evaluate::evaluate(&options),
        Command::Events(command) => events::events(&command),
        Command::Metrics(command) => metrics::metrics(&command),
        Command::Products(command) => products::products(&command),
        Command::Replay(options) => replay::replay(options),
        Command::Rules(command) => rules::rules(&command),
        Command::Run(options) => run::run(options),
        Command::Simulate(options) => simulate::simulate(&options),
        Command::Top(options) => top::top(&options),
    };
    let (code, message) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::OnTheWay(message)) => (1, message),
        Err(Failure::BeforeStart(message)) => (2, message),
    };
    eprintln!("spanwatch: {message}");
    ExitCode::from(code)
}
