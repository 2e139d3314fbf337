//! How operating systems open TCP connections, as their SYN shows it.

use crate::decode::TcpHeader;

/// The TCP/IP stack of a system.
#[derive(Debug)]
pub struct Stack {
    pub ttl: u8,
    window: u16,
    options: &'static [Part],
}

/// A part of the options of a SYN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    End,
    Mss,
    Nop,
    SackPermitted,
    Scale(u8),
    Timestamps,
}

use Part::{End, Mss, Nop, SackPermitted, Scale, Timestamps};

pub static ANDROID: Stack =
    Stack { ttl: 64, window: 65_535, options: &[Mss, SackPermitted, Timestamps, Nop, Scale(9)] };
/// iOS and macOS.
pub static APPLE: Stack =
    Stack { ttl: 64, window: 65_535, options: &[Mss, Nop, Scale(6), Nop, Nop, Timestamps, SackPermitted, End] };
pub static LINUX: Stack = Stack { ttl: 64, window: 64_240, options: &[Mss, SackPermitted, Timestamps, Nop, Scale(7)] };
pub static WINDOWS: Stack = Stack { ttl: 128, window: 64_240, options: &[Mss, Nop, Scale(8), Nop, Nop, SackPermitted] };

/// What a Linux server answers a client that has no timestamps.
const ANSWER_PLAIN: &[Part] = &[Mss, Nop, Nop, SackPermitted, Nop, Scale(7)];

impl Stack {
    pub fn has_timestamps(&self) -> bool {
        self.options.contains(&Timestamps)
    }

    /// The window of a SYN or SYN/ACK.
    pub const fn window(&self) -> u16 {
        self.window
    }

    /// The options of a SYN, with the value of its clock.
    pub fn syn_options(&self, mss: u16, clock: u32) -> ([u8; 40], u8) {
        written(self.options, mss, clock, 0)
    }
}

/// The options of a SYN/ACK, for a client with or without timestamps.
pub fn answer_options(mss: u16, timestamps: Option<(u32, u32)>) -> ([u8; 40], u8) {
    match timestamps {
        Some((clock, echo)) => written(LINUX.options, mss, clock, echo),
        None => written(ANSWER_PLAIN, mss, 0, 0),
    }
}

/// The options of every other segment.
pub fn segment_options(timestamps: Option<(u32, u32)>) -> ([u8; 40], u8) {
    match timestamps {
        Some((clock, echo)) => written(&[Nop, Nop, Timestamps], 0, clock, echo),
        None => ([0; 40], 0),
    }
}

fn written(parts: &[Part], mss: u16, clock: u32, echo: u32) -> ([u8; 40], u8) {
    let mut bytes = Vec::with_capacity(40);
    for part in parts {
        match part {
            End => bytes.push(0),
            Mss => {
                bytes.extend([2, 4]);
                bytes.extend(mss.to_be_bytes());
            }
            Nop => bytes.push(1),
            SackPermitted => bytes.extend([4, 2]),
            Scale(bits) => bytes.extend([3, 3, *bits]),
            Timestamps => {
                bytes.extend([8, 10]);
                bytes.extend(clock.to_be_bytes());
                bytes.extend(echo.to_be_bytes());
            }
        }
    }
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let mut options = [0; 40];
    options[..bytes.len()].copy_from_slice(&bytes);
    (options, bytes.len() as u8)
}

/// The flags of a segment that carries data.
pub const DATA: u8 = TcpHeader::ACK | TcpHeader::PSH;
