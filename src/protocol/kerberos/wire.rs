//! Bytes to values: the messages of RFC 4120 §5, their names and realms. Keys, tickets and checksums are passed over.

use crate::net::Text;
use crate::protocol::cursor::Cursor;
use crate::protocol::der;

/// The version of the protocol that every message begins with.
const PVNO: u64 = 5;
const GENERAL_STRING: u8 = 0x1b;
const PA_FOR_USER: u64 = 129;
/// The address type of a NetBIOS name (§7.5.3), 15 characters padded with blanks and a suffix.
const ADDRESS_NETBIOS: u64 = 20;
/// The most components of a principal name that are read.
const COMPONENTS_MAX: usize = 8;

/// The message types (§7.5.7); each is also the number of its application tag.
pub const AS_REQ: u8 = 10;
pub const AS_REP: u8 = 11;
pub const TGS_REQ: u8 = 12;
pub const TGS_REP: u8 = 13;
const AP_REQ: u8 = 14;
pub const KRB_ERROR: u8 = 30;

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    Error(KdcError),
    Reply(Reply),
    Request(Request),
}

/// AS-REQ or TGS-REQ (§5.4.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    pub is_initial: bool,
    /// The name of the client. In a TGS-REQ only that of the user it acts for ([MS-SFU] §2.2.1), if any.
    pub client: Option<Text>,
    pub realm: Text,
    pub service: Option<Text>,
    /// The NetBIOS name among the client's addresses.
    pub host: Option<Text>,
}

/// AS-REP or TGS-REP (§5.4.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    pub is_initial: bool,
    pub client: Text,
    pub realm: Text,
}

/// KRB-ERROR (§5.9.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KdcError {
    pub code: u64,
    pub client: Option<Text>,
    pub client_realm: Option<Text>,
    pub realm: Option<Text>,
}

/// The service that an AP-REQ (§5.5.1) is for, out of its ticket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceRequest {
    pub realm: Text,
    pub service: Text,
}

/// The message type that the first byte tells, where it is that of an exchange with a key distribution centre.
pub const fn exchange(tag: u8) -> Option<u8> {
    let number = tag & 0x1f;
    let is_exchange = matches!(number, AS_REQ | AS_REP | TGS_REQ | TGS_REP | KRB_ERROR);
    if is_exchange && tag == der::application(number) { Some(number) } else { None }
}

/// Reads a whole message.
pub fn message(bytes: &[u8]) -> Option<Message> {
    let mut cursor = Cursor::new(bytes);
    let (tag, mut contents) = der::value(&mut cursor).filter(|_| cursor.is_empty())?;
    let mut sequence = der::tagged(&mut contents, der::SEQUENCE)?;
    match exchange(tag)? {
        kind @ (AS_REQ | TGS_REQ) => request(&mut sequence, kind).map(Message::Request),
        kind @ (AS_REP | TGS_REP) => reply(&mut sequence, kind).map(Message::Reply),
        _ => error(&mut sequence).map(Message::Error),
    }
}

/// Reads an AP-REQ, whatever follows it.
pub fn service_request(bytes: &[u8]) -> Option<ServiceRequest> {
    let mut cursor = Cursor::new(bytes);
    let mut contents = der::tagged(&mut cursor, der::application(AP_REQ))?;
    let mut sequence = der::tagged(&mut contents, der::SEQUENCE)?;
    head(&mut sequence, 0, AP_REQ)?;
    der::tagged(&mut sequence, der::context(2))?; // options
    let mut ticket = der::tagged(&mut sequence, der::context(3))?;
    let mut ticket = der::tagged(&mut ticket, der::application(1))?;
    let mut ticket = der::tagged(&mut ticket, der::SEQUENCE)?;
    der::tagged(&mut ticket, der::context(0))?; // version
    let realm = realm(der::tagged(&mut ticket, der::context(1))?)?;
    let service = principal(der::tagged(&mut ticket, der::context(2))?)?;
    Some(ServiceRequest { realm, service })
}

fn request(sequence: &mut Cursor<'_>, kind: u8) -> Option<Request> {
    head(sequence, 1, kind)?;
    let acts_for = der::tagged(sequence, der::context(3)).and_then(acts_for);
    let mut body = der::tagged(sequence, der::context(4))?;
    let mut body = der::tagged(&mut body, der::SEQUENCE)?;
    der::tagged(&mut body, der::context(0))?; // options
    let client = der::tagged(&mut body, der::context(1)).and_then(principal);
    let realm = realm(der::tagged(&mut body, der::context(2))?)?;
    let service = der::tagged(&mut body, der::context(3)).and_then(principal);
    for time in 4..=6 {
        der::tagged(&mut body, der::context(time));
    }
    der::tagged(&mut body, der::context(7))?; // nonce
    der::tagged(&mut body, der::context(8))?; // encryption types
    let host = der::tagged(&mut body, der::context(9)).and_then(netbios_name);
    Some(Request { is_initial: kind == AS_REQ, client: client.or(acts_for), realm, service, host })
}

fn reply(sequence: &mut Cursor<'_>, kind: u8) -> Option<Reply> {
    head(sequence, 0, kind)?;
    der::tagged(sequence, der::context(2)); // pre-authentication data
    let realm = realm(der::tagged(sequence, der::context(3))?)?;
    let client = principal(der::tagged(sequence, der::context(4))?)?;
    Some(Reply { is_initial: kind == AS_REP, client, realm })
}

fn error(sequence: &mut Cursor<'_>) -> Option<KdcError> {
    head(sequence, 0, KRB_ERROR)?;
    for time in 2..=5 {
        der::tagged(sequence, der::context(time));
    }
    let code = der::unsigned(&mut der::tagged(sequence, der::context(6))?)?;
    let client_realm = der::tagged(sequence, der::context(7)).and_then(realm);
    let client = der::tagged(sequence, der::context(8)).and_then(principal);
    let realm = realm(der::tagged(sequence, der::context(9))?)?;
    Some(KdcError { code, client, client_realm, realm: Some(realm) })
}

/// Reads a KRB-ERROR (§5.9.1) that lacks what every one should have, but for its code: its members, in their order, fill it.
pub fn sparse_error(bytes: &[u8]) -> Option<KdcError> {
    let mut cursor = Cursor::new(bytes);
    let mut contents = der::tagged(&mut cursor, der::application(KRB_ERROR)).filter(|_| cursor.is_empty())?;
    let mut sequence = der::tagged(&mut contents, der::SEQUENCE).filter(|_| contents.is_empty())?;
    let (mut code, mut client, mut client_realm, mut own_realm) = (None, None, None, None);
    let mut next = 0;
    while !sequence.is_empty() {
        let (tag, mut member) = der::value(&mut sequence)?;
        let number = (next..=12).find(|number| der::context(*number) == tag)?;
        next = number.saturating_add(1);
        match number {
            0 => (der::unsigned(&mut member)? == PVNO).then_some(())?,
            1 => (der::unsigned(&mut member)? == u64::from(KRB_ERROR)).then_some(())?,
            6 => code = Some(der::unsigned(&mut member)?),
            7 => client_realm = realm(member),
            8 => client = principal(member),
            9 => own_realm = realm(member),
            _ => {}
        }
    }
    Some(KdcError { code: code?, client, client_realm, realm: own_realm })
}

/// The protocol version and the message type, under the context tags `first` and the one after it.
fn head(sequence: &mut Cursor<'_>, first: u8, kind: u8) -> Option<()> {
    let version = der::unsigned(&mut der::tagged(sequence, der::context(first))?)?;
    let stated = der::unsigned(&mut der::tagged(sequence, der::context(first.saturating_add(1)))?)?;
    (version == PVNO && stated == u64::from(kind)).then_some(())
}

fn realm(mut contents: Cursor<'_>) -> Option<Text> {
    der::tagged(&mut contents, GENERAL_STRING).map(|realm| Text::from_utf8(realm.rest()))
}

/// A principal name, its components joined by `/` (§6.2).
fn principal(mut contents: Cursor<'_>) -> Option<Text> {
    let mut name = der::tagged(&mut contents, der::SEQUENCE)?;
    der::tagged(&mut name, der::context(0))?; // name type
    let mut components = der::tagged(&mut name, der::context(1))?;
    let mut components = der::tagged(&mut components, der::SEQUENCE)?;
    let mut read = Vec::new();
    while let Some(component) = der::tagged(&mut components, GENERAL_STRING).filter(|_| read.len() < COMPONENTS_MAX) {
        read.push(String::from_utf8_lossy(component.rest()).into_owned());
    }
    (!read.is_empty()).then(|| read.join("/").into())
}

/// The user named by PA-FOR-USER among the pre-authentication data.
fn acts_for(mut contents: Cursor<'_>) -> Option<Text> {
    let mut entries = der::tagged(&mut contents, der::SEQUENCE)?;
    while let Some(mut entry) = der::tagged(&mut entries, der::SEQUENCE) {
        let kind = der::unsigned(&mut der::tagged(&mut entry, der::context(1))?);
        let mut value = der::tagged(&mut entry, der::context(2))?;
        if kind == Some(PA_FOR_USER) {
            let mut value = der::tagged(&mut value, der::OCTET_STRING)?;
            let mut for_user = der::tagged(&mut value, der::SEQUENCE)?;
            return principal(der::tagged(&mut for_user, der::context(0))?);
        }
    }
    None
}

fn netbios_name(mut contents: Cursor<'_>) -> Option<Text> {
    let mut addresses = der::tagged(&mut contents, der::SEQUENCE)?;
    while let Some(mut address) = der::tagged(&mut addresses, der::SEQUENCE) {
        let kind = der::unsigned(&mut der::tagged(&mut address, der::context(0))?);
        let mut value = der::tagged(&mut address, der::context(1))?;
        if kind == Some(ADDRESS_NETBIOS) {
            let name = der::tagged(&mut value, der::OCTET_STRING)?.take(15)?;
            return Some(Text::from(Text::from_latin1(name).as_str().trim_end()));
        }
    }
    None
}
