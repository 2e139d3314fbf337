//! Radmin 3: the first message of each side in, or of the client on its port, one [`RemoteDesktop`] out.
//!
//! Famatech publishes no specification. A message is version 1, a 32-bit length, a 32-bit checksum and as many bytes as
//! the length says; the client's first body is `08`, and the server answers with 37 bytes that begin with it, as the
//! programs send them.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{RemoteDesktop, Sender, Statement};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};

pub const PROTOCOL: Protocol = Protocol::new(&"radmin");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(0x01, 0x01)],
    probe,
    start: |start| Box::new(Radmin::new(start)),
    fields: &[],
};

const PORT: u16 = 4899;

/// Version, a body of one byte, its checksum and the body.
const GREETING: [u8; 10] = [0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x08, 0x08];
/// The head of the answer: version, length. A checksum and the body follow.
const ANSWER_HEAD: [u8; 5] = [0x01, 0x00, 0x00, 0x00, 0x25];

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.bytes.starts_with(&GREETING) {
        return if opening.sender == Sender::Client { Probe::Match } else { Probe::Reversed };
    }
    if GREETING.starts_with(opening.bytes) { Probe::More } else { Probe::No }
}

struct Radmin {
    on_port: bool,
    greeted: bool,
}

impl Radmin {
    const fn new(start: &Start) -> Self {
        Self { on_port: start.on_port(PORT), greeted: false }
    }
}

impl Parser for Radmin {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        match chunk.sender {
            Sender::Client if self.greeted || chunk.bytes.len() >= GREETING.len() => {
                self.greeted = true;
                Progress::Continue { consumed: chunk.bytes.len() }
            }
            Sender::Client => Progress::Continue { consumed: 0 },
            Sender::Server => match is_answer(chunk.bytes) {
                None => Progress::Continue { consumed: 0 },
                Some(false) => Progress::Reject,
                Some(true) => {
                    facts.push(Statement::RemoteDesktop(Box::<RemoteDesktop>::default()));
                    Progress::Done
                }
            },
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.greeted && self.on_port {
            facts.push(Statement::RemoteDesktop(Box::<RemoteDesktop>::default()));
        }
    }
}

/// Whether the server's first message is an answer to the greeting; none where it is not there whole yet.
fn is_answer(bytes: &[u8]) -> Option<bool> {
    let mut cursor = Cursor::new(bytes);
    let seen = bytes.get(..ANSWER_HEAD.len()).unwrap_or(bytes);
    if !ANSWER_HEAD.starts_with(seen) {
        return Some(false);
    }
    cursor.skip(ANSWER_HEAD.len())?;
    cursor.skip(4)?; // checksum
    let body = cursor.take(37)?;
    Some(body.first() == Some(&0x08))
}
