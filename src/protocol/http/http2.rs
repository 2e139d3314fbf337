//! The frames of HTTP/2 in clear in (RFC 9113), the fields of its requests and responses and the DNS messages in its
//! bodies out (RFC 8484).

#[cfg(test)]
pub(super) mod tests;

use crate::facts::Sender;
use crate::protocol::cursor::Cursor;
use crate::protocol::http::hpack::Decoder;
use crate::protocol::http::wire::{self, FirstLine, Head, Method};

// Frame types (RFC 9113 §6).
const DATA: u8 = 0x00;
const HEADERS: u8 = 0x01;
const SETTINGS: u8 = 0x04;
const PUSH_PROMISE: u8 = 0x05;
const CONTINUATION: u8 = 0x09;
// Flags.
const END_STREAM: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;

const MALFORMED: &str = "http2_frame";
/// The most bytes of a block of fields, and of the fields that are kept of it.
const BLOCK_BYTES_MAX: usize = 16 << 10;
/// What a DNS message in a body may have.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// The most bodies of a side that are read at once.
const BODIES_MAX: usize = 4;
const DNS_MESSAGE: &[u8] = b"application/dns-message";

/// Both sides of a connection.
#[derive(Default)]
pub(super) struct Http2 {
    client: Side,
    server: Side,
}

#[derive(Default)]
struct Side {
    /// Its first frame was read.
    has_begun: bool,
    has_preface: bool,
    /// What is left of a frame that is passed over.
    passed_bytes: usize,
    decoder: Decoder,
    /// The block whose end has not come, and whose it is.
    block: Option<(Block, Vec<u8>)>,
    bodies: Vec<(u32, Vec<u8>)>,
}

#[derive(Clone, Copy)]
struct Block {
    stream: u32,
    /// The server says what it will answer to a request that was not made: that is read for the decoder alone.
    is_promise: bool,
    ends_stream: bool,
}

/// What the frames come to.
pub(super) enum Said {
    Head(Fields),
    /// A message of DNS.
    Dns(Vec<u8>),
}

/// The fields of a request or response that are read out, the first of each name.
#[derive(Default)]
pub(super) struct Fields {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
}

/// Whether a server begins with HTTP/2 (RFC 9113 §3.4): it may be seen before the client's preface. None as long as that
/// cannot be told, and no byte says that it does not.
pub(super) fn is_server_preface(bytes: &[u8]) -> Option<bool> {
    let mut cursor = Cursor::new(bytes);
    let head = (cursor.u24(), cursor.u8(), cursor.u8(), cursor.u32());
    let is_sound = |len: u32| len.is_multiple_of(6) && len < 0x200;
    match head {
        (Some(len), Some(SETTINGS), Some(0), Some(0)) => Some(is_sound(len)),
        (None, ..) if bytes.first().is_none_or(|&high| high == 0) => None,
        (Some(len), None, ..) if is_sound(len) => None,
        (Some(len), Some(SETTINGS), None | Some(0), None) if is_sound(len) => None,
        _ => Some(false),
    }
}

impl Http2 {
    /// Reads on up to what is to be said; the cursor then is behind it, or behind the last frame that has come whole.
    pub(super) fn next(&mut self, sender: Sender, cursor: &mut Cursor<'_>) -> Result<Option<Said>, &'static str> {
        let side = match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        if sender == Sender::Client && !side.has_preface {
            match cursor.rest().strip_prefix(wire::PREFACE) {
                Some(rest) => *cursor = Cursor::new(rest),
                None if wire::PREFACE.starts_with(cursor.rest()) => return Ok(None),
                None => return Err(MALFORMED),
            }
            side.has_preface = true;
        }
        side.next(cursor)
    }
}

impl Side {
    fn next(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<Said>, &'static str> {
        loop {
            let passed = self.passed_bytes.min(cursor.len());
            cursor.skip(passed);
            self.passed_bytes = self.passed_bytes.saturating_sub(passed);
            let mut ahead = *cursor;
            let Some(head) = FrameHead::read(&mut ahead) else { return Ok(None) };
            if !std::mem::replace(&mut self.has_begun, true) && head.kind != SETTINGS {
                return Err(MALFORMED);
            }
            // Nothing may stand between the frames of a block (RFC 9113 §4.3).
            if self.block.is_some() != (head.kind == CONTINUATION) {
                return Err(MALFORMED);
            }
            if !self.is_read(&head)? {
                *cursor = ahead;
                self.passed_bytes = head.len;
                continue;
            }
            let Some(payload) = ahead.take(head.len) else { return Ok(None) };
            *cursor = ahead;
            let said = match head.kind {
                DATA => self.on_data(&head, payload)?,
                _ => self.on_block(&head, payload)?,
            };
            if said.is_some() {
                return Ok(said);
            }
        }
    }

    /// Whether the frame's payload matters; it must come whole then.
    fn is_read(&self, head: &FrameHead) -> Result<bool, &'static str> {
        match head.kind {
            HEADERS | PUSH_PROMISE | CONTINUATION if head.len > BLOCK_BYTES_MAX => Err("http2_block"),
            HEADERS | PUSH_PROMISE | CONTINUATION => Ok(true),
            DATA => Ok(head.len <= MESSAGE_BYTES_MAX && self.bodies.iter().any(|&(stream, _)| stream == head.stream)),
            _ => Ok(false),
        }
    }

    fn on_block(&mut self, head: &FrameHead, payload: &[u8]) -> Result<Option<Said>, &'static str> {
        let mut part = head.without_padding(payload)?;
        let (block, mut bytes) = match self.block.take() {
            Some((block, bytes)) if block.stream == head.stream => (block, bytes),
            Some(_) => return Err(MALFORMED),
            None => {
                let is_promise = head.kind == PUSH_PROMISE;
                let skipped = if is_promise { 4 } else { usize::from(head.has(PRIORITY)).saturating_mul(5) };
                part.skip(skipped).ok_or(MALFORMED)?;
                let ends_stream = !is_promise && head.has(END_STREAM);
                (Block { stream: head.stream, is_promise, ends_stream }, Vec::new())
            }
        };
        if bytes.len().saturating_add(part.len()) > BLOCK_BYTES_MAX {
            return Err("http2_block");
        }
        bytes.extend_from_slice(part.rest());
        if !head.has(END_HEADERS) {
            self.block = Some((block, bytes));
            return Ok(None);
        }
        let mut fields = Fields::default();
        self.decoder.read(&bytes, |name, value| fields.keep(name, value))?;
        if block.is_promise {
            return Ok(None);
        }
        if !block.ends_stream && fields.get(b"content-type").is_some_and(|kind| kind.starts_with(DNS_MESSAGE)) {
            if self.bodies.len() >= BODIES_MAX {
                self.bodies.remove(0);
            }
            self.bodies.push((block.stream, Vec::new()));
        }
        Ok(Some(Said::Head(fields)))
    }

    fn on_data(&mut self, head: &FrameHead, payload: &[u8]) -> Result<Option<Said>, &'static str> {
        let part = head.without_padding(payload)?;
        let Some(at) = self.bodies.iter().position(|&(stream, _)| stream == head.stream) else { return Ok(None) };
        let Some((_, body)) = self.bodies.get_mut(at) else { return Ok(None) };
        body.extend_from_slice(part.rest());
        if body.len() > MESSAGE_BYTES_MAX {
            self.bodies.remove(at);
            return Ok(None);
        }
        Ok(head.has(END_STREAM).then(|| Said::Dns(self.bodies.remove(at).1)))
    }
}

/// ```text
/// length:24 type:8 flags:8 reserved:1 stream:31 | payload
/// ```
struct FrameHead {
    len: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl FrameHead {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let len = usize::try_from(cursor.u24()?).ok()?;
        Some(Self { len, kind: cursor.u8()?, flags: cursor.u8()?, stream: cursor.u32()? & 0x7fff_ffff })
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn without_padding<'a>(&self, payload: &'a [u8]) -> Result<Cursor<'a>, &'static str> {
        let mut cursor = Cursor::new(payload);
        if self.kind == CONTINUATION || !self.has(PADDED) {
            return Ok(cursor);
        }
        let padding = usize::from(cursor.u8().ok_or(MALFORMED)?);
        let len = cursor.len().checked_sub(padding).ok_or(MALFORMED)?;
        cursor.sub(len).ok_or(MALFORMED)
    }
}

impl Fields {
    fn keep(&mut self, name: &[u8], value: &[u8]) {
        let bytes = self.bytes.saturating_add(name.len()).saturating_add(value.len());
        if bytes <= BLOCK_BYTES_MAX && (name.starts_with(b":") || Head::reads(name)) && self.get(name).is_none() {
            self.bytes = bytes;
            self.fields.push((name.into(), value.into()));
        }
    }

    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields.iter().find(|field| field.0 == name).map(|field| field.1.as_slice())
    }

    /// The same as the head of a message of HTTP/1 says (RFC 9113 §8.3); none for trailers, and for methods that are
    /// none.
    pub(super) fn head(&self) -> Option<Head<'_>> {
        let first_line = match (self.get(b":method"), self.get(b":status")) {
            (Some(method), None) => {
                let method = Method::of(method)?;
                // A CONNECT has no path (RFC 9113 §8.5).
                let target = self.get(b":path").or_else(|| self.get(b":authority")).unwrap_or_default();
                FirstLine::Request { method, target, is_simple: false }
            }
            (None, Some(status)) => FirstLine::Response { status: std::str::from_utf8(status).ok()?.parse().ok()? },
            _ => return None,
        };
        let mut head = Head::new(first_line);
        for (name, value) in &self.fields {
            head.header(if name == b":authority" { b"host" } else { name }, value);
        }
        Some(head)
    }
}
