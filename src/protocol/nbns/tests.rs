use super::wire::NetbiosName;
use crate::facts::{Name, Sender, Statement, Value};
use crate::net::{Mac, Transport};
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![query(), registration(), status()]
}

fn query() -> Fixture {
    let files = encoded("FILES", 0x20);
    fixture(
        "nbns query",
        [
            format!("8127 0110 0001 0000 0000 0000 {files} 0020 0001"),
            format!("8127 8500 0000 0001 0000 0000 {files} 0020 0001 000493e0 0006 0000 c0000207"),
        ],
    )
}

/// A machine claims the name of its group.
fn registration() -> Fixture {
    let corp = encoded("CORP", 0);
    fixture(
        "nbns registration",
        [
            format!("8128 2910 0001 0000 0000 0001 {corp} 0020 0001 c00c 0020 0001 00000000 0006 e000 c0000209"),
            format!("8128 ad80 0000 0001 0000 0000 {corp} 0020 0001 00000000 0006 e000 c0000209"),
        ],
    )
}

/// A machine tells its name (active, unique), its group's, and its hardware address.
fn status() -> Fixture {
    let anybody = encoded("*\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0);
    let names = "02 46494c455320202020202020202020 00 0400 434f52502020202020202020202020 00 8400";
    fixture(
        "nbns status",
        [
            format!("8129 0000 0001 0000 0000 0000 {anybody} 0021 0001"),
            format!("8129 8400 0000 0001 0000 0000 {anybody} 0021 0001 00000000 002b {names} 02005e10ffee"),
        ],
    )
}

/// A name as it stands in a message, in hex: 15 bytes and a suffix, two letters each.
pub(crate) fn encoded(name: &str, suffix: u8) -> String {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(15, b' ');
    bytes.push(suffix);
    let letters = bytes.iter().flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 0x0f)]);
    format!("20{}00", letters.map(|letter| format!("{letter:02x}")).collect::<String>())
}

fn fixture(name: &'static str, [asked, answered]: [String; 2]) -> Fixture {
    Fixture {
        name,
        protocol: super::SPEC.protocol,
        transport: Transport::Udp,
        client_port: 137,
        server_port: 137,
        chunks: vec![(Sender::Client, hex(&asked)), (Sender::Server, hex(&answered))],
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

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn a_query_asks_and_the_owner_answers() {
    let [asked, answered] = &names(&query())[..] else { panic!("two names") };
    assert_eq!(asked.question.as_ref().map(|name| name.as_str()), Some("FILES"));
    assert_eq!(asked.fields.get("host.hostname"), None);
    assert_eq!(answered.fields.get("host.hostname"), Some(&text("FILES")));
    assert_eq!(answered.addresses.as_slice(), ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn a_group_is_no_machine() {
    let [claimed, _] = &names(&registration())[..] else { panic!("two names") };
    assert_eq!(claimed.fields.get("nbns.operation"), Some(&Value::Word("registration")));
    assert_eq!(claimed.fields.get("host.domain"), Some(&text("CORP")));
    assert_eq!(claimed.fields.get("host.hostname"), None);
}

#[test]
fn a_status_tells_name_group_and_hardware() {
    let [asked, told] = &names(&status())[..] else { panic!("two names") };
    assert_eq!(asked.question.as_ref().map(|name| name.as_str()), Some("*"));
    assert_eq!(told.fields.get("host.hostname"), Some(&text("FILES")));
    assert_eq!(told.fields.get("host.domain"), Some(&text("CORP")));
    assert_eq!(told.fields.get("host.mac"), Some(&Value::Mac(Mac([0x02, 0, 0x5e, 0x10, 0xff, 0xee]))));
}

#[test]
fn a_name_is_two_letters_a_byte() {
    let decoded = NetbiosName::decode("EHEJENENEPCACACACACACACACACACABN.scope").unwrap();
    assert_eq!((decoded.text.as_str(), decoded.suffix), ("GIMMO", 0x1d));
    assert_eq!(NetbiosName::decode("EHEJENENEPCACACACACACACACACACABQ"), None, "no letter of the code");
    assert_eq!(NetbiosName::decode("EHEJ"), None, "too short");
}

#[test]
fn the_name_tells_whatever_is_done_with_it() {
    let files = encoded("FILES", 0x20);
    for (asked, operation) in [
        (format!("8127 1110 0001 0000 0000 0000 {files} 0020 0001"), None),
        (format!("8127 0110 0001 0000 0000 0000 {files} 0020 8001"), Some(Value::Word("query"))),
    ] {
        let told = names(&Fixture { chunks: vec![(Sender::Client, hex(&asked))], ..query() });
        let [name] = &told[..] else { panic!("one name: {asked}") };
        assert_eq!(name.question.as_ref().map(|name| name.as_str()), Some("FILES"));
        assert_eq!(name.fields.get("nbns.operation"), operation.as_ref());
    }
}

#[test]
fn what_is_asked_beyond_the_rules_is_told_where_it_is_sound() {
    let files = encoded("FILES", 0x20);
    for (odd, kind) in [
        (format!("8127 7800 0001 0000 0000 0000 {files} 0020 0001"), "NB"), // opcode 15, as some register
        (format!("8127 0110 0001 0000 0000 0000 {files} 0020 00ff"), "NB"),
        (format!("8127 0110 0001 0000 0000 0000 {files} 0001 0001"), "A"),
        (format!("8127 0110 0002 0000 0000 0000 {files} 0020 0001 c00c 0021 0001"), "NB"),
        (format!("8127 ad80 0001 0001 0000 0000 {files} 0020 00ff c00c 0020 0001 00000000 0006 6000 c0000209"), "NB"),
    ] {
        let told = names(&Fixture { chunks: vec![(Sender::Client, hex(&odd))], ..query() });
        let [name] = &told[..] else { panic!("one name: {odd}") };
        assert_eq!(
            (name.question.as_ref().map(|name| name.as_str()), name.kind.as_deref()),
            (Some("FILES"), Some(kind))
        );
        assert_eq!((name.fields.get("host.hostname"), name.addresses.len()), (None, 0));
    }
    let cut = format!("8127 0110 0002 0000 0000 0000 {files} 0020 0001 c00c 0021");
    assert!(names(&Fixture { chunks: vec![(Sender::Client, hex(&cut))], ..query() }).is_empty());
}

#[test]
fn a_name_in_clear_is_not_netbios() {
    let chunks = vec![(Sender::Client, hex("8127 0110 0001 0000 0000 0000 03 777777 00 0020 0001"))];
    assert!(Fixture { chunks, ..query() }.facts().is_empty());
}
