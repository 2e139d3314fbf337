//! X11 (X Window System Protocol, chapter 8): the connection setup of client and display in, one [`RemoteDesktop`] out.
//! Authorization data is passed over. Amid a connection to a display's port, what both sides send is enough.

mod midway;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{RemoteDesktop, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};
use midway::{Judgement, Midway};

pub const PROTOCOL: Protocol = Protocol::new(&"x11");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(X11 { setup: None, midway: start.is_midway.then(Midway::default) }),
    fields: &[
        FieldSpec { name: "x11.authorization", help: "The authorization protocol of the client, if it has any" },
        FieldSpec { name: "x11.accepted", help: "Whether the display accepted the connection" },
        FieldSpec { name: "x11.vendor", help: "The maker of the display in its own words" },
    ],
};

const VERSION: u16 = 11;
/// The most bytes of an authorization protocol's name, and of its data.
const AUTHORIZATION_BYTES_MAX: u16 = 256;

fn probe(opening: &Opening<'_>) -> Probe {
    let mut cursor = Cursor::new(opening.bytes);
    match setup(&mut cursor) {
        Err(_) if opening.is_midway => probe_midway(opening),
        Err(_) => Probe::No,
        Ok(None) => Probe::More,
        Ok(Some(_)) if opening.sender == Sender::Client => Probe::Match,
        Ok(Some(_)) => Probe::Reversed,
    }
}

fn probe_midway(opening: &Opening<'_>) -> Probe {
    let (role, probe) = match midway::display(opening) {
        None => return Probe::No,
        Some(Sender::Server) => (opening.sender, Probe::Match),
        Some(Sender::Client) => (opening.sender.other(), Probe::Reversed),
    };
    if midway::may_go_on(opening.bytes, role) { probe } else { Probe::No }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ByteOrder {
    Big,
    Little,
}

impl ByteOrder {
    fn u16(self, cursor: &mut Cursor<'_>) -> Option<u16> {
        match self {
            Self::Big => cursor.u16(),
            Self::Little => cursor.u16_le(),
        }
    }
}

/// The client's setup request.
struct Setup {
    order: ByteOrder,
    authorization: Text,
}

/// What the display answers.
struct Answer {
    is_accepted: bool,
    vendor: Option<Text>,
}

struct X11 {
    setup: Option<Setup>,
    /// As long as the connection may have begun before.
    midway: Option<Midway>,
}

impl Parser for X11 {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        match (chunk.sender, &self.setup) {
            (Sender::Client, None) => match setup(&mut cursor) {
                Ok(read) => self.setup = read,
                Err(_) => return self.on_midway(chunk, facts),
            },
            (Sender::Server, None) => return self.on_midway(chunk, facts),
            (Sender::Server, Some(setup)) => match answer(&mut cursor, setup.order) {
                Ok(Some(answer)) => {
                    facts.push(Statement::RemoteDesktop(Box::new(describe(setup, Some(answer)))));
                    return Progress::Done;
                }
                Ok(None) => {}
                Err(_) => return Progress::Reject,
            },
            _ => return Progress::Continue { consumed: 0 },
        }
        Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) }
    }

    /// Amid a connection the next segment mostly begins with a request or an event.
    fn on_gap(&mut self, _sender: Sender, _len: u32) -> Progress {
        if self.midway.is_some() && self.setup.is_none() { Progress::Continue { consumed: 0 } } else { Progress::Done }
    }

    /// A display whose answer was not seen.
    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if let Some(setup) = &self.setup {
            facts.push(Statement::RemoteDesktop(Box::new(describe(setup, None))));
        }
    }
}

impl X11 {
    fn on_midway(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let Some(midway) = &mut self.midway else {
            return if chunk.sender == Sender::Client { Progress::Reject } else { Progress::Continue { consumed: 0 } };
        };
        match midway.on_bytes(chunk.bytes, chunk.sender) {
            Judgement::Foreign => Progress::Reject,
            Judgement::Undecided(consumed) => Progress::Continue { consumed },
            Judgement::X11 => {
                facts.push(Statement::RemoteDesktop(Box::default()));
                Progress::Done
            }
        }
    }
}

fn describe(setup: &Setup, answer: Option<Answer>) -> RemoteDesktop {
    let mut desktop = RemoteDesktop::default();
    let authorization = Some(setup.authorization.clone()).filter(|name| !name.is_empty());
    desktop.fields.push_some("x11.authorization", authorization);
    if let Some(answer) = answer {
        desktop.fields.push("x11.accepted", answer.is_accepted);
        desktop.fields.push_some("x11.vendor", answer.vendor);
    }
    desktop
}

fn setup(cursor: &mut Cursor<'_>) -> Result<Option<Setup>, &'static str> {
    let mut ahead = *cursor;
    let order = match ahead.u8() {
        None => return Ok(None),
        Some(b'B') => ByteOrder::Big,
        Some(b'l') => ByteOrder::Little,
        Some(_) => return Err("x11_setup"),
    };
    if ahead.u8().is_some_and(|unused| unused != 0) {
        return Err("x11_setup");
    }
    let (Some(major), Some(minor)) = (order.u16(&mut ahead), order.u16(&mut ahead)) else { return Ok(None) };
    if major != VERSION || minor != 0 {
        return Err("x11_setup");
    }
    let (Some(name_len), Some(data_len)) = (order.u16(&mut ahead), order.u16(&mut ahead)) else { return Ok(None) };
    if name_len > AUTHORIZATION_BYTES_MAX || data_len > AUTHORIZATION_BYTES_MAX {
        return Err("x11_setup");
    }
    if ahead.skip(2).is_none() {
        return Ok(None);
    }
    let (Some(name), Some(_data)) = (padded(&mut ahead, name_len), padded(&mut ahead, data_len)) else {
        return Ok(None);
    };
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err("x11_setup");
    }
    *cursor = ahead;
    Ok(Some(Setup { order, authorization: Text::from_latin1(name) }))
}

/// Bytes that are padded to a multiple of four.
fn padded<'a>(cursor: &mut Cursor<'a>, len: u16) -> Option<&'a [u8]> {
    let mut ahead = *cursor;
    let bytes = ahead.take(usize::from(len))?;
    ahead.skip(usize::from(len.wrapping_neg() & 3))?;
    *cursor = ahead;
    Some(bytes)
}

fn answer(cursor: &mut Cursor<'_>, order: ByteOrder) -> Result<Option<Answer>, &'static str> {
    let mut ahead = *cursor;
    let Some(code) = ahead.u8() else { return Ok(None) };
    if code > 2 {
        return Err("x11_answer");
    }
    let (Some(_reason_len), Some(major), Some(_minor)) = (ahead.u8(), order.u16(&mut ahead), order.u16(&mut ahead))
    else {
        return Ok(None);
    };
    // An answer that asks for more authorization has no version there.
    if code < 2 && major != VERSION {
        return Err("x11_answer");
    }
    if code != 1 {
        return Ok(Some(Answer { is_accepted: false, vendor: None }));
    }
    // Length, release, resource base and mask, motion buffer.
    let Some(vendor_len) = ahead.skip(18).and_then(|()| order.u16(&mut ahead)) else { return Ok(None) };
    // Greatest request, screens, formats, image and bitmap order, scanline, key codes, unused.
    let vendor = ahead.skip(14).and_then(|()| ahead.take(usize::from(vendor_len)));
    Ok(vendor.map(|vendor| Answer { is_accepted: true, vendor: Some(Text::from_latin1(vendor)) }))
}
