use super::*;
use crate::facts::Value;
use crate::protocol::tests::{Fixture, hex};
use crate::protocol::{dtls, wireguard};

/// Conversations as every protocol's tests share them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        udp("a binding as RFC 5769 has it", vec![client(RFC_5769_REQUEST), server(RFC_5769_RESPONSE)]),
        udp("a relay", relay()),
        udp("classic", classic()),
        udp("classic with nothing but headers", classic_of("", "")),
        udp("a relay of MS-TURN", ms_turn()),
        udp("dtls behind it, the server's client", dtls_behind(Sender::Server)),
        udp("wireguard behind it", wireguard_behind()),
        udp("a message of MS-TURN without padding", vec![client(MS_TURN)]),
        tcp("over tcp", vec![client(&[RFC_5769_REQUEST, RFC_5769_REQUEST].concat()), server(RFC_5769_RESPONSE)]),
        tcp("over tcp with frames", vec![client(&framed(RFC_5769_REQUEST)), server(&framed(RFC_5769_RESPONSE))]),
    ]
}

/// RFC 5769 §2.1.
const RFC_5769_REQUEST: &str = "
    00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae 80 22 00 10 53 54 55 4e 20 74 65 73
    74 20 63 6c 69 65 6e 74 00 24 00 04 6e 00 01 ff 80 29 00 08 93 2f f9 b1 51 26 3b 36 00 06 00 09
    65 76 74 6a 3a 68 36 76 59 20 20 20 00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49
    c1 b5 71 a2 80 28 00 04 e5 7a 3b cf";
/// RFC 5769 §2.2.
const RFC_5769_RESPONSE: &str = "
    01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae 80 22 00 0b 74 65 73 74 20 76 65 63
    74 6f 72 20 00 20 00 08 00 01 a1 47 e1 12 a6 43 00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9
    2a f9 ba 53 f0 6b e7 d7 80 28 00 04 c0 7d 4c 96";
/// A software of five bytes right before a lifetime.
const MS_TURN: &str = "
    01 13 00 11 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae 80 22 00 05 72 65 6c 61 79 00 0d 00 04 00 00 02 58";

fn client(text: &str) -> (Sender, Vec<u8>) {
    (Sender::Client, hex(text))
}

fn server(text: &str) -> (Sender, Vec<u8>) {
    (Sender::Server, hex(text))
}

fn udp(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport: Transport::Udp, client_port: 50_000, server_port: 3478, chunks }
}

fn tcp(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { transport: Transport::Tcp, ..udp(name, chunks) }
}

fn framed(message: &str) -> String {
    format!("{:04x} {message}", hex(message).len())
}

/// An allocation, then a permission for 203.0.113.9:5000 (under the cookie), then Send with it.
fn relay() -> Vec<(Sender, Vec<u8>)> {
    let id = "21 12 a4 42 0102030405060708090a0b0c";
    vec![
        client(&format!("00 03 00 08 {id} 00 19 00 04 11 00 00 00")),
        server(&format!("01 03 00 18 {id} 00 16 00 08 00 01 e3 4a e1 12 c2 42 00 20 00 08 00 01 a1 47 e1 12 a6 43")),
        client(&format!("00 08 00 0c {id} 00 12 00 08 00 01 32 9a ea 12 d5 4b")),
        client(&format!("00 16 00 0c {id} 00 12 00 08 00 01 32 9a ea 12 d5 4b")),
    ]
}

fn classic() -> Vec<(Sender, Vec<u8>)> {
    classic_of("0003 0004 00000000", "")
}

/// RFC 3489 §11: a request with these attributes, and an answer with these behind the mapped address.
fn classic_of(asked: &str, answered: &str) -> Vec<(Sender, Vec<u8>)> {
    let id = "9429ef88294dd52632c72931cb8dbb4c";
    let answered = format!("0001 0008 0001 d70a ac103fe0 {answered}");
    vec![
        client(&format!("0001 {:04x} {id} {asked}", hex(asked).len())),
        server(&format!("0101 {:04x} {id} {answered}", hex(&answered).len())),
    ]
}

/// MS-TURN §2.2: an allocation of 192.0.2.9:50000 for 198.51.100.1:4096, under the transaction, and Send to 203.0.113.9:5000.
fn ms_turn() -> Vec<(Sender, Vec<u8>)> {
    let (id, cookie) = ("9429ef88294dd52632c72931cb8dbb4c", "000f 0004 72c64bc6");
    vec![
        client(&format!("0003 0010 {id} {cookie} 8008 0004 00000003")),
        server(&format!("0103 0020 {id} {cookie} 0001 0008 0001 c350 c0000209 8020 0008 0001 8429 521a8b89")),
        client(&format!("0004 0019 {id} {cookie} 0011 0008 0001 1388 cb007109 0013 0001 5a")),
    ]
}

/// The client of STUN is `other`'s server of DTLS.
fn dtls_behind(dtls_client: Sender) -> Vec<(Sender, Vec<u8>)> {
    let mut chunks = vec![client(RFC_5769_REQUEST), server(RFC_5769_RESPONSE)];
    let hellos = dtls::tests::fixtures().swap_remove(0).chunks;
    chunks.extend(hellos.into_iter().map(|(sender, bytes)| match dtls_client {
        Sender::Client => (sender, bytes),
        Sender::Server => (sender.other(), bytes),
    }));
    chunks
}

/// As NetBird and others do, who find a way between two peers by ICE on WireGuard's own port.
fn wireguard_behind() -> Vec<(Sender, Vec<u8>)> {
    let index = [0xa1, 0xa2, 0xa3, 0xa4];
    vec![
        client(RFC_5769_REQUEST),
        server(RFC_5769_RESPONSE),
        (Sender::Server, wireguard::tests::initiation(index, 0x10)),
        client(RFC_5769_REQUEST),
        (Sender::Client, wireguard::tests::response(index)),
    ]
}

fn values(facts: &[(Protocol, Statement)], name: &str) -> Vec<Value> {
    facts.iter().filter_map(|(_, kind)| kind.fields()?.get(name).cloned()).collect()
}

fn ip(text: &str) -> Value {
    text.parse::<IpAddr>().unwrap().into()
}

#[test]
fn each_side_says_hello_once_with_its_software_and_the_mapped_address() {
    let mut fixture = fixtures().swap_remove(0);
    fixture.chunks.extend(fixture.chunks.clone());
    let facts = fixture.facts();
    assert_eq!(facts.len(), 2);
    assert_eq!(
        values(&facts, "stun.software"),
        ["STUN test client", "test vector"].map(|s| crate::net::Text::from(s).into())
    );
    assert_eq!(values(&facts, "stun.mapped.ip"), [ip("192.0.2.1")]);
    assert_eq!(values(&facts, "stun.mapped.port"), [Value::Number(32_853)]);
}

#[test]
fn a_hidden_ipv6_address_is_read() {
    // RFC 5769 §2.3.
    let response = "01 01 00 18 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
        00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9";
    let facts = udp("", vec![client(RFC_5769_REQUEST), server(response)]).facts();
    assert_eq!(values(&facts, "stun.mapped.ip"), [ip("2001:db8:1234:5678:11:2233:4455:6677")]);
}

#[test]
fn a_relay_tells_what_it_lends_and_to_whom_it_is_used() {
    let facts = udp("", relay()).facts();
    assert_eq!(values(&facts, "stun.method"), ["allocate", "allocate", "create_permission"].map(Value::Word));
    assert_eq!(values(&facts, "stun.relayed.ip"), [ip("192.0.102.0")]);
    assert_eq!(values(&facts, "stun.peer.ip"), [ip("203.0.113.9")]);
    assert_eq!(values(&facts, "stun.peer.port"), [Value::Number(5000)]);
}

#[test]
fn a_classic_request_counts_only_with_its_own_answer() {
    assert_eq!(udp("", classic()).facts().len(), 2);
    let unanswered = |server_port| Fixture { server_port, ..udp("", classic()[..1].to_vec()) };
    assert!(unanswered(40_000).facts().is_empty());
    assert_eq!(unanswered(PORT).facts().len(), 1, "but at STUN's port");
    let mut other = classic();
    other[1].1[10] ^= 1;
    assert!(udp("", other).facts().is_empty());
}

#[test]
fn a_classic_request_need_hold_nothing_and_any_optional_attribute() {
    for (asked, answered) in [("", ""), ("8070 0004 00000001", ""), ("", "8028 0004 5a5a5a5a 8050 0004 61626364")] {
        let facts = udp("", classic_of(asked, answered)).facts();
        assert_eq!(facts.len(), 2, "{asked}/{answered}");
        assert_eq!(values(&facts, "stun.mapped.ip"), [ip("172.16.63.224")]);
    }
    for (asked, answered) in [("", "0033 0004 00000000"), ("", "8028 0003 5a5a5a"), ("0033 0004 00000000", "")] {
        assert!(udp("", classic_of(asked, answered)).facts().is_empty(), "{asked}/{answered}");
    }
    let unanswered = |server_port, times| Fixture { server_port, ..udp("", vec![classic_of("", "").remove(0); times]) };
    assert!(unanswered(40_000, 1).facts().is_empty());
    // RFC 3489 §9.3: nine times, then nobody is there.
    for times in [1, 9] {
        assert_eq!(unanswered(PORT, times).facts().len(), 1);
    }
    let mut late = unanswered(PORT, 9);
    late.chunks.push(classic_of("", "").remove(1));
    assert_eq!(values(&late.facts(), "stun.mapped.ip"), [ip("172.16.63.224")]);
}

#[test]
fn a_classic_answer_alone_counts_from_its_port() {
    let answer = classic().remove(1);
    let reversed =
        Fixture { client_port: PORT, server_port: 50_000, ..udp("", vec![(Sender::Client, answer.1.clone())]) };
    assert_eq!(values(&reversed.facts(), "stun.mapped.ip"), [ip("172.16.63.224")]);
    assert_eq!(udp("", vec![answer.clone()]).facts().len(), 1);
    assert!(Fixture { server_port: 40_000, ..udp("", vec![answer]) }.facts().is_empty());
}

#[test]
fn the_cookie_of_ms_turn_tells_of_a_relay_without_an_answer() {
    let facts = udp("", ms_turn()).facts();
    assert_eq!(values(&facts, "stun.method"), ["allocate", "allocate", "send"].map(Value::Word));
    assert_eq!(values(&facts, "stun.relayed.ip"), [ip("192.0.2.9")]);
    assert_eq!(values(&facts, "stun.mapped.ip"), [ip("198.51.100.1")]);
    assert_eq!(values(&facts, "stun.mapped.port"), [Value::Number(4096)]);
    assert_eq!(values(&facts, "stun.peer.ip"), [ip("203.0.113.9")]);
    let mut other = ms_turn();
    other.truncate(1);
    other[0].1[27] ^= 1;
    assert!(udp("", other).facts().is_empty());
}

#[test]
fn dtls_behind_it_is_read_whichever_side_begins() {
    for dtls_client in [Sender::Client, Sender::Server] {
        let facts = udp("", dtls_behind(dtls_client)).facts();
        let hellos = facts.iter().filter(|(protocol, kind)| {
            *protocol == dtls::PROTOCOL && matches!(kind, Statement::Hello(hello) if !hello.fingerprints.is_empty())
        });
        assert!(hellos.count() >= 2, "{dtls_client:?}: {facts:?}");
    }
}

#[test]
fn wireguard_behind_it_is_a_tunnel() {
    let facts = udp("", wireguard_behind()).facts();
    let tunnels: Vec<_> = facts.iter().filter(|(_, kind)| matches!(kind, Statement::Tunnel(_))).collect();
    let [(protocol, Statement::Tunnel(tunnel))] = tunnels[..] else { panic!("{facts:?}") };
    assert_eq!((*protocol, tunnel.established), (wireguard::SPEC.protocol, true));
}

#[test]
fn attributes_are_read_as_far_as_they_are_sound_where_the_cookie_tells() {
    let id = "21 12 a4 42 0102030405060708090a0b0c";
    let software = "8022 0004 72656c61";
    for broken in ["0020 ffff 0001a147", "0020 0009 0001a147e112a643", "0001 00"] {
        let body = format!("{software} {broken}");
        let len = hex(&body).len();
        let facts = udp("", vec![client(&format!("0001 {len:04x} {id} {body}"))]).facts();
        assert_eq!(values(&facts, "stun.method"), [Value::Word("binding")], "{broken}");
        assert_eq!(values(&facts, "stun.software"), [Value::Text("rela".into())], "{broken}");
        assert!(values(&facts, "stun.mapped.ip").is_empty(), "{broken}");
        let other_method = udp("", vec![client(&format!("000d {len:04x} {id} {body}"))]);
        assert!(other_method.facts().is_empty(), "a method that there is not: {broken}");
        let classic = udp("", vec![client(&format!("0001 {len:04x} 11{} {body}", &id[2..]))]);
        assert!(classic.facts().is_empty(), "without the cookie: {broken}");
    }
}

#[test]
fn a_message_of_another_length_is_no_claim() {
    let mut longer = hex(RFC_5769_REQUEST);
    longer.push(0);
    assert!(udp("", vec![(Sender::Client, longer)]).facts().is_empty());
}
