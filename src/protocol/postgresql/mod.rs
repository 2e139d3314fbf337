//! PostgreSQL (frontend/backend protocol 3.0, §55.7): a client's wish for TLS and its startup message in, a [`Hello`], and a
//! [`Credential`] with the user of a log-on in clear, out. Where the server grants TLS, the flow is then TLS.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Hello, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, tls};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"postgresql"),
    transports: &[Transport::Tcp],
    // The length of a client's first message.
    opens_with: &[(0x00, 0x00)],
    probe,
    start: |_| Box::<PostgreSql>::default(),
    fields: &[],
};

/// What a client begins with.
enum Begin {
    AsksForEncryption { is_tls: bool },
    Startup { user: Option<Text> },
}

/// The longest startup message that is read.
const STARTUP_BYTES_MAX: usize = 4 << 10;

impl Begin {
    /// A length with itself, a version or a code of the same form, and pairs of names and values.
    fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, ()> {
        const ASKS_FOR_TLS: u32 = 80_877_103;
        const ASKS_FOR_GSSAPI: u32 = 80_877_104;
        const MAJOR_VERSION: u32 = 3;
        let mut ahead = *cursor;
        let Some(len) = ahead.u32() else { return Ok(None) };
        let len = usize::try_from(len).map_err(|_| ())?;
        let Some(body_len) = len.checked_sub(8).filter(|_| len <= STARTUP_BYTES_MAX) else { return Err(()) };
        let Some(code) = ahead.u32() else { return Ok(None) };
        let begin = match (code, body_len) {
            (ASKS_FOR_TLS, 0) => Self::AsksForEncryption { is_tls: true },
            (ASKS_FOR_GSSAPI, 0) => Self::AsksForEncryption { is_tls: false },
            // Of a minor version that it does not know the server takes an older one.
            _ if code >> 16 == MAJOR_VERSION => {
                let Some(body) = ahead.sub(body_len) else { return Ok(None) };
                Self::Startup { user: user(body)? }
            }
            _ => return Err(()),
        };
        *cursor = ahead;
        Ok(Some(begin))
    }
}

/// The value of `user`; an error where the pairs do not end as they must.
fn user(mut pairs: Cursor<'_>) -> Result<Option<Text>, ()> {
    let mut user = None;
    loop {
        let name = pairs.until(0).ok_or(())?;
        if name.is_empty() {
            return if pairs.is_empty() { Ok(user) } else { Err(()) };
        }
        let value = pairs.until(0).ok_or(())?;
        if name == b"user" {
            user = Some(Text::from_utf8(value));
        }
    }
}

fn probe(opening: &Opening<'_>) -> Probe {
    match (Begin::read(&mut Cursor::new(opening.bytes)), opening.sender) {
        (Err(()), _) => Probe::No,
        (Ok(None), _) => Probe::More,
        (Ok(Some(_)), Sender::Client) => Probe::Match,
        (Ok(Some(_)), Sender::Server) => Probe::Reversed,
    }
}

#[derive(Default)]
struct PostgreSql {
    said: bool,
    /// What the client asked for and was not answered.
    asked_for_tls: Option<bool>,
}

impl Parser for PostgreSql {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        match (chunk.sender, self.asked_for_tls) {
            (Sender::Server, Some(is_tls)) => match cursor.u8() {
                Some(b'S') if is_tls => Progress::Upgrade { to: tls::PROTOCOL, consumed: 1 },
                // A server that goes on before its client does is none, whether that comes with the answer or behind it.
                Some(b'N') if cursor.is_empty() => {
                    self.asked_for_tls = None;
                    Progress::Continue { consumed: 1 }
                }
                _ => Progress::Done,
            },
            (Sender::Server, None) => Progress::Done,
            // What follows the wish is TLS, if it is granted.
            (Sender::Client, Some(_)) => Progress::Continue { consumed: 0 },
            (Sender::Client, None) => match Begin::read(&mut cursor) {
                Ok(Some(begin)) => self
                    .on_begin(begin, facts)
                    .unwrap_or(Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) }),
                Ok(None) => Progress::Continue { consumed: 0 },
                Err(()) if self.said => Progress::Done,
                Err(()) => Progress::Reject,
            },
        }
    }
}

impl PostgreSql {
    /// None where more is to come.
    fn on_begin(&mut self, begin: Begin, facts: &mut Vec<Statement>) -> Option<Progress> {
        if !std::mem::replace(&mut self.said, true) {
            facts.push(Statement::Hello(Box::new(Hello::new(Sender::Client))));
        }
        match begin {
            Begin::AsksForEncryption { is_tls } => {
                self.asked_for_tls = Some(is_tls);
                None
            }
            Begin::Startup { user } => {
                facts.push(Statement::Credential(Box::new(Credential { user, ..Credential::default() })));
                Some(Progress::Done)
            }
        }
    }
}
