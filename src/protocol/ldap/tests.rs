use super::*;
use crate::facts::Value;
use crate::protocol::gss::tests::{init, response, ticket};
use crate::protocol::ntlm::tests::{authenticate, challenge};
use crate::protocol::tests::{Fixture, der};
use crate::protocol::{kerberos, ntlm};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let (client, server) = (Sender::Client, Sender::Server);
    let fixture = |name, transport, chunks| Fixture {
        name,
        protocol: PROTOCOL,
        transport,
        client_port: 50_000,
        server_port: 389,
        chunks,
    };
    vec![
        fixture(
            "a simple bind",
            Transport::Tcp,
            vec![
                (client, message(1, bind("cn=admin,dc=example,dc=com", der(0x80, &[b"hunter2".to_vec()])))),
                (server, message(1, result(0x61, 49, &[]))),
                (client, message(2, bind("alice@example.com", der(0x80, &[b"hunter2".to_vec()])))),
                (server, message(2, result(0x61, 0, &[]))),
                (client, message(3, search("dc=example,dc=com"))),
                (client, message(4, bind("bob@example.com", der(0x80, &[b"hunter2".to_vec()])))),
                (server, message(4, result(0x61, 0, &[]))),
            ],
        ),
        fixture(
            "a search without a bind, then TLS",
            Transport::Tcp,
            vec![
                (client, message(1, search(""))),
                (server, [message(1, entry()), message(1, result(0x65, 0, &[]))].concat()),
                (client, message(2, der(0x77, &[der(0x80, &[b"1.3.6.1.4.1.1466.20037".to_vec()])]))),
                (server, message(2, result(0x78, 0, &[]))),
            ],
        ),
        fixture("a look for a domain controller", Transport::Udp, vec![(client, message(7, search("")))]),
        fixture("the answer to one", Transport::Udp, vec![(server, controller())]),
    ]
}

fn sasl(token: Vec<u8>) -> Vec<u8> {
    der(0xa3, &[der(0x04, &[b"GSS-SPNEGO".to_vec()]), der(0x04, &[token])])
}

fn message(number: u8, operation: Vec<u8>) -> Vec<u8> {
    der(0x30, &[der(0x02, &[vec![number]]), operation])
}

fn bind(name: &str, method: Vec<u8>) -> Vec<u8> {
    der(0x60, &[der(0x02, &[vec![3]]), der(0x04, &[name.as_bytes().to_vec()]), method])
}

fn result(tag: u8, code: u8, token: &[u8]) -> Vec<u8> {
    let token = if token.is_empty() { vec![] } else { der(0x87, &[token.to_vec()]) };
    der(tag, &[der(0x0a, &[vec![code]]), der(0x04, &[]), der(0x04, &[]), token])
}

fn search(base: &str) -> Vec<u8> {
    let zero = |tag| der(tag, &[vec![0]]);
    let filter = der(0x87, &[b"objectClass".to_vec()]);
    let parts =
        [der(0x04, &[base.as_bytes().to_vec()]), zero(0x0a), zero(0x0a), zero(0x02), zero(0x02), zero(0x01), filter];
    der(0x63, &[parts.concat(), der(0x30, &[])])
}

fn entry() -> Vec<u8> {
    der(0x64, &[der(0x04, &[]), der(0x30, &[vec![0; 50_000]])])
}

/// An entry, and the end of the search.
fn controller() -> Vec<u8> {
    let entry = der(0x64, &[der(0x04, &[]), der(0x30, &[])]);
    [message(7, entry), message(7, result(0x65, 0, &[]))].concat()
}

fn credentials(chunks: &[(Sender, Vec<u8>)]) -> Vec<(Protocol, Credential)> {
    let credential = |(protocol, kind)| match kind {
        Statement::Credential(credential) => (protocol, *credential),
        other => panic!("{other:?}"),
    };
    fixtures()[0].facts_of(chunks).into_iter().map(credential).collect()
}

#[test]
fn each_bind_is_one_credential_without_its_password() {
    let said = credentials(&fixtures()[0].chunks);
    let [(PROTOCOL, refused), (PROTOCOL, granted), (PROTOCOL, next)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((next.user.clone(), next.outcome), (Some("bob@example.com".into()), Some(Outcome::Success)));
    assert_eq!(refused.user, None);
    assert_eq!(refused.outcome, Some(Outcome::Failure));
    assert_eq!(refused.fields.get("ldap.bind_dn"), Some(&Text::from("cn=admin,dc=example,dc=com").into()));
    assert_eq!(granted.user, Some("alice@example.com".into()));
    assert_eq!(granted.outcome, Some(Outcome::Success));
    assert_eq!(granted.fields.get("ldap.authentication"), Some(&Text::from("simple").into()));
    assert!(!format!("{said:?}").contains("hunter2"));
}

#[test]
fn the_account_of_a_bind_is_its_name_or_the_leading_uid() {
    let user = |name: &str| {
        let said = credentials(&[
            (Sender::Client, message(1, bind(name, der(0x80, &[b"hunter2".to_vec()])))),
            (Sender::Server, message(1, result(0x61, 0, &[]))),
        ]);
        said.into_iter().find_map(|(_, credential)| credential.user)
    };
    assert_eq!(user("alice@example.com"), Some("alice@example.com".into()));
    assert_eq!(user("uid=alice,ou=people,dc=example,dc=com"), Some("alice".into()));
    assert_eq!(user("UID=alice+employeeNumber=7,dc=example,dc=com"), Some("alice".into()));
    assert_eq!(user("cn=Alice Doe,dc=example,dc=com"), None, "a common name is no account");
    assert_eq!(user("uid=al\\,ice,dc=example,dc=com"), None, "an escaped value is left alone");
    assert_eq!(user("uid=,dc=example,dc=com"), None);
}

#[test]
fn binds_of_other_versions_are_binds() {
    for (version, tag, method) in [(4, 0x80, "simple"), (2, 0x81, "kerberos4"), (2, 0x82, "kerberos4")] {
        let bind = der(0x60, &[der(0x02, &[vec![version]]), der(0x04, &[b"cn=bob".to_vec()]), der(tag, &[vec![1]])]);
        let said =
            credentials(&[(Sender::Client, message(1, bind)), (Sender::Server, message(1, result(0x61, 0, &[])))]);
        let [(PROTOCOL, credential)] = said.as_slice() else { panic!("{said:?}") };
        assert_eq!(credential.fields.get("ldap.authentication"), Some(&Text::from(method).into()));
        assert_eq!(credential.outcome, Some(Outcome::Success));
    }
    let none = der(0x60, &[der(0x02, &[vec![0]]), der(0x04, &[]), der(0x80, &[])]);
    assert!(fixtures()[0].facts_of(&[(Sender::Client, message(1, none))]).is_empty());
}

#[test]
fn ntlm_in_sasl_is_one_credential() {
    let said = credentials(&[
        (Sender::Client, message(1, bind("", sasl(init(b"NTLMSSP\0\x01\0\0\0\0\0\0\0".to_vec()))))),
        (Sender::Server, message(1, result(0x61, 14, &response(challenge())))),
        (Sender::Client, message(2, bind("", sasl(response(authenticate("CORP", "alice", "LAPTOP-7")))))),
        (Sender::Server, message(2, result(0x61, 0, &[]))),
    ]);
    let [(ntlm::PROTOCOL, credential)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(credential.host, Some("LAPTOP-7".into()));
    assert_eq!(credential.outcome, Some(Outcome::Success));
    assert_eq!(credential.fields.get("ntlm.server_name"), Some(&Text::from("files.example.com").into()));
}

#[test]
fn ntlm_in_sicily_is_one_credential_though_every_step_is_a_success() {
    let sicily = |tag, token| bind("User1", der(tag, &[token]));
    let matched = der(0x61, &[der(0x0a, &[vec![0]]), der(0x04, &[challenge()]), der(0x04, &[])]);
    let said = credentials(&[
        (Sender::Client, message(1, sicily(0x8a, b"NTLMSSP\0\x01\0\0\0\0\0\0\0".to_vec()))),
        (Sender::Server, message(1, matched)),
        (Sender::Client, message(2, sicily(0x8b, authenticate("CORP", "alice", "LAPTOP-7")))),
        (Sender::Server, message(2, result(0x61, 0, &[]))),
    ]);
    let [(ntlm::PROTOCOL, credential)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((credential.user.clone(), credential.outcome), (Some("alice".into()), Some(Outcome::Success)));
}

#[test]
fn a_log_on_that_is_left_half_way_is_said_without_an_outcome() {
    let said = credentials(&[
        (Sender::Client, message(1, bind("", sasl(b"NTLMSSP\0\x01\0\0\0\0\0\0\0".to_vec())))),
        (Sender::Server, message(1, result(0x61, 14, &challenge()))),
    ]);
    let [(ntlm::PROTOCOL, credential)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((credential.user.clone(), credential.outcome), (None, None));
}

#[test]
fn a_ticket_in_sasl_names_its_realm() {
    let said = credentials(&[
        (Sender::Client, message(1, bind("", sasl(init(ticket()))))),
        (Sender::Server, message(1, result(0x61, 0, &[]))),
    ]);
    let [(kerberos::PROTOCOL, credential)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(credential.domain, Some("EXAMPLE.COM".into()));
}

/// Servers that replicate answer a search with messages amid it (RFC 4511 §4.13): with a name and a value, or neither.
#[test]
fn intermediate_responses_do_not_end_the_reading() {
    let named = der(0x79, &[der(0x80, &[b"1.3.6.1.4.1.4203.1.9.1.4".to_vec()]), der(0x81, &[vec![0; 4]])]);
    let chunks = [
        (Sender::Client, message(1, search("dc=example"))),
        (Sender::Server, message(1, named)),
        (Sender::Server, message(1, der(0x79, &[]))),
        (Sender::Client, message(2, bind("ann@example.com", der(0x80, &[b"pw".to_vec()])))),
        (Sender::Server, message(2, result(0x61, 0, &[]))),
    ];
    let facts = fixtures()[0].facts_of(&chunks);
    let users = facts.iter().filter_map(|(_, kind)| match kind {
        Statement::Credential(credential) => credential.user.as_ref().map(|user| user.as_str()),
        _ => None,
    });
    assert_eq!(users.collect::<Vec<_>>(), ["ann@example.com"], "{facts:?}");
}

#[test]
fn a_search_without_a_bind_introduces_the_client() {
    let facts = fixtures()[1].facts();
    let (PROTOCOL, Statement::Hello(hello)) = &facts[0] else { panic!("{facts:?}") };
    assert_eq!((facts.len(), hello.sender), (1, Sender::Client));
    assert_eq!(hello.fields.get("ldap.operation"), Some(&Value::Word("search")));
}

#[test]
fn a_search_that_lacks_its_members_is_none_wherever_it_is_cut() {
    let broken = message(1, der(0x63, &[der(0x04, &[]), der(0x0a, &[vec![0]]), vec![0; 16]]));
    let bytewise: Vec<_> = broken.iter().map(|&byte| (Sender::Client, vec![byte])).collect();
    let fixture = &fixtures()[1];
    assert!(fixture.facts_of(&[(Sender::Client, broken)]).is_empty());
    assert!(fixture.facts_of(&bytewise).is_empty());
}

#[test]
fn other_users_of_asn_1_are_not_ldap() {
    let opening = |bytes| Opening {
        transport: Transport::Udp,
        sender: Sender::Client,
        client_port: 50_000,
        server_port: 389,
        is_midway: false,
        bytes,
        missing: 0,
    };
    let snmp = der(0x30, &[der(0x02, &[vec![1]]), der(0x04, &[b"public".to_vec()]), der(0xa0, &[vec![0; 20]])]);
    assert_eq!(probe(&opening(&snmp)), Probe::No);
    let whole = message(7, search(""));
    assert_eq!(probe(&opening(&whole)), Probe::Match);
    assert_eq!(probe(&opening(&whole[..whole.len() - 1])), Probe::No, "a datagram is whole");
    assert_eq!(probe(&opening(b"0 OK\r\n")), Probe::No);
    let two = [controller(), vec![0x30]].concat();
    assert_eq!(probe(&opening(&two[..two.len() - 1])), Probe::Reversed);
    assert_eq!(probe(&opening(&two)), Probe::No, "messages fill it");
}

#[test]
fn the_answer_to_a_bind_that_was_not_seen_introduces_the_server() {
    let facts = fixtures()[0].facts_of(&[(Sender::Server, message(3, result(0x61, 0, &[])))]);
    let [(PROTOCOL, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(hello.sender, Sender::Server);
}
