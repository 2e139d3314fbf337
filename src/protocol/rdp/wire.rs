//! Bytes to values: TPKT (RFC 1006 §6), the X.224 negotiation, the MCS and GCC settings and the client info of
//! [MS-RDPBCGR] §2.2.1.

use crate::net::Text;
use crate::protocol::cursor::Cursor;

pub const TPKT_VERSION: u8 = 3;
const X224_CONNECTION_REQUEST: u8 = 0xe0;
const X224_CONNECTION_CONFIRM: u8 = 0xd0;
const X224_DATA: [u8; 3] = [0x02, 0xf0, 0x80];

const TYPE_RDP_NEG_REQ: u8 = 0x01;
const TYPE_RDP_NEG_RSP: u8 = 0x02;
const TYPE_RDP_NEG_FAILURE: u8 = 0x03;
const TYPE_RDP_CORRELATION_INFO: u8 = 0x06;
const CORRELATION_INFO_PRESENT: u8 = 0x08;

/// The tags of T.125 §7: Connect-Initial and Connect-Response, application-wide 101 and 102.
const MCS_CONNECT_INITIAL: [u8; 2] = [0x7f, 0x65];
const MCS_CONNECT_RESPONSE: [u8; 2] = [0x7f, 0x66];
const MCS_SEND_DATA_REQUEST: u8 = 0x64;
const BER_INTEGER: u8 = 0x02;
const BER_OCTET_STRING: u8 = 0x04;
const BER_ENUMERATED: u8 = 0x0a;
const BER_SEQUENCE: u8 = 0x30;
const BER_BOOLEAN: u8 = 0x01;

/// The object identifier of T.124 at the head of GCC connect data.
const T124_IDENTIFIER: [u8; 7] = [0x00, 0x05, 0x00, 0x14, 0x7c, 0x00, 0x01];
/// A conference create request named "1" with one set of user data.
const CONFERENCE_CREATE_REQUEST: [u8; 8] = [0x00, 0x08, 0x00, 0x10, 0x00, 0x01, 0xc0, 0x00];
/// The H.221 keys of the client's and the server's user data.
const CLIENT_KEY: &[u8; 4] = b"Duca";
const SERVER_KEY: &[u8; 4] = b"McDn";

const CS_CORE: u16 = 0xc001;
const CS_NET: u16 = 0xc003;
const SC_SECURITY: u16 = 0x0c02;
/// The most static channels a client may name ([MS-RDPBCGR] §2.2.1.3.4).
const CHANNELS_MAX: u32 = 31;

const SEC_ENCRYPT: u16 = 0x0008;
const SEC_INFO_PKT: u16 = 0x0040;
const INFO_UNICODE: u32 = 0x0000_0010;

/// The security protocols of RDP_NEG_REQ and RDP_NEG_RSP (§2.2.1.1.1): bits in a request, one value in an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Protocols(pub u32);

impl Protocols {
    const NAMES: [(u32, &'static str); 5] =
        [(0x01, "tls"), (0x02, "credssp"), (0x04, "rdstls"), (0x08, "credssp_early"), (0x10, "aad")];

    pub fn names(self) -> Vec<&'static str> {
        let named = Self::NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| *name);
        if self.0 == 0 { vec!["rdp"] } else { named.collect() }
    }

    /// The name of a selected protocol; none for a value that no specification names.
    pub fn name(self) -> Option<&'static str> {
        if self.0 == 0 {
            return Some("rdp");
        }
        Self::NAMES.iter().find(|(value, _)| *value == self.0).map(|(_, name)| *name)
    }

    /// Whether the server insists that the user proves itself before a desktop is shown (NLA).
    pub const fn is_network_level(self) -> bool {
        matches!(self.0, 0x02 | 0x08)
    }
}

/// The client's X.224 Connection Request (§2.2.1.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The user name of `Cookie: mstshash=`.
    pub cookie: Option<Text>,
    /// It has a cookie or a routing token, or a negotiation that breaks a rule.
    pub is_marked: bool,
    pub protocols: Option<Protocols>,
}

impl Request {
    /// Whether nothing in it is RDP's own: any ISO transport may begin so.
    pub const fn is_bare(&self) -> bool {
        !self.is_marked && self.protocols.is_none()
    }
}

/// The server's X.224 Connection Confirm (§2.2.1.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Confirm {
    /// Without negotiation data: an old server, or the answer to a bare request.
    Bare,
    Failure(u32),
    Selected(Protocols),
}

/// Why a server refused (§2.2.1.2.2).
pub const fn failure_name(code: u32) -> Option<&'static str> {
    Some(match code {
        1 => "ssl_required",
        2 => "ssl_not_allowed",
        3 => "ssl_certificate_missing",
        4 => "inconsistent_flags",
        5 => "hybrid_required",
        6 => "ssl_with_user_authentication_required",
        _ => return None,
    })
}

/// The body of the next TPKT packet; none where it is not there whole yet.
pub fn tpkt<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Cursor<'a>>, &'static str> {
    let mut ahead = *cursor;
    let Some(version) = ahead.u8() else { return Ok(None) };
    if version != TPKT_VERSION {
        return Err("rdp_tpkt");
    }
    let (Some(_reserved), Some(len)) = (ahead.u8(), ahead.u16()) else { return Ok(None) };
    let len = usize::from(len).checked_sub(4).filter(|&len| len >= X224_DATA.len()).ok_or("rdp_tpkt")?;
    let Some(body) = ahead.sub(len) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(body))
}

/// Reads the body of a TPKT packet as a Connection Request. Behind a cookie whose text is RDP's the rest may be malformed; on
/// RDP's port a token of any balancer may have nothing behind it, and a negotiation another length than its own.
pub fn request(mut body: Cursor<'_>, on_port: bool) -> Option<Request> {
    x224_connection(&mut body, X224_CONNECTION_REQUEST)?;
    let mut request = Request { cookie: None, is_marked: false, protocols: None };
    let mut is_known = false;
    while body.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
        match token(&mut body)? {
            Token::Cookie(user) => (request.cookie, is_known) = (Some(user).filter(|user| !user.is_empty()), true),
            Token::Known => is_known = true,
            Token::Other => {}
        }
        request.is_marked = true;
    }
    request.protocols = requested(body);
    if request.protocols.is_some() || is_known {
        return Some(request);
    }
    if body.is_empty() {
        return (!request.is_marked || on_port).then_some(request);
    }
    request.is_marked = true;
    (on_port && body.peek() == Some(TYPE_RDP_NEG_REQ) && body.len() == NEGOTIATION_BYTES).then_some(request)
}

/// What may stand before the negotiation (§2.2.1.1).
enum Token {
    Cookie(Text),
    /// As Microsoft's own balancers have it.
    Known,
    /// Of somebody's own load balancer, as the client was configured to send it.
    Other,
}

/// Takes a cookie or a routing token off, with its CR LF. Clients that break the rule leave that out, or half of it.
fn token(body: &mut Cursor<'_>) -> Option<Token> {
    const CR_LF: &[u8] = b"\r\n";
    let end_at = body.rest().windows(CR_LF.len()).position(|end| end == CR_LF);
    let text = || body.rest().iter().take_while(|byte| !byte.is_ascii_control()).count();
    let line = body.take(end_at.unwrap_or_else(text))?;
    let _end = body.skip(if end_at.is_some() { CR_LF.len() } else { usize::from(body.peek() == Some(b'\n')) });
    if let Some(user) = line.strip_prefix(b"Cookie: mstshash=") {
        return Some(Token::Cookie(Text::from(Text::from_utf8(user).as_str().trim())));
    }
    if line.starts_with(b"Cookie: msts=") || line.starts_with(b"tsv://") {
        return Some(Token::Known);
    }
    let is_text = line.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    (end_at.is_some() && is_text).then_some(Token::Other)
}

/// The security protocols that a negotiation asks for.
fn requested(mut body: Cursor<'_>) -> Option<Protocols> {
    let (kind, flags, value) = negotiation(&mut body)?;
    (kind == TYPE_RDP_NEG_REQ).then_some(())?;
    if flags & CORRELATION_INFO_PRESENT != 0 && !body.is_empty() {
        let is_correlation_info = body.u8()? == TYPE_RDP_CORRELATION_INFO && body.u8()? == 0 && body.u16_le()? == 36;
        body.skip(32).filter(|()| is_correlation_info)?;
    }
    body.is_empty().then_some(Protocols(value))
}

/// Reads the body of a TPKT packet as a Connection Confirm.
pub fn confirm(mut body: Cursor<'_>) -> Option<Confirm> {
    x224_connection(&mut body, X224_CONNECTION_CONFIRM)?;
    if body.is_empty() {
        return Some(Confirm::Bare);
    }
    let (kind, _, value) = negotiation(&mut body)?;
    match kind {
        _ if !body.is_empty() => None,
        TYPE_RDP_NEG_RSP => Protocols(value).name().map(|_| Confirm::Selected(Protocols(value))),
        TYPE_RDP_NEG_FAILURE => failure_name(value).map(|_| Confirm::Failure(value)),
        _ => None,
    }
}

/// The length indicator, code, references and class 0 of an X.224 connection TPDU, whose length the indicator tells.
fn x224_connection(body: &mut Cursor<'_>, code: u8) -> Option<()> {
    let len = usize::from(body.u8()?);
    let fits = len == body.len() && body.u8()? == code;
    body.skip(4)?; // references
    (fits && body.u8()? == 0).then_some(())
}

/// RDP_NEG_REQ, RDP_NEG_RSP and RDP_NEG_FAILURE: type, flags, length and value.
const NEGOTIATION_BYTES: usize = 8;

/// Type, flags and value of one.
fn negotiation(body: &mut Cursor<'_>) -> Option<(u8, u8, u32)> {
    let (kind, flags) = (body.u8()?, body.u8()?);
    (usize::from(body.u16_le()?) == NEGOTIATION_BYTES).then_some(())?;
    Some((kind, flags, body.u32_le()?))
}

/// What the client tells of itself (TS_UD_CS_CORE and TS_UD_CS_NET, §2.2.1.3.2 and §2.2.1.3.4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientSettings {
    pub desktop_width: u16,
    pub desktop_height: u16,
    pub keyboard_layout: u32,
    pub build: u32,
    pub name: Text,
    /// `clientDigProductId`, which names the installation.
    pub product_id: Option<Text>,
    pub channels: Vec<Text>,
}

/// Whether a TPKT body is an MCS Connect-Initial, whoever uses it.
pub fn is_connect_initial(body: Cursor<'_>) -> bool {
    body.rest().strip_prefix(&X224_DATA).is_some_and(|data| data.starts_with(&MCS_CONNECT_INITIAL))
}

/// Reads a TPKT body as an MCS Connect-Initial with the client's settings (§2.2.1.3).
pub fn connect_initial(mut body: Cursor<'_>) -> Option<ClientSettings> {
    let mut initial = connect(&mut body, MCS_CONNECT_INITIAL)?;
    ber(&mut initial, BER_OCTET_STRING)?; // calling domain
    ber(&mut initial, BER_OCTET_STRING)?; // called domain
    ber(&mut initial, BER_BOOLEAN)?;
    for _ in 0..3 {
        ber(&mut initial, BER_SEQUENCE)?; // target, least and greatest domain parameters
    }
    let mut gcc = ber(&mut initial, BER_OCTET_STRING)?;
    (gcc.array()? == T124_IDENTIFIER).then_some(())?;
    per_len(&mut gcc)?;
    (gcc.array()? == CONFERENCE_CREATE_REQUEST && &gcc.array()? == CLIENT_KEY).then_some(())?;
    let len = per_len(&mut gcc)?;
    client_settings(gcc.sub(len)?)
}

fn client_settings(mut blocks: Cursor<'_>) -> Option<ClientSettings> {
    let mut settings = None;
    let mut channels = Vec::new();
    while let Some((kind, block)) = user_data_block(&mut blocks) {
        match kind {
            CS_CORE => settings = client_core(block),
            CS_NET => channels = channel_names(block).unwrap_or_default(),
            _ => {}
        }
    }
    Some(ClientSettings { channels, ..settings? })
}

fn client_core(mut block: Cursor<'_>) -> Option<ClientSettings> {
    block.skip(4)?; // version
    let (desktop_width, desktop_height) = (block.u16_le()?, block.u16_le()?);
    block.skip(4)?; // colour depth, secure access sequence
    let (keyboard_layout, build) = (block.u32_le()?, block.u32_le()?);
    let name = Text::from_utf16_le(block.take(32)?);
    block.skip(76)?; // keyboard type, sub-type and function keys, input method file
    // What follows is optional: colour depths, product id, serial number, capability flags.
    let product_id = block.skip(14).and_then(|()| block.take(64)).map(Text::from_utf16_le);
    Some(ClientSettings {
        desktop_width,
        desktop_height,
        keyboard_layout,
        build,
        name,
        product_id: product_id.filter(|id| !id.is_empty()),
        channels: Vec::new(),
    })
}

fn channel_names(mut block: Cursor<'_>) -> Option<Vec<Text>> {
    let count = block.u32_le()?.min(CHANNELS_MAX);
    let mut names = Vec::new();
    for _ in 0..count {
        let mut definition = block.sub(12)?;
        let name = definition.take(8)?;
        names.push(Text::from_latin1(name.split(|&byte| byte == 0).next()?));
    }
    Some(names)
}

/// The encryption method that the server chose (TS_UD_SC_SEC1, §2.2.1.4.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EncryptionMethod(u32);

impl EncryptionMethod {
    pub const NONE: Self = Self(0);

    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x00 => "none",
            0x01 => "40bit",
            0x02 => "128bit",
            0x08 => "56bit",
            0x10 => "fips",
            _ => return None,
        })
    }
}

/// Reads a TPKT body as an MCS Connect-Response with the server's settings (§2.2.1.4).
pub fn connect_response(mut body: Cursor<'_>) -> Option<EncryptionMethod> {
    let mut response = connect(&mut body, MCS_CONNECT_RESPONSE)?;
    ber(&mut response, BER_ENUMERATED)?; // result
    ber(&mut response, BER_INTEGER)?; // called connect id
    ber(&mut response, BER_SEQUENCE)?; // domain parameters
    let mut gcc = ber(&mut response, BER_OCTET_STRING)?;
    (gcc.array()? == T124_IDENTIFIER).then_some(())?;
    per_len(&mut gcc)?;
    gcc.skip(3)?; // conference create response, node id
    gcc.vec8()?; // tag
    gcc.skip(4)?; // result, one set of user data, its key
    (&gcc.array()? == SERVER_KEY).then_some(())?;
    let len = per_len(&mut gcc)?;
    let mut blocks = gcc.sub(len)?;
    while let Some((kind, mut block)) = user_data_block(&mut blocks) {
        if kind == SC_SECURITY {
            return block.u32_le().map(EncryptionMethod);
        }
    }
    None
}

fn connect<'a>(body: &mut Cursor<'a>, tag: [u8; 2]) -> Option<Cursor<'a>> {
    (body.array()? == X224_DATA && body.array()? == tag).then_some(())?;
    let len = ber_len(body)?;
    body.sub(len)
}

fn user_data_block<'a>(blocks: &mut Cursor<'a>) -> Option<(u16, Cursor<'a>)> {
    let (kind, len) = (blocks.u16_le()?, blocks.u16_le()?);
    Some((kind, blocks.sub(usize::from(len).checked_sub(4)?)?))
}

/// The contents of a BER value with the expected tag.
fn ber<'a>(cursor: &mut Cursor<'a>, tag: u8) -> Option<Cursor<'a>> {
    (cursor.u8()? == tag).then_some(())?;
    let len = ber_len(cursor)?;
    cursor.sub(len)
}

fn ber_len(cursor: &mut Cursor<'_>) -> Option<usize> {
    match cursor.u8()? {
        len @ 0x00..=0x7f => Some(usize::from(len)),
        0x81 => cursor.u8().map(usize::from),
        0x82 => cursor.u16().map(usize::from),
        _ => None,
    }
}

/// A length of the aligned packed encoding rules: 7 or 14 bits.
fn per_len(cursor: &mut Cursor<'_>) -> Option<usize> {
    let first = cursor.u8()?;
    if first & 0x80 == 0 {
        return Some(usize::from(first));
    }
    Some(usize::from(u16::from_be_bytes([first & 0x7f, cursor.u8()?])))
}

/// Who logs on, from the Client Info PDU (§2.2.1.11); the password is passed over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientInfo {
    pub domain: Text,
    pub user: Text,
    /// The client's own idea of its address.
    pub address: Option<Text>,
}

/// What a TPKT body of the connection's later phases holds.
pub enum DomainPdu {
    ClientInfo(ClientInfo),
    Encrypted,
    Other,
}

/// Reads a TPKT body as an MCS PDU of an unencrypted connection.
pub fn domain_pdu(mut body: Cursor<'_>) -> Option<DomainPdu> {
    (body.array()? == X224_DATA).then_some(())?;
    if body.u8()? != MCS_SEND_DATA_REQUEST {
        return Some(DomainPdu::Other);
    }
    body.skip(5)?; // initiator, channel, priority and segmentation
    per_len(&mut body)?;
    let flags = body.u16_le()?;
    if flags & SEC_INFO_PKT == 0 {
        return Some(DomainPdu::Other);
    }
    if flags & SEC_ENCRYPT != 0 {
        return Some(DomainPdu::Encrypted);
    }
    body.skip(2)?;
    client_info(&mut body).map(DomainPdu::ClientInfo)
}

fn client_info(body: &mut Cursor<'_>) -> Option<ClientInfo> {
    body.skip(4)?; // code page or keyboard layout
    let is_unicode = body.u32_le()? & INFO_UNICODE != 0;
    let terminator_len = if is_unicode { 2 } else { 1 };
    let mut lens = [0_usize; 5];
    for len in &mut lens {
        // The lengths leave the terminating zero out.
        *len = usize::from(body.u16_le()?).checked_add(terminator_len)?;
    }
    let [domain_len, user_len, password_len, shell_len, directory_len] = lens;
    let text = |bytes| if is_unicode { Text::from_utf16_le(bytes) } else { until_nul(bytes) };
    let (domain, user) = (text(body.take(domain_len)?), text(body.take(user_len)?));
    body.skip(password_len)?;
    body.skip(shell_len)?;
    body.skip(directory_len)?;
    let address = client_address(body).filter(|address| !address.is_empty());
    Some(ClientInfo { domain, user, address })
}

fn until_nul(bytes: &[u8]) -> Text {
    Text::from_latin1(bytes.split(|&byte| byte == 0).next().unwrap_or_default())
}

/// The head of TS_EXTENDED_INFO_PACKET (§2.2.1.11.1.1.1), which old clients leave out.
fn client_address(body: &mut Cursor<'_>) -> Option<Text> {
    body.skip(2)?; // family
    let len = body.u16_le()?;
    body.take(usize::from(len)).map(Text::from_utf16_le)
}
