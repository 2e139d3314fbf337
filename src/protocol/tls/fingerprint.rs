//! Hellos in, fingerprints out: JA3 and JA3S (Althouse, Atkinson and Atkins, Salesforce, BSD-3) and JA4 (the TLS client
//! method of FoxIO's JA4, BSD-3).

use md5::{Digest, Md5};
use ring::digest;

use crate::facts::{Fingerprint, FingerprintMethod};
use crate::protocol::hex::{self, Hex};
use crate::protocol::tls::wire::{ClientHello, ServerHello, extension, is_grease};

/// What carries the handshake: the first letter of a JA4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    Dtls,
    Quic,
    Tls,
}

impl Carrier {
    const fn letter(self) -> char {
        match self {
            Self::Dtls => 'd',
            Self::Quic => 'q',
            Self::Tls => 't',
        }
    }
}

/// The JA3 of a ClientHello: MD5 over `version,ciphers,extensions,groups,point formats` in decimal, GREASE left out.
pub fn ja3(hello: &ClientHello<'_>) -> Fingerprint {
    fingerprint(FingerprintMethod::Ja3, md5_hex(&ja3_text(hello)))
}

/// The JA3S of a ServerHello: MD5 over `version,cipher,extensions` in decimal.
pub fn ja3s(hello: &ServerHello<'_>) -> Fingerprint {
    fingerprint(FingerprintMethod::Ja3s, md5_hex(&ja3s_text(hello)))
}

/// The JA4 of a ClientHello.
pub fn ja4(hello: &ClientHello<'_>, carrier: Carrier) -> Fingerprint {
    let text = Ja4Text::new(hello, carrier);
    let value = format!("{}_{}_{}", text.a, sha256_12(&text.ciphers), sha256_12(&text.extensions));
    fingerprint(FingerprintMethod::Ja4, value)
}

pub(super) fn ja3_text(hello: &ClientHello<'_>) -> String {
    let mut text = hello.legacy_version.to_string();
    for list in [
        decimals(hello.ciphers().filter(|&cipher| !is_grease(cipher))),
        decimals(hello.extensions().filter(|&number| !is_grease(number))),
        decimals(hello.groups().filter(|&group| !is_grease(group))),
        decimals(hello.point_formats().map(u16::from)),
    ] {
        text.push(',');
        text.push_str(&list);
    }
    text
}

pub(super) fn ja3s_text(hello: &ServerHello<'_>) -> String {
    format!("{},{},{}", hello.legacy_version, hello.cipher, decimals(hello.extensions()))
}

/// The three parts of a JA4 before the second and the third are hashed.
pub(super) struct Ja4Text {
    pub(super) a: String,
    pub(super) ciphers: String,
    pub(super) extensions: String,
}

impl Ja4Text {
    pub(super) fn new(hello: &ClientHello<'_>, carrier: Carrier) -> Self {
        let mut ciphers: Vec<u16> = hello.ciphers().filter(|&cipher| !is_grease(cipher)).collect();
        let mut extensions: Vec<u16> = hello.extensions().filter(|&number| !is_grease(number)).collect();
        let a = format!(
            "{}{}{}{:02}{:02}{}",
            carrier.letter(),
            ja4_version(hello),
            if hello.has_server_name() { 'd' } else { 'i' },
            ciphers.len().min(99),
            extensions.len().min(99),
            ja4_alpn(hello.alpn().next().unwrap_or_default()),
        );
        ciphers.sort_unstable();
        extensions.retain(|&number| number != extension::SERVER_NAME && number != extension::ALPN);
        extensions.sort_unstable();
        let signature_algorithms = hexadecimals(hello.signature_algorithms().filter(|&number| !is_grease(number)));
        let mut extensions = hexadecimals(extensions.into_iter());
        if !signature_algorithms.is_empty() {
            extensions.push('_');
            extensions.push_str(&signature_algorithms);
        }
        Self { a, ciphers: hexadecimals(ciphers.into_iter()), extensions }
    }
}

/// The newest version offered, in the two characters of JA4. The numbers of DTLS count down (RFC 9147 §5.3).
fn ja4_version(hello: &ClientHello<'_>) -> &'static str {
    let offered = hello.supported_versions().filter(|&version| !is_grease(version));
    let newest = offered.max_by_key(|&version| if is_dtls(version) { !version } else { version });
    match newest.unwrap_or(hello.legacy_version) {
        0x0002 => "s2",
        0x0300 => "s3",
        0x0301 => "10",
        0x0302 => "11",
        0x0303 => "12",
        0x0304 => "13",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

const fn is_dtls(version: u16) -> bool {
    version & 0xff00 == 0xfe00
}

/// The first and the last character of the first protocol offered; of its hex digits, where either is no letter or
/// digit.
fn ja4_alpn(name: &[u8]) -> String {
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else { return "00".to_owned() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(first), char::from(last)].iter().collect();
    }
    format!("{:x}{:x}", first >> 4, last & 0x0f)
}

fn fingerprint(method: FingerprintMethod, value: String) -> Fingerprint {
    Fingerprint { method, value: value.into() }
}

/// What a list of an ordinary hello comes to.
const LIST_LEN: usize = 128;

fn decimals(numbers: impl Iterator<Item = u16>) -> String {
    let mut text = String::with_capacity(LIST_LEN);
    for number in numbers {
        if !text.is_empty() {
            text.push('-');
        }
        push_decimal(&mut text, number);
    }
    text
}

/// Formatting costs several times as much, and a hello has some fifty numbers.
fn push_decimal(text: &mut String, number: u16) {
    let digits = [number / 10_000, number / 1000 % 10, number / 100 % 10, number / 10 % 10, number % 10];
    let leading = digits.iter().take(4).take_while(|&&digit| digit == 0).count();
    text.extend(digits.iter().skip(leading).filter_map(|&digit| char::from_digit(u32::from(digit), 10)));
}

fn hexadecimals(numbers: impl Iterator<Item = u16>) -> String {
    let mut text = String::with_capacity(LIST_LEN);
    for number in numbers {
        if !text.is_empty() {
            text.push(',');
        }
        let [high, low] = number.to_be_bytes();
        text.extend([high >> 4, high, low >> 4, low].map(hex::digit));
    }
    text
}

fn md5_hex(text: &str) -> String {
    Hex(&Md5::digest(text)).to_string()
}

/// The first twelve hex digits of the SHA-256; zeros stand for an empty list.
fn sha256_12(text: &str) -> String {
    if text.is_empty() {
        return "000000000000".to_owned();
    }
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    Hex(digest.as_ref().first_chunk::<6>().unwrap_or(&[0; 6])).to_string()
}
