//! A datagram in, an L2TP message out: the header (RFC 2661 §3.1; RFC 3931 §3.2.1 and §4.1), the AVPs of a control
//! message (§4.1), the first bytes of PPP in a data message of version 2.

use crate::net::Text;
use crate::protocol::cursor::Cursor;

#[derive(Clone, Copy, Debug)]
pub(super) enum Message<'a> {
    Control(Control<'a>),
    Data(Data),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Control<'a> {
    /// In version 3 the control connection.
    pub(super) tunnel: u32,
    /// None in an acknowledgement without a message.
    pub(super) kind: Option<u16>,
    avps: Avps<'a>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Data {
    /// 0 in version 3, where a session is known by its own number.
    pub(super) tunnel: u16,
    pub(super) session: u32,
}

/// SCCRQ and SCCRP, §3.2.
pub(super) const START_REQUEST: u16 = 1;
pub(super) const START_REPLY: u16 = 2;

const TYPE: u16 = 0x8000;
const LENGTH: u16 = 0x4000;
const SEQUENCE: u16 = 0x0800;
const OFFSET: u16 = 0x0200;
const PRIORITY: u16 = 0x0100;
const VERSION: u16 = 0x000f;

const HOST_NAME: u16 = 7;
const VENDOR_NAME: u16 = 8;

impl<'a> Message<'a> {
    pub(super) fn parse(datagram: &'a [u8], is_over_ip: bool) -> Option<Self> {
        let mut cursor = Cursor::new(datagram);
        if is_over_ip {
            return Self::over_ip(cursor);
        }
        let flags = cursor.u16()?;
        if flags & VERSION == 3 {
            return Self::version_3(flags, datagram.len(), cursor);
        }
        let known = TYPE | LENGTH | SEQUENCE | OFFSET | PRIORITY | VERSION;
        if flags & !known != 0 || flags & VERSION != 2 {
            return None;
        }
        if flags & LENGTH != 0 && usize::from(cursor.u16()?) != datagram.len() {
            return None;
        }
        let (tunnel, session) = (cursor.u16()?, cursor.u16()?);
        if flags & SEQUENCE != 0 {
            cursor.skip(4)?;
        }
        if flags & TYPE != 0 {
            let is_control = flags == TYPE | LENGTH | SEQUENCE | 2;
            return is_control.then(|| Control::parse(u32::from(tunnel), cursor)).flatten().map(Self::Control);
        }
        if flags & OFFSET != 0 {
            let pad = cursor.u16()?;
            cursor.skip(usize::from(pad))?;
        }
        let session = u32::from(session);
        (tunnel != 0 && session != 0 && is_ppp(cursor)).then_some(Self::Data(Data { tunnel, session }))
    }

    /// The session's number (§4.1.1), 0 before a control message.
    fn over_ip(mut cursor: Cursor<'a>) -> Option<Self> {
        let session = cursor.u32()?;
        if session != 0 {
            return (!cursor.is_empty()).then_some(Self::Data(Data { tunnel: 0, session }));
        }
        let len = cursor.len();
        let flags = cursor.u16()?;
        Self::version_3(flags, len, cursor).filter(|message| matches!(message, Self::Control(_)))
    }

    /// Control messages have the form of version 2 with one number of 32 bits; data messages have no other bits, 16 that
    /// are reserved, and the session's number.
    fn version_3(flags: u16, len: usize, mut cursor: Cursor<'a>) -> Option<Self> {
        const CONTROL: u16 = TYPE | LENGTH | SEQUENCE | 3;
        match flags {
            CONTROL => {
                (usize::from(cursor.u16()?) == len).then_some(())?;
                let connection = cursor.u32()?;
                cursor.skip(4)?;
                Control::parse(connection, cursor).map(Self::Control)
            }
            3 => {
                (cursor.u16()? == 0).then_some(())?;
                let session = cursor.u32().filter(|&session| session != 0)?;
                (!cursor.is_empty()).then_some(Self::Data(Data { tunnel: 0, session }))
            }
            _ => None,
        }
    }
}

/// Address and control field (RFC 1662 §3.1), and a protocol number, which is odd with an even first byte.
fn is_ppp(mut cursor: Cursor<'_>) -> bool {
    cursor.array() == Some([0xff, 0x03]) && cursor.u16().is_some_and(|protocol| protocol & 0x0101 == 0x0001)
}

impl<'a> Control<'a> {
    /// The first AVP is the message type (§4.4.1), and AVPs fill the message.
    fn parse(tunnel: u32, cursor: Cursor<'a>) -> Option<Self> {
        let avps = Avps { rest: cursor };
        let mut walk = avps;
        let kind = match walk.next() {
            None => None,
            Some((0, value)) => Some(u16::from_be_bytes(<[u8; 2]>::try_from(value).ok()?)),
            Some(_) => return None,
        };
        while walk.next().is_some() {}
        walk.rest.is_empty().then_some(Self { tunnel, kind, avps })
    }

    pub(super) fn host_name(&self) -> Option<Text> {
        self.text(HOST_NAME)
    }

    pub(super) fn vendor(&self) -> Option<Text> {
        self.text(VENDOR_NAME)
    }

    fn text(&self, kind: u16) -> Option<Text> {
        let mut avps = self.avps;
        let value = avps.find(|(known, _)| *known == kind)?.1;
        let end = value.iter().rposition(|&byte| byte != 0)?;
        Some(Text::from_utf8(value.get(..=end)?))
    }
}

/// The attributes of the IETF that are not hidden, by number.
#[derive(Clone, Copy, Debug)]
struct Avps<'a> {
    rest: Cursor<'a>,
}

impl<'a> Iterator for Avps<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        const HIDDEN: u16 = 0x4000;
        const NONE: u16 = u16::MAX;
        let mut ahead = self.rest;
        let head = ahead.u16()?;
        let (vendor, kind) = (ahead.u16()?, ahead.u16()?);
        let value = ahead.take(usize::from(head & 0x03ff).checked_sub(6)?)?;
        self.rest = ahead;
        let is_readable = vendor == 0 && head & HIDDEN == 0;
        Some((if is_readable { kind } else { NONE }, value))
    }
}
