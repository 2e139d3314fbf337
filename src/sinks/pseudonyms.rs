//! Notices with names in, notices with keyed hashes in their place out, for receivers that need not know who it is.
//!
//! The same name has the same pseudonym for as long as the key is the same, so a receiver can still count and join.

use std::collections::BTreeSet;
use std::path::Path;

use ring::hmac::{self, HMAC_SHA256};
use serde_json::Value;

use super::{Notice, SinkError};

/// Turns names into pseudonyms by HMAC-SHA256.
pub struct Pseudonyms(hmac::Key);

/// The fields whose values are names of people and machines.
const NAMED: &[&str] = &[
    "destination.device.name",
    "destination.user.name",
    "host.hostname",
    "related.hosts",
    "related.user",
    "source.device.name",
    "source.user.name",
    "spanwatch.accounts.names",
    "spanwatch.disguise.name",
    "spanwatch.remote_desktop.client_name",
    "user.name",
];

impl Pseudonyms {
    /// A key of fewer bytes could be guessed.
    const KEY_BYTES_MIN: usize = 32;

    pub fn open(path: &Path) -> Result<Self, SinkError> {
        let key = std::fs::read(path).map_err(|source| SinkError::Secret { path: path.into(), source })?;
        let key = key.trim_ascii();
        if key.len() < Self::KEY_BYTES_MIN {
            return Err(SinkError::WeakKey { path: path.into(), bytes: key.len(), bytes_min: Self::KEY_BYTES_MIN });
        }
        Ok(Self(hmac::Key::new(HMAC_SHA256, key)))
    }

    /// Replaces every name that the notice holds, wherever it stands.
    pub(super) fn apply(&self, mut notice: Notice) -> Notice {
        let mut names = BTreeSet::new();
        gather(&notice.document, &mut names);
        match notice.entity.0 {
            "account" => drop(names.insert(notice.entity.1.clone())),
            "group" => gather_of_group(&notice.entity.1, &mut names),
            _ => {}
        }
        // The longest first: a name may be a part of another one.
        let mut names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let pseudonyms: Vec<(String, String)> =
            names.into_iter().map(|name| (self.pseudonym(&name), name)).map(|(to, from)| (from, to)).collect();
        self.replace(&mut notice.document, &pseudonyms);
        notice.title = replaced(&notice.title, &pseudonyms);
        notice.entity.1 = replaced(&notice.entity.1, &pseudonyms);
        notice
    }

    /// What stands for a name, in any case: the first eight bytes of its keyed hash.
    pub fn tag(&self, name: &str) -> String {
        let tag = hmac::sign(&self.0, name.to_lowercase().as_bytes());
        tag.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn pseudonym(&self, name: &str) -> String {
        format!("name-{}", self.tag(name))
    }

    fn replace(&self, value: &mut Value, pseudonyms: &[(String, String)]) {
        match value {
            Value::String(text) => *text = replaced(text, pseudonyms),
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value, pseudonyms)),
            Value::Object(entries) => entries.values_mut().for_each(|value| self.replace(value, pseudonyms)),
            Value::Bool(_) | Value::Null | Value::Number(_) => {}
        }
    }
}

/// The names in a document: of its fields, of the evidence in it, and of those that the evidence is about.
fn gather(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| gather(value, names)),
        Value::Object(entries) => {
            if entries.get("field").and_then(Value::as_str).is_some_and(|field| NAMED.contains(&field)) {
                entries.get("value").into_iter().for_each(|value| collect(value, names));
            }
            let text = |key| entries.get(key).and_then(Value::as_str);
            match (text("kind"), text("id")) {
                (Some("account"), Some(name)) => drop(names.insert(name.to_owned())),
                (Some("group"), Some(pairs)) => gather_of_group(pairs, names),
                _ => {}
            }
            for (field, value) in entries {
                match NAMED.contains(&field.as_str()) {
                    true => collect(value, names),
                    false => gather(value, names),
                }
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names among a group's values, which stand as `field=value, field=value`; a value may hold a comma.
fn gather_of_group(pairs: &str, names: &mut BTreeSet<String>) {
    let mut name: Option<String> = None;
    for part in pairs.split(", ") {
        match part.split_once('=').filter(|(field, _)| field.contains('.') && !field.contains(' ')) {
            Some((field, value)) => {
                names.extend(name.take());
                name = NAMED.contains(&field).then(|| value.to_owned());
            }
            None => name.iter_mut().for_each(|name| name.extend([", ", part])),
        }
    }
    names.extend(name);
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(name) => {
            names.insert(name.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}

fn replaced(text: &str, pseudonyms: &[(String, String)]) -> String {
    pseudonyms.iter().fold(text.to_owned(), |text, (name, pseudonym)| replace_word(&text, name, pseudonym))
}

/// Replaces a name where it stands as a word: `al` is no part of `alert`.
fn replace_word(text: &str, name: &str, pseudonym: &str) -> String {
    let is_inside = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(name) {
        let neighbours = [before.chars().next_back().or(done.chars().next_back()), after.chars().next()];
        done += before;
        done += if neighbours.into_iter().any(is_inside) { name } else { pseudonym };
        rest = after;
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::notice;
    use super::*;

    fn pseudonyms(key: &str) -> Pseudonyms {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, key).unwrap();
        Pseudonyms::open(&path).unwrap()
    }

    const KEY: &str = "0123456789abcdef0123456789abcdef\n";

    #[test]
    fn names_are_replaced_wherever_they_stand_and_nothing_else_is() {
        let mut named = notice();
        named.entity = ("account", "al".into());
        named.title = "al on AL-LAPTOP".into();
        named.document = json!({
            "user.name": "al", "related.user": ["al"], "related.hosts": ["AL-LAPTOP"],
            "message": "An alert about al, who uses AL-LAPTOP; medial.", "source.ip": "192.0.2.1",
        });
        let hidden = pseudonyms(KEY).apply(named);
        let (user, host) =
            (hidden.document["user.name"].as_str().unwrap(), hidden.document["related.hosts"][0].as_str().unwrap());
        assert!(user.starts_with("name-") && host.starts_with("name-") && user != host);
        assert_eq!(hidden.document["message"], format!("An alert about {user}, who uses {host}; medial."));
        assert_eq!((hidden.title, hidden.entity.1.as_str()), (format!("{user} on {host}"), user));
        assert_eq!(hidden.document["source.ip"], "192.0.2.1");
    }

    #[test]
    fn names_in_the_evidence_are_replaced_like_the_others() {
        let mut named = notice();
        named.entity = ("site", "198.51.100.7".into());
        named.title = "Several accounts: 198.51.100.7".into();
        named.document = json!({
            "message": "their names: ann, bo; machine of cleo, of KVM-7 and of O, Neil",
            "spanwatch.evidence": [{"field": "spanwatch.accounts.names", "value": ["ann", "bo"]}],
            "spanwatch.incident.families": [{"family": "identity", "items": [
                {"subject": {"kind": "account", "id": "cleo"},
                 "evidence": [{"field": "spanwatch.disguise.name", "value": "KVM-7"}, {"field": "source.port", "value": "bo.1"}]},
                {"subject": {"kind": "group", "id": "source.ip=192.0.2.1, spanwatch.remote_desktop.client_name=O, Neil"}},
            ]}],
        });
        let hidden = pseudonyms(KEY).apply(named);
        let shown = hidden.document.to_string();
        for name in ["ann", "\"bo\"", " bo", "cleo", "KVM-7", "Neil"] {
            assert!(!shown.contains(name), "{name}: {shown}");
        }
        assert!(shown.contains("source.ip=192.0.2.1, spanwatch.remote_desktop.client_name=name-"), "{shown}");
        let mut of_group = notice();
        of_group.entity = ("group", "user.name=ann, source.ip=192.0.2.1".into());
        of_group.title = "Something: user.name=ann, source.ip=192.0.2.1".into();
        let hidden = pseudonyms(KEY).apply(of_group);
        assert!(!hidden.title.contains("ann") && hidden.title.contains("source.ip=192.0.2.1"), "{}", hidden.title);
        assert!(!hidden.entity.1.contains("ann"));
    }

    #[test]
    fn a_pseudonym_depends_on_the_key_and_on_nothing_else() {
        let [one, two] = [KEY, "another key that has enough of bytes"].map(pseudonyms);
        assert_eq!(one.pseudonym("Al"), pseudonyms(KEY).pseudonym("al"));
        assert_ne!(one.pseudonym("al"), two.pseudonym("al"));
        assert_ne!(one.pseudonym("al"), one.pseudonym("bo"));
    }

    #[test]
    fn a_key_that_could_be_guessed_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "secret\n").unwrap();
        let message = Pseudonyms::open(&path).err().unwrap().to_string();
        let expected = format!(
            "{}: the key for pseudonyms has 6 bytes and needs 32; `openssl rand -hex 32` makes one",
            path.display()
        );
        assert_eq!(message, expected);
    }
}
