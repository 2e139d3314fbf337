use super::*;
use crate::facts::Value;
use crate::protocol::gss::tests::{init, response, ticket};
use crate::protocol::ntlm::tests::{authenticate, challenge};
use crate::protocol::session::{Roles, Session};
use crate::protocol::tests::{Fixture, hex};
use crate::protocol::{Start, kerberos, ntlm};
use crate::time::Timestamp;

const MORE: u32 = STATUS_MORE_PROCESSING_REQUIRED;
const LOGON_FAILURE: u32 = 0xc000_006d;

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![smb3(LOGON_FAILURE), smb2_with_ticket(), smb1(), piped(), scoped(), kept_alive()]
}

fn fixture(name: &'static str, server_port: u16, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport: Transport::Tcp, client_port: 50_000, server_port, chunks }
}

fn smb3(status: u32) -> Fixture {
    let chunks = vec![
        (Sender::Client, negotiate2(&[0x0202, 0x0210, 0x0300, 0x0311])),
        (Sender::Server, negotiate2_reply(0x0311)),
        (Sender::Client, setup2(&init(b"NTLMSSP\0\x01\0\0\0\x97\x82\x08\xe2".to_vec()))),
        (Sender::Server, setup2_reply(MORE, &response(challenge()))),
        (Sender::Client, setup2(&response(authenticate("CORP", "alice", "LAPTOP-7")))),
        (Sender::Server, setup2_reply(status, &[])),
    ];
    fixture("SMB 3.1.1, NTLM", 445, chunks)
}

fn piped() -> Fixture {
    let mut chunks = smb3(0).chunks;
    chunks.push((Sender::Client, write2(&bind())));
    fixture("SMB 3.1.1, a pipe", 445, chunks)
}

fn smb2_with_ticket() -> Fixture {
    let chunks = vec![
        (Sender::Client, [negotiate2(&[0x0210]), setup2(&init(ticket()))].concat()),
        (Sender::Server, [negotiate2_reply(0x0210), setup2_reply(0, &response(vec![0x6f, 0]))].concat()),
    ];
    fixture("SMB 2.1, a ticket", 445, chunks)
}

/// With names of the scope `corp.example` in the session request (RFC 1002 §4.3.2).
fn scoped() -> Fixture {
    let mut fixture = Fixture { name: "SMB 1 in a scope", ..smb1() };
    let scoped = |text| {
        let mut name = netbios_name(text);
        name.pop();
        [name, b"\x04corp\x07example\0".to_vec()].concat()
    };
    fixture.chunks[0].1 = [hex("81 00 00 5e"), scoped("FILES"), scoped("KIOSK")].concat();
    fixture
}

/// From a keep-alive on.
fn kept_alive() -> Fixture {
    let mut fixture = Fixture { name: "SMB 3.1.1 from a keep-alive on", ..smb3(0) };
    fixture.chunks[0].1.splice(0..0, hex("85 00 00 00 85 00 00 00"));
    fixture
}

fn netbios_name(text: &str) -> Vec<u8> {
    let padded = format!("{text:<15}\0");
    let encoded = padded.bytes().flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]);
    [vec![32], encoded.collect(), vec![0]].concat()
}

fn smb1() -> Fixture {
    let request = [hex("81 00 00 44"), netbios_name("FILES"), netbios_name("KIOSK")].concat();
    let dialects = b"\x02PC NETWORK PROGRAM 1.0\0\x02NT LM 0.12\0".to_vec();
    let mut negotiate = smb1_header(0x72, 0x00, 0);
    negotiate.push(0);
    negotiate.extend(u16::try_from(dialects.len()).unwrap().to_le_bytes());
    negotiate.extend(dialects);
    let mut chosen = smb1_header(0x72, 0x80, 0);
    chosen.extend(hex("01 01 00 00 00"));
    let mut in_clear = smb1_header(0x73, 0x00, 0);
    in_clear.extend(hex("0d ff 00 00 00 04 11 0a 00 00 00 00 00 00 00 06 00 06 00 00 00 00 00 d4 00 00 00"));
    let data = [b"secretsecret\0".to_vec(), utf16("bob"), utf16("HOME"), utf16("Windows 2002"), utf16("LM")].concat();
    in_clear.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    in_clear.extend(data);
    let mut let_in = smb1_header(0x73, 0x80, 0);
    let_in.extend(hex("03 ff 00 00 00 00 00 00 00"));
    let chunks = vec![
        (Sender::Client, request),
        (Sender::Server, hex("82 00 00 00")),
        (Sender::Client, framed(negotiate)),
        (Sender::Server, framed(chosen)),
        (Sender::Client, framed(in_clear)),
        (Sender::Server, framed(let_in)),
    ];
    fixture("SMB 1 over NetBIOS, a name in clear", 139, chunks)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn framed(message: Vec<u8>) -> Vec<u8> {
    [u32::try_from(message.len()).unwrap().to_be_bytes().to_vec(), message].concat()
}

/// [MS-CIFS] §2.2.3.1; Unicode.
fn smb1_header(command: u8, flags: u8, status: u32) -> Vec<u8> {
    let mut header = [b"\xffSMB".as_slice(), &[command], &status.to_le_bytes(), &[flags, 0x01, 0x80]].concat();
    header.extend([0; 20]);
    header
}

/// [MS-SMB2] §2.2.1.2.
fn smb2_header(command: u16, is_reply: bool, status: u32) -> Vec<u8> {
    let mut header = [b"\xfeSMB".as_slice(), &hex("40 00 00 00"), &status.to_le_bytes()].concat();
    header.extend(command.to_le_bytes());
    header.extend([1, 0]);
    header.extend(u32::from(is_reply).to_le_bytes());
    header.resize(64, 0);
    header
}

fn negotiate2(dialects: &[u16]) -> Vec<u8> {
    let mut message = smb2_header(0, false, 0);
    message.extend([36_u16, u16::try_from(dialects.len()).unwrap()].map(u16::to_le_bytes).concat());
    message.extend([0x11; 32]);
    message.extend(dialects.iter().flat_map(|dialect| dialect.to_le_bytes()));
    framed(message)
}

fn negotiate2_reply(dialect: u16) -> Vec<u8> {
    let mut message = smb2_header(0, true, 0);
    message.extend([65_u16, 1, dialect].map(u16::to_le_bytes).concat());
    message.extend([0x22; 58]);
    framed(message)
}

fn setup2(token: &[u8]) -> Vec<u8> {
    let mut message = smb2_header(1, false, 0);
    message.extend(hex("19 00 00 01 01 00 00 00 00 00 00 00 58 00"));
    message.extend(u16::try_from(token.len()).unwrap().to_le_bytes());
    message.extend([0; 8]); // previous session
    message.extend(token);
    framed(message)
}

fn setup2_reply(status: u32, token: &[u8]) -> Vec<u8> {
    let mut message = smb2_header(1, true, status);
    message.extend(hex("09 00 00 00 48 00"));
    message.extend(u16::try_from(token.len()).unwrap().to_le_bytes());
    message.extend(token);
    framed(message)
}

fn credentials(facts: &[(Protocol, Statement)]) -> Vec<(Protocol, Credential)> {
    let credential = |(protocol, kind): &(Protocol, Statement)| match kind {
        Statement::Credential(credential) => Some((*protocol, (**credential).clone())),
        _ => None,
    };
    facts.iter().filter_map(credential).collect()
}

fn dialects(facts: &[(Protocol, Statement)]) -> Vec<(Sender, Value)> {
    let dialect = |(_, kind): &(Protocol, Statement)| match kind {
        Statement::Hello(hello) => Some((hello.sender, hello.fields.get(DIALECT)?.clone())),
        _ => None,
    };
    facts.iter().filter_map(dialect).collect()
}

#[test]
fn smb_3_tells_the_dialects_and_who_failed_to_log_on() {
    let facts = smb3(LOGON_FAILURE).facts();
    let offered = ["0x0202", "SMB 2.0.2", "0x0210", "SMB 2.1", "0x0300", "SMB 3.0", "0x0311", "SMB 3.1.1"];
    let (offered, chosen) = (offered.map(Text::from).to_vec(), ["0x0311", "SMB 3.1.1"].map(Text::from).to_vec());
    assert_eq!(dialects(&facts), [(Sender::Client, offered.into()), (Sender::Server, chosen.into())]);
    let said = credentials(&facts);
    let [(ntlm::PROTOCOL, credential)] = said.as_slice() else { panic!("{facts:?}") };
    assert_eq!(credential.user, Some("alice".into()));
    assert_eq!(credential.domain, Some("CORP".into()));
    assert_eq!(credential.host, Some("LAPTOP-7".into()));
    assert_eq!(credential.outcome, Some(Outcome::Failure));
}

/// MS-SMB2 §3.3.4.2: a server that needs a while says so first, which judges nobody.
#[test]
fn an_answer_that_is_still_to_come_is_no_judgement() {
    let whole = smb3(0);
    let last = whole.chunks.iter().rposition(|(sender, _)| *sender == Sender::Server).unwrap();
    let mut chunks = whole.chunks.clone();
    chunks.insert(last, (Sender::Server, setup2_reply(STATUS_PENDING, &[])));
    let outcomes = |chunks: &[(Sender, Vec<u8>)]| -> Vec<Option<Outcome>> {
        credentials(&whole.facts_of(chunks)).iter().map(|(_, credential)| credential.outcome).collect()
    };
    assert_eq!(outcomes(&chunks), [Some(Outcome::Success)]);
    assert_eq!(outcomes(&chunks), outcomes(&whole.chunks));
}

#[test]
fn a_log_on_that_succeeds_ends_the_parse_some_messages_later() {
    let mut smb = Smb::default();
    let mut facts = Vec::new();
    let at = crate::time::Timestamp::ZERO;
    let mut chunks = smb3(0).chunks;
    chunks.extend((0..=PIPE_MESSAGES_MAX).map(|_| (Sender::Client, framed(smb2_header(5, false, 0)))));
    let ends =
        chunks.iter().map(|(sender, bytes)| smb.on_bytes(Chunk { at, sender: *sender, bytes, missing: 0 }, &mut facts));
    let ends: Vec<_> = ends.collect();
    assert_eq!(ends.iter().position(|end| *end == Progress::Done), Some(chunks.len() - 1));
}

/// C706 §12.6.4.3: a bind of `367abb81-9844-35f1-ad32-98f038001003`, the service control manager.
fn bind() -> Vec<u8> {
    hex("05 00 0b 03 10000000 4800 0000 01000000 b810 b810 00000000 01000000 0000 0100 \
         81bb7a364498f135ad3298f038001003 02000000 045d888aeb1cc9119fe808002b104860 02000000")
}

fn write2(data: &[u8]) -> Vec<u8> {
    let mut message = smb2_header(9, false, 0);
    message.extend(hex("31 00 70 00"));
    message.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    message.resize(112, 0);
    message.extend(data);
    framed(message)
}

/// FSCTL_PIPE_TRANSCEIVE, the pipe, the input behind the fixed part.
fn transceive2(data: &[u8]) -> Vec<u8> {
    let mut message = smb2_header(11, false, 0);
    message.extend(hex("39 00 00 00 17c01100"));
    message.extend([0x33; 16]);
    message.extend(120_u32.to_le_bytes());
    message.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    message.resize(120, 0);
    message.extend(data);
    framed(message)
}

#[test]
fn an_interface_that_is_bound_through_a_pipe_is_told_once() {
    for request in [write2(&bind()), transceive2(&bind())] {
        let mut fixture = smb3(0);
        let before = fixture.facts().len();
        fixture.chunks.extend([(Sender::Client, request.clone()), (Sender::Client, request)]);
        let facts = fixture.facts();
        let [(PROTOCOL, Statement::Hello(hello))] = &facts[before..] else { panic!("{facts:?}") };
        assert_eq!(hello.inside, Some(dcerpc::PROTOCOL));
        let interface = Text::from("367abb81-9844-35f1-ad32-98f038001003");
        assert_eq!(hello.fields.get("dcerpc.interface"), Some(&interface.into()));
    }
    let mut file = smb3(0);
    let before = file.facts().len();
    file.chunks.push((Sender::Client, write2(b"What is written to a file is nobody's business.")));
    assert_eq!(file.facts().len(), before);
}

#[test]
fn a_ticket_names_its_realm_and_service() {
    let facts = smb2_with_ticket().facts();
    let said = credentials(&facts);
    let [(kerberos::PROTOCOL, credential)] = said.as_slice() else { panic!("{facts:?}") };
    assert_eq!(credential.domain, Some("EXAMPLE.COM".into()));
    assert_eq!(credential.outcome, Some(Outcome::Success));
}

#[test]
fn smb_1_names_user_and_hosts_and_never_the_password() {
    let facts = smb1().facts();
    assert_eq!(dialects(&facts)[1], (Sender::Server, vec![Text::from("NT LM 0.12")].into()));
    let said = credentials(&facts);
    let [(PROTOCOL, credential)] = said.as_slice() else { panic!("{facts:?}") };
    assert_eq!(credential.user, Some("bob".into()));
    assert_eq!(credential.domain, Some("HOME".into()));
    assert_eq!(credential.host, Some("KIOSK".into()));
    assert_eq!(credential.fields.get("smb.native_os"), Some(&Text::from("Windows 2002").into()));
    assert!(!format!("{facts:?}").contains("secret"));
}

#[test]
fn a_long_message_is_passed_over() {
    let mut fixture = smb3(0);
    let mut write = smb2_header(9, false, 0);
    write.resize(200_000, 0xdd);
    fixture.chunks.insert(2, (Sender::Client, framed(write)));
    assert_eq!(credentials(&fixture.facts()).len(), 1);
}

#[test]
fn the_answer_to_a_log_on_that_was_not_seen_introduces_the_server() {
    let facts = fixtures()[0].facts_of(&[(Sender::Server, setup2_reply(0, &[]))]);
    let [(PROTOCOL, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(hello.sender, Sender::Server);
}

#[test]
fn a_scope_belongs_to_the_names_of_a_session_request() {
    assert_eq!(format!("{:?}", scoped().facts()), format!("{:?}", smb1().facts()));
    let mut other = scoped();
    other.chunks.truncate(1);
    other.chunks[0].1[37] = 0x40;
    assert!(other.facts().is_empty());
}

#[test]
fn keep_alives_may_come_first() {
    assert_eq!(format!("{:?}", kept_alive().facts()), format!("{:?}", smb3(0).facts()));
    let other = [hex("85 00 00 00"), b"GET / HTTP/1.1\r\n\r\n".to_vec()].concat();
    assert!(fixture("", 445, vec![(Sender::Client, other)]).facts().is_empty());
}

#[test]
fn a_message_ends_where_its_length_says_whatever_follows() {
    let mut answer = negotiate2_reply(0x0311);
    answer[3] = 15;
    let chunks = vec![(Sender::Client, negotiate2(&[0x0311])), (Sender::Server, answer)];
    let fixture = fixture("", 445, chunks);
    let facts = fixture.facts();
    assert_eq!(dialects(&facts).iter().map(|(sender, _)| *sender).collect::<Vec<_>>(), [Sender::Client]);
    assert_eq!(format!("{facts:?}"), format!("{:?}", fixture.facts_by_bytes()));
}

#[test]
fn encrypted_messages_amid_a_connection_are_smb_by_their_header() {
    let message = |len: u8, flags: u8| {
        let header = [b"\xfdSMB".to_vec(), vec![0x5a; 32], vec![104, 0, 0, 0, 0, 0, flags, 0], vec![7; 8]].concat();
        [vec![0, 0, 0, len], header, vec![0xa5; 104]].concat()
    };
    let told = |ports: (u16, u16), is_midway, message: &[u8], cut| {
        let start = Start { transport: Transport::Tcp, client_port: ports.0, server_port: ports.1, is_midway };
        let mut session = Session::new(start);
        let mut facts = Vec::new();
        for bytes in message.chunks(cut) {
            session.on_bytes(Chunk { at: Timestamp::ZERO, sender: Sender::Client, bytes, missing: 0 }, &mut facts);
        }
        session.on_end(&mut facts);
        facts.iter().any(|(protocol, _)| *protocol == PROTOCOL).then_some(session.roles())
    };
    for cut in [1, 55, 56, 1000] {
        assert_eq!(told((50_000, 445), true, &message(156, 1), cut), Some(Roles::AsOpened));
        assert_eq!(told((445, 50_000), true, &message(156, 1), cut), Some(Roles::Reversed));
        assert_eq!(told((50_000, 445), true, &message(155, 1), cut), None, "another length");
        assert_eq!(told((50_000, 445), true, &message(156, 2), cut), None, "not encrypted");
        assert_eq!(told((50_000, 445), false, &message(156, 1), cut), None, "nothing was agreed on");
    }
}
