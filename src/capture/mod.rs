//! Frames in packet time, out of a mirror port or out of files.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

mod error;
mod filter;
mod live;
mod replay;
mod socket;

pub use error::{CaptureError, Place};
pub use filter::Filter;
pub use live::{Live, LiveSettings};
pub use replay::{Fault, Progress, Replay};

use crate::time::Timestamp;

/// What a frame begins with (the LINKTYPE_ values of the tcpdump group).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LinkType {
    /// LINKTYPE_ARCNET_BSD (7).
    Arcnet,
    /// LINKTYPE_ARCNET_LINUX (129).
    ArcnetLinux,
    /// LINKTYPE_C_HDLC (104): Cisco's framing of serial lines.
    CiscoHdlc,
    Ethernet,
    /// LINKTYPE_FRELAY (107).
    FrameRelay,
    /// LINKTYPE_IEEE802_11 (105).
    Ieee80211,
    /// LINKTYPE_IEEE802_11_AVS (163).
    Ieee80211Avs,
    /// LINKTYPE_IEEE802_11_PRISM (119).
    Ieee80211Prism,
    /// LINKTYPE_IEEE802_11_RADIOTAP (127).
    Ieee80211Radiotap,
    /// LINKTYPE_IPOIB (242): IP over InfiniBand.
    Infiniband,
    LinuxSll,
    LinuxSll2,
    /// LINKTYPE_NFLOG (239): what Linux's packet filter logged.
    Nflog,
    /// DLT_NULL and DLT_LOOP: four bytes of address family.
    Null,
    /// LINKTYPE_PKTAP (258): macOS's header, which says what follows it.
    Pktap,
    /// LINKTYPE_PPI (192): a header that says what follows it.
    Ppi,
    /// LINKTYPE_PPP (9) and LINKTYPE_PPP_HDLC (50).
    Ppp,
    /// LINKTYPE_PPP_ETHER (51): PPPoE without the Ethernet header.
    PppEther,
    /// Raw IP: LINKTYPE_RAW (101), LINKTYPE_IPV4 (228), LINKTYPE_IPV6 (229).
    Raw,
    /// LINKTYPE_IEEE802_5 (6).
    TokenRing,
    /// LINKTYPE_USER2 (149): anybody's, and PKTAP's before it had a value of its own.
    User2,
    /// Any other value: its frames are skipped and counted.
    Unknown(u16),
}

impl LinkType {
    /// From the value in a capture file's header.
    pub const fn from_value(value: u16) -> Self {
        match value {
            0 | 108 => Self::Null,
            1 => Self::Ethernet,
            6 => Self::TokenRing,
            7 => Self::Arcnet,
            9 | 50 => Self::Ppp,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            51 => Self::PppEther,
            104 => Self::CiscoHdlc,
            105 => Self::Ieee80211,
            107 => Self::FrameRelay,
            113 => Self::LinuxSll,
            119 => Self::Ieee80211Prism,
            127 => Self::Ieee80211Radiotap,
            129 => Self::ArcnetLinux,
            149 => Self::User2,
            163 => Self::Ieee80211Avs,
            192 => Self::Ppi,
            239 => Self::Nflog,
            242 => Self::Infiniband,
            258 => Self::Pktap,
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
    /// The length on the wire; `bytes` may be cut shorter by the snap length, and is never longer.
    pub wire_len: u32,
    pub bytes: &'a [u8],
}

/// The most frames that a source hands on together.
pub const GROUP_FRAMES: usize = 32;

/// Where frames come from.
pub trait FrameSource {
    /// Hands the next frames, at most a batch, to `each`: those that lie in memory together in groups, no group empty or
    /// of more than [`GROUP_FRAMES`]. Timestamps never run backwards: a frame that would is given the time of the one
    /// before it and counted.
    fn read_groups(&mut self, each: &mut dyn FnMut(&[Frame<'_>])) -> Result<Read, CaptureError>;

    /// As [`FrameSource::read_groups`], one frame after the other.
    fn read(&mut self, each: &mut dyn FnMut(Frame<'_>)) -> Result<Read, CaptureError> {
        self.read_groups(&mut |frames| frames.iter().for_each(|&frame| each(frame)))
    }

    /// What was lost before it reached [`FrameSource::read_groups`], since the source was opened.
    fn drops(&mut self) -> Drops;

    /// What [`FrameSource::read_groups`] has done, since the source was opened.
    fn counters(&self) -> Counters;
}

/// What a call of [`FrameSource::read_groups`] came to.
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

impl Drops {
    pub const fn plus(self, other: Self) -> Self {
        Self {
            kernel: self.kernel.saturating_add(other.kernel),
            interface: self.interface.saturating_add(other.interface),
        }
    }
}

/// What a source has handed on and held back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    pub frames: u64,
    /// Bytes of the frames as captured.
    pub bytes: u64,
    /// Frames that the capture filter excluded in a replay; in live capture the kernel excludes them and does not say
    /// how many.
    pub filtered: u64,
    /// Frames whose time ran backwards, and which were given the time of the one before.
    pub reordered: u64,
}

impl Counters {
    pub const fn plus(self, other: Self) -> Self {
        Self {
            frames: self.frames.saturating_add(other.frames),
            bytes: self.bytes.saturating_add(other.bytes),
            filtered: self.filtered.saturating_add(other.filtered),
            reordered: self.reordered.saturating_add(other.reordered),
        }
    }
}

/// The clock of a source: time that never runs backwards.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    now: Timestamp,
    reordered: u64,
}

impl Clock {
    /// The time for a frame that was stamped `at`.
    fn frame(&mut self, at: Timestamp) -> Timestamp {
        if at < self.now {
            self.reordered = self.reordered.saturating_add(1);
        } else {
            self.now = at;
        }
        self.now
    }

    /// Moves on without a frame; a time that has passed already changes nothing.
    fn idle(&mut self, at: Timestamp) -> Timestamp {
        self.now = self.now.max(at);
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_runs_backwards_and_counts_what_did() {
        let mut clock = Clock::default();
        let stamped = [5, 3, 5, 9, 8].map(Timestamp::from_secs);
        assert_eq!(stamped.map(|at| clock.frame(at).as_secs()), [5, 5, 5, 9, 9]);
        assert_eq!(clock.reordered, 2);
    }

    #[test]
    fn idle_time_holds_later_frames_to_its_promise() {
        let mut clock = Clock::default();
        assert_eq!(clock.idle(Timestamp::from_secs(7)), Timestamp::from_secs(7));
        assert_eq!(clock.idle(Timestamp::from_secs(6)), Timestamp::from_secs(7));
        assert_eq!(clock.frame(Timestamp::from_secs(6)), Timestamp::from_secs(7));
        assert_eq!(clock.reordered, 1);
    }
}
