//! What both capture formats come to: records, and the faults of files that hold none.

use super::super::LinkType;
use crate::protocol::cursor::Cursor;
use crate::time::Timestamp;

/// The longest frame that is read: libpcap's MAXIMUM_SNAPLEN. A record that claims more is damaged.
pub const FRAME_BYTES_MAX: u32 = 262_144;

/// What a format makes of the bytes it is shown, which begin where the last step ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    Damaged(Fault),
    /// It cannot tell before it is shown so many bytes.
    Need(usize),
    Record(Record),
    /// So many bytes hold no frame.
    Skip(u64),
}

/// A frame, and where it stands in the bytes that were shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    pub at: Timestamp,
    pub link: LinkType,
    pub wire_len: u32,
    /// Where the frame begins.
    pub data_start: usize,
    pub data_len: usize,
    /// The length of the whole record.
    pub len: usize,
}

/// Why a capture file is damaged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("a block begins with the length {begin} and ends with {end}")]
    BlockEnd { begin: u32, end: u32 },
    #[error("a block of {len} bytes is shorter than what it must hold, or no multiple of four")]
    BlockLength { len: u32 },
    #[error("a block of {len} bytes is longer than any that is read")]
    BlockTooLong { len: u32 },
    #[error("a section begins without the byte-order magic")]
    ByteOrder,
    #[error("a frame of {len} bytes is longer than the {FRAME_BYTES_MAX} that are read")]
    FrameTooLong { len: u32 },
    #[error("a section describes more interfaces than are read")]
    TooManyInterfaces,
    #[error("a frame is from interface {interface}, which the file does not describe")]
    UnknownInterface { interface: u32 },
}

/// The byte order a file was written in: that of the machine that wrote it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ByteOrder {
    Big,
    Little,
}

impl ByteOrder {
    pub fn u16(self, cursor: &mut Cursor<'_>) -> Option<u16> {
        match self {
            Self::Big => cursor.u16(),
            Self::Little => cursor.u16_le(),
        }
    }

    pub fn u32(self, cursor: &mut Cursor<'_>) -> Option<u32> {
        match self {
            Self::Big => cursor.u32(),
            Self::Little => cursor.u32_le(),
        }
    }

    pub fn u64(self, cursor: &mut Cursor<'_>) -> Option<u64> {
        match self {
            Self::Big => cursor.u64(),
            Self::Little => cursor.u64_le(),
        }
    }
}
