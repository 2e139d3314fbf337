//! Requests to a named pipe in ([MS-SMB2] §2.2.21 and §2.2.31), the interface of DCE/RPC that a client binds through it out.

use crate::facts::{Fields, Hello, Sender, Statement};
use crate::net::Text;
use crate::protocol::cursor::Cursor;
use crate::protocol::dcerpc;
use crate::protocol::dcerpc::wire::{Kind, Unit, unit};

/// What was bound through the pipes of a connection.
#[derive(Debug, Default)]
pub struct Pipes {
    told: Vec<Text>,
}

impl Pipes {
    /// The most interfaces of a connection that are told.
    const INTERFACES_MAX: usize = 16;

    pub fn on_write(&mut self, message: Cursor<'_>, facts: &mut Vec<Statement>) {
        self.on_data(written(message), facts);
    }

    pub fn on_control(&mut self, message: Cursor<'_>, facts: &mut Vec<Statement>) {
        self.on_data(transceived(message), facts);
    }

    fn on_data(&mut self, data: Option<&[u8]>, facts: &mut Vec<Statement>) {
        let unit = data.and_then(|data| unit(&mut Cursor::new(data)).ok().flatten());
        let is_bind = |unit: &Unit<'_>| unit.kind == Kind::Bind;
        let Some(interface) = unit.filter(is_bind).and_then(|unit| unit.interface()).map(Text::from) else { return };
        if self.told.len() >= Self::INTERFACES_MAX || self.told.contains(&interface) {
            return;
        }
        let mut fields = Fields::default();
        fields.push(dcerpc::INTERFACE.name, interface.clone());
        let hello = Hello { inside: Some(dcerpc::PROTOCOL), fields, ..Hello::new(Sender::Client) };
        facts.push(Statement::Hello(Box::new(hello)));
        self.told.push(interface);
    }
}

/// The data of a WRITE request.
fn written(message: Cursor<'_>) -> Option<&[u8]> {
    let mut body = message;
    body.skip(64)?;
    (body.u16_le()? == 49).then_some(())?;
    let (offset, len) = (u32::from(body.u16_le()?), body.u32_le()?);
    part(message, offset, len)
}

/// The input of an IOCTL request that writes to a pipe and reads its answer.
fn transceived(message: Cursor<'_>) -> Option<&[u8]> {
    const PIPE_TRANSCEIVE: u32 = 0x0011_c017;
    let mut body = message;
    body.skip(64)?;
    (body.u16_le()? == 57).then_some(())?;
    body.skip(2)?;
    (body.u32_le()? == PIPE_TRANSCEIVE).then_some(())?;
    body.skip(16)?; // the pipe
    let (offset, len) = (body.u32_le()?, body.u32_le()?);
    part(message, offset, len)
}

fn part(mut message: Cursor<'_>, offset: u32, len: u32) -> Option<&[u8]> {
    message.skip(usize::try_from(offset).ok()?)?;
    message.take(usize::try_from(len).ok()?)
}
