//! Evidence captures in; a folder of files that never takes more than its share out, the oldest sessions giving way. One that
//! alone takes more is refused.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::SinkError;
use crate::exhibit::{Exhibit, ExhibitName};

/// A folder that one sensor owns. Files beside the captures are left alone.
#[derive(Debug)]
pub struct CaptureFolder {
    path: PathBuf,
    bytes_max: u64,
    files: BTreeMap<ExhibitName, u64>,
    bytes: u64,
    removed: u64,
}

/// What became of a capture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    Written,
    /// It is of an earlier session than all others, and there is no room for it.
    TooOld,
    /// It alone takes more than the folder may.
    TooLarge,
}

/// What is in the folder.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Contents {
    pub files: u64,
    pub bytes: u64,
    /// Captures that gave way since the folder was opened.
    pub removed: u64,
}

impl CaptureFolder {
    /// The folder is for its owner and group, and so is what lies in it: there are addresses in it.
    const FOLDER_MODE: u32 = 0o750;
    const FILE_MODE: u32 = 0o640;
    /// A capture that is being written; what is left of one is written over.
    const PART: &str = "capture.part";

    /// Opens a folder, or makes it; the captures of earlier runs count.
    pub fn open(path: &Path, bytes_max: u64) -> Result<Self, SinkError> {
        let mut folder = Self { path: path.into(), bytes_max, files: BTreeMap::new(), bytes: 0, removed: 0 };
        folder.look().map_err(|source| SinkError::Captures { path: path.into(), source })?;
        Ok(folder)
    }

    /// Writes a capture, whole or not at all, over the one of its name. Those of earlier sessions give way before.
    pub fn keep(&mut self, exhibit: &Exhibit) -> io::Result<Kept> {
        let name = &exhibit.name;
        let bytes = exhibit.bytes.len() as u64;
        if bytes > self.bytes_max {
            return Ok(Kept::TooLarge);
        }
        while self.bytes - self.bytes_of(name) + bytes > self.bytes_max {
            let Some(oldest) = self.files.keys().next().filter(|oldest| *oldest < name).cloned() else {
                return Ok(Kept::TooOld);
            };
            self.remove(&oldest)?;
            self.forget(&oldest);
            self.removed += 1;
        }
        let part = self.path.join(Self::PART);
        self.write_part(&part, &exhibit.bytes)?;
        fs::rename(&part, self.path.join(name.as_str()))?;
        self.forget(name);
        self.note(name.clone(), bytes);
        Ok(Kept::Written)
    }

    pub fn contents(&self) -> Contents {
        Contents { files: self.files.len() as u64, bytes: self.bytes, removed: self.removed }
    }

    fn look(&mut self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(Self::FOLDER_MODE).create(&self.path)?;
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str().and_then(ExhibitName::parse) {
                self.note(name, entry.metadata()?.len());
            }
        }
        // Whether it can be written in shows now, and not when the first capture is there.
        let part = self.path.join(Self::PART);
        self.write_part(&part, b"")?;
        fs::remove_file(part)
    }

    fn write_part(&self, part: &Path, bytes: &[u8]) -> io::Result<()> {
        match fs::remove_file(part) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(Self::FILE_MODE).open(part)?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    /// Removes a file; somebody else may have done so.
    fn remove(&self, name: &ExhibitName) -> io::Result<()> {
        match fs::remove_file(self.path.join(name.as_str())) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn note(&mut self, name: ExhibitName, bytes: u64) {
        self.files.insert(name, bytes);
        self.bytes += bytes;
    }

    fn bytes_of(&self, name: &ExhibitName) -> u64 {
        self.files.get(name).copied().unwrap_or(0)
    }

    fn forget(&mut self, name: &ExhibitName) {
        self.bytes -= self.files.remove(name).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::time::Timestamp;

    fn exhibit(secs: u64, bytes: usize) -> Exhibit {
        Exhibit { name: ExhibitName::of(Timestamp::from_secs(secs), "1:id="), bytes: vec![7; bytes] }
    }

    fn seconds(folder: &Path) -> Vec<u64> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".pcap"))
            .collect();
        names.sort();
        names.iter().map(|name| name[13..15].parse().unwrap()).collect()
    }

    #[test]
    fn the_oldest_sessions_give_way_and_the_folder_is_never_larger_than_its_bound() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new/captures");
        let mut folder = CaptureFolder::open(&path, 100).unwrap();
        for (secs, bytes) in [(5, 40), (2, 40), (3, 40), (4, 20)] {
            folder.keep(&exhibit(secs, bytes)).unwrap();
        }
        assert_eq!(seconds(&path), [3, 4, 5]);
        assert_eq!(folder.contents(), Contents { files: 3, bytes: 100, removed: 1 });
        assert_eq!(folder.keep(&exhibit(1, 10)).unwrap(), Kept::TooOld);
        assert_eq!(seconds(&path), [3, 4, 5]);
        assert_eq!(folder.keep(&exhibit(6, 100)).unwrap(), Kept::Written);
        assert_eq!(seconds(&path), [6]);
        assert_eq!(folder.contents(), Contents { files: 1, bytes: 100, removed: 4 });
    }

    #[test]
    fn one_capture_that_is_larger_than_the_folder_may_be_drives_out_no_other() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = CaptureFolder::open(place.path(), 100).unwrap();
        for secs in [1, 2] {
            folder.keep(&exhibit(secs, 50)).unwrap();
        }
        let before = folder.contents();
        assert_eq!(folder.keep(&exhibit(3, 101)).unwrap(), Kept::TooLarge);
        assert_eq!(folder.keep(&exhibit(2, 101)).unwrap(), Kept::TooLarge, "nor the one of its name");
        assert_eq!((seconds(place.path()), folder.contents()), (vec![1, 2], before));
    }

    #[test]
    fn what_earlier_runs_kept_counts_and_other_files_do_not() {
        let place = tempfile::tempdir().unwrap();
        for name in ["notes.txt", "20231114T221320.pcap", "capture.part"] {
            fs::write(place.path().join(name), [0; 500]).unwrap();
        }
        CaptureFolder::open(place.path(), 100).unwrap().keep(&exhibit(1, 60)).unwrap();
        let mut folder = CaptureFolder::open(place.path(), 100).unwrap();
        assert_eq!(folder.contents(), Contents { files: 1, bytes: 60, removed: 0 });
        folder.keep(&exhibit(1, 70)).unwrap();
        assert_eq!(folder.contents(), Contents { files: 1, bytes: 70, removed: 0 }, "the same session again");
        assert!(place.path().join("notes.txt").exists() && !place.path().join("capture.part").exists());
    }

    #[test]
    fn captures_are_for_owner_and_group() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("captures");
        CaptureFolder::open(&path, 100).unwrap().keep(&exhibit(1, 1)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o007;
        assert_eq!((mode(&path), mode(&path.join(exhibit(1, 1).name.as_str()))), (0, 0));
    }

    #[test]
    fn a_folder_that_cannot_be_written_in_is_told_at_the_start_with_the_remedy() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file/captures");
        fs::write(place.path().join("file"), "").unwrap();
        assert_eq!(
            CaptureFolder::open(&path, 100).unwrap_err().to_string(),
            format!(
                "evidence captures: cannot keep them in {}: Not a directory (os error 20); set evidence_captures.dir to a \
                 folder that the sensor's user can write in",
                path.display()
            )
        );
    }

    #[test]
    fn a_disk_that_fails_leaves_the_others_and_the_count_as_they_were() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = CaptureFolder::open(place.path(), 100).unwrap();
        folder.keep(&exhibit(1, 10)).unwrap();
        fs::create_dir(place.path().join("capture.part")).unwrap();
        assert!(folder.keep(&exhibit(2, 10)).is_err());
        assert_eq!(folder.contents(), Contents { files: 1, bytes: 10, removed: 0 });
        fs::remove_dir(place.path().join("capture.part")).unwrap();
        folder.keep(&exhibit(2, 10)).unwrap();
        assert_eq!(seconds(place.path()), [1, 2]);
    }
}
