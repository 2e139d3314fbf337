//! Families of samples in, the OpenMetrics text format out (OpenMetrics 1.0, section "Text format"): the one that can say
//! which incident explains a number. The metrics crate writes the older format alone.

use std::fmt::Write as _;

use prometheus::proto::{MetricFamily, MetricType};

use super::{Kind, Metric, PREFIX, Sampled, Samples};
use crate::risk::Example;

/// The type of the answer.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What a family of counters does not have at the end of its name, and its samples do.
const TOTAL: &str = "_total";

/// Whether an asker takes this format at least as gladly as the older one, by its `Accept` (RFC 9110, section 12.5.1).
pub fn is_preferred(accept: &str) -> bool {
    let weight = |wanted: &str| accept.split(',').filter_map(|range| weight(range, wanted)).fold(0.0, f64::max);
    let own = weight("application/openmetrics-text");
    own > 0.0 && own >= weight("text/plain")
}

/// How gladly a media range takes a type; none where it is another one, or another version.
fn weight(range: &str, wanted: &str) -> Option<f64> {
    let mut parts = range.split(';').map(str::trim);
    let is_wanted = parts.next()?.eq_ignore_ascii_case(wanted);
    let mut weight = Some(1.0).filter(|_| is_wanted);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name {
            "q" => weight = weight.and(value.parse().ok()),
            "version" if wanted != "text/plain" => weight = weight.filter(|_| value.starts_with("1.")),
            _ => {}
        }
    }
    weight
}

/// The page as far as it is written.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// Writes a family of the sensor's own, if it has samples.
    pub(super) fn own(&mut self, metric: &Metric, samples: &Samples) {
        if samples.0.is_empty() {
            return;
        }
        let kind = match metric.kind {
            Kind::GaugeHistogram => "gaugehistogram",
            kind => kind.as_str(),
        };
        let family = format!("{PREFIX}_{}", metric.name);
        let family = family.strip_suffix(TOTAL).unwrap_or(&family);
        self.head(family, kind, metric.help);
        for (values, sampled) in &samples.0 {
            let labels: Vec<(&str, &str)> =
                metric.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
            match sampled {
                Sampled::Distribution(distribution) => {
                    let (sum, count) = if kind == "histogram" { ("_sum", "_count") } else { ("_gsum", "_gcount") };
                    let bounds = distribution.cumulative().map(|(bound, count)| (bound.to_string(), count));
                    for (bound, below) in bounds.chain([("+Inf".into(), distribution.count())]) {
                        let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("le", &*bound)]).collect();
                        self.sample(family, "_bucket", &labels, below);
                    }
                    self.sample(family, sum, &labels, distribution.sum());
                    self.sample(family, count, &labels, distribution.count());
                }
                Sampled::Number(number, example) => {
                    let suffix = if metric.kind == Kind::Counter { TOTAL } else { "" };
                    self.sample(family, suffix, &labels, number);
                    self.explain(*example);
                }
            }
        }
    }

    /// Writes a family of counters or gauges that another collector made.
    pub(super) fn foreign(&mut self, family: &MetricFamily) {
        let is_counter = family.get_field_type() == MetricType::COUNTER;
        let name = family.name().strip_suffix(TOTAL).filter(|_| is_counter).unwrap_or(family.name());
        self.head(name, if is_counter { "counter" } else { "gauge" }, family.help());
        for sample in family.get_metric() {
            let labels: Vec<(&str, &str)> = sample.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            match is_counter {
                true => self.sample(name, TOTAL, &labels, sample.get_counter().get_value()),
                false => self.sample(name, "", &labels, sample.get_gauge().get_value()),
            }
        }
    }

    pub(super) fn end(mut self) -> String {
        self.0 += "# EOF\n";
        self.0
    }

    fn head(&mut self, family: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# TYPE {family} {kind}\n# HELP {family} {}", escaped(help));
    }

    fn sample(&mut self, family: &str, suffix: &str, labels: &[(&str, &str)], value: impl ToString) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{family}{suffix}{labels} {}", value.to_string());
    }

    /// Puts an exemplar behind the sample that was written last.
    fn explain(&mut self, example: Option<Example>) {
        let Some(Example { incident, at }) = example else { return };
        self.0.pop();
        let millis = at.as_nanos() / 1_000_000;
        let _ = writeln!(self.0, " # {{incident=\"{incident}\"}} 1 {}.{:03}", millis / 1000, millis % 1000);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::{Exposition, Snapshot};
    use super::*;
    use crate::analysis::Said;
    use crate::distribution::Distribution;
    use crate::risk::{IncidentId, Openings};
    use crate::rules::Level;
    use crate::time::Timestamp;

    fn page() -> String {
        let exposition = Exposition::with_process();
        let example = Example {
            incident: IncidentId::parse("00000000000000ff").unwrap(),
            at: Timestamp::from_secs(1_700_000_000),
        };
        let mut snapshot = Snapshot::default();
        snapshot.analysis.incidents_opened.insert("site", Openings { count: 2, latest: example });
        snapshot.analysis.alerts.insert(("a\"b\\".into(), Level::High), Said { count: 3, example: None });
        snapshot.analysis.accounts_per_site = Distribution::of(&[1.0, 2.0], [1, 4]);
        exposition.publish(snapshot);
        exposition.openmetrics()
    }

    #[test]
    fn a_counter_names_the_incident_that_explains_it() {
        let page = page();
        for line in [
            "# TYPE spanwatch_incidents counter",
            "spanwatch_incidents_total{kind=\"device\"} 0",
            "spanwatch_incidents_total{kind=\"site\"} 2 # {incident=\"00000000000000ff\"} 1 1700000000.000",
            "spanwatch_alerts_total{rule=\"a\\\"b\\\\\",level=\"high\"} 3",
            "spanwatch_rules 0",
            "# TYPE process_cpu_seconds counter",
            "# TYPE process_open_fds gauge",
        ] {
            assert!(page.lines().any(|written| written == line), "{line}\n{page}");
        }
        assert!(page.ends_with("\n# EOF\n"));
    }

    #[test]
    fn a_histogram_of_the_moment_is_a_gauge_histogram() {
        let page = page();
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("spanwatch_site_accounts")).collect();
        assert_eq!(
            lines,
            [
                "spanwatch_site_accounts_bucket{le=\"1\"} 1",
                "spanwatch_site_accounts_bucket{le=\"2\"} 1",
                "spanwatch_site_accounts_bucket{le=\"+Inf\"} 2",
                "spanwatch_site_accounts_gsum 5",
                "spanwatch_site_accounts_gcount 2",
            ]
        );
    }

    #[test]
    fn who_asks_for_it_gets_it_and_nobody_else() {
        for (accept, expected) in [
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                true,
            ),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", true),
            ("application/openmetrics-text", true),
            ("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5", false),
            ("application/openmetrics-text;version=0.0.1", false),
            ("application/openmetrics-text;q=0", false),
            ("text/html,*/*;q=0.8", false),
            ("", false),
        ] {
            assert_eq!(is_preferred(accept), expected, "{accept}");
        }
    }
}
