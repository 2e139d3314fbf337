//! Evidence captures as a user gets them: of the farms that ship, for any number of shards, named by what links to them, and
//! without a secret.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Place, RULES, configuration, scenarios};

const CAPTURES: &str = "captures";
const PAYLOAD_BYTES_MAX: usize = 128;
const PACKETS_MAX: usize = 16;

/// A rule that asks for every TCP and UDP session.
const EVERYTHING: &str = "\
title: Every session
id: 3f0d8c52-5d3f-4a0c-9a53-6a5d2f6c1e01
name: every_session
description: Every session that ended.
tags: [attack.t1219]
logsource: {product: spanwatch, category: flow}
detection: {session: {network.transport: [tcp, udp]}, condition: session}
falsepositives: [All of them]
level: low
spanwatch:
  family: remote_control
  capture: true
  suppress: 0s
  evidence: {fires: [a], quiet: [b]}
";

fn scenario(name: &str) -> std::path::PathBuf {
    scenarios().into_iter().find(|path| path.parent().unwrap().ends_with(name)).unwrap()
}

/// Replays a scenario with evidence captures on, under further settings of theirs.
fn replay(place: &Place, name: &str, rules: &str, shards: usize, settings: &str) {
    let capture = scenario(name);
    let config = configuration(&capture);
    let pcaps = config.parent().unwrap().display().to_string();
    let text = fs::read_to_string(&config).unwrap().replace("places.mmdb", &format!("{pcaps}/places.mmdb"));
    place.write("spanwatch.yml", format!("{text}\nevidence_captures: {{dir: {CAPTURES}{settings}}}\n"));
    let shards = shards.to_string();
    let arguments =
        ["--config", "spanwatch.yml", "--rules", rules, "--shards", &shards, "--alerts", "alerts.jsonl", "--metrics"];
    let outcome = place.run(&[&["replay"], &arguments[..], &["metrics.prom", capture.to_str().unwrap()]].concat());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{name}");
}

/// The files by their names.
fn files(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(place.path(CAPTURES)).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn alerts(place: &Place) -> Vec<Value> {
    place.read("alerts.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(value: &Value) -> impl Iterator<Item = String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned())
}

/// The community ids of what the sensor itself finds in a capture.
fn community_ids(place: &Place, name: &str) -> BTreeSet<String> {
    let file = place.path(CAPTURES).join(name);
    let outcome = place.run(&["replay", "--events", "events.jsonl", "--rules", RULES, file.to_str().unwrap()]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{name}");
    let events = place.read("events.jsonl");
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.map(|event| event["network.community_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_farms_sessions_are_kept_and_linked_the_same_for_any_number_of_shards() {
    for name in ["house-farm", "laptop-farm"] {
        let place = Place::new();
        replay(&place, name, RULES, 1, "");
        let kept = files(&place);
        let alerts = alerts(&place);
        let linked: BTreeSet<String> = alerts.iter().flat_map(|alert| texts(&alert["spanwatch.captures"])).collect();
        assert!(!kept.is_empty() && linked.iter().eq(kept.keys()), "{name}: {linked:?}\n{:?}", kept.keys());
        assert!(
            alerts.iter().any(|said| said["event.action"] == "opened" && !said["spanwatch.captures"].is_null()),
            "{name}: the incident links them"
        );
        for file in kept.keys() {
            let [session] = &community_ids(&place, file).into_iter().collect::<Vec<_>>()[..] else {
                panic!("{name}: {file} is not of one session");
            };
            let of_it = alerts.iter().filter(|alert| texts(&alert["spanwatch.captures"]).any(|link| link == *file));
            for alert in of_it {
                assert!(texts(&alert["network.community_id"]).any(|flow| flow == *session), "{name}: {file}");
            }
        }
        for shards in [2, 3] {
            let other = Place::new();
            replay(&other, name, RULES, shards, "");
            assert!(
                files(&other) == kept && other.read("alerts.jsonl") == place.read("alerts.jsonl"),
                "{name}: {shards}"
            );
        }
    }
}

#[test]
fn without_the_setting_nothing_is_kept_and_nothing_else_changes() {
    let place = Place::new();
    replay(&place, "house-farm", RULES, 2, "");
    let without: Vec<Value> = alerts(&place)
        .into_iter()
        .map(|mut alert| {
            alert.as_object_mut().unwrap().remove("spanwatch.captures");
            alert
        })
        .collect();
    let expected = fs::read_to_string(scenario("house-farm").with_file_name("expected.jsonl")).unwrap();
    let expected = expected.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let expected: Vec<Value> = expected.filter(|said| said["event.kind"] == "alert").collect();
    assert_eq!(without, expected);
    let metrics = place.read("metrics.prom");
    let written = format!("spanwatch_evidence_captures_total{{outcome=\"written\"}} {}\n", files(&place).len());
    assert!(metrics.contains(&written) && !metrics.contains("outcome=\"failed\"} 1"), "{metrics}");
}

#[test]
fn of_protocols_that_carry_secrets_no_payload_is_kept_and_of_no_packet_more_than_the_limit() {
    for name in ["windows-desk", "proxies", "vnc-with-password", "vpns"] {
        let place = Place::new();
        place.write("rules/every_session.yml", EVERYTHING);
        fs::create_dir(place.path("rules/data")).unwrap();
        fs::copy(Path::new(RULES).join("data/products.yml"), place.path("rules/data/products.yml")).unwrap();
        replay(&place, name, "rules", 1, "");
        let protocols = protocols_of_captures(&place);
        let kept = files(&place);
        assert!(!kept.is_empty(), "{name}");
        for (file, bytes) in &kept {
            let payloads = payloads(bytes);
            assert!(payloads.len() <= PACKETS_MAX);
            let shown = ["amneziawg", "dtls", "esp", "openvpn", "quic", "ssh", "tls", "wireguard"];
            let protocol = protocols.get(file).map_or("", String::as_str);
            let most = if shown.contains(&protocol) { PAYLOAD_BYTES_MAX } else { 0 };
            assert!(payloads.iter().all(|bytes| *bytes <= most), "{name}: {file} of {protocol}: {payloads:?}");
        }
    }
}

/// The first protocol of each session that was kept.
fn protocols_of_captures(place: &Place) -> BTreeMap<String, String> {
    let alerts = alerts(place);
    let named = alerts.iter().map(|alert| (texts(&alert["spanwatch.captures"]).next(), &alert["network.protocol"]));
    named.filter_map(|(file, protocol)| Some((file?, protocol.as_str().unwrap_or_default().to_owned()))).collect()
}

/// How many bytes of payload the frames of a capture have; IPv4 and IPv6, TCP and UDP.
fn payloads(file: &[u8]) -> Vec<usize> {
    let (mut rest, mut payloads) = (&file[24..], Vec::new());
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (frame, later) = rest[16..].split_at(len);
        let mut ether_type = 12;
        while frame[ether_type..ether_type + 2] == [0x81, 0] {
            ether_type += 4;
        }
        let ip = &frame[ether_type + 2..];
        let (protocol, transport) = if ip[0] >> 4 == 4 { (ip[9], &ip[20..]) } else { (ip[6], &ip[40..]) };
        let header = match protocol {
            6 => usize::from(transport[12] >> 4) * 4,
            17 => 8,
            _ => 0,
        };
        payloads.push(transport.len() - header);
        rest = later;
    }
    payloads
}

#[test]
fn the_folder_never_takes_more_than_its_bound() {
    let place = Place::new();
    replay(&place, "house-farm", RULES, 1, "");
    let all = files(&place);
    let sizes: Vec<usize> = all.values().map(Vec::len).collect();
    let bound = sizes.iter().sum::<usize>() - 1;
    let bounded = Place::new();
    replay(&bounded, "house-farm", RULES, 1, &format!(", folder_bytes_max: {bound}B"));
    let kept = files(&bounded);
    assert_eq!(kept.len(), all.len() - 1, "the oldest session gave way");
    assert!(kept.keys().eq(all.keys().skip(1)) && kept.values().map(Vec::len).sum::<usize>() <= bound);
    // The oldest session is over last: when it comes, the folder is full of later ones.
    let too_old = "spanwatch_evidence_captures_total{outcome=\"too_old\"} 1\n";
    let metrics = bounded.read("metrics.prom");
    assert!(
        metrics.contains(too_old) && metrics.contains("spanwatch_evidence_captures_removed_total 0\n"),
        "{metrics}"
    );
}

#[test]
fn a_capture_that_alone_is_larger_than_the_folder_is_refused_and_counted() {
    let place = Place::new();
    replay(&place, "house-farm", RULES, 1, ", folder_bytes_max: 100B");
    assert!(files(&place).is_empty());
    let metrics = place.read("metrics.prom");
    let count = |outcome: &str| {
        let line = format!("spanwatch_evidence_captures_total{{outcome=\"{outcome}\"}} ");
        metrics.lines().find_map(|said| said.strip_prefix(&line)?.parse::<u64>().ok()).unwrap()
    };
    assert!(count("too_large") > 0 && count("written") == 0, "{metrics}");
}

#[test]
fn tshark_reads_what_was_kept_without_complaint() {
    if Command::new("tshark").arg("--version").output().is_err() {
        println!("skipped: tshark is not there");
        return;
    }
    let place = Place::new();
    replay(&place, "house-farm", RULES, 1, "");
    for (name, bytes) in files(&place) {
        let read = Command::new("tshark")
            .args(["-n", "-T", "fields", "-e", "frame.number", "-e", "_ws.malformed", "-r"])
            .arg(place.path(CAPTURES).join(&name))
            .output()
            .unwrap();
        let lines = String::from_utf8(read.stdout).unwrap();
        assert!(read.status.success(), "{name}: {}", String::from_utf8_lossy(&read.stderr));
        assert_eq!(lines.lines().count(), payloads(&bytes).len(), "{name}");
        assert!(!lines.contains("Malformed"), "{name}: {lines}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_ends_the_sensor_before_it_reads() {
    let place = Place::new();
    place.write("file", "");
    place.write("spanwatch.yml", "evidence_captures: {dir: file/captures}\n");
    let capture = scenario("identity");
    let outcome = place.run(&["replay", "--config", "spanwatch.yml", capture.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(2));
    assert_eq!(
        outcome.stderr,
        "spanwatch: evidence captures: cannot keep them in file/captures: Not a directory (os error 20); set \
         evidence_captures.dir to a folder that the sensor's user can write in\n"
    );
}
