//! `spanwatch simulate`: a scenario and a seed in, a directory with a labelled company out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Failure, print};
use crate::simulate::company::Company;
use crate::simulate::scenario::{self, Scenario};
use crate::simulate::{self, Form, Vantage};
use crate::yaml;

#[derive(Args)]
pub(super) struct Options {
    /// The scenario; --list shows them
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// Show the scenarios
    #[arg(long)]
    list: bool,
    /// What everything follows from: the same seed gives the same files
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Days, the first one a Monday [default: the scenario's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=90))]
    days: Option<u16>,
    /// People, and as many laptops [default: the scenario's]
    #[arg(long, value_name = "N")]
    employees: Option<usize>,
    /// What mirror ports show: some of accounting, edge, office, pool, separated by commas [default: all]
    #[arg(long, value_name = "PORTS", value_delimiter = ',', value_parser = vantage)]
    vantage: Vec<Vantage>,
    /// Let households reach the company over IPv6, each machine with an address of its own
    #[arg(long)]
    ipv6: bool,
    /// What is written beside the labels
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Wanted::Fitting)]
    form: Wanted,
    /// The directory to write to; it is made where there is none
    #[arg(short, long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Wanted {
    /// A capture, and the recording of its facts
    Both,
    /// A capture
    Capture,
    /// A recording of facts
    Facts,
    /// Both where people times days are no more than 300 (about 240 MB then), or else a recording of facts
    Fitting,
}

/// The most people times days that a capture is written for where nobody asks for it.
const CAPTURE_PERSON_DAYS_MAX: usize = 300;

pub(super) fn simulate(options: &Options) -> Result<(), Failure> {
    if options.list {
        return print(&list());
    }
    let (Some(name), Some(out)) = (&options.scenario, &options.out) else {
        return Err(Failure::BeforeStart("no scenario, or no directory; `spanwatch simulate --list`".into()));
    };
    let scenario = scenario::named(name).ok_or_else(|| Failure::BeforeStart(unknown(name)))?;
    let days = options.days.map_or(scenario.days, usize::from);
    let employees = options.employees.unwrap_or(scenario.employees);
    let mut vantages: Vec<Vantage> = Vantage::ALL.to_vec();
    vantages.retain(|vantage| options.vantage.is_empty() || options.vantage.contains(vantage));
    let simulated =
        simulate::Options { scenario, seed: options.seed, days, employees, vantages, is_ipv6: options.ipv6 };
    if let Some(fault) = fault(&simulated) {
        return Err(Failure::BeforeStart(fault));
    }
    let form = match options.form {
        Wanted::Both => Form::Both,
        Wanted::Capture => Form::Capture,
        Wanted::Facts => Form::Facts,
        Wanted::Fitting => fitting(employees, days),
    };
    let about = megabytes(form.bytes_about(employees, days));
    eprintln!("spanwatch: writing about {about} to {}", out.display());
    let outcome = simulate::simulate(&simulated, form, out).map_err(|error| Failure::OnTheWay(error.to_string()))?;
    let mut page = format!("{} people, {days} days, {} farms", outcome.people, outcome.farms);
    if outcome.packets > 0 {
        page += &format!(", {} packets", outcome.packets);
    }
    if outcome.facts > 0 {
        page += &format!(", {} facts", outcome.facts);
    }
    print(&format!("{page}, {} in {}\n", megabytes(outcome.bytes), out.display()))
}

/// What is written where nobody asks for a form.
const fn fitting(employees: usize, days: usize) -> Form {
    if employees * days <= CAPTURE_PERSON_DAYS_MAX { Form::Both } else { Form::Facts }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

/// What cannot be simulated, and what can be instead.
fn fault(options: &simulate::Options) -> Option<String> {
    let least = Company::least_people(options.scenario);
    if options.employees > Company::PEOPLE_MAX {
        return Some(format!("--employees {}: there is room for {} people", options.employees, Company::PEOPLE_MAX));
    }
    (options.employees < least).then(|| {
        format!("--employees {}: the scenario `{}` may need up to {least}", options.employees, options.scenario.name)
    })
}

fn vantage(name: &str) -> Result<Vantage, String> {
    let named = Vantage::ALL.iter().find(|vantage| vantage.as_str() == name);
    named.copied().ok_or_else(|| {
        let names: Vec<&str> = Vantage::ALL.iter().map(|vantage| vantage.as_str()).collect();
        format!("it is one of {}", names.join(", "))
    })
}

fn list() -> String {
    let line = |scenario: &Scenario| {
        let (name, summary) = (scenario.name, scenario.summary);
        let (employees, days) = (scenario.employees, scenario.days);
        let about = megabytes(fitting(employees, days).bytes_about(employees, days));
        format!("{name:18} {summary} ({employees} people, {days} days, about {about})\n")
    };
    scenario::ALL.iter().map(line).collect()
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = scenario::ALL.iter().map(|scenario| scenario.name).collect();
    let near = yaml::nearest(name, &names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("no scenario has the name `{name}`{near}\nThe scenarios are: {}", names.join(", "))
}
