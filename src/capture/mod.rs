//! Frames in packet time, out of a mirror port or out of files.

use crate::time::Timestamp;

/// What a frame begins with (the LINKTYPE_ values of the tcpdump group).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LinkType {
    Ethernet,
    LinuxSll,
    LinuxSll2,
    /// DLT_NULL and DLT_LOOP: four bytes of address family.
    Null,
    /// LINKTYPE_PPP (9) and LINKTYPE_PPP_HDLC (50).
    Ppp,
    /// Raw IP: LINKTYPE_RAW (101), LINKTYPE_IPV4 (228), LINKTYPE_IPV6 (229).
    Raw,
    /// Any other value: its frames are skipped and counted.
    Unknown(u16),
}

impl LinkType {
    /// From the value in a capture file's header.
    pub const fn from_value(value: u16) -> Self {
        match value {
            0 | 108 => Self::Null,
            1 => Self::Ethernet,
            9 | 50 => Self::Ppp,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            other => Self::Unknown(other),
        }
    }
}

/// One captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub at: Timestamp,
    /// Counts the frames of a source from 0 on; unique over all shards of a run.
    pub seq: u64,
    pub link: LinkType,
    /// The length on the wire; `bytes` may be cut shorter by the snap length.
    pub wire_len: u32,
    pub bytes: &'a [u8],
}

/// Where frames come from.
pub trait FrameSource {
    /// Hands the next frames, at most a batch, to `each`. Timestamps never run backwards: a frame that would is given
    /// the time of the one before it and counted.
    fn read(&mut self, each: &mut dyn FnMut(Frame<'_>)) -> Result<Read, CaptureError>;

    /// What was lost before it reached [`FrameSource::read`], since the source was opened.
    fn drops(&mut self) -> Drops;
}

/// What a call of [`FrameSource::read`] came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read {
    /// The source has no more frames, and never will.
    End,
    Frames,
    /// Nothing arrived; packet time has come this far all the same.
    Idle(Timestamp),
}

/// Losses, by place.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Drops {
    /// The kernel's ring was full.
    pub kernel: u64,
    /// The network interface or its driver had no room.
    pub interface: u64,
}

/// A capture that cannot be opened or read on. The message names the file or interface, the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {}
