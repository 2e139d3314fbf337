use super::*;
use crate::protocol::tests::{Fixture, hex};
use crate::protocol::{ntlm, tls};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![log_on(), encrypted(), old()]
}

/// [MS-TDS] §4.1: the pre-login request and its answer.
const PRELOGIN: &str =
    "12 01 00 2f 00 00 01 00 00 00 1a 00 06 01 00 20 00 01 02 00 21 00 01 03 00 22 00 04 04 00 26 00 01
    ff 09 00 00 00 00 00 01 00 b8 0d 00 00 01";
const PRELOGIN_ANSWER: &str =
    "04 01 00 2b 00 00 01 00 00 00 1a 00 06 01 00 20 00 01 02 00 21 00 01 03 00 22 00 00 04 00 22 00
    01 ff 09 00 0f a0 00 00 02 00 00";
/// A LOGINACK behind a change of the environment, in short.
const ACCEPTED: &str = "04 01 00 17 00 33 01 00 e3 04 00 01 00 00 00 ad 05 00 01 74 00 00 04";
const REFUSED: &str = "04 01 00 0d 00 33 01 00 aa 02 00 18 48";

fn packet_of(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 1];
    bytes.extend(u16::try_from(data.len() + 8).unwrap().to_be_bytes());
    bytes.extend([0, 0, 1, 0]);
    bytes.extend(data);
    bytes
}

/// LOGIN7 (§2.2.6.4): version 7.4 and texts behind 94 bytes.
fn login(host: &str, user: &str, password: &str, token: &[u8]) -> Vec<u8> {
    let texts = [host, user, password, "Reporting", "db.example", "", "", "", "sales"];
    let mut places = Vec::new();
    let mut rest = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        places.extend(u16::try_from(94 + rest.len()).unwrap().to_le_bytes());
        places.extend(u16::try_from(text.len() / 2).unwrap().to_le_bytes());
        rest.extend(text);
        assert!(index < 9);
    }
    places.extend([2, 0, 0, 0, 0, 1]);
    places.extend(u16::try_from(94 + rest.len()).unwrap().to_le_bytes());
    places.extend(u16::try_from(token.len()).unwrap().to_le_bytes());
    places.extend([0; 12]);
    rest.extend(token);
    let mut data = u32::try_from(36 + places.len() + rest.len()).unwrap().to_le_bytes().to_vec();
    data.extend(0x7400_0004_u32.to_le_bytes());
    data.extend([0; 28]);
    data.extend(places);
    assert_eq!(data.len(), 94);
    data.extend(rest);
    packet_of(packet::LOGIN7, &data)
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let (protocol, transport) = (SPEC.protocol, Transport::Tcp);
    Fixture { name, protocol, transport, client_port: 50_000, server_port: 1433, chunks }
}

fn log_on() -> Fixture {
    fixture(
        "a log-on in clear",
        vec![
            (Sender::Client, hex(PRELOGIN)),
            (Sender::Server, hex(PRELOGIN_ANSWER)),
            (Sender::Client, login("LAPTOP-7", "ann", "hunter2", &[])),
            (Sender::Server, hex(ACCEPTED)),
        ],
    )
}

fn encrypted() -> Fixture {
    let mut chunks = vec![(Sender::Client, hex(PRELOGIN)), (Sender::Server, hex(PRELOGIN_ANSWER))];
    let hellos = tls::tests::fixtures().into_iter().find(|fixture| fixture.chunks[0].0 == Sender::Client).unwrap();
    chunks.extend(hellos.chunks.iter().map(|(sender, bytes)| (*sender, packet_of(packet::PRELOGIN, bytes))));
    fixture("a log-on under TLS", chunks)
}

/// Of version 7.0, which has no negotiation before it.
fn old() -> Fixture {
    fixture(
        "a log-on without negotiation",
        vec![(Sender::Client, login("LAPTOP-7", "ann", "hunter2", &[])), (Sender::Server, hex(REFUSED))],
    )
}

fn credentials(fixture: &Fixture) -> Vec<Credential> {
    let credential = |kind: Statement| match kind {
        Statement::Credential(credential) => Some(*credential),
        _ => None,
    };
    fixture.facts().into_iter().filter_map(|(_, kind)| credential(kind)).collect()
}

#[test]
fn a_log_on_in_clear_tells_who_and_from_where_and_never_the_password() {
    let [credential] = &credentials(&log_on())[..] else { panic!("one credential") };
    assert_eq!((credential.user.clone(), credential.host.clone()), (Some("ann".into()), Some("LAPTOP-7".into())));
    assert_eq!(credential.outcome, Some(Outcome::Success));
    assert_eq!(credential.fields.get(APPLICATION), Some(&Text::from("Reporting").into()));
    assert_eq!(credential.fields.get(DATABASE), Some(&Text::from("sales").into()));
    assert!(!format!("{:?}", log_on().facts()).contains("hunter2"));
    let [credential] = &credentials(&old())[..] else { panic!("one credential") };
    assert_eq!(credential.outcome, Some(Outcome::Failure));
}

#[test]
fn both_sides_tell_their_version() {
    let versions: Vec<_> =
        log_on().facts().iter().filter_map(|(_, kind)| kind.fields()?.get(VERSION).cloned()).collect();
    assert_eq!(versions, [Text::from("9.0.0").into(), Text::from("9.0.4000").into()]);
}

#[test]
fn the_tls_in_its_packets_is_read() {
    let facts = encrypted().facts();
    let is_inside = |hello: &Hello| hello.inside == Some(tls::PROTOCOL) && !hello.fingerprints.is_empty();
    let hellos = facts.iter().filter(|(_, kind)| matches!(kind, Statement::Hello(hello) if is_inside(hello)));
    assert!(hellos.count() >= 2, "{facts:?}");
}

#[test]
fn an_account_of_the_domain_is_told_by_its_tokens() {
    let mut fixture = log_on();
    let negotiate = [&b"NTLMSSP\0"[..], &[1, 0, 0, 0, 7, 0x82, 8, 0], &[0; 16]].concat();
    fixture.chunks[2].1 = login("LAPTOP-7", "", "", &negotiate);
    let facts = credentials(&fixture);
    assert_eq!(facts[0].host, Some("LAPTOP-7".into()));
    assert_eq!(facts[1].protocol, Some(ntlm::PROTOCOL));
}

#[test]
fn what_does_not_add_up_is_not_tds() {
    let spoil: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes[7] = 1,     // a window
        |bytes| bytes[8] = 9,     // no version first
        |bytes| bytes[10] = 0xf0, // an option beyond the message
        |bytes| bytes[3] = 7,     // shorter than a header
    ];
    for spoil in spoil {
        let mut fixture = log_on();
        fixture.chunks.truncate(1);
        spoil(&mut fixture.chunks[0].1);
        assert_eq!(fixture.facts().len(), 0);
    }
}
