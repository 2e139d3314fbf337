use super::*;
use crate::facts::Value;
use crate::protocol::tests::Fixture;

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![fixture(b"bob\0alice\0xterm/38400\0")]
}

fn fixture(greeting: &[u8]) -> Fixture {
    let chunks = vec![
        (Sender::Client, vec![0]),
        (Sender::Client, greeting.to_vec()),
        (Sender::Server, vec![0]),
        (Sender::Server, b"Password: ".to_vec()),
        (Sender::Client, b"secret\r".to_vec()),
    ];
    Fixture {
        name: "a log-on",
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 1023,
        server_port: PORT,
        chunks,
    }
}

#[test]
fn a_log_on_is_one_credential_with_both_users() {
    let facts = fixtures()[0].facts();
    let [(_, Statement::Credential(credential))] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(credential.user, Some("alice".into()));
    assert_eq!(credential.fields.get("rlogin.client_user"), Some(&Value::Text("bob".into())));
    assert_eq!(credential.fields.get("rlogin.terminal"), Some(&Value::Text("xterm/38400".into())));
}

#[test]
fn another_form_or_another_port_is_no_claim() {
    for greeting in
        [&b"bob\0alice\0xterm\0"[..], b"\0alice\0xterm/38400\0", b"bob\0al ice\0xterm/9600\0", b"bob\0alice\0xterm/\0"]
    {
        assert!(fixture(greeting).facts().is_empty(), "{greeting:?}");
    }
    assert!(Fixture { server_port: 5130, ..fixtures().swap_remove(0) }.facts().is_empty());
}
