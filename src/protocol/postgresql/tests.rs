use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let (client, server) = (Sender::Client, Sender::Server);
    vec![
        fixture("postgresql, TLS", vec![(client, ask()), (server, b"S".to_vec()), (server, tls_hello())]),
        fixture("postgresql in clear", vec![(client, ask()), (server, b"N".to_vec()), (client, startup())]),
    ]
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let (protocol, transport) = (SPEC.protocol, Transport::Tcp);
    Fixture { name, protocol, transport, client_port: 50_000, server_port: 5432, chunks }
}

/// SSLRequest: 8 bytes, 80877103.
fn ask() -> Vec<u8> {
    hex("00000008 04d2162f")
}

fn startup() -> Vec<u8> {
    let pairs = b"user\0ann\0database\0books\0\0";
    let len = u32::try_from(pairs.len() + 8).unwrap();
    [&len.to_be_bytes()[..], &hex("00030000"), pairs].concat()
}

fn tls_hello() -> Vec<u8> {
    hex(&format!("16 0303 002a 02 000026 0303 {} 00 c02f 00", "5a".repeat(32)))
}

#[test]
fn tls_follows_where_it_is_granted() {
    let facts = fixtures()[0].facts();
    assert!(matches!(&facts[..], [(_, Statement::Hello(_)), (tls::PROTOCOL, Statement::Hello(_))]), "{facts:?}");
}

#[test]
fn a_log_on_in_clear_names_the_user() {
    for chunks in [&fixtures()[1].chunks[..], &[(Sender::Client, startup())]] {
        let facts = fixtures()[1].facts_of(chunks);
        let [(_, Statement::Hello(_)), (_, Statement::Credential(credential))] = &facts[..] else {
            panic!("{facts:?}")
        };
        assert_eq!(credential.user, Some("ann".into()));
    }
}

/// Version 3.2 of PostgreSQL 18, and the one by which its successor tries what servers do of a minor that none has.
#[test]
fn any_minor_version_is_read() {
    for minor in [[0, 2], [0x27, 0x0f]] {
        let mut bytes = startup();
        bytes[6..8].copy_from_slice(&minor);
        assert_eq!(fixtures()[1].facts_of(&[(Sender::Client, bytes)]).len(), 2, "{minor:?}");
    }
}

#[test]
fn a_message_that_does_not_add_up_is_none() {
    let spoilt = |at: usize, value: u8| {
        let mut bytes = startup();
        bytes[at] = value;
        fixtures()[1].facts_of(&[(Sender::Client, bytes)])
    };
    assert!(spoilt(3, 0x20).is_empty(), "shorter than its pairs");
    assert!(spoilt(5, 2).is_empty(), "version 2");
    assert!(spoilt(2, 0xff).is_empty(), "longer than any");
}

#[test]
fn a_server_that_refuses_tls_and_goes_on_ends_it_however_the_stream_is_cut() {
    let (client, server) = (Sender::Client, Sender::Server);
    let together = vec![(client, ask()), (server, b"N\xd0".to_vec()), (client, startup())];
    let apart = vec![(client, ask()), (server, b"N".to_vec()), (server, b"\xd0".to_vec()), (client, startup())];
    for chunks in [together, apart] {
        let facts = fixtures()[1].facts_of(&chunks);
        assert!(matches!(&facts[..], [(_, Statement::Hello(_))]), "{facts:?}");
    }
}
