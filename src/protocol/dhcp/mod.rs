//! DHCP version 4 messages in (RFC 2131, RFC 2132), leases out: who asked, what it calls itself, and what it was given.
//!
//! Clients without an address share one flow (0.0.0.0 to the broadcast address), so the parser never is done.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;

use crate::facts::{Fields, Lease, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::dns::budget::Budget;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::{Message, Operation, option};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"dhcp"),
    transports: &[Transport::Udp],
    // The operation, which may be wrong where the cookie is right.
    opens_with: ANY_BYTE,
    probe,
    start: |_| Box::new(Dhcp { budget: Budget::per_minute(FACTS_PER_MINUTE) }),
    fields: &[
        FieldSpec {
            name: "dhcp.message_type", help: "The message type (RFC 2132 §9.6): discover, offer, request, …"
        },
        FieldSpec { name: "dhcp.client_fqdn", help: "The full name that the client asks for (RFC 4702)." },
        FieldSpec { name: "dhcp.server_ip", help: "The server that the message comes from or is meant for." },
    ],
};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Of proxy servers for network boot, which speak DHCP (PXE 2.1 §2.2.3).
const PXE_PORT: u16 = 4011;
/// A site's worth of machines that come back at once.
const FACTS_PER_MINUTE: u32 = 2000;

fn probe(opening: &Opening<'_>) -> Probe {
    let on_port = opening.on_port(SERVER_PORT) || opening.on_port(PXE_PORT);
    if !on_port {
        return Probe::No;
    }
    match Message::parse(opening.bytes, opening.missing).filter(is_plausible) {
        None => Probe::No,
        Some(message) if speaker(&message, opening) == opening.sender => Probe::Match,
        Some(_) => Probe::Reversed,
    }
}

/// The cookie stands for itself, whatever is wrong in the message. BOOTP has none, but it gives an address to somebody, or it
/// has the length of BOOTP, or there is nothing where options would be; and the snap length may have cut the cookie off.
fn is_plausible(message: &Message<'_>) -> bool {
    let is_bootp = message.your_address.is_some() || message.is_plain_bootp || message.is_cut;
    message.has_options || message.is_sound && message.mac.is_some() && is_bootp
}

/// Who sends such a message; where it does not say, the ports do.
fn speaker(message: &Message<'_>, opening: &Opening<'_>) -> Sender {
    match message.operation {
        Some(Operation::Request) => Sender::Client,
        Some(Operation::Reply) => Sender::Server,
        None => match (opening.client_port, opening.server_port) {
            (SERVER_PORT, CLIENT_PORT) => opening.sender.other(),
            _ => opening.sender,
        },
    }
}

struct Dhcp {
    budget: Budget,
}

impl Parser for Dhcp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(message) = Message::parse(chunk.bytes, chunk.missing).filter(is_plausible) {
            let is_request = match message.operation {
                Some(operation) => operation == Operation::Request,
                None => chunk.sender == Sender::Client,
            };
            self.budget.push(chunk.at, Statement::Lease(Box::new(lease(&message, is_request))), facts);
        }
        Progress::Continue { consumed: 0 }
    }
}

fn lease(message: &Message<'_>, is_request: bool) -> Lease {
    let said_kind = message.option(option::MESSAGE_TYPE);
    let kind = said_kind.and_then(|value| if let [kind] = value { message_type(*kind) } else { None });
    let grants =
        message.operation == Some(Operation::Reply) && (kind == Some("ack") || said_kind.is_none() && !message.is_cut);
    let asked_for = message.address_option(option::REQUESTED_ADDRESS).filter(|_| is_request);
    let fqdn =
        message.long_option(option::CLIENT_FQDN).and_then(|value| wire::fqdn(&value)).filter(|name| !name.is_empty());
    let mut fields = Fields::default();
    fields.push_some("dhcp.message_type", kind);
    fields.push_some("dhcp.client_fqdn", fqdn);
    fields.push_some("dhcp.server_ip", message.address_option(option::SERVER).map(IpAddr::from));
    Lease {
        mac: message.mac,
        address: message.your_address.or(asked_for).or(message.client_address).map(IpAddr::from),
        granted: grants && message.your_address.is_some(),
        host_name: message.long_option(option::HOST_NAME).and_then(|value| text(&value)),
        vendor_class: message.long_option(option::VENDOR_CLASS).and_then(|value| text(&value)),
        // A server's answer has the order of the server's program, and one that was cut has not all of it.
        fingerprint: (is_request && !message.is_cut).then(|| message.fingerprint()),
        fields,
    }
}

/// Text as sent, but for the NULs that some clients end it with.
fn text(value: &[u8]) -> Option<Text> {
    let end = value.iter().rposition(|&byte| byte != 0)?;
    Some(Text::from_utf8(value.get(..=end)?))
}

/// RFC 2132 §9.6, RFC 3203, RFC 4388, RFC 6926, RFC 7724.
fn message_type(number: u8) -> Option<&'static str> {
    let name = match number {
        1 => "discover",
        2 => "offer",
        3 => "request",
        4 => "decline",
        5 => "ack",
        6 => "nak",
        7 => "release",
        8 => "inform",
        9 => "forcerenew",
        10 => "leasequery",
        11 => "leaseunassigned",
        12 => "leaseunknown",
        13 => "leaseactive",
        14 => "bulkleasequery",
        15 => "leasequerydone",
        16 => "activeleasequery",
        17 => "leasequerystatus",
        18 => "tls",
        _ => return None,
    };
    Some(name)
}
