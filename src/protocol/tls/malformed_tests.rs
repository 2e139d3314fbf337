//! Hellos, certificates and alerts that contradict themselves or do not end: what is told of them, and that the other side is
//! read on.

use super::tests::{HelloShape, field, fixture, message, numbers, print_of, record, server_name, vec16};
use super::*;
use crate::facts::{FingerprintMethod, Value};
use crate::protocol::session::Session;
use crate::protocol::tests::{Fixture, hex};

/// The hellos of a conversation, and what was counted as malformed.
fn told(chunks: &[(Sender, Vec<u8>)]) -> (Vec<Hello>, Vec<&'static str>) {
    told_of(&Fixture { chunks: chunks.to_vec(), ..fixture("", "") }.facts())
}

fn told_of(facts: &[(Protocol, Statement)]) -> (Vec<Hello>, Vec<&'static str>) {
    let (mut hellos, mut reasons) = (Vec::new(), Vec::new());
    for (protocol, kind) in facts {
        assert_eq!(*protocol, PROTOCOL, "{kind:?}");
        match kind {
            Statement::Hello(hello) => hellos.push((**hello).clone()),
            Statement::Malformed(reason) => reasons.push(*reason),
            other => panic!("{other:?}"),
        }
    }
    (hellos, reasons)
}

fn handshake_record(kind: u8, body: &[u8]) -> Vec<u8> {
    record(content::HANDSHAKE, &message(kind, body))
}

/// A ServerHello of TLS 1.2 with this behind its compression method.
fn server_hello(extensions: &str) -> Vec<u8> {
    handshake_record(2, &[&hex("0303")[..], &[0x5b; 32], &hex("00 1301 00"), &hex(extensions)].concat())
}

/// A ClientHello up to its compression methods, and this.
fn client_hello(rest: &[u8]) -> Vec<u8> {
    [&hex("0303")[..], &[0x5a; 32], &hex("00 0004 1301 1302"), rest].concat()
}

fn whole() -> HelloShape {
    HelloShape {
        version: 0x0303,
        cookie: None,
        ciphers: vec![0x1301, 0x1302],
        extensions: vec![(wire::extension::SERVER_NAME, server_name("example.com")), (23, Vec::new())],
    }
}

/// Bodies of ClientHellos that contradict themselves, and the name that is read of each.
fn broken_hellos() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let named = [numbers(&[0]), vec16(&server_name("example.com"))].concat();
    let block = |len: u16, extensions: &[u8]| client_hello(&[&hex("01 00")[..], &numbers(&[len]), extensions].concat());
    let far = [&named[..], &hex("0010 0bb8 89a5")].concat();
    let mut swallowed = named.clone();
    swallowed[3] += 3;
    swallowed.extend(hex("002b 0003 02 0304"));
    vec![
        (hex("0303 01020304"), None),
        (hex("0303"), None),
        ([&hex("0303")[..], &[0x5a; 32], &hex("ff 00 00 00 00 00")].concat(), None),
        (client_hello(&[&hex("25 00")[..], &vec16(&named)].concat()), None),
        (block(0xffff, &[]), None),
        (block(u16::try_from(named.len() + 9).unwrap(), &named), Some("example.com")),
        (block(u16::try_from(far.len()).unwrap(), &far), Some("example.com")),
        (block(u16::try_from(swallowed.len()).unwrap(), &swallowed), Some("example.com")),
    ]
}

#[test]
fn a_client_hello_that_contradicts_itself_is_told_and_the_server_is_read() {
    for (body, name) in broken_hellos() {
        let answer = server_hello("");
        let chunks = vec![(Sender::Client, handshake_record(1, &body)), (Sender::Server, answer)];
        let (hellos, reasons) = told(&chunks);
        let [client, server] = &hellos[..] else { panic!("{body:x?}: {hellos:?}") };
        assert_eq!((client.sender, client.server_name.clone()), (Sender::Client, name.map(Into::into)), "{body:x?}");
        assert!(client.fingerprints.is_empty(), "half a hello has no fingerprint");
        // 771,4865,
        assert_eq!(print_of(server, FingerprintMethod::Ja3s), Some("e8c07683aecf9b16e8e33f10a5161e4e"));
        assert_eq!(field(server, "tls.resumed"), None, "what was offered is not known");
        assert_eq!(reasons, ["client_hello"]);
        for len in 1..chunks[0].1.len() {
            let (head, tail) = chunks[0].1.split_at(len);
            let cut = [(Sender::Client, head.to_vec()), (Sender::Client, tail.to_vec()), chunks[1].clone()];
            assert_eq!(format!("{:?}", told(&cut)), format!("{:?}", (&hellos, &reasons)), "{body:x?} cut at {len}");
        }
    }
}

#[test]
fn what_follows_a_broken_hello_of_its_side_is_not_read() {
    let (body, _) = broken_hellos().swap_remove(6);
    let garbage = [message(1, &body), vec![2; 40]].concat();
    let client = [record(content::HANDSHAKE, &garbage), vec![0xee; 40]].concat();
    let (hellos, reasons) = told(&[(Sender::Client, client), (Sender::Server, server_hello(""))]);
    assert_eq!((hellos.len(), &reasons[..]), (2, &["client_hello"][..]));
    let message = message(1, &body);
    let over_two = [record(content::HANDSHAKE, &message[..50]), record(content::HANDSHAKE, &message[50..])].concat();
    let (hellos, _) = told(&[(Sender::Client, over_two), (Sender::Server, server_hello(""))]);
    assert_eq!((hellos.len(), hellos[0].server_name.clone()), (2, Some("example.com".into())));
}

#[test]
fn a_short_message_is_a_hello_where_its_lengths_agree() {
    for bytes in [
        "16 0303 000b 01 000006 0303 01020304 00",
        "16 0303 000a 01 000006 0505 01020304",
        "16 0303 000a 02 000006 0303 01020304",
        "16 0303 0005 01 000001 03",
        "16 0303 0004 01 000000",
    ] {
        assert_eq!(told(&[(Sender::Client, hex(bytes))]).0.len(), 0, "{bytes}");
    }
    let nothing = (Sender::Client, hex("16 0301 0004 01 000000"));
    let (hellos, reasons) = told(&[nothing.clone(), (Sender::Server, server_hello(""))]);
    assert_eq!((hellos.len(), hellos[0].sender, &reasons[..]), (1, Sender::Server, &["client_hello"][..]));
    let other = Fixture { chunks: vec![nothing, (Sender::Server, b"HTTP/1.1 400 Bad".to_vec())], ..fixture("", "") };
    assert!(other.facts().iter().all(|(protocol, _)| *protocol != PROTOCOL));
}

#[test]
fn a_whole_hello_has_its_fingerprints_and_counts_nothing() {
    let (hellos, reasons) = told(&[(Sender::Client, handshake_record(1, &whole().body()))]);
    assert_eq!((hellos[0].fingerprints.len(), hellos[0].server_name.clone()), (2, Some("example.com".into())));
    assert!(reasons.is_empty());
}

#[test]
fn a_server_hello_whose_extensions_break_has_a_fingerprint_where_none_was_missed() {
    let of = |extensions: &str| {
        let (hellos, reasons) = told(&[(Sender::Server, server_hello(extensions))]);
        let [hello] = <[Hello; 1]>::try_from(hellos).unwrap();
        assert_eq!(field(&hello, "tls.cipher"), Some(&Value::Word("TLS_AES_128_GCM_SHA256")));
        (hello, reasons)
    };
    let (hello, reasons) = of("0001 00");
    assert_eq!(print_of(&hello, FingerprintMethod::Ja3s), Some("e8c07683aecf9b16e8e33f10a5161e4e"));
    assert_eq!((field(&hello, "tls.version"), &reasons[..]), (Some(&Value::Word("1.2")), &["server_hello"][..]));
    let (hello, reasons) = of("0008 ff01 0001 00 002b ff");
    assert!(print_of(&hello, FingerprintMethod::Ja3s).is_some() && reasons == ["server_hello"]);
    // What is too long may be of TLS 1.3.
    let (hello, reasons) = of("000a ff01 0001 00 002b ff02 03");
    assert_eq!(
        (hello.fingerprints.len(), field(&hello, "tls.version"), &reasons[..]),
        (0, None, &["server_hello"][..])
    );
    let (hello, reasons) = of("000c 002b 0002 0304 0033 ff02 03 04");
    assert_eq!((hello.fingerprints.len(), field(&hello, "tls.version")), (0, Some(&Value::Word("1.3"))));
    assert_eq!(reasons, ["server_hello"]);
    assert!(told(&[(Sender::Server, server_hello("0005 00"))]).0.is_empty(), "the block itself is too long");
}

/// What a conversation says of which bytes of the client were lost behind `said`.
fn behind_hole(said: &[u8], later: &[(Sender, Vec<u8>)]) -> (Vec<Hello>, Vec<&'static str>) {
    let (mut session, mut facts) = (Session::new(fixture("", "").start()), Vec::new());
    session.on_bytes(Chunk { at: Default::default(), sender: Sender::Client, bytes: said, missing: 0 }, &mut facts);
    session.on_gap(Sender::Client, 1000, &mut facts);
    for (sender, bytes) in later {
        session.on_bytes(Chunk { at: Default::default(), sender: *sender, bytes, missing: 0 }, &mut facts);
    }
    session.on_end(&mut facts);
    told_of(&facts)
}

#[test]
fn a_server_is_read_where_the_end_of_the_hello_was_lost() {
    let hello = handshake_record(1, &whole().body());
    let over_two = [record(content::HANDSHAKE, &hello[5..60]), record(content::HANDSHAKE, &hello[60..])].concat();
    let later = [(Sender::Client, vec![0xee; 70]), (Sender::Server, server_hello(""))];
    for said in [&hello[..50], &over_two[..60]] {
        let (hellos, reasons) = behind_hole(said, &later);
        let [client, server] = &hellos[..] else { panic!("{hellos:?}") };
        assert_eq!(format!("{client:?}"), format!("{:?}", Hello::new(Sender::Client)));
        assert!(print_of(server, FingerprintMethod::Ja3s).is_some());
        assert_eq!((field(server, "tls.resumed"), reasons.len()), (None, 0));
        assert_eq!(behind_hole(said, &[]).0.len(), 1);
    }
    assert!(behind_hole(&hello[..3], &[]).0.is_empty(), "before it is known to be a hello");
}

/// The same of a capture that began amid the flow.
fn amid(chunks: &[(Sender, Vec<u8>)]) -> (Vec<Hello>, Vec<&'static str>) {
    let (mut session, mut facts) = (Session::new(Start { is_midway: true, ..fixture("", "").start() }), Vec::new());
    for (sender, bytes) in chunks {
        session.on_bytes(Chunk { at: Default::default(), sender: *sender, bytes, missing: 0 }, &mut facts);
    }
    session.on_end(&mut facts);
    told_of(&facts)
}

fn vec24(content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len()).unwrap().to_be_bytes()[1..], content].concat()
}

fn certificates(list: &[&[u8]]) -> Vec<u8> {
    vec24(&list.iter().flat_map(|der| vec24(der)).collect::<Vec<u8>>())
}

#[test]
fn a_certificate_that_cannot_be_decoded_is_told_without_its_contents() {
    let garbage = certificates(&[b"AAAAAAAAAA"]);
    let (hellos, reasons) = amid(&[(Sender::Server, handshake_record(11, &garbage))]);
    let [hello] = &hellos[..] else { panic!("{hellos:?}") };
    assert_eq!(format!("{hello:?}"), format!("{:?}", Hello::new(Sender::Server)));
    assert_eq!(reasons, ["certificate"]);
    let alert = record(content::ALERT, &[2, 42]);
    let flight = [server_hello(""), handshake_record(11, &garbage), alert].concat();
    let (hellos, reasons) = told(&[(Sender::Server, flight)]);
    let [_, refusal] = &hellos[..] else { panic!("{hellos:?}") };
    assert_eq!(field(refusal, "tls.alert"), Some(&Value::Word("bad_certificate")), "what follows is read");
    assert_eq!(reasons, ["certificate"]);
}

#[test]
fn only_the_first_certificate_of_a_list_must_be_filled() {
    let of = |list: &[&[u8]]| amid(&[(Sender::Server, handshake_record(11, &certificates(list)))]).0.len();
    assert_eq!(of(&[&hex("3003 020101"), &[]]), 1);
    assert_eq!(of(&[&hex("3003 020101"), &[0x30]]), 1);
    assert_eq!(of(&[&[], &hex("3003 020101")]), 0);
}

#[test]
fn a_certificate_whose_end_is_not_seen_is_known_by_its_lengths() {
    let der = |header: &str, len: usize| [hex(header), vec![0xee; len]].concat();
    let message = message(11, &certificates(&[&der("3082 02e8", 744)]));
    let whole = record(content::HANDSHAKE, &message);
    let first_of_two = record(content::HANDSHAKE, &message[..400]);
    let long = record(content::HANDSHAKE, &message_of_long());
    for bytes in [&whole[..20], &whole[..400], &first_of_two, &long[..200]] {
        for sender in [Sender::Client, Sender::Server] {
            let (hellos, reasons) = amid(&[(sender, bytes.to_vec())]);
            let [hello] = &hellos[..] else { panic!("{hellos:?}") };
            assert_eq!((format!("{hello:?}"), reasons.len()), (format!("{:?}", Hello::new(sender)), 0));
        }
    }
    // The lengths of the message, of the list, of the entry, the tag and the length of the DER.
    for at in [8, 11, 14, 15, 16, 18] {
        let mut other = whole[..400].to_vec();
        other[at] ^= 4;
        assert!(amid(&[(Sender::Server, other)]).0.is_empty(), "byte {at}");
    }
    let begins = Fixture { chunks: vec![(Sender::Server, whole[..400].to_vec())], ..fixture("", "") };
    assert!(begins.facts().is_empty(), "a connection does not begin with one");
}

/// A Certificate whose DER has three bytes of length.
fn message_of_long() -> Vec<u8> {
    message(11, &certificates(&[&[hex("3083 000400"), vec![0xee; 1024]].concat()]))
}

#[test]
fn alerts_alone_are_told_where_both_sides_send_one_or_on_the_port_of_https() {
    let alert = |level: u8, description: u8| record(content::ALERT, &[level, description]);
    let on = |server_port: u16, chunks: Vec<(Sender, Vec<u8>)>| {
        let cut: Vec<_> =
            chunks.iter().flat_map(|(sender, bytes)| bytes.iter().map(|&byte| (*sender, vec![byte]))).collect();
        let facts = Fixture { server_port, chunks, ..fixture("", "") }.facts();
        let in_bytes = Fixture { server_port, chunks: cut, ..fixture("", "") }.facts();
        assert_eq!(format!("{facts:?}"), format!("{in_bytes:?}"), "however it is cut");
        facts
    };
    let (client, server) = (|bytes| (Sender::Client, bytes), |bytes| (Sender::Server, bytes));
    let (hellos, _) = told_of(&on(4433, vec![client(alert(1, 40)), server(alert(1, 40))]));
    let [hello] = &hellos[..] else { panic!("{hellos:?}") };
    assert_eq!(format!("{hello:?}"), format!("{:?}", Hello::new(Sender::Client)));
    let (hellos, _) = told_of(&on(4433, vec![client(alert(2, 40)), server(alert(1, 0))]));
    let [hello] = &hellos[..] else { panic!("{hellos:?}") };
    assert_eq!((hello.sender, field(hello, "tls.alert")), (Sender::Client, Some(&Value::Word("handshake_failure"))));
    for one in [client(alert(1, 0)), server(alert(1, 0)), client(alert(2, 48))] {
        assert_eq!(told_of(&on(443, vec![one.clone()])).0.len(), 1, "{one:x?}");
        assert!(on(4433, vec![one.clone()]).is_empty(), "{one:x?}");
        let with_more = (one.0, [&one.1[..], b"GET /"].concat());
        assert!(on(443, vec![with_more]).is_empty(), "it does not fill what the side says: {one:x?}");
    }
    for (level, description) in [(3, 40), (0, 40), (1, 200)] {
        assert!(on(443, vec![client(alert(level, description))]).is_empty());
    }
    let other = vec![client(alert(1, 40)), server(b"SSH-2.0-x\r\n".to_vec())];
    assert!(on(4433, other).iter().all(|(protocol, _)| *protocol != PROTOCOL));
}

#[test]
fn what_contradicts_itself_is_told_alike_whatever_the_segments() {
    let begun_hello = hex("16 0301 00f4 01 0000f0 0303 5a5a5a");
    let ssl_2 = hex("80 1f 01 0301 0006 0000 0010 00002f 00000a c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5");
    let client = |said| vec![(Sender::Client, said)];
    for said in [
        client([record(content::APPLICATION_DATA, &[0xee; 40]), begun_hello.clone()].concat()),
        client([record(content::ALERT, &[1, 40]), ssl_2].concat()),
        client(hex("16 0301 0005 01 00000e 03 14 0303 0001 01")),
        vec![(Sender::Client, begun_hello), (Sender::Server, hex("16 0303 000a 02 003f56 0303 a6af06a4"))],
    ] {
        let fixture = Fixture { chunks: said.clone(), ..fixture("", "") };
        assert_eq!(format!("{:?}", fixture.facts()), format!("{:?}", fixture.facts_by_bytes()), "{said:x?}");
    }
}
