//! Radmin 3: the first message of each side in, or of one side on its port, one [`RemoteDesktop`] out.
//!
//! Famatech publishes no specification. As the programs send them, a message is version 1, a 32-bit length, a 32-bit
//! checksum and as many bytes as the length says; the checksum is the sum of these in little-endian words of 32 bits, the
//! last one filled up with zeros. The viewer may greet with the body `08`.

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

/// What a viewer may begin with.
const GREETING_BODY: [u8; 1] = [0x08];
/// First messages are short.
const BODY_BYTES_MAX: usize = 1024;

fn probe(opening: &Opening<'_>) -> Probe {
    match message(&mut Cursor::new(opening.bytes)) {
        Err(_) => Probe::No,
        Ok(None) => Probe::More,
        Ok(Some(body)) => {
            let is_of_server = if body == GREETING_BODY {
                opening.sender == Sender::Server
            } else {
                opening.client_port == PORT && opening.server_port != PORT
            };
            if is_of_server { Probe::Reversed } else { Probe::Match }
        }
    }
}

struct Radmin {
    on_port: bool,
    client_began: bool,
    server_began: bool,
}

impl Radmin {
    const fn new(start: &Start) -> Self {
        Self { on_port: start.on_port(PORT), client_began: false, server_began: false }
    }
}

impl Parser for Radmin {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let began = match chunk.sender {
            Sender::Client => &mut self.client_began,
            Sender::Server => &mut self.server_began,
        };
        if !*began {
            match message(&mut Cursor::new(chunk.bytes)) {
                Err(_) => return Progress::Reject,
                Ok(None) => return Progress::Continue { consumed: 0 },
                Ok(Some(_)) => *began = true,
            }
        }
        if self.client_began && self.server_began {
            facts.push(Statement::RemoteDesktop(Box::<RemoteDesktop>::default()));
            return Progress::Done;
        }
        Progress::Continue { consumed: chunk.bytes.len() }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.on_port && (self.client_began || self.server_began) {
            facts.push(Statement::RemoteDesktop(Box::<RemoteDesktop>::default()));
        }
    }
}

/// The body of the next message; none where it is not there whole yet.
fn message<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, &'static str> {
    const MALFORMED: &str = "radmin_message";
    let mut ahead = *cursor;
    match ahead.u8() {
        None => return Ok(None),
        Some(1) => {}
        Some(_) => return Err(MALFORMED),
    }
    let Some(len) = ahead.u32() else { return Ok(None) };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if !(1..=BODY_BYTES_MAX).contains(&len) {
        return Err(MALFORMED);
    }
    let Some(checksum) = ahead.u32() else { return Ok(None) };
    let Some(body) = ahead.take(len) else { return Ok(None) };
    // Zeros have the sum zero, whatever they are.
    if checksum == 0 || checksum != sum(body) {
        return Err(MALFORMED);
    }
    *cursor = ahead;
    Ok(Some(body))
}

fn sum(body: &[u8]) -> u32 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        u32::from_le_bytes(word)
    };
    body.chunks(4).map(word).fold(0, u32::wrapping_add)
}
