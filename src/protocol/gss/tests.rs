use super::*;
use crate::net::Text;
use crate::protocol::ntlm::tests::{authenticate, challenge};
use crate::protocol::tests::der;

/// A NegTokenResp around a mechanism's token.
pub(crate) fn response(token: Vec<u8>) -> Vec<u8> {
    let state = der(0xa0, &[vec![0x0a, 0x01, 0x01]]);
    der(0xa1, &[der(0x30, &[state, der(0xa2, &[der(0x04, &[token])])])])
}

/// A NegTokenInit in a GSS-API token, around a mechanism's token.
pub(crate) fn init(token: Vec<u8>) -> Vec<u8> {
    let mechanisms =
        der(0xa0, &[der(0x30, &[der(0x06, &[vec![0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02]])])]);
    let inner = der(0xa0, &[der(0x30, &[mechanisms, der(0xa2, &[der(0x04, &[token])])])]);
    der(0x60, &[der(0x06, &[SPNEGO.to_vec()]), inner])
}

/// A Kerberos token: its object identifier, the token identifier, an AP-REQ (RFC 4120 §5.5.1) for `cifs/files`.
pub(crate) fn ticket() -> Vec<u8> {
    let int = |tag, value| der(tag, &[der(0x02, &[vec![value]])]);
    let string = |text: &str| der(0x1b, &[text.as_bytes().to_vec()]);
    let names = der(0x30, &[string("cifs"), string("files")]);
    let principal = der(0xa2, &[der(0x30, &[int(0xa0, 2), der(0xa1, &[names])])]);
    let ticket =
        der(0x61, &[der(0x30, &[int(0xa0, 5), der(0xa1, &[string("EXAMPLE.COM")]), principal, der(0xa3, &[])])]);
    let options = der(0xa2, &[der(0x03, &[vec![0; 5]])]);
    let request =
        der(0x6e, &[der(0x30, &[int(0xa0, 5), int(0xa1, 14), options, der(0xa3, &[ticket]), der(0xa4, &[])])]);
    let mechanism = der(0x06, &[vec![0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02]]);
    der(0x60, &[mechanism, vec![0x01, 0x00], request])
}

fn log_on(client: &[u8], outcome: Option<Outcome>) -> (Vec<Statement>, bool) {
    let mut log_on = LogOn::default();
    let mut facts = Vec::new();
    log_on.on_server(&response(challenge()), None, &mut facts);
    log_on.on_client(client, &mut facts);
    let is_in = log_on.on_server(&[], outcome, &mut facts);
    log_on.on_end(&mut facts);
    (facts, is_in)
}

#[test]
fn ntlm_within_spnego_is_one_credential_with_the_servers_names_and_judgement() {
    let (facts, is_in) = log_on(&response(authenticate("CORP", "alice", "LAPTOP-7")), Some(Outcome::Failure));
    let [Statement::Credential(credential)] = facts.as_slice() else { panic!("{facts:?}") };
    assert!(!is_in);
    assert_eq!(credential.protocol, Some(ntlm::PROTOCOL));
    assert_eq!(credential.user, Some("alice".into()));
    assert_eq!(credential.outcome, Some(Outcome::Failure));
    assert_eq!(credential.fields.get("ntlm.server_name"), Some(&Text::from("files.example.com").into()));
}

#[test]
fn a_ticket_names_realm_and_service() {
    let (facts, is_in) = log_on(&init(ticket()), Some(Outcome::Success));
    let [Statement::Credential(credential)] = facts.as_slice() else { panic!("{facts:?}") };
    assert!(is_in);
    assert_eq!(credential.protocol, Some(kerberos::PROTOCOL));
    assert_eq!(credential.domain, Some("EXAMPLE.COM".into()));
    assert_eq!(credential.fields.get(kerberos::SERVICE), Some(&Text::from("cifs/files").into()));
}

#[test]
fn a_log_on_that_nobody_judged_is_said_at_the_end_without_an_outcome() {
    let (facts, _) = log_on(&authenticate("CORP", "alice", "LAPTOP-7"), None);
    let [Statement::Credential(credential)] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(credential.outcome, None);
}

#[test]
fn a_token_nested_too_deep_is_not_read() {
    let deep = (0..5).fold(authenticate("CORP", "alice", ""), |token, _| response(token));
    assert!(log_on(&deep, Some(Outcome::Success)).0.is_empty());
}
