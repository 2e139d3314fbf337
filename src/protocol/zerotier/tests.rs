use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let chunks = vec![(Sender::Client, hello(LAPTOP, GATE)), (Sender::Server, encrypted(GATE, LAPTOP))];
    let amid = vec![(Sender::Client, encrypted(LAPTOP, GATE)), (Sender::Server, encrypted(GATE, LAPTOP))];
    vec![fixture("a hello", 51_820, chunks), fixture("amid the flow", PORT, amid)]
}

const GATE: &str = "62f865ae71";
const LAPTOP: &str = "9c1f2e3d4c";

fn fixture(name: &'static str, server_port: u16, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: SPEC.protocol, transport: Transport::Udp, client_port: 40_123, server_port, chunks }
}

fn hello(from: &str, to: &str) -> Vec<u8> {
    let mut bytes = hex(&format!("1122334455667788 {to} {from} 00 a1a2a3a4a5a6a7a8 01"));
    bytes.extend(hex(&format!("0b 01 0a 0006 0000018c0f0e0d0c {from} 00")));
    bytes.extend(1..=64);
    bytes.extend(hex("00 04 cb007107 2709"));
    bytes
}

fn encrypted(from: &str, to: &str) -> Vec<u8> {
    hex(&format!("99aabbccddeeff01 {to} {from} 08 b1b2b3b4b5b6b7b8 9e 0102030405060708090a0b0c"))
}

fn tunnel(fixture: &Fixture) -> Option<Tunnel> {
    match &fixture.facts()[..] {
        [] => None,
        [(_, Statement::Tunnel(tunnel))] => Some((**tunnel).clone()),
        facts => panic!("{facts:?}"),
    }
}

#[test]
fn a_hello_and_its_answer_are_one_tunnel_with_both_addresses() {
    let tunnel = tunnel(&fixtures()[0]).unwrap();
    assert!(tunnel.established);
    assert_eq!(tunnel.fields.get(CLIENT), Some(&Text::from(LAPTOP).into()));
    assert_eq!(tunnel.fields.get(SERVER), Some(&Text::from(GATE).into()));
    assert_eq!(tunnel.fields.get(VERSION), Some(&Text::from("1.10.6").into()));
}

#[test]
fn a_hello_without_an_answer_is_a_tunnel_that_is_not_established() {
    let mut unanswered = fixtures().remove(0);
    unanswered.chunks.truncate(1);
    assert!(!tunnel(&unanswered).unwrap().established);
    unanswered.chunks = vec![(Sender::Client, hello(LAPTOP, GATE)); 12];
    assert!(!tunnel(&unanswered).unwrap().established);
}

#[test]
fn amid_the_flow_the_port_and_both_directions_tell() {
    assert!(tunnel(&fixtures()[1]).unwrap().established);
    assert!(tunnel(&Fixture { server_port: 5000, ..fixtures().remove(1) }).is_none());
    let mut one_sided = fixtures().remove(1);
    one_sided.chunks.truncate(1);
    assert!(tunnel(&one_sided).is_none());
    let mut strangers = fixtures().remove(1);
    strangers.chunks[1].1 = encrypted(GATE, "0102030405");
    assert!(tunnel(&strangers).is_none());
}

#[test]
fn a_hello_with_the_identity_of_another_is_none() {
    let mut stray = fixtures().remove(0);
    stray.chunks.truncate(1);
    stray.chunks[0].1[41] ^= 1;
    assert!(tunnel(&stray).is_none());
}
