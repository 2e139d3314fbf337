//! DCE/RPC over TCP (C706 §12, MS-RPCE §2.2.2): the binding of client and server in, a hello with the interface that is
//! bound and one [`Credential`] for each log-on in its security trailers out. Calls are passed over.
//!
//! [`Credential`]: crate::facts::Credential

pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Fields, Hello, Outcome, Sender, Statement};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::gss::LogOn;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

use wire::{Kind, Unit};

pub const PROTOCOL: Protocol = Protocol::new(&"dcerpc");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: &[(wire::VERSION, wire::VERSION)],
    probe,
    start: |_| Box::<DceRpc>::default(),
    fields: &[INTERFACE],
};

pub(super) const INTERFACE: FieldSpec =
    FieldSpec { name: "dcerpc.interface", help: "The UUID of the interface that the client binds first." };

fn probe(opening: &Opening<'_>) -> Probe {
    match wire::header(&mut Cursor::new(opening.bytes)) {
        Err(_) => Probe::No,
        Ok(None) => Probe::More,
        Ok(Some(header)) => match header.kind {
            Kind::Bind if opening.sender == Sender::Client => Probe::Match,
            Kind::BindAck if opening.sender == Sender::Server => Probe::Match,
            Kind::Bind | Kind::BindAck => Probe::Reversed,
            _ => Probe::No,
        },
    }
}

#[derive(Default)]
struct DceRpc {
    log_on: LogOn,
    is_bound: bool,
    units: u32,
}

impl DceRpc {
    /// The most units that are read: contexts are bound at the beginning, and a log-on is judged by the next answer.
    const UNITS_MAX: u32 = 32;

    /// Returns whether all is known.
    fn on_unit(&mut self, unit: &Unit<'_>, sender: Sender, facts: &mut Vec<Statement>) -> bool {
        if let (Kind::Bind, Sender::Client, false) = (unit.kind, sender, self.is_bound) {
            self.is_bound = true;
            let mut fields = Fields::default();
            fields.push_some(INTERFACE.name, unit.interface());
            facts.push(Statement::Hello(Box::new(Hello { fields, ..Hello::new(Sender::Client) })));
        }
        match (unit.kind, sender) {
            (Kind::Bind | Kind::AlterContext | Kind::Auth3, Sender::Client) => {
                self.log_on.on_client(unit.token, facts);
            }
            (Kind::BindAck | Kind::AlterContextAnswer, Sender::Server) => {
                self.log_on.on_server(unit.token, None, facts);
            }
            (Kind::Response, Sender::Server) => return self.judge(Outcome::Success, facts),
            (Kind::BindNak, Sender::Server) => return self.judge(Outcome::Failure, facts),
            (Kind::Fault(wire::ACCESS_DENIED), Sender::Server) => return self.judge(Outcome::Failure, facts),
            _ => {}
        }
        false
    }

    fn judge(&mut self, outcome: Outcome, facts: &mut Vec<Statement>) -> bool {
        self.log_on.on_server(&[], Some(outcome), facts);
        true
    }
}

impl Parser for DceRpc {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        loop {
            match wire::unit(&mut cursor) {
                Ok(Some(unit)) => {
                    self.units = self.units.saturating_add(1);
                    if self.on_unit(&unit, chunk.sender, facts) || self.units >= Self::UNITS_MAX {
                        self.log_on.on_end(facts);
                        return Progress::Done;
                    }
                }
                Ok(None) => return Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) },
                Err(reason) => {
                    self.log_on.on_end(facts);
                    return Progress::Malformed(reason);
                }
            }
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.log_on.on_end(facts);
    }
}
