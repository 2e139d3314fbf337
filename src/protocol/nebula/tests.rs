use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![Fixture {
        name: "a handshake",
        protocol: SPEC.protocol,
        transport: Transport::Udp,
        client_port: 4343,
        server_port: 4242,
        chunks: vec![(Sender::Client, initiation()), (Sender::Server, answer())],
    }]
}

/// Recorded from Nebula 1.6.1.
fn initiation() -> Vec<u8> {
    hex("10000000 00000000 0000000000000001
         52174dab331e0473014d26fde22025b539f11ad17db8eaefb11e2d1108f38632
         52f198f15cf6ca1a3c4778dc9ff92fb3936528125cd0ded5c54a0caa8992f900
         0aa201 0a8f01 0a4b 0a08 6c6170746f702d37 1209 8280b45280feffff0f 2206 72656d6f7465 2886c398d806 3085aa9de706
         4a20 e88e6d0516ee3696bd08bf7a88e9e3088b58d1ead76fc1756a4f7c4fae645cd9
         1240 f6f9d09cd1830bfcc8aa9b8e4ea4d9cd6b9d5ccdd0cfd80c26914ba1df0badb2f00ad70aca5f537d5f686be7d10850663f4b64e3e5
         b120d4bee13b9a8c980e02 10d6bfdbfe01 28d6d795a7d8fbc7f518")
}

/// The header, and the beginning of what is encrypted.
fn answer() -> Vec<u8> {
    hex("10000000 1fd6dfd6 0000000000000002 d6f919959dd904cb4d8c47eb48cd7ec086938457")
}

fn tunnel(chunks: Vec<(Sender, Vec<u8>)>) -> Option<Tunnel> {
    let mut fixture = fixtures().remove(0);
    fixture.chunks = chunks;
    match &fixture.facts()[..] {
        [] => None,
        [(_, Statement::Tunnel(tunnel))] => Some((**tunnel).clone()),
        facts => panic!("{facts:?}"),
    }
}

#[test]
fn a_handshake_is_one_tunnel_with_the_machines_name() {
    let tunnel = tunnel(fixtures().remove(0).chunks).unwrap();
    assert!(tunnel.established);
    assert_eq!(tunnel.fields.get(NAME), Some(&Text::from("laptop-7").into()));
}

#[test]
fn an_answer_to_another_machine_establishes_nothing() {
    let mut stray = answer();
    stray[7] ^= 1;
    assert!(!tunnel(vec![(Sender::Client, initiation()), (Sender::Server, stray)]).unwrap().established);
    assert!(!tunnel(vec![(Sender::Client, initiation())]).unwrap().established);
}

#[test]
fn what_is_not_a_first_message_is_no_tunnel() {
    let cut = initiation()[..100].to_vec();
    let mut second = initiation();
    second[15] = 2;
    for bytes in [cut, second, answer()] {
        assert!(tunnel(vec![(Sender::Client, bytes)]).is_none());
    }
}
