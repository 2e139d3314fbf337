//! A packet of a method over TLS in, its piece of the TLS stream out (RFC 5216 §3.1, the same for PEAP, TTLS, FAST and
//! TEAP).

use crate::protocol::cursor::Cursor;
use crate::protocol::eap::wire::{Packet, method};

/// The piece, in the order of its side's stream. Every fragment is acknowledged before the next one is sent, so that
/// they come in order.
pub(super) fn tls_bytes<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    const LENGTH_INCLUDED: u8 = 0x80;
    const START: u8 = 0x20;
    let is_over_tls = matches!(packet.kind?, method::TLS | method::TTLS | method::PEAP | method::FAST | method::TEAP);
    let mut cursor = Cursor::new(packet.data);
    let flags = cursor.u8().filter(|flags| is_over_tls && flags & START == 0)?;
    if flags & LENGTH_INCLUDED != 0 {
        cursor.skip(4)?;
    }
    Some(cursor.rest()).filter(|bytes| !bytes.is_empty())
}
