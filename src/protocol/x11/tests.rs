use super::*;
use crate::protocol::Start;
use crate::protocol::session::Session;
use crate::protocol::tests::{Fixture, hex};
use crate::time::Timestamp;

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
fn a_setup_whose_answer_is_not_seen_is_told_without_one() {
    for fixture in fixtures() {
        let facts = fixture.facts_of(&fixture.chunks[..1]);
        let [(PROTOCOL, Statement::RemoteDesktop(desktop))] = &facts[..] else { panic!("{facts:?}") };
        assert_eq!(desktop.fields.get("x11.accepted"), None);
        let (sender, setup) = &fixture.chunks[0];
        assert!(fixture.facts_of(&[(*sender, setup[..setup.len() - 1].to_vec())]).is_empty(), "it is not whole");
    }
}

#[test]
fn a_setup_that_is_answered_otherwise_is_no_claim() {
    let fixture = &fixtures()[0];
    let answered = fixture.facts_of(&[fixture.chunks[0].clone(), (Sender::Server, b"HTTP/1.1 400\r\n".to_vec())]);
    assert!(answered.iter().all(|(protocol, _)| protocol.as_str() == "http"), "{answered:?}");
}

/// What a session says whose beginning was not seen; none of its segments stands for a gap.
fn facts_amid(ports: (u16, u16), chunks: &[(Sender, Option<Vec<u8>>)]) -> Vec<(Protocol, Statement)> {
    let start = Start { transport: Transport::Tcp, client_port: ports.0, server_port: ports.1, is_midway: true };
    let (mut session, mut facts) = (Session::new(start), Vec::new());
    for (sender, bytes) in chunks {
        match bytes {
            Some(bytes) => {
                session.on_bytes(Chunk { at: Timestamp::ZERO, sender: *sender, bytes, missing: 0 }, &mut facts)
            }
            None => session.on_gap(*sender, 100, &mut facts),
        }
    }
    session.on_end(&mut facts);
    facts
}

/// ChangeProperty and ChangeWindowAttributes, GetProperty and GetInputFocus; PropertyNotify, the replies to both.
fn amid() -> Vec<(Sender, Option<Vec<u8>>)> {
    let changes = "12 00 0700 68678701 09010000 06000000 20000000 01000000 b3730110
        02 00 0400 79678701 00400000 7c678701";
    let questions = "14 00 0600 68678701 09010000 06000000 00000000 ffffffff 2b 00 0100";
    let event = "1c 00 c55e 68678701 09010000 b4730110 00000000 00000000 00000000 00000000";
    let replies = "01 20 c75e 01000000 06000000 00000000 01000000 00000000 00000000 00000000 b3730110
        01 02 c85e 00000000 68678701 00000000 00000000 00000000 00000000 00000000";
    [(Sender::Client, changes), (Sender::Server, event), (Sender::Client, questions), (Sender::Server, replies)]
        .map(|(sender, digits)| (sender, Some(hex(digits))))
        .to_vec()
}

#[test]
fn a_connection_that_began_before_is_known_by_what_both_sides_send() {
    for ports in [(50_000, 6000), (50_000, 6012)] {
        let facts = facts_amid(ports, &amid());
        assert!(matches!(&facts[..], [(PROTOCOL, Statement::RemoteDesktop(_))]), "{facts:?}");
    }
    let turned: Vec<_> = amid().into_iter().map(|(sender, bytes)| (sender.other(), bytes)).collect();
    assert_eq!(facts_amid((6000, 50_000), &turned).len(), 1, "the display was seen first");
    assert!(facts_amid((50_000, 6100), &amid()).is_empty(), "no display's port");
    assert!(facts_amid((50_000, 6000), &amid()[..2]).is_empty(), "too little");
}

/// The same with every number in the other order.
fn amid_in_big_endian() -> Vec<(Sender, Option<Vec<u8>>)> {
    let changes = "12 00 0007 01876768 00000109 00000006 20000000 00000001 100173b3
        02 00 0004 01876779 00004000 0187677c";
    let questions = "14 00 0006 01876768 00000109 00000006 00000000 ffffffff 2b 00 0001";
    let event = "1c 00 5ec5 01876768 00000109 100173b4 00000000 00000000 00000000 00000000";
    let replies = "01 20 5ec7 00000001 00000006 00000000 00000001 00000000 00000000 00000000 100173b3
        01 02 5ec8 00000000 01876768 00000000 00000000 00000000 00000000 00000000";
    [(Sender::Client, changes), (Sender::Server, event), (Sender::Client, questions), (Sender::Server, replies)]
        .map(|(sender, digits)| (sender, Some(hex(digits))))
        .to_vec()
}

#[test]
fn a_connection_that_began_before_may_be_in_either_order() {
    assert_eq!(facts_amid((50_000, 6000), &amid_in_big_endian()).len(), 1);
    let mut mixed = amid_in_big_endian();
    mixed[3] = amid()[3].clone();
    assert!(facts_amid((50_000, 6000), &mixed).is_empty(), "two orders");
}

#[test]
fn a_segment_that_the_capture_cut_does_not_end_it() {
    let mut cut = amid();
    let Some(bytes) = &mut cut[0].1 else { panic!() };
    bytes.truncate(40);
    cut.insert(1, (Sender::Client, None));
    assert_eq!(facts_amid((50_000, 6000), &cut).len(), 1);
}

#[test]
fn numbers_that_do_not_rise_are_no_displays() {
    let mut other = amid();
    let Some(bytes) = &mut other[3].1 else { panic!() };
    bytes[3] = 0x11;
    assert!(facts_amid((50_000, 6000), &other).is_empty());
}
