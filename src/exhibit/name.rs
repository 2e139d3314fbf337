//! A session in, the name of its capture out, and back from what somebody asks for.

use std::fmt;

use ring::digest::{SHA256, digest};

use crate::time::Timestamp;

/// The file name of a capture, such as `20231114T221320.000000000Z-0123456789abcdef.pcap`: when the session began, and the
/// first eight bytes of a SHA-256 over its community id. Names order as the sessions began, and there is nothing in one that
/// a file system, a shell or a browser could take for something else.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ExhibitName(String);

impl ExhibitName {
    /// The form of a name: `0` stands for a digit, `x` for a hexadecimal one, and anything else for itself.
    const FORM: &str = "00000000T000000.000000000Z-xxxxxxxxxxxxxxxx.pcap";

    pub fn of(started: Timestamp, community_id: &str) -> Self {
        let started: String = started.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let hash = digest(&SHA256, community_id.as_bytes());
        let hash: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{started}-{hash}.pcap"))
    }

    /// Reads what [`Self::of`] makes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |(form, c): (u8, u8)| match form {
            b'0' => c.is_ascii_digit(),
            b'x' => c.is_ascii_digit() || (b'a'..=b'f').contains(&c),
            form => form == c,
        };
        let is_name = text.len() == Self::FORM.len() && Self::FORM.bytes().zip(text.bytes()).all(fits);
        is_name.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExhibitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_made_and_orders_by_the_beginning() {
        let names = [0, 1_700_000_000, u64::MAX / 1_000_000_000]
            .map(|secs| ExhibitName::of(Timestamp::from_secs(secs), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="));
        assert_eq!(names[1].as_str(), "20231114T221320.000000000Z-c924be5dcf092c08.pcap");
        assert!(names.is_sorted());
        for name in names {
            assert_eq!(ExhibitName::parse(name.as_str()), Some(name));
        }
    }

    #[test]
    fn nothing_else_is_a_name() {
        let name = ExhibitName::of(Timestamp::from_secs(1), "1:a/../b").to_string();
        for place in 0..name.len() {
            assert_eq!(ExhibitName::parse(&name[..place]), None);
            for hostile in ["/", "\\", "\0", "..", "%", "\n", "é", "G", "A"] {
                let changed = format!("{}{hostile}{}", &name[..place], &name[place + 1..]);
                assert_eq!(ExhibitName::parse(&changed), None, "{changed:?}");
            }
        }
        for other in ["", "../../etc/passwd", "memory", &format!("/{name}"), &format!("{name}.part")] {
            assert_eq!(ExhibitName::parse(other), None, "{other:?}");
        }
    }
}
