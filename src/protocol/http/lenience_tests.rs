//! What is not as the specification wants it, and what is said of it all the same.

use super::tests::{client, fields, fixture, server};
use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture("http/0.9", simple("<html>hi</html>")),
        fixture("a line of http/0.9 that is answered with a head", simple("HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhi")),
        fixture("a head that is too long", too_long()),
        fixture("bodies without an end", without_end("Content-Length: -1", "")),
    ]
}

/// RFC 1945 §4.1: one line, and for an answer the document.
fn simple(answer: &str) -> Vec<(Sender, Vec<u8>)> {
    vec![client("GET /index.html\r\n"), server(answer)]
}

fn too_long() -> Vec<(Sender, Vec<u8>)> {
    let cookies = "a".repeat(wire::HEAD_BYTES_MAX);
    vec![
        client(&format!(
            "GET / HTTP/1.1\r\nUser-Agent: a/1\r\nCookie: {cookies}\r\nHost: one.example\r\nContent-Length: 3\r\n\r\nabc"
        )),
        server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        client("GET / HTTP/1.1\r\nHost: two.example\r\n\r\n"),
    ]
}

fn without_end(header: &str, body: &str) -> Vec<(Sender, Vec<u8>)> {
    vec![
        client(&format!("POST / HTTP/1.1\r\nHost: one.example\r\n{header}\r\n\r\n{body}")),
        server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        client("GET / HTTP/1.1\r\nHost: two.example\r\n\r\n"),
    ]
}

/// RFC 9112 §2.3 and §3: the server judges the version, and may read a line that lacks a word.
#[test]
fn a_known_method_is_read_with_any_version_and_without_a_target() {
    for line in [
        "GET HTTP/1.1",
        "GET / ",
        "GET /",
        "GET http://a.example/",
        "GET / HTTP/1.10",
        "GET / HTTP/2.5",
        "GET / HTTP/0.9",
        "GET / HTTP/1.1 \t ",
    ] {
        let text = format!("{line}\r\nHost: a.example\r\nUser-Agent: a/1\r\n\r\n");
        for cut in 0..text.len() {
            let (begin, rest) = text.split_at(cut);
            let facts = fixture("", vec![client(begin), client(rest)]).facts();
            let told = [METHOD, DOMAIN, USER_AGENT].map(|field| fields(&facts, field.name));
            assert_eq!(told, [["GET"], ["a.example"], ["a/1"]], "{line:?} {cut}");
        }
    }
    for line in [
        "BREW HTTP/1.1",
        "BREW /",
        "BREW / HTTP/1.10",
        "COPY /",
        "GET x",
        "GET / HTTP/1",
        "GET / HTTP/1.1.1",
        "GET / HTTP/.1",
        "OPTIONS rtsp://a.example/ RTSP/1.0",
        "OPTIONS sip:a.example SIP/2.0",
        "OPTIONS icap://a.example/ ICAP/1.0",
    ] {
        let facts = fixture("", vec![client(&format!("{line}\r\nHost: a.example\r\n\r\n"))]).facts();
        assert!(facts.is_empty(), "{line:?}");
    }
}

#[test]
fn a_line_without_a_version_is_http_unless_the_answer_is_something_else() {
    let methods = |chunks| fields(&fixture("", chunks).facts(), METHOD.name);
    let request = || simple("").swap_remove(0);
    assert_eq!(methods(vec![request()]), ["GET"]);
    assert_eq!(methods(simple("<html>hi</html>")), ["GET"]);
    assert_eq!(methods(simple("HTTP/1.0 200 OK\r\n\r\nhi")), ["GET"]);
    for other in ["$-1\r\n", "-ERR unknown command\r\n", "500 what?\r\n"] {
        assert!(fixture("", simple(other)).facts().is_empty(), "{other:?}");
    }
    assert!(fixture("", vec![server("GET /index.html\r\n")]).facts().is_empty(), "no server asks so");
    let midway = Start { is_midway: true, ..fixture("", Vec::new()).start() };
    assert_eq!(probe(&midway.opening(Sender::Client, &request().1)), Probe::No);
}

#[test]
fn a_head_that_is_too_long_tells_what_stands_at_its_beginning() {
    let facts = fixture("", too_long()).facts();
    assert_eq!(fields(&facts, USER_AGENT.name), ["a/1"]);
    assert_eq!(fields(&facts, DOMAIN.name), ["two.example"]);
    assert_eq!(fields(&facts, METHOD.name), ["GET", "GET"]);
}

#[test]
fn behind_a_body_without_an_end_the_next_turn_that_begins_with_a_request_is_read() {
    let hosts = |header, body| fields(&fixture("", without_end(header, body)).facts(), DOMAIN.name);
    for (header, body) in [
        ("Content-Length: -1", ""),
        ("Content-Length: 18446744073709551615", "abc"),
        ("Transfer-Encoding: gzip", "abc"),
        ("Transfer-Encoding: chunked", "10000000000000000\r\nabc"),
        ("Transfer-Encoding: chunked", "ffffffffffffffff\r\nabc"),
    ] {
        assert_eq!(hosts(header, body), ["one.example", "two.example"], "{header} {body:?}");
    }
    let pipelined = "GET / HTTP/1.1\r\nHost: three.example\r\n\r\n";
    assert_eq!(hosts("Content-Length: -1", pipelined), ["one.example", "three.example", "two.example"]);
    let within = format!("abc\r\n{pipelined}");
    assert_eq!(hosts("Content-Length: -1", &within), ["one.example", "two.example"], "it may be the body's");
}

#[test]
fn each_pair_of_host_and_program_is_told_once_and_no_more_than_there_is_room_for() {
    let ask = |host: usize| format!("GET / HTTP/1.1\r\nHost: {host}.example\r\nUser-Agent: a/{host}\r\n\r\n");
    let hosts = |requests: &mut dyn Iterator<Item = usize>| {
        let chunks = requests.map(|host| client(&ask(host))).collect();
        fields(&fixture("", chunks).facts(), DOMAIN.name)
    };
    assert_eq!(hosts(&mut (0..300)).len(), 300);
    assert_eq!(hosts(&mut (0..300).map(|host| host % 2)), ["0.example", "1.example"]);
    assert_eq!(hosts(&mut (0..2000)).len(), 512);
    assert_eq!(hosts(&mut (0..2000).map(|host| host / 1023)), ["0.example", "1.example"]);
    assert_eq!(hosts(&mut (0..2000).map(|host| host / 1024)), ["0.example"]);
}

#[test]
fn what_is_begun_and_not_ended_does_not_depend_on_the_segments() {
    let settings =
        || [&hex("000006 04 00 00000000 0003 00000064")[..], b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\n"].concat();
    let lone_line = vec![client("GET /index.html\r\nx"), (Sender::Server, settings())];
    let begun = vec![
        client("\u{1f}PORT / HTTP/1.1\r\nHost: one.example\r\n\r\n"),
        server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        client("GET / HTTP/1.1\r\nHost: two"),
    ];
    assert_eq!(fields(&fixture("", begun.clone()).facts(), METHOD.name), ["GET"]);
    // A server that asks, and then breaks the rules.
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &hex("000000 04 00 00000000")[..]].concat();
    let asking = hex("000000 04 00 00000000  000001 01 04 00000001 82  000001 01 04 00000003 7f");
    let asked = vec![(Sender::Client, preface), (Sender::Server, asking)];
    assert_eq!(fields(&fixture("", asked.clone()).facts(), VERSION.name), ["2"]);
    // Prefaces of HTTP/2 that are not the first of a side.
    let switched = "HTTP/1.1 121 Switching\r\n\r\n";
    let switched =
        [switched.as_bytes(), &hex("000006 04 00 00000000 0003 00000064  000001 01 05 00000001 88")].concat();
    let late = vec![client("GET / HTTP/1.1\rA\r\n\r\n"), (Sender::Server, switched), asked[0].clone()];
    let behind = vec![(Sender::Client, [b"\x01\r\n\r\n", &asked[0].1[..]].concat()), server("HTTP/1.1 200 OK\r\n\r\n")];
    for chunks in [lone_line, begun, asked, late, behind] {
        let fixture = fixture("", chunks);
        assert_eq!(format!("{:?}", fixture.facts()), format!("{:?}", fixture.facts_by_bytes()));
    }
}
