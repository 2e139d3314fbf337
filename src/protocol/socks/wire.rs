//! Bytes to values: the messages of SOCKS 4 and 4a, of RFC 1928 and of RFC 1929. Each reader gives none where the message
//! is not there whole yet.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::net::Text;
use crate::protocol::cursor::Cursor;

pub const METHOD_NONE: u8 = 0x00;
pub const METHOD_USER: u8 = 0x02;
const METHOD_REFUSED: u8 = 0xff;
/// The last method that IANA has given a meaning.
const METHOD_MAX: u8 = 0x09;
/// The most bytes of a user or host in SOCKS 4.
const NAME_BYTES_MAX: usize = 255;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    pub command: &'static str,
    /// `example.com:443`
    pub destination: Text,
}

/// SOCKS 4: command, port, address, user, and in 4a a host. The user is told where it is UTF-8.
pub fn request4(cursor: &mut Cursor<'_>) -> Result<Option<(Request, Option<Text>)>, &'static str> {
    let mut ahead = *cursor;
    let Some(head) = ahead.array::<2>() else { return Ok(None) };
    let command = match head {
        [4, 1] => "connect",
        [4, 2] => "bind",
        _ => return Err("socks_request"),
    };
    let (Some(port), Some(address)) = (ahead.u16(), ahead.array::<4>()) else { return Ok(None) };
    // A user's name may have spaces in it, as Windows has them, and letters in whatever encoding.
    let is_user = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ' || !byte.is_ascii();
    let Some(user) = name(&mut ahead, is_user)? else { return Ok(None) };
    let destination = match address {
        [0, 0, 0, 0] => return Err("socks_request"),
        [0, 0, 0, _] => match name(&mut ahead, u8::is_ascii_graphic)? {
            None => return Ok(None),
            Some([]) => return Err("socks_request"),
            Some(host) => format!("{}:{port}", Text::from_latin1(host)),
        },
        address => format!("{}:{port}", Ipv4Addr::from(address)),
    };
    *cursor = ahead;
    let user = std::str::from_utf8(user).ok().map(Text::from);
    Ok(Some((Request { command, destination: destination.into() }, user)))
}

/// Certain bytes up to a zero.
fn name<'a>(cursor: &mut Cursor<'a>, is_of_it: impl Fn(&u8) -> bool) -> Result<Option<&'a [u8]>, &'static str> {
    let bytes = cursor.rest();
    let is_text = |bytes: &[u8]| bytes.len() <= NAME_BYTES_MAX && bytes.iter().all(&is_of_it);
    match cursor.until(0) {
        Some(name) if is_text(name) => Ok(Some(name)),
        None if is_text(bytes) => Ok(None),
        _ => Err("socks_request"),
    }
}

/// Whether a SOCKS 4 proxy grants a request.
pub fn answer4(cursor: &mut Cursor<'_>) -> Result<Option<bool>, &'static str> {
    if cursor.peek().is_some_and(|first| first != 0) {
        return Err("socks_answer");
    }
    let mut ahead = *cursor;
    let Some([_, code, ..]) = ahead.array::<8>() else { return Ok(None) };
    *cursor = ahead;
    match code {
        0x5a => Ok(Some(true)),
        0x5b..=0x5d => Ok(Some(false)),
        _ => Err("socks_answer"),
    }
}

/// The methods that a client offers (RFC 1928 §3): whether a user with a password is one of them.
pub fn methods(cursor: &mut Cursor<'_>) -> Result<Option<bool>, &'static str> {
    let mut ahead = *cursor;
    if ahead.u8().is_some_and(|version| version != 5) || ahead.peek() == Some(0) {
        return Err("socks_methods");
    }
    let Some(methods) = ahead.vec8() else {
        let is_short = cursor.rest().get(2..).unwrap_or_default().iter().all(|method| is_method(*method));
        return if is_short { Ok(None) } else { Err("socks_methods") };
    };
    *cursor = ahead;
    let are_methods = methods.rest().iter().all(|method| is_method(*method));
    are_methods.then_some(Some(methods.rest().contains(&METHOD_USER))).ok_or("socks_methods")
}

const fn is_method(method: u8) -> bool {
    method <= METHOD_MAX || (method >= 0x80 && method < METHOD_REFUSED)
}

/// The method that the proxy chose.
pub fn method(cursor: &mut Cursor<'_>) -> Result<Option<u8>, &'static str> {
    let mut ahead = *cursor;
    let Some([version, method]) = ahead.array() else { return Ok(None) };
    *cursor = ahead;
    if version == 5 && (is_method(method) || method == METHOD_REFUSED) { Ok(Some(method)) } else { Err("socks_method") }
}

/// The user of RFC 1929 §2, and a password that is passed over.
pub fn user(cursor: &mut Cursor<'_>) -> Result<Option<Text>, &'static str> {
    let mut ahead = *cursor;
    if ahead.u8().is_some_and(|version| version != 1) {
        return Err("socks_user");
    }
    let (Some(user), Some(_password)) = (ahead.vec8(), ahead.vec8()) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(Text::from_utf8(user.rest())))
}

/// Whether bytes begin as a user and a password do (RFC 1929 §2): version, and a name that is not empty.
pub fn begins_user(bytes: &[u8]) -> bool {
    bytes.first() == Some(&1) && bytes.get(1) != Some(&0)
}

/// Whether bytes begin as what a client says that does not wait for the method: a user with a password where it has offered
/// that, a request, or both.
pub fn begins_early(bytes: &[u8], offers_user: bool) -> bool {
    let mut cursor = Cursor::new(bytes);
    if offers_user && begins_user(bytes) && !matches!(user(&mut cursor), Ok(Some(_))) {
        return true;
    }
    begins_request5(cursor.rest())
}

/// What a proxy says whose client is not seen, as far as it is there: the choice of no method or of a user, who is let in,
/// and the answer to the request. None once it is something else.
pub fn begins_answers(bytes: &[u8]) -> Option<bool> {
    let mut cursor = Cursor::new(bytes);
    let fits = |cursor: Cursor<'_>, expected: &[u8]| expected.starts_with(cursor.rest());
    for opening in [&[5, METHOD_NONE][..], &[5, METHOD_USER, 1, 0]] {
        if fits(cursor, opening) && cursor.len() < opening.len() {
            return Some(false);
        }
        if bytes.starts_with(opening) {
            cursor.skip(opening.len())?;
            return answer5(&mut cursor).ok().map(|answer| answer.is_some());
        }
    }
    None
}

/// Whether the proxy lets the user in.
pub fn user_answer(cursor: &mut Cursor<'_>) -> Result<Option<bool>, &'static str> {
    let mut ahead = *cursor;
    let Some([version, status]) = ahead.array() else { return Ok(None) };
    *cursor = ahead;
    // Some proxies answer with the protocol's version in place of the negotiation's.
    if matches!(version, 1 | 5) { Ok(Some(status == 0)) } else { Err("socks_user") }
}

/// Whether bytes begin as a request of version 5 does (RFC 1928 §4): version, command, reserved, kind of address.
pub fn begins_request5(bytes: &[u8]) -> bool {
    let fits = |at: usize, values: &[u8]| bytes.get(at).is_none_or(|byte| values.contains(byte));
    fits(0, &[5]) && fits(1, &[1, 2, 3]) && fits(2, &[0]) && fits(3, &[1, 3, 4])
}

/// A request (RFC 1928 §4).
pub fn request5(cursor: &mut Cursor<'_>) -> Result<Option<Request>, &'static str> {
    let Some((code, destination)) = message5(cursor)? else { return Ok(None) };
    let command = match code {
        1 => "connect",
        2 => "bind",
        3 => "udp_associate",
        _ => return Err("socks_request"),
    };
    Ok(Some(Request { command, destination }))
}

/// Whether the proxy grants a request (RFC 1928 §6).
pub fn answer5(cursor: &mut Cursor<'_>) -> Result<Option<bool>, &'static str> {
    match message5(cursor)? {
        None => Ok(None),
        Some((code, _)) if code <= 8 => Ok(Some(code == 0)),
        Some(_) => Err("socks_answer"),
    }
}

/// Version, code, a reserved byte, address and port: the shape of requests and replies.
fn message5(cursor: &mut Cursor<'_>) -> Result<Option<(u8, Text)>, &'static str> {
    let mut ahead = *cursor;
    let Some([version, code, reserved, kind]) = ahead.array() else { return Ok(None) };
    if version != 5 || reserved != 0 {
        return Err("socks_message");
    }
    let host = match kind {
        1 => ahead.array::<4>().map(|address| Ipv4Addr::from(address).to_string()),
        3 => ahead.vec8().map(|host| Text::from_utf8(host.rest()).as_str().to_owned()),
        4 => ahead.array::<16>().map(|address| format!("[{}]", Ipv6Addr::from(address))),
        _ => return Err("socks_message"),
    };
    let (Some(host), Some(port)) = (host, ahead.u16()) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some((code, format!("{host}:{port}").into())))
}
