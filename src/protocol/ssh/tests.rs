use super::*;
use crate::protocol::tests::Fixture;

const KEX: &str = "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256,ext-info-c";
const HOST_KEYS: &str = "ssh-ed25519,rsa-sha2-512";
const CIPHERS_OUT: &str = "chacha20-poly1305@openssh.com,aes128-ctr";
const CIPHERS_IN: &str = "aes256-gcm@openssh.com";
const MACS_OUT: &str = "hmac-sha2-256-etm@openssh.com,hmac-sha2-256";
const MACS_IN: &str = "hmac-sha2-512";
const COMPRESSION_OUT: &str = "none,zlib@openssh.com";
const COMPRESSION_IN: &str = "none";

pub(crate) fn fixtures() -> Vec<Fixture> {
    let fixture = |name, chunks| Fixture {
        name,
        protocol: PROTOCOL,
        transport: Transport::Tcp,
        client_port: 50_000,
        server_port: 2222,
        chunks,
    };
    let (client, server) = (Sender::Client, Sender::Server);
    vec![
        fixture(
            "an exchange of offers",
            vec![
                (client, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u5\r\n".to_vec()),
                (server, b"SSH-2.0-OpenSSH_for_Windows_8.6\r\n".to_vec()),
                (client, packet(&offer())),
                (server, packet(&offer())),
                (client, packet(&[30, 0, 0, 0, 1, 9])),
            ],
        ),
        fixture(
            "lines before the banner, banner and offer in one segment, a packet to ignore",
            vec![
                (server, b"Authorised users only\r\nAll is logged\n".to_vec()),
                (
                    client,
                    [b"SSH-2.0-PuTTY_Release_0.78\r\n".to_vec(), packet(&[2, 0, 0, 0, 1, 7]), packet(&offer())]
                        .concat(),
                ),
                (server, [b"SSH-1.99-Cisco-1.25\n".to_vec(), packet(&offer())].concat()),
            ],
        ),
        fixture(
            "version 1",
            vec![
                (server, b"SSH-1.99-OpenSSH_4.3\n".to_vec()),
                (client, b"SSH-1.5-1.2.26\n".to_vec()),
                (server, b"\x00\x00\x01\x0b\x00\x00\x00\x00\x00\x02".to_vec()),
            ],
        ),
    ]
}

/// `SSH_MSG_KEXINIT` (RFC 4253 §7.1).
fn offer() -> Vec<u8> {
    let mut bytes = vec![20];
    bytes.extend([0xc0; 16]);
    for names in [KEX, HOST_KEYS, CIPHERS_OUT, CIPHERS_IN, MACS_OUT, MACS_IN, COMPRESSION_OUT, COMPRESSION_IN, "", ""] {
        bytes.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
        bytes.extend(names.as_bytes());
    }
    bytes.extend([0, 0, 0, 0, 0]); // no guess follows; reserved
    bytes
}

/// The binary packet around a payload, unencrypted (RFC 4253 §6).
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding_len = 4 + (8 - (payload.len() + 5 + 4) % 8) % 8;
    let mut bytes = u32::try_from(1 + payload.len() + padding_len).unwrap().to_be_bytes().to_vec();
    bytes.push(u8::try_from(padding_len).unwrap());
    bytes.extend(payload);
    bytes.extend(vec![0; padding_len]);
    bytes
}

fn hellos(fixture: &Fixture) -> Vec<Hello> {
    let hello = |(_, kind)| match kind {
        Statement::Hello(hello) => *hello,
        other => panic!("{other:?}"),
    };
    fixture.facts().into_iter().map(hello).collect()
}

#[test]
fn each_side_says_one_hello_with_the_hassh_of_its_own_direction() {
    let hellos = hellos(&fixtures()[0]);
    let [client, server] = hellos.as_slice() else { panic!("{hellos:?}") };
    assert_eq!(client.sender, Sender::Client);
    assert_eq!(client.fields.get(CLIENT_BANNER), Some(&Text::from("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u5").into()));
    assert_eq!(client.software, Some("OpenSSH_9.2p1 Debian-2+deb12u5".into()));
    // printf %s "$KEX;$CIPHERS_OUT;$MACS_OUT;$COMPRESSION_OUT" | md5sum
    let hassh = Fingerprint::new(FingerprintMethod::Hassh, "c82758cbbff2e6473ac99e746730d4e3");
    assert_eq!(client.fingerprints.as_slice(), [hassh]);
    assert_eq!(server.sender, Sender::Server);
    assert_eq!(server.software, Some("OpenSSH_for_Windows_8.6".into()));
    // printf %s "$KEX;$CIPHERS_IN;$MACS_IN;$COMPRESSION_IN" | md5sum
    let hassh = Fingerprint::new(FingerprintMethod::HasshServer, "08ff5dc6f6eeb70207940ab042ef27d9");
    assert_eq!(server.fingerprints.as_slice(), [hassh]);
}

#[test]
fn lines_before_the_banner_and_packets_to_ignore_are_passed_over() {
    let hellos = hellos(&fixtures()[1]);
    let [client, server] = hellos.as_slice() else { panic!("{hellos:?}") };
    assert_eq!((client.fingerprints.len(), server.fingerprints.len()), (1, 1));
    assert_eq!(server.fields.get(SERVER_BANNER), Some(&Text::from("SSH-1.99-Cisco-1.25").into()));
}

#[test]
fn version_1_has_banners_only() {
    let hellos = hellos(&fixtures()[2]);
    let [client, server] = hellos.as_slice() else { panic!("{hellos:?}") };
    assert_eq!(client.fields.get(CLIENT_BANNER), Some(&Text::from("SSH-1.5-1.2.26").into()));
    assert_eq!(server.fields.get(SERVER_BANNER), Some(&Text::from("SSH-1.99-OpenSSH_4.3").into()));
    assert!(client.fingerprints.is_empty() && server.fingerprints.is_empty());
}

#[test]
fn a_banner_alone_is_said_when_the_flow_ends() {
    let fixture = &fixtures()[0];
    let facts = fixture.facts_of(&fixture.chunks[1..2]);
    assert!(matches!(facts.as_slice(), [(PROTOCOL, Statement::Hello(hello))] if hello.sender == Sender::Server));
}

#[test]
fn a_packet_longer_than_the_limit_ends_the_parse_after_the_banner() {
    let mut fixture = fixtures().swap_remove(0);
    fixture.chunks[2].1 = 35_001_u32.to_be_bytes().to_vec();
    let facts = fixture.facts();
    let [(_, Statement::Hello(client)), .., (_, Statement::Malformed(reason))] = facts.as_slice() else {
        panic!("{facts:?}")
    };
    assert!(client.fingerprints.is_empty());
    assert_eq!(*reason, "ssh_packet_length");
}

#[test]
fn what_only_resembles_a_banner_is_not_ssh() {
    let opening = |bytes| Opening {
        transport: Transport::Tcp,
        sender: Sender::Client,
        client_port: 50_000,
        server_port: 22,
        is_midway: false,
        bytes,
        missing: 0,
    };
    assert_eq!(probe(&opening(b"SSH-2.0")), Probe::More);
    assert_eq!(probe(&opening(b"SSH-2.0-Go")), Probe::Match);
    assert_eq!(probe(&opening(b"SSH-2.0-Go\r\n")), Probe::Match);
    assert_eq!(probe(&opening(b"SSH-keygen is here\r\n")), Probe::No);
    assert_eq!(probe(&opening(b"SSH-2.0\r\n-a")), Probe::No);
    assert_eq!(probe(&opening(b"SSH--a\r\n")), Probe::No);
    assert_eq!(probe(&opening(b"STAT\r\n")), Probe::No);
    let amid_the_flow = Opening { client_port: 22, server_port: 50_000, ..opening(b"SSH-2.0-Go\n") };
    assert_eq!(probe(&amid_the_flow), Probe::Reversed);
}

/// What the only side that says something is told to say, and the same however it is cut.
fn banners(server_port: u16, said: &[u8]) -> Vec<String> {
    let of = |pieces: &[&[u8]]| {
        let chunks = pieces.iter().map(|piece| (Sender::Server, piece.to_vec())).collect();
        let facts = Fixture { server_port, chunks, ..fixtures().swap_remove(0) }.facts();
        facts.into_iter().map(|fact| format!("{fact:?}")).collect::<Vec<_>>()
    };
    let whole = of(&[said]);
    for at in 1..said.len() {
        let (before, behind) = said.split_at(at);
        assert_eq!(of(&[before, behind]), whole, "cut at {at}");
    }
    let facts =
        Fixture { server_port, chunks: vec![(Sender::Server, said.to_vec())], ..fixtures().swap_remove(0) }.facts();
    let banner = |(_, kind): &(Protocol, Statement)| match kind {
        Statement::Hello(hello) => match hello.fields.get(SERVER_BANNER) {
            Some(crate::facts::Value::Text(line)) => line.as_str().to_owned(),
            other => panic!("{other:?}"),
        },
        Statement::Malformed(reason) => (*reason).to_owned(),
        other => panic!("{other:?}"),
    };
    facts.iter().map(banner).collect()
}

#[test]
fn a_banner_that_breaks_a_rule_is_told_as_far_as_it_goes() {
    let long = format!("SSH-2.0-{}", "a".repeat(400));
    assert_eq!(banners(2222, format!("{long}\r\n").as_bytes()), [&long[..255]]);
    assert_eq!(banners(2222, b"SSH-2.0-Open\0SSH\r\n"), ["SSH-2.0-Open"]);
    assert_eq!(banners(2222, b"SSH-2.0-Open"), ["SSH-2.0-Open"], "its end does not come");
    assert_eq!(banners(2222, b"SSH-2.0-"), ["SSH-2.0-"]);
    for nothing in [&b"SSH-2.0"[..], b"SSH-"] {
        assert_eq!(banners(2222, nothing), [""; 0]);
    }
    let endless = format!("SSH-2.0-{}", "a".repeat(8200));
    let chunks = [endless.clone(), format!("{endless}\n")].map(|said| vec![(Sender::Server, said.into_bytes())]);
    for chunks in chunks {
        let facts = Fixture { chunks, ..fixtures().swap_remove(0) }.facts();
        assert!(matches!(&facts[..], [(_, Statement::Hello(_)), (_, Statement::Malformed(_))]), "{facts:?}");
    }
}

#[test]
fn lines_before_the_banner_are_waited_for_on_the_port_whoever_is_silent() {
    let said = b"Authorised users only\r\nAll is logged\nSSH-2.0-OpenSSH_9.2\r\n";
    assert_eq!(banners(22, said), ["SSH-2.0-OpenSSH_9.2"]);
    assert_eq!(banners(22, &said[..said.len() - 1]), ["SSH-2.0-OpenSSH_9.2"]);
    assert_eq!(banners(2222, said), [""; 0]);
    assert_eq!(banners(22, b"Authorised users only\r\nAll is logged\n"), [""; 0]);
    assert_eq!(banners(22, b"Authorised\x01\nSSH-2.0-OpenSSH_9.2\r\n"), [""; 0], "no text");
    assert_eq!(banners(22, b"see SSH-2.0-OpenSSH_9.2\r\n"), [""; 0], "within a line");
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\nSSH-2.0-OpenSSH_9.2\r\n";
    let chunks = vec![(Sender::Server, http.to_vec())];
    let others = Fixture { server_port: 22, chunks, ..fixtures().swap_remove(0) }.facts();
    assert!(others.iter().all(|(protocol, _)| *protocol != PROTOCOL), "another protocol: {others:?}");
    let chunks = vec![(Sender::Client, said.to_vec())];
    let of_client = Fixture { server_port: 22, chunks, ..fixtures().swap_remove(0) };
    assert!(of_client.facts().is_empty(), "a client says no such lines");
    let turned = Fixture { client_port: 22, server_port: 50_000, ..of_client };
    assert_eq!(turned.facts().len(), 1);
}

/// Noise of so many bytes, as ciphers make it.
fn noise(len: usize) -> Vec<u8> {
    let bytes = (1..).map(|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[1]);
    bytes.take(len).collect()
}

fn amid_a_session(chunks: &[(Sender, Vec<u8>)]) -> Vec<(Protocol, Statement)> {
    let start = Start { transport: Transport::Tcp, client_port: 50_000, server_port: 22, is_midway: true };
    let mut session = crate::protocol::session::Session::new(start);
    let mut facts = Vec::new();
    for (sender, bytes) in chunks {
        session.on_bytes(Chunk { at: Default::default(), sender: *sender, bytes, missing: 0 }, &mut facts);
    }
    session.on_end(&mut facts);
    facts
}

#[test]
fn a_session_that_began_before_is_known_by_what_both_sides_send() {
    let (client, server) = (Sender::Client, Sender::Server);
    let both = [(server, noise(128)), (client, noise(48))];
    let facts = amid_a_session(&both);
    let [(PROTOCOL, Statement::Hello(hello))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(hello.fields.get("ssh.established"), Some(&true.into()));
    assert!(amid_a_session(&both[..1]).is_empty(), "one side alone");
    assert!(amid_a_session(&[(server, noise(128)), (client, noise(47))]).is_empty(), "another size");
    assert!(amid_a_session(&[(server, noise(128)), (client, b"x=1&".repeat(12))]).is_empty(), "text");
    assert!(amid_a_session(&[(server, noise(128)), (client, vec![0; 48])]).is_empty(), "nothing");
    let beginning = Fixture { server_port: 22, chunks: both.to_vec(), ..fixtures().swap_remove(0) };
    assert!(beginning.facts().is_empty(), "a flow that begins so");
    let elsewhere = Start { transport: Transport::Tcp, client_port: 50_000, server_port: 443, is_midway: true };
    let Start { transport, client_port, server_port, is_midway } = elsewhere;
    let opening =
        Opening { transport, sender: server, client_port, server_port, is_midway, bytes: &both[0].1, missing: 0 };
    assert_eq!(probe(&opening), Probe::No, "another port");
}

#[test]
fn one_packet_with_its_length_in_clear_is_enough() {
    let packet = |len: u32, authenticator: usize| {
        [len.to_be_bytes().to_vec(), noise(usize::try_from(len).unwrap() + authenticator)].concat()
    };
    for (len, authenticator, is_ssh) in [(96, 16, true), (16, 64, true), (96, 24, false), (100, 16, false)] {
        let facts = amid_a_session(&[(Sender::Server, packet(len, authenticator))]);
        assert_eq!(!facts.is_empty(), is_ssh, "{len} and {authenticator}");
    }
}

#[test]
fn a_capture_that_begins_with_the_banner_reads_it() {
    let chunks = fixtures().swap_remove(0).chunks;
    assert_eq!(amid_a_session(&chunks).len(), 2);
}
