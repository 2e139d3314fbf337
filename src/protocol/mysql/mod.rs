//! MySQL and MariaDB (client/server protocol, connection phase): the server's greeting and the client's answer in, a
//! [`Hello`] with the server's version and a [`Credential`] for a log-on in clear out. Passwords are not looked at. Where
//! the client asks for TLS, the flow is then TLS.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Hello, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, tls};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"mysql"),
    transports: &[Transport::Tcp],
    // The length of a greeting.
    opens_with: &[(0x20, 0xff)],
    probe,
    start: |_| Box::<MySql>::default(),
    fields: &[],
};

/// The greeting is a packet of its own, number 0.
fn probe(opening: &Opening<'_>) -> Probe {
    let mut cursor = Cursor::new(opening.bytes);
    match (packet(&mut cursor), opening.sender) {
        (None, _) if begins_as_greeting(opening.bytes) => Probe::More,
        (Some((0, greeting)), sender) if server_version(greeting).is_some() => match sender {
            Sender::Client => Probe::Reversed,
            Sender::Server => Probe::Match,
        },
        _ => Probe::No,
    }
}

fn begins_as_greeting(bytes: &[u8]) -> bool {
    let [_, rest @ ..] = bytes else { return false };
    rest.iter().zip([0, 0, 0, GREETING_VERSION]).all(|(byte, expected)| *byte == expected)
}

const GREETING_VERSION: u8 = 10;

/// A packet's number and body: three bytes of length, least first, and one of number.
fn packet<'a>(cursor: &mut Cursor<'a>) -> Option<(u8, Cursor<'a>)> {
    let mut ahead = *cursor;
    let [a, b, c, number] = ahead.array()?;
    let len = u32::from_le_bytes([a, b, c, 0]);
    let body = ahead.sub(usize::try_from(len).ok()?)?;
    *cursor = ahead;
    Some((number, body))
}

/// The greeting of version 10: the server's version, a thread, eight bytes of challenge, a zero, capabilities.
fn server_version(mut greeting: Cursor<'_>) -> Option<Text> {
    const VERSION_BYTES_MAX: usize = 80;
    (greeting.u8()? == GREETING_VERSION).then_some(())?;
    let version = greeting.until(0)?;
    let is_text = version.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    (is_text && (1..=VERSION_BYTES_MAX).contains(&version.len())).then_some(())?;
    greeting.skip(12)?;
    (greeting.u8()? == 0).then_some(())?;
    greeting.u16()?;
    Some(Text::from_utf8(version))
}

#[derive(Default)]
struct MySql {
    is_greeted: bool,
}

impl Parser for MySql {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        if self.is_greeted == (chunk.sender == Sender::Server) {
            return if self.is_greeted { Progress::Done } else { Progress::Reject };
        }
        let Some((number, body)) = packet(&mut cursor) else {
            return match chunk.bytes.len() {
                0..=ANSWER_BYTES_MAX => Progress::Continue { consumed: 0 },
                _ => Progress::Done,
            };
        };
        let consumed = chunk.bytes.len().saturating_sub(cursor.len());
        if self.is_greeted {
            return answer(number, body, consumed, facts);
        }
        let Some(software) = server_version(body).filter(|_| number == 0) else { return Progress::Reject };
        self.is_greeted = true;
        facts.push(Statement::Hello(Box::new(Hello { software: Some(software), ..Hello::new(Sender::Server) })));
        // It is the client's turn.
        if cursor.is_empty() { Progress::Continue { consumed } } else { Progress::Done }
    }
}

/// The longest answer that is waited for.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// Capabilities, the longest packet, a character set, 23 zeros: alone they ask for TLS, and before a name they log on.
fn answer(number: u8, mut body: Cursor<'_>, consumed: usize, facts: &mut Vec<Statement>) -> Progress {
    const PROTOCOL_41: u32 = 0x0200;
    const TLS: u32 = 0x0800;
    let Some(capabilities) = body.u32_le().filter(|capabilities| number == 1 && capabilities & PROTOCOL_41 != 0) else {
        return Progress::Done;
    };
    if body.skip(28).is_none() {
        return Progress::Done;
    }
    if body.is_empty() && capabilities & TLS != 0 {
        return Progress::Upgrade { to: tls::PROTOCOL, consumed };
    }
    let user = body.until(0).map(Text::from_utf8).filter(|user| !user.is_empty());
    if user.is_some() {
        facts.push(Statement::Credential(Box::new(Credential { user, ..Credential::default() })));
    }
    Progress::Done
}
