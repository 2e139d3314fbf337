//! YAML text in, where each of its values stands out: for faults that show only when a value is used.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Fault, Spanned, parse};

/// The values of a document by their keys, and by their numbers in lists.
#[derive(Default)]
pub struct Outline(BTreeMap<String, Spanned<Self>>);

impl Outline {
    /// What cannot be read has no outline; reading it for good tells why.
    pub fn of(text: &str) -> Self {
        parse("", text).unwrap_or_default()
    }

    /// What is wrong with the value of `key`, such as `sinks.push.alertmanager.servers.0.url`; where it is not written, the
    /// nearest value around it is blamed.
    pub fn blame(&self, (file, text): (&str, &str), key: &str, message: impl Into<String>) -> Fault {
        match self.place(key) {
            (0, 0) => Fault::of_file(file, message),
            place => Fault::at(file, text, place, message),
        }
    }

    /// Line and column; zeros where nothing of the key is written.
    fn place(&self, key: &str) -> (u64, u64) {
        let (name, rest) = key.split_once('.').unwrap_or((key, ""));
        let Some(value) = self.0.get(name) else { return (0, 0) };
        match value.value.place(rest) {
            (0, 0) => (value.referenced.line(), value.referenced.column()),
            place => place,
        }
    }
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Outline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline, A::Error> {
        let mut values = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, Spanned<Outline>>()? {
            values.insert(key, value);
        }
        Ok(Outline(values))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Outline, A::Error> {
        let mut values = BTreeMap::new();
        while let Some(value) = list.next_element::<Spanned<Outline>>()? {
            values.insert(values.len().to_string(), value);
        }
        Ok(Outline(values))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outline, D::Error> {
        Outline::deserialize(deserializer)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_unit<E>(self) -> Result<Outline, E> {
        Ok(Outline::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
a: 1
sinks:
  push:
    servers:
      - {url: \"http://x\", tls: true}
      - url: 7.5
    empty:
";

    #[test]
    fn a_value_is_blamed_where_it_stands_and_else_what_is_around_it() {
        let outline = Outline::of(TEXT);
        for (key, place) in [
            ("a", (1, 4)),
            ("sinks.push.servers.0.url", (5, 15)),
            ("sinks.push.servers.1.url", (6, 14)),
            ("sinks.push.servers.1.ca_file", (6, 9)),
            ("sinks.push.queue.directory", (4, 5)),
            ("metrics.key_file", (0, 0)),
        ] {
            assert_eq!(outline.place(key), place, "{key}");
        }
        let fault = outline.blame(("x.yml", TEXT), "a", "no").to_string();
        assert_eq!(fault, "x.yml:1:4: no\n  |\n1 | a: 1\n  |    ^");
        assert_eq!(outline.blame(("x.yml", TEXT), "b", "no").to_string(), "x.yml: no");
        assert_eq!(Outline::of("[").place("a"), (0, 0));
    }
}
