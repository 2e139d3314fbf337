//! Bytes to values: the identification line (RFC 4253 §4.2), the binary packet (§6) and the key exchange offer (§7.1).

use md5::{Digest, Md5};

use crate::protocol::cursor::Cursor;

/// The most bytes that an identification line may have (RFC 4253 §4.2), and that are told of one that has more.
const IDENTIFICATION_BYTES_MAX: usize = 255;
/// The longest line that implementations take for one (`SSH_MAX_BANNER_LEN` of OpenSSH).
const LINE_BYTES_MAX: usize = 8192;
/// The most bytes of a line that a server says before its identification, and of all of them.
pub const PREAMBLE_BYTES_MAX: usize = 16 << 10;
/// The most bytes of a packet that every implementation must take (RFC 4253 §6.1).
const PACKET_BYTES_MAX: u32 = 35_000;

const SSH_MSG_DISCONNECT: u8 = 1;
const SSH_MSG_DEBUG: u8 = 4;
const SSH_MSG_KEXINIT: u8 = 20;

const BANNER: &[u8] = b"SSH-";

/// Whether bytes are the beginning of an identification line, as far as they go.
pub fn begins_as_banner(bytes: &[u8]) -> bool {
    BANNER.starts_with(bytes.get(..BANNER.len()).unwrap_or(bytes))
}

/// Lines of text, and what stands behind them: the first one that is or may be an identification, or the last, which has no
/// end yet.
pub fn behind_preamble(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut behind = Cursor::new(bytes);
    while !begins_as_banner(behind.rest()) && behind.until(b'\n').is_some() {}
    bytes.split_at(bytes.len().saturating_sub(behind.len()))
}

/// `SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u5`, without its line end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identification<'a> {
    pub line: &'a [u8],
    /// `2.0`
    pub protocol: &'a [u8],
    /// `OpenSSH_9.2p1 Debian-2+deb12u5`
    pub software: &'a [u8],
}

impl<'a> Identification<'a> {
    /// Reads what there is of a line. It ends with CR, LF, or a NUL, which nobody may send.
    pub fn of_line(line: &'a [u8]) -> Option<Self> {
        let line = line.get(..IDENTIFICATION_BYTES_MAX).unwrap_or(line);
        let line = line.split(|byte| matches!(byte, b'\r' | b'\n' | 0)).next().unwrap_or_default();
        let mut cursor = Cursor::new(line.strip_prefix(BANNER)?);
        let protocol = cursor.until(b'-')?;
        let is_version = protocol.first().is_some_and(u8::is_ascii_digit)
            && protocol.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        is_version.then_some(Self { line, protocol, software: cursor.rest() })
    }

    /// Whether a line as short as this may become one.
    pub fn may_begin(line: &[u8]) -> bool {
        let seen = line.get(..BANNER.len()).unwrap_or(line);
        let is_version = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let mut version = line.get(BANNER.len()..).unwrap_or_default().iter();
        BANNER.starts_with(seen) && line.len() < IDENTIFICATION_BYTES_MAX && version.all(is_version)
    }

    /// Whether the side speaks the first version of the protocol only; 1.99 speaks both (RFC 4253 §5.1).
    pub fn is_version_1(&self) -> bool {
        self.protocol.starts_with(b"1.") && self.protocol != b"1.99"
    }
}

/// Reads up to and with the identification line; none where it is not there whole yet.
pub fn identification<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Identification<'a>>, &'static str> {
    let mut ahead = *cursor;
    loop {
        if cursor.len().saturating_sub(ahead.len()) > PREAMBLE_BYTES_MAX {
            return Err("ssh_preamble");
        }
        let is_identification = ahead.rest().starts_with(BANNER);
        let bytes_max = if is_identification { LINE_BYTES_MAX } else { PREAMBLE_BYTES_MAX };
        let Some(line) = ahead.until(b'\n') else {
            return if ahead.len() > bytes_max { Err("ssh_identification") } else { Ok(None) };
        };
        if line.len() > bytes_max {
            return Err("ssh_identification");
        }
        if !is_identification {
            continue;
        }
        *cursor = ahead;
        return Identification::of_line(line).map(Some).ok_or("ssh_identification");
    }
}

/// The identification line whose end has not come.
pub fn begun_identification(bytes: &[u8]) -> Option<Identification<'_>> {
    let (_, line) = behind_preamble(bytes);
    Identification::of_line(line)
}

/// What a side offers for the key exchange (`SSH_MSG_KEXINIT`), as far as HASSH reads it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyExchange<'a> {
    pub algorithms: &'a [u8],
    pub client_to_server: Direction<'a>,
    pub server_to_client: Direction<'a>,
}

/// The name-lists of one direction of the transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Direction<'a> {
    pub encryption: &'a [u8],
    pub mac: &'a [u8],
    pub compression: &'a [u8],
}

impl KeyExchange<'_> {
    /// HASSH, lower-case hex: MD5 over the method names and the three lists of the direction in which the side sends
    /// (github.com/salesforce/hassh).
    pub fn hassh(&self, direction: Direction<'_>) -> String {
        let lists = [self.algorithms, direction.encryption, direction.mac, direction.compression];
        format!("{:x}", Md5::digest(lists.join(&b';')))
    }
}

/// Reads up to and with the key exchange offer; none where it is not there whole yet. Packets that may come before it
/// (ignore, debug, disconnect) are passed over.
pub fn key_exchange<'a>(cursor: &mut Cursor<'a>) -> Result<Option<KeyExchange<'a>>, &'static str> {
    while let Some(payload) = packet(cursor)? {
        let mut payload = Cursor::new(payload);
        match payload.u8() {
            Some(SSH_MSG_KEXINIT) => return offer(&mut payload).map(Some).ok_or("ssh_kexinit"),
            Some(SSH_MSG_DISCONNECT..=SSH_MSG_DEBUG) => {}
            _ => return Err("ssh_packet"),
        }
    }
    Ok(None)
}

/// The payload of the next unencrypted binary packet.
fn packet<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, &'static str> {
    let mut ahead = *cursor;
    let Some(len) = ahead.u32() else { return Ok(None) };
    if !(6..=PACKET_BYTES_MAX).contains(&len) {
        return Err("ssh_packet_length");
    }
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let Some(mut body) = ahead.sub(len) else { return Ok(None) };
    let padding_len = body.u8().unwrap_or(0);
    let payload_len = body.len().checked_sub(usize::from(padding_len)).ok_or("ssh_packet_length")?;
    *cursor = ahead;
    Ok(body.take(payload_len))
}

fn offer<'a>(payload: &mut Cursor<'a>) -> Option<KeyExchange<'a>> {
    payload.skip(16)?; // cookie
    let algorithms = name_list(payload)?;
    let _host_keys = name_list(payload)?;
    let (encryption_out, encryption_in) = (name_list(payload)?, name_list(payload)?);
    let (mac_out, mac_in) = (name_list(payload)?, name_list(payload)?);
    let (compression_out, compression_in) = (name_list(payload)?, name_list(payload)?);
    Some(KeyExchange {
        algorithms,
        client_to_server: Direction { encryption: encryption_out, mac: mac_out, compression: compression_out },
        server_to_client: Direction { encryption: encryption_in, mac: mac_in, compression: compression_in },
    })
}

/// Names separated by commas, in US-ASCII (RFC 4251 §5).
fn name_list<'a>(payload: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let len = payload.u32()?;
    let names = payload.take(usize::try_from(len).ok()?)?;
    names.iter().all(u8::is_ascii_graphic).then_some(names)
}
