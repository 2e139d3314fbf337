//! Labels and what the sensor said of the same data in, how right it was out: for farms, for incidents and for every rule.
//!
//! An incident or alert is a farm's where it is about one of the farm's sites, accounts or devices, or where most of the
//! accounts it names are the farm's, and the farm had begun. Everything else is false. Rates come with intervals of 95 %:
//! Wilson's for shares, Byar's for counts.

mod page;
mod said;
pub mod statistics;
mod truth;

#[cfg(test)]
mod tests;

pub use said::{Said, SaidError};
pub use truth::{Farm, Truth, TruthError};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::time::Timestamp;

/// A farm that is found later than this is found too late.
pub const IN_TIME: Duration = Duration::from_secs(3 * 86_400);

/// What came of one or several runs.
#[derive(Debug, Default)]
pub struct Evaluation {
    pub runs: usize,
    pub laptop_days: u64,
    pub farms: Vec<FarmOutcome>,
    /// The incidents that are of no farm.
    pub benign: Vec<Benign>,
    /// How many incidents were opened, false ones among them.
    pub incidents: u64,
    pub rules: BTreeMap<String, RuleOutcome>,
}

/// What became of a farm.
#[derive(Debug)]
pub struct FarmOutcome {
    pub run: String,
    pub farm: Farm,
    /// From the farm's beginning to the first alert, and to the first incident, that is about it.
    pub first_alert: Option<Duration>,
    pub first_incident: Option<Duration>,
    /// Of its strongest incident.
    pub score: f64,
    pub families: BTreeSet<String>,
}

impl FarmOutcome {
    pub fn is_found(&self) -> bool {
        self.first_incident.is_some()
    }

    pub fn is_found_in_time(&self) -> bool {
        self.first_incident.is_some_and(|after| after <= IN_TIME)
    }
}

/// An incident that is of no farm.
#[derive(Debug)]
pub struct Benign {
    pub run: String,
    pub entity: String,
    pub score: f64,
    pub families: BTreeSet<String>,
    /// The situations of the people that it names.
    pub situations: BTreeSet<String>,
}

/// What a rule's alerts, or its part in incidents, came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RuleOutcome {
    pub alerts: u64,
    pub of_farms: u64,
    /// The farms that it spoke of.
    pub farms: BTreeSet<String>,
    /// The incidents of farms, and the false ones, that its evidence is part of.
    pub incidents_of_farms: BTreeSet<String>,
    pub incidents_false: BTreeSet<String>,
}

impl Evaluation {
    /// Adds a run: its labels, and the lines that the sensor wrote of it.
    pub fn add(&mut self, run: &str, truth: &Truth, said: &[Said]) {
        self.runs += 1;
        self.laptop_days += truth.laptop_days();
        let first = self.farms.len();
        self.farms.extend(truth.farms.iter().map(|farm| FarmOutcome {
            run: run.to_owned(),
            farm: farm.clone(),
            first_alert: None,
            first_incident: None,
            score: 0.0,
            families: BTreeSet::new(),
        }));
        let mut benign: BTreeMap<String, Benign> = BTreeMap::new();
        for said in said {
            let farm = truth.farms.iter().position(|farm| farm.is_meant(said));
            if said.is_incident {
                self.incidents += u64::from(said.is_opening);
                self.take_evidence(run, said, farm.is_some());
                match farm {
                    Some(farm) => self.farms[first + farm].take_incident(said),
                    None => take_benign(&mut benign, run, truth, said),
                }
            } else {
                let rule = self.rules.entry(said.rule.clone()).or_default();
                rule.alerts += 1;
                if let Some(farm) = farm {
                    rule.of_farms += 1;
                    rule.farms.insert(format!("{run} {}", truth.farms[farm].id));
                    self.farms[first + farm].take_alert(said);
                }
            }
        }
        self.benign.extend(benign.into_values());
    }

    fn take_evidence(&mut self, run: &str, said: &Said, is_of_farm: bool) {
        for rule in &said.evidence {
            let outcome = self.rules.entry(rule.clone()).or_default();
            let incidents = if is_of_farm { &mut outcome.incidents_of_farms } else { &mut outcome.incidents_false };
            incidents.insert(format!("{run} {}", said.id));
        }
    }

    /// How many farms there are, how many were found, and how many of them in time.
    pub fn found(&self) -> (u64, u64, u64) {
        let count = |test: fn(&FarmOutcome) -> bool| self.farms.iter().filter(|farm| test(farm)).count() as u64;
        (self.farms.len() as u64, count(FarmOutcome::is_found), count(FarmOutcome::is_found_in_time))
    }

    /// A count as a rate a day for every 10,000 laptops.
    pub fn rate(&self, count: f64) -> f64 {
        if self.laptop_days == 0 { 0.0 } else { count * 10_000.0 / self.laptop_days as f64 }
    }
}

impl FarmOutcome {
    fn take_alert(&mut self, said: &Said) {
        let after = said.at.since(self.farm.since);
        self.first_alert = Some(self.first_alert.map_or(after, |known| known.min(after)));
    }

    fn take_incident(&mut self, said: &Said) {
        let after = said.at.since(self.farm.since);
        self.first_incident = Some(self.first_incident.map_or(after, |known| known.min(after)));
        self.score = self.score.max(said.score);
        self.families.extend(said.families.iter().cloned());
    }
}

/// One false incident, however often something was said of it.
fn take_benign(benign: &mut BTreeMap<String, Benign>, run: &str, truth: &Truth, said: &Said) {
    let known = benign.entry(said.id.clone()).or_insert_with(|| Benign {
        run: run.to_owned(),
        entity: said.entity.clone(),
        score: 0.0,
        families: BTreeSet::new(),
        situations: BTreeSet::new(),
    });
    known.score = known.score.max(said.score);
    known.families.extend(said.families.iter().cloned());
    known.situations.extend(truth.situations_of(said));
}

impl Farm {
    /// Whether what was said is about the farm.
    fn is_meant(&self, said: &Said) -> bool {
        if said.at < self.since {
            return false;
        }
        let is_own =
            |name: &String| self.sites.contains(name) || self.accounts.contains(name) || self.devices.contains(name);
        if is_own(&said.entity) {
            return true;
        }
        let own = said.accounts.iter().filter(|account| self.accounts.contains(account)).count();
        own * 2 > said.accounts.len()
    }
}

/// Reads a time as labels and lines have it.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
