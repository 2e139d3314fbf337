//! The dashboards are what `deploy/grafana/generate.py` writes, have the form that Grafana reads, and every panel's query
//! has data in a real Prometheus that scraped a replayed farm.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use support::{Place, RULES};

const FARM: &str = "pcaps/laptop-farm/capture.pcap";
const FOLDER: &str = "deploy/grafana/dashboards";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn dashboards() -> Vec<(PathBuf, Value)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root().join(FOLDER)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let read = |path: PathBuf| {
        let dashboard = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        (path, dashboard)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn the_dashboards_are_what_the_generator_writes() {
    let place = Place::new();
    let generator = place.write("generate.py", fs::read(root().join("deploy/grafana/generate.py")).unwrap());
    fs::create_dir(place.path("dashboards")).unwrap();
    let Ok(status) = Command::new("/usr/bin/python3").arg(generator).status() else {
        return eprintln!("skipped: python3 is not installed");
    };
    assert!(status.success());
    let mut count = 0;
    for entry in fs::read_dir(place.path("dashboards")).unwrap() {
        let path = entry.unwrap().path();
        let kept = fs::read_to_string(root().join(FOLDER).join(path.file_name().unwrap())).unwrap_or_default();
        assert!(fs::read_to_string(&path).unwrap() == kept, "{}: run deploy/grafana/generate.py", path.display());
        count += 1;
    }
    assert_eq!(count, dashboards().len(), "a dashboard that nothing writes");
}

/// What Grafana 11 needs of a dashboard and its panels, by the schema that it publishes for them.
#[test]
fn the_dashboards_have_the_form_that_grafana_reads() {
    let mut uids = Vec::new();
    for (path, dashboard) in dashboards() {
        let name = path.display();
        assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36, "{name}");
        let uid = dashboard["uid"].as_str().unwrap().to_owned();
        assert!(uid.len() <= 40 && !uids.contains(&uid) && path.file_stem().unwrap().to_str() == Some(&uid), "{name}");
        uids.push(uid);
        for key in ["title", "timezone", "refresh"] {
            assert!(dashboard[key].is_string(), "{name}: {key}");
        }
        let variables: Vec<&str> = dashboard["templating"]["list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(variables, ["datasource", "instance", "console"]);
        let mut taken = std::collections::BTreeSet::new();
        let mut ids = std::collections::BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {panel}");
            let grid = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(grid("x") + grid("w") <= 24, "{name}: {panel}");
            for x in grid("x")..grid("x") + grid("w") {
                for y in grid("y")..grid("y") + grid("h") {
                    assert!(taken.insert((x, y)), "{name}: panels lie on each other at {x}, {y}: {}", panel["title"]);
                }
            }
            if panel["type"] == "row" {
                continue;
            }
            assert!(["stat", "table", "timeseries"].contains(&panel["type"].as_str().unwrap()), "{name}");
            assert!(panel["fieldConfig"]["defaults"].is_object() && panel["fieldConfig"]["overrides"].is_array());
            for target in panel["targets"].as_array().unwrap() {
                assert!(target["refId"].is_string() && target["expr"].is_string(), "{name}: {target}");
                assert_eq!(target["datasource"]["uid"], "${datasource}");
            }
        }
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A replay of the farm that serves its metrics, and its address.
fn serve(place: &Place) -> (Running, String) {
    let root = root().display();
    let farm = format!("{root}/{FARM}");
    let config = fs::read_to_string(format!("{root}/pcaps/spanwatch.yml")).unwrap() + "\nstate: {interval: 1m}\n";
    let config = place.write("spanwatch.yml", config).display().to_string();
    let mut command = place.command(&[
        "replay",
        "--serve",
        "127.0.0.1:0",
        "--config",
        &config,
        "--rules",
        RULES,
        "--state",
        "state",
        &farm,
    ]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
    (Running(child), address)
}

fn scrape(place: &Place, sensor: &str, port: u16) -> Option<Running> {
    let rules = root().join("deploy/prometheus/recording.yml");
    // Once a second instead of twice a minute: the test has less time than an operator.
    let recording = fs::read_to_string(rules).unwrap().replace("interval: 30s", "interval: 1s");
    place.write("recording.yml", recording);
    let config = format!(
        "global: {{scrape_interval: 500ms, evaluation_interval: 1s}}\nrule_files: [recording.yml]\n\
         scrape_configs:\n  - job_name: spanwatch\n    static_configs: [{{targets: [\"{sensor}\"]}}]\n"
    );
    let config = place.write("prometheus.yml", config);
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", place.path("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--enable-feature=exemplar-storage")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child.ok().map(Running)
}

fn query(port: u16, expression: &str) -> Option<Value> {
    ask(&["--data-urlencode", &format!("query={expression}"), &format!("http://127.0.0.1:{port}/api/v1/query")])
}

fn ask(arguments: &[&str]) -> Option<Value> {
    let output = Command::new("curl").args(["-s", "--max-time", "5"]).args(arguments).output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

/// The incidents that Prometheus keeps beside a counter, of any time.
fn exemplars(port: u16, counter: &str) -> Vec<String> {
    let url = format!("http://127.0.0.1:{port}/api/v1/query_exemplars?start=0&end=9999999999&query={counter}");
    let answer = ask(&[&url]).unwrap_or_default();
    let series = answer["data"].as_array().into_iter().flatten();
    let exemplars = series.flat_map(|series| series["exemplars"].as_array().into_iter().flatten());
    exemplars.filter_map(|exemplar| exemplar["labels"]["incident"].as_str()).map(str::to_owned).collect()
}

fn has_data(answer: &Value) -> bool {
    answer["data"]["result"].as_array().is_some_and(|results| !results.is_empty())
}

#[test]
fn every_panel_has_data_of_a_replayed_farm() {
    let place = Place::new();
    let (_replay, sensor) = serve(&place);
    let port = free_port();
    let Some(_prometheus) = scrape(&place, &sensor, port) else {
        return eprintln!("skipped: prometheus is not installed; scripts/packages.sh test installs what is missing");
    };
    let is_scraped = || {
        let recorded = query(port, "instance:spanwatch_packets:rate5m");
        recorded.is_some_and(|answer| has_data(&answer))
    };
    let waited = (0..120).any(|_| {
        is_scraped() || {
            thread::sleep(Duration::from_millis(500));
            false
        }
    });
    assert!(waited, "Prometheus scraped the replay and filled the recording rules");

    let page = ask(&[&format!("http://{sensor}/api/v1/incidents")]).unwrap();
    let incident = page["items"][0]["id"].as_str().unwrap();
    for counter in ["spanwatch_incidents_total", "spanwatch_alerts_total"] {
        let explained = exemplars(port, counter);
        assert!(explained.iter().any(|id| id == incident), "{counter}: {explained:?}, {incident}");
    }

    let mut empty = Vec::new();
    let mut asked = 0;
    for (path, dashboard) in dashboards() {
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expression = target["expr"].as_str().unwrap().replace("$instance", ".*");
                let answer = query(port, &expression).unwrap_or_default();
                asked += 1;
                if answer["status"] != "success" || !has_data(&answer) {
                    empty.push(format!("{}: {}: {expression}: {answer}", path.display(), panel["title"]));
                }
            }
        }
    }
    assert!(asked > 20 && empty.is_empty(), "{asked} asked\n{}", empty.join("\n"));
}
