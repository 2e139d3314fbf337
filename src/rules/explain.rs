//! A rule in, its description for a person out.

use std::fmt::Write as _;

use crate::rules::{Rule, Rules};

impl Rules {
    /// What a rule is, when it speaks and what is known to be innocent; by id or name.
    pub fn explain(&self, id_or_name: &str) -> Option<String> {
        let rule = self.find(id_or_name)?;
        let mut text = format!("{}\n{}\n\n{}\n", rule.title, "=".repeat(rule.title.chars().count()), rule.description);
        for (heading, value) in facts(rule) {
            let _ = writeln!(text, "\n{heading}: {value}");
        }
        list(&mut text, "Innocent traffic that looks like it", &rule.falsepositives);
        list(&mut text, "Captures that fire it", &rule.evidence.fires);
        list(&mut text, "Captures that keep it quiet", &rule.evidence.quiet);
        list(&mut text, "References", &rule.references);
        let narrowing = self.list().filter(|filter| {
            filter.kind == super::RuleKind::Filter
                && filter.refers_to.iter().any(|of| *of == rule.id || *of == rule.name)
        });
        list(&mut text, "Narrowed by", &narrowing.map(|filter| filter.title.clone()).collect::<Vec<_>>());
        Some(text)
    }
}

fn facts(rule: &Rule) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Rule", format!("{} ({}), {}", rule.name, rule.id, rule.path.display())),
        ("Level", rule.level.as_str().into()),
        ("Family", format!("{}, weight {}", rule.family.as_str(), rule.weight)),
    ];
    if let Some(category) = &rule.category {
        facts.push(("Judges", format!("{category} events")));
    }
    if !rule.refers_to.is_empty() {
        facts.push(("Refers to", rule.refers_to.join(", ")));
    }
    let techniques: Vec<String> = rule.techniques().collect();
    if !techniques.is_empty() {
        facts.push(("ATT&CK", techniques.join(", ")));
    }
    facts.extend(rule.expected.clone().map(|expected| ("Expected instead", expected)));
    if rule.capture {
        facts.push(("Evidence captures", "of the sessions it matches, where evidence_captures.dir is set".into()));
    }
    facts.push(("Says the same of the same one at most every", format!("{} s", rule.suppress.as_secs())));
    facts
}

fn list(text: &mut String, heading: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{heading}:");
    for item in items {
        let _ = writeln!(text, "  - {item}");
    }
}
