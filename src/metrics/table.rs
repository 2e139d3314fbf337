//! Every metric of the sensor, in the order of the data.

use super::{Kind, Metric};
use crate::capture;
use crate::decode::{self, Skip};
use crate::facts::Encapsulation;
use crate::time::Timestamp;

/// The numbers of all stages at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub frames: capture::Counters,
    pub drops: capture::Drops,
    /// The times of the first and last frame; none before there was one.
    pub span: Option<(Timestamp, Timestamp)>,
    pub decode: decode::Counters,
    /// What came of reading configuration and rules; none in a replay, which does not read them anew.
    pub reload: Option<Reload>,
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
            if let Some((_, last)) = snapshot.span {
                samples.one(last.as_secs());
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
                samples.labelled(&[skip.as_str()], snapshot.decode.skipped(skip) + of_filter);
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
                samples.labelled(&[encapsulation.as_str()], snapshot.decode.unwrapped(encapsulation));
            }
        },
    },
    Metric {
        name: "fragmented_datagrams_total",
        kind: Kind::Counter,
        labels: &["outcome"],
        help: "Fragmented datagrams: joined, or given up and why.",
        read: |snapshot, samples| {
            let fragments = snapshot.decode.fragments;
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
        read: |snapshot, samples| samples.one(snapshot.decode.fragments.waiting_bytes),
    },
];
