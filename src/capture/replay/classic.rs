//! The pcap format (draft-ietf-opsawg-pcap): bytes in, records out.
//!
//! ```text
//! file:   magic u32 | version u16.u16 | zone i32 | accuracy u32 | snap length u32 | link type u32
//! record: seconds u32 | µs or ns u32 | captured length u32 | wire length u32 | frame
//! ```
//!
//! The files of Kuznetzov's patched libpcap have eight more bytes in each record header, which are skipped.

use super::super::LinkType;
use super::record::{ByteOrder, FRAME_BYTES_MAX, Fault, Record, Step};
use crate::protocol::cursor::Cursor;
use crate::time::Timestamp;

/// A pcap file whose header has been read.
#[derive(Clone, Copy, Debug)]
pub struct Classic {
    order: ByteOrder,
    ticks: Ticks,
    record_header_len: usize,
    link: LinkType,
    /// Versions before 2.4 may give the two lengths in the other order.
    lengths_may_be_swapped: bool,
}

#[derive(Clone, Copy, Debug)]
enum Ticks {
    Micros,
    Nanos,
}

impl Classic {
    pub const FILE_HEADER_LEN: usize = 24;

    /// Whether a file that begins so is a pcap file.
    pub fn is_magic(magic: [u8; 4]) -> bool {
        variant(magic).is_some()
    }

    /// Reads the file header; none where the magic is not that of a pcap file, or where fewer than
    /// [`Self::FILE_HEADER_LEN`] bytes are there.
    pub fn from_file_header(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let (order, ticks, record_header_len) = variant(cursor.array()?)?;
        let version = (order.u16(&mut cursor)?, order.u16(&mut cursor)?);
        let _zone = order.u32(&mut cursor)?;
        let _accuracy = order.u32(&mut cursor)?;
        let _snap_len = order.u32(&mut cursor)?;
        let [_, _, low_high, low_low] = order.u32(&mut cursor)?.to_be_bytes();
        // The upper half tells of frame check sequences and classes; a frame's own lengths make both needless.
        let link = LinkType::from_value(u16::from_be_bytes([low_high, low_low]));
        Some(Self { order, ticks, record_header_len, link, lengths_may_be_swapped: version < (2, 4) })
    }

    pub fn step(&self, bytes: &[u8]) -> Step {
        let Some((at, captured, wire_len)) = self.record_header(bytes) else {
            return Step::Need(self.record_header_len);
        };
        if captured > FRAME_BYTES_MAX {
            return Step::Damaged(Fault::FrameTooLong { len: captured });
        }
        let data_len = usize::try_from(captured).unwrap_or(usize::MAX);
        let len = self.record_header_len.saturating_add(data_len);
        if bytes.len() < len {
            return Step::Need(len);
        }
        let wire_len = wire_len.max(captured);
        Step::Record(Record { at, link: self.link, wire_len, data_start: self.record_header_len, data_len, len })
    }

    /// Time, captured length and wire length.
    fn record_header(&self, bytes: &[u8]) -> Option<(Timestamp, u32, u32)> {
        let mut cursor = Cursor::new(bytes).sub(self.record_header_len)?;
        let seconds = u64::from(self.order.u32(&mut cursor)?);
        let ticks = u64::from(self.order.u32(&mut cursor)?);
        let nanos = match self.ticks {
            Ticks::Micros => ticks.saturating_mul(1000),
            Ticks::Nanos => ticks,
        };
        let at = Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos));
        let lengths = (self.order.u32(&mut cursor)?, self.order.u32(&mut cursor)?);
        let (captured, wire_len) = match lengths {
            (captured, wire_len) if self.lengths_may_be_swapped && captured > wire_len => (wire_len, captured),
            in_order => in_order,
        };
        Some((at, captured, wire_len))
    }
}

/// Byte order, unit of the fraction and length of a record header.
fn variant(magic: [u8; 4]) -> Option<(ByteOrder, Ticks, usize)> {
    Some(match magic {
        [0xa1, 0xb2, 0xc3, 0xd4] => (ByteOrder::Big, Ticks::Micros, 16),
        [0xd4, 0xc3, 0xb2, 0xa1] => (ByteOrder::Little, Ticks::Micros, 16),
        [0xa1, 0xb2, 0x3c, 0x4d] => (ByteOrder::Big, Ticks::Nanos, 16),
        [0x4d, 0x3c, 0xb2, 0xa1] => (ByteOrder::Little, Ticks::Nanos, 16),
        [0xa1, 0xb2, 0xcd, 0x34] => (ByteOrder::Big, Ticks::Micros, 24),
        [0x34, 0xcd, 0xb2, 0xa1] => (ByteOrder::Little, Ticks::Micros, 24),
        _ => return None,
    })
}
