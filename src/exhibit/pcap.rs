//! Packets in, the bytes of a capture file out: the classic form, with nanoseconds, of Ethernet frames.

use crate::time::Timestamp;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Version 2.4.
const VERSION: u32 = 4 << 16 | 2;
const SNAP_BYTES: u32 = 1 << 18;
const ETHERNET: u32 = 1;

pub(super) fn write_header(file: &mut Vec<u8>) {
    for number in [MAGIC_NANOSECONDS, VERSION, 0, 0, SNAP_BYTES, ETHERNET] {
        file.extend(number.to_le_bytes());
    }
}

/// A frame that had `wire_bytes` on the wire.
pub(super) fn write_record(file: &mut Vec<u8>, at: Timestamp, frame: &[u8], wire_bytes: u32) {
    let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let secs = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
    let nanos = u32::try_from(at.as_nanos() % 1_000_000_000).unwrap_or(0);
    for number in [secs, nanos, len, wire_bytes.max(len)] {
        file.extend(number.to_le_bytes());
    }
    file.extend(frame);
}
