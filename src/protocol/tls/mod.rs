//! A TLS stream in (SSL 3.0 to TLS 1.3, RFC 8446 and before), a hello for each ClientHello, ServerHello, certificate and
//! fatal alert that is sent in clear out. Of what follows the change to encryption the first lengths are looked at, by which a
//! second handshake shows (`inside`); a flow that was encrypted already when the capture began is told by its records.

pub mod carried;
pub mod certificate;
pub mod fingerprint;
pub mod fragments;
pub mod hello;
mod inside;
pub mod messages;
mod midway;
mod sslv2;
pub mod wire;

#[cfg(test)]
mod inside_tests;
#[cfg(test)]
mod malformed_tests;
#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Hello, Sender, Shape, Statement};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};

use fingerprint::Carrier;
use inside::{Inside, Verdict};
use messages::{Message, Messages};
use wire::{ClientHello, Framing, Record, ServerHello, content, handshake};

pub const PROTOCOL: Protocol = Protocol::new(&"tls");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(content::CHANGE_CIPHER_SPEC, content::HEARTBEAT), sslv2::OPENS_WITH],
    probe,
    start,
    fields: &[
        hello::VERSION,
        hello::VERSION_PROTOCOL,
        hello::CIPHER,
        hello::RESUMED,
        hello::HELLO_RETRY,
        hello::ALERT,
        hello::ESTABLISHED,
    ],
};

/// Type, length and version of a hello.
const MESSAGE_HEAD_BYTES: usize = Messages::HEADER_BYTES + 2;
/// The port of HTTPS, where a single alert says enough.
const PORT: u16 = 443;

fn start(start: &Start) -> Box<dyn Parser> {
    Box::new(Tls { is_midway: start.is_midway, is_on_port: start.on_port(PORT), ..Tls::default() })
}

fn probe(opening: &Opening<'_>) -> Probe {
    let mut cursor = Cursor::new(opening.bytes);
    match cursor.peek() {
        Some(content::HANDSHAKE) => match first_message(&mut cursor) {
            Some(Ok(from)) => role(Probe::Match, from, opening.sender),
            Some(Err(())) if opening.is_midway => amid(opening),
            Some(Err(())) => Probe::No,
            None => Probe::More,
        },
        Some(content::APPLICATION_DATA) => encrypted_record(&mut cursor, opening.is_midway),
        Some(content::CHANGE_CIPHER_SPEC | content::ALERT | content::HEARTBEAT) if opening.is_midway => amid(opening),
        // The parser sees whether it says enough.
        Some(content::ALERT) => midway::begins_with_alert(opening.bytes),
        Some(content::CHANGE_CIPHER_SPEC | content::HEARTBEAT) => Probe::No,
        _ => role(sslv2::probe(opening.bytes), Sender::Client, opening.sender),
    }
}

fn amid(opening: &Opening<'_>) -> Probe {
    let (probe, from) = midway::probe(opening.bytes);
    role(probe, from.unwrap_or(opening.sender), opening.sender)
}

/// Amid a session: a record that ends where the next one begins. Where the capture began amid the flow, its segments may
/// stand alone, and one that ends with the bytes will do.
fn encrypted_record(cursor: &mut Cursor<'_>, is_midway: bool) -> Probe {
    let version = cursor.rest().get(1..3);
    match Record::read(cursor) {
        Err(_) => Probe::No,
        Ok(None) => Probe::More,
        Ok(Some(record)) if record.body.is_empty() => Probe::No,
        Ok(Some(_)) if cursor.is_empty() && is_midway => Probe::Match,
        // The parser waits for the other side's.
        Ok(Some(record)) if cursor.is_empty() && record.body.len() >= midway::ENCRYPTED_BYTES_MIN => Probe::Match,
        Ok(Some(_)) if cursor.is_empty() => Probe::More,
        Ok(Some(_)) if cursor.peek() != Some(content::APPLICATION_DATA) => Probe::No,
        Ok(Some(_)) if cursor.len() < 3 => Probe::More,
        Ok(Some(_)) if cursor.rest().get(1..3) == version => Probe::Match,
        Ok(Some(_)) => Probe::No,
    }
}

fn role(probe: Probe, from: Sender, sender: Sender) -> Probe {
    if probe == Probe::Match && from != sender { Probe::Reversed } else { probe }
}

/// Who sends what the stream begins with, where it begins with a hello. None as long as that cannot be told.
fn first_message(cursor: &mut Cursor<'_>) -> Option<Result<Sender, ()>> {
    cursor.skip(1)?;
    if !wire::is_record_version(cursor.u16()?) {
        return Some(Err(()));
    }
    let record_len = usize::from(cursor.u16()?);
    let from = match cursor.u8()? {
        handshake::CLIENT_HELLO => Sender::Client,
        handshake::SERVER_HELLO => Sender::Server,
        _ => return Some(Err(())),
    };
    if record_len == 0 || record_len > Record::BODY_BYTES_MAX {
        return Some(Err(()));
    }
    // A record as short as this one cuts the header of the message; the parser will see.
    if record_len < MESSAGE_HEAD_BYTES {
        return Some(Ok(from));
    }
    let len = usize::try_from(cursor.u24()?).unwrap_or(usize::MAX);
    let is_known = is_version_of(from, cursor.u16()?);
    // One that is too short for what a ClientHello must have is told by two lengths that agree.
    let is_filled = from == Sender::Client && len >= 2 && record_len.checked_sub(Messages::HEADER_BYTES) == Some(len);
    let has_len = is_filled || (38..=Messages::MESSAGE_BYTES_MAX).contains(&len);
    Some(if has_len && is_known { Ok(from) } else { Err(()) })
}

/// Whether a version can stand in the hello of this side.
const fn is_version_of(sender: Sender, version: u16) -> bool {
    match sender {
        Sender::Client => wire::is_offered_version(version),
        Sender::Server => wire::is_record_version(version) || wire::is_1_3(version),
    }
}

/// Whether a stream begins with a ClientHello. None as long as that cannot be told.
pub(super) fn begins_with_client_hello(bytes: &[u8]) -> Option<bool> {
    if bytes.first().is_some_and(|&first| first != content::HANDSHAKE) {
        return Some(false);
    }
    first_message(&mut Cursor::new(bytes)).map(|from| from == Ok(Sender::Client))
}

/// Whether a record begins with the hello of this side. One too short for the head of a message is left to its end.
fn begins_with_hello(mut cursor: Cursor<'_>, sender: Sender) -> bool {
    let mut len = cursor;
    let has_head = len.skip(3).and_then(|()| len.u16()).is_some_and(|len| usize::from(len) >= MESSAGE_HEAD_BYTES);
    has_head
        && cursor.peek() == Some(content::HANDSHAKE)
        && matches!(first_message(&mut cursor), Some(Ok(from)) if from == sender)
}

/// One TLS connection. It can also be started amid a flow, where another protocol hands over to TLS.
#[derive(Debug, Default)]
struct Tls {
    client: Side,
    server: Side,
    /// The session the last ClientHello offered to go on with.
    offered_session_id: Option<Vec<u8>>,
    /// A ServerHello up to TLS 1.2 was seen: a side that changes its cipher encrypts.
    is_agreed: bool,
    /// Who began with a hello whose end has not come, or amid a connection.
    begun: Option<Sender>,
    /// The beginning of the connection was not seen.
    is_midway: bool,
    is_on_port: bool,
    has_said: bool,
    /// A ClientHello contradicted itself, which is counted with the next that is told.
    has_broken_hello: bool,
    /// Whose first record is encrypted though its beginning was seen, and the version of it.
    encrypted: Option<(Sender, u16)>,
    /// What is carried behind the handshake, as long as that may be another one.
    inside: Option<Inside>,
    shape: Option<Shape>,
}

#[derive(Debug, Default)]
struct Side {
    messages: Messages,
    stage: Stage,
    /// Not of SSL 2.0, whose hello comes first.
    has_records: bool,
    /// The level and the description of the alert that it began with.
    alert: Option<(u8, u8)>,
}

impl Side {
    /// Nothing more is read of it, nor kept.
    fn end(&mut self) {
        self.stage = Stage::Over;
        self.messages = Messages::default();
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    #[default]
    Unheard,
    /// Handshake messages are sent in clear.
    Clear,
    /// It changed its cipher before keys can have been agreed on, or the agreement was not seen: what follows is a
    /// second hello (RFC 8446 §D.4), or encrypted.
    Doubtful,
    /// Nothing more can be read: the side encrypts, or bytes of it were lost.
    Over,
}

enum Next {
    Done,
    Record,
    /// The side contradicts itself: what follows of it cannot be read.
    OtherSide,
}

impl Parser for Tls {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        // The end of its hello was lost.
        if let Some(sender) = self.begun
            && self.side(sender).stage == Stage::Over
        {
            self.tell_begun(facts);
        }
        match self.read(chunk, facts) {
            Ok(progress) => progress,
            Err(reason) => Progress::Malformed(reason),
        }
    }

    /// A side with a hole cannot be read on; the other one can, once it is known that it is TLS.
    fn on_gap(&mut self, sender: Sender, _len: u32) -> Progress {
        if self.begun.is_none() && !self.has_said {
            return Progress::Done;
        }
        self.inside = None;
        self.side(sender).stage = Stage::Over;
        self.progress(0)
    }

    /// A hello that the capture cut short says at least that it was one.
    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.tell_begun(facts);
        if self.is_on_port && self.is_unheard() && self.encrypted.is_none() && !self.has_said {
            self.tell_alerts(facts);
        }
    }

    fn shape(&self) -> Option<Shape> {
        self.shape
    }

    fn is_watching(&self) -> bool {
        self.is_over() && self.inside.is_some()
    }

    fn kept_bytes(&self) -> usize {
        self.client.messages.kept_bytes().saturating_add(self.server.messages.kept_bytes())
    }
}

impl Tls {
    const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }

    fn is_unheard(&self) -> bool {
        self.client.stage == Stage::Unheard && self.server.stage == Stage::Unheard
    }

    fn is_over(&self) -> bool {
        self.client.stage == Stage::Over && self.server.stage == Stage::Over
    }

    fn progress(&self, consumed: usize) -> Progress {
        if self.is_over() && self.inside.is_none() { Progress::Done } else { Progress::Continue { consumed } }
    }

    fn read(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Result<Progress, &'static str> {
        let mut cursor = Cursor::new(chunk.bytes);
        let side = self.side(chunk.sender);
        if side.stage == Stage::Unheard && !side.has_records && cursor.peek().is_some_and(sslv2::opens_with) {
            let Some(opening) = sslv2::read(&mut cursor)? else { return Ok(Progress::Continue { consumed: 0 }) };
            if matches!(self.on_sslv2(opening, chunk.sender, facts)?, Next::Done) {
                return Ok(Progress::Done);
            }
        }
        while self.side(chunk.sender).stage != Stage::Over {
            if self
                .encrypted
                .is_some_and(|(_, version)| !Record::may_begin_with(cursor, content::APPLICATION_DATA, version))
            {
                return Err("unexpected_record");
            }
            let Some(record) = Record::read(&mut cursor)? else {
                if self.is_unheard() && begins_with_hello(cursor, chunk.sender) {
                    self.begun.get_or_insert(chunk.sender);
                }
                if self.is_midway && midway::begins_with_certificate(cursor) {
                    self.begun.get_or_insert(chunk.sender);
                }
                if let Some((first, version)) = self.encrypted
                    && Record::begins_with(cursor, content::APPLICATION_DATA, version)
                {
                    established(first, facts);
                    return Ok(Progress::Done);
                }
                return Ok(Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) });
            };
            self.side(chunk.sender).has_records = true;
            if matches!(self.on_record(record, chunk.sender, facts)?, Next::Done) {
                return Ok(Progress::Done);
            }
        }
        Ok(self.look_inside(chunk, cursor))
    }

    /// What is behind the handshake of a side.
    fn look_inside(&mut self, chunk: Chunk<'_>, mut cursor: Cursor<'_>) -> Progress {
        if let Some(inside) = &mut self.inside {
            match inside.on_bytes(chunk.sender, &mut cursor) {
                Verdict::More => {
                    return Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) };
                }
                Verdict::No => self.inside = None,
                Verdict::Found(shape) => {
                    self.inside = None;
                    self.shape = Some(shape);
                }
            }
        }
        self.progress(chunk.bytes.len())
    }

    fn on_sslv2(
        &mut self,
        opening: sslv2::Opening,
        sender: Sender,
        facts: &mut Vec<Statement>,
    ) -> Result<Next, &'static str> {
        match (opening, sender) {
            (sslv2::Opening::ClientHello, Sender::Client) => {
                self.client.stage = Stage::Clear;
                self.offered_session_id = Some(Vec::new());
                self.say(Hello::new(Sender::Client), facts);
                Ok(Next::Record)
            }
            (sslv2::Opening::ServerHello(version), Sender::Server) => {
                let mut fact = Hello::new(Sender::Server);
                hello::set_version(&mut fact, version);
                facts.push(Statement::Hello(Box::new(fact)));
                Ok(Next::Done)
            }
            _ => Err("sslv2_hello"),
        }
    }

    fn on_record(
        &mut self,
        record: Record<'_>,
        sender: Sender,
        facts: &mut Vec<Statement>,
    ) -> Result<Next, &'static str> {
        if self.is_midway {
            self.begun.get_or_insert(sender);
        }
        let is_encrypted = record.body.len() >= midway::ENCRYPTED_BYTES_MIN;
        match record.content {
            content::HANDSHAKE => return self.on_handshake(record.body, sender, facts),
            content::ALERT if self.is_opening_alert(record, sender) => {
                self.side(sender).alert = wire::alert(record.body);
                if self.client.alert.is_some() && self.server.alert.is_some() {
                    self.tell_alerts(facts);
                }
            }
            content::ALERT => {
                if let Some((wire::FATAL, description)) = wire::alert(record.body) {
                    facts.push(Statement::Hello(Box::new(hello::of_alert(description, sender))));
                    return Ok(Next::Done);
                }
                if is_encrypted && self.is_midway && !self.has_said {
                    return Ok(established(sender, facts));
                }
            }
            content::HEARTBEAT if is_encrypted && self.is_midway && !self.has_said => {
                return Ok(established(sender, facts));
            }
            content::APPLICATION_DATA if self.is_midway && !self.has_said => return Ok(established(sender, facts)),
            // Where the beginning was seen it takes two of them, of a side or of both.
            content::APPLICATION_DATA if self.is_unheard() => match self.encrypted {
                None => self.encrypted = Some((sender, record.version)),
                Some((first, _)) => return Ok(established(first, facts)),
            },
            // Early data can stand before the second ClientHello too (RFC 8446 §4.2.10).
            content::CHANGE_CIPHER_SPEC | content::APPLICATION_DATA => {
                let is_agreed = self.is_agreed;
                let side = self.side(sender);
                if is_agreed { side.end() } else { side.stage = Stage::Doubtful }
            }
            _ => {}
        }
        Ok(Next::Record)
    }

    /// Whether a side begins with an alert that says too little alone: a server refuses with a fatal one what it was asked.
    fn is_opening_alert(&self, record: Record<'_>, sender: Sender) -> bool {
        let is_refusal = sender == Sender::Server && record.body.first() == Some(&wire::FATAL);
        let is_opening = self.is_unheard() && !self.is_midway && !self.has_said;
        is_opening && !is_refusal && midway::is_alert(record.body)
    }

    /// A flow of nothing but alerts: the fatal ones, or that it is one.
    fn tell_alerts(&mut self, facts: &mut Vec<Statement>) {
        let alerts = [(Sender::Client, self.client.alert), (Sender::Server, self.server.alert)];
        for (sender, alert) in alerts {
            if let Some((wire::FATAL, description)) = alert {
                self.say(hello::of_alert(description, sender), facts);
            }
        }
        let first = alerts.into_iter().find(|(_, alert)| alert.is_some());
        if let Some((sender, _)) = first.filter(|_| !self.has_said) {
            self.say(Hello::new(sender), facts);
        }
    }

    fn on_handshake(&mut self, bytes: &[u8], sender: Sender, facts: &mut Vec<Statement>) -> Result<Next, &'static str> {
        let side = self.side(sender);
        if side.stage == Stage::Doubtful && !opens_with_hello(bytes) {
            side.stage = Stage::Over;
            return Ok(if self.is_midway && !self.has_said { established(sender, facts) } else { Next::Record });
        }
        side.stage = Stage::Clear;
        let mut messages = std::mem::take(&mut side.messages);
        let mut input = Cursor::new(bytes);
        while let Some(message) = messages.next(&mut input)? {
            match self.on_message(message, sender, facts)? {
                Next::Record => {}
                Next::Done => return Ok(Next::Done),
                Next::OtherSide => {
                    self.begun = None;
                    self.side(sender).stage = Stage::Over;
                    return Ok(Next::Record);
                }
            }
        }
        if messages.has_begun_hello(sender) {
            self.begun.get_or_insert(sender);
        }
        self.side(sender).messages = messages;
        Ok(Next::Record)
    }

    fn on_message(
        &mut self,
        message: Message<'_>,
        sender: Sender,
        facts: &mut Vec<Statement>,
    ) -> Result<Next, &'static str> {
        match (message.kind, sender) {
            (handshake::CLIENT_HELLO, Sender::Client) => return Ok(self.on_client_hello(message.body, facts)),
            (handshake::SERVER_HELLO, Sender::Server) => {
                let hello = ServerHello::parse(message.body).ok_or("server_hello")?;
                self.say(hello::of_server(&hello, self.offered_session_id.as_deref()), facts);
                if !hello.is_whole() {
                    facts.push(Statement::Malformed("server_hello"));
                }
                if !hello.is_retry {
                    self.offered_session_id = None;
                    let is_seen = self.client.stage != Stage::Unheard;
                    self.inside = if is_seen { Inside::of(hello.version(), hello.cipher) } else { None };
                }
                if wire::is_1_3(hello.version()) && !hello.is_retry {
                    self.client.end();
                    return Ok(if self.inside.is_some() { Next::OtherSide } else { Next::Done });
                }
                self.is_agreed = !hello.is_retry;
            }
            (handshake::CERTIFICATE, _) => {
                let Some(fact) = hello::of_certificates(message.body, sender)? else { return Ok(Next::Record) };
                let is_decoded = fact.certificate.is_some();
                if is_decoded || !self.has_said {
                    self.say(fact, facts);
                }
                if !is_decoded {
                    facts.push(Statement::Malformed("certificate"));
                }
            }
            _ => return Err("unexpected_message"),
        }
        Ok(Next::Record)
    }

    /// One that contradicts itself is told with what was read of it; the server may answer all the same.
    fn on_client_hello(&mut self, body: &[u8], facts: &mut Vec<Statement>) -> Next {
        let hello = ClientHello::parse(body, Framing::Stream);
        let is_whole = hello.as_ref().is_some_and(|hello| hello.is_whole);
        self.offered_session_id = hello.filter(|_| is_whole).map(|hello| hello.session_id.into());
        self.has_broken_hello |= !is_whole;
        if let Some(hello) = hello.filter(|hello| is_whole || wire::is_offered_version(hello.legacy_version)) {
            self.say(hello::of_client(&hello, Carrier::Tls), facts);
        }
        if is_whole { Next::Record } else { Next::OtherSide }
    }

    fn tell_begun(&mut self, facts: &mut Vec<Statement>) {
        if let Some(sender) = self.begun.filter(|_| !self.has_said) {
            self.say(Hello::new(sender), facts);
        }
    }

    fn say(&mut self, fact: Hello, facts: &mut Vec<Statement>) {
        self.has_said = true;
        facts.push(Statement::Hello(Box::new(fact)));
        if std::mem::take(&mut self.has_broken_hello) {
            facts.push(Statement::Malformed("client_hello"));
        }
    }
}

/// Of a connection that was encrypted before it was first seen there is nothing more to read.
fn established(sender: Sender, facts: &mut Vec<Statement>) -> Next {
    facts.push(Statement::Hello(Box::new(hello::of_established(sender))));
    Next::Done
}

/// Whether a handshake record begins with a hello and not with the noise of an encrypted message.
fn opens_with_hello(bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes);
    let is_hello = matches!(cursor.u8(), Some(handshake::CLIENT_HELLO | handshake::SERVER_HELLO));
    let is_short = cursor.u24().is_some_and(|len| len <= 0xffff);
    is_hello && is_short && cursor.u16() == Some(0x0303)
}
