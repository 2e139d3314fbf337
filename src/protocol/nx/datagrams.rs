//! NoMachine's media over UDP: datagrams in, one [`RemoteDesktop`] out.
//!
//! A datagram begins with 16 bits of its own, a 1, its own length and a zero, all little-endian, as the programs send
//! it: `01 00 01 00 0a 00 00 00 00 00`. One alone proves little, so a claim takes several, of both sides.

use crate::facts::{RemoteDesktop, Sender, Statement};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, Parser, Progress};

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
    of_client: u32,
    of_server: u32,
}

impl Datagrams {
    const MIN: u32 = 3;

    fn is_known(&self) -> bool {
        let (of_client, of_server) = (self.of_client, self.of_server);
        of_client > 0 && of_server > 0 && of_client.saturating_add(of_server) >= Self::MIN
    }
}

impl Parser for Datagrams {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if !is_datagram(chunk.bytes) {
            return Progress::Reject;
        }
        let count = match chunk.sender {
            Sender::Client => &mut self.of_client,
            Sender::Server => &mut self.of_server,
        };
        *count = count.saturating_add(1);
        if !self.is_known() {
            return Progress::Continue { consumed: 0 };
        }
        facts.push(Statement::RemoteDesktop(Box::<RemoteDesktop>::default()));
        Progress::Done
    }
}
