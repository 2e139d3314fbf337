//! The console and the report of a replayed farm, in Debian's Chromium; a sensor behind TLS; `spanwatch top`.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{Place, RULES, signal};

const FARM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pcaps/laptop-farm/capture.pcap");
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pcaps/spanwatch.yml");
const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/console/browser.py");
/// The exit code by which the browser's script says that it cannot run.
const CANNOT: i32 = 77;

/// When the capture of the farm is over for more than an hour, in seconds.
const AN_HOUR_AFTER_FARM: u32 = 1_795_572_000;

/// A replay that serves its console until it is dropped.
struct Replay {
    child: Child,
    address: String,
}

impl Replay {
    fn serve(place: &Place, config: &str, more: &[&str]) -> Self {
        let arguments = ["replay", "--serve", "127.0.0.1:0", "--config", config, "--rules", RULES];
        let mut command = place.command(&[&arguments[..], more, &[FARM]].concat());
        Self::started(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn started(mut child: Child) -> Self {
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, address }
    }

    /// Waits until everything was judged and published.
    fn judged(self, place: &Place) -> Self {
        for _ in 0..200 {
            let page = place.run(&["top", "--once", &self.address]);
            if page.stdout.contains("INCIDENTS  1 open") {
                return self;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("no incident: {:?}", place.run(&["top", "--once", &self.address]));
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Runs the browser's script; what it found wrong is a failure.
fn browse(place: &Place, url: &str, part: &str) {
    let pictures = place.path("pictures");
    fs::create_dir_all(&pictures).unwrap();
    let run = Command::new("timeout").args(["120", "/usr/bin/python3", BROWSER, url]).arg(&pictures).arg(part).output();
    let output = run.unwrap();
    if output.status.code() == Some(CANNOT) || output.status.code() == Some(127) {
        return eprintln!("skipped: chromium-driver and python3-selenium are not installed");
    }
    if let Some(kept) = std::env::var_os("PICTURES") {
        for entry in fs::read_dir(&pictures).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, Path::new(&kept).join(path.file_name().unwrap())).unwrap();
        }
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn an_analyst_finds_the_incident_looks_into_it_and_dismisses_it() {
    let place = Place::new();
    let replay = Replay::serve(&place, CONFIG, &[]).judged(&place);
    browse(&place, &format!("http://{}", replay.address), "console");
}

/// Asks a sensor over HTTP; the status and the body.
fn ask(address: &str, request: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let len = body.len();
    write!(
        stream,
        "{request} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

/// Nothing that comes after the restart says the incident again.
#[test]
fn an_open_incident_is_shown_and_can_be_dismissed_after_a_restart() {
    let place = Place::new();
    let before = place.run(&["replay", "--config", CONFIG, "--rules", RULES, "--state", "state", FARM]);
    assert_eq!(before.code, Some(0), "{}", before.stderr);
    place.write("lease.pcap", lease(AN_HOUR_AFTER_FARM, "pc-7", "MSFT 5.0"));
    let arguments = ["replay", "--serve", "127.0.0.1:0", "--config", CONFIG, "--rules", RULES, "--state", "state"];
    let mut command = place.command(&[&arguments[..], &["lease.pcap"]].concat());
    let replay = Replay::started(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).judged(&place);
    let (_, listed) = ask(&replay.address, "GET /api/v1/incidents", "");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap_or_else(|_| panic!("{listed}"));
    assert_eq!(listed["total"], 1, "{listed}");
    let id = listed["items"][0]["id"].as_str().unwrap();
    let request = format!("POST /api/v1/incidents/{id}/dismiss");
    let (status, answer) = ask(&replay.address, &request, "{\"reason\": \"our test house\"}");
    assert!(status.ends_with("200 OK"), "{status}: {answer}");
}

#[test]
fn a_report_is_one_file_that_shows_the_same() {
    let place = Place::new();
    let outcome = place.run(&["replay", "--report", "report.html", "--config", CONFIG, "--rules", RULES, FARM]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    browse(&place, &format!("file://{}", place.path("report.html").display()), "report");
}

/// A capture (microseconds, Ethernet) of a machine that asks for an address and gives itself these names (RFC 2131).
fn lease(at_secs: u32, host_name: &str, vendor_class: &str) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 1, 2, 3, 4];
    message.resize(28, 0);
    message.extend([2, 0, 0, 0, 0, 1]);
    message.resize(236, 0);
    message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 3]);
    for (option, text) in [(12, host_name), (60, vendor_class)] {
        message.extend([option, u8::try_from(text.len()).unwrap()]);
        message.extend(text.as_bytes());
    }
    message.push(255);
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
    let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend(length(28 + message.len()));
    frame.extend([0, 1, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 68, 0, 67]);
    frame.extend(length(8 + message.len()));
    frame.extend([0, 0]);
    frame.extend(message);
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    let bytes = u32::try_from(frame.len()).unwrap();
    file.extend([at_secs, 0, bytes, bytes].iter().flat_map(|word: &u32| word.to_le_bytes()));
    file.extend(frame);
    file
}

#[test]
fn a_machine_whose_name_is_markup_is_shown_by_that_name() {
    let place = Place::new();
    place.write("lease.pcap", lease(1_800_000_000, "<img src=x onerror=alert(1)>", "<script>alert(2)</script>"));
    let mut command = place.command(&["replay", "--serve", "127.0.0.1:0", "--rules", RULES, "lease.pcap"]);
    let replay = Replay::started(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    browse(&place, &format!("http://{}", replay.address), "markup");
    let outcome = place.run(&["replay", "--report", "report.html", "--rules", RULES, "lease.pcap"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    browse(&place, &format!("file://{}", place.path("report.html").display()), "markup");
}

#[test]
fn a_replay_that_serves_ends_well_when_it_is_interrupted() {
    let place = Place::new();
    let mut replay = Replay::serve(&place, CONFIG, &[]).judged(&place);
    signal(&replay.child, "INT");
    let mut summary = String::new();
    replay.child.stdout.take().unwrap().read_to_string(&mut summary).unwrap();
    assert_eq!(replay.child.wait().unwrap().code(), Some(0));
    assert!(summary.contains("\nIncidents 1"), "{summary}");
}

fn make_certificate(place: &Place) -> bool {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(place.path("key.pem"))
        .arg("-out")
        .arg(place.path("cert.pem"))
        .output();
    made.is_ok_and(|output| output.status.success())
}

#[test]
fn a_web_configuration_puts_tls_and_users_before_everything() {
    let place = Place::new();
    if !make_certificate(&place) {
        return eprintln!("skipped: openssl is not installed");
    }
    // The password is `secret`.
    place.write(
        "web.yml",
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n\
         basic_auth_users: {ann: \"$2b$04$DEJhWm9FmzfkTD9E.KR/suzPwa8SyX7BbJ9e5LTrg04YGbGPZxdK2\"}\n",
    );
    let config = fs::read_to_string(CONFIG).unwrap() + "\nserver: {web_config: web.yml}\n";
    let config = place.write("spanwatch.yml", config).display().to_string();
    let replay = Replay::serve(&place, &config, &[]);
    let code = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["-s", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
            .arg(place.path("cert.pem"))
            .args(arguments)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let url = format!("https://{}/api/v1/status", replay.address);
    assert_eq!(code(&[&url]), "401");
    assert_eq!(code(&["-u", "ann:wrong", &url]), "401");
    assert_eq!(code(&["-u", "ann:secret", &url]), "200");
    assert_eq!(code(&[&format!("http://{}/api/v1/status", replay.address)]), "000", "in clear");
    assert_eq!(code(&["-k", &format!("https://{}/-/healthy", replay.address)]), "200");

    place.write("password", "secret\n");
    place.write("wrong", "geheim\n");
    place.write("other.pem", include_str!("../src/serve/console/icon.svg"));
    let (address, url) = (&replay.address, format!("https://{}", replay.address));
    let ours = ["--ca-file", "cert.pem"];
    let ann = ["--user", "ann", "--password-file", "password"];
    let top = |more: &[&str]| place.run(&[&["top", "--once"], more].concat());
    let seen = top(&[&[&*url], &ours[..], &ann].concat());
    assert!(seen.code == Some(0) && seen.stdout.starts_with("spanwatch 0.1.0 at 127.0.0.1:"), "{seen:?}");
    for (arguments, code, why) in [
        (vec![&*url, "--ca-file", "cert.pem"], 1, "it asks who you are: --token, or --user and --password-file".into()),
        (
            [&[&*url], &ours[..], &["--user", "ann", "--password-file", "wrong"]].concat(),
            1,
            "it does not know the token or the user with this password".to_owned(),
        ),
        (
            vec![&*url],
            1,
            "its certificate is signed by nobody in /etc/ssl/certs/ca-certificates.crt; name the file of who signs it"
                .into(),
        ),
        (vec![&**address], 1, "it does not speak HTTP; is it https://?".into()),
    ] {
        let outcome = top(&arguments);
        let expected = format!("spanwatch: {address}: {why}; give the address of server.listen\n");
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(code), &*expected));
    }
    let outcome = top(&[&*url, "--ca-file", "other.pem"]);
    let expected = "spanwatch: other.pem: cannot read certificates: there is no certificate in it\n";
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(2), expected));
}
