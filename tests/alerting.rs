//! From the mirror port to the pager: a sensor on one end of a cable, a recorded farm sent into the other, Debian's Prometheus
//! and Alertmanager beside it, all in a network namespace of their own. Where that cannot be, the test says why.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use support::{Place, RULES};

const FARM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pcaps/laptop-farm/capture.pcap");

/// Sends a capture into an interface, as fast as it was recorded.
const SENDER: &str = "
import socket, struct, sys, time
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((sys.argv[2], 0))
data = open(sys.argv[1], 'rb').read()
place, first, begun = 24, None, time.time()
while place < len(data):
    secs, micros, kept, _ = struct.unpack_from('<IIII', data, place)
    at = secs + micros / 1e6
    first = at if first is None else first
    pause = at - first - (time.time() - begun)
    if pause > 0:
        time.sleep(pause)
    link.send(data[place + 16:place + 16 + kept])
    place += 16 + kept
";
/// A namespace with a cable in it, `span` to `mirror`; it goes with everything that runs in it.
struct Lab {
    name: String,
    running: Vec<Child>,
}

impl Lab {
    fn begin() -> Option<Self> {
        let lab = Self { name: format!("swalert{}", std::process::id()), running: Vec::new() };
        let ip = |arguments: &[&str]| {
            Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let is_made = ip(&["netns", "add", &lab.name])
            && ip(&["-n", &lab.name, "link", "set", "lo", "up"])
            && ip(&[
                "-n", &lab.name, "link", "add", "span", "mtu", "65535", "type", "veth", "peer", "name", "mirror",
                "mtu", "65535",
            ])
            && ip(&["-n", &lab.name, "link", "set", "span", "up"])
            && ip(&["-n", &lab.name, "link", "set", "mirror", "up"]);
        let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
        let missing = ["prometheus", "prometheus-alertmanager", "curl"].into_iter().find(|program| !has(program));
        match (is_made, missing) {
            (true, None) => Some(lab),
            (false, _) => {
                eprintln!("skipped: network namespaces need root");
                None
            }
            (_, Some(program)) => {
                eprintln!("skipped: {program} is not installed; scripts/packages.sh test installs what is missing");
                None
            }
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Starts a program; its number ends it.
    fn start(&mut self, place: &Place, name: &str, program: &str, arguments: &[&str]) -> usize {
        let log = fs::File::options().create(true).append(true).open(place.path(&format!("{name}.log"))).unwrap();
        let child = self
            .command(program)
            .args(arguments)
            .current_dir(place.path(""))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.running.push(child.unwrap());
        self.running.len() - 1
    }

    fn kill(&mut self, number: usize) {
        let _gone = self.running[number].kill();
        let _reaped = self.running[number].wait();
    }

    fn ask(&self, url: &str, more: &[&str]) -> Value {
        let output = self.command("curl").args(["-s", "--max-time", "5"]).args(more).arg(url).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn query(&self, expression: &str) -> Vec<Value> {
        let query = format!("query={expression}");
        let answer = self.ask("http://127.0.0.1:9090/api/v1/query", &["--data-urlencode", &query]);
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// The alerts of a name that Alertmanager has, and that are not over.
    fn alerts(&self, name: &str) -> Vec<Value> {
        let answer = self.ask("http://127.0.0.1:9093/api/v2/alerts?active=true", &[]);
        let alerts = answer.as_array().cloned().unwrap_or_default();
        alerts.into_iter().filter(|alert| alert["labels"]["alertname"] == name).collect()
    }

    fn wait_for(&self, place: &Place, what: &str, reached: impl Fn(&Self) -> bool) {
        for _ in 0..300 {
            if reached(self) {
                return;
            }
            thread::sleep(Duration::from_millis(500));
        }
        let logs = ["sender", "sensor", "prometheus", "alertmanager"]
            .map(|name| fs::read_to_string(place.path(&format!("{name}.log"))));
        panic!("{what}\n{}", logs.into_iter().map(Result::unwrap_or_default).collect::<String>());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for number in 0..self.running.len() {
            self.kill(number);
        }
        let _gone = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn configure(place: &Place) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let farm = fs::read_to_string(root.join("pcaps/spanwatch.yml")).unwrap();
    let own = "
detect: {overlapping_tunnels: {overlap: 5s}}
sinks:
  push:
    alertmanager: {servers: [{url: \"http://127.0.0.1:9093\"}], repeat: 1s, console_url: \"http://127.0.0.1:9787\"}
    queue: {directory: queue}
";
    place.write("spanwatch.yml", farm + own);
    for name in ["recording.yml", "alerts.yml"] {
        let rules = fs::read_to_string(root.join("deploy/prometheus").join(name)).unwrap();
        place.write(name, rules.replace("interval: 30s", "interval: 1s"));
    }
    place.write(
        "prometheus.yml",
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n\
         rule_files: [recording.yml, alerts.yml]\n\
         alerting: {alertmanagers: [{static_configs: [{targets: [\"127.0.0.1:9093\"]}]}]}\n\
         scrape_configs: [{job_name: spanwatch, static_configs: [{targets: [\"127.0.0.1:9787\"]}]}]\n",
    );
}

fn alertmanager(lab: &mut Lab, place: &Place) -> usize {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/alertmanager/alertmanager.yml");
    let config = format!("--config.file={config}");
    let arguments = [&config, "--storage.path=am", "--web.listen-address=127.0.0.1:9093", "--cluster.listen-address="];
    lab.start(place, "alertmanager", "prometheus-alertmanager", &arguments)
}

#[test]
fn a_farm_on_the_mirror_fires_in_alertmanager_once_and_is_resolved_when_it_is_dismissed() {
    let Some(mut lab) = Lab::begin() else { return };
    let place = Place::new();
    configure(&place);
    let first = alertmanager(&mut lab, &place);
    let prometheus =
        ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:9090"];
    lab.start(&place, "prometheus", "prometheus", &prometheus);
    let sensor = ["run", "--config", "spanwatch.yml", "--rules", RULES, "--interface", "mirror"];
    lab.start(&place, "sensor", env!("CARGO_BIN_EXE_spanwatch"), &sensor);
    lab.wait_for(&place, "the sensor is scraped", |lab| lab.query("up == 1").len() == 1);
    lab.start(&place, "sender", "/usr/bin/python3", &["-c", SENDER, FARM, "span"]);

    lab.wait_for(&place, "the incident is in Alertmanager", |lab| lab.alerts("SpanwatchIncident").len() == 1);
    lab.wait_for(&place, "Prometheus's own alert is, too", |lab| lab.alerts("SpanwatchIncidentOpen").len() == 1);
    let alert = lab.alerts("SpanwatchIncident").remove(0);
    let labels = &alert["labels"];
    assert_eq!((&labels["entity_kind"], &labels["entity"]), (&"site".into(), &"198.51.100.7".into()), "{alert}");
    let id = labels["incident"].as_str().unwrap().to_owned();
    assert!(alert["generatorURL"].as_str().unwrap().ends_with(&format!("/#/incidents/{id}")), "{alert}");
    assert!(alert["annotations"]["description"].as_str().unwrap().contains("198.51.100.7"), "{alert}");
    assert_eq!(lab.query("instance:spanwatch_packets:rate5m").len(), 1, "the recording rules are filled");

    lab.kill(first);
    thread::sleep(Duration::from_secs(3));
    let second = alertmanager(&mut lab, &place);
    lab.wait_for(&place, "it is said again", |lab| lab.alerts("SpanwatchIncident").len() == 1);
    let again = lab.alerts("SpanwatchIncident").remove(0);
    assert_eq!((&again["labels"], &again["startsAt"]), (&alert["labels"], &alert["startsAt"]), "the same alert");

    lab.kill(second);
    let reason = ["-H", "content-type: application/json", "-d", "{\"reason\": \"a test\"}"];
    let dismissed = lab.ask(&format!("http://127.0.0.1:9787/api/v1/incidents/{id}/dismiss"), &reason);
    assert_eq!(dismissed["dismissed"], true, "{dismissed}");
    alertmanager(&mut lab, &place);
    let is_delivered = |lab: &Lab| !lab.query("spanwatch_sink_waiting{sink=\"alertmanager\"} == 0").is_empty();
    lab.wait_for(&place, "the end was delivered", is_delivered);
    lab.wait_for(&place, "both alerts are over", |lab| {
        lab.alerts("SpanwatchIncident").is_empty() && lab.alerts("SpanwatchIncidentOpen").is_empty()
    });
    let lost = lab.query("spanwatch_sink_lost_total{sink=\"alertmanager\"} == 0");
    assert_eq!(lost.len(), 1, "nothing was given up");
}
