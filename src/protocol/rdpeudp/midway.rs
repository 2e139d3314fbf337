//! Datagrams on RDP's port whose handshake was not seen in, whether they are this transport's out: the numbers of one
//! side's data rise (source and coded packets, [MS-RDPEUDP] §2.2.2.4), beside data of the other side.

use crate::facts::Sender;
use crate::protocol::rdpeudp::wire::{self, Data};

#[derive(Default)]
pub(super) struct Midway {
    client: Lane,
    server: Lane,
    datagrams: u32,
}

#[derive(Default)]
struct Lane {
    /// Of the last datagram with data: its source and its coded packet.
    last: Option<(u32, u32)>,
    /// Datagrams in a row whose numbers rise.
    run: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Judgement {
    Foreign,
    RdpUdp,
    Undecided,
}

impl Midway {
    /// One side's datagrams in a row, beside one of the other side.
    const RUN_MIN: u32 = 3;
    const DATAGRAMS_MAX: u32 = 24;

    pub(super) fn on_datagram(&mut self, datagram: &[u8], sender: Sender) -> Judgement {
        self.datagrams = self.datagrams.saturating_add(1);
        let lane = match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        };
        // What only acknowledges has no numbers of its own.
        if let Some(Data { sequence, coded, .. }) = wire::data_midway(datagram) {
            lane.take(sequence, coded);
        }
        let (fewer, more) = (self.client.run.min(self.server.run), self.client.run.max(self.server.run));
        match (fewer > 0 && more >= Self::RUN_MIN, self.datagrams >= Self::DATAGRAMS_MAX) {
            (true, _) => Judgement::RdpUdp,
            (false, true) => Judgement::Foreign,
            (false, false) => Judgement::Undecided,
        }
    }
}

impl Lane {
    fn take(&mut self, sequence: u32, coded: u32) {
        /// The largest step that loss and another path explain.
        const STEP_MAX: u32 = 64;
        let rises = |now: u32, last: u32| (1..=STEP_MAX).contains(&now.wrapping_sub(last));
        let follows = self.last.is_some_and(|last| rises(sequence, last.0) && rises(coded, last.1));
        self.run = if follows { self.run.saturating_add(1) } else { 1 };
        self.last = Some((sequence, coded));
    }
}
