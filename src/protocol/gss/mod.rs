//! The tokens of GSS-API (RFC 2743 §3.1) and SPNEGO (RFC 4178) that other protocols log on with: tokens of both sides in,
//! one [`Credential`] for each log-on out.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Outcome, Statement};
use crate::protocol::cursor::Cursor;
use crate::protocol::kerberos::wire::{ServiceRequest, service_request};
use crate::protocol::ntlm::{Authenticate, Challenge, Message};
use crate::protocol::{der, kerberos, ntlm};

const OBJECT_IDENTIFIER: u8 = 0x06;
/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
/// The token identifier of an AP-REQ (RFC 4121 §4.1).
const TOK_ID_KRB_AP_REQ: [u8; 2] = [0x01, 0x00];
/// SPNEGO in GSS-API, and a mechanism in SPNEGO.
const DEPTH_MAX: u8 = 3;

#[derive(Clone, Debug, Eq, PartialEq)]
enum Token {
    Kerberos(ServiceRequest),
    Ntlm(Message),
}

/// The log-ons of one connection.
#[derive(Default)]
pub struct LogOn {
    challenge: Option<Challenge>,
    /// What the client claimed and the server has not judged.
    pending: Option<Credential>,
    /// What waits is a step of a log-on, which the next one takes the place of.
    is_step: bool,
}

impl LogOn {
    /// Takes a token of the client.
    pub fn on_client(&mut self, token: &[u8], facts: &mut Vec<Statement>) {
        let claim = match read(token, DEPTH_MAX) {
            Some(Token::Ntlm(Message::Authenticate(authenticate))) => self.ntlm(authenticate),
            Some(Token::Kerberos(request)) => of_ticket(request),
            Some(Token::Ntlm(Message::Negotiate)) => {
                self.claim(Credential { protocol: Some(ntlm::PROTOCOL), ..Credential::default() }, facts);
                return self.more_to_come();
            }
            _ => return,
        };
        self.claim(claim, facts);
    }

    /// Takes what the client claims in the carrier's own words.
    pub fn claim(&mut self, claim: Credential, facts: &mut Vec<Statement>) {
        if !std::mem::take(&mut self.is_step) {
            self.on_end(facts);
        }
        self.pending = Some(claim);
    }

    /// What waits for the server's judgement.
    pub const fn pending(&mut self) -> Option<&mut Credential> {
        self.pending.as_mut()
    }

    /// Takes a token of the server, which may be empty, and its judgement, if it has come to one. Returns whether
    /// somebody with a name or a ticket was let in.
    pub fn on_server(&mut self, token: &[u8], outcome: Option<Outcome>, facts: &mut Vec<Statement>) -> bool {
        if let Some(Token::Ntlm(Message::Challenge(challenge))) = read(token, DEPTH_MAX) {
            self.challenge = Some(challenge);
        }
        let Some(mut credential) = self.pending.take_if(|_| outcome.is_some()) else { return false };
        credential.outcome = outcome;
        let is_named = credential.user.is_some() || credential.protocol == Some(kerberos::PROTOCOL);
        facts.push(Statement::Credential(Box::new(credential)));
        is_named && outcome == Some(Outcome::Success)
    }

    /// What waits was only a step: it is said if no other one follows.
    pub const fn more_to_come(&mut self) {
        self.is_step = true;
    }

    /// Whether a token of the server asks for another step, whatever else the carrier says.
    pub fn is_challenge(token: &[u8]) -> bool {
        matches!(read(token, DEPTH_MAX), Some(Token::Ntlm(Message::Challenge(_))))
    }

    /// Says what the server did not judge.
    pub fn on_end(&mut self, facts: &mut Vec<Statement>) {
        facts.extend(self.pending.take().map(|credential| Statement::Credential(Box::new(credential))));
    }

    fn ntlm(&mut self, authenticate: Authenticate) -> Credential {
        let mut credential = Credential {
            protocol: Some(ntlm::PROTOCOL),
            user: authenticate.user,
            domain: authenticate.domain,
            host: authenticate.host,
            ..Credential::default()
        };
        if let Some(challenge) = self.challenge.take() {
            credential.fields.push_some("ntlm.server_name", challenge.dns_computer.or(challenge.computer));
            credential.fields.push_some("ntlm.server_domain", challenge.dns_domain);
            credential.fields.push_some("ntlm.server_version", challenge.version);
        }
        credential
    }
}

/// A ticket says where it is from and for, and hides whose it is.
fn of_ticket(request: ServiceRequest) -> Credential {
    let mut credential =
        Credential { protocol: Some(kerberos::PROTOCOL), domain: Some(request.realm), ..Credential::default() };
    credential.fields.push(kerberos::SERVICE, request.service);
    credential
}

fn read(token: &[u8], depth: u8) -> Option<Token> {
    let depth = depth.checked_sub(1)?;
    let mut cursor = Cursor::new(token);
    match cursor.peek()? {
        b'N' => ntlm::message(token).map(Token::Ntlm),
        // An AP-REQ without wrapping, as DCE/RPC has it.
        0x6e => service_request(token).map(Token::Kerberos),
        0x60 => {
            let mut contents = der::tagged(&mut cursor, der::application(0))?;
            let mechanism = der::tagged(&mut contents, OBJECT_IDENTIFIER)?;
            if mechanism.rest() == SPNEGO {
                return read(mechanism_token(der::tagged(&mut contents, der::context(0))?)?, depth);
            }
            (contents.array()? == TOK_ID_KRB_AP_REQ).then_some(())?;
            read(contents.rest(), depth)
        }
        0xa0 | 0xa1 => {
            let (_, contents) = der::value(&mut cursor)?;
            read(mechanism_token(contents)?, depth)
        }
        _ => None,
    }
}

/// The `mechToken` of a NegTokenInit and the `responseToken` of a NegTokenResp, both under `[2]` (RFC 4178 §4.2).
fn mechanism_token(mut contents: Cursor<'_>) -> Option<&[u8]> {
    let mut members = der::tagged(&mut contents, der::SEQUENCE)?;
    while let Some((tag, mut member)) = der::value(&mut members) {
        if tag == der::context(2) {
            return der::tagged(&mut member, der::OCTET_STRING).map(|token| token.rest());
        }
    }
    None
}
