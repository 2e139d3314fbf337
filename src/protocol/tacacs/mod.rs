//! TACACS+ in (RFC 8907), that somebody logs on to a device out; who, where the body is in clear.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Fields, Outcome, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"tacacs"),
    transports: &[Transport::Tcp],
    opens_with: &[(0xc0, 0xc1)],
    probe,
    start: |start| {
        let on_port = start.on_port(PORT);
        Box::new(Tacacs { on_port, ..Tacacs::default() })
    },
    fields: &[
        FieldSpec { name: "tacacs.type", help: "What is asked for: authentication, authorization or accounting." },
        FieldSpec { name: "tacacs.remote_address", help: "Where the user is, as the device says; only in clear." },
        FieldSpec { name: "tacacs.encrypted", help: "Whether the bodies are obfuscated with a shared secret." },
    ],
};

const PORT: u16 = 49;

fn probe(opening: &Opening<'_>) -> Probe {
    match (Header::parse(&mut Cursor::new(opening.bytes)), opening.sender) {
        (None, _) if opening.bytes.len() < Header::BYTES => Probe::More,
        (Some(header), Sender::Client) if header.sequence == 1 => Probe::Match,
        (Some(header), Sender::Server) if header.sequence == 1 => Probe::Reversed,
        // Amid a session.
        (Some(header), sender) if opening.on_port(PORT) && header.sender() == sender => Probe::Match,
        (Some(_), _) if opening.on_port(PORT) => Probe::Reversed,
        _ => Probe::No,
    }
}

/// RFC 8907 §4.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Header {
    kind: &'static str,
    sequence: u8,
    encrypted: bool,
    session: u32,
    body_bytes: usize,
}

impl Header {
    const BYTES: usize = 12;
    /// A limit of ours: bodies are lists of short strings.
    const BODY_BYTES_MAX: u32 = 16 << 10;
    const UNENCRYPTED: u8 = 0x01;
    const SINGLE_CONNECT: u8 = 0x04;

    fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        let [version, kind, sequence, flags] = cursor.array()?;
        let (session, body_bytes) = (cursor.u32()?, cursor.u32()?);
        let kind = match kind {
            1 => "authentication",
            2 => "authorization",
            3 => "accounting",
            _ => return None,
        };
        let fits = matches!(version, 0xc0 | 0xc1)
            && flags & !(Self::UNENCRYPTED | Self::SINGLE_CONNECT) == 0
            && sequence != 0
            && (5..=Self::BODY_BYTES_MAX).contains(&body_bytes);
        let encrypted = flags & Self::UNENCRYPTED == 0;
        fits.then_some(Self { kind, sequence, encrypted, session, body_bytes: usize::try_from(body_bytes).ok()? })
    }

    /// The client's numbers are odd (§4.1).
    const fn sender(&self) -> Sender {
        if self.sequence & 1 == 1 { Sender::Client } else { Sender::Server }
    }

    fn is_of_session_of(&self, later: &Self) -> bool {
        (self.session, self.kind, self.encrypted) == (later.session, later.kind, later.encrypted)
    }
}

#[derive(Default)]
struct Tacacs {
    on_port: bool,
    asked: Option<Asked>,
    /// The server spoke of another session than the client.
    has_strayed: bool,
    sessions: u32,
}

/// A session whose outcome is not known yet.
struct Asked {
    header: Header,
    who: Who,
    /// What the server has asked for.
    wanted: Option<Wanted>,
}

/// What a server wants to know before it judges (§5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    User,
    /// A password among others: never read.
    Secret,
}

impl Wanted {
    fn of(header: &Header, body: &[u8]) -> Option<Self> {
        match (header.encrypted, header.kind, body.first()?) {
            (false, "authentication", 4) => Some(Self::User),
            (false, "authentication", 3 | 5) => Some(Self::Secret),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Who {
    user: Option<Text>,
    remote_address: Option<Text>,
}

impl Tacacs {
    /// One connection may carry many sessions.
    const SESSIONS_MAX: u32 = 64;

    fn on_packet(&mut self, sender: Sender, header: Header, body: &[u8], facts: &mut Vec<Statement>) -> Progress {
        if self.on_port && self.asked.is_none() && self.sessions == 0 && header.sequence > 1 {
            // Its beginning was not seen.
            self.asked = Some(Asked { header, who: Who::default(), wanted: None });
        }
        match sender {
            Sender::Client if header.sequence == 1 => {
                self.give_up(facts);
                let who = (!header.encrypted).then(|| who(header.kind, body)).flatten();
                self.asked = Some(Asked { header, who: who.unwrap_or_default(), wanted: None });
            }
            Sender::Client => {
                let asked = self.asked.as_mut().filter(|asked| asked.header.is_of_session_of(&header));
                if let Some(asked) = asked.filter(|asked| asked.wanted == Some(Wanted::User)) {
                    asked.who.user = user_of_continue(body);
                }
            }
            Sender::Server => {
                let asked = self.asked.as_mut().filter(|asked| asked.header.is_of_session_of(&header));
                if let Some(asked) = asked {
                    asked.wanted = Wanted::of(&header, body);
                    if asked.wanted.is_none() {
                        self.tell(outcome(&header, body), facts);
                    }
                } else {
                    self.has_strayed |= self.asked.is_some();
                }
            }
        }
        if self.sessions >= Self::SESSIONS_MAX { Progress::Done } else { Progress::Continue { consumed: 0 } }
    }

    /// A session that the server has answered, or that it should have at its port, and whose outcome stays open.
    fn give_up(&mut self, facts: &mut Vec<Statement>) {
        let is_certain = self.on_port && !self.has_strayed;
        if self.asked.as_ref().is_some_and(|asked| asked.wanted.is_some() || is_certain) {
            self.tell(None, facts);
        }
    }

    fn tell(&mut self, outcome: Option<Outcome>, facts: &mut Vec<Statement>) {
        if let Some(Asked { header, who, .. }) = self.asked.take() {
            facts.push(credential(header, who, outcome));
            self.sessions = self.sessions.saturating_add(1);
        }
    }
}

/// The answer of a user in clear who was asked for a name (§5.3).
fn user_of_continue(body: &[u8]) -> Option<Text> {
    let mut cursor = Cursor::new(body);
    let len = cursor.u16()?;
    // The length of the data, and flags.
    cursor.skip(3)?;
    let user = cursor.take(usize::from(len))?;
    (!user.is_empty()).then(|| Text::from_utf8(user))
}

/// The user of a request in clear: the lengths stand before the texts (§5.1, §6.1, §7.1).
fn who(kind: &str, body: &[u8]) -> Option<Who> {
    let mut cursor = Cursor::new(body);
    // Action or flags, privilege, type, service; accounting has its flags before the method.
    cursor.skip(if kind == "accounting" { 5 } else { 4 })?;
    let [user, port, remote, data_or_arguments] = cursor.array()?;
    if kind != "authentication" {
        // A length for each argument.
        cursor.skip(usize::from(data_or_arguments))?;
    }
    let user = cursor.take(usize::from(user))?;
    cursor.skip(usize::from(port))?;
    let remote = cursor.take(usize::from(remote))?;
    let text = |value: &[u8]| (!value.is_empty()).then(|| Text::from_utf8(value));
    Some(Who { user: text(user), remote_address: text(remote) })
}

/// The status of a reply in clear: PASS and FAIL of authentication (§5.2); PASS_ADD, PASS_REPL and FAIL of authorization
/// (§6.2).
fn outcome(header: &Header, body: &[u8]) -> Option<Outcome> {
    match (header.encrypted, header.kind, body.first()?) {
        (false, "authentication", 1) | (false, "authorization", 1 | 2) => Some(Outcome::Success),
        (false, "authentication", 2) | (false, "authorization", 0x10) => Some(Outcome::Failure),
        _ => None,
    }
}

fn credential(asked: Header, who: Who, outcome: Option<Outcome>) -> Statement {
    let mut fields = Fields::default();
    fields.push("tacacs.type", asked.kind);
    fields.push_some("tacacs.remote_address", who.remote_address);
    fields.push("tacacs.encrypted", asked.encrypted);
    Statement::Credential(Box::new(Credential { user: who.user, outcome, fields, ..Credential::default() }))
}

impl Parser for Tacacs {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            let mut ahead = cursor;
            let Some(header) = Header::parse(&mut ahead) else {
                if cursor.len() >= Header::BYTES {
                    return Progress::Malformed("header");
                }
                break;
            };
            let Some(body) = ahead.take(header.body_bytes) else {
                break;
            };
            cursor = ahead;
            match self.on_packet(chunk.sender, header, body, facts) {
                Progress::Continue { .. } => {}
                other => return other,
            }
        }
        Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.give_up(facts);
    }
}
