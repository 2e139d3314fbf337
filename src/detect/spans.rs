//! Flows to a VPN gateway in, how many of them ran side by side out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::facts::{FactKind, FlowId, Sender};
use crate::identity::site::Site;
use crate::net::Transport;
use crate::time::Timestamp;

/// A flow as far as it was seen.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Span {
    pub(super) flow: FlowId,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// Where a tunnel goes: flows of different transports are counted apart, because one client may use two together.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Way {
    gateway: IpAddr,
    pub(super) transport: Transport,
}

/// The flow of an outside site to a VPN gateway that an event tells the length of.
pub(super) fn tunnel(event: &Event<'_>) -> Option<(Site, Way, Span)> {
    let fact = event.fact()?;
    let (FactKind::Activity(summary) | FactKind::FlowEnded(summary)) = &fact.kind else {
        return None;
    };
    if !event.is_to_vpn_gateway() {
        return None;
    }
    let way = Way { gateway: event.address(Sender::Server)?, transport: fact.flow.transport };
    let first = fact.flow.started;
    let span = Span { flow: fact.flow.id, first, last: first + summary.duration };
    Some((Site::of(event.address(Sender::Client)?), way, span))
}

/// How many flows ran side by side with this one for so long, itself among them, at the moment when they were the most; and
/// since when.
pub(super) fn together(spans: &BTreeMap<FlowId, Span>, with: Span, overlap: Duration) -> (usize, Timestamp) {
    // The number of spans over a moment changes at their beginnings only.
    let moments = spans.values().map(|span| span.first.max(with.first));
    let at_moment = |moment: Timestamp| {
        let over = spans.values().filter(move |span| span.first <= moment && span.last.since(moment) >= overlap);
        let since = over.clone().map(|span| span.first).min().unwrap_or(moment);
        (over.count(), since)
    };
    moments
        .filter(|&moment| with.last.since(moment) >= overlap)
        .map(at_moment)
        .max_by_key(|&(count, _)| count)
        .unwrap_or((1, with.first))
}
