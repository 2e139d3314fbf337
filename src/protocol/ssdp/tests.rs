use super::*;
use crate::facts::Value;
use crate::protocol::tests::Fixture;

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        udp("a search", vec![(Sender::Client, SEARCH.into())]),
        udp("an announcement", vec![(Sender::Client, ANNOUNCEMENT.into())]),
        udp("an answer", vec![(Sender::Client, ANSWER.into())]),
        udp("a search without an end", vec![(Sender::Client, SEARCH.trim_end_matches("\r\n\r\n").into())]),
    ]
}

const SEARCH: &str = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
    ST: urn:dial-multiscreen-org:service:dial:1\r\nUSER-AGENT: Google Chrome/114.0.5735.199 Windows\r\n\r\n";
const ANNOUNCEMENT: &str = "NOTIFY * HTTP/1.1\r\nHOST: [FF02::C]:1900\r\nCACHE-CONTROL: max-age=1800\r\n\
    LOCATION: http://[fe80::1]:2869/upnphost/udhisapi.dll?content=uuid:1\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\n\
    SERVER: Microsoft-Windows/10.0 UPnP/1.0 UPnP-Device-Host/1.0\r\n\
    USN: uuid:2fac1234-31f8-11b4-a222-08002b34c003::upnp:rootdevice\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\n\
    USN: uuid:1::upnp:rootdevice\r\nEXT:\r\nSERVER: Linux UPnP/1.1 MiniUPnPd/2.2.1\r\n\r\n";

fn udp(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport: Transport::Udp, client_port: 50_000, server_port: 1900, chunks }
}

fn values(text: &str, name: &str) -> Vec<Value> {
    let chunks = vec![(Sender::Client, text.into()); 3];
    let facts = udp("", chunks).facts();
    facts.iter().filter_map(|(_, kind)| kind.fields()?.get(name).cloned()).collect()
}

fn text(value: &str) -> Vec<Value> {
    vec![Text::from(value).into()]
}

#[test]
fn a_search_is_told_once_with_the_group_and_the_program() {
    assert_eq!(values(SEARCH, "url.domain"), text("239.255.255.250"));
    assert_eq!(values(SEARCH, "user_agent.original"), text("Google Chrome/114.0.5735.199 Windows"));
    assert_eq!(values(SEARCH, "ssdp.device.kind"), text("urn:dial-multiscreen-org:service:dial:1"));
}

#[test]
fn an_announcement_tells_what_the_machine_is_and_runs() {
    assert_eq!(values(ANNOUNCEMENT, "url.domain"), text("[ff02::c]"));
    assert_eq!(values(ANNOUNCEMENT, "http.server"), text("Microsoft-Windows/10.0 UPnP/1.0 UPnP-Device-Host/1.0"));
    let name = "uuid:2fac1234-31f8-11b4-a222-08002b34c003::upnp:rootdevice";
    assert_eq!(values(ANNOUNCEMENT, "ssdp.device.name"), text(name));
}

#[test]
fn only_whoever_answers_is_the_server() {
    let opening = |sender, text: &'static str| Opening {
        transport: Transport::Udp,
        sender,
        client_port: 50_000,
        server_port: 1900,
        is_midway: false,
        bytes: text.as_bytes(),
        missing: 0,
    };
    assert_eq!(probe(&opening(Sender::Client, ANSWER)), Probe::Reversed);
    assert_eq!(probe(&opening(Sender::Server, ANSWER)), Probe::Match);
}

#[test]
fn at_its_port_the_first_line_is_enough() {
    for (told, domain) in [
        ("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nST: ssdp:al", 1),
        ("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", 1),
        ("M-SEARCH /x HTTP/1.1\r\n", 0),
        ("NOTIFY * HTTP/1.0\r\nNTS: ssdp:byebye\r\n\r\n", 0),
        ("HTTP/1.1 200 OK\r\nLOCATION: http://192.0.2.1/\r\n\r\n", 0),
    ] {
        let facts = udp("", vec![(Sender::Client, told.into()); 2]).facts();
        let [(PROTOCOL, Statement::Hello(hello))] = &facts[..] else { panic!("{told}: {facts:?}") };
        assert_eq!(hello.fields.get("url.domain").is_some(), domain == 1, "{told}");
        assert_eq!(hello.fields.get("ssdp.device.kind"), None, "{told}");
        assert!(message(told.as_bytes(), false).is_none(), "{told}");
    }
    for other in ["GET * HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n", "NOTIFY * SIP/2.0\r\n", "NOTIFY *"] {
        assert!(message(other.as_bytes(), true).is_none(), "{other}");
    }
}

#[test]
fn other_http_in_datagrams_is_no_claim() {
    for text in [
        "NOTIFY /event HTTP/1.1\r\nNT: upnp:event\r\n\r\n",
        "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n",
        "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n",
        "M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n",
    ] {
        assert!(message(text.as_bytes(), false).is_none(), "{text}");
    }
}
