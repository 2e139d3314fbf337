//! A message in the format of RFC 1035 §4 in, its questions and records out. DNS, mDNS, LLMNR and the NetBIOS name
//! service share it.
//!
//! A message is read as far as it is sound: the first question must be, and both questions and records end at the first that
//! is not. It is gone through once to see that, and again where somebody wants what is in it; nothing of it is copied.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::protocol::cursor::Cursor;
use crate::protocol::dns::name::DomainName;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::protocol) struct Header {
    flags: u16,
    pub(in crate::protocol) questions: u16,
    pub(in crate::protocol) answers: u16,
    pub(in crate::protocol) authorities: u16,
    pub(in crate::protocol) additionals: u16,
}

impl Header {
    pub(in crate::protocol) const BYTES: usize = 12;
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

    /// The section of each record that the header announces.
    fn sections(self) -> impl Iterator<Item = Section> {
        let counts = [
            (Section::Answer, self.answers),
            (Section::Authority, self.authorities),
            (Section::Additional, self.additionals),
        ];
        counts.into_iter().flat_map(|(section, count)| (0..count).map(move |_| section))
    }

    /// A standard query that sets nothing but what a client may ask for.
    pub(in crate::protocol) const fn is_plain_query(self) -> bool {
        self.flags & !(Self::RECURSION_DESIRED | Self::SECURITY) == 0
    }

    /// A response to a standard query that found what was asked for.
    pub(in crate::protocol) const fn is_plain_answer(self) -> bool {
        self.is_response() && self.opcode() == 0 && self.response_code() == 0
    }
}

#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Question<'a> {
    pub(in crate::protocol) name: DomainName<'a>,
    pub(in crate::protocol) kind: u16,
    pub(in crate::protocol) class: u16,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Record<'a> {
    pub(in crate::protocol) section: Section,
    pub(in crate::protocol) name: DomainName<'a>,
    pub(in crate::protocol) kind: u16,
    pub(in crate::protocol) data: Data<'a>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::protocol) enum Section {
    Answer,
    Authority,
    Additional,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) enum Data<'a> {
    Address(IpAddr),
    /// The name that a CNAME, PTR, NS or SRV record points to.
    Name(DomainName<'a>),
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

#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Message<'a> {
    pub(in crate::protocol) header: Header,
    bytes: &'a [u8],
    /// Where the questions begin, and the records.
    questions: Cursor<'a>,
    records: Cursor<'a>,
    /// How many records are sound.
    record_count: usize,
    /// The classes of all sound questions are the Internet's or any (RFC 1035 §3.2.4), without mDNS's bit (RFC 6762 §5.4).
    pub(in crate::protocol) is_of_the_internet: bool,
    /// Every question and every record was read, and nothing follows.
    pub(in crate::protocol) is_whole: bool,
}

impl<'a> Message<'a> {
    const QUESTIONS_MAX: u16 = 64;
    /// A question's class without the bit that asks for an answer to one machine alone.
    const CLASS: u16 = 0x7fff;
    /// The most records read of a message.
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
        let questions = cursor;
        let (mut is_of_the_internet, mut is_whole) = (true, true);
        for number in 0..header.questions {
            let Some(question) = Question::read(bytes, &mut cursor) else {
                (number > 0).then_some(())?;
                is_whole = false;
                break;
            };
            is_of_the_internet &= matches!(question.class & Self::CLASS, 1 | 255);
        }
        let mut message =
            Self { header, bytes, questions, records: cursor, record_count: 0, is_of_the_internet, is_whole };
        if !is_whole {
            return Some(message);
        }
        for section in header.sections() {
            let may_follow = message.record_count < Self::RECORDS_MAX;
            if !may_follow || Record::read(bytes, &mut cursor, section).is_none() {
                message.is_whole = false;
                break;
            }
            message.record_count = message.record_count.saturating_add(1);
        }
        message.is_whole &= cursor.is_empty();
        Some(message)
    }

    pub(in crate::protocol) fn questions(&self) -> impl Iterator<Item = Question<'a>> + use<'a> {
        let (bytes, mut cursor) = (self.bytes, self.questions);
        (0..self.header.questions).map_while(move |_| Question::read(bytes, &mut cursor))
    }

    /// The bytes that the questions take, of a message that is whole and whose questions point nowhere behind them.
    pub(in crate::protocol) fn questions_len(&self) -> Option<usize> {
        let len = self.questions.len().checked_sub(self.records.len())?;
        let within = self.bytes.get(..Header::BYTES.checked_add(len)?)?;
        let mut cursor = Cursor::new(within.get(Header::BYTES..)?);
        let stand_alone = (0..self.header.questions).all(|_| Question::read(within, &mut cursor).is_some());
        (self.is_whole && stand_alone).then_some(len)
    }

    /// The question of a message that has one and no more.
    pub(in crate::protocol) fn only_question(&self) -> Option<Question<'a>> {
        self.questions().next().filter(|_| self.header.questions == 1)
    }

    pub(in crate::protocol) const fn has_records(&self) -> bool {
        self.record_count > 0
    }

    pub(in crate::protocol) fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let (bytes, mut cursor) = (self.bytes, self.records);
        self.header
            .sections()
            .take(self.record_count)
            .map_while(move |section| Record::read(bytes, &mut cursor, section))
    }
}

impl<'a> Question<'a> {
    fn read(message: &'a [u8], cursor: &mut Cursor<'a>) -> Option<Self> {
        let name = DomainName::read(message, cursor)?;
        Some(Self { name, kind: cursor.u16()?, class: cursor.u16()? })
    }
}

impl<'a> Record<'a> {
    fn read(message: &'a [u8], cursor: &mut Cursor<'a>, section: Section) -> Option<Self> {
        let name = DomainName::read(message, cursor)?;
        let kind = cursor.u16()?;
        let (_class, _ttl) = (cursor.u16()?, cursor.u32()?);
        let before = *cursor;
        let data = cursor.vec16()?.rest();
        Some(Self { section, name, kind, data: Data::of(kind, message, before, data) })
    }
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
                let name = at.skip(ahead).and_then(|()| DomainName::read(message, &mut at));
                name.map_or(Self::Other(data), Self::Name)
            }
            _ => Self::Other(data),
        }
    }
}
