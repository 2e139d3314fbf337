//! The configuration file in, every stage's settings out.
//!
//! Each section is the `Settings` of the stage it is named after, and its defaults stand there. Without a file
//! everything has its default.

pub mod yaml;

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::capture::LiveSettings;
use crate::config::yaml::Fault;
use crate::{decode, flow, serve, shard, sinks};

/// Everything an operator can set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Threads that read flows. The default is 1 on an interface, and one for each processor in a replay.
    pub shards: Option<NonZeroUsize>,
    pub capture: LiveSettings,
    pub decode: decode::Limits,
    pub flow: flow::Settings,
    pub server: serve::Settings,
    pub sinks: sinks::Settings,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Text(#[from] Box<Fault>),
}

impl Config {
    /// Reads a file. Relative paths in it are relative to its directory.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let mut config = Self::parse(&path.display().to_string(), &text)?;
        config.resolve(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Reads the text of a file, whose name is for faults.
    pub fn parse(file: &str, text: &str) -> Result<Self, Box<Fault>> {
        yaml::parse(file, text)
    }

    /// What one of `shards` may take of the memory that the whole sensor may take.
    pub fn shard(&self, shards: usize) -> shard::Settings {
        let share = |whole: usize| whole.div_ceil(shards.max(1));
        let mut flow = self.flow.clone();
        flow.flows_max = share(flow.flows_max);
        flow.buffers_bytes_max = share(flow.buffers_bytes_max);
        shard::Settings { decode: self.decode, flow }
    }

    fn resolve(&mut self, directory: &Path) {
        for path in [&mut self.sinks.events, &mut self.sinks.alerts].into_iter().flatten() {
            if path.as_os_str() != "-" {
                *path = directory.join(&*path);
            }
        }
    }
}
