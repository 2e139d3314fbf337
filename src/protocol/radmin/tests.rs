use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let mut answer = hex("01 00 00 00 25 00 00 02 12 08 02 00 00 0a");
    answer.resize(46, 0);
    vec![Fixture {
        name: "a greeting and its answer",
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 49_736,
        server_port: 4899,
        chunks: vec![(Sender::Client, GREETING.to_vec()), (Sender::Server, answer)],
    }]
}

#[test]
fn an_answered_greeting_is_one_remote_desktop() {
    let facts = fixtures()[0].facts();
    assert!(matches!(facts.as_slice(), [(PROTOCOL, Statement::RemoteDesktop(_))]), "{facts:?}");
}

#[test]
fn a_greeting_that_is_answered_otherwise_is_no_claim() {
    let fixture = &fixtures()[0];
    assert_eq!(fixture.facts_of(&fixture.chunks[..1]).len(), 1, "the server is not seen");
    assert!(fixture.facts_of(&[(Sender::Client, GREETING[..9].to_vec())]).is_empty());
    let goes_on = [&GREETING[..], &[1, 0, 0, 0, 1]].concat();
    assert_eq!(fixture.facts_of(&[(Sender::Client, goes_on)]).len(), 1, "nor does the client wait for it");
    let elsewhere = Fixture { server_port: 4900, ..fixture.clone() };
    assert!(elsewhere.facts_of(&fixture.chunks[..1]).is_empty());
    let answered = fixture.facts_of(&[fixture.chunks[0].clone(), (Sender::Server, b"HTTP/1.1 400\r\n".to_vec())]);
    assert!(answered.iter().all(|(protocol, _)| protocol.as_str() == "http"), "{answered:?}");
}
