//! ICA, the protocol of Citrix: the greeting of both sides in, one [`RemoteDesktop`] out.
//!
//! Citrix publishes no specification. Both sides begin with `7f 7f` and `ICA`, a zero behind it, as the programs send it.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{FactKind, RemoteDesktop, Sender};
use crate::net::Transport;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const PROTOCOL: Protocol = Protocol::new("ica");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(0x7f, 0x7f)],
    probe,
    start: |_| Box::<Ica>::default(),
    fields: &[],
};

const GREETING: &[u8; 6] = b"\x7f\x7fICA\0";

/// Both sides greet alike, so the roles are the flow's.
fn probe(opening: &Opening<'_>) -> Probe {
    if opening.bytes.starts_with(GREETING) {
        Probe::Match
    } else if GREETING.starts_with(opening.bytes) {
        Probe::More
    } else {
        Probe::No
    }
}

#[derive(Default)]
struct Ica {
    client_greeted: bool,
    server_greeted: bool,
}

impl Parser for Ica {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<FactKind>) -> Progress {
        let greeted = match chunk.sender {
            Sender::Client => &mut self.client_greeted,
            Sender::Server => &mut self.server_greeted,
        };
        if !*greeted && !chunk.bytes.starts_with(GREETING) {
            let may_be = GREETING.starts_with(chunk.bytes);
            return if may_be { Progress::Continue { consumed: 0 } } else { Progress::Reject };
        }
        *greeted = true;
        if !(self.client_greeted && self.server_greeted) {
            return Progress::Continue { consumed: chunk.bytes.len() };
        }
        facts.push(FactKind::RemoteDesktop(Box::<RemoteDesktop>::default()));
        Progress::Done
    }
}
