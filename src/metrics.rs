//! The stages' counters in, the Prometheus text format or OpenMetrics out. The only module that knows the metrics crate.
//!
//! A stage counts in plain numbers that it owns; nothing in the path of a packet knows a metric. The numbers travel to
//! the analysis thread, which publishes them together as a [`Snapshot`], so a scrape sees all of them at one moment.

mod captures;
mod state;
mod openmetrics;
mod risks;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric as Sample, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};

pub use captures::Captures;
pub use openmetrics::{CONTENT_TYPE as OPENMETRICS, is_preferred as prefers_openmetrics};
pub use risks::{Risks, Settings};
pub use state::State;
pub use table::{EntityRisk, METRICS, Reload, Snapshot};

use crate::distribution::Distribution;
use crate::risk::Example;
use openmetrics::Page;

/// The prefix of every metric that is the sensor's own.
pub const PREFIX: &str = "spanwatch";

/// A metric family: what it counts, and where its numbers stand in a [`Snapshot`].
pub struct Metric {
    /// Without the prefix.
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
    read: fn(&Snapshot, &mut Samples),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// How numbers are distributed at the moment: what left is not counted any more.
    GaugeHistogram,
    Histogram,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::GaugeHistogram | Self::Histogram => "histogram",
        }
    }
}

/// The samples of one family, ordered by their labels.
#[derive(Default)]
struct Samples(BTreeMap<Vec<String>, Sampled>);

#[derive(Clone)]
enum Sampled {
    Distribution(Distribution),
    Number(f64, Option<Example>),
}

impl Samples {
    fn one(&mut self, value: u64) {
        self.labelled(&[], value);
    }

    /// Adds to the sample with these label values; a label value that comes twice is one sample.
    fn labelled(&mut self, labels: &[&str], value: u64) {
        self.explained(labels, value, None);
    }

    /// Beside the number, an incident that explains it.
    fn explained(&mut self, labels: &[&str], value: u64, example: Option<Example>) {
        // Exact up to 2^53, which is what the format's readers hold too.
        #[allow(clippy::cast_precision_loss)]
        let value = value as f64;
        self.add(labels, value, example);
    }

    fn number(&mut self, labels: &[&str], value: f64) {
        self.add(labels, value, None);
    }

    fn add(&mut self, labels: &[&str], value: f64, example: Option<Example>) {
        let sampled = self.0.entry(owned(labels)).or_insert(Sampled::Number(0.0, example));
        if let Sampled::Number(sum, _) = sampled {
            *sum += value;
        }
    }

    fn distribution(&mut self, labels: &[&str], distribution: &Distribution) {
        self.0.insert(owned(labels), Sampled::Distribution(distribution.clone()));
    }
}

fn owned(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).into()).collect()
}

/// What `/metrics` answers: the last published snapshot, and the process's own metrics beside it.
pub struct Exposition {
    own: Registry,
    /// Not prefixed: `process_cpu_seconds_total` and the like have the same names everywhere.
    process: Option<Registry>,
    snapshot: Arc<Mutex<Snapshot>>,
}

impl Exposition {
    /// With the metrics of the running process, as a scrape wants them.
    pub fn with_process() -> Self {
        let process = Registry::new();
        process.register(Box::new(ProcessCollector::for_self())).expect("the registry is empty");
        Self { process: Some(process), ..Self::new() }
    }

    /// The sensor's own metrics only.
    pub fn new() -> Self {
        let snapshot = Arc::<Mutex<Snapshot>>::default();
        let own = Registry::new_custom(Some(PREFIX.into()), None).expect("the prefix is not empty");
        own.register(Box::new(Published::new(Arc::clone(&snapshot)))).expect("the metrics' names differ and are valid");
        Self { own, process: None, snapshot }
    }

    pub fn publish(&self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    /// The text format, version 0.0.4.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut families = self.own.gather();
        families.extend(self.process.iter().flat_map(Registry::gather));
        TextEncoder::new().encode_to_string(&families)
    }

    /// The OpenMetrics text format, version 1.0, which says of some numbers which incident explains them.
    pub fn openmetrics(&self) -> String {
        let snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut page = Page::default();
        for metric in METRICS {
            let mut samples = Samples::default();
            (metric.read)(&snapshot, &mut samples);
            page.own(metric, &samples);
        }
        for family in self.process.iter().flat_map(Registry::gather) {
            page.foreign(&family);
        }
        page.end()
    }
}

impl Default for Exposition {
    fn default() -> Self {
        Self::new()
    }
}

/// Turns the last snapshot into families whenever it is asked.
struct Published {
    descriptions: Vec<Desc>,
    snapshot: Arc<Mutex<Snapshot>>,
}

impl Published {
    fn new(snapshot: Arc<Mutex<Snapshot>>) -> Self {
        let describe = |metric: &Metric| {
            let labels = metric.labels.iter().map(|label| (*label).into()).collect();
            Desc::new(metric.name.into(), metric.help.into(), labels, std::collections::HashMap::new())
                .expect("a metric's name and labels are literals of the right form")
        };
        Self { descriptions: METRICS.iter().map(describe).collect(), snapshot }
    }
}

impl Collector for Published {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        METRICS
            .iter()
            .map(|metric| family(metric, &snapshot))
            .filter(|family| !family.get_metric().is_empty())
            .collect()
    }
}

fn family(metric: &Metric, snapshot: &Snapshot) -> MetricFamily {
    let mut samples = Samples::default();
    (metric.read)(snapshot, &mut samples);
    let mut family = MetricFamily::default();
    family.set_name(metric.name.into());
    family.set_help(metric.help.into());
    family.set_field_type(match metric.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::GaugeHistogram | Kind::Histogram => MetricType::HISTOGRAM,
    });
    family.set_metric(samples.0.into_iter().map(|(values, sampled)| sample(metric, values, &sampled)).collect());
    family
}

fn sample(metric: &Metric, values: Vec<String>, sampled: &Sampled) -> Sample {
    let label = |(name, value): (&&str, String)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).into());
        pair.set_value(value);
        pair
    };
    let mut sample = Sample::from_label(metric.labels.iter().zip(values).map(label).collect());
    match (metric.kind, sampled) {
        (_, Sampled::Distribution(distribution)) => sample.set_histogram(histogram(distribution)),
        (Kind::Counter, Sampled::Number(value, _)) => {
            let mut counter = Counter::default();
            counter.set_value(*value);
            sample.set_counter(counter);
        }
        (_, Sampled::Number(value, _)) => {
            let mut gauge = Gauge::default();
            gauge.set_value(*value);
            sample.set_gauge(gauge);
        }
    }
    sample
}

fn histogram(distribution: &Distribution) -> Histogram {
    let bucket = |(bound, count)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(count);
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(distribution.cumulative().map(bucket).collect());
    histogram.set_sample_count(distribution.count());
    histogram.set_sample_sum(distribution.sum());
    histogram
}

/// The reference page, as Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         `/metrics` of a running sensor and `replay --metrics` give these. Counters begin at 0 when the sensor starts. \
         No label carries an address, a name or a user.\n\n\
         Whoever asks for `application/openmetrics-text`, as Prometheus does, gets OpenMetrics 1.0 with exemplars: of \
         `spanwatch_incidents_total` the latest incident, and of `spanwatch_alerts_total` an incident that was open about the \
         same when the rule spoke last. Prometheus keeps them with `--enable-feature=exemplar-storage`, and Grafana links \
         them to the console. Histograms of the moment are `gaugehistogram` there, whose sum and count end in `_gsum` and \
         `_gcount`; their buckets have one name in both formats.\n\n\
         This page is the output of `spanwatch metrics list`.\n\n\
         | metric | type | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, labels, help) = (metric.kind.as_str(), labels.join(", "), metric.help);
        page += &format!("| `{PREFIX}_{}` | {kind} | {labels} | {help} |\n", metric.name);
    }
    page += "\nBeside them stand the process's own metrics (`process_cpu_seconds_total`, `process_resident_memory_bytes`, \
             …), on `/metrics` only.\n";
    page
}
