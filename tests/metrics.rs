//! The metrics of a replay, their names and forms.

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Place, RULES, configuration, scenarios};

/// The metrics after the replay of a scenario, as the project keeps them; `UPDATE=1` writes them anew, for a person to
/// review.
#[test]
fn the_metrics_of_a_scenario_are_the_ones_kept() {
    let capture = scenarios().into_iter().find(|path| path.to_string_lossy().contains("laptop-farm")).unwrap();
    let place = Place::new();
    let config = configuration(&capture);
    let policy = ["--config", config.to_str().unwrap(), "--rules", RULES];
    let arguments =
        [&["replay", "--shards", "1", "--metrics", "-"], &policy[..], &[capture.to_str().unwrap()]].concat();
    let outcome = place.run(&arguments);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metrics.prom");
    // What a table takes is the compiler's affair.
    let lines = outcome.stdout.split_inclusive('\n').filter(|line| !line.starts_with("spanwatch_table_bytes"));
    let found: String = lines.collect();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&kept, &found).unwrap();
    }
    let expected = fs::read_to_string(&kept).unwrap();
    assert!(found == expected, "{}", changed(&expected, &found));
}

fn changed(expected: &str, found: &str) -> String {
    let missing = expected.lines().filter(|line| !found.contains(line)).map(|line| format!("- {line}"));
    let new = found.lines().filter(|line| !expected.contains(line)).map(|line| format!("+ {line}"));
    missing.chain(new).collect::<Vec<_>>().join("\n")
}

#[test]
fn prometheus_finds_nothing_wrong_with_the_metrics() {
    let place = Place::new();
    let capture = scenarios().remove(0);
    let outcome = place.run(&["replay", "--metrics", "-", capture.to_str().unwrap()]);
    let checker = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut checker) = checker else {
        eprintln!("skipped: promtool is not installed (Debian package prometheus)");
        return;
    };
    checker.stdin.take().unwrap().write_all(outcome.stdout.as_bytes()).unwrap();
    let checked = checker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.trim().is_empty(), "{said}");
}
