//! The data messages of a session that was open already when the capture began in, whether they are OpenVPN's out: both
//! sides number the same peer in clear, and count what they send (P_DATA_V2 with an AEAD cipher); or on OpenVPN's port
//! both begin alike, before noise (P_DATA_V1).
//!
//! ```text
//! opcode:5 key:3 peer:24 | packet:32 | tag:128 | ciphertext          P_DATA_V2
//! opcode:5 key:3 | HMAC, or packet:32 and tag:128 | ciphertext       P_DATA_V1
//! ```

use crate::facts::Sender;
use crate::protocol::cursor::Cursor;

const DATA_V1: u8 = 6;
const DATA_V2: u8 = 9;
/// Servers number their peers from zero; a side that was given no number says this.
const PEER_MAX: u32 = 0xffff;
const PEER_NONE: u32 = 0x00ff_ffff;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Data {
    V1 { head: u8 },
    V2 { peer: u32, packet: u32 },
}

impl Data {
    pub(super) fn parse(message: &[u8], on_port: bool) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        let head = cursor.u8()?;
        if head >> 3 == DATA_V1 && on_port {
            cursor.skip(4)?;
            let tag: [u8; 16] = cursor.array()?;
            return (is_noise(&tag) && !cursor.is_empty()).then_some(Self::V1 { head });
        }
        let (peer, packet) = (cursor.u24()?, cursor.u32()?);
        let tag: [u8; 16] = cursor.array()?;
        let fits = (peer <= PEER_MAX || peer == PEER_NONE) && packet != 0 && !cursor.is_empty();
        (head >> 3 == DATA_V2 && fits && is_noise(&tag)).then_some(Self::V2 { peer, packet })
    }

    fn is_of_one_session(self, other: Self) -> bool {
        match (self, other) {
            (Self::V1 { head }, Self::V1 { head: other }) => head == other,
            (Self::V2 { peer, .. }, Self::V2 { peer: other, .. }) => peer == other,
            _ => false,
        }
    }

    fn follows(self, last: Self) -> bool {
        /// The largest step that loss and another path explain.
        const STEP_MAX: u32 = 256;
        let rises = match (self, last) {
            (Self::V2 { packet, .. }, Self::V2 { packet: last, .. }) => {
                (1..=STEP_MAX).contains(&packet.wrapping_sub(last))
            }
            _ => true,
        };
        self.is_of_one_session(last) && rises
    }
}

/// Whether about half of the bits are set, as in all but one of a thousand tags.
fn is_noise(tag: &[u8; 16]) -> bool {
    let ones: u32 = tag.iter().map(|byte| byte.count_ones()).fold(0, u32::saturating_add);
    (44..=84).contains(&ones)
}

/// What the messages so far have shown.
#[derive(Default)]
pub(super) struct Midway {
    client: Lane,
    server: Lane,
}

#[derive(Default)]
struct Lane {
    last: Option<Data>,
    /// Messages in a row of one peer, whose numbers rise where they have any.
    run: u32,
}

impl Midway {
    /// One side's messages in a row that count, beside one of the other side at least.
    const RUN_MIN: u32 = 4;

    /// Whether the message completes the proof.
    pub(super) fn is_known_by(&mut self, data: Option<Data>, sender: Sender) -> bool {
        let lane = match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        lane.take(data);
        let both = self.client.last.zip(self.server.last);
        let is_one_session = both.is_some_and(|(client, server)| client.is_of_one_session(server));
        is_one_session && self.client.run.max(self.server.run) >= Self::RUN_MIN
    }
}

impl Lane {
    fn take(&mut self, data: Option<Data>) {
        let rises = self.last.zip(data).is_some_and(|(last, data)| data.follows(last));
        self.run = match (data, rises) {
            (None, _) => 0,
            (Some(_), false) => 1,
            (Some(_), true) => self.run.saturating_add(1),
        };
        self.last = data;
    }
}
