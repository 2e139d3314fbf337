//! Datagrams in, DTLS records and handshake fragments out (RFC 6347 §4, RFC 9147 §4 and §5).

use crate::protocol::cursor::Cursor;
use crate::protocol::tls::wire::{content, handshake};

/// A record that is not encrypted, or one that is and therefore is not looked into.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub content: u8,
    /// 0 as long as the side sends in clear.
    pub epoch: u16,
    pub body: &'a [u8],
}

/// Reads the next record of a datagram; none where no plain record stands there.
pub fn record<'a>(datagram: &mut Cursor<'a>) -> Option<Record<'a>> {
    let mut ahead = *datagram;
    let content = ahead.u8().filter(|content| (content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT).contains(content))?;
    ahead.u16().filter(|&version| is_record_version(version))?;
    let epoch = ahead.u16()?;
    ahead.skip(6)?;
    let body = ahead.vec16()?.rest();
    *datagram = ahead;
    Some(Record { content, epoch, body })
}

/// The CAPWAP DTLS header (RFC 5415 §4.2): version 0, type 1, and three bytes that are reserved.
const CAPWAP_HEADER: [u8; 4] = [0x01, 0, 0, 0];
pub const CAPWAP_OPENS_WITH: (u8, u8) = (0x01, 0x01);

/// What stands behind the header of CAPWAP, where there is one.
pub fn behind_capwap(datagram: &[u8]) -> &[u8] {
    datagram.strip_prefix(&CAPWAP_HEADER).unwrap_or(datagram)
}

/// Whether the first byte is that of a record of DTLS 1.3 under encryption (RFC 9147 §4).
pub const fn is_unified_header(first: u8) -> bool {
    first & 0xe0 == 0x20
}

/// DTLS 1.0 and 1.2 as the record layer writes them; 1.3 says 1.2. 0x0100 is what OpenSSL sent before RFC 4347 was
/// final; Cisco's AnyConnect kept it.
pub const fn is_record_version(version: u16) -> bool {
    matches!(version, 0x0100 | 0xfefd | 0xfeff)
}

/// A handshake message or a piece of one (RFC 6347 §4.2.2).
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    pub kind: u8,
    /// Of the whole message.
    pub len: usize,
    /// Counts the messages of a side.
    pub sequence: u16,
    pub offset: usize,
    pub bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads the next fragment of a record; none where its lengths contradict each other.
    pub fn read(record: &mut Cursor<'a>) -> Option<Self> {
        let kind = record.u8()?;
        let len = usize::try_from(record.u24()?).ok()?;
        let sequence = record.u16()?;
        let offset = usize::try_from(record.u24()?).ok()?;
        let bytes = record.vec24()?.rest();
        let is_within = offset.saturating_add(bytes.len()) <= len;
        is_within.then_some(Self { kind, len, sequence, offset, bytes })
    }

    /// Whether it is a whole HelloVerifyRequest: a version and a cookie (RFC 6347 §4.2.1).
    pub fn is_hello_verify_request(&self) -> bool {
        let mut body = Cursor::new(self.bytes);
        let has_version = body.u16().is_some_and(is_record_version);
        let has_cookie = body.vec8().is_some_and(|cookie| !cookie.is_empty()) && body.is_empty();
        self.kind == handshake::HELLO_VERIFY_REQUEST && self.bytes.len() == self.len && has_version && has_cookie
    }
}
