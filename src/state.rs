//! What outlives the process, in files of one directory: what the analysis remembers, and what analysts dismissed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::memory::{Memory, MemoryError};
use crate::quantity;
use crate::risk::Dismissal;

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Without it nothing outlives the process.
    pub dir: Option<PathBuf>,
    /// The memory is written so often, in packet time, and at the end.
    #[serde(deserialize_with = "quantity::duration")]
    pub interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { dir: None, interval: Duration::from_secs(600) }
    }
}

#[derive(Debug, Error)]
pub enum StateError {
    #[error("cannot {task} {}: {source}", path.display())]
    File { task: &'static str, path: PathBuf, source: io::Error },
    #[error("{} cannot be restored: {source}; move it away to begin anew", path.display())]
    Memory { path: PathBuf, source: MemoryError },
    #[error("{}:{line}: {source}; take the line out, or dismiss anew", path.display())]
    Dismissal { path: PathBuf, line: usize, source: serde_json::Error },
}

/// A directory that one sensor owns.
#[derive(Clone, Debug)]
pub struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// What the analysis remembers.
    const MEMORY: &'static str = "memory";
    /// A line of JSON for every dismissal, the latest last.
    const DISMISSALS: &'static str = "dismissals.jsonl";

    /// Opens a directory, and makes it where there is none.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path).map_err(fault("make the directory", path))?;
        Ok(Self { path: path.into() })
    }

    /// What was remembered last; none where nothing was.
    pub fn memory(&self) -> Result<Option<Memory>, StateError> {
        let path = self.path.join(Self::MEMORY);
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        Memory::parse(&bytes).map(Some).map_err(|source| StateError::Memory { path, source })
    }

    /// A memory that was read from here and turned out not to be understood.
    pub fn refused(&self, source: MemoryError) -> StateError {
        StateError::Memory { path: self.path.join(Self::MEMORY), source }
    }

    /// Writes a memory so that at any moment either it or the one before is there, whole.
    pub fn remember(&self, memory: &Memory) -> Result<(), StateError> {
        let (path, part) = (self.path.join(Self::MEMORY), self.path.join("memory.part"));
        let write = || {
            let mut file = File::create(&part)?;
            file.write_all(&memory.to_bytes())?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(fault("write", &path))
    }

    pub fn dismissals(&self) -> Result<Vec<Dismissal>, StateError> {
        let path = self.path.join(Self::DISMISSALS);
        let text = read(&path)?.unwrap_or_default();
        let lines = (1..).zip(text.split(|&byte| byte == b'\n')).filter(|(_, line)| !line.is_empty());
        lines
            .map(|(line, text)| {
                serde_json::from_slice(text).map_err(|source| StateError::Dismissal {
                    path: path.clone(),
                    line,
                    source,
                })
            })
            .collect()
    }

    pub fn add_dismissal(&self, dismissal: &Dismissal) -> Result<(), StateError> {
        let path = self.path.join(Self::DISMISSALS);
        let mut line = serde_json::to_vec(dismissal).expect("a dismissal's keys are text");
        line.push(b'\n');
        let write = || {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(&line)?;
            file.sync_all()
        };
        write().map_err(fault("write", &path))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(fault("read", path)(source)),
    }
}

fn fault(task: &'static str, path: &Path) -> impl Fn(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::File { task, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::entity::Entity;
    use crate::time::Timestamp;

    fn memory(text: &str) -> Memory {
        let mut memory = Memory::default();
        memory.put("test", &text);
        memory
    }

    #[test]
    fn the_latest_memory_is_there_and_an_unfinished_one_is_not() {
        let place = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(&place.path().join("new/state")).unwrap();
        assert_eq!(state.memory().unwrap(), None);
        for text in ["one", "two"] {
            state.remember(&memory(text)).unwrap();
        }
        fs::write(place.path().join("new/state/memory.part"), "spanwatch-mem").unwrap();
        assert_eq!(state.memory().unwrap(), Some(memory("two")));
    }

    #[test]
    fn a_damaged_memory_is_refused_with_its_place_and_the_remedy() {
        let place = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(place.path()).unwrap();
        let path = place.path().join("memory");
        fs::write(&path, "spanwatch-memory 1 0123\n").unwrap();
        assert_eq!(
            state.memory().unwrap_err().to_string(),
            format!(
                "{} cannot be restored: it is damaged: its digest does not fit; move it away to begin anew",
                path.display()
            )
        );
    }

    #[test]
    fn dismissals_are_kept_in_their_order_and_a_bad_line_is_named() {
        let place = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(place.path()).unwrap();
        let said = |id: &str| Dismissal {
            entity: Entity::parse("site", id).unwrap(),
            family: None,
            reason: "a \"branch\"\nof ours".into(),
            at: Timestamp::from_secs(7),
        };
        let all = [said("198.51.100.9"), said("2001:db8::1")];
        all.iter().for_each(|dismissal| state.add_dismissal(dismissal).unwrap());
        assert_eq!(state.dismissals().unwrap(), all);
        fs::write(place.path().join("dismissals.jsonl"), "\n{}\n").unwrap();
        let fault = state.dismissals().unwrap_err().to_string();
        assert!(
            fault.contains("dismissals.jsonl:2: missing field `entity` at line 1 column 2; take the line out"),
            "{fault}"
        );
    }
}
