//! Those with most evidence in, their evidence under ids that tell nothing out.

use std::path::PathBuf;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::EntityRisk;
use crate::identity::entity::Entity;
use crate::risk::Risk;
use crate::sinks::{Pseudonyms, SinkError};

/// What the metrics tell beside numbers of everybody together.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `spanwatch_entity_risk`; without it, no metric is about anybody.
    pub entity_risk: Option<EntityRiskSettings>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct EntityRiskSettings {
    /// Of how many it is told, those with most evidence.
    #[serde(default = "entries_default", deserialize_with = "entries")]
    pub entries_max: usize,
    /// The key of the hashes; the pushes' key gives accounts the same ids as there.
    pub key_file: PathBuf,
}

const fn entries_default() -> usize {
    10
}

fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let count = usize::deserialize(deserializer)?;
    if (1..=Risk::RISKIEST_MAX).contains(&count) {
        return Ok(count);
    }
    Err(D::Error::custom(format_args!("{count} is not from 1 to {}", Risk::RISKIEST_MAX)))
}

/// Tells of those with most evidence.
pub struct Risks {
    pseudonyms: Pseudonyms,
    entries_max: usize,
}

impl Risks {
    /// None where the settings do not ask for it.
    pub fn open(settings: &Settings) -> Result<Option<Self>, SinkError> {
        let Some(EntityRiskSettings { entries_max, key_file }) = &settings.entity_risk else { return Ok(None) };
        Ok(Some(Self { pseudonyms: Pseudonyms::open(key_file)?, entries_max: *entries_max }))
    }

    /// Of entities and their evidence in nats, the most first.
    pub fn tell(&self, riskiest: &[(Entity, f64)]) -> Vec<EntityRisk> {
        let told = riskiest.iter().filter(|(_, nats)| *nats > 0.0).take(self.entries_max);
        told.map(|(entity, nats)| {
            let name = entity.to_string();
            EntityRisk {
                kind: entity.kind(),
                id: self.pseudonyms.tag(&name),
                name,
                nats: (nats * 100.0).round() / 100.0,
            }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Exposition, Snapshot};
    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        crate::yaml::parse("example.yml", text).map_err(|fault| fault.to_string())
    }

    #[test]
    fn those_with_most_evidence_are_told_by_ids_that_only_the_key_makes() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        std::fs::write(&key, "0123456789abcdef0123456789abcdef").unwrap();
        let asked = format!("entity_risk: {{entries_max: 2, key_file: {}}}", key.display());
        let risks = Risks::open(&settings(&asked).unwrap()).unwrap().unwrap();
        let site = |text| Entity::parse("site", text).unwrap();
        let told = risks.tell(&[
            (site("198.51.100.9"), 15.128),
            (Entity::Account("wanda".into()), 3.0),
            (site("198.51.100.10"), 2.0),
        ]);
        assert_eq!(
            told.iter().map(|risk| (risk.kind, risk.nats)).collect::<Vec<_>>(),
            [("site", 15.13), ("account", 3.0)]
        );
        assert!(told[0].id.len() == 16 && told[0].id != told[1].id);
        let exposition = Exposition::new();
        exposition.publish(Snapshot { risks: told.clone(), ..Snapshot::default() });
        let text = exposition.text().unwrap();
        let line = format!("spanwatch_entity_risk{{kind=\"site\",id=\"{}\"}} 15.13", told[0].id);
        assert!(text.lines().any(|written| written == line), "{text}");
        assert!(!text.contains("198.51.100.9") && !text.contains("wanda"));
    }

    #[test]
    fn nobody_is_told_of_unless_asked_and_never_more_than_is_counted() {
        assert!(Risks::open(&Settings::default()).unwrap().is_none());
        let fault = settings("entity_risk: {entries_max: 101, key_file: key}").unwrap_err();
        assert!(fault.starts_with("example.yml:1:28: 101 is not from 1 to 100"), "{fault}");
        let short = tempfile::NamedTempFile::new().unwrap();
        let asked = format!("entity_risk: {{key_file: {}}}", short.path().display());
        let fault = Risks::open(&settings(&asked).unwrap()).err().unwrap().to_string();
        assert!(
            fault.ends_with("the key for pseudonyms has 0 bytes and needs 32; `openssl rand -hex 32` makes one"),
            "{fault}"
        );
    }
}
