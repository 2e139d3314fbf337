use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let (client, server) = (Sender::Client, Sender::Server);
    vec![
        fixture("mysql, TLS", vec![(server, greeting()), (client, request("0daa0300", "")), (server, tls_hello())]),
        fixture("mysql in clear", vec![(server, greeting()), (client, request("05a20f00", "616e6e00 14 aabb"))]),
    ]
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let (protocol, transport) = (SPEC.protocol, Transport::Tcp);
    Fixture { name, protocol, transport, client_port: 50_000, server_port: 3306, chunks }
}

fn framed(number: u8, body: Vec<u8>) -> Vec<u8> {
    [vec![u8::try_from(body.len()).unwrap(), 0, 0, number], body].concat()
}

/// Version 10, `8.0.36`, thread 7, challenge, capabilities, character set, status, more of them, more challenge.
fn greeting() -> Vec<u8> {
    let tail = "07000000 6161616161616161 00 ffff 08 0200 ffc1 15 00000000000000000000 626262626262626262626262 00";
    framed(0, [vec![10], b"8.0.36\0".to_vec(), hex(tail)].concat())
}

/// Capabilities, the longest packet, a character set, 23 zeros, and what may follow.
fn request(capabilities: &str, more: &str) -> Vec<u8> {
    framed(1, hex(&format!("{capabilities} 00000001 21 {} {more}", "00".repeat(23))))
}

fn tls_hello() -> Vec<u8> {
    hex(&format!("16 0303 002a 02 000026 0303 {} 00 c02f 00", "5a".repeat(32)))
}

#[test]
fn the_servers_version_is_told_and_tls_follows() {
    let facts = fixtures()[0].facts();
    let [(_, Statement::Hello(hello)), (tls::PROTOCOL, Statement::Hello(_))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((hello.sender, hello.software.clone()), (Sender::Server, Some("8.0.36".into())));
}

#[test]
fn a_log_on_in_clear_names_the_user() {
    let facts = fixtures()[1].facts();
    let [_, (_, Statement::Credential(credential))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((credential.user.clone(), credential.outcome), (Some("ann".into()), None));
}

#[test]
fn what_only_resembles_a_greeting_is_none() {
    for (at, value) in [(0, 1), (1, 1), (3, 1), (4, 9), (5, 0x01), (24, 1)] {
        let mut spoilt = fixtures().swap_remove(0);
        spoilt.chunks[0].1[at] = value;
        assert!(spoilt.facts().iter().all(|(protocol, _)| *protocol != SPEC.protocol), "byte {at}");
    }
}

#[test]
fn a_server_that_goes_on_behind_its_greeting_is_told_by_it_however_it_was_cut() {
    let mut fixture = fixtures().swap_remove(1);
    fixture.chunks[0].1.push(0);
    let [(_, Statement::Hello(_))] = &fixture.facts()[..] else { panic!("its greeting alone") };
    let mut cut = fixture.chunks.clone();
    let at = greeting().len();
    let rest = cut[0].1.split_off(at);
    cut.insert(1, (Sender::Server, rest));
    assert_eq!(format!("{:?}", fixture.facts_of(&cut)), format!("{:?}", fixture.facts()));
}
