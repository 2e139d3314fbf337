use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let (client, server) = (Sender::Client, Sender::Server);
    let fixture = |name, chunks| Fixture {
        name,
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 50_000,
        server_port: 6000,
        chunks,
    };
    let cookie =
        [hex("42 00 00 0b 00 00 00 12 00 10 00 00"), b"MIT-MAGIC-COOKIE-1\0\0".to_vec(), vec![0xc0; 16]].concat();
    let refusal = [hex("00 09 00 0b 00 00 00 03"), b"no access\0\0\0".to_vec()].concat();
    vec![
        fixture("little-endian", vec![(client, hex("6c 00 0b 00 00 00 00 00 00 00 00 00")), (server, accepted())]),
        fixture("big-endian, a cookie, refused", vec![(client, cookie), (server, refusal)]),
    ]
}

/// Success, version 11.0; the vendor's name is 20 bytes long, and the screens behind it are left out.
fn accepted() -> Vec<u8> {
    let head = "01 00 0b 00 00 00 f4 00 80 74 68 02 00 00 a0 00 ff ff 1f 00 00 00 00 00
        14 00 ff ff 01 07 00 00 20 20 08 ff 00 00 00 00";
    [hex(head), b"The X.Org Foundation".to_vec()].concat()
}

fn desktop_of(index: usize) -> RemoteDesktop {
    let facts = fixtures()[index].facts();
    match facts.as_slice() {
        [(PROTOCOL, Statement::RemoteDesktop(desktop))] => (**desktop).clone(),
        _ => panic!("{facts:?}"),
    }
}

#[test]
fn an_accepted_setup_names_the_vendor_of_the_display() {
    let desktop = desktop_of(0);
    assert_eq!(desktop.fields.get("x11.accepted"), Some(&true.into()));
    assert_eq!(desktop.fields.get("x11.vendor"), Some(&Text::from("The X.Org Foundation").into()));
}

#[test]
fn a_refused_setup_names_the_authorization() {
    let desktop = desktop_of(1);
    assert_eq!(desktop.fields.get("x11.accepted"), Some(&false.into()));
    assert_eq!(desktop.fields.get("x11.authorization"), Some(&Text::from("MIT-MAGIC-COOKIE-1").into()));
}

#[test]
fn a_setup_that_is_answered_otherwise_is_no_claim() {
    let fixture = &fixtures()[0];
    assert!(fixture.facts_of(&fixture.chunks[..1]).is_empty());
    assert!(fixture.facts_of(&[fixture.chunks[0].clone(), (Sender::Server, b"HTTP/1.1 400\r\n".to_vec())]).is_empty());
}
