use crate::facts::{Sender, Statement, Tunnel, Value};
use crate::net::Transport;
use crate::protocol::Protocol;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![version_2(), main_mode(), aggressive_mode(), behind_a_nat(), over_tcp()]
}

/// RFC 9329 appendix A.1 in short: the prefix, IKE_SA_INIT and IKE_AUTH both ways, ESP.
fn over_tcp() -> Fixture {
    let framed = |packet: &[u8]| [&u16::try_from(packet.len() + 2).unwrap().to_be_bytes(), packet].concat();
    let auth = |flags| message(INITIATOR, RESPONDER, 0x20, 35, flags, &[(46, "c0c1c2c3c4c5c6c7 d0d1d2d3")]);
    let mut chunks = version_2().chunks;
    chunks.truncate(2);
    chunks.push((Sender::Client, auth(0x08)));
    chunks.push((Sender::Server, auth(0x20)));
    chunks.iter_mut().for_each(|(_, bytes)| drop(bytes.splice(0..0, [0; 4])));
    chunks.push((Sender::Client, esp(0xc0ff_ee01, 1)));
    chunks.push((Sender::Server, esp(0xc0ff_ee02, 1)));
    for (_, bytes) in &mut chunks {
        *bytes = framed(bytes);
    }
    chunks[0].1.splice(0..0, *b"IKETCP");
    Fixture { transport: Transport::Tcp, client_port: 40_000, ..fixture("ikev2 over tcp", 4500, chunks) }
}

const INITIATOR: &str = "e47a591f78c99d7f";
const RESPONDER: &str = "a00b8ef0ea9ff883";
const NOBODY: &str = "0000000000000000";

const STRONGSWAN: &str = "882fe56d6fd20dbc2251613b2ebe5beb";
const XAUTH: &str = "09002689dfd6b712";

/// IKE_SA_INIT both ways (SA, KE, nonce, NAT detection), then IKE_AUTH.
fn version_2() -> Fixture {
    let proposal = "00000028 01 01 00 03 0300000c 0100000c 800e0080 03000008 02000005 00000008 0300000c";
    let body = [(33, proposal), (34, "001f0000 0102030405060708"), (40, "1112131415161718"), (41, "00004004 aabbccdd")];
    let answer = [(33, proposal), (34, "001f0000 1102030405060708"), (40, "2112131415161718"), (43, STRONGSWAN)];
    fixture(
        "ikev2",
        500,
        vec![
            (Sender::Client, message(INITIATOR, NOBODY, 0x20, 34, 0x08, &body)),
            (Sender::Server, message(INITIATOR, RESPONDER, 0x20, 34, 0x20, &answer)),
            (Sender::Client, message(INITIATOR, RESPONDER, 0x20, 35, 0x08, &[(46, "c0c1c2c3c4c5c6c7 d0d1d2d3")])),
        ],
    )
}

/// The first two messages: SA and vendor ids.
fn main_mode() -> Fixture {
    let offer = [(1, SA_V1), (13, STRONGSWAN), (13, XAUTH), (13, "4a131c81070358455c5728f20e95452f"), (13, "0badc0de")];
    fixture(
        "ikev1 main mode",
        500,
        vec![
            (Sender::Client, message(INITIATOR, NOBODY, 0x10, 2, 0, &offer)),
            (Sender::Server, message(INITIATOR, RESPONDER, 0x10, 2, 0, &[(1, SA_V1), (13, XAUTH)])),
        ],
    )
}

fn aggressive_mode() -> Fixture {
    let offer =
        [(1, SA_V1), (4, "0102030405060708"), (10, "1112131415161718"), (5, "03 11 01f4 616e6e4065782e616d706c65")];
    let answer = [(1, SA_V1), (4, "1102030405060708"), (10, "2112131415161718"), (5, "01 11 01f4 c0a80c02")];
    fixture(
        "ikev1 aggressive mode",
        500,
        vec![
            (Sender::Client, message(INITIATOR, NOBODY, 0x10, 4, 0, &offer)),
            (Sender::Server, message(INITIATOR, RESPONDER, 0x10, 4, 0, &answer)),
        ],
    )
}

/// IKE_AUTH on port 4500, a keepalive, and ESP.
fn behind_a_nat() -> Fixture {
    let mut chunks = vec![
        (Sender::Client, message(INITIATOR, RESPONDER, 0x20, 35, 0x08, &[(46, "c0c1c2c3c4c5c6c7 d0d1d2d3")])),
        (Sender::Server, message(INITIATOR, RESPONDER, 0x20, 35, 0x20, &[(46, "e0e1e2e3e4e5e6e7 f0f1f2f3")])),
    ];
    chunks.iter_mut().for_each(|(_, bytes)| drop(bytes.splice(0..0, [0; 4])));
    chunks.push((Sender::Client, vec![0xff]));
    for sequence in 1..=2 {
        chunks.push((Sender::Client, esp(0xc0ff_ee01, sequence)));
        chunks.push((Sender::Server, esp(0xc0ff_ee02, sequence)));
    }
    fixture("ikev2 behind a nat", 4500, chunks)
}

const SA_V1: &str =
    "00000001 00000001 00000028 01010001 00000020 01010000 80010007 800e0080 80020002 80040002 80030001";

fn fixture(name: &'static str, port: u16, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let (protocol, transport) = (super::SPEC.protocol, Transport::Udp);
    Fixture { name, protocol, transport, client_port: port, server_port: port, chunks }
}

/// A message of generic payloads. The last one's next payload is 0, but inside an encrypted one (46) it is 35.
fn message(initiator: &str, responder: &str, version: u8, exchange: u8, flags: u8, payloads: &[(u8, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, (kind, content)) in payloads.iter().enumerate() {
        let next = payloads.get(index + 1).map_or(if *kind == 46 { 35 } else { 0 }, |(next, _)| *next);
        let content = hex(content);
        body.extend([next, 0]);
        body.extend(u16::try_from(content.len() + 4).unwrap().to_be_bytes());
        body.extend(content);
    }
    let mut bytes = hex(initiator);
    bytes.extend(hex(responder));
    bytes.extend([payloads[0].0, version, exchange, flags, 0, 0, 0, 0]);
    bytes.extend(u32::try_from(body.len() + 28).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn esp(spi: u32, sequence: u32) -> Vec<u8> {
    let mut bytes = spi.to_be_bytes().to_vec();
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0x5a; 76]);
    bytes
}

fn tunnels(fixture: &Fixture) -> Vec<(Protocol, Tunnel)> {
    let facts = fixture.facts();
    let tunnel = |kind: &Statement| match kind {
        Statement::Tunnel(tunnel) => Some(Tunnel::clone(tunnel)),
        _ => None,
    };
    facts.iter().filter_map(|(protocol, kind)| Some((*protocol, tunnel(kind)?))).collect()
}

fn words(names: &[&'static str]) -> Value {
    Value::List(names.iter().map(|name| Value::Word(name)).collect())
}

#[test]
fn the_first_answer_makes_a_tunnel() {
    let [(_, tunnel)] = &tunnels(&version_2())[..] else { panic!("one tunnel") };
    assert!(tunnel.established);
    assert_eq!(tunnel.fields.get("ike.version"), Some(&Value::Word("2.0")));
    assert_eq!(tunnel.fields.get("ike.exchange"), Some(&Value::Word("ike_sa_init")));
    assert_eq!(tunnel.fields.get("ike.nat_detection"), Some(&Value::Bool(true)));
    assert_eq!(tunnel.fields.get("ike.vendor_ids"), Some(&words(&["strongswan"])));
}

#[test]
fn vendor_ids_of_both_sides_are_named_once() {
    let [(_, tunnel)] = &tunnels(&main_mode())[..] else { panic!("one tunnel") };
    assert_eq!(tunnel.fields.get("ike.exchange"), Some(&Value::Word("main")));
    assert_eq!(tunnel.fields.get("ike.vendor_ids"), Some(&words(&["strongswan", "xauth", "nat-t"])));
}

#[test]
fn aggressive_mode_tells_who_asks() {
    let facts = aggressive_mode().facts();
    let [(_, Statement::Credential(credential)), (_, Statement::Tunnel(tunnel))] = &facts[..] else {
        panic!("a credential and a tunnel: {facts:?}");
    };
    assert_eq!(credential.user.as_ref().map(|user| user.as_str()), Some("ann@ex.ample"));
    assert!(tunnel.established);
}

#[test]
fn esp_after_ike_is_told_under_its_own_name() {
    let names: Vec<_> =
        tunnels(&behind_a_nat()).iter().map(|(protocol, tunnel)| (protocol.as_str(), tunnel.established)).collect();
    assert_eq!(names, [("ike", true), ("esp", true)]);
}

#[test]
fn a_request_without_an_answer_is_no_established_tunnel() {
    let mut unanswered = version_2();
    unanswered.chunks.truncate(1);
    assert!(matches!(&tunnels(&unanswered)[..], [(_, Tunnel { established: false, .. })]));
    // NO_PROPOSAL_CHOSEN
    let refusal = message(INITIATOR, RESPONDER, 0x20, 34, 0x20, &[(41, "0000000e")]);
    unanswered.chunks.push((Sender::Server, refusal));
    assert!(matches!(&tunnels(&unanswered)[..], [(_, Tunnel { established: false, .. })]));
}

#[test]
fn over_tcp_both_are_told() {
    let names: Vec<_> =
        tunnels(&over_tcp()).iter().map(|(protocol, tunnel)| (protocol.as_str(), tunnel.established)).collect();
    assert_eq!(names, [("ike", true), ("esp", true)]);
}

#[test]
fn a_prefix_alone_is_no_claim() {
    let mut other = over_tcp();
    other.chunks[0].1.truncate(6);
    other.chunks.truncate(1);
    assert_eq!(other.facts().len(), 0);
    other.chunks.push((Sender::Client, b" is what they call it\r\n".to_vec()));
    assert_eq!(other.facts().len(), 0);
}

#[test]
fn what_does_not_add_up_is_not_ike() {
    let sound = version_2();
    let spoil: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.push(0),     // longer than it says
        |bytes| bytes[17] = 0x30,  // version 3
        |bytes| bytes[18] = 77,    // no such exchange
        |bytes| bytes[19] |= 0x40, // a reserved flag
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let mut fixture = sound.clone();
        fixture.chunks.truncate(1);
        spoil(&mut fixture.chunks[0].1);
        (fixture.client_port, fixture.server_port) = (40_000, 40_001);
        assert!(fixture.facts().is_empty());
        (fixture.client_port, fixture.server_port) = (500, 500);
        // What a receiver ignores.
        let is_ignored = matches!(number, 0 | 3);
        assert_eq!(tunnels(&fixture).len(), usize::from(is_ignored), "{number}");
    }
    let mut elsewhere = behind_a_nat();
    (elsewhere.client_port, elsewhere.server_port) = (40_000, 443);
    assert!(elsewhere.facts().is_empty(), "nothing readable, and not on its ports");
}

#[test]
fn on_its_ports_what_a_receiver_ignores_is_ignored() {
    const RESERVED: u8 = 0x46;
    let encrypted = |version, exchange, flags| message(INITIATOR, RESPONDER, version, exchange, flags, &[(46, "00")]);
    for (port, message) in [
        (500, encrypted(0x20, 39, 0x08)),
        (500, encrypted(0x23, 36, 0x08 | RESERVED)),
        (500, encrypted(0x11, 5, 0x01)),
        (500, encrypted(0x10, 243, 0x01)),
        (848, encrypted(0x10, 32, 0x01)),
    ] {
        let mut fixture = Fixture { client_port: port, server_port: port, ..version_2() };
        fixture.chunks = vec![(Sender::Client, message.clone()), (Sender::Server, message)];
        assert!(matches!(&tunnels(&fixture)[..], [(_, Tunnel { established: true, .. })]), "{:?}", fixture.facts());
        (fixture.client_port, fixture.server_port) = (40_000, 40_001);
        assert!(fixture.facts().is_empty());
    }
}

#[test]
fn on_its_port_a_header_with_what_does_not_add_up_is_told_as_that() {
    let spoil: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes[..8].fill(0),              // no initiator's index
        |bytes| bytes[28 + 3] += 1,              // payloads that do not meet
        |bytes| bytes.truncate(bytes.len() - 9), // cut
    ];
    for spoil in spoil {
        let mut fixture = version_2();
        fixture.chunks.truncate(1);
        spoil(&mut fixture.chunks[0].1);
        let facts = fixture.facts();
        assert!(matches!(&facts[..], [(_, Statement::Malformed("ike_message"))]), "{facts:?}");
        (fixture.client_port, fixture.server_port) = (40_000, 443);
        assert_eq!(fixture.facts().len(), 0);
    }
}
