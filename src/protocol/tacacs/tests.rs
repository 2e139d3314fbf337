use crate::facts::{Credential, Outcome, Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![obfuscated(), in_clear(), asked_for_each(), midway()]
}

fn obfuscated() -> Fixture {
    fixture(
        "tacacs obfuscated",
        vec![
            (Sender::Client, packet("c0 01 01 00", "aa bb cc dd ee ff 00 11 22")),
            (Sender::Server, packet("c0 01 02 00", "a1 b2 c3 d4 e5 f6 07")),
            (Sender::Client, packet("c0 01 03 00", "1a 2b 3c 4d 5e")),
        ],
    )
}

fn midway() -> Fixture {
    Fixture { name: "tacacs amid a session", chunks: obfuscated().chunks.split_off(1), ..obfuscated() }
}

/// Login with PAP of `ann` on `tty1` from `192.0.2.7`; the data, which is the password, is not looked at.
fn in_clear() -> Fixture {
    fixture(
        "tacacs in clear",
        vec![
            (Sender::Client, packet("c1 01 01 01", "01 01 02 01 03 04 09 02 616e6e 74747931 3139322e302e322e37 7077")),
            (Sender::Server, packet("c1 01 02 01", "01 00 0000 0000")),
        ],
    )
}

/// Login with ASCII (RFC 8907 §5.4.2.1): the server asks for the name (GETUSER), and for the password (GETPASS).
fn asked_for_each() -> Fixture {
    fixture(
        "tacacs asked for each",
        vec![
            (Sender::Client, packet("c0 01 01 01", "01 01 01 01 00 04 09 00 74747931 3139322e302e322e37")),
            (Sender::Server, packet("c0 01 02 01", "04 00 0006 0000 557365723a20")),
            (Sender::Client, packet("c0 01 03 01", "0003 0000 00 616e6e")),
            (Sender::Server, packet("c0 01 04 01", "05 01 000a 0000 50617373776f72643a20")),
            (Sender::Client, packet("c0 01 05 01", "0002 0000 00 7077")),
            (Sender::Server, packet("c0 01 06 01", "02 00 0000 0000")),
        ],
    )
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let (protocol, transport) = (super::SPEC.protocol, Transport::Tcp);
    Fixture { name, protocol, transport, client_port: 40_000, server_port: 49, chunks }
}

fn packet(head: &str, body: &str) -> Vec<u8> {
    let body = hex(body);
    let mut bytes = hex(head);
    bytes.extend(hex("c0ffee01"));
    bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
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

#[test]
fn an_answered_request_is_one_credential_even_where_the_user_is_hidden() {
    let [hidden] = &credentials(&obfuscated())[..] else { panic!("one credential") };
    assert!(hidden.user.is_none() && hidden.outcome.is_none());
    assert_eq!(hidden.fields.get("tacacs.type"), Some(&Value::Word("authentication")));
}

#[test]
fn a_body_in_clear_tells_the_user_and_the_outcome_but_no_password() {
    let told = credentials(&in_clear());
    let [shown] = &told[..] else { panic!("one credential") };
    assert_eq!(shown.user.as_ref().map(|user| user.as_str()), Some("ann"));
    assert_eq!(shown.outcome, Some(Outcome::Success));
    assert_eq!(shown.fields.get("tacacs.remote_address"), Some(&Value::Text("192.0.2.7".into())));
    assert!(!format!("{told:?}").contains("pw"));
}

#[test]
fn who_is_asked_for_name_and_password_is_told_with_the_name_once_the_outcome_is_known() {
    let whole = asked_for_each();
    for (packets, outcome) in [(6, Some(Outcome::Failure)), (5, None), (4, None)] {
        let part = Fixture { chunks: whole.chunks[..packets].to_vec(), ..asked_for_each() };
        let told = credentials(&part);
        let [shown] = &told[..] else { panic!("one credential") };
        assert_eq!((shown.user.as_ref().map(|user| user.as_str()), shown.outcome), (Some("ann"), outcome), "{packets}");
        assert!(!format!("{told:?}").contains("pw"));
    }
}

#[test]
fn a_request_that_nobody_answers_is_told_at_the_port_alone() {
    for (server_port, told) in [(49, 1), (4949, 0)] {
        let unanswered = Fixture { chunks: in_clear().chunks[..1].to_vec(), server_port, ..in_clear() };
        let said = credentials(&unanswered);
        assert_eq!(said.len(), told);
        assert!(said.iter().all(|credential| credential.user == Some("ann".into()) && credential.outcome.is_none()));
    }
}

#[test]
fn a_session_whose_beginning_was_not_seen_is_told_at_the_port_alone() {
    for from in [1, 2] {
        let chunks = obfuscated().chunks.split_off(from);
        assert_eq!(credentials(&Fixture { chunks: chunks.clone(), ..obfuscated() }).len(), 1, "{from}");
        assert!(Fixture { chunks, server_port: 4949, ..obfuscated() }.facts().is_empty());
    }
    let [ended] = &credentials(&Fixture { chunks: in_clear().chunks.split_off(1), ..in_clear() })[..] else { panic!() };
    assert_eq!((ended.user.as_ref(), ended.outcome), (None, Some(Outcome::Success)));
}

#[test]
fn an_answer_of_another_session_is_none() {
    let mut stray = obfuscated();
    stray.chunks[1].1[7] ^= 1;
    assert!(credentials(&stray).is_empty());
}
