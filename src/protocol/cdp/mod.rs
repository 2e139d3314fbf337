//! Cisco Discovery Protocol frames in, what a device says of itself out: its name, its port, what it is and runs.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Fields, Name, Statement, Value};
use crate::net::Transport;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::Announcement;

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"cdp"),
    transports: &[Transport::Link],
    // The version.
    opens_with: &[(0x01, 0x02)],
    probe,
    start: |_| Box::new(Cdp::default()),
    fields: &[
        FieldSpec { name: "host.hostname", help: "The device's id: its name, or a serial number." },
        FieldSpec { name: "cdp.port_id", help: "The interface that sent it." },
        FieldSpec { name: "cdp.platform", help: "The model of the hardware." },
        FieldSpec { name: "cdp.software", help: "The software and its version." },
        FieldSpec { name: "cdp.capabilities", help: "What the device is: router, switch, host, phone …" },
        FieldSpec { name: "cdp.ip", help: "An address of the device." },
        FieldSpec { name: "cdp.native_vlan", help: "The VLAN of untagged frames at its port." },
    ],
};

/// The SNAP protocol of Cisco that announces a frame.
const ETHER_TYPE: u16 = 0x2000;

fn probe(opening: &Opening<'_>) -> Probe {
    let is_cdp = opening.on_port(ETHER_TYPE) && Announcement::parse(opening.bytes).is_some();
    if is_cdp { Probe::Match } else { Probe::No }
}

#[derive(Default)]
struct Cdp {
    /// The last announcement: it is repeated for as long as the device is there.
    told: Option<Announcement>,
}

impl Parser for Cdp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let announcement = Announcement::parse(chunk.bytes);
        if let Some(announcement) = announcement.filter(|announcement| self.told.as_ref() != Some(announcement)) {
            facts.push(Statement::Name(Box::new(name(&announcement))));
            self.told = Some(announcement);
        }
        Progress::Continue { consumed: chunk.bytes.len() }
    }
}

fn name(announcement: &Announcement) -> Name {
    let mut fields = Fields::default();
    fields.push_some("host.hostname", announcement.device.clone());
    fields.push_some("cdp.port_id", announcement.port.clone());
    fields.push_some("cdp.platform", announcement.platform.clone());
    fields.push_some("cdp.software", announcement.software.clone());
    if !announcement.capabilities.is_empty() {
        fields.push("cdp.capabilities", Value::from(announcement.capabilities.clone()));
    }
    fields.push_some("cdp.ip", announcement.ip);
    fields.push_some("cdp.native_vlan", announcement.native_vlan);
    Name { answered: true, fields, ..Name::default() }
}
