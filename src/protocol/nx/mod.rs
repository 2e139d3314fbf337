//! NX, the protocol of NoMachine: the greetings of both sides in, one [`RemoteDesktop`] out. TLS follows. Its media over
//! UDP is told by the heads of its datagrams.
//!
//! NoMachine publishes no specification. The greetings, `NXSH-8.10.1` and `NXD-8.10.1` with a line feed, are as its
//! programs send them.

mod datagrams;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{RemoteDesktop, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{
    ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start, tls,
};

use datagrams::Datagrams;

pub const PROTOCOL: Protocol = Protocol::new(&"nx");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp, Transport::Udp],
    // A greeting's letter (TCP), or a number (UDP).
    opens_with: ANY_BYTE,
    probe,
    start,
    fields: &[
        FieldSpec { name: "nx.client_version", help: "The version the client greets with" },
        FieldSpec { name: "nx.server_version", help: "The version the server greets with" },
    ],
};

const CLIENT: &[u8] = b"NXSH-";
const SERVER: &[u8] = b"NXD-";
/// The most bytes of a greeting.
const GREETING_BYTES_MAX: usize = 32;

fn start(start: &Start) -> Box<dyn Parser> {
    match start.transport {
        Transport::Udp => Box::<Datagrams>::default(),
        _ => Box::<Nx>::default(),
    }
}

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.transport == Transport::Udp {
        let is_media = datagrams::are_ports(opening.client_port, opening.server_port);
        return if is_media && datagrams::is_datagram(opening.bytes) { Probe::Match } else { Probe::No };
    }
    if opening.bytes.first().is_some_and(|&first| first != b'N') {
        return Probe::No;
    }
    let reads = |greeting| version(&mut Cursor::new(opening.bytes), greeting);
    let speaker = match (reads(CLIENT), reads(SERVER)) {
        (Ok(Some(_)), _) => Sender::Client,
        (_, Ok(Some(_))) => Sender::Server,
        (Err(_), Err(_)) => return Probe::No,
        _ => return Probe::More,
    };
    if speaker == opening.sender { Probe::Match } else { Probe::Reversed }
}

#[derive(Default)]
struct Nx {
    client_version: Option<Text>,
    server_version: Option<Text>,
}

impl Parser for Nx {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let (known, greeting) = match chunk.sender {
            Sender::Client => (&mut self.client_version, CLIENT),
            Sender::Server => (&mut self.server_version, SERVER),
        };
        let mut cursor = Cursor::new(chunk.bytes);
        if known.is_none() {
            match version(&mut cursor, greeting) {
                Ok(read) => *known = read,
                Err(_) if self.client_version.is_none() && self.server_version.is_none() => return Progress::Reject,
                Err(reason) => {
                    self.on_end(facts);
                    return Progress::Malformed(reason);
                }
            }
        }
        let is_known = known.is_some();
        let consumed = chunk.bytes.len().saturating_sub(cursor.len());
        let is_greeted = self.client_version.is_some() && self.server_version.is_some();
        if is_greeted || is_known && goes_on_unseen(cursor, chunk.sender) {
            self.on_end(facts);
            return Progress::Upgrade { to: tls::PROTOCOL, consumed };
        }
        Progress::Continue { consumed }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.client_version.is_none() && self.server_version.is_none() {
            return;
        }
        let mut desktop = RemoteDesktop::default();
        desktop.fields.push_some("nx.client_version", self.client_version.take());
        desktop.fields.push_some("nx.server_version", self.server_version.take());
        facts.push(Statement::RemoteDesktop(Box::new(desktop)));
    }
}

/// Whether what a side says behind its greeting is TLS that the other one, whose greeting is missing, has had a part in: a
/// server's begins with an answer, and a client's second record does.
fn goes_on_unseen(mut cursor: Cursor<'_>, sender: Sender) -> bool {
    const HANDSHAKE: [u8; 2] = [0x16, 0x03];
    if cursor.array() != Some(HANDSHAKE) {
        return false;
    }
    let has_ended = cursor.skip(1).and_then(|()| cursor.vec16()).is_some();
    sender == Sender::Server || has_ended && !cursor.is_empty()
}

/// The version in a greeting line; none where the line is not there whole yet.
fn version(cursor: &mut Cursor<'_>, greeting: &[u8]) -> Result<Option<Text>, &'static str> {
    let mut ahead = *cursor;
    let Some(line) = ahead.until(b'\n') else {
        let seen = cursor.rest();
        let may_be = seen.len() < GREETING_BYTES_MAX && (greeting.starts_with(seen) || seen.starts_with(greeting));
        return if may_be { Ok(None) } else { Err("nx_greeting") };
    };
    let version = line.strip_prefix(greeting).filter(|_| line.len() < GREETING_BYTES_MAX);
    let is_version = |version: &&[u8]| {
        version.first().is_some_and(u8::is_ascii_digit) && version.iter().all(|b| b.is_ascii_digit() || *b == b'.')
    };
    let version = version.filter(is_version).ok_or("nx_greeting")?;
    *cursor = ahead;
    Ok(Some(Text::from_latin1(version)))
}
