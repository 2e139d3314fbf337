//! The messages of a session that was open already when the capture began in, whether they are OpenVPN's out.
//!
//! Of its data: both sides number the same peer in clear, and count what they send (P_DATA_V2 with an AEAD cipher), or one
//! does for longer; or on OpenVPN's port both begin alike, before noise (P_DATA_V1, and P_DATA_V2 with another cipher). Of
//! its handshake: one side acknowledges by the other's 64 bits what that sent.
//!
//! ```text
//! opcode:5 key:3 peer:24 | packet:32 | tag:128 | ciphertext          P_DATA_V2
//! opcode:5 key:3 peer:24 | HMAC | ciphertext                         P_DATA_V2, not AEAD
//! opcode:5 key:3 | HMAC, or packet:32 and tag:128 | ciphertext       P_DATA_V1
//! ```

use crate::facts::Sender;
use crate::protocol::cursor::Cursor;
use crate::protocol::openvpn::wire::{self, Acknowledging, SessionId, Wrap};

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

    fn follows(self, last: Self, on_port: bool) -> bool {
        /// The largest step that loss and another path explain.
        const STEP_MAX: u32 = 256;
        let rises = match (self, last) {
            (Self::V2 { packet, .. }, Self::V2 { packet: last, .. }) => {
                let step = packet.wrapping_sub(last);
                // Numbers that have nothing to do with each other are none.
                (1..=STEP_MAX).contains(&step) || (on_port && step.min(step.wrapping_neg()) > STEP_MAX)
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
pub(super) struct Midway {
    on_port: bool,
    client: Lane,
    server: Lane,
}

/// What the messages prove.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Proof {
    /// The data of both sides.
    Data,
    DataOfOneSide,
    Handshake(Wrap),
}

#[derive(Default)]
struct Lane {
    last: Option<Data>,
    /// Messages in a row of one peer, whose numbers rise where they have any.
    run: u32,
    /// Those whose numbers rise.
    counted: u32,
    /// As it names itself in a handshake.
    session: Option<SessionId>,
    /// The last of the other side's messages that it acknowledged.
    acknowledged: Option<Acknowledging>,
}

impl Midway {
    /// One side's messages in a row that count, beside one of the other side at least.
    const RUN_MIN: u32 = 4;
    /// The same, where the other side is not seen.
    const RUN_MIN_OF_ONE: u32 = 8;

    pub(super) fn new(on_port: bool) -> Self {
        Self { on_port, client: Lane::default(), server: Lane::default() }
    }

    /// What is proven with this message.
    pub(super) fn take(&mut self, message: &[u8], sender: Sender) -> Option<Proof> {
        let Self { on_port, client, server } = self;
        let (lane, other) = match sender {
            Sender::Client => (client, &*server),
            Sender::Server => (server, &*client),
        };
        if let Some(session) = wire::sender_of(message) {
            lane.session = Some(session);
            lane.acknowledged = Acknowledging::parse(message).or(lane.acknowledged);
            let wrap_of = |from: &Lane, to: &Lane| {
                from.acknowledged.filter(|acknowledged| Some(acknowledged.peer) == to.session).map(|it| it.wrap)
            };
            return wrap_of(lane, other).or_else(|| wrap_of(other, lane)).map(Proof::Handshake);
        }
        let data = Data::parse(message, *on_port);
        lane.take(data, *on_port);
        let Some(last) = other.last else {
            let is_counted = matches!(data, Some(Data::V2 { .. })) && lane.counted >= Self::RUN_MIN_OF_ONE;
            return is_counted.then_some(Proof::DataOfOneSide);
        };
        let is_one_session = data.is_some_and(|data| data.is_of_one_session(last));
        (is_one_session && lane.run.max(other.run) >= Self::RUN_MIN).then_some(Proof::Data)
    }
}

impl Lane {
    fn take(&mut self, data: Option<Data>, on_port: bool) {
        let rises = self.last.zip(data).is_some_and(|(last, data)| data.follows(last, on_port));
        let is_counted = self.last.zip(data).is_some_and(|(last, data)| data.follows(last, false));
        self.counted = if is_counted { self.counted.saturating_add(1) } else { data.map_or(0, |_| 1) };
        self.run = match (data, rises) {
            (None, _) => 0,
            (Some(_), false) => 1,
            (Some(_), true) => self.run.saturating_add(1),
        };
        self.last = data;
    }
}
