//! ARP probes in (RFC 826, RFC 5227 §1.1), who asks for which address under which hardware address out.
//!
//! A probe asks without an address of its own, as machines do when they are about to take one. Other ARP is not read.

#[cfg(test)]
pub(crate) mod tests;

use std::net::{IpAddr, Ipv4Addr};

use crate::facts::{Fields, Name, Statement};
use crate::net::{Mac, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::dns::budget::Budget;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"arp"),
    transports: &[Transport::Link],
    // Hardware of type 1 in two bytes.
    opens_with: &[(0x00, 0x00)],
    probe,
    start: |_| Box::new(Arp { budget: Budget::per_minute(FACTS_PER_MINUTE) }),
    fields: &[
        FieldSpec { name: "arp.sender_mac", help: "The hardware address that the probe gives as its sender's." },
        FieldSpec { name: "arp.target_ip", help: "The address that it asks for." },
    ],
};

const ETHER_TYPE: u16 = 0x0806;
/// A machine that takes an address sends three (RFC 5227 §2.1.1).
const FACTS_PER_MINUTE: u32 = 60;

fn probe(opening: &Opening<'_>) -> Probe {
    let is_probe = opening.on_port(ETHER_TYPE) && Question::parse(opening.bytes).is_some();
    if is_probe { Probe::Match } else { Probe::No }
}

struct Question {
    sender: Mac,
    target: Ipv4Addr,
}

impl Question {
    /// Ethernet and IPv4 (RFC 826): a request whose sender has no address.
    fn parse(bytes: &[u8]) -> Option<Self> {
        const ETHERNET_IPV4_REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];
        let mut cursor = Cursor::new(bytes);
        let (head, sender, own) = (cursor.array::<8>()?, cursor.array::<6>()?, cursor.u32()?);
        cursor.skip(6)?;
        let target = Ipv4Addr::from_bits(cursor.u32()?);
        (head == ETHERNET_IPV4_REQUEST && own == 0).then_some(Self { sender: Mac(sender), target })
    }
}

struct Arp {
    budget: Budget,
}

impl Parser for Arp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if let Some(question) = Question::parse(chunk.bytes) {
            let mut fields = Fields::default();
            fields.push("arp.sender_mac", question.sender);
            fields.push("arp.target_ip", IpAddr::V4(question.target));
            self.budget.push(chunk.at, Statement::Name(Box::new(Name { fields, ..Name::default() })), facts);
        }
        Progress::Continue { consumed: chunk.bytes.len() }
    }
}
