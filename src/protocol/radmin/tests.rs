use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let mut answer = hex("01 00 00 00 25 00 00 02 12 08 02 00 00 0a");
    answer.resize(46, 0);
    let fixture = |name, chunks| Fixture {
        name,
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 49_736,
        server_port: 4899,
        chunks,
    };
    vec![
        fixture("a greeting and its answer", vec![(Sender::Client, hex(GREETING)), (Sender::Server, answer)]),
        fixture("the same from both sides", vec![(Sender::Client, hex(OTHER)), (Sender::Server, hex(OTHER))]),
    ]
}

const GREETING: &str = "01 00000001 00000008 08";
const OTHER: &str = "01 00000005 00000027 27 00 00 00 00";

#[test]
fn an_answered_greeting_is_one_remote_desktop() {
    for fixture in fixtures() {
        let facts = fixture.facts();
        assert!(matches!(facts.as_slice(), [(PROTOCOL, Statement::RemoteDesktop(_))]), "{}: {facts:?}", fixture.name);
        let elsewhere = Fixture { server_port: 4900, ..fixture };
        assert_eq!(elsewhere.facts().len(), 1, "{}", elsewhere.name);
    }
}

#[test]
fn a_greeting_that_is_answered_otherwise_is_no_claim() {
    let fixture = &fixtures()[0];
    assert_eq!(fixture.facts_of(&fixture.chunks[..1]).len(), 1, "the server is not seen");
    assert!(fixture.facts_of(&[(Sender::Client, hex(GREETING)[..9].to_vec())]).is_empty());
    let goes_on = [&hex(GREETING)[..], &[1, 0, 0, 0, 1]].concat();
    assert_eq!(fixture.facts_of(&[(Sender::Client, goes_on)]).len(), 1, "nor does the client wait for it");
    let elsewhere = Fixture { server_port: 4900, ..fixture.clone() };
    assert!(elsewhere.facts_of(&fixture.chunks[..1]).is_empty());
    let answered = fixture.facts_of(&[fixture.chunks[0].clone(), (Sender::Server, b"HTTP/1.1 400\r\n".to_vec())]);
    assert!(answered.iter().all(|(protocol, _)| protocol.as_str() == "http"), "{answered:?}");
}

#[test]
fn one_side_is_enough_on_the_port_and_is_the_server_that_has_it() {
    for fixture in fixtures() {
        for chunk in &fixture.chunks {
            assert_eq!(fixture.facts_of(std::slice::from_ref(chunk)).len(), 1, "{}", fixture.name);
            let elsewhere = Fixture { server_port: 4900, ..fixture.clone() };
            assert!(elsewhere.facts_of(std::slice::from_ref(chunk)).is_empty(), "{}", fixture.name);
        }
    }
    let bytes = hex(OTHER);
    assert_eq!(probe(&Opening { client_port: 4899, server_port: 49_736, ..opening(&bytes) }), Probe::Reversed);
}

/// Nothing, zeros, what is too long, another version, and checksums of what else the body may be.
#[test]
fn a_message_that_does_not_add_up_is_not_radmins() {
    for text in [
        "01 00000000 00000000",
        "01 00000005 00000000 00 00 00 00 00",
        "01 00000401 00000008 08",
        "02 00000001 00000008 08",
        "01 00000001 00000009 08",
        "01 00000005 00000027 27 00 00 00 01",
        "01 00000004 00000027 00 00 00 27",
    ] {
        let bytes = hex(text);
        assert_eq!(probe(&opening(&bytes)), Probe::No, "{text}");
        for len in 1..bytes.len() {
            assert_ne!(probe(&opening(&bytes[..len])), Probe::Match, "{text}");
        }
    }
    assert_eq!(message(&mut Cursor::new(&hex("01 00000005 80000001 ffffff7f 02"))), Ok(Some(&hex("ffffff7f 02")[..])));
}

fn opening(bytes: &[u8]) -> Opening<'_> {
    let (transport, sender) = (Transport::Tcp, Sender::Client);
    Opening { transport, sender, client_port: 49_736, server_port: 4899, is_midway: false, bytes, missing: 0 }
}
