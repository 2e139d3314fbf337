//! YAML text in, a typed value or a fault with file, line, column and the line it stands on out. The only module that
//! knows the YAML crate.

mod outline;

use std::fmt;

use serde::de::DeserializeOwned;
use serde_yaml::{DuplicateKeyPolicy, Error, MergeKeyPolicy, MessageFormatter, Options, UserMessageFormatter};

pub use outline::Outline;
pub use serde_yaml::Spanned;

/// What is wrong in a file an operator wrote, and where.
///
/// `Display` is for a terminal: `FILE:LINE:COLUMN: what is wrong`, then the line with a caret under the column.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    pub file: String,
    /// Counts from 1; 0 where the fault is the whole file's.
    pub line: u64,
    /// Counts characters from 1.
    pub column: u64,
    pub message: String,
    snippet: String,
}

/// The most bytes of a file that is read as YAML.
pub const BYTES_MAX: usize = 16 << 20;

/// Reads one YAML document. An empty one is all defaults, where the type allows it.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Box<Fault>> {
    if text.len() > BYTES_MAX {
        let message = format!("the file has {} bytes, more than the {BYTES_MAX} that are read", text.len());
        return Err(Box::new(Fault::of_file(file, message)));
    }
    serde_yaml::from_str_with_options(text, options()).map_err(|error| Box::new(Fault::new(file, text, &error)))
}

fn options() -> Options {
    serde_yaml::options! {
        // `yes` and `on` are words of the operator, not booleans; a key said twice is a slip.
        strict_booleans: true,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Merge,
        with_snippet: false,
    }
}

impl Fault {
    /// A fault that the YAML reader does not see, such as a name that nothing knows.
    pub fn at(file: &str, text: &str, (line, column): (u64, u64), message: impl Into<String>) -> Self {
        Self { file: file.into(), line, column, message: message.into(), snippet: snippet(text, line, column) }
    }

    /// A fault of the whole file.
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0, message: message.into(), snippet: String::new() }
    }

    fn new(file: &str, text: &str, error: &Error) -> Self {
        let place = error.location().map_or((0, 0), |location| (location.line(), location.column()));
        Self::at(file, text, place, message(error))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.message);
        }
        write!(f, "{}:{}:{}: {}{}", self.file, self.line, self.column, self.message, self.snippet)
    }
}

impl std::error::Error for Fault {}

fn message(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands twice in this map"),
        Error::DuplicateMappingKey { key: None, .. } => "a key stands twice in this map".into(),
        Error::InvalidBooleanStrict { .. } => "expected true or false".into(),
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::NullIntoString { .. } => "expected text, found nothing".into(),
        Error::InvalidScalar { ty, .. } => expected_number(ty),
        Error::Unexpected { expected: "string scalar", .. } => "expected a single value".into(),
        Error::Unexpected { expected: "sequence start", .. } => "expected a list".into(),
        Error::Unexpected { expected: "mapping start", .. } => "expected keys and values".into(),
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
}

fn expected_number(kind: &str) -> String {
    let most = match kind {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" | "usize" => return "expected a whole number".into(),
        _ => return format!("expected a number ({kind})"),
    };
    format!("expected a whole number from 0 to {most}")
}

fn unknown(what: &str, found: &str, known: &[&str]) -> String {
    match nearest(found, known) {
        Some(near) => format!("unknown {what} `{found}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{found}`; known are {}", known.join(", ")),
    }
}

/// The known name that `found` may be a slip of: at most a third of its letters differ.
pub fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = (found.chars().count() / 3).max(1);
    known
        .iter()
        .map(|&name| (distance(found, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// The Levenshtein distance in characters, `-` and `_` being the same letter.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.chars().map(|c| if c == '-' { '_' } else { c }).collect::<Vec<char>>();
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The faulty line and a caret under the column, ready to follow the message.
fn snippet(text: &str, line: u64, column: u64) -> String {
    let Some(content) = usize::try_from(line).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?)) else {
        return String::new();
    };
    let content: String =
        content.chars().take(SNIPPET_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let margin = " ".repeat(line.to_string().len());
    let indent = " ".repeat(usize::try_from(column.saturating_sub(1)).unwrap_or(0).min(SNIPPET_CHARS_MAX));
    format!("\n{margin} |\n{line} | {content}\n{margin} | {indent}^")
}

const SNIPPET_CHARS_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;
    use crate::net::Network;
    use crate::quantity;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Example {
        snap_len: u32,
        enabled: bool,
        #[serde(deserialize_with = "quantity::duration")]
        idle_timeout: Duration,
        networks: Vec<Network>,
        named: BTreeMap<String, Mode>,
        text: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Inner,
        Outer,
    }

    fn fault(text: &str) -> String {
        parse::<Example>("example.yml", text).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_shown_where_it_stands_with_the_nearest_known_one() {
        assert_eq!(
            fault("enabled: true\nsnaplen: 9\n"),
            "example.yml:2:1: unknown key `snaplen`; did you mean `snap_len`?\n  |\n2 | snaplen: 9\n  | ^"
        );
        assert_eq!(
            fault("colour: red"),
            "example.yml:1:1: unknown key `colour`; known are snap_len, enabled, idle_timeout, networks, named, text\n  \
             |\n1 | colour: red\n  | ^"
        );
    }

    #[test]
    fn a_wrong_value_is_shown_where_it_stands() {
        for (text, expected) in [
            ("snap_len: many", "1:11: expected a whole number from 0 to 4294967295"),
            ("snap_len: -1", "1:11: expected a whole number from 0 to 4294967295"),
            ("snap_len: [1]", "1:11: expected a single value"),
            ("enabled: yes", "1:10: expected true or false"),
            (
                "idle_timeout: 10",
                "1:15: `10` is not a duration such as 90s or 10m: the units are ns, us, ms, s, m, h, d",
            ),
            ("networks: [10.0.0.1/8]", "1:12: `10.0.0.1/8` has host bits set: the network is 10.0.0.0/8"),
            ("networks: 10.0.0.0/8", "1:11: expected a list"),
            ("named: {a: iner}", "1:12: unknown value `iner`; did you mean `inner`?"),
            ("text:", "1:5: expected text, found nothing"),
            ("text: a\ntext: b", "2:1: the key `text` stands twice in this map"),
            ("- a", "1:1: expected keys and values"),
            ("text: \"a", "1:7: unclosed quote"),
        ] {
            assert_eq!(fault(text).lines().next(), Some(format!("example.yml:{expected}").as_str()), "{text}");
        }
    }

    #[test]
    fn a_bomb_of_aliases_or_brackets_is_refused() {
        let mut bomb = String::from("a0: &a0 [x, x]\n");
        for level in 1..40 {
            let below = level - 1;
            bomb += &format!("a{level}: &a{level} [*a{below}, *a{below}, *a{below}]\n");
        }
        assert!(parse::<serde_json::Value>("bomb.yml", &bomb).is_err());
        assert!(parse::<serde_json::Value>("deep.yml", &"[".repeat(20_000)).is_err());
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        for text in ["", "# nothing\n", "\n\n"] {
            assert_eq!(parse::<Example>("example.yml", text).unwrap().snap_len, 0);
        }
    }
}
