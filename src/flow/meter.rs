//! The packets of a flow that somebody drives something through in, what it did in each minute out.

use std::time::Duration;

use crate::decode::Head;
use crate::facts::{Channel, Minute, Quarters, Rhythm, Sender, Shape};
use crate::flow::channels::Channels;
use crate::flow::turns::Turns;
use crate::protocol::Chunk;
use crate::protocol::wireguard::Rekeying;
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
    pictures: Pictures,
    turns: Turns,
    channels: Option<Channels>,
    rekeying: Option<Rekeying>,
}

/// What the server of a desktop or a shell sent last.
#[derive(Debug, Default)]
struct Pictures {
    /// The beginnings of its latest groups of packets, each over that of [`Self::KEPT`] before.
    begun: [Timestamp; Self::KEPT],
    groups: usize,
    last: Timestamp,
    /// What the latest group has carried so far.
    bytes: u32,
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
        Self {
            through,
            minute: Minute::default(),
            is_worth_saying: false,
            last_small: None,
            pictures: Pictures::default(),
            turns: Turns::default(),
            channels: None,
            rekeying: None,
        }
    }

    /// Of a shell whose channels may carry connections.
    pub(super) fn of_channels() -> Self {
        Self { channels: Some(Channels::default()), ..Self::new(Channel::Shell) }
    }

    /// Of a tunnel whose handshakes are timed.
    pub(super) fn of_rekeying() -> Self {
        Self { rekeying: Some(Rekeying::default()), ..Self::new(Channel::Tunnel) }
    }

    /// Counts a packet that brought `fresh` bytes of payload; what was due before it has been said. The round trips are
    /// those from the tap to client and server.
    pub(super) fn on_packet(&mut self, head: &Head, sender: Sender, fresh: u32, round_trips: (Duration, Duration)) {
        if self.through == Channel::Shell && fresh > 0 {
            self.turns.on_payload(head.at, sender, fresh, round_trips);
            if let Some(channels) = &mut self.channels {
                channels.on_segment(sender, (fresh == head.payload_len).then_some(fresh));
            }
        }
        let start = Minute::start_of(head.at);
        if self.minute.start != start {
            let rhythm = (self.through != Channel::Tunnel).then(Box::default);
            self.minute = Minute { start, through: self.through, rhythm, ..Minute::default() };
            self.is_worth_saying = false;
        }
        let minute = &mut self.minute;
        let (packets, bytes) = match sender {
            Sender::Client => (&mut minute.client_packets, &mut minute.client_bytes),
            Sender::Server => (&mut minute.server_packets, &mut minute.server_bytes),
        };
        *packets = packets.saturating_add(1);
        *bytes = bytes.saturating_add(u64::from(head.ip.len));
        if sender == Sender::Server && fresh > 0 {
            self.on_picture(head.at, fresh);
        }
        if sender == Sender::Client && fresh > 0 {
            self.is_worth_saying = true;
            if let Some(rhythm) = &mut self.minute.rhythm {
                self.pictures.count_lags(rhythm, head.at);
            }
            if fresh <= Self::SMALL_BYTES_MAX {
                self.on_small(head.at);
            }
        }
    }

    /// Takes the time of a tunnel's handshakes; the datagram has been counted.
    pub(super) fn on_datagram(&mut self, datagram: Chunk<'_>) {
        let round_trip = self.rekeying.as_mut().and_then(|rekeying| rekeying.on_datagram(datagram));
        if let Some(rtt) = round_trip {
            let least = &mut self.minute.client_rtt;
            *least = Some(least.map_or(rtt, |least| least.min(rtt)));
        }
    }

    /// What a shell looks like, as far as it can be told.
    pub(super) fn shape(&self) -> Option<Shape> {
        let channels = self.channels.as_ref();
        if channels.is_some_and(Channels::are_reversed) {
            return Some(Shape::ReversedChannels);
        }
        if channels.is_some_and(Channels::are_forwarding) {
            return Some(Shape::Forwarding);
        }
        self.turns.are_reversed().then_some(Shape::Reversed)
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
        if let Some(rhythm) = &mut self.minute.rhythm {
            rhythm.input.mark(Quarters::place(at.since(self.minute.start)));
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

    /// Payload of a desktop's or a shell's server.
    fn on_picture(&mut self, at: Timestamp, fresh: u32) {
        let Some(rhythm) = &mut self.minute.rhythm else {
            return;
        };
        let (begun, is_large) = self.pictures.add(at, fresh);
        if is_large && begun >= self.minute.start {
            rhythm.pictures.mark(Quarters::place(begun.since(self.minute.start)));
        }
    }
}

impl Pictures {
    /// At thirty pictures a second, those of the longest lag.
    const KEPT: usize = 24;
    const GROUP_GAP: Duration = Duration::from_millis(10);
    const LARGE_BYTES: u32 = 1000;

    /// Adds a packet and returns when its group began, and whether it has become large with it.
    fn add(&mut self, at: Timestamp, fresh: u32) -> (Timestamp, bool) {
        if at.since(self.last) >= Self::GROUP_GAP {
            self.groups = self.groups.wrapping_add(1);
            self.bytes = 0;
            if let Some(begun) = self.begun.get_mut(self.groups % Self::KEPT) {
                *begun = at;
            }
        }
        self.last = at;
        let was_large = self.bytes >= Self::LARGE_BYTES;
        self.bytes = self.bytes.saturating_add(fresh);
        let begun = self.begun.get(self.groups % Self::KEPT).copied().unwrap_or(at);
        (begun, !was_large && self.bytes >= Self::LARGE_BYTES)
    }

    /// Counts how long after each of the latest groups the client sent something.
    fn count_lags(&self, rhythm: &mut Rhythm, at: Timestamp) {
        for begun in self.begun {
            let lag = Rhythm::lag(at.since(begun));
            if lag >= Rhythm::LAGS {
                continue;
            }
            if rhythm.lags.is_empty() {
                rhythm.lags.resize(Rhythm::LAGS, 0);
            }
            if let Some(count) = rhythm.lags.get_mut(lag) {
                *count = count.saturating_add(1);
            }
        }
    }
}
