//! A RADIUS packet in (RFC 2865 §3, RFC 2866 §3), its attributes out. The ones that hold secrets are never looked at.

use std::net::{IpAddr, Ipv4Addr};

use crate::net::Text;
use crate::protocol::cursor::Cursor;

#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) code: Code,
    pub(super) identifier: u8,
    attributes: &'a [u8],
    /// Octets follow that are none of it: padding, whatever they are (RFC 2865 §3).
    pub(super) is_padded: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Code {
    AccessAccept,
    AccessChallenge,
    AccessReject,
    AccessRequest,
    AccountingRequest,
    AccountingResponse,
    /// A server's request to change or end a session, or its answer (RFC 5176).
    Dynamic(&'static str),
    StatusServer,
}

impl Code {
    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::AccessRequest,
            2 => Self::AccessAccept,
            3 => Self::AccessReject,
            4 => Self::AccountingRequest,
            5 => Self::AccountingResponse,
            11 => Self::AccessChallenge,
            12 => Self::StatusServer,
            40 => Self::Dynamic("disconnect-request"),
            41 => Self::Dynamic("disconnect-ack"),
            42 => Self::Dynamic("disconnect-nak"),
            43 => Self::Dynamic("coa-request"),
            44 => Self::Dynamic("coa-ack"),
            45 => Self::Dynamic("coa-nak"),
            _ => return None,
        })
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AccessAccept => "access-accept",
            Self::AccessChallenge => "access-challenge",
            Self::AccessReject => "access-reject",
            Self::AccessRequest => "access-request",
            Self::AccountingRequest => "accounting-request",
            Self::AccountingResponse => "accounting-response",
            Self::Dynamic(name) => name,
            Self::StatusServer => "status-server",
        }
    }
}

/// Attribute types (RFC 2865 §5, RFC 2866 §5, RFC 2868 §3, RFC 2869 §5, RFC 3162 §2).
pub(super) mod attribute {
    pub(in super::super) const USER_NAME: u8 = 1;
    pub(in super::super) const NAS_ADDRESS: u8 = 4;
    pub(in super::super) const FRAMED_ADDRESS: u8 = 8;
    pub(in super::super) const CALLED_STATION: u8 = 30;
    pub(in super::super) const CALLING_STATION: u8 = 31;
    pub(in super::super) const NAS_IDENTIFIER: u8 = 32;
    pub(in super::super) const ACCOUNTING_STATUS: u8 = 40;
    pub(in super::super) const NAS_PORT_TYPE: u8 = 61;
    pub(in super::super) const TUNNEL_CLIENT: u8 = 66;
    pub(super) const EAP_MESSAGE: u8 = 79;
    pub(in super::super) const NAS_ADDRESS_6: u8 = 95;
}

impl<'a> Packet<'a> {
    const HEADER_BYTES: usize = 20;
    const BYTES_MAX: usize = 4096;

    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(datagram);
        let code = Code::of(cursor.u8()?)?;
        let identifier = cursor.u8()?;
        let len = usize::from(cursor.u16()?);
        let _authenticator: [u8; 16] = cursor.array()?;
        if len > Self::BYTES_MAX {
            return None;
        }
        let attributes = datagram.get(Self::HEADER_BYTES..len)?;
        let padding = datagram.get(len..)?;
        let packet = Self { code, identifier, attributes, is_padded: !padding.is_empty() };
        // A packet that is nothing but its head may be anybody's before other octets than zeros.
        let is_told_apart = !attributes.is_empty() || padding.iter().all(|&byte| byte == 0);
        (packet.is_sound() && is_told_apart).then_some(packet)
    }

    /// The attributes fill the packet.
    fn is_sound(&self) -> bool {
        let mut attributes = self.attributes();
        while attributes.next().is_some() {}
        attributes.rest.is_empty()
    }

    fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: Cursor::new(self.attributes) }
    }

    pub(super) fn value(&self, kind: u8) -> Option<&'a [u8]> {
        self.attributes().find(|(known, _)| *known == kind).map(|(_, value)| value)
    }

    pub(super) fn text(&self, kind: u8) -> Option<Text> {
        self.value(kind).filter(|value| !value.is_empty()).map(Text::from_utf8)
    }

    /// A text with a tag before it, where the tag is one (RFC 2868 §3.1).
    pub(super) fn tagged_text(&self, kind: u8) -> Option<Text> {
        let value = self.value(kind)?;
        let text = match value.split_first() {
            Some((0..=0x1f, text)) => text,
            _ => value,
        };
        (!text.is_empty()).then(|| Text::from_utf8(text))
    }

    pub(super) fn number(&self, kind: u8) -> Option<u32> {
        self.value(kind).and_then(|value| <[u8; 4]>::try_from(value).ok()).map(u32::from_be_bytes)
    }

    /// An address; 255.255.255.254 and .255 ask the other side to choose (RFC 2865 §5.8).
    pub(super) fn address(&self, kind: u8) -> Option<IpAddr> {
        let number = self.number(kind).filter(|number| *number < 0xffff_fffe && *number != 0)?;
        Some(Ipv4Addr::from(number).into())
    }

    /// The EAP packet, which may be cut over several attributes (RFC 3579 §3.1).
    pub(super) fn eap_bytes(&self) -> Vec<u8> {
        let parts = self.attributes().filter(|(kind, _)| *kind == attribute::EAP_MESSAGE);
        parts.flat_map(|(_, part)| part).copied().collect()
    }
}

struct Attributes<'a> {
    rest: Cursor<'a>,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut ahead = self.rest;
        let (kind, len) = (ahead.u8()?, ahead.u8()?);
        let value = ahead.take(usize::from(len).checked_sub(2)?)?;
        self.rest = ahead;
        Some((kind, value))
    }
}
