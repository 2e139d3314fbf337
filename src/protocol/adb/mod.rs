//! The Android Debug Bridge over TCP (protocol.txt of the Android sources): the connection messages of both sides in, a
//! [`Hello`] with what each says it is out. What is done on the device is not read. Where both sides ask for TLS, the flow
//! is then TLS.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Hello, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, tls};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"adb"),
    transports: &[Transport::Tcp],
    opens_with: &[(b'C', b'C')],
    probe,
    start: |_| Box::<Adb>::default(),
    fields: &[],
};

const CONNECT: u32 = u32::from_le_bytes(*b"CNXN");
const START_TLS: u32 = u32::from_le_bytes(*b"STLS");

/// A message: command, two arguments, length and checksum of the data, the command inverted, the data.
struct Message<'a> {
    command: u32,
    data: Cursor<'a>,
}

impl<'a> Message<'a> {
    const DATA_BYTES_MAX: usize = 16 << 10;

    fn read(cursor: &mut Cursor<'a>) -> Result<Option<Self>, &'static str> {
        let mut ahead = *cursor;
        let Some([command, _, _, len, _, inverted]) = words(&mut ahead) else { return Ok(None) };
        let len = usize::try_from(len).ok().filter(|&len| len <= Self::DATA_BYTES_MAX);
        let (Some(len), true) = (len, inverted == !command) else { return Err("adb_message") };
        let Some(data) = ahead.sub(len) else { return Ok(None) };
        *cursor = ahead;
        Ok(Some(Self { command, data }))
    }
}

fn words(cursor: &mut Cursor<'_>) -> Option<[u32; 6]> {
    let mut header = Cursor::new(cursor.take(24)?);
    let mut words = [0; 6];
    for word in &mut words {
        *word = header.u32_le()?;
    }
    Some(words)
}

/// Whoever connects says so first; the device answers.
fn probe(opening: &Opening<'_>) -> Probe {
    let mut header = Cursor::new(opening.bytes);
    let Some([command, _, _, _, _, inverted]) = words(&mut header) else {
        let seen = opening.bytes.get(..4).unwrap_or(opening.bytes);
        return if b"CNXN".starts_with(seen) { Probe::More } else { Probe::No };
    };
    match (command, inverted == !CONNECT, opening.sender) {
        (CONNECT, true, Sender::Client) => Probe::Match,
        (CONNECT, true, Sender::Server) => Probe::Reversed,
        _ => Probe::No,
    }
}

#[derive(Default)]
struct Adb {
    client: Side,
    server: Side,
}

#[derive(Default)]
struct Side {
    is_told: bool,
    asked_for_tls: bool,
}

impl Parser for Adb {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        let consumed = |cursor: &Cursor<'_>| chunk.bytes.len().saturating_sub(cursor.len());
        while !self.side(chunk.sender).asked_for_tls {
            match Message::read(&mut cursor) {
                Ok(Some(message)) => {
                    if self.on_message(&message, chunk.sender, facts) {
                        return Progress::Done;
                    }
                }
                Ok(None) => return Progress::Continue { consumed: consumed(&cursor) },
                Err(reason) => return Progress::Malformed(reason),
            }
        }
        if self.client.asked_for_tls && self.server.asked_for_tls {
            return Progress::Upgrade { to: tls::PROTOCOL, consumed: consumed(&cursor) };
        }
        Progress::Continue { consumed: consumed(&cursor) }
    }
}

impl Adb {
    /// Returns whether nothing more is to be known.
    fn on_message(&mut self, message: &Message<'_>, sender: Sender, facts: &mut Vec<Statement>) -> bool {
        const STREAMS: [u32; 2] = [u32::from_le_bytes(*b"OPEN"), u32::from_le_bytes(*b"WRTE")];
        let side = self.side(sender);
        match message.command {
            CONNECT if !side.is_told => {
                side.is_told = true;
                let identity = message.data.rest().split(|&byte| byte == 0).next().unwrap_or_default();
                let software = Some(Text::from_utf8(identity)).filter(|identity| !identity.is_empty());
                facts.push(Statement::Hello(Box::new(Hello { software, ..Hello::new(sender) })));
            }
            START_TLS => side.asked_for_tls = true,
            command => return STREAMS.contains(&command),
        }
        false
    }

    const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }
}
