use super::*;
use crate::facts::{Name, Statement};
use crate::protocol::Protocol;
use crate::protocol::http::tests::{base64, client, fields, fixture, server};
use crate::protocol::tests::{Fixture, hex};
use crate::protocol::{dns, http};

type Turn = (Sender, Vec<u8>);

pub(in crate::protocol::http) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture("a call of grpc", grpc()),
        fixture("http/2 asked for in http/1", upgrade()),
        fixture("dns messages in bodies", dns_in_bodies()),
    ]
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap();
    [&len.to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])
}

/// A field that enters the table, its name out of the static one.
fn field(name: u8, value: &str) -> Vec<u8> {
    [&[0x40 | name, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

const AUTHORITY: u8 = 1;
const PATH: u8 = 4;
const CONTENT_TYPE: u8 = 31;
const SERVER: u8 = 54;
const USER_AGENT: u8 = 58;
/// `:method` GET and POST, `:status` 200.
const GET: u8 = 0x82;
const POST: u8 = 0x83;
const OK: u8 = 0x88;

fn beginning() -> Vec<Turn> {
    vec![(Sender::Client, [wire::PREFACE, &settings()].concat()), (Sender::Server, settings())]
}

/// The head in three frames, the first one padded and with a priority; then again, out of the table.
fn grpc() -> Vec<Turn> {
    let head = [
        vec![POST],
        field(PATH, "/lab.Desk/Look"),
        field(AUTHORITY, "Lab.Example:50051"),
        field(CONTENT_TYPE, "application/grpc"),
        field(USER_AGENT, "grpc-go/1.60.0"),
    ]
    .concat();
    let first = [&[3][..], &[0, 0, 0, 0, 15], &head[..9], &[0; 3]].concat();
    let mut chunks = beginning();
    chunks.push((
        Sender::Client,
        [
            frame(HEADERS, PADDED | PRIORITY, 1, &first),
            frame(CONTINUATION, 0, 1, &head[9..20]),
            frame(CONTINUATION, END_HEADERS, 1, &head[20..]),
            frame(DATA, END_STREAM, 1, &[0, 0, 0, 0, 2, 8, 1]),
        ]
        .concat(),
    ));
    let promise = [&[0, 0, 0, 2, GET][..], &field(PATH, "/style.css")].concat();
    let answer = [vec![OK], field(SERVER, "envoy")].concat();
    chunks.push((
        Sender::Server,
        [
            frame(PUSH_PROMISE, END_HEADERS, 1, &promise),
            frame(HEADERS, END_HEADERS, 1, &answer),
            frame(DATA, 0, 1, &[0, 0, 0, 0, 0]),
            // The trailers: `grpc-status: 0`.
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &hex("000b 677270632d737461747573 01 30")),
        ]
        .concat(),
    ));
    // The newest entry is 62: user agent, content type, authority, path.
    let again = [POST, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62];
    chunks.push((Sender::Client, frame(HEADERS, END_HEADERS | END_STREAM, 3, &again)));
    let elsewhere = [&again[..2], &field(AUTHORITY, "other.example"), &[0x80 | 64, 0x80 | 63]].concat();
    chunks.push((Sender::Client, frame(HEADERS, END_HEADERS | END_STREAM, 5, &elsewhere)));
    chunks
}

fn upgrade() -> Vec<Turn> {
    let mut chunks = vec![
        client(
            "GET / HTTP/1.1\r\nHost: one.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        ),
        server("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    ];
    let answer = [settings(), frame(HEADERS, END_HEADERS | END_STREAM, 1, &[OK])].concat();
    chunks[1].1.extend(answer);
    let head = [vec![GET], field(PATH, "/"), field(AUTHORITY, "two.example")].concat();
    let asked = [wire::PREFACE, &settings(), &frame(HEADERS, END_HEADERS | END_STREAM, 3, &head)].concat();
    chunks.push((Sender::Client, asked));
    chunks
}

fn dns_messages() -> [Vec<u8>; 2] {
    let [(_, query), (_, answer)] = &dns::tests::fixtures()[0].chunks[..] else { panic!("a query and its answer") };
    [query.clone(), answer.clone()]
}

/// A question in a body and another in a target (RFC 8484 §4.1), and the answers, one of them in two frames.
fn dns_in_bodies() -> Vec<Turn> {
    let [query, answer] = dns_messages();
    let head = |method: u8, target: &str| [vec![method], field(PATH, target), field(AUTHORITY, "dns.example")].concat();
    let target = format!("/dns-query?dns={}", base64(&query).replace('+', "-").replace('/', "_"));
    let post = [head(POST, "/dns-query"), field(CONTENT_TYPE, "application/dns-message")].concat();
    let padded = [&[2][..], &query, &[0, 0]].concat();
    let mut chunks = beginning();
    chunks.push((
        Sender::Client,
        [
            frame(HEADERS, END_HEADERS, 1, &post),
            frame(DATA, PADDED | END_STREAM, 1, &padded),
            frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(GET, &target)),
        ]
        .concat(),
    ));
    let head = [vec![OK], field(CONTENT_TYPE, "application/dns-message")].concat();
    let (first, rest) = answer.split_at(20);
    chunks.push((
        Sender::Server,
        [
            frame(HEADERS, END_HEADERS, 3, &head),
            frame(HEADERS, END_HEADERS, 1, &[OK, 0x80 | 62]),
            frame(DATA, 0, 1, first),
            frame(DATA, END_STREAM, 3, &answer),
            frame(DATA, END_STREAM, 1, rest),
        ]
        .concat(),
    ));
    chunks
}

#[test]
fn a_call_of_grpc_names_its_host_and_its_client() {
    let facts = fixture("", grpc()).facts();
    assert_eq!(fields(&facts, "http.version"), ["2", "2"]);
    assert_eq!(fields(&facts, "url.domain"), ["lab.example", "other.example"]);
    assert_eq!(fields(&facts, "url.port"), ["50051"]);
    assert_eq!(fields(&facts, "http.request.content_type"), ["application/grpc", "application/grpc"]);
    assert_eq!(fields(&facts, "user_agent.original"), ["grpc-go/1.60.0", "grpc-go/1.60.0"]);
    assert_eq!(fields(&facts, "http.response.status_code"), ["200"]);
    assert_eq!(fields(&facts, "http.server"), ["envoy"]);
}

#[test]
fn what_follows_an_upgrade_is_read() {
    let facts = fixture("", upgrade()).facts();
    assert_eq!(fields(&facts, "url.domain"), ["one.example", "two.example"]);
    assert_eq!(fields(&facts, "http.upgrade"), ["h2c"]);
    assert_eq!(fields(&facts, "http.version"), ["2"]);
}

fn names(facts: &[(Protocol, Statement)]) -> Vec<&Name> {
    let of_dns = facts.iter().filter(|(protocol, _)| *protocol == dns::SPEC.protocol);
    of_dns
        .map(|(_, kind)| match kind {
            Statement::Name(name) => name.as_ref(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn dns_messages_are_told_as_names() {
    let facts = fixture("", dns_in_bodies()).facts();
    let names = names(&facts);
    assert_eq!(names.iter().map(|name| name.answered).collect::<Vec<_>>(), [false, false, true, true]);
    assert!(names.iter().all(|name| name.question == Some("www.example.com".into())));
    assert_eq!(names[2].addresses.len(), 2);
    assert!(facts.iter().any(|(protocol, _)| *protocol == http::PROTOCOL));
}

#[test]
fn a_body_longer_than_a_message_may_be_is_passed_over() {
    let head = [vec![OK], field(CONTENT_TYPE, "application/dns-message")].concat();
    for payload in [vec![0; MESSAGE_BYTES_MAX + 1], vec![0; 3000]] {
        let mut http2 = Http2::default();
        let data = frame(DATA, 0, 1, &payload);
        let bytes = [settings(), frame(HEADERS, END_HEADERS, 1, &head), data.clone(), data].concat();
        let mut cursor = Cursor::new(&bytes);
        assert!(matches!(http2.next(Sender::Server, &mut cursor), Ok(Some(Said::Head(_)))));
        assert!(matches!(http2.next(Sender::Server, &mut cursor), Ok(None)));
        assert!(cursor.is_empty());
        assert!(http2.server.bodies.iter().all(|(_, body)| body.len() <= MESSAGE_BYTES_MAX));
    }
}

#[test]
fn no_more_bodies_are_kept_than_the_limit() {
    let mut http2 = Http2::default();
    let head = [vec![OK], field(CONTENT_TYPE, "application/dns-message")].concat();
    let heads = (0..100).map(|stream| frame(HEADERS, END_HEADERS, 2 * stream + 1, &head));
    let bytes = [settings(), heads.collect::<Vec<_>>().concat()].concat();
    let mut cursor = Cursor::new(&bytes);
    while let Ok(Some(_)) = http2.next(Sender::Server, &mut cursor) {}
    assert!(cursor.is_empty());
    assert_eq!(http2.server.bodies.len(), BODIES_MAX);
}

#[test]
fn frames_that_break_the_rules_are_refused() {
    let headers = frame(HEADERS, 0, 1, &[GET]);
    let broken = [
        // Something else than settings first; padding longer than its frame; a block interrupted, or by another stream.
        vec![frame(DATA, 0, 1, &[])],
        vec![settings(), frame(HEADERS, PADDED | END_HEADERS, 1, &[5, GET])],
        vec![settings(), headers.clone(), settings()],
        vec![settings(), headers.clone(), frame(CONTINUATION, END_HEADERS, 3, &[GET])],
        vec![settings(), frame(CONTINUATION, END_HEADERS, 1, &[GET])],
        vec![settings(), headers, frame(CONTINUATION, 0, 1, &[0; BLOCK_BYTES_MAX])],
        vec![settings(), frame(HEADERS, 0, 1, &[0; BLOCK_BYTES_MAX + 1])],
        vec![settings(), frame(HEADERS, END_HEADERS, 1, &[0x80])],
    ];
    for frames in broken {
        let bytes = frames.concat();
        let mut cursor = Cursor::new(&bytes);
        assert!(Http2::default().next(Sender::Server, &mut cursor).is_err(), "{frames:?}");
    }
}

#[test]
fn the_server_may_be_seen_first() {
    let mut chunks = grpc();
    chunks.swap(0, 1);
    assert_eq!(fields(&fixture("", chunks).facts(), "url.domain"), ["lab.example", "other.example"]);
}

#[test]
fn a_connect_names_where_it_is_for_in_its_authority() {
    let head = [&[0x42, 7][..], b"CONNECT", &field(AUTHORITY, "Relay.Example:443")].concat();
    let mut chunks = beginning();
    chunks.push((Sender::Client, frame(HEADERS, END_HEADERS, 1, &head)));
    chunks.push((Sender::Server, frame(HEADERS, END_HEADERS, 1, &[OK])));
    let facts = fixture("", chunks).facts();
    assert_eq!(fields(&facts, "http.request.target_form"), ["authority"]);
    // The answers to several streams come in any order.
    assert_eq!(fields(&facts, "url.domain"), ["relay.example"]);
    assert_eq!(fields(&facts, "http.response.status_code"), ["200"]);
}
