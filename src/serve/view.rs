//! What HTTP reads: published by the analysis thread at intervals, so that no request ever waits for the analysis, nor
//! the analysis for a request.
//!
//! A list is published as a whole, as texts that are ready to be sent; a reader takes a reference to it and goes through
//! it at leisure while the next one is put in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dashmap::DashMap;
use serde_json::Value;

use crate::metrics::{Exposition, Snapshot};

/// The lists that are published.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum List {
    Accounts,
    Alerts,
    Devices,
    Incidents,
    Sessions,
    Sites,
    /// A single entry: the sensor itself.
    Status,
}

impl List {
    pub const ALL: &'static [Self] =
        &[Self::Accounts, Self::Alerts, Self::Devices, Self::Incidents, Self::Sessions, Self::Sites, Self::Status];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Alerts => "alerts",
            Self::Devices => "devices",
            Self::Incidents => "incidents",
            Self::Sessions => "sessions",
            Self::Sites => "sites",
            Self::Status => "status",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|list| list.as_str() == name)
    }

    /// The most entries that are published: what is beyond them is left out, so put the most important first.
    pub const fn entries_max(self) -> usize {
        match self {
            Self::Devices => 50_000,
            Self::Accounts | Self::Sessions | Self::Sites => 10_000,
            Self::Alerts | Self::Incidents => 1_000,
            Self::Status => 1,
        }
    }
}

/// An entry of a list, ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    pub id: Box<str>,
    /// A JSON object.
    pub json: Box<str>,
    /// What it is found by: lower-case words, each between line feeds.
    terms: Box<str>,
}

impl Entry {
    pub fn new<T: AsRef<str>>(id: impl ToString, value: &Value, terms: impl IntoIterator<Item = T>) -> Self {
        let mut text = String::from("\n");
        for term in terms {
            let term = term.as_ref().trim();
            if !term.is_empty() {
                text += &term.to_lowercase();
                text.push('\n');
            }
        }
        Self { id: id.to_string().into(), json: value.to_string().into(), terms: text.into() }
    }

    /// What it is found by, each between line feeds.
    pub fn terms(&self) -> &str {
        &self.terms
    }

    fn is_about(&self, term: &str) -> bool {
        self.terms.contains(term)
    }
}

/// Which entries of a list are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub offset: usize,
    pub limit: usize,
    /// A part of any of an entry's terms.
    pub search: Option<String>,
    /// The whole of one of its terms.
    pub about: Option<String>,
}

/// A part of a list, and how many entries there are of what was asked for.
#[derive(Debug)]
pub struct Page {
    pub entries: Vec<Arc<Entry>>,
    pub total: usize,
}

/// The published state of the sensor.
pub struct View {
    lists: DashMap<List, Arc<[Arc<Entry>]>>,
    exposition: Exposition,
    ready: AtomicBool,
    published: AtomicU64,
}

impl View {
    pub fn new() -> Self {
        Self {
            lists: DashMap::new(),
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

    /// Puts a list in the place of the one before.
    pub fn publish(&self, list: List, entries: impl IntoIterator<Item = Arc<Entry>>) {
        self.lists.insert(list, entries.into_iter().take(list.entries_max()).collect());
    }

    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// The metrics in OpenMetrics.
    pub fn openmetrics(&self) -> String {
        self.exposition.openmetrics()
    }

    /// The metrics in the text format.
    pub fn metrics(&self) -> Result<String, impl std::error::Error + use<>> {
        self.exposition.text()
    }

    pub fn entry(&self, list: List, id: &str) -> Option<Arc<Entry>> {
        self.list(list)?.iter().find(|entry| &*entry.id == id).cloned()
    }

    pub fn page(&self, list: List, selection: &Selection) -> Page {
        let Some(list) = self.list(list) else { return Page { entries: Vec::new(), total: 0 } };
        let search = selection.search.as_deref().map(str::to_lowercase);
        let about = selection.about.as_deref().map(|term| format!("\n{}\n", term.to_lowercase()));
        let wanted = |entry: &&Arc<Entry>| {
            search.as_deref().is_none_or(|term| entry.is_about(term))
                && about.as_deref().is_none_or(|term| entry.is_about(term))
        };
        let mut total = 0;
        let mut entries = Vec::new();
        for entry in list.iter().filter(wanted) {
            if total >= selection.offset && entries.len() < selection.limit {
                entries.push(Arc::clone(entry));
            }
            total += 1;
        }
        Page { entries, total }
    }

    fn list(&self, list: List) -> Option<Arc<[Arc<Entry>]>> {
        self.lists.get(&list).map(|entries| Arc::clone(&entries))
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

    fn entry(id: usize, terms: &[&str]) -> Arc<Entry> {
        Arc::new(Entry::new(id, &json!({ "id": id }), terms))
    }

    fn ids(page: &Page) -> Vec<&str> {
        page.entries.iter().map(|entry| &*entry.id).collect()
    }

    #[test]
    fn a_page_is_a_part_of_what_was_asked_for_in_the_order_published() {
        let view = View::new();
        view.publish(List::Devices, (0..5).map(|id| entry(id, &["10.0.0.1", if id == 2 { "OTHER" } else { "LT-1" }])));
        let page = view.page(List::Devices, &Selection { offset: 1, limit: 2, search: Some("lt".into()), about: None });
        assert_eq!((ids(&page), page.total), (vec!["1", "3"], 4));
        let about = |term: &str| Selection { limit: 9, about: Some(term.into()), ..Selection::default() };
        assert_eq!(view.page(List::Devices, &about("other")).total, 1);
        assert_eq!(view.page(List::Devices, &about("10.0.0")).total, 0, "no whole term");
        assert_eq!(view.page(List::Sites, &about("other")).total, 0, "never published");
    }

    #[test]
    fn a_list_is_cut_at_its_length_and_replaced_as_a_whole() {
        let view = View::new();
        view.publish(List::Alerts, (0..2000).map(|id| entry(id, &[])));
        assert_eq!(view.page(List::Alerts, &Selection::default()).total, 1000);
        view.publish(List::Alerts, [entry(7, &[])]);
        assert!(view.entry(List::Alerts, "7").is_some() && view.entry(List::Alerts, "8").is_none());
    }
}
