use crate::facts::{Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![conversation(), over_tcp()]
}

/// `PC-7` A, and the answer of its machine.
fn conversation() -> Fixture {
    let query = "b1e6 0000 0001 0000 0000 0000 04 50432d37 00 0001 0001";
    let answer = "b1e6 8000 0001 0001 0000 0000 04 50432d37 00 0001 0001 c00c 0001 0001 0000001e 0004 c0000207";
    Fixture {
        name: "llmnr",
        protocol: super::SPEC.protocol,
        transport: Transport::Udp,
        client_port: 50_000,
        server_port: 5355,
        chunks: vec![(Sender::Client, hex(query)), (Sender::Server, hex(answer))],
    }
}

fn over_tcp() -> Fixture {
    let mut fixture = Fixture { name: "llmnr over tcp", transport: Transport::Tcp, ..conversation() };
    for (_, bytes) in &mut fixture.chunks {
        let len = u16::try_from(bytes.len()).unwrap();
        bytes.splice(0..0, len.to_be_bytes());
    }
    fixture
}

#[test]
fn it_is_the_same_over_tcp() {
    assert_eq!(format!("{:?}", over_tcp().facts()), format!("{:?}", conversation().facts()));
    assert!(Fixture { server_port: 5350, ..over_tcp() }.facts().is_empty());
}

#[test]
fn any_class_may_be_asked_for_and_no_other() {
    let asked = |class| {
        let mut fixture = conversation();
        fixture.chunks.truncate(1);
        *fixture.chunks[0].1.last_mut().unwrap() = class;
        fixture.facts().len()
    };
    assert_eq!([1, 255, 3].map(asked), [1, 1, 0]);
}

#[test]
fn the_machine_that_answers_has_the_name() {
    let facts = conversation().facts();
    let [(_, Statement::Name(asked)), (_, Statement::Name(answered))] = &facts[..] else {
        panic!("two names: {facts:?}");
    };
    assert_eq!(asked.question.as_ref().map(|name| name.as_str()), Some("pc-7"));
    assert_eq!(asked.fields.get("host.hostname"), None);
    assert_eq!(answered.fields.get("host.hostname"), Some(&Value::Text("pc-7".into())));
}

#[test]
fn two_questions_are_not_llmnr() {
    let mut fixture = conversation();
    fixture.chunks.truncate(1);
    fixture.chunks[0].1[5] = 2;
    fixture.chunks[0].1.extend(hex("c00c 001c 0001"));
    assert!(fixture.facts().is_empty());
}
