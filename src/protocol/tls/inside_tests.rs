use super::tests::{fixture, message, numbers, published_client, record, vec16};
use super::wire::{content, extension, handshake};
use super::*;
use crate::protocol::session::Session;
use crate::protocol::tests::Fixture;
use crate::time::Timestamp;

const AES_128_GCM: u16 = 0xc02f;
const CHACHA20: u16 = 0xcca8;
const AES_128_CBC: u16 = 0xc013;
/// What TLS 1.3 calls AES-128-GCM, whose Finished takes 36 bytes.
const OF_1_3: u16 = 0x1301;

/// The handshake of a connection with a cipher.
fn handshake(cipher: u16) -> Vec<(Sender, Vec<u8>)> {
    let is_1_3 = cipher == OF_1_3;
    let versions = [numbers(&[extension::SUPPORTED_VERSIONS]), vec16(&[3, 4])].concat();
    let hello =
        [&[3, 3][..], &[0x5a; 32], &[0], &numbers(&[cipher]), &[0], &vec16(if is_1_3 { &versions } else { &[] })]
            .concat();
    let hello = record(content::HANDSHAKE, &message(handshake::SERVER_HELLO, &hello));
    let change = record(content::CHANGE_CIPHER_SPEC, &[1]);
    let finished = record(content::HANDSHAKE, &[0xee; 40]);
    let data = |len: usize| record(content::APPLICATION_DATA, &vec![0xee; len]);
    let (client, server) = if is_1_3 {
        ([change.clone(), data(36 + 17)].concat(), [hello, change, data(900), data(36 + 17)].concat())
    } else {
        ([change.clone(), finished.clone()].concat(), [hello, change, finished].concat())
    };
    let begins = record(content::HANDSHAKE, &message(handshake::CLIENT_HELLO, &published_client().body()));
    vec![(Sender::Client, begins), (Sender::Server, server), (Sender::Client, client)]
}

fn overhead(cipher: u16) -> usize {
    match cipher {
        OF_1_3 => 17,
        CHACHA20 => 16,
        _ => 24,
    }
}

/// A connection whose records carry so much: `> 517 < 2600`, the client's and the server's.
fn carrying(cipher: u16, lengths: &str) -> Fixture {
    let mut chunks = handshake(cipher);
    for (sender, len) in lengths.split_whitespace().collect::<Vec<_>>().chunks(2).map(|pair| (pair[0], pair[1])) {
        let sender = if sender == ">" { Sender::Client } else { Sender::Server };
        let len: usize = len.parse().unwrap();
        chunks.push((sender, record(content::APPLICATION_DATA, &vec![0xee; len + overhead(cipher)])));
    }
    Fixture { chunks, ..fixture("", "") }
}

fn shape_of(fixture: &Fixture, chunks: &[(Sender, Vec<u8>)]) -> Option<Shape> {
    let mut session = Session::new(fixture.start());
    let mut facts = Vec::new();
    for (sender, bytes) in chunks {
        session.on_bytes(Chunk { at: Timestamp::ZERO, sender: *sender, bytes, missing: 0 }, &mut facts);
    }
    session.on_end(&mut facts);
    assert!(!facts.iter().any(|(_, kind)| matches!(kind, Statement::Malformed(_))), "{facts:?}");
    session.shape()
}

fn shape(lengths: &str) -> Option<Shape> {
    let fixture = carrying(OF_1_3, lengths);
    shape_of(&fixture, &fixture.chunks)
}

const TLS_1_2: Option<Shape> = Some(Shape::Tls12InTls);
const TLS_1_3: Option<Shape> = Some(Shape::Tls13InTls);

/// What was recorded from curl, Chromium and Firefox through Squid, stunnel, Trojan and V2Ray.
const RECORDED: [(&str, Option<Shape>); 12] = [
    ("> 122 < 39 > 517 < 2597 > 80 > 86 > 68 < 287 < 287", TLS_1_3),
    ("> 124 < 249 < 249 < 39 > 517 < 2216 > 80 < 574 > 110", TLS_1_3),
    ("> 597 < 57 < 57 < 2597 > 80 < 287 < 287 < 62 > 86 < 31", TLS_1_3),
    ("> 80 < 57 > 517 < 2215 > 80 > 110 < 303 < 303", TLS_1_3),
    ("> 220 < 39 > 1955 < 2581 > 64 > 92 > 469 < 2110", TLS_1_3),
    ("> 192 < 129 > 563 < 2052 < 173 > 86 < 610 > 116", TLS_1_3),
    ("> 641 < 1186 < 862 < 2048 < 2048 < 496 > 82 > 132 > 65 < 650", TLS_1_3),
    ("> 124 < 39 > 517 < 2466 > 93 < 51 < 69 > 93 > 78 > 38", TLS_1_2),
    ("> 124 < 39 > 517 < 2117 > 126 < 51 > 117 < 16384", TLS_1_2),
    ("> 597 < 57 < 2472 > 85 < 43 > 109 < 8192", TLS_1_2),
    ("> 222 < 39 > 2147 < 156 > 51 > 565 < 2274", TLS_1_2),
    ("> 192 < 129 > 605 < 2052 < 72 > 134 < 53 > 123 < 2052", TLS_1_2),
];

#[test]
fn a_handshake_within_tls_shows_by_its_lengths() {
    for (lengths, expected) in RECORDED {
        assert_eq!(shape(lengths), expected, "{lengths}");
        for cipher in [AES_128_GCM, CHACHA20] {
            let fixture = carrying(cipher, lengths);
            assert_eq!(shape_of(&fixture, &fixture.chunks), expected, "{cipher:x} {lengths}");
        }
        let padded = carrying(AES_128_CBC, lengths);
        assert_eq!(shape_of(&padded, &padded.chunks), None, "how much its records carry is not known");
    }
}

#[test]
fn how_a_stream_is_cut_does_not_matter_to_its_shape() {
    for (lengths, expected) in RECORDED {
        let whole = carrying(OF_1_3, lengths);
        for (index, (sender, bytes)) in whole.chunks.iter().enumerate() {
            for len in (1..bytes.len()).filter(|len| *len < 12 || bytes.len() < 900 || len % 97 == 0) {
                let mut chunks = whole.chunks.clone();
                chunks.splice(index..=index, [(*sender, bytes[..len].to_vec()), (*sender, bytes[len..].to_vec())]);
                assert_eq!(shape_of(&whole, &chunks), expected, "{lengths} split at {index}/{len}");
            }
        }
        let bytes = whole.chunks.iter().flat_map(|(sender, bytes)| bytes.iter().map(|&byte| (*sender, vec![byte])));
        assert_eq!(shape_of(&whole, &bytes.collect::<Vec<_>>()), expected, "{lengths} by bytes");
        let mut joined: Vec<(Sender, Vec<u8>)> = Vec::new();
        for (sender, bytes) in &whole.chunks {
            match joined.last_mut().filter(|(last, _)| last == sender) {
                Some((_, all)) => all.extend(bytes),
                None => joined.push((*sender, bytes.clone())),
            }
        }
        assert_eq!(shape_of(&whole, &joined), expected, "{lengths} by turns");
    }
}

#[test]
fn a_hole_or_an_end_before_it_is_sure_leaves_no_shape() {
    let (lengths, _) = RECORDED[0];
    let whole = carrying(OF_1_3, lengths);
    // The record behind the client's Finished makes it sure.
    let sure = 3 + 6;
    for count in 0..=whole.chunks.len() {
        let expected = TLS_1_3.filter(|_| count >= sure);
        assert_eq!(shape_of(&whole, &whole.chunks[..count]), expected, "{count} chunks");
    }
    for lost in 3..sure {
        let mut session = Session::new(whole.start());
        let mut facts = Vec::new();
        for (index, (sender, bytes)) in whole.chunks.iter().enumerate() {
            let sender = *sender;
            if index == lost {
                session.on_gap(sender, u32::try_from(bytes.len()).unwrap(), &mut facts);
            } else {
                session.on_bytes(Chunk { at: Timestamp::ZERO, sender, bytes, missing: 0 }, &mut facts);
            }
        }
        assert_eq!((session.shape(), session.is_done()), (None, true), "without chunk {lost}");
    }
}

#[test]
fn one_byte_more_or_less_is_another_message() {
    for (before, len, behind, expected) in [
        ("> 517 < 2600", 64, "> 90", TLS_1_3),
        ("> 517 < 2600", 80, "> 90", TLS_1_3),
        ("> 517 < 2600", 93, "< 51", TLS_1_2),
        ("> 517 < 2600", 126, "< 51", TLS_1_2),
        ("> 517 < 2600", 85, "< 43", TLS_1_2),
        ("> 517 < 2600", 118, "< 43", TLS_1_2),
        ("> 517 < 156", 51, "> 90", TLS_1_2),
        ("> 517 < 156", 43, "> 90", TLS_1_2),
    ] {
        let with = |len: u32| shape(&format!("{before} > {len} {behind}"));
        assert_eq!(with(len), expected, "{len}");
        assert_eq!((with(len - 1), with(len + 1)), (None, None), "beside {len}");
        // In a masked frame of a WebSocket, which was asked for, and behind VMess's length and tag.
        let framed = |asked: &str, framing: u32| shape(&format!("{asked} {before} > {} < 60 > 120", len + framing));
        let of_frame = if len < 126 { 6 } else { 8 };
        assert_eq!((framed("> 190 < 129", of_frame), framed("", of_frame)), (expected, None), "framed {len}");
        let of_vmess = expected.filter(|shape| *shape == Shape::Tls13InTls);
        assert_eq!((framed("> 190 < 129", 18), framed("", 18)), (None, of_vmess), "by VMess {len}");
    }
}

#[test]
fn what_lies_before_it_must_be_a_hello_and_a_flight() {
    for (inside, outside) in [
        ("> 200 < 2600 > 64 > 90", "> 199 < 2600 > 64 > 90"),
        ("> 2000 > 2096 < 2600 > 64 > 90", "> 2000 > 2097 < 2600 > 64 > 90"),
        ("> 80 > 60 > 60 > 517 < 2600 > 64 > 90", "> 80 > 60 > 60 > 60 > 517 < 2600 > 64 > 90"),
        ("> 517 < 700 > 64 > 90", "> 517 < 699 > 64 > 90"),
        ("> 517 < 210 > 64 > 90", "> 517 < 209 > 64 > 90"),
        ("> 517 < 290 > 64 > 90", "> 517 < 291 > 64 > 90"),
        ("> 517 < 16384 > 64 > 90", "> 517 < 16385 > 64 > 90"),
        ("> 517 < 700 < 30 > 64 > 90", "> 517 < 600 < 130 > 64 > 90"),
        ("> 517 < 249 < 249 < 700 > 64 > 90", "> 517 < 249 < 250 < 700 > 64 > 90"),
        ("> 517 < 99 < 700 > 64 > 90", "> 517 < 100 < 700 > 64 > 90"),
        ("> 517 < 57 < 57 < 250 > 64 > 90", "> 517 < 57 < 57 < 57 < 250 > 64 > 90"),
        ("> 517 < 700 > 93 < 51", "> 517 < 699 > 93 < 51"),
        ("> 517 < 130 > 51 > 90", "> 517 < 129 > 51 > 90"),
        ("> 517 < 175 > 51 > 90", "> 517 < 176 > 51 > 90"),
        ("> 517 < 2600 > 93 < 400", "> 517 < 2600 > 93 < 401"),
        ("> 517 < 2600 > 93 < 43", "> 517 < 2600 > 93 < 42"),
        ("> 517 < 2600 > 64 > 52", "> 517 < 2600 > 64 > 51"),
        ("> 517 < 2600 > 93 > 52 < 51", "> 517 < 2600 > 93 > 51 < 51"),
        ("> 30 < 22 > 517 < 2600 > 64 > 90", "> 30 < 21 > 517 < 2600 > 64 > 90"),
        ("> 30 < 30 > 30 < 30 > 517 < 2600 > 64 > 90", "> 30 < 30 > 30 < 30 > 30 < 30 > 517 < 2600 > 64 > 90"),
        // The end of what was read at once.
        ("> 1186 > 862 > 9 < 1186 < 862 < 3 > 64 > 90", "> 517 > 9 < 2600 > 64 > 90"),
    ] {
        assert!(shape(inside).is_some(), "{inside}");
        assert_eq!(shape(outside), None, "{outside}");
    }
    assert_eq!(shape("> 64 > 517 < 2600 > 90"), None, "it answers");
    assert_eq!(shape("> 517 < 2600 > 90 > 64 > 90"), None, "it answers at once");
}

/// As curl, Chromium and Firefox speak with nginx.
#[test]
fn ordinary_traffic_within_tls_has_no_shape() {
    for lengths in [
        // HTTP/2, whose preface with its settings may have 64 bytes, too.
        "> 64 > 59 < 33 < 9 < 13 > 9 < 2600 > 64 > 80",
        "> 70 > 449 < 36 < 9 < 1200 > 9 > 64 < 900 > 80",
        "> 570 < 36 < 9 < 2600 > 9 > 64 > 80",
        // HTTP/1.1.
        "> 452 < 2600 > 455 < 2600 > 480 < 700 > 430 < 16384",
        "> 220 > 64 < 300 > 220 > 64 < 300 > 220 > 80",
        // A WebSocket, whose messages may be as long.
        "> 560 < 129 > 43 < 300 > 9 < 70",
        "> 1211 < 188 < 3499 > 70 > 74",
        "> 494 < 249 < 249 < 288 < 126 < 900 > 64 > 76",
        // SSH, and a download.
        "> 21 < 21 > 1536 < 1080 > 1208 < 1564 > 16 > 44 < 44",
        "> 200 < 16384 < 16384 > 64 > 90",
    ] {
        assert_eq!(shape(lengths), None, "{lengths}");
    }
}

#[test]
fn it_is_watched_no_longer_than_it_may_be_one() {
    let is_done = |lengths: &str| {
        let fixture = carrying(OF_1_3, lengths);
        let mut session = Session::new(fixture.start());
        for (sender, bytes) in &fixture.chunks {
            let chunk = Chunk { at: Timestamp::ZERO, sender: *sender, bytes, missing: 0 };
            session.on_bytes(chunk, &mut Vec::new());
        }
        assert!(session.buffered_bytes() < 16, "records are not kept");
        session.is_done()
    };
    for (watched, over) in [
        ("> 64 > 59", "> 64 > 59 < 9"),
        ("> 500 < 16000", "> 500 < 16000 < 1000"),
        ("> 500 > 3000", "> 500 > 3000 > 1000"),
        ("> 90 < 90 > 90 < 90 > 90 < 90", "> 90 < 90 > 90 < 90 > 90 < 90 > 90"),
    ] {
        assert_eq!((is_done(watched), is_done(over)), (false, true), "{watched}");
    }
    // A server that goes on without its client.
    let server = |len: usize| {
        let mut alone = carrying(OF_1_3, "");
        alone.chunks.truncate(2);
        alone.chunks[1].1.extend(record(content::APPLICATION_DATA, &vec![0xee; len]));
        let mut session = Session::new(alone.start());
        for (sender, bytes) in &alone.chunks {
            session.on_bytes(Chunk { at: Timestamp::ZERO, sender: *sender, bytes, missing: 0 }, &mut Vec::new());
        }
        session.is_done()
    };
    assert_eq!((server(15_000), server(16_000)), (false, true));
    let many = "< 22 ".repeat(usize::from(u8::MAX));
    assert!(is_done(&format!("> 90 {many}")), "a limit on its records");
}

#[test]
fn a_client_that_ends_its_handshake_otherwise_is_not_watched() {
    let whole = carrying(OF_1_3, RECORDED[0].0);
    // Early data, or a certificate of its own.
    let mut chunks = whole.chunks.clone();
    chunks[2].1 = [record(content::CHANGE_CIPHER_SPEC, &[1]), record(content::APPLICATION_DATA, &[0xee; 700])].concat();
    assert_eq!(shape_of(&whole, &chunks), None);
    // An alert, and what is no record.
    for bytes in [record(content::ALERT, &[0xee; 19]), b"GET / HTTP/1.1\r\n".to_vec(), vec![0x17, 3, 3, 0xff, 0xff]] {
        let mut chunks = whole.chunks.clone();
        chunks.insert(5, (Sender::Client, bytes));
        assert_eq!(shape_of(&whole, &chunks), None);
    }
}
