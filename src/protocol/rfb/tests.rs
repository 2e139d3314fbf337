use super::*;
use crate::facts::Value;
use crate::protocol::Start;
use crate::protocol::session::Session;
use crate::protocol::tests::{Fixture, hex};
use crate::time::Timestamp;

const CHALLENGE: [u8; 16] = [0xca; 16];
const RESPONSE: [u8; 16] = [0x5e; 16];

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![standard(), version_3_3(), apple(), real_vnc(), vencrypt(), tight(), refusal(), reverse(), repeater(), plain()]
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    let transport = Transport::Tcp;
    Fixture { name, protocol: PROTOCOL, transport, client_port: 50_000, server_port: 5901, chunks }
}

fn server(bytes: impl Into<Vec<u8>>) -> (Sender, Vec<u8>) {
    (Sender::Server, bytes.into())
}

fn client(bytes: impl Into<Vec<u8>>) -> (Sender, Vec<u8>) {
    (Sender::Client, bytes.into())
}

/// ServerInit (RFC 6143 §7.3.2): 1280 × 800, 32 bits a pixel, and a name.
fn server_init(name: &str) -> Vec<u8> {
    let mut bytes = hex("05 00 03 20 20 18 00 01 00 ff 00 ff 00 ff 10 08 00 00 00 00");
    bytes.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
    bytes.extend(name.as_bytes());
    bytes
}

fn standard() -> Fixture {
    let chunks = vec![
        server(b"RFB 003.008\n"),
        client(b"RFB 003.008\n"),
        server([2, 16, 2]),
        client([2]),
        server(CHALLENGE),
        client(RESPONSE),
        server([0; 4]),
        client([1]),
        server(server_init("root's X desktop (build:1)")),
        client(hex("00 00 00 00")),
    ];
    fixture("3.8, VNC authentication", chunks)
}

fn version_3_3() -> Fixture {
    let chunks = vec![
        server(b"RFB 003.008\n"),
        client(b"RFB 003.003\n"),
        server([0, 0, 0, 2]),
        server(CHALLENGE),
        client(RESPONSE),
        server([0, 0, 0, 1]),
    ];
    fixture("3.3, a wrong password", chunks)
}

fn apple() -> Fixture {
    let key = [0x17; 128];
    let keys = [vec![0, 2, 0, 128], key.to_vec(), key.to_vec()].concat();
    let chunks = vec![
        server(b"RFB 003.889\n"),
        client(b"RFB 003.889\n"),
        server([2, 30, 35]),
        client([30]),
        server(keys),
        client([[0x99; 128], key].concat()),
        server([0; 4]),
        client([0xc1]),
        server(server_init("Mac mini")),
    ];
    fixture("Apple, Diffie-Hellman", chunks)
}

fn real_vnc() -> Fixture {
    let chunks = vec![
        server(b"RFB 004.001\n"),
        client(b"RFB 004.001\n"),
        server(hex("07 0d 85 05 81 06 82 02")),
        client([0x0d]),
        server(hex("00 00 08 00")),
    ];
    fixture("RealVNC 4", chunks)
}

fn vencrypt() -> Fixture {
    let chunks = vec![
        server(b"RFB 003.008\n"),
        client(b"RFB 003.008\n"),
        server([1, 19]),
        client([19]),
        server([0, 2]),
        client([0, 2]),
        server(hex("00 02 00 00 01 05 00 00 01 02")),
        client(hex("00 00 01 05")),
        server([1]),
    ];
    fixture("VeNCrypt, X.509 and VNC authentication", chunks)
}

fn plain() -> Fixture {
    let chunks = vec![
        server(b"RFB 003.008\n"),
        client(b"RFB 003.008\n"),
        server([1, 19]),
        client([19]),
        server([0, 2]),
        client([0, 2]),
        server(hex("00 01 00 00 01 00")),
        client(hex("00 00 01 00")),
        client([hex("00 00 00 05 00 00 00 07"), b"alicehunter2".to_vec()].concat()),
        server([hex("00 00 00 01 00 00 00 06"), b"locked".to_vec()].concat()),
    ];
    fixture("VeNCrypt, a name and a password in clear", chunks)
}

fn tight() -> Fixture {
    let capability = |code: u8, name: &[u8; 12]| [&[0, 0, 0, code], name.as_slice()].concat();
    let chunks = vec![
        server(b"RFB 003.008\n"),
        client(b"RFB 003.008\n"),
        server([2, 2, 16]),
        client([16]),
        server([vec![0, 0, 0, 1], capability(0, b"TGHTNOTUNNEL")].concat()),
        client([0; 4]),
        server([vec![0, 0, 0, 1], capability(2, b"STDVVNCAUTH_")].concat()),
        client([0, 0, 0, 2]),
        server(CHALLENGE),
        client(RESPONSE),
        server([0; 4]),
        client([1]),
        server(server_init("win7")),
    ];
    fixture("Tight, VNC authentication", chunks)
}

fn refusal() -> Fixture {
    let reason = b"Too many security failures";
    let chunks = vec![
        server(b"RFB 003.008\n"),
        client(b"RFB 003.008\n"),
        server([vec![0, 0, 0, 0, 26], reason.to_vec()].concat()),
    ];
    fixture("no security type", chunks)
}

fn reverse() -> Fixture {
    let chunks = vec![
        client(b"RFB 003.007\n"),
        server(b"RFB 003.007\n"),
        client([1, 1]),
        server([1]),
        server([1]),
        client(server_init("kiosk")),
    ];
    Fixture { server_port: 5500, ..fixture("a server that connects to a listening viewer", chunks) }
}

fn repeater() -> Fixture {
    let mut id = b"ID:4711".to_vec();
    id.resize(wire::REPEATER_ID_BYTES, 0);
    let chunks =
        vec![client(id), client(b"RFB 003.008\n"), server(b"RFB 003.006\n"), client([0, 0, 0, 1]), server([1])];
    Fixture { server_port: 5500, ..fixture("a server that registers at a repeater", chunks) }
}

fn desktop_of(fixture: &Fixture) -> RemoteDesktop {
    let facts = fixture.facts();
    match facts.as_slice() {
        [(PROTOCOL, Statement::RemoteDesktop(desktop)), ..] => (**desktop).clone(),
        _ => panic!("{}: {facts:?}", fixture.name),
    }
}

fn text(desktop: &RemoteDesktop, field: &str) -> Option<String> {
    match desktop.fields.get(field) {
        Some(Value::Text(text)) => Some(text.as_str().into()),
        Some(Value::List(values)) => Some(format!("{values:?}")),
        _ => None,
    }
}

#[test]
fn a_session_in_clear_tells_the_desktop() {
    let desktop = desktop_of(&standard());
    assert_eq!(desktop.security, Some("vnc-auth"));
    assert_eq!(text(&desktop, "rfb.server_version").as_deref(), Some("003.008"));
    assert_eq!(text(&desktop, "rfb.client_version").as_deref(), Some("003.008"));
    let offered: Value = vec![Text::from("tight"), Text::from("vnc-auth")].into();
    assert_eq!(desktop.fields.get("rfb.security_types"), Some(&offered));
    assert_eq!(desktop.fields.get("rfb.authentication_success"), Some(&true.into()));
    assert_eq!(text(&desktop, "rfb.desktop_name").as_deref(), Some("root's X desktop (build:1)"));
    assert_eq!(desktop.fields.get("rfb.width"), Some(&1280_u32.into()));
    assert_eq!(desktop.fields.get("rfb.height"), Some(&800_u32.into()));
}

#[test]
fn every_dialect_shows_its_security_and_whether_it_let_the_client_in() {
    let cases = [
        (version_3_3(), Some("vnc-auth"), Some(false), None),
        (apple(), Some("apple-dh"), Some(true), Some("Mac mini")),
        (real_vnc(), Some("ra2-two-step"), None, None),
        (vencrypt(), Some("x509-vnc"), None, None),
        (tight(), Some("vnc-auth"), Some(true), Some("win7")),
        (refusal(), None, Some(false), None),
        (reverse(), Some("none"), Some(true), Some("kiosk")),
    ];
    for (fixture, security, success, name) in cases {
        let desktop = desktop_of(&fixture);
        assert_eq!(desktop.security, security, "{}", fixture.name);
        assert_eq!(
            desktop.fields.get("rfb.authentication_success").cloned(),
            success.map(Value::from),
            "{}",
            fixture.name
        );
        assert_eq!(text(&desktop, "rfb.desktop_name").as_deref(), name, "{}", fixture.name);
    }
}

#[test]
fn a_type_without_a_name_is_its_number() {
    let desktop = desktop_of(&Fixture {
        chunks: vec![server(b"RFB 003.008\n"), client(b"RFB 003.008\n"), server([1, 200]), client([200])],
        ..standard()
    });
    assert_eq!(desktop.security, None);
    assert_eq!(text(&desktop, "rfb.security_type").as_deref(), Some("200"));
}

#[test]
fn a_refusal_gives_its_reason() {
    let reason = text(&desktop_of(&refusal()), "rfb.failure_reason");
    assert_eq!(reason.as_deref(), Some("Too many security failures"));
}

#[test]
fn a_user_name_in_clear_is_told_and_the_password_is_not() {
    let facts = plain().facts();
    let [(_, Statement::RemoteDesktop(desktop))] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(desktop.user, Some("alice".into()));
    assert_eq!(text(desktop, "rfb.failure_reason").as_deref(), Some("locked"));
    assert!(!format!("{facts:?}").contains("hunter2"));
}

#[test]
fn vencrypt_goes_on_as_tls_behind_the_acknowledgement() {
    let mut rfb = Rfb::default();
    let mut facts = Vec::new();
    let mut last = Progress::Done;
    for (sender, bytes) in vencrypt().chunks {
        last = rfb.on_bytes(Chunk { at: crate::time::Timestamp::ZERO, sender, bytes: &bytes, missing: 0 }, &mut facts);
    }
    assert_eq!(last, Progress::Upgrade { to: tls::PROTOCOL, consumed: 1 });
    assert_eq!(facts.len(), 1);
}

#[test]
fn a_repeater_shows_the_number_a_server_registers_with() {
    assert_eq!(text(&desktop_of(&repeater()), "rfb.repeater_id").as_deref(), Some("4711"));
}

#[test]
fn a_viewer_at_a_repeater_meets_the_server_behind_it() {
    let mut chunks = vec![server(b"RFB 000.000\n"), client([0; wire::REPEATER_ID_BYTES])];
    chunks.extend(standard().chunks);
    let desktop = desktop_of(&Fixture { chunks, ..standard() });
    assert_eq!(text(&desktop, "rfb.server_version").as_deref(), Some("003.008"));
}

#[test]
fn a_client_whose_server_is_not_seen_is_told_by_its_version() {
    let mut alone = standard();
    alone.chunks.retain(|(sender, _)| *sender == Sender::Client);
    let desktop = desktop_of(&alone);
    assert_eq!(text(&desktop, "rfb.client_version"), text(&desktop_of(&standard()), "rfb.client_version"));
    assert_eq!(text(&desktop, "rfb.server_version"), None);
}

#[test]
fn what_only_resembles_a_version_is_not_rfb() {
    let opening = |bytes| Opening {
        transport: Transport::Tcp,
        sender: Sender::Server,
        client_port: 50_000,
        server_port: 5900,
        is_midway: false,
        bytes,
        missing: 0,
    };
    assert_eq!(probe(&opening(b"RFB 003")), Probe::More);
    assert_eq!(probe(&opening(b"RFB 003.008\n")), Probe::Match);
    assert_eq!(probe(&opening(b"RFB 3.8\n....")), Probe::No);
    assert_eq!(probe(&opening(b"RFB 003.008\r")), Probe::No);
    assert_eq!(probe(&opening(b"IMAP4 ready\r\n")), Probe::No);
    assert_eq!(probe(&opening(b"ID:12")), Probe::More);
    assert_eq!(probe(&opening(b"ID:12 is taken")), Probe::No);
}

/// A whole screen, a key down and up, the pointer, and what has changed.
fn amid() -> Vec<u8> {
    hex("03 00 0000 0000 0500 0400  04 01 0000 00000061  04 00 0000 00000061  05 00 0123 0045  05 01 0124 0046
        05 00 0125 0047  02 00 0002 00000000 ffffff11  03 01 0000 0000 0500 0400")
}

fn facts_amid(ports: (u16, u16), chunks: &[(Sender, Vec<u8>)]) -> Vec<(Protocol, Statement)> {
    let start = Start { transport: Transport::Tcp, client_port: ports.0, server_port: ports.1, is_midway: true };
    let (mut session, mut facts) = (Session::new(start), Vec::new());
    for (sender, bytes) in chunks {
        session.on_bytes(Chunk { at: Timestamp::ZERO, sender: *sender, bytes, missing: 0 }, &mut facts);
    }
    session.on_end(&mut facts);
    facts
}

#[test]
fn a_session_that_began_before_is_known_by_what_the_viewer_sends() {
    let update = (Sender::Server, hex("00 00 0001 0000 0000 0010 0010 00000000 ffeeddcc"));
    for cut in 0..amid().len() {
        let whole = amid();
        let (first, rest) = whole.split_at(cut);
        let chunks = [(Sender::Client, first.to_vec()), update.clone(), (Sender::Client, rest.to_vec())];
        let facts = facts_amid((50_000, 5901), &chunks);
        assert!(matches!(&facts[..], [(PROTOCOL, Statement::RemoteDesktop(_))]), "cut at {cut}: {facts:?}");
    }
    assert_eq!(facts_amid((5900, 50_000), &[(Sender::Server, amid())]).len(), 1, "the display was seen first");
    assert!(facts_amid((50_000, 8080), &[(Sender::Client, amid())]).is_empty(), "no display's port");
    assert!(facts_amid((50_000, 5900), &[(Sender::Client, amid()[..60].to_vec())]).is_empty(), "too little");
    for (at, byte) in [(1, 2), (6, 0x50), (11, 9), (13, 1), (30, 0x41)] {
        let mut spoilt = amid();
        spoilt[at] = byte;
        assert!(facts_amid((50_000, 5900), &[(Sender::Client, spoilt)]).is_empty(), "byte {at}");
    }
}

#[test]
fn a_session_whose_handshake_is_seen_later_is_read_from_there() {
    let fixture = &fixtures()[0];
    let facts = facts_amid((50_000, 5900), &fixture.chunks);
    let Some((PROTOCOL, Statement::RemoteDesktop(desktop))) = facts.first() else { panic!("{facts:?}") };
    assert!(desktop.fields.get("rfb.server_version").is_some());
}
