//! An evaluation as a page for a terminal.

use std::fmt;
use std::time::Duration;

use super::{Evaluation, statistics};

/// The most false incidents that are listed.
const BENIGN_SHOWN_MAX: usize = 40;

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Data       {} runs, {} laptop days", self.runs, self.laptop_days)?;
        self.farms(f)?;
        self.incidents(f)?;
        self.rules(f)
    }
}

impl Evaluation {
    fn farms(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, found, in_time) = self.found();
        writeln!(f, "Farms      {} found, {} within 3 days", Share(found, all), Share(in_time, all))?;
        if self.farms.is_empty() {
            return Ok(());
        }
        let mut kinds: Vec<&str> = self.farms.iter().map(|farm| farm.farm.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            let of_kind = || self.farms.iter().filter(|farm| farm.farm.kind == kind);
            let found = of_kind().filter(|farm| farm.is_found_in_time()).count() as u64;
            writeln!(f, "           {kind:18} {} within 3 days", Share(found, of_kind().count() as u64))?;
        }
        writeln!(f, "\n{:28} {:17} laptops  first alert  incident    score  families", "farm", "kind")?;
        for outcome in &self.farms {
            let name = format!("{} {}", outcome.run, outcome.farm.id);
            let families: Vec<&str> = outcome.families.iter().map(String::as_str).collect();
            write!(f, "{name:28} {:17} {:7}  ", outcome.farm.kind, outcome.farm.laptops)?;
            write!(
                f,
                "{:>11}  {:>8}  ",
                After(outcome.first_alert).to_string(),
                After(outcome.first_incident).to_string()
            )?;
            writeln!(f, "{:7.1}  {}", outcome.score, families.join(", "))?;
        }
        writeln!(f)
    }

    fn incidents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let benign = self.benign.len() as u64;
        let right = self.incidents.saturating_sub(benign);
        writeln!(f, "Incidents  {} opened, {} of farms", self.incidents, Share(right, self.incidents))?;
        let [low, high] = statistics::count(benign).map(|count| self.rate(count));
        let rate = self.rate(benign as f64);
        writeln!(f, "           {benign} false: {rate:.2} ({low:.2} to {high:.2}) a day per 10,000 laptops")?;
        for incident in self.benign.iter().take(BENIGN_SHOWN_MAX) {
            let list =
                |names: &std::collections::BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
            let (families, situations) = (list(&incident.families), list(&incident.situations));
            let (run, entity, score) = (&incident.run, &incident.entity, incident.score);
            writeln!(f, "           {run}  {entity}  {score:.1}  {families}  ({situations})")?;
        }
        if self.benign.len() > BENIGN_SHOWN_MAX {
            writeln!(f, "           and {} more", self.benign.len() - BENIGN_SHOWN_MAX)?;
        }
        writeln!(f)
    }

    fn rules(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["rule", "alerts", "of farms", "farms", "false/d/10k", "incidents", "false ones"];
        let [rule, alerts, of_farms, farms, rate, incidents, others] = titles;
        writeln!(f, "{rule:44} {alerts:>7} {of_farms:>26} {farms:>26} {rate:>12} {incidents:>10} {others:>11}")?;
        for (name, rule) in &self.rules {
            let (precision, recall) =
                (Share(rule.of_farms, rule.alerts), Share(rule.farms.len() as u64, self.farms.len() as u64));
            let rate = self.rate((rule.alerts - rule.of_farms) as f64);
            let (precision, recall) = (precision.to_string(), recall.to_string());
            let (right, wrong) = (rule.incidents_of_farms.len(), rule.incidents_false.len());
            write!(f, "{name:44} {:7} {precision:>26} {recall:>26} {rate:12.2} ", rule.alerts)?;
            writeln!(f, "{right:10} {wrong:11}")?;
        }
        Ok(())
    }
}

/// A part of a whole, with its interval.
struct Share(u64, u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (share, [low, high]) = statistics::share(self.0, self.1);
        let percent = |share: f64| share * 100.0;
        write!(f, "{} of {} ({:.0} %, {:.0}–{:.0})", self.0, self.1, percent(share), percent(low), percent(high))
    }
}

/// How long something took, in days.
struct After(Option<Duration>);

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(after) => write!(f, "{:.1} d", after.as_secs_f64() / 86_400.0),
            None => f.write_str("never"),
        }
    }
}
