//! The pcapng format (draft-ietf-opsawg-pcapng): bytes in, records out.
//!
//! ```text
//! file:    section*            each with its own byte order and interfaces
//! section: section header | block*
//! block:   type u32 | length u32 | body | length u32       the length counts the whole block
//! ```
//!
//! Read are section headers, interface descriptions, the three blocks that carry frames, and interface statistics for
//! what they say about drops; every other block is skipped.

use std::time::Duration;

use super::super::{Drops, LinkType};
use super::record::{ByteOrder, FRAME_BYTES_MAX, Fault, Record, Step};
use crate::protocol::cursor::Cursor;
use crate::time::Timestamp;

/// A pcapng file as far as it has been read.
#[derive(Debug)]
pub struct Pcapng {
    order: ByteOrder,
    /// Those of the section, by number.
    interfaces: Vec<Interface>,
    /// The drops of the sections before.
    drops: Drops,
    /// The time of the last frame.
    last: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snap_len: u32,
    resolution: Resolution,
    /// Added to every timestamp.
    offset_secs: i64,
    drops: Drops,
}

/// What a tick of an interface's timestamps is (if_tsresol).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Resolution {
    /// 10 to the minus n seconds, n at most 9: so many nanoseconds.
    Nanos(u64),
    /// 10 to the minus n seconds, n more than 9: so many ticks make a nanosecond.
    TicksPerNano(u64),
    /// 2 to the minus n seconds.
    BinaryFraction(u32),
}

impl Pcapng {
    /// A section header's type, the same in both byte orders, begins every file.
    pub const MAGIC: [u8; 4] = 0x0a0d_0d0a_u32.to_be_bytes();

    /// More interfaces in one section are a fault.
    const INTERFACES_MAX: usize = 65_536;
    /// A block that is read, not skipped, must fit into the window.
    const BLOCK_BYTES_MAX: u32 = 1 << 20;

    pub fn new() -> Self {
        Self { order: ByteOrder::Little, interfaces: Vec::new(), drops: Drops::default(), last: Timestamp::ZERO }
    }

    /// What the file says was lost while it was written.
    pub fn drops(&self) -> Drops {
        self.interfaces.iter().fold(self.drops, |sum, interface| sum.plus(interface.drops))
    }

    pub fn step(&mut self, bytes: &[u8]) -> Step {
        let mut cursor = Cursor::new(bytes);
        let Some(kind) = self.order.u32(&mut cursor) else { return Step::Need(SECTION_HEADER_LEN_MIN) };
        if kind == SECTION_HEADER {
            let Some(order) = byte_order(bytes) else { return Step::Need(SECTION_HEADER_LEN_MIN) };
            let Ok(order) = order else { return Step::Damaged(Fault::ByteOrder) };
            self.order = order;
        }
        let Some(len) = self.order.u32(&mut cursor) else { return Step::Need(BLOCK_LEN_MIN) };
        let Some(body_len) = len.checked_sub(BLOCK_FRAMING_LEN).filter(|_| len.is_multiple_of(4)) else {
            return Step::Damaged(Fault::BlockLength { len });
        };
        if !READ.contains(&kind) {
            return Step::Skip(u64::from(len));
        }
        if len > Self::BLOCK_BYTES_MAX {
            return Step::Damaged(Fault::BlockTooLong { len });
        }
        let body = usize::try_from(body_len).ok().and_then(|body_len| cursor.sub(body_len));
        let (Some(body), Some(end)) = (body, self.order.u32(&mut cursor)) else {
            return Step::Need(usize::try_from(len).unwrap_or(usize::MAX));
        };
        if end != len {
            return Step::Damaged(Fault::BlockEnd { begin: len, end });
        }
        self.block(kind, body, len).unwrap_or(Step::Damaged(Fault::BlockLength { len }))
    }

    /// Reads a whole block; none where its body is too short for what it must hold.
    fn block(&mut self, kind: u32, body: Cursor<'_>, len: u32) -> Option<Step> {
        match kind {
            ENHANCED_PACKET => self.enhanced_packet(body, len),
            SIMPLE_PACKET => self.simple_packet(body, len),
            PACKET => self.packet(body, len),
            INTERFACE_DESCRIPTION => self.interface_description(body, len),
            INTERFACE_STATISTICS => self.interface_statistics(body, len),
            _ => {
                self.drops = self.drops();
                self.interfaces.clear();
                Some(Step::Skip(u64::from(len)))
            }
        }
    }

    /// Section 4.3.
    fn enhanced_packet(&mut self, mut body: Cursor<'_>, len: u32) -> Option<Step> {
        let interface = self.order.u32(&mut body)?;
        self.timed_packet(interface, body, len)
    }

    /// The obsolete Packet Block, appendix A.
    fn packet(&mut self, mut body: Cursor<'_>, len: u32) -> Option<Step> {
        let interface = self.order.u16(&mut body)?;
        let _drops = self.order.u16(&mut body)?;
        self.timed_packet(u32::from(interface), body, len)
    }

    /// What an enhanced packet block and a packet block share behind the interface.
    fn timed_packet(&mut self, number: u32, mut body: Cursor<'_>, len: u32) -> Option<Step> {
        let (high, low) = (self.order.u32(&mut body)?, self.order.u32(&mut body)?);
        let (captured, wire_len) = (self.order.u32(&mut body)?, self.order.u32(&mut body)?);
        let Some(interface) = usize::try_from(number).ok().and_then(|number| self.interfaces.get(number)) else {
            return Some(Step::Damaged(Fault::UnknownInterface { interface: number }));
        };
        self.last = interface.time(u64::from(high) << 32 | u64::from(low)).unwrap_or(self.last);
        self.record(interface.link, captured, wire_len, TIMED_DATA_START, body, len)
    }

    /// Section 4.4. The block has no time of its own: the frame has that of the frame before it.
    fn simple_packet(&mut self, mut body: Cursor<'_>, len: u32) -> Option<Step> {
        let wire_len = self.order.u32(&mut body)?;
        let Some(interface) = self.interfaces.first() else {
            return Some(Step::Damaged(Fault::UnknownInterface { interface: 0 }));
        };
        let captured = if interface.snap_len == 0 { wire_len } else { wire_len.min(interface.snap_len) };
        self.record(interface.link, captured, wire_len, SIMPLE_DATA_START, body, len)
    }

    /// A frame of `captured` bytes at the front of `data`.
    fn record(
        &self,
        link: LinkType,
        captured: u32,
        wire_len: u32,
        data_start: usize,
        data: Cursor<'_>,
        len: u32,
    ) -> Option<Step> {
        if captured > FRAME_BYTES_MAX {
            return Some(Step::Damaged(Fault::FrameTooLong { len: captured }));
        }
        let data_len = usize::try_from(captured).ok().filter(|&data_len| data_len <= data.len())?;
        let len = usize::try_from(len).ok()?;
        Some(Step::Record(Record { at: self.last, link, wire_len: wire_len.max(captured), data_start, data_len, len }))
    }

    /// Section 4.2.
    fn interface_description(&mut self, mut body: Cursor<'_>, len: u32) -> Option<Step> {
        let link = LinkType::from_value(self.order.u16(&mut body)?);
        let _reserved = self.order.u16(&mut body)?;
        let snap_len = self.order.u32(&mut body)?;
        let (resolution, drops) = (Resolution::Nanos(1000), Drops::default());
        let mut interface = Interface { link, snap_len, resolution, offset_secs: 0, drops };
        for (code, mut value) in options(self.order, body) {
            match code {
                IF_TSRESOL => interface.resolution = value.u8().map_or(interface.resolution, Resolution::from_option),
                IF_TSOFFSET => interface.offset_secs = self.order.u64(&mut value).unwrap_or(0).cast_signed(),
                _ => {}
            }
        }
        if self.interfaces.len() >= Self::INTERFACES_MAX {
            return Some(Step::Damaged(Fault::TooManyInterfaces));
        }
        self.interfaces.push(interface);
        Some(Step::Skip(u64::from(len)))
    }

    /// Section 4.6. Each block counts from the beginning of the capture, so the last one is what counts.
    fn interface_statistics(&mut self, mut body: Cursor<'_>, len: u32) -> Option<Step> {
        let number = usize::try_from(self.order.u32(&mut body)?).ok()?;
        let _time = self.order.u64(&mut body)?;
        let order = self.order;
        if let Some(interface) = self.interfaces.get_mut(number) {
            for (code, mut value) in options(order, body) {
                match code {
                    ISB_IFDROP => interface.drops.interface = order.u64(&mut value).unwrap_or(0),
                    ISB_OSDROP => interface.drops.kernel = order.u64(&mut value).unwrap_or(0),
                    _ => {}
                }
            }
        }
        Some(Step::Skip(u64::from(len)))
    }
}

impl Interface {
    /// None beyond what a [`Timestamp`] can say, as where a writer took one time from another: the frame then has that of
    /// the frame before it. An offset saturates.
    fn time(&self, ticks: u64) -> Option<Timestamp> {
        let at = Timestamp::from_nanos(self.resolution.nanos(ticks)?);
        Some(match self.offset_secs {
            0 => at,
            offset @ 1.. => at + Duration::from_secs(offset.unsigned_abs()),
            offset => at - Duration::from_secs(offset.unsigned_abs()),
        })
    }
}

impl Resolution {
    /// The value of if_tsresol: the highest bit tells powers of 2 from powers of 10.
    fn from_option(value: u8) -> Self {
        let exponent = u32::from(value & 0x7f);
        if value & 0x80 != 0 {
            return Self::BinaryFraction(exponent);
        }
        match 9_u32.checked_sub(exponent) {
            Some(zeros) => Self::Nanos(10_u64.saturating_pow(zeros)),
            None => Self::TicksPerNano(10_u64.saturating_pow(exponent.saturating_sub(9))),
        }
    }

    fn nanos(self, ticks: u64) -> Option<u64> {
        match self {
            Self::Nanos(nanos) => ticks.checked_mul(nanos),
            Self::TicksPerNano(per_nano) => Some(ticks.checked_div(per_nano).unwrap_or(0)),
            Self::BinaryFraction(exponent) => {
                let nanos = u128::from(ticks).saturating_mul(1_000_000_000).checked_shr(exponent).unwrap_or(0);
                u64::try_from(nanos).ok()
            }
        }
    }
}

/// The byte order of a section that begins here (section 4.1); none where too few bytes are there to tell.
fn byte_order(bytes: &[u8]) -> Option<Result<ByteOrder, Fault>> {
    let mut cursor = Cursor::new(bytes);
    cursor.skip(8)?;
    Some(match cursor.u32()? {
        0x1a2b_3c4d => Ok(ByteOrder::Big),
        0x4d3c_2b1a => Ok(ByteOrder::Little),
        _ => Err(Fault::ByteOrder),
    })
}

/// Code and value of each option (section 3.5), as far as they are whole.
fn options(order: ByteOrder, mut rest: Cursor<'_>) -> impl Iterator<Item = (u16, Cursor<'_>)> {
    std::iter::from_fn(move || {
        let code = order.u16(&mut rest)?;
        let len = usize::from(order.u16(&mut rest)?);
        let value = rest.sub(len)?;
        // Values are padded to four bytes, and a writer may have forgotten to at the end.
        let _padding = rest.skip(len.next_multiple_of(4).saturating_sub(len));
        (code != END_OF_OPTIONS).then_some((code, value))
    })
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const READ: [u32; 6] =
    [ENHANCED_PACKET, SIMPLE_PACKET, PACKET, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS, SECTION_HEADER];

/// Type, length and length again.
const BLOCK_FRAMING_LEN: u32 = 12;
const BLOCK_LEN_MIN: usize = 12;
/// As far as the byte-order magic.
const SECTION_HEADER_LEN_MIN: usize = 12;
const SIMPLE_DATA_START: usize = 12;
const TIMED_DATA_START: usize = 28;

const END_OF_OPTIONS: u16 = 0;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;
