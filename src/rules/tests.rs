use std::path::Path;

use super::*;

#[test]
fn the_shipped_rules_have_no_fault() {
    let rules = Rules::load(Path::new("rules")).unwrap_or_else(|faults| panic!("{faults}"));
    let alerting = rules.list().filter(|rule| rule.kind != RuleKind::Filter && !rule.is_counted_only);
    assert!(alerting.count() >= 12);
}
