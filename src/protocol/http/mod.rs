//! A stream of HTTP/1 in (RFC 9112), or of HTTP/2 in clear (RFC 9113), a hello for each host that a client asks for, for
//! its server's first answer and for a change of protocol out; a remote desktop or a tunnel where the request opens one,
//! and what is read of one in a WebSocket. Other paths, queries, cookies and credentials other than names are not looked
//! at. DNS messages in HTTP (RFC 8484) are told as names.
//!
//! A CONNECT is told as a hello with that method, not as a tunnel: every browser behind a proxy sends one for each
//! server. What is spoken through it is read by its own protocol.

pub mod gateways;
mod hpack;
mod http2;
mod side;
mod told;
mod websocket;
pub mod wire;

#[cfg(test)]
mod lenience_tests;
#[cfg(test)]
mod target_tests;
#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Fields, Hello, Outcome, RemoteDesktop, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::gss::LogOn;
use crate::protocol::selection::{self, Inner};
use crate::protocol::{
    Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start, dns, guacamole, ntlm,
};

use http2::{Http2, Said};
use side::{Chunks, Place, Side};
use told::Told;
use websocket::WebSocket;
use wire::{Body, FirstLine, Head, Method};

pub const PROTOCOL: Protocol = Protocol::new(&"http");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(b'\r', b'\r'), (b'A', b'Z'), (b'a', b'z')],
    probe,
    start,
    fields: &[VERSION, METHOD, TARGET_FORM, CONTENT_TYPE, DOMAIN, PORT, USER_AGENT, STATUS, SERVER, UPGRADE],
};

const VERSION: FieldSpec = FieldSpec {
    name: "http.version",
    help: "`2`, where the client begins with the preface of HTTP/2 (RFC 9113 §3.4).",
};
const CONTENT_TYPE: FieldSpec = FieldSpec {
    name: "http.request.content_type",
    help: "What the client says the request's body is (RFC 9110 §8.3): `application/grpc`.",
};
pub(super) const METHOD: FieldSpec =
    FieldSpec { name: "http.request.method", help: "The method of the request (RFC 9110 §9)." };
const TARGET_FORM: FieldSpec = FieldSpec {
    name: "http.request.target_form",
    help: "`authority` where a proxy is asked for a tunnel (CONNECT), `absolute` where the request names its host in the \
           target, as to a proxy (RFC 9112 §3.2).",
};
const DOMAIN: FieldSpec = FieldSpec {
    name: "url.domain",
    help: "The host asked for, in lower case and without its port; an IPv6 address in brackets. Of a server: where the \
           tunnel leads that it opened as a proxy.",
};
const PORT: FieldSpec =
    FieldSpec { name: "url.port", help: "The port of the host asked for, where the client says it." };
pub(super) const USER_AGENT: FieldSpec =
    FieldSpec { name: "user_agent.original", help: "What the client says it runs." };
pub(super) const STATUS: FieldSpec =
    FieldSpec { name: "http.response.status_code", help: "The status of the response." };
pub(super) const SERVER: FieldSpec = FieldSpec { name: "http.server", help: "What the server says it runs." };
const UPGRADE: FieldSpec = FieldSpec {
    name: "http.upgrade",
    help: "The protocol that both sides go on with: `websocket`, `h2c` (RFC 9110 §7.8).",
};

fn start(start: &Start) -> Box<dyn Parser> {
    Box::new(Http::new(*start))
}

fn probe(opening: &Opening<'_>) -> Probe {
    match (wire::is_preface(opening.bytes), opening.sender) {
        (Some(true), Sender::Client) => return Probe::Match,
        (Some(true), Sender::Server) => return Probe::Reversed,
        (None, _) => return Probe::More,
        (Some(false), _) => {}
    }
    // An empty line before the first request is passed over (RFC 9112 §2.2).
    let bytes = match opening.bytes {
        [b'\r'] => return Probe::More,
        [b'\r', b'\n', rest @ ..] => rest,
        bytes => bytes,
    };
    match (wire::first_line(bytes), opening.sender) {
        // Without a version there must be no doubt about where it begins.
        (Ok(Some(FirstLine::Request { is_simple: true, .. })), sender)
            if opening.is_midway || sender == Sender::Server =>
        {
            Probe::No
        }
        // The end of something else makes no method of the one behind it.
        (Ok(Some(FirstLine::Request { method: Method::Other(_), .. })), _) if opening.is_midway => Probe::No,
        (Ok(None), _) if opening.is_midway && !wire::opens_as_known(bytes) => Probe::No,
        (Ok(Some(FirstLine::Response { .. })), _) if bytes.len() < opening.bytes.len() => Probe::No,
        (Ok(None), _) => Probe::More,
        (Ok(Some(FirstLine::Request { .. })), Sender::Client)
        | (Ok(Some(FirstLine::Response { .. })), Sender::Server) => Probe::Match,
        (Ok(Some(_)), _) => Probe::Reversed,
        (Err(_), _) => Probe::No,
    }
}

struct Http {
    start: Start,
    client: Side,
    server: Side,
    told: Told,
    /// The user name told last.
    user: Option<Text>,
    log_on: LogOn,
    requests: u32,
    hellos: u32,
    /// The answer to the last request has a body's length and no body (HEAD).
    is_bodiless: bool,
    tunnel: Tunnel,
    /// Where a proxy is to open a tunnel to.
    asked: Option<Text>,
    /// A gateway's request was told.
    has_opened: bool,
    /// Once the client began with it, or both sides went on with it.
    http2: Option<Box<Http2>>,
    is_http2: bool,
    /// Once both sides went on with one.
    web_socket: Option<Box<WebSocket>>,
    /// What the first line of a head said whose end has not come, and who sent it.
    begun: Option<(Sender, Statement)>,
    /// The client asks as in HTTP/0.9.
    asks_simply: bool,
}

/// How far a client has come with CONNECT.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Tunnel {
    No,
    Asked,
    Open,
}

impl Parser for Http {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(web_socket) = &mut self.web_socket {
            let progress = web_socket.on_bytes(chunk, facts);
            if !matches!(progress, Progress::Continue { .. }) {
                self.log_on.on_end(facts);
            }
            return progress;
        }
        if self.http2.is_none() && self.requests == 0 && !self.side(chunk.sender).has_begun {
            match chunk.sender {
                Sender::Client => match wire::is_preface(chunk.bytes) {
                    Some(true) => self.http2 = Some(Box::default()),
                    None => return Progress::Continue { consumed: 0 },
                    Some(false) => {}
                },
                Sender::Server if http2::is_server_preface(chunk.bytes) != Some(false) => {
                    return Progress::Continue { consumed: 0 };
                }
                Sender::Server => {}
            }
        }
        let progress = match self.http2.take() {
            Some(http2) => self.read_http2(http2, chunk, facts),
            None => self.read(chunk, facts),
        };
        let progress = progress.unwrap_or_else(Progress::Malformed);
        self.side(chunk.sender).has_begun |= !matches!(progress, Progress::Continue { consumed: 0 });
        if !matches!(progress, Progress::Continue { .. }) {
            self.say_preface(facts);
            self.log_on.on_end(facts);
        }
        progress
    }

    /// A head that the capture cut short says at least its first line.
    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.log_on.on_end(facts);
        self.say_preface(facts);
        if let Some(web_socket) = &mut self.web_socket {
            web_socket.on_end(facts);
        }
        self.say_begun(facts);
    }

    /// Where the next head begins is not known any more; a client's next turn may begin with one.
    fn on_gap(&mut self, sender: Sender, len: u32) -> Progress {
        if self.http2.is_some() || self.web_socket.is_some() {
            return Progress::Done;
        }
        let has_tunnel = self.tunnel != Tunnel::No;
        let side = self.side(sender);
        match side.body_bytes.checked_sub(u64::from(len)) {
            Some(left) => side.body_bytes = left,
            None if sender == Sender::Server || has_tunnel => side.is_over = true,
            None => *side = Side::at(Place::Perhaps, side.has_spoken),
        }
        self.progress(0)
    }

    fn kept_bytes(&self) -> usize {
        let inside = self.web_socket.as_ref().map_or(0, |web_socket| web_socket.kept_bytes());
        let asked = self.asked.as_ref().map_or(0, |domain| domain.as_str().len());
        inside.saturating_add(asked).saturating_add(self.told.kept_bytes())
    }
}

impl Http {
    /// The most requests of a connection that are read, and the most that are told of: a proxy's client asks many servers.
    const REQUESTS_MAX: u32 = 1024;
    const HELLOS_MAX: u32 = 512;

    fn new(start: Start) -> Self {
        Self {
            start,
            client: Side::default(),
            server: Side::default(),
            told: Told::default(),
            user: None,
            log_on: LogOn::default(),
            requests: 0,
            hellos: 0,
            is_bodiless: false,
            tunnel: Tunnel::No,
            asked: None,
            has_opened: false,
            http2: None,
            is_http2: false,
            web_socket: None,
            begun: None,
            asks_simply: false,
        }
    }

    const fn side(&mut self, sender: Sender) -> &mut Side {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }

    const fn progress(&self, consumed: usize) -> Progress {
        if self.client.is_over { Progress::Done } else { Progress::Continue { consumed } }
    }

    fn read(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Result<Progress, &'static str> {
        let mut cursor = Cursor::new(chunk.bytes);
        let consumed = |cursor: &Cursor<'_>| chunk.bytes.len().saturating_sub(cursor.len());
        if chunk.sender == Sender::Server && self.client.place == Place::Lost {
            self.client.place = Place::Perhaps;
        }
        loop {
            let side = self.side(chunk.sender);
            if side.place == Place::Perhaps && !cursor.is_empty() {
                match wire::first_line(cursor.rest()) {
                    Ok(None) if wire::opens_as_known(cursor.rest()) => return Ok(self.progress(consumed(&cursor))),
                    Ok(Some(FirstLine::Request { method: Method::Known(_), is_simple: false, .. })) => {
                        side.place = Place::Known;
                    }
                    _ => side.place = Place::Lost,
                }
            }
            if side.place == Place::Lost {
                return Ok(self.progress(chunk.bytes.len()));
            }
            side.skip_body(&mut cursor);
            if side.is_over || side.place == Place::Lost {
                return Ok(self.progress(chunk.bytes.len()));
            }
            if cursor.is_empty() || side.is_amid_chunks() {
                return Ok(self.progress(consumed(&cursor)));
            }
            if self.tunnel == Tunnel::Open || (self.tunnel == Tunnel::Asked && chunk.sender == Sender::Client) {
                match self.inner(chunk.sender, cursor.rest()) {
                    // The proxy was asked once more.
                    Inner::Protocol(PROTOCOL) if self.tunnel == Tunnel::Asked => {}
                    Inner::Protocol(to) => return Ok(Progress::Upgrade { to, consumed: consumed(&cursor) }),
                    Inner::More => return Ok(self.progress(consumed(&cursor))),
                    Inner::None => return Ok(Progress::Done),
                }
            }
            if chunk.sender == Sender::Client {
                match cursor.rest() {
                    // Before a request a client may send an empty line too many (RFC 9112 §2.2).
                    [b'\r', b'\n', ..] => {
                        cursor.skip(2);
                        continue;
                    }
                    [b'\r'] => return Ok(self.progress(consumed(&cursor))),
                    _ => {}
                }
            }
            if chunk.sender == Sender::Server && self.is_answered_simply(cursor.peek()) {
                self.say_begun(facts);
                return Ok(Progress::Done);
            }
            let Some(head) = self.head(chunk.sender, &mut cursor)? else {
                self.begin(chunk.sender, cursor.rest());
                return Ok(self.progress(consumed(&cursor)));
            };
            match self.on_head(&head, chunk.sender, facts) {
                Next::Done => return Ok(Progress::Done),
                Next::Head => {}
                Next::Http2 => {
                    let progress = self.read_http2(Box::default(), Chunk { bytes: cursor.rest(), ..chunk }, facts)?;
                    return Ok(behind(consumed(&cursor), progress));
                }
                Next::WebSocket => {
                    let web_socket = self.web_socket.insert(Box::new(WebSocket::new(self.start)));
                    let progress = web_socket.on_bytes(Chunk { bytes: cursor.rest(), ..chunk }, facts);
                    return Ok(behind(consumed(&cursor), progress));
                }
            }
        }
    }

    /// Keeps what the first line of an unfinished head says.
    fn begin(&mut self, sender: Sender, bytes: &[u8]) {
        let Ok(Some(first_line)) = wire::first_line(bytes) else { return };
        let mut fields = Fields::default();
        match (first_line, sender) {
            (FirstLine::Request { method, is_simple, .. }, Sender::Client) => {
                self.asks_simply = is_simple;
                fields.push(METHOD.name, method.value());
            }
            (FirstLine::Response { status }, Sender::Server) => fields.push(STATUS.name, status),
            _ => return,
        }
        self.begun.get_or_insert_with(|| (sender, hello(sender, fields)));
    }

    /// The answer of HTTP/0.9 is the document alone (RFC 1945 §6).
    fn is_answered_simply(&self, first: Option<u8>) -> bool {
        self.asks_simply && !self.server.has_spoken && first == Some(b'<')
    }

    /// A client's head that did not end is told of whatever was answered, a server's only where nothing else was said.
    fn say_begun(&mut self, facts: &mut Vec<Statement>) {
        let Some((sender, begun)) = self.begun.take() else { return };
        if !self.client.has_spoken && (sender == Sender::Client || !self.server.has_spoken) {
            facts.push(begun);
        }
    }

    /// A client that began with HTTP/2, and whose first request cannot be read, is told of all the same.
    fn say_preface(&self, facts: &mut Vec<Statement>) {
        if self.is_http2 && self.requests == 0 {
            let mut fields = Fields::default();
            fields.push(VERSION.name, "2");
            facts.push(hello(Sender::Client, fields));
        }
    }

    fn read_http2(
        &mut self,
        mut http2: Box<Http2>,
        chunk: Chunk<'_>,
        facts: &mut Vec<Statement>,
    ) -> Result<Progress, &'static str> {
        self.is_http2 = true;
        let mut cursor = Cursor::new(chunk.bytes);
        let mut next = Next::Head;
        while matches!(next, Next::Head)
            && let Some(said) = http2.next(chunk.sender, &mut cursor)?
        {
            match said {
                Said::Dns(message) => facts.extend(names(&message)),
                Said::Head(fields) => {
                    next = fields.head().map_or(Next::Head, |head| self.on_head(&head, chunk.sender, facts))
                }
            }
        }
        self.http2 = Some(http2);
        Ok(match next {
            Next::Head => Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) },
            _ => Progress::Done,
        })
    }

    /// The next head. A server whose framing is lost is not read on; a client's is not HTTP any more, unless it has said
    /// nothing yet: servers answer in HTTP whatever they are asked.
    fn head<'a>(&mut self, sender: Sender, cursor: &mut Cursor<'a>) -> Result<Option<Head<'a>>, &'static str> {
        let head = wire::head(cursor);
        if !matches!(head, Ok(None)) {
            let _known_now = self.begun.take_if(|(of, _)| *of == sender);
        }
        match head {
            Err(_) if sender == Sender::Server && self.server.has_spoken => {
                self.server.is_over = true;
                cursor.skip(cursor.len());
                Ok(None)
            }
            Err(_) if sender == Sender::Client && !self.client.has_spoken => {
                self.client.place = Place::Lost;
                cursor.skip(cursor.len());
                Ok(None)
            }
            head => head,
        }
    }

    fn on_head(&mut self, head: &Head<'_>, sender: Sender, facts: &mut Vec<Statement>) -> Next {
        match (head.first_line, sender) {
            (FirstLine::Request { method, target, is_simple }, Sender::Client) => {
                self.asks_simply = is_simple;
                self.on_request(head, method, target, facts)
            }
            (FirstLine::Response { status }, Sender::Server) => self.on_response(head, status, facts),
            _ => Next::Done,
        }
    }

    fn on_request(&mut self, head: &Head<'_>, method: Method<'_>, target: &[u8], facts: &mut Vec<Statement>) -> Next {
        let (name, method) = (method.value(), method.as_str());
        self.client.has_spoken = true;
        self.requests = self.requests.saturating_add(1);
        self.is_bodiless = method == "HEAD";
        let is_connect = method == "CONNECT";
        self.tunnel = if is_connect { Tunnel::Asked } else { Tunnel::No };
        let (form, authority) = match wire::authority_of(target) {
            _ if is_connect && !target.starts_with(b"/") => (Some("authority"), Some(target)),
            Some(authority) => (Some("absolute"), head.host.or(Some(authority))),
            None => (None, head.host),
        };
        let (domain, port) = authority.map_or((None, None), domain);
        // The answers to several streams come in any order.
        let is_asked = form == Some("authority") && !self.is_http2;
        self.asked = if is_asked { domain.clone() } else { None };
        let user_agent = head.user_agent.map(Text::from_utf8);
        if self.told.is_news((&domain, &user_agent)) || is_connect {
            self.hellos = self.hellos.saturating_add(1);
            let mut fields = Fields::default();
            fields.push_some(VERSION.name, self.is_http2.then_some("2"));
            fields.push(METHOD.name, name);
            fields.push_some(TARGET_FORM.name, form);
            fields.push_some(CONTENT_TYPE.name, head.content_type.map(Text::from_utf8));
            fields.push_some(DOMAIN.name, domain);
            fields.push_some(PORT.name, port);
            fields.push_some(USER_AGENT.name, user_agent);
            facts.push(hello(Sender::Client, fields));
        }
        self.on_authorization(head, facts);
        facts.extend(wire::dns_message(target).iter().flat_map(|message| names(message)));
        if !self.has_opened
            && let Some(opened) = gateways::opened(head, method, target)
        {
            self.has_opened = true;
            facts.push(opened);
        }
        match head.body {
            Body::Chunks if !is_connect => self.client.chunks = Chunks::Size,
            Body::Length(len) if !is_connect => self.client.body_bytes = len,
            Body::Unknown if !is_connect => self.client.place = Place::Perhaps,
            _ => {}
        }
        if head.is_cut {
            self.client = Side::at(Place::Lost, true);
        }
        if self.requests >= Self::REQUESTS_MAX || self.hellos >= Self::HELLOS_MAX { Next::Done } else { Next::Head }
    }

    fn on_authorization(&mut self, head: &Head<'_>, facts: &mut Vec<Statement>) {
        if let Some(token) = head.authorization.and_then(wire::gss_token) {
            return self.log_on.on_client(&token, facts);
        }
        let user = head.authorization.and_then(wire::basic_user).map(|user| Text::from_utf8(&user));
        if user.is_some() && user != self.user {
            self.user.clone_from(&user);
            facts.push(Statement::Credential(Box::new(Credential { user, ..Credential::default() })));
        }
    }

    fn on_response(&mut self, head: &Head<'_>, status: u16, facts: &mut Vec<Statement>) -> Next {
        let is_switch = status == 101;
        if matches!(status, 100..=199) && !is_switch {
            // The answer is still to come (RFC 9110 §15.2).
            return Next::Head;
        }
        let opens_tunnel = self.tunnel == Tunnel::Asked && (200..=299).contains(&status);
        if !self.server.has_spoken || is_switch || self.tunnel == Tunnel::Asked {
            let mut fields = Fields::default();
            fields.push(STATUS.name, status);
            fields.push_some(DOMAIN.name, self.asked.take().filter(|_| opens_tunnel));
            fields.push_some(SERVER.name, head.server.map(Text::from_utf8));
            let upgrade = head.upgrade.filter(|_| is_switch).map(<[u8]>::to_ascii_lowercase);
            fields.push_some(UPGRADE.name, upgrade.as_deref().map(Text::from_utf8));
            facts.push(hello(Sender::Server, fields));
        }
        self.server.has_spoken = true;
        self.on_judgement(head, status, facts);
        if head.is_cut {
            self.server.is_over = true;
            return Next::Head;
        }
        if is_switch {
            return match head.upgrade.map(<[u8]>::to_ascii_lowercase).as_deref() {
                Some(b"h2c") => Next::Http2,
                Some(b"websocket") if is_compressed_guacamole(head) => {
                    let desktop = RemoteDesktop { protocol: Some(guacamole::PROTOCOL), ..RemoteDesktop::default() };
                    facts.push(Statement::RemoteDesktop(Box::new(desktop)));
                    Next::Done
                }
                Some(b"websocket") => Next::WebSocket,
                _ => Next::Done,
            };
        }
        if opens_tunnel {
            self.tunnel = Tunnel::Open;
            return Next::Head;
        }
        match head.body {
            Body::Chunks | Body::Length(_) if self.is_bodiless => {}
            Body::Chunks => self.server.chunks = Chunks::Size,
            Body::Length(len) => self.server.body_bytes = len,
            Body::Unsaid if matches!(status, 204 | 304) => {}
            Body::Unknown | Body::Unsaid => self.server.is_over = true,
        }
        Next::Head
    }

    /// What a response says of the log-on that waits. A client that only began with NTLM was not let in by name.
    fn on_judgement(&mut self, head: &Head<'_>, status: u16, facts: &mut Vec<Statement>) {
        let token = head.challenge.and_then(wire::gss_token).unwrap_or_default();
        let is_nameless = |claim: &mut Credential| claim.user.is_none() && claim.protocol == Some(ntlm::PROTOCOL);
        let outcome = match status {
            101 => None,
            401 | 407 if LogOn::is_challenge(&token) => None,
            401 | 407 => Some(Outcome::Failure),
            _ if self.log_on.pending().is_some_and(is_nameless) => None,
            _ => Some(Outcome::Success),
        };
        self.log_on.on_server(&token, outcome, facts);
    }

    /// What is spoken through the proxy.
    fn inner(&self, sender: Sender, bytes: &[u8]) -> Inner {
        selection::inner(&Start { is_midway: false, ..self.start }.opening(sender, bytes))
    }
}

/// Host and port of an authority, the host in lower case.
pub(super) fn domain(authority: &[u8]) -> (Option<Text>, Option<u16>) {
    let (host, port) = wire::authority(authority);
    (Some(Text::from_utf8(&host.to_ascii_lowercase())).filter(|domain| !domain.is_empty()), port)
}

enum Next {
    Done,
    Head,
    Http2,
    WebSocket,
}

/// The progress behind what was consumed before.
fn behind(consumed: usize, progress: Progress) -> Progress {
    match progress {
        Progress::Continue { consumed: inside } => Progress::Continue { consumed: consumed.saturating_add(inside) },
        other => other,
    }
}

/// What a message of DNS says that travels in HTTP.
fn names(message: &[u8]) -> impl Iterator<Item = Statement> {
    dns::carried(message).into_iter().map(|name| Statement::Name(Box::new(name)))
}

/// A desktop behind a gateway that compresses the messages (RFC 7692), as Tomcat does: they cannot be read, but what they are is
/// agreed on in clear.
fn is_compressed_guacamole(head: &Head<'_>) -> bool {
    let is_compressed = head.web_socket_extensions.is_some_and(|extensions| {
        extensions.split(|byte| matches!(byte, b',' | b';')).any(|name| name.trim_ascii() == b"permessage-deflate")
    });
    is_compressed && head.web_socket_protocol == Some(b"guacamole")
}

fn hello(sender: Sender, fields: Fields) -> Statement {
    Statement::Hello(Box::new(Hello { fields, ..Hello::new(sender) }))
}
