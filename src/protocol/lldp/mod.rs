//! LLDP frames in (IEEE 802.1AB §8), what a switch, an access point or a telephone says of itself out: its name, its
//! port, what it is.

mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Fields, Name, Statement, Value};
use crate::net::Transport;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use wire::Announcement;

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"lldp"),
    transports: &[Transport::Link],
    // The first element is the chassis.
    opens_with: ANY_BYTE,
    probe,
    start: |_| Box::new(Lldp::default()),
    fields: &[
        FieldSpec { name: "host.hostname", help: "The system name (IEEE 802.1AB §8.5.6)." },
        FieldSpec { name: "lldp.chassis_id", help: "Which device it is: a MAC, an address or a name (§8.5.2)." },
        FieldSpec { name: "lldp.port_id", help: "Which port sent it: a MAC, an address or a name (§8.5.3)." },
        FieldSpec { name: "lldp.port_description", help: "The port in words (§8.5.5)." },
        FieldSpec { name: "lldp.system_description", help: "Hardware, operating system and version (§8.5.7)." },
        FieldSpec {
            name: "lldp.capabilities",
            help: "What the device does now: bridge, router, station_only, telephone, wlan_access_point … (§8.5.8).",
        },
        FieldSpec { name: "lldp.management_ip", help: "The address to manage it at (§8.5.9)." },
    ],
};

const ETHER_TYPE: u16 = 0x88cc;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.on_port(ETHER_TYPE) { Probe::Match } else { Probe::No }
}

#[derive(Default)]
struct Lldp {
    /// The last announcement: it is repeated for as long as the device is there.
    told: Option<Announcement>,
    has_been_malformed: bool,
}

impl Parser for Lldp {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        match Announcement::parse(chunk.bytes) {
            Some(announcement) if self.told.as_ref() != Some(&announcement) => {
                facts.push(Statement::Name(Box::new(name(&announcement))));
                self.told = Some(announcement);
            }
            // Nobody else has this EtherType, and the next frame may be a better one.
            None if !std::mem::replace(&mut self.has_been_malformed, true) => {
                facts.push(Statement::Malformed("lldp_announcement"));
            }
            _ => {}
        }
        Progress::Continue { consumed: chunk.bytes.len() }
    }
}

fn name(announcement: &Announcement) -> Name {
    let mut fields = Fields::default();
    fields.push_some("host.hostname", announcement.system_name.clone());
    fields.push("lldp.chassis_id", announcement.chassis.clone());
    fields.push("lldp.port_id", announcement.port.clone());
    fields.push_some("lldp.port_description", announcement.port_description.clone());
    fields.push_some("lldp.system_description", announcement.system_description.clone());
    if !announcement.capabilities.is_empty() {
        fields.push("lldp.capabilities", Value::from(announcement.capabilities.clone()));
    }
    fields.push_some("lldp.management_ip", announcement.management_ip);
    Name { answered: true, fields, ..Name::default() }
}
