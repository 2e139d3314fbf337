//! Bytes of TLS records and handshake messages in, borrowed values out (RFC 8446 §4 and §5, RFC 5246 §7.4).
//!
//! `tls-parser` reads the same messages and names the cipher suites for us, but not the hellos: it builds a vector of
//! decoded extensions and drops the whole message when one of them is odd, while a fingerprint needs the numbers in the
//! order sent whatever stands in them, and the contents of five extensions only.

use std::iter;

use crate::protocol::cursor::Cursor;

/// The content types of a record (RFC 8446 §5.1).
pub mod content {
    pub const CHANGE_CIPHER_SPEC: u8 = 0x14;
    pub const ALERT: u8 = 0x15;
    pub const HANDSHAKE: u8 = 0x16;
    pub const APPLICATION_DATA: u8 = 0x17;
    pub const HEARTBEAT: u8 = 0x18;
}

/// The handshake types that are read (RFC 8446 §4, RFC 6347 §4.3.2).
pub mod handshake {
    pub const CLIENT_HELLO: u8 = 1;
    pub const SERVER_HELLO: u8 = 2;
    pub const HELLO_VERIFY_REQUEST: u8 = 3;
    pub const CERTIFICATE: u8 = 11;
}

/// The extensions that are read (IANA, TLS ExtensionType Values).
pub mod extension {
    pub const SERVER_NAME: u16 = 0;
    pub const SUPPORTED_GROUPS: u16 = 10;
    pub const EC_POINT_FORMATS: u16 = 11;
    pub const SIGNATURE_ALGORITHMS: u16 = 13;
    pub const ALPN: u16 = 16;
    pub const PRE_SHARED_KEY: u16 = 41;
    pub const SUPPORTED_VERSIONS: u16 = 43;
}

/// Whether a number is one of those clients send so that servers learn to ignore what they do not know (RFC 8701 §2).
pub const fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// A record of the stream protocol.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub content: u8,
    pub version: u16,
    pub body: &'a [u8],
}

impl<'a> Record<'a> {
    /// The most bytes the body of a record has: 2^14 and what encryption may add (RFC 5246 §6.2.3).
    pub const BODY_BYTES_MAX: usize = (1 << 14) + 2048;

    /// Reads the next record; none where it has not arrived whole.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Option<Self>, &'static str> {
        let mut ahead = *cursor;
        let Some(content) = ahead.u8() else { return Ok(None) };
        if !(content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT).contains(&content) {
            return Err("record_type");
        }
        let Some(version) = ahead.u16() else { return Ok(None) };
        if !is_record_version(version) {
            return Err("record_version");
        }
        let Some(len) = ahead.u16().map(usize::from) else { return Ok(None) };
        if len > Self::BODY_BYTES_MAX {
            return Err("record_length");
        }
        let Some(body) = ahead.take(len) else { return Ok(None) };
        *cursor = ahead;
        Ok(Some(Self { content, version, body }))
    }

    /// Whether what is there begins as a record of this content type and version does.
    pub fn may_begin_with(cursor: Cursor<'_>, content: u8, version: u16) -> bool {
        let [high, low] = version.to_be_bytes();
        cursor.rest().iter().zip([content, high, low]).all(|(byte, expected)| *byte == expected)
    }

    /// Whether the header of a record that is not there whole has this content type and version; its length was looked at.
    pub fn begins_with(mut cursor: Cursor<'_>, content: u8, version: u16) -> bool {
        cursor.u8() == Some(content) && cursor.u16() == Some(version) && cursor.u16().is_some()
    }
}

/// SSL 3.0 to TLS 1.3, as the record layer writes it, and TLCP (GB/T 38636).
pub const fn is_record_version(version: u16) -> bool {
    matches!(version, 0x0101 | 0x0300..=0x0304)
}

/// The same as a ClientHello writes it: a client may offer what is not there yet (RFC 5246 §E.1), or a draft.
pub const fn is_offered_version(version: u16) -> bool {
    is_record_version(version) || matches!(version, 0x0300..=0x03ff | 0x7f00..=0x7fff)
}

/// Whether the ClientHello is read out of a stream or out of datagrams, where it carries a cookie (RFC 6347 §4.2.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    Datagram,
    Stream,
}

/// A ClientHello (RFC 8446 §4.1.2).
#[derive(Clone, Copy, Debug)]
pub struct ClientHello<'a> {
    /// What stands in the version field, whatever `supported_versions` says.
    pub legacy_version: u16,
    /// Its lengths hold together. Of one that contradicts itself there is what was read before: too little to tell a program
    /// by.
    pub is_whole: bool,
    pub session_id: &'a [u8],
    ciphers: Cursor<'a>,
    extensions: Cursor<'a>,
    server_name: Option<Cursor<'a>>,
    groups: Option<Cursor<'a>>,
    point_formats: Option<Cursor<'a>>,
    signature_algorithms: Option<Cursor<'a>>,
    alpn: Option<Cursor<'a>>,
    versions: Option<Cursor<'a>>,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of the message; none where it has no version. A session longer than it may be is the server's to
    /// refuse.
    pub fn parse(body: &'a [u8], framing: Framing) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let bare = Self {
            legacy_version: cursor.u16()?,
            is_whole: false,
            session_id: &[],
            ciphers: Cursor::new(&[]),
            extensions: Cursor::new(&[]),
            server_name: None,
            groups: None,
            point_formats: None,
            signature_algorithms: None,
            alpn: None,
            versions: None,
        };
        let mut hello = bare;
        let has_sound_head = hello.read_head(&mut cursor, framing);
        hello.is_whole = has_sound_head.is_some() && hello.read_extensions(cursor).is_some();
        Some(if hello.is_whole || has_sound_head == Some(true) { hello } else { bare })
    }

    /// Reads what stands before the extensions, and says whether it is what may stand there (RFC 5246 §7.4.1.2, and the
    /// methods of RFC 3749 and RFC 3943): behind a length that is wrong, what follows is anything.
    fn read_head(&mut self, body: &mut Cursor<'a>, framing: Framing) -> Option<bool> {
        const NULL_DEFLATE_LZS: [u8; 3] = [0, 1, 64];
        body.skip(32)?;
        self.session_id = body.vec8()?.rest();
        if framing == Framing::Datagram {
            body.vec8()?;
        }
        self.ciphers = body.vec16()?;
        let methods = body.vec8()?.rest();
        let is_filled = !self.ciphers.is_empty() && self.ciphers.len().is_multiple_of(2) && !methods.is_empty();
        Some(is_filled && methods.iter().all(|method| NULL_DEFLATE_LZS.contains(method)))
    }

    /// Reads the extensions as far as their lengths hold together; none where they do not to the end.
    fn read_extensions(&mut self, mut body: Cursor<'a>) -> Option<()> {
        if body.is_empty() {
            return Some(());
        }
        let block = body.vec16();
        if block.is_none() {
            body.skip(2)?;
        }
        self.extensions = block.unwrap_or(body);
        let mut rest = self.extensions;
        while !rest.is_empty() {
            let (number, content) = (rest.u16()?, rest.vec16()?);
            if let Some(slot) = self.slot(number) {
                slot.get_or_insert(content);
            }
        }
        block.map(|_| ())
    }

    fn slot(&mut self, number: u16) -> Option<&mut Option<Cursor<'a>>> {
        match number {
            extension::SERVER_NAME => Some(&mut self.server_name),
            extension::SUPPORTED_GROUPS => Some(&mut self.groups),
            extension::EC_POINT_FORMATS => Some(&mut self.point_formats),
            extension::SIGNATURE_ALGORITHMS => Some(&mut self.signature_algorithms),
            extension::ALPN => Some(&mut self.alpn),
            extension::SUPPORTED_VERSIONS => Some(&mut self.versions),
            _ => None,
        }
    }

    /// Writes all that a fingerprint is made of: what a program says alike to every server.
    pub fn write_make(&self, make: &mut Vec<u8>) {
        make.extend(self.legacy_version.to_be_bytes());
        let contents = [self.groups, self.point_formats, self.signature_algorithms, self.alpn, self.versions];
        for list in [Some(self.ciphers)].into_iter().chain(contents) {
            // No list is as long as 65,535 bytes, which stands for none: no two hellos come to the same.
            let len = list.and_then(|list| u16::try_from(list.rest().len()).ok()).unwrap_or(u16::MAX);
            make.extend(len.to_be_bytes());
            make.extend_from_slice(list.map_or(&[], |list| list.rest()));
        }
        write_numbers(self.extensions(), make);
    }

    pub fn ciphers(&self) -> impl Iterator<Item = u16> + use<'a> {
        u16s(Some(self.ciphers))
    }

    /// The numbers of the extensions, in the order sent.
    pub fn extensions(&self) -> impl Iterator<Item = u16> + use<'a> {
        extensions(self.extensions).map(|(number, _)| number)
    }

    pub fn has_server_name(&self) -> bool {
        self.server_name.is_some()
    }

    /// The first host name asked for (RFC 6066 §3).
    pub fn server_name(&self) -> Option<&'a [u8]> {
        let mut names = self.server_name?.vec16()?;
        while !names.is_empty() {
            let (kind, name) = (names.u8()?, names.vec16()?);
            if kind == 0 && !name.is_empty() {
                return Some(name.rest());
            }
        }
        None
    }

    /// The application protocols offered (RFC 7301 §3.1).
    pub fn alpn(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        alpn(self.alpn)
    }

    /// The named groups, elliptic curves once (RFC 8446 §4.2.7).
    pub fn groups(&self) -> impl Iterator<Item = u16> + use<'a> {
        u16s(self.groups.and_then(|mut content| content.vec16()))
    }

    /// The point formats (RFC 8422 §5.1.2).
    pub fn point_formats(&self) -> impl Iterator<Item = u8> + use<'a> {
        let mut formats = self.point_formats.and_then(|mut content| content.vec8());
        iter::from_fn(move || formats.as_mut()?.u8())
    }

    /// The signature algorithms, in the order sent (RFC 8446 §4.2.3).
    pub fn signature_algorithms(&self) -> impl Iterator<Item = u16> + use<'a> {
        u16s(self.signature_algorithms.and_then(|mut content| content.vec16()))
    }

    /// The versions of the extension; none where it was not sent (RFC 8446 §4.2.1).
    pub fn supported_versions(&self) -> impl Iterator<Item = u16> + use<'a> {
        u16s(self.versions.and_then(|mut content| content.vec8()))
    }
}

/// A ServerHello or, with the random the specification gives it, a HelloRetryRequest (RFC 8446 §4.1.3).
#[derive(Clone, Copy, Debug)]
pub struct ServerHello<'a> {
    pub legacy_version: u16,
    pub session_id: &'a [u8],
    pub cipher: u16,
    pub is_retry: bool,
    pub takes_pre_shared_key: bool,
    extensions: Cursor<'a>,
    /// What stands behind the last extension that could be read.
    unread_bytes: usize,
    alpn: Option<Cursor<'a>>,
    version: Option<u16>,
}

impl<'a> ServerHello<'a> {
    /// SHA-256 of `HelloRetryRequest`.
    const RETRY: [u8; 32] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2,
        0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ];

    /// Reads the body of the message; none where its lengths contradict each other before the extensions.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let legacy_version = cursor.u16()?;
        let random: [u8; 32] = cursor.array()?;
        // Drafts of TLS 1.3 up to 21 left out the session and the compression.
        let is_early_draft = legacy_version & 0xff00 == 0x7f00;
        let session_id =
            if is_early_draft { &[] } else { cursor.vec8().filter(|session_id| session_id.len() <= 32)?.rest() };
        let cipher = cursor.u16()?;
        if !is_early_draft {
            cursor.skip(1)?;
        }
        let extensions = if cursor.is_empty() { Cursor::new(&[]) } else { cursor.vec16()? };
        let mut hello = Self {
            legacy_version,
            session_id,
            cipher,
            is_retry: random == Self::RETRY,
            takes_pre_shared_key: false,
            extensions,
            unread_bytes: extensions.len(),
            alpn: None,
            version: None,
        };
        let mut rest = extensions;
        while let (Some(number), Some(mut content)) = (rest.u16(), rest.vec16()) {
            hello.unread_bytes = rest.len();
            match number {
                extension::ALPN => hello.alpn = Some(content),
                extension::PRE_SHARED_KEY => hello.takes_pre_shared_key = true,
                extension::SUPPORTED_VERSIONS => hello.version = content.u16(),
                _ => {}
            }
        }
        Some(hello)
    }

    /// Whether the extensions fill their block.
    pub const fn is_whole(&self) -> bool {
        self.unread_bytes == 0
    }

    /// Whether each extension was read: what is left may be too short for one.
    pub const fn has_all_extensions(&self) -> bool {
        const HEADER_BYTES: usize = 4;
        self.unread_bytes < HEADER_BYTES
    }

    /// Writes all that a fingerprint is made of.
    pub fn write_make(&self, make: &mut Vec<u8>) {
        make.extend(self.legacy_version.to_be_bytes());
        make.extend(self.cipher.to_be_bytes());
        write_numbers(self.extensions(), make);
    }

    /// The version chosen, wherever it stands.
    pub fn version(&self) -> u16 {
        self.version.unwrap_or(self.legacy_version)
    }

    /// Whether an extension that was not read may say otherwise.
    pub fn has_doubtful_version(&self) -> bool {
        self.version.is_none() && !self.has_all_extensions()
    }

    /// The numbers of the extensions, in the order sent.
    pub fn extensions(&self) -> impl Iterator<Item = u16> + use<'a> {
        extensions(self.extensions).map(|(number, _)| number)
    }

    /// The application protocol chosen.
    pub fn alpn(&self) -> Option<&'a [u8]> {
        alpn(self.alpn).next()
    }
}

/// Whether everything behind the ServerHello is encrypted: TLS 1.3, its drafts and Facebook's ones, DTLS 1.3.
pub const fn is_1_3(version: u16) -> bool {
    matches!(version, 0x0304 | 0x7f00..=0x7fff | 0xfb00..=0xfbff | 0xfefc)
}

/// The first certificate of a Certificate message up to TLS 1.2, as DER; an empty list has none (RFC 5246 §7.4.2).
pub fn leaf_certificate(body: &[u8]) -> Result<Option<&[u8]>, &'static str> {
    let mut list = Cursor::new(body).vec24().ok_or("certificate_length")?;
    if list.is_empty() {
        return Ok(None);
    }
    list.vec24().map(|leaf| Some(leaf.rest())).ok_or("certificate_length")
}

/// Level and description of an alert sent in clear; none where it is encrypted (RFC 8446 §6).
pub fn alert(body: &[u8]) -> Option<(u8, u8)> {
    match *body {
        [level @ 1..=2, description] => Some((level, description)),
        _ => None,
    }
}

/// The level of an alert that ends the connection.
pub const FATAL: u8 = 2;

fn write_numbers(numbers: impl Iterator<Item = u16>, bytes: &mut Vec<u8>) {
    for number in numbers {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
}

fn u16s(mut list: Option<Cursor<'_>>) -> impl Iterator<Item = u16> + use<'_> {
    iter::from_fn(move || list.as_mut()?.u16())
}

fn extensions(mut list: Cursor<'_>) -> impl Iterator<Item = (u16, Cursor<'_>)> + use<'_> {
    iter::from_fn(move || Some((list.u16()?, list.vec16()?)))
}

fn alpn(extension: Option<Cursor<'_>>) -> impl Iterator<Item = &[u8]> + use<'_> {
    let mut names = extension.and_then(|mut content| content.vec16());
    iter::from_fn(move || names.as_mut()?.vec8().map(|name| name.rest()))
}
