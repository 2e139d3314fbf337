//! RDP ([MS-RDPBCGR] §1.3.1.1): the X.224 negotiation, and in clear the MCS settings and client info, in; one
//! [`RemoteDesktop`] and where it shows a [`Credential`] out. A negotiated TLS goes on as TLS. What a client says to
//! Hyper-V or to a gateway before all that ([MS-RDPEPS]) is read, too.

mod preconnection;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, RemoteDesktop, Sender, Statement};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::rdp::preconnection::{Begun, Preconnection};
use crate::protocol::rdp::wire::{ClientSettings, Confirm, DomainPdu, EncryptionMethod, Protocols, Request};
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, tls};

pub const PROTOCOL: Protocol = Protocol::new(&"rdp");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    // A TPKT, or the size of a preconnection PDU.
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(Rdp { on_port: start.on_port(PORT), ..Rdp::default() }),
    fields: &[
        FieldSpec {
            name: "rdp.preconnection_id",
            help: "The number that says whom a gateway hands on to ([MS-RDPEPS] §2.2.1)",
        },
        FieldSpec {
            name: "rdp.virtual_machine",
            help: "The GUID of the Hyper-V machine asked for ([MS-RDPEPS] §2.2.1.2)",
        },
        FieldSpec { name: "rdp.cookie", help: "The user name in `Cookie: mstshash=` ([MS-RDPBCGR] §2.2.1.1)" },
        FieldSpec { name: "rdp.requested_protocols", help: "The security protocols the client offers (§2.2.1.1.1)" },
        FieldSpec { name: "rdp.selected_protocol", help: "The security protocol the server chose (§2.2.1.2.1)" },
        FieldSpec { name: "rdp.failure", help: "Why the server refused the negotiation (§2.2.1.2.2)" },
        FieldSpec { name: "rdp.client_name", help: "The client computer's name (§2.2.1.3.2)" },
        FieldSpec { name: "rdp.client_build", help: "The build number of the client (§2.2.1.3.2)" },
        FieldSpec { name: "rdp.client_product_id", help: "The product id of the client's installation (§2.2.1.3.2)" },
        FieldSpec { name: "rdp.keyboard_layout", help: "The active input locale, eight hex digits (§2.2.1.3.2)" },
        FieldSpec { name: "rdp.desktop_width", help: "The width asked for, in pixels (§2.2.1.3.2)" },
        FieldSpec { name: "rdp.desktop_height", help: "The height asked for, in pixels (§2.2.1.3.2)" },
        FieldSpec { name: "rdp.channels", help: "The static virtual channels asked for (§2.2.1.3.4)" },
        FieldSpec { name: "rdp.encryption_method", help: "What standard RDP security encrypts with (§2.2.1.4.3)" },
        FieldSpec { name: "rdp.client_address", help: "The address the client says it has (§2.2.1.11.1.1.1)" },
    ],
};

const PORT: u16 = 3389;

/// The most PDUs read in search of the client info: 2 to attach, a join for each of 33 channels, and some to spare.
const DOMAIN_PDUS_MAX: u8 = 64;

/// Tells RDP from the other users of the ISO transport (S7comm, MMS, H.323) by what only RDP has; a bare request is
/// believed when the settings follow.
fn probe(opening: &Opening<'_>) -> Probe {
    let mut cursor = Cursor::new(opening.bytes);
    if cursor.peek() != Some(wire::TPKT_VERSION) {
        return match preconnection::begins(opening.bytes) {
            Begun::No => Probe::No,
            Begun::Wanting => Probe::More,
            Begun::Preconnection if opening.sender == Sender::Client => Probe::Match,
            Begun::Preconnection => Probe::Reversed,
        };
    }
    let body = match wire::tpkt(&mut cursor) {
        Ok(Some(body)) => body,
        Ok(None) => return Probe::More,
        Err(_) => return Probe::No,
    };
    let role = if wire::request(body, opening.on_port(PORT)).is_some() || wire::is_connect_initial(body) {
        Sender::Client
    } else if matches!(wire::confirm(body), Some(Confirm::Selected(_) | Confirm::Failure(_))) {
        Sender::Server
    } else {
        return Probe::No;
    };
    if role == opening.sender { Probe::Match } else { Probe::Reversed }
}

#[derive(Default)]
struct Rdp {
    on_port: bool,
    preconnection: Option<Preconnection>,
    request: Option<Request>,
    confirm: Option<Confirm>,
    settings: Option<ClientSettings>,
    encryption: Option<EncryptionMethod>,
    domain_pdus: u8,
    /// The remote desktop was said.
    said: bool,
}

impl Parser for Rdp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        let step = loop {
            let step = match chunk.sender {
                Sender::Client => self.on_client(&mut cursor, facts),
                Sender::Server => self.on_server(&mut cursor, facts),
            };
            if !matches!(step, Step::Again) {
                break step;
            }
        };
        let consumed = chunk.bytes.len().saturating_sub(cursor.len());
        match step {
            Step::Again | Step::Wait => Progress::Continue { consumed },
            Step::Done => Progress::Done,
            Step::Foreign if self.is_certain() => {
                self.on_end(facts);
                Progress::Malformed("rdp_sequence")
            }
            Step::Foreign => Progress::Reject,
            Step::Tls => Progress::Upgrade { to: tls::PROTOCOL, consumed },
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.is_certain() {
            self.say(facts);
        }
    }
}

enum Step {
    /// A PDU was read; there may be another one.
    Again,
    Done,
    /// What follows is no RDP.
    Foreign,
    /// TLS follows on both sides.
    Tls,
    /// More bytes, or the other side's, are needed.
    Wait,
}

impl Rdp {
    fn on_client(&mut self, cursor: &mut Cursor<'_>, facts: &mut Vec<Statement>) -> Step {
        if self.request.is_none()
            && self.settings.is_none()
            && let Some(step) = self.before_the_request(cursor, facts)
        {
            return step;
        }
        // After the request it depends on the server's answer what the client's next bytes are.
        if self.request.is_some() && self.confirm.is_none() && !self.is_standard_only() {
            return Step::Wait;
        }
        let body = match wire::tpkt(cursor) {
            Ok(Some(body)) => body,
            Ok(None) => return Step::Wait,
            Err(_) => return Step::Foreign,
        };
        if self.settings.is_some() {
            return self.on_domain_pdu(body, facts);
        }
        if let Some(settings) = wire::connect_initial(body) {
            self.settings = Some(settings);
            return Step::Again;
        }
        if self.request.is_some() {
            return Step::Foreign;
        }
        self.request = wire::request(body, self.on_port);
        match self.request {
            Some(_) => self.negotiated(facts),
            None => Step::Foreign,
        }
    }

    /// What may stand before the request; none once that is due. A host of virtual machines begins with TLS where
    /// others ask for it.
    fn before_the_request(&mut self, cursor: &mut Cursor<'_>, facts: &mut Vec<Statement>) -> Option<Step> {
        if self.preconnection.is_none() {
            if matches!(cursor.peek(), None | Some(wire::TPKT_VERSION)) {
                return None;
            }
            return Some(match preconnection::begins(cursor.rest()) {
                Begun::No => Step::Foreign,
                Begun::Wanting => Step::Wait,
                Begun::Preconnection => {
                    self.preconnection = preconnection::read(cursor);
                    if self.preconnection.is_some() { Step::Again } else { Step::Wait }
                }
            });
        }
        match tls::begins_with_client_hello(cursor.rest()) {
            _ if cursor.is_empty() => Some(Step::Wait),
            Some(true) => {
                self.say(facts);
                Some(Step::Tls)
            }
            Some(false) => None,
            None => Some(Step::Wait),
        }
    }

    fn on_server(&mut self, cursor: &mut Cursor<'_>, facts: &mut Vec<Statement>) -> Step {
        if cursor.is_empty() {
            return Step::Wait;
        }
        if self.confirm.is_some_and(Confirm::is_tls) {
            // The request was not seen, and will not be any more.
            self.say(facts);
            return Step::Tls;
        }
        if self.said {
            let _ = cursor.skip(cursor.len());
            return Step::Wait;
        }
        let body = match wire::tpkt(cursor) {
            Ok(Some(body)) => body,
            Ok(None) => return Step::Wait,
            Err(_) => return Step::Foreign,
        };
        if self.confirm.is_none() && self.settings.is_none() {
            self.confirm = wire::confirm(body);
            return if self.confirm.is_some() { self.negotiated(facts) } else { Step::Foreign };
        }
        let Some(encryption) = wire::connect_response(body) else { return Step::Foreign };
        self.encryption = Some(encryption);
        self.say(facts);
        if encryption == EncryptionMethod::NONE { Step::Again } else { Step::Done }
    }

    /// A side's part of the negotiation was read.
    fn negotiated(&mut self, facts: &mut Vec<Statement>) -> Step {
        match (&self.request, self.confirm) {
            (Some(_), Some(Confirm::Failure(_))) => {
                self.say(facts);
                Step::Done
            }
            (Some(_), Some(confirm)) if confirm.is_tls() => {
                self.say(facts);
                Step::Tls
            }
            _ => Step::Again,
        }
    }

    fn on_domain_pdu(&mut self, body: Cursor<'_>, facts: &mut Vec<Statement>) -> Step {
        self.domain_pdus = self.domain_pdus.saturating_add(1);
        match wire::domain_pdu(body) {
            None => Step::Foreign,
            Some(DomainPdu::Other) if self.domain_pdus < DOMAIN_PDUS_MAX => Step::Again,
            Some(DomainPdu::Encrypted | DomainPdu::Other) => {
                self.say(facts);
                Step::Done
            }
            Some(DomainPdu::ClientInfo(info)) => {
                self.say(facts);
                let mut credential = Credential {
                    user: Some(info.user).filter(|user| !user.is_empty()),
                    domain: Some(info.domain).filter(|domain| !domain.is_empty()),
                    host: self.settings.as_ref().map(|settings| settings.name.clone()),
                    ..Credential::default()
                };
                credential.fields.push_some("rdp.client_address", info.address);
                facts.push(Statement::Credential(Box::new(credential)));
                Step::Done
            }
        }
    }

    /// Whether something was seen that only RDP has.
    fn is_certain(&self) -> bool {
        self.settings.is_some()
            || self.request.as_ref().is_some_and(|request| !request.is_bare())
            || matches!(self.confirm, Some(Confirm::Selected(_) | Confirm::Failure(_)))
    }

    /// Whether the client offers nothing but standard RDP security, so that the server has no choice.
    fn is_standard_only(&self) -> bool {
        self.request.as_ref().is_some_and(|request| matches!(request.protocols, None | Some(Protocols(0))))
    }

    fn say(&mut self, facts: &mut Vec<Statement>) {
        if self.said {
            return;
        }
        self.said = true;
        let mut desktop = RemoteDesktop::default();
        if let Some(preconnection) = &self.preconnection {
            desktop.fields.push("rdp.preconnection_id", preconnection.id);
            desktop.fields.push_some("rdp.virtual_machine", preconnection.machine.clone());
        }
        if let Some(request) = &self.request {
            desktop.user.clone_from(&request.cookie);
            desktop.fields.push_some("rdp.cookie", request.cookie.clone());
            desktop.fields.push_some("rdp.requested_protocols", request.protocols.map(Protocols::names));
        }
        match self.confirm {
            Some(Confirm::Failure(code)) => desktop.fields.push_some("rdp.failure", wire::failure_name(code)),
            Some(Confirm::Selected(protocol)) => {
                desktop.security = if protocol.is_network_level() { Some("nla") } else { protocol.name() };
                desktop.fields.push_some("rdp.selected_protocol", protocol.name());
            }
            Some(Confirm::Bare) => desktop.security = Some("rdp"),
            None => {}
        }
        if let Some(settings) = &self.settings {
            describe(&mut desktop, settings);
        }
        desktop.fields.push_some("rdp.encryption_method", self.encryption.and_then(EncryptionMethod::name));
        facts.push(Statement::RemoteDesktop(Box::new(desktop)));
    }
}

impl Confirm {
    const fn is_tls(self) -> bool {
        matches!(self, Self::Selected(Protocols(1..)))
    }
}

fn describe(desktop: &mut RemoteDesktop, settings: &ClientSettings) {
    desktop.client_name = Some(settings.name.clone()).filter(|name| !name.is_empty());
    desktop.fields.push_some("rdp.client_name", desktop.client_name.clone());
    desktop.fields.push("rdp.client_build", settings.build);
    desktop.fields.push_some("rdp.client_product_id", settings.product_id.clone());
    desktop.fields.push("rdp.keyboard_layout", format!("{:08x}", settings.keyboard_layout));
    desktop.fields.push("rdp.desktop_width", settings.desktop_width);
    desktop.fields.push("rdp.desktop_height", settings.desktop_height);
    desktop.fields.push("rdp.channels", settings.channels.clone());
}
