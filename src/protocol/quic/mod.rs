//! Datagrams of QUIC in (RFC 9000, RFC 9369, the drafts from 21 on, mvfst, and Google's versions before them), the hellos
//! in their Initial packets out. Those packets are encrypted with keys that anybody can make who sees the first one; all
//! that follows is not read. A connection whose beginning was not seen is told without its hellos.

pub mod google;
pub mod keys;
pub mod midway;
pub mod version;
pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Hello, Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::tls::fingerprint::Carrier;
use crate::protocol::tls::fragments::Fragments;
use crate::protocol::tls::messages::{Message, Messages};
use crate::protocol::tls::wire::{ClientHello, Framing, ServerHello, handshake};
use crate::protocol::tls::{self, hello};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};

use keys::InitialKeys;
use midway::{Judgement, Midway};
use version::Version;
use wire::{Frame, Header, Initial, Packet};

pub const PROTOCOL: Protocol = Protocol::new(&"quic");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Udp],
    opens_with: &OPENS_WITH,
    probe,
    start,
    fields: &[
        VERSION,
        VERSIONS,
        hello::VERSION,
        hello::VERSION_PROTOCOL,
        hello::CIPHER,
        hello::RESUMED,
        hello::ALERT,
        USER_AGENT,
    ],
};

/// A short header or a long one, or the header of Google's first versions.
const OPENS_WITH: [(u8, u8); 11] = {
    let [a, b, c, d, e, f, g, h] = google::OPENS_WITH;
    let [i, j] = google::ANSWERS_WITH;
    [(0x40, 0xff), a, b, c, d, e, f, g, h, i, j]
};

const VERSION: FieldSpec = FieldSpec {
    name: "quic.version",
    help: "The version of the packet that carried the hello: `1`, `2`, `draft-29`, `mvfst-1`, `Q043`, or in hex.",
};
const VERSIONS: FieldSpec = FieldSpec {
    name: "quic.supported_versions",
    help: "The versions the server offers where it did not take the client's (RFC 9000 §17.2.1).",
};

const USER_AGENT: FieldSpec =
    FieldSpec { name: "user_agent.original", help: "What the client of one of Google's versions says it runs." };

fn start(_: &Start) -> Box<dyn Parser> {
    Box::new(Quic::default())
}

/// The least size of a datagram with a client's Initial packet (RFC 9000 §14.1).
const CLIENT_DATAGRAM_BYTES_MIN: usize = 1200;
/// The least length of the connection identifier a client makes up for the server (RFC 9000 §7.2).
const CLIENT_DESTINATION_BYTES_MIN: usize = 8;

fn probe(opening: &Opening<'_>) -> Probe {
    let is_match = match wire::packet(&mut Cursor::new(opening.bytes)) {
        Some(Packet::Initial(initial)) => initial.header.destination.len() >= CLIENT_DESTINATION_BYTES_MIN,
        Some(Packet::Unknown(header)) => {
            header.version.is_reserved()
                && header.destination.len() >= CLIENT_DESTINATION_BYTES_MIN
                && opening.bytes.len() >= CLIENT_DATAGRAM_BYTES_MIN
        }
        _ => false,
    };
    let is_refusal = google::is_rejection(opening.bytes) || google::version_negotiation(opening.bytes).is_some();
    let sender = if is_refusal {
        Sender::Server
    } else if is_match || google::hello(opening.bytes).is_some() || midway::may_be(opening) {
        midway::role(opening)
    } else {
        return Probe::No;
    };
    if sender == opening.sender { Probe::Match } else { Probe::Reversed }
}

/// One connection, up to the ServerHello.
#[derive(Default)]
struct Quic {
    keys: Option<InitialKeys>,
    /// What the keys were made of: the client's first destination, or what a Retry told it to use.
    destination: Vec<u8>,
    /// The identifiers a client begins with, by which an answer to it is known: destination, source.
    greeting: Option<(Vec<u8>, Vec<u8>)>,
    /// As long as no Initial packet was opened.
    midway: Midway,
    /// The version of the first one that was.
    opened: Option<Version>,
    has_said: bool,
    retried: bool,
    /// A server of Google's did not take the client's version.
    refused: bool,
    client: CryptoStream,
    server: CryptoStream,
    datagrams: u32,
    initials: u32,
    payload: Vec<u8>,
}

/// The handshake bytes of one side.
#[derive(Debug, Default)]
struct CryptoStream {
    fragments: Fragments,
    read_bytes: usize,
    messages: Messages,
    /// It contradicts itself: what follows of it cannot be read.
    is_broken: bool,
}

enum Next {
    Done,
    Packet,
    /// The side's handshake bytes contradict themselves.
    OtherSide,
}

impl Parser for Quic {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let before = facts.len();
        let progress = self.read(chunk, facts);
        self.has_said |= facts.len() > before;
        if matches!(progress, Progress::Done | Progress::Malformed(_)) {
            self.tell_opened(facts);
        }
        progress
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.tell_opened(facts);
        if let (None, Some(version)) = (&self.greeting, self.midway.version) {
            facts.push(begun(version));
        }
    }

    fn kept_bytes(&self) -> usize {
        let of = |stream: &CryptoStream| stream.fragments.kept_bytes().saturating_add(stream.messages.kept_bytes());
        of(&self.client).saturating_add(of(&self.server)).saturating_add(self.payload.len())
    }
}

fn google_hello(chunk: Chunk<'_>) -> Option<Hello> {
    match chunk.sender {
        Sender::Client => google::hello(chunk.bytes),
        Sender::Server => google::is_rejection(chunk.bytes).then(|| Hello::new(Sender::Server)),
    }
}

impl Quic {
    /// The most datagrams that are looked at for the hellos.
    const DATAGRAMS_MAX: u32 = 64;
    /// The most Initial packets that are decrypted for them; a datagram can hold many.
    const INITIALS_MAX: u32 = 64;

    fn read(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        if self.datagrams > Self::DATAGRAMS_MAX {
            self.on_end(facts);
            return Progress::Done;
        }
        if let Some(fact) = google_hello(chunk) {
            facts.push(Statement::Hello(Box::new(fact)));
            return Progress::Done;
        }
        if chunk.sender == Sender::Server
            && let Some((identifier, versions)) = google::version_negotiation(chunk.bytes)
        {
            if self.midway.googles.is_none_or(|asked| asked == identifier) && !self.refused {
                self.refused = true;
                refuse(versions.into_iter(), facts);
            }
            return Progress::Continue { consumed: chunk.bytes.len() };
        }
        let mut datagram = Cursor::new(chunk.bytes);
        while let Some(packet) = wire::packet(&mut datagram) {
            match self.on_packet(packet, chunk.sender, facts) {
                Ok(Next::Packet | Next::OtherSide) => {}
                Ok(Next::Done) => return Progress::Done,
                Err(reason) => return Progress::Malformed(reason),
            }
        }
        if self.greeting.is_none() {
            match self.midway.on_datagram(chunk.bytes, chunk.missing, chunk.sender) {
                Judgement::Foreign => return Progress::Reject,
                Judgement::Quic => {
                    facts.push(Statement::Hello(Box::new(Hello::new(Sender::Client))));
                    return Progress::Done;
                }
                Judgement::Undecided => {}
            }
        }
        Progress::Continue { consumed: chunk.bytes.len() }
    }

    /// A packet that could be opened is QUIC's beyond doubt, even if it brings no hello.
    fn tell_opened(&mut self, facts: &mut Vec<Statement>) {
        if let Some(version) = self.opened.filter(|_| !std::mem::replace(&mut self.has_said, true)) {
            facts.push(begun(version));
        }
    }

    fn on_packet(
        &mut self,
        packet: Packet<'_>,
        sender: Sender,
        facts: &mut Vec<Statement>,
    ) -> Result<Next, &'static str> {
        match packet {
            Packet::Initial(initial) => return self.on_initial(&initial, sender, facts),
            Packet::Retry(_) => self.retried |= sender == Sender::Server,
            Packet::Unknown(header) if sender == Sender::Client => self.greet(header),
            Packet::VersionNegotiation { header, versions } if sender == Sender::Server => {
                self.on_version_negotiation(header, versions, facts);
            }
            Packet::Protected(_) | Packet::Unknown(_) | Packet::VersionNegotiation { .. } => {}
        }
        Ok(Next::Packet)
    }

    fn greet(&mut self, header: Header<'_>) {
        self.greeting = Some((header.destination.into(), header.source.into()));
    }

    /// A server answers with the client's identifiers changed over (RFC 9000 §17.2.1), which nobody else can. The client
    /// then begins again.
    fn on_version_negotiation(&mut self, header: Header<'_>, mut versions: Cursor<'_>, facts: &mut Vec<Statement>) {
        let Some((destination, source)) = &self.greeting else { return };
        if header.source != destination || header.destination != source {
            return;
        }
        self.keys = None;
        self.destination.clear();
        refuse(std::iter::from_fn(|| versions.u32()).map(Version), facts);
    }

    fn on_initial(
        &mut self,
        packet: &Initial<'_>,
        sender: Sender,
        facts: &mut Vec<Statement>,
    ) -> Result<Next, &'static str> {
        self.initials = self.initials.saturating_add(1);
        if self.initials > Self::INITIALS_MAX {
            return Ok(Next::Done);
        }
        let mut payload = std::mem::take(&mut self.payload);
        let next = match self.open(packet, sender, &mut payload) {
            Some(plain) => {
                self.opened.get_or_insert(packet.header.version);
                self.on_payload(plain, packet.header.version, sender, facts)
            }
            None => Ok(Next::Packet),
        };
        self.payload = payload;
        if self.keys.is_none() && sender == Sender::Client && packet.header.version.is_reserved() {
            self.greet(packet.header);
        }
        next
    }

    fn open<'p>(&mut self, packet: &Initial<'_>, sender: Sender, payload: &'p mut Vec<u8>) -> Option<&'p [u8]> {
        let version = packet.header.version;
        // A server may go on in another version than the client began in (RFC 9368 §2.3).
        if self.keys.as_ref().is_some_and(|keys| keys.version != version) {
            let mut keys = InitialKeys::derive(version, &self.destination)?;
            if let Some(len) = keys.open(packet, sender, payload).map(<[u8]>::len) {
                self.keys = Some(keys);
                return payload.get(..len);
            }
        }
        if let Some(keys) = &mut self.keys
            && let Some(len) = keys.open(packet, sender, payload).map(<[u8]>::len)
        {
            return payload.get(..len);
        }
        if sender == Sender::Server || packet.header.destination == self.destination {
            return None;
        }
        let mut keys = InitialKeys::derive(version, packet.header.destination)?;
        let len = keys.open(packet, sender, payload)?.len();
        // After a Retry the client says the same again, to another destination; otherwise it is a new connection.
        if !std::mem::take(&mut self.retried) {
            (self.client, self.server) = (CryptoStream::default(), CryptoStream::default());
        }
        self.keys = Some(keys);
        self.destination = packet.header.destination.into();
        self.greet(packet.header);
        payload.get(..len)
    }

    fn on_payload(
        &mut self,
        plain: &[u8],
        version: Version,
        sender: Sender,
        facts: &mut Vec<Statement>,
    ) -> Result<Next, &'static str> {
        let mut payload = Cursor::new(plain);
        while let Some(frame) = wire::frame(&mut payload, version)? {
            match frame {
                Frame::ConnectionClose { error } => return Ok(on_close(error, version, sender, facts)),
                Frame::Crypto { .. } if self.stream(sender).is_broken => {}
                Frame::Crypto { offset, bytes } => self.stream(sender).fragments.insert(offset, bytes)?,
            }
        }
        let mut stream = std::mem::take(self.stream(sender));
        if let Some(fact) = google::client_hello(stream.fragments.prefix(), version) {
            facts.push(Statement::Hello(Box::new(fact)));
            return Ok(Next::Done);
        }
        let mut input = Cursor::new(stream.fragments.prefix().get(stream.read_bytes..).unwrap_or_default());
        stream.read_bytes = stream.read_bytes.saturating_add(input.len());
        while let Some(message) = stream.messages.next(&mut input)? {
            match on_message(message, version, sender, facts)? {
                Next::Packet => {}
                Next::Done => return Ok(Next::Done),
                Next::OtherSide => {
                    *self.stream(sender) = CryptoStream { is_broken: true, ..CryptoStream::default() };
                    return Ok(Next::OtherSide);
                }
            }
        }
        *self.stream(sender) = stream;
        Ok(Next::Packet)
    }

    const fn stream(&mut self, sender: Sender) -> &mut CryptoStream {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }
}

fn on_message(
    message: Message<'_>,
    version: Version,
    sender: Sender,
    facts: &mut Vec<Statement>,
) -> Result<Next, &'static str> {
    match (message.kind, sender) {
        (handshake::CLIENT_HELLO, Sender::Client) => {
            let hello = ClientHello::parse(message.body, Framing::Stream).ok_or("client_hello")?;
            push(hello::of_client(&hello, Carrier::Quic), version, facts);
            if hello.is_whole {
                return Ok(Next::Packet);
            }
            facts.push(Statement::Malformed("client_hello"));
            Ok(Next::OtherSide)
        }
        (handshake::SERVER_HELLO, Sender::Server) => {
            let hello = ServerHello::parse(message.body).ok_or("server_hello")?;
            push(hello::of_server(&hello, None), version, facts);
            if !hello.is_whole() {
                facts.push(Statement::Malformed("server_hello"));
            }
            Ok(if hello.is_retry { Next::Packet } else { Next::Done })
        }
        _ => Err("unexpected_message"),
    }
}

/// A connection of which nothing is known but the version.
fn begun(version: Version) -> Statement {
    let mut fact = Hello::new(Sender::Client);
    fact.fields.push(VERSION.name, version.to_string());
    Statement::Hello(Box::new(fact))
}

/// A handshake that fails is closed with the alert of TLS (RFC 9001 §4.8).
fn on_close(error: usize, version: Version, sender: Sender, facts: &mut Vec<Statement>) -> Next {
    if let [.., 0x01, description] = error.to_be_bytes()
        && error >> 8 == 1
    {
        push(hello::of_alert(description, sender), version, facts);
    }
    Next::Done
}

fn refuse(versions: impl Iterator<Item = Version>, facts: &mut Vec<Statement>) {
    const VERSIONS_MAX: usize = 16;
    let offered = versions.filter(|version| !version.is_reserved()).take(VERSIONS_MAX);
    let mut fact = Hello::new(Sender::Server);
    fact.fields.push(VERSIONS.name, Value::List(offered.map(|version| version.to_string().into()).collect()));
    facts.push(Statement::Hello(Box::new(fact)));
}

/// The hellos are those of TLS 1.3 (RFC 9001 §4).
fn push(mut fact: Hello, version: Version, facts: &mut Vec<Statement>) {
    fact.inside = Some(tls::PROTOCOL);
    fact.fields.push(VERSION.name, version.to_string());
    facts.push(Statement::Hello(Box::new(fact)));
}
