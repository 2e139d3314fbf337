//! A domain name of a message, checked where it lies and put into words when somebody asks for them.

use std::hash::{Hash, Hasher};

use arrayvec::ArrayVec;

use crate::net::Text;
use crate::protocol::cursor::Cursor;
use crate::protocol::dns::wire::Header;

/// A name whose labels and pointers are sound (RFC 1035 §3.1, §4.1.4).
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct DomainName<'a> {
    message: &'a [u8],
    /// Where in the message it begins.
    at: usize,
    /// What it takes without pointers, the root's length at the end among it.
    wire_len: usize,
    has_pointers: bool,
}

impl<'a> DomainName<'a> {
    const BYTES_MAX: usize = 255;

    /// Reads the name that `cursor` stands before in `message`. A pointer may lead on to what stands behind it, which RFC
    /// 1035 §4.1.4 does not know and some resolvers follow; the way ends by its length.
    pub(in crate::protocol) fn read(message: &'a [u8], cursor: &mut Cursor<'_>) -> Option<Self> {
        let at = message.len().checked_sub(cursor.len())?;
        let mut walk = Walk::new(message, at)?;
        let mut wire_len = 1_usize;
        while let Step::Label(label) = walk.step()? {
            wire_len = wire_len.saturating_add(label.len()).saturating_add(1);
            if wire_len > Self::BYTES_MAX {
                return None;
            }
        }
        cursor.skip(cursor.len().checked_sub(walk.left())?)?;
        Some(Self { message, at, wire_len, has_pointers: walk.behind.is_some() })
    }

    pub(in crate::protocol) const fn is_root(self) -> bool {
        self.wire_len == 1
    }

    pub(in crate::protocol) const fn has_pointers(self) -> bool {
        self.has_pointers
    }

    /// The bytes of its labels and the dots between them.
    pub(in crate::protocol) const fn len(self) -> usize {
        self.wire_len.saturating_sub(2)
    }

    pub(in crate::protocol) fn labels(self) -> impl Iterator<Item = &'a [u8]> {
        let mut walk = Walk::new(self.message, self.at);
        std::iter::from_fn(move || match walk.as_mut()?.step()? {
            Step::Label(label) => Some(label),
            Step::End => None,
        })
    }

    /// Whether it has the same labels, byte for byte.
    pub(in crate::protocol) fn is_like(self, other: Self) -> bool {
        self.len() == other.len() && self.labels().eq(other.labels())
    }

    /// Its labels joined by dots, `.` for the root. What would read as another name is escaped as RFC 1035 §5.1 writes it:
    /// `\046`.
    pub(in crate::protocol) fn spelt(self) -> String {
        let mut spelling = Spelling::new();
        self.spell(&mut spelling);
        characters(&spelling).into()
    }

    pub(in crate::protocol) fn text(self) -> Text {
        let mut spelling = Spelling::new();
        self.spell(&mut spelling);
        Text::from(characters(&spelling))
    }

    pub(in crate::protocol) fn lowercase(self) -> Text {
        let mut spelling = Spelling::new();
        self.spell(&mut spelling);
        spelling.make_ascii_lowercase();
        Text::from(characters(&spelling))
    }

    fn spell(self, spelling: &mut Spelling) {
        for label in self.labels() {
            push_label(spelling, label);
        }
        if spelling.is_empty() {
            push(spelling, b".");
        }
    }
}

/// Of the labels, wherever in the message they stand.
impl Hash for DomainName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.labels().for_each(|label| label.hash(state));
    }
}

/// Goes from label to label, by way of pointers.
struct Walk<'a> {
    message: &'a [u8],
    reader: Cursor<'a>,
    pointers: u8,
    /// How much of the message is left behind the first pointer.
    behind: Option<usize>,
}

enum Step<'a> {
    Label(&'a [u8]),
    End,
}

impl<'a> Walk<'a> {
    /// A name has 127 labels at most (RFC 1035 §3.1), and a pointer leads to one. A chain of mere pointers would be as long
    /// as the message, and a message is full of names.
    const POINTERS_MAX: u8 = 127;

    fn new(message: &'a [u8], at: usize) -> Option<Self> {
        Some(Self { message, reader: Cursor::new(message.get(at..)?), pointers: 0, behind: None })
    }

    fn step(&mut self) -> Option<Step<'a>> {
        loop {
            let len = self.reader.u8()?;
            match len {
                0 => return Some(Step::End),
                1..0x40 => return self.reader.take(usize::from(len)).map(Step::Label),
                0xc0.. => {
                    let target = usize::from(u16::from_be_bytes([len & 0x3f, self.reader.u8()?]));
                    self.behind.get_or_insert(self.reader.len());
                    self.pointers = self.pointers.saturating_add(1);
                    if target < Header::BYTES || self.pointers > Self::POINTERS_MAX {
                        return None;
                    }
                    self.reader = Cursor::new(self.message.get(target..)?);
                }
                _ => return None,
            }
        }
    }

    /// How much of the message is left behind the name.
    fn left(&self) -> usize {
        self.behind.unwrap_or(self.reader.len())
    }
}

/// A name in words: each byte takes four at most.
type Spelling = ArrayVec<u8, { 4 * DomainName::BYTES_MAX }>;

/// Whatever is no character was escaped.
fn characters(spelling: &Spelling) -> &str {
    std::str::from_utf8(spelling).unwrap_or_default()
}

fn push(text: &mut Spelling, bytes: &[u8]) {
    let _has_room = text.try_extend_from_slice(bytes);
}

fn push_label(text: &mut Spelling, label: &[u8]) {
    if !text.is_empty() {
        push(text, b".");
    }
    if label.iter().all(is_plain) {
        return push(text, label);
    }
    for chunk in label.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '.' | '\\' | '\0'..' ' | '\x7f' => push_escaped(text, c as u8),
                c => push(text, c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        chunk.invalid().iter().for_each(|&byte| push_escaped(text, byte));
    }
}

fn is_plain(&byte: &u8) -> bool {
    byte.is_ascii_graphic() && byte != b'.' && byte != b'\\'
}

fn push_escaped(text: &mut Spelling, byte: u8) {
    push(text, &[b'\\', b'0' | (byte / 100), b'0' | (byte / 10 % 10), b'0' | (byte % 10)]);
}
