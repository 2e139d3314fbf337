//! NoMachine's media over UDP: datagrams in, one [`RemoteDesktop`] out.
//!
//! A datagram begins with 16 bits of its own, a 1, its own length and a zero, all little-endian, as the programs send
//! it: `01 00 01 00 0a 00 00 00 00 00`. These are 48 bits that are known, and other protocols may have such a head: a claim
//! takes several of them, and a port that NoMachine has for its media. Other datagrams may lie between.

use std::ops::RangeInclusive;

use crate::facts::{RemoteDesktop, Statement};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, Parser, Progress};

/// The port of the server itself, and those that it has for media (4011 to 4999, as NoMachine's `server.cfg` says).
const PORTS: RangeInclusive<u16> = 4000..=4999;

pub(super) fn are_ports(client: u16, server: u16) -> bool {
    [client, server].iter().any(|port| PORTS.contains(port))
}

/// Whether a datagram has such a head.
pub(super) fn is_datagram(bytes: &[u8]) -> bool {
    head(bytes).is_some()
}

fn head(bytes: &[u8]) -> Option<()> {
    let mut cursor = Cursor::new(bytes);
    cursor.skip(2)?; // changes from datagram to datagram
    let (one, len) = (cursor.u16_le()?, cursor.u16_le()?);
    cursor.skip(2)?;
    (one == 1 && usize::from(len) == bytes.len() && cursor.u16_le()? == 0).then_some(())
}

#[derive(Default)]
pub(super) struct Datagrams {
    known: u32,
    foreign: u32,
}

impl Datagrams {
    const MIN: u32 = 3;
    const FOREIGN_MAX: u32 = 8;
}

impl Parser for Datagrams {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let count = if is_datagram(chunk.bytes) { &mut self.known } else { &mut self.foreign };
        *count = count.saturating_add(1);
        if self.foreign > Self::FOREIGN_MAX {
            return Progress::Reject;
        }
        if self.known < Self::MIN {
            return Progress::Continue { consumed: 0 };
        }
        facts.push(Statement::RemoteDesktop(Box::<RemoteDesktop>::default()));
        Progress::Done
    }
}
