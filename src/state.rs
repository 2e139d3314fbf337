//! What outlives the process, in files of one directory: what the analysis remembers, what analysts dismissed, and the key of
//! incidents' ids.
//!
//! Nothing that was written is thrown away: what cannot be read is put aside, or left where it is.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use thiserror::Error;

use crate::memory::{Memory, MemoryError};
use crate::quantity;
use crate::risk::{Dismissal, IncidentKey};

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
    #[error("{} is no key; move it away, and the next sensor on an interface makes another", path.display())]
    Key { path: PathBuf },
    #[error("{} cannot be restored: {source}; move it away to begin anew", path.display())]
    Memory { path: PathBuf, source: MemoryError },
}

/// A directory that one sensor owns.
#[derive(Clone, Debug)]
pub struct StateDirectory {
    path: PathBuf,
}

/// What analysts dismissed, in the order that they did, and what of it cannot be read.
#[derive(Debug, Default)]
pub struct KeptDismissals {
    pub dismissals: Vec<Dismissal>,
    pub faults: Vec<DismissalFault>,
}

/// A line that stays where it is, for somebody to mend, and counts for nothing meanwhile.
#[derive(Debug, Error)]
#[error("{}:{line}: a dismissal that is not in force: {source}; mend the line, or take it out and dismiss anew", path.display())]
pub struct DismissalFault {
    path: PathBuf,
    line: usize,
    source: serde_json::Error,
}

impl StateDirectory {
    /// What the analysis remembers.
    const MEMORY: &'static str = "memory";
    /// A line of JSON for every dismissal, the latest last.
    const DISMISSALS: &'static str = "dismissals.jsonl";
    /// What ids of incidents are made with, in hexadecimal digits.
    const INCIDENT_KEY: &'static str = "incident.key";
    /// What is put aside has the name that it had, this, and a number.
    const DAMAGED: &'static str = ".damaged-";
    /// So many files of a name are put aside; the next ones are written over the last.
    const DAMAGED_MAX: usize = 8;

    /// There are addresses and names of people in what is written.
    const DIRECTORY_MODE: u32 = 0o750;
    const MEMORY_MODE: u32 = 0o640;
    const KEY_MODE: u32 = 0o600;

    /// Opens a directory, and makes it where there is none.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let make = || DirBuilder::new().recursive(true).mode(Self::DIRECTORY_MODE).create(path);
        make().map_err(fault("make the directory", path))?;
        Ok(Self { path: path.into() })
    }

    /// What was remembered last, as it was written; none where nothing was.
    pub fn memory(&self) -> Result<Option<Vec<u8>>, StateError> {
        read(&self.path.join(Self::MEMORY))
    }

    /// A memory that was read from here and turned out not to be understood.
    pub fn refused(&self, source: MemoryError) -> StateError {
        StateError::Memory { path: self.path.join(Self::MEMORY), source }
    }

    /// Puts the memory aside under another name, which is told.
    pub fn put_memory_aside(&self) -> Result<PathBuf, StateError> {
        self.put_aside(Self::MEMORY)
    }

    /// How many files were put aside and are still here.
    pub fn damaged_files(&self) -> usize {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().contains(Self::DAMAGED)).count()
    }

    /// Writes a memory so that at any moment either it or the one before is there, whole. Returns its bytes.
    pub fn remember(&self, memory: &Memory) -> Result<u64, StateError> {
        let (path, part) = (self.path.join(Self::MEMORY), self.path.join("memory.part"));
        let write = || {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(true).mode(Self::MEMORY_MODE).open(&part)?;
            let mut writer = BufWriter::new(file);
            memory.write_to(&mut writer)?;
            let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            self.sync()?;
            Ok(file.metadata()?.len())
        };
        write().map_err(fault("write", &path))
    }

    /// The key of incidents' ids; none where none was made yet.
    pub fn incident_key(&self) -> Result<Option<IncidentKey>, StateError> {
        let path = self.path.join(Self::INCIDENT_KEY);
        let Some(text) = read(&path)? else {
            return Ok(None);
        };
        let secret = secret(text.trim_ascii()).ok_or(StateError::Key { path })?;
        Ok(Some(IncidentKey::new(&secret)))
    }

    /// Makes a key of incidents' ids. One that is there is put aside; where it went is told.
    pub fn make_incident_key(&self) -> Result<(IncidentKey, Option<PathBuf>), StateError> {
        let path = self.path.join(Self::INCIDENT_KEY);
        let aside = path.exists().then(|| self.put_aside(Self::INCIDENT_KEY)).transpose()?;
        let secret = random_secret().map_err(fault("draw", &path))?;
        let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(Self::KEY_MODE).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            self.sync()
        };
        write().map_err(fault("write", &path))?;
        Ok((IncidentKey::new(&secret), aside))
    }

    pub fn dismissals(&self) -> Result<KeptDismissals, StateError> {
        let path = self.path.join(Self::DISMISSALS);
        let text = read(&path)?.unwrap_or_default();
        let mut kept = KeptDismissals::default();
        for (line, text) in (1..).zip(text.split(|&byte| byte == b'\n')).filter(|(_, text)| !text.is_empty()) {
            match serde_json::from_slice(text) {
                Ok(dismissal) => kept.dismissals.push(dismissal),
                Err(source) => kept.faults.push(DismissalFault { path: path.clone(), line, source }),
            }
        }
        Ok(kept)
    }

    /// Writes a dismissal under those before. A line that was cut short is left alone.
    pub fn add_dismissal(&self, dismissal: &Dismissal) -> Result<(), StateError> {
        let path = self.path.join(Self::DISMISSALS);
        let mut line = serde_json::to_vec(dismissal).expect("a dismissal's keys are text");
        line.push(b'\n');
        let mut write = || {
            let is_first = !path.exists();
            let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
            if ends_within_a_line(&mut file)? {
                line.insert(0, b'\n');
            }
            file.write_all(&line)?;
            file.sync_all()?;
            if is_first {
                self.give_to_owner(&path)?;
                self.sync()?;
            }
            Ok(())
        };
        write().map_err(fault("write", &path))
    }

    /// A file that another user makes here, as root does at a command line, is the sensor's.
    fn give_to_owner(&self, path: &Path) -> io::Result<()> {
        let (own, folder) = (fs::metadata(path)?, fs::metadata(&self.path)?);
        if own.uid() != folder.uid() {
            chown(path, Some(folder.uid()), Some(folder.gid()))?;
        }
        Ok(())
    }

    fn put_aside(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.path.join(name);
        let named = |number| self.path.join(format!("{name}{}{number}", Self::DAMAGED));
        let free = (1..Self::DAMAGED_MAX).map(named).find(|aside| !aside.exists());
        let aside = free.unwrap_or_else(|| named(Self::DAMAGED_MAX));
        let put = || fs::rename(&path, &aside).and_then(|()| self.sync());
        put().map_err(fault("put aside", &path))?;
        Ok(aside)
    }

    /// Names of files outlive a loss of power from here on.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// A key for as long as the process runs.
pub fn passing_incident_key() -> Result<IncidentKey, StateError> {
    let secret = random_secret().map_err(fault("draw", Path::new("a key")))?;
    Ok(IncidentKey::new(&secret))
}

fn random_secret() -> io::Result<[u8; IncidentKey::BYTES]> {
    let mut secret = [0; IncidentKey::BYTES];
    SystemRandom::new().fill(&mut secret).map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(secret)
}

/// Reads as many bytes in hexadecimal digits as a key has.
fn secret(digits: &[u8]) -> Option<[u8; IncidentKey::BYTES]> {
    let mut secret = [0; IncidentKey::BYTES];
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    if pairs.len() != secret.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in secret.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(secret)
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
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
            let bytes = state.remember(&memory(text)).unwrap();
            assert_eq!(bytes, fs::metadata(place.path().join("new/state/memory")).unwrap().len());
        }
        fs::write(place.path().join("new/state/memory.part"), "spanwatch-mem").unwrap();
        let memory = Memory::parse(&state.memory().unwrap().unwrap()).unwrap();
        assert_eq!(memory.get::<String>("test").unwrap(), Some("two".into()));
    }

    fn names(place: &Path) -> Vec<String> {
        let entries = fs::read_dir(place).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_put_aside_is_kept_beside_the_others_and_no_more_than_so_many() {
        let place = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(place.path()).unwrap();
        for number in 0..=StateDirectory::DAMAGED_MAX {
            fs::write(place.path().join("memory"), number.to_string()).unwrap();
            let aside = state.put_memory_aside().unwrap();
            assert_eq!(fs::read_to_string(aside).unwrap(), number.to_string());
        }
        assert_eq!(state.damaged_files(), StateDirectory::DAMAGED_MAX);
        assert_eq!(names(place.path()).first().map(String::as_str), Some("memory.damaged-1"));
        assert_eq!(fs::read_to_string(place.path().join("memory.damaged-1")).unwrap(), "0");
        assert_eq!(fs::read_to_string(place.path().join("memory.damaged-8")).unwrap(), "8");
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_one_that_is_no_key_is_put_aside() {
        let place = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(place.path()).unwrap();
        let id = |key: &IncidentKey| {
            crate::risk::IncidentId::of(key, &Entity::parse("site", "198.51.100.9").unwrap(), Timestamp::ZERO)
        };
        assert!(state.incident_key().unwrap().is_none());
        let (key, aside) = state.make_incident_key().unwrap();
        assert_eq!((id(&key), aside), (id(&state.incident_key().unwrap().unwrap()), None));
        let path = place.path().join("incident.key");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        for damaged in ["", "0123", &"+1".repeat(32), &"00".repeat(33)] {
            fs::write(&path, damaged).unwrap();
            let fault = state.incident_key().unwrap_err().to_string();
            assert!(fault.contains("incident.key is no key; move it away"), "{fault}");
        }
        let (other, aside) = state.make_incident_key().unwrap();
        assert_eq!(aside, Some(place.path().join("incident.key.damaged-1")));
        assert_ne!(id(&other), id(&key));
        assert_ne!(id(&passing_incident_key().unwrap()), id(&passing_incident_key().unwrap()));
    }

    #[test]
    fn what_cannot_be_read_for_another_reason_is_an_error_with_its_place() {
        let place = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(place.path()).unwrap();
        for name in ["memory", "dismissals.jsonl", "incident.key"] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        let faults = [state.memory().unwrap_err(), state.dismissals().unwrap_err(), state.incident_key().unwrap_err()];
        for (fault, name) in faults.iter().zip(["memory", "dismissals.jsonl", "incident.key"]) {
            let path = place.path().join(name);
            assert_eq!(fault.to_string(), format!("cannot read {}: Is a directory (os error 21)", path.display()));
        }
    }

    fn dismissal(id: &str) -> Dismissal {
        Dismissal {
            entity: Entity::parse("site", id).unwrap(),
            family: None,
            reason: "a \"branch\"\nof ours".into(),
            at: Timestamp::from_secs(7),
        }
    }

    #[test]
    fn dismissals_are_kept_in_their_order() {
        let place = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(place.path()).unwrap();
        let all = [dismissal("198.51.100.9"), dismissal("2001:db8::1")];
        all.iter().for_each(|dismissal| state.add_dismissal(dismissal).unwrap());
        let kept = state.dismissals().unwrap();
        assert_eq!((kept.dismissals, kept.faults.len()), (all.to_vec(), 0));
    }

    #[test]
    fn a_dismissal_that_was_cut_short_costs_no_other_one_and_is_never_written_over() {
        let place = tempfile::tempdir().unwrap();
        let (state, path) = (StateDirectory::open(place.path()).unwrap(), place.path().join("dismissals.jsonl"));
        let [first, second] = [dismissal("198.51.100.9"), dismissal("2001:db8::1")];
        state.add_dismissal(&first).unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in 1..whole.len() - 1 {
            // Power was lost in the second line.
            fs::write(&path, [&whole[..], &whole[..cut]].concat()).unwrap();
            state.add_dismissal(&second).unwrap();
            let kept = state.dismissals().unwrap();
            assert_eq!(kept.dismissals, [first.clone(), second.clone()], "{cut}");
            let [fault] = &kept.faults[..] else { panic!("{cut}: {:?}", kept.faults) };
            let fault = fault.to_string();
            assert!(fault.contains("dismissals.jsonl:2: a dismissal that is not in force: "), "{fault}");
            assert!(fs::read(&path).unwrap().starts_with(&[&whole[..], &whole[..cut]].concat()));
        }
    }

    #[test]
    fn a_dismissal_that_root_writes_is_the_sensors() {
        let place = tempfile::tempdir().unwrap();
        if chown(place.path(), Some(4711), Some(4711)).is_err() {
            return eprintln!("skipped: only root gives a file away");
        }
        StateDirectory::open(place.path()).unwrap().add_dismissal(&dismissal("198.51.100.9")).unwrap();
        let made = fs::metadata(place.path().join("dismissals.jsonl")).unwrap();
        assert_eq!((made.uid(), made.gid()), (4711, 4711));
    }
}
