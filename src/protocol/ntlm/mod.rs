//! NTLM ([MS-NLMP]): messages in, the names in them out. It has no flow of its own: SMB, LDAP, HTTP and DCE/RPC carry
//! it. Challenges, responses and keys are passed over.

#[cfg(test)]
pub(crate) mod tests;

use crate::net::Text;
use crate::protocol::Protocol;
use crate::protocol::cursor::Cursor;

pub const PROTOCOL: Protocol = Protocol::new(&"ntlm");

/// What every message begins with.
pub const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

const CHALLENGE: u32 = 2;
const AUTHENTICATE: u32 = 3;
const NEGOTIATE_UNICODE: u32 = 0x0000_0001;
const NEGOTIATE_VERSION: u32 = 0x0200_0000;

const MSV_AV_EOL: u16 = 0;
const MSV_AV_DNS_COMPUTER_NAME: u16 = 3;
const MSV_AV_DNS_DOMAIN_NAME: u16 = 4;
const MSV_AV_NB_COMPUTER_NAME: u16 = 1;
/// The most attributes read of a challenge.
const ATTRIBUTES_MAX: usize = 32;

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    Authenticate(Authenticate),
    Challenge(Challenge),
    Negotiate,
}

/// AUTHENTICATE_MESSAGE (§2.2.1.3): who logs on. An anonymous log-on has no user.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Authenticate {
    pub user: Option<Text>,
    pub domain: Option<Text>,
    pub host: Option<Text>,
}

/// CHALLENGE_MESSAGE (§2.2.1.2): what the server says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Challenge {
    pub computer: Option<Text>,
    pub dns_computer: Option<Text>,
    pub dns_domain: Option<Text>,
    /// Windows version and build: `10.0.17763`.
    pub version: Option<Text>,
}

/// Reads a message that begins with the signature, whatever follows it.
pub fn message(bytes: &[u8]) -> Option<Message> {
    let mut cursor = Cursor::new(bytes);
    (&cursor.array()? == SIGNATURE).then_some(())?;
    match cursor.u32_le()? {
        1 => Some(Message::Negotiate),
        CHALLENGE => challenge(bytes, cursor).map(Message::Challenge),
        AUTHENTICATE => authenticate(bytes, cursor).map(Message::Authenticate),
        _ => None,
    }
}

fn challenge(message: &[u8], mut cursor: Cursor<'_>) -> Option<Challenge> {
    cursor.skip(8)?; // target name
    let flags = cursor.u32_le()?;
    cursor.skip(16)?; // server challenge, reserved
    let attributes = field(message, &mut cursor);
    let version = if flags & NEGOTIATE_VERSION == 0 { None } else { version(&mut cursor) };
    let mut challenge = Challenge { version, ..Challenge::default() };
    let mut attributes = Cursor::new(attributes.unwrap_or_default());
    for _ in 0..ATTRIBUTES_MAX {
        let (Some(kind), Some(len)) = (attributes.u16_le(), attributes.u16_le()) else { break };
        let Some(value) = attributes.take(usize::from(len)).filter(|_| kind != MSV_AV_EOL) else { break };
        let name = Some(Text::from_utf16_le(value)).filter(|name| !name.is_empty());
        match kind {
            MSV_AV_NB_COMPUTER_NAME => challenge.computer = name,
            MSV_AV_DNS_COMPUTER_NAME => challenge.dns_computer = name,
            MSV_AV_DNS_DOMAIN_NAME => challenge.dns_domain = name,
            _ => {}
        }
    }
    Some(challenge)
}

/// VERSION (§2.2.2.10).
fn version(cursor: &mut Cursor<'_>) -> Option<Text> {
    let (major, minor, build) = (cursor.u8()?, cursor.u8()?, cursor.u16_le()?);
    (major != 0).then(|| format!("{major}.{minor}.{build}").into())
}

fn authenticate(message: &[u8], mut cursor: Cursor<'_>) -> Option<Authenticate> {
    cursor.skip(16)?; // responses
    let domain = field(message, &mut cursor)?;
    let user = field(message, &mut cursor)?;
    let host = field(message, &mut cursor)?;
    cursor.skip(8)?; // session key
    // Old messages end here, and are in Unicode if they say nothing.
    let is_unicode = cursor.u32_le().unwrap_or(NEGOTIATE_UNICODE) & NEGOTIATE_UNICODE != 0;
    let text = |bytes| {
        let text = if is_unicode { Text::from_utf16_le(bytes) } else { Text::from_latin1(bytes) };
        Some(text).filter(|text| !text.is_empty())
    };
    Some(Authenticate { user: text(user), domain: text(domain), host: text(host) })
}

/// The bytes that a length, a maximal length and an offset from the message's beginning point at.
fn field<'a>(message: &'a [u8], cursor: &mut Cursor<'_>) -> Option<&'a [u8]> {
    let (len, _max_len, offset) = (cursor.u16_le()?, cursor.u16_le()?, cursor.u32_le()?);
    if len == 0 {
        return Some(&[]);
    }
    let mut payload = Cursor::new(message);
    payload.skip(usize::try_from(offset).ok()?)?;
    payload.take(usize::from(len))
}
