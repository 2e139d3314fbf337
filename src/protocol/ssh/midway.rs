//! The segments of a session that was encrypted already when the capture began in, whether they are SSH's out: by the
//! length of a packet, where it is sent in clear, or by the sizes and the noise of what both sides send on its port.

use crate::facts::Sender;
use crate::protocol::cursor::Cursor;

/// The least packet with its authenticator (RFC 4253 §6).
const BYTES_MIN: usize = 28;

/// What a segment shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shape {
    /// Whole packets, each with its length in clear before it.
    Certain,
    Fitting,
    Foreign,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judgement {
    Foreign,
    Ssh,
    Undecided,
}

/// What the segments so far have shown.
#[derive(Debug, Default)]
pub struct Midway {
    client_fits: bool,
    server_fits: bool,
}

impl Midway {
    pub fn on_segment(&mut self, segment: &[u8], sender: Sender) -> Judgement {
        let fits = match sender {
            Sender::Client => &mut self.client_fits,
            Sender::Server => &mut self.server_fits,
        };
        match shape(segment) {
            Shape::Certain => return Judgement::Ssh,
            Shape::Foreign => return Judgement::Foreign,
            Shape::Fitting => *fits = true,
        }
        if self.client_fits && self.server_fits { Judgement::Ssh } else { Judgement::Undecided }
    }
}

/// Whether a segment on SSH's port may hold encrypted packets.
pub fn may_be(segment: &[u8]) -> bool {
    shape(segment) != Shape::Foreign
}

/// Packets are multiples of 8 bytes with 4 of length and an authenticator of 12, 16, 20, 32 or 64; whatever is encrypted
/// of that, a segment of whole ones is a multiple of 4.
fn shape(segment: &[u8]) -> Shape {
    if segment.len() < BYTES_MIN || !segment.len().is_multiple_of(4) {
        return Shape::Foreign;
    }
    if is_packet(segment) {
        return Shape::Certain;
    }
    if is_noise(segment) { Shape::Fitting } else { Shape::Foreign }
}

/// One packet whose length is authenticated and not encrypted: AES-GCM (RFC 5647 §7.2), or authenticators of the `etm`
/// kind.
fn is_packet(segment: &[u8]) -> bool {
    const AUTHENTICATORS: [usize; 5] = [12, 16, 20, 32, 64];
    let mut cursor = Cursor::new(segment);
    let Some(len) = cursor.u32().and_then(|len| usize::try_from(len).ok()) else { return false };
    let authenticator_len = cursor.len().checked_sub(len);
    len >= 8 && len.is_multiple_of(8) && authenticator_len.is_some_and(|len| AUTHENTICATORS.contains(&len))
}

/// Whether the first bytes are no text, no numbers, and no records of TLS: half of what is random has its highest bit
/// set.
fn is_noise(segment: &[u8]) -> bool {
    const LOOKED_AT: usize = 28;
    const TLS: [&[u8]; 2] = [&[0x17, 0x03], &[0x16, 0x03]];
    let begin = segment.get(..LOOKED_AT).unwrap_or(segment);
    let high = begin.iter().filter(|&&byte| byte >= 0x80).count();
    let zeros = begin.iter().filter(|&&byte| byte == 0).count();
    (7..=21).contains(&high) && zeros <= 3 && !TLS.iter().any(|record| begin.starts_with(record))
}
