//! `spanwatch evaluate`: directories of labelled companies in, how right the sensor was about them out.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, print};
use crate::config::Config;
use crate::evaluate::{Evaluation, Said, Truth};
use crate::sensor::{self, Policy, Replayed};
use crate::simulate;

#[derive(Args)]
pub(super) struct Options {
    /// The directory of the rules, instead of the one that is found by itself
    #[arg(short, long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Take the alerts that lie in the directories already, instead of judging the data anew
    #[arg(long)]
    judged: bool,
    /// Directories that `spanwatch simulate` wrote; alerts.jsonl is written into each
    #[arg(required = true, value_name = "DIR")]
    directories: Vec<PathBuf>,
}

const ALERTS: &str = "alerts.jsonl";

pub(super) fn evaluate(options: &Options) -> Result<(), Failure> {
    let mut evaluation = Evaluation::default();
    for directory in &options.directories {
        let truth = Truth::load(&directory.join(simulate::TRUTH)).map_err(Failure::before_start)?;
        if !options.judged {
            judge(options, directory)?;
        }
        let said = Said::load(&directory.join(ALERTS)).map_err(Failure::before_start)?;
        evaluation.add(&name_of(directory, &options.directories), &truth, &said);
    }
    print(&evaluation.to_string())
}

/// What a run is called: the directory's last part, or its whole path where another one has the same.
fn name_of(directory: &Path, all: &[PathBuf]) -> String {
    let is_alone = all.iter().filter(|other| other.file_name() == directory.file_name()).count() < 2;
    match directory.file_name().filter(|_| is_alone) {
        Some(name) => name.to_string_lossy().into_owned(),
        None => directory.display().to_string(),
    }
}

/// Runs the sensor on what lies in a directory.
fn judge(options: &Options, directory: &Path) -> Result<(), Failure> {
    let mut config = Config::load(&directory.join(simulate::CONFIGURATION)).map_err(Failure::before_start)?;
    config.sinks.events = None;
    config.sinks.alerts = Some(directory.join(ALERTS));
    config.rules.directory.clone_from(&options.rules);
    let policy = Policy::load(&config).map_err(Failure::before_start)?;
    if policy.directory.is_none() {
        return Err(Failure::BeforeStart("no directory of rules was found; name one with --rules DIR".into()));
    }
    let files = simulate::files(directory);
    let Some(data) = files.iter().rev().find(|file| file.is_file()) else {
        let (capture, facts) = (simulate::CAPTURE, simulate::FACTS);
        return Err(Failure::BeforeStart(format!("{}: holds neither {facts} nor {capture}", directory.display())));
    };
    let replayed = Replayed { files: std::slice::from_ref(data), view: None, serves: false };
    let report = sensor::replay(&config, policy, replayed, |_| (), |_| ()).map_err(Failure::before_start)?;
    super::end(&report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_name_are_called_by_their_paths() {
        let all = ["a/run", "b/run", "c/other"].map(PathBuf::from);
        let names: Vec<String> = all.iter().map(|directory| name_of(directory, &all)).collect();
        assert_eq!(names, ["a/run", "b/run", "other"]);
    }
}
