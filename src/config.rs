//! The configuration file in, every stage's settings out.
//!
//! Each section is the settings of the stage it is named after, whose defaults stand there. Without a file everything
//! has its default.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::capture::LiveSettings;
use crate::detect::Need;
use crate::enrich::classes::{self, ClassesError};
use crate::enrich::inventory;
use crate::enrich::networks::{NamedNetwork, Networks, NetworksError, Role, home_prefixes};
use crate::metrics::Risks;
use crate::profile::activity;
use crate::serve::AccessError;
use crate::world::{self, Sanctioned};
use crate::yaml::{self, Fault, Outline, Spanned};
use crate::{analysis, decode, detect, exhibit, flow, history, metrics, risk, serve, shard, sinks, state};

/// Everything an operator can set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Threads that read flows. The default is 1 on an interface, and one for each processor in a replay.
    pub shards: Option<NonZeroUsize>,
    pub capture: LiveSettings,
    pub decode: decode::Limits,
    /// The limits are those of the whole sensor; each shard has its share.
    pub flow: flow::Settings,
    pub networks: Vec<Spanned<NamedNetwork>>,
    pub inventory: inventory::Settings,
    /// The remote-access products and VPNs that the organisation uses itself.
    pub sanctioned: Vec<Sanctioned>,
    /// What kind of line addresses are at.
    pub address_classes: classes::Settings,
    pub geo: Geo,
    /// What counts as somebody's work.
    pub activity: activity::Settings,
    pub detect: detect::Settings,
    pub risk: risk::Settings,
    pub limits: analysis::Limits,
    /// How much is kept to look at.
    pub history: history::Limits,
    pub rules: Rules,
    pub server: serve::Settings,
    /// What the metrics tell beside numbers of everybody together.
    pub metrics: metrics::Settings,
    pub sinks: sinks::Settings,
    pub state: state::Settings,
    /// Whether the first packets of sessions are kept for those who look into an incident.
    pub evidence_captures: exhibit::Settings,
}

/// Databases of countries and autonomous systems.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Geo {
    /// Files in MaxMind's format; the first that knows a thing counts.
    pub databases: Vec<PathBuf>,
}

/// Where the policy is.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// The directory of the rules. The default is `rules` where the sensor is started, or else the one it was
    /// installed with.
    pub directory: Option<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Classes(#[from] ClassesError),
    #[error(transparent)]
    Text(#[from] Box<Fault>),
}

impl Config {
    /// Reads a file. Relative paths in it are relative to its directory.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let mut config = Self::parse(&path.display().to_string(), &text)?;
        config.resolve(path.parent().unwrap_or(Path::new("")));
        for (&class, members) in &mut config.address_classes {
            members.read_files(class)?;
        }
        Ok(config)
    }

    /// Reads the text of a file, whose name is for faults.
    pub fn parse(file: &str, text: &str) -> Result<Self, Box<Fault>> {
        let config: Self = yaml::parse(file, text)?;
        let Err(error) = Networks::new(&config.named_networks()) else {
            return Ok(config);
        };
        let NetworksError::Twice { second, .. } = &error;
        let network = config.networks.iter().rfind(|network| network.value.name == *second);
        let place = network.map_or((0, 0), |network| (network.referenced.line(), network.referenced.column()));
        Err(Box::new(Fault::at(file, text, place, error.to_string())))
    }

    /// What is wrong with the files and addresses that it names for use at the edge; `file` and `text` are its own.
    pub fn faults(&self, file: &str, text: &str) -> Vec<String> {
        let outline = Outline::of(text);
        let blame = |key: &str, why: String| outline.blame((file, text), key, why).to_string();
        let mut faults = Vec::new();
        match serve::check(&self.server) {
            Ok(()) => {}
            Err(fault @ AccessError::Read { .. }) => faults.push(blame("server.web_config", fault.to_string())),
            Err(fault) => faults.push(fault.to_string()),
        }
        let risks = Risks::open(&self.metrics).err();
        faults.extend(risks.map(|fault| blame("metrics.entity_risk.key_file", fault.to_string())));
        let pushes = self.sinks.push.faults().into_iter();
        faults.extend(pushes.map(|(key, fault)| blame(&format!("sinks.push.{key}"), fault.to_string())));
        faults
    }

    /// What one of `shards` may take of what the whole sensor may take.
    pub fn shard(&self, shards: usize) -> shard::Settings {
        let share = |whole: usize| whole.div_ceil(shards.max(1));
        let mut flow = self.flow.clone();
        flow.flows_max = share(flow.flows_max);
        flow.buffers_bytes_max = share(flow.buffers_bytes_max);
        flow.home_networks = home_prefixes(&self.named_networks());
        shard::Settings { decode: self.decode, flow, openings: self.evidence_captures.openings() }
    }

    pub fn analysis(&self) -> analysis::Settings {
        let world = world::Settings {
            networks: self.named_networks(),
            inventory: self.inventory.clone(),
            sanctioned: self.sanctioned.clone(),
            address_classes: self.address_classes.clone(),
        };
        analysis::Settings {
            world,
            activity: self.activity,
            detect: self.detect,
            risk: self.risk,
            limits: self.limits,
            evidence_captures: self.evidence_captures.clone(),
        }
    }

    /// The detectors that find nothing under this configuration, by what would wake them.
    pub fn silent_detectors(&self) -> BTreeMap<&'static str, Vec<&'static str>> {
        let mut silent: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (detector, need) in detect::silent(|need| self.has(need)) {
            silent.entry(need.remedy()).or_default().push(detector.name);
        }
        silent
    }

    fn has(&self, need: Need) -> bool {
        match need {
            Need::VpnGateway => self.networks.iter().any(|network| network.value.roles.contains(&Role::VpnGateway)),
        }
    }

    /// The sections that differ from `new` and that a running sensor cannot change.
    pub fn fixed_sections_changed(&self, new: &Self) -> Vec<&'static str> {
        let sections = [
            ("shards", self.shards == new.shards),
            ("capture", self.capture == new.capture),
            ("decode", self.decode == new.decode),
            ("flow", self.shard(1).flow == new.shard(1).flow),
            ("activity", self.activity == new.activity),
            ("detect", self.detect == new.detect),
            ("history", self.history == new.history),
            ("limits", self.limits == new.limits),
            ("metrics", self.metrics == new.metrics),
            ("risk", self.risk == new.risk),
            ("server", self.server == new.server),
            ("sinks", self.sinks == new.sinks),
            ("state", self.state == new.state),
            ("evidence_captures", self.evidence_captures == new.evidence_captures),
        ];
        sections.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }

    fn named_networks(&self) -> Vec<NamedNetwork> {
        self.networks.iter().map(|network| network.value.clone()).collect()
    }

    fn resolve(&mut self, directory: &Path) {
        let named = [
            &mut self.sinks.events,
            &mut self.sinks.alerts,
            &mut self.rules.directory,
            &mut self.server.web_config,
            &mut self.state.dir,
            &mut self.evidence_captures.dir,
        ];
        let lists = self.address_classes.values_mut().flat_map(|members| &mut members.files);
        let keys = self.metrics.entity_risk.iter_mut().map(|risk| &mut risk.key_file);
        let databases = self.geo.databases.iter_mut();
        for path in named.into_iter().flatten().chain(databases).chain(lists).chain(keys).chain(self.sinks.push.paths())
        {
            if path.as_os_str() != "-" {
                *path = directory.join(&*path);
            }
        }
    }
}

#[cfg(test)]
mod tests;
