//! DHCP version 6 messages in (RFC 8415), bare or in a relay's, leases out.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;

use crate::facts::{Fields, Lease, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::dns::budget::Budget;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::Message;

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"dhcpv6"),
    transports: &[Transport::Udp],
    opens_with: &[(0x01, 0x15)],
    probe,
    start: |_| Box::new(Dhcpv6 { budget: Budget::per_minute(FACTS_PER_MINUTE) }),
    fields: &[
        FieldSpec {
            name: "dhcp.message_type", help: "The message type (RFC 8415 §7.3): solicit, request, reply, …"
        },
        FieldSpec { name: "dhcp.client_fqdn", help: "The full name that the client asks for (RFC 4704)." },
        FieldSpec {
            name: "dhcp.duid",
            help: "The client's identifier, which outlives its addresses, in hex (RFC 8415 §11).",
        },
    ],
};

const CLIENT_PORT: u16 = 546;
const SERVER_PORT: u16 = 547;
const FACTS_PER_MINUTE: u32 = 2000;

fn probe(opening: &Opening<'_>) -> Probe {
    let on_port = opening.on_port(CLIENT_PORT) || opening.on_port(SERVER_PORT);
    match Message::parse(opening.bytes).filter(|_| on_port) {
        None => Probe::No,
        Some(message) if sender(&message) == opening.sender => Probe::Match,
        Some(_) => Probe::Reversed,
    }
}

/// Advertise, reply and reconfigure come from servers, and the answers to other queries.
const fn sender(message: &Message<'_>) -> Sender {
    if matches!(message.kind, 2 | 7 | 10 | 15..=17 | 19 | 21) { Sender::Server } else { Sender::Client }
}

struct Dhcpv6 {
    budget: Budget,
}

impl Parser for Dhcpv6 {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(message) = Message::parse(chunk.bytes) {
            self.budget.push(chunk.at, Statement::Lease(Box::new(lease(&message, chunk.missing == 0))), facts);
        }
        Progress::Continue { consumed: 0 }
    }
}

/// The order of the options tells a program by, where all of them are there.
fn lease(message: &Message<'_>, is_whole: bool) -> Lease {
    let is_client = sender(message) == Sender::Client;
    let name = message.client_name();
    let mut fields = Fields::default();
    fields.push_some("dhcp.message_type", wire::kind_name(message.kind));
    fields.push_some("dhcp.client_fqdn", name.clone().filter(|name| name.contains('.')));
    fields.push_some("dhcp.duid", message.duid());
    let address = message.address().map(IpAddr::from);
    Lease {
        mac: message.mac(),
        granted: message.kind == wire::REPLY && address.is_some(),
        address,
        host_name: name
            .as_deref()
            .and_then(|name| name.split('.').next())
            .filter(|name| !name.is_empty())
            .map(Text::from),
        vendor_class: message.vendor_class(),
        fingerprint: (is_client && is_whole).then(|| message.fingerprint()),
        fields,
    }
}
