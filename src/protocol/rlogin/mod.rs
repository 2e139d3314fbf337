//! Rlogin (RFC 1282): the client's first message in, who logs on as whom out.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const PROTOCOL: Protocol = Protocol::new(&"rlogin");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(0x00, 0x00)],
    probe,
    start: |_| Box::new(Rlogin),
    fields: &[CLIENT_USER, TERMINAL],
};

const CLIENT_USER: FieldSpec = FieldSpec { name: "rlogin.client_user", help: "Who asks, on the client's machine." };
const TERMINAL: FieldSpec =
    FieldSpec { name: "rlogin.terminal", help: "The client's terminal and its speed: `xterm/38400`." };

const PORT: u16 = 513;
/// The longest of the three texts.
const TEXT_BYTES_MAX: usize = 64;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.server_port != PORT || opening.sender != Sender::Client {
        return Probe::No;
    }
    match greeting(&mut Cursor::new(opening.bytes)) {
        Ok(Some(_)) => Probe::Match,
        Ok(None) => Probe::More,
        Err(_) => Probe::No,
    }
}

struct Rlogin;

impl Parser for Rlogin {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if chunk.sender == Sender::Server {
            return Progress::Continue { consumed: 0 };
        }
        match greeting(&mut Cursor::new(chunk.bytes)) {
            Ok(None) => Progress::Continue { consumed: 0 },
            Err(_) => Progress::Reject,
            Ok(Some([client_user, user, terminal])) => {
                let mut credential = Credential { user: Some(user), ..Credential::default() };
                credential.fields.push(CLIENT_USER.name, client_user);
                credential.fields.push(TERMINAL.name, terminal);
                facts.push(Statement::Credential(Box::new(credential)));
                Progress::Done
            }
        }
    }
}

/// A NUL, then the user here, the user there and the terminal with its speed, a NUL behind each.
fn greeting(cursor: &mut Cursor<'_>) -> Result<Option<[Text; 3]>, &'static str> {
    const MALFORMED: &str = "rlogin_greeting";
    match cursor.u8() {
        Some(0) => {}
        Some(_) => return Err(MALFORMED),
        None => return Ok(None),
    }
    let mut texts = [const { None }; 3];
    for text in &mut texts {
        let Some(bytes) = cursor.until(0) else {
            let may_come = cursor.len() <= TEXT_BYTES_MAX && cursor.rest().iter().all(u8::is_ascii_graphic);
            return if may_come { Ok(None) } else { Err(MALFORMED) };
        };
        if bytes.is_empty() || bytes.len() > TEXT_BYTES_MAX || !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(MALFORMED);
        }
        *text = Some(bytes);
    }
    let [Some(client_user), Some(user), Some(terminal)] = texts else { return Err(MALFORMED) };
    let speed = terminal.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let is_speed = speed.len() < terminal.len() && !speed.is_empty() && speed.iter().all(u8::is_ascii_digit);
    is_speed.then(|| Some([client_user, user, terminal].map(Text::from_latin1))).ok_or(MALFORMED)
}
