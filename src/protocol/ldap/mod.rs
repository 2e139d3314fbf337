//! LDAP (RFC 4511) over TCP, and over UDP as domain controllers are looked for: messages in, one [`Credential`] for each
//! bind out, or a [`Hello`] where there is none. What is searched for is not read.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Hello, Outcome, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::gss::LogOn;
use crate::protocol::ldap::wire::{Bind, Head, Method, Operation};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, tls};

pub const PROTOCOL: Protocol = Protocol::new(&"ldap");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp, Transport::Udp],
    opens_with: &[(0x30, 0x30)],
    probe,
    start: |_| Box::<Ldap>::default(),
    fields: &[
        FieldSpec { name: "ldap.bind_dn", help: "The name that a client binds with (RFC 4511 §4.2)" },
        FieldSpec {
            name: "ldap.authentication",
            help: "`anonymous`, `simple`, `sicily`, `kerberos4` (RFC 1777 §4.1), or a SASL mechanism (RFC 4511 §4.2)",
        },
        FieldSpec { name: "ldap.operation", help: "The first operation seen, where it is no bind (RFC 4511 §4)" },
        FieldSpec { name: "ldap.base_dn", help: "The entry that the first search begins at (RFC 4511 §4.5.1)" },
    ],
};

const SUCCESS: u64 = 0;
const SASL_BIND_IN_PROGRESS: u64 = 14;
/// The most bytes of a message that is read; longer ones are passed over.
const MESSAGE_BYTES_MAX: usize = 32 << 10;
/// The most messages of a connection that are looked at in search of a bind.
const MESSAGES_MAX: u8 = 64;

fn probe(opening: &Opening<'_>) -> Probe {
    let cursor = Cursor::new(opening.bytes);
    let head = match wire::head(cursor) {
        Ok(Some(head)) => head,
        Ok(None) if opening.transport == Transport::Tcp => return Probe::More,
        _ => return Probe::No,
    };
    let is_sound = match opening.transport {
        // What the parser passes over is not looked at here either.
        Transport::Tcp => head.len > cursor.len() || !is_of_interest(head.operation) || is_whole(&head, cursor),
        _ => fills(cursor),
    };
    if !is_sound {
        return Probe::No;
    }
    let sender = if head.operation.is_response() { Sender::Server } else { Sender::Client };
    if sender == opening.sender { Probe::Match } else { Probe::Reversed }
}

/// Whether whole messages fill a datagram: an entry and the end of the search come in one ([MS-ADTS] §6.3.5).
fn fills(mut cursor: Cursor<'_>) -> bool {
    for _ in 0..MESSAGES_MAX {
        let Ok(Some(head)) = wire::head(cursor) else { return false };
        if head.len > cursor.len() || !is_whole(&head, cursor) || cursor.skip(head.len).is_none() {
            return false;
        }
        if cursor.is_empty() {
            return true;
        }
    }
    false
}

const fn is_of_interest(operation: Operation) -> bool {
    !matches!(operation, Operation::OtherRequest(_) | Operation::OtherResponse(_))
}

/// Whether a message that is there whole has the members of its operation.
fn is_whole(head: &Head, mut cursor: Cursor<'_>) -> bool {
    let Some(members) = cursor.sub(head.len).and_then(wire::members) else { return false };
    match head.operation {
        Operation::BindRequest => wire::bind(members).is_some(),
        Operation::SearchRequest => wire::search_base(members).is_some(),
        Operation::BindResponse | Operation::ExtendedResponse => wire::result(members).is_some(),
        Operation::ExtendedRequest | Operation::OtherRequest(_) | Operation::OtherResponse(_) => true,
    }
}

#[derive(Default)]
struct Ldap {
    /// How many bytes of a side's message are still to be passed over.
    client_skip_bytes: usize,
    server_skip_bytes: usize,
    messages: u8,
    asked_for_tls: bool,
    said: bool,
    log_on: LogOn,
}

enum Step {
    Done,
    Next,
    Tls,
    Wait,
}

/// The account that a bind's name tells: the name itself where it is no distinguished name (a user principal name), or the
/// value of a leading `uid` (RFC 4519 §2.39; Microsoft's `sAMAccountName`), unless it is escaped (RFC 4514 §2.4).
fn account(name: &Text) -> Option<Text> {
    let Some((attribute, rest)) = name.as_str().split_once('=') else {
        return Some(name.clone());
    };
    let value = rest.split([',', '+']).next().unwrap_or_default();
    let is_account =
        ["uid", "userid", "samaccountname"].iter().any(|known| attribute.trim().eq_ignore_ascii_case(known));
    (is_account && !value.is_empty() && !value.contains('\\')).then(|| value.trim().into())
}

impl Parser for Ldap {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            let skip = self.skip_bytes(chunk.sender);
            let len = (*skip).min(cursor.len());
            *skip = skip.saturating_sub(len);
            let _ = cursor.skip(len);
            let step = self.step(chunk.sender, &mut cursor, facts);
            let consumed = chunk.bytes.len().saturating_sub(cursor.len());
            match step {
                Ok(Step::Next) => {}
                Ok(Step::Wait) => return Progress::Continue { consumed },
                Ok(Step::Tls) => return Progress::Upgrade { to: tls::PROTOCOL, consumed },
                Ok(Step::Done) => {
                    self.on_end(facts);
                    return Progress::Done;
                }
                Err(reason) => {
                    self.on_end(facts);
                    return Progress::Malformed(reason);
                }
            }
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.log_on.on_end(facts);
    }
}

impl Ldap {
    fn step(
        &mut self,
        sender: Sender,
        cursor: &mut Cursor<'_>,
        facts: &mut Vec<Statement>,
    ) -> Result<Step, &'static str> {
        let Some(head) = wire::head(*cursor)? else { return Ok(Step::Wait) };
        let is_long = head.len > MESSAGE_BYTES_MAX;
        let is_of_interest = is_of_interest(head.operation);
        if is_of_interest && !is_long && cursor.len() < head.len {
            return Ok(Step::Wait);
        }
        self.messages = self.messages.saturating_add(1);
        if self.messages > MESSAGES_MAX {
            return Ok(Step::Done);
        }
        if is_long || !is_of_interest {
            self.introduce(sender, head.operation, None, facts);
            *self.skip_bytes(sender) = head.len;
            return Ok(Step::Next);
        }
        let members = cursor.sub(head.len).and_then(wire::members).ok_or("ldap_message")?;
        match head.operation {
            Operation::BindRequest => self.on_bind(&wire::bind(members).ok_or("ldap_bind")?, facts),
            Operation::BindResponse => {
                let (code, token) = wire::result(members).ok_or("ldap_result")?;
                if self.on_bind_response(code, token, facts) {
                    return Ok(Step::Done);
                }
            }
            Operation::ExtendedResponse if self.asked_for_tls => {
                let (code, _) = wire::result(members).ok_or("ldap_result")?;
                self.introduce(sender, head.operation, None, facts);
                return Ok(if code == SUCCESS { Step::Tls } else { Step::Next });
            }
            Operation::ExtendedRequest => {
                self.asked_for_tls |= wire::is_starttls(members);
                self.introduce(sender, head.operation, None, facts);
            }
            Operation::SearchRequest => {
                let base = wire::search_base(members).ok_or("ldap_search")?;
                self.introduce(sender, head.operation, Some(base), facts);
            }
            Operation::ExtendedResponse => {
                wire::result(members).ok_or("ldap_result")?;
                self.introduce(sender, head.operation, None, facts);
            }
            Operation::OtherRequest(_) | Operation::OtherResponse(_) => {}
        }
        Ok(Step::Next)
    }

    fn on_bind(&mut self, bind: &Bind<'_>, facts: &mut Vec<Statement>) {
        self.said = true;
        let (authentication, token) = match &bind.method {
            Method::Sasl { mechanism, token } => (mechanism.clone(), *token),
            Method::Kerberos4 => ("kerberos4".into(), &[][..]),
            Method::Sicily { token } => ("sicily".into(), *token),
            Method::Simple { is_empty: true } => ("anonymous".into(), &[][..]),
            Method::Simple { is_empty: false } => ("simple".into(), &[][..]),
        };
        self.log_on.on_client(token, facts);
        if self.log_on.pending().is_none() {
            // A step of a mechanism that does not show a name, or one that has only this name.
            self.log_on.claim(Credential::default(), facts);
        }
        let Some(claim) = self.log_on.pending() else { return };
        if !bind.name.is_empty() {
            claim.user = claim.user.take().or_else(|| account(&bind.name));
            claim.fields.push("ldap.bind_dn", bind.name.clone());
        }
        claim.fields.push("ldap.authentication", authentication);
    }

    /// Returns whether somebody was let in by a mechanism that can seal what follows. After a simple bind another one may
    /// come: applications look their users' passwords up so.
    fn on_bind_response(&mut self, code: u64, token: &[u8], facts: &mut Vec<Statement>) -> bool {
        if self.log_on.pending().is_none() {
            // The bind itself was not seen.
            self.introduce(Sender::Server, Operation::BindResponse, None, facts);
        }
        self.said = true;
        let outcome = match code {
            SUCCESS if !LogOn::is_challenge(token) => Outcome::Success,
            // Sicily calls every step a success.
            SUCCESS | SASL_BIND_IN_PROGRESS => {
                self.log_on.on_server(token, None, facts);
                self.log_on.more_to_come();
                return false;
            }
            _ => Outcome::Failure,
        };
        let cannot_seal = ["anonymous", "simple"].map(|method| Some(Text::from(method).into()));
        let is_sealed = self
            .log_on
            .pending()
            .is_some_and(|claim| !cannot_seal.contains(&claim.fields.get("ldap.authentication").cloned()));
        self.log_on.on_server(token, Some(outcome), facts);
        outcome == Outcome::Success && is_sealed
    }

    /// Says that LDAP is spoken where no bind has said so.
    fn introduce(&mut self, sender: Sender, operation: Operation, base: Option<Text>, facts: &mut Vec<Statement>) {
        if self.said {
            return;
        }
        self.said = true;
        let mut hello = Hello::new(sender);
        hello.fields.push("ldap.operation", operation.name());
        hello.fields.push_some("ldap.base_dn", base.filter(|base| !base.is_empty()));
        facts.push(Statement::Hello(Box::new(hello)));
    }

    const fn skip_bytes(&mut self, sender: Sender) -> &mut usize {
        match sender {
            Sender::Client => &mut self.client_skip_bytes,
            Sender::Server => &mut self.server_skip_bytes,
        }
    }
}
