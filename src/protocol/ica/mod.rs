//! ICA, the protocol of Citrix, and CGP, which carries it where a session outlives its connections: the greeting of both
//! sides in, or of the one that is seen, one [`RemoteDesktop`] out.
//!
//! Citrix publishes no specification. Both sides begin with `7f 7f` and `ICA`, a zero behind it, or in CGP with a byte
//! and its version, `1a CGP/01`, as the programs send it.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{RemoteDesktop, Sender, Statement};
use crate::net::Transport;
use crate::protocol::{Chunk, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const PROTOCOL: Protocol = Protocol::new(&"ica");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(0x1a, 0x1a), (0x7f, 0x7f)],
    probe,
    start: |_| Box::<Ica>::default(),
    fields: &[],
};

const ICA: &[u8] = b"\x7f\x7fICA\0";
const CGP: &[u8] = b"\x1aCGP/01";

/// Both sides greet alike, so the roles are the flow's.
fn probe(opening: &Opening<'_>) -> Probe {
    match greets(opening.bytes) {
        Some(true) => Probe::Match,
        Some(false) => Probe::No,
        None => Probe::More,
    }
}

/// Whether a side's first bytes are a greeting; none where that cannot be told yet.
fn greets(bytes: &[u8]) -> Option<bool> {
    let may_come = [ICA, CGP].iter().any(|greeting| greeting.len() > bytes.len() && greeting.starts_with(bytes));
    (!may_come).then(|| bytes.starts_with(ICA) || bytes.starts_with(CGP))
}

#[derive(Default)]
struct Ica {
    client_greeted: bool,
    server_greeted: bool,
}

impl Parser for Ica {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let greeted = match chunk.sender {
            Sender::Client => &mut self.client_greeted,
            Sender::Server => &mut self.server_greeted,
        };
        if !*greeted {
            match greets(chunk.bytes) {
                None => return Progress::Continue { consumed: 0 },
                Some(false) => return Progress::Reject,
                Some(true) => *greeted = true,
            }
        }
        if !(self.client_greeted && self.server_greeted) {
            return Progress::Continue { consumed: chunk.bytes.len() };
        }
        facts.push(Statement::RemoteDesktop(Box::<RemoteDesktop>::default()));
        Progress::Done
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.client_greeted || self.server_greeted {
            facts.push(Statement::RemoteDesktop(Box::<RemoteDesktop>::default()));
        }
    }
}
