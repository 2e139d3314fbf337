//! The remote shell (rsh, rcmd of 4.2BSD): the client's first message and the server's answer in, who runs a command as
//! whom out. The command is passed over.
//!
//! No specification but the programs' own manual: the port for errors, the user here, the user there and the command,
//! each ended by a NUL; the server answers NUL, or 0x01 and a reason. The same form with a password in it is rexec,
//! so that nothing but port 514 and a client on a reserved port will do.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Outcome, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const PROTOCOL: Protocol = Protocol::new(&"rsh");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(0x00, 0x00), (b'0', b'9')],
    probe,
    start: |_| Box::<Rsh>::default(),
    fields: &[CLIENT_USER],
};

const CLIENT_USER: FieldSpec = FieldSpec { name: "rsh.client_user", help: "Who asks, on the client's machine." };

const PORT: u16 = 514;
const RESERVED_PORTS_END: u16 = 1024;
/// The longest user name.
const USER_BYTES_MAX: usize = 64;

fn probe(opening: &Opening<'_>) -> Probe {
    let is_shell = opening.server_port == PORT && opening.client_port < RESERVED_PORTS_END;
    if !is_shell || opening.sender != Sender::Client {
        return Probe::No;
    }
    match users(&mut Cursor::new(opening.bytes)) {
        Ok(Some(_)) => Probe::Match,
        Ok(None) => Probe::More,
        Err(_) => Probe::No,
    }
}

#[derive(Default)]
struct Rsh {
    claim: Option<Credential>,
}

impl Parser for Rsh {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        match (chunk.sender, &mut self.claim) {
            (Sender::Client, None) => match users(&mut Cursor::new(chunk.bytes)) {
                Ok(Some([client_user, user])) => {
                    let mut credential = Credential { user: Some(user), ..Credential::default() };
                    credential.fields.push(CLIENT_USER.name, client_user);
                    self.claim = Some(credential);
                }
                Ok(None) => {}
                Err(_) => return Progress::Reject,
            },
            (Sender::Server, Some(claim)) => {
                claim.outcome = match chunk.bytes.first() {
                    Some(0) => Some(Outcome::Success),
                    Some(1) => Some(Outcome::Failure),
                    _ => return Progress::Reject,
                };
                self.on_end(facts);
                return Progress::Done;
            }
            _ => {}
        }
        Progress::Continue { consumed: 0 }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        facts.extend(self.claim.take().map(|claim| Statement::Credential(Box::new(claim))));
    }
}

/// The user here and the user there, once the beginning of a command has come behind them.
fn users(cursor: &mut Cursor<'_>) -> Result<Option<[Text; 2]>, &'static str> {
    const MALFORMED: &str = "rsh_request";
    let Some(port) = text(cursor, 5, u8::is_ascii_digit).map_err(|()| MALFORMED)? else { return Ok(None) };
    if !port.is_empty() && std::str::from_utf8(port).ok().and_then(|port| port.parse::<u16>().ok()).is_none() {
        return Err(MALFORMED);
    }
    let mut users = [const { None }; 2];
    for user in &mut users {
        match text(cursor, USER_BYTES_MAX, u8::is_ascii_graphic) {
            Ok(Some(name)) if !name.is_empty() => *user = Some(Text::from_latin1(name)),
            Ok(None) => return Ok(None),
            Ok(Some(_)) | Err(()) => return Err(MALFORMED),
        }
    }
    let is_printable = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || byte >= 0x80;
    match (cursor.peek(), users) {
        (None, _) => Ok(None),
        (Some(first), [Some(client_user), Some(user)]) if is_printable(first) => Ok(Some([client_user, user])),
        _ => Err(MALFORMED),
    }
}

/// A text ended by a NUL; none as long as that has not come.
fn text<'a>(cursor: &mut Cursor<'a>, bytes_max: usize, is_part: fn(&u8) -> bool) -> Result<Option<&'a [u8]>, ()> {
    let seen = cursor.rest();
    let end = cursor.until(0);
    let bytes = end.unwrap_or(seen);
    (bytes.len() <= bytes_max && bytes.iter().all(is_part)).then_some(end).ok_or(())
}
