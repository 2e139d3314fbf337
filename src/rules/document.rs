//! The text of a rule file in, its YAML tree with the place of every key and value out.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::yaml::{self, Fault, Spanned};

/// Line and column, both from 1.
pub type Place = (u64, u64);

/// A value of the tree, at its place.
#[derive(Clone, Debug)]
pub struct Node {
    pub place: Place,
    pub value: Yaml,
}

#[derive(Clone, Debug)]
pub enum Yaml {
    List(Vec<Node>),
    /// Keys with their places, in the order of the file.
    Map(Vec<(String, Place, Node)>),
    /// A scalar, as text.
    Scalar(String),
    Null,
}

impl Node {
    /// What stands where a key is absent.
    pub(super) const NOTHING: Self = Self { place: (1, 1), value: Yaml::Null };

    pub fn parse(file: &str, text: &str) -> Result<Self, Box<Fault>> {
        yaml::parse::<Spanned<Yaml>>(file, text).map(Self::from)
    }

    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().find(|(known, _, _)| *known == key).map(|(_, _, node)| node)
    }

    /// Where a key stands, or else where the map begins that should have it.
    pub fn place_of(&self, key: &str) -> Place {
        self.entries().find(|(known, _, _)| *known == key).map_or(self.place, |(_, place, _)| place)
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Place, &Self)> {
        let entries: &[(String, Place, Self)] = match &self.value {
            Yaml::Map(entries) => entries,
            _ => &[],
        };
        entries.iter().map(|(key, place, node)| (key.as_str(), *place, node))
    }

    /// The items of a list, or a lone value as its only item.
    pub fn items(&self) -> impl Iterator<Item = &Self> {
        match &self.value {
            Yaml::List(items) => items.as_slice(),
            _ => std::slice::from_ref(self),
        }
        .iter()
    }

    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Yaml::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The scalar under a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.scalar()
    }

    /// The scalars of the list under a key.
    pub fn texts(&self, key: &str) -> Vec<String> {
        self.get(key).into_iter().flat_map(Self::items).filter_map(Self::scalar).map(str::to_owned).collect()
    }
}

impl From<Spanned<Yaml>> for Node {
    fn from(spanned: Spanned<Yaml>) -> Self {
        Self { place: place(&spanned), value: spanned.value }
    }
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    (spanned.referenced.line(), spanned.referenced.column())
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Yaml, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element::<Spanned<Yaml>>()? {
            items.push(item.into());
        }
        Ok(Yaml::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, node)) = map.next_entry::<Spanned<String>, Spanned<Yaml>>()? {
            let place = place(&key);
            entries.push((key.value, place, node.into()));
        }
        Ok(Yaml::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_places() {
        let tree =
            Node::parse("a.yml", "title: A\ntags:\n  - one\n  - two\nspanwatch:\n  family: location\n  weight: 2.5\n")
                .unwrap();
        assert_eq!(tree.place_of("tags"), (2, 1));
        assert_eq!(tree.get("tags").unwrap().items().nth(1).unwrap().place, (4, 5));
        let own = tree.get("spanwatch").unwrap();
        assert_eq!((own.place_of("family"), own.get("family").unwrap().place), ((6, 3), (6, 11)));
        assert_eq!((own.text("weight"), tree.texts("tags")), (Some("2.5"), vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!(tree.place_of("absent"), (1, 1));
    }

    #[test]
    fn a_syntax_fault_has_its_place() {
        let fault = Node::parse("a.yml", "title: A\ntags: [one\n").unwrap_err();
        assert!(fault.line >= 2, "{fault}");
    }
}
