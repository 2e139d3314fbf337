//! Rules in, fields out that an event must have for any of them to match: most events have none, and to look for a field
//! costs much less than to ask the engine.

use std::collections::BTreeSet;

use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Detections, Modifier, SigmaRule, SigmaValue};

/// Fields of which an event has at least one if any of the rules matches; none where a rule may match without any field.
/// Sigma's filters only narrow a rule, so they need not be looked at.
pub(super) fn any_of<'r>(rules: impl IntoIterator<Item = &'r SigmaRule>) -> Option<Vec<String>> {
    let one_of_each: Option<BTreeSet<&str>> =
        // The sensor's own fields are the rarest, and near the end of the alphabet.
        rules.into_iter().map(|rule| all_of(&rule.detection).pop_last()).collect();
    Some(one_of_each?.into_iter().map(str::to_owned).collect())
}

/// Fields without any of which the rule does not match.
fn all_of(detections: &Detections) -> BTreeSet<&str> {
    in_common(detections.conditions.iter().map(|condition| of_condition(condition, detections)))
}

fn of_condition<'r>(condition: &'r ConditionExpr, detections: &'r Detections) -> BTreeSet<&'r str> {
    match condition {
        ConditionExpr::And(parts) => parts.iter().flat_map(|part| of_condition(part, detections)).collect(),
        ConditionExpr::Or(parts) => in_common(parts.iter().map(|part| of_condition(part, detections))),
        ConditionExpr::Identifier(name) => detections.named.get(name).map(of_detection).unwrap_or_default(),
        // Of many selections it may be any.
        ConditionExpr::Not(_) | ConditionExpr::Selector { .. } => BTreeSet::new(),
    }
}

fn of_detection(detection: &Detection) -> BTreeSet<&str> {
    match detection {
        Detection::AllOf(items) => items.iter().filter_map(of_item).collect(),
        Detection::AnyOf(alternatives) => in_common(alternatives.iter().map(of_detection)),
        _ => BTreeSet::new(),
    }
}

/// An absent field is matched by null, and by `exists: false`.
fn of_item(item: &DetectionItem) -> Option<&str> {
    let may_be_absent = |value: &SigmaValue| match value {
        SigmaValue::Null => true,
        value => item.field.has_modifier(Modifier::Exists) && *value != SigmaValue::Bool(true),
    };
    item.field.name.as_deref().filter(|_| !item.values.is_empty() && !item.values.iter().any(may_be_absent))
}

fn in_common<'r>(mut sets: impl Iterator<Item = BTreeSet<&'r str>>) -> BTreeSet<&'r str> {
    let first = sets.next().unwrap_or_default();
    sets.fold(first, |common, set| common.intersection(&set).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(detection: &str) -> Option<Vec<String>> {
        let lines: String = detection.lines().map(|line| format!("  {line}\n")).collect();
        let rule = format!("title: a\nlogsource:\n  category: flow\ndetection:\n{lines}");
        let collection = rsigma_parser::parse_sigma_yaml(&rule).unwrap();
        assert_eq!(collection.rules.len(), 1, "{rule}{:?}", collection.errors);
        any_of(&collection.rules)
    }

    #[test]
    fn a_rule_needs_the_fields_that_all_its_ways_to_match_have() {
        for (detection, field) in [
            ("a:\n  x: 1\ncondition: a", Some("x")),
            ("a:\n  x: 1\n  y|contains: [b, c]\ncondition: a", Some("y")),
            ("a:\n  x|exists: true\ncondition: a", Some("x")),
            ("a:\n  x: 1\nb:\n  y: 1\ncondition: a and not b", Some("x")),
            ("a:\n  x: 1\nb:\n  y: 1\ncondition: a and b", Some("y")),
            ("a:\n  x: 1\n  y: 1\nb:\n  x: 2\ncondition: a or b", Some("x")),
            ("a:\n- x: 1\n  y: 1\n- x: 2\n  z: 1\ncondition: a", Some("x")),
            ("a:\n  x: 1\nb:\n  y: null\ncondition: a and b", Some("x")),
            // Ways without a field.
            ("a:\n  x: 1\nb:\n  y: 1\ncondition: a or b", None),
            ("a:\n  x: 1\nb:\n  y: 1\ncondition: 1 of them", None),
            ("a:\n  x: 1\ncondition: not a", None),
            ("a:\n  x|exists: false\ncondition: a", None),
            ("a:\n  x: [1, null]\ncondition: a", None),
            ("a:\n- word\ncondition: a", None),
            ("a:\n- x: 1\n- y: 1\ncondition: a", None),
            ("a:\n  x: 1\ncondition:\n- a\n- not a", None),
        ] {
            assert_eq!(needed(detection), field.map(|field| vec![field.to_owned()]), "{detection}");
        }
    }

    #[test]
    fn of_several_rules_one_without_a_field_makes_every_event_worth_asking() {
        let of = |field: &str| {
            let rule =
                format!("title: a\nlogsource:\n  category: flow\ndetection:\n  a:\n    {field}: 1\n  condition: a");
            rsigma_parser::parse_sigma_yaml(&rule).unwrap().rules.remove(0)
        };
        let needed = |fields: &[&str]| any_of(&fields.iter().map(|field| of(field)).collect::<Vec<_>>());
        assert_eq!(needed(&["x", "y", "x"]), Some(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(needed(&["x", "y|re"]).map(|fields| fields.len()), Some(2));
        let mut negated = of("x");
        negated.detection.conditions = vec![ConditionExpr::Not(Box::new(ConditionExpr::Identifier("a".into())))];
        assert_eq!(any_of([&of("y"), &negated]), None);
        assert_eq!(needed(&[]), Some(Vec::new()));
    }
}
