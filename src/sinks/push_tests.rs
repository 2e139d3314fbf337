use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use serde_json::{Value, json};

use super::super::tests::notice;
use super::*;

/// A server that answers each request with the next status, the last one for ever.
struct Server {
    address: String,
    bodies: mpsc::Receiver<(String, String)>,
}

impl Server {
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (told, bodies) = mpsc::channel();
        std::thread::Builder::new()
            .spawn(move || {
                let mut statuses = statuses.iter().copied().peekable();
                for stream in listener.incoming() {
                    let status = statuses.next_if(|_| true).unwrap_or(*statuses.peek().unwrap_or(&200));
                    let Some(request) = read(stream.unwrap(), status) else { return };
                    if told.send(request).is_err() {
                        return;
                    }
                }
            })
            .unwrap();
        Self { address, bodies }
    }

    fn next(&self) -> (String, Value) {
        let (head, body) = self.bodies.recv_timeout(Duration::from_secs(10)).unwrap();
        (head, serde_json::from_str(&body).unwrap())
    }
}

fn read(mut stream: TcpStream, status: u16) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).ok()?;
        bytes.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if length.is_some_and(|length| body.len() >= length) {
            write!(stream, "HTTP/1.1 {status} Answer\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}").ok()?;
            return Some((head.to_owned(), body.to_owned()));
        }
        if count == 0 {
            return None;
        }
    }
}

struct Running {
    pushes: Pushes,
    _runtime: tokio::runtime::Runtime,
}

fn start(directory: &Path, settings: &str) -> Running {
    let mut settings: Settings = crate::yaml::parse("example.yml", settings).unwrap();
    settings.queue.directory = directory.into();
    let (pushes, deliveries) = Pushes::open(&settings).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for delivery in deliveries {
        runtime.spawn(delivery);
    }
    Running { pushes, _runtime: runtime }
}

fn until(running: &Running, reached: impl Fn(Counters) -> bool) -> Counters {
    for _ in 0..500 {
        let counters = running.pushes.counters().next().unwrap();
        if reached(counters) {
            return counters;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{:?}", running.pushes.counters().collect::<Vec<_>>());
}

#[test]
fn a_webhook_gets_each_document_once_in_order_though_it_fails_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[503, 200]);
    let mut running = start(directory.path(), &format!("webhook: {{url: \"http://{}/hook?a=b\"}}", server.address));
    for number in 0..2 {
        running.pushes.push(Notice { document: json!({"number": number}), ..notice() });
    }
    let (head, body) = server.next();
    assert!(head.starts_with("POST /hook?a=b HTTP/1.1"), "{head}");
    assert_eq!(body, json!({"number": 0}));
    let key = |head: &str| head.lines().find(|line| line.starts_with("idempotency-key: ")).unwrap().to_owned();
    let (again, body) = server.next();
    assert_eq!((body, key(&again)), (json!({"number": 0}), key(&head)), "the first was not heard");
    let (other, body) = server.next();
    assert_eq!(body, json!({"number": 1}));
    assert_ne!(key(&other), key(&head));
    let counters = until(&running, |counters| counters.sent == 2);
    assert_eq!((counters.failures, counters.waiting, counters.lost), (1, 0, 0));
}

#[test]
fn a_message_that_the_receiver_refuses_for_what_it_is_does_not_hold_up_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[422, 200]);
    let mut running = start(directory.path(), &format!("webhook: {{url: \"http://{}\"}}", server.address));
    running.pushes.push(notice());
    running.pushes.push(notice());
    let counters = until(&running, |counters| counters.sent == 1);
    assert_eq!((counters.lost, counters.waiting), (1, 0));
}

#[test]
fn what_waits_is_sent_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings: Settings = crate::yaml::parse("example.yml", "webhook: {url: \"http://127.0.0.1:9\"}").unwrap();
    settings.queue.directory = directory.path().into();
    for number in 0..2 {
        let (mut pushes, _not_run) = Pushes::open(&settings).unwrap();
        pushes.push(Notice { document: json!({"number": number}), ..notice() });
    }
    let server = Server::start(&[200]);
    let running = start(directory.path(), &format!("webhook: {{url: \"http://{}\"}}", server.address));
    assert_eq!([server.next().1, server.next().1], [json!({"number": 0}), json!({"number": 1})]);
    until(&running, |counters| counters.waiting == 0);
}

#[test]
fn alertmanager_is_told_again_while_an_incident_is_open_and_once_more_when_it_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[200]);
    let settings = format!("alertmanager: {{servers: [{{url: \"http://{}/am\"}}], repeat: 50ms}}", server.address);
    let mut running = start(directory.path(), &settings);
    running.pushes.push(notice());
    let (head, first) = server.next();
    assert!(head.starts_with("POST /am/api/v2/alerts HTTP/1.1"), "{head}");
    let (_, again) = server.next();
    assert_eq!((&first[0]["labels"], &first[0]["startsAt"]), (&again[0]["labels"], &again[0]["startsAt"]));
    running.pushes.push(Notice { ended: true, ..notice() });
    let last = (0..100).map(|_| server.next().1).find(|body| body[0]["endsAt"] == "2023-11-14T22:13:20.000000000Z");
    assert!(last.is_some());
    until(&running, |counters| counters.waiting == 0);
}

#[test]
fn names_leave_the_sensor_as_pseudonyms() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    std::fs::write(&key, "0123456789abcdef0123456789abcdef").unwrap();
    let server = Server::start(&[200]);
    let settings = format!("webhook: {{url: \"http://{}\"}}\npseudonym_key_file: {}", server.address, key.display());
    let mut running = start(&directory.path().join("queue"), &settings);
    running.pushes.push(Notice { document: json!({"user.name": "kim", "message": "kim logged on"}), ..notice() });
    let (_, body) = server.next();
    assert!(!body.to_string().contains("kim"), "{body}");
}

#[test]
fn faults_of_the_settings_name_the_remedy() {
    for (settings, expected) in [
        (
            "webhook: {url: \"ftp://host/\"}",
            "webhook: `ftp://host/` is no address; write http:// or https://, host, port and path",
        ),
        (
            "webhook: {url: \"http://host/\", user: soc}",
            "http://host/: give either `user` and `password_file`, or `bearer_token_file`",
        ),
        (
            "webhook: {url: \"https://host/\", ca_file: /nowhere.pem}",
            "/nowhere.pem: cannot read certificates: I/O error: No such file or directory (os error 2)",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut settings: Settings = crate::yaml::parse("example.yml", settings).unwrap();
        settings.queue.directory = directory.path().into();
        assert_eq!(Pushes::open(&settings).err().unwrap().to_string(), expected);
    }
}
