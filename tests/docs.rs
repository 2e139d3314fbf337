//! The reference pages are what the binary prints. `UPDATE=1` writes them anew.

mod support;

use std::fs;
use std::path::Path;

use support::{Place, RULES};

fn page_is_current(name: &str, arguments: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    let outcome = Place::new().run(arguments);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &outcome.stdout).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == outcome.stdout, "docs/{name} is not current: spanwatch {} > docs/{name}", arguments.join(" "));
}

#[test]
fn the_reference_of_events_is_current() {
    page_is_current("events.md", &["events", "list"]);
}

#[test]
fn the_reference_of_metrics_is_current() {
    page_is_current("metrics.md", &["metrics", "list"]);
}

#[test]
fn the_reference_of_rules_is_current() {
    page_is_current("rules.md", &["rules", "manual", "--rules", RULES]);
}

#[test]
fn the_reference_of_products_is_current() {
    page_is_current("products.md", &["products", "list"]);
}
