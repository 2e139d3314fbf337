use super::wire::extension;
use super::*;
use crate::facts::{Fingerprint, FingerprintMethod, Value};
use crate::protocol::session::Session;
use crate::protocol::tests::{Fixture, hex};

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture("RFC 8448 §3", include_str!("fixtures/rfc8448_simple.hex")),
        fixture("a second hello", include_str!("fixtures/openssl_tls13_retry.hex")),
        fixture("certificates of both sides", include_str!("fixtures/openssl_tls12_client_certificate.hex")),
        fixture("a session that goes on", include_str!("fixtures/openssl_tls12_resumed.hex")),
        fixture("a version refused", include_str!("fixtures/openssl_alert.hex")),
        Fixture { chunks: vec![(Sender::Server, amid_a_session())], ..fixture("amid a session", "") },
        Fixture { chunks: vec![(Sender::Client, sslv2_hello())], ..fixture("SSL 2.0 framing", "") },
        Fixture { chunks: alerts_alone(), server_port: 4433, ..fixture("nothing but alerts", "") },
    ]
}

pub(super) fn fixture(name: &'static str, text: &str) -> Fixture {
    Fixture {
        name,
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 49_152,
        server_port: 443,
        chunks: conversation(text),
    }
}

/// Reads a fixture file: `client` or `server` on a line, the hex of what it sent on the lines below, `#` a comment.
pub(crate) fn conversation(text: &str) -> Vec<(Sender, Vec<u8>)> {
    let mut chunks: Vec<(Sender, Vec<u8>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line {
            "client" => chunks.push((Sender::Client, Vec::new())),
            "server" => chunks.push((Sender::Server, Vec::new())),
            digits => chunks.last_mut().unwrap().1.extend(hex(digits)),
        }
    }
    chunks
}

pub(super) fn hellos(fixture: &Fixture) -> Vec<Hello> {
    hellos_of(&fixture.facts())
}

pub(crate) fn hellos_of(facts: &[(Protocol, Statement)]) -> Vec<Hello> {
    let hello = |(_, kind): &(Protocol, Statement)| match kind {
        Statement::Hello(hello) => (**hello).clone(),
        other => panic!("{other:?}"),
    };
    facts.iter().map(hello).collect()
}

pub(crate) fn print_of(hello: &Hello, method: FingerprintMethod) -> Option<&str> {
    hello.fingerprints.iter().find(|print| print.method == method).map(|print| &*print.value)
}

pub(super) fn field<'a>(hello: &'a Hello, name: &str) -> Option<&'a Value> {
    hello.fields.get(name)
}

/// What a ClientHello is made of, for tests that need one of a certain shape.
#[derive(Clone)]
pub(crate) struct HelloShape {
    pub(crate) version: u16,
    pub(crate) cookie: Option<Vec<u8>>,
    pub(crate) ciphers: Vec<u16>,
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
}

impl HelloShape {
    /// The body of the handshake message.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend([0x5a; 32]);
        body.push(0);
        if let Some(cookie) = &self.cookie {
            body.push(u8::try_from(cookie.len()).unwrap());
            body.extend(cookie);
        }
        body.extend(vec16(&numbers(&self.ciphers)));
        body.extend([1, 0]);
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(number, content)| [numbers(&[*number]), vec16(content)].concat())
            .collect();
        body.extend(vec16(&extensions));
        body
    }
}

pub(crate) fn numbers(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|number| number.to_be_bytes()).collect()
}

pub(crate) fn vec16(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

pub(super) fn vec8(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()], content].concat()
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, len[1], len[2], len[3]], body].concat()
}

pub(super) fn record(content: u8, body: &[u8]) -> Vec<u8> {
    [&[content, 0x03, 0x01][..], &vec16(body)].concat()
}

pub(super) fn server_name(name: &str) -> Vec<u8> {
    vec16(&[&[0], &vec16(name.as_bytes())[..]].concat())
}

fn alpn(names: &[&[u8]]) -> Vec<u8> {
    vec16(&names.iter().flat_map(|name| vec8(name)).collect::<Vec<u8>>())
}

/// An SSL 2.0 ClientHello that offers TLS 1.0: two ciphers, a challenge of 16 bytes.
fn sslv2_hello() -> Vec<u8> {
    [hex("801f 01 0301 0006 0000 0010 00002f 00000a"), vec![0xc5; 16]].concat()
}

fn opening(bytes: &[u8]) -> Opening<'_> {
    let (client_port, server_port) = (49_152, 443);
    Opening {
        transport: Transport::Tcp,
        sender: Sender::Client,
        client_port,
        server_port,
        is_midway: false,
        bytes,
        missing: 0,
    }
}

fn amid_a_session() -> Vec<u8> {
    [record(content::APPLICATION_DATA, &[0xee; 40]), record(content::APPLICATION_DATA, &[0xee; 1200])].concat()
}

/// A warning of each side that the handshake failed.
fn alerts_alone() -> Vec<(Sender, Vec<u8>)> {
    [Sender::Client, Sender::Server].map(|sender| (sender, record(content::ALERT, &[1, 40]))).to_vec()
}

/// The client whose JA4 the method's text takes for its example.
pub(super) fn published_client() -> HelloShape {
    let signature_algorithms = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
    let mut extensions: Vec<(u16, Vec<u8>)> =
        [0x1a1a, 0x001b, 0x0033, 0x4469, 0x0017, 0x002d, 0x0005, 0x0023, 0x0012, 0xff01, 0x0015, 0x9a9a]
            .map(|number| (number, Vec::new()))
            .to_vec();
    extensions.extend([
        (extension::SERVER_NAME, server_name("example.com")),
        (extension::ALPN, alpn(&[b"h2", b"http/1.1"])),
        (extension::SUPPORTED_GROUPS, vec16(&numbers(&[0x2a2a, 0x001d, 0x0017, 0x0018]))),
        (extension::EC_POINT_FORMATS, vec8(&[0])),
        (extension::SIGNATURE_ALGORITHMS, vec16(&numbers(&signature_algorithms))),
        (extension::SUPPORTED_VERSIONS, vec8(&numbers(&[0xcaca, 0x0304, 0x0303]))),
    ]);
    HelloShape {
        version: 0x0303,
        cookie: None,
        ciphers: vec![
            0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
            0x009d, 0x002f, 0x0035,
        ],
        extensions,
    }
}

fn ja3_text(shape: &HelloShape) -> String {
    String::from_utf8(fingerprint::ja3_text(&ClientHello::parse(&shape.body(), Framing::Stream).unwrap())).unwrap()
}

fn ja4(shape: &HelloShape) -> String {
    let Fingerprint { value, .. } =
        fingerprint::ja4(&ClientHello::parse(&shape.body(), Framing::Stream).unwrap(), Carrier::Tls);
    value.to_string()
}

#[test]
fn the_published_example_has_its_published_ja4() {
    assert_eq!(ja4(&published_client()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    let body = published_client().body();
    let hello = ClientHello::parse(&body, Framing::Stream).unwrap();
    assert_eq!(&*fingerprint::ja4(&hello, Carrier::Quic).value, "q13d1516h2_8daaf6152771_e5627efa2ab1");
}

#[test]
fn the_published_examples_have_their_published_ja3() {
    let shape = HelloShape {
        version: 769,
        cookie: None,
        ciphers: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
        extensions: vec![(0, server_name("a")), (10, vec16(&numbers(&[23, 24, 25]))), (11, vec8(&[0]))],
    };
    assert_eq!(ja3_text(&shape), "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
    let body = shape.body();
    let hello = ClientHello::parse(&body, Framing::Stream).unwrap();
    assert_eq!(&*fingerprint::ja3(&hello).value, "ada70206e40642a3e4461f35503241d5");
    let bare = HelloShape { ciphers: vec![4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], extensions: Vec::new(), ..shape };
    let mut body = bare.body();
    body.truncate(body.len() - 2);
    let hello = ClientHello::parse(&body, Framing::Stream).unwrap();
    assert_eq!(fingerprint::ja3_text(&hello), b"769,4-5-10-9-100-98-3-6-19-18-99,,,");
    assert_eq!(&*fingerprint::ja3(&hello).value, "de350869b8c85de67a350c8d186f11e6");
}

#[test]
fn a_ja4_tells_an_absent_list_from_an_empty_one() {
    let mut shape = published_client();
    shape.extensions.retain(|(number, _)| *number != extension::SIGNATURE_ALGORITHMS);
    let body = shape.body();
    let text = fingerprint::Ja4Text::new(&ClientHello::parse(&body, Framing::Stream).unwrap(), Carrier::Tls);
    assert!(text.extensions.ends_with(b",ff01"), "no trailing underscore: {}", text.extensions.escape_ascii());
    shape.extensions.clear();
    shape.ciphers.clear();
    assert_eq!(ja4(&shape), "t12i000000_000000000000_000000000000");
}

#[test]
fn a_ja4_shows_the_first_and_last_character_of_the_first_protocol_offered() {
    let shown = |name: &[u8]| {
        let mut shape = published_client();
        shape.extensions.retain(|(number, _)| *number != extension::ALPN);
        shape.extensions.push((extension::ALPN, alpn(&[name])));
        ja4(&shape)[8..10].to_owned()
    };
    assert_eq!(shown(b"http/1.1"), "h1");
    assert_eq!(shown(b"h"), "hh");
    assert_eq!(shown(&[0xab]), "ab");
    assert_eq!(shown(&[0xab, 0xcd]), "ad");
    assert_eq!(shown(&[0x30, 0xab]), "3b");
    assert_eq!(shown(&[0x30, 0x31, 0xab, 0xcd]), "3d");
    assert_eq!(shown(&[0xba, 0xba]), "ba");
}

#[test]
fn the_trace_of_rfc_8448_is_two_hellos() {
    let [client, server] = &*hellos(&fixtures()[0]) else { panic!() };
    assert_eq!(client.server_name.as_ref().unwrap().as_str(), "server");
    assert_eq!(print_of(client, FingerprintMethod::Ja4), Some("t13d030900_55b375c5d22e_59cd3dafc54d"));
    assert_eq!((server.sender, field(server, "tls.version")), (Sender::Server, Some(&Value::Word("1.3"))));
    assert_eq!(field(server, "tls.cipher"), Some(&Value::Word("TLS_AES_128_GCM_SHA256")));
    assert_eq!(field(server, "tls.resumed"), Some(&Value::Bool(false)));
    // 771,4865,51-43
    assert_eq!(print_of(server, FingerprintMethod::Ja3s), Some("eb1d94daa7e0344597e756a1fb6e7054"));
}

#[test]
fn a_retried_handshake_is_two_hellos_of_each_side() {
    let [first, retry, second, server] = &*hellos(&fixtures()[1]) else { panic!() };
    assert_eq!([first.sender, retry.sender], [Sender::Client, Sender::Server]);
    assert_eq!([second.sender, server.sender], [Sender::Client, Sender::Server]);
    assert_eq!(field(retry, "tls.hello_retry"), Some(&Value::Bool(true)));
    assert_eq!(field(server, "tls.hello_retry"), None);
    assert_eq!(second.server_name, first.server_name);
}

#[test]
fn certificates_of_both_sides_are_read_across_records() {
    let [client, server, shown, answered] = &*hellos(&fixtures()[2]) else { panic!() };
    assert_eq!(client.alpn.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["h2", "http/1.1"]);
    assert_eq!(field(server, "tls.version"), Some(&Value::Word("1.2")));
    assert_eq!(field(server, "tls.version_protocol"), Some(&Value::Word("tls")));
    assert_eq!(server.alpn.as_slice(), ["h2".into()]);
    let certificate = shown.certificate.as_ref().unwrap();
    assert_eq!(shown.sender, Sender::Server);
    assert_eq!(&*certificate.sha256, "bdb4726b9e0abe7c15186fbf50f3778f37efe668a4d2fe11a3f6690190f7aba4");
    assert_eq!(certificate.subject, Some("C=DE, O=Example Hardware, CN=kvm.example.net".into()));
    assert_eq!(certificate.subject_common_name, Some("kvm.example.net".into()));
    let names: Vec<&str> = certificate.alternative_names.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["kvm.example.net", "*.kvm.example.net", "192.0.2.7"]);
    assert_eq!(&*certificate.serial, "0a0b0c");
    assert_eq!(certificate.not_before.to_string(), "2026-11-24T20:49:08.000000000Z");
    assert_eq!(certificate.not_after.to_string(), "2036-11-21T20:49:08.000000000Z");
    assert!(certificate.self_signed);
    let certificate = answered.certificate.as_ref().unwrap();
    assert_eq!((answered.sender, &certificate.subject_common_name), (Sender::Client, &Some("AnyDesk Client".into())));
}

#[test]
fn a_session_that_goes_on_is_told_from_a_new_one() {
    let resumed = |index: usize| field(&hellos(&fixtures()[index])[1], "tls.resumed").cloned();
    assert_eq!(resumed(3), Some(Value::Bool(true)));
    assert_eq!(resumed(2), Some(Value::Bool(false)));
    let mut amid = fixtures().swap_remove(3);
    amid.chunks.remove(0);
    assert_eq!(field(&hellos(&amid)[0], "tls.resumed"), None, "the offer was not seen");
}

#[test]
fn a_fatal_alert_is_told_by_its_name() {
    let [_, refusal] = &*hellos(&fixtures()[4]) else { panic!() };
    assert_eq!((refusal.sender, field(refusal, "tls.alert")), (Sender::Server, Some(&Value::Word("protocol_version"))));
}

#[test]
fn a_capture_that_began_amid_the_handshake_finds_the_server() {
    let mut amid = fixtures().swap_remove(2);
    amid.chunks.remove(0);
    assert_eq!(hellos(&amid).len(), 3);
    // The flow was guessed the wrong way round.
    for chunk in &mut amid.chunks {
        chunk.0 = chunk.0.other();
    }
    assert_eq!(hellos(&amid).iter().map(|hello| hello.sender).collect::<Vec<_>>()[0], Sender::Server);
}

#[test]
fn a_capture_that_began_amid_a_session_finds_its_records() {
    let amid = Fixture { chunks: vec![(Sender::Server, amid_a_session())], ..fixture("", "") };
    let [session] = &*hellos(&amid) else { panic!() };
    assert_eq!((session.sender, field(session, "tls.established")), (Sender::Server, Some(&Value::Bool(true))));
    let mut bytes = amid_a_session();
    assert_eq!(probe(&opening(&bytes)), Probe::Match);
    let cut = Fixture { chunks: vec![(Sender::Server, bytes[..45].to_vec())], ..fixture("", "") };
    assert!(hellos(&cut).is_empty(), "a cut would make it TLS");
    assert_eq!(probe(&Opening { is_midway: true, ..opening(&bytes[..45]) }), Probe::Match);
    assert_eq!(probe(&opening(&bytes[..46])), Probe::More);
    bytes[45] = 0x47;
    assert_eq!(probe(&opening(&bytes)), Probe::No, "what follows is no record");
}

/// What segments of a connection say whose beginning was not seen.
pub(super) fn amid(chunks: &[(Sender, Vec<u8>)]) -> Vec<Hello> {
    let start = Start { is_midway: true, ..fixture("", "").start() };
    let (mut session, mut facts) = (Session::new(start), Vec::new());
    for (sender, bytes) in chunks {
        session.on_bytes(Chunk { at: Default::default(), sender: *sender, bytes, missing: 0 }, &mut facts);
    }
    session.on_end(&mut facts);
    assert!(facts.iter().all(|(protocol, _)| *protocol == PROTOCOL), "{facts:?}");
    hellos_of(&facts)
}

#[test]
fn the_end_of_a_handshake_and_what_is_sent_rarely_are_known_amid_a_connection() {
    let finished = [record(content::CHANGE_CIPHER_SPEC, &[1]), record(content::HANDSHAKE, &[0xee; 40])].concat();
    let ticket = message(4, &[&[0, 0, 0x1c, 0x20][..], &vec16(&[0xee; 160])].concat());
    for bytes in [
        record(content::ALERT, &[0xee; 26]),
        record(content::HEARTBEAT, &[0xee; 40]),
        finished.clone(),
        [record(content::HANDSHAKE, &ticket), finished.clone()].concat(),
        [record(content::HANDSHAKE, &message(16, &vec8(&[4; 65]))), finished.clone()].concat(),
    ] {
        for sender in [Sender::Client, Sender::Server] {
            let [hello] = &amid(&[(sender, bytes.clone())])[..] else { panic!("{bytes:x?}") };
            assert_eq!(field(hello, "tls.established"), Some(&Value::Bool(true)), "{bytes:x?}");
        }
    }
    let refused = amid(&[(Sender::Server, record(content::ALERT, &[2, 40]))]);
    assert_eq!(field(&refused[0], "tls.alert"), Some(&"handshake_failure".into()));
    for body in [message(14, &[]), message(22, &hex("01 000003 300102")), message(16, &vec16(&[0xee; 256]))] {
        let [hello] = &amid(&[(Sender::Client, record(content::HANDSHAKE, &body))])[..] else { panic!("{body:x?}") };
        let unknown = Hello::new(hello.sender);
        assert_eq!(format!("{hello:?}"), format!("{unknown:?}"), "nothing is known of it");
    }
}

#[test]
fn a_certificate_is_read_where_the_hello_before_it_was_not_seen() {
    let shown = |hellos: Vec<Hello>| {
        hellos.into_iter().find_map(|hello| hello.certificate).map(|certificate| format!("{certificate:?}"))
    };
    let whole = fixtures().swap_remove(2);
    let stream: Vec<u8> = whole
        .chunks
        .iter()
        .filter(|(sender, _)| *sender == Sender::Server)
        .flat_map(|(_, bytes)| bytes.clone())
        .collect();
    let mut rest = Cursor::new(&stream);
    let behind_hello = loop {
        let before = rest.rest();
        let record = Record::read(&mut rest).unwrap().unwrap();
        if record.body[0] == handshake::CERTIFICATE {
            break before;
        }
    };
    let mut end = Cursor::new(behind_hello);
    while Record::read(&mut end).unwrap().unwrap().body != [14, 0, 0, 0] {}
    let flight = behind_hello[..behind_hello.len() - end.len()].to_vec();
    let certificate = shown(amid(&[(Sender::Server, flight)]));
    assert!(certificate.is_some());
    assert_eq!(certificate, shown(hellos(&whole)));
}

#[test]
fn what_only_looks_like_a_record_amid_a_connection_is_none() {
    let ccs = record(content::CHANGE_CIPHER_SPEC, &[1]);
    let mut other_version = [ccs.clone(), record(content::HANDSHAKE, &[0xee; 40])].concat();
    other_version[8] = 3;
    for bytes in [
        record(content::ALERT, &[2, 200]),
        record(content::ALERT, &[3, 40]),
        record(content::ALERT, &[0xee; 9]),
        record(content::HEARTBEAT, &[1; 4]),
        ccs.clone(),
        record(content::CHANGE_CIPHER_SPEC, &[2]),
        [ccs, record(content::HANDSHAKE, &[0xee; 9])].concat(),
        record(content::HANDSHAKE, &message(14, &[0])),
        record(content::HANDSHAKE, &message(4, &[0xee; 40])),
        record(content::HANDSHAKE, &[0xee; 60]),
        [record(content::ALERT, &[0xee; 26]), vec![0xee]].concat(),
        other_version,
    ] {
        assert!(amid(&[(Sender::Client, bytes.clone())]).is_empty(), "{bytes:x?}");
    }
    // Where the beginning was seen, a refusal is the only one of them that a server begins with.
    let begins =
        |sender, bytes: Vec<u8>| Fixture { chunks: vec![(sender, bytes)], server_port: 8443, ..fixture("", "") };
    assert_eq!(hellos(&begins(Sender::Server, record(content::ALERT, &[2, 70]))).len(), 1);
    let with_more = [record(content::ALERT, &[2, 70]), b"F".to_vec()].concat();
    assert_eq!(hellos(&begins(Sender::Server, with_more)).len(), 1, "as where it is cut behind the alert");
    assert!(hellos(&begins(Sender::Server, record(content::ALERT, &[1, 0]))).is_empty());
    assert!(hellos(&begins(Sender::Server, record(content::ALERT, &[0xee; 26]))).is_empty());
    assert!(hellos(&begins(Sender::Client, record(content::ALERT, &[2, 70]))).is_empty());
}

#[test]
fn a_session_that_both_sides_begin_encrypted_is_one() {
    let data = |len: usize| record(content::APPLICATION_DATA, &vec![0xee; len]);
    let begins = |client: Vec<u8>, server: Vec<u8>| {
        hellos(&Fixture { chunks: vec![(Sender::Client, client), (Sender::Server, server)], ..fixture("", "") })
    };
    let [session] = &begins(data(40), data(200))[..] else { panic!("one session") };
    assert_eq!((session.sender, field(session, "tls.established")), (Sender::Client, Some(&Value::Bool(true))));
    assert!(begins(data(40), vec![0xee; 40]).is_empty());
    assert!(begins(data(4), data(4)).is_empty(), "too short to be encrypted");
    let mut other_version = data(200);
    other_version[2] = 3;
    assert!(begins(data(40), other_version).is_empty());
    // A second record that is too long, however it is cut.
    let bytes = [&data(40)[..], &data(0)[..3], &[0x51, 0xb0]].concat();
    for cut in 1..bytes.len() {
        let chunks = [&bytes[..cut], &bytes[cut..]].map(|part| (Sender::Client, part.to_vec()));
        assert!(hellos(&Fixture { chunks: chunks.into(), ..fixture("", "") }).is_empty(), "{cut}");
    }
}

#[test]
fn a_hello_is_read_out_of_one_byte_records() {
    let hello = message(handshake::CLIENT_HELLO, &published_client().body());
    let stream: Vec<u8> = hello.iter().flat_map(|&byte| record(content::HANDSHAKE, &[byte])).collect();
    let fixture = Fixture { chunks: vec![(Sender::Client, stream)], ..fixture("", "") };
    assert_eq!(hellos(&fixture).len(), 1);
}

#[test]
fn a_hello_of_a_version_that_few_know_is_read() {
    for (of_record, version, is_one) in [
        ([1, 1], 0x0101, true),
        ([3, 1], 0x03ff, true),
        ([3, 1], 0x7f1c, true),
        ([3, 1], 0x0505, false),
        ([1, 2], 0x0101, false),
    ] {
        let hello = message(handshake::CLIENT_HELLO, &HelloShape { version, ..published_client() }.body());
        let stream = [&[content::HANDSHAKE][..], &of_record, &vec16(&hello)].concat();
        let hellos = hellos(&Fixture { chunks: vec![(Sender::Client, stream)], ..fixture("", "") });
        assert_eq!(hellos.iter().any(|hello| hello.server_name == Some("example.com".into())), is_one, "{version:x}");
    }
    let mut long = published_client().body();
    long.splice(34..35, [&[40][..], &[0x5a; 40]].concat());
    let hello = ClientHello::parse(&long, Framing::Stream).unwrap();
    assert_eq!((hello.session_id.len(), hello.server_name()), (40, Some(&b"example.com"[..])));
}

#[test]
fn lengths_that_contradict_each_other_are_malformed() {
    let mut parser = Tls::default();
    let mut facts = Vec::new();
    let mut say = |bytes: &[u8]| {
        parser.on_bytes(Chunk { at: Default::default(), sender: Sender::Client, bytes, missing: 0 }, &mut facts)
    };
    assert_eq!(say(b"GET / HTTP/1.1\r\n"), Progress::Malformed("record_type"));
    assert_eq!(say(&hex("16 0303 ffff")), Progress::Malformed("record_length"));
    assert_eq!(say(&hex("16 0505 0001")), Progress::Malformed("record_version"));
    assert_eq!(say(&record(0x16, &hex("01 ffffff"))), Progress::Malformed("handshake_length"));
    assert_eq!(say(&record(0x16, &message(2, &[0x03, 0x03]))), Progress::Malformed("unexpected_message"));
    assert_eq!(say(&record(0x16, &message(11, &hex("000005 000003")))), Progress::Malformed("certificate_length"));
    assert!(facts.is_empty());
}

#[test]
fn a_hello_that_was_cut_short_is_one_without_its_contents() {
    let whole = fixtures().swap_remove(0);
    let cut = |len: usize| whole.facts_of(&[(Sender::Client, whole.chunks[0].1[..len].to_vec())]);
    let [hello] = &hellos_of(&cut(60))[..] else { panic!("one hello") };
    assert_eq!((hello.sender, hello.fingerprints.len()), (Sender::Client, 0));
    assert!(cut(8).is_empty(), "before the hello's own version");
}
