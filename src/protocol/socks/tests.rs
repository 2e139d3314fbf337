use super::*;
use crate::protocol::tests::{Fixture, hex};
use crate::protocol::{http, ssh, tls};

pub(crate) fn fixtures() -> Vec<Fixture> {
    let (client, server) = (Sender::Client, Sender::Server);
    let fixture = |name, chunks| Fixture {
        name,
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 50_000,
        server_port: 1080,
        chunks,
    };
    vec![
        fixture(
            "SOCKS 4a, a user and a host",
            vec![
                (client, [hex("04 01 01 bb 00 00 00 01"), b"alice\0example.com\0".to_vec()].concat()),
                (server, hex("00 5a 00 00 00 00 00 00")),
                (client, b"GET / HTTP/1.1\r\n".to_vec()),
            ],
        ),
        fixture(
            "SOCKS 5, a user and a password",
            vec![
                (client, hex("05 02 00 02")),
                (server, hex("05 02")),
                (client, [hex("01 05"), b"alice".to_vec(), hex("07"), b"hunter2".to_vec()].concat()),
                (server, hex("01 00")),
                (client, hex("05 01 00 01 c0 00 02 07 00 50")),
                (server, hex("05 00 00 01 00 00 00 00 10 10")),
                (client, b"GET / HTTP/1.1\r\n".to_vec()),
            ],
        ),
        fixture("SOCKS 5, no method", vec![(client, hex("05 01 00")), (server, hex("05 ff"))]),
    ]
}

fn facts_of(index: usize) -> (Vec<Credential>, Vec<Tunnel>) {
    let (mut credentials, mut tunnels) = (Vec::new(), Vec::new());
    for (_, kind) in fixtures()[index].facts() {
        match kind {
            Statement::Credential(credential) => credentials.push(*credential),
            Statement::Tunnel(tunnel) => tunnels.push(*tunnel),
            // What is relayed.
            Statement::Hello(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (credentials, tunnels)
}

#[test]
fn socks_4a_names_user_and_destination() {
    let (credentials, tunnels) = facts_of(0);
    assert_eq!(credentials[0].user, Some("alice".into()));
    assert!(tunnels[0].established);
    assert_eq!(tunnels[0].fields.get("socks.destination"), Some(&Text::from("example.com:443").into()));
}

#[test]
fn socks_5_names_the_user_its_outcome_and_the_destination_and_never_the_password() {
    let (credentials, tunnels) = facts_of(1);
    assert_eq!((credentials.len(), tunnels.len()), (1, 1));
    assert_eq!(credentials[0].outcome, Some(Outcome::Success));
    assert_eq!(tunnels[0].fields.get("socks.destination"), Some(&Text::from("192.0.2.7:80").into()));
    assert!(!format!("{credentials:?}{tunnels:?}").contains("hunter2"));
}

#[test]
fn a_refusal_is_a_tunnel_that_was_not_established() {
    let (_, tunnels) = facts_of(2);
    assert!(!tunnels[0].established);
}

#[test]
fn a_first_message_without_the_proxys_answer_is_no_claim() {
    for fixture in fixtures() {
        // The whole message, which counts on the port.
        let tunnels = |facts: &[(Protocol, Statement)]| {
            let tunnel = |kind: &Statement| match kind {
                Statement::Tunnel(tunnel) => Some((tunnel.confidence, tunnel.established)),
                _ => None,
            };
            facts.iter().filter_map(|(_, kind)| tunnel(kind)).collect::<Vec<_>>()
        };
        assert_eq!(tunnels(&fixture.facts_of(&fixture.chunks[..1])), [(Confidence::Likely, false)]);
        let (sender, bytes) = &fixture.chunks[0];
        assert_eq!(tunnels(&fixture.facts_of(&[(*sender, bytes[..bytes.len() - 1].to_vec())])), []);
        let elsewhere = Fixture { server_port: 9999, ..fixture.clone() };
        assert!(elsewhere.facts_of(&fixture.chunks[..1]).is_empty());
        let other = vec![fixture.chunks[0].clone(), (Sender::Server, b"HTTP/1.1 400 Bad Request\r\n".to_vec())];
        assert!(fixture.facts_of(&other).iter().all(|(protocol, _)| protocol.as_str() == "http"));
    }
}

#[test]
fn a_user_of_version_4_may_have_a_space_and_a_host_none() {
    let request = |bytes: &[u8]| wire::request4(&mut Cursor::new(bytes));
    let Ok(Some((_, Some(user)))) = request(b"\x04\x01\x00\x50\xc0\x00\x02\x07John Doe\0") else { panic!() };
    assert_eq!(user, Text::from("John Doe"));
    assert!(request(b"\x04\x01\x00\x50\0\0\0\x01\0a host\0").is_err());
    assert!(request(b"\x04\x01\x00\x50\xc0\x00\x02\x07John\x01Doe\0").is_err());
    let user = |name: &[u8]| {
        let bytes = [b"\x04\x01\x00\x50\xc0\x00\x02\x07", name, b"\0"].concat();
        request(&bytes).unwrap().unwrap().1
    };
    assert_eq!(user("Jos\u{e9}".as_bytes()), Some("Jos\u{e9}".into()));
    assert_eq!(user(b"Jos\xe9"), None, "of an encoding that nobody names");
}

#[test]
fn a_proxy_that_is_seen_alone_is_told_on_its_port_by_its_answers() {
    let server = |text: &str| (Sender::Server, hex(text));
    let facts = |port: u16, chunks: &[(Sender, Vec<u8>)]| {
        let facts = Fixture { server_port: port, ..fixtures().swap_remove(1) }.facts_of(chunks);
        let tunnels = facts.iter().filter_map(|(_, kind)| match kind {
            Statement::Tunnel(tunnel) => Some((tunnel.confidence, tunnel.established)),
            _ => None,
        });
        tunnels.collect::<Vec<_>>()
    };
    let granted = "05 00 00 01 00 00 00 00 10 10";
    for openings in [&["05 00", granted][..], &["05 02", "01 00", granted]] {
        let chunks: Vec<_> = openings.iter().map(|text| server(text)).collect();
        assert_eq!(facts(PORT, &chunks), [(Confidence::Likely, true)]);
        assert_eq!(facts(1081, &chunks), []);
        let whole = openings.concat();
        assert_eq!(facts(PORT, &[server(&whole)]), [(Confidence::Likely, true)]);
        let bytewise: Vec<_> = hex(&whole).into_iter().map(|byte| (Sender::Server, vec![byte])).collect();
        assert_eq!(facts(PORT, &bytewise), [(Confidence::Likely, true)]);
    }
    for others in [
        "05 00",
        "05 02 01 00",
        "05 00 05 00 00 01 00 00 00 00 10",
        "05 00 05 09 00 01 00 00 00 00 10 10",
        "05 00 04 5a 00 01 00 00 00 00 10 10",
    ] {
        assert_eq!(facts(PORT, &[server(others)]), [], "{others}");
    }
    let refused = [server("05 00"), server("05 02 00 01 00 00 00 00 00 00")];
    assert_eq!(facts(PORT, &refused), [(Confidence::Likely, false)]);
}

#[test]
fn a_client_may_name_its_user_at_once_where_it_offers_that() {
    let (client, server) = (Sender::Client, Sender::Server);
    let user = [hex("01 05"), b"alice".to_vec(), hex("07"), b"hunter2".to_vec()].concat();
    let ask = hex("05 01 00 01 c0 00 02 07 00 50");
    let answers = [(server, hex("05 02 01 00")), (server, hex("05 00 00 01 00 00 00 00 10 10"))];
    let said = |opening: Vec<u8>, answers: &[(Sender, Vec<u8>)]| {
        let of = |pieces: Vec<Vec<u8>>| {
            let pieces = pieces.into_iter().map(|bytes| (client, bytes));
            fixtures()[1].facts_of(&pieces.chain(answers.to_vec()).collect::<Vec<_>>())
        };
        let whole = of(vec![opening.clone()]);
        for at in 1..opening.len() {
            let (before, behind) = opening.split_at(at);
            assert_eq!(
                format!("{:?}", of(vec![before.to_vec(), behind.to_vec()])),
                format!("{whole:?}"),
                "cut at {at}"
            );
        }
        assert!(!format!("{whole:?}").contains("hunter2"));
        whole
    };
    let facts = said([hex("05 01 02"), user.clone(), ask.clone()].concat(), &answers);
    let [(_, Statement::Credential(credential)), (_, Statement::Tunnel(tunnel))] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!((credential.user.clone(), credential.outcome), (Some("alice".into()), Some(Outcome::Success)));
    assert!(tunnel.established);
    assert_eq!(tunnel.fields.get("socks.destination"), Some(&Text::from("192.0.2.7:80").into()));
    let facts = said([hex("05 01 02"), user.clone()].concat(), &answers[..1]);
    assert_eq!(facts.len(), 2, "a user, and a tunnel that was not asked for: {facts:?}");
    assert_eq!(said([hex("05 01 00"), user].concat(), &answers).len(), 0, "what was not offered");
}

#[test]
fn a_client_that_does_not_wait_for_the_answer_is_no_claim_however_it_was_cut() {
    for fixture in fixtures() {
        let mut whole = fixture.chunks.clone();
        whole[0].1.extend(b"more");
        let mut cut = fixture.chunks.clone();
        cut.insert(1, (Sender::Client, b"more".to_vec()));
        assert!(fixture.facts_of(&whole).is_empty(), "{}", fixture.name);
        assert!(fixture.facts_of(&cut).is_empty(), "{}", fixture.name);
    }
}

#[test]
fn what_is_relayed_goes_on_as_itself_whoever_speaks_first() {
    let cases = [
        (Sender::Client, hex("16 03 01 00 05 01 00 00 01 03"), tls::PROTOCOL),
        (Sender::Client, b"GET / HTTP/1.1\r\n".to_vec(), http::PROTOCOL),
        (Sender::Server, b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), ssh::PROTOCOL),
    ];
    for (sender, bytes, to) in cases {
        let fixture = &fixtures()[1];
        let mut socks = Socks::new(fixture.start());
        let mut facts = Vec::new();
        let mut chunks = fixture.chunks.clone();
        chunks[6] = (sender, bytes);
        let at = crate::time::Timestamp::ZERO;
        let ends = chunks
            .iter()
            .map(|(sender, bytes)| socks.on_bytes(Chunk { at, sender: *sender, bytes, missing: 0 }, &mut facts));
        assert_eq!(ends.last(), Some(Progress::Upgrade { to, consumed: 0 }));
    }
}

/// A proxy that called its client, and named itself first.
#[test]
fn a_back_connection_is_read_in_its_own_roles() {
    let mut back = fixtures().swap_remove(1);
    for (sender, _) in &mut back.chunks {
        *sender = sender.other();
    }
    back.chunks.insert(0, (Sender::Client, hex("4e 5a 8d 08 87 4e")));
    back.chunks[7].1.extend(b"Host: example.com\r\n\r\n");
    let spoken: Vec<_> = back.facts().iter().map(|(protocol, _)| protocol.as_str()).collect();
    assert_eq!(spoken, ["socks", "socks", "http"]);
}

#[test]
fn a_client_whose_proxy_is_not_seen_is_told_by_greeting_and_request() {
    let chunks = [(Sender::Client, hex("05 01 00")), (Sender::Client, hex("05 01 00 01 c0 00 02 07 00 50"))];
    let facts = fixtures()[0].facts_of(&chunks);
    let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("one tunnel: {facts:?}") };
    assert_eq!((tunnel.confidence, tunnel.established), (Confidence::Likely, false));
    assert_eq!(tunnel.fields.get("socks.destination"), Some(&Text::from("192.0.2.7:80").into()));
}

#[test]
fn what_a_proxy_says_before_it_is_asked_is_passed_over_however_it_was_cut() {
    let name = hex("4e 5a 05 08 04 01 00");
    let rest = [(Sender::Server, hex("05 01 00")), (Sender::Client, hex("05 ff"))];
    let facts = |opening: &[&[u8]]| {
        let opening = opening.iter().map(|bytes| (Sender::Client, bytes.to_vec()));
        fixtures()[0].facts_of(&opening.chain(rest.clone()).collect::<Vec<_>>())
    };
    assert_eq!(facts(&[&name]).len(), 1);
    for at in 1..name.len() {
        let (before, behind) = name.split_at(at);
        assert_eq!(format!("{:?}", facts(&[before, behind])), format!("{:?}", facts(&[&name])), "cut at {at}");
    }
}

#[test]
fn a_client_that_is_sure_of_the_answer_may_ask_at_once() {
    let ask = || hex("05 01 00 01 c0 00 02 07 00 50");
    let (method, granted) = (hex("05 00"), hex("05 00 00 01 00 00 00 00 10 10"));
    let get = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".to_vec();
    let greet = || hex("05 01 00");
    let (client, server) = (Sender::Client, Sender::Server);
    let cut = vec![(client, greet()), (client, ask())];
    let whole = vec![(client, [greet(), ask()].concat())];
    for opening in [cut, whole] {
        let answers = [(server, method.clone()), (server, granted.clone()), (client, get.clone())];
        let chunks = [opening, answers.to_vec(), vec![(server, b"HTTP/1.1 200 OK\r\n\r\n".to_vec())]].concat();
        let facts = fixtures()[0].facts_of(&chunks);
        assert!(matches!(&facts[0].1, Statement::Tunnel(tunnel) if tunnel.established), "{facts:?}");
        assert_eq!(facts.last().map(|(protocol, _)| *protocol), Some(http::PROTOCOL), "{facts:?}");
    }
}
