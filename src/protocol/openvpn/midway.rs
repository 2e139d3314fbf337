//! The messages of a session that was open already when the capture began in, whether they are OpenVPN's out.
//!
//! Of its data: both sides number the same peer in clear, and count what they send (P_DATA_V2 with an AEAD cipher), or one
//! does for longer; or on OpenVPN's port both begin alike, before noise (P_DATA_V1, and P_DATA_V2 with another cipher). Other
//! protocols count behind a head that stays, too: what follows must be noise, and nothing of it may come again. Of its
//! handshake: one side acknowledges by the other's 64 bits what that sent, or again and again by the same 64 bits something
//! else.
//!
//! ```text
//! opcode:5 key:3 peer:24 | packet:32 | tag:128 | ciphertext          P_DATA_V2
//! opcode:5 key:3 peer:24 | epoch:16 packet:48 | ciphertext | tag:128 P_DATA_V2 with epochs of keys (OpenVPN 2.7)
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
pub(super) struct Data {
    of: Of,
    tag: Tag,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Of {
    V1 { head: u8 },
    V2 { peer: u32, packet: u32, has_epoch: bool },
}

/// Bytes that nobody can foresee: of the tag of an AEAD cipher, of an HMAC, or of a ciphertext.
type Tag = [u8; 16];

impl Data {
    pub(super) fn parse(message: &[u8], on_port: bool) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        let head = cursor.u8()?;
        if head >> 3 == DATA_V1 && on_port {
            cursor.skip(4)?;
            let tag: Tag = cursor.array()?;
            return (is_noise(&tag) && !cursor.is_empty()).then_some(Self { of: Of::V1 { head }, tag });
        }
        let (peer, mut packet) = (cursor.u24()?, cursor.u32()?);
        // Epochs begin at 1, and the number within them has six bytes: of the first four thousand million two are 0.
        let has_epoch = packet != 0 && packet.trailing_zeros() >= 16;
        if has_epoch {
            packet = cursor.u32()?;
        }
        let tag: Tag = cursor.array()?;
        let fits = (peer <= PEER_MAX || peer == PEER_NONE) && packet != 0 && !cursor.is_empty();
        (head >> 3 == DATA_V2 && fits && is_noise(&tag)).then_some(Self { of: Of::V2 { peer, packet, has_epoch }, tag })
    }

    const fn has_number(&self) -> bool {
        matches!(self.of, Of::V2 { .. })
    }

    fn is_of_one_session(&self, other: &Self) -> bool {
        match (self.of, other.of) {
            (Of::V1 { head }, Of::V1 { head: other }) => head == other,
            (Of::V2 { peer, has_epoch, .. }, Of::V2 { peer: other, has_epoch: also, .. }) => {
                (peer, has_epoch) == (other, also)
            }
            _ => false,
        }
    }

    fn follows(&self, last: &Self, on_port: bool) -> bool {
        /// The largest step that loss and another path explain.
        const STEP_MAX: u32 = 256;
        let rises = match (self.of, last.of) {
            (Of::V2 { packet, .. }, Of::V2 { packet: last, .. }) => {
                let step = packet.wrapping_sub(last);
                // Numbers that have nothing to do with each other are none.
                (1..=STEP_MAX).contains(&step) || (on_port && step.min(step.wrapping_neg()) > STEP_MAX)
            }
            _ => true,
        };
        self.is_of_one_session(last) && rises && has_changed(&self.tag, &last.tag)
    }
}

/// Whether about half of the bits are set, as in all but one of a thousand tags.
fn is_noise(tag: &Tag) -> bool {
    let ones: u32 = tag.iter().map(|byte| byte.count_ones()).fold(0, u32::saturating_add);
    (44..=84).contains(&ones)
}

/// Whether about half of the bits are others, as between any two tags.
fn has_changed(tag: &Tag, last: &Tag) -> bool {
    let mut changes = *tag;
    changes.iter_mut().zip(last).for_each(|(byte, last)| *byte ^= last);
    is_noise(&changes)
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
    /// The last of its messages that acknowledged something.
    acknowledging: Option<Acknowledging>,
    /// Of these, the different ones in a row by which one session acknowledges what another one sent.
    acknowledgments: u32,
    /// One of them is known to its last byte.
    is_whole: bool,
}

impl Midway {
    /// One side's messages in a row that count, beside one of the other side at least.
    const RUN_MIN: u32 = 4;
    /// The same, where the other side is not seen.
    const RUN_MIN_OF_ONE: u32 = 8;
    /// Messages that acknowledge, where the other side is not seen.
    const ACKNOWLEDGMENTS_MIN: u32 = 3;

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
            if let Some(acknowledging) = Acknowledging::parse(message) {
                lane.acknowledge(acknowledging);
            }
            let wrap_of = |from: &Lane, to: &Lane| {
                from.acknowledging.filter(|acknowledging| Some(acknowledging.peer) == to.session).map(|it| it.wrap)
            };
            let wrap = wrap_of(lane, other).or_else(|| wrap_of(other, lane)).or_else(|| lane.wrap_of_one());
            return wrap.map(Proof::Handshake);
        }
        let data = Data::parse(message, *on_port);
        lane.take(data, *on_port);
        let Some(last) = &other.last else {
            let is_counted = data.is_some_and(|data| data.has_number()) && lane.counted >= Self::RUN_MIN_OF_ONE;
            return is_counted.then_some(Proof::DataOfOneSide);
        };
        let is_one_session = data.is_some_and(|data| data.is_of_one_session(last));
        (is_one_session && lane.run.max(other.run) >= Self::RUN_MIN).then_some(Proof::Data)
    }
}

impl Lane {
    fn take(&mut self, data: Option<Data>, on_port: bool) {
        let rises = self.last.zip(data).is_some_and(|(last, data)| data.follows(&last, on_port));
        let is_counted = self.last.zip(data).is_some_and(|(last, data)| data.follows(&last, false));
        self.counted = if is_counted { self.counted.saturating_add(1) } else { data.map_or(0, |_| 1) };
        self.run = match (data, rises) {
            (None, _) => 0,
            (Some(_), false) => 1,
            (Some(_), true) => self.run.saturating_add(1),
        };
        self.last = data;
    }

    fn acknowledge(&mut self, message: Acknowledging) {
        let Acknowledging { own, peer, wrap, content } = message;
        match self.acknowledging.replace(message) {
            Some(last) if last.content == content && (last.own, last.peer) == (own, peer) => {}
            Some(last) if (last.own, last.peer, last.wrap) == (own, peer, wrap) => {
                self.acknowledgments = self.acknowledgments.saturating_add(1);
                self.is_whole |= content.is_whole();
            }
            _ => (self.acknowledgments, self.is_whole) = (1, content.is_whole()),
        }
    }

    /// How a handshake is wrapped that this side proves alone: of 128 random bits none may change, while all the rest is
    /// another message each time.
    fn wrap_of_one(&self) -> Option<Wrap> {
        let Acknowledging { own, peer, wrap, .. } = self.acknowledging?;
        let mut ids = [0; 16];
        ids.iter_mut().zip(own.into_iter().chain(peer)).for_each(|(to, from)| *to = from);
        let is_proven = is_noise(&ids) && self.is_whole && self.acknowledgments >= Midway::ACKNOWLEDGMENTS_MIN;
        is_proven.then_some(wrap)
    }
}
