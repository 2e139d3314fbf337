//! Authentication Header packets in (RFC 4302), a tunnel out; what they protect is not hidden, and ESP inside is handed
//! on.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Fields, Sender, Statement, Tunnel};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Parser, Probe, Progress, Protocol, ProtocolSpec, esp};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new("ah"),
    transports: &[Transport::Ah],
    opens_with: ANY_BYTE,
    probe: |opening| if Header::parse(opening.bytes).is_some() { Probe::Match } else { Probe::No },
    start: |_| Box::new(Ah::default()),
    fields: &[FieldSpec { name: "ah.next_header", help: "The IANA protocol number of what is authenticated." }],
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Header {
    next_header: u8,
    bytes: usize,
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
        (spi != 0 && authenticator > 0 && cursor.len() >= authenticator).then_some(Self { next_header, bytes })
    }
}

/// What stands behind the header of a packet, if it is of this protocol.
pub(super) fn inner(packet: &[u8], protocol: u8) -> Option<&[u8]> {
    let header = Header::parse(packet).filter(|header| header.next_header == protocol)?;
    packet.get(header.bytes..)
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
        facts.push(Statement::Tunnel(Box::new(Tunnel { fields, ..Tunnel::new(Confidence::Certain, established) })));
        match header.next_header {
            esp::NUMBER => Progress::Upgrade { to: esp::SPEC.protocol, consumed: 0 },
            _ => Progress::Done,
        }
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
        if let Some((_, header)) = self.heard {
            Self::say(false, header, facts);
        }
    }
}
