//! `truth.json` in, the labels out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{Said, time};
use crate::time::Timestamp;

/// The version of the labels that is read.
pub const VERSION: u32 = 1;

/// What is true of a run.
#[derive(Clone, Debug)]
pub struct Truth {
    pub days: u64,
    pub farms: Vec<Farm>,
    people: BTreeMap<String, String>,
    /// The people at a site, inside or outside, or behind a device, by its name.
    whose: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
pub struct Farm {
    pub id: String,
    pub kind: String,
    pub laptops: u64,
    pub since: Timestamp,
    pub sites: Vec<String>,
    pub accounts: Vec<String>,
    pub devices: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    #[error("{file}: cannot be read: {source}; give a directory that `spanwatch simulate` wrote")]
    Unreadable { file: String, source: std::io::Error },
    #[error("{file}: not the labels of a simulation: {reason}")]
    Malformed { file: String, reason: String },
}

#[derive(Deserialize)]
struct Document {
    version: u32,
    days: u64,
    farms: Vec<FarmEntry>,
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct FarmEntry {
    id: String,
    kind: String,
    laptops: u64,
    since: String,
    sites: Vec<String>,
    accounts: Vec<String>,
    devices: Vec<String>,
}

#[derive(Deserialize)]
struct Person {
    account: String,
    habit: String,
    site: String,
    pool: String,
    device: String,
}

impl Truth {
    pub fn load(path: &Path) -> Result<Self, TruthError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|reason| TruthError::Malformed { file, reason }),
            Err(source) => Err(TruthError::Unreadable { file, source }),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if document.version != VERSION {
            return Err(format!("they are of form {}, and this is read: {VERSION}", document.version));
        }
        let farms = document.farms.into_iter().map(Farm::new).collect::<Result<_, _>>()?;
        let mut whose: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for person in &document.people {
            for name in [&person.site, &person.pool, &person.device] {
                whose.entry(name.clone()).or_default().push(person.account.clone());
            }
        }
        let people = document.people.into_iter().map(|person| (person.account, person.habit)).collect();
        Ok(Self { days: document.days, farms, people, whose })
    }

    /// How many days all laptops have together.
    pub fn laptop_days(&self) -> u64 {
        self.people.len() as u64 * self.days
    }

    /// What the people are in that something was said of.
    pub(super) fn situations_of(&self, said: &Said) -> Vec<String> {
        let behind = self.whose.get(&said.entity).into_iter().flatten();
        let named = behind.chain(&said.accounts).chain([&said.entity]);
        named.filter_map(|account| self.people.get(account).cloned()).collect()
    }
}

impl Farm {
    fn new(entry: FarmEntry) -> Result<Self, String> {
        let FarmEntry { id, kind, laptops, since, sites, accounts, devices } = entry;
        let since = time(&since).ok_or_else(|| format!("{since:?} of {id} is no time"))?;
        Ok(Self { id, kind, laptops, since, sites, accounts, devices })
    }
}
