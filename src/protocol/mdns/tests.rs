use crate::facts::{Name, Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

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
fn what_dns_allows_and_mdns_does_not_is_not_mdns() {
    for (at, value) in [(2, 0x28), (3, 0x03), (32, 0x05)] {
        let mut fixture = conversation();
        fixture.chunks.truncate(1);
        fixture.chunks[0].1[at] = value;
        assert!(fixture.facts().is_empty(), "byte {at}");
    }
}
