use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::event::tests::fact_at;
use crate::facts::{EndReason, Fact, FlowId, FlowSummary, Name, SideSummary, Value};

const HEADER: &str = "{\"recording\":{\"version\":1}}\n";

/// Writes what takes days as the recording of a scenario.
pub(crate) fn write_scenario(name: &str, mut facts: Vec<Fact>) {
    facts.sort_by_key(|fact| (fact.at, fact.seq));
    let folder = Path::new("pcaps").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let file = File::create(folder.join("recording.facts.jsonl.zst")).unwrap();
    let mut writer = Writer::new(zstd::Encoder::new(file, 19).unwrap().auto_finish()).unwrap();
    facts.iter().for_each(|fact| writer.write(fact).unwrap());
    writer.finish().unwrap();
}

/// A question asked twice on one flow, and the flow's end.
fn facts() -> Vec<Fact> {
    let asked = |secs| {
        let mut name = Name { question: Some("www.example.com".into()), answered: true, ..Name::default() };
        name.addresses.push("192.0.2.7".parse().unwrap());
        name.fields.push("dns.response_code", "noerror");
        let protocol = Some(crate::protocol::dns::SPEC.protocol);
        Fact { protocol, kind: FactKind::Name(Box::new(name)), ..fact_at(secs, 3) }
    };
    let signature = "4:57+7:0:1460:64240,7:mss,sok,ts,nop,ws:df,id+:0".parse().unwrap();
    let side =
        SideSummary { packets: 2, bytes: 120, mss: Some(1460), syn_signature: Some(signature), ..Default::default() };
    let summary = FlowSummary {
        client: side.clone(),
        server: side,
        duration: Duration::from_millis(1500),
        client_rtt: Some(Duration::from_micros(30_001)),
        server_rtt: None,
        flight_rtt: None,
        syn_id: None,
        shape: None,
        end: Some(EndReason::Idle),
    };
    let ended = Fact { kind: FactKind::FlowEnded(summary), ..fact_at(9, 5) };
    vec![asked(3), asked(5), ended]
}

fn written(facts: &[Fact]) -> String {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for fact in facts {
        writer.write(fact).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

fn reader(text: &str) -> Result<Reader, RecordingError> {
    Reader::new("x.facts.jsonl".into(), Cursor::new(text.to_owned().into_bytes()), 0)
}

fn read(text: &str) -> Result<Vec<Fact>, String> {
    let mut reader = reader(text).map_err(|error| error.to_string())?;
    let mut facts = Vec::new();
    while let Some(fact) = reader.read().map_err(|error| error.to_string())? {
        facts.push(fact);
    }
    Ok(facts)
}

/// Without what sets the numbers of recordings apart.
fn shown(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(|fact| format!("{} {:?} {:?} {:?}", fact.at, fact.flow.client, fact.protocol, fact.kind)).collect()
}

#[test]
fn what_was_written_is_read_back() {
    let facts = facts();
    let text = written(&facts);
    let again = read(&text).unwrap();
    assert_eq!(shown(&again), shown(&facts));
    assert_eq!(text.matches("www.example.com").count(), 1, "what is said twice is written once");
    assert_eq!(text.matches("\"flow\":{").count(), 1);
    let FactKind::Name(name) = &again[0].kind else { panic!("a name") };
    assert_eq!(name.fields.get("dns.response_code"), Some(&Value::Word("noerror")));
}

#[test]
fn recordings_are_compressed_or_not() {
    let compressed = zstd::encode_all(written(&facts()).as_bytes(), 1).unwrap();
    let mut reader = Reader::new("x.facts.jsonl.zst".into(), Cursor::new(compressed), 0).unwrap();
    assert!(reader.read().unwrap().is_some());
}

#[test]
fn facts_of_two_recordings_and_of_captures_have_no_number_in_common() {
    let first = |number| {
        let bytes = Cursor::new(written(&facts()).into_bytes());
        Reader::new("x".into(), bytes, number).unwrap().read().unwrap().unwrap()
    };
    let (one, two) = (first(0), first(1));
    assert!(one.seq >= 1 << 62 && two.seq > one.seq && i64::try_from(two.seq).is_ok());
    assert_ne!(one.flow.id, two.flow.id);
    assert!(one.flow.id > FlowId(1 << 62));
}

#[test]
fn a_recording_that_is_at_fault_is_told_with_file_and_line() {
    let flow = written(&facts()[..1]).lines().nth(1).unwrap().to_owned() + "\n";
    let fact = |at: u64, rest: &str| format!("{{\"fact\":{{\"at\":{at},\"flow\":3,{rest}}}}}\n");
    let kind = "\"kind\":{\"malformed\":\"length\"}";
    let begun = format!("{HEADER}{}", flow.replacen("\"id\":1", "\"id\":3", 1));
    for (text, fault) in [
        (
            String::new(),
            "x.facts.jsonl:1: not a recording of facts: the first line must be {\"recording\":{\"version\":1}}; every",
        ),
        (
            "{\"recording\":{\"version\":9}}\n".into(),
            "x.facts.jsonl:1: recorded in form 9, and this sensor reads form 1; record it anew; every",
        ),
        (format!("{HEADER}{{\"flaw\":1}}\n"), "x.facts.jsonl:2: no line of a recording: unknown variant `flaw`"),
        (format!("{HEADER}{}", fact(5, kind)), "x.facts.jsonl:2: flow 3 has no line of its own before this; every"),
        (
            format!("{begun}{}{}", fact(5, kind), fact(4, kind)),
            "x.facts.jsonl:4: its time is before that of the fact before it",
        ),
        (format!("{begun}{}", fact(5, "\"said\":2")), "x.facts.jsonl:3: nothing was said with number 2 before this"),
        (format!("{begun}{}", fact(5, "\"protocol\":\"dns\"")), "x.facts.jsonl:3: a fact has either `said` or `kind`"),
        (format!("{HEADER}{}", "x".repeat(Reader::LINE_BYTES_MAX + 1)), "x.facts.jsonl:2: longer than 65536 bytes"),
    ] {
        let told = read(&text).unwrap_err();
        assert!(told.starts_with(fault), "{told}");
    }
}

#[test]
fn a_compressed_recording_that_is_cut_off_is_told() {
    let whole = zstd::encode_all(written(&facts()).as_bytes(), 1).unwrap();
    let cut = whole[..whole.len() - 8].to_vec();
    let outcome = Reader::new("x".into(), Cursor::new(cut), 0).map_err(|error| error.to_string());
    let told = outcome.and_then(|mut reader| {
        loop {
            match reader.read() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(error.to_string()),
            }
        }
    });
    assert!(told.unwrap_err().contains("the file ends within the line, or cannot be read on"));
}

#[test]
fn a_recording_is_known_by_its_name() {
    assert!(is_recording(Path::new("a/company.facts.jsonl.zst")) && is_recording(Path::new("b.facts.jsonl")));
    assert!(!is_recording(Path::new("a.pcap.zst")) && !is_recording(Path::new("facts.jsonl")));
}
