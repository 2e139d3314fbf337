//! Whom a finding or an alert is about.

use std::fmt;
use std::net::IpAddr;

use crate::identity::device::DeviceId;
use crate::net::Text;

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Entity {
    Account(Text),
    Address(IpAddr),
    Device(DeviceId),
    /// Several values that only together name somebody.
    Group(Box<str>),
}

impl Entity {
    /// The entity that event fields name.
    pub fn of_fields(fields: &[(String, String)]) -> Self {
        if let [(name, value)] = fields {
            if let Ok(address) = value.parse() {
                return Self::Address(address);
            }
            if let Some(device) = DeviceId::parse(value).filter(|_| name.ends_with("device.id")) {
                return Self::Device(device);
            }
            if name == "user.name" || name.ends_with(".user.name") {
                return Self::Account(value.as_str().into());
            }
        }
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self::Group(pairs.join(", ").into())
    }

    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Address(_) => "address",
            Self::Device(_) => "device",
            Self::Group(_) => "group",
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Device(id) => id.fmt(f),
            Self::Group(values) => f.write_str(values),
        }
    }
}
