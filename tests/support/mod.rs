//! The sensor as a user starts it, and captures made byte by byte.
#![allow(dead_code)] // each test uses its own part

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use tempfile::TempDir;

/// The rules that ship with the sensor.
pub const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");

/// The sensor, in a directory of its own where no rules and no configuration lie.
pub struct Place {
    directory: TempDir,
}

/// How a run of the sensor ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spanwatch"));
        command.args(arguments).current_dir(self.directory.path());
        command.env_remove("SPANWATCH_CONFIG").env_remove("SPANWATCH_LOG");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.command(arguments).output().unwrap().into()
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// A pcap file (microseconds, little-endian, Ethernet) of UDP packets, a second apart.
pub fn pcap(packets: usize) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    for number in 0..packets {
        let frame = udp_frame(u16::try_from(number).unwrap());
        let len = u32::try_from(frame.len()).unwrap();
        let secs = 1_800_000_000 + u32::try_from(number).unwrap();
        for value in [secs, 0, len, len] {
            file.extend_from_slice(&value.to_le_bytes());
        }
        file.extend_from_slice(&frame);
    }
    file
}

/// The bytes of a record of [`pcap`], header and frame.
pub const RECORD_BYTES: usize = 16 + 14 + 20 + 8 + 4;
/// The bytes of the header of [`pcap`].
pub const HEADER_BYTES: usize = 24;

/// 192.0.2.1:(1024 + number) → 198.51.100.1:9, four bytes.
fn udp_frame(number: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend_from_slice(&[0x45, 0, 0, 32]);
    frame.extend_from_slice(&number.to_be_bytes());
    frame.extend_from_slice(&[0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1]);
    frame.extend_from_slice(&(1024 + number).to_be_bytes());
    frame.extend_from_slice(&[0, 9, 0, 12, 0, 0, 1, 2, 3, 4]);
    frame
}

/// The configuration of a scenario: its own, or the one of all.
pub fn configuration(capture: &Path) -> PathBuf {
    let own = capture.with_file_name("spanwatch.yml");
    if own.is_file() { own } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/spanwatch.yml") }
}

/// The recorded scenarios that ship with the project.
pub fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps");
    let of_folder = |folder: PathBuf| ["capture.pcap", "capture.pcap.zst"].map(|name| folder.join(name));
    let captures = fs::read_dir(folder).unwrap().flat_map(|entry| of_folder(entry.unwrap().path()));
    let mut captures: Vec<PathBuf> = captures.filter(|path| path.is_file()).collect();
    captures.sort();
    assert!(!captures.is_empty(), "the scenarios are part of the project");
    captures
}

/// The scenarios of many days, as recordings of facts.
pub fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps");
    let recordings = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("recording.facts.jsonl.zst"));
    let mut recordings: Vec<PathBuf> = recordings.filter(|path| path.is_file()).collect();
    recordings.sort();
    recordings
}
