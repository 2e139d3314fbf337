//! Every alert and incident of the recorded scenarios is what `docs/schema/alert.schema.json` says, as Debian's
//! python3-jsonschema reads it.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Place, scenarios};

const VALIDATOR: &str = "
import json, sys
try:
    from jsonschema import Draft202012Validator
except ImportError:
    sys.exit(77)
validator = Draft202012Validator(json.load(open(sys.argv[1])))
Draft202012Validator.check_schema(validator.schema)
for line in open(sys.argv[2]):
    for error in validator.iter_errors(json.loads(line)):
        print(error.message, line, sep='\\n')
        sys.exit(1)
";
/// The exit code by which the validator says that the library is missing.
const CANNOT: i32 = 77;

/// None where this machine cannot validate.
fn validate(lines: &str) -> Option<(bool, String)> {
    let place = Place::new();
    let file = place.write("alerts.jsonl", lines);
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/alert.schema.json");
    let run = Command::new("/usr/bin/python3")
        .arg("-c")
        .arg(VALIDATOR)
        .args([schema, file])
        .stderr(Stdio::inherit())
        .output();
    let Some(output) = run.ok().filter(|output| output.status.code() != Some(CANNOT)) else {
        eprintln!("skipped: python3-jsonschema is not installed");
        return None;
    };
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn said() -> String {
    let files = scenarios().into_iter().map(|capture| fs::read_to_string(capture.with_file_name("expected.jsonl")));
    let alerts: Vec<String> = files
        .flat_map(|file| file.unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| line.contains("\"event.kind\":\"alert\""))
        .collect();
    assert!(alerts.len() > 10, "the scenarios have alerts");
    alerts.join("\n")
}

#[test]
fn what_the_scenarios_say_is_what_the_schema_says() {
    if let Some((is_valid, fault)) = validate(&said()) {
        assert!(is_valid, "{fault}");
    }
}

#[test]
fn the_schema_refuses_a_field_it_does_not_know_and_one_of_another_type() {
    let line = said().lines().next().unwrap().to_owned();
    for wrong in
        [line.replacen('{', "{\"password\":\"x\",", 1), line.replace("\"event.severity\":", "\"event.severity\":7")]
    {
        if let Some((is_valid, _)) = validate(&wrong) {
            assert!(!is_valid, "{wrong}");
        }
    }
}
