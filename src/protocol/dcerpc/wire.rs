//! A stream in, the units of DCE/RPC and the tokens of their security trailers out (C706 §12.6, MS-RPCE §2.2.2.11).

use crate::protocol::cursor::Cursor;

pub const VERSION: u8 = 5;
/// The status of a fault that refuses the caller (C706 appendix E).
pub const ACCESS_DENIED: u32 = 0x0000_0005;

const HEADER_BYTES: usize = 16;
/// What stands before a token: type, level, padding, context.
const TRAILER_BYTES: usize = 8;

// Security providers (MS-RPCE §2.2.1.1.7).
const SPNEGO: u8 = 0x09;
const NTLM: u8 = 0x0a;
const KERBEROS: u8 = 0x10;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    AlterContext,
    AlterContextAnswer,
    Auth3,
    Bind,
    BindAck,
    BindNak,
    /// With its status.
    Fault(u32),
    Other,
    Response,
}

#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub kind: Kind,
    is_little_endian: bool,
    unit_bytes: usize,
    token_bytes: usize,
}

/// One unit, which may be a fragment of a call.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    pub kind: Kind,
    is_little_endian: bool,
    body: &'a [u8],
    /// Empty where there is none, or none of GSS-API.
    pub token: &'a [u8],
}

/// Reads the common header (C706 §12.6.3.1); none as long as it has not come whole.
pub fn header(cursor: &mut Cursor<'_>) -> Result<Option<Header>, &'static str> {
    const MALFORMED: &str = "dcerpc_header";
    let mut ahead = *cursor;
    let is_version = ahead.u8().is_none_or(|version| version == VERSION);
    let is_minor = ahead.u8().is_none_or(|minor| minor <= 1);
    let kind = ahead.u8().map(kind);
    if !is_version || !is_minor || kind == Some(None) {
        return Err(MALFORMED);
    }
    let (Some(Some(kind)), Some(_flags), Some(representation)) = (kind, ahead.u8(), ahead.array()) else {
        return Ok(None);
    };
    // ASCII in either byte order, IEEE floats, no more.
    let is_little_endian = match representation {
        [0x10, 0, 0, 0] => true,
        [0x00, 0, 0, 0] => false,
        _ => return Err(MALFORMED),
    };
    let read = |ahead: &mut Cursor<'_>| if is_little_endian { ahead.u16_le() } else { ahead.u16() };
    let (Some(unit_bytes), Some(token_bytes), Some(())) = (read(&mut ahead), read(&mut ahead), ahead.skip(4)) else {
        return Ok(None);
    };
    let (unit_bytes, token_bytes) = (usize::from(unit_bytes), usize::from(token_bytes));
    let trailer_bytes = if token_bytes == 0 { 0 } else { token_bytes.saturating_add(TRAILER_BYTES) };
    if unit_bytes < HEADER_BYTES.saturating_add(trailer_bytes) {
        return Err(MALFORMED);
    }
    *cursor = ahead;
    Ok(Some(Header { kind, is_little_endian, unit_bytes, token_bytes }))
}

/// Reads a unit and moves the cursor behind it; none as long as it has not come whole.
pub fn unit<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Unit<'a>>, &'static str> {
    let mut ahead = *cursor;
    let Some(header) = header(&mut ahead)? else { return Ok(None) };
    let Some(body) = ahead.sub(header.unit_bytes.saturating_sub(HEADER_BYTES)) else { return Ok(None) };
    let kind = match header.kind {
        Kind::Fault(_) => Kind::Fault(fault_status(body, header.is_little_endian).unwrap_or(0)),
        kind => kind,
    };
    *cursor = ahead;
    let token = token(body, header.token_bytes).unwrap_or_default();
    Ok(Some(Unit { kind, is_little_endian: header.is_little_endian, body: body.rest(), token }))
}

impl Unit<'_> {
    /// The interface of a bind's first context (C706 §12.6.4.3).
    pub fn interface(&self) -> Option<String> {
        let mut body = Cursor::new(self.body);
        body.skip(8)?; // sizes, association
        body.u8().filter(|&contexts| contexts > 0)?;
        body.skip(7)?; // reserved, context, count of transfer syntaxes, reserved
        let (low, middle, high) = if self.is_little_endian {
            (body.u32_le()?, body.u16_le()?, body.u16_le()?)
        } else {
            (body.u32()?, body.u16()?, body.u16()?)
        };
        let (clock, node) = (body.u16()?, u64::from(body.u16()?).wrapping_shl(32) | u64::from(body.u32()?));
        Some(format!("{low:08x}-{middle:04x}-{high:04x}-{clock:04x}-{node:012x}"))
    }
}

const fn kind(code: u8) -> Option<Kind> {
    let kind = match code {
        2 => Kind::Response,
        3 => Kind::Fault(0),
        11 => Kind::Bind,
        12 => Kind::BindAck,
        13 => Kind::BindNak,
        14 => Kind::AlterContext,
        15 => Kind::AlterContextAnswer,
        16 => Kind::Auth3,
        // Request, shutdown, cancel, orphaned; pings and the like are for datagrams.
        0 | 17..=20 => Kind::Other,
        _ => return None,
    };
    Some(kind)
}

/// Behind the allocation hint, the context, the cancel count and a reserved byte.
fn fault_status(mut body: Cursor<'_>, is_little_endian: bool) -> Option<u32> {
    body.skip(8)?;
    if is_little_endian { body.u32_le() } else { body.u32() }
}

fn token(mut body: Cursor<'_>, token_bytes: usize) -> Option<&[u8]> {
    let trailer_bytes = token_bytes.checked_add(TRAILER_BYTES).filter(|_| token_bytes > 0)?;
    body.skip(body.len().checked_sub(trailer_bytes)?)?;
    let provider = body.u8()?;
    body.skip(TRAILER_BYTES.saturating_sub(1))?;
    matches!(provider, SPNEGO | NTLM | KERBEROS).then(|| body.rest())
}
