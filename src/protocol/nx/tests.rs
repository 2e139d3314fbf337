use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        Fixture {
            name: "greetings",
            protocol: PROTOCOL,
            transport: Transport::Tcp,
            client_port: 48_084,
            server_port: 4000,
            chunks: vec![(Sender::Client, b"NXSH-8.10.1\n".to_vec()), (Sender::Server, b"NXD-8.10.1\n".to_vec())],
        },
        Fixture {
            name: "media over UDP",
            protocol: PROTOCOL,
            transport: Transport::Udp,
            client_port: 51_984,
            server_port: 4011,
            chunks: vec![
                (Sender::Client, hex("01 00 01 00 0a 00 00 00 00 00")),
                (Sender::Server, hex("02 00 01 00 0a 00 00 00 00 00")),
                (Sender::Client, hex("03 00 01 00 0e 00 07 00 00 00 a1 b2 c3 d4")),
            ],
        },
    ]
}

#[test]
fn three_heads_are_nx_whoever_sends_them_and_whatever_lies_between() {
    let media = &fixtures()[1];
    let mut of_client: Vec<_> = [0, 2, 0].iter().map(|&at| media.chunks[at].clone()).collect();
    of_client[0].1[0] = 0xc7;
    assert_eq!(media.facts_of(&of_client).len(), 1);
    let foreign = |count| vec![(Sender::Server, vec![0x5a; 40]); count];
    let between = |count| [&media.chunks[..1], &foreign(count), &media.chunks[1..]].concat();
    assert_eq!(media.facts_of(&between(8)).len(), 1);
    assert!(media.facts_of(&between(9)).is_empty());
}

#[test]
fn datagrams_of_another_length_are_not_nx() {
    let media = &fixtures()[1];
    let mut longer = media.chunks.clone();
    longer[2].1.push(0);
    assert!(media.facts_of(&longer).is_empty());
    assert_eq!(media.facts().len(), 1);
}

#[test]
fn greetings_are_one_remote_desktop_with_both_versions() {
    let facts = fixtures()[0].facts();
    let [(PROTOCOL, Statement::RemoteDesktop(desktop))] = facts.as_slice() else { panic!("{facts:?}") };
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
