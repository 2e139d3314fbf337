//! Whom a finding or an alert is about.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::identity::device::DeviceId;
use crate::identity::site::Site;
use crate::net::Text;

#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "Named", into = "Named")]
pub enum Entity {
    Account(Text),
    Address(IpAddr),
    Device(DeviceId),
    /// Several values that only together name somebody.
    Group(Box<str>),
    /// A household outside.
    Site(Site),
}

/// An entity as it is written: `{"kind": "site", "id": "198.51.100.9"}`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Named {
    kind: String,
    id: String,
}

impl TryFrom<Named> for Entity {
    type Error = String;

    fn try_from(Named { kind, id }: Named) -> Result<Self, String> {
        Self::parse(&kind, &id).ok_or_else(|| format!("{id:?} names no {kind}; known are {}", Self::KINDS.join(", ")))
    }
}

impl From<Entity> for Named {
    fn from(entity: Entity) -> Self {
        let id = match &entity {
            // `Display` escapes, which reading does not take back.
            Entity::Account(name) => name.as_str().to_owned(),
            entity => entity.to_string(),
        };
        Self { kind: entity.kind().to_owned(), id }
    }
}

impl Entity {
    pub const KINDS: &'static [&'static str] = &["account", "address", "device", "group", "site"];

    /// The entity that event fields name: the only one among them, or else all their values together.
    pub fn of_fields(fields: &[(String, String)]) -> Self {
        let mut entities = fields.iter().filter_map(|(name, value)| Self::of_field(name, value));
        if let (Some(entity), None) = (entities.next(), entities.next()) {
            return entity;
        }
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self::Group(pairs.join(", ").into())
    }

    /// An account without its domain and in lower case; anything else as it is.
    pub fn canonical(self) -> Self {
        match self {
            Self::Account(user) => Self::Account(super::account(&user).unwrap_or(user)),
            other => other,
        }
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
        if name == "host.mac" {
            return value.parse().ok().map(|mac| Self::Device(DeviceId::of_mac(mac)));
        }
        (name == "user.name" || name.ends_with(".user.name")).then(|| Self::Account(value.into()))
    }

    /// The device that it is.
    pub const fn device(&self) -> Option<DeviceId> {
        match self {
            Self::Device(id) => Some(*id),
            _ => None,
        }
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
