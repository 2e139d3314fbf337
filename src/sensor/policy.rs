//! Configuration in; rules, databases and what the analysis is told, all checked, out.

use std::path::{Path, PathBuf};

use crate::analysis::{self, Analysis};
use crate::config::Config;
use crate::enrich::geo::{Geo, GeoError};
use crate::enrich::networks::NetworksError;
use crate::rules::{RuleFaults, Rules};

/// What is judged by, as far as it can be read anew while the sensor runs.
pub struct Policy {
    settings: analysis::Settings,
    rules: Rules,
    geo: Geo,
    /// Where the rules came from; none where there was no directory of rules.
    pub directory: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error(transparent)]
    Geo(#[from] GeoError),
    #[error(transparent)]
    Networks(#[from] NetworksError),
    #[error(transparent)]
    Rules(#[from] RuleFaults),
}

/// Where an installed sensor's rules are.
const INSTALLED: &str = "/usr/share/spanwatch/rules";
/// What tells a directory of rules from any other of that name.
const MARK: &str = "data/products.yml";

impl Policy {
    /// Reads the rules and opens the databases that a configuration names.
    pub fn load(config: &Config) -> Result<Self, PolicyError> {
        let directory = config.rules.directory.clone().or_else(default_directory);
        let rules = directory.as_deref().map_or_else(|| Ok(Rules::none()), Rules::load)?;
        let geo = Geo::open(&config.geo.databases)?;
        Ok(Self { settings: config.analysis(), rules, geo, directory })
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// An analysis that knows nothing yet.
    pub(super) fn start(&self, shards: usize) -> Result<Analysis, NetworksError> {
        Analysis::new(&self.settings, &self.rules, self.geo.clone(), shards)
    }

    pub(super) fn replace(self, analysis: &mut Analysis) -> Result<(), NetworksError> {
        analysis.reload(&self.settings.world, &self.rules, self.geo)
    }
}

fn default_directory() -> Option<PathBuf> {
    let beside_executable =
        std::env::current_exe().ok().and_then(|path| Some(path.parent()?.join("../share/spanwatch/rules")));
    [Some("rules".into()), beside_executable, Some(INSTALLED.into())]
        .into_iter()
        .flatten()
        .find(|directory: &PathBuf| Path::new(directory).join(MARK).is_file())
}
