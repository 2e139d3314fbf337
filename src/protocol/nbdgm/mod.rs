//! NetBIOS datagrams in (RFC 1002 §4.4), the name of the machine that sends them out, and what it announces by SMB.

#[cfg(test)]
pub(crate) mod tests;

use std::net::Ipv4Addr;

use smallvec::smallvec;

use crate::facts::{Fields, Name, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::dns::budget::Budget;
use crate::protocol::dns::name::DomainName;
use crate::protocol::nbns::wire::NetbiosName;
use crate::protocol::smb::mailslot::{MAILSLOT, Mail, OS_VERSION};
use crate::protocol::{Chunk, FieldSpec, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"nbdgm"),
    transports: &[Transport::Udp],
    opens_with: &[(0x10, 0x16)],
    probe: |opening| {
        let fits = opening.on_port(PORT) && Datagram::parse(opening.bytes).is_some();
        if fits { Probe::Match } else { Probe::No }
    },
    start: |_| Box::new(Nbdgm { told: None, budget: Budget::per_minute(FACTS_PER_MINUTE) }),
    fields: &[
        FieldSpec { name: "host.hostname", help: "The name that the sending machine gives itself." },
        FieldSpec { name: "nbdgm.destination", help: "The machine or group that the datagram is for." },
        MAILSLOT,
        OS_VERSION,
    ],
};

const PORT: u16 = 138;
const FACTS_PER_MINUTE: u32 = 60;

/// A datagram to one machine, a group or all; or what is asked and answered of those.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Datagram {
    source_address: Ipv4Addr,
    source: Option<NetbiosName>,
    destination: Option<NetbiosName>,
    mail: Option<Mail>,
}

impl Datagram {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        // Of the flags the higher half is reserved.
        let (kind, _flags, _id) = (cursor.u8()?, cursor.u8()?, cursor.u16()?);
        let source_address = Ipv4Addr::from(cursor.array::<4>()?);
        let _port = cursor.u16()?;
        let mut datagram = Self { source_address, source: None, destination: None, mail: None };
        match kind {
            0x10..=0x12 => {
                // Length, offset.
                cursor.skip(4)?;
                datagram.source = Some(name(bytes, &mut cursor)?);
                datagram.destination = Some(name(bytes, &mut cursor)?);
                datagram.mail = Mail::parse(cursor.rest());
            }
            // An error and its code (§4.4.3), and who is asked for (§4.4.4).
            0x13 if matches!(cursor.rest(), [0x82..=0x84]) => {}
            0x14..=0x16 => datagram.destination = Some(name(bytes, &mut cursor).filter(|_| cursor.is_empty())?),
            _ => return None,
        }
        Some(datagram)
    }
}

/// An encoded name, or a pointer to one (RFC 1002 §4.1). A scope may follow.
fn name(datagram: &[u8], cursor: &mut Cursor<'_>) -> Option<NetbiosName> {
    NetbiosName::decode(&DomainName::read(datagram, cursor)?.spelt())
}

struct Nbdgm {
    /// A machine announces itself for ever; only a change is news.
    told: Option<Datagram>,
    budget: Budget,
}

impl Parser for Nbdgm {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let Some(datagram) = Datagram::parse(chunk.bytes).filter(|datagram| self.told.as_ref() != Some(datagram))
        else {
            return Progress::Continue { consumed: 0 };
        };
        let mut fields = Fields::default();
        let host = datagram.source.as_ref().filter(|source| source.is_of_machine());
        fields.push_some("host.hostname", host.map(|host| host.text.clone()));
        fields.push_some("nbdgm.destination", datagram.destination.as_ref().and_then(printable));
        let addresses = smallvec![datagram.source_address.into()];
        let name = Name { answered: true, addresses, fields, ..Name::default() };
        self.budget.push(chunk.at, Statement::Name(Box::new(name)), facts);
        if let Some(mail) = &datagram.mail {
            self.budget.push(chunk.at, mail.hello(), facts);
        }
        self.told = Some(datagram);
        Progress::Continue { consumed: 0 }
    }
}

fn printable(name: &NetbiosName) -> Option<Text> {
    (!name.text.as_str().chars().any(char::is_control)).then(|| name.text.clone())
}
