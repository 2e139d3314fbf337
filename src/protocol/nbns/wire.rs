//! NetBIOS names out of DNS names (RFC 1001 §14.1), and the records of the name service (RFC 1002 §4.2).

use std::net::{IpAddr, Ipv4Addr};

use crate::net::{Mac, Text};
use crate::protocol::cursor::Cursor;

/// A NetBIOS name: 15 bytes of text, and what it is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::protocol) struct NetbiosName {
    pub(in crate::protocol) text: Text,
    pub(in crate::protocol) suffix: u8,
}

impl NetbiosName {
    /// A workstation, and a file server: suffixes that a machine's own name has.
    const WORKSTATION: u8 = 0x00;
    const SERVER: u8 = 0x20;

    /// Decodes the first label of a DNS name: 32 letters, each half a byte. A scope may follow.
    pub(in crate::protocol) fn decode(name: &str) -> Option<Self> {
        let (label, _scope) = name.split_once('.').unwrap_or((name, ""));
        let letters = <&[u8; 32]>::try_from(label.as_bytes()).ok()?;
        let mut halves = Cursor::new(letters);
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            let [high, low] = halves.array()?;
            *byte = half(high)?.wrapping_shl(4) | half(low)?;
        }
        Some(Self::from_bytes(bytes))
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        let [text @ .., suffix] = bytes;
        let len = text.iter().rposition(|byte| !matches!(byte, b' ' | 0)).map_or(0, |last| last.saturating_add(1));
        let text = text.get(..len).unwrap_or_default();
        let text = if text.is_ascii() || str::from_utf8(text).is_ok() {
            Text::from_utf8(text)
        } else {
            Text::from_latin1(text)
        };
        Self { text, suffix }
    }

    /// Whether it is the name of a machine, as far as the suffix tells. `*` and the browsers' name are nobody's.
    pub(in crate::protocol) fn is_of_machine(&self) -> bool {
        let is_own = matches!(self.suffix, Self::WORKSTATION | Self::SERVER);
        let text = self.text.as_str();
        is_own && text != "*" && !text.is_empty() && !text.chars().any(char::is_control)
    }
}

fn half(letter: u8) -> Option<u8> {
    let value = letter.to_ascii_uppercase().checked_sub(b'A')?;
    (value < 16).then_some(value)
}

/// An owner of a name, in an NB record (RFC 1002 §4.2.1.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Owner {
    pub(super) is_group: bool,
    pub(super) address: IpAddr,
}

const GROUP: u16 = 0x8000;

pub(super) fn owners(data: &[u8]) -> Vec<Owner> {
    const OWNERS_MAX: usize = 16;
    let mut cursor = Cursor::new(data);
    let mut owners = Vec::new();
    while let (Some(flags), Some(address), true) = (cursor.u16(), cursor.array::<4>(), owners.len() < OWNERS_MAX) {
        owners.push(Owner { is_group: flags & GROUP != 0, address: Ipv4Addr::from(address).into() });
    }
    owners
}

/// What a machine says of itself when asked for its status (RFC 1002 §4.2.18).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Status {
    pub(super) machine: Option<Text>,
    pub(super) group: Option<Text>,
    pub(super) mac: Option<Mac>,
}

pub(super) fn status(data: &[u8]) -> Option<Status> {
    let mut cursor = Cursor::new(data);
    let mut status = Status::default();
    for _ in 0..cursor.u8()? {
        let name = NetbiosName::from_bytes(cursor.array()?);
        let is_group = cursor.u16()? & GROUP != 0;
        match is_group {
            true if name.suffix == NetbiosName::WORKSTATION => status.group = status.group.or(Some(name.text)),
            false if name.is_of_machine() => status.machine = status.machine.or(Some(name.text)),
            _ => {}
        }
    }
    status.mac = cursor.array().map(Mac).filter(|mac| *mac != Mac::default());
    Some(status)
}
