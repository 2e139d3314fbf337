//! The packets of a flow that somebody drives something through in, what it did in each minute out.

use std::time::Duration;

use crate::decode::Head;
use crate::facts::{Channel, Minute, Sender};
use crate::time::Timestamp;

/// Runs from the moment on that the flow was recognised.
#[derive(Debug)]
pub(super) struct Meter {
    through: Channel,
    minute: Minute,
    /// Whether the client has sent payload in this minute.
    is_worth_saying: bool,
    /// The client's last small packet, in whichever minute.
    last_small: Option<Timestamp>,
}

impl Meter {
    /// A packet with no more fresh payload is small: input, not content. A key or a movement takes 30 to 150 bytes, also
    /// within a tunnel.
    const SMALL_BYTES_MAX: u32 = 200;
    /// Packets closer together are one group.
    const GROUP_GAP: Duration = Duration::from_millis(30);
    /// A hand that moves does not rest for longer.
    const HAND_GAP_MAX: Duration = Duration::from_secs(10);

    pub(super) fn new(through: Channel) -> Self {
        Self { through, minute: Minute::default(), is_worth_saying: false, last_small: None }
    }

    /// Counts a packet that brought `fresh` bytes of payload; what was due before it has been said.
    pub(super) fn on_packet(&mut self, head: &Head, sender: Sender, fresh: u32) {
        let start = Minute::start_of(head.at);
        if self.minute.start != start {
            self.minute = Minute { start, through: self.through, ..Minute::default() };
            self.is_worth_saying = false;
        }
        let minute = &mut self.minute;
        let (packets, bytes) = match sender {
            Sender::Client => (&mut minute.client_packets, &mut minute.client_bytes),
            Sender::Server => (&mut minute.server_packets, &mut minute.server_bytes),
        };
        *packets = packets.saturating_add(1);
        *bytes = bytes.saturating_add(u64::from(head.ip.len));
        if sender == Sender::Client && fresh > 0 {
            self.is_worth_saying = true;
            if fresh <= Self::SMALL_BYTES_MAX {
                self.on_small(head.at);
            }
        }
    }

    /// When the present minute is to be said.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.is_worth_saying.then(|| self.minute.end())
    }

    /// The present minute, where it is worth saying, and it is said once.
    pub(super) fn take(&mut self) -> Option<Minute> {
        let is_worth_saying = std::mem::take(&mut self.is_worth_saying);
        is_worth_saying.then(|| std::mem::take(&mut self.minute))
    }

    fn on_small(&mut self, at: Timestamp) {
        let gap = self.last_small.replace(at).map(|last| at.since(last));
        if gap.is_some_and(|gap| gap < Self::GROUP_GAP) {
            return;
        }
        let by_hand = gap.is_some_and(|gap| gap <= Self::HAND_GAP_MAX);
        let minute = &mut self.minute;
        minute.client_bursts = minute.client_bursts.saturating_add(u32::from(by_hand));
        let groups = &mut minute.client_groups;
        groups.count = groups.count.saturating_add(1);
        if groups.count == 1 {
            groups.first = at;
        } else {
            let gap_ms = u64::try_from(at.since(groups.last).as_millis()).unwrap_or(u64::MAX);
            groups.gap_squares_ms2 = groups.gap_squares_ms2.saturating_add(gap_ms.saturating_mul(gap_ms));
        }
        groups.last = at;
    }
}
