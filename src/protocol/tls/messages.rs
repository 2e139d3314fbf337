//! Handshake bytes of one side in, whole messages out, however records or frames cut them.

use crate::facts::Sender;
use crate::protocol::cursor::Cursor;
use crate::protocol::tls::is_version_of;
use crate::protocol::tls::wire::handshake;

/// Cuts one side's handshake stream into messages. Only those that are read are kept until they are whole; the others
/// are counted past.
#[derive(Debug, Default)]
pub struct Messages {
    /// A message that has begun: its header, and as much of its body as has come.
    partial: Vec<u8>,
    /// The rest of a message that nobody reads.
    skipped_bytes: usize,
    /// `partial` was handed out and is over.
    is_spent: bool,
}

/// A handshake message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub kind: u8,
    pub body: &'a [u8],
}

impl Messages {
    /// The longest message that is kept.
    pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
    pub const HEADER_BYTES: usize = 4;

    pub fn kept_bytes(&self) -> usize {
        self.partial.len()
    }

    /// Whether what waits for its end is a hello of this side, which its type and its version tell.
    pub fn has_begun_hello(&self, sender: Sender) -> bool {
        let kind = match sender {
            Sender::Client => handshake::CLIENT_HELLO,
            Sender::Server => handshake::SERVER_HELLO,
        };
        let mut version = Cursor::new(self.partial.get(Self::HEADER_BYTES..).unwrap_or_default());
        self.partial.first() == Some(&kind) && version.u16().is_some_and(|version| is_version_of(sender, version))
    }

    /// The next message that is read, out of what came before and `input`; none once `input` is used up.
    pub fn next<'a, 'b: 'a>(&'a mut self, input: &mut Cursor<'b>) -> Result<Option<Message<'a>>, &'static str> {
        if std::mem::take(&mut self.is_spent) {
            self.partial.clear();
        }
        loop {
            let skipped = self.skipped_bytes.min(input.len());
            input.skip(skipped);
            self.skipped_bytes = self.skipped_bytes.saturating_sub(skipped);
            if !self.partial.is_empty() {
                break;
            }
            let Some(header) = Header::peek(input.rest()) else {
                self.partial.extend_from_slice(input.rest());
                input.skip(input.len());
                return Ok(None);
            };
            if !header.is_read() {
                input.skip(Self::HEADER_BYTES);
                self.skipped_bytes = header.len;
                if input.is_empty() {
                    return Ok(None);
                }
                continue;
            }
            header.check()?;
            if input.len() < header.total() {
                break;
            }
            input.skip(Self::HEADER_BYTES);
            return Ok(input.take(header.len).map(|body| Message { kind: header.kind, body }));
        }
        self.complete(input)
    }

    /// Goes on with a message that did not come whole.
    fn complete<'a, 'b: 'a>(&'a mut self, input: &mut Cursor<'b>) -> Result<Option<Message<'a>>, &'static str> {
        self.fill(input, Self::HEADER_BYTES);
        let Some(header) = Header::peek(&self.partial) else { return Ok(None) };
        if !header.is_read() {
            self.partial.clear();
            self.skipped_bytes = header.len;
            return self.next(input);
        }
        header.check()?;
        self.fill(input, header.total());
        if self.partial.len() < header.total() {
            return Ok(None);
        }
        self.is_spent = true;
        Ok(self.partial.get(Self::HEADER_BYTES..).map(|body| Message { kind: header.kind, body }))
    }

    fn fill(&mut self, input: &mut Cursor<'_>, len: usize) {
        let missing = len.saturating_sub(self.partial.len()).min(input.len());
        self.partial.extend_from_slice(input.take(missing).unwrap_or_default());
    }
}

#[derive(Clone, Copy)]
struct Header {
    kind: u8,
    len: usize,
}

impl Header {
    fn peek(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        Some(Self { kind: cursor.u8()?, len: usize::try_from(cursor.u24()?).ok()? })
    }

    const fn is_read(self) -> bool {
        matches!(self.kind, handshake::CLIENT_HELLO | handshake::SERVER_HELLO | handshake::CERTIFICATE)
    }

    const fn check(self) -> Result<(), &'static str> {
        if self.len > Messages::MESSAGE_BYTES_MAX { Err("handshake_length") } else { Ok(()) }
    }

    const fn total(self) -> usize {
        self.len.saturating_add(Messages::HEADER_BYTES)
    }
}
