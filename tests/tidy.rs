//! What the compiler does not check: who may know whom, what the core must not say, and how long a file may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order a packet meets them, and whom each may name beside itself and the vocabulary.
const LAYERS: &[(&str, &[&str])] = &[
    // The vocabulary.
    ("time", &[]),
    ("net", &[]),
    ("quantity", &[]),
    ("distribution", &[]),
    ("yaml", &[]),
    ("tls", &[]),
    ("facts", &["flow", "protocol"]),
    ("slab", &[]),
    ("index", &[]),
    ("recent", &[]),
    ("memory", &[]),
    // The shard.
    ("capture", &["protocol"]),
    ("decode", &["capture", "protocol"]),
    ("flow", &["decode", "protocol"]),
    ("protocol", &[]),
    ("shard", &["capture", "decode", "flow"]),
    ("recording", &["protocol"]),
    // The analysis: events are of facts and findings, and detectors judge events.
    ("enrich", &["protocol"]),
    ("identity", &["enrich"]),
    ("world", &["enrich", "identity"]),
    ("event", &["detect", "enrich", "flow", "identity", "protocol", "world"]),
    ("exhibit", &["flow", "protocol"]),
    ("profile", &["event", "identity"]),
    ("detect", &["enrich", "event", "identity", "profile", "protocol", "world"]),
    ("rules", &["detect", "enrich", "event"]),
    ("alert", &["event", "exhibit", "identity", "rules"]),
    ("risk", &["alert", "detect", "event", "exhibit", "identity", "rules", "world"]),
    (
        "analysis",
        &["alert", "detect", "enrich", "event", "exhibit", "identity", "profile", "risk", "rules", "shard", "world"],
    ),
    // The edge.
    (
        "config",
        &[
            "analysis", "capture", "decode", "detect", "enrich", "exhibit", "flow", "history", "metrics", "profile",
            "risk", "serve", "shard", "sinks", "state", "world",
        ],
    ),
    ("history", &["enrich", "event", "identity", "protocol"]),
    ("metrics", &["analysis", "capture", "decode", "detect", "flow", "identity", "risk", "shard", "sinks"]),
    ("sinks", &["exhibit"]),
    ("state", &["risk"]),
    ("serve", &["exhibit", "metrics"]),
    ("report", &["serve"]),
    ("summary", &["alert", "decode", "identity", "metrics", "risk"]),
    (
        "sensor",
        &[
            "alert",
            "analysis",
            "capture",
            "config",
            "decode",
            "detect",
            "enrich",
            "event",
            "exhibit",
            "history",
            "identity",
            "metrics",
            "recording",
            "risk",
            "rules",
            "serve",
            "shard",
            "sinks",
            "state",
            "summary",
            "world",
        ],
    ),
    ("simulate", &["decode", "flow", "identity", "recording"]),
    ("evaluate", &[]),
    (
        "cli",
        &[
            "capture", "config", "detect", "enrich", "evaluate", "event", "identity", "metrics", "report", "risk",
            "rules", "sensor", "serve", "simulate", "state", "summary",
        ],
    ),
];

/// Everybody may name these.
const VOCABULARY: &[&str] =
    &["distribution", "facts", "index", "memory", "net", "quantity", "recent", "slab", "time", "tls", "yaml"];

/// Words and the places that may say them.
const WORDS: &[(&str, &[&str])] = &[
    (
        "SystemTime::now",
        &["src/capture/live.rs", "src/cli/dismiss.rs", "src/sensor/desk.rs", "src/sinks/alertmanager.rs"],
    ),
    ("Instant::now", &["src/serve"]),
    ("tokio::", &["src/serve", "src/sinks"]),
    ("axum::", &["src/serve"]),
    ("DashMap", &["src/serve/view.rs"]),
    ("prometheus::", &["src/metrics"]),
    ("serde_yaml::", &["src/yaml.rs"]),
    ("std::thread", &["src/cli/top.rs", "src/sensor"]),
    ("thread::spawn", &[]),
    (".spawn(", &["src/sensor.rs", "src/serve"]),
    ("println!", &["src/cli"]),
    ("print!(", &["src/cli"]),
    ("dbg!", &[]),
    ("todo!", &[]),
    ("unimplemented!", &[]),
    ("process::exit", &[]),
    ("unsafe {", &["src/allocator.rs", "src/capture/socket.rs"]),
];

const FILE_LINES_MAX: usize = 600;

/// A source file and its lines, without those of its tests.
struct Source {
    path: String,
    lines: Vec<String>,
    lines_total: usize,
    is_test: bool,
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    rust_files(Path::new("src"), &mut paths);
    assert!(paths.len() > 10, "the tests run beside the sources");
    paths.into_iter().map(|path| source(&path)).collect()
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn source(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let is_test = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
        || path.components().any(|part| part.as_os_str() == "tests");
    let lines = text.lines().take_while(|line| !is_test && *line != "mod tests {").map(without_comment).collect();
    Source { path: path.display().to_string(), lines, lines_total: text.lines().count(), is_test }
}

fn without_comment(line: &str) -> String {
    line.split_once("//").map_or(line, |(code, _)| code).into()
}

/// `src/flow/key.rs` belongs to `flow`, `src/time.rs` to `time`.
fn module(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    below.split_once(['/', '.']).map_or(below, |(module, _)| module)
}

/// The modules that code names as `crate::module` or in `crate::{…}`.
fn named(code: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            names.push(first_word(rest));
            continue;
        };
        let (mut depth, mut is_name_next) = (1, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => is_name_next |= depth == 1,
                c if is_name_next && c.is_ascii_lowercase() => {
                    names.push(first_word(&group[at..]));
                    is_name_next = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

#[test]
fn names_are_found_in_groups_too() {
    let code =
        "use crate::{\n  alert::{self, Alert},\n  time::Timestamp};\nuse crate::flow::Counters; crate::net::Mac(0)";
    assert_eq!(named(code), ["alert", "time", "flow", "net"]);
}

#[test]
fn a_module_names_only_those_it_may_know() {
    let mut wrong = Vec::new();
    for source in sources() {
        let own = module(&source.path);
        let Some((_, known)) = LAYERS.iter().find(|(layer, _)| *layer == own) else {
            continue;
        };
        for other in named(&source.lines.join("\n")) {
            let is_allowed = other == own || VOCABULARY.contains(&other) || known.contains(&other);
            if !is_allowed {
                wrong.push(format!("{}: {own} names {other}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_layer() {
    let library = fs::read_to_string("src/lib.rs").unwrap();
    let modules: BTreeSet<&str> = library
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let layers: BTreeSet<&str> = LAYERS.iter().map(|(layer, _)| *layer).collect();
    assert_eq!(modules, layers);
}

#[test]
fn the_core_says_no_forbidden_word() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, places) in WORDS {
            if places.iter().any(|place| source.path.starts_with(place)) {
                continue;
            }
            wrong.extend(
                source.lines.iter().filter(|line| line.contains(word)).map(|line| format!("{}: {line}", source.path)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.lines_total > FILE_LINES_MAX)
        .map(|source| format!("{}: {} lines", source.path, source.lines_total))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_module_opens_with_a_sentence() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|source| !source.is_test && source.path != "src/main.rs")
        .filter(|source| !fs::read_to_string(&source.path).unwrap().starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn every_protocol_folder_is_registered() {
    let modules = fs::read_to_string("src/protocol/mod.rs").unwrap();
    for entry in fs::read_dir("src/protocol").unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(path.join("mod.rs")) else {
            continue;
        };
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(modules.contains(&format!("mod {name};")), "{name} has no mod line");
        let has_spec = text.contains("ProtocolSpec = ");
        assert!(!has_spec || modules.contains(&format!("&{name}::")), "{name} is not in ALL");
    }
}
