use super::*;

const TRUTH: &str = r#"{"version": 1, "days": 5,
    "farms": [
        {"id": "farm-1", "kind": "rmm", "laptops": 2, "since": "2026-01-12T05:00:00.000000000Z",
         "sites": ["198.18.0.2"], "accounts": ["ann", "bob"], "devices": ["00000000000000aa"]},
        {"id": "farm-2", "kind": "ip_kvm", "laptops": 1, "since": "2026-01-12T05:00:00.000000000Z",
         "sites": ["198.18.0.3"], "accounts": ["cid"], "devices": []}],
    "people": [
        {"account": "ann", "habit": "rmm", "site": "198.18.0.2", "pool": "10.99.0.2", "device": "00000000000000aa"},
        {"account": "bob", "habit": "rmm", "site": "198.18.0.2", "pool": "10.99.0.3", "device": "00000000000000ab"},
        {"account": "cid", "habit": "ip_kvm", "site": "198.18.0.3", "pool": "10.99.0.4", "device": "00000000000000ac"},
        {"account": "dan", "habit": "coworking", "site": "198.18.160.2", "pool": "10.99.0.5", "device": "00000000000000ad"}]}"#;

fn incident(day: u8, action: &str, id: &str, entity: &str, accounts: &str) -> String {
    format!(
        "{{\"@timestamp\":\"2026-01-{day}T05:00:00.000000000Z\",\"event.dataset\":\"spanwatch.incident\",\
         \"event.action\":\"{action}\",\"event.id\":\"{id}\",\"spanwatch.entity.id\":\"{entity}\",\
         \"spanwatch.incident.score\":15.5,\"related.user\":[{accounts}],\
         \"spanwatch.incident.families\":[{{\"family\":\"path\",\"items\":[{{\"rule\":\"c\"}}]}},{{\"family\":\"time\"}}]}}"
    )
}

fn alert(rule: &str, entity: &str) -> String {
    format!(
        "{{\"@timestamp\":\"2026-01-12T17:00:00.000000000Z\",\"event.action\":\"{rule}\",\
         \"spanwatch.entity.id\":\"{entity}\"}}"
    )
}

fn evaluated(lines: &[String]) -> Evaluation {
    let said: Vec<Said> = lines.iter().map(|line| Said::parse(line).unwrap()).collect();
    let mut evaluation = Evaluation::default();
    evaluation.add("seed-1", &Truth::parse(TRUTH).unwrap(), &said);
    evaluation
}

#[test]
fn a_farm_is_found_by_its_site_its_device_or_most_of_the_accounts() {
    for (entity, accounts) in [("198.18.0.2", ""), ("00000000000000aa", ""), ("192.0.2.1", "\"ann\",\"bob\",\"dan\"")] {
        let evaluation = evaluated(&[incident(13, "opened", "1", entity, accounts)]);
        assert_eq!((evaluation.found(), evaluation.benign.len()), ((2, 1, 1), 0), "{entity}");
    }
    let evaluation = evaluated(&[incident(13, "opened", "1", "192.0.2.1", "\"ann\",\"dan\"")]);
    assert_eq!((evaluation.found(), evaluation.benign.len()), ((2, 0, 0), 1), "half of them are not most");
}

#[test]
fn an_account_that_is_named_twice_counts_once() {
    let twice = incident(13, "opened", "1", "192.0.2.1", "\"ann\",\"dan\"");
    let twice = twice.replace("\"related.user\"", "\"user.name\":\"ann\",\"related.user\"");
    assert_eq!(evaluated(&[twice]).found(), (2, 0, 0), "half of them are not most");
}

#[test]
fn what_was_said_before_a_farm_began_is_not_the_farms() {
    for (day, expected) in [(11, (2, 0, 0)), (12, (2, 1, 1))] {
        assert_eq!(evaluated(&[incident(day, "opened", "1", "198.18.0.2", "")]).found(), expected, "{day}");
    }
}

#[test]
fn a_farm_that_is_found_too_late_is_not_found_in_time() {
    let found = |day| evaluated(&[incident(day, "opened", "1", "198.18.0.3", "")]).found();
    assert_eq!((found(15), found(16)), ((2, 1, 1), (2, 1, 0)));
}

#[test]
fn a_false_incident_counts_once_and_names_who_is_in_it() {
    let lines =
        [incident(13, "opened", "7", "198.18.160.2", ""), incident(14, "updated", "7", "198.18.160.2", "\"dan\"")];
    let evaluation = evaluated(&lines);
    assert_eq!((evaluation.incidents, evaluation.benign.len()), (1, 1));
    assert_eq!(evaluation.benign[0].situations.iter().collect::<Vec<_>>(), ["coworking"]);
    assert_eq!(evaluation.rules["c"].incidents_false.len(), 1);
    assert_eq!(evaluation.rate(1.0), 500.0, "one in twenty laptop days");
    let page = evaluation.to_string();
    assert!(page.contains("1 false: 500.00 ("), "{page}");
    assert!(page.contains("seed-1  198.18.160.2  15.5  path, time  (coworking)"), "{page}");
}

#[test]
fn every_rule_is_judged_by_whom_its_alerts_are_about() {
    let evaluation = evaluated(&[alert("a", "ann"), alert("a", "dan"), alert("b", "dan")]);
    let outcome = &evaluation.rules["a"];
    assert_eq!((outcome.alerts, outcome.of_farms, outcome.farms.len()), (2, 1, 1));
    assert_eq!(evaluation.rules["b"].of_farms, 0);
    assert_eq!(evaluation.farms[0].first_alert, Some(Duration::from_secs(12 * 3600)));
    assert!(evaluation.to_string().contains("1 of 2 (50 %, 9–91)"), "{evaluation}");
}

#[test]
fn what_is_no_label_and_no_alert_is_told_why() {
    let other = TRUTH.replacen("\"version\": 1", "\"version\": 2", 1);
    assert_eq!(Truth::parse(&other).unwrap_err(), "they are of form 2, and this is read: 1");
    let untimed = TRUTH.replace("2026-01-12T", "soon");
    assert!(Truth::parse(&untimed).unwrap_err().ends_with("of farm-1 is no time"));
    assert_eq!(Said::parse("{}").unwrap_err(), "it has no @timestamp");
}
