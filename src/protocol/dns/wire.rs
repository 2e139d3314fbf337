//! A message in the format of RFC 1035 §4 in, its questions and records out. DNS, mDNS, LLMNR and the NetBIOS name
//! service share it.
//!
//! A message is read as far as it is sound: questions must be, records end at the first that is not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::protocol::cursor::Cursor;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::protocol) struct Header {
    flags: u16,
    pub(in crate::protocol) questions: u16,
    pub(in crate::protocol) answers: u16,
    pub(in crate::protocol) authorities: u16,
    pub(in crate::protocol) additionals: u16,
}

impl Header {
    const BYTES: usize = 12;
    const RECURSION_DESIRED: u16 = 0x0100;
    /// Authentic data and checking disabled (RFC 4035).
    const SECURITY: u16 = 0x0030;

    pub(in crate::protocol) const fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub(in crate::protocol) const fn opcode(self) -> u16 {
        (self.flags >> 11) & 0x0f
    }

    pub(in crate::protocol) const fn response_code(self) -> u16 {
        self.flags & 0x0f
    }

    /// The bit that RFC 1035 reserves and no later one took.
    pub(in crate::protocol) const fn is_reserved_bit_set(self) -> bool {
        self.flags & 0x0040 != 0
    }

    /// A standard query that sets nothing but what a client may ask for.
    pub(in crate::protocol) const fn is_plain_query(self) -> bool {
        self.flags & !(Self::RECURSION_DESIRED | Self::SECURITY) == 0
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::protocol) struct Question {
    pub(in crate::protocol) name: String,
    pub(in crate::protocol) kind: u16,
    pub(in crate::protocol) class: u16,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::protocol) struct Record<'a> {
    pub(in crate::protocol) section: Section,
    pub(in crate::protocol) name: String,
    pub(in crate::protocol) kind: u16,
    pub(in crate::protocol) data: Data<'a>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::protocol) enum Section {
    Answer,
    Authority,
    Additional,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::protocol) enum Data<'a> {
    Address(IpAddr),
    /// The name that a CNAME, PTR, NS or SRV record points to.
    Name(String),
    Other(&'a [u8]),
}

/// Record and question types (RFC 1035 §3.2.2, RFC 3596, RFC 2782).
pub(in crate::protocol) mod kind {
    pub(in crate::protocol) const A: u16 = 1;
    pub(in crate::protocol) const NS: u16 = 2;
    pub(in crate::protocol) const CNAME: u16 = 5;
    pub(in crate::protocol) const PTR: u16 = 12;
    pub(in crate::protocol) const AAAA: u16 = 28;
    pub(in crate::protocol) const SRV: u16 = 33;
}

#[derive(Clone, Debug)]
pub(in crate::protocol) struct Message<'a> {
    pub(in crate::protocol) header: Header,
    pub(in crate::protocol) questions: Vec<Question>,
    pub(in crate::protocol) records: Vec<Record<'a>>,
    /// Every record was read, and nothing follows.
    pub(in crate::protocol) is_whole: bool,
}

impl<'a> Message<'a> {
    const QUESTIONS_MAX: u16 = 64;
    /// The most records kept of a message.
    const RECORDS_MAX: usize = 128;

    pub(in crate::protocol) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let _id = cursor.u16()?;
        let header = Header {
            flags: cursor.u16()?,
            questions: cursor.u16()?,
            answers: cursor.u16()?,
            authorities: cursor.u16()?,
            additionals: cursor.u16()?,
        };
        if header.questions > Self::QUESTIONS_MAX {
            return None;
        }
        let mut questions = Vec::new();
        for _ in 0..header.questions {
            let name = name(bytes, &mut cursor)?;
            questions.push(Question { name, kind: cursor.u16()?, class: cursor.u16()? });
        }
        let sections = [
            (Section::Answer, header.answers),
            (Section::Authority, header.authorities),
            (Section::Additional, header.additionals),
        ];
        let wanted = sections.iter().flat_map(|&(section, count)| (0..count).map(move |_| section));
        let mut records = Vec::new();
        let mut is_whole = true;
        for section in wanted {
            match record(bytes, &mut cursor, section).filter(|_| records.len() < Self::RECORDS_MAX) {
                Some(record) => records.push(record),
                None => {
                    is_whole = false;
                    break;
                }
            }
        }
        is_whole &= cursor.is_empty();
        Some(Self { header, questions, records, is_whole })
    }
}

fn record<'a>(message: &'a [u8], cursor: &mut Cursor<'a>, section: Section) -> Option<Record<'a>> {
    let name = name(message, cursor)?;
    let kind = cursor.u16()?;
    let (_class, _ttl) = (cursor.u16()?, cursor.u32()?);
    let before = *cursor;
    let data = cursor.vec16()?.rest();
    Some(Record { section, name, kind, data: Data::of(kind, message, before, data) })
}

impl<'a> Data<'a> {
    /// `at` stands before the length of `data`.
    fn of(kind: u16, message: &'a [u8], mut at: Cursor<'a>, data: &'a [u8]) -> Self {
        // The length, and priority, weight and port of an SRV record, stand before the name.
        let ahead = if kind == kind::SRV { 8 } else { 2 };
        match kind {
            kind::A => {
                <[u8; 4]>::try_from(data).map_or(Self::Other(data), |bytes| Self::Address(Ipv4Addr::from(bytes).into()))
            }
            kind::AAAA => <[u8; 16]>::try_from(data)
                .map_or(Self::Other(data), |bytes| Self::Address(Ipv6Addr::from(bytes).into())),
            kind::NS | kind::CNAME | kind::PTR | kind::SRV => {
                at.skip(ahead).and_then(|()| name(message, &mut at)).map_or(Self::Other(data), Self::Name)
            }
            _ => Self::Other(data),
        }
    }
}

/// Reads a name, its labels joined by dots, `.` for the root. A pointer must point before the part it was found in, so
/// that the way ends; the whole is at most 255 bytes (§3.1, §4.1.4).
pub(in crate::protocol) fn name(message: &[u8], cursor: &mut Cursor<'_>) -> Option<String> {
    const BYTES_MAX: usize = 255;
    let mut text = String::with_capacity(64);
    let mut bytes = 1_usize;
    let mut part_start = message.len().checked_sub(cursor.len())?;
    let mut reader = Cursor::new(message.get(part_start..)?);
    let mut behind = None;
    loop {
        let len = reader.u8()?;
        match len {
            0 => break,
            1..0x40 => {
                let label = reader.take(usize::from(len))?;
                bytes = bytes.saturating_add(label.len()).saturating_add(1);
                if bytes > BYTES_MAX {
                    return None;
                }
                push_label(&mut text, label);
            }
            0xc0.. => {
                let target = usize::from(u16::from_be_bytes([len & 0x3f, reader.u8()?]));
                behind.get_or_insert(reader.len());
                if target < Header::BYTES || target >= part_start {
                    return None;
                }
                part_start = target;
                reader = Cursor::new(message.get(target..)?);
            }
            _ => return None,
        }
    }
    let left = behind.unwrap_or(reader.len());
    cursor.skip(cursor.len().checked_sub(left)?)?;
    if text.is_empty() {
        text.push('.');
    }
    Some(text)
}

/// Appends a label; what would read as another name is escaped as RFC 1035 §5.1 writes it: `\046`.
fn push_label(text: &mut String, label: &[u8]) {
    if !text.is_empty() {
        text.push('.');
    }
    let is_plain = |&byte: &u8| byte.is_ascii_graphic() && byte != b'.' && byte != b'\\';
    if let (true, Ok(plain)) = (label.iter().all(is_plain), std::str::from_utf8(label)) {
        return text.push_str(plain);
    }
    for chunk in label.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '.' | '\\' | '\0'..' ' | '\x7f' => push_escaped(text, u32::from(c)),
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|&byte| push_escaped(text, u32::from(byte)));
    }
}

fn push_escaped(text: &mut String, number: u32) {
    text.push('\\');
    text.push_str(&format!("{number:03}"));
}
