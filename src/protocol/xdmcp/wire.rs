//! A datagram in, an XDMCP message out, if its parts fill it exactly (XDMCP 1.1, "Protocol Packet Formats").

use crate::facts::Sender;
use crate::net::Text;
use crate::protocol::cursor::Cursor;

const VERSION: u16 = 1;

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// Willing, Unwilling or Decline.
    Answer { host: Option<Text>, status: Option<Text> },
    /// The display takes the session that it was granted.
    Manage { display_class: Option<Text> },
    /// Anything else that a display says: a query, a request, a sign of life.
    OfDisplay,
    /// Anything else that a manager says.
    OfManager,
}

impl Message {
    /// The display opens: it is the client here, and a server only to X11.
    pub const fn sender(&self) -> Sender {
        match self {
            Self::Manage { .. } | Self::OfDisplay => Sender::Client,
            Self::Answer { .. } | Self::OfManager => Sender::Server,
        }
    }
}

pub fn message(datagram: &[u8]) -> Option<Message> {
    let mut cursor = Cursor::new(datagram);
    cursor.u16().filter(|&version| version == VERSION)?;
    let opcode = cursor.u16()?;
    let mut body = cursor.vec16().filter(|_| cursor.is_empty())?;
    let message = match opcode {
        // BroadcastQuery, Query, IndirectQuery
        1..=3 => texts(&mut body).map(|()| Message::OfDisplay),
        4 => forward_query(&mut body),
        5 => willing(&mut body),
        6 => unwilling(&mut body),
        7 => request(&mut body),
        8 => accept(&mut body),
        9 => decline(&mut body),
        10 => manage(&mut body),
        // Refuse, Failed
        11 => body.skip(4).map(|()| Message::OfManager),
        12 => body.skip(4).and_then(|()| text(&mut body)).map(|_| Message::OfManager),
        // KeepAlive, Alive
        13 => body.skip(6).map(|()| Message::OfDisplay),
        14 => body.skip(5).map(|()| Message::OfManager),
        _ => None,
    };
    message.filter(|_| body.is_empty())
}

fn forward_query(body: &mut Cursor<'_>) -> Option<Message> {
    body.vec16()?; // client's address
    body.vec16()?; // client's port
    texts(body).map(|()| Message::OfDisplay)
}

fn willing(body: &mut Cursor<'_>) -> Option<Message> {
    text(body)?; // authentication
    Some(Message::Answer { host: said(text(body)?), status: said(text(body)?) })
}

fn unwilling(body: &mut Cursor<'_>) -> Option<Message> {
    Some(Message::Answer { host: said(text(body)?), status: said(text(body)?) })
}

fn request(body: &mut Cursor<'_>) -> Option<Message> {
    body.skip(2)?; // display number
    let connections = body.u8()?;
    body.skip(usize::from(connections).saturating_mul(2))?;
    texts(body)?; // addresses
    text(body)?; // authentication
    body.vec16()?;
    texts(body)?; // authorization
    text(body)?; // manufacturer's display id
    Some(Message::OfDisplay)
}

fn accept(body: &mut Cursor<'_>) -> Option<Message> {
    body.skip(4)?; // session
    text(body)?; // authentication
    body.vec16()?;
    text(body)?; // authorization
    body.vec16()?;
    Some(Message::OfManager)
}

fn decline(body: &mut Cursor<'_>) -> Option<Message> {
    let status = said(text(body)?);
    text(body)?; // authentication
    body.vec16()?;
    Some(Message::Answer { host: None, status })
}

fn manage(body: &mut Cursor<'_>) -> Option<Message> {
    body.skip(6)?; // session, display number
    Some(Message::Manage { display_class: said(text(body)?) })
}

/// ARRAY8
fn text<'a>(body: &mut Cursor<'a>) -> Option<&'a [u8]> {
    body.vec16().map(|text| text.rest())
}

/// ARRAYofARRAY8
fn texts(body: &mut Cursor<'_>) -> Option<()> {
    (0..body.u8()?).try_for_each(|_| text(body).map(|_| ()))
}

fn said(text: &[u8]) -> Option<Text> {
    (!text.is_empty()).then(|| Text::from_latin1(text))
}
