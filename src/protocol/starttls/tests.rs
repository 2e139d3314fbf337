use super::*;
use crate::protocol::tests::{Fixture, hex};

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![
        fixture(FTP.protocol, "220-Welcome\r\n220 files.example ready\r\n|AUTH TLS\r\n|234 Proceed\r\n"),
        fixture(
            IMAP.protocol,
            "* OK mail.example ready\r\n|. CAPABILITY\r\n|* CAPABILITY IMAP4rev2 STARTTLS\r\n. OK done\r\n|a2 starttls\r\n|a2 OK begin\r\n",
        ),
        fixture(
            POP3.protocol,
            "+OK ready\r\n|AUTH\r\n|-ERR which\r\n|CAPA\r\n|+OK\r\nSTLS\r\n.\r\n|STLS\r\n|+OK begin\r\n",
        ),
        fixture(
            SMTP.protocol,
            "220 mx.example ESMTP\r\n|EHLO pc.example\r\n|250-mx.example\r\n250 STARTTLS\r\n|STARTTLS\r\n|220 go ahead\r\n",
        ),
    ]
}

/// Server and client by turns, then a ServerHello.
fn fixture(protocol: Protocol, text: &str) -> Fixture {
    let hello = hex(&format!("16 0303 002a 02 000026 0303 {} 00 c02f 00", "5a".repeat(32)));
    let turns = [Sender::Server, Sender::Client].into_iter().cycle();
    let mut chunks: Vec<_> = turns.zip(text.split('|').map(|said| said.as_bytes().to_vec())).collect();
    chunks.push((Sender::Server, hello));
    let (name, transport) = (protocol.as_str(), Transport::Tcp);
    Fixture { name, protocol, transport, client_port: 50_000, server_port: 50_001, chunks }
}

fn spoken(fixture: &Fixture) -> Vec<&'static str> {
    fixture.facts().iter().map(|(protocol, _)| protocol.as_str()).collect()
}

#[test]
fn a_client_that_asks_for_tls_is_read_as_tls() {
    for fixture in fixtures() {
        assert_eq!(spoken(&fixture), [fixture.protocol.as_str(), "tls"]);
    }
}

#[test]
fn the_greeting_is_told() {
    let facts = fixtures()[3].facts();
    let Some((_, Statement::Hello(hello))) = facts.first() else { panic!("{facts:?}") };
    assert_eq!(hello.fields.get("starttls.greeting"), Some(&Text::from("220 mx.example ESMTP").into()));
}

#[test]
fn who_logs_on_in_clear_is_read_no_further() {
    let mut clear = fixture(POP3.protocol, "+OK ready\r\n|USER ann\r\n|+OK\r\n|PASS secret\r\n");
    clear.chunks.pop();
    assert_eq!(spoken(&clear), ["pop3"]);
    let shown = format!("{:?}", clear.facts());
    assert!(!shown.contains("ann") && !shown.contains("secret"), "{shown}");
}

#[test]
fn a_refusal_leaves_the_flow_in_clear() {
    let refused =
        fixture(SMTP.protocol, "220 mx.example\r\n|EHLO a\r\n|250 ok\r\n|STARTTLS\r\n|454 not now\r\n|QUIT\r\n");
    assert_eq!(spoken(&refused), ["smtp"]);
}

#[test]
fn text_of_other_protocols_is_none_of_these() {
    for text in [
        ":irc.example NOTICE * :hello\r\n|USER ann 0 * :Ann\r\n",
        "220 ready\r\n|GET / HTTP/1.1\r\n",
        "|EHLO without a greeting\r\n",
        "* BYE\r\n|a1 STARTTLS\r\n",
    ] {
        let mut other = fixture(SMTP.protocol, text);
        other.chunks.retain(|(_, bytes)| !bytes.is_empty());
        other.chunks.pop();
        assert!(other.facts().is_empty(), "{text}");
    }
}

#[test]
fn what_waits_for_tls_to_be_granted_does_not_count_as_more_lines_however_it_is_cut() {
    let mut fixture = fixtures().swap_remove(1);
    let asked = fixture.chunks.iter().position(|(_, bytes)| bytes.ends_with(b"starttls\r\n")).unwrap();
    let behind = [&b"\xfano TLS\r\n"[..], &[b'x'; 300]].concat();
    fixture.chunks.insert(asked + 1, (Sender::Client, behind));
    let cut: Vec<_> = fixture
        .chunks
        .iter()
        .flat_map(|(sender, bytes)| bytes.chunks(1).map(|byte| (*sender, byte.to_vec())))
        .collect();
    assert_eq!(format!("{:?}", fixture.facts_of(&cut)), format!("{:?}", fixture.facts()));
}

/// XMPP (RFC 6120 §9.1) and NNTP (RFC 4642): protocols of which nothing else is read.
#[test]
fn tls_that_others_ask_for_is_found_however_the_stream_is_cut() {
    let xmpp = "<?xml version='1.0'?><stream:stream to='im.example' xmlns='jabber:client' version='1.0'>|\
        <?xml version='1.0'?><stream:stream id='1'><stream:features><starttls/></stream:features>|\
        <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>|<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>|";
    let nntp =
        "200 news.example\r\n|CAPABILITIES\r\n|101 list\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n|STARTTLS\r\n|382 go on\r\n|";
    let hello = tls::tests::fixtures().into_iter().find(|fixture| fixture.chunks[0].0 == Sender::Client).unwrap();
    for (text, first) in [(xmpp, Sender::Client), (nntp, Sender::Server)] {
        let turns = std::iter::successors(Some(first), |sender| Some(sender.other()));
        let mut chunks: Vec<_> =
            turns.zip(text.split_terminator('|')).map(|(sender, text)| (sender, text.as_bytes().to_vec())).collect();
        chunks.extend(hello.chunks.clone());
        let facts = hello.facts_of(&chunks);
        assert_eq!(format!("{facts:?}"), format!("{:?}", hello.facts()), "{text}");
        let cut: Vec<_> =
            chunks.iter().flat_map(|(sender, bytes)| bytes.chunks(3).map(|piece| (*sender, piece.to_vec()))).collect();
        assert_eq!(format!("{:?}", hello.facts_of(&cut)), format!("{facts:?}"), "{text}");
    }
}
