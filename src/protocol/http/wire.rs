//! The head of a request or response of HTTP/1 in, its first line and the headers that are read out (RFC 9112).
//!
//! Read by hand: of a head only some headers matter, secrets among the others must not be touched, and what real
//! servers send (bare line feeds, bytes beyond ASCII) must not cost the flow.

use crate::facts::Value;
use crate::net::Text;
use crate::protocol::cursor::Cursor;

/// How much of a head is read.
pub const HEAD_BYTES_MAX: usize = 16 << 10;

/// The methods a request can open with whatever its target is: IANA's registry (RFC 9110 §9, RFC 5789, WebDAV and its
/// extensions), RPC over HTTP (MS-RPCH), the Remote Desktop gateway (MS-TSGU), SSTP (MS-SSTP), uploads of BITS (MC-BUP),
/// Configuration Manager's clients, and the discovery and events of UPnP. In order.
pub const METHODS: &[&str] = &[
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "BITS_POST",
    "CCM_POST",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LABEL",
    "LINK",
    "LOCK",
    "M-SEARCH",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "NOTIFY",
    "OPTIONS",
    "ORDERPATCH",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PUT",
    "QUERY",
    "RDG_IN_DATA",
    "RDG_OUT_DATA",
    "REBIND",
    "REPORT",
    "RPC_IN_DATA",
    "RPC_OUT_DATA",
    "SEARCH",
    "SSTP_DUPLEX_POST",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

const RESPONSE: &[u8] = b"HTTP/1.";

/// The longest method that is no known one.
const METHOD_BYTES_MAX: usize = 20;

/// What a client begins HTTP/2 with (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether a client begins HTTP/2. None as long as it cannot be told.
pub fn is_preface(bytes: &[u8]) -> Option<bool> {
    let known = bytes.get(..PREFACE.len()).unwrap_or(bytes);
    // One letter is a method's too, and those are told by `first_line`.
    let is_undecided = known.len() > 1 && known.len() < PREFACE.len() && PREFACE.starts_with(known);
    (!is_undecided).then_some(known == PREFACE)
}

/// What a stream begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FirstLine<'a> {
    Request {
        method: Method<'a>,
        target: &'a [u8],
        /// Without a version, as HTTP/0.9 has it (RFC 1945 §4.1).
        is_simple: bool,
    },
    Response {
        status: u16,
    },
}

/// A method: a known one, or any other token (RFC 9110 §9.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method<'a> {
    Known(&'static str),
    Other(&'a str),
}

impl<'a> Method<'a> {
    pub fn of(name: &'a [u8]) -> Option<Self> {
        if let Ok(at) = METHODS.binary_search_by(|method| method.as_bytes().cmp(name)) {
            return METHODS.get(at).copied().map(Self::Known);
        }
        let is_token = (1..=METHOD_BYTES_MAX).contains(&name.len()) && name.iter().all(|&byte| is_of_method(byte));
        std::str::from_utf8(name).ok().filter(|_| is_token).map(Self::Other)
    }

    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Known(name) => name,
            Self::Other(name) => name,
        }
    }

    pub fn value(self) -> Value {
        match self {
            Self::Known(name) => name.into(),
            Self::Other(name) => Text::from(name).into(),
        }
    }
}

/// A head and the headers that are read, the first of each name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head<'a> {
    pub first_line: FirstLine<'a>,
    pub host: Option<&'a [u8]>,
    pub user_agent: Option<&'a [u8]>,
    /// What the body is (RFC 9110 §8.3).
    pub content_type: Option<&'a [u8]>,
    pub server: Option<&'a [u8]>,
    pub upgrade: Option<&'a [u8]>,
    /// What is spoken in the WebSocket that is agreed on (RFC 6455 §11.3.4).
    pub web_socket_protocol: Option<&'a [u8]>,
    /// How its messages are changed on their way (RFC 6455 §11.3.2).
    pub web_socket_extensions: Option<&'a [u8]>,
    /// The name that the machine of a VPN's client gives itself (`X-CSTP-Hostname`).
    pub client_host: Option<&'a [u8]>,
    /// Of the client, for the server or a proxy.
    pub authorization: Option<&'a [u8]>,
    /// What the server or a proxy wants for it: the last one with a token in it.
    pub challenge: Option<&'a [u8]>,
    /// What a machine of UPnP announces or looks for (`NT`, `ST`).
    pub device_kind: Option<&'a [u8]>,
    /// The unique name of what it announces (`USN`).
    pub device_name: Option<&'a [u8]>,
    pub body: Body,
    /// It goes on beyond what is read of one.
    pub is_cut: bool,
}

/// How the end of the body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    Chunks,
    Length(u64),
    /// Up to the end of the stream, or by a rule that is not read.
    Unknown,
    /// No header speaks of one.
    Unsaid,
}

/// Reads the first line; none as long as it has not come whole. A server judges versions, and answers (RFC 9112 §2.3), and
/// reads lines that lack a word or have a blank too many (§3).
pub fn first_line<'a>(bytes: &'a [u8]) -> Result<Option<FirstLine<'a>>, &'static str> {
    const MALFORMED: &str = "first_line";
    let Some(line) = line(&mut Cursor::new(of_head(bytes))) else {
        let may_come = opens_as_known(bytes) || opens_with_other_method(bytes);
        return if may_come && bytes.len() < HEAD_BYTES_MAX { Ok(None) } else { Err(MALFORMED) };
    };
    if is_response(line) {
        return status(line).map(|status| Some(FirstLine::Response { status })).ok_or(MALFORMED);
    }
    let mut words = Cursor::new(line.trim_ascii_end());
    let method = words.until(b' ').and_then(Method::of).ok_or(MALFORMED)?;
    let behind = words.rest();
    let target = words.until(b' ');
    // A target with a space in it is wrong and sent all the same (RFC 9112 §3.2); its first word will do.
    let version = words.rest().rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    let (target, is_simple) = match (method, target) {
        (Method::Known(_), Some(target)) if is_any_version(version) => (target, false),
        (Method::Known(_), None) if is_any_version(behind) => (&b""[..], false),
        (Method::Known("GET" | "HEAD" | "POST"), None) if is_of_resource(behind) => (behind, true),
        (Method::Other(_), Some(target)) if is_plain_target(target) && is_version(version) => (target, false),
        _ => return Err(MALFORMED),
    };
    Ok(Some(FirstLine::Request { method, target, is_simple }))
}

/// Reads a head, and moves the cursor behind it; none as long as it has not come whole. One that is too long is read as far
/// as that goes, and nothing behind it.
pub fn head<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Head<'a>>, &'static str> {
    let Some(first_line) = first_line(cursor.rest())? else { return Ok(None) };
    let within = of_head(cursor.rest());
    let mut ahead = Cursor::new(within);
    line(&mut ahead);
    let mut head = Head::new(first_line);
    while let Some(line) = line(&mut ahead) {
        if line.is_empty() {
            cursor.skip(within.len().saturating_sub(ahead.len()));
            return Ok(Some(head));
        }
        let mut line = Cursor::new(line);
        if let Some(name) = line.until(b':') {
            head.header(name, line.rest().trim_ascii());
        }
    }
    if within.len() < HEAD_BYTES_MAX {
        return Ok(None);
    }
    cursor.skip(cursor.len());
    head.is_cut = true;
    Ok(Some(head))
}

/// As many bytes as are read of a head.
fn of_head(bytes: &[u8]) -> &[u8] {
    bytes.get(..HEAD_BYTES_MAX).unwrap_or(bytes)
}

impl<'a> Head<'a> {
    pub fn new(first_line: FirstLine<'a>) -> Self {
        Self {
            first_line,
            host: None,
            user_agent: None,
            content_type: None,
            server: None,
            upgrade: None,
            web_socket_protocol: None,
            web_socket_extensions: None,
            client_host: None,
            authorization: None,
            challenge: None,
            device_kind: None,
            device_name: None,
            body: Body::Unsaid,
            is_cut: false,
        }
    }

    /// Whether a header of this name is read out.
    pub fn reads(name: &[u8]) -> bool {
        let mut head = Head::new(FirstLine::Response { status: 0 });
        let before = head;
        head.header(name, b" ");
        head != before
    }

    /// Takes a header, if it is one that is read out.
    pub fn header(&mut self, name: &[u8], value: &'a [u8]) {
        let slot = match name {
            _ if name.eq_ignore_ascii_case(b"host") => &mut self.host,
            _ if name.eq_ignore_ascii_case(b"user-agent") => &mut self.user_agent,
            _ if name.eq_ignore_ascii_case(b"content-type") => &mut self.content_type,
            _ if name.eq_ignore_ascii_case(b"server") => &mut self.server,
            _ if name.eq_ignore_ascii_case(b"upgrade") => &mut self.upgrade,
            _ if name.eq_ignore_ascii_case(b"sec-websocket-protocol") => &mut self.web_socket_protocol,
            _ if name.eq_ignore_ascii_case(b"sec-websocket-extensions") => &mut self.web_socket_extensions,
            _ if name.eq_ignore_ascii_case(b"x-cstp-hostname") => &mut self.client_host,
            _ if name.eq_ignore_ascii_case(b"authorization") || name.eq_ignore_ascii_case(b"proxy-authorization") => {
                &mut self.authorization
            }
            _ if name.eq_ignore_ascii_case(b"nt") || name.eq_ignore_ascii_case(b"st") => &mut self.device_kind,
            _ if name.eq_ignore_ascii_case(b"usn") => &mut self.device_name,
            _ if name.eq_ignore_ascii_case(b"www-authenticate") || name.eq_ignore_ascii_case(b"proxy-authenticate") => {
                return self.challenge = Some(value).filter(|value| is_with_token(value)).or(self.challenge);
            }
            _ if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let is_last_in_chunks = value.rsplit(|&byte| byte == b',').next();
                let is_in_chunks =
                    is_last_in_chunks.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
                return self.body = if is_in_chunks { Body::Chunks } else { Body::Unknown };
            }
            _ if name.eq_ignore_ascii_case(b"content-length") && self.body == Body::Unsaid => {
                let length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                return self.body = length.filter(is_length).map_or(Body::Unknown, Body::Length);
            }
            _ => return,
        };
        slot.get_or_insert(value);
    }
}

/// The user name of a Basic credential (RFC 7617 §2). What follows the colon is not decoded.
pub fn basic_user(authorization: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = decoded(credentials(authorization, &[b"basic"])?);
    let mut user = Vec::new();
    loop {
        match bytes.next()? {
            b':' => return Some(user),
            byte => user.push(byte),
        }
    }
}

/// The token of GSS-API in a credential or a challenge (RFC 4559; MS-NTHT).
pub fn gss_token(value: &[u8]) -> Option<Vec<u8>> {
    credentials(value, &[b"negotiate", b"ntlm"]).map(|token| decoded(token).collect())
}

/// The DNS message that a target asks with (RFC 8484 §4.1).
pub fn dns_message(target: &[u8]) -> Option<Vec<u8>> {
    let query = target.splitn(2, |&byte| byte == b'?').nth(1)?;
    let message = query.split(|&byte| byte == b'&').find_map(|parameter| parameter.strip_prefix(b"dns="))?;
    Some(decoded(message).collect())
}

fn is_with_token(challenge: &[u8]) -> bool {
    credentials(challenge, &[b"negotiate", b"ntlm"]).is_some()
}

/// What stands behind a scheme that is one of these.
fn credentials<'a>(value: &'a [u8], schemes: &[&[u8]]) -> Option<&'a [u8]> {
    let mut words = Cursor::new(value);
    let scheme = words.until(b' ')?;
    schemes.iter().any(|name| name.eq_ignore_ascii_case(scheme)).then(|| words.rest().trim_ascii())
}

/// The bytes of a text in Base64 (RFC 4648 §4 and §5), up to the first character that is none of its alphabet.
fn decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut digits = text.iter().map_while(|&digit| base64(digit));
    let (mut bits, mut count) = (0_u32, 0_u32);
    std::iter::from_fn(move || {
        while count < 8 {
            bits = bits.wrapping_shl(6) | digits.next()?;
            count = count.saturating_add(6);
        }
        count = count.saturating_sub(8);
        u8::try_from(bits.wrapping_shr(count) & 0xff).ok()
    })
}

/// The size of the next chunk (RFC 9112 §7.1), with the cursor then behind its line; none as long as that has not come.
pub fn chunk_bytes(cursor: &mut Cursor<'_>) -> Result<Option<u64>, &'static str> {
    const LINE_BYTES_MAX: usize = 1 << 10;
    let Some(line) = line(cursor) else {
        return if cursor.len() > LINE_BYTES_MAX { Err("chunk") } else { Ok(None) };
    };
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let size = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
    size.filter(is_length).map(Some).ok_or("chunk")
}

/// Nobody sends more than a signed number of 64 bits counts: servers refuse it (RFC 9110 §8.6).
fn is_length(len: &u64) -> bool {
    i64::try_from(*len).is_ok()
}

fn base64(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit.wrapping_sub(b'A'),
        b'a'..=b'z' => digit.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => digit.wrapping_sub(b'0').wrapping_add(52),
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Host and port of an authority: `example.com:443`, `[2001:db8::1]:443`. The brackets are the host's, as in ECS.
pub fn authority(text: &[u8]) -> (&[u8], Option<u16>) {
    let text = text.rsplit(|&byte| byte == b'@').next().unwrap_or(text);
    if text.ends_with(b"]") {
        return (text, None);
    }
    match text.iter().rposition(|&byte| byte == b':').and_then(|at| text.split_at_checked(at)) {
        Some((host, rest)) => (host, rest.strip_prefix(b":").and_then(port)),
        None => (text, None),
    }
}

/// The authority of a target in absolute form (RFC 9112 §3.2.2); a scheme has no case (RFC 3986 §3.1).
pub fn authority_of(target: &[u8]) -> Option<&[u8]> {
    let behind = [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, behind) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(behind)
    })?;
    behind.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next().filter(|authority| !authority.is_empty())
}

fn port(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A line without its end.
pub fn line<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    cursor.until(b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn status(line: &[u8]) -> Option<u16> {
    let mut words = Cursor::new(line);
    words.until(b' ').filter(|version| is_version(version))?;
    let digits = words.take(3)?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|status| (100..=999).contains(status))
}

/// HTTP/1 and any minor version, in any case.
fn is_version(text: &[u8]) -> bool {
    let parts = text.split_at_checked(RESPONSE.len());
    parts.is_some_and(|(name, minor)| name.eq_ignore_ascii_case(RESPONSE) && matches!(minor, [b'0'..=b'9']))
}

/// A version of HTTP whatever its numbers are (RFC 9112 §2.3), in any case.
fn is_any_version(text: &[u8]) -> bool {
    let Some((name, numbers)) = text.split_at_checked(b"HTTP/".len()) else { return false };
    let mut numbers = numbers.split(|&byte| byte == b'.');
    let mut is_next_number =
        || numbers.next().is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
    name.eq_ignore_ascii_case(b"HTTP/") && is_next_number() && is_next_number() && numbers.next().is_none()
}

const fn is_of_method(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// A path, or an absolute URI of HTTP.
fn is_of_resource(target: &[u8]) -> bool {
    target.starts_with(b"/") || authority_of(target).is_some()
}

/// A target that nothing but one looks like: in origin form, asterisk form or absolute form (RFC 9112 §3.2).
fn is_plain_target(target: &[u8]) -> bool {
    is_of_resource(target) || target == b"*"
}

/// Whether a request with a method that is no known one may come of these bytes, which have no end of line.
fn opens_with_other_method(bytes: &[u8]) -> bool {
    let mut words = Cursor::new(bytes);
    let Some(method) = words.until(b' ') else {
        return bytes.len() <= METHOD_BYTES_MAX && bytes.iter().all(|&byte| is_of_method(byte));
    };
    let target = words.rest();
    let is_target = matches!(target, [] | [b'/', ..] | [b'*'] | [b'*', b' ', ..])
        || [&b"http://"[..], b"https://"].iter().any(|scheme| target.starts_with(scheme) || scheme.starts_with(target));
    Method::of(method).is_some() && is_target
}

/// Whether a response, or a request with a known method, may come of these bytes.
pub fn opens_as_known(bytes: &[u8]) -> bool {
    opens_as_response(bytes) || METHODS.iter().any(|method| opens_as_request(bytes, method))
}

fn is_response(line: &[u8]) -> bool {
    line.len() >= RESPONSE.len() && opens_as_response(line)
}

fn opens_as_response(bytes: &[u8]) -> bool {
    bytes.iter().zip(RESPONSE).all(|(byte, other)| byte.eq_ignore_ascii_case(other))
}

fn opens_as_request(bytes: &[u8], method: &str) -> bool {
    let method = method.as_bytes();
    match bytes.strip_prefix(method) {
        Some(rest) => rest.first().is_none_or(|&byte| byte == b' '),
        None => method.starts_with(bytes),
    }
}
