//! Every metric of the sensor, in the order of the data.

use std::time::Duration;

use super::captures::{self, Captures};
use super::state::{self, State};
use super::{Kind, Metric, Samples};
use crate::decode::Skip;
use crate::detect;
use crate::facts::{Encapsulation, FactKind};
use crate::identity::entity::Entity;
use crate::recent::Usage;
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
    /// How far the analysis is behind the last packet that was read, in packet time.
    pub lag: Duration,
    /// Those with most evidence, by ids that tell nothing; none unless the configuration asks for them.
    pub risks: Vec<EntityRisk>,
    /// Lines written by each sink.
    pub lines: Vec<(&'static str, u64)>,
    /// What came of each push; none in a replay, which pushes nothing.
    pub pushes: Vec<push::Counters>,
    /// What came of evidence captures; none where none are kept.
    pub captures: Option<Captures>,
    /// What became of the state; none where nothing outlives the process.
    pub state: Option<State>,
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

/// How much evidence there is about somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityRisk {
    pub kind: &'static str,
    pub id: String,
    /// Whose the id is: for the console, never for a metric.
    pub name: String,
    pub nats: f64,
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
        name: "facts_waiting",
        kind: Kind::Gauge,
        labels: &[],
        help: "Facts that wait for the slowest shard.",
        read: |snapshot, samples| samples.one(snapshot.analysis.waiting_facts),
    },
    Metric {
        name: "analysis_lag_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "How far what is judged is behind the last packet that was read, in packet time.",
        read: |snapshot, samples| samples.number(&[], snapshot.lag.as_secs_f64()),
    },
    Metric {
        name: "product_flows_total",
        kind: Kind::Counter,
        labels: &["product", "sanctioned"],
        help: "Flows that ended and whose product was known, and whether the configuration calls it the organisation's own; \
               the products are those of rules/data/products.yml.",
        read: |snapshot, samples| {
            for ((product, sanctioned), &count) in &snapshot.analysis.applications {
                samples.labelled(&[product, if *sanctioned { "true" } else { "false" }], count);
            }
        },
    },
    Metric {
        name: "session_duration_seconds",
        kind: Kind::Histogram,
        labels: &["through"],
        help: "How long flows lasted that somebody works through, of those that ended: a desktop, a shell or a tunnel.",
        read: |snapshot, samples| {
            for (channel, lengths) in &snapshot.analysis.lengths.sessions {
                samples.distribution(&[channel], lengths);
            }
        },
    },
    Metric {
        name: "vpn_sessions_total",
        kind: Kind::Counter,
        labels: &["class"],
        help: "Tunnels that ended: the organisation's own by the configuration, a product for organisations (corporate), \
               an overlay network, a vendor's service to come out elsewhere, or any other.",
        read: |snapshot, samples| {
            for (class, &count) in &snapshot.analysis.lengths.vpns {
                samples.labelled(&[class.as_str()], count);
            }
        },
    },
    Metric {
        name: "round_trip_excess_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "By how much the answer of what runs in a connection came later than the connection's own: a relay shows so.",
        read: |snapshot, samples| samples.distribution(&[], &snapshot.analysis.lengths.excess),
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
            for ((rule, level), said) in &snapshot.analysis.alerts {
                samples.explained(&[rule, level.as_str()], said.count, said.example);
            }
        },
    },
    Metric {
        name: "incidents_total",
        kind: Kind::Counter,
        labels: &["kind"],
        help: "Incidents that opened: evidence of several kinds about one site, device or account that adds up.",
        read: |snapshot, samples| {
            for kind in Entity::KINDS {
                let opened = snapshot.analysis.incidents_opened.get(kind);
                let example = opened.map(|opened| opened.latest);
                samples.explained(&[kind], opened.map_or(0, |opened| opened.count), example);
            }
        },
    },
    Metric {
        name: "incidents_open",
        kind: Kind::Gauge,
        labels: &["kind", "level"],
        help: "Incidents that are open, by the kind of whom they are about and by level.",
        read: |snapshot, samples| {
            for ((kind, level), &count) in &snapshot.analysis.incidents_open {
                samples.labelled(&[kind, level.as_str()], count);
            }
        },
    },
    Metric {
        name: "risk_entities",
        kind: Kind::Gauge,
        labels: &["threshold_share"],
        help: "Sites, devices and accounts with evidence of at least this part of an incident's threshold, ten minutes ago at most.",
        read: |snapshot, samples| {
            for (count, (_, share)) in snapshot.analysis.risk.iter().zip(SHARES) {
                samples.labelled(&[share], *count);
            }
        },
    },
    Metric {
        name: "entity_risk",
        kind: Kind::Gauge,
        labels: &["kind", "id"],
        help: "The evidence about those with most of it, in nats, counted every ten minutes of packet time. Only where \
               metrics.entity_risk asks for it; the ids are keyed hashes, and the console's status tells whose.",
        read: |snapshot, samples| {
            for risk in &snapshot.risks {
                samples.number(&[risk.kind, &risk.id], risk.nats);
            }
        },
    },
    Metric {
        name: "entities",
        kind: Kind::Gauge,
        labels: &["kind"],
        help: "Devices and accounts that are known, and sites: households outside that these are known at.",
        read: |snapshot, samples| {
            for (kind, &count) in &snapshot.analysis.entities {
                samples.labelled(&[kind], count);
            }
        },
    },
    Metric {
        name: "site_accounts",
        kind: Kind::GaugeHistogram,
        labels: &[],
        help: "How many accounts each site houses at the moment that houses any; ask without rate.",
        read: |snapshot, samples| samples.distribution(&[], &snapshot.analysis.accounts_per_site),
    },
    Metric {
        name: "account_sites",
        kind: Kind::GaugeHistogram,
        labels: &[],
        help: "At how many sites each account is known at the moment; ask without rate.",
        read: |snapshot, samples| samples.distribution(&[], &snapshot.analysis.sites_per_account),
    },
    Metric {
        name: "alerts_suppressed_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Matches of rules that were not said, because the same was said of the same entity before.",
        read: |snapshot, samples| samples.one(snapshot.analysis.alerts_suppressed),
    },
    Metric {
        name: "table_entries",
        kind: Kind::Gauge,
        labels: &["table"],
        help: "Entries in each table of the analysis.",
        read: |snapshot, samples| tables(snapshot, samples, |usage| usage.entries),
    },
    Metric {
        name: "table_entries_max",
        kind: Kind::Gauge,
        labels: &["table"],
        help: "How many entries each table of the analysis may have, by the configuration's limits.",
        read: |snapshot, samples| tables(snapshot, samples, |usage| usage.entries_max),
    },
    Metric {
        name: "table_bytes",
        kind: Kind::Gauge,
        labels: &["table"],
        help: "Memory of each table of the analysis, without what its entries keep elsewhere.",
        read: |snapshot, samples| tables(snapshot, samples, |usage| usage.bytes),
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
        name: "destinations_evicted_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Names and addresses that gave way, called longest ago, because `activity.destinations` was full: no loss.",
        read: |snapshot, samples| samples.one(snapshot.analysis.destinations_evicted),
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
        help: "Attempts to send a message that failed; it is tried again.",
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
        help: "Messages given up: the queue was full or failed, or the receiver refused them for what they are.",
        read: |snapshot, samples| pushed(snapshot, samples, |counters| counters.lost),
    },
    captures::BY_OUTCOME,
    captures::REMOVED,
    captures::FILES,
    captures::BYTES,
    captures::MEMORY_BYTES,
    state::WRITES,
    state::BYTES,
    state::SAVED,
    state::DAMAGED_FILES,
    state::UNREADABLE_DISMISSALS,
];

fn tables(snapshot: &Snapshot, samples: &mut Samples, number: fn(&Usage) -> u64) {
    for (table, usage) in &snapshot.analysis.tables {
        samples.labelled(&[table], number(usage));
    }
}

fn pushed(snapshot: &Snapshot, samples: &mut Samples, number: fn(&push::Counters) -> u64) {
    for counters in &snapshot.pushes {
        samples.labelled(&[counters.sink], number(counters));
    }
}
