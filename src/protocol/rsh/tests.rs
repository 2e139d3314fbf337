use super::*;
use crate::facts::Value;
use crate::protocol::tests::Fixture;

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture(b"1020\0", b"alice\0root\0cat /etc/secret\0", b"\0shadow"),
        fixture(b"\0", b"alice\0root\0ls\0", b"\x01Login incorrect.\n"),
    ]
}

fn fixture(port: &[u8], request: &[u8], answer: &[u8]) -> Fixture {
    let chunks =
        vec![(Sender::Client, port.to_vec()), (Sender::Client, request.to_vec()), (Sender::Server, answer.to_vec())];
    Fixture {
        name: "a command",
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 1021,
        server_port: PORT,
        chunks,
    }
}

fn credential(fixture: &Fixture) -> Credential {
    let facts = fixture.facts();
    let [(_, Statement::Credential(credential))] = facts.as_slice() else { panic!("{facts:?}") };
    assert!(!format!("{facts:?}").contains("secret"));
    (**credential).clone()
}

#[test]
fn a_command_is_one_credential_with_its_outcome() {
    let [run, refused] = [0, 1].map(|at| credential(&fixtures()[at]));
    assert_eq!((run.user, run.outcome), (Some("root".into()), Some(Outcome::Success)));
    assert_eq!(run.fields.get("rsh.client_user"), Some(&Value::Text("alice".into())));
    assert_eq!(refused.outcome, Some(Outcome::Failure));
}

#[test]
fn syslog_rexec_and_other_forms_are_no_claim() {
    let of = |port: &[u8], request: &[u8]| fixture(port, request, b"\0");
    assert!(of(b"", b"<14>Oct 11 12:14:16 mymachine su: failed\n").facts().is_empty());
    assert!(of(b"99999\0", b"alice\0root\0ls\0").facts().is_empty());
    assert!(of(b"1020\0", b"al ice\0root\0ls\0").facts().is_empty());
    assert!(of(b"1020\0", b"alice\0root\0\x02").facts().is_empty());
    assert!(Fixture { server_port: 512, ..of(b"0\0", b"alice\0password\0ls\0") }.facts().is_empty());
    assert!(Fixture { client_port: 40_000, ..of(b"0\0", b"alice\0root\0ls\0") }.facts().is_empty());
}
