//! Where a request is for, and through whom.

use super::tests::{client, fields, fixture, server};
use super::*;

fn forms(request: &str) -> Vec<String> {
    fields(&fixture("", vec![client(request)]).facts(), "http.request.target_form")
}

#[test]
fn the_form_of_a_target_tells_a_proxys_client() {
    assert_eq!(forms("GET / HTTP/1.1\r\nHost: relay.example\r\n\r\n"), [""; 0]);
    assert_eq!(forms("OPTIONS * HTTP/1.1\r\nHost: relay.example\r\n\r\n"), [""; 0]);
    assert_eq!(forms("GET http://relay.example/ HTTP/1.1\r\nHost: relay.example\r\n\r\n"), ["absolute"]);
    assert_eq!(forms("GET HTTP://relay.example/ HTTP/1.1\r\nHost: relay.example\r\n\r\n"), ["absolute"]);
    assert_eq!(forms("CONNECT relay.example:443 HTTP/1.1\r\n\r\n"), ["authority"]);
    // A gateway of a VPN is asked itself.
    assert_eq!(forms("CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: gate.example\r\n\r\n"), [""; 0]);
}

#[test]
fn an_absolute_target_names_the_host_where_no_header_does() {
    for scheme in ["http", "HTTPS"] {
        let request = format!("GET {scheme}://Relay.Example:8080/a?b HTTP/1.0\r\n\r\n");
        assert_eq!(fields(&fixture("", vec![client(&request)]).facts(), "url.domain"), ["relay.example"]);
    }
}

/// What the answers say of where they come from.
fn opened(status: &str, request: &str) -> Vec<String> {
    let answer = server(&format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
    let facts = fixture("", vec![client(request), answer]).facts();
    let of_server = |kind: &Statement| matches!(kind, Statement::Hello(hello) if hello.sender == Sender::Server);
    fields(&facts.into_iter().filter(|(_, kind)| of_server(kind)).collect::<Vec<_>>(), "url.domain")
}

#[test]
fn a_proxy_that_opens_a_tunnel_says_where_it_leads() {
    let connect = "CONNECT Relay.Example:443 HTTP/1.1\r\nHost: relay.example:443\r\n\r\n";
    assert_eq!(opened("200 Connection established", connect), ["relay.example"]);
    assert_eq!(opened("403 Forbidden", connect), [""; 0]);
    assert_eq!(opened("407 Proxy Authentication Required", connect), [""; 0]);
    let get = "GET http://relay.example/ HTTP/1.1\r\nHost: relay.example\r\n\r\n";
    assert_eq!(opened("200 OK", get), [""; 0]);
}
