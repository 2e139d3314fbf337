//! Datagrams of DTLS in (1.0 to 1.3, RFC 9147 and before), a hello for each ClientHello, ServerHello, certificate and
//! fatal alert that is sent in clear out; a flow that was encrypted already when the capture began is told by its records.
//! Other datagrams between them (STUN, RTP: RFC 7983) are passed over.
//!
//! A VPN that begins over TLS and goes on over DTLS shows, too: AnyConnect and OpenConnect take a session up that no DTLS
//! began, the older ones in a version of their own.

pub mod carried;
pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Hello, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::tls::fingerprint::Carrier;
use crate::protocol::tls::fragments::Fragments;
use crate::protocol::tls::hello;
use crate::protocol::tls::wire::{ClientHello, FATAL, Framing, ServerHello, alert, content, handshake, is_1_3};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start};

use wire::{Fragment, Record};

pub const PROTOCOL: Protocol = Protocol::new(&"dtls");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Udp],
    opens_with: &[(content::CHANGE_CIPHER_SPEC, content::APPLICATION_DATA), wire::CAPWAP_OPENS_WITH],
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
        FieldSpec {
            name: SIGN,
            help: "Why the flow is taken for AnyConnect: `version`, which nothing else speaks, or `session`, which was begun \
                   elsewhere.",
        },
    ],
};

const SIGN: &str = "anyconnect.sign";
/// What a flow carries that bears the signs of AnyConnect and OpenConnect.
pub const ANYCONNECT: Protocol = Protocol::new(&"anyconnect");
const ANYCONNECT_PORT: u16 = 443;
/// OpenSSL's before RFC 4347 was final.
const CISCOS_VERSION: u16 = 0x0100;

/// Control and data of CAPWAP, whose DTLS has a header of its own before it (RFC 5415 §4.2).
const CAPWAP_PORTS: [u16; 2] = [5246, 5247];

/// Level, description and the shortest authentication (RFC 6347 §4.1.2).
const ENCRYPTED_ALERT_BYTES_MIN: usize = 18;

fn start(start: &Start) -> Box<dyn Parser> {
    let is_capwap = CAPWAP_PORTS.iter().any(|&port| start.on_port(port));
    Box::new(Dtls { is_vpn_port: start.server_port == ANYCONNECT_PORT, is_capwap, ..Dtls::default() })
}

fn probe(opening: &Opening<'_>) -> Probe {
    let is_capwap = CAPWAP_PORTS.iter().any(|&port| opening.on_port(port));
    let datagram = if is_capwap { wire::behind_capwap(opening.bytes) } else { opening.bytes };
    match first_message(datagram) {
        Some(from) if from == opening.sender => Probe::Match,
        Some(_) => Probe::Reversed,
        None if is_encrypted(datagram) => Probe::Match,
        None => Probe::No,
    }
}

/// Amid a session: records that fill the datagram, an encrypted one among them.
fn is_encrypted(datagram: &[u8]) -> bool {
    let mut rest = Cursor::new(datagram);
    let mut is_encrypted = false;
    while let Some(record) = wire::record(&mut rest) {
        let fits = match (record.content, record.epoch) {
            // Of the version of Cisco's, three bytes.
            (content::CHANGE_CIPHER_SPEC, 0) => matches!(record.body, [1] | [1, _, _]),
            (content::HANDSHAKE, 0) => Fragment::read(&mut Cursor::new(record.body)).is_some(),
            (content::APPLICATION_DATA | content::HANDSHAKE, 1..) => !record.body.is_empty(),
            (content::ALERT, 1..) => record.body.len() >= ENCRYPTED_ALERT_BYTES_MIN,
            _ => false,
        };
        if !fits {
            return false;
        }
        is_encrypted |= record.epoch > 0;
    }
    is_encrypted && rest.is_empty()
}

/// Who sends a datagram that begins with a hello in clear.
pub fn first_message(datagram: &[u8]) -> Option<Sender> {
    let record = wire::record(&mut Cursor::new(datagram))?;
    if record.content != content::HANDSHAKE || record.epoch != 0 {
        return None;
    }
    let fragment = Fragment::read(&mut Cursor::new(record.body))?;
    let is_sane = fragment.len <= Fragments::BYTES_MAX && fragment.sequence <= 1 && !fragment.bytes.is_empty();
    match fragment.kind {
        handshake::CLIENT_HELLO if is_sane => Some(Sender::Client),
        handshake::SERVER_HELLO | handshake::HELLO_VERIFY_REQUEST if is_sane => Some(Sender::Server),
        _ => None,
    }
}

/// One connection, up to the change to encryption.
#[derive(Debug, Default)]
struct Dtls {
    client: Side,
    server: Side,
    /// The session the last ClientHello offered to go on with.
    offered_session_id: Option<Vec<u8>>,
    /// What its hello says for a VPN.
    sign: Option<&'static str>,
    is_vpn_port: bool,
    is_capwap: bool,
    /// The server asked for the hello once more, with a cookie (RFC 6347 §4.2.1).
    has_asked_again: bool,
    has_said: bool,
    datagrams: u32,
}

#[derive(Debug, Default)]
struct Side {
    /// Messages that have begun.
    partial: Vec<Partial>,
    /// The sequence numbers of the messages that were read: a bit each, so that one sent again is not told again.
    read: u64,
    /// The side encrypts.
    is_over: bool,
}

#[derive(Debug)]
struct Partial {
    kind: u8,
    len: usize,
    sequence: u16,
    fragments: Fragments,
}

enum Next {
    Done,
    Record,
}

impl Parser for Dtls {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.datagrams = self.datagrams.saturating_add(1);
        if self.datagrams > Self::DATAGRAMS_MAX {
            return Progress::Done;
        }
        let bytes = if self.is_capwap { wire::behind_capwap(chunk.bytes) } else { chunk.bytes };
        let mut datagram = Cursor::new(bytes);
        if datagram.peek().is_some_and(wire::is_unified_header) {
            self.side(chunk.sender).is_over = true;
        }
        while let Some(record) = wire::record(&mut datagram) {
            match self.on_record(record, chunk.sender, facts) {
                Ok(Next::Record) => {}
                Ok(Next::Done) => return Progress::Done,
                Err(reason) => return Progress::Malformed(reason),
            }
        }
        if self.client.is_over && self.server.is_over {
            return Progress::Done;
        }
        Progress::Continue { consumed: chunk.bytes.len() }
    }

    /// Of a hello that was not seen, or not whole, there is no more to say than that it was one.
    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        let has_begun = |side: &Side| side.partial.iter().any(|partial| partial.kind == handshake::CLIENT_HELLO);
        if self.is_unheard() && has_begun(&self.client) {
            facts.push(Statement::Hello(Box::new(Hello::new(Sender::Client))));
        } else if self.is_unheard() && self.has_asked_again {
            facts.push(Statement::Hello(Box::new(Hello::new(Sender::Server))));
        }
    }

    fn kept_bytes(&self) -> usize {
        let partial = self.client.partial.iter().chain(&self.server.partial);
        partial.fold(0, |all, message| all.saturating_add(message.fragments.kept_bytes()))
    }
}

impl Dtls {
    /// The most datagrams that are looked at.
    const DATAGRAMS_MAX: u32 = 96;

    const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }

    const fn is_unheard(&self) -> bool {
        self.client.read == 0 && self.server.read == 0 && !self.client.is_over && !self.server.is_over
    }

    fn on_record(
        &mut self,
        record: Record<'_>,
        sender: Sender,
        facts: &mut Vec<Statement>,
    ) -> Result<Next, &'static str> {
        if record.epoch > 0 {
            let is_told = matches!(record.content, content::ALERT | content::APPLICATION_DATA | content::HANDSHAKE);
            if is_told && self.is_unheard() {
                facts.push(Statement::Hello(Box::new(hello::of_established(sender))));
                return Ok(Next::Done);
            }
            self.side(sender).is_over = true;
            return Ok(Next::Record);
        }
        match record.content {
            content::HANDSHAKE => return self.on_handshake(record.body, sender, facts),
            content::ALERT => {
                if let Some((FATAL, description)) = alert(record.body) {
                    facts.push(Statement::Hello(Box::new(hello::of_alert(description, sender))));
                    return Ok(Next::Done);
                }
            }
            _ => {}
        }
        Ok(Next::Record)
    }

    fn on_handshake(&mut self, body: &[u8], sender: Sender, facts: &mut Vec<Statement>) -> Result<Next, &'static str> {
        let mut body = Cursor::new(body);
        while !body.is_empty() {
            let fragment = Fragment::read(&mut body).ok_or("handshake_fragment")?;
            self.has_asked_again |= sender == Sender::Server && fragment.is_hello_verify_request();
            let Some(message) = self.side(sender).join(fragment)? else { continue };
            if matches!(self.on_message(&message, fragment.kind, sender, facts)?, Next::Done) {
                return Ok(Next::Done);
            }
        }
        Ok(Next::Record)
    }

    /// A session that a client of no name takes up with its first hello was begun by another connection.
    fn sign_of(&self, hello: &ClientHello<'_>) -> Option<&'static str> {
        if hello.session_id.len() != 32 || hello.server_name().is_some() {
            return None;
        }
        match hello.legacy_version {
            CISCOS_VERSION => Some("version"),
            _ => self.is_vpn_port.then_some("session"),
        }
    }

    fn on_message(
        &mut self,
        body: &[u8],
        kind: u8,
        sender: Sender,
        facts: &mut Vec<Statement>,
    ) -> Result<Next, &'static str> {
        match (kind, sender) {
            (handshake::CLIENT_HELLO, Sender::Client) => {
                let hello = ClientHello::parse(body, Framing::Datagram)
                    .filter(|hello| hello.is_whole || wire::is_record_version(hello.legacy_version))
                    .ok_or("client_hello")?;
                let whole = Some(&hello).filter(|hello| hello.is_whole);
                self.sign = whole.and_then(|hello| self.sign_of(hello));
                self.offered_session_id = whole.map(|hello| hello.session_id.into());
                self.say(hello::of_client(&hello, Carrier::Dtls), facts);
                // The messages behind it stand in datagrams of their own.
                if !hello.is_whole {
                    facts.push(Statement::Malformed("client_hello"));
                }
            }
            (handshake::SERVER_HELLO, Sender::Server) => {
                let hello = ServerHello::parse(body).ok_or("server_hello")?;
                self.say(hello::of_server(&hello, self.offered_session_id.as_deref()), facts);
                if !hello.is_whole() {
                    facts.push(Statement::Malformed("server_hello"));
                }
                facts.extend(self.sign.take().map(anyconnect));
                if is_1_3(hello.version()) && !hello.is_retry {
                    return Ok(Next::Done);
                }
            }
            (handshake::CERTIFICATE, _) => {
                let Some(fact) = hello::of_certificates(body, sender)? else { return Ok(Next::Record) };
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

    fn say(&mut self, fact: Hello, facts: &mut Vec<Statement>) {
        self.has_said = true;
        facts.push(Statement::Hello(Box::new(fact)));
    }
}

fn anyconnect(sign: &'static str) -> Statement {
    let mut tunnel =
        Tunnel { protocol: Some(ANYCONNECT), ..Tunnel::new(TunnelBasis::Request, Confidence::Likely, true) };
    tunnel.fields.push(SIGN, sign);
    Statement::Tunnel(Box::new(tunnel))
}

impl Side {
    /// The most messages that are put together at a time.
    const PARTIAL_MAX: usize = 4;

    /// Takes a fragment; gives the body of its message once that is whole.
    fn join(&mut self, fragment: Fragment<'_>) -> Result<Option<Vec<u8>>, &'static str> {
        let is_wanted =
            matches!(fragment.kind, handshake::CLIENT_HELLO | handshake::SERVER_HELLO | handshake::CERTIFICATE);
        let bit = 1_u64.checked_shl(u32::from(fragment.sequence)).unwrap_or(0);
        if !is_wanted || bit == 0 || self.read & bit != 0 {
            return Ok(None);
        }
        if fragment.bytes.len() == fragment.len {
            self.read |= bit;
            return Ok(Some(fragment.bytes.into()));
        }
        let known = self.partial.iter().position(|partial| partial.sequence == fragment.sequence);
        let at = known.unwrap_or(self.partial.len());
        if at >= Self::PARTIAL_MAX {
            return Err("fragmented_messages");
        }
        if known.is_none() {
            let Fragment { kind, len, sequence, .. } = fragment;
            self.partial.push(Partial { kind, len, sequence, fragments: Fragments::default() });
        }
        let Some(partial) = self.partial.get_mut(at) else { return Ok(None) };
        if (partial.kind, partial.len) != (fragment.kind, fragment.len) {
            return Err("handshake_fragment");
        }
        partial.fragments.insert(fragment.offset, fragment.bytes)?;
        let Some(message) = partial.fragments.prefix().get(..partial.len).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.read |= bit;
        self.partial.swap_remove(at);
        Ok(Some(message))
    }
}
