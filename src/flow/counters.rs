//! What a flow table counts: plain numbers, so that they travel with its facts.

use crate::facts::EndReason;
use crate::flow::reassembly::Seen;
use crate::protocol::{ALL, COUNT_MAX, Protocol};

/// Counts since the table was made, but where a gauge is named.
#[derive(Clone, Debug)]
pub struct Counters {
    pub packets: u64,
    /// Bytes of the packets from the IP header on.
    pub bytes: u64,
    pub flows_started: u64,
    /// Gauge: flows in the table.
    pub flows_active: u64,
    ended: [u64; EndReason::ALL.len()],
    /// Flows put out of a full table, whatever they ended of.
    pub flows_evicted: u64,
    /// In the order of [`ALL`].
    sessions: [u64; COUNT_MAX],
    malformed: Vec<(Protocol, &'static str, u64)>,
    pub parser_panics: u64,
    /// Flows nobody listened to any more because the buffers were full.
    pub buffer_refusals: u64,
    /// Gauge: payload bytes kept for missing segments and undecided parsers.
    pub buffered_bytes: u64,
    pub payload_bytes: u64,
    /// TCP payload seen more than once.
    pub retransmitted_bytes: u64,
    /// TCP payload that was sent and not seen.
    pub lost_bytes: u64,
    /// Gauge: memory of the table without the buffers.
    pub table_bytes: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            flows_started: 0,
            flows_active: 0,
            ended: [0; EndReason::ALL.len()],
            flows_evicted: 0,
            sessions: [0; COUNT_MAX],
            malformed: Vec::new(),
            parser_panics: 0,
            buffer_refusals: 0,
            buffered_bytes: 0,
            payload_bytes: 0,
            retransmitted_bytes: 0,
            lost_bytes: 0,
            table_bytes: 0,
        }
    }
}

impl Counters {
    /// The most pairs of protocol and reason kept apart; reasons are a closed set of literals, so it is not met.
    const MALFORMED_MAX: usize = 512;

    /// Flows that are over, by reason.
    pub fn flows_ended(&self) -> impl Iterator<Item = (EndReason, u64)> {
        EndReason::ALL.iter().copied().zip(self.ended)
    }

    /// Flows that a protocol was recognised on, by protocol.
    pub fn sessions(&self) -> impl Iterator<Item = (Protocol, u64)> {
        ALL.iter().map(|spec| spec.protocol).zip(self.sessions)
    }

    /// Flows that a parser gave up, by protocol and reason.
    pub fn malformed(&self) -> impl Iterator<Item = (Protocol, &'static str, u64)> {
        self.malformed.iter().copied()
    }

    pub(super) fn count_payload(&mut self, seen: Seen) {
        let count = |total: &mut u64, bytes: u32| *total = total.saturating_add(u64::from(bytes));
        count(&mut self.payload_bytes, seen.fresh);
        count(&mut self.retransmitted_bytes, seen.repeated);
        count(&mut self.lost_bytes, seen.lost);
        self.lost_bytes = self.lost_bytes.saturating_sub(u64::from(seen.found));
    }

    pub(super) fn count_end(&mut self, reason: EndReason) {
        for (known, count) in EndReason::ALL.iter().zip(&mut self.ended) {
            *count = count.saturating_add(u64::from(*known == reason));
        }
    }

    pub(super) fn count_session(&mut self, protocol: Protocol) {
        let known = ALL.iter().zip(&mut self.sessions).find(|(spec, _)| spec.protocol == protocol);
        if let Some((_, count)) = known {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn count_malformed(&mut self, protocol: Protocol, reason: &'static str) {
        let known = self.malformed.iter_mut().find(|(p, r, _)| (*p, *r) == (protocol, reason));
        if let Some((_, _, count)) = known {
            *count = count.saturating_add(1);
        } else if self.malformed.len() < Self::MALFORMED_MAX {
            self.malformed.push((protocol, reason, 1));
        }
    }
}
