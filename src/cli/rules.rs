//! `spanwatch rules`: the rules describe themselves.

use std::fmt::Write;

use clap::Subcommand;

use super::{Failure, Sources, print};
use crate::rules::{Level, Rule};
use crate::sensor::Policy;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Say what a rule looks for, what would be innocent, and what it is tested with
    Explain {
        #[command(flatten)]
        sources: Sources,
        /// The rule's name or id
        rule: String,
    },
    /// Print the reference of every rule, as Markdown
    Manual {
        #[command(flatten)]
        sources: Sources,
    },
    /// Print every rule's level, name and title
    List {
        #[command(flatten)]
        sources: Sources,
    },
}

pub(super) fn rules(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Explain { sources, rule: wanted } => {
            let policy = policy(sources)?;
            let rule = policy.rules().find(wanted);
            let rule = rule.ok_or_else(|| Failure::BeforeStart(unknown(wanted, &policy)))?;
            print(&explained(rule))
        }
        Command::Manual { sources } => print(&manual(policy(sources)?.rules().list())),
        Command::List { sources } => {
            let mut page = String::new();
            for rule in policy(sources)?.rules().list() {
                page += &format!("{:13}  {:40}  {}\n", rule.level.as_str(), rule.name, rule.title);
            }
            print(&page)
        }
    }
}

/// The reference page of the rules.
fn manual<'a>(rules: impl Iterator<Item = &'a Rule>) -> String {
    let mut page = String::from(
        "# Rules\n\n\
         What the rules that ship with the sensor look for, why it matters, and what would make it innocent. How a rule \
         is written stands in [rules/README.md](../rules/README.md).\n\n\
         This page is the output of `spanwatch rules manual`.\n",
    );
    for rule in rules {
        page += &format!("\n## {}\n\n`{}`, {}", rule.title, rule.name, rule.level.as_str());
        if rule.weight > 0.0 {
            page += &format!(", {} nats of the family `{}`", rule.weight, rule.family.as_str());
        }
        if rule.level == Level::Informational && rule.weight > 0.0 && !rule.is_counted_only {
            page += ", silent itself: evidence for incidents only";
        }
        if rule.is_counted_only {
            page += ", silent itself: a correlation counts it";
        }
        page += &format!("\n\n{}\n", rule.description.trim());
        let techniques: Vec<String> = rule.techniques().collect();
        for (name, values) in [("ATT&CK", &techniques), ("Builds on", &rule.refers_to)] {
            if !values.is_empty() {
                page += &format!("\n{name}: {}\n", values.join(", "));
            }
        }
        if let Some(expected) = &rule.expected {
            page += &format!("\nExpected instead: {expected}\n");
        }
        section(&mut page, "It may be innocent", &rule.falsepositives);
    }
    page
}

fn policy(sources: &Sources) -> Result<Policy, Failure> {
    let config = sources.config().map_err(Failure::before_start)?;
    let policy = Policy::load(&config).map_err(Failure::before_start)?;
    if policy.directory.is_none() {
        return Err(Failure::BeforeStart("no directory of rules was found; name one with --rules DIR".into()));
    }
    Ok(policy)
}

fn unknown(wanted: &str, policy: &Policy) -> String {
    let names: Vec<&str> = policy.rules().list().map(|rule| rule.name.as_str()).collect();
    match crate::yaml::nearest(wanted, &names) {
        Some(near) => format!("no rule has the name or id `{wanted}`; did you mean `{near}`?"),
        None => format!("no rule has the name or id `{wanted}`; `spanwatch rules list` shows them"),
    }
}

fn explained(rule: &Rule) -> String {
    let mut page =
        format!("{}\n{}\n\n{}\n\n", rule.title, "=".repeat(rule.title.chars().count()), rule.description.trim());
    let suppress = rule.suppress.as_secs();
    let lines = [
        ("Name", rule.name.clone()),
        ("Id", rule.id.clone()),
        ("File", rule.path.display().to_string()),
        ("Kind", rule.kind.as_str().into()),
        ("Level", rule.level.as_str().into()),
        ("Family", format!("{}, weight {} nats", rule.family.as_str(), rule.weight)),
        ("Judges", rule.category.clone().unwrap_or_default()),
        ("Builds on", rule.refers_to.join(", ")),
        ("Expected", rule.expected.clone().unwrap_or_default()),
        ("ATT&CK", rule.techniques().collect::<Vec<_>>().join(", ")),
        ("Said again", format!("after {suppress} s for the same entity")),
        ("Fires on", rule.evidence.fires.join(", ")),
        ("Quiet on", rule.evidence.quiet.join(", ")),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(page, "{name:11} {value}").expect("a String takes everything");
    }
    section(&mut page, "It may be innocent", &rule.falsepositives);
    section(&mut page, "Read more", &rule.references);
    page
}

fn section(page: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    *page += &format!("\n{title}:\n\n");
    for line in lines {
        *page += &format!("  - {line}\n");
    }
}
