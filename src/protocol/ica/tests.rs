use super::*;
use crate::protocol::tests::Fixture;

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![Fixture {
        name: "greetings",
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 45_225,
        server_port: 1494,
        chunks: vec![(Sender::Server, GREETING.to_vec()), (Sender::Client, GREETING.to_vec())],
    }]
}

#[test]
fn greetings_of_both_sides_are_one_remote_desktop() {
    let facts = fixtures()[0].facts();
    assert!(matches!(facts.as_slice(), [(PROTOCOL, FactKind::RemoteDesktop(_))]), "{facts:?}");
}

#[test]
fn one_side_alone_is_no_claim() {
    let fixture = &fixtures()[0];
    assert!(fixture.facts_of(&fixture.chunks[..1]).is_empty());
    let other = [fixture.chunks[0].clone(), (Sender::Client, b"\x7fELF\x02\x01".to_vec())];
    assert!(fixture.facts_of(&other).is_empty());
}
