//! A Telnet stream in, its commands out (RFC 854, RFC 855).

use crate::protocol::cursor::Cursor;

pub const IAC: u8 = 0xff;
const SE: u8 = 0xf0;
const SB: u8 = 0xfa;
const WILL: u8 = 0xfb;
const DONT: u8 = 0xfe;

/// The longest subnegotiation that is read.
const SUBNEGOTIATION_BYTES_MAX: usize = 2 << 10;

const TERMINAL_TYPE: u8 = 24;
const X_DISPLAY_LOCATION: u8 = 35;
const NEW_ENVIRON: u8 = 39;
const IS: u8 = 0;
// RFC 1572 §2.
const VAR: u8 = 0;
const VALUE: u8 = 1;
const ESC: u8 = 2;
const USERVAR: u8 = 3;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command<'a> {
    /// WILL, WONT, DO or DONT.
    Option(u8),
    /// What stands between SB and SE.
    Subnegotiation(&'a [u8]),
    /// Any other, of two bytes.
    Plain,
}

/// Whether IANA's registry of options has it.
pub const fn is_registered(option: u8) -> bool {
    matches!(option, 0..=49 | 138..=140 | 255)
}

/// Passes over what is no command; a doubled IAC is one byte of data.
pub fn skip_data(cursor: &mut Cursor<'_>) {
    loop {
        let len = cursor.rest().iter().position(|&byte| byte == IAC).unwrap_or(cursor.len());
        cursor.skip(len);
        if !cursor.rest().starts_with(&[IAC, IAC]) {
            return;
        }
        cursor.skip(2);
    }
}

/// Takes the text before the first command: printable, or what moves the cursor and rings.
pub fn text<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    let is_text = |byte: &u8| matches!(byte, 0 | 7..=13 | 0x1b | b' '..=0x7e | 0x80..=0xfe);
    let bytes = cursor.rest();
    let len = bytes.iter().position(|byte| !is_text(byte)).unwrap_or(bytes.len());
    cursor.take(len).unwrap_or_default()
}

/// Whether a client's bytes are a key that shows what it is.
pub fn is_key(bytes: &[u8]) -> bool {
    matches!(bytes, [b' '..=b'~'])
}

pub const QUESTION_BYTES_MAX: usize = 9;

/// Whether a server's text asks who is there.
pub fn asks_for_name(text: &[u8]) -> bool {
    const QUESTIONS: [&[u8]; 3] = [b"login:", b"username:", b"password:"];
    QUESTIONS.iter().any(|question| text.windows(question.len()).any(|bytes| bytes.eq_ignore_ascii_case(question)))
}

/// Reads a command and moves the cursor behind it; none as long as it has not come whole.
pub fn command<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Command<'a>>, &'static str> {
    let mut ahead = *cursor;
    let (Some(_), Some(code)) = (ahead.u8(), ahead.u8()) else { return Ok(None) };
    let command = match code {
        WILL..=DONT => match ahead.u8() {
            Some(option) => Command::Option(option),
            None => return Ok(None),
        },
        SB => match until_end(&mut ahead) {
            Some(bytes) => Command::Subnegotiation(bytes),
            None if ahead.len() < SUBNEGOTIATION_BYTES_MAX => return Ok(None),
            None => return Err("telnet_subnegotiation"),
        },
        0xec..=0xf9 => Command::Plain,
        _ => return Err("telnet_command"),
    };
    *cursor = ahead;
    Ok(Some(command))
}

fn until_end<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let all = cursor.rest();
    let mut ahead = *cursor;
    loop {
        skip_data(&mut ahead);
        let len = all.len().checked_sub(ahead.len())?;
        if ahead.array()? == [IAC, SE] {
            *cursor = ahead;
            return all.get(..len);
        }
    }
}

/// What the client passes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subnegotiation {
    Display(Vec<u8>),
    Terminal(Vec<u8>),
    User(Vec<u8>),
}

pub fn subnegotiation(bytes: &[u8]) -> Option<Subnegotiation> {
    let mut cursor = Cursor::new(bytes);
    let option = cursor.u8()?;
    cursor.u8().filter(|&kind| kind == IS)?;
    let value = Some(cursor.rest()).filter(|value| !value.is_empty() && value.iter().all(u8::is_ascii_graphic));
    match option {
        TERMINAL_TYPE => Some(Subnegotiation::Terminal(value?.into())),
        X_DISPLAY_LOCATION => Some(Subnegotiation::Display(value?.into())),
        NEW_ENVIRON => user(cursor.rest()).map(Subnegotiation::User),
        _ => None,
    }
}

/// The value of USER among the variables.
fn user(variables: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut bytes = variables.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, parts.last_mut()) {
            (VAR | VALUE | USERVAR, _) => parts.push((byte, Vec::new())),
            (ESC, Some((_, text))) => text.extend(bytes.next()),
            (_, Some((_, text))) => text.push(byte),
            (_, None) => return None,
        }
    }
    let mut parts = parts.into_iter();
    parts.find(|(kind, name)| *kind != VALUE && name == b"USER")?;
    parts.next().filter(|(kind, user)| *kind == VALUE && !user.is_empty()).map(|(_, user)| user)
}
