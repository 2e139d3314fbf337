//! A sensor on an interface: served, reloaded, signalled. Needs the privilege to capture on `lo`, and says where it is
//! missing.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use support::{Place, signal};

const CONFIG: &str = "server: {listen: \"127.0.0.1:0\"}\nsinks: {events: events.jsonl}\n";

struct Sensor {
    place: Place,
    child: Child,
    /// The faults that it told before it watched.
    said: String,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Sensor {
    /// None where this user may not capture.
    fn start() -> Option<Self> {
        Self::start_on("lo")
    }

    fn start_on(interface: &str) -> Option<Self> {
        Self::start_in(Place::new(), CONFIG, interface)
    }

    fn start_in(place: Place, config: &str, interface: &str) -> Option<Self> {
        place.write("spanwatch.yml", config);
        let mut command =
            place.command(&["run", "--log-format", "json", "--config", "spanwatch.yml", "--interface", interface]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let mut said = String::new();
        while line.is_empty() || line.contains("\"level\":\"ERROR\"") {
            said += &std::mem::take(&mut line);
            if log.read_line(&mut line).unwrap() == 0 {
                break;
            }
        }
        if line.contains("no permission to capture") {
            eprintln!("skipped: {line}");
            child.wait().unwrap();
            return None;
        }
        let started: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(started["fields"]["message"], "watching");
        let address = started["fields"]["http"].as_str().unwrap().to_owned();
        Some(Self { place, child, said, log, address })
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn metric(&self, name: &str) -> f64 {
        self.published(name).unwrap_or_else(|| panic!("no {name} in {}", self.ask("GET /metrics")))
    }

    fn published(&self, name: &str) -> Option<f64> {
        let metrics = self.ask("GET /metrics");
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Asks until the answer is as wanted; the sensor publishes once a second, and answers before it did so first.
    fn wait_for(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        for _ in 0..100 {
            if self.published(name).is_some_and(&wanted) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{name} is {}", self.metric(name));
    }

    /// Ends it, and returns its exit code and the rest of its log.
    fn stop(mut self) -> (Option<i32>, String, Place) {
        signal(&self.child, "TERM");
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log, self.place)
    }
}

#[test]
fn a_running_sensor_counts_is_scraped_and_stops_when_told() {
    let Some(sensor) = Sensor::start() else { return };
    assert!(sensor.ask("GET /-/ready").starts_with("HTTP/1.1 200 OK"));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"datagram", "127.0.0.1:9").unwrap();
    sensor.wait_for("spanwatch_packets_total", |packets| packets > 0.0);
    sensor.wait_for("spanwatch_last_packet_timestamp_seconds", |at| at > 1.7e9);
    let (code, log, place) = sensor.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("\"message\":\"stopped\""), "{log}");
    let events = place.read("events.jsonl");
    assert!(events.ends_with('\n') && events.contains("\"event.action\":\"flow\""), "{events}");
}

#[test]
fn a_reload_takes_a_good_file_and_refuses_a_bad_one() {
    let Some(sensor) = Sensor::start() else { return };
    let successful = "spanwatch_config_last_reload_successful";
    sensor.wait_for(successful, |value| value == 1.0);
    let first = sensor.metric("spanwatch_config_last_reload_success_timestamp_seconds");

    sensor.place.write("spanwatch.yml", "colour: red\n");
    let refused = sensor.ask("POST /-/reload");
    assert!(
        refused.starts_with("HTTP/1.1 422") && refused.contains("spanwatch.yml:1:1: unknown key `colour`"),
        "{refused}"
    );
    sensor.wait_for(successful, |value| value == 0.0);
    assert!(sensor.ask("GET /-/healthy").starts_with("HTTP/1.1 200 OK"), "the old configuration is in force");

    sensor.place.write("spanwatch.yml", format!("{CONFIG}flow: {{flows_max: 1000}}\n"));
    signal(&sensor.child, "HUP");
    sensor.wait_for(successful, |value| value == 1.0);
    assert!(sensor.metric("spanwatch_config_last_reload_success_timestamp_seconds") >= first);
    sensor.place.write("spanwatch.yml", CONFIG);
    assert!(sensor.ask("POST /-/reload").starts_with("HTTP/1.1 200 OK"));

    let (code, log, _) = sensor.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("only a restart brings these into force\",\"sections\":\"flow\""), "{log}");
    assert!(log.contains("not reloaded, the ones before stay in force"), "{log}");
}

/// An interface that goes when it is dropped, if not before.
struct Dummy(String);

impl Dummy {
    /// None where this user may not make one.
    fn add() -> Option<Self> {
        let dummy = Self(format!("sw{}", std::process::id()));
        if !(ip(&["link", "add", &dummy.0, "type", "dummy"]) && ip(&["link", "set", &dummy.0, "up"])) {
            eprintln!("skipped: no privilege to make a network interface");
            return None;
        }
        Some(dummy)
    }
}

impl Drop for Dummy {
    fn drop(&mut self) {
        ip(&["link", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    let done = Command::new("ip").args(arguments).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

#[test]
fn an_interface_that_goes_ends_the_sensor_with_everything_written() {
    let Some(interface) = Dummy::add() else { return };
    let Some(mut sensor) = Sensor::start_on(&interface.0) else { return };
    let name = interface.0.clone();
    drop(interface);
    let mut log = String::new();
    sensor.log.read_to_string(&mut log).unwrap();
    assert_eq!(sensor.child.wait().unwrap().code(), Some(1), "{log}");
    let fault =
        format!("\nspanwatch: interface {name}: has disappeared; bring it back, and capture can be opened again\n");
    assert!(log.contains("\"message\":\"stopped\"") && log.ends_with(&fault), "{log}");
}

const WITH_STATE: &str = "server: {listen: \"127.0.0.1:0\"}\nstate: {dir: state}\n";

#[test]
fn a_sensor_whose_memory_was_damaged_watches_says_so_and_keeps_the_file_and_the_dismissals() {
    let place = Place::new();
    place.write("state/memory", "spanwatch-memory 3 00\n");
    let dismissed = place.run(&["dismiss", "--state", "state", "site", "198.51.100.7", "--reason", "ours"]);
    assert_eq!(dismissed.code, Some(0), "{}", dismissed.stderr);
    let whole = place.read("state/dismissals.jsonl");
    place.write("state/dismissals.jsonl", format!("{whole}{}", &whole[..20]));

    let Some(sensor) = Sensor::start_in(place, WITH_STATE, "lo") else { return };
    let said = sensor.said.clone();
    assert!(
        said.contains("the memory cannot be restored: it is damaged: its digest does not fit")
            && said.contains("\"kept_as\":\"state/memory.damaged-1\"")
            && said.contains("dismissals.jsonl:2: a dismissal that is not in force"),
        "{said}"
    );
    sensor.wait_for("spanwatch_state_damaged_files", |files| files == 1.0);
    sensor.wait_for("spanwatch_state_unreadable_dismissals", |lines| lines == 1.0);
    let (code, log, place) = sensor.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(place.read("state/memory.damaged-1"), "spanwatch-memory 3 00\n");
    assert!(place.read("state/memory").starts_with("spanwatch-memory 3 ") && place.read("state/memory").len() > 1000);
    assert!(place.read("state/dismissals.jsonl").starts_with(&whole));

    std::fs::remove_file(place.path("state/memory.damaged-1")).unwrap();
    let key = place.read("state/incident.key");
    let Some(sensor) = Sensor::start_in(place, WITH_STATE, "lo") else { return };
    assert!(!sensor.said.contains("memory"), "{}", sensor.said);
    sensor.wait_for("spanwatch_state_damaged_files", |files| files == 0.0);
    let (code, log, place) = sensor.stop();
    assert_eq!((code, place.read("state/incident.key")), (Some(0), key), "{log}");
}

#[test]
fn a_state_that_the_user_may_not_read_is_a_fault_before_anything_is_watched() {
    let place = Place::new();
    place.write("spanwatch.yml", WITH_STATE);
    place.write("state/memory", "");
    let nobody = 65_534;
    let closed = std::os::unix::fs::chown(place.path("spanwatch.yml"), Some(nobody), None).is_ok();
    if !closed {
        return eprintln!("skipped: only root becomes another user");
    }
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    for (path, mode) in [("", 0o755), ("state", 0o755), ("state/memory", 0o600)] {
        std::fs::set_permissions(place.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let capture = place.write("empty.pcap", support::pcap(1));
    let arguments = ["replay", "--state", "state", capture.to_str().unwrap()];
    // The sensor itself may lie where another user cannot reach it.
    let sensor = place.path("sensor");
    std::fs::copy(env!("CARGO_BIN_EXE_spanwatch"), &sensor).unwrap();
    let mut command = Command::new(sensor);
    let ended = command.args(arguments).current_dir(place.path("")).uid(nobody).gid(nobody).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert_eq!(said, "spanwatch: cannot read state/memory: Permission denied (os error 13)\n");
}
