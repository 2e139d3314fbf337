use super::*;
use crate::facts::{FingerprintMethod, Value};
use crate::protocol::tests::{Fixture, hex};
use crate::protocol::tls::tests::{HelloShape, conversation, hellos_of, numbers, print_of, vec16};
use crate::protocol::tls::wire::extension;

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture("DTLS 1.2 in fragments", conversation(include_str!("fixtures/openssl_dtls12.hex"))),
        fixture("DTLS 1.0", conversation(include_str!("fixtures/openssl_dtls10.hex"))),
        fixture("DTLS 1.3", dtls_1_3()),
        fixture("amid a session", vec![(Sender::Client, amid_a_session())]),
        Fixture { server_port: 5246, ..fixture("under CAPWAP", under_capwap(&dtls_1_3())) },
    ]
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport: Transport::Udp, client_port: 49_152, server_port: 4433, chunks }
}

fn hellos(chunks: &[(Sender, Vec<u8>)]) -> Vec<Hello> {
    hellos_of(&fixture("", chunks.to_vec()).facts())
}

fn record(kind: u8, sequence: u8, body: &[u8]) -> Vec<u8> {
    let [_, high, mid, low] = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[kind, high, mid, low, 0, sequence, 0, 0, 0, high, mid, low], body].concat();
    [&hex("16 fefd 0000 000000000001")[..], &vec16(&message)].concat()
}

/// RFC 9147 §5: the hellos look like those of 1.2, what follows has the unified header.
fn dtls_1_3() -> Vec<(Sender, Vec<u8>)> {
    let hello = HelloShape {
        version: 0xfefd,
        cookie: Some(Vec::new()),
        ciphers: vec![0x1301, 0x1302],
        extensions: vec![
            (extension::SUPPORTED_VERSIONS, [&[4][..], &numbers(&[0xfefd, 0xfefc])].concat()),
            (extension::SIGNATURE_ALGORITHMS, vec16(&numbers(&[0x0403]))),
        ],
    };
    let answer = [&hex("fefd")[..], &[0x5b; 32], &hex("00 1301 00 0006 002b 0002 fefc")].concat();
    let encrypted = [&hex("2e 1234 0020")[..], &[0xee; 32]].concat();
    vec![
        (Sender::Client, record(1, 0, &hello.body())),
        (Sender::Server, [record(2, 0, &answer), encrypted.clone()].concat()),
        (Sender::Client, encrypted),
    ]
}

/// Each datagram behind the header of RFC 5415 §4.2.
fn under_capwap(chunks: &[(Sender, Vec<u8>)]) -> Vec<(Sender, Vec<u8>)> {
    chunks.iter().map(|(sender, bytes)| (*sender, [&[1, 0, 0, 0], &bytes[..]].concat())).collect()
}

fn amid_a_session() -> Vec<u8> {
    [&hex("17 fefd 0001 00000000002a")[..], &vec16(&[0xee; 300])].concat()
}

#[test]
fn a_capture_that_began_amid_a_session_finds_its_records() {
    let [session] = &*hellos(&[(Sender::Client, amid_a_session())]) else { panic!() };
    assert_eq!(session.fields.get("tls.established"), Some(&Value::Bool(true)));
    let mut longer = amid_a_session();
    longer.push(0);
    assert!(fixture("", vec![(Sender::Client, longer)]).facts().is_empty(), "records fill the datagram");
}

#[test]
fn an_alert_amid_a_session_shows_that_there_is_one() {
    let alert = |len: usize| [&hex("15 fefd 0001 00000000002b")[..], &vec16(&vec![0xee; len])].concat();
    let [session] = &*hellos(&[(Sender::Client, alert(26))]) else { panic!() };
    assert_eq!(session.fields.get("tls.established"), Some(&Value::Bool(true)));
    assert!(hellos(&[(Sender::Client, alert(2))]).is_empty(), "not encrypted");
}

#[test]
fn a_server_that_asks_for_the_hello_once_more_is_told() {
    let asked = |body: &str| hellos(&[(Sender::Server, record(3, 0, &hex(body)))]);
    let [hello] = &*asked("feff 08 0102030405060708") else { panic!() };
    assert!(hello.fields.get("tls.version").is_none() && hello.sender == Sender::Server);
    assert!(asked("feff 09 0102030405060708").is_empty() && asked("0303 02 0102").is_empty());
}

/// What a side changes to encryption with: ChangeCipherSpec and Finished.
fn change() -> Vec<u8> {
    [&hex("14 feff 0000 000000000003 0001 01  16 feff 0001 000000000000")[..], &vec16(&[0xee; 48])].concat()
}

#[test]
fn a_capture_that_began_amid_a_handshake_finds_its_end() {
    let [session] = &*hellos(&[(Sender::Server, change())]) else { panic!() };
    assert_eq!(session.fields.get("tls.established"), Some(&Value::Bool(true)));
    let behind_a_message = [record(16, 2, &[0; 66]), change()].concat();
    assert_eq!(hellos(&[(Sender::Client, behind_a_message)]).len(), 1);
    let alone = change()[..14].to_vec();
    assert!(fixture("", vec![(Sender::Server, alone)]).facts().is_empty(), "nothing is encrypted");
}

#[test]
fn a_hello_whose_end_is_not_seen_is_told_as_one() {
    // The first 32 of 200 bytes.
    let fragment = [&hex("01 0000c8 0000 000000 000020 fefd")[..], &[0x5a; 30]].concat();
    let datagram = [&hex("16 feff 0000 000000000000")[..], &vec16(&fragment)].concat();
    let [hello] = &*hellos(&[(Sender::Client, datagram)]) else { panic!() };
    assert!(hello.fingerprints.is_empty() && hello.sender == Sender::Client);
}

#[test]
fn fragments_of_several_datagrams_are_put_together() {
    let [first, second, server, shown, answered] = &*hellos(&fixtures()[0].chunks) else { panic!() };
    assert_eq!([first.sender, second.sender, server.sender], [Sender::Client, Sender::Client, Sender::Server]);
    assert_eq!(first.fingerprints, second.fingerprints, "the second one carries the cookie");
    assert_eq!(first.server_name.as_ref().unwrap().as_str(), "kvm.example.net");
    assert!(print_of(first, FingerprintMethod::Ja4).unwrap().starts_with("dd2d"));
    assert_eq!(server.fields.get("tls.version"), Some(&Value::Word("1.2")));
    assert_eq!(server.fields.get("tls.version_protocol"), Some(&Value::Word("dtls")));
    let common_name = |hello: &Hello| hello.certificate.as_ref().unwrap().subject_common_name.clone().unwrap();
    assert_eq!((shown.sender, common_name(shown).as_str()), (Sender::Server, "kvm.example.net"));
    assert_eq!((answered.sender, common_name(answered).as_str()), (Sender::Client, "AnyDesk Client"));
}

#[test]
fn dtls_1_0_and_1_3_have_their_versions() {
    let of_1_0 = hellos(&fixtures()[1].chunks);
    assert!(print_of(&of_1_0[0], FingerprintMethod::Ja4).unwrap().starts_with("dd1d"));
    assert_eq!(of_1_0[2].fields.get("tls.version"), Some(&Value::Word("1.0")));
    let [client, server] = &*hellos(&dtls_1_3()) else { panic!() };
    assert!(print_of(client, FingerprintMethod::Ja4).unwrap().starts_with("dd3i020200_"));
    assert_eq!(server.fields.get("tls.version"), Some(&Value::Word("1.3")));
}

#[test]
fn what_is_sent_again_or_out_of_order_is_told_once() {
    let chunks = fixtures()[0].chunks.clone();
    let doubled: Vec<(Sender, Vec<u8>)> = chunks.iter().flat_map(|chunk| [chunk.clone(), chunk.clone()]).collect();
    assert_eq!(hellos(&doubled).len(), 5);
    let mut swapped = chunks;
    swapped.swap(3, 5);
    assert_eq!(hellos(&swapped).len(), 5);
}

#[test]
fn other_datagrams_between_are_passed_over() {
    let mut chunks = dtls_1_3();
    chunks.insert(1, (Sender::Server, hex("0101 0000 2112a442 000102030405060708090a0b")));
    chunks.insert(1, (Sender::Client, hex("80 60 0001 00000000 00000000")));
    assert_eq!(hellos(&chunks).len(), 2);
}

#[test]
fn fragments_that_contradict_each_other_are_malformed() {
    let mut parser = Dtls::default();
    let mut facts = Vec::new();
    let mut say = |message: &str| {
        let bytes = [&hex("16 fefd 0000 000000000001")[..], &vec16(&hex(message))].concat();
        parser.on_bytes(Chunk { at: Default::default(), sender: Sender::Client, bytes: &bytes, missing: 0 }, &mut facts)
    };
    assert_eq!(say("01 000004 0000 000003 000002 0303"), Progress::Malformed("handshake_fragment"));
    assert_eq!(say("01 000004 0000 000000 000002 0303"), Progress::Continue { consumed: 27 });
    assert_eq!(say("01 000005 0000 000002 000002 0303"), Progress::Malformed("handshake_fragment"));
    assert_eq!(say("01 ffffff 0001 fffff0 000002 0303"), Progress::Malformed("fragment_length"));
    for sequence in ["0002", "0003"] {
        assert_eq!(say(&format!("0b 000004 {sequence} 000000 000001 00")), Progress::Continue { consumed: 26 });
    }
    assert_eq!(say("0b 000004 0004 000000 000001 00"), Progress::Malformed("fragmented_messages"));
}

fn hello_with_session(version: u16, session: &[u8]) -> Vec<u8> {
    let hello =
        [&version.to_be_bytes()[..], &[0x5a; 32], &[session.len() as u8], session, &hex("00 0002 0039 01 00")].concat();
    record(1, 0, &hello)
}

fn signs(server_port: u16, version: u16, session: &[u8]) -> Vec<Value> {
    let answer = [&version.to_be_bytes()[..], &[0x5b; 32], &[session.len() as u8], session, &hex("0039 00")].concat();
    let chunks = vec![(Sender::Client, hello_with_session(version, session)), (Sender::Server, record(2, 0, &answer))];
    let facts = Fixture { server_port, ..fixture("", chunks) }.facts();
    let tunnels = facts.iter().filter(|(protocol, _)| *protocol == ANYCONNECT);
    tunnels.map(|(_, kind)| kind.fields().unwrap().get(SIGN).unwrap().clone()).collect()
}

#[test]
fn a_session_that_was_begun_elsewhere_is_anyconnects() {
    assert_eq!(signs(443, 0x0100, &[7; 32]), [Value::Word("version")]);
    assert_eq!(signs(8443, 0x0100, &[7; 32]), [Value::Word("version")]);
    assert_eq!(signs(443, 0xfefd, &[7; 32]), [Value::Word("session")]);
    assert_eq!(signs(8443, 0xfefd, &[7; 32]), []);
    assert_eq!(signs(443, 0xfefd, &[]), []);
    let unanswered = vec![(Sender::Client, hello_with_session(0x0100, &[7; 32]))];
    assert!(fixture("", unanswered).facts().iter().all(|(protocol, _)| *protocol == PROTOCOL));
}

#[test]
fn a_client_hello_that_contradicts_itself_is_told_and_the_server_is_read() {
    let named = "0000 0010 000e 00 000b 6578616d706c652e636f6d";
    let body = |rest: &str| [&hex("fefd")[..], &[0x5a; 32], &hex("00 00 0002 c02b"), &hex(rest)].concat();
    let answer = [&hex("fefd")[..], &[0x5b; 32], &hex("00 c02b 00")].concat();
    for (hello, name) in [
        (hex("fefd 01020304"), None),
        (body("25 00"), None),
        (body(&format!("01 00 ffff {named}")), Some("example.com")),
        (body(&format!("01 00 001a {named} 0010 0bb8 89a5")), Some("example.com")),
    ] {
        let chunks = vec![(Sender::Client, record(1, 0, &hello)), (Sender::Server, record(2, 0, &answer))];
        let facts = fixture("", chunks).facts();
        let [(_, Statement::Hello(client)), (_, Statement::Malformed("client_hello")), (_, Statement::Hello(server))] =
            &facts[..]
        else {
            panic!("{facts:?}")
        };
        assert_eq!((client.fingerprints.len(), client.server_name.clone()), (0, name.map(Into::into)));
        assert!(print_of(server, FingerprintMethod::Ja3s).is_some() && server.fields.get("tls.resumed").is_none());
    }
    assert!(fixture("", vec![(Sender::Client, record(1, 0, &hex("0303 01020304")))]).facts().is_empty());
}

#[test]
fn a_certificate_that_cannot_be_decoded_is_counted_and_what_follows_is_read() {
    let answer = [&hex("fefd")[..], &[0x5b; 32], &hex("00 c02b 00")].concat();
    let alert = hex("15 fefd 0000 000000000002 0002 022a");
    let certificate = record(11, 1, &hex("000007 000004 41414141"));
    let facts = fixture(
        "",
        vec![(Sender::Server, record(2, 0, &answer)), (Sender::Server, certificate), (Sender::Server, alert)],
    )
    .facts();
    let [_, (_, Statement::Malformed("certificate")), (_, Statement::Hello(refusal))] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(refusal.fields.get("tls.alert"), Some(&Value::Word("bad_certificate")));
}

#[test]
fn what_is_under_capwap_is_read_on_its_ports() {
    let on = |server_port: u16, chunks: Vec<(Sender, Vec<u8>)>| Fixture { server_port, ..fixture("", chunks) }.facts();
    let bare = hellos(&dtls_1_3());
    for port in [5246, 5247] {
        assert_eq!(format!("{:?}", hellos_of(&on(port, under_capwap(&dtls_1_3())))), format!("{bare:?}"));
        let [session] = &*hellos_of(&on(port, under_capwap(&[(Sender::Client, amid_a_session())]))) else { panic!() };
        assert_eq!(session.fields.get("tls.established"), Some(&Value::Bool(true)));
        assert_eq!(on(port, dtls_1_3()).len(), 2, "without the header");
    }
    assert!(on(4433, under_capwap(&dtls_1_3())).is_empty());
    let mut other = under_capwap(&dtls_1_3());
    other.iter_mut().for_each(|(_, bytes)| bytes[3] = 1);
    assert!(on(5246, other).is_empty(), "what is reserved is 0");
    let header = vec![(Sender::Client, hex("01000000")), (Sender::Client, hex("01000000 0123456789"))];
    assert!(on(5246, header).is_empty());
}
