use super::*;
use crate::facts::Value;
use crate::protocol::tests::{Fixture, der, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let (client, server) = (Sender::Client, Sender::Server);
    let fixture = |name, transport, chunks| Fixture {
        name,
        protocol: PROTOCOL,
        transport,
        client_port: 50_000,
        server_port: 88,
        chunks,
    };
    let over_tcp = |message: Vec<u8>| [u32::try_from(message.len()).unwrap().to_be_bytes().to_vec(), message].concat();
    vec![
        fixture(
            "a log-on that is asked for pre-authentication",
            Transport::Udp,
            vec![
                (client, request(10, Some("alice"), "EXAMPLE.COM", &["krbtgt", "EXAMPLE.COM"])),
                (server, error(25, "EXAMPLE.COM")),
                (client, request(10, Some("alice"), "EXAMPLE.COM", &["krbtgt", "EXAMPLE.COM"])),
                (server, reply(11, "alice", "EXAMPLE.COM")),
            ],
        ),
        fixture(
            "a service ticket",
            Transport::Tcp,
            vec![
                (client, over_tcp(request(12, None, "EXAMPLE.COM", &["cifs", "files.example.com"]))),
                (server, over_tcp(reply(13, "alice", "EXAMPLE.COM"))),
            ],
        ),
        fixture("an error with a code and no more than its data", Transport::Udp, vec![(server, hex(SPARSE_ERROR))]),
    ]
}

/// `[APPLICATION 30]` with an error code ([6]) and error data ([12]).
const SPARSE_ERROR: &str = "7e14 3012 a603020119 ac0b 3009 3007 a103020102 a200";

fn int(tag: u8, value: u8) -> Vec<u8> {
    der(tag, &[der(0x02, &[vec![value]])])
}

fn string(text: &str) -> Vec<u8> {
    der(0x1b, &[text.as_bytes().to_vec()])
}

fn principal(tag: u8, components: &[&str]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = components.iter().map(|component| string(component)).collect();
    der(tag, &[der(0x30, &[int(0xa0, 1), der(0xa1, &[der(0x30, &names)])])])
}

/// KDC-REQ (RFC 4120 §5.4.1) with a NetBIOS address.
fn request(kind: u8, client: Option<&str>, realm: &str, service: &[&str]) -> Vec<u8> {
    let netbios = der(0x30, &[int(0xa0, 20), der(0xa1, &[der(0x04, &[b"LAPTOP-7        ".to_vec()])])]);
    let body = [
        der(0xa0, &[der(0x03, &[vec![0, 0x40, 0x81, 0, 0x10]])]),
        client.map(|name| principal(0xa1, &[name])).unwrap_or_default(),
        der(0xa2, &[string(realm)]),
        principal(0xa3, service),
        der(0xa5, &[der(0x18, &[b"20370913024805Z".to_vec()])]),
        int(0xa7, 77),
        der(0xa8, &[der(0x30, &[der(0x02, &[vec![18]])])]),
        der(0xa9, &[der(0x30, &[netbios])]),
    ];
    let parts = [int(0xa1, 5), int(0xa2, kind), der(0xa4, &[der(0x30, &body)])];
    der(0x60 | kind, &[der(0x30, &parts)])
}

/// KDC-REP (§5.4.2), its ticket and encrypted part filled with zeros.
fn reply(kind: u8, client: &str, realm: &str) -> Vec<u8> {
    let parts = [
        int(0xa0, 5),
        int(0xa1, kind),
        der(0xa3, &[string(realm)]),
        principal(0xa4, &[client]),
        der(0xa5, &[der(0x61, &[vec![0; 200]])]),
        der(0xa6, &[der(0x30, &[vec![0; 40]])]),
    ];
    der(0x60 | kind, &[der(0x30, &parts)])
}

/// KRB-ERROR (§5.9.1).
fn error(code: u8, realm: &str) -> Vec<u8> {
    let parts = [
        int(0xa0, 5),
        int(0xa1, 30),
        der(0xa4, &[der(0x18, &[b"20260101000000Z".to_vec()])]),
        int(0xa5, 1),
        int(0xa6, code),
        der(0xa9, &[string(realm)]),
        principal(0xaa, &["krbtgt", realm]),
    ];
    der(0x7e, &[der(0x30, &parts)])
}

fn credentials(chunks: &[(Sender, Vec<u8>)]) -> Vec<Credential> {
    let credential = |(_, kind)| match kind {
        Statement::Credential(credential) => *credential,
        other => panic!("{other:?}"),
    };
    fixtures()[0].facts_of(chunks).into_iter().map(credential).collect()
}

#[test]
fn a_log_on_names_user_realm_and_host() {
    let said = credentials(&fixtures()[0].chunks);
    let [asked_again, granted] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(asked_again.outcome, None);
    assert_eq!(asked_again.fields.get("kerberos.error_code"), Some(&Value::Number(25)));
    assert_eq!(granted.user, Some("alice".into()));
    assert_eq!(granted.domain, Some("EXAMPLE.COM".into()));
    assert_eq!(granted.host, Some("LAPTOP-7".into()));
    assert_eq!(granted.outcome, Some(Outcome::Success));
    assert_eq!(granted.fields.get("kerberos.request"), Some(&"AS".into()));
    assert_eq!(granted.fields.get(SERVICE), Some(&Text::from("krbtgt/EXAMPLE.COM").into()));
}

#[test]
fn a_service_ticket_names_the_service_and_the_user_of_the_reply() {
    let facts = fixtures()[1].facts();
    let [(PROTOCOL, Statement::Credential(credential))] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(credential.user, Some("alice".into()));
    assert_eq!(credential.fields.get("kerberos.request"), Some(&"TGS".into()));
    assert_eq!(credential.fields.get(SERVICE), Some(&Text::from("cifs/files.example.com").into()));
}

#[test]
fn a_refusal_is_a_failure() {
    let chunks = [
        (Sender::Client, request(10, Some("mallory"), "EXAMPLE.COM", &["krbtgt", "EXAMPLE.COM"])),
        (Sender::Server, error(6, "EXAMPLE.COM")),
    ];
    let said = credentials(&chunks);
    assert_eq!(said[0].user, Some("mallory".into()));
    assert_eq!(said[0].outcome, Some(Outcome::Failure));
}

/// Pre-authentication of several steps, and a log-on by UPN in another realm.
#[test]
fn a_server_that_wants_more_or_names_another_realm_refuses_nobody() {
    for code in [68, 91] {
        let chunks = [
            (Sender::Client, request(10, Some("alice"), "EXAMPLE.COM", &["krbtgt", "EXAMPLE.COM"])),
            (Sender::Server, error(code, "EXAMPLE.COM")),
        ];
        let said = credentials(&chunks);
        assert_eq!((said.len(), said[0].outcome), (1, None), "{code}");
    }
}

#[test]
fn a_request_without_an_answer_is_said_at_the_end() {
    let said = credentials(&fixtures()[0].chunks[..1]);
    assert_eq!((said.len(), said[0].outcome), (1, None));
}

/// RFC 4120 §5.9.1.
#[test]
fn at_its_port_an_error_needs_only_its_code() {
    let facts = |bytes: Vec<u8>, server_port| {
        Fixture { server_port, chunks: vec![(Sender::Server, bytes)], ..fixtures().swap_remove(0) }.facts()
    };
    let said = facts(hex(SPARSE_ERROR), 88);
    let [(PROTOCOL, Statement::Credential(credential))] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(credential.fields.get("kerberos.error_code"), Some(&Value::Number(25)));
    assert_eq!((&credential.user, &credential.domain, credential.outcome), (&None, &None, None));
    assert!(facts(hex(SPARSE_ERROR), 8888).is_empty(), "at another port");
    for other in [
        "7e07 3005 a503020119",                                // no code
        "7e14 3011 a603020119 ac0b 3009 3007 a103020102 a200", // a byte behind the sequence
        "7e0c 300a a603020119 a503020101",                     // members out of order
        "7e0c 300a a003020104 a603020119",                     // another version
        "7e0c 300a a10302010a a603020119",                     // another message
        "7e08 3006 a603020119 ac",                             // a member that is cut
        "7e09 3007 a603020119 0500",                           // a member of nothing
        "6b07 3005 a603020119",                                // a reply
    ] {
        assert!(facts(hex(other), 88).is_empty(), "{other}");
    }
}

#[test]
fn a_request_is_told_though_the_stream_breaks_behind_it() {
    let whole = request(10, Some("alice"), "EXAMPLE.COM", &["krbtgt", "EXAMPLE.COM"]);
    let asked = [&u32::try_from(whole.len()).unwrap().to_be_bytes()[..], &whole].concat();
    for broken in ["00010100 6a82", "00000002 6a00"] {
        let tcp = fixtures().swap_remove(1);
        let apart = tcp.facts_of(&[(Sender::Client, asked.clone()), (Sender::Client, hex(broken))]);
        let together = tcp.facts_of(&[(Sender::Client, [asked.clone(), hex(broken)].concat())]);
        for facts in [apart, together] {
            let (PROTOCOL, Statement::Credential(credential)) = &facts[0] else { panic!("{facts:?}") };
            assert_eq!((&credential.user, credential.outcome), (&Some("alice".into()), None));
            assert!(matches!(&facts[1..], [(_, Statement::Malformed(_))]), "{facts:?}");
        }
        assert!(tcp.facts_of(&[(Sender::Client, hex(broken))]).is_empty());
    }
}

#[test]
fn a_message_of_another_type_than_its_tag_is_not_read() {
    let good = request(10, Some("alice"), "EXAMPLE.COM", &["krbtgt", "EXAMPLE.COM"]);
    assert!(wire::message(&good).is_some());
    let mut other_tag = good.clone();
    other_tag[0] = 0x6c;
    assert!(wire::message(&other_tag).is_none());
    assert!(wire::message(&[good, vec![0]].concat()).is_none(), "bytes behind it");
}
