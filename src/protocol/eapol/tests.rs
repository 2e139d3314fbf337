use super::*;
use crate::facts::Value;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![logon(), four_way_handshake(), asked_in_vain(), announced()]
}

/// Start, the question for an identity, `ann`, an MD5 challenge, its answer, success; padded as Ethernet pads.
fn logon() -> Fixture {
    let (client, server) = (Sender::Client, Sender::Server);
    let challenge = "10 73656372657421736563726574217365";
    fixture(
        "a log-on to a port",
        vec![
            (client, hex("01 01 0000 000000000000")),
            (server, hex("01 00 0005 01 01 0005 01 00000000")),
            (client, hex("01 00 0008 02 01 0008 01 616e6e")),
            (server, hex(&format!("01 00 0016 01 02 0016 04 {challenge}"))),
            (client, hex(&format!("01 00 0016 02 02 0016 04 {challenge}"))),
            (server, hex("01 00 0004 03 03 0004 000000000000")),
        ],
    )
}

/// A start, and the question for an identity, which nobody answers.
fn asked_in_vain() -> Fixture {
    fixture(
        "a port where nobody logs on",
        vec![(Sender::Client, hex("02 01 0000")), (Sender::Server, hex("02 00 0005 01 01 0005 01"))],
    )
}

/// Messages 1 and 2 of WPA2.
fn four_way_handshake() -> Fixture {
    let key = |information: &str| hex(&format!("02 03 005f 02 {information} 0010 {}", "5a".repeat(90)));
    fixture("a four-way handshake", vec![(Sender::Server, key("008a")), (Sender::Client, key("010a"))])
}

/// PPP carries EAP alone: the question, `ann`, success. Nothing tells the ends of the line apart.
fn dialled_in() -> Fixture {
    let packets = ["01 01 0005 01", "02 01 0008 01 616e6e", "03 02 0004"];
    let chunks = packets.map(|packet| (Sender::Client, hex(packet))).into();
    let (client_port, server_port) = (PPP_PROTOCOL, PPP_PROTOCOL);
    Fixture { client_port, server_port, ..fixture("a log-on to a line", chunks) }
}

/// What networks there are, for all and for one, and the question for them.
fn announced() -> Fixture {
    let frames = ["03 06 0004 e2 02 0001", "03 07 0004 e2 02 0001", "03 08 0000"];
    fixture("announced networks", frames.map(|frame| (Sender::Client, hex(frame))).into())
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let [port, _] = ETHER_TYPES;
    let (protocol, transport) = (SPEC.protocol, Transport::Link);
    Fixture { name, protocol, transport, client_port: port, server_port: port, chunks }
}

fn credentials(fixture: &Fixture) -> Vec<Credential> {
    let credential = |(_, kind)| match kind {
        Statement::Credential(credential) => *credential,
        other => panic!("{other:?}"),
    };
    fixture.facts().into_iter().map(credential).collect()
}

#[test]
fn a_log_on_says_who_and_then_how_it_ended() {
    let said = credentials(&logon());
    let [started, asked, ended] = &said[..] else { panic!("{said:?}") };
    assert_eq!(started.fields.get("eapol.packet_type"), Some(&Value::Word("start")));
    for credential in [asked, ended] {
        assert_eq!(credential.user.as_ref().map(|user| user.as_str()), Some("ann"));
        assert_eq!(credential.protocol.map(Protocol::as_str), Some("eap"));
    }
    assert_eq!((asked.outcome, ended.outcome), (None, Some(Outcome::Success)));
    assert_eq!(ended.fields.get("eap.method"), Some(&Value::Text("md5".into())));
    assert!(!format!("{said:?}").contains("secret"));
}

#[test]
fn who_does_not_say_who_it_is_is_told_once_without_a_name() {
    let ask = (Sender::Server, hex("02 00 0005 01 01 0005 01"));
    let empty = (Sender::Client, hex("02 00 0005 02 01 0005 01"));
    for chunks in [vec![ask.clone()], vec![ask.clone(); 20], vec![ask.clone(), empty.clone()], vec![empty; 20]] {
        let said = credentials(&fixture("", chunks));
        let [asked] = &said[..] else { panic!("{said:?}") };
        assert_eq!(
            (asked.protocol.map(Protocol::as_str), asked.user.as_ref(), asked.outcome),
            (Some("eap"), None, None)
        );
    }
    let mut late = logon();
    late.chunks.splice(1..1, vec![ask; 3]);
    assert_eq!(credentials(&late).len(), 3, "asked again before there is an answer");
}

#[test]
fn a_handshake_of_keys_is_told_once() {
    let said = credentials(&four_way_handshake());
    let [keys] = &said[..] else { panic!("{said:?}") };
    assert_eq!(keys.fields.get("eapol.packet_type"), Some(&Value::Word("key")));
}

#[test]
fn who_logs_on_to_a_line_is_told_as_on_a_port() {
    let said = credentials(&dialled_in());
    let [asked, ended] = &said[..] else { panic!("{said:?}") };
    for credential in [asked, ended] {
        assert_eq!(credential.user.as_ref().map(|user| user.as_str()), Some("ann"));
    }
    assert_eq!((asked.outcome, ended.outcome), (None, Some(Outcome::Success)));
    let [port, _] = ETHER_TYPES;
    let framed = Fixture { client_port: port, server_port: port, ..dialled_in() };
    assert!(framed.facts().is_empty(), "EAP alone is no frame of a LAN");
}

#[test]
fn announcements_are_told_by_their_kind() {
    let said = credentials(&announced());
    let kinds: Vec<_> = said.iter().map(|credential| credential.fields.get("eapol.packet_type").cloned()).collect();
    assert_eq!(kinds, [Some(Value::Word("announcement")), Some(Value::Word("announcement_request"))]);
    assert!(fixture("", vec![(Sender::Client, hex("03 09 0000"))]).facts().is_empty(), "no such type");
    assert!(fixture("", vec![(Sender::Client, hex("03 06 0004 e2"))]).facts().is_empty(), "cut");
}

#[test]
fn the_authenticator_is_the_server_whoever_is_heard_first() {
    for (bytes, expected) in
        [("01 00 0005 01 01 0005 01", Probe::Reversed), ("01 01 0000", Probe::Match), ("04 01 0000", Probe::No)]
    {
        let bytes = hex(bytes);
        let (transport, sender, port) = (Transport::Link, Sender::Client, 0x888e);
        let opening = Opening {
            transport,
            sender,
            client_port: port,
            server_port: port,
            is_midway: false,
            bytes: &bytes,
            missing: 0,
        };
        assert_eq!(probe(&opening), expected, "{bytes:02x?}");
    }
}
