//! A device: how it is told from others, the addresses it had and what it says of itself.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::net::{Mac, Text};
use crate::time::Timestamp;

/// Names a device for as long as its key is the same: the first eight bytes of a SHA-256 over the key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId([u8; 8]);

impl DeviceId {
    pub fn of_mac(mac: Mac) -> Self {
        Self::of(b'm', &mac.0)
    }

    pub fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of(b'4', &address.octets()),
            IpAddr::V6(address) => Self::of(b'6', &address.octets()),
        }
    }

    /// Evenly spread over all numbers.
    pub const fn bits(self) -> u64 {
        u64::from_be_bytes(self.0)
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let is_written = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = u64::from_str_radix(text, 16).ok().filter(|_| is_written)?;
        Some(Self(bits.to_be_bytes()))
    }

    fn of(kind: u8, key: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[kind]);
        context.update(key);
        let hash = context.finish();
        Self(hash.as_ref().first_chunk().copied().expect("a SHA-256 has 32 bytes"))
    }
}

/// In one piece: bytes would be hashed with their number.
impl Hash for DeviceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.bits());
    }
}

impl TryFrom<String> for DeviceId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no device id of 16 hexadecimal digits"))
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// What a device is known by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Key {
    Address(IpAddr),
    Mac(Mac),
}

/// How it is known that an address is a device's.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Provenance {
    /// The address itself is all that is known of the device.
    Address,
    /// A DHCP server gave the address to the MAC.
    Lease,
    /// The MAC was seen with the address, and with too few others to be a router's.
    Segment,
}

/// An address that a device had.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Binding {
    pub address: IpAddr,
    pub provenance: Provenance,
    pub since: Timestamp,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Device {
    pub key: Key,
    pub first_seen: Timestamp,
    /// The latest last.
    bindings: SmallVec<[Binding; 1]>,
    /// The name it gave the DHCP server.
    pub host_name: Option<Text>,
    /// DHCP option 60.
    pub vendor_class: Option<Text>,
}

impl Device {
    /// The most bindings a device keeps; the oldest give way.
    pub const BINDINGS_MAX: usize = 32;

    pub const fn new(key: Key, first_seen: Timestamp) -> Self {
        Self { key, first_seen, bindings: SmallVec::new_const(), host_name: None, vendor_class: None }
    }

    /// Adds an address. One that is known already only becomes surer: by a lease.
    pub fn bind(&mut self, binding: Binding) {
        if let Some(known) = self.bindings.iter_mut().find(|known| known.address == binding.address) {
            if known.provenance != Provenance::Lease {
                known.provenance = binding.provenance;
            }
            return;
        }
        if self.bindings.len() == Self::BINDINGS_MAX {
            self.bindings.remove(0);
        }
        self.bindings.push(binding);
    }

    pub fn bindings(&self) -> impl DoubleEndedIterator<Item = &Binding> {
        self.bindings.iter()
    }

    pub const fn mac(&self) -> Option<Mac> {
        match self.key {
            Key::Address(_) => None,
            Key::Mac(mac) => Some(mac),
        }
    }
}
