//! The frames of a WebSocket in (RFC 6455 §5), the facts of what travels in them out: RFB of noVNC, Guacamole, SSH.

use crate::facts::{Sender, Statement};
use crate::protocol::cursor::Cursor;
use crate::protocol::selection::{self, Inner};
use crate::protocol::{self, Chunk, Parser, Progress, Protocol, Start};

/// Both sides of a WebSocket.
pub(super) struct WebSocket {
    start: Start,
    client: Side,
    server: Side,
    /// Who reads what is inside, once it is known.
    reader: Option<(Protocol, Box<dyn Parser>)>,
}

#[derive(Default)]
struct Side {
    /// What is left of the frame's payload.
    payload_bytes: u64,
    mask: [u8; 4],
    /// Where in the mask the payload is.
    mask_at: usize,
    /// Ping, pong and close frames carry nothing of the stream.
    is_control: bool,
    /// Payload that nobody has consumed.
    stream: Vec<u8>,
}

impl WebSocket {
    /// What is inside shows at once.
    const UNKNOWN_BYTES_MAX: usize = 4 << 10;
    const STREAM_BYTES_MAX: usize = 64 << 10;

    pub(super) fn new(start: Start) -> Self {
        Self { start, client: Side::default(), server: Side::default(), reader: None }
    }

    pub(super) fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let side = match chunk.sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        let mut cursor = Cursor::new(chunk.bytes);
        let is_broken = side.read(&mut cursor).is_err();
        if side.stream.len() > Self::STREAM_BYTES_MAX {
            self.on_end(facts);
            return Progress::Done;
        }
        let consumed = chunk.bytes.len().saturating_sub(cursor.len());
        let goes_on = match self.reader {
            Some(_) => self.feed(chunk, facts),
            None => self.choose(chunk, facts),
        };
        // What came before the fault was said all the same.
        if goes_on && is_broken {
            self.on_end(facts);
        }
        if goes_on && !is_broken { Progress::Continue { consumed } } else { Progress::Done }
    }

    pub(super) fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if let Some((inside, mut parser)) = self.reader.take() {
            let mut said = Vec::new();
            parser.on_end(&mut said);
            facts.extend(said.into_iter().filter_map(|kind| carried(kind, inside)));
        }
    }

    /// Looks for who can read what is inside.
    fn choose(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> bool {
        let start = Start { is_midway: false, ..self.start };
        let bytes = self.side(chunk.sender).stream.as_slice();
        match selection::inner(&start.opening(chunk.sender, bytes)) {
            Inner::Protocol(inside) => {
                let Some(spec) = protocol::spec(inside) else { return false };
                self.reader = Some((inside, (spec.start)(&self.start)));
                // What the other side said before counts, too.
                self.feed(Chunk { sender: chunk.sender.other(), ..chunk }, facts) && self.feed(chunk, facts)
            }
            Inner::More => bytes.len() < Self::UNKNOWN_BYTES_MAX,
            Inner::None => bytes.is_empty(),
        }
    }

    /// Hands a side's payload to the reader; whether it wants more.
    fn feed(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> bool {
        let (side, reader) = match chunk.sender {
            Sender::Client => (&mut self.client, &mut self.reader),
            Sender::Server => (&mut self.server, &mut self.reader),
        };
        let Some((inside, parser)) = reader else { return false };
        if side.stream.is_empty() {
            return true;
        }
        let mut said = Vec::new();
        let progress = parser.on_bytes(Chunk { bytes: &side.stream, ..chunk }, &mut said);
        let inside = *inside;
        facts.extend(said.into_iter().filter_map(|kind| carried(kind, inside)));
        match progress {
            Progress::Continue { consumed } => {
                side.stream.drain(..consumed.min(side.stream.len()));
                true
            }
            // Whatever is encrypted within is not read on.
            Progress::Done | Progress::Malformed(_) | Progress::Reject | Progress::Upgrade { .. } => false,
        }
    }

    const fn side(&self, sender: Sender) -> &Side {
        match sender {
            Sender::Client => &self.client,
            Sender::Server => &self.server,
        }
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.client.stream.len().saturating_add(self.server.stream.len())
    }
}

impl Side {
    /// Takes the frames that are there, and moves the cursor behind them.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), &'static str> {
        loop {
            let len = usize::try_from(self.payload_bytes).unwrap_or(usize::MAX).min(cursor.len());
            let payload = cursor.take(len).unwrap_or_default();
            self.payload_bytes = self.payload_bytes.saturating_sub(u64::try_from(len).unwrap_or(0));
            if !self.is_control {
                let mask = self.mask.iter().cycle().skip(self.mask_at);
                self.stream.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
            }
            self.mask_at = self.mask_at.wrapping_add(len) & 3;
            if cursor.is_empty() || !self.head(cursor)? {
                return Ok(());
            }
        }
    }

    /// The head of the next frame; whether it is there whole.
    ///
    /// ```text
    /// fin:1 reserved:3 opcode:4 | masked:1 length:7 | length:16 where that is 126, :64 where 127 | mask:32 where masked
    /// ```
    fn head(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, &'static str> {
        let mut ahead = *cursor;
        let (Some(first), Some(second)) = (ahead.u8(), ahead.u8()) else { return Ok(false) };
        let opcode = first & 0x0f;
        // A payload that is compressed (RFC 7692) sets a reserved bit.
        if first & 0x70 != 0 || !matches!(opcode, 0..=2 | 8..=10) {
            return Err("websocket_frame");
        }
        let len = match second & 0x7f {
            126 => ahead.u16().map(u64::from),
            127 => ahead.u64(),
            len => Some(u64::from(len)),
        };
        let mask = if second & 0x80 == 0 { Some([0; 4]) } else { ahead.array() };
        let (Some(len), Some(mask)) = (len, mask) else { return Ok(false) };
        self.payload_bytes = len;
        self.mask = mask;
        self.mask_at = 0;
        self.is_control = opcode >= 8;
        *cursor = ahead;
        Ok(true)
    }
}

/// A fact of what travels inside, marked as that.
fn carried(mut kind: Statement, inside: Protocol) -> Option<Statement> {
    match &mut kind {
        Statement::Credential(credential) => _ = credential.protocol.get_or_insert(inside),
        Statement::Hello(hello) => _ = hello.inside.get_or_insert(inside),
        Statement::RemoteDesktop(desktop) => _ = desktop.protocol.get_or_insert(inside),
        Statement::Tunnel(tunnel) => _ = tunnel.protocol.get_or_insert(inside),
        _ => return None,
    }
    Some(kind)
}
