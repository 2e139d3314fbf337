use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let (client, server) = (Sender::Client, Sender::Server);
    let device = b"device::ro.product.name=panther;\0";
    vec![
        fixture(
            "adb, TLS",
            vec![
                (client, message(b"CNXN", b"host::features=shell_v2\0")),
                (server, message(b"STLS", b"")),
                (client, message(b"STLS", b"")),
                (server, tls_hello()),
            ],
        ),
        fixture(
            "adb in clear",
            vec![
                (client, message(b"CNXN", b"host::\0")),
                (server, message(b"AUTH", &[7; 20])),
                (client, message(b"AUTH", &[9; 256])),
                (server, message(b"CNXN", device)),
                (client, message(b"OPEN", b"shell:\0")),
            ],
        ),
    ]
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let (protocol, transport) = (SPEC.protocol, Transport::Tcp);
    Fixture { name, protocol, transport, client_port: 50_000, server_port: 5555, chunks }
}

fn message(command: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let inverted = command.map(|byte| !byte);
    let len = u32::try_from(data.len()).unwrap().to_le_bytes();
    [&command[..], &hex("01000001 00001000"), &len, &[0; 4], &inverted, data].concat()
}

fn tls_hello() -> Vec<u8> {
    hex(&format!("16 0303 002a 02 000026 0303 {} 00 c02f 00", "5a".repeat(32)))
}

#[test]
fn tls_follows_where_both_sides_ask_for_it() {
    let facts = fixtures()[0].facts();
    let [(_, Statement::Hello(hello)), (tls::PROTOCOL, Statement::Hello(_))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((hello.sender, hello.software.clone()), (Sender::Client, Some("host::features=shell_v2".into())));
}

#[test]
fn the_device_says_what_it_is() {
    let facts = fixtures()[1].facts();
    let [_, (_, Statement::Hello(device))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(device.software, Some("device::ro.product.name=panther;".into()));
}

#[test]
fn a_message_whose_command_is_not_repeated_is_none() {
    let mut spoilt = fixtures().swap_remove(1);
    spoilt.chunks[0].1[20] ^= 1;
    assert!(spoilt.facts().is_empty());
}
