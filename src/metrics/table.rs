//! Every metric of the sensor, in the order of the data.

use super::{Kind, Metric, Samples};
use crate::decode::Skip;
use crate::detect;
use crate::facts::{Encapsulation, FactKind};
use crate::risk::SHARES;
use crate::sinks::push;
use crate::time::Span;
use crate::{analysis, capture, decode, flow, shard};

/// The numbers of all stages at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub frames: capture::Counters,
    pub drops: capture::Drops,
    /// Facts that were read from recordings.
    pub recorded_facts: u64,
    /// The times of the frames and of recorded facts; none before there was one.
    pub span: Option<Span>,
    /// What the sources' own decoders counted, where the shards do not decode.
    pub decode: decode::Counters,
    pub shards: Vec<shard::Counters>,
    pub analysis: analysis::Counters,
    /// Lines written by each sink.
    pub lines: Vec<(&'static str, u64)>,
    /// What came of each push; none in a replay, which pushes nothing.
    pub pushes: Vec<push::Counters>,
    /// What came of reading configuration and rules; none in a replay, which does not read them anew.
    pub reload: Option<Reload>,
}

impl Snapshot {
    /// What all decoders counted.
    pub fn decode(&self) -> decode::Counters {
        self.shards.iter().fold(self.decode, |mut sum, shard| {
            sum += shard.decode;
            sum
        })
    }

    /// A number of the flow tables, over all of them.
    pub fn flows(&self, number: fn(&flow::Counters) -> u64) -> u64 {
        self.shards.iter().map(|shard| number(&shard.flow)).sum()
    }
}

/// What came of the last reading of configuration and rules.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reload {
    pub successful: bool,
    /// Seconds since the epoch of the last one that was successful.
    pub success_secs: u64,
}

pub const METRICS: &[Metric] = &[
    Metric {
        name: "build_info",
        kind: Kind::Gauge,
        labels: &["version"],
        help: "Always 1; the version of the sensor is its label.",
        read: |_, samples| samples.labelled(&[env!("CARGO_PKG_VERSION")], 1),
    },
    Metric {
        name: "config_last_reload_successful",
        kind: Kind::Gauge,
        labels: &[],
        help: "Whether the last reading of configuration and rules was successful; 0 means that older ones are in force.",
        read: |snapshot, samples| {
            if let Some(reload) = snapshot.reload {
                samples.one(u64::from(reload.successful));
            }
        },
    },
    Metric {
        name: "config_last_reload_success_timestamp_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "When configuration and rules were last read successfully, in seconds since the epoch.",
        read: |snapshot, samples| {
            if let Some(reload) = snapshot.reload {
                samples.one(reload.success_secs);
            }
        },
    },
    Metric {
        name: "rules",
        kind: Kind::Gauge,
        labels: &[],
        help: "Rules in force; without any, there are events and no alerts.",
        read: |snapshot, samples| samples.one(snapshot.analysis.rules),
    },
    Metric {
        name: "packets_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Packets read, whatever became of them.",
        read: |snapshot, samples| samples.one(snapshot.frames.frames),
    },
    Metric {
        name: "packet_bytes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Bytes of the packets read, as captured.",
        read: |snapshot, samples| samples.one(snapshot.frames.bytes),
    },
    Metric {
        name: "packets_dropped_total",
        kind: Kind::Counter,
        labels: &["place"],
        help: "Packets lost before they were read: in the kernel's ring, or in the interface.",
        read: |snapshot, samples| {
            samples.labelled(&["interface"], snapshot.drops.interface);
            samples.labelled(&["kernel"], snapshot.drops.kernel);
        },
    },
    Metric {
        name: "packets_reordered_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Packets whose time ran backwards and which were given the time of the packet before.",
        read: |snapshot, samples| samples.one(snapshot.frames.reordered),
    },
    Metric {
        name: "last_packet_timestamp_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "The time of the last packet, in seconds since the epoch; standing still, it tells that the mirror is dead.",
        read: |snapshot, samples| {
            if let Some(span) = snapshot.span {
                samples.one(span.last.as_secs());
            }
        },
    },
    Metric {
        name: "packets_skipped_total",
        kind: Kind::Counter,
        labels: &["reason"],
        help: "Packets that are part of no flow, by reason.",
        read: |snapshot, samples| {
            for &skip in Skip::ALL {
                let of_filter = if skip == Skip::Filtered { snapshot.frames.filtered } else { 0 };
                samples.labelled(&[skip.as_str()], snapshot.decode().skipped(skip) + of_filter);
            }
        },
    },
    Metric {
        name: "packets_unwrapped_total",
        kind: Kind::Counter,
        labels: &["encapsulation"],
        help: "Packets that came in a tunnel, by the innermost one.",
        read: |snapshot, samples| {
            for &encapsulation in Encapsulation::ALL {
                samples.labelled(&[encapsulation.as_str()], snapshot.decode().unwrapped(encapsulation));
            }
        },
    },
    Metric {
        name: "fragmented_datagrams_total",
        kind: Kind::Counter,
        labels: &["outcome"],
        help: "Fragmented datagrams: joined, or given up and why.",
        read: |snapshot, samples| {
            let fragments = snapshot.decode().fragments;
            samples.labelled(&["evicted"], fragments.evicted);
            samples.labelled(&["expired"], fragments.expired);
            samples.labelled(&["joined"], fragments.joined);
            samples.labelled(&["overlapping"], fragments.overlapping);
        },
    },
    Metric {
        name: "fragment_buffer_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Memory taken by datagrams that wait for fragments.",
        read: |snapshot, samples| samples.one(snapshot.decode().fragments.waiting_bytes),
    },
    Metric {
        name: "flows_active",
        kind: Kind::Gauge,
        labels: &[],
        help: "Flows in the tables.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.flows_active)),
    },
    Metric {
        name: "flows_started_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Flows seen to begin, or seen first amid.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.flows_started)),
    },
    Metric {
        name: "flows_ended_total",
        kind: Kind::Counter,
        labels: &["reason"],
        help: "Flows that are over, by reason.",
        read: |snapshot, samples| {
            for (reason, count) in snapshot.shards.iter().flat_map(|shard| shard.flow.flows_ended()) {
                samples.labelled(&[reason.as_str()], count);
            }
        },
    },
    Metric {
        name: "tcp_flows_total",
        kind: Kind::Counter,
        labels: &["sides"],
        help: "TCP flows that ended and carried payload, by the sides that were seen; many of one side mean that the mirror brings one direction only.",
        read: |snapshot, samples| {
            samples.labelled(&["both"], snapshot.analysis.tcp_flows_of_both_sides);
            samples.labelled(&["one"], snapshot.analysis.tcp_flows_of_one_side);
        },
    },
    Metric {
        name: "flows_evicted_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Flows put out of a full table; raise flow.flows_max.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.flows_evicted)),
    },
    Metric {
        name: "flow_table_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Memory of the flow tables, without the payload they keep.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.table_bytes)),
    },
    Metric {
        name: "flow_buffer_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Payload kept for missing segments and undecided parsers.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.buffered_bytes)),
    },
    Metric {
        name: "flow_buffer_refusals_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Flows nobody listened to any more because the buffers were full; raise flow.buffers_bytes_max.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.buffer_refusals)),
    },
    Metric {
        name: "flow_payload_bytes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Bytes that flows carried above their transport.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.payload_bytes)),
    },
    Metric {
        name: "flow_payload_lost_bytes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "TCP payload that was sent and not seen: the mirror or the capture loses packets.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.lost_bytes)),
    },
    Metric {
        name: "flow_payload_retransmitted_bytes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "TCP payload seen more than once.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.retransmitted_bytes)),
    },
    Metric {
        name: "sessions_total",
        kind: Kind::Counter,
        labels: &["protocol"],
        help: "Flows that a protocol was recognised on.",
        read: |snapshot, samples| {
            for (protocol, count) in snapshot.shards.iter().flat_map(|shard| shard.flow.sessions()) {
                samples.labelled(&[protocol.as_str()], count);
            }
        },
    },
    Metric {
        name: "malformed_total",
        kind: Kind::Counter,
        labels: &["protocol", "reason"],
        help: "Flows that a parser gave up because they break their protocol's rules.",
        read: |snapshot, samples| {
            for (protocol, reason, count) in snapshot.shards.iter().flat_map(|shard| shard.flow.malformed()) {
                samples.labelled(&[protocol.as_str(), reason], count);
            }
        },
    },
    Metric {
        name: "parser_panics_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Flows lost to a panic of a parser, each of them a bug to report.",
        read: |snapshot, samples| samples.one(snapshot.flows(|counters| counters.parser_panics)),
    },
    Metric {
        name: "facts_total",
        kind: Kind::Counter,
        labels: &["kind"],
        help: "Facts that the shards told the analysis.",
        read: |snapshot, samples| {
            for category in FactKind::CATEGORIES {
                samples.labelled(&[category], snapshot.analysis.facts.get(category).copied().unwrap_or(0));
            }
        },
    },
    Metric {
        name: "facts_hurried_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Facts judged out of order because too many waited for the slowest shard.",
        read: |snapshot, samples| samples.one(snapshot.analysis.hurried_facts),
    },
    Metric {
        name: "product_flows_total",
        kind: Kind::Counter,
        labels: &["product"],
        help: "Flows that ended and whose product was known by name; the products are those of rules/data/products.yml.",
        read: |snapshot, samples| {
            for (product, &count) in &snapshot.analysis.applications {
                samples.labelled(&[product], count);
            }
        },
    },
    Metric {
        name: "findings_total",
        kind: Kind::Counter,
        labels: &["detector"],
        help: "Findings, by detector.",
        read: |snapshot, samples| {
            for (name, _, _) in detect::specs() {
                samples.labelled(&[name], snapshot.analysis.findings.get(name).copied().unwrap_or(0));
            }
        },
    },
    Metric {
        name: "alerts_total",
        kind: Kind::Counter,
        labels: &["rule", "level"],
        help: "Alerts, by rule; the rules are those of the rules directory.",
        read: |snapshot, samples| {
            for ((rule, level), &count) in &snapshot.analysis.alerts {
                samples.labelled(&[rule, level.as_str()], count);
            }
        },
    },
    Metric {
        name: "incidents_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Incidents that opened: evidence of several kinds about one site, device or account that adds up.",
        read: |snapshot, samples| samples.one(snapshot.analysis.incidents_opened),
    },
    Metric {
        name: "incidents_open",
        kind: Kind::Gauge,
        labels: &["level"],
        help: "Incidents that are open, by level.",
        read: |snapshot, samples| {
            for (level, &count) in &snapshot.analysis.incidents_open {
                samples.labelled(&[level.as_str()], count);
            }
        },
    },
    Metric {
        name: "risk_entities",
        kind: Kind::Gauge,
        labels: &["threshold_share"],
        help: "Sites, devices and accounts whose evidence comes to at least this part of an incident's threshold; counted \
               every ten minutes of packet time.",
        read: |snapshot, samples| {
            for (count, (_, share)) in snapshot.analysis.risk.iter().zip(SHARES) {
                samples.labelled(&[share], *count);
            }
        },
    },
    Metric {
        name: "sites",
        kind: Kind::Gauge,
        labels: &[],
        help: "Households outside that devices or accounts are known at.",
        read: |snapshot, samples| samples.one(snapshot.analysis.sites),
    },
    Metric {
        name: "alerts_suppressed_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Matches of rules that were not said, because the same was said of the same entity before.",
        read: |snapshot, samples| samples.one(snapshot.analysis.alerts_suppressed),
    },
    Metric {
        name: "devices",
        kind: Kind::Gauge,
        labels: &[],
        help: "Devices known.",
        read: |snapshot, samples| samples.one(snapshot.analysis.devices),
    },
    Metric {
        name: "correlation_groups",
        kind: Kind::Gauge,
        labels: &[],
        help: "Groups that the rules' correlations count for.",
        read: |snapshot, samples| samples.one(snapshot.analysis.correlation_groups),
    },
    Metric {
        name: "analysis_evictions_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Devices, windows and groups forgotten early because a table was full; raise the section limits.",
        read: |snapshot, samples| samples.one(snapshot.analysis.evicted),
    },
    Metric {
        name: "geo_undecodable_records_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Records that a geographic database could not give: it is damaged.",
        read: |snapshot, samples| samples.one(snapshot.analysis.undecodable_places),
    },
    Metric {
        name: "sink_lines_total",
        kind: Kind::Counter,
        labels: &["sink"],
        help: "Lines written.",
        read: |snapshot, samples| {
            for &(sink, lines) in &snapshot.lines {
                samples.labelled(&[sink], lines);
            }
        },
    },
    Metric {
        name: "sink_sent_total",
        kind: Kind::Counter,
        labels: &["sink"],
        help: "Messages that another program took: alertmanager, syslog or webhook.",
        read: |snapshot, samples| pushed(snapshot, samples, |counters| counters.sent),
    },
    Metric {
        name: "sink_failures_total",
        kind: Kind::Counter,
        labels: &["sink"],
        help: "Attempts to keep or send a message that failed; it is tried again.",
        read: |snapshot, samples| pushed(snapshot, samples, |counters| counters.failures),
    },
    Metric {
        name: "sink_waiting",
        kind: Kind::Gauge,
        labels: &["sink"],
        help: "Messages that wait on disk; for alertmanager, alerts that are said again and again.",
        read: |snapshot, samples| pushed(snapshot, samples, |counters| counters.waiting),
    },
    Metric {
        name: "sink_lost_total",
        kind: Kind::Counter,
        labels: &["sink"],
        help: "Messages given up, because the queue was full or the receiver refused them for what they are.",
        read: |snapshot, samples| pushed(snapshot, samples, |counters| counters.lost),
    },
];

fn pushed(snapshot: &Snapshot, samples: &mut Samples, number: fn(&push::Counters) -> u64) {
    for counters in &snapshot.pushes {
        samples.labelled(&[counters.sink], number(counters));
    }
}
