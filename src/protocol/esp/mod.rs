//! ESP packets in, over IP (RFC 4303) or in UDP (RFC 3948), a tunnel out.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Confidence, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::{ANY_BYTE, Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, Start, ike};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"esp"),
    transports: &[Transport::Esp, Transport::Udp],
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(Esp::new(start)),
    fields: &[],
};

const NAT_PORT: u16 = 4500;

fn probe(opening: &Opening<'_>) -> Probe {
    let fits = match opening.transport {
        Transport::Esp => Header::parse(opening.bytes).is_some(),
        _ => opening.on_port(NAT_PORT) && is_in_udp(opening.bytes),
    };
    if fits { Probe::Match } else { Probe::No }
}

/// Whether bytes have the header of a packet of ESP.
pub(super) fn is_packet(bytes: &[u8]) -> bool {
    Header::parse(bytes).is_some_and(|header| header.spi >= Header::SPI_MIN)
}

/// Whether a datagram on the NAT traversal port can be ESP: no marker of IKE, room for a vector, a trailer and a tag,
/// and the padding to 4 bytes that RFC 4303 §2.4 asks for.
pub(super) fn is_in_udp(datagram: &[u8]) -> bool {
    const BYTES_MIN: usize = 28;
    datagram.len() >= BYTES_MIN && datagram.len().is_multiple_of(4) && is_packet(datagram)
}

/// What is readable of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Header {
    spi: u32,
    sequence: u32,
}

impl Header {
    /// Lower numbers are reserved (RFC 4303 §2.1).
    const SPI_MIN: u32 = 256;

    fn parse(packet: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(packet);
        let (spi, sequence) = (cursor.u32()?, cursor.u32()?);
        (spi != 0).then_some(Self { spi, sequence })
    }
}

struct Esp {
    transport: Transport,
    client: Option<Header>,
    server: Option<Header>,
    /// In UDP a packet is only known by the next one, or by IKE beside it.
    sure: bool,
    packets: u32,
}

impl Esp {
    /// After so many packets of one side the other is not waited for.
    const PACKETS_MAX: u32 = 16;
    /// The largest step of a sequence number that loss and another path explain.
    const STEP_MAX: u32 = 1024;

    fn new(start: &Start) -> Self {
        let sure = start.transport != Transport::Udp;
        Self { transport: start.transport, client: None, server: None, sure, packets: 0 }
    }

    fn header(&self, packet: &[u8]) -> Option<Header> {
        match self.transport {
            Transport::Udp => Header::parse(packet).filter(|_| is_in_udp(packet)),
            _ => Header::parse(packet),
        }
    }

    fn take(&mut self, sender: Sender, header: Header) {
        let lane = match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        let follows = lane.is_some_and(|last| {
            last.spi == header.spi && (1..=Self::STEP_MAX).contains(&header.sequence.wrapping_sub(last.sequence))
        });
        self.sure |= follows;
        *lane = Some(header);
    }

    fn is_established(&self) -> bool {
        self.client.is_some() && self.server.is_some()
    }

    fn say(&self, facts: &mut Vec<Statement>) {
        let confidence = if self.transport == Transport::Udp { Confidence::Likely } else { Confidence::Certain };
        facts.push(Statement::Tunnel(Box::new(Tunnel::new(TunnelBasis::Data, confidence, self.is_established()))));
    }
}

impl Parser for Esp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.packets = self.packets.saturating_add(1);
        if let Some(header) = self.header(chunk.bytes) {
            self.take(chunk.sender, header);
        } else if self.transport == Transport::Udp {
            self.sure |= ike::is_marked(chunk.bytes);
        }
        if self.sure && (self.is_established() || self.packets >= Self::PACKETS_MAX) {
            self.say(facts);
            return Progress::Done;
        }
        if self.packets >= Self::PACKETS_MAX { Progress::Reject } else { Progress::Continue { consumed: 0 } }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.sure && (self.client.is_some() || self.server.is_some()) {
            self.say(facts);
        }
    }
}
