use std::net::IpAddr;

use super::budget::Budget;
use super::name::DomainName;
use super::wire::Message;
use crate::facts::{Name, Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::tests::{Fixture, hex};
use crate::time::Timestamp;

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![udp(), tcp(), elsewhere(), two_questions(), certificate()]
}

/// `www.Example.com` A, and an answer of a CNAME and two addresses.
const QUERY: &str = "1234 0100 0001 0000 0000 0000 03 777777 07 4578616d706c65 03 636f6d 00 0001 0001";
const ANSWER: &str = "1234 8180 0001 0003 0000 0000 03 777777 07 4578616d706c65 03 636f6d 00 0001 0001
    c00c 0005 0001 0000003c 0006 03 63646e c010
    c02d 0001 0001 0000003c 0004 c0000201
    c02d 001c 0001 0000003c 0010 20010db8000000000000000000000001";

fn udp() -> Fixture {
    Fixture {
        name: "dns over udp",
        protocol: super::SPEC.protocol,
        transport: Transport::Udp,
        client_port: 40_000,
        server_port: 53,
        chunks: vec![(Sender::Client, hex(QUERY)), (Sender::Server, hex(ANSWER))],
    }
}

fn tcp() -> Fixture {
    let mut fixture = Fixture { name: "dns over tcp", transport: Transport::Tcp, ..udp() };
    for (_, bytes) in &mut fixture.chunks {
        let len = u16::try_from(bytes.len()).unwrap();
        bytes.splice(0..0, len.to_be_bytes());
    }
    fixture
}

fn elsewhere() -> Fixture {
    Fixture { name: "dns on another port", server_port: 5300, ..udp() }
}

/// `codemonkey.net` A twice; the first of the questions points to the second.
fn two_questions() -> Fixture {
    let query = "1234 0100 0002 0000 0000 0000 c012 0001 0001 0a 636f64656d6f6e6b6579 03 6e6574 00 0001 0001";
    Fixture { name: "dns with a pointer onwards", chunks: vec![(Sender::Client, hex(query))], ..udp() }
}

/// What DNSCrypt's server answers on its port: a certificate, as TXT, for the name that it was asked for.
const CERTIFICATE: &str = "7f47 8180 0001 0001 0000 0000
    01 32 0d 646e7363727970742d63657274 07 6578616d706c65 03 636f6d 00 0010 0001
    c00c 0010 0001 00000e10 0009 08 444e5343 00020000";

fn certificate() -> Fixture {
    let chunks = vec![(Sender::Server, hex(CERTIFICATE))];
    Fixture { name: "an answer whose question was not seen", server_port: 443, chunks, ..udp() }
}

fn names(fixture: &Fixture) -> Vec<Name> {
    let facts = fixture.facts();
    let name = |kind: &Statement| match kind {
        Statement::Name(name) => Some(Name::clone(name)),
        _ => None,
    };
    facts.iter().filter_map(|(_, kind)| name(kind)).collect()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_question_and_its_answer_are_two_names() {
    for fixture in [udp(), tcp(), elsewhere()] {
        let [asked, answered] = &names(&fixture)[..] else { panic!("two names") };
        for name in [asked, answered] {
            assert_eq!(name.question.as_ref().map(|name| name.as_str()), Some("www.example.com"));
            assert_eq!(name.kind.as_deref(), Some("A"));
        }
        assert!(!asked.answered && answered.answered);
        assert_eq!(answered.addresses.to_vec(), addresses(&["192.0.2.1", "2001:db8::1"]));
        assert_eq!(answered.fields.get("dns.response_code"), Some(&Value::Word("NOERROR")));
        assert_eq!(
            answered.fields.get("dns.answers.data"),
            Some(&Value::List(vec![Value::Text("cdn.example.com".into())]))
        );
    }
}

#[test]
fn a_record_that_is_cut_ends_the_answers_but_not_the_message() {
    let mut cut = udp();
    cut.chunks[1].1.truncate(70);
    assert_eq!(names(&cut)[1].addresses.to_vec(), addresses(&["192.0.2.1"]));
}

#[test]
fn a_capture_that_begins_with_the_answer_is_turned() {
    let mut turned = udp();
    turned.chunks.remove(0);
    turned.chunks[0].0 = Sender::Client;
    assert_eq!(names(&turned).len(), 1);
}

#[test]
fn pointers_go_back_or_on_as_long_as_the_way_ends() {
    let decode = |text: &str| {
        let message = hex(&format!("{} {text}", "00".repeat(12)));
        let mut cursor = Cursor::new(&message);
        cursor.skip(12).unwrap();
        DomainName::read(&message, &mut cursor).map(|name| (name.spelt(), cursor.len()))
    };
    assert_eq!(decode("01 61 00 ff"), Some(("a".into(), 1)));
    assert_eq!(decode("00"), Some((".".into(), 0)));
    assert_eq!(decode("c00c"), None, "to itself");
    assert_eq!(decode("01 61 c00c"), None, "to its own beginning");
    assert_eq!(decode("c00e 01 61 00"), Some(("a".into(), 3)), "forward");
    assert_eq!(decode("c00e c00c"), None, "round and round");
    assert_eq!(decode("c00e"), None, "to the end");
    assert_eq!(decode("c000"), None, "into the header");
    assert_eq!(decode("40"), None, "a label type that is not used");
    assert_eq!(decode(&"01 61 ".repeat(127)), None, "no end");
    assert_eq!(decode(&format!("{}00", "01 61 ".repeat(127))).map(|(name, _)| name.len()), Some(253));
    assert_eq!(decode(&format!("{}00", "01 61 ".repeat(128))), None, "longer than 255");
}

#[test]
fn a_name_leads_over_so_many_pointers_and_no_more() {
    // A root in the place behind the header, and pointers that each lead to the one before.
    let chain = |pointers: u16| {
        let mut message = [&[0; 13][..], &[0]].concat();
        (0..pointers).for_each(|number| message.extend((0xc00c + 2 * number).to_be_bytes()));
        let mut cursor = Cursor::new(&message);
        cursor.skip(message.len() - 2).unwrap();
        DomainName::read(&message, &mut cursor).map(|name| (name.spelt(), cursor.len()))
    };
    assert_eq!(chain(127), Some((".".into(), 0)));
    assert_eq!(chain(128), None);
}

#[test]
fn labels_cannot_pretend_to_be_others() {
    let query = hex("1234 0100 0001 0000 0000 0000 05 61 2e 62 ff 0a 02 c3a9 00 0001 0001");
    let message = Message::parse(&query).unwrap();
    assert_eq!(message.only_question().unwrap().name.spelt(), "a\\046b\\255\\010.é");
}

#[test]
fn junk_is_not_dns_not_even_on_its_port() {
    for junk in [
        "1234 0140 0001 0000 0000 0000 03 777777 00 0001 0001 00", // the reserved bit, and more than the question
        "1234 1900 0001 0000 0000 0000 03 777777 00 0001 0001 00", // an opcode that is not assigned
        "1234 0100 0001 0001 0000 0000 03 777777 00 0001 0777",    // a class that is not assigned
        "1234 0100 0001 0000 0000 0000 03 777777",                 // no end
        "1234 0100 0000 0000 0000 0000",                           // no question
        "1234 0100 0000 0000 0000 0001 00 0029 1000 00000000",     // no question, and a record without its end
        "16 03 01 00 2a 01 00 00 26 03 03 00 01 02 03 04 05",      // TLS
    ] {
        let chunks = vec![(Sender::Client, hex(junk))];
        assert!(Fixture { chunks, ..udp() }.facts().is_empty(), "{junk}");
    }
    let mut trailing = elsewhere();
    trailing.chunks[0].1.push(0);
    trailing.chunks.truncate(1);
    assert!(trailing.facts().is_empty());
}

#[test]
fn what_few_send_is_dns_at_its_port_and_nowhere_else() {
    for (odd, question) in [
        ("1234 0140 0001 0000 0000 0000 03 777777 00 0001 0001", "www"), // the reserved bit
        ("1234 4800 0001 0000 0000 0000 03 777777 00 0001 0001", "www"), // opcode 9
        ("1234 0100 0001 0000 0000 0000 03 777777 00 0001 0000", "www"), // class 0
        ("1234 0100 0001 0000 0000 0000 03 777777 00 0001 8001", "www"), // the class as mDNS has it
        ("1234 0900 0000 0001 0000 0000 00 0001 0001 00000000 0004 c0000201", ""), // an inverse query
        ("1234 0100 0000 0000 0000 0001 00 0029 1000 00000000 000c 000a 0008 0102030405060708", ""), // a cookie
    ] {
        let chunks = vec![(Sender::Client, hex(odd))];
        let told = names(&Fixture { chunks: chunks.clone(), ..udp() });
        let told: Vec<_> = told.iter().map(|name| name.question.as_ref().map_or("", |name| name.as_str())).collect();
        assert_eq!(told, [question], "{odd}");
        assert!(Fixture { chunks, ..elsewhere() }.facts().is_empty(), "{odd}");
    }
    let two: Vec<_> = names(&two_questions()).into_iter().filter_map(|name| name.question).collect();
    assert_eq!(two, ["codemonkey.net"; 2].map(crate::net::Text::from));
}

#[test]
fn an_answer_alone_is_one_on_any_port_where_it_points_to_its_question() {
    let told = names(&certificate());
    let [name] = &told[..] else { panic!("{told:?}") };
    assert_eq!(name.question.as_ref().map(|name| name.as_str()), Some("2.dnscrypt-cert.example.com"));
    assert_eq!((name.kind.as_deref(), name.answered), (Some("TXT"), true));
    let answer = hex(CERTIFICATE);
    let change = |at: usize, value: u8| {
        let mut changed = answer.clone();
        changed[at] = value;
        changed
    };
    for (other, why) in [
        (answer[..answer.len() - 1].to_vec(), "cut"),
        ([answer.clone(), vec![0]].concat(), "a byte behind it"),
        (change(2, 0x89), "another opcode"),
        (change(3, 0x83), "no such name"),
        (change(42, 0x99), "a type that nobody knows"),
        (change(46, 0x0e), "an answer about somebody else"),
    ] {
        let fixture = Fixture { chunks: vec![(Sender::Server, other)], ..certificate() };
        assert!(names(&fixture).is_empty(), "{why}");
    }
}

#[test]
fn questions_that_are_announced_and_not_there_hide_none_that_is() {
    let told = |text: &str| {
        let told = names(&Fixture { chunks: vec![(Sender::Client, hex(text))], ..udp() });
        told.iter().map(|name| name.question.as_ref().map_or("", |name| name.as_str()).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("1234 0100 0005 0000 0000 0000 01 61 03 636f6d 00 0001 0001"), ["a.com"]);
    assert_eq!(told("1234 0100 0003 0000 0000 0000 01 61 00 0001 0001 01 62 00 001c 0001 01 63 00 00"), ["a", "b"]);
    assert_eq!(told("1234 0100 0005 0000 0000 0000 01 61 03 636f6d 00 0001"), [""; 0]);
    assert_eq!(told("1234 0100 0005 0000 0000 0000 01 61 03 636f6d 00 0001 0777"), [""; 0]);
}

#[test]
fn whoever_asks_at_its_port_speaks_dns_whatever_port_it_asks_from() {
    for client_port in [137, 5353, 5355] {
        let facts = Fixture { client_port, ..udp() }.facts();
        assert!(
            facts.len() == 2 && facts.iter().all(|(protocol, _)| *protocol == super::SPEC.protocol),
            "{client_port}"
        );
    }
}

#[test]
fn a_flood_of_names_is_cut_and_told_once_a_minute() {
    let mut budget = Budget::per_minute(2);
    let mut facts = Vec::new();
    for at in [10, 11, 12, 13, 71] {
        budget.push(Timestamp::from_secs(at), Statement::Name(Box::default()), &mut facts);
    }
    let are_names: Vec<_> = facts.iter().map(|statement| matches!(statement, Statement::Name(_))).collect();
    assert_eq!(are_names, [true, true, false, true]);
}
