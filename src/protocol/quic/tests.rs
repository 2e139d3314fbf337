use super::*;
use crate::facts::FingerprintMethod;
use crate::protocol::tests::{Fixture, hex};
use crate::protocol::tls::tests::{conversation, hellos_of, print_of};

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture("RFC 9001 §A", conversation(include_str!("fixtures/rfc9001.hex"))),
        fixture("RFC 9369 §A", conversation(include_str!("fixtures/rfc9369.hex"))),
        fixture("a version refused", refused_version()),
        fixture("a version refused after 0-RTT and a hello", refused_hello()),
        fixture("a Retry", retried()),
        fixture("a hello over two datagrams", over_two_datagrams()),
        fixture("Q043", vec![(Sender::Client, q043())]),
        fixture("Q046", vec![(Sender::Client, q046())]),
        fixture("a server of Google's that refuses", vec![(Sender::Server, rejection())]),
        fixture("a version of Google's refused", refused_by_google()),
        fixture("amid a connection", midway()),
        fixture("amid a handshake", vec![(Sender::Server, handshake())]),
    ]
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport: Transport::Udp, client_port: 49_152, server_port: 443, chunks }
}

const DESTINATION: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

/// The ClientHello of RFC 9001 §A.2, with its header.
fn client_hello() -> Vec<u8> {
    let mut keys = InitialKeys::derive(Version::V1, &DESTINATION).unwrap();
    let [(_, datagram), _] = &*conversation(include_str!("fixtures/rfc9001.hex")) else { panic!() };
    let Some(Packet::Initial(packet)) = wire::packet(&mut Cursor::new(datagram)) else { panic!() };
    let mut payload = Vec::new();
    let mut plain = Cursor::new(keys.open(&packet, Sender::Client, &mut payload).unwrap());
    let Ok(Some(Frame::Crypto { offset: 0, bytes })) = wire::frame(&mut plain, Version::V1) else { panic!() };
    bytes.to_vec()
}

fn server_hello() -> Vec<u8> {
    let mut keys = InitialKeys::derive(Version::V1, &DESTINATION).unwrap();
    let [_, (_, datagram)] = &*conversation(include_str!("fixtures/rfc9001.hex")) else { panic!() };
    let Some(Packet::Initial(packet)) = wire::packet(&mut Cursor::new(datagram)) else { panic!() };
    let mut payload = Vec::new();
    let mut plain = Cursor::new(keys.open(&packet, Sender::Server, &mut payload).unwrap());
    let Ok(Some(Frame::Crypto { offset: 0, bytes })) = wire::frame(&mut plain, Version::V1) else { panic!() };
    bytes.to_vec()
}

/// An Initial packet of `sender` in its datagram, under the keys of `keys_of`.
fn initial(
    version: Version,
    keys_of: &[u8],
    destination: &[u8],
    number: u32,
    frames: &[u8],
    sender: Sender,
) -> Vec<u8> {
    let mut payload = frames.to_vec();
    payload.resize(1162, 0);
    let first = if version == Version::V2 { 0xd3 } else { 0xc3 };
    let mut header = vec![first];
    header.extend(version.0.to_be_bytes());
    if version.has_short_lengths() {
        header.push(u8::try_from(destination.len().saturating_sub(3) << 4).unwrap());
        header.extend(destination);
    } else {
        header.push(u8::try_from(destination.len()).unwrap());
        header.extend(destination);
        header.push(0);
    }
    header.push(0);
    header.extend((0x4000 | u16::try_from(payload.len() + 20).unwrap()).to_be_bytes());
    InitialKeys::derive(version, keys_of).unwrap().seal(&header, number, &payload, sender)
}

fn crypto(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let varint = |number: usize| (0x4000 | u16::try_from(number).unwrap()).to_be_bytes();
    [&[0x06], &varint(offset)[..], &varint(bytes.len()), bytes].concat()
}

/// PING, ACK of one packet, PADDING: what a hello stands among.
const NOISE: &[u8] = &[0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00];

fn refused_version() -> Vec<(Sender, Vec<u8>)> {
    let mut unknown = hex("c0 1a2a3a4a 08 8394c8f03e515708 02 c1d2 00");
    unknown.resize(1200, 0);
    let negotiation = hex("8f 00000000 02 c1d2 08 8394c8f03e515708 0a0a0a0a 00000001 ff00001d");
    let hello = initial(Version::V1, &[7; 8], &[7; 8], 0, &crypto(0, &client_hello()), Sender::Client);
    vec![(Sender::Client, unknown), (Sender::Server, negotiation), (Sender::Client, hello)]
}

/// The same of a client that asks with a hello which the keys of draft 29 open, and 0-RTT before it.
fn refused_hello() -> Vec<(Sender, Vec<u8>)> {
    let [(_, unread), negotiation, hello] = <[_; 3]>::try_from(refused_version()).unwrap();
    let early = hex("d0 00000001 08 8394c8f03e515708 00 04 12345678");
    let reserved = Version(u32::from_be_bytes(*unread[1..].first_chunk().unwrap()));
    let mut header = unread[..18].to_vec();
    header[0] = 0xc3;
    let mut payload = crypto(0, &client_hello());
    payload.resize(1162, 0);
    header.extend((0x4000 | u16::try_from(payload.len() + 20).unwrap()).to_be_bytes());
    let asked = InitialKeys::derive(reserved, &DESTINATION).unwrap().seal(&header, 0, &payload, Sender::Client);
    vec![(Sender::Client, early), (Sender::Client, asked), negotiation, hello]
}

/// RFC 9001 §A.4 between the same hello twice.
fn retried() -> Vec<(Sender, Vec<u8>)> {
    let retry = hex("ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba");
    let destination = hex("f067a5502a4262b5");
    let hello = crypto(0, &client_hello());
    let answer = initial(Version::V1, &destination, &[], 0, &crypto(0, &server_hello()), Sender::Server);
    vec![
        (Sender::Client, initial(Version::V1, &DESTINATION, &DESTINATION, 0, &hello, Sender::Client)),
        (Sender::Server, retry),
        (Sender::Client, initial(Version::V1, &destination, &destination, 1, &hello, Sender::Client)),
        (Sender::Server, answer),
    ]
}

/// The hello in three pieces, the last one first, with noise between.
fn over_two_datagrams() -> Vec<(Sender, Vec<u8>)> {
    let hello = client_hello();
    let last = [&crypto(120, &hello[120..])[..], NOISE].concat();
    let first = [&crypto(40, &hello[40..120])[..], NOISE, &crypto(0, &hello[..40])].concat();
    vec![
        (Sender::Client, initial(Version::V1, &DESTINATION, &DESTINATION, 0, &last, Sender::Client)),
        (Sender::Client, initial(Version::V1, &DESTINATION, &DESTINATION, 1, &first, Sender::Client)),
    ]
}

/// A ClientHello of Google's handshake with three tags.
fn chlo() -> Vec<u8> {
    let tags = hex("43484c4f 0300 0000 50414400 04000000 534e4900 0f000000 55414944 16000000");
    [&tags[..], &[0x2d; 4], b"example.com", b"Chrome/"].concat()
}

fn in_clear(header: &str) -> Vec<u8> {
    [&hex(header)[..], &[0x5a; 12], &hex("a0 01 0400"), &chlo(), &[0; 40]].concat()
}

/// Flags, connection identifier, version, packet number.
fn q043() -> Vec<u8> {
    in_clear("09 8394c8f03e515708 51303433 01")
}

/// A long header with four bytes of packet number.
fn q046() -> Vec<u8> {
    in_clear("c3 51303436 50 8394c8f03e515708 00000001")
}

/// Flags, connection identifier, packet number, hash; an acknowledgement, what to stop waiting for, the stream.
fn rejection() -> Vec<u8> {
    let frames = "40 01 03a5 01 00  06 00  a0 01 0200 52454a00 0700 0000";
    [hex("08 8394c8f03e515708 01"), vec![0x5a; 12], hex(frames), vec![0; 500]].concat()
}

/// A version that nobody knows, what the server has, and a hello in that.
fn refused_by_google() -> Vec<(Sender, Vec<u8>)> {
    let unknown = [hex("0d 8394c8f03e515708 51303939 01"), vec![0x5a; 900]].concat();
    let negotiation = hex("09 8394c8f03e515708 51303433 51303339 00000001");
    vec![(Sender::Client, unknown), (Sender::Server, negotiation), (Sender::Client, q043())]
}

/// Packets with short headers, whose first byte and packet number are protected.
fn midway() -> Vec<(Sender, Vec<u8>)> {
    let client = |first, body| [&[first][..], &DESTINATION, &[body; 24]].concat();
    vec![
        (Sender::Server, hex("4bf29e03 f7e3dcfa8a2e6fd6 f7cc6a2c1d35d18f 66c29a0760")),
        (Sender::Client, client(0x53, 0x61)),
        (Sender::Client, client(0x4f, 0xb2)),
        (Sender::Client, client(0x45, 0xd2)),
    ]
}

/// A Handshake packet of a server, and a short header behind it.
fn handshake() -> Vec<u8> {
    [hex("e5 00000001 00 08 f067a5502a4262b5 4032"), vec![0xa7; 50], vec![0x4d; 30]].concat()
}

fn hellos(chunks: Vec<(Sender, Vec<u8>)>) -> Vec<Hello> {
    hellos_of(&fixture("", chunks).facts())
}

fn version(hello: &Hello) -> &Value {
    hello.fields.get("quic.version").unwrap()
}

#[test]
fn the_packets_of_rfc_9001_are_two_hellos() {
    let [client, server] = &*hellos(fixtures().swap_remove(0).chunks) else { panic!() };
    assert_eq!(client.server_name.as_ref().unwrap().as_str(), "example.com");
    assert_eq!(client.alpn[0].as_str(), "alpn");
    assert_eq!(print_of(client, FingerprintMethod::Ja4), Some("q13d0211an_62ed6f6ca7ad_4d634acda6c0"));
    assert_eq!(version(client), &Value::Text("1".into()));
    assert_eq!(server.fields.get("tls.version"), Some(&Value::Word("1.3")));
    assert_eq!(server.fields.get("tls.cipher"), Some(&Value::Word("TLS_AES_128_GCM_SHA256")));
}

#[test]
fn the_packets_of_rfc_9369_are_the_same_hellos_in_version_2() {
    let [old, new] = [0, 1].map(|index| hellos(fixtures().swap_remove(index).chunks));
    for (old, new) in old.iter().zip(&new) {
        assert_eq!(old.fingerprints, new.fingerprints);
        assert_eq!(version(new), &Value::Text("2".into()));
    }
    assert_eq!((old.len(), new.len()), (2, 2));
}

#[test]
fn a_server_that_refuses_the_version_says_which_it_has() {
    let [refusal, client] = &*hellos(refused_version()) else { panic!() };
    assert_eq!((refusal.sender, client.sender), (Sender::Server, Sender::Client));
    let versions = vec![Value::Text("1".into()), Value::Text("draft-29".into())];
    assert_eq!(refusal.fields.get("quic.supported_versions"), Some(&Value::List(versions)));
}

#[test]
fn a_client_that_begins_again_after_a_refusal_is_two_hellos() {
    let [asked, refusal, client] = &*hellos(refused_hello()) else { panic!() };
    assert_eq!([asked.sender, refusal.sender, client.sender], [Sender::Client, Sender::Server, Sender::Client]);
    assert_eq!([version(asked), version(client)], [&Value::Text("0x1a2a3a4a".into()), &Value::Text("1".into())]);
}

#[test]
fn a_server_may_clear_the_fixed_bit() {
    let mut keys = InitialKeys::derive(Version::V1, &DESTINATION).unwrap();
    let mut payload = crypto(0, &server_hello());
    payload.resize(1004, 0);
    let answer = keys.seal(&hex("83 00000001 00 00 00 4400"), 0, &payload, Sender::Server);
    let Some(Packet::Initial(packet)) = wire::packet(&mut Cursor::new(&answer)) else { panic!() };
    assert!(keys.open(&packet, Sender::Server, &mut Vec::new()).is_some());
}

#[test]
fn the_hello_of_googles_handshake_is_read_in_clear_and_in_initial_packets() {
    let q050 = Version(u32::from_be_bytes(*b"Q050"));
    let mut frame = [&hex("08 00")[..], &[u8::try_from(chlo().len()).unwrap()], &chlo()].concat();
    frame.extend([0; 20]);
    let sealed = initial(q050, &DESTINATION, &DESTINATION, 1, &frame, Sender::Client);
    for (datagram, name) in [(q043(), "Q043"), (q046(), "Q046"), (sealed, "Q050")] {
        let [client] = &*hellos(vec![(Sender::Client, datagram)]) else { panic!() };
        assert_eq!(client.server_name.as_ref().unwrap().as_str(), "example.com");
        assert_eq!(client.fields.get("user_agent.original"), Some(&Value::Text("Chrome/".into())));
        assert_eq!(version(client), &Value::Text(name.into()));
    }
}

#[test]
fn a_server_of_googles_that_refuses_the_version_says_which_it_has() {
    let [refusal, client] = &*hellos(refused_by_google()) else { panic!() };
    let versions = ["Q043", "Q039", "1"].map(|version| Value::Text(version.into()));
    assert_eq!(refusal.fields.get("quic.supported_versions"), Some(&Value::List(versions.to_vec())));
    assert_eq!((refusal.sender, version(client)), (Sender::Server, &Value::Text("Q043".into())));
    let mut other = refused_by_google();
    other[1].1[8] ^= 1;
    assert_eq!(hellos(other).len(), 1, "of another connection");
    for spoilt in ["09 8394c8f03e515708 51303433 5130", "09 8394c8f03e515708 51545631", "09 8394c8f03e515708"] {
        assert!(fixture("", vec![(Sender::Server, hex(spoilt))]).facts().is_empty(), "{spoilt}");
    }
}

#[test]
fn a_client_of_a_version_of_googles_that_is_not_known_is_told_by_it() {
    let unknown = refused_by_google().swap_remove(0);
    let answer = (Sender::Server, vec![0x08; 40]);
    for chunks in [vec![unknown.clone()], vec![unknown.clone(), answer]] {
        let [client] = &*hellos(chunks) else { panic!() };
        assert_eq!(version(client), &Value::Text("Q099".into()));
    }
    let elsewhere = Fixture { server_port: 9999, ..fixture("", vec![unknown]) };
    assert!(elsewhere.facts().is_empty());
}

#[test]
fn tags_whose_ends_run_backwards_are_no_hello() {
    let mut message = chlo();
    assert!(google::client_hello(&message, Version::V1).is_some());
    message[20] = 0x02;
    assert!(google::client_hello(&message, Version::V1).is_none());
    message = chlo();
    message[4] = 0xff;
    assert!(google::client_hello(&message, Version::V1).is_none());
}

#[test]
fn a_refusal_of_another_connection_is_none() {
    let mut chunks = refused_version();
    chunks[1].1[7] ^= 1;
    assert_eq!(hellos(chunks).len(), 1);
}

#[test]
fn a_hello_that_is_repeated_after_a_retry_is_one() {
    let [client, server] = &*hellos(retried()) else { panic!() };
    assert_eq!([client.sender, server.sender], [Sender::Client, Sender::Server]);
}

#[test]
fn a_hello_of_draft_21_is_read_behind_the_header_that_it_had() {
    let draft = Version(0xff00_0015);
    let datagram = initial(draft, &DESTINATION, &DESTINATION, 0, &crypto(0, &client_hello()), Sender::Client);
    assert_eq!(datagram[5], 0x50);
    let [client] = &*hellos(vec![(Sender::Client, datagram.clone())]) else { panic!() };
    assert_eq!(client.server_name.as_ref().unwrap().as_str(), "example.com");
    assert_eq!(version(client), &Value::Text("draft-21".into()));
    let other = [&datagram[..5], &[0x55], &datagram[6..]].concat();
    assert!(fixture("", vec![(Sender::Client, other)]).facts().is_empty());
}

#[test]
fn a_hello_in_pieces_is_put_together() {
    let [client] = &*hellos(over_two_datagrams()) else { panic!() };
    assert_eq!(client.server_name.as_ref().unwrap().as_str(), "example.com");
    let mut swapped = over_two_datagrams();
    swapped.swap(0, 1);
    assert_eq!(hellos(swapped).len(), 1);
    swapped = over_two_datagrams();
    let second = swapped.pop().unwrap().1;
    swapped[0].1.extend(second);
    assert_eq!(hellos(swapped).len(), 1, "coalesced into one datagram");
}

#[test]
fn a_server_may_go_on_in_another_version() {
    let answer = initial(Version::V2, &DESTINATION, &[], 0, &crypto(0, &server_hello()), Sender::Server);
    let hello = initial(Version::V1, &DESTINATION, &DESTINATION, 0, &crypto(0, &client_hello()), Sender::Client);
    let [client, server] = &*hellos(vec![(Sender::Client, hello), (Sender::Server, answer)]) else { panic!() };
    assert_eq!([version(client), version(server)], [&Value::Text("1".into()), &Value::Text("2".into())]);
}

#[test]
fn a_client_hello_that_contradicts_itself_is_told_and_the_server_is_read() {
    let mut body = [&hex("0303")[..], &[0x5a; 32], &hex("00 0002 1301 01 00")].concat();
    body.extend(hex("ffff 0000 0010 000e 00 000b 6578616d706c652e636f6d"));
    let hello = [&[1, 0, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat();
    let hello = initial(Version::V1, &DESTINATION, &DESTINATION, 0, &crypto(0, &hello), Sender::Client);
    let more = initial(Version::V1, &DESTINATION, &DESTINATION, 1, &crypto(90, &[2; 40]), Sender::Client);
    let answer = initial(Version::V1, &DESTINATION, &[], 0, &crypto(0, &server_hello()), Sender::Server);
    let facts = fixture("", vec![(Sender::Client, hello), (Sender::Client, more), (Sender::Server, answer)]).facts();
    let [(_, Statement::Hello(client)), (_, Statement::Malformed("client_hello")), (_, Statement::Hello(server))] =
        &facts[..]
    else {
        panic!("{facts:?}")
    };
    assert_eq!((client.fingerprints.len(), client.server_name.clone()), (0, Some("example.com".into())));
    assert_eq!((server.sender, server.fields.get("tls.version")), (Sender::Server, Some(&Value::Word("1.3"))));
}

#[test]
fn a_close_with_an_alert_of_tls_is_told() {
    let close = hex("1c 4128 00 00");
    let answer = initial(Version::V1, &DESTINATION, &[], 0, &close, Sender::Server);
    let hello = initial(Version::V1, &DESTINATION, &DESTINATION, 0, &crypto(0, &client_hello()), Sender::Client);
    let [_, refusal] = &*hellos(vec![(Sender::Client, hello), (Sender::Server, answer)]) else { panic!() };
    assert_eq!(refusal.fields.get("tls.alert"), Some(&Value::Word("handshake_failure")));
}

#[test]
fn what_cannot_be_decrypted_is_told_by_its_headers_alone() {
    let mut chunks = fixtures().swap_remove(0).chunks;
    *chunks[0].1.last_mut().unwrap() ^= 1;
    let [hello] = &hellos(chunks.clone())[..] else { panic!("one hello") };
    assert_eq!((version(hello), &hello.server_name), (&Value::Text("1".into()), &None));
    chunks.truncate(1);
    chunks[0].1.push(0x80);
    assert!(fixture("", chunks).facts().is_empty(), "a datagram that its packets do not fill");
}

#[test]
fn a_connection_that_began_before_is_known_by_the_identifier_that_the_client_repeats() {
    let [hello] = &hellos(midway())[..] else { panic!("one hello") };
    assert_eq!((hello.sender, hello.fields.is_empty()), (Sender::Client, true));
    let altered = |alter: fn(&mut Vec<(Sender, Vec<u8>)>)| {
        let mut chunks = midway();
        alter(&mut chunks);
        fixture("", chunks).facts()
    };
    assert!(altered(|chunks| drop(chunks.pop())).is_empty(), "twice is not enough");
    assert!(altered(|chunks| chunks[2].1[8] ^= 1).is_empty(), "another identifier");
    assert!(altered(|chunks| chunks.iter_mut().for_each(|(_, bytes)| bytes[0] = 0x48)).is_empty(), "no protection");
    assert!(altered(|chunks| chunks[0].1[0] = 0x17).is_empty(), "the server speaks another protocol");
}

#[test]
fn a_version_that_was_named_is_not_taken_back_by_short_headers() {
    let named = {
        let mut datagram = fixtures().swap_remove(0).chunks.swap_remove(0).1;
        *datagram.last_mut().unwrap() ^= 1;
        datagram
    };
    let short = |first: u8, identifier: u8| [&[first][..], &[identifier; 8], &[0x61; 40]].concat();
    for later in [
        vec![short(0x45, 1), short(0x51, 2), short(0x62, 3)],
        vec![short(0x05, 1), short(0x11, 1)],
        vec![vec![0x45; 18]],
        vec![hex("0001 0000 2112a442 000102030405060708090a0b"), short(0x45, 1)],
    ] {
        let later: Vec<(Sender, Vec<u8>)> = later.into_iter().map(|bytes| (Sender::Client, bytes)).collect();
        let [hello] = &*hellos([vec![(Sender::Client, named.clone())], later.clone()].concat()) else { panic!() };
        assert_eq!(version(hello), &Value::Text("1".into()));
        assert!(fixture("", later).facts().iter().all(|(protocol, _)| *protocol != PROTOCOL));
    }
}

#[test]
fn a_packet_that_can_be_opened_is_told_though_it_brings_no_hello() {
    let client = |frames: &[u8]| initial(Version::V1, &DESTINATION, &DESTINATION, 0, frames, Sender::Client);
    let answer = |bytes: &[u8]| (Sender::Server, initial(Version::V1, &DESTINATION, &[], 0, bytes, Sender::Server));
    let close = hex("1c 00 00 00");
    let begun = crypto(0, &client_hello()[..40]);
    for (chunks, reason) in [
        (vec![(Sender::Client, client(&close))], None),
        (vec![(Sender::Client, client(&hex("02 00 00 00 00")))], None),
        (vec![(Sender::Client, client(&hex("01")))], None),
        (vec![(Sender::Client, client(&begun))], None),
        (vec![(Sender::Client, client(&begun)), answer(&close)], None),
        (vec![(Sender::Client, client(&crypto(1024, &[0xee; 32])))], None),
        (vec![(Sender::Client, client(&crypto(0, &hex("02 000001 00"))))], Some("unexpected_message")),
        (vec![(Sender::Client, client(&hex("1d 00 00")))], Some("initial_frame")),
    ] {
        let facts = fixture("", chunks).facts();
        let [(PROTOCOL, Statement::Hello(hello)), reasons @ ..] = &facts[..] else { panic!("{facts:?}") };
        assert_eq!((hello.sender, version(hello)), (Sender::Client, &Value::Text("1".into())));
        assert!(hello.fingerprints.is_empty() && hello.server_name.is_none());
        let reasons: Vec<_> = reasons.iter().map(|(_, kind)| format!("{kind:?}")).collect();
        assert_eq!(reasons, Vec::from_iter(reason.map(|reason| format!("{:?}", Statement::Malformed(reason)))));
    }
    let alerted = fixture("", vec![(Sender::Client, client(&hex("1c 4128 06 00")))]).facts();
    assert_eq!(alerted.len(), 1, "the alert says enough");
}

#[test]
fn a_client_is_read_behind_an_answer_to_what_was_not_seen() {
    let [client, server] = &*hellos(retried().split_off(1)) else { panic!() };
    assert_eq!([client.sender, server.sender], [Sender::Client, Sender::Server]);
    let names = |hellos: Vec<Hello>| hellos.into_iter().filter_map(|hello| hello.server_name).count();
    assert_eq!(names(hellos(refused_version().split_off(1))), 1);
}

#[test]
fn an_answer_with_a_known_version_is_told_by_that() {
    let mut retry = retried();
    retry.truncate(2);
    let [hello] = &*hellos(retry.split_off(1)) else { panic!() };
    assert_eq!(version(hello), &Value::Text("1".into()));
    // Q046: a server's packet, number 1.
    let answer = hex("c3 51303436 05 b4aae8adf5a1f95b 00000001 00112233445566778899aabb a0");
    let [hello] = &*hellos(vec![(Sender::Server, answer.clone())]) else { panic!() };
    assert_eq!(version(hello), &Value::Text("Q046".into()));
    let other = [&answer[..5], &[0x55], &answer[6..]].concat();
    assert!(fixture("", vec![(Sender::Server, other)]).facts().is_empty());
}

#[test]
fn a_server_hello_behind_googles_acknowledgement_is_read() {
    for acknowledgement in ["40 01 0000 01 00", "65 0001 0000 01 0001 01 0001 02 0102030405060708"] {
        let payload = [hex(acknowledgement), vec![0x08], crypto(0, &server_hello())[1..].to_vec()].concat();
        let answer = initial(Version(u32::from_be_bytes(*b"T051")), &DESTINATION, &[], 0, &payload, Sender::Server);
        let payload = [vec![0x08], crypto(0, &client_hello())[1..].to_vec()].concat();
        let version = Version(u32::from_be_bytes(*b"T051"));
        let hello = initial(version, &DESTINATION, &DESTINATION, 0, &payload, Sender::Client);
        let [_, server] = &*hellos(vec![(Sender::Client, hello), (Sender::Server, answer)]) else { panic!() };
        assert_eq!(server.sender, Sender::Server);
    }
}

#[test]
fn the_server_is_where_the_port_is_if_it_was_seen_first() {
    let reversed = |bytes: &[u8]| {
        probe(&Opening {
            transport: Transport::Udp,
            sender: Sender::Client,
            client_port: 443,
            server_port: 49_152,
            is_midway: false,
            bytes,
            missing: 0,
        })
    };
    assert_eq!(reversed(&handshake()), Probe::Reversed);
    assert_eq!(reversed(&rejection()), Probe::Reversed);
    assert_eq!(reversed(&midway()[0].1), Probe::Reversed);
}

#[test]
fn frames_that_may_not_stand_in_an_initial_packet_are_malformed() {
    let mut parser = Quic::default();
    let mut facts = Vec::new();
    let stream = initial(Version::V1, &DESTINATION, &DESTINATION, 0, &hex("08 00 00"), Sender::Client);
    let chunk = Chunk { at: Default::default(), sender: Sender::Client, bytes: &stream, missing: 0 };
    assert_eq!(parser.on_bytes(chunk, &mut facts), Progress::Malformed("initial_frame"));
    let far = initial(Version::V1, &DESTINATION, &DESTINATION, 1, &hex("06 bfffffff 01 00"), Sender::Client);
    let chunk = Chunk { at: Default::default(), sender: Sender::Client, bytes: &far, missing: 0 };
    assert_eq!(parser.on_bytes(chunk, &mut facts), Progress::Malformed("fragment_length"));
}

#[test]
fn a_packet_number_is_completed_from_the_largest_one() {
    assert_eq!(keys::full_number(0x9b32, 2, Some(0xa82f_30ea)), 0xa82f_9b32, "RFC 9000 §A.3");
    assert_eq!(keys::full_number(0x02, 1, None), 0x02);
    assert_eq!(keys::full_number(0x00, 1, Some(0xff)), 0x100);
    assert_eq!(keys::full_number(0xff, 1, Some(0x100)), 0xff);
}

#[test]
fn integers_have_four_lengths() {
    // RFC 9000 §A.1
    let varint = |digits: &str| wire::varint(&mut Cursor::new(&hex(digits)));
    assert_eq!(varint("c2197c5eff14e88c"), Some(151_288_809_941_952_652));
    assert_eq!(varint("9d7f3e7d"), Some(494_878_333));
    assert_eq!(varint("7bbd"), Some(15_293));
    assert_eq!(varint("25"), Some(37));
    assert_eq!(varint("40"), None);
}

#[test]
fn versions_have_names() {
    let shown = |number| Version(number).to_string();
    assert_eq!([shown(1), shown(0x6b33_43cf), shown(0xff00_001d)], ["1", "2", "draft-29"]);
    assert_eq!([shown(0xface_b002), shown(0x1a2a_3a4a)], ["mvfst-2", "0x1a2a3a4a"]);
}

#[test]
fn an_initial_packet_that_the_snap_length_cut_tells_its_version() {
    let fixture = fixture("RFC 9001 §A", conversation(include_str!("fixtures/rfc9001.hex")));
    for snap_len in [54, 200, 1199] {
        let facts = fixture.facts_within(snap_len);
        let [(protocol, Statement::Hello(hello))] = &*facts else { panic!("{facts:?}") };
        assert_eq!((*protocol, hello.fingerprints.len(), hello.server_name.is_none()), (PROTOCOL, 0, true));
        assert_eq!(hello.fields.get(VERSION.name), Some(&Version::V1.to_string().into()), "{snap_len}");
    }
    // Before the packet's length.
    assert!(fixture.facts_within(16).is_empty());
}
