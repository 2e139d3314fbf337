//! Bytes to values: the handshake messages of RFC 6143 §7.1 to §7.3, the security types of the IANA registry and of the
//! community's description of the protocol (github.com/rfbproto/rfbproto).

use crate::net::Text;
use crate::protocol::cursor::Cursor;

/// The most bytes of a desktop name or a reason.
const TEXT_BYTES_MAX: u32 = 16 << 10;
/// The most capabilities a Tight server may list.
const CAPABILITIES_MAX: u32 = 256;
/// What a server that connects to an UltraVNC repeater, or a viewer that asks one, sends first.
pub const REPEATER_ID_BYTES: usize = 250;

/// A ProtocolVersion message (§7.1.1): `RFB 003.008\n`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
}

impl Version {
    pub const BYTES: usize = 12;

    pub fn of(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes.strip_prefix(b"RFB ")?);
        let major = number(cursor.array()?)?;
        (cursor.u8()? == b'.').then_some(())?;
        let minor = number(cursor.array()?)?;
        (cursor.rest() == b"\n").then_some(Self { major, minor })
    }

    /// `003.008`
    pub fn text(self) -> String {
        format!("{:03}.{:03}", self.major, self.minor)
    }

    /// What an UltraVNC repeater says to a viewer in place of a server.
    pub const fn is_repeater(self) -> bool {
        self.major == 0 && self.minor == 0
    }

    /// Before 3.7 the server decides on the security type. Clients announce 3.4 to 3.6 and mean 3.3 (§7.1.1).
    pub const fn has_type_list(self) -> bool {
        self.major > 3 || (self.major == 3 && self.minor >= 7)
    }

    /// From 3.8 on every security type ends in a result, and a failure in a reason; 3.889 of Apple is such a one.
    pub const fn has_reasons(self) -> bool {
        self.major > 3 || (self.major == 3 && self.minor >= 8)
    }

    /// RealVNC's 4 and 5 keep no more than the list of types in common with RFB 3.
    pub const fn is_proprietary(self) -> bool {
        self.major > 3
    }
}

fn number(digits: [u8; 3]) -> Option<u16> {
    std::str::from_utf8(&digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

/// A security type (§7.1.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SecurityType(pub u32);

impl SecurityType {
    pub const INVALID: Self = Self(0);
    pub const NONE: Self = Self(1);
    pub const VNC_AUTH: Self = Self(2);
    pub const TIGHT: Self = Self(16);
    pub const TLS: Self = Self(18);
    pub const VENCRYPT: Self = Self(19);
    pub const APPLE_DH: Self = Self(30);
    pub const MS_LOGON_II: Self = Self(113);

    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "none",
            2 => "vnc-auth",
            5 => "ra2",
            6 => "ra2ne",
            13 => "ra2-two-step",
            16 => "tight",
            17 => "ultra",
            18 => "tls",
            19 => "vencrypt",
            20 => "sasl",
            21 => "md5",
            22 => "xvp",
            23 => "secure-tunnel",
            24 => "integrated-ssh",
            30 => "apple-dh",
            33 => "apple-rsa-srp",
            35 => "apple-kerberos",
            36 => "apple-srp",
            113 => "ms-logon-ii",
            129 => "ra2-256",
            130 => "ra2ne-256",
            133 => "ra2-two-step-256",
            _ => return None,
        })
    }

    /// Its name, or its number where it has none.
    pub fn text(self) -> Text {
        self.name().map_or_else(|| self.0.to_string().into(), Text::from)
    }
}

/// A subtype of VeNCrypt, or an authentication type of Tight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SecuritySubtype(pub u32);

impl SecuritySubtype {
    pub const TIGHT_NONE: Self = Self(1);
    pub const TIGHT_VNC_AUTH: Self = Self(2);
    pub const TIGHT_UNIX_LOGIN: Self = Self(129);
    pub const PLAIN: Self = Self(256);

    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "none",
            2 => "vnc-auth",
            129 => "unix-login",
            256 => "plain",
            257 => "tls-none",
            258 => "tls-vnc",
            259 => "tls-plain",
            260 => "x509-none",
            261 => "x509-vnc",
            262 => "x509-plain",
            263 => "tls-sasl",
            264 => "x509-sasl",
            265 => "ident",
            266 => "tls-ident",
            267 => "x509-ident",
            _ => return None,
        })
    }

    pub const fn is_tls(self) -> bool {
        matches!(self.0, 257..=264 | 266 | 267)
    }

    pub fn text(self) -> Text {
        self.name().map_or_else(|| self.0.to_string().into(), Text::from)
    }
}

/// A ServerInit message (§7.3.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerInit {
    pub width: u16,
    pub height: u16,
    pub name: Text,
}

/// The number in `ID:1234`, zeros behind it.
pub fn repeater_id(bytes: &[u8]) -> Option<Text> {
    let id = bytes.strip_prefix(b"ID:")?;
    let digits_len = id.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = id.split_at_checked(digits_len)?;
    let is_id = !digits.is_empty() && rest.iter().all(|&byte| byte == 0);
    is_id.then(|| Text::from_latin1(digits))
}

/// A count and as many security types (§7.1.2); none of them is a refusal.
pub fn security_types(cursor: &mut Cursor<'_>) -> Option<Vec<SecurityType>> {
    Some(cursor.vec8()?.rest().iter().map(|&number| SecurityType(number.into())).collect())
}

/// Text with a 32-bit length before it.
pub fn text(cursor: &mut Cursor<'_>) -> Result<Option<Text>, &'static str> {
    let mut ahead = *cursor;
    let Some(len) = ahead.u32() else { return Ok(None) };
    if len > TEXT_BYTES_MAX {
        return Err("rfb_text_length");
    }
    let Some(bytes) = ahead.take(usize::try_from(len).unwrap_or(usize::MAX)) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(Text::from_utf8(bytes)))
}

pub fn server_init(cursor: &mut Cursor<'_>) -> Result<Option<ServerInit>, &'static str> {
    let mut ahead = *cursor;
    let (Some(width), Some(height), Some(_pixel_format)) = (ahead.u16(), ahead.u16(), ahead.take(16)) else {
        return Ok(None);
    };
    let Some(name) = text(&mut ahead)? else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(ServerInit { width, height, name }))
}

/// The server's half of Apple's Diffie-Hellman: generator, length of the key, prime, public key. Gives the length.
pub fn apple_keys(cursor: &mut Cursor<'_>) -> Option<usize> {
    let mut ahead = *cursor;
    ahead.skip(2)?;
    let key_len = usize::from(ahead.u16()?);
    ahead.skip(key_len)?;
    ahead.skip(key_len)?;
    *cursor = ahead;
    Some(key_len)
}

/// VeNCrypt's acknowledgement of the version, and its subtypes.
pub fn vencrypt_subtypes(cursor: &mut Cursor<'_>) -> Result<Option<()>, &'static str> {
    let mut ahead = *cursor;
    match ahead.u8() {
        None => return Ok(None),
        Some(0) => {}
        Some(_) => return Err("rfb_vencrypt_version"),
    }
    let Some(count) = ahead.u8() else { return Ok(None) };
    if ahead.skip(usize::from(count).saturating_mul(4)).is_none() {
        return Ok(None);
    }
    *cursor = ahead;
    Ok(Some(()))
}

/// Tight's capabilities, 16 bytes each. Gives how many.
pub fn capabilities(cursor: &mut Cursor<'_>) -> Result<Option<u32>, &'static str> {
    let mut ahead = *cursor;
    let Some(count) = ahead.u32() else { return Ok(None) };
    if count > CAPABILITIES_MAX {
        return Err("rfb_capabilities");
    }
    let len = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(16);
    if ahead.skip(len).is_none() {
        return Ok(None);
    }
    *cursor = ahead;
    Ok(Some(count))
}

/// A user name, and a password that is passed over.
pub fn user(cursor: &mut Cursor<'_>) -> Result<Option<Text>, &'static str> {
    let mut ahead = *cursor;
    let (Some(user_len), Some(password_len)) = (ahead.u32(), ahead.u32()) else { return Ok(None) };
    if user_len > TEXT_BYTES_MAX || password_len > TEXT_BYTES_MAX {
        return Err("rfb_text_length");
    }
    let user = ahead.take(usize::try_from(user_len).unwrap_or(usize::MAX));
    let password = ahead.skip(usize::try_from(password_len).unwrap_or(usize::MAX));
    let (Some(user), Some(())) = (user, password) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(Text::from_utf8(user)))
}
