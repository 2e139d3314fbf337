//! What a live capture needs of its packet socket and libpcap has no call for: waiting with a deadline, and sharing an
//! interface's flows among sockets. The only unsafe code of the sensor.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Waits until a packet socket has frames or an error, at most `deadline`. A signal ends the wait early.
pub fn wait(socket: BorrowedFd<'_>, deadline: Duration) {
    let mut poll = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let millis = libc::c_int::try_from(deadline.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: `poll` is one initialised pollfd, which the call may write to, and the count says one. What the call
    // finds is not of interest: the read that follows finds it again.
    unsafe { libc::poll(&raw mut poll, 1, millis) };
}

/// A set of packet sockets over which the kernel spreads the frames of an interface, each flow to one of them.
#[derive(Clone, Copy, Debug)]
pub struct Fanout {
    /// As the kernel has numbered it.
    group: u16,
}

impl Fanout {
    /// Both directions of a flow hash to the same socket, and fragments are joined before they are hashed.
    const MODE: u32 = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG;

    /// Makes a new group of one socket; the kernel picks a number that no other program uses.
    pub fn new(first: BorrowedFd<'_>) -> io::Result<Self> {
        set(first, Self::MODE << 16 | libc::PACKET_FANOUT_FLAG_UNIQUEID << 16)?;
        let [group_low, group_high, ..] = get(first)?.to_le_bytes();
        Ok(Self { group: u16::from_le_bytes([group_low, group_high]) })
    }

    /// Adds a socket, which must be bound to the same interface as the first.
    pub fn join(self, socket: BorrowedFd<'_>) -> io::Result<()> {
        set(socket, Self::MODE << 16 | u32::from(self.group))
    }
}

fn set(socket: BorrowedFd<'_>, value: u32) -> io::Result<()> {
    // SAFETY: the option's value is read from `value`, which outlives the call, and its length is that of a u32.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_FANOUT, (&raw const value).cast(), U32_LEN)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn get(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let (mut value, mut len) = (0_u32, U32_LEN);
    // SAFETY: at most `len` bytes are written to `value`, which is as long as that, and `len` may be written to.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_FANOUT,
            (&raw mut value).cast(),
            &raw mut len,
        )
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

const U32_LEN: libc::socklen_t = size_of::<u32>() as libc::socklen_t;
