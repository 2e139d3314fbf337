use super::*;
use crate::facts::Value;
use crate::net::Text;
use crate::protocol::tests::{Fixture, hex};

/// [MS-RDPBCGR] §4.1.1: Client X.224 Connection Request, `Cookie: mstshash=eltons`, standard RDP security.
const REQUEST: &str = "03 00 00 2c 27 e0 00 00 00 00 00 43 6f 6f 6b 69 65 3a 20 6d 73 74 73 68 61 73 68 3d
    65 6c 74 6f 6e 73 0d 0a 01 00 08 00 00 00 00 00";
/// §4.1.2: Server X.224 Connection Confirm, PROTOCOL_RDP.
const CONFIRM: &str = "03 00 00 13 0e d0 00 00 12 34 00 02 00 08 00 00 00 00 00";
/// §4.1.3: Client MCS Connect Initial PDU with GCC Conference Create Request.
const CONNECT_INITIAL: &str = "03 00 01 a0 02 f0 80 7f 65 82 01 94 04 01 01 04 01 01 01 01 ff
    30 19 02 01 22 02 01 02 02 01 00 02 01 01 02 01 00 02 01 01 02 02 ff ff 02 01 02
    30 19 02 01 01 02 01 01 02 01 01 02 01 01 02 01 00 02 01 01 02 02 04 20 02 01 02
    30 1c 02 02 ff ff 02 02 fc 17 02 02 ff ff 02 01 01 02 01 00 02 01 01 02 02 ff ff 02 01 02
    04 82 01 33 00 05 00 14 7c 00 01 81 2a 00 08 00 10 00 01 c0 00 44 75 63 61 81 1c
    01 c0 d8 00 04 00 08 00 00 05 00 04 01 ca 03 aa 09 04 00 00 ce 0e 00 00
    45 00 4c 00 54 00 4f 00 4e 00 53 00 2d 00 44 00 45 00 56 00 32 00 00 00 00 00 00 00 00 00 00 00
    04 00 00 00 00 00 00 00 0c 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    01 ca 01 00 00 00 00 00 10 00 07 00 01 00
    36 00 39 00 37 00 31 00 32 00 2d 00 37 00 38 00 33 00 2d 00 30 00 33 00 35 00 37 00 39 00 37 00
    34 00 2d 00 34 00 32 00 37 00 31 00 34 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 00 00
    04 c0 0c 00 0d 00 00 00 00 00 00 00 02 c0 0c 00 1b 00 00 00 00 00 00 00
    03 c0 2c 00 03 00 00 00 72 64 70 64 72 00 00 00 00 00 80 80 63 6c 69 70 72 64 72 00 00 00 a0 c0
    72 64 70 73 6e 64 00 00 00 00 00 c0";
/// §4.1.4, with encryption method and level "none" in its security data and so without random and certificate.
const CONNECT_RESPONSE: &str = "03 00 00 71 02 f0 80 7f 66 67 0a 01 00 02 01 00
    30 1a 02 01 22 02 01 03 02 01 00 02 01 01 02 01 00 02 01 01 02 03 00 ff f8 02 01 02
    04 43 00 05 00 14 7c 00 01 2a 14 76 0a 01 01 00 01 c0 00 4d 63 44 6e 2c
    01 0c 0c 00 04 00 08 00 00 00 00 00
    02 0c 0c 00 00 00 00 00 00 00 00 00
    03 0c 14 00 eb 03 04 00 ec 03 ed 03 ee 03 ef 03 f0 03 00 00";
/// §4.1.5 to §4.1.8.1: erect domain, attach user, join a channel.
const ERECT_DOMAIN: &str = "03 00 00 0c 02 f0 80 04 01 00 01 00";
const ATTACH_USER: &str = "03 00 00 08 02 f0 80 28";
const ATTACH_CONFIRM: &str = "03 00 00 0b 02 f0 80 2e 00 00 06";
const CHANNEL_JOIN: &str = "03 00 00 0c 02 f0 80 38 00 06 03 ef";

pub(crate) fn fixtures() -> Vec<Fixture> {
    let fixture = |name, chunks| Fixture {
        name,
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 50_000,
        server_port: 3389,
        chunks,
    };
    let (client, server) = (Sender::Client, Sender::Server);
    vec![
        fixture(
            "the connection of the specification's examples, unencrypted",
            vec![
                (client, hex(REQUEST)),
                (server, hex(CONFIRM)),
                (client, hex(CONNECT_INITIAL)),
                (server, hex(CONNECT_RESPONSE)),
                (client, [hex(ERECT_DOMAIN), hex(ATTACH_USER)].concat()),
                (server, hex(ATTACH_CONFIRM)),
                (client, hex(CHANNEL_JOIN)),
                (client, client_info()),
            ],
        ),
        fixture("network level authentication", vec![(client, request_of(0x0b)), (server, confirm_of(2, 8))]),
        fixture("a refusal", vec![(client, request_of(0)), (server, confirm_of(3, 5))]),
        fixture(
            "an old client without negotiation",
            vec![
                (client, hex("03 00 00 0b 06 e0 00 00 00 00 00")),
                (server, hex("03 00 00 0b 06 d0 00 00 12 34 00")),
                (client, hex(CONNECT_INITIAL)),
                (server, hex(CONNECT_RESPONSE)),
            ],
        ),
        fixture(
            "a preconnection PDU",
            vec![(client, [hex(PRECONNECTION_1), request_of(0x0b)].concat()), (server, confirm_of(2, 8))],
        ),
        fixture(
            "a virtual machine of Hyper-V, which begins with TLS",
            vec![(client, preconnection_2(&format!("{MACHINE};EnhancedMode=1"))), (client, client_hello())],
        ),
    ]
}

/// [MS-RDPEPS] §4.1: version 1, with the id 0xf1a9e6b4 in place of the example's.
const PRECONNECTION_1: &str = "10 00 00 00 00 00 00 00 01 00 00 00 b4 e6 a9 f1";
const MACHINE: &str = "b3d5444c-2611-405a-9ca0-7aa8da94df0b";

/// §2.2.1.2: version 2.
fn preconnection_2(text: &str) -> Vec<u8> {
    let text: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let mut bytes = u32::try_from(18 + text.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(hex("00 00 00 00 02 00 00 00 00 00 00 00"));
    bytes.extend(u16::try_from(text.len() / 2).unwrap().to_le_bytes());
    bytes.extend(text);
    bytes
}

fn client_hello() -> Vec<u8> {
    let hello =
        crate::protocol::tls::tests::fixtures().into_iter().find(|fixture| fixture.chunks[0].0 == Sender::Client);
    hello.unwrap().chunks[0].1.clone()
}

fn request_of(protocols: u8) -> Vec<u8> {
    let mut bytes = hex("03 00 00 13 0e e0 00 00 00 00 00 01 00 08 00");
    bytes.extend([protocols, 0, 0, 0]);
    bytes
}

fn confirm_of(kind: u8, value: u8) -> Vec<u8> {
    let mut bytes = hex("03 00 00 13 0e d0 00 00 12 34 00");
    bytes.extend([kind, 0x1f, 8, 0, value, 0, 0, 0]);
    bytes
}

/// A Client Info PDU (§2.2.1.11) as §4.1.10 has it, unencrypted: user `eltons` of `NTDEV`, a password, 157.59.242.156.
fn client_info() -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (domain, user, password, nothing) = (utf16("NTDEV"), utf16("eltons"), utf16("hunter2"), utf16(""));
    let address = utf16("157.59.242.156");
    let mut info = hex("40 00 00 00 09 04 09 04 b3 43 00 00");
    for text in [&domain, &user, &password, &nothing, &nothing] {
        info.extend(u16::try_from(text.len() - 2).unwrap().to_le_bytes());
    }
    info.extend([domain, user, password, nothing.clone(), nothing].concat());
    info.extend([2, 0]); // AF_INET
    info.extend(u16::try_from(address.len()).unwrap().to_le_bytes());
    info.extend(address);
    let mut bytes = hex("02 f0 80 64 00 06 03 eb 70");
    bytes.extend((0x8000 | u16::try_from(info.len()).unwrap()).to_be_bytes());
    bytes.extend(info);
    let mut packet = vec![3, 0];
    packet.extend(u16::try_from(bytes.len() + 4).unwrap().to_be_bytes());
    packet.extend(bytes);
    packet
}

fn desktop(facts: &[(Protocol, Statement)]) -> &RemoteDesktop {
    match facts.first() {
        Some((PROTOCOL, Statement::RemoteDesktop(desktop))) => desktop,
        _ => panic!("{facts:?}"),
    }
}

fn list(names: &[&'static str]) -> Option<Value> {
    Some(names.iter().map(|&name| Text::from(name)).collect::<Vec<_>>().into())
}

#[test]
fn a_connection_in_clear_tells_the_client_and_the_user_and_never_the_password() {
    let facts = fixtures()[0].facts();
    let desktop = desktop(&facts);
    assert_eq!(desktop.client_name, Some("ELTONS-DEV2".into()));
    assert_eq!(desktop.user, Some("eltons".into()));
    assert_eq!(desktop.security, Some("rdp"));
    let field = |name| desktop.fields.get(name).cloned();
    assert_eq!(field("rdp.cookie"), Some(Text::from("eltons").into()));
    assert_eq!(field("rdp.client_build"), Some(3790_u32.into()));
    assert_eq!(field("rdp.client_product_id"), Some(Text::from("69712-783-0357974-42714").into()));
    assert_eq!(field("rdp.keyboard_layout"), Some(Text::from("00000409").into()));
    assert_eq!(field("rdp.desktop_width"), Some(1280_u32.into()));
    assert_eq!(field("rdp.desktop_height"), Some(1024_u32.into()));
    assert_eq!(field("rdp.channels"), list(&["rdpdr", "cliprdr", "rdpsnd"]));
    assert_eq!(field("rdp.encryption_method"), Some("none".into()));

    let [_, (PROTOCOL, Statement::Credential(credential))] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(credential.user, Some("eltons".into()));
    assert_eq!(credential.domain, Some("NTDEV".into()));
    assert_eq!(credential.host, Some("ELTONS-DEV2".into()));
    assert_eq!(credential.fields.get("rdp.client_address"), Some(&Text::from("157.59.242.156").into()));
    assert!(!format!("{facts:?}").contains("hunter2"));
}

#[test]
fn a_tls_negotiation_is_said_at_once_and_goes_on_as_tls() {
    let mut rdp = Rdp::default();
    let mut facts = Vec::new();
    let at = crate::time::Timestamp::ZERO;
    let hello = hex("16 03 01 00 05");
    let bytes = [request_of(0x0b), hello].concat();
    let progress = rdp.on_bytes(Chunk { at, sender: Sender::Client, bytes: &bytes, missing: 0 }, &mut facts);
    assert_eq!(progress, Progress::Continue { consumed: 19 });
    let bytes = confirm_of(2, 8);
    let progress = rdp.on_bytes(Chunk { at, sender: Sender::Server, bytes: &bytes, missing: 0 }, &mut facts);
    assert_eq!(progress, Progress::Upgrade { to: tls::PROTOCOL, consumed: 19 });

    let [Statement::RemoteDesktop(desktop)] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(desktop.security, Some("nla"));
    let offered = desktop.fields.get("rdp.requested_protocols").cloned();
    assert_eq!(offered, Some(vec!["tls", "credssp", "credssp_early"].into()));
    assert_eq!(desktop.fields.get("rdp.selected_protocol"), Some(&"credssp_early".into()));
}

#[test]
fn a_refusal_names_its_reason() {
    let facts = fixtures()[2].facts();
    assert_eq!(desktop(&facts).security, None);
    assert_eq!(desktop(&facts).fields.get("rdp.failure"), Some(&"hybrid_required".into()));
}

#[test]
fn a_request_that_nobody_answers_is_said_when_the_flow_ends() {
    let fixture = &fixtures()[0];
    let facts = fixture.facts_of(&fixture.chunks[..1]);
    assert_eq!(desktop(&facts).user, Some("eltons".into()));
    assert_eq!(desktop(&facts).security, None);
}

#[test]
fn the_server_may_be_seen_first_and_the_roles_the_wrong_way_round() {
    let mut fixture = fixtures().swap_remove(1);
    let facts = fixture.facts();
    fixture.chunks.swap(0, 1);
    assert_eq!(format!("{:?}", fixture.facts()), format!("{facts:?}"));
    for (sender, _) in &mut fixture.chunks {
        *sender = sender.other();
    }
    assert_eq!(format!("{:?}", fixture.facts()), format!("{facts:?}"));
}

#[test]
fn a_routing_token_and_correlation_info_are_passed_over() {
    // "Cookie: msts=3640205228.15629.0000\r\n" (§4.1.1 has one such), RDP_NEG_REQ with flag 0x08, RDP_NEG_CORRELATION_INFO
    let token = b"Cookie: msts=3640205228.15629.0000\r\n";
    let mut bytes = vec![3, 0, 0, 91, 86, 0xe0, 0, 0, 0, 0, 0];
    bytes.extend(token);
    bytes.extend(hex("01 08 08 00 03 00 00 00 06 00 24 00"));
    bytes.extend([0xab; 16]);
    bytes.extend([0; 16]);
    assert_eq!(bytes.len(), 91);
    let request = wire::tpkt(&mut Cursor::new(&bytes)).unwrap().and_then(|body| wire::request(body, false)).unwrap();
    assert_eq!(request, Request { cookie: None, is_marked: true, protocols: Some(Protocols(3)) });
}

/// What a client was configured to send (`loadbalanceinfo`) is the balancer's matter; it counts where a negotiation follows.
#[test]
fn any_routing_token_is_passed_over_where_a_negotiation_follows() {
    let request = |line: &[u8], negotiation: &str| {
        let negotiation = hex(negotiation);
        let len = u8::try_from(11 + line.len() + negotiation.len()).unwrap();
        let mut bytes = vec![3, 0, 0, len, len - 5, 0xe0, 0, 0, 0, 0, 0];
        bytes.extend(line);
        bytes.extend(negotiation);
        wire::tpkt(&mut Cursor::new(&bytes)).unwrap().and_then(|body| wire::request(body, false))
    };
    let negotiation = "01 00 08 00 03 00 00 00";
    let read = Request { cookie: None, is_marked: true, protocols: Some(Protocols(3)) };
    assert_eq!(request(b"pool=farm7 2\r\n", negotiation), Some(read));
    assert_eq!(request(b"pool=farm7 2\r\n", ""), None);
    assert_eq!(request(b"pool\x01\r\n", negotiation), None);
}

/// A Connection Request around this, on a port.
fn asked(server_port: u16, rest: &[u8]) -> Vec<(Protocol, Statement)> {
    let len = u8::try_from(11 + rest.len()).unwrap();
    let bytes = [&[3, 0, 0, len, len - 5, 0xe0, 0, 0, 0, 0, 0], rest].concat();
    Fixture { server_port, chunks: vec![(Sender::Client, bytes)], ..fixtures().swap_remove(0) }.facts()
}

#[test]
fn a_cookie_is_rdps_whatever_is_wrong_behind_it() {
    let negotiation = hex("01 00 08 00 03 00 00 00");
    let cookie = |end: &str, rest: &[u8]| [b"Cookie: mstshash=A70", end.as_bytes(), rest].concat();
    for (rest, is_negotiated) in [
        (cookie("", &[]), false),
        (cookie("\r\n", &[]), false),
        (cookie("\n", &negotiation), true),
        (cookie("", &negotiation), true),
        (cookie("\r\n", &[&negotiation[..], &[0]].concat()), false),
        (cookie("\r\n", &hex("01 00 09 00 03 00 00 00")), false),
    ] {
        let facts = asked(4000, &rest);
        assert_eq!(desktop(&facts).user, Some("A70".into()), "{rest:02x?}");
        assert_eq!(desktop(&facts).fields.get("rdp.requested_protocols").is_some(), is_negotiated, "{rest:02x?}");
    }
    for rest in [b"Cookie: mstshash=\r\n".to_vec(), [b"Cookie: mstshash= \r\n", &negotiation[..]].concat()] {
        let facts = asked(4000, &rest);
        assert_eq!((&desktop(&facts).user, desktop(&facts).fields.get("rdp.cookie")), (&None, None), "nobody");
    }
}

#[test]
fn what_breaks_a_rule_without_a_cookie_is_rdps_on_its_port_alone() {
    for rest in [b"Cookie: foo=bar\r\n".to_vec(), b"pool=farm7\r\n".to_vec(), hex("01 00 09 00 01 00 00 00")] {
        assert_eq!(asked(3389, &rest).len(), 1, "{rest:02x?}");
        assert_eq!(asked(4000, &rest).len(), 0, "{rest:02x?}");
    }
    for rest in [
        hex("c0 01 0a c1 02 01 00 c2 02 01 02"),
        hex("01 00 09 00 01 00 00"),
        hex("02 00 08 00 01 00 00 00"),
        b"Cookie: foo=bar".to_vec(),
        b"pool\x01\r\n".to_vec(),
        b"pool=farm7\r\n\x01\x02".to_vec(),
        Vec::new(),
    ] {
        assert_eq!(asked(3389, &rest).len(), 0, "{rest:02x?}");
    }
}

#[test]
fn a_preconnection_pdu_is_told_with_the_desktop() {
    let facts = fixtures()[4].facts();
    assert_eq!(desktop(&facts).security, Some("nla"));
    assert_eq!(desktop(&facts).fields.get("rdp.preconnection_id"), Some(&0xf1a9_e6b4_u32.into()));
}

#[test]
fn the_virtual_machine_asked_for_is_told_and_the_flow_goes_on_as_tls() {
    let facts = fixtures()[5].facts();
    assert_eq!(desktop(&facts).fields.get("rdp.virtual_machine"), Some(&Text::from(MACHINE).into()));
    assert!(matches!(&facts[1], (tls::PROTOCOL, Statement::Hello(_))), "{facts:?}");
}

#[test]
fn a_token_before_the_request_is_not_told() {
    let mut fixture = fixtures().remove(4);
    fixture.chunks[0].1 = [preconnection_2("eyJhbGciOiJSUzI1NiJ9.hunter2"), request_of(1)].concat();
    let facts = fixture.facts();
    assert_eq!(desktop(&facts).fields.get("rdp.virtual_machine"), None);
    assert!(!format!("{facts:?}").contains("hunter2"));
}

#[test]
fn a_preconnection_pdu_alone_is_no_claim() {
    for index in [4, 5] {
        let mut fixture = fixtures().remove(index);
        fixture.chunks.truncate(1);
        fixture.chunks[0].1.truncate(if index == 4 { 16 } else { usize::MAX });
        assert_eq!(fixture.facts().len(), 0);
        fixture.chunks.push((Sender::Client, b"GET / HTTP/1.1\r\n".to_vec()));
        assert_eq!(fixture.facts().len(), 0);
    }
}

#[test]
fn other_users_of_the_iso_transport_are_not_claimed() {
    let (client, server) = (Sender::Client, Sender::Server);
    let s7comm = vec![
        // Connection request and confirm with TPDU size and TSAPs, then a setup of S7comm.
        (client, hex("03 00 00 16 11 e0 00 00 00 01 00 c0 01 0a c1 02 01 00 c2 02 01 02")),
        (server, hex("03 00 00 16 11 d0 00 01 00 02 00 c0 01 0a c1 02 01 00 c2 02 01 02")),
        (client, hex("03 00 00 19 02 f0 80 32 01 00 00 00 00 00 08 00 00 f0 00 00 01 00 01 01 e0")),
    ];
    let h323 = vec![
        // A bare connection request, as T.120 conferencing makes it, and a connect-initial without RDP's key.
        (client, hex("03 00 00 0b 06 e0 00 00 00 00 00")),
        (server, hex("03 00 00 0b 06 d0 00 00 12 34 00")),
        (client, hex("03 00 00 0c 02 f0 80 7f 65 02 04 00")),
    ];
    let fixture = fixtures().swap_remove(0);
    for chunks in [s7comm, h323] {
        let facts = fixture.facts_of(&chunks);
        assert!(facts.is_empty(), "{facts:?}");
    }
}

#[test]
fn an_answer_without_its_request_says_the_same_however_it_was_cut() {
    let (client, server) = (Sender::Client, Sender::Server);
    let answer = [confirm_of(2, 8), hex("08 00 0b 00 00 00 fa 17 7c")].concat();
    let fixture = fixtures().remove(0);
    let said = |chunks: Vec<(Sender, Vec<u8>)>| format!("{:?}", fixture.facts_of(&chunks));
    let whole = said(vec![(client, hex("03 00 80 c3 50")), (server, answer.clone())]);
    for len in 1..answer.len() {
        let (before, behind) = answer.split_at(len);
        let cut = vec![(client, hex("03 00 80 c3 50")), (server, before.to_vec()), (server, behind.to_vec())];
        assert_eq!(said(cut), whole, "cut at {len}");
    }
}
