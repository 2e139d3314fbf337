//! Whom a finding or an alert is about.

use std::fmt;
use std::net::IpAddr;

use crate::identity::device::DeviceId;
use crate::identity::site::Site;
use crate::net::Text;

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Entity {
    Account(Text),
    Address(IpAddr),
    Device(DeviceId),
    /// Several values that only together name somebody.
    Group(Box<str>),
    /// A household outside.
    Site(Site),
}

impl Entity {
    /// The entity that event fields name: the only one among them, or else all their values together.
    pub fn of_fields(fields: &[(String, String)]) -> Self {
        let mut entities = fields.iter().filter_map(|(name, value)| Self::of_field(name, value));
        if let (Some(entity), None) = (entities.next(), entities.next()) {
            return entity;
        }
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self::Group(pairs.join(", ").into())
    }

    /// Reads what [`Self::kind`] and `Display` write.
    pub fn parse(kind: &str, text: &str) -> Option<Self> {
        match kind {
            "account" => Some(Self::Account(text.into())),
            "address" => text.parse().ok().map(Self::Address),
            "device" => DeviceId::parse(text).map(Self::Device),
            "group" => Some(Self::Group(text.into())),
            "site" => Site::parse(text).map(Self::Site),
            _ => None,
        }
    }

    fn of_field(name: &str, value: &str) -> Option<Self> {
        if name == "spanwatch.site" {
            return Site::parse(value).map(Self::Site);
        }
        if let Ok(address) = value.parse() {
            return Some(Self::Address(address));
        }
        if name.ends_with("device.id") {
            return DeviceId::parse(value).map(Self::Device);
        }
        (name == "user.name" || name.ends_with(".user.name")).then(|| Self::Account(value.into()))
    }

    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Address(_) => "address",
            Self::Device(_) => "device",
            Self::Group(_) => "group",
            Self::Site(_) => "site",
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
            Self::Site(site) => site.fmt(f),
        }
    }
}
