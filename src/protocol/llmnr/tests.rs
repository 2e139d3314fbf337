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
fn any_class_may_be_asked_for_and_another_only_in_a_message_that_is_sound_to_its_end() {
    let asked = |class, behind: &[u8]| {
        let mut fixture = conversation();
        fixture.chunks.truncate(1);
        *fixture.chunks[0].1.last_mut().unwrap() = class;
        fixture.chunks[0].1.extend(behind);
        fixture.facts().len()
    };
    assert_eq!([1, 255, 3].map(|class| asked(class, &[])), [1, 1, 1]);
    assert_eq!([1, 255, 3].map(|class| asked(class, &[0])), [1, 1, 0]);
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

/// RFC 4795 §2.1.1: nobody answers what has an opcode or more than one question, and it is sent all the same.
#[test]
fn what_nobody_answers_is_told_where_it_is_sound_and_names_no_machine() {
    let facts = |bytes: &str| Fixture { chunks: vec![(Sender::Client, hex(bytes))], ..conversation() }.facts();
    for (odd, questions) in [
        ("3039 7900 0001 0000 0000 0000 04 50432d37 00 0001 0001", 1),
        ("b1e6 0000 0002 0000 0000 0000 04 50432d37 00 0001 0001 c00c 001c 0001", 2),
        ("b1e6 f800 0001 0001 0000 0000 04 50432d37 00 0001 0001 c00c 0001 0001 0000001e 0004 c0000207", 1),
    ] {
        let told = facts(odd);
        assert_eq!(told.len(), questions, "{odd}");
        for (_, statement) in told {
            let Statement::Name(name) = statement else { panic!("{odd}") };
            assert_eq!(name.question.as_ref().map(|name| name.as_str()), Some("pc-7"));
            assert_eq!(name.fields.get("host.hostname"), None);
        }
        assert!(facts(&format!("{odd} 00")).is_empty(), "{odd} and a byte");
    }
}
