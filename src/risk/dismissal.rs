//! What analysts said is innocent in; how much less a kind of evidence then counts, out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::Family;
use crate::identity::entity::Entity;
use crate::time::Timestamp;

/// An analyst's word that one kind of evidence about somebody, or all of it, is innocent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dismissal {
    pub entity: Entity,
    /// None stands for every family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    pub reason: String,
    /// When it was said.
    pub at: Timestamp,
}

/// The dismissals in force, the latest of each entity and family.
#[derive(Clone, Debug, Default)]
pub struct Dismissals {
    said: BTreeMap<(Entity, Option<Family>), Timestamp>,
}

impl Dismissals {
    /// The most that are kept; the oldest give way.
    pub const MAX: usize = 100_000;

    /// Takes one; whether it says anything new.
    pub fn add(&mut self, dismissal: &Dismissal) -> bool {
        let known = self.said.insert((dismissal.entity.clone(), dismissal.family), dismissal.at);
        if let Some(known) = known.filter(|known| *known >= dismissal.at) {
            self.said.insert((dismissal.entity.clone(), dismissal.family), known);
            return false;
        }
        if self.said.len() > Self::MAX {
            let oldest = self.said.iter().min_by_key(|(key, at)| (**at, *key)).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.said.remove(&key));
        }
        true
    }

    /// Whether a family of an entity's evidence is dismissed at a moment. What was said after the moment counts, too: a
    /// capture is often replayed after its evidence was looked at.
    pub fn is_dismissed(&self, entity: &Entity, family: Family, at: Timestamp, lasting: Duration) -> bool {
        if self.said.is_empty() {
            return false;
        }
        let lasts = |family| {
            let said = self.said.get(&(entity.clone(), family));
            said.is_some_and(|&said| at < said + lasting)
        };
        lasts(Some(family)) || lasts(None)
    }

    pub fn count(&self) -> usize {
        self.said.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn house() -> Entity {
        Entity::parse("site", "198.51.100.9").unwrap()
    }

    #[test]
    fn a_dismissal_holds_for_its_time_and_for_its_family() {
        let said = Timestamp::from_secs(1_700_000_000);
        let mut dismissals = Dismissals::default();
        let dismissal =
            Dismissal { entity: house(), family: Some(Family::Time), reason: "shift work".into(), at: said };
        dismissals.add(&dismissal);
        let is_dismissed = |family, at| dismissals.is_dismissed(&house(), family, at, 90 * DAY);
        assert!(is_dismissed(Family::Time, said - 365 * DAY), "a capture of last year, looked at now");
        assert!(is_dismissed(Family::Time, said + 90 * DAY - Duration::from_nanos(1)));
        assert!(!is_dismissed(Family::Time, said + 90 * DAY));
        assert!(!is_dismissed(Family::Identity, said));
        assert!(!dismissals.is_dismissed(&Entity::Account("ann".into()), Family::Time, said, 90 * DAY));
    }

    #[test]
    fn one_without_a_family_is_of_all_and_the_latest_counts() {
        let mut dismissals = Dismissals::default();
        for secs in [2_000_000, 1_000_000] {
            let at = Timestamp::from_secs(secs);
            dismissals.add(&Dismissal { entity: house(), family: None, reason: "a family".into(), at });
        }
        let day = Timestamp::from_secs(2_000_000) + DAY;
        for &family in Family::ALL {
            assert!(dismissals.is_dismissed(&house(), family, day - Duration::from_nanos(1), DAY));
            assert!(!dismissals.is_dismissed(&house(), family, day, DAY));
        }
        assert_eq!(dismissals.count(), 1);
    }
}
