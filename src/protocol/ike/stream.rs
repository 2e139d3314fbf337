//! IKE and ESP over TCP (RFC 9329): the stream in, the messages in it out.
//!
//! ```text
//! "IKETCP", from the client, once | length:16 marker:32 IKE… | length:16 ESP…          the length counts itself
//! ```

use crate::protocol::cursor::Cursor;
use crate::protocol::ike::wire;

/// What a client begins with (§4).
pub(super) const PREFIX: &[u8] = b"IKETCP";
const LENGTH_BYTES: usize = 2;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framed<'a> {
    Esp(&'a [u8]),
    Ike(&'a [u8]),
}

/// The next message (§3); none where it is not there whole yet.
pub(super) fn message<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Framed<'a>>, &'static str> {
    let mut ahead = *cursor;
    let Some(len) = ahead.u16() else { return Ok(None) };
    let len = usize::from(len).checked_sub(LENGTH_BYTES).filter(|&len| len > 0).ok_or("ike_length")?;
    let Some(bytes) = ahead.take(len) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(wire::without_marker(bytes).map_or(Framed::Esp(bytes), Framed::Ike)))
}
