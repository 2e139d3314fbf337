//! What a stage remembers in, text that outlives the process out, and back.
//!
//! A memory is made of sections, one or more for each stage, so that a stage can be taught to remember without the others
//! noticing. What is written carries its version and a digest: what was cut or changed is refused as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use ring::digest::{Context, Digest, SHA256, digest};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use thiserror::Error;

#[derive(Clone, Debug, Default)]
pub struct Memory {
    sections: BTreeMap<String, Vec<u8>>,
    course: Course,
}

/// How far a memory has come that is made in several passes, so that none of them holds its thread up for long.
#[derive(Clone, Debug, Default)]
struct Course {
    /// The most parts of a pass; without it, one pass takes all.
    parts_max: Option<usize>,
    /// Parts put in this pass.
    parts: usize,
    /// What was put in earlier passes together, and in this one.
    done: BTreeSet<String>,
    /// Whether what is put belongs to a part that was begun.
    is_within: bool,
    /// Whether a part had to be left for another pass.
    is_cut: bool,
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
const VERSION: &str = "3";

impl Memory {
    /// Begins another pass over all that is to be put, which takes so many parts that were not put before.
    pub fn begin_pass(&mut self, parts_max: usize) {
        self.course.parts_max = Some(parts_max);
        (self.course.parts, self.course.is_cut) = (0, false);
    }

    /// Whether the last pass left nothing for another one.
    pub const fn is_complete(&self) -> bool {
        !self.course.is_cut
    }

    /// Puts several sections as one part: they are of one moment.
    pub fn together(&mut self, part: &str, put: impl FnOnce(&mut Self)) {
        if self.takes(part) {
            let is_within = std::mem::replace(&mut self.course.is_within, true);
            put(self);
            self.course.is_within = is_within;
        }
    }

    /// Adds a section; names are of the stages' own choice, without line breaks.
    pub fn put(&mut self, section: &str, value: &impl Serialize) {
        self.put_made(section, || value);
    }

    /// Adds a section that costs something to make.
    pub fn put_made<T: Serialize>(&mut self, section: &str, make: impl FnOnce() -> T) {
        if self.takes(section) {
            let text = serde_json::to_vec(&make()).expect("what is remembered has text for keys");
            self.sections.insert(section.to_owned(), text);
        }
    }

    /// Adds a section that is a list.
    pub fn put_list(&mut self, section: &str, items: impl Iterator<Item: Serialize>) {
        if self.takes(section) {
            let mut text = Vec::new();
            serde_json::Serializer::new(&mut text).collect_seq(items).expect("what is remembered has text for keys");
            self.sections.insert(section.to_owned(), text);
        }
    }

    /// The names of the sections, and their bytes.
    pub fn sections(&self) -> impl Iterator<Item = (&str, usize)> {
        self.sections.iter().map(|(name, text)| (name.as_str(), text.len()))
    }

    /// Whether a part is to be put now.
    fn takes(&mut self, part: &str) -> bool {
        let course = &mut self.course;
        if course.is_within {
            return true;
        }
        if course.done.contains(part) {
            return false;
        }
        if course.parts_max.is_some_and(|max| course.parts >= max) {
            course.is_cut = true;
            return false;
        }
        course.parts += 1;
        course.done.insert(part.to_owned())
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
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let parts = || self.sections.iter().flat_map(|(name, text)| [name.as_bytes(), b"\n", text, b"\n"]);
        let mut context = Context::new(&SHA256);
        parts().for_each(|part| context.update(part));
        writeln!(out, "{MAGIC} {VERSION} {}", hex(&context.finish()))?;
        parts().try_for_each(|part| out.write_all(part))
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
        if words.next() != Some(&*hex(&digest(&SHA256, body))) {
            return Err(MemoryError::Damaged("its digest does not fit"));
        }
        let mut lines = body.split(|&byte| byte == b'\n');
        let mut sections = BTreeMap::new();
        while let (Some(name), Some(text)) = (lines.next(), lines.next()) {
            sections.insert(String::from_utf8_lossy(name).into_owned(), text.to_vec());
        }
        Ok(Self { sections, course: Course::default() })
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

fn hex(digest: &Digest) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
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

    fn written(memory: &Memory) -> Vec<u8> {
        let mut bytes = Vec::new();
        memory.write_to(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_was_put_is_got_after_it_was_written_and_read() {
        let memory = Memory::parse(&written(&memory())).unwrap();
        assert_eq!(memory.get::<Vec<u32>>("b").unwrap(), Some(vec![1, 2]));
        assert_eq!(memory.get::<String>("a").unwrap(), Some("line\nbreak".into()));
        assert_eq!(memory.get::<String>("c").unwrap(), None);
        assert_eq!(
            memory.get::<String>("b").unwrap_err().to_string(),
            "its section b is not what this sensor writes: invalid type: sequence, expected a string at line 1 column 0"
        );
    }

    #[test]
    fn a_memory_that_is_made_in_passes_has_each_part_of_one_moment_and_is_the_same_as_one_made_at_once() {
        let remember = |memory: &mut Memory, moment: u32| {
            memory.put("first", &moment);
            memory.together("both", |memory| {
                memory.put("second", &moment);
                memory.put_list("third", [moment].into_iter());
            });
            memory.put_made("last", || moment);
        };
        let mut whole = Memory::default();
        remember(&mut whole, 7);
        assert!(whole.is_complete());
        let mut passed = Memory::default();
        for moment in 0..3 {
            passed.begin_pass(1);
            remember(&mut passed, moment);
            assert_eq!(passed.is_complete(), moment == 2, "{moment}");
        }
        assert_eq!(passed.get("first").unwrap(), Some(0));
        assert_eq!((passed.get("second").unwrap(), passed.get("third").unwrap()), (Some(1), Some([1])));
        assert_eq!(passed.get("last").unwrap(), Some(2));
        assert!(passed.sections().eq(whole.sections()));
    }

    #[test]
    fn what_was_cut_or_changed_anywhere_is_refused() {
        let whole = written(&memory());
        for length in 0..whole.len() {
            assert!(Memory::parse(&whole[..length]).is_err(), "{length}");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert!(Memory::parse(&changed).is_err(), "{place}");
        }
        let newer = String::from_utf8(whole).unwrap().replacen(" 3 ", " 4 ", 1);
        let fault = Memory::parse(newer.as_bytes()).unwrap_err().to_string();
        assert_eq!(fault, "it is of version \"4\" and this sensor reads 3");
    }
}
