//! Lines to meanings: what greets, what asks for TLS and what grants it, in each protocol.

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    Ftp,
    Imap,
    Pop3,
    Smtp,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Command<'a> {
    /// May come before TLS is asked for.
    Harmless,
    /// The client goes on in clear.
    LogOn,
    /// The tag is IMAP's.
    StartTls { tag: &'a [u8] },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reply {
    Granted,
    /// To an earlier command.
    Other,
    Refused,
}

const NO_TAG: &[u8] = b"";

impl Dialect {
    /// The commands a client may begin with, before their arguments: harmless ones, then those to log on.
    const fn verbs(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Ftp => (&["CLNT", "FEAT", "HOST", "NOOP", "OPTS", "PBSZ", "SYST"], &["ACCT", "PASS", "USER"]),
            Self::Imap => (&["CAPABILITY", "ID", "NOOP"], &["AUTHENTICATE", "LOGIN"]),
            Self::Pop3 => (&["CAPA", "NOOP", "UTF8"], &["APOP", "AUTH", "USER"]),
            Self::Smtp => (&["EHLO", "HELO", "NOOP", "RSET"], &["AUTH", "MAIL", "XCLIENT"]),
        }
    }

    pub(super) fn greets(self, line: &[u8]) -> bool {
        match self {
            Self::Ftp | Self::Smtp => is_reply(line, b"220"),
            Self::Imap => line.starts_with(b"* OK"),
            Self::Pop3 => line.starts_with(b"+OK"),
        }
    }

    pub(super) fn command(self, line: &[u8]) -> Option<Command<'_>> {
        let (tag, line) = match self {
            Self::Imap => split(line),
            _ => (NO_TAG, line),
        };
        if self == Self::Imap && !is_tag(tag) {
            return None;
        }
        let (verb, argument) = split(line);
        let is = |name: &&str| verb.eq_ignore_ascii_case(name.as_bytes());
        let (harmless, log_on) = self.verbs();
        let asks = match self {
            Self::Ftp => {
                let kinds = ["TLS", "TLS-C", "SSL"];
                is(&"AUTH") && kinds.iter().any(|kind| argument.eq_ignore_ascii_case(kind.as_bytes()))
            }
            Self::Imap | Self::Smtp => is(&"STARTTLS"),
            Self::Pop3 => is(&"STLS"),
        };
        if asks {
            return Some(Command::StartTls { tag });
        }
        // Without a mechanism it asks which there are (RFC 5034 §4).
        let asks_for_mechanisms = self == Self::Pop3 && is(&"AUTH") && argument.is_empty();
        if asks_for_mechanisms || harmless.iter().any(is) {
            return Some(Command::Harmless);
        }
        log_on.iter().any(is).then_some(Command::LogOn)
    }

    /// Whether the beginning of a line, its end still to come, can be a command's.
    pub(super) fn can_begin_with(self, part: &[u8]) -> bool {
        let (verb, _) = split(part.strip_suffix(b"\r").unwrap_or(part));
        match self {
            Self::Imap => is_tag(verb),
            _ => verb.len() <= "STARTTLS".len() && verb.iter().all(u8::is_ascii_alphanumeric),
        }
    }

    pub(super) fn reply(self, line: &[u8], tag: &[u8]) -> Reply {
        let (word, rest) = split(line);
        match self {
            Self::Ftp if is_reply(line, b"234") => Reply::Granted,
            Self::Smtp if is_reply(line, b"220") => Reply::Granted,
            Self::Ftp | Self::Smtp if matches!(line.first(), Some(b'4' | b'5')) => Reply::Refused,
            Self::Ftp | Self::Smtp => Reply::Other,
            Self::Imap if word != tag => Reply::Other,
            Self::Imap if split(rest).0.eq_ignore_ascii_case(b"OK") => Reply::Granted,
            Self::Imap => Reply::Refused,
            Self::Pop3 if word == b"+OK" => Reply::Granted,
            Self::Pop3 if word == b"-ERR" => Reply::Refused,
            Self::Pop3 => Reply::Other,
        }
    }
}

/// A reply's code, before a space, or a hyphen where more lines follow (RFC 5321 §4.2.1, RFC 959 §4.2).
fn is_reply(line: &[u8], code: &[u8]) -> bool {
    line.strip_prefix(code).is_some_and(|rest| matches!(rest.first(), None | Some(b' ' | b'-')))
}

/// RFC 9051 §2.2.1: short, printable, none of the characters that mean something.
fn is_tag(tag: &[u8]) -> bool {
    const LEN_MAX: usize = 32;
    let is_of_tag = |byte: &u8| byte.is_ascii_graphic() && !b"(){%*\"\\+".contains(byte);
    (1..=LEN_MAX).contains(&tag.len()) && tag.iter().all(is_of_tag)
}

/// The first word and what follows the space behind it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
    (word, rest.strip_prefix(b" ").unwrap_or(rest))
}
