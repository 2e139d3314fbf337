//! What a stage remembers in, text that outlives the process out, and back.
//!
//! A memory is made of sections, one or more for each stage, so that a stage can be taught to remember without the others
//! noticing. What is written carries its version and a digest: what was cut or changed is refused as a whole.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Memory {
    sections: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Error)]
pub enum MemoryError {
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("it is of version {0:?} and this sensor reads {VERSION}")]
    Version(String),
    #[error("its section {section} is not what this sensor writes: {source}")]
    Section { section: String, source: serde_json::Error },
}

const MAGIC: &str = "spanwatch-memory";
const VERSION: &str = "1";

impl Memory {
    /// Adds a section; names are of the stages' own choice, without line breaks.
    pub fn put(&mut self, section: &str, value: &impl Serialize) {
        let text = serde_json::to_vec(value).expect("what is remembered has text for keys");
        self.sections.insert(section.to_owned(), text);
    }

    /// A section; none where it was not remembered.
    pub fn get<T: DeserializeOwned>(&self, section: &str) -> Result<Option<T>, MemoryError> {
        let Some(text) = self.sections.get(section) else {
            return Ok(None);
        };
        serde_json::from_slice(text)
            .map(Some)
            .map_err(|source| MemoryError::Section { section: section.to_owned(), source })
    }

    /// A line of magic, version and the digest of the rest; then of each section a line with its name and one of JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, text) in &self.sections {
            body.extend_from_slice(name.as_bytes());
            body.push(b'\n');
            body.extend_from_slice(text);
            body.push(b'\n');
        }
        let mut bytes = format!("{MAGIC} {VERSION} {}\n", hex(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, MemoryError> {
        let end = bytes.iter().position(|&byte| byte == b'\n').ok_or(MemoryError::Damaged("it has no first line"))?;
        let (first, body) = bytes.split_at(end);
        let body = body.get(1..).unwrap_or_default();
        let first = str::from_utf8(first).map_err(|_| MemoryError::Damaged("its first line is no text"))?;
        let mut words = first.split(' ');
        if words.next() != Some(MAGIC) {
            return Err(MemoryError::Damaged("it does not begin as one"));
        }
        let version = words.next().unwrap_or_default();
        if version != VERSION {
            return Err(MemoryError::Version(version.chars().take(16).collect()));
        }
        if words.next() != Some(&*hex(body)) {
            return Err(MemoryError::Damaged("its digest does not fit"));
        }
        let mut lines = body.split(|&byte| byte == b'\n');
        let mut sections = BTreeMap::new();
        while let (Some(name), Some(text)) = (lines.next(), lines.next()) {
            sections.insert(String::from_utf8_lossy(name).into_owned(), text.to_vec());
        }
        Ok(Self { sections })
    }
}

/// A map whose keys are no texts, as a list of its entries.
///
/// For a member of a struct: `#[serde(with = "crate::memory::pairs")]`.
pub mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<'m, M, K, V, S>(map: &'m M, serializer: S) -> Result<S::Ok, S::Error>
    where
        &'m M: IntoIterator<Item = (&'m K, &'m V)>,
        K: Serialize + 'm,
        V: Serialize + 'm,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, M, K, V, D>(deserializer: D) -> Result<M, D::Error>
    where
        M: IntoIterator<Item = (K, V)> + FromIterator<(K, V)>,
        K: Deserialize<'de>,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Vec::<(K, V)>::deserialize(deserializer).map(M::from_iter)
    }
}

fn hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let mut memory = Memory::default();
        memory.put("b", &vec![1, 2]);
        memory.put("a", &"line\nbreak");
        memory
    }

    #[test]
    fn what_was_put_is_got_after_it_was_written_and_read() {
        let memory = Memory::parse(&memory().to_bytes()).unwrap();
        assert_eq!(memory.get::<Vec<u32>>("b").unwrap(), Some(vec![1, 2]));
        assert_eq!(memory.get::<String>("a").unwrap(), Some("line\nbreak".into()));
        assert_eq!(memory.get::<String>("c").unwrap(), None);
        assert_eq!(
            memory.get::<String>("b").unwrap_err().to_string(),
            "its section b is not what this sensor writes: invalid type: sequence, expected a string at line 1 column 0"
        );
    }

    #[test]
    fn what_was_cut_or_changed_anywhere_is_refused() {
        let whole = memory().to_bytes();
        for length in 0..whole.len() {
            assert!(Memory::parse(&whole[..length]).is_err(), "{length}");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert!(Memory::parse(&changed).is_err(), "{place}");
        }
        let newer = String::from_utf8(whole).unwrap().replacen(" 1 ", " 2 ", 1);
        let fault = Memory::parse(newer.as_bytes()).unwrap_err().to_string();
        assert_eq!(fault, "it is of version \"2\" and this sensor reads 1");
    }
}
