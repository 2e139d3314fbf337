//! Messages in, the same messages out after a restart: a folder with a file for each, bounded in number and bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::SinkError;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) entries_max: usize,
    pub(super) bytes_max: u64,
}

/// Messages that wait on disk, in the order of their keys.
pub(super) struct Spool {
    directory: PathBuf,
    bounds: Bounds,
    waiting: BTreeMap<String, Waiting>,
    bytes: u64,
    next_generation: u64,
    lost: u64,
}

#[derive(Clone, Copy)]
struct Waiting {
    bytes: u64,
    /// Another one each time that the message is written anew.
    generation: u64,
}

/// A message as it was read, to say later that this very one is done with.
pub(super) struct Message {
    pub(super) key: String,
    pub(super) body: Vec<u8>,
    generation: u64,
}

impl Spool {
    /// Opens a folder, or makes it, and finds what the last run left.
    pub(super) fn open(sink: &'static str, directory: &Path, bounds: Bounds) -> Result<Self, SinkError> {
        let fault = |source| SinkError::Queue { sink, path: directory.into(), source };
        fs::create_dir_all(directory).map_err(fault)?;
        let mut spool = Self {
            directory: directory.into(),
            bounds,
            waiting: BTreeMap::new(),
            bytes: 0,
            next_generation: 0,
            lost: 0,
        };
        for entry in fs::read_dir(directory).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.strip_suffix(Self::SUFFIX) {
                Some(key) => spool.note(key.to_owned(), entry.metadata().map_err(fault)?.len()),
                // Half written when the last run ended.
                None => fs::remove_file(entry.path()).map_err(fault)?,
            }
        }
        Ok(spool)
    }

    /// Whether a folder is there, or can be made in one that is.
    pub(super) fn look(directory: &Path) -> Result<(), SinkError> {
        let there = directory.ancestors().find(|folder| folder.exists());
        if there.is_none_or(Path::is_dir) {
            return Ok(());
        }
        let source = io::ErrorKind::NotADirectory.into();
        Err(SinkError::Queue { sink: "push", path: directory.into(), source })
    }

    const SUFFIX: &'static str = ".json";

    /// Keeps a message under its key, over the one that had it. Where there is no room, the first ones are given up.
    pub(super) fn put(&mut self, key: &str, body: &[u8]) -> io::Result<()> {
        let temporary = self.directory.join(format!("{key}.new"));
        let mut file = File::create(&temporary)?;
        file.write_all(body)?;
        file.sync_data()?;
        fs::rename(&temporary, self.path(key))?;
        self.note(key.to_owned(), body.len() as u64);
        while self.waiting.len() > self.bounds.entries_max || self.bytes > self.bounds.bytes_max {
            let Some(first) = self.waiting.keys().next().cloned() else { break };
            self.drop_key(&first);
            self.lost += 1;
        }
        Ok(())
    }

    /// The first message. One that cannot be read is given up: it would keep the others waiting for ever. An error passes.
    pub(super) fn first_readable(&mut self) -> Option<io::Result<Message>> {
        loop {
            let key = self.waiting.keys().next()?.clone();
            if let Some(message) = self.read_or_give_up(&key).transpose() {
                return Some(message);
            }
        }
    }

    /// Every message that can be read now; what never can is given up.
    pub(super) fn readable(&mut self) -> Vec<Message> {
        let keys: Vec<String> = self.waiting.keys().cloned().collect();
        keys.iter().filter_map(|key| self.read_or_give_up(key).ok().flatten()).collect()
    }

    /// A message, given up where it cannot be read; an error where that will pass.
    pub(super) fn read_or_give_up(&mut self, key: &str) -> io::Result<Option<Message>> {
        match self.read(key) {
            Ok(message) => Ok(Some(message)),
            Err(error) if is_passing(&error) => Err(error),
            Err(error) => {
                tracing::error!(path = %self.path(key).display(), "cannot read a message that waits, and gives it up: {error}");
                self.give_up(key);
                Ok(None)
            }
        }
    }

    /// The last key; messages that are to be sent in turn are numbered on from it.
    pub(super) fn last_key(&self) -> Option<&str> {
        self.waiting.keys().next_back().map(String::as_str)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.waiting.keys().map(String::as_str)
    }

    pub(super) fn read(&self, key: &str) -> io::Result<Message> {
        let generation = self.waiting.get(key).map_or(0, |waiting| waiting.generation);
        Ok(Message { key: key.to_owned(), body: fs::read(self.path(key))?, generation })
    }

    /// Forgets a message that was sent, unless it was written anew meanwhile.
    pub(super) fn done(&mut self, message: &Message) {
        if self.waiting.get(&message.key).is_some_and(|waiting| waiting.generation == message.generation) {
            self.drop_key(&message.key);
        }
    }

    /// Gives up a message that can never be sent.
    pub(super) fn give_up(&mut self, key: &str) {
        self.drop_key(key);
        self.lost += 1;
    }

    /// Counts a message that could not be kept.
    pub(super) const fn lose(&mut self) {
        self.lost += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Messages that were given up.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    fn note(&mut self, key: String, bytes: u64) {
        let generation = self.next_generation;
        self.next_generation += 1;
        self.bytes += bytes;
        if let Some(before) = self.waiting.insert(key, Waiting { bytes, generation }) {
            self.bytes -= before.bytes;
        }
    }

    fn drop_key(&mut self, key: &str) {
        if let Some(waiting) = self.waiting.remove(key) {
            self.bytes -= waiting.bytes;
        }
        // A file that is gone already is no loss; one that cannot be removed is sent once more after a restart.
        let _gone = fs::remove_file(self.path(key));
    }

    fn path(&self, key: &str) -> PathBuf {
        self.directory.join(format!("{key}{}", Self::SUFFIX))
    }
}

/// Whether it is the process or the machine that lacks something, and not the file.
fn is_passing(error: &io::Error) -> bool {
    let lacks_handles = matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
    lacks_handles || matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::OutOfMemory)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { entries_max: 3, bytes_max: 1000 };

    fn spool(directory: &Path) -> Spool {
        Spool::open("webhook", directory, BOUNDS).unwrap()
    }

    fn bodies(spool: &Spool) -> Vec<String> {
        spool.keys().map(|key| String::from_utf8(spool.read(key).unwrap().body).unwrap()).collect()
    }

    #[test]
    fn messages_outlive_a_restart_and_half_written_ones_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut before = spool(directory.path());
        before.put("2", b"second").unwrap();
        before.put("1", b"first").unwrap();
        fs::write(directory.path().join("3.new"), "hal").unwrap();
        let after = spool(directory.path());
        assert_eq!((bodies(&after), after.last_key()), (vec!["first".into(), "second".into()], Some("2")));
        assert!(!directory.path().join("3.new").exists());
    }

    #[test]
    fn a_full_queue_gives_up_the_first_and_counts_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = spool(directory.path());
        for key in ["1", "2", "3", "4"] {
            spool.put(key, key.as_bytes()).unwrap();
        }
        assert_eq!((bodies(&spool), spool.lost()), (vec!["2".into(), "3".into(), "4".into()], 1));
        spool.put("5", &[b'x'; 999]).unwrap();
        assert_eq!((spool.len(), spool.lost()), (2, 3), "by bytes");
    }

    #[test]
    fn a_message_that_changed_while_it_was_sent_is_sent_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = spool(directory.path());
        spool.put("a", b"opened").unwrap();
        let sent = spool.first_readable().unwrap().unwrap();
        spool.put("a", b"closed").unwrap();
        spool.done(&sent);
        assert_eq!(bodies(&spool), ["closed"]);
        let sent = spool.first_readable().unwrap().unwrap();
        spool.done(&sent);
        assert_eq!(spool.len(), 0);
        assert!(fs::read_dir(directory.path()).unwrap().next().is_none());
    }

    #[test]
    fn a_message_that_cannot_be_read_is_given_up_and_holds_up_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = spool(directory.path());
        for key in ["1", "2", "3"] {
            spool.put(key, key.as_bytes()).unwrap();
        }
        fs::remove_file(spool.path("1")).unwrap();
        assert_eq!((spool.first_readable().unwrap().unwrap().key.as_str(), spool.lost()), ("2", 1));
        fs::remove_file(spool.path("3")).unwrap();
        let keys: Vec<String> = spool.readable().into_iter().map(|message| message.key).collect();
        assert_eq!((keys, spool.lost(), spool.len()), (vec!["2".to_owned()], 2, 1));
    }

    #[test]
    fn what_the_process_lacks_for_a_while_costs_no_message() {
        assert!(is_passing(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(!is_passing(&io::Error::from_raw_os_error(libc::ENOENT)));
        assert!(!is_passing(&io::Error::from_raw_os_error(libc::EACCES)));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said_with_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let message = Spool::open("webhook", &file.join("queue"), BOUNDS).err().unwrap().to_string();
        let expected =
            format!("webhook: cannot keep what waits in {}/queue: Not a directory (os error 20)", file.display());
        assert!(message.starts_with(&expected), "{message}");
    }
}
