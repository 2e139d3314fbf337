use crate::facts::{Name, Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};
use crate::protocol::{Chunk, Start};
use crate::time::Timestamp;

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![conversation()]
}

/// `_kvm._tcp.local` PTR is asked; `KVM-1.local` answers with the service's instance, its host and two addresses.
fn conversation() -> Fixture {
    let query = "0000 0000 0001 0000 0000 0000 04 5f6b766d 04 5f746370 05 6c6f63616c 00 000c 8001";
    let answer = "0000 8400 0000 0001 0000 0003 04 5f6b766d 04 5f746370 05 6c6f63616c 00 000c 0001 00001194 0008 05 4d7920312e c00c
        c027 0021 8001 00000078 000e 0000 0000 0050 05 4b564d2d31 c016
        c041 0001 8001 00000078 0004 c0000207
        c041 001c 8001 00000078 0010 fe800000000000000000000000000007";
    Fixture {
        name: "mdns",
        protocol: super::SPEC.protocol,
        transport: Transport::Udp,
        client_port: 5353,
        server_port: 5353,
        chunks: vec![(Sender::Client, hex(query)), (Sender::Client, hex(answer))],
    }
}

fn names(fixture: &Fixture) -> Vec<Name> {
    let facts = fixture.facts();
    let name = |kind: &Statement| match kind {
        Statement::Name(name) => Some(Name::clone(name)),
        _ => None,
    };
    facts.iter().filter_map(|(_, kind)| name(kind)).collect()
}

fn texts(texts: &[&str]) -> Value {
    Value::List(texts.iter().map(|text| Value::Text((*text).into())).collect())
}

#[test]
fn a_question_names_what_is_looked_for_and_an_answer_who_it_is() {
    let [asked, host, services] = &names(&conversation())[..] else { panic!("three names") };
    assert_eq!(asked.question.as_ref().map(|name| name.as_str()), Some("_kvm._tcp.local"));
    assert_eq!(asked.kind.as_deref(), Some("PTR"));
    assert_eq!(host.fields.get("host.hostname"), Some(&Value::Text("KVM-1".into())));
    assert_eq!(host.addresses.len(), 2);
    assert_eq!(
        services.fields.get("dns.answers.name"),
        Some(&texts(&["_kvm._tcp.local", "My 1\\046._kvm._tcp.local"]))
    );
    assert_eq!(services.fields.get("dns.answers.data"), Some(&texts(&["My 1\\046._kvm._tcp.local", "KVM-1.local"])));
}

#[test]
fn an_answer_without_addresses_tells_whose_its_first_record_is() {
    let host = "04 4b564d31 05 6c6f63616c 00";
    for (answer, kind) in [
        (format!("0000 8400 0000 0001 0000 0000 {host} 0010 8001 00001194 0006 05 6d6f64656c"), "TXT"),
        (format!("0000 8400 0000 0001 0000 0000 {host} 002f 8001 00000078 0005 c00c 00 01 40"), "NSEC"),
        (format!("0000 8400 0001 0000 0000 0000 {host} 00ff 0001"), "ANY"),
    ] {
        let told = names(&Fixture { chunks: vec![(Sender::Client, hex(&answer)); 2], ..conversation() });
        let [name] = &told[..] else { panic!("one name: {told:?}") };
        assert_eq!(name.question.as_ref().map(|name| name.as_str()), Some("KVM1.local"));
        assert_eq!((name.kind.as_deref(), name.answered, name.addresses.len()), (Some(kind), true, 0));
        assert_eq!(name.fields.get("host.hostname"), None);
        let trailing = vec![(Sender::Client, [hex(&answer), vec![0]].concat())];
        assert!(Fixture { chunks: trailing, ..conversation() }.facts().is_empty(), "not sound to its end");
    }
    let nothing = vec![(Sender::Client, hex("0000 8400 0000 0000 0000 0000"))];
    assert!(Fixture { chunks: nothing, ..conversation() }.facts().is_empty());
}

#[test]
fn what_dns_allows_and_mdns_does_not_is_told_where_it_is_sound_and_names_no_machine() {
    for (chunk, at, value) in [(0, 2, 0x28), (0, 3, 0x03), (0, 32, 0x05), (1, 2, 0xa8), (1, 3, 0x03), (1, 3, 0x40)] {
        let mut fixture = conversation();
        fixture.chunks = vec![fixture.chunks.swap_remove(chunk)];
        fixture.chunks[0].1[at] = value;
        let told = names(&fixture);
        let [name] = &told[..] else { panic!("byte {at}: {told:?}") };
        assert_eq!(name.question.as_ref().map(|name| name.as_str()), Some("_kvm._tcp.local"));
        assert_eq!((name.answered, name.addresses.len()), (chunk == 1, 0));
        assert_eq!(name.fields.get("host.hostname"), None);
        fixture.chunks[0].1.push(0);
        assert!(fixture.facts().is_empty(), "byte {at}, and one behind the end");
    }
}

#[test]
fn who_asks_a_server_of_dns_from_this_port_speaks_dns() {
    let fixture = Fixture { server_port: 53, ..conversation() };
    assert!(fixture.facts().iter().all(|(protocol, _)| protocol.as_str() == "dns"));
    assert!(!fixture.facts().is_empty());
}

/// What messages of a flow ask for or answer, by the second at which they come.
fn asked() -> impl FnMut(u64, &[u8]) -> Vec<String> {
    let mut parser = (super::SPEC.start)(&Start {
        transport: Transport::Udp,
        client_port: 5353,
        server_port: 5353,
        is_midway: false,
    });
    move |secs, bytes| {
        let mut facts = Vec::new();
        parser
            .on_bytes(Chunk { at: Timestamp::from_secs(secs), sender: Sender::Client, bytes, missing: 0 }, &mut facts);
        let question = |kind: &Statement| match kind {
            Statement::Name(name) => name.question.as_ref().map(ToString::to_string),
            _ => None,
        };
        facts.iter().filter_map(question).collect()
    }
}

#[test]
fn a_question_is_told_once_a_minute_whatever_stands_beside_it() {
    let query = hex("0000 0000 0001 0000 0000 0000 04 5f6b766d 04 5f746370 05 6c6f63616c 00 000c 8001");
    // The same question beside another one, and an answer that is known.
    let more = hex("0000 0000 0002 0001 0000 0000 04 5f6b766d 04 5f746370 05 6c6f63616c 00 000c 8001
        04 5f697070 c011 000c 8001
        c00c 000c 0001 00001194 0008 05 4d7920312e c00c");
    let mut asked = asked();
    assert_eq!(asked(0, &query), ["_kvm._tcp.local"]);
    assert_eq!(asked(1, &more), ["_ipp._tcp.local"]);
    assert_eq!(asked(59, &query), [""; 0]);
    assert_eq!(asked(61, &more), ["_kvm._tcp.local", "_ipp._tcp.local"]);
    assert_eq!(asked(62, &query), [""; 0]);
    assert_eq!(asked(122, &query), ["_kvm._tcp.local"]);
}

#[test]
fn the_same_questions_beside_other_answers_are_told_a_minute_after_the_first_of_them_was() {
    let question = |name: &str| format!("04 {name} 04 5f746370 05 6c6f63616c 00 000c 8001");
    let query = |names: &[&str], known: &str| {
        let questions = names.iter().map(|name| question(name)).collect::<String>();
        let answer = format!("04 5f6b766d 00 0010 0001 00001194 0002 01 {known}");
        hex(&format!("0000 0000 {:04x} 0001 0000 0000 {questions} {answer}", names.len()))
    };
    let (kvm, ipp) = ("5f6b766d", "5f697070");
    let mut asked = asked();
    assert_eq!(asked(0, &query(&[kvm], "61")), ["_kvm._tcp.local"]);
    assert_eq!(asked(30, &query(&[kvm, ipp], "61")), ["_ipp._tcp.local"]);
    assert_eq!(asked(31, &query(&[kvm, ipp], "62")), [""; 0]);
    assert_eq!(asked(59, &query(&[kvm, ipp], "63")), [""; 0]);
    assert_eq!(asked(60, &query(&[kvm, ipp], "64")), ["_kvm._tcp.local"]);
    assert_eq!(asked(89, &query(&[kvm, ipp], "65")), [""; 0]);
    assert_eq!(asked(90, &query(&[kvm, ipp], "66")), ["_ipp._tcp.local"]);
    assert_eq!(asked(119, &query(&[kvm, ipp], "67")), [""; 0]);
    assert_eq!(asked(120, &query(&[kvm, ipp], "68")), ["_kvm._tcp.local"]);
}

#[test]
fn an_answer_with_the_questions_of_a_query_is_none_and_questions_that_point_behind_themselves_are_read() {
    let question = "04 4b564d31 05 6c6f63616c 00 0001 0001";
    let mut asked = asked();
    assert_eq!(asked(0, &hex(&format!("0000 0000 0001 0000 0000 0000 {question}"))), ["KVM1.local"]);
    let address = "c00c 0001 8001 00000078 0004 c0000207";
    assert_eq!(asked(1, &hex(&format!("0000 8400 0001 0001 0000 0000 {question} {address}"))), ["KVM1.local"]);
    // The name that is asked for stands in the record.
    let pointing =
        |name: &str| hex(&format!("0000 0000 0001 0001 0000 0000 c012 0001 0001 04 {name} 00 0010 0001 00000078 0000"));
    assert_eq!(asked(2, &pointing("4b564d32")), ["KVM2"]);
    assert_eq!(asked(3, &pointing("4b564d33")), ["KVM3"]);
}
