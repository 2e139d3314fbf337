use super::*;
use crate::detect::Family;
use crate::rules::{Evidence, Level, RuleKind};

pub(crate) fn rule(id: &str, suppress_secs: u64) -> Rule {
    Rule {
        id: id.into(),
        name: id.into(),
        title: id.into(),
        kind: RuleKind::Detection,
        path: "rule.yml".into(),
        level: Level::Low,
        description: String::new(),
        falsepositives: Vec::new(),
        tags: Vec::new(),
        references: Vec::new(),
        category: None,
        refers_to: Vec::new(),
        family: Family::Time,
        weight: 0.0,
        suppress: Duration::from_secs(suppress_secs),
        entity: None,
        expected: None,
        is_counted_only: false,
        capture: false,
        evidence: Evidence::default(),
    }
}

fn address(last: u8) -> Entity {
    Entity::Address([10, 0, 0, last].into())
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

#[test]
fn the_same_is_said_of_the_same_one_only_once_in_a_while() {
    let mut suppression = Suppression::new(Suppression::RETENTION);
    let (rule, other) = (rule("a", 60), rule("b", 60));
    assert_eq!(suppression.admit(&rule, &address(1), at(0)), Some(0));
    assert_eq!(suppression.admit(&rule, &address(1), at(59)), None);
    assert_eq!(suppression.admit(&rule, &address(2), at(59)), Some(0), "another entity");
    assert_eq!(suppression.admit(&other, &address(1), at(59)), Some(0), "another rule");
    assert_eq!(suppression.admit(&rule, &address(1), at(60)), Some(1), "and how often it was silent");
    assert_eq!(suppression.suppressed(), 1);
}

#[test]
fn a_rule_without_suppression_says_everything() {
    let mut suppression = Suppression::new(Suppression::RETENTION);
    let rule = rule("a", 0);
    assert_eq!(suppression.admit(&rule, &address(1), at(0)), Some(0));
    assert_eq!(suppression.admit(&rule, &address(1), at(0)), Some(0));
}

#[test]
fn what_is_remembered_of_what_was_said_is_bounded() {
    let mut suppression = Suppression::new(Retention { entries_max: 3, keep: Duration::from_secs(1000) });
    let rule = rule("a", 900);
    for last in 0..10 {
        suppression.admit(&rule, &address(last), at(u64::from(last)));
    }
    assert_eq!((suppression.said.len(), suppression.evicted()), (3, 7));
    assert_eq!(suppression.admit(&rule, &address(9), at(20)), None);
    assert_eq!(suppression.admit(&rule, &address(0), at(20)), Some(0), "forgotten, so it is said again");
    suppression.expire(at(2000));
    assert_eq!(suppression.said.len(), 0);
}

#[test]
fn fields_name_an_entity_if_one_of_them_does() {
    let of = |fields: &[(&str, &str)]| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Entity::of_fields(&fields)
    };
    assert_eq!(of(&[("source.ip", "10.0.0.1")]), address(1));
    assert_eq!(of(&[("source.ip", "10.0.0.1"), ("network.transport", "udp")]), address(1));
    assert_eq!(of(&[("user.name", "ann")]), Entity::Account("ann".into()));
    let device = crate::identity::device::DeviceId::of_address([10, 0, 0, 1].into());
    assert_eq!(of(&[("source.device.id", &device.to_string())]), Entity::Device(device));
    assert_eq!(
        of(&[("source.ip", "10.0.0.1"), ("destination.ip", "10.0.0.2")]).to_string(),
        "source.ip=10.0.0.1, destination.ip=10.0.0.2"
    );
}
