//! Packets of an Authentication Header in (RFC 4302) that protects no packet of a flow (ICMP, routing), a tunnel out. IP
//! says what they are, so that a header which contradicts itself is a malformed one.
//!
//! It hides nothing: TCP, UDP, ESP and packets of a tunnel in it are read as flows of their own, which say that they are
//! under one.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Hello, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"ah"),
    transports: &[Transport::Ah],
    opens_with: ANY_BYTE,
    probe: |_| Probe::Match,
    start: |_| Box::new(Ah::default()),
    fields: &[FieldSpec { name: "ah.next_header", help: "The IANA protocol number of what is authenticated." }],
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Header {
    next_header: u8,
}

impl Header {
    /// The fixed fields; the authenticator follows.
    const BYTES_MIN: usize = 12;

    fn parse(packet: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(packet);
        let next_header = cursor.u8()?;
        // In words of 4 bytes, minus 2 (§2.2).
        let bytes = usize::from(cursor.u8()?).saturating_add(2).saturating_mul(4);
        let _reserved = cursor.u16()?;
        let spi = cursor.u32()?;
        let _sequence = cursor.u32()?;
        let authenticator = bytes.checked_sub(Self::BYTES_MIN)?;
        (spi != 0 && authenticator > 0 && cursor.len() >= authenticator).then_some(Self { next_header })
    }
}

/// What is said of a flow that is under a header, when it opens.
pub fn of_flow() -> (Protocol, Statement) {
    (SPEC.protocol, Statement::Hello(Box::new(Hello::new(Sender::Client))))
}

#[derive(Default)]
struct Ah {
    heard: Option<(Sender, Header)>,
    packets: u32,
}

impl Ah {
    /// After so many packets of one side the other is not waited for.
    const PACKETS_MAX: u32 = 4;

    fn say(established: bool, header: Header, facts: &mut Vec<Statement>) -> Progress {
        let mut fields = Fields::default();
        fields.push("ah.next_header", header.next_header);
        let tunnel = Tunnel { fields, ..Tunnel::new(TunnelBasis::Data, Confidence::Certain, established) };
        facts.push(Statement::Tunnel(Box::new(tunnel)));
        Progress::Done
    }
}

impl Parser for Ah {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let Some(header) = Header::parse(chunk.bytes) else {
            return Progress::Continue { consumed: 0 };
        };
        self.packets = self.packets.saturating_add(1);
        let (first, _) = *self.heard.get_or_insert((chunk.sender, header));
        if first != chunk.sender || self.packets >= Self::PACKETS_MAX {
            return Self::say(first != chunk.sender, header, facts);
        }
        Progress::Continue { consumed: 0 }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        match self.heard {
            Some((_, header)) => {
                Self::say(false, header, facts);
            }
            None => facts.push(Statement::Malformed("ah_header")),
        }
    }
}
