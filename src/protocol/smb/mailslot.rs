//! A message to a mailslot, as NetBIOS datagrams carry it ([MS-MAIL] §2.2.1), in; where it goes and what the machine
//! that announces itself there says of its system ([MS-BRWS] §2.2) out.

use crate::facts::{Fields, Hello, Sender, Statement};
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::protocol::cursor::Cursor;

pub const MAILSLOT: FieldSpec =
    FieldSpec { name: "smb.mailslot", help: "The mailslot that the message is for ([MS-MAIL] §2.2.1)." };
pub const OS_VERSION: FieldSpec = FieldSpec {
    name: "host.os.version",
    help: "The version of the system that the announcing machine says it runs ([MS-BRWS] §2.2.1).",
};

/// A message to a mailslot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mail {
    mailslot: Text,
    /// Major and minor, of a machine that announces itself.
    os_version: Option<(u8, u8)>,
}

impl Mail {
    const NAME_BYTES_MAX: usize = 64;

    /// A transaction request that writes to a mailslot ([MS-CIFS] §2.2.4.33).
    pub fn parse(message: &[u8]) -> Option<Self> {
        const TRANSACTION: [u8; 5] = *b"\xffSMB\x25";
        const WORDS: u8 = 17;
        const WRITE_MAILSLOT: u16 = 1;
        let mut body = Cursor::new(message);
        (body.array()? == TRANSACTION).then_some(())?;
        body.skip(27)?;
        (body.u8()? == WORDS).then_some(())?;
        body.skip(24)?; // counts, flags, timeout, parameters, the data's length
        let data_offset = body.u16_le()?;
        let [3, _] = body.array()? else { return None };
        (body.u16_le()? == WRITE_MAILSLOT).then_some(())?;
        body.skip(6)?; // priority, class, byte count
        let name = body.until(0).filter(|name| name.len() <= Self::NAME_BYTES_MAX)?;
        name.to_ascii_uppercase().starts_with(br"\MAILSLOT\").then_some(())?;
        let mut data = Cursor::new(message);
        let is_there = data.skip(usize::from(data_offset)).is_some();
        let os_version = if is_there { announced_version(data) } else { None };
        Some(Self { mailslot: Text::from_latin1(name), os_version })
    }

    /// What the sender says, marked as carried by another protocol.
    pub fn hello(&self) -> Statement {
        let mut fields = Fields::default();
        fields.push(MAILSLOT.name, self.mailslot.clone());
        fields.push_some(OS_VERSION.name, self.os_version.map(|(major, minor)| format!("{major}.{minor}")));
        Statement::Hello(Box::new(Hello { inside: Some(super::PROTOCOL), fields, ..Hello::new(Sender::Client) }))
    }
}

/// HostAnnouncement and LocalMasterAnnouncement: count, period, name, version, kind, the browser's version, a magic
/// number.
fn announced_version(mut data: Cursor<'_>) -> Option<(u8, u8)> {
    const HOST: u8 = 1;
    const LOCAL_MASTER: u8 = 15;
    matches!(data.u8()?, HOST | LOCAL_MASTER).then_some(())?;
    data.skip(21)?;
    let [major, minor] = data.array()?;
    data.skip(6)?;
    (data.array()? == [0x55, 0xaa]).then_some((major, minor))
}
