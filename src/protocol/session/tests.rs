use super::*;
use crate::facts::Name;
use crate::net::Text;
use crate::protocol::{ANY_BYTE, Opening};

/// Lines of text: a parser that says each line that is complete, with who said it.
///
/// `bye` ends it, `bad` breaks its rules, `no` is a rejection, `up` hands over to [`OTHER`].
struct Lines(&'static str);

impl Parser for Lines {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut consumed = 0;
        while let Some(len) = chunk.bytes[consumed..].iter().position(|&byte| byte == b'\n') {
            let line = &chunk.bytes[consumed..consumed + len];
            consumed += len + 1;
            match line.strip_prefix(self.0.as_bytes()).unwrap_or(line) {
                b"bye" => return Progress::Done,
                b"bad" => return Progress::Malformed("bad"),
                b"no" => return Progress::Reject,
                b"up" => return Progress::Upgrade { to: OTHER.protocol, consumed },
                b"" => {}
                said => facts.push(name(&format!("{:?} {}", chunk.sender, String::from_utf8_lossy(said)))),
            }
        }
        Progress::Continue { consumed }
    }

    fn on_gap(&mut self, sender: Sender, len: u32) -> Progress {
        match (sender, len) {
            (_, 1) => Progress::Continue { consumed: 0 },
            (_, 2) => Progress::Malformed("hole"),
            _ => Progress::Done,
        }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.0 != SILENT_PREFIX {
            facts.push(name("end"));
        }
    }
}

/// Who greets so says nothing at the end.
const SILENT_PREFIX: &str = "hush";

fn name(text: &str) -> Statement {
    Statement::Name(Box::new(Name { question: Some(Text::from(text)), ..Name::default() }))
}

fn starts_with(opening: &Opening<'_>, prefix: &[u8]) -> Probe {
    if opening.bytes.starts_with(prefix) {
        if opening.sender == Sender::Client { Probe::Match } else { Probe::Reversed }
    } else if prefix.starts_with(opening.bytes) {
        Probe::More
    } else {
        Probe::No
    }
}

static FIRST: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"first"),
    transports: &[Transport::Tcp, Transport::Udp],
    opens_with: &[(b'a', b'z')],
    probe: |opening| starts_with(opening, b"hello\n"),
    start: |_| Box::new(Lines("hello")),
    fields: &[],
};

/// Claims the same openings as [`FIRST`], after it.
static SECOND: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"second"),
    transports: &[Transport::Tcp],
    opens_with: &[(b'h', b'h')],
    probe: |opening| starts_with(opening, b"hello\n"),
    start: |_| Box::new(Lines("he")),
    fields: &[],
};

/// Knows nothing of what it claims.
static SILENT: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"silent"),
    transports: &[Transport::Udp],
    opens_with: &[(b'h', b'h')],
    probe: |opening| starts_with(opening, b"hush\n"),
    start: |_| Box::new(Lines(SILENT_PREFIX)),
    fields: &[],
};

/// Claims the same openings as [`SILENT`], after it.
static PATIENT: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"patient"),
    transports: &[Transport::Udp],
    opens_with: &[(b'h', b'h')],
    probe: |opening| starts_with(opening, b"hush\n"),
    start: |_| Box::new(Lines("hush\n")),
    fields: &[],
};

static OTHER: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"other"),
    transports: &[Transport::Esp],
    opens_with: ANY_BYTE,
    probe: |_| Probe::Match,
    start: |start| {
        assert_eq!((start.client_port, start.server_port), (40_000, 9));
        Box::new(Lines(""))
    },
    fields: &[],
};

static SPECS: [&ProtocolSpec; 5] = [&FIRST, &SECOND, &SILENT, &PATIENT, &OTHER];

struct Talk {
    session: Session,
    facts: Vec<(Protocol, Statement)>,
    at: u64,
}

impl Talk {
    fn over(transport: Transport) -> Self {
        Self::with_ports(transport, 40_000, 9)
    }

    fn with_ports(transport: Transport, client_port: u16, server_port: u16) -> Self {
        let selection = Box::leak(Box::new(Selection::of(&SPECS)));
        let session = Session::among(selection, Start { transport, client_port, server_port, is_midway: false });
        Self { session, facts: Vec::new(), at: 0 }
    }

    fn amid_a_flow() -> Self {
        let mut talk = Self::over(Transport::Tcp);
        talk.session.start.is_midway = true;
        talk
    }

    fn says(mut self, sender: Sender, text: &str) -> Self {
        self.at += 1;
        let chunk = Chunk { at: Timestamp::from_secs(self.at), sender, bytes: text.as_bytes(), missing: 0 };
        self.session.on_bytes(chunk, &mut self.facts);
        self
    }

    fn client(self, text: &str) -> Self {
        self.says(Sender::Client, text)
    }

    fn server(self, text: &str) -> Self {
        self.says(Sender::Server, text)
    }

    fn loses(mut self, len: u32) -> Self {
        self.session.on_gap(Sender::Client, len, &mut self.facts);
        self
    }

    fn ends(mut self) -> Self {
        self.session.on_end(&mut self.facts);
        self
    }

    fn shown(&self) -> Vec<String> {
        let shown = |(protocol, kind): &(Protocol, Statement)| match kind {
            Statement::Name(name) => format!("{protocol} {}", name.question.as_ref().unwrap()),
            Statement::Malformed(reason) => format!("{protocol} malformed {reason}"),
            other => panic!("{other:?}"),
        };
        self.facts.iter().map(shown).collect()
    }

    fn protocol(&self) -> Option<&'static str> {
        self.session.protocol().map(Protocol::as_str)
    }
}

#[test]
fn the_first_candidate_that_matches_reads_the_flow_from_its_beginning() {
    let talk = Talk::over(Transport::Tcp).server("welcome\n").client("hel").client("lo\nyes\n").server("ok\n");
    assert_eq!(talk.shown(), ["first Server welcome", "first Client yes", "first Server ok"]);
    assert_eq!((talk.protocol(), talk.session.roles()), (Some("first"), Roles::AsOpened));
    assert_eq!(talk.session.buffered_bytes(), 0);
}

#[test]
fn what_a_parser_did_not_consume_is_shown_again_with_more_behind_it() {
    let talk = Talk::over(Transport::Tcp).client("hello\nye").client("").client("s\nno").client("t\n");
    assert_eq!(talk.shown(), ["first Client yes", "first Client not"]);
}

#[test]
fn who_knows_nothing_at_the_end_leaves_the_flow_to_the_next_candidate() {
    let talk = Talk::over(Transport::Udp).client("hush\n").ends();
    assert_eq!(
        (talk.shown(), talk.protocol()),
        (vec!["patient Client hush".into(), "patient end".into()], Some("patient"))
    );
    assert!(talk.session.is_done());
    assert_eq!(talk.session.buffered_bytes(), 0);
}

#[test]
fn a_rejection_shows_the_beginning_to_the_next_candidate() {
    let talk = Talk::over(Transport::Tcp).client("hello\n").server("no").server("\n").server("x\n");
    // The second takes less of the greeting off, and speaks before it hears the `no`.
    assert_eq!((talk.shown(), talk.protocol()), (vec!["second Client llo".to_string()], Some("second")));
    let talk = Talk::over(Transport::Tcp).client("hello\nno\n");
    assert_eq!(talk.shown(), ["second Client llo"]);
    assert!(talk.session.is_done());
}

#[test]
fn who_rejected_the_datagrams_of_a_flow_is_not_asked_again() {
    let talk = Talk::over(Transport::Udp).client("hello\n").server("no\n").client("hello\n").client("hello\nmore\n");
    assert_eq!(talk.shown(), [""; 0]);
}

#[test]
fn a_flow_that_said_a_fact_is_rejected_by_nobody() {
    let talk = Talk::over(Transport::Tcp).client("hello\nyes\n").client("no\n").client("more\n");
    assert_eq!((talk.shown(), talk.session.is_done()), (vec!["first Client yes".to_string()], true));
}

#[test]
fn a_broken_rule_is_told_of_a_claimed_flow_alone() {
    let talk = Talk::over(Transport::Tcp).client("hello\nyes\n").server("bad\n");
    assert_eq!(talk.shown(), ["first Client yes", "first malformed bad"]);
    let talk = Talk::over(Transport::Udp).client("hello\nbad\n");
    assert_eq!((talk.shown(), talk.protocol()), (vec![], None));
}

#[test]
fn a_server_that_speaks_as_a_client_reverses_the_roles() {
    let talk = Talk::with_ports(Transport::Tcp, 9, 40_000).server("hello\nyes\n").client("ok\n").client("up\nthere\n");
    assert_eq!(talk.shown(), ["first Client yes", "first Server ok", "other Server there"]);
    assert_eq!(talk.session.roles(), Roles::Reversed);
}

#[test]
fn an_upgrade_hands_over_what_nobody_consumed() {
    let talk = Talk::over(Transport::Tcp).client("hello\nwait").server("up\nnew\n").client("ed\n");
    assert_eq!(talk.shown(), ["other Server new", "other Client waited"]);
    assert_eq!(talk.protocol(), Some("first"));
}

#[test]
fn nobody_probes_what_begins_otherwise() {
    let talk = Talk::over(Transport::Tcp).client("HELLO\n").server("HI\n").client("hello\nyes\n");
    assert!(talk.session.is_done());
    assert_eq!(talk.facts.len(), 0);
    // A datagram is an opening of its own.
    let talk = Talk::over(Transport::Udp).client("HELLO\n").server("HI\n").client("hello\nyes\n");
    assert_eq!(talk.shown(), ["first Client HELLO", "first Server HI", "first Client yes"]);
}

#[test]
fn an_undecided_flow_is_kept_up_to_a_limit() {
    let mut talk = Talk::over(Transport::Udp);
    for _ in 0..=Session::HISTORY_TURNS_MAX {
        assert!(!talk.session.is_done());
        talk = talk.client("HELLO\n");
    }
    assert!(talk.session.is_done());
    let mut talk = Talk::over(Transport::Tcp).client("hello\n");
    while talk.session.buffered_bytes() > 0 {
        assert!(talk.session.buffered_bytes() <= Session::HISTORY_BYTES_MAX + 6);
        talk = talk.server("\n").client("\n");
    }
    // There is no way back to the others any more.
    let talk = talk.server("no\n").client("x\n");
    assert_eq!((talk.session.is_done(), talk.shown().len()), (true, 0));
}

#[test]
fn a_later_turn_that_may_be_tls_counts_as_kept_until_somebody_claims_the_flow() {
    let hello = [0x16, 3, 1, 0, 0x2f, 1, 0, 0, 0x2b, 3, 3];
    let mut talk = Talk::over(Transport::Tcp).client("hello\n").server("\n");
    let before = talk.session.buffered_bytes();
    let mut say = |bytes: &[u8]| {
        let chunk = Chunk { at: Timestamp::ZERO, sender: Sender::Client, bytes, missing: 0 };
        talk.session.on_bytes(chunk, &mut Vec::new());
        talk.session.buffered_bytes()
    };
    assert_eq!(say(&hello) - before, 3 * hello.len(), "by the history, for the parser, and as a beginning");
    assert_eq!(say(b"\n"), 0);
}

/// Facts of a stream that is said whole, and in pieces of `len` bytes.
fn whole_and_cut(turns: &[(Sender, String)], len: usize) -> [Vec<String>; 2] {
    let said = |len: usize| {
        let pieces = turns.iter().flat_map(|(sender, text)| {
            text.as_bytes().chunks(len).map(|piece| (*sender, String::from_utf8(piece.to_vec()).unwrap()))
        });
        pieces.fold(Talk::over(Transport::Tcp), |talk, (sender, piece)| talk.says(sender, &piece)).ends().shown()
    };
    [said(usize::MAX), said(len)]
}

#[test]
fn the_limit_of_a_streams_history_stands_at_one_place_however_it_is_cut() {
    let greeting = "hello\n".len();
    for beyond in [0, 1] {
        let silence = "\n".repeat(Session::HISTORY_BYTES_MAX - greeting - "no\n".len() + beyond);
        let turns = [(Sender::Client, format!("hello\n{silence}no\nx\n"))];
        for len in [1, 700, 30_000] {
            let [whole, cut] = whole_and_cut(&turns, len);
            assert_eq!(whole, cut, "{len}");
            assert_eq!(whole.is_empty(), beyond == 1, "a rejection beyond the limit shows the beginning to nobody");
        }
    }
}

#[test]
fn a_turn_of_many_segments_is_one() {
    let turns = [(Sender::Client, format!("hello\n{}no\nx\n", "\n".repeat(3 * Session::HISTORY_TURNS_MAX)))];
    let [whole, cut] = whole_and_cut(&turns, 1);
    assert_eq!((whole.len(), whole), (cut.len(), cut));
}

#[test]
fn who_rejected_a_stream_is_not_asked_again_about_the_other_side() {
    let turns = [(Sender::Client, "hello\nno\n".into()), (Sender::Server, "hello\nyes\n".into())];
    let [whole, cut] = whole_and_cut(&turns, 7);
    assert_eq!(whole, cut);
}

#[test]
fn a_line_without_end_is_given_up() {
    let mut talk = Talk::over(Transport::Tcp).client("hello\nyes\n");
    let long = "x".repeat(10_000);
    while !talk.session.is_done() {
        assert!(talk.session.buffered_bytes() <= Session::PENDING_BYTES_MAX);
        talk = talk.server(&long);
    }
    assert_eq!(talk.shown(), ["first Client yes", "first malformed buffer_limit"]);
}

#[test]
fn a_hole_is_the_parsers_to_judge() {
    let opened = || Talk::over(Transport::Tcp).client("hello\nyes\nmo");
    // What was waiting before the hole does not continue behind it.
    assert_eq!(opened().loses(1).client("after\n").shown(), ["first Client yes", "first Client after"]);
    assert_eq!(opened().loses(2).shown(), ["first Client yes", "first malformed hole"]);
    let given_up = opened().loses(3).client("after\n");
    assert_eq!(
        (given_up.shown(), given_up.session.is_done()),
        (vec!["first Client yes".into(), "first end".into()], true)
    );
    let undecided = Talk::over(Transport::Tcp).client("he").loses(1).client("llo\nyes\n");
    assert_eq!((undecided.facts.len(), undecided.session.is_done()), (0, false));
}

#[test]
fn the_end_is_the_last_chance_to_speak() {
    assert_eq!(Talk::over(Transport::Tcp).client("hello\n").ends().shown(), ["first end"]);
    assert_eq!(Talk::over(Transport::Tcp).client("h").ends().facts.len(), 0);
}

#[test]
fn amid_a_flow_a_later_segment_may_be_the_beginning() {
    let claimed = |talk: Talk| talk.server("the end of it\n").client("1 2 3\n").client("hello\nyes\n").shown();
    assert_eq!(claimed(Talk::amid_a_flow()), ["first Client yes"]);
    assert_eq!(claimed(Talk::over(Transport::Tcp)).len(), 0);
    let behind_a_hole = Talk::amid_a_flow().client("hel").loses(1).client("hello\nyes\n");
    assert_eq!(behind_a_hole.shown(), ["first Client yes"]);
}

#[test]
fn what_ends_something_else_does_not_hide_the_beginning_behind_it() {
    let talk = Talk::amid_a_flow().client("hell").client("hello\nyes\n");
    assert_eq!(talk.shown(), ["first Client yes"]);
    let talk = Talk::amid_a_flow().client("hell").client("1 2 3\n").client("hello\nyes\n");
    assert_eq!(talk.shown(), ["first Client yes"]);
}

#[test]
fn each_side_amid_a_flow_has_beginnings_of_its_own_and_only_so_many() {
    let download = |segments: u8| (0..segments).fold(Talk::amid_a_flow(), |talk, _| talk.server("1\n"));
    let late = download(4 * Session::BEGINNINGS_MAX);
    assert_eq!(late.session.buffered_bytes(), 0);
    assert_eq!(late.client("hello\nyes\n").server("ok\n").shown(), ["first Client yes", "first Server ok"]);
    let mut both = download(Session::BEGINNINGS_MAX);
    for _ in 0..Session::BEGINNINGS_MAX {
        assert!(!both.session.is_done());
        both = both.client("1\n");
    }
    assert!(both.session.is_done());
    let mut long = download(Session::BEGINNINGS_MAX);
    for _ in 0..=Session::PASSED_BYTES_MAX / 1000 {
        assert!(!long.session.is_done() && long.session.buffered_bytes() == 0);
        long = long.server(&"1".repeat(1000));
    }
    assert!(long.session.is_done());
}

#[test]
fn behind_a_hole_a_stream_is_as_one_begun_amid() {
    let talk = Talk::over(Transport::Tcp).client("he").loses(1).client("1\n").client("hello\nyes\n");
    assert_eq!((talk.shown(), talk.protocol()), (vec!["first Client yes".to_string()], Some("first")));
    // What went before the hole is not joined to what follows it.
    let talk = Talk::over(Transport::Tcp).client("hel").loses(2).client("lo\nyes\n");
    assert_eq!((talk.facts.len(), talk.session.buffered_bytes()), (0, 0));
    let mut holes = Talk::over(Transport::Tcp).server("1\n");
    for _ in 0..2 * Session::BEGINNINGS_MAX {
        holes = holes.loses(1).server("1\n");
    }
    assert!(holes.session.is_done());
}

/// A ClientHello as short as one can be (RFC 8446 §4.1.2).
fn client_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[0x5a; 32], &[0, 0, 2, 0x13, 0x01, 1, 0]].concat();
    let message = [&[1, 0, 0, body.len() as u8][..], &body].concat();
    [&[0x16, 3, 1, 0, message.len() as u8][..], &message].concat()
}

fn among_all(turns: &[(Sender, &[u8])], len: usize) -> (Vec<String>, Option<&'static str>) {
    let start = Start { transport: Transport::Tcp, client_port: 40_000, server_port: 9, is_midway: false };
    let (mut session, mut facts) = (Session::new(start), Vec::new());
    for (sender, bytes) in turns {
        for bytes in bytes.chunks(len) {
            session.on_bytes(Chunk { at: Timestamp::ZERO, sender: *sender, bytes, missing: 0 }, &mut facts);
        }
    }
    session.on_end(&mut facts);
    let said = facts.iter().filter(|(_, kind)| !matches!(kind, Statement::Malformed(_)));
    (said.map(|(protocol, _)| protocol.to_string()).collect(), session.protocol().map(Protocol::as_str))
}

#[test]
fn a_server_that_answers_in_another_protocol_is_read_in_that_one() {
    let (hello, refusal) = (client_hello(), &b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"[..]);
    let request = &b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"[..];
    let ssh = &b"SSH-2.0-OpenSSH_9.6\r\n"[..];
    for len in [1, 3, 7, 1000] {
        let (said, protocol) = among_all(&[(Sender::Client, &hello), (Sender::Server, refusal)], len);
        assert_eq!((said, protocol), (vec!["tls".to_string(), "http".to_string()], Some("tls")), "{len}");
        let (said, protocol) = among_all(&[(Sender::Client, request), (Sender::Server, ssh)], len);
        assert_eq!((said, protocol), (vec!["http".to_string(), "ssh".to_string()], Some("http")), "{len}");
        let as_client = among_all(&[(Sender::Client, request), (Sender::Server, &hello)], len);
        assert_eq!(as_client.0, ["http"], "a server asks nothing, {len}");
        let noise = (Sender::Server, &[0xee; 9][..]);
        assert_eq!(among_all(&[(Sender::Client, request), noise, (Sender::Server, ssh)], len).0, ["http"], "{len}");
        // What begins as an answer and breaks off later is one.
        let broken = (Sender::Server, &b"HTTP/1.1 zzz\r\nSSH-2.0-OpenSSH_9.6\r\n"[..]);
        assert_eq!(among_all(&[(Sender::Client, request), broken], len).0, ["http"], "{len}");
    }
}

#[test]
fn a_client_may_begin_with_tls_when_the_server_has_greeted_it() {
    let hello = client_hello();
    for greeting in ["hello, who is there?\r\n", "220 mail.example\r\n", "\u{1}"] {
        for len in [1, 7, 1000] {
            let turns = [(Sender::Server, greeting.as_bytes()), (Sender::Client, &hello)];
            assert!(among_all(&turns, len).0.contains(&"tls".to_string()), "{greeting:?} {len}");
        }
    }
}

#[test]
fn what_begins_a_later_turn_is_tls_before_it_is_the_end_of_anything_else() {
    // An X11 setup that lacks ten bytes of its authorization.
    let setup = [&b"B\0\0\x0b\0\0\0\x12\0\x10\0\0MIT-MAGIC-COOKIE-1\0\0"[..], &[0xc0; 6]].concat();
    let turns = [
        (Sender::Client, &setup[..]),
        (Sender::Server, b"\0\x09\0\x0b\0\0\0\x03no"),
        (Sender::Client, &client_hello()),
    ];
    let [whole, cut] = [usize::MAX, 1].map(|len| among_all(&turns, len));
    assert_eq!(whole.1, Some("tls"));
    assert_eq!(cut, whole);
    // Two bytes of a turn that ends with them are read all the same.
    let [whole, cut] = [usize::MAX, 1].map(|len| {
        among_all(&[(Sender::Client, &b"\0"[..]), (Sender::Server, b"\0"), (Sender::Client, b"\x16\x03")], len)
    });
    assert_eq!((&cut, whole.1), (&whole, None));
}

#[test]
fn what_a_load_balancer_says_before_a_stream_is_passed_over() {
    let hello = client_hello();
    let request = &b"POST / HTTP/1.1\r\nHost: a.example\r\n\r\n"[..];
    let line = &b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n"[..];
    let binary = &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\x01\xbb"[..];
    for len in [1, 7, 1000] {
        for header in [line, binary, b""] {
            for (stream, protocol) in [(&hello[..], "tls"), (request, "http")] {
                let turns = [(Sender::Client, &*[header, stream].concat())];
                assert_eq!(among_all(&turns, len).1, Some(protocol), "{header:?} {len}");
            }
        }
        let twice = (Sender::Client, &*[line, line, &hello].concat());
        assert_eq!(among_all(&[twice], len).1, None, "{len}");
    }
    assert_eq!(among_all(&[(Sender::Client, b"P")], 1).1, None);
}
