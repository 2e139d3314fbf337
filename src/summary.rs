//! The report of a replay in, a page for a terminal out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::alert::{Alert, words};
use crate::decode::Skip;
use crate::identity::device::{Device, DeviceId, Key};
use crate::metrics::Snapshot;
use crate::risk::{Called, Incident};

/// The most devices that are listed, those heard of last.
pub const DEVICES_SHOWN_MAX: usize = 20;
/// The most incidents that are told in full.
const INCIDENTS_SHOWN_MAX: usize = 10;
/// The most alerts that are told in full.
const ALERTS_SHOWN_MAX: usize = 20;
/// The addresses of a device that are listed.
const ADDRESSES_SHOWN_MAX: usize = 4;

/// What is told beside the numbers.
#[derive(Debug, Default)]
pub struct Summary {
    /// The devices heard of last.
    pub devices: Vec<(DeviceId, Device)>,
    /// The first incidents, each as it was last said.
    pub incidents: Vec<Incident>,
    /// The first alerts.
    pub alerts: Vec<Alert>,
    /// What people call the devices that the alerts are about.
    pub called: BTreeMap<DeviceId, Called>,
}

/// A summary with its numbers, ready to be shown.
pub struct Page<'a> {
    pub summary: &'a Summary,
    pub snapshot: &'a Snapshot,
    /// Where the rules came from, and how many there were.
    pub rules: (Option<&'a Path>, usize),
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.capture(f)?;
        self.sessions(f)?;
        self.devices(f)?;
        self.incidents(f)?;
        self.alerts(f)
    }
}

impl Page<'_> {
    fn capture(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot { frames, drops, span, .. } = self.snapshot;
        match span {
            Some(span) => writeln!(f, "Time      {} to {}, {}", span.first, span.last, Lasting(span.duration()))?,
            None => writeln!(f, "Time      no packet")?,
        }
        let flows = self.snapshot.flows(|counters| counters.flows_started);
        writeln!(f, "Packets   {} ({}), {flows} flows", frames.frames, Bytes(frames.bytes))?;
        if self.snapshot.recorded_facts > 0 {
            writeln!(f, "Recorded  {} facts", self.snapshot.recorded_facts)?;
        }
        let decode = self.snapshot.decode();
        let skipped = Skip::ALL.iter().map(|&skip| (skip.as_str(), decode.skipped(skip)));
        let skipped = listed(skipped.chain([("filtered", frames.filtered)]).filter(|(_, count)| *count > 0));
        writeln!(f, "Skipped   {}", skipped.as_deref().unwrap_or("nothing"))?;
        let lost = [
            ("dropped by the kernel", drops.kernel),
            ("dropped by the interface", drops.interface),
            ("out of time order", frames.reordered),
            ("flows evicted", self.snapshot.flows(|counters| counters.flows_evicted)),
            ("flows unread for want of buffers", self.snapshot.flows(|counters| counters.buffer_refusals)),
            ("flows lost to a parser's bug", self.snapshot.flows(|counters| counters.parser_panics)),
            ("TCP bytes missing", self.snapshot.flows(|counters| counters.lost_bytes)),
        ];
        let lost = listed(lost.into_iter().filter(|(_, count)| *count > 0));
        writeln!(f, "Lost      {}", lost.as_deref().unwrap_or("nothing"))
    }

    fn sessions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counters = &self.snapshot.analysis;
        let by_protocol =
            counters.sessions.iter().map(|(&name, &count)| (if name.is_empty() { "unknown" } else { name }, count));
        writeln!(f, "Sessions  {}", listed(most_first(by_protocol)).as_deref().unwrap_or("none"))?;
        let by_product = counters.products().into_iter();
        writeln!(f, "Products  {}", listed(most_first(by_product)).as_deref().unwrap_or("none known by name"))
    }

    fn devices(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.snapshot.analysis.known("device");
        writeln!(f, "\nDevices   {total}")?;
        for (id, device) in &self.summary.devices {
            let key = match device.key {
                Key::Address(address) => address.to_string(),
                Key::Mac(mac) => mac.to_string(),
            };
            write!(f, "  {id}  {key}")?;
            if let Some(name) = &device.host_name {
                write!(f, "  {name}")?;
            }
            let addresses = device.bindings().rev().map(|binding| binding.address.to_string());
            let addresses: Vec<String> =
                addresses.filter(|address| *address != key).take(ADDRESSES_SHOWN_MAX).collect();
            writeln!(f, "{}{}", if addresses.is_empty() { "" } else { "  " }, addresses.join(" "))?;
        }
        more(f, total, self.summary.devices.len(), "devices")
    }

    fn incidents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.snapshot.analysis.incidents();
        writeln!(f, "\nIncidents {total}")?;
        let mut incidents: Vec<&Incident> = self.summary.incidents.iter().collect();
        incidents.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        for incident in incidents.iter().take(INCIDENTS_SHOWN_MAX) {
            let (level, entity) = (incident.level.as_str().to_uppercase(), &incident.entity);
            writeln!(f, "\n  {level}  {} {entity}  ({})", entity.kind(), incident.state.as_str())?;
            writeln!(f, "    opened    {}", incident.opened)?;
            let families: Vec<String> = incident
                .families
                .iter()
                .map(|family| format!("{} {:.1}", family.family.as_str(), family.nats))
                .collect();
            writeln!(f, "    evidence  {:.1} nats: {}", incident.score, families.join(", "))?;
            for (number, sentence) in incident.explanation.iter().enumerate() {
                paragraph(f, if number == 0 { "why" } else { "" }, sentence)?;
            }
        }
        more(f, total, incidents.len().min(INCIDENTS_SHOWN_MAX), "incidents")
    }

    fn alerts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.snapshot.analysis.alerts();
        match self.rules {
            (Some(directory), count) => {
                writeln!(f, "\nAlerts    {total}, by {count} rules of {}", directory.display())?
            }
            (None, _) => writeln!(f, "\nAlerts    none: no directory of rules was found; name one with --rules")?,
        }
        for alert in self.summary.alerts.iter().take(ALERTS_SHOWN_MAX) {
            let rule = &alert.rule;
            writeln!(f, "\n  {}  {}  ({})", rule.level.as_str().to_uppercase(), rule.title, rule.name)?;
            writeln!(f, "    at        {}", alert.at)?;
            let called = alert.entity.device().and_then(|device| self.summary.called.get(&device));
            match called {
                Some(called) => writeln!(f, "    about     the device {called} ({})", alert.entity)?,
                None => writeln!(f, "    about     {}", words::whom(&alert.entity))?,
            }
            writeln!(f, "    between   {} and {}", alert.flow.client, alert.flow.server)?;
            for (field, value) in &alert.evidence {
                writeln!(f, "    evidence  {}", words::said(field, value))?;
            }
            paragraph(f, "why", &rule.description)?;
            if !rule.falsepositives.is_empty() {
                paragraph(f, "unless", &rule.falsepositives.join("; "))?;
            }
        }
        more(f, total, self.summary.alerts.len().min(ALERTS_SHOWN_MAX), "alerts")
    }
}

fn more(f: &mut fmt::Formatter<'_>, total: u64, shown: usize, what: &str) -> fmt::Result {
    match total.saturating_sub(shown as u64) {
        0 => Ok(()),
        hidden => writeln!(f, "  and {hidden} more {what}"),
    }
}

/// Words under a heading, in lines of a readable length.
fn paragraph(f: &mut fmt::Formatter<'_>, heading: &str, text: &str) -> fmt::Result {
    const LINE_CHARS: usize = 96;
    let mut line = String::new();
    let mut heading = heading;
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= LINE_CHARS {
            writeln!(f, "    {heading:8}  {line}")?;
            (heading, line) = ("", String::new());
        }
        line += if line.is_empty() { "" } else { " " };
        line += word;
    }
    writeln!(f, "    {heading:8}  {line}")
}

fn most_first<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> impl Iterator<Item = (&'a str, u64)> {
    let mut counts: Vec<(&str, u64)> = counts.collect();
    counts.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
    counts.into_iter()
}

fn listed<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Option<String> {
    let list: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
    (!list.is_empty()).then(|| list.join(", "))
}

struct Lasting(Duration);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        match (secs / 86_400, secs / 3600 % 24, secs / 60 % 60) {
            (0, 0, 0) => write!(f, "{:.3} s", self.0.as_secs_f64()),
            (0, 0, minutes) => write!(f, "{minutes} min {} s", secs % 60),
            (0, hours, minutes) => write!(f, "{hours} h {minutes} min"),
            (days, hours, _) => write!(f, "{days} d {hours} h"),
        }
    }
}

struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
        if self.0 < 1000 {
            return write!(f, "{} B", self.0);
        }
        let (mut tenths, mut unit) = (self.0 / 100, 0);
        while tenths >= 10_000 && unit + 1 < UNITS.len() {
            tenths /= 1000;
            unit += 1;
        }
        write!(f, "{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_the_unit_that_fits() {
        assert_eq!(Bytes(999).to_string(), "999 B");
        assert_eq!(Bytes(56_012).to_string(), "56.0 kB");
        assert_eq!(Bytes(1_234_567_890).to_string(), "1.2 GB");
        assert_eq!(Lasting(Duration::from_millis(1500)).to_string(), "1.500 s");
        assert_eq!(Lasting(Duration::from_secs(90)).to_string(), "1 min 30 s");
        assert_eq!(Lasting(Duration::from_secs(100_000)).to_string(), "1 d 3 h");
    }
}
