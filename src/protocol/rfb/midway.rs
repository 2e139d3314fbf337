//! What a viewer sends amid a session in, whether it is RFB out: a run of its messages (RFC 6143 §7.5).

use crate::facts::Sender;
use crate::protocol::cursor::Cursor;
use crate::protocol::rfb::DISPLAY_PORTS;
use crate::protocol::{Opening, Probe};

/// Whether the viewer may go on with this, where a port says who it is.
pub(super) fn probe(opening: &Opening<'_>) -> Probe {
    let on_display = (DISPLAY_PORTS.contains(&opening.client_port), DISPLAY_PORTS.contains(&opening.server_port));
    let probe = match (on_display, opening.sender) {
        ((_, true), Sender::Client) => Probe::Match,
        ((true, false), Sender::Server) => Probe::Reversed,
        _ => return Probe::No,
    };
    if message(&mut Cursor::new(opening.bytes)) == Read::Foreign { Probe::No } else { probe }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Judgement {
    Foreign,
    Rfb,
    /// So many bytes are read.
    Undecided(usize),
}

/// What the viewer has sent so far.
#[derive(Debug, Default)]
pub(super) struct Midway {
    messages: u32,
}

impl Midway {
    /// The shortest message fits one in a thousand random texts.
    const MESSAGES_MIN: u32 = 8;

    pub(super) fn on_viewer(&mut self, bytes: &[u8]) -> Judgement {
        let mut cursor = Cursor::new(bytes);
        loop {
            match message(&mut cursor) {
                Read::Foreign => return Judgement::Foreign,
                Read::Wanting => return Judgement::Undecided(bytes.len().saturating_sub(cursor.len())),
                Read::Message => self.messages = self.messages.saturating_add(1),
            }
            if self.messages >= Self::MESSAGES_MIN {
                return Judgement::Rfb;
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Read {
    Foreign,
    Message,
    /// It has not come whole.
    Wanting,
}

fn message(cursor: &mut Cursor<'_>) -> Read {
    const SET_ENCODINGS: u8 = 2;
    const UPDATE_REQUEST: u8 = 3;
    const KEY: u8 = 4;
    const POINTER: u8 = 5;
    let mut ahead = *cursor;
    let fits = match ahead.u8() {
        Some(SET_ENCODINGS) => encodings(&mut ahead),
        Some(UPDATE_REQUEST) => update_request(&mut ahead),
        Some(KEY) => key(&mut ahead),
        Some(POINTER) => pointer(&mut ahead),
        Some(_) => Some(false),
        None => None,
    };
    match fits {
        None => Read::Wanting,
        Some(false) => Read::Foreign,
        Some(true) => {
            *cursor = ahead;
            Read::Message
        }
    }
}

/// The largest number of pixels that a framebuffer has in a row or column.
const PIXELS_MAX: u16 = 1 << 14;

fn encodings(cursor: &mut Cursor<'_>) -> Option<bool> {
    const ENCODINGS_MAX: u16 = 256;
    let (padding, count) = (cursor.u8()?, cursor.u16()?);
    if padding != 0 || !(1..=ENCODINGS_MAX).contains(&count) {
        return Some(false);
    }
    cursor.skip(usize::from(count).saturating_mul(4)).map(|()| true)
}

/// Whether the whole is wanted or what has changed, and of which rectangle.
fn update_request(cursor: &mut Cursor<'_>) -> Option<bool> {
    if cursor.u8()? > 1 {
        return Some(false);
    }
    let (x, y, width, height) = (cursor.u16()?, cursor.u16()?, cursor.u16()?, cursor.u16()?);
    let fits = |from: u16, len: u16| len > 0 && from.checked_add(len).is_some_and(|end| end <= PIXELS_MAX);
    Some(fits(x, width) && fits(y, height))
}

/// Down or up, two bytes of padding, a keysym of X11.
fn key(cursor: &mut Cursor<'_>) -> Option<bool> {
    const KEYSYM_MAX: u32 = 0x1fff_ffff;
    let (down, padding, keysym) = (cursor.u8()?, cursor.u16()?, cursor.u32()?);
    Some(down <= 1 && padding == 0 && (1..=KEYSYM_MAX).contains(&keysym))
}

/// The buttons that are down, and where it is.
fn pointer(cursor: &mut Cursor<'_>) -> Option<bool> {
    let (_buttons, x, y) = (cursor.u8()?, cursor.u16()?, cursor.u16()?);
    Some(x < PIXELS_MAX && y < PIXELS_MAX)
}
