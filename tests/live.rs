//! Two sensors on the mirror port of a network where real clients talk to real servers: OpenSSH, curl and nginx, dig and
//! dnsmasq, FreeRDP and xrdp. `live/scenario.sh` plays it, and where it cannot, the test says why and does nothing.

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;
use support::Place;

/// Name, shards and port.
const SENSORS: [(&str, usize, u16); 2] = [("one", 1, 9787), ("two", 2, 9788)];

const NETWORK: &str = "
sinks: {events: events.jsonl, alerts: alerts.jsonl}
networks: [{name: desks, roles: [workstations], prefixes: [10.10.1.0/24]}]
inventory: {hosts: [{group: desks, addresses: [10.10.1.0/24]}]}
flow: {idle: {tcp_closed: 1s, datagram_exchange: 5m}}
";

/// What `timeout` gives the scenario, which takes a third of it.
const SECONDS_MAX: &str = "60";
/// The exit code by which the scenario says that it cannot be played.
const CANNOT: i32 = 77;

/// An action, a field, and a value that it has in some event.
const EVENTS: &[(&str, &str, &str)] = &[
    ("hello", "ssh.client_hassh", ""),
    ("hello", "ssh.server_banner", "SSH-2.0-OpenSSH_"),
    ("hello", "tls.client.ja4", "t13d"),
    ("hello", "tls.client.server_name", "relay-3f2b1c.net.anydesk.com"),
    ("hello", "tls.client.server_name", "www.example.org"),
    ("hello", "tls.version", "1.2"),
    ("hello", "tls.version", "1.3"),
    ("name", "dns.question.name", "www.example.org"),
    ("remote_desktop", "rdp.cookie", "kim"),
    ("remote_desktop", "rdp.selected_protocol", "tls"),
];

const ALERTS: [&str; 3] =
    ["remote_desktop_from_outside", "ssh_from_outside_to_workstation", "unsanctioned_remote_access_product"];

#[test]
fn sensors_on_a_mirror_port_say_what_a_replay_of_its_traffic_says() {
    let place = Place::new();
    for (name, shards, port) in SENSORS {
        let config = format!("shards: {shards}\nserver: {{listen: \"127.0.0.1:{port}\"}}{NETWORK}");
        place.write(&format!("{name}/spanwatch.yml"), config);
    }
    if let Err(why) = play(&place) {
        return eprintln!("skipped: {why}");
    }
    let replay = replayed(&place);
    assert_the_traffic_was_understood(&replay);
    for (name, ..) in SENSORS {
        let log = place.read(&format!("{name}/log"));
        assert_eq!(place.read(&format!("{name}/code")), "0\n", "{log}");
        assert!(log.contains("\"dropped\":0"), "{log}");
        let live = said(&place, name);
        assert_same(&format!("events of the sensor {name}"), &live.events, &replay.events);
        assert_same(&format!("alerts of the sensor {name}"), &live.alerts, &replay.alerts);
    }
    assert_prometheus_scraped(&place);
    assert_nothing_was_sent(&place);
}

/// Plays the scenario, or tells why it cannot be played here.
fn play(place: &Place) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let log = place.path("log");
    let played = Command::new("timeout")
        .args(["--kill-after=5", SECONDS_MAX, "bash"])
        .arg(root.join("tests/live/scenario.sh"))
        .args([Path::new(env!("CARGO_BIN_EXE_spanwatch")), &root.join("rules"), &place.path("")])
        // What it leaves running must not hold a pipe of this test open.
        .stdout(File::create(&log).unwrap())
        .stderr(File::options().append(true).open(&log).unwrap())
        .status()
        .map_err(|error| format!("timeout and bash: {error}"))?;
    if played.code() == Some(CANNOT) {
        return Err(place.read("why"));
    }
    let sensors = SENSORS.map(|(name, ..)| fs::read_to_string(place.path(&format!("{name}/log"))).unwrap_or_default());
    assert!(played.success(), "{played}\n{}{}", place.read("log"), sensors.concat());
    Ok(())
}

/// What a sensor said, a line each.
struct Said {
    events: Vec<String>,
    alerts: Vec<String>,
}

fn said(place: &Place, name: &str) -> Said {
    let lines = |file: &str| place.read(&format!("{name}/{file}")).lines().map(str::to_owned).collect();
    Said { events: lines("events.jsonl"), alerts: lines("alerts.jsonl") }
}

fn replayed(place: &Place) -> Said {
    fs::create_dir(place.path("replay")).unwrap();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let outcome = place.run(&[
        "replay",
        "--config=one/spanwatch.yml",
        "--rules",
        rules,
        "--events=replay/events.jsonl",
        "--alerts=replay/alerts.jsonl",
        "capture.pcap",
    ]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    said(place, "replay")
}

fn assert_the_traffic_was_understood(said: &Said) {
    let events: Vec<Value> = said.events.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (action, field, beginning) in EVENTS {
        let mut values = events.iter().filter(|event| event["event.action"] == *action).map(|event| &event[*field]);
        assert!(
            values.any(|value| value.as_str().is_some_and(|value| value.starts_with(beginning))),
            "no event {action} with {field}: {beginning} in\n{}",
            said.events.join("\n")
        );
    }
    let alerts: Vec<Value> = said.alerts.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rules: BTreeSet<&str> = alerts.iter().filter_map(|alert| alert["event.action"].as_str()).collect();
    assert_eq!(rules, BTreeSet::from(ALERTS));
}

/// The same lines, but for what each socket of the kernel decides for itself.
fn assert_same(what: &str, live: &[String], replayed: &[String]) {
    let (live, replayed) = (comparable(live), comparable(replayed));
    let lacking = |some: &[String], others: &[String]| {
        some.iter().filter(|line| !others.contains(line)).cloned().collect::<Vec<_>>().join("\n")
    };
    assert!(
        live == replayed,
        "{what}: {} live, {} in the replay\nonly live:\n{}\nonly in the replay:\n{}",
        live.len(),
        replayed.len(),
        lacking(&live, &replayed),
        lacking(&replayed, &live)
    );
}

/// Sorted, and without times, which are taken for each socket anew and differ by microseconds, and flow numbers, which
/// count frames as a source reads them.
fn comparable(lines: &[String]) -> Vec<String> {
    let time = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z").unwrap();
    let number = Regex::new(
        r#""(event\.duration|spanwatch\.flow\.(?:id|duration|client_rtt|server_rtt|flight_rtt))":[0-9.e-]+"#,
    )
    .unwrap();
    let mut lines: Vec<String> = lines
        .iter()
        .map(|line| number.replace_all(&time.replace_all(line, "TIME"), r#""$1":NUMBER"#).into_owned())
        .collect();
    lines.sort();
    lines
}

/// It found both sensors up, with packets, and with sessions of everything that was played.
fn assert_prometheus_scraped(place: &Place) {
    let up = samples(place, "up");
    assert_eq!(up.iter().map(|sample| sample.value).collect::<Vec<_>>(), [1.0, 1.0]);
    let packets = samples(place, "spanwatch_packets_total");
    assert!(packets.len() == 2 && packets.iter().all(|sample| sample.value > 100.0));
    let sessions = samples(place, "spanwatch_sessions_total");
    for (protocol, count) in [("dns", 2.0), ("rdp", 1.0), ("ssh", 1.0), ("tls", 3.0)] {
        let counts: Vec<f64> =
            sessions.iter().filter(|sample| sample.labels["protocol"] == protocol).map(|sample| sample.value).collect();
        assert_eq!(counts, [count; 2], "{protocol}");
    }
}

struct Sample {
    labels: Value,
    value: f64,
}

/// What Prometheus answered to a query for a metric.
fn samples(place: &Place, metric: &str) -> Vec<Sample> {
    let answer: Value = serde_json::from_str(&place.read(&format!("{metric}.json"))).unwrap();
    assert_eq!(answer["status"], "success", "{answer}");
    let sample = |result: &Value| Sample {
        labels: result["metric"].clone(),
        value: result["value"][1].as_str().unwrap().parse().unwrap(),
    };
    answer["data"]["result"].as_array().unwrap().iter().map(sample).collect()
}

fn assert_nothing_was_sent(place: &Place) {
    let link: Value = serde_json::from_str(&place.read("link.json")).unwrap();
    let counters = &link[0]["stats64"];
    assert!(counters["rx"]["packets"].as_u64().unwrap() > 100, "{link}");
    assert_eq!(counters["tx"]["packets"], 0, "{link}");
}
