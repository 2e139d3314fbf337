//! The operator's lists of kinds of addresses in; what kind of line an outside address is at, out.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::enrich::prefixes::Prefixes;
use crate::net::Network;

/// What kind of line an address is at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressClass {
    /// Many customers of a provider behind one address (RFC 6888).
    CarrierNat,
    /// Another organisation's own.
    Corporate,
    /// A data centre's.
    Hosting,
    Mobile,
    Residential,
    Tor,
    /// The exit of a VPN for consumers, or of a proxy network.
    Vpn,
}

impl AddressClass {
    pub const ALL: &'static [Self] =
        &[Self::CarrierNat, Self::Corporate, Self::Hosting, Self::Mobile, Self::Residential, Self::Tor, Self::Vpn];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CarrierNat => "carrier_nat",
            Self::Corporate => "corporate",
            Self::Hosting => "hosting",
            Self::Mobile => "mobile",
            Self::Residential => "residential",
            Self::Tor => "tor",
            Self::Vpn => "vpn",
        }
    }

    /// Whether an address stands for so many people that nothing follows from two of them being there.
    pub const fn is_a_crowds(self) -> bool {
        matches!(self, Self::CarrierNat | Self::Corporate | Self::Mobile)
    }

    /// Whether one address may stand for one household.
    pub const fn is_a_household(self) -> bool {
        matches!(self, Self::Residential)
    }
}

/// The addresses of one class, as they are configured.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Members {
    /// Text files with an address or a prefix a line; `#` begins a comment.
    pub files: Vec<PathBuf>,
    pub networks: Vec<Network>,
    /// Numbers of autonomous systems, which need a database of them.
    pub as_numbers: Vec<u32>,
}

/// The classes as they are configured.
pub type Settings = BTreeMap<AddressClass, Members>;

#[derive(Debug, Error)]
pub enum ClassesError {
    #[error("{}: cannot read the list of {} addresses: {source}", path.display(), class.as_str())]
    Read { path: PathBuf, class: AddressClass, source: io::Error },
    #[error("{}:{line}: {fault}; write one address or prefix a line, # before a comment", path.display())]
    Line { path: PathBuf, line: usize, fault: String },
}

impl Members {
    /// Reads the files into the networks.
    pub fn read_files(&mut self, class: AddressClass) -> Result<(), ClassesError> {
        for path in &self.files {
            let text = std::fs::read_to_string(path).map_err(|source| ClassesError::Read {
                path: path.clone(),
                class,
                source,
            })?;
            self.networks.extend(networks(path, &text)?);
        }
        Ok(())
    }
}

fn networks(path: &Path, text: &str) -> Result<Vec<Network>, ClassesError> {
    let mut networks = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let entry = text.split('#').next().unwrap_or(text).trim();
        if entry.is_empty() {
            continue;
        }
        let network = entry.parse().map_err(|fault| ClassesError::Line { path: path.into(), line, fault })?;
        networks.push(network);
    }
    Ok(networks)
}

#[derive(Debug, Default)]
pub struct Classes {
    by_prefix: Prefixes<AddressClass>,
    by_as_number: HashMap<u32, AddressClass>,
}

impl Classes {
    /// Where two classes claim the same prefix or system, the first in alphabetical order counts.
    pub fn new(settings: &Settings) -> Self {
        let (mut prefixes, mut by_as_number) = (BTreeMap::new(), HashMap::new());
        for (&class, members) in settings {
            for &network in &members.networks {
                prefixes.entry(network).or_insert(class);
            }
            for &number in &members.as_numbers {
                by_as_number.entry(number).or_insert(class);
            }
        }
        Self { by_prefix: Prefixes::new(prefixes), by_as_number }
    }

    /// By the most specific prefix, or else by the autonomous system.
    pub fn get(&self, address: IpAddr, as_number: impl FnOnce() -> Option<u32>) -> Option<AddressClass> {
        if let Some(class) = self.by_prefix.get(address) {
            return Some(*class);
        }
        if self.by_as_number.is_empty() {
            return None;
        }
        self.by_as_number.get(&as_number()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(yaml: &str) -> Settings {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn the_most_specific_prefix_counts_before_the_autonomous_system() {
        let classes = Classes::new(&settings(
            "{hosting: {networks: [198.51.100.0/24], as_numbers: [64500]}, vpn: {networks: [198.51.100.7]}}",
        ));
        let class = |address: &str, number| classes.get(address.parse().unwrap(), || number);
        assert_eq!(class("198.51.100.7", Some(64500)), Some(AddressClass::Vpn));
        assert_eq!(class("198.51.100.8", None), Some(AddressClass::Hosting));
        assert_eq!(class("192.0.2.1", Some(64500)), Some(AddressClass::Hosting));
        assert_eq!((class("192.0.2.1", Some(64501)), class("192.0.2.1", None)), (None, None));
    }

    #[test]
    fn a_list_is_read_with_its_comments_and_faults_have_their_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vpn.txt");
        let mut members = Members { files: vec![path.clone()], ..Members::default() };
        std::fs::write(&path, "# exits\n198.51.100.0/25  # one\n\n2001:db8::/32\n").unwrap();
        members.read_files(AddressClass::Vpn).unwrap();
        assert_eq!(members.networks.len(), 2);
        std::fs::write(&path, "198.51.100.1/25\n").unwrap();
        let fault = members.read_files(AddressClass::Vpn).unwrap_err().to_string();
        assert!(
            fault.ends_with(
                "vpn.txt:1: `198.51.100.1/25` has host bits set: the network is 198.51.100.0/25; write one address or \
                 prefix a line, # before a comment"
            ),
            "{fault}"
        );
        std::fs::remove_file(&path).unwrap();
        let fault = members.read_files(AddressClass::Vpn).unwrap_err().to_string();
        assert!(fault.contains("vpn.txt: cannot read the list of vpn addresses: "), "{fault}");
    }
}
