//! Clients that mean no good: ten thousand of them, slow ones, ones that never come to the end, and names from the wire
//! that are markup. The sensor stays there for everybody else, within its memory, and loses no packet by it.

// What a client waits is real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::{Place, RULES, pcap};

const CONNECTIONS: usize = 10_000;
/// Connections, files, threads: what a sensor may have open.
const FILES_MAX: usize = 256 + 60;
/// 256 requests of 64 KiB that are not finished, and what the allocator makes of them.
const GROWTH_BYTES_MAX: u64 = 64 << 20;
/// Long for an answer, and short for somebody who waits.
const PROMPT: Duration = Duration::from_secs(2);

struct Sensor {
    child: Child,
    address: String,
}

impl Sensor {
    /// A replay that answers HTTP.
    fn replay(place: &Place, capture: &str) -> Self {
        let arguments = ["replay", "--serve", "127.0.0.1:0", "--rules", RULES, capture];
        let mut child = place.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, address }
    }

    /// A sensor on `lo`, which sees the connections that are made to it; none where this user may not capture.
    fn live(place: &Place) -> Option<Self> {
        place.write("spanwatch.yml", "server: {listen: \"127.0.0.1:0\"}\n");
        let arguments = ["run", "--log-format", "json", "--config", "spanwatch.yml", "--interface", "lo"];
        let mut child = place.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        if line.contains("no permission to capture") {
            eprintln!("skipped: {line}");
            child.wait().unwrap();
            return None;
        }
        let started: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        let address = started["fields"]["http"].as_str().unwrap().to_owned();
        Some(Self { child, address })
    }

    fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PROMPT)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Whoever asks while others are hostile is answered, and soon.
    #[track_caller]
    fn answers(&self) {
        let begun = Instant::now();
        let answer = self.ask("/metrics");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\nspanwatch_build_info"), "{answer}");
        assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
    }

    fn metric(&self, name: &str) -> f64 {
        let metrics = self.ask("/metrics");
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
    }

    fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    fn resident_bytes(&self) -> u64 {
        let pages = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Lets this process have so many files open; false where it may not.
fn raise_open_files(count: usize) -> bool {
    let me = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &me, &format!("--nofile={count}:")]).status();
    raised.is_ok_and(|status| status.success())
}

fn comes_true(condition: impl Fn() -> bool) -> bool {
    (0..50).any(|_| {
        thread::sleep(Duration::from_millis(200));
        condition()
    })
}

fn connect(sensor: &Sensor) -> TcpStream {
    TcpStream::connect(&sensor.address).unwrap()
}

#[test]
fn ten_thousand_silent_connections_keep_nobody_out_and_lose_no_packet() {
    let place = Place::new();
    if !raise_open_files(CONNECTIONS + 500) {
        return eprintln!("skipped: this process may not have {CONNECTIONS} connections open (ulimit -Hn)");
    }
    let Some(sensor) = Sensor::live(&place) else { return };
    sensor.answers();
    let before = sensor.resident_bytes();
    let mut silent = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        silent.push(connect(&sensor));
        if number % 1000 == 0 {
            sensor.answers();
        }
    }
    sensor.answers();
    // Those that had to leave are closed in turn.
    assert!(comes_true(|| sensor.open_files() < FILES_MAX), "{}", sensor.open_files());
    let seen = || sensor.metric("spanwatch_flows_started_total");
    assert!(comes_true(|| seen() >= CONNECTIONS as f64), "{} of the connections are seen on the interface", seen());
    let metrics = sensor.ask("/metrics");
    for place in ["interface", "kernel"] {
        let line = format!("\nspanwatch_packets_dropped_total{{place=\"{place}\"}} 0\n");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    // The flows are what the sensor is for, and have their own limits.
    let of_flows = 2048 * CONNECTIONS as u64;
    let grown = sensor.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX + of_flows, "{grown} bytes");
}

#[test]
fn requests_that_never_end_take_little_memory_and_no_time_from_others() {
    let place = Place::new();
    place.write("capture.pcap", pcap(3));
    let sensor = Sensor::replay(&place, "capture.pcap");
    sensor.answers();
    let before = sensor.resident_bytes();
    let header = format!("X-{}: {}\r\n", "a".repeat(100), "b".repeat(7000));
    let flood: Vec<TcpStream> = (0..400)
        .map(|_| {
            let mut stream = connect(&sensor);
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            // It is soon not listened to any more.
            let _refused = write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\n{}", header.repeat(8));
            stream
        })
        .collect();
    sensor.answers();
    let grown = sensor.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes");
    drop(flood);
}

#[test]
fn a_client_that_says_a_letter_at_a_time_has_ten_seconds() {
    let place = Place::new();
    place.write("capture.pcap", pcap(3));
    let sensor = Sensor::replay(&place, "capture.pcap");
    let mut slow: Vec<TcpStream> = (0..60).map(|_| connect(&sensor)).collect();
    let begun = Instant::now();
    let is_over = |stream: &mut TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let mut byte = [0];
        !matches!(stream.read(&mut byte), Err(fault) if fault.kind() == std::io::ErrorKind::WouldBlock)
    };
    for letter in b"GET /metrics HTTP/1.1\r\nHost: localhost".iter().cycle() {
        slow.iter_mut().for_each(|stream| drop(stream.write_all(&[*letter])));
        sensor.answers();
        thread::sleep(Duration::from_millis(500));
        if slow.iter_mut().all(is_over) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "they are still listened to");
    }
    assert!(begun.elapsed() > Duration::from_secs(9), "{:?}", begun.elapsed());
}
