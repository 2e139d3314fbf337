//! What client and display send amid a connection in, whether it is X11 out: requests one behind the other from the client,
//! and from the display replies, errors and events whose sequence numbers rise (X Window System Protocol, chapters 1 and 9
//! and appendix B). The order of bytes was agreed on at the beginning; the first length shows it, which nearly always has
//! fewer bits in one order than in the other.

use std::ops::RangeInclusive;

use crate::facts::Sender;
use crate::protocol::Opening;
use crate::protocol::cursor::Cursor;
use crate::protocol::x11::ByteOrder;

/// A display's number is added to the first one.
const PORTS: RangeInclusive<u16> = 6000..=6063;

/// Which side is the display, by its port.
pub(super) fn display(opening: &Opening<'_>) -> Option<Sender> {
    match (PORTS.contains(&opening.client_port), PORTS.contains(&opening.server_port)) {
        (_, true) => Some(Sender::Server),
        (true, false) => Some(Sender::Client),
        (false, false) => None,
    }
}

/// Whether a side may go on with this.
pub(super) fn may_go_on(bytes: &[u8], sender: Sender) -> bool {
    let mut cursor = Cursor::new(bytes);
    match sender {
        Sender::Client => request(&mut cursor, &mut None) != Read::Foreign,
        Sender::Server => unit(&mut cursor, &mut None) != Read::Foreign,
    }
}

/// What both sides have shown so far.
#[derive(Default)]
pub(super) struct Midway {
    requests: u32,
    units: u32,
    /// The number of the request that the display had come to last.
    sequence: Option<[u8; 2]>,
    /// As soon as a length has shown it.
    order: Option<ByteOrder>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Judgement {
    Foreign,
    X11,
    /// So many bytes are read.
    Undecided(usize),
}

impl Midway {
    /// The least of each side: requests of the client, and answers and events of the display.
    const MIN: u32 = 3;
    /// The largest step between the requests that a display tells of.
    const STEP_MAX: u16 = 4096;

    pub(super) fn on_bytes(&mut self, bytes: &[u8], sender: Sender) -> Judgement {
        let mut cursor = Cursor::new(bytes);
        loop {
            let read = match sender {
                Sender::Client => request(&mut cursor, &mut self.order),
                Sender::Server => unit(&mut cursor, &mut self.order),
            };
            match read {
                Read::Foreign => return Judgement::Foreign,
                Read::Wanting => return Judgement::Undecided(bytes.len().saturating_sub(cursor.len())),
                Read::Request => self.requests = self.requests.saturating_add(1),
                Read::Unit { sequence } => {
                    self.units = self.units.saturating_add(1);
                    let order = self.order;
                    let follows = |last| Self::follows(sequence, last, order);
                    if !self.sequence.replace(sequence).is_none_or(follows) {
                        return Judgement::Foreign;
                    }
                }
            }
            if self.requests >= Self::MIN && self.units >= Self::MIN {
                return Judgement::X11;
            }
        }
    }

    /// In either order, where none is known yet.
    fn follows(sequence: [u8; 2], last: [u8; 2], order: Option<ByteOrder>) -> bool {
        let step_of = |number: fn([u8; 2]) -> u16| number(sequence).wrapping_sub(number(last));
        let in_big = step_of(u16::from_be_bytes) <= Self::STEP_MAX;
        let in_little = step_of(u16::from_le_bytes) <= Self::STEP_MAX;
        match order {
            Some(ByteOrder::Big) => in_big,
            Some(ByteOrder::Little) => in_little,
            None => in_big || in_little,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Read {
    Foreign,
    Request,
    Unit {
        sequence: [u8; 2],
    },
    /// It has not come whole.
    Wanting,
}

/// ```text
/// opcode:8 data:8 length:16 | length - 1 times 4 bytes
/// ```
fn request(cursor: &mut Cursor<'_>, order: &mut Option<ByteOrder>) -> Read {
    const CORE_LAST: u8 = 119;
    const NO_OPERATION: u8 = 127;
    let mut ahead = *cursor;
    let Some(opcode) = ahead.u8() else { return Read::Wanting };
    if !matches!(opcode, 1..=CORE_LAST | NO_OPERATION..) {
        return Read::Foreign;
    }
    let (Some(_data), mut both) = (ahead.u8(), ahead) else { return Read::Wanting };
    let (Some(big), Some(little)) = (both.u16(), ahead.u16_le()) else { return Read::Wanting };
    let length = in_order(u32::from(big), u32::from(little), order);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some(bytes) = length.saturating_mul(4).checked_sub(4) else { return Read::Foreign };
    if ahead.skip(bytes).is_none() {
        return Read::Wanting;
    }
    *cursor = ahead;
    Read::Request
}

/// ```text
/// type:8 detail:8 sequence:16 | 28 bytes, and of a reply 4 more for each that the first four of them count
/// ```
fn unit(cursor: &mut Cursor<'_>, order: &mut Option<ByteOrder>) -> Read {
    const ERROR: u8 = 0;
    const REPLY: u8 = 1;
    const GENERIC_EVENT: u8 = 35;
    const EXTENSION_ERRORS_FIRST: u8 = 128;
    /// An event that another client sent.
    const SENT: u8 = 0x80;
    /// In units of 4 bytes: what a display's memory can be shown in.
    const LENGTH_MAX: u32 = 1 << 22;
    let mut ahead = *cursor;
    let (Some(kind), Some(detail)) = (ahead.u8(), ahead.u8()) else { return Read::Wanting };
    let (Some(sequence), mut both) = (ahead.array(), ahead) else { return Read::Wanting };
    let (Some(big), Some(little)) = (both.u32(), ahead.u32_le()) else { return Read::Wanting };
    // Only these have one.
    let length = if matches!(kind, REPLY | GENERIC_EVENT) { in_order(big, little, order) } else { 0 };
    let length = match kind {
        ERROR if matches!(detail, 1..=17 | EXTENSION_ERRORS_FIRST..) => 0,
        ERROR => return Read::Foreign,
        REPLY | GENERIC_EVENT if length <= LENGTH_MAX => length,
        _ if matches!(kind & !SENT, 2..=34 | 64..) => 0,
        _ => return Read::Foreign,
    };
    let bytes = usize::try_from(length).unwrap_or(usize::MAX).saturating_mul(4).saturating_add(24);
    if ahead.skip(bytes).is_none() {
        return Read::Wanting;
    }
    *cursor = ahead;
    Read::Unit { sequence }
}

/// A length in the order that is known, or else in the one in which it is shorter, which then is known.
fn in_order(big: u32, little: u32, order: &mut Option<ByteOrder>) -> u32 {
    if big != little {
        order.get_or_insert(if big < little { ByteOrder::Big } else { ByteOrder::Little });
    }
    match order {
        Some(ByteOrder::Big) => big,
        _ => little,
    }
}
