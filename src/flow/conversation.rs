//! The segments and datagrams of one flow in, what its parser says out: reassembly and session together, as long as
//! somebody listens.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::facts::{Sender, Shape, Statement};
use crate::flow::reassembly::{Payload, Piece, Reassembly, Room, Seen, Sequence, Track};
use crate::protocol::session::{Roles, Session};
use crate::protocol::{Chunk, Protocol, Start};
use crate::time::Timestamp;

pub(super) type Said = Vec<(Protocol, Statement)>;

/// Made at the first payload of a flow, and dropped when nobody listens any more.
pub(super) struct Conversation {
    client: Reassembly,
    server: Reassembly,
    listener: Listener,
}

/// The session behind a fence: a parser's panic ends the listening, not the sensor.
struct Listener {
    session: Session,
    has_panicked: bool,
}

impl Conversation {
    pub(super) fn new(start: Start) -> Self {
        let listener = Listener { session: Session::new(start), has_panicked: false };
        Self { client: Reassembly::default(), server: Reassembly::default(), listener }
    }

    pub(super) fn on_datagram(&mut self, chunk: Chunk<'_>, said: &mut Said) {
        self.listener.hear(chunk.at, chunk.sender, Piece::Bytes(chunk.bytes), said);
    }

    pub(super) fn on_payload(
        &mut self,
        (at, sender): (Timestamp, Sender),
        track: &mut Track,
        payload: Payload<'_>,
        room: Room,
        said: &mut Said,
    ) -> Seen {
        let (reassembly, listener) = self.of(sender);
        reassembly.on_payload(track, payload, room, &mut |piece| listener.hear(at, sender, piece, said))
    }

    /// The other side acknowledged what `sender` sent.
    pub(super) fn on_acknowledgment(
        &mut self,
        (at, sender): (Timestamp, Sender),
        track: &mut Track,
        acknowledgment: Sequence,
        said: &mut Said,
    ) -> Seen {
        let (reassembly, listener) = self.of(sender);
        reassembly.on_acknowledgment(track, acknowledgment, &mut |piece| listener.hear(at, sender, piece, said))
    }

    /// Nobody waits for a missing segment of `sender` any more.
    pub(super) fn flush(&mut self, (at, sender): (Timestamp, Sender), track: &mut Track, said: &mut Said) -> Seen {
        let (reassembly, listener) = self.of(sender);
        reassembly.finish(track, &mut |piece| listener.hear(at, sender, piece, said))
    }

    /// The flow is over.
    pub(super) fn on_end(&mut self, said: &mut Said) {
        self.listener.guarded(said, |session, said| session.on_end(said));
    }

    pub(super) const fn is_over(&self) -> bool {
        self.listener.has_panicked || self.listener.session.is_done()
    }

    /// Nothing is listened for any more but what the flow looks like.
    pub(super) fn is_watching(&self) -> bool {
        self.listener.session.is_watching()
    }

    pub(super) const fn has_panicked(&self) -> bool {
        self.listener.has_panicked
    }

    pub(super) const fn protocol(&self) -> Option<Protocol> {
        self.listener.session.protocol()
    }

    /// What a flow that nobody claimed looks like.
    pub(super) const fn shape(&self) -> Option<Shape> {
        self.listener.session.shape()
    }

    pub(super) fn is_reversed(&self) -> bool {
        self.listener.session.roles() == Roles::Reversed
    }

    /// Bytes of the flow that are kept.
    pub(super) fn buffered_bytes(&self) -> usize {
        let waiting = self.client.waiting_bytes().saturating_add(self.server.waiting_bytes());
        waiting.saturating_add(self.listener.session.buffered_bytes())
    }

    const fn of(&mut self, sender: Sender) -> (&mut Reassembly, &mut Listener) {
        match sender {
            Sender::Client => (&mut self.client, &mut self.listener),
            Sender::Server => (&mut self.server, &mut self.listener),
        }
    }
}

impl Listener {
    fn hear(&mut self, at: Timestamp, sender: Sender, piece: Piece<'_>, said: &mut Said) {
        self.guarded(said, |session, said| match piece {
            Piece::Bytes(bytes) => session.on_bytes(Chunk { at, sender, bytes, missing: 0 }, said),
            Piece::Gap(len) => session.on_gap(sender, len, said),
        });
    }

    fn guarded(&mut self, said: &mut Said, call: impl FnOnce(&mut Session, &mut Said)) {
        if self.has_panicked {
            return;
        }
        let kept = said.len();
        if catch_unwind(AssertUnwindSafe(|| call(&mut self.session, said))).is_err() {
            said.truncate(kept);
            self.has_panicked = true;
        }
    }
}
