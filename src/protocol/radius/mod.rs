//! RADIUS in (RFC 2865, RFC 2866), who logged on from where out: the user, the station that called, the address given
//! to it, and whether it was let in; and the hellos of the TLS in its EAP (RFC 3579). Passwords and their hashes are
//! never read.

mod supplicants;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::facts::{Access, AccessPhase, Credential, Fields, Outcome, Sender, Statement};
use crate::net::{Mac, Text, Transport};
use crate::protocol::dns::budget::Budget;
use crate::protocol::eap;
use crate::protocol::tls::hello;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use supplicants::Supplicants;
use wire::{Code, Packet, attribute};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"radius"),
    transports: &[Transport::Udp],
    opens_with: &[(0x01, 0x05), (0x0b, 0x0c), (0x28, 0x2d)],
    probe,
    start: |_| Box::new(Radius::new()),
    fields: &[
        FieldSpec { name: "radius.code", help: "The packet's code (RFC 2865 §4, RFC 2866 §4, RFC 5176 §2)." },
        FieldSpec {
            name: "radius.calling_station_id",
            help: "Who calls: a hardware address, or a VPN client's public address.",
        },
        FieldSpec {
            name: "radius.called_station_id",
            help: "What is called: an access point and its network, or a gateway.",
        },
        FieldSpec { name: "radius.framed_ip", help: "The address that the session has inside." },
        FieldSpec { name: "radius.nas_ip", help: "The address of the access server." },
        FieldSpec { name: "radius.nas_identifier", help: "The name of the access server." },
        FieldSpec {
            name: "radius.nas_port_type",
            help: "How the session came in: ethernet, wireless, virtual (a VPN) or a number.",
        },
        FieldSpec { name: "radius.accounting_status", help: "start, stop, interim or a number (RFC 2866 §5.1)." },
        FieldSpec {
            name: "radius.tunnel_client_endpoint",
            help: "The far end of the tunnel that the session came in by.",
        },
        eap::METHOD,
        hello::VERSION,
        hello::VERSION_PROTOCOL,
        hello::CIPHER,
        hello::RESUMED,
        hello::ALERT,
    ],
};

/// Authentication, accounting and dynamic authorisation, today's and the first ones.
const PORTS: [u16; 6] = [1645, 1646, 1700, 1812, 1813, 3799];

fn probe(opening: &Opening<'_>) -> Probe {
    let Some(packet) = Packet::parse(opening.bytes) else {
        return Probe::No;
    };
    let is_unmistakable = is_unmistakable(&packet) && !packet.is_padded;
    if !PORTS.into_iter().any(|port| opening.on_port(port)) && !is_unmistakable {
        return Probe::No;
    }
    match (packet.code, opening.sender) {
        (Code::AccessRequest | Code::AccountingRequest, Sender::Server) => Probe::Reversed,
        (
            Code::AccessAccept | Code::AccessReject | Code::AccessChallenge | Code::AccountingResponse,
            Sender::Client,
        ) => Probe::Reversed,
        _ => Probe::Match,
    }
}

/// A request that names its access server, as it must (RFC 2865 §5.4, RFC 2866 §5.13), would be one on any port.
fn is_unmistakable(packet: &Packet<'_>) -> bool {
    let names_server = [attribute::NAS_ADDRESS, attribute::NAS_IDENTIFIER, attribute::NAS_ADDRESS_6]
        .into_iter()
        .any(|kind| packet.value(kind).is_some_and(|value| value.len() >= 4));
    matches!(packet.code, Code::AccessRequest | Code::AccountingRequest)
        && names_server
        && packet.text(attribute::USER_NAME).is_some()
}

struct Radius {
    /// Requests that were not answered yet, the latest last.
    pending: VecDeque<Request>,
    /// Who was told already: a logon takes many requests.
    told: VecDeque<Who>,
    has_told: bool,
    supplicants: Supplicants,
    budget: Budget,
}

struct Request {
    identifier: u8,
    who: Who,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Who {
    user: Option<Text>,
    calling_station: Option<Text>,
}

impl Radius {
    /// As many as there are identifiers.
    const PENDING_MAX: usize = 256;
    const TOLD_MAX: usize = 64;
    /// An access server's flow carries a whole site.
    const FACTS_PER_MINUTE: u32 = 2000;

    fn new() -> Self {
        let budget = Budget::per_minute(Self::FACTS_PER_MINUTE);
        let (pending, told, supplicants) = (VecDeque::new(), VecDeque::new(), Supplicants::new());
        Self { pending, told, has_told: false, supplicants, budget }
    }

    /// Whom the packet is about: an answer says so by its request.
    fn who(&self, packet: &Packet<'_>, eap: Option<&eap::Packet<'_>>) -> Who {
        let own = Who {
            user: packet.text(attribute::USER_NAME).or_else(|| eap?.identity()),
            calling_station: packet.text(attribute::CALLING_STATION),
        };
        if !matches!(packet.code, Code::AccessAccept | Code::AccessChallenge | Code::AccessReject) {
            return own;
        }
        let asked = self.pending.iter().find(|request| request.identifier == packet.identifier);
        let asked = asked.map(|request| request.who.clone()).unwrap_or_default();
        Who { user: asked.user.or(own.user), calling_station: asked.calling_station.or(own.calling_station) }
    }

    /// Remembers what the packet asks or answers. Returns whether it is worth a fact.
    fn is_news(&mut self, packet: &Packet<'_>, who: &Who) -> bool {
        match packet.code {
            Code::AccessRequest => {
                self.pending.retain(|request| request.identifier != packet.identifier);
                let request = Request { identifier: packet.identifier, who: who.clone() };
                push(&mut self.pending, request, Self::PENDING_MAX);
                let is_news = !self.told.contains(who);
                if is_news {
                    push(&mut self.told, who.clone(), Self::TOLD_MAX);
                }
                is_news
            }
            Code::AccessAccept | Code::AccessReject => {
                self.pending.retain(|request| request.identifier != packet.identifier);
                true
            }
            Code::AccountingRequest | Code::Dynamic(_) => true,
            // Of nobody: worth it where nothing else was said.
            Code::AccessChallenge | Code::AccountingResponse | Code::StatusServer => !self.has_told,
        }
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    if queue.len() >= max {
        queue.pop_front();
    }
    queue.push_back(item);
}

impl Parser for Radius {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let Some(packet) = Packet::parse(chunk.bytes) else {
            return Progress::Continue { consumed: 0 };
        };
        let bytes = packet.eap_bytes();
        let eap = eap::Packet::parse(&bytes);
        let who = self.who(&packet, eap.as_ref());
        let mut said = Vec::new();
        let method = eap.and_then(|eap| self.supplicants.on_packet(chunk.at, &who, &eap, &mut said));
        if self.is_news(&packet, &who) {
            self.has_told = true;
            // The requests of a tunnelled method name nobody (`anonymous`); the acceptance may say who it was (RFC 2865 §5.1).
            let accepted = packet.text(attribute::USER_NAME).filter(|_| packet.code == Code::AccessAccept);
            let who = Who { user: accepted.or(who.user), ..who };
            said.insert(0, Statement::Credential(Box::new(credential(&packet, who, method))));
        }
        for fact in said {
            self.budget.push(chunk.at, fact, facts);
        }
        Progress::Continue { consumed: 0 }
    }
}

fn credential(packet: &Packet<'_>, who: Who, method: Option<Text>) -> Credential {
    let outcome = match packet.code {
        Code::AccessAccept => Some(Outcome::Success),
        Code::AccessReject => Some(Outcome::Failure),
        _ => None,
    };
    let access = access(packet, who.calling_station.as_ref());
    let mut fields = Fields::default();
    fields.push("radius.code", packet.code.as_str());
    fields.push_some("radius.calling_station_id", who.calling_station);
    fields.push_some("radius.called_station_id", packet.text(attribute::CALLED_STATION));
    fields.push_some("radius.framed_ip", packet.address(attribute::FRAMED_ADDRESS));
    fields.push_some("radius.nas_ip", packet.address(attribute::NAS_ADDRESS));
    fields.push_some("radius.nas_identifier", packet.text(attribute::NAS_IDENTIFIER));
    fields.push_some("radius.nas_port_type", packet.number(attribute::NAS_PORT_TYPE).map(port_type));
    fields.push_some("radius.accounting_status", packet.number(attribute::ACCOUNTING_STATUS).map(accounting_status));
    fields.push_some("radius.tunnel_client_endpoint", packet.tagged_text(attribute::TUNNEL_CLIENT));
    fields.push_some(eap::METHOD.name, method);
    Credential { user: who.user, outcome, access: Some(access), fields, ..Credential::default() }
}

/// The session that a packet gives, tells of or ends.
fn access(packet: &Packet<'_>, calling_station: Option<&Text>) -> Access {
    let endpoint = packet.tagged_text(attribute::TUNNEL_CLIENT);
    let phase = match (packet.code, packet.number(attribute::ACCOUNTING_STATUS)) {
        (Code::AccessAccept, _) | (Code::AccountingRequest, Some(1 | 3)) => AccessPhase::Open,
        (Code::AccountingRequest, Some(2)) => AccessPhase::Over,
        _ => AccessPhase::Asked,
    };
    Access {
        outside: endpoint.as_ref().and_then(address).or_else(|| calling_station.and_then(address)),
        inside: packet.address(attribute::FRAMED_ADDRESS),
        station: calling_station.and_then(|station| Mac::parse(station.as_str())),
        phase,
    }
}

/// An address as gateways write it: alone, or with a port in brackets behind it.
fn address(text: &Text) -> Option<IpAddr> {
    text.as_str().split('[').next()?.parse().ok()
}

/// RFC 2865 §5.41.
fn port_type(number: u32) -> Text {
    match number {
        5 => "virtual".into(),
        15 => "ethernet".into(),
        19 => "wireless".into(),
        number => number.to_string().into(),
    }
}

fn accounting_status(number: u32) -> Text {
    match number {
        1 => "start".into(),
        2 => "stop".into(),
        3 => "interim".into(),
        7 => "on".into(),
        8 => "off".into(),
        number => number.to_string().into(),
    }
}
