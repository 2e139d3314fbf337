use super::*;
use crate::protocol::tests::Fixture;

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![Fixture {
        name: "greetings",
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 48_084,
        server_port: 4000,
        chunks: vec![(Sender::Client, b"NXSH-8.10.1\n".to_vec()), (Sender::Server, b"NXD-8.10.1\n".to_vec())],
    }]
}

#[test]
fn greetings_are_one_remote_desktop_with_both_versions() {
    let facts = fixtures()[0].facts();
    let [(PROTOCOL, FactKind::RemoteDesktop(desktop))] = facts.as_slice() else { panic!("{facts:?}") };
    for field in ["nx.client_version", "nx.server_version"] {
        assert_eq!(desktop.fields.get(field), Some(&Text::from("8.10.1").into()));
    }
}

#[test]
fn what_only_resembles_a_greeting_is_not_nx() {
    let opening = |bytes| Opening {
        transport: Transport::Tcp,
        sender: Sender::Client,
        client_port: 50_000,
        server_port: 4000,
        is_midway: false,
        bytes,
    };
    assert_eq!(probe(&opening(b"NXSH-8")), Probe::More);
    assert_eq!(probe(&opening(b"NXD-8.1\n")), Probe::Reversed);
    assert_eq!(probe(&opening(b"NXSH-x\n")), Probe::No);
    assert_eq!(probe(&opening(b"NOTICE\r\n")), Probe::No);
}
