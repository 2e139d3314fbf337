use crate::facts::{Sender, Statement, Value};
use crate::net::Transport;
use crate::protocol::Protocol;
use crate::protocol::nbns::tests::encoded;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![names(), announcement()]
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
