use super::*;
use crate::facts::Value;
use crate::protocol::session::Session;
use crate::protocol::tests::{Fixture, hex};
use crate::time::Timestamp;

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture("a log-on", 23, log_on()),
        fixture("on another port", 4000, log_on()),
        fixture("without a negotiation", 23, plain_log_on()),
    ]
}

fn fixture(name: &'static str, server_port: u16, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport: Transport::Tcp, client_port: 49_152, server_port, chunks }
}

/// DO and WILL of both, the client's terminal, display and user, then a prompt and an answer.
fn log_on() -> Vec<(Sender, Vec<u8>)> {
    let passed_on = [
        hex("fffa 18 00"),
        b"XTERM".to_vec(),
        hex("fff0 fffa 23 00"),
        b"sandbox:0.0".to_vec(),
        hex("fff0 fffa 27 00 03"),
        b"LANG".to_vec(),
        hex("01"),
        b"C".to_vec(),
        hex("00"),
        b"USER".to_vec(),
        hex("01"),
        b"alice".to_vec(),
        hex("fff0"),
    ];
    vec![
        (Sender::Client, hex("fffd03 fffb18 fffb1f fffb27")),
        (Sender::Server, hex("fffd18 fffd27 fffd23 fffa1801fff0 fffa2701fff0")),
        (Sender::Client, passed_on.concat()),
        (Sender::Server, b"password: ".to_vec()),
        (Sender::Client, b"secret\r\n\xff\xff\xff\xf1".to_vec()),
    ]
}

#[test]
fn a_log_on_tells_terminal_display_and_user_and_nothing_typed() {
    let facts = fixture("", 23, log_on()).facts();
    let value = |name| facts.iter().find_map(|(_, kind)| kind.fields()?.get(name).cloned());
    assert_eq!(value("telnet.terminal"), Some(Value::Text("XTERM".into())));
    assert_eq!(value("telnet.display"), Some(Value::Text("sandbox:0.0".into())));
    let users: Vec<_> = facts
        .iter()
        .filter_map(|(_, kind)| match kind {
            Statement::Credential(credential) => credential.user.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(users, [Text::from("alice")]);
    assert!(!format!("{facts:?}").contains("secret"));
}

fn plain_log_on() -> Vec<(Sender, Vec<u8>)> {
    vec![
        (Sender::Server, b"\r\nUser Access Verification\r\n\r\nUsername: ".to_vec()),
        (Sender::Client, b"bob\r\n".to_vec()),
        (Sender::Server, b"Password: ".to_vec()),
    ]
}

#[test]
fn a_server_that_asks_for_a_name_tells_on_its_port() {
    let facts = fixture("", 23, plain_log_on()).facts();
    assert!(matches!(&facts[..], [(PROTOCOL, Statement::Hello(hello))] if hello.sender == Sender::Server), "{facts:?}");
    assert!(fixture("", 24, plain_log_on()).facts().is_empty());
    assert!(fixture("", 23, vec![(Sender::Server, b"220 ready\r\n".to_vec())]).facts().is_empty());
}

#[test]
fn keys_that_come_back_tell_amid_a_connection_to_its_port() {
    let facts = |port, typed: &[u8], shown: &[u8]| {
        let start = Start { transport: Transport::Tcp, client_port: 49_152, server_port: port, is_midway: true };
        let (mut session, mut facts) = (Session::new(start), Vec::new());
        let turns = typed.chunks(1).zip(shown.chunks(1));
        for (sender, bytes) in turns.flat_map(|(key, echo)| [(Sender::Client, key), (Sender::Server, echo)]) {
            session.on_bytes(Chunk { at: Timestamp::ZERO, sender, bytes, missing: 0 }, &mut facts);
        }
        session.on_end(&mut facts);
        facts.len()
    };
    assert_eq!(facts(23, b"ls -l", b"ls -l"), 1);
    assert_eq!(facts(23, b"l", b"l"), 0);
    assert_eq!(facts(23, b"ls -l", b"OK. 1"), 0);
    assert_eq!(facts(24, b"ls -l", b"ls -l"), 0);
}

#[test]
fn one_command_tells_on_its_port_only() {
    let probe = |port, bytes: &str| {
        let bytes = hex(bytes);
        let (transport, client_port, sender) = (Transport::Tcp, 49_152, Sender::Server);
        probe(&Opening {
            transport,
            sender,
            client_port,
            server_port: port,
            is_midway: false,
            bytes: &bytes,
            missing: 0,
        })
    };
    assert_eq!(probe(23, "fffd18"), Probe::Match);
    assert_eq!(probe(24, "fffd18"), Probe::More);
    assert_eq!(probe(24, "fffd18 fffb01"), Probe::Match);
    assert_eq!(probe(24, "fffd18 0d0a"), Probe::No);
    assert_eq!(probe(24, "fffd18 fffa1801fff0"), Probe::Match, "what it asked for");
    assert_eq!(probe(24, "fffd18 fffac801fff0"), Probe::No);
    assert_eq!(probe(24, "fffa1801fff0 fffd18"), Probe::No);
    assert_eq!(probe(23, "57656c636f6d65 0d0a"), Probe::More);
    assert_eq!(probe(23, "57656c636f6d65 0d0a fffd18"), Probe::Match);
    assert_eq!(probe(23, "57656c636f6d65 0d0a ff21"), Probe::No);
    assert_eq!(probe(23, "57656c 01"), Probe::No);
    assert_eq!(probe(24, "57656c636f6d65 0d0a fffd18"), Probe::No);
    assert_eq!(probe(23, "fffdc8"), Probe::No, "an option that nobody registered");
    assert_eq!(probe(23, "ff21"), Probe::No);
}

#[test]
fn an_endless_subnegotiation_is_given_up() {
    let mut endless = hex("fffa18");
    endless.extend([0x41; 4096]);
    assert!(wire::command(&mut Cursor::new(&endless)).is_err());
}

#[test]
fn only_well_formed_variables_name_a_user() {
    let user = |bytes: &[u8]| wire::subnegotiation(bytes);
    assert_eq!(user(b"\x27\x00\x00USER\x01a\x02\x01b"), Some(Subnegotiation::User(b"a\x01b".to_vec())));
    assert_eq!(user(b"\x27\x00\x00USER"), None);
    assert_eq!(user(b"\x27\x00\x00USER\x00NAME\x01x"), None);
    assert_eq!(user(b"\x27\x01\x00USER\x01x"), None, "the server asks");
}
