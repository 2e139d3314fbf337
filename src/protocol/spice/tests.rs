use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![fixture("the main channel", main_channel()), fixture("the display", vec![(Sender::Client, link(2))])]
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport: Transport::Tcp, client_port: 41_412, server_port: 5930, chunks }
}

/// Recorded from spicy-screenshot 0.42 and QEMU 7.2; the ticket is counted bytes.
fn main_channel() -> Vec<(Sender, Vec<u8>)> {
    let ticket = [hex("01000000"), vec![0x5a; 128]].concat();
    let init = hex("6700 20000000 01c7095f010000000100000001000000000000000a000000cc95b00000e0ff02");
    let name = hex("7100 10000000 0c000000 51454d5520372e322e323200");
    vec![
        (Sender::Client, link(1)),
        (Sender::Server, answer(0)),
        (Sender::Client, ticket),
        (Sender::Server, [hex("00000000"), init, name].concat()),
    ]
}

fn link(channel: u8) -> Vec<u8> {
    let mut bytes = hex("52454451 02000000 02000000 1a000000 00000000");
    bytes.extend([channel, 0]);
    bytes.extend(hex("01000000 01000000 12000000 0d000000 0f000000"));
    bytes
}

fn answer(error: u8) -> Vec<u8> {
    let mut bytes = hex("52454451 02000000 02000000 ba000000");
    bytes.extend([error, 0, 0, 0]);
    bytes.extend([0x30; 162]);
    bytes.extend(hex("01000000 01000000 b2000000 0b000000 0f000000"));
    bytes
}

fn desktop(chunks: Vec<(Sender, Vec<u8>)>) -> RemoteDesktop {
    match &fixture("", chunks).facts()[..] {
        [(PROTOCOL, Statement::RemoteDesktop(desktop))] => (**desktop).clone(),
        facts => panic!("{facts:?}"),
    }
}

#[test]
fn the_main_channel_is_one_remote_desktop_with_the_machines_name() {
    let desktop = desktop(main_channel());
    assert_eq!(desktop.security, Some("ticket"));
    assert_eq!(desktop.fields.get(SUCCESS), Some(&true.into()));
    assert_eq!(desktop.fields.get(MACHINE), Some(&Text::from("QEMU 7.2.22").into()));
    assert_eq!(desktop.fields.get(VERSION), Some(&Text::from("2.2").into()));
}

#[test]
fn another_channel_is_a_hello() {
    let facts = fixtures()[1].facts();
    let [(PROTOCOL, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(hello.fields.get(CHANNEL), Some(&"display".into()));
}

#[test]
fn a_wrong_ticket_is_no_success_and_a_refusal_says_nothing_of_it() {
    let mut chunks = main_channel();
    chunks[3].1 = hex("07000000");
    assert_eq!(desktop(chunks.clone()).fields.get(SUCCESS), Some(&false.into()));
    chunks[1].1 = answer(2);
    chunks.truncate(2);
    assert_eq!(desktop(chunks).fields.get(SUCCESS), None);
}

#[test]
fn the_magic_alone_is_not_spice() {
    for bytes in ["52454451", "52454451 03000000 00000000 1a000000", "52454451 02000000 02000000 01000000 00"] {
        assert!(fixture("", vec![(Sender::Client, hex(bytes))]).facts().is_empty(), "{bytes}");
    }
}
