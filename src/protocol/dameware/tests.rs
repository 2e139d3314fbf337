use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let version = hex("30 11 00 00 00 00 00 00 c3 f5 28 5c 8f 02 28 40 00 00 00 00 00 00 00 00");
    vec![Fixture {
        name: "a version of both sides",
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 49_800,
        server_port: PORT,
        chunks: vec![(Sender::Server, version.clone()), (Sender::Client, version)],
    }]
}

#[test]
fn a_server_that_tells_its_version_on_its_port_is_one_remote_desktop() {
    let facts = fixtures()[0].facts();
    assert!(matches!(facts.as_slice(), [(PROTOCOL, Statement::RemoteDesktop(_))]), "{facts:?}");
}

#[test]
fn another_port_another_speaker_and_no_version_are_no_claim() {
    let fixture = fixtures().remove(0);
    let (_, version) = fixture.chunks[0].clone();
    assert!(Fixture { server_port: 389, ..fixture.clone() }.facts().is_empty());
    assert!(fixture.facts_of(&[(Sender::Client, version.clone())]).is_empty());
    let mut other = version;
    other[15] = 0;
    assert!(fixture.facts_of(&[(Sender::Server, other)]).is_empty());
}
