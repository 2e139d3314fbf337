use std::io::{Read, Write};
use std::net::TcpStream;

use crossbeam_channel::Receiver;
use serde_json::json;

use super::view::{Entry, List};
use super::*;

fn started() -> (Edge, Arc<View>, Receiver<Request>) {
    started_with(&Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Settings::default() })
}

fn started_with(settings: &Settings) -> (Edge, Arc<View>, Receiver<Request>) {
    started_beside(settings, None)
}

/// With a folder of evidence captures.
fn started_beside(settings: &Settings, captures: Option<&Path>) -> (Edge, Arc<View>, Receiver<Request>) {
    let (requests, requested) = crossbeam_channel::bounded(1);
    let view = Arc::new(View::new());
    let mut edge = Edge::start(requests.clone()).unwrap();
    edge.serve(listen(settings, captures).unwrap(), Arc::clone(&view), requests).unwrap();
    (edge, view, requested)
}

fn ask(edge: &Edge, request: &str) -> String {
    ask_with(edge, request, "", "")
}

/// Each header ends with a line feed.
fn ask_with(edge: &Edge, request: &str, headers: &str, body: &str) -> String {
    let address = edge.address().unwrap();
    let headers = headers.replace('\n', "\r\n");
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let length = body.len();
    let text =
        format!("{request} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    say(edge, text.as_bytes())
}

fn say(edge: &Edge, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(edge.address().unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    // A server that has heard enough may close before everything is said.
    let _refused = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _closed = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn code(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

fn publish(view: &View, list: List, ids: impl IntoIterator<Item = &'static str>) {
    view.publish(list, ids.into_iter().map(|id| Arc::new(Entry::new(id, &json!({ "id": id }), [id]))));
}

#[test]
fn the_sensor_is_healthy_at_once_and_ready_when_it_reads() {
    let (edge, view, _requested) = started();
    assert!(ask(&edge, "GET /-/healthy").starts_with("HTTP/1.1 200 OK"));
    assert!(ask(&edge, "GET /-/ready").starts_with("HTTP/1.1 503"));
    view.set_ready(true);
    assert!(ask(&edge, "GET /-/ready").starts_with("HTTP/1.1 200 OK"));
    edge.stop();
}

#[test]
fn metrics_are_given_in_the_text_format_with_the_process_beside_them() {
    let (edge, _view, _requested) = started();
    let answer = ask(&edge, "GET /metrics");
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
    assert!(answer.contains("\nspanwatch_build_info{version="), "{answer}");
    assert!(answer.contains("\nprocess_cpu_seconds_total "), "{answer}");
    edge.stop();
}

#[test]
fn a_reload_is_asked_with_post_only_and_answered_with_its_outcome() {
    let (edge, _view, requested) = started();
    assert!(ask(&edge, "GET /-/reload").starts_with("HTTP/1.1 405"));
    assert!(requested.is_empty());

    let asked = |outcome| {
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| ask(&edge, "POST /-/reload"));
            let Ok(Request::Reload(reply)) = requested.recv() else { panic!("a reload was asked for") };
            reply.give(outcome);
            answer.join().unwrap()
        })
    };
    assert!(asked(Ok(())).starts_with("HTTP/1.1 200 OK"));
    let refused = asked(Err("spanwatch.yml:2:1: unknown key `x`".into()));
    assert!(
        refused.starts_with("HTTP/1.1 422") && refused.ends_with("spanwatch.yml:2:1: unknown key `x`\n"),
        "{refused}"
    );
    edge.stop();
}

/// A page can send such a request to loopback without being asked first.
#[test]
fn pages_of_others_may_change_nothing() {
    let (edge, _view, requested) = started();
    let address = edge.address().unwrap();
    for headers in [
        "Sec-Fetch-Site: cross-site\n",
        "Sec-Fetch-Site: same-site\n",
        "Origin: https://example.com\n",
        "Origin: null\n",
        &format!("Origin: http://{address}.example.com\n"),
    ] {
        let answer = ask_with(&edge, "POST /-/reload", headers, "");
        assert_eq!(code(&answer), "403", "{headers}: {answer}");
    }
    assert!(requested.is_empty());
    let own = format!("Origin: http://{address}\nSec-Fetch-Site: same-origin\n");
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| ask_with(&edge, "POST /-/reload", &own, ""));
        let Ok(Request::Reload(reply)) = requested.recv() else { panic!("a reload was asked for") };
        reply.give(Ok(()));
        assert_eq!(code(&answer.join().unwrap()), "200");
    });
    assert_eq!(code(&ask_with(&edge, "GET /-/healthy", "Sec-Fetch-Site: cross-site\n", "")), "200");
    // Behind a proxy that calls the sensor by another name than the browser calls the proxy.
    let proxied = "Origin: https://sensor.example\nSec-Fetch-Site: same-origin\n";
    assert_ne!(code(&ask_with(&edge, "POST /api/v1/incidents/1/dismiss", proxied, "")), "403");
    edge.stop();
}

#[test]
fn lists_are_given_in_parts_and_entries_by_their_id() {
    let (edge, view, _requested) = started();
    publish(&view, List::Accounts, ["kim", "lee", "park"]);
    let body = |request: &str| ask(&edge, request).split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(body("GET /api/v1/accounts?limit=1&offset=1"), "{\"items\":[{\"id\":\"lee\"}],\"total\":3}");
    assert_eq!(body("GET /api/v1/accounts?search=AR"), "{\"items\":[{\"id\":\"park\"}],\"total\":1}");
    assert_eq!(body("GET /api/v1/accounts/kim"), "{\"id\":\"kim\"}");
    assert_eq!(body("GET /api/v1/devices"), "{\"items\":[],\"total\":0}");
    assert!(body("GET /api/v1/search?q=lee").contains("\"accounts\":{\"items\":[{\"id\":\"lee\"}],\"total\":1}"));
    for (request, expected) in [
        ("GET /api/v1/passwords", "404"),
        ("GET /api/v1/status/status", "404"),
        ("GET /api/v1/accounts/eve", "404"),
        ("GET /api/v1/accounts?limit=many", "400"),
        ("GET /api/v1/accounts?colour=red", "400"),
        ("GET /api/v1/search", "400"),
        ("DELETE /api/v1/accounts/kim", "405"),
    ] {
        assert_eq!(code(&ask(&edge, request)), expected, "{request}");
    }
    edge.stop();
}

#[test]
#[allow(clippy::disallowed_methods)]
fn fifty_thousand_devices_are_searched_within_a_tenth_of_a_second() {
    let (edge, view, _requested) = started();
    let device = |number: usize| {
        let name = format!("LT-{number:05}");
        let value =
            json!({"id": number, "name": name, "addresses": [{"address": "10.20.0.2"}], "days": vec![[1, 2]; 20]});
        Arc::new(Entry::new(number, &value, [name, "10.20.0.2".into(), "t13d1516h2_8daaf6152771_e5627efa2ab1".into()]))
    };
    view.publish(List::Devices, (0..50_000).map(device));
    for (request, expected) in [
        ("GET /api/v1/devices?offset=49900&limit=100", "\"total\":50000"),
        ("GET /api/v1/devices?search=lt-49999", "\"total\":1}"),
        ("GET /api/v1/devices/49999", "LT-49999"),
        ("GET /api/v1/search?q=lt-4999", "\"total\":10}"),
    ] {
        let timed = || {
            let begun = std::time::Instant::now();
            assert!(ask(&edge, request).contains(expected), "{request}");
            begun.elapsed()
        };
        let fastest = (0..5).map(|_| timed()).min().unwrap();
        assert!(fastest < Duration::from_millis(100), "{request}: {fastest:?}");
    }
    edge.stop();
}

#[test]
fn every_answer_forbids_the_browser_whatever_the_pages_do_not_need() {
    let (edge, _view, _requested) = started();
    for path in ["/", "/console.js", "/console.css", "/icon.svg", "/api/v1/openapi.json", "/metrics", "/nowhere"] {
        let answer = ask(&edge, &format!("GET {path}"));
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self';",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "referrer-policy: no-referrer",
        ] {
            assert!(answer.contains(header), "{path}: {answer}");
        }
    }
    edge.stop();
}

#[test]
fn the_pages_ask_for_nothing_from_elsewhere_and_never_write_markup() {
    let (html, css, js) =
        (include_str!("console/index.html"), include_str!("console/console.css"), include_str!("console/console.js"));
    for (page, text) in [("html", html), ("css", css), ("js", js)] {
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        for word in ["http://", "https://", "//cdn", "@import", "url("] {
            assert!(!elsewhere.contains(word), "{page} says {word}");
        }
    }
    for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
        assert!(!js.contains(word), "{word}");
    }
    for word in ["onclick", "onload", "style=", "<style"] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn the_description_of_the_api_names_every_route() {
    let described: serde_json::Value = serde_json::from_str(include_str!("console/openapi.json")).unwrap();
    let paths = described["paths"].as_object().unwrap();
    for list in List::ALL.iter().filter(|list| **list != List::Status) {
        for path in [format!("/api/v1/{}", list.as_str()), format!("/api/v1/{}/{{id}}", list.as_str())] {
            assert!(paths.contains_key(&path), "{path}");
        }
    }
    assert!(paths.contains_key("/api/v1/captures/{name}"));
    assert_eq!(described["info"]["version"], env!("CARGO_PKG_VERSION"));
}

const DISMISS: &str = "POST /api/v1/incidents/1f/dismiss";
const JSON: &str = "Content-Type: application/json\n";

#[test]
fn an_incident_is_dismissed_with_a_reason() {
    let (edge, view, requested) = started();
    publish(&view, List::Incidents, ["1f"]);
    let answer = std::thread::scope(|scope| {
        let answer = scope.spawn(|| ask_with(&edge, DISMISS, JSON, "{\"reason\": \"a hotel\", \"family\": \"time\"}"));
        let Ok(Request::Dismiss(dismissed, reply)) = requested.recv() else { panic!("a dismissal was asked for") };
        assert_eq!((dismissed.incident.as_str(), dismissed.reason.as_str()), ("1f", "a hotel"));
        assert_eq!(dismissed.family.as_deref(), Some("time"));
        reply.give(Ok(()));
        answer.join().unwrap()
    });
    assert!(answer.ends_with("{\"dismissed\":true}"), "{answer}");
    edge.stop();
}

#[test]
fn a_dismissal_without_a_reason_of_another_type_or_of_nothing_is_refused() {
    let (edge, view, requested) = started();
    publish(&view, List::Incidents, ["1f"]);
    for (headers, body, expected) in [
        (JSON, "{\"reason\": \"  \"}", "400"),
        (JSON, "{\"reason\": 7}", "400"),
        (JSON, "{\"reason\": \"x\", \"level\": \"low\"}", "400"),
        (JSON, "[", "400"),
        ("Content-Type: text/plain\n", "{\"reason\": \"x\"}", "400"),
        ("Content-Type: application/x-www-form-urlencoded\n", "reason=x", "400"),
    ] {
        assert_eq!(code(&ask_with(&edge, DISMISS, headers, body)), expected, "{body}");
    }
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(501));
    assert_eq!(code(&ask_with(&edge, DISMISS, JSON, &long)), "400");
    let longer = format!("{{\"reason\": \"{}\"}}", "x".repeat(5000));
    assert_eq!(code(&ask_with(&edge, DISMISS, JSON, &longer)), "400", "more than is read");
    let unknown = "POST /api/v1/incidents/2f/dismiss";
    assert_eq!(code(&ask_with(&edge, unknown, JSON, "{\"reason\": \"x\"}")), "404");
    assert!(requested.is_empty());
    edge.stop();
}

#[test]
fn a_page_that_had_its_own_name_resolved_to_loopback_reaches_nothing() {
    let (edge, _view, requested) = started();
    for request in ["GET /api/v1/status", "GET /metrics", "POST /-/reload"] {
        assert_eq!(code(&ask_with(&edge, request, "Host: evil.example\n", "")), "421", "{request}");
    }
    assert!(requested.is_empty());
    for host in ["localhost:9787", "[::1]:9787", "127.0.0.1"] {
        assert_eq!(code(&ask_with(&edge, "GET /api/v1/status", &format!("Host: {host}\n"), "")), "200", "{host}");
    }
    edge.stop();
}

#[test]
fn hostile_requests_are_refused_and_the_next_ordinary_one_is_answered() {
    let (edge, view, _requested) = started();
    publish(&view, List::Accounts, ["kim"]);
    let long = "a".repeat(100_000);
    let headers: String = (0..2000).map(|number| format!("X-{number}: {number}\r\n")).collect();
    let address = edge.address().unwrap();
    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n", long.repeat(20)),
        format!("GET / HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"),
        format!("GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        format!("GET /api/v1/accounts/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        format!("GET /%00%ff%fe HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        format!("GET /api/v1/accounts?search={long} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        format!(
            "POST /-/reload HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n"
        ),
        "\0\0\0\0\r\n\r\n".into(),
        "GET / HTTP/9.9\r\n\r\n".into(),
    ] {
        let answer = say(&edge, request.as_bytes());
        assert!(
            !code(&answer).starts_with('2') && !answer.contains("root:"),
            "{}",
            answer.get(..200).unwrap_or(&answer)
        );
    }
    assert_eq!(code(&ask(&edge, "GET /api/v1/accounts/kim")), "200");
    edge.stop();
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out() {
    let (edge, _view, _requested) = started();
    let silent: Vec<TcpStream> = (0..600).map(|_| TcpStream::connect(edge.address().unwrap()).unwrap()).collect();
    assert_eq!(code(&ask(&edge, "GET /-/healthy")), "200");
    drop(silent);
    edge.stop();
}

#[test]
fn whoever_asks_too_often_is_told_to_wait() {
    let (edge, _view, _requested) = started();
    let mut stream = TcpStream::connect(edge.address().unwrap()).unwrap();
    let request = format!("GET /api/v1/status HTTP/1.1\r\nHost: {}\r\n\r\n", edge.address().unwrap());
    let mut text = String::new();
    stream.write_all(request.repeat(600).as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut bytes = [0; 65536];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        text += &String::from_utf8_lossy(&bytes[..count]);
    }
    assert!(text.contains("HTTP/1.1 200") && text.contains("HTTP/1.1 429") && text.contains("retry-after: 5"));
    edge.stop();
}

/// Passwords `secret`, hashed with the least cost that bcrypt has.
fn web_config(directory: &std::path::Path) -> PathBuf {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let token = ring::digest::digest(&ring::digest::SHA256, b"token-of-prometheus");
    let token: String = token.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let path = directory.join("web.yml");
    let text = format!(
        "basic_auth_users: {{ann: \"{hash}\", bob: \"{hash}\"}}\nbearer_tokens: {{prometheus: {token}}}\nmay_change: [ann]\nmay_see_packets: [bob]\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

fn basic(user: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    format!("Authorization: Basic {}\n", BASE64_STANDARD.encode(user))
}

#[test]
fn with_users_only_they_are_answered_and_only_some_may_change_anything() {
    let directory = tempfile::tempdir().unwrap();
    let (edge, view, requested) = started_with(&Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        web_config: Some(web_config(directory.path())),
        ..Settings::default()
    });
    publish(&view, List::Incidents, ["1f"]);
    for (headers, expected) in [
        (String::new(), "401"),
        (basic("ann:secret"), "200"),
        (basic("ann:secret"), "200"),
        (basic("bob:secret"), "200"),
        (basic("ann:wrong"), "401"),
        (basic("eve:secret"), "401"),
        (basic("ann"), "401"),
        ("Authorization: Bearer token-of-prometheus\n".into(), "200"),
        ("Authorization: Bearer token-of-nobody\n".into(), "401"),
        ("Authorization: Digest x\n".into(), "401"),
    ] {
        assert_eq!(code(&ask_with(&edge, "GET /metrics", &headers, "")), expected, "{headers}");
    }
    assert_eq!(code(&ask(&edge, "GET /-/healthy")), "200", "a probe needs no name");
    let dismiss = |user: &str| ask_with(&edge, DISMISS, &format!("{JSON}{}", basic(user)), "{\"reason\": \"x\"}");
    assert_eq!(code(&dismiss("bob:secret")), "403");
    assert!(requested.is_empty());
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| dismiss("ann:secret"));
        let Ok(Request::Dismiss(dismissed, reply)) = requested.recv() else { panic!("a dismissal was asked for") };
        assert_eq!(dismissed.by, "ann");
        reply.give(Ok(()));
        assert_eq!(code(&answer.join().unwrap()), "200");
    });
    edge.stop();
}

const CAPTURE: &str = "20231114T221320.000000000Z-0123456789abcdef.pcap";

#[test]
fn captures_are_given_to_whom_may_see_packets_and_nothing_else_of_the_disk_is() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        web_config: Some(web_config(directory.path())),
        ..Settings::default()
    };
    let folder = directory.path().join("captures");
    std::fs::create_dir(&folder).unwrap();
    for name in [CAPTURE, "capture.part", "other.pcap"] {
        std::fs::write(folder.join(name), "packets").unwrap();
    }
    let (edge, _view, _requested) = started_beside(&settings, Some(&folder));
    let asked = |user: &str, name: &str| ask_with(&edge, &format!("GET /api/v1/captures/{name}"), &basic(user), "");
    assert_eq!(code(&ask(&edge, &format!("GET /api/v1/captures/{CAPTURE}"))), "401");
    assert!(asked("ann:secret", CAPTURE).ends_with("{\"error\":\"you may look, and not download captures\"}"));
    let given = asked("bob:secret", CAPTURE);
    assert!(given.starts_with("HTTP/1.1 200 OK") && given.ends_with("\r\n\r\npackets"), "{given}");
    assert!(given.contains("content-type: application/vnd.tcpdump.pcap\r\n"), "{given}");
    assert!(given.contains(&format!("content-disposition: attachment; filename=\"{CAPTURE}\"\r\n")), "{given}");
    let gone = CAPTURE.replace('3', "4");
    for name in [&*gone, "capture.part", "other.pcap", "..%2fweb.yml", "%2e%2e", &format!("%2e%2f{CAPTURE}"), "%00"] {
        assert_eq!(code(&asked("bob:secret", name)), "404", "{name}");
    }
    let status = ask_with(&edge, "GET /api/v1/status", &basic("bob:secret"), "");
    assert!(status.contains("\"may_see_packets\":true"), "{status}");
    edge.stop();
}

#[test]
fn without_a_folder_there_are_no_captures() {
    let (edge, _view, _requested) = started();
    assert_eq!(code(&ask(&edge, &format!("GET /api/v1/captures/{CAPTURE}"))), "404");
    assert!(ask(&edge, "GET /api/v1/status").contains("\"may_see_packets\":false"));
    edge.stop();
}

#[test]
fn whoever_guesses_passwords_is_soon_not_heard_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let (edge, _view, _requested) = started_with(&Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        web_config: Some(web_config(directory.path())),
        ..Settings::default()
    });
    let codes: Vec<String> = (0..12)
        .map(|guess| code(&ask_with(&edge, "GET /metrics", &basic(&format!("ann:{guess}")), "")).to_owned())
        .collect();
    assert_eq!((codes[0].as_str(), codes[11].as_str()), ("401", "429"));
    edge.stop();
}

#[test]
fn faults_of_the_web_configuration_name_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("web.yml");
    let name = path.display();
    for (text, expected) in [
        (
            "basic_auth_users: {ann: secret}",
            format!(
                "{name}:1:25: the password of `ann` is no bcrypt hash; `htpasswd -nBC 10 ann` makes one\n  |\n1 | \
                 basic_auth_users: {{ann: secret}}\n  |                         ^"
            ),
        ),
        (
            "bearer_tokens: {prom: abc}",
            format!(
                "{name}:1:23: the token of `prom` is no SHA-256 in hex; `printf %s TOKEN | sha256sum` makes one\n  |\n1 | \
                 bearer_tokens: {{prom: abc}}\n  |                       ^"
            ),
        ),
        (
            "may_change: [eve]",
            format!(
                "{name}:1:13: `may_change` names `eve`, who is neither a user nor a token\n  |\n1 | may_change: \
                 [eve]\n  |             ^"
            ),
        ),
        (
            "may_see_packets: [eve]",
            format!(
                "{name}:1:18: `may_see_packets` names `eve`, who is neither a user nor a token\n  |\n1 | \
                 may_see_packets: [eve]\n  |                  ^"
            ),
        ),
        (
            "users: {}",
            format!(
                "{name}:1:1: unknown key `users`; known are tls_server_config, basic_auth_users, bearer_tokens, may_change, may_see_packets\n  |\n1 | users: {{}}\n  | ^"
            ),
        ),
        (
            "tls_server_config: {cert_file: c.pem, key_file: k.pem}",
            format!(
                "{name}:1:32: cannot use {}/c.pem for TLS: I/O error: No such file or directory (os error 2)\n  |\n1 | \
                 tls_server_config: {{cert_file: c.pem, key_file: k.pem}}\n  |                                ^",
                directory.path().display()
            ),
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            web_config: Some(path.clone()),
            ..Settings::default()
        };
        assert_eq!(listen(&settings, None).err().unwrap().to_string(), expected);
    }
}

#[test]
fn an_address_in_use_is_refused_with_the_remedy() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let settings = Settings { listen: taken.local_addr().unwrap(), ..Settings::default() };
    let message = listen(&settings, None).err().unwrap().to_string();
    let expected = format!(
        "cannot listen on {}: Address already in use (os error 98); set server.listen to a free address",
        settings.listen
    );
    assert_eq!(message, expected);
}
