use crate::facts::{FactKind, Sender, Value};
use crate::net::Transport;
use crate::protocol::nbns::tests::encoded;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![announcement()]
}

/// `FILES<20>` to `CORP<1d>`, twice the same, then as `FILES<00>`.
fn announcement() -> Fixture {
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
    let facts = announcement().facts();
    let [(_, FactKind::Name(first)), (_, FactKind::Name(_))] = &facts[..] else { panic!("two names: {facts:?}") };
    assert_eq!(first.fields.get("host.hostname"), Some(&Value::Text("FILES".into())));
    assert_eq!(first.fields.get("nbdgm.destination"), Some(&Value::Text("CORP".into())));
    assert_eq!(first.addresses, ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn a_name_out_of_the_code_is_none() {
    let mut spoilt = announcement();
    spoilt.chunks.truncate(1);
    spoilt.chunks[0].1[15] = b'Q';
    assert!(spoilt.facts().is_empty());
}
