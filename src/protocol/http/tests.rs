use super::*;
use crate::facts::Value;
use crate::protocol::session::Session;
use crate::protocol::tests::Fixture;
use crate::protocol::{gss, tls};

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let mut fixtures = vec![
        fixture("two hosts on one connection", two_hosts()),
        fixture("through a proxy", through_a_proxy()),
        fixture("a web socket", web_socket()),
        fixture("a log-on with ntlm", log_on("200 OK")),
        fixture("a desktop in a web socket", desktop_in_a_web_socket()),
        fixture("a client of NetSupport Manager", netsupport()),
        fixture("a gateway", vec![client(&asking("RDG_OUT_DATA /remoteDesktopGateway/", ""))]),
    ];
    fixtures.extend(http2::tests::fixtures());
    fixtures.extend(lenience_tests::fixtures());
    fixtures
}

pub(crate) fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport: Transport::Tcp, client_port: 49_152, server_port: 8080, chunks }
}

pub(crate) fn client(text: &str) -> (Sender, Vec<u8>) {
    (Sender::Client, text.as_bytes().into())
}

pub(crate) fn server(text: &str) -> (Sender, Vec<u8>) {
    (Sender::Server, text.as_bytes().into())
}

fn two_hosts() -> Vec<(Sender, Vec<u8>)> {
    vec![
        client(
            "POST /login?key=secret HTTP/1.1\r\nHost: One.Example:8080\r\nUser-Agent: curl/8.5.0\r\nCookie: a=b\r\nContent-Length: 4\r\n\r\nbody",
        ),
        server("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 2\r\n\r\nok"),
        client(
            "GET / HTTP/1.1\r\nHost: one.example:8080\r\nUser-Agent: curl/8.5.0\r\n\r\nGET / HTTP/1.1\nhost: two.example\n\n",
        ),
        server(
            "HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
    ]
}

/// A poll and its answer, as published: zeek-netsupport-detector, and write-ups of captures.
pub(crate) fn netsupport() -> Vec<(Sender, Vec<u8>)> {
    let answer = "HTTP/1.1 200 OK\r\nServer: NetSupport Gateway/1.6 (Windows NT)\r\n\
                  Content-Type: application/x-www-form-urlencoded\r\nContent-Length:    20\r\n\
                  Connection: Keep-Alive\r\n\r\nCMD=ENCD\nES=1\nDATA=.";
    vec![
        client(
            "POST http://192.0.2.9/fakeurl.htm HTTP/1.1\r\nUser-Agent: NetSupport Manager/1.3\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length:    22\r\nHost: 192.0.2.9\r\n\
             Connection: Keep-Alive\r\n\r\nCMD=POLL\nINFO=1\nACK=1\n",
        ),
        server(answer),
    ]
}

/// `user:pass`, refused once.
fn through_a_proxy() -> Vec<(Sender, Vec<u8>)> {
    let hello = tls::tests::fixtures().swap_remove(0).chunks;
    let mut chunks = vec![
        client("CONNECT kvm.example.net:443 HTTP/1.1\r\nHost: kvm.example.net:443\r\n\r\n"),
        server("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!"),
        client("CONNECT kvm.example.net:443 HTTP/1.1\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"),
        server("HTTP/1.1 200 Connection established\r\n\r\n"),
    ];
    chunks.extend(hello);
    chunks
}

fn web_socket() -> Vec<(Sender, Vec<u8>)> {
    vec![
        client(
            "GET /websockify HTTP/1.1\r\nHost: [2001:db8::1]:6080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        ),
        server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"),
    ]
}

/// What noVNC and websockify say: RFB in frames, the client's masked; a ping between them.
fn desktop_in_a_web_socket() -> Vec<(Sender, Vec<u8>)> {
    let mut chunks = web_socket();
    let inside: [(Sender, &[u8]); 6] = [
        (Sender::Server, b"RFB 003.008\n"),
        (Sender::Client, b"RFB 003.008\n"),
        (Sender::Server, &[1, 1]),
        (Sender::Client, &[1]),
        (Sender::Server, &[0, 0, 0, 0]),
        (Sender::Client, &[1]),
    ];
    chunks.extend(inside.map(|(sender, bytes)| (sender, frame(sender, 0x82, bytes))));
    chunks.push((Sender::Server, frame(Sender::Server, 0x89, b"are you there?")));
    let desktop = [&[0x04, 0x00, 0x03, 0x00][..], &[0; 16], &[0, 0, 0, 6], b"lab:1 "].concat();
    let (first, rest) = desktop.split_at(9);
    chunks.push((Sender::Server, [frame(Sender::Server, 0x02, first), frame(Sender::Server, 0x80, rest)].concat()));
    chunks
}

fn frame(sender: Sender, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let len = payload.len() as u8;
    match sender {
        Sender::Client => {
            let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            [first, 0x80 | len].into_iter().chain(mask).chain(masked).collect()
        }
        Sender::Server => [&[first, len][..], payload].concat(),
    }
}

fn asking(line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: gate.example\r\n{headers}\r\n")
}

/// Negotiate, challenge in chunks with a trailer, authenticate, and the server's judgement.
fn log_on(judgement: &str) -> Vec<(Sender, Vec<u8>)> {
    let request = |token: &[u8]| {
        client(&format!("GET / HTTP/1.1\r\nHost: dav.example\r\nAuthorization: NTLM {}\r\n\r\n", base64(token)))
    };
    let challenge = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM {}\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
         Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nno!\r\n0\r\nX-Trailer: 1\r\n\r\n",
        base64(&ntlm::tests::challenge())
    );
    vec![
        request(b"NTLMSSP\0\x01\0\0\0"),
        server(&challenge),
        request(&gss::tests::response(ntlm::tests::authenticate("CORP", "alice", "LAPTOP-7"))),
        server(&format!("HTTP/1.1 {judgement}\r\nContent-Length: 0\r\n\r\n")),
    ]
}

pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks(3).flat_map(|group| {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        (0..=group.len()).map(move |at| char::from(ALPHABET[bits >> (18 - 6 * at) & 0x3f]))
    });
    digits.collect()
}

pub(super) fn fields(facts: &[(Protocol, Statement)], name: &str) -> Vec<String> {
    let value = |(_, kind): &(Protocol, Statement)| match kind {
        Statement::Hello(hello) => match hello.fields.get(name)? {
            Value::Text(text) => Some(text.to_string()),
            Value::Word(word) => Some((*word).to_owned()),
            Value::Number(number) => Some(number.to_string()),
            other => panic!("{other:?}"),
        },
        _ => None,
    };
    facts.iter().filter_map(value).collect()
}

#[test]
fn each_host_is_told_once() {
    let facts = fixture("", two_hosts()).facts();
    assert_eq!(fields(&facts, "url.domain"), ["one.example", "two.example"]);
    assert_eq!(fields(&facts, "http.request.method"), ["POST", "GET"]);
    assert_eq!(fields(&facts, "user_agent.original"), ["curl/8.5.0"]);
    assert_eq!(fields(&facts, "http.response.status_code"), ["200"]);
    assert_eq!(fields(&facts, "http.server"), ["nginx"]);
}

fn credentials(facts: &[(Protocol, Statement)]) -> Vec<&Credential> {
    let of_ntlm = facts.iter().filter(|(protocol, _)| *protocol == ntlm::PROTOCOL);
    of_ntlm
        .filter_map(|(_, kind)| match kind {
            Statement::Credential(credential) => Some(credential.as_ref()),
            _ => None,
        })
        .collect()
}

#[test]
fn an_ntlm_log_on_is_one_credential_with_the_servers_name_and_judgement() {
    for (judgement, outcome) in [("200 OK", Outcome::Success), ("401 Unauthorized", Outcome::Failure)] {
        let facts = fixture("", log_on(judgement)).facts();
        let [credential] = credentials(&facts)[..] else { panic!("{facts:?}") };
        assert_eq!(credential.user, Some("alice".into()));
        assert_eq!(credential.host, Some("LAPTOP-7".into()));
        assert_eq!(credential.outcome, Some(outcome));
        assert_eq!(credential.fields.get("ntlm.server_name"), Some(&Text::from("files.example.com").into()));
    }
}

#[test]
fn a_log_on_that_only_began_was_not_judged() {
    let mut chunks = log_on("200 OK");
    chunks.truncate(1);
    chunks.push(server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let facts = fixture("", chunks).facts();
    let [credential] = credentials(&facts)[..] else { panic!("{facts:?}") };
    assert_eq!((&credential.user, credential.outcome), (&None, None));
}

#[test]
fn an_answer_to_head_has_no_body() {
    let chunks = vec![
        client("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        server("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        client("GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\r\n"),
        server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
    ];
    assert_eq!(fields(&fixture("", chunks).facts(), "http.response.status_code"), ["200", "101"]);
}

#[test]
fn what_is_secret_is_not_told() {
    let told = format!("{:?}{:?}", fixture("", two_hosts()).facts(), fixture("", through_a_proxy()).facts());
    for secret in ["login", "secret", "a=b", "pass", "dXNlcj"] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[test]
fn a_proxy_hands_over_to_what_is_spoken_through_it() {
    let facts = fixture("", through_a_proxy()).facts();
    assert_eq!(fields(&facts, "url.domain"), ["kvm.example.net"; 3], "asked for twice, and opened");
    assert_eq!(fields(&facts, "url.port"), ["443", "443"]);
    assert_eq!(fields(&facts, "http.response.status_code"), ["407", "200"]);
    let users: Vec<&Text> = facts
        .iter()
        .filter_map(|(_, kind)| match kind {
            Statement::Credential(credential) => credential.user.as_ref(),
            _ => None,
        })
        .collect();
    assert_eq!(users, [&"user".into()]);
    assert_eq!(facts.iter().filter(|(protocol, _)| *protocol == tls::PROTOCOL).count(), 2);
}

#[test]
fn a_client_that_does_not_wait_for_the_proxy_is_followed() {
    let mut chunks = through_a_proxy();
    chunks.remove(3);
    assert_eq!(fixture("", chunks).facts().iter().filter(|(protocol, _)| *protocol == tls::PROTOCOL).count(), 2);
}

#[test]
fn a_change_to_web_sockets_is_told() {
    let facts = fixture("", web_socket()).facts();
    assert_eq!(fields(&facts, "http.upgrade"), ["websocket"]);
    assert_eq!(fields(&facts, "url.domain"), ["[2001:db8::1]"]);
}

#[test]
fn a_capture_that_began_with_the_answer_finds_the_server() {
    let mut chunks = two_hosts();
    chunks.remove(0);
    let flipped = chunks.into_iter().map(|(sender, bytes)| (sender.other(), bytes)).collect();
    let facts = fixture("", flipped).facts();
    assert_eq!(fields(&facts, "url.domain"), ["one.example", "two.example"]);
}

#[test]
fn a_hole_within_a_body_loses_nothing() {
    let mut parser = Http::new(fixture("", Vec::new()).start());
    let mut facts = Vec::new();
    let mut say = |parser: &mut Http, text: &str| {
        parser.on_bytes(
            Chunk { at: Default::default(), sender: Sender::Client, bytes: text.as_bytes(), missing: 0 },
            &mut facts,
        )
    };
    say(&mut parser, "PUT /a HTTP/1.1\r\nHost: one.example\r\nContent-Length: 1000\r\n\r\n1234567890");
    assert_eq!(parser.on_gap(Sender::Client, 980), Progress::Continue { consumed: 0 });
    say(&mut parser, "1234567890GET / HTTP/1.1\r\nHost: two.example\r\n\r\n");
    assert_eq!(facts.len(), 2);
}

#[test]
fn behind_a_hole_a_client_is_read_on_from_the_next_turn_that_begins_with_a_request() {
    let asks = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let hosts = |behind: &[String]| {
        let mut session = Session::new(fixture("", Vec::new()).start());
        let mut facts = Vec::new();
        let mut say = |session: &mut Session, (sender, bytes): (Sender, Vec<u8>)| {
            session.on_bytes(Chunk { at: Default::default(), sender, bytes: &bytes, missing: 0 }, &mut facts);
        };
        say(&mut session, client(&asks("one.example")));
        session.on_gap(Sender::Client, 100, &mut Vec::new());
        for text in behind {
            say(&mut session, client(&text[..3]));
            say(&mut session, client(&text[3..]));
            say(&mut session, server("HTTP/1.1 204 No Content\r\n\r\n"));
        }
        fields(&facts, "url.domain")
    };
    assert_eq!(hosts(&[asks("two.example")]), ["one.example", "two.example"]);
    let rest = format!("Accept: */*\r\n\r\n{}", asks("two.example"));
    assert_eq!(hosts(&[rest, asks("three.example")]), ["one.example", "three.example"]);
}

/// Whatever a client asks, a server of HTTP answers in HTTP: RFC 9112 §2.2 and §3.
#[test]
fn a_request_that_cannot_be_read_does_not_hide_the_answer() {
    let answer = "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n";
    for odd in ["GET /x\r\n", "COPY /x\r\n\r\n", "BREW pot HTTP/1.1\r\nHost: a.example\r\n\r\n", "\u{1}\u{2}\u{3}"] {
        let chunks = vec![client(odd), server(answer), client("GET / HTTP/1.1\r\nHost: two.example\r\n\r\n")];
        for cut in 0..odd.len() {
            let (begin, rest) = odd.split_at(cut);
            let mut chunks = chunks.clone();
            chunks.splice(..1, [client(begin), client(rest)]);
            let facts = fixture("", chunks).facts();
            assert_eq!(fields(&facts, "http.server"), ["nginx"], "{odd:?} {cut}");
            assert_eq!(fields(&facts, "url.domain"), ["two.example"], "{odd:?} {cut}");
        }
        assert_eq!(fixture("", vec![client(odd), server("HTTP 400\r\n")]).facts().len(), 0);
    }
}

#[test]
fn the_end_of_something_else_amid_a_flow_is_no_part_of_a_method_or_an_answer() {
    let request = client("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let answer = server("HTTP/1.1 204 No Content\r\n\r\n");
    for chunks in [
        vec![client("z"), request.clone(), answer.clone()],
        vec![client("zzz"), server("yyy"), request.clone(), answer.clone()],
        vec![server("yyy"), request, answer],
    ] {
        let mut session = Session::new(Start { is_midway: true, ..fixture("", Vec::new()).start() });
        let mut facts = Vec::new();
        for (sender, bytes) in &chunks {
            session.on_bytes(Chunk { at: Default::default(), sender: *sender, bytes, missing: 0 }, &mut facts);
        }
        assert_eq!(fields(&facts, "http.request.method"), ["GET"], "{chunks:?}");
        assert_eq!(fields(&facts, "http.response.status_code"), ["204"], "{chunks:?}");
    }
}

/// RFC 9110 §9.1, RFC 9112 §2.2 and §2.3.
#[test]
fn odd_requests_are_read_where_they_cannot_be_anything_else() {
    let asked = |text: &str| fields(&fixture("", vec![client(text)]).facts(), "http.request.method");
    let headers = "Host: a.example\r\n\r\n";
    for (line, method) in [
        ("get / http/1.1", "get"),
        ("BREW /pot HTTP/1.1", "BREW"),
        ("SOURCE http://a.example/ HTTP/1.0", "SOURCE"),
        ("GET  HTTP/1.1", "GET"),
        ("GET / HTTP/1.2", "GET"),
        ("\r\nGET / HTTP/1.1", "GET"),
    ] {
        assert_eq!(asked(&format!("{line}\r\n{headers}")), [method], "{line:?}");
    }
    for line in [
        "BREW pot HTTP/1.1",
        "BREW /pot HTTP/2.0",
        "DESCRIBE /x RTSP/1.0",
        "A-METHOD-OF-TOO-MANY-LETTERS / HTTP/1.1",
        "\r\n\r\nBREW / HTTP/1.1",
    ] {
        assert_eq!(asked(&format!("{line}\r\n{headers}")), [""; 0], "{line:?}");
    }
}

#[test]
fn a_hole_that_ends_with_the_body_loses_nothing() {
    let mut parser = Http::new(fixture("", Vec::new()).start());
    let mut facts = Vec::new();
    let mut say = |parser: &mut Http, text: &str| {
        parser.on_bytes(
            Chunk { at: Default::default(), sender: Sender::Client, bytes: text.as_bytes(), missing: 0 },
            &mut facts,
        )
    };
    say(&mut parser, "PUT /a HTTP/1.1\r\nHost: one.example\r\nContent-Length: 1000\r\n\r\n1234567890");
    assert_eq!(parser.on_gap(Sender::Client, 990), Progress::Continue { consumed: 0 });
    say(&mut parser, "GET / HTTP/1.1\r\nHost: two.example\r\n\r\n");
    assert_eq!(facts.len(), 2);
}

/// RFC 9110 §15.2: an interim response announces the one that answers.
#[test]
fn an_interim_response_is_not_the_answer() {
    let chunks = vec![
        client("PUT /a HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"),
        server("HTTP/1.1 100 Continue\r\n\r\n"),
        client("body"),
        server("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nServer: nginx\r\n\r\n"),
    ];
    let facts = fixture("", chunks).facts();
    assert_eq!(fields(&facts, "http.response.status_code"), ["201"]);
    assert_eq!(fields(&facts, "http.server"), ["nginx"]);
}

/// RFC 9112 §2.2.
#[test]
fn an_empty_line_between_requests_is_none_of_them() {
    let first = "POST /a HTTP/1.1\r\nHost: one.example\r\nContent-Length: 4\r\n\r\nbody";
    for between in ["\r\n", "\r\n\r\n"] {
        let text = format!("{first}{between}GET / HTTP/1.1\r\nHost: two.example\r\n\r\n");
        for cut in 0..text.len() {
            let (begin, rest) = text.split_at(cut);
            let facts = fixture("", vec![client(begin), client(rest)]).facts();
            assert_eq!(fields(&facts, "url.domain"), ["one.example", "two.example"], "{between:?} {cut}");
        }
    }
}

#[test]
fn the_first_letter_of_each_method_leads_here() {
    assert!(wire::METHODS.is_sorted(), "they are sought by halves");
    for method in wire::METHODS {
        let first = method.as_bytes()[0];
        assert!(SPEC.opens_with.iter().any(|(from, to)| (*from..=*to).contains(&first)), "{method}");
        let chunks = vec![client(&format!("{method} /a HTTP/1.1\r\nHost: a.example\r\n\r\n"))];
        assert_eq!(fields(&fixture("", chunks).facts(), "http.request.method"), [*method]);
    }
}

#[test]
fn first_lines_are_judged_strictly() {
    let line = |text: &str| wire::first_line(text.as_bytes()).map(|line| line.is_some());
    assert_eq!(line("GET / HTTP/1.1\r\n"), Ok(true));
    assert_eq!(line("HTTP/1.0 200\r\n"), Ok(true));
    assert_eq!(line("http/1.1 200 ok\r\n"), Ok(true));
    assert_eq!(line("CONNECT mail.example:25 / HTTP/1.0\r\n"), Ok(true));
    assert_eq!(line("GET /\r\n"), Ok(true));
    assert_eq!(line("GET / HTTP/1.1"), Ok(false));
    assert_eq!(line("RDG_OUT"), Ok(false));
    assert_eq!(line("BREW /pot"), Ok(false));
    for text in ["GET / HTTP/2\r\n", "GET x\r\n", "GETS x", "HELO example.com\r\n", "HTTP/1.1 abc\r\n", "HTTP/3"] {
        assert_eq!(line(text), Err("first_line"), "{text}");
    }
    let endless = format!("GET /{}", "a".repeat(wire::HEAD_BYTES_MAX));
    assert_eq!(line(&endless), Err("first_line"));
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(wire::HEAD_BYTES_MAX));
    assert_eq!(wire::head(&mut Cursor::new(endless.as_bytes())).map(|head| head.unwrap().is_cut), Ok(true));
}

#[test]
fn authorities_have_hosts_and_ports() {
    assert_eq!(wire::authority(b"example.com:443"), (&b"example.com"[..], Some(443)));
    assert_eq!(wire::authority(b"user:pass@example.com"), (&b"example.com"[..], None));
    assert_eq!(wire::authority(b"[::1]:80"), (&b"[::1]"[..], Some(80)));
    assert_eq!(wire::authority(b"[::1]"), (&b"[::1]"[..], None));
    assert_eq!(wire::authority_of(b"http://example.com/a?b"), Some(&b"example.com"[..]));
    assert_eq!(wire::authority_of(b"/a"), None);
}

#[test]
fn only_the_user_of_a_credential_is_decoded() {
    assert_eq!(wire::basic_user(b"Basic dXNlcjpwYXNz"), Some(b"user".to_vec()));
    assert_eq!(wire::basic_user(b"basic Og=="), Some(Vec::new()));
    assert_eq!(wire::basic_user(b"Basic dXNlcg=="), None, "no colon");
    assert_eq!(wire::basic_user(b"Bearer dXNlcjpwYXNz"), None);
    assert_eq!(wire::basic_user(b"Basic"), None);
}

fn desktops(fixture: &Fixture) -> Vec<(Protocol, crate::facts::RemoteDesktop)> {
    let desktop = |(protocol, kind)| match kind {
        Statement::RemoteDesktop(desktop) => Some((protocol, *desktop)),
        _ => None,
    };
    fixture.facts().into_iter().filter_map(desktop).collect()
}

#[test]
fn a_desktop_in_a_web_socket_is_read_as_if_it_stood_alone() {
    let [(protocol, desktop)] = &desktops(&fixture("", desktop_in_a_web_socket()))[..] else { panic!() };
    assert_eq!(protocol.as_str(), "rfb");
    assert_eq!(desktop.security, Some("none"));
    assert_eq!(desktop.fields.get("rfb.desktop_name"), Some(&Text::from("lab:1 ").into()));
}

#[test]
fn a_desktop_in_a_web_socket_that_is_compressed_is_known_by_what_was_agreed_on() {
    let switched = |extensions: &str, protocol: &str| {
        let chunks = vec![
            client(&asking("GET /guacamole/websocket-tunnel?token=x", "Upgrade: websocket\r\n")),
            server(&format!(
                "HTTP/1.1 101 \r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: {protocol}\r\n{extensions}\r\n"
            )),
            (Sender::Server, vec![0xc1, 2, 0xaa, 0x00]),
        ];
        desktops(&fixture("", chunks))
    };
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate;client_max_window_bits=15\r\n";
    let [(protocol, _)] = &switched(deflate, "guacamole")[..] else { panic!() };
    assert_eq!(protocol.as_str(), "guacamole");
    assert!(switched(deflate, "chat").is_empty());
    assert!(switched("", "guacamole").is_empty(), "its messages will tell");
}

#[test]
fn a_web_socket_that_carries_something_else_says_nothing_more() {
    let hellos = fixture("", web_socket()).facts().len();
    for (first, payload) in
        [(0x81, &b"{\"user\": 1}"[..]), (0xc2, b"RFB 003.008\n"), (0x83, b"RFB 003.008\n"), (0x82, b"")]
    {
        let mut chunks = web_socket();
        chunks.push((Sender::Server, frame(Sender::Server, first, payload)));
        chunks.push((Sender::Client, frame(Sender::Client, 0x82, b"RFB 003.008\n")));
        let said = fixture("", chunks).facts();
        assert!(said.len() <= hellos + usize::from(payload.is_empty()), "{first:02x} {said:?}");
    }
}

#[test]
fn what_stands_before_a_broken_frame_is_read_however_the_stream_is_cut() {
    let mut chunks = web_socket();
    let mut server = frame(Sender::Server, 0x82, b"RFB 003.008\n");
    server.extend([0xff; 4]);
    chunks.push((Sender::Server, server));
    let cut: Vec<_> =
        chunks.iter().flat_map(|(sender, bytes)| bytes.chunks(1).map(|byte| (*sender, byte.to_vec()))).collect();
    let [whole, cut] = [chunks, cut].map(|chunks| format!("{:?}", fixture("", chunks).facts()));
    assert!(whole.contains("rfb.server_version"), "{whole}");
    assert_eq!(whole, cut);
}

#[test]
fn gateways_are_told_by_what_only_they_are_asked() {
    let told = |line: &str, headers: &str| {
        let facts = fixture("", vec![client(&asking(line, headers))]).facts();
        facts
            .iter()
            .filter(|(_, kind)| !matches!(kind, Statement::Hello(_)))
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("RDG_OUT_DATA /remoteDesktopGateway/", ""), ["rd-gateway"]);
    assert_eq!(told("GET /remoteDesktopGateway/", "Upgrade: websocket\r\n"), ["rd-gateway"]);
    assert_eq!(told("RPC_IN_DATA /rpc/rpcproxy.dll?localhost:3388", ""), ["rd-gateway"]);
    assert_eq!(told("GET /meshrelay.ashx?auth=x", ""), ["meshcentral"]);
    assert_eq!(told("CONNECT /CSCOSSLC/tunnel", ""), ["anyconnect"]);
    assert_eq!(told("GET /remote/sslvpn-tunnel", ""), ["fortinet-sslvpn"]);
    assert_eq!(told("GET /ssl-tunnel-connect.sslvpn?user=x", ""), ["globalprotect"]);
    assert_eq!(told("POST /vpnsvc/connect.cgi", ""), ["softether"]);
    assert_eq!(told("SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/", ""), ["sstp"]);
    assert_eq!(told("GET /", "Upgrade: IF-T/TLS 1.0\r\n"), ["pulse"]);
    assert_eq!(told("GET /.well-known/masque/udp/192.0.2.6/443/", "Upgrade: connect-udp\r\n"), ["masque"]);
    assert_eq!(told("POST /ts2021", "Upgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n"), ["tailscale"]);
    assert_eq!(told("GET /derp", "Upgrade: DERP\r\nConnection: Upgrade\r\n"), ["tailscale"]);
    assert_eq!(told("GET /", "Upgrade: h2c\r\n"), [""; 0]);
    // Mail travels by the same proxy, and other pages have paths like these.
    for line in ["RPC_IN_DATA /rpc/rpcproxy.dll?mail:6001", "GET /vpnsvc/connect.cgi", "GET /agent", "POST /agent.ashx"]
    {
        assert_eq!(told(line, ""), [""; 0], "{line}");
    }
}

#[test]
fn the_machine_of_a_vpns_client_is_named_and_a_cookie_is_not() {
    let headers = "X-CSTP-Hostname: LAPTOP-7\r\nCookie: webvpn=s3cret\r\n";
    let facts = fixture("", vec![client(&asking("CONNECT /CSCOSSLC/tunnel", headers))]).facts();
    let fields =
        facts.iter().find_map(|(_, kind)| matches!(kind, Statement::Tunnel(_)).then(|| kind.fields())?).unwrap();
    assert_eq!(fields.get("host.hostname"), Some(&Text::from("LAPTOP-7").into()));
    assert!(!format!("{facts:?}").contains("s3cret"));
}

#[test]
fn a_head_that_was_cut_short_says_its_first_line() {
    let cut = |sender, text: &str| fixtures()[0].facts_of(&[(sender, text.as_bytes().to_vec())]);
    let facts = cut(Sender::Server, "HTTP/1.1 200 OK\r\nDate: Thu, 10");
    let [(PROTOCOL, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(hello.fields.get("http.response.status_code"), Some(&200_u16.into()));
    let facts = cut(Sender::Client, "GET /index.html HTTP/1.1\r\nHost: exam");
    let [(PROTOCOL, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(hello.fields.iter().count(), 1, "the method alone");
    assert!(cut(Sender::Client, "GET /index.html HT").is_empty());
}

#[test]
fn the_preface_of_http_2_is_told_where_no_request_follows() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    for chunks in [vec![[&preface[..], &settings].concat()], vec![preface[..9].to_vec(), preface[9..].to_vec()]] {
        let chunks: Vec<_> = chunks.into_iter().map(|bytes| (Sender::Client, bytes)).collect();
        let facts = fixtures()[0].facts_of(&chunks);
        let [(PROTOCOL, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
        assert_eq!(hello.fields.get("http.version"), Some(&Value::Word("2")));
    }
    let other = b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec();
    assert!(fixtures()[0].facts_of(&[(Sender::Client, other)]).is_empty());
}
