//! SSH (RFC 4253): identification lines and key exchange offers in, one [`Hello`] with HASSH for each side out. A session
//! that was encrypted already when the capture began is told by its packets.

mod midway;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use arrayvec::ArrayVec;

use crate::facts::{Fingerprint, FingerprintMethod, Hello, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::selection;
use crate::protocol::ssh::midway::{Judgement, Midway};
use crate::protocol::ssh::wire::{Identification, KeyExchange};
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};

pub const PROTOCOL: Protocol = Protocol::new(&"ssh");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(Ssh::new(start)),
    fields: &[
        FieldSpec { name: CLIENT_BANNER, help: "The client's identification line, without CR LF (RFC 4253 §4.2)" },
        FieldSpec { name: SERVER_BANNER, help: "The server's identification line, without CR LF (RFC 4253 §4.2)" },
        FieldSpec {
            name: ESTABLISHED,
            help: "The session was encrypted already when the capture began; it is known by its port and packets.",
        },
    ],
};

const CLIENT_BANNER: &str = "ssh.client_banner";
const SERVER_BANNER: &str = "ssh.server_banner";
const ESTABLISHED: &str = "ssh.established";
const SSH_PORT: u16 = 22;

/// Both sides open alike, so the roles are the flow's, unless it has the well-known port for a client. The server may say
/// lines of text before (RFC 4253 §4.2); as others do that too, these are waited for on the port alone.
fn probe(opening: &Opening<'_>) -> Probe {
    if wire::begins_as_banner(opening.bytes) {
        return of_line(opening.bytes, opening);
    }
    if opening.is_midway && opening.on_port(SSH_PORT) && midway::may_be(opening.bytes) {
        return by_port(opening);
    }
    if !may_have_preamble(opening) {
        return Probe::No;
    }
    let (preamble, line) = wire::behind_preamble(opening.bytes);
    let has_begun = wire::begins_as_banner(line);
    let text = if has_begun { preamble } else { opening.bytes };
    match is_text(text) && text.len() <= wire::PREAMBLE_BYTES_MAX {
        false => Probe::No,
        true if !has_begun => Probe::More,
        // Which then is asked first, wherever the stream is cut.
        true if selection::is_anothers(&Opening { bytes: preamble, ..*opening }, PROTOCOL) => Probe::No,
        true => of_line(line, opening),
    }
}

fn of_line(line: &[u8], opening: &Opening<'_>) -> Probe {
    if Identification::of_line(line).is_some() {
        return by_port(opening);
    }
    if Identification::may_begin(line) { Probe::More } else { Probe::No }
}

fn may_have_preamble(opening: &Opening<'_>) -> bool {
    let is_of_server = match by_port(opening) {
        Probe::Reversed => opening.sender == Sender::Client,
        _ => opening.sender == Sender::Server,
    };
    is_of_server && !opening.is_midway && opening.on_port(SSH_PORT)
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\r' | b'\n'))
}

const fn by_port(opening: &Opening<'_>) -> Probe {
    let is_reversed = opening.client_port == SSH_PORT && opening.server_port != SSH_PORT;
    if is_reversed { Probe::Reversed } else { Probe::Match }
}

/// Both sides up to their key exchange offers; what follows is encrypted.
struct Ssh {
    /// As long as neither side of a flow that began before the capture has introduced itself.
    midway: Option<Midway>,
    client: Side,
    server: Side,
}

#[derive(Default)]
struct Side {
    banner: Option<Banner>,
    /// What there is of one whose line has not ended.
    begun: Option<Banner>,
    /// Its hello was given.
    said: bool,
}

struct Banner {
    line: Text,
    software: Text,
    is_version_1: bool,
}

impl Banner {
    fn of(identification: &Identification<'_>) -> Self {
        Self {
            line: Text::from_utf8(identification.line),
            software: Text::from_utf8(identification.software),
            is_version_1: identification.is_version_1(),
        }
    }
}

impl Parser for Ssh {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(midway) = self.midway.as_mut().filter(|_| !wire::begins_as_banner(chunk.bytes)) {
            return match midway.on_segment(chunk.bytes, chunk.sender) {
                Judgement::Foreign => Progress::Reject,
                Judgement::Undecided => Progress::Continue { consumed: chunk.bytes.len() },
                Judgement::Ssh => {
                    facts.push(established());
                    Progress::Done
                }
            };
        }
        self.midway = None;
        let mut cursor = Cursor::new(chunk.bytes);
        if let Err(reason) = self.read(chunk.sender, &mut cursor, facts) {
            self.on_end(facts);
            return Progress::Malformed(reason);
        }
        if self.client.said && self.server.said {
            return Progress::Done;
        }
        let rest_len = if self.side(chunk.sender).said { 0 } else { cursor.len() };
        Progress::Continue { consumed: chunk.bytes.len().saturating_sub(rest_len) }
    }

    /// A side that said no more than its banner, or not even all of that.
    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        for sender in [Sender::Client, Sender::Server] {
            let side = self.side(sender);
            side.banner = side.banner.take().or(side.begun.take());
            self.say(sender, None, facts);
        }
    }
}

fn established() -> Statement {
    let mut hello = Hello::new(Sender::Server);
    hello.fields.push(ESTABLISHED, true);
    Statement::Hello(Box::new(hello))
}

impl Ssh {
    fn new(start: &Start) -> Self {
        let midway = start.is_midway.then(Midway::default);
        Self { midway, client: Side::default(), server: Side::default() }
    }

    fn read(
        &mut self,
        sender: Sender,
        cursor: &mut Cursor<'_>,
        facts: &mut Vec<Statement>,
    ) -> Result<(), &'static str> {
        if self.side(sender).said {
            return Ok(());
        }
        if self.side(sender).banner.is_none() {
            let said = cursor.rest();
            let read = wire::identification(cursor);
            let side = self.side(sender);
            if let Ok(Some(identification)) = read {
                (side.banner, side.begun) = (Some(Banner::of(&identification)), None);
            } else {
                side.begun = wire::begun_identification(said).as_ref().map(Banner::of);
                return read.map(|_| ());
            }
        }
        // Version 1 has no such offer; a side that speaks both falls back to it when the other one cannot do more.
        if [&self.client, &self.server].iter().any(|side| side.banner.as_ref().is_some_and(|b| b.is_version_1)) {
            self.say(Sender::Client, None, facts);
            self.say(Sender::Server, None, facts);
            return Ok(());
        }
        if let Some(offer) = wire::key_exchange(cursor)? {
            self.say(sender, Some(&offer), facts);
        }
        Ok(())
    }

    fn say(&mut self, sender: Sender, offer: Option<&KeyExchange<'_>>, facts: &mut Vec<Statement>) {
        let side = self.side(sender);
        let Some(banner) = side.banner.as_ref().filter(|_| !side.said) else { return };
        let mut hello = Hello::new(sender);
        hello.software = Some(banner.software.clone());
        let (field, method) = match sender {
            Sender::Client => (CLIENT_BANNER, FingerprintMethod::Hassh),
            Sender::Server => (SERVER_BANNER, FingerprintMethod::HasshServer),
        };
        hello.fields.push(field, banner.line.clone());
        if let Some(offer) = offer {
            let direction = match sender {
                Sender::Client => offer.client_to_server,
                Sender::Server => offer.server_to_client,
            };
            hello.fingerprints = ArrayVec::from_iter([Fingerprint::new(method, &offer.hassh(direction))]);
        }
        side.said = true;
        facts.push(Statement::Hello(Box::new(hello)));
    }

    const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }
}
