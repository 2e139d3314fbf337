//! What outlives the process when every table is full: its size, how long the analysis is held up while it gives it out, how
//! long it takes to write and to take up again.
//!
//! The entries are those of the shipped scenarios, again and again under other names until each table has as many as it may. The
//! argument is how many that is at the most; without it each table is filled to its limit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;
use spanwatch::analysis::{Analysis, Settings};
use spanwatch::config::Config;
use spanwatch::enrich::geo::Geo;
use spanwatch::memory::{Memory, MemoryError};
use spanwatch::rules::Rules;
use spanwatch::sensor::{self, Policy, Replayed};
use spanwatch::state::StateDirectory;

/// No table is larger.
const ENTRIES_MAX: usize = 200_000;

fn main() {
    let entries_max = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(ENTRIES_MAX);
    let rules = Rules::load(Path::new("rules")).expect("the shipped rules have no fault");
    let start = || Analysis::new(&Settings::default(), &rules, Geo::default(), 1).expect("the defaults have no fault");
    let (recorded, mut closed) = (recorded(), BTreeSet::new());
    let full = loop {
        let mut full = start();
        match full.recall(&filled(&recorded, entries_max, &closed)) {
            Ok(()) => break full,
            Err(MemoryError::Section { section, .. }) if closed.insert(section.clone()) => {
                println!("not filled: {section}, whose keys are a closed set");
            }
            Err(fault) => panic!("{fault}"),
        }
    };
    println!("resident, full                {:9.0} MB", resident("VmRSS"));

    let (memory, milliseconds) = timed(|| full.memory());
    println!("given out at once             {milliseconds:9.0} ms");
    let (mut passed, mut pauses) = (Memory::default(), Vec::new());
    loop {
        passed.begin_pass(1);
        pauses.push(timed(|| full.remember(&mut passed)).1);
        if passed.is_complete() {
            break;
        }
    }
    pauses.sort_by(f64::total_cmp);
    println!(
        "given out in {:3} parts: the longest {:4.0} ms, half of them under {:.1} ms",
        pauses.len(),
        pauses.last().expect("there is a part"),
        pauses[pauses.len() / 2]
    );
    let mut sections: Vec<(&str, usize)> = memory.sections().collect();
    sections.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    for (name, bytes) in sections.iter().take(8) {
        println!("  {name:30} {:6.1} MB", megabytes(*bytes as u64));
    }
    drop(passed);

    let place = tempfile::tempdir_in(".").expect("the folder can be written in");
    let state = StateDirectory::open(place.path()).expect("the folder is new");
    let (bytes, milliseconds) = timed(|| state.remember(&memory).expect("the disk has room"));
    println!("written and flushed           {milliseconds:9.0} ms, {:.0} MB", megabytes(bytes));
    println!("resident at the most          {:9.0} MB", resident("VmHWM"));
    drop((memory, full));

    let mut again = start();
    let ((), milliseconds) = timed(|| {
        let text = state.memory().expect("it can be read").expect("it is there");
        let memory = Memory::parse(&text).expect("it is whole");
        drop(text);
        again.recall(&memory).expect("it is what was written");
    });
    println!("read and taken up             {milliseconds:9.0} ms");
}

/// What is made, and how many milliseconds that takes.
#[allow(clippy::disallowed_methods)]
fn timed<T>(make: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let made = make();
    (made, begun.elapsed().as_secs_f64() * 1e3)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn resident(line: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|said| said.starts_with(line)).and_then(|said| said.split_whitespace().nth(1));
    line.and_then(|kibibytes| kibibytes.parse::<f64>().ok()).unwrap_or(0.0) * 1.024e-3
}

/// The entries of each section that is a list, after the replay of every scenario.
fn recorded() -> BTreeMap<String, Vec<Value>> {
    let mut entries: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let place = tempfile::tempdir().expect("there is room for temporary files");
    for file in scenarios() {
        let own = file.with_file_name("spanwatch.yml");
        let config = if own.is_file() { own } else { "pcaps/spanwatch.yml".into() };
        let mut config = Config::load(&config).expect("the shipped configurations have no fault");
        config.rules.directory = Some("rules".into());
        let dir = place.path().join(entries.values().map(Vec::len).sum::<usize>().to_string());
        config.state.dir = Some(dir.clone());
        (config.sinks.events, config.sinks.alerts, config.evidence_captures.dir) = (None, None, None);
        let policy = Policy::load(&config).expect("the shipped rules have no fault");
        let replayed = Replayed { files: &[file], view: None, serves: false };
        sensor::replay(&config, policy, replayed, |_| {}, |_| {}).expect("the shipped captures can be read");
        let text = StateDirectory::open(&dir).and_then(|state| state.memory()).expect("it was written");
        let memory = Memory::parse(&text.expect("it was written")).expect("it is whole");
        for (section, _) in memory.sections() {
            if let Ok(Some(Value::Array(items))) = memory.get::<Value>(section) {
                entries.entry(section.to_owned()).or_default().extend(items);
            }
        }
        let _none_is_left = fs::remove_dir_all(&dir);
    }
    entries
}

fn scenarios() -> Vec<PathBuf> {
    let folders =
        fs::read_dir("pcaps").expect("the bench runs in the project").map(|entry| entry.expect("it is there").path());
    let files = |folder: PathBuf| {
        ["capture.pcap", "capture.pcap.zst", "recording.facts.jsonl.zst"].map(|name| folder.join(name))
    };
    let mut files: Vec<PathBuf> = folders.flat_map(files).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// A memory with so many entries in each list.
fn filled(recorded: &BTreeMap<String, Vec<Value>>, entries_max: usize, closed: &BTreeSet<String>) -> Memory {
    let mut memory = Memory::default();
    for (section, items) in recorded.iter().filter(|(section, _)| *section != "activity.signs") {
        let copies = (0_u32..).flat_map(|round| items.iter().map(move |item| (round, item)));
        let entries_max = if closed.contains(section) || items.is_empty() { items.len() } else { entries_max };
        let renamed = copies.take(entries_max).map(|(round, item)| {
            let mut item = item.clone();
            rename(key_of(&mut item), round);
            item
        });
        memory.put_list(section, renamed);
    }
    memory
}

/// An entry is its key, its value and when it was touched; one of evidence names its entity.
fn key_of(item: &mut Value) -> &mut Value {
    match item {
        Value::Array(parts) => &mut parts[0],
        Value::Object(fields) => fields.get_mut("entity").expect("evidence is about an entity"),
        other => other,
    }
}

/// Gives the first name in a key that is unlike a word of the format another form for each round.
fn rename(key: &mut Value, round: u32) -> bool {
    match key {
        Value::String(name) => renamed(name, round).map(|other| *name = other).is_some(),
        Value::Number(number) => {
            let other = number.as_u64().map(|number| number.wrapping_add(u64::from(round)));
            other.map(|other| *key = other.into()).is_some()
        }
        Value::Array(parts) => parts.iter_mut().any(|part| rename(part, round)),
        Value::Object(fields) => fields.iter_mut().any(|(name, part)| name != "kind" && rename(part, round)),
        _ => false,
    }
}

fn renamed(name: &str, round: u32) -> Option<String> {
    if let Ok(address) = name.parse::<std::net::Ipv4Addr>() {
        return Some(std::net::Ipv4Addr::from_bits(address.to_bits().wrapping_add(round << 10)).to_string());
    }
    if let Ok(std::net::SocketAddr::V4(end)) = name.parse() {
        let other = std::net::Ipv4Addr::from_bits(end.ip().to_bits().wrapping_add(round << 10));
        return Some(format!("{other}:{}", end.port()));
    }
    if name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(format!("{:016x}", u64::from_str_radix(name, 16).ok()?.wrapping_add(u64::from(round))));
    }
    let is_mac = name.len() == 17 && name.bytes().filter(|byte| *byte == b':').count() == 5;
    if is_mac {
        let [_, a, b, c] = round.to_be_bytes();
        return Some(format!("02:{a:02x}:{b:02x}:{c:02x}:{}", &name[12..]));
    }
    Some(if round == 0 { name.to_owned() } else { format!("{name}{round}") })
}
