//! Mail and file transfer in as far as TLS: a server's greeting, a client's first commands and its wish for TLS (SMTP RFC
//! 3207, IMAP RFC 9051 §6.2.1, POP3 RFC 2595 §4, FTP RFC 4217). The greeting out; the flow is then TLS. Where a client
//! logs on or goes on in clear, nothing more is read.

mod dialect;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::words::Word;
use crate::facts::{Hello, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, tls};
use dialect::{Command, Dialect, Reply};

pub const FTP: ProtocolSpec = spec(&"ftp", |opening| probe(opening, Dialect::Ftp), |_| start(Dialect::Ftp));
pub const IMAP: ProtocolSpec = spec(&"imap", |opening| probe(opening, Dialect::Imap), |_| start(Dialect::Imap));
pub const POP3: ProtocolSpec = spec(&"pop3", |opening| probe(opening, Dialect::Pop3), |_| start(Dialect::Pop3));
pub const SMTP: ProtocolSpec = spec(&"smtp", |opening| probe(opening, Dialect::Smtp), |_| start(Dialect::Smtp));

const GREETING: FieldSpec =
    FieldSpec { name: "starttls.greeting", help: "What the server says first: often its name and software." };

const fn spec(
    name: &'static Word,
    probe: fn(&Opening<'_>) -> Probe,
    start: fn(&crate::protocol::Start) -> Box<dyn Parser>,
) -> ProtocolSpec {
    ProtocolSpec {
        protocol: Protocol::new(name),
        transports: &[Transport::Tcp],
        // A client's command.
        opens_with: &[(b'!', b'~')],
        probe,
        start,
        fields: &[GREETING],
    }
}

fn start(dialect: Dialect) -> Box<dyn Parser> {
    Box::new(StartTls { dialect, phase: Phase::Greeting, greeting: None, lines: 0 })
}

/// The client's first command decides; the parser then sees what the server said before it.
fn probe(opening: &Opening<'_>, dialect: Dialect) -> Probe {
    if opening.sender == Sender::Server {
        return Probe::No;
    }
    match line(&mut Cursor::new(opening.bytes)) {
        Line::Whole(line) if dialect.command(line).is_some() => Probe::Match,
        Line::Part(part) if dialect.can_begin_with(part) => Probe::More,
        Line::Part(_) | Line::TooLong | Line::Whole(_) => Probe::No,
    }
}

enum Line<'a> {
    /// Without its end.
    Whole(&'a [u8]),
    Part(&'a [u8]),
    TooLong,
}

const LINE_BYTES_MAX: usize = 1024;

fn line<'a>(cursor: &mut Cursor<'a>) -> Line<'a> {
    let before = cursor.rest();
    match cursor.until(b'\n') {
        Some(line) if line.len() <= LINE_BYTES_MAX => Line::Whole(line.strip_suffix(b"\r").unwrap_or(line)),
        None if before.len() <= LINE_BYTES_MAX => Line::Part(before),
        Some(_) | None => Line::TooLong,
    }
}

struct StartTls {
    dialect: Dialect,
    phase: Phase,
    greeting: Option<Text>,
    lines: u32,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Phase {
    /// The server has not greeted yet.
    Greeting,
    /// The client may ask for TLS.
    Clear,
    /// It has asked, in IMAP under this tag.
    Asked(Box<[u8]>),
}

enum Step {
    Next,
    Over,
    Reject,
    Tls,
    Wait,
}

impl StartTls {
    /// Who has not asked for TLS within so many lines will not.
    const LINES_MAX: u32 = 100;

    fn on_line(&mut self, line: &[u8], sender: Sender, facts: &mut Vec<Statement>) -> Step {
        match (&self.phase, sender) {
            (Phase::Greeting, Sender::Server) if self.dialect.greets(line) => {
                self.greeting = Some(Text::from_utf8(line));
                self.phase = Phase::Clear;
                Step::Next
            }
            (Phase::Greeting, _) => Step::Reject,
            (Phase::Clear, Sender::Server) => Step::Next,
            (Phase::Clear, Sender::Client) => {
                self.claim(facts);
                match self.dialect.command(line) {
                    Some(Command::Harmless) => Step::Next,
                    Some(Command::StartTls { tag }) => {
                        self.phase = Phase::Asked(tag.into());
                        Step::Next
                    }
                    Some(Command::LogOn) | None => Step::Over,
                }
            }
            (Phase::Asked(tag), Sender::Server) => match self.dialect.reply(line, tag) {
                Reply::Granted => Step::Tls,
                Reply::Other => Step::Next,
                Reply::Refused => {
                    self.phase = Phase::Clear;
                    Step::Next
                }
            },
            // What follows the wish is TLS, if it is granted.
            (Phase::Asked(_), Sender::Client) => Step::Wait,
        }
    }

    fn claim(&mut self, facts: &mut Vec<Statement>) {
        let Some(greeting) = self.greeting.take() else { return };
        let mut hello = Hello::new(Sender::Server);
        hello.fields.push(GREETING.name, greeting);
        facts.push(Statement::Hello(Box::new(hello)));
    }
}

impl Parser for StartTls {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        let mut consumed = 0_usize;
        while let Line::Whole(line) = line(&mut cursor) {
            let end = chunk.bytes.len().saturating_sub(cursor.len());
            let step = self.on_line(line, chunk.sender, facts);
            if !matches!(step, Step::Wait) {
                self.lines = self.lines.saturating_add(1);
            }
            match step {
                Step::Next if self.lines < Self::LINES_MAX => consumed = end,
                Step::Next | Step::Over => return Progress::Done,
                Step::Reject => return Progress::Reject,
                Step::Tls => return Progress::Upgrade { to: tls::PROTOCOL, consumed: end },
                Step::Wait => return Progress::Continue { consumed },
            }
        }
        if chunk.bytes.len().saturating_sub(consumed) > LINE_BYTES_MAX && !matches!(self.phase, Phase::Asked(_)) {
            return if self.phase == Phase::Greeting { Progress::Reject } else { Progress::Done };
        }
        Progress::Continue { consumed }
    }
}
