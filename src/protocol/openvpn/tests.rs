use super::wire::{ClientReset, Wrap};
use crate::facts::{Confidence, Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![plain(), tls_auth(), tls_crypt(), tls_crypt_v2(), tcp(), version_1(), amid_a_session()]
}

// Recorded between two OpenVPN 2.6.14: the client's reset, the server's, the client's next.

fn plain() -> Fixture {
    udp(
        "openvpn without a wrap",
        [
            "38 a68328adbfce3940 00 00000000",
            "40 7bd4e1e947e1c64e 01 00000000 a68328adbfce3940 00000000",
            "20 a68328adbfce3940 01 00000000 7bd4e1e947e1c64e 00000001 1603010110 0100010c",
        ],
    )
}

/// As before version 2.0: other numbers for the same messages.
fn version_1() -> Fixture {
    let mut fixture = plain();
    fixture.name = "openvpn with the first handshake";
    fixture.chunks[0].1[0] = 1 << 3;
    fixture.chunks[1].1[0] = 2 << 3;
    fixture
}

fn amid_a_session() -> Fixture {
    let mut fixture = plain();
    fixture.name = "openvpn amid a session";
    let sides = [Sender::Client, Sender::Server, Sender::Client, Sender::Client, Sender::Client];
    fixture.chunks = sides.into_iter().zip([901, 17, 902, 904, 905]).map(|(side, at)| (side, data(7, at))).collect();
    fixture
}

/// A message of data under an AEAD cipher.
fn data(peer: u8, packet: u32) -> Vec<u8> {
    [&[9 << 3, 0, 0, peer], &packet.to_be_bytes()[..], &noise(packet)].concat()
}

/// Bytes without order (xorshift), others for each seed.
fn noise(seed: u32) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..20).map(|_| next()).collect()
}

#[test]
fn data_of_one_peer_that_both_sides_count_is_a_likely_tunnel() {
    let session = amid_a_session();
    let facts = session.facts();
    let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((tunnel.confidence, tunnel.established), (Confidence::Likely, true));

    let of_one_side: Vec<_> = session.chunks.iter().filter(|(side, _)| *side == Sender::Client).cloned().collect();
    assert!(session.facts_of(&of_one_side).is_empty());
    assert!(session.facts_of(&session.chunks[..4]).is_empty());
    let with = |at: usize, bytes: Vec<u8>| {
        let mut chunks = session.chunks.clone();
        chunks[at].1 = bytes;
        session.facts_of(&chunks)
    };
    assert!(with(1, data(8, 17)).is_empty(), "another peer");
    assert!(with(4, data(7, 904)).is_empty(), "a number that does not rise");
    assert!(with(3, [&[9 << 3, 0, 0, 7, 0, 0, 3, 0x88], &[0; 20][..]].concat()).is_empty(), "no ciphertext");
    assert!(with(3, [&data(7, 904)[..8], &data(7, 902)[8..]].concat()).is_empty(), "the same again behind the number");
}

#[test]
fn a_client_that_goes_on_is_a_likely_tunnel_without_its_server() {
    let mut alone = tls_auth();
    alone.chunks.remove(1);
    let next = alone.chunks[1].clone();
    alone.chunks.extend([next.clone(), next]);
    let facts = alone.facts();
    let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((tunnel.confidence, tunnel.established), (Confidence::Likely, true));
    alone.chunks[3].1[5] ^= 1;
    assert!(alone.facts().is_empty(), "another session");
}

#[test]
fn a_handshake_whose_beginning_was_not_seen_is_told_by_what_it_acknowledges() {
    for (mut fixture, wrap) in [(plain(), "none"), (tls_auth(), "tls-auth")] {
        fixture.chunks.remove(0);
        assert_eq!(tunnels(&fixture), [(Confidence::Certain, true, Value::Word(wrap))], "{wrap}");
        let mut turned = fixture.clone();
        turned.chunks.iter_mut().for_each(|(sender, _)| *sender = sender.other());
        assert_eq!(tunnels(&turned), [(Confidence::Certain, true, Value::Word(wrap))], "{wrap}");
        // The server's own session, and the one that it answers.
        fixture.chunks[0].1[3] ^= 1;
        fixture.chunks[1].1[5] ^= 1;
        assert_eq!(tunnels(&fixture), [], "{wrap}: strangers");
    }
    let acknowledgments = [
        (Sender::Server, hex("28 7bd4e1e947e1c64e 01 00000000 a68328adbfce3940")),
        (Sender::Client, hex("20 a68328adbfce3940 00 00000001 1603010110 0100010c")),
    ];
    let fixture = Fixture { chunks: acknowledgments.to_vec(), ..plain() };
    assert_eq!(tunnels(&fixture), [(Confidence::Certain, true, Value::Word("none"))]);
    assert_eq!(tunnels(&Fixture { chunks: acknowledgments[..1].to_vec(), ..plain() }), []);
}

/// A server seen alone: its reset, and what it acknowledges by both sessions' 64 bits.
#[test]
fn a_server_without_its_client_is_told_by_what_it_acknowledges_again_and_again() {
    let reset = "40 7bd4e1e947e1c64e 01 00000000 a68328adbfce3940 00000000";
    let ack = |number: u8| format!("28 7bd4e1e947e1c64e 01 000000 {number:02x} a68328adbfce3940");
    let piece = "20 7bd4e1e947e1c64e 02 00000002 00000001 a68328adbfce3940 00000001 16030300 7a020000 76";
    let auth = |opcode: u8, acknowledged: u8, rest: &str| {
        let hmac = "591d95b1627ef0a3c45393d557e02792f0d71b74";
        let replay = format!("000000 {:02x} 6b05f7c7", acknowledged + 1);
        format!("{opcode:02x} ad067e657d088963 {hmac} {replay} 01 000000 {acknowledged:02x} 95d6ea431d8ae52d {rest}")
    };
    let said = |messages: &[String]| {
        let chunks: Vec<_> = messages.iter().map(|text| (Sender::Server, hex(text))).collect();
        let elsewhere = Fixture { client_port: 40_000, server_port: 40_001, chunks: chunks.clone(), ..plain() };
        let turned = chunks.into_iter().map(|(sender, bytes)| (sender.other(), bytes)).collect();
        let turned = Fixture { chunks: turned, ..elsewhere.clone() };
        assert_eq!(tunnels(&elsewhere), tunnels(&turned));
        tunnels(&elsewhere)
    };
    let proven = |wrap| vec![(Confidence::Certain, true, Value::Word(wrap))];
    assert_eq!(said(&[reset.into(), ack(1), ack(2)]), proven("none"));
    assert_eq!(said(&[reset.into(), ack(1), piece.into()]), proven("none"));
    assert_eq!(said(&[ack(1), ack(2), ack(2), ack(3)]), proven("none"));
    assert_eq!(said(&[auth(0x40, 0, "00000000"), auth(0x28, 1, ""), auth(0x28, 2, "")]), proven("tls-auth"));

    assert_eq!(said(&[reset.into(), ack(1)]), [], "two");
    assert_eq!(said(&[reset.into(), reset.into(), ack(1), ack(1)]), [], "repeated");
    let other = |text: String| text.replace("a683", "a684");
    assert_eq!(said(&[reset.into(), other(ack(1)), ack(2)]), [], "another peer");
    let flat = |text: String| {
        text.replace("7bd4e1e947e1c64e", "0000000000000001").replace("a68328adbfce3940", "0000000000000002")
    };
    assert_eq!(said(&[ack(1), ack(2), ack(3), ack(4)].map(flat)), [], "numbers, and not random");
    let pieces = (1..6).map(|at| format!("20 7bd4e1e947e1c64e 01 000000 {at:02x} a68328adbfce3940 000000 {at:02x} 00"));
    assert_eq!(said(&pieces.collect::<Vec<_>>()), [], "none that is known to its last byte");
}

#[test]
fn data_of_one_side_must_be_counted_for_longer() {
    let said = |numbers: &mut dyn Iterator<Item = u32>| {
        let chunks = numbers.map(|number| (Sender::Server, data(7, number))).collect();
        let elsewhere = Fixture { client_port: 40_000, server_port: 40_001, chunks, ..plain() };
        elsewhere.facts().len()
    };
    assert_eq!(said(&mut (55..63)), 1);
    assert_eq!(said(&mut (55..62)), 0);
    assert_eq!(said(&mut [55, 56, 57, 58, 59, 60, 61, 61].into_iter()), 0);
    // Another protocol's counter before what stays, as a token does.
    let token = |number: u32| (Sender::Server, [&data(7, number)[..8], &noise(1), &noise(number)].concat());
    let counted =
        Fixture { client_port: 40_000, server_port: 40_001, chunks: (55..75).map(token).collect(), ..plain() };
    assert!(counted.facts().is_empty());
}

#[test]
fn data_in_epochs_is_counted_within_them() {
    let message = |peer: u8, epoch: u8, packet: u32| {
        [&[9 << 3, 0, 0, peer, 0, epoch, 0, 0], &packet.to_be_bytes()[..], &noise(packet)].concat()
    };
    let said = |numbers: &[(u8, u32)], peer: u8| {
        let of = |&(epoch, packet): &(u8, u32)| (Sender::Client, message(7, epoch, packet));
        let server = (Sender::Server, message(peer, 3, 17));
        let chunks = std::iter::once(server).chain(numbers.iter().map(of)).collect();
        Fixture { client_port: 40_000, server_port: 40_001, chunks, ..plain() }.facts().len()
    };
    assert_eq!(said(&[(3, 901), (3, 902), (3, 904), (3, 905)], 7), 1);
    assert_eq!(said(&[(3, 901), (3, 902), (3, 904)], 7), 0, "too few");
    assert_eq!(said(&[(3, 901), (3, 902), (3, 902), (3, 904)], 7), 0, "a number that does not rise");
    assert_eq!(said(&[(3, 901), (3, 902), (3, 904), (3, 905)], 8), 0, "another peer");
    assert_eq!(said(&[(3, 901), (3, 902), (4, 1), (4, 2), (4, 3), (4, 4)], 7), 1, "the next epoch");
}

#[test]
fn data_under_another_cipher_is_known_on_the_port() {
    let message = |peer: u8, seed: u32| {
        let noise = (0..24_u32).flat_map(|at| (at + seed).wrapping_mul(0x9e37_79b1).rotate_left(at).to_be_bytes());
        [9 << 3, 0, 0, peer].into_iter().chain(noise).collect::<Vec<u8>>()
    };
    let chunks = |peer| {
        let of = move |seed| [(Sender::Client, message(1, seed)), (Sender::Server, message(peer, seed + 7919))];
        (100..105).flat_map(of).collect()
    };
    let on_port = Fixture { chunks: chunks(1), ..plain() };
    assert_eq!(on_port.facts().len(), 1);
    assert_eq!(Fixture { client_port: 40_000, server_port: 40_001, ..on_port }.facts().len(), 0);
    assert_eq!(Fixture { chunks: chunks(2), ..plain() }.facts().len(), 0, "another peer");
}

fn tls_auth() -> Fixture {
    udp(
        "openvpn with tls-auth",
        [
            "38 95d6ea431d8ae52d b718b4f91b475b839adf805ef3b78ddf853a724c 00000001 6b05f7c7 00 00000000",
            "40 ad067e657d088963 591d95b1627ef0a3c45393d557e02792f0d71b74 00000001 6b05f7c7
         01 00000000 95d6ea431d8ae52d 00000000",
            "20 95d6ea431d8ae52d e4fe824012887acb1025dd1a27de3f5c299e9820 00000002 6b05f7c7 0100000000",
        ],
    )
}

fn tls_crypt() -> Fixture {
    udp(
        "openvpn with tls-crypt",
        [
            "38 ee7aa14118d184c8 00000001 6b05f7d1 787f2a423ff49c200306270b03c4e71fa57ae3726ef232f71d20674147ca311e 9ea8c6f58f",
            "40 2f6a7d946cae9ad9 00000001 6b05f7d1 1c66170296b5ee789ed4a002513f8037b003db98f9a3fd3c41caf59246935f6a
         1daf7cdb0ae5bbe61f2415a02f57bff583",
            "20 ee7aa14118d184c8 00000002 6b05f7d1 38dcc94b829554091fa4ad88696f36bac4fbb519b0828a3866ef8274225ed50a df2ef2",
        ],
    )
}

/// The wrapped client key, 299 bytes, is counted here.
fn tls_crypt_v2() -> Fixture {
    let mut fixture = udp(
        "openvpn with tls-crypt-v2",
        [
            "50 260c08c4d67c5cda 0f000001 6b05f7d7 73816767bf1284229f63e4cbc6c5b0a9809796cc2230166ee63bd4fe239d7cab 6b20c3cd8d",
            "40 ef37c7d672044726 00000001 6b05f7d7 07cc378e8a691c29a09bb1b1b62ebd6bced7a1cd17a2476237cc74236e009c75
         3f30f0258db6eee10b8c2d55cacb35bd37a935b3939cfd",
            "58 260c08c4d67c5cda 0f000002 6b05f7d7 9f47f59be08c7f0b2a345f67fdbc9c3f9071435fe056746822a4d56a4057d208",
        ],
    );
    fixture.chunks[0].1.extend((0..297_u32).map(|at| at.to_le_bytes()[0]));
    fixture.chunks[0].1.extend(hex("01 2b"));
    fixture
}

fn tcp() -> Fixture {
    let mut fixture = tls_crypt();
    fixture.name = "openvpn over tcp";
    fixture.transport = Transport::Tcp;
    for (_, bytes) in &mut fixture.chunks {
        let len = u16::try_from(bytes.len()).unwrap();
        bytes.splice(0..0, len.to_be_bytes());
    }
    fixture
}

fn udp(name: &'static str, [first, second, third]: [&str; 3]) -> Fixture {
    Fixture {
        name,
        protocol: super::SPEC.protocol,
        transport: Transport::Udp,
        client_port: 34_726,
        server_port: 1194,
        chunks: vec![(Sender::Client, hex(first)), (Sender::Server, hex(second)), (Sender::Client, hex(third))],
    }
}

fn tunnels(fixture: &Fixture) -> Vec<(Confidence, bool, Value)> {
    let facts = fixture.facts();
    let tunnel = |kind: &Statement| match kind {
        Statement::Tunnel(tunnel) => {
            let wrap = tunnel.fields.get("openvpn.control_channel_wrap").cloned()?;
            Some((tunnel.confidence, tunnel.established, wrap))
        }
        _ => None,
    };
    facts.iter().filter_map(|(_, kind)| tunnel(kind)).collect()
}

#[test]
fn a_reset_and_its_answer_are_one_certain_tunnel_under_every_wrap() {
    for (fixture, wrap) in [
        (plain(), "none"),
        (tls_auth(), "tls-auth"),
        (tls_crypt(), "tls-crypt"),
        (tls_crypt_v2(), "tls-crypt-v2"),
        (tcp(), "tls-crypt"),
    ] {
        assert_eq!(tunnels(&fixture), [(Confidence::Certain, true, Value::Word(wrap))], "{}", fixture.name);
    }
}

#[test]
fn every_digest_of_tls_auth_is_told_by_the_length() {
    for hmac_bytes in [16, 20, 28, 32, 48, 64] {
        let mut reset = hex("38 95d6ea431d8ae52d");
        reset.extend(vec![0xab; hmac_bytes]);
        reset.extend(hex("00000001 6b05f7c7 00 00000000"));
        assert_eq!(ClientReset::parse(&reset).map(|reset| reset.wrap), Some(Wrap::TlsAuth { hmac_bytes }));
        reset.push(0);
        assert_eq!(ClientReset::parse(&reset), None);
    }
}

#[test]
fn a_reset_that_nobody_answers_counts_when_it_is_repeated() {
    let mut unanswered = plain();
    unanswered.chunks.truncate(1);
    assert_eq!(tunnels(&unanswered), []);
    unanswered.chunks.push(unanswered.chunks[0].clone());
    unanswered.chunks.push(unanswered.chunks[0].clone());
    assert_eq!(tunnels(&unanswered), [(Confidence::Likely, false, Value::Word("none"))]);
}

#[test]
fn an_answer_must_name_the_session() {
    for mut fixture in [plain(), tls_auth()] {
        fixture.chunks[0].1[4] ^= 1;
        assert_eq!(tunnels(&fixture), [], "{}", fixture.name);
    }
    let mut echo = tls_crypt();
    let asked = echo.chunks[0].1.clone();
    echo.chunks[1].1[1..9].copy_from_slice(&asked[1..9]);
    assert_eq!(tunnels(&echo), []);
}

#[test]
fn a_flow_told_the_wrong_way_round_is_turned() {
    let mut turned = plain();
    turned.chunks.iter_mut().for_each(|(sender, _)| *sender = sender.other());
    assert_eq!(tunnels(&turned), [(Confidence::Certain, true, Value::Word("none"))]);
}

#[test]
fn the_tls_inside_says_its_hello_whatever_the_order_of_its_pieces() {
    let mut fixture = plain();
    fixture.chunks.truncate(2);
    let hello = hex(&format!("16 0303 002a 02 000026 0303 {} 00 c02f 00", "5a".repeat(32)));
    let (first, second) = hello.split_at(20);
    let message = |number, piece: &[u8]| [&hex("20 7bd4e1e947e1c64e 00 000000")[..], &[number], piece].concat();
    for bytes in [message(2, second), message(2, second), message(1, first), message(1, first)] {
        fixture.chunks.push((Sender::Server, bytes));
    }
    let facts = fixture.facts();
    let [(_, Statement::Tunnel(_)), (_, Statement::Hello(hello))] = &facts[..] else {
        panic!("a tunnel, a hello: {facts:?}")
    };
    assert_eq!((hello.sender, hello.inside.map(|inside| inside.as_str())), (Sender::Server, Some("tls")));
    assert_eq!(hello.fields.get("tls.version"), Some(&Value::Word("1.2")));
}

#[test]
fn data_of_version_1_on_its_port_is_known_by_what_both_sides_begin_with() {
    let noise = |seed: u8| (0..96_u8).map(move |at| at.wrapping_mul(167).wrapping_add(seed).rotate_left(3) ^ seed);
    let message = |head: u8, seed: u8| std::iter::once(head).chain(noise(seed)).collect::<Vec<u8>>();
    let mut amid = plain();
    amid.chunks = (1..=5)
        .flat_map(|seed| [(Sender::Client, message(0x30, seed)), (Sender::Server, message(0x30, seed + 100))])
        .collect();
    let claims =
        |fixture: &Fixture| fixture.facts().iter().filter(|(_, kind)| matches!(kind, Statement::Tunnel(_))).count();
    assert_eq!(claims(&amid), 1);
    let elsewhere = Fixture { client_port: 40_000, server_port: 40_001, ..amid.clone() };
    assert_eq!(claims(&elsewhere), 0);
    amid.chunks.iter_mut().filter(|(sender, _)| *sender == Sender::Server).for_each(|(_, bytes)| bytes[0] = 0x31);
    assert_eq!(claims(&amid), 0);
}
