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
fn heads_on_ports_that_nobody_gave_to_nx_prove_nothing() {
    let media = &fixtures()[1];
    for (client_port, server_port, claims) in [(51_984, 5000, 0), (51_984, 4000, 1), (4999, 51_984, 1)] {
        let elsewhere = Fixture { client_port, server_port, ..media.clone() };
        assert_eq!(elsewhere.facts().len(), claims, "{client_port} {server_port}");
    }
}

#[test]
fn the_tls_of_a_side_that_is_seen_alone_is_read() {
    let greetings = &fixtures()[0];
    let tls = crate::protocol::tls::tests::fixtures().swap_remove(2);
    let of = |sender: Sender| {
        let tls: Vec<u8> =
            tls.chunks.iter().filter(|chunk| chunk.0 == sender).flat_map(|chunk| chunk.1.clone()).collect();
        let greeting = greetings.chunks.iter().find(|chunk| chunk.0 == sender).unwrap().1.clone();
        (greeting, tls)
    };
    for sender in [Sender::Client, Sender::Server] {
        let (greeting, tls) = of(sender);
        let facts = greetings.facts_of(&[(sender, greeting.clone()), (sender, tls.clone())]);
        let spoken: Vec<_> = facts.iter().map(|(protocol, _)| protocol.as_str()).collect();
        assert!(spoken.starts_with(&["nx", "tls"]), "{sender:?}: {facts:?}");
        let whole = [greeting, tls].concat();
        for len in 1..whole.len() {
            let (before, behind) = whole.split_at(len);
            let cut = greetings.facts_of(&[(sender, before.to_vec()), (sender, behind.to_vec())]);
            assert_eq!(format!("{cut:?}"), format!("{facts:?}"), "{sender:?} cut at {len}");
        }
    }
    // A client that does not wait for the server's greeting with its hello.
    let (greeting, said) = of(Sender::Client);
    let hello = 5 + usize::from(u16::from_be_bytes([said[3], said[4]]));
    let chunks = [(Sender::Client, [&greeting, &said[..hello]].concat()), greetings.chunks[1].clone()];
    let facts = greetings.facts_of(&[&chunks[..], &[(Sender::Server, of(Sender::Server).1)]].concat());
    let malformed = facts.iter().any(|(_, kind)| matches!(kind, Statement::Malformed(_)));
    assert!(!malformed && facts.len() > 2, "{facts:?}");
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
        missing: 0,
    };
    assert_eq!(probe(&opening(b"NXSH-8")), Probe::More);
    assert_eq!(probe(&opening(b"NXD-8.1\n")), Probe::Reversed);
    assert_eq!(probe(&opening(b"NXSH-x\n")), Probe::No);
    assert_eq!(probe(&opening(b"NOTICE\r\n")), Probe::No);
}
