//! Words that the code itself says (names of fields and protocols, reasons out of closed sets), read back from a file.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A word out of the code.
pub type Word = &'static str;

/// The most different words that are read back, and the most bytes of one: many times what the code says.
const WORDS_MAX: usize = 2048;
const WORD_BYTES_MAX: usize = 96;

/// The words that were read and where they lie, kept for good so that they are as good as the code's own.
static KNOWN: LazyLock<Mutex<BTreeMap<Word, &'static Word>>> = LazyLock::new(Mutex::default);

/// The word that `text` is; none where it is too long, or too many others were read before.
fn known(text: &str) -> Option<&'static Word> {
    let mut words = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(word) = words.get(text) {
        return Some(word);
    }
    if text.len() > WORD_BYTES_MAX || words.len() >= WORDS_MAX {
        return None;
    }
    let word: Word = Box::leak(text.into());
    let word: &Word = Box::leak(Box::new(word));
    words.insert(word, word);
    Some(word)
}

pub(crate) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    place(deserializer).copied()
}

/// A word by the place where it lies.
pub(crate) fn place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static Word, D::Error> {
    let text = String::deserialize(deserializer)?;
    known(&text).ok_or_else(|| Error::custom(refusal(&text)))
}

pub(crate) fn maybe_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Word>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    known(&text).map(|word| Some(*word)).ok_or_else(|| Error::custom(refusal(&text)))
}

fn refusal(text: &str) -> String {
    let shown: String = text.chars().take(WORD_BYTES_MAX).collect();
    format!("{shown:?} is no word that the sensor says")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once_and_a_long_one_not_at_all() {
        let first = known("accepted by nobody").unwrap();
        assert!(std::ptr::eq(*first, *known(&String::from("accepted by nobody")).unwrap()));
        assert_eq!(known(&"x".repeat(WORD_BYTES_MAX + 1)), None);
        assert!(known(&"x".repeat(WORD_BYTES_MAX)).is_some());
    }
}
