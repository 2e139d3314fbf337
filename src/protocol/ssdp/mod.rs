//! The discovery of UPnP in (UPnP Device Architecture 2.0 §1), a hello for each kind of device that a machine announces
//! or looks for out, with what it says it runs.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Fields, Hello, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::http::wire::{self, FirstLine, Head, Method};
use crate::protocol::http::{METHOD, SERVER, STATUS, USER_AGENT, domain};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const PROTOCOL: Protocol = Protocol::new(&"ssdp");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Udp],
    opens_with: &[(b'H', b'H'), (b'M', b'N')],
    probe,
    start: |start| {
        let on_port = start.on_port(PORT);
        Box::new(Ssdp { on_port, told: Vec::new() })
    },
    fields: &[METHOD, DOMAIN, USER_AGENT, STATUS, SERVER, DEVICE_KIND, DEVICE_NAME],
};

const DOMAIN: FieldSpec =
    FieldSpec { name: "url.domain", help: "Whom it is for, in lower case and without the port: the group of SSDP." };
const DEVICE_KIND: FieldSpec = FieldSpec {
    name: "ssdp.device.kind",
    help: "What the machine announces or looks for: `upnp:rootdevice`, `urn:schemas-upnp-org:device:…`.",
};
const DEVICE_NAME: FieldSpec = FieldSpec {
    name: "ssdp.device.name",
    help: "The unique name of what it announces; begins with the device's UUID.",
};

const PORT: u16 = 1900;

fn probe(opening: &Opening<'_>) -> Probe {
    match message(opening.bytes, opening.on_port(PORT)) {
        None => Probe::No,
        // Whoever looks or announces itself opens the flow.
        Some((_, sender)) if sender == opening.sender => Probe::Match,
        Some(_) => Probe::Reversed,
    }
}

/// A search or an announcement about everybody (`*`), or an answer that names a device. One datagram is one head. At its
/// port the first line is enough.
fn message(datagram: &[u8], on_port: bool) -> Option<(Head<'_>, Sender)> {
    if on_port {
        let head = lenient_head(datagram)?;
        return match head.first_line {
            FirstLine::Request { method: Method::Known("M-SEARCH" | "NOTIFY"), .. } => Some((head, Sender::Client)),
            FirstLine::Response { status: 200 } => Some((head, Sender::Server)),
            _ => None,
        };
    }
    let head = wire::head(&mut Cursor::new(datagram)).ok()??;
    match head.first_line {
        FirstLine::Request { method: Method::Known("M-SEARCH" | "NOTIFY"), target: b"*", .. } => {
            head.device_kind.is_some().then_some((head, Sender::Client))
        }
        FirstLine::Response { status: 200 } => {
            (head.device_kind.is_some() && head.device_name.is_some()).then_some((head, Sender::Server))
        }
        _ => None,
    }
}

/// A head as far as its lines go: some lack the last one, which is empty.
fn lenient_head(datagram: &[u8]) -> Option<Head<'_>> {
    let mut head = Head::new(wire::first_line(datagram).ok()??);
    let mut lines = Cursor::new(datagram);
    wire::line(&mut lines);
    while let Some(line) = wire::line(&mut lines).filter(|line| !line.is_empty()) {
        let mut line = Cursor::new(line);
        if let Some(name) = line.until(b':') {
            head.header(name, line.rest().trim_ascii());
        }
    }
    Some(head)
}

struct Ssdp {
    on_port: bool,
    told: Vec<Told>,
}

/// What a hello tells of; all that a machine repeats is told once.
#[derive(Eq, PartialEq)]
struct Told {
    sender: Sender,
    method: Option<&'static str>,
    software: Option<Text>,
    device_kind: Option<Text>,
}

impl Ssdp {
    /// The most that is told of a flow.
    const TOLD_MAX: usize = 48;
}

impl Parser for Ssdp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let Some((head, _)) = message(chunk.bytes, self.on_port) else { return Progress::Continue { consumed: 0 } };
        let method = match head.first_line {
            FirstLine::Request { method: Method::Known(method), .. } => Some(method),
            FirstLine::Request { .. } | FirstLine::Response { .. } => None,
        };
        let (user_agent, server) = (head.user_agent.map(Text::from_utf8), head.server.map(Text::from_utf8));
        let device_kind = head.device_kind.map(Text::from_utf8);
        let software = user_agent.clone().or_else(|| server.clone());
        let told = Told { sender: chunk.sender, method, software, device_kind: device_kind.clone() };
        if self.told.contains(&told) {
            return Progress::Continue { consumed: 0 };
        }
        self.told.push(told);
        let mut fields = Fields::default();
        match head.first_line {
            FirstLine::Request { method, .. } => fields.push(METHOD.name, method.value()),
            FirstLine::Response { status } => fields.push(STATUS.name, status),
        }
        fields.push_some(DOMAIN.name, head.host.and_then(|host| domain(host).0));
        fields.push_some(USER_AGENT.name, user_agent);
        fields.push_some(SERVER.name, server);
        fields.push_some(DEVICE_KIND.name, device_kind);
        fields.push_some(DEVICE_NAME.name, head.device_name.map(Text::from_utf8));
        facts.push(Statement::Hello(Box::new(Hello { fields, ..Hello::new(chunk.sender) })));
        if self.told.len() >= Self::TOLD_MAX { Progress::Done } else { Progress::Continue { consumed: 0 } }
    }
}
