use crate::facts::{Access, AccessPhase, Credential, Outcome, Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![logon(), accounting(), watched()]
}

/// An Access-Request of `ann` (with an EAP identity), a challenge, another request, and the acceptance.
fn logon() -> Fixture {
    let request = |identifier, eap: &str| {
        packet(
            1,
            identifier,
            &[(1, "616e6e"), (31, "30322d30302d35652d31302d46462d4545"), (4, "c0000201"), (61, "00000013"), (79, eap)],
        )
    };
    fixture(
        "radius logon",
        1812,
        vec![
            (Sender::Client, request(7, "02 01 0008 01 616e6e")),
            (Sender::Server, packet(11, 7, &[(79, "01 02 0006 19 20")])),
            (Sender::Client, request(8, "02 02 0006 19 00")),
            (Sender::Server, packet(2, 8, &[(8, "0a000007")])),
        ],
    )
}

/// A session begins behind a VPN gateway: inner address, public address, tunnel.
fn accounting() -> Fixture {
    let start = [
        (40, "00000001"),
        (1, "626f62"),
        (8, "0a000008"),
        (31, "3139382e35312e3130302e39"),
        (61, "00000005"),
        (66, "01 3139382e35312e3130302e39"),
    ];
    fixture(
        "radius accounting",
        1813,
        vec![(Sender::Client, packet(4, 9, &start)), (Sender::Server, packet(5, 9, &[]))],
    )
}

/// A server is asked whether it is there (RFC 5997).
fn watched() -> Fixture {
    let chunks = vec![(Sender::Client, packet(12, 1, &[(80, "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")]))];
    fixture("radius watched", 1812, chunks)
}

fn fixture(name: &'static str, server_port: u16, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let (protocol, transport) = (super::SPEC.protocol, Transport::Udp);
    Fixture { name, protocol, transport, client_port: 40_000, server_port, chunks }
}

fn packet(code: u8, identifier: u8, attributes: &[(u8, &str)]) -> Vec<u8> {
    let mut body = vec![0x5a; 16];
    for (kind, value) in attributes {
        let value = hex(value);
        body.extend([*kind, u8::try_from(value.len() + 2).unwrap()]);
        body.extend(value);
    }
    let mut bytes = vec![code, identifier];
    bytes.extend(u16::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn credentials(fixture: &Fixture) -> Vec<Credential> {
    let facts = fixture.facts();
    let credential = |kind: &Statement| match kind {
        Statement::Credential(credential) => Some(Credential::clone(credential)),
        _ => None,
    };
    facts.iter().filter_map(|(_, kind)| credential(kind)).collect()
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.into()))
}

#[test]
fn a_logon_is_told_when_asked_and_when_decided() {
    let [asked, accepted] = &credentials(&logon())[..] else { panic!("two credentials") };
    for credential in [asked, accepted] {
        assert_eq!(credential.user.as_ref().map(|user| user.as_str()), Some("ann"));
        assert_eq!(credential.fields.get("radius.calling_station_id"), text("02-00-5e-10-FF-EE").as_ref());
    }
    assert_eq!((asked.outcome, accepted.outcome), (None, Some(Outcome::Success)));
    assert_eq!(accepted.fields.get("radius.framed_ip"), Some(&Value::Ip("10.0.0.7".parse().unwrap())));
    assert_eq!(asked.fields.get("radius.nas_port_type"), text("wireless").as_ref());
}

#[test]
fn accounting_joins_the_inner_and_the_outer_address() {
    let [started] = &credentials(&accounting())[..] else { panic!("one credential") };
    assert_eq!(started.fields.get("radius.accounting_status"), text("start").as_ref());
    assert_eq!(started.fields.get("radius.framed_ip"), Some(&Value::Ip("10.0.0.8".parse().unwrap())));
    assert_eq!(started.fields.get("radius.tunnel_client_endpoint"), text("198.51.100.9").as_ref());
    assert_eq!(started.fields.get("radius.nas_port_type"), text("virtual").as_ref());
    let (outside, inside) = ("198.51.100.9".parse().ok(), "10.0.0.8".parse().ok());
    assert_eq!(started.access, Some(Access { outside, inside, station: None, phase: AccessPhase::Open }));
}

#[test]
fn a_session_is_asked_for_given_and_over() {
    let phase = |code, attributes: &[(u8, &str)]| {
        let mut named = vec![(1, "616e6e"), (32, "67617465"), (31, "3139382e35312e3130302e395b343530305d")];
        named.extend(attributes);
        let chunks = vec![(Sender::Client, packet(code, 1, &named))];
        let [credential] = &credentials(&Fixture { chunks, ..logon() })[..] else { panic!("one credential") };
        assert_eq!(credential.access.and_then(|access| access.outside), "198.51.100.9".parse().ok());
        credential.access.map(|access| access.phase)
    };
    assert_eq!(phase(1, &[]), Some(AccessPhase::Asked));
    for (status, expected) in
        [("00000001", AccessPhase::Open), ("00000003", AccessPhase::Open), ("00000002", AccessPhase::Over)]
    {
        assert_eq!(phase(4, &[(40, status)]), Some(expected), "{status}");
    }
}

#[test]
fn the_identity_in_eap_stands_for_a_missing_user_name() {
    let chunks = vec![(Sender::Client, packet(1, 1, &[(79, "02 01 0009 01 626f6221")]))];
    let [asked] = &credentials(&Fixture { chunks, ..logon() })[..] else { panic!("one credential") };
    assert_eq!(asked.user.as_ref().map(|user| user.as_str()), Some("bob!"));
}

#[test]
fn no_secret_is_kept() {
    let secret = "73656372657421";
    let chunks =
        vec![(Sender::Client, packet(1, 1, &[(1, "616e6e"), (2, secret), (3, secret), (24, secret), (26, secret)]))];
    let shown = format!("{:?}", Fixture { chunks, ..logon() }.facts());
    assert!(shown.contains("ann") && !shown.contains("secret"), "{shown}");
}

#[test]
fn what_is_about_nobody_is_told_once_where_nothing_else_is() {
    for (code, sender, name) in [
        (12, Sender::Client, "status-server"),
        (11, Sender::Server, "access-challenge"),
        (5, Sender::Server, "accounting-response"),
    ] {
        let chunks = vec![(sender, packet(code, 1, &[])), (sender, packet(code, 2, &[]))];
        let said = credentials(&Fixture { chunks: chunks.clone(), ..logon() });
        let [credential] = &said[..] else { panic!("{said:?}") };
        assert_eq!(credential.fields.get("radius.code"), Some(&Value::Word(name)));
        assert_eq!((&credential.user, credential.outcome), (&None, None));
        assert!(Fixture { chunks, server_port: 9999, ..logon() }.facts().is_empty());
    }
}

#[test]
fn on_another_port_only_a_request_that_names_its_server_counts() {
    let mut elsewhere = logon();
    elsewhere.server_port = 9999;
    assert_eq!(credentials(&elsewhere).len(), 2);
    elsewhere.chunks = vec![(Sender::Client, packet(1, 1, &[(1, "616e6e")]))];
    assert!(elsewhere.facts().is_empty());
}

#[test]
fn octets_behind_the_length_are_padding_on_its_ports() {
    for octets in [&[0; 3][..], b"junk"] {
        let mut padded = logon();
        padded.chunks.iter_mut().for_each(|(_, bytes)| bytes.extend(octets));
        assert_eq!(credentials(&padded).len(), 2);
        padded.server_port = 9999;
        assert!(padded.facts().is_empty());
        let mut watched = Fixture { chunks: vec![(Sender::Client, packet(12, 1, &[]))], ..logon() };
        watched.chunks[0].1.extend(octets);
        assert_eq!(credentials(&watched).len(), usize::from(octets == [0; 3]), "a head alone");
    }
}

/// RFC 2865 §5.1: the requests of a tunnelled method name nobody.
#[test]
fn an_acceptance_tells_who_was_let_in() {
    let request =
        packet(1, 3, &[(1, "616e6f6e796d6f7573"), (31, "30322d30302d35652d31302d46462d4545"), (4, "c0000201")]);
    for (code, users) in [(2, ["anonymous", "ann"]), (3, ["anonymous", "anonymous"])] {
        let answer = packet(code, 3, &[(1, "616e6e")]);
        let chunks = vec![(Sender::Client, request.clone()), (Sender::Server, answer)];
        let told = credentials(&Fixture { chunks, ..logon() });
        let told: Vec<&str> =
            told.iter().filter_map(|credential| credential.user.as_ref().map(|user| user.as_str())).collect();
        assert_eq!(told, users, "{code}");
    }
}

#[test]
fn what_does_not_add_up_is_not_radius() {
    for spoil in [
        |bytes: &mut Vec<u8>| bytes.truncate(40),
        |bytes: &mut Vec<u8>| bytes[0] = 6,
        |bytes: &mut Vec<u8>| bytes[21] += 1,
        |bytes: &mut Vec<u8>| bytes[21] = 1,
    ] {
        let mut fixture = logon();
        fixture.chunks.truncate(1);
        spoil(&mut fixture.chunks[0].1);
        assert!(fixture.facts().is_empty());
    }
}

#[test]
fn the_tls_in_eap_says_its_hello_over_several_packets_and_attributes() {
    let hello = format!("16 0303 002a 02 000026 0303 {} 00 c02f 00", "5a".repeat(32));
    let bytes = hex(&hello);
    let (first, second) = bytes.split_at(20);
    let shown = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (half, other_half) = first.split_at(9);
    let mut fixture = logon();
    fixture.chunks.truncate(3);
    fixture.chunks.extend([
        (
            Sender::Server,
            packet(11, 8, &[(79, &format!("01 03 001e 19 c1 0000002f {}", shown(half))), (79, &shown(other_half))]),
        ),
        (
            Sender::Client,
            packet(1, 9, &[(1, "616e6e"), (31, "30322d30302d35652d31302d46462d4545"), (79, "02 03 0006 19 01")]),
        ),
        (Sender::Server, packet(11, 9, &[(79, &format!("01 04 0021 19 01 {}", shown(second)))])),
    ]);
    let facts = fixture.facts();
    let [(_, Statement::Credential(_)), (_, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((hello.sender, hello.inside.map(|inside| inside.as_str())), (Sender::Server, Some("tls")));
}
