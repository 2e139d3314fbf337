use super::*;
use crate::protocol::tests::Fixture;

pub(crate) fn fixtures() -> Vec<Fixture> {
    let greetings = |name, server_port, chunks| Fixture {
        name,
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 45_225,
        server_port,
        chunks,
    };
    let reliable = |rest: &[u8]| [CGP, &[0; 4], rest].concat();
    vec![
        greetings("greetings", 1494, vec![(Sender::Server, ICA.to_vec()), (Sender::Client, ICA.to_vec())]),
        greetings(
            "session reliability",
            2598,
            vec![
                (Sender::Client, reliable(&[0x17, 0x01, 0x02, 0x03, 0x00, 0x01, 0x06, 0x17, 0x01, 0x00, 0x0a])),
                (Sender::Server, reliable(&[0x10, 0x01, 0x02, 0x03, 0x00, 0x01, 0x06])),
            ],
        ),
    ]
}

#[test]
fn greetings_of_both_sides_are_one_remote_desktop() {
    for fixture in fixtures() {
        let facts = fixture.facts();
        assert!(matches!(facts.as_slice(), [(PROTOCOL, Statement::RemoteDesktop(_))]), "{facts:?}");
    }
}

#[test]
fn one_side_is_told_unless_the_other_says_something_else() {
    for fixture in fixtures() {
        assert_eq!(fixture.facts_of(&fixture.chunks[..1]).len(), 1);
        let (sender, greeting) = &fixture.chunks[0];
        assert!(fixture.facts_of(&[(*sender, greeting[..5].to_vec())]).is_empty());
    }
    let fixture = &fixtures()[0];
    let other = [fixture.chunks[0].clone(), (Sender::Client, b"\x7fELF\x02\x01".to_vec())];
    assert!(fixture.facts_of(&other).is_empty());
}
