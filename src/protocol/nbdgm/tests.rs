use crate::facts::{Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::Protocol;
use crate::protocol::nbns::tests::encoded;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![names(), announcement(), asked()]
}

/// `FILES` announces itself to `\\MAILSLOT\\BROWSE`: Windows 6.1, a workstation and server.
fn announcement() -> Fixture {
    let (source, destination) = (encoded("FILES", 0x20), encoded("CORP", 0x1d));
    let header = "ff534d42 25 00000000 00 0000 000000000000000000000000 0000 0000 0000 0000";
    // No parameters, 33 bytes of data at 86; three words of setup: write, priority 1, class 2; 50 bytes follow.
    let words = "11 0000 2100 0000 0000 00 00 0000 e8030000 0000 0000 0000 2100 5600 03 00 0100 0100 0200 3200";
    let mailslot: String = b"\\MAILSLOT\\BROWSE\0".iter().map(|byte| format!("{byte:02x}")).collect();
    // Announcement, count, period, name, version 6.1, kind, browser 15.1, magic, no comment.
    let browse = "01 00 60ea0000 46494c45530000000000000000000000 06 01 03100000 0f 01 55aa 00";
    let datagram =
        hex(&format!("11 0a 2e43 c0000207 008a 0044 0000 {source} {destination} {header} {words} {mailslot} {browse}"));
    Fixture { name: "nbdgm announcement", chunks: vec![(Sender::Client, datagram)], ..names() }
}

/// Who has `CORP<1d>` is asked for, and nobody does (RFC 1002 §4.4.4).
fn asked() -> Fixture {
    let packet = |kind: &str| hex(&format!("{kind} 02 2e43 c0000207 008a {}", encoded("CORP", 0x1d)));
    let chunks = vec![(Sender::Client, packet("14")), (Sender::Server, packet("16"))];
    Fixture { name: "nbdgm asked", chunks, ..names() }
}

/// `FILES<20>` to `CORP<1d>`, twice the same, then as `FILES<00>`.
fn names() -> Fixture {
    let datagram = |suffix| {
        let (source, destination) = (encoded("FILES", suffix), encoded("CORP", 0x1d));
        hex(&format!("11 0a 2e43 c0000207 008a 0044 0000 {source} {destination} ff534d42 25"))
    };
    Fixture {
        name: "nbdgm",
        protocol: super::SPEC.protocol,
        transport: Transport::Udp,
        client_port: 138,
        server_port: 138,
        chunks: vec![
            (Sender::Client, datagram(0x20)),
            (Sender::Client, datagram(0x20)),
            (Sender::Client, datagram(0x00)),
        ],
    }
}

#[test]
fn a_machine_is_named_when_something_changes() {
    let facts = names().facts();
    let [(_, Statement::Name(first)), (_, Statement::Name(_))] = &facts[..] else { panic!("two names: {facts:?}") };
    assert_eq!(first.fields.get("host.hostname"), Some(&Value::Text("FILES".into())));
    assert_eq!(first.fields.get("nbdgm.destination"), Some(&Value::Text("CORP".into())));
    assert_eq!(first.addresses.as_slice(), ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn a_question_and_an_error_name_no_machine() {
    let error = |len, code: u8| [&hex("13 02 2e43 c0000207 008a")[..], &vec![code; len]].concat();
    for (bytes, destination) in [(asked().chunks.remove(0).1, Some(Value::Text("CORP".into()))), (error(1, 0x82), None)]
    {
        let facts = Fixture { chunks: vec![(Sender::Client, bytes)], ..names() }.facts();
        let [(_, Statement::Name(name))] = &facts[..] else { panic!("one name: {facts:?}") };
        assert_eq!(
            (name.fields.get("nbdgm.destination"), name.fields.get("host.hostname")),
            (destination.as_ref(), None)
        );
        assert_eq!(name.addresses.len(), 1);
    }
    let trailing = [asked().chunks.remove(0).1, vec![0]].concat();
    for other in [error(1, 0x85), error(2, 0x82), error(0, 0x82), trailing] {
        assert!(Fixture { chunks: vec![(Sender::Client, other)], ..names() }.facts().is_empty());
    }
}

#[test]
fn reserved_flags_and_a_pointer_cost_no_name() {
    let datagram = hex(&format!("11 fa 2e43 c0000207 008a 0044 0000 {} c00e", encoded("FILES", 0x20)));
    let facts = Fixture { chunks: vec![(Sender::Client, datagram)], ..names() }.facts();
    let [(_, Statement::Name(name))] = &facts[..] else { panic!("one name: {facts:?}") };
    for field in ["host.hostname", "nbdgm.destination"] {
        assert_eq!(name.fields.get(field), Some(&Value::Text("FILES".into())));
    }
}

#[test]
fn a_name_out_of_the_code_is_none() {
    let mut spoilt = names();
    spoilt.chunks.truncate(1);
    spoilt.chunks[0].1[15] = b'Q';
    assert!(spoilt.facts().is_empty());
}

#[test]
fn an_announcement_tells_the_system_under_smb() {
    let facts = announcement().facts();
    let [(_, Statement::Name(_)), (protocol, Statement::Hello(hello))] = &facts[..] else {
        panic!("a hello: {facts:?}")
    };
    assert_eq!((protocol.as_str(), hello.inside.map(Protocol::as_str)), ("nbdgm", Some("smb")));
    assert_eq!(hello.fields.get("smb.mailslot"), Some(&Value::Text(r"\MAILSLOT\BROWSE".into())));
    assert_eq!(hello.fields.get("host.os.version"), Some(&Value::Text("6.1".into())));
}

#[test]
fn another_message_of_smb_is_no_mail() {
    let mut spoilt = announcement();
    let bytes = &mut spoilt.chunks[0].1;
    let command = bytes.windows(5).position(|window| window == b"\xffSMB\x25").unwrap() + 4;
    bytes[command] = 0x2b;
    assert_eq!(spoilt.facts().len(), 1, "the name alone");
}
