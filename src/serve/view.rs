//! What HTTP reads: published by the analysis thread at intervals, so that no request ever waits for the analysis, nor
//! the analysis for a request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dashmap::DashMap;
use serde_json::Value;

use crate::metrics::{Exposition, Snapshot};

/// The most alerts that are shown; the oldest give way.
const ALERTS_MAX: u64 = 1000;
/// The most devices that are shown.
pub const DEVICES_MAX: usize = 10_000;

/// What an entry of the view is, and its place among its kind.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Key {
    Alert(u64),
    Device(String),
}

/// The published state of the sensor.
pub struct View {
    entries: DashMap<Key, Value>,
    alerts: AtomicU64,
    exposition: Exposition,
    ready: AtomicBool,
    published: AtomicU64,
}

impl View {
    pub fn new() -> Self {
        Self {
            entries: DashMap::new(),
            alerts: AtomicU64::new(0),
            exposition: Exposition::with_process(),
            ready: AtomicBool::new(false),
            published: AtomicU64::new(0),
        }
    }

    pub fn publish_metrics(&self, snapshot: Snapshot) {
        self.exposition.publish(snapshot);
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    /// How often metrics were published: while this grows, the analysis is alive.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    pub fn publish_alert(&self, alert: Value) {
        let number = self.alerts.fetch_add(1, Ordering::Relaxed);
        self.entries.insert(Key::Alert(number), alert);
        if let Some(old) = number.checked_sub(ALERTS_MAX) {
            self.entries.remove(&Key::Alert(old));
        }
    }

    /// Takes the devices that are known at the moment, by their identifiers; those known before and not any more go.
    pub fn publish_devices(&self, devices: impl IntoIterator<Item = (String, Value)>) {
        let mut kept = std::collections::BTreeSet::new();
        for (id, device) in devices.into_iter().take(DEVICES_MAX) {
            self.entries.insert(Key::Device(id.clone()), device);
            kept.insert(id);
        }
        self.entries.retain(|key, _| match key {
            Key::Alert(_) => true,
            Key::Device(id) => kept.contains(id),
        });
    }

    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// The metrics in the text format.
    pub fn metrics(&self) -> Result<String, impl std::error::Error + use<>> {
        self.exposition.text()
    }

    /// The latest alerts, the last first.
    pub fn alerts(&self, limit: usize) -> Vec<Value> {
        let mut alerts = self.select(|key| matches!(key, Key::Alert(_)));
        alerts.reverse();
        alerts.truncate(limit);
        alerts
    }

    /// Devices in the order of their identifiers.
    pub fn devices(&self, limit: usize) -> Vec<Value> {
        let mut devices = self.select(|key| matches!(key, Key::Device(_)));
        devices.truncate(limit);
        devices
    }

    fn select(&self, wanted: impl Fn(&Key) -> bool) -> Vec<Value> {
        let entries = self.entries.iter().filter(|entry| wanted(entry.key()));
        let mut selected: Vec<(Key, Value)> =
            entries.map(|entry| (entry.key().clone(), entry.value().clone())).collect();
        selected.sort_by(|(a, _), (b, _)| a.cmp(b));
        selected.into_iter().map(|(_, value)| value).collect()
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_latest_alerts_come_first_and_the_oldest_give_way() {
        let view = View::new();
        for number in 0..ALERTS_MAX + 2 {
            view.publish_alert(json!(number));
        }
        assert_eq!(view.alerts(2), [json!(ALERTS_MAX + 1), json!(ALERTS_MAX)]);
        let all = view.alerts(usize::MAX);
        assert_eq!((all.len() as u64, all.last()), (ALERTS_MAX, Some(&json!(2))));
    }

    #[test]
    fn devices_that_are_no_longer_known_go() {
        let view = View::new();
        view.publish_alert(json!("alert"));
        view.publish_devices([("b".into(), json!(1)), ("a".into(), json!(2))]);
        assert_eq!(view.devices(10), [json!(2), json!(1)]);
        view.publish_devices([("c".into(), json!(3))]);
        assert_eq!(view.devices(10), [json!(3)]);
        assert_eq!(view.alerts(10), [json!("alert")]);
    }
}
