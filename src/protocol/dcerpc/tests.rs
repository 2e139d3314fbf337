use super::*;
use crate::facts::Credential;
use crate::protocol::tests::{Fixture, hex};
use crate::protocol::{gss, kerberos, ntlm};

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![fixture(with_ntlm(2)), fixture(with_kerberos())]
}

fn fixture(chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture {
        name: "a binding with a log-on",
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 49_700,
        server_port: 135,
        chunks,
    }
}

fn unit(kind: u8, body: &[u8], provider: u8, token: &[u8]) -> Vec<u8> {
    let trailer = if token.is_empty() { vec![] } else { vec![provider, 2, 0, 0, 1, 0, 0, 0] };
    let unit_bytes = u16::try_from(16 + body.len() + trailer.len() + token.len()).unwrap().to_le_bytes();
    let token_bytes = u16::try_from(token.len()).unwrap().to_le_bytes();
    let header = [&[5, 0, kind, 3, 0x10, 0, 0, 0][..], &unit_bytes, &token_bytes, &[1, 0, 0, 0]].concat();
    [&header, body, &trailer, token].concat()
}

/// One context with the interface NSPI 56.0 and the transfer syntax NDR 2.0.
fn bind() -> Vec<u8> {
    hex("d016 d016 816ca402 01000000 0000 01 00 185accf564421a108c5908002b2f8426 38000000
        045d888aeb1cc9119fe808002b104860 02000000")
}

/// Bind, its acknowledgement, the third leg with the first call, and the answer or the fault.
fn with_ntlm(answer: u8) -> Vec<(Sender, Vec<u8>)> {
    let third = [
        unit(16, &[0; 4], 0x0a, &ntlm::tests::authenticate("CORP", "alice", "LAPTOP-7")),
        unit(0, &[0; 24], 0x0a, &[0x55; 16]),
    ];
    vec![
        (Sender::Client, unit(11, &bind(), 0x0a, b"NTLMSSP\0\x01\0\0\0")),
        (Sender::Server, unit(12, &[0; 44], 0x0a, &ntlm::tests::challenge())),
        (Sender::Client, third.concat()),
        (Sender::Server, unit(answer, &hex("00000000 0000 00 00 05000000 00000000"), 0, &[])),
    ]
}

fn with_kerberos() -> Vec<(Sender, Vec<u8>)> {
    vec![
        (Sender::Client, unit(11, &bind(), 0x09, &gss::tests::init(gss::tests::ticket()))),
        (Sender::Server, unit(12, &[0; 44], 0, &[])),
        (Sender::Client, unit(0, &[0; 24], 0, &[])),
        (Sender::Server, unit(2, &[0; 24], 0, &[])),
    ]
}

fn credential(chunks: Vec<(Sender, Vec<u8>)>) -> Credential {
    let facts = fixture(chunks).facts();
    let [(PROTOCOL, Statement::Hello(_)), (_, Statement::Credential(credential))] = facts.as_slice() else {
        panic!("{facts:?}")
    };
    (**credential).clone()
}

#[test]
fn the_first_answer_judges_the_log_on() {
    let granted = credential(with_ntlm(2));
    assert_eq!((granted.user, granted.outcome), (Some("alice".into()), Some(Outcome::Success)));
    assert_eq!(credential(with_ntlm(3)).outcome, Some(Outcome::Failure));
    assert_eq!(credential(with_ntlm(2)[..3].to_vec()).outcome, None);
    let ticket = credential(with_kerberos());
    assert_eq!((ticket.protocol, ticket.outcome), (Some(kerberos::PROTOCOL), Some(Outcome::Success)));
}

#[test]
fn a_binding_without_a_log_on_names_the_interface() {
    let chunks = vec![(Sender::Client, unit(11, &bind(), 0, &[])), (Sender::Server, unit(12, &[0; 44], 0, &[]))];
    let facts = fixture(chunks).facts();
    let [(_, Statement::Hello(hello))] = facts.as_slice() else { panic!("{facts:?}") };
    let interface = crate::net::Text::from("f5cc5a18-4264-101a-8c59-08002b2f8426");
    assert_eq!(hello.fields.get("dcerpc.interface"), Some(&interface.into()));
}

#[test]
fn headers_are_judged_strictly() {
    let header = |text: &str| wire::header(&mut Cursor::new(&hex(text)));
    assert!(header("05 00 0b 03 10000000 4800 0000 01000000").is_ok_and(|header| header.is_some()));
    assert!(header("05 00 0b 03 00000000 0048 0000 00000001").is_ok_and(|header| header.is_some()));
    assert!(header("05 00 0b 03 10000000 48").is_ok_and(|header| header.is_none()));
    for text in [
        "05 02",
        "05 00 09",
        "05 00 0b 03 11000000 4800 0000 01000000",
        "05 00 0b 03 10000000 0f00 0000 01000000",
        "05 00 0b 03 10000000 4800 4800 01000000",
    ] {
        assert!(header(text).is_err(), "{text}");
    }
}
