//! DameWare Mini Remote Control: the server's first message in, one [`RemoteDesktop`] out.
//!
//! SolarWinds publishes no specification. The server speaks first: a message of type 0x1130, 32 bits little-endian, with
//! a version behind it as a number of double precision, whose highest byte is 0x40, as `nmap-service-probes` has it. That is
//! little, so its port must fit, too.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{RemoteDesktop, Sender, Statement};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const PROTOCOL: Protocol = Protocol::new(&"dameware");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(0x30, 0x30)],
    probe,
    start: |_| Box::new(DameWare),
    fields: &[],
};

const PORT: u16 = 6129;
/// The message's type.
const VERSION: [u8; 4] = [0x30, 0x11, 0x00, 0x00];

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.server_port != PORT || opening.sender != Sender::Server {
        return Probe::No;
    }
    match is_version(opening.bytes) {
        Some(true) => Probe::Match,
        Some(false) => Probe::No,
        None => Probe::More,
    }
}

/// Whether a message tells a version; none where it is not there yet.
fn is_version(bytes: &[u8]) -> Option<bool> {
    let seen = bytes.get(..VERSION.len()).unwrap_or(bytes);
    if !VERSION.starts_with(seen) {
        return Some(false);
    }
    let mut cursor = Cursor::new(bytes);
    cursor.skip(8)?;
    let version = f64::from_bits(cursor.u64_le()?);
    Some((2.0..100.0).contains(&version))
}

struct DameWare;

impl Parser for DameWare {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if chunk.sender == Sender::Client {
            return Progress::Continue { consumed: chunk.bytes.len() };
        }
        match is_version(chunk.bytes) {
            None => Progress::Continue { consumed: 0 },
            Some(false) => Progress::Reject,
            Some(true) => {
                facts.push(Statement::RemoteDesktop(Box::<RemoteDesktop>::default()));
                Progress::Done
            }
        }
    }
}
