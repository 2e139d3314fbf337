//! The data messages of a session that was open already when the capture began in, whether they are OpenVPN's out: both
//! sides number the same peer in clear, and count what they send (P_DATA_V2 with an AEAD cipher).
//!
//! ```text
//! opcode:5 key:3 peer:24 | packet:32 | tag:128 | ciphertext
//! ```

use crate::facts::Sender;
use crate::protocol::cursor::Cursor;

const DATA_V2: u8 = 9;
/// Servers number their peers from zero; a side that was given no number says this.
const PEER_MAX: u32 = 0xffff;
const PEER_NONE: u32 = 0x00ff_ffff;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Data {
    peer: u32,
    packet: u32,
}

impl Data {
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        let is_data = cursor.u8()? >> 3 == DATA_V2;
        let (peer, packet) = (cursor.u24()?, cursor.u32()?);
        let tag: [u8; 16] = cursor.array()?;
        let fits = is_data && (peer <= PEER_MAX || peer == PEER_NONE) && packet != 0 && !cursor.is_empty();
        (fits && is_noise(&tag)).then_some(Self { peer, packet })
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
    /// Messages in a row of one peer whose numbers rise.
    run: u32,
}

impl Midway {
    /// One side's messages in a row that count, beside one of the other side at least.
    const RUN_MIN: u32 = 4;

    /// Whether the message completes the proof.
    pub(super) fn is_known_by(&mut self, message: &[u8], sender: Sender) -> bool {
        let data = Data::parse(message);
        let lane = match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        lane.take(data);
        let peer = |lane: &Lane| lane.last.map(|data| data.peer);
        let is_one_session = peer(&self.client).is_some() && peer(&self.client) == peer(&self.server);
        is_one_session && self.client.run.max(self.server.run) >= Self::RUN_MIN
    }
}

impl Lane {
    /// The largest step that loss and another path explain.
    const STEP_MAX: u32 = 256;

    fn take(&mut self, data: Option<Data>) {
        let rises = self.last.zip(data).is_some_and(|(last, data)| {
            last.peer == data.peer && (1..=Self::STEP_MAX).contains(&data.packet.wrapping_sub(last.packet))
        });
        self.run = match (data, rises) {
            (None, _) => 0,
            (Some(_), false) => 1,
            (Some(_), true) => self.run.saturating_add(1),
        };
        self.last = data;
    }
}
