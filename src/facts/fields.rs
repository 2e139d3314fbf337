//! What events and rules need beside the typed members of a fact: names and values.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::facts::words::{self, Word};
use crate::net::{Mac, Text};
use crate::time::Timestamp;

/// Event fields beside the typed members: name out of the Elastic Common Schema where it has one, and value.
///
/// The names are listed in the [`ProtocolSpec`](crate::protocol::ProtocolSpec) of the parser that sets them, which
/// is where the documentation is generated from.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Fields(Vec<(Name, Value)>);

/// The name of a field.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
struct Name(#[serde(deserialize_with = "words::word")] Word);

impl Fields {
    pub fn push(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((Name(name), value.into()));
    }

    pub fn push_some(&mut self, name: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (name.0, value))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The value of an event field.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Bool(bool),
    Float(f64),
    Ip(IpAddr),
    List(Vec<Value>),
    Mac(Mac),
    Number(u64),
    Text(Text),
    Time(Timestamp),
    Word(#[serde(deserialize_with = "words::word")] Word),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<IpAddr> for Value {
    fn from(value: IpAddr) -> Self {
        Self::Ip(value)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl From<Mac> for Value {
    fn from(value: Mac) -> Self {
        Self::Mac(value)
    }
}

macro_rules! from_unsigned {
    ($($number:ty),*) => {$(
        impl From<$number> for Value {
            fn from(value: $number) -> Self {
                Self::Number(u64::from(value))
            }
        }
    )*};
}

from_unsigned!(u8, u16, u32, u64);

impl From<&'static str> for Value {
    fn from(value: &'static str) -> Self {
        Self::Word(value)
    }
}

impl From<Text> for Value {
    fn from(value: Text) -> Self {
        Self::Text(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Time(value)
    }
}
