//! Hellos in, fingerprints out: JA3 and JA3S (Althouse, Atkinson and Atkins, Salesforce, BSD-3) and JA4 (the TLS client
//! method of FoxIO's JA4, BSD-3).

use std::cell::RefCell;

use arrayvec::ArrayVec;
use md5::{Digest, Md5};
use ring::digest;

use crate::facts::{Fingerprint, FingerprintMethod};
use crate::protocol::hex;
use crate::protocol::memo::Memo;
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

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::new(Known::new());
}

/// The fingerprints of hellos that were seen before: to make one takes longer than to read the hello.
struct Known {
    make: Vec<u8>,
    clients: Memo<ArrayVec<Fingerprint, 2>>,
    servers: Memo<Fingerprint>,
}

impl Known {
    /// Most of what a network's programs say.
    const MAKES_MAX: usize = 512;

    fn new() -> Self {
        Self { make: Vec::new(), clients: Memo::new(Self::MAKES_MAX), servers: Memo::new(Self::MAKES_MAX) }
    }
}

/// The fingerprints of a ClientHello.
pub fn of_client(hello: &ClientHello<'_>, carrier: Carrier) -> ArrayVec<Fingerprint, 2> {
    KNOWN.with_borrow_mut(|Known { make, clients, .. }| {
        make.clear();
        make.extend(carrier.letter().encode_utf8(&mut [0; 4]).bytes());
        hello.write_make(make);
        clients.get_or_make(make, || ArrayVec::from([ja3(hello), ja4(hello, carrier)]))
    })
}

/// The fingerprint of a ServerHello.
pub fn of_server(hello: &ServerHello<'_>) -> Fingerprint {
    KNOWN.with_borrow_mut(|Known { make, servers, .. }| {
        make.clear();
        hello.write_make(make);
        servers.get_or_make(make, || ja3s(hello))
    })
}

/// The JA3 of a ClientHello: MD5 over `version,ciphers,extensions,groups,point formats` in decimal, GREASE left out.
pub(super) fn ja3(hello: &ClientHello<'_>) -> Fingerprint {
    fingerprint(FingerprintMethod::Ja3, md5_hex(&ja3_text(hello)))
}

/// The JA3S of a ServerHello: MD5 over `version,cipher,extensions` in decimal.
fn ja3s(hello: &ServerHello<'_>) -> Fingerprint {
    fingerprint(FingerprintMethod::Ja3s, md5_hex(&ja3s_text(hello)))
}

/// The JA4 of a ClientHello.
pub(super) fn ja4(hello: &ClientHello<'_>, carrier: Carrier) -> Fingerprint {
    let Ja4Text { a: mut value, ciphers, extensions } = Ja4Text::new(hello, carrier);
    for list in [ciphers, extensions] {
        value.push('_');
        push_sha256_12(&mut value, &list);
    }
    fingerprint(FingerprintMethod::Ja4, value)
}

pub(super) fn ja3_text(hello: &ClientHello<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(TEXT_LEN);
    push_decimal(&mut text, hello.legacy_version);
    push_decimals(&mut text, hello.ciphers().filter(|&cipher| !is_grease(cipher)));
    push_decimals(&mut text, hello.extensions().filter(|&number| !is_grease(number)));
    push_decimals(&mut text, hello.groups().filter(|&group| !is_grease(group)));
    push_decimals(&mut text, hello.point_formats().map(u16::from));
    text
}

pub(super) fn ja3s_text(hello: &ServerHello<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(TEXT_LEN);
    push_decimal(&mut text, hello.legacy_version);
    push_decimals(&mut text, std::iter::once(hello.cipher));
    push_decimals(&mut text, hello.extensions());
    text
}

/// The three parts of a JA4 before the second and the third are hashed.
pub(super) struct Ja4Text {
    pub(super) a: String,
    pub(super) ciphers: Vec<u8>,
    pub(super) extensions: Vec<u8>,
}

impl Ja4Text {
    /// Of a whole JA4: ten characters and twice twelve digits.
    const VALUE_LEN: usize = 36;

    pub(super) fn new(hello: &ClientHello<'_>, carrier: Carrier) -> Self {
        let mut ciphers = numbers(hello.ciphers());
        let mut extensions = numbers(hello.extensions());
        let mut a = String::with_capacity(Self::VALUE_LEN);
        a.push(carrier.letter());
        a.push_str(ja4_version(hello));
        a.push(if hello.has_server_name() { 'd' } else { 'i' });
        push_two_digits(&mut a, ciphers.len());
        push_two_digits(&mut a, extensions.len());
        a.extend(ja4_alpn(hello.alpn().next().unwrap_or_default()));
        ciphers.sort_unstable();
        extensions.retain(|&number| number != extension::SERVER_NAME && number != extension::ALPN);
        extensions.sort_unstable();
        let mut text = hexadecimals(extensions.into_iter());
        let mut separator = b'_';
        for number in hello.signature_algorithms().filter(|&number| !is_grease(number)) {
            text.push(separator);
            separator = b',';
            text.extend_from_slice(number.to_be_bytes().map(hex::digits).as_flattened());
        }
        Self { a, ciphers: hexadecimals(ciphers.into_iter()), extensions: text }
    }
}

/// What is no GREASE of a list.
fn numbers(list: impl Iterator<Item = u16>) -> Vec<u16> {
    let mut numbers = Vec::with_capacity(LIST_LEN);
    numbers.extend(list.filter(|&number| !is_grease(number)));
    numbers
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
fn ja4_alpn(name: &[u8]) -> [char; 2] {
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else { return ['0', '0'] };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first, last].map(char::from);
    }
    let ([high, _], [_, low]) = (hex::digits(first), hex::digits(last));
    [high, low].map(char::from)
}

fn fingerprint(method: FingerprintMethod, value: String) -> Fingerprint {
    Fingerprint::new(method, &value)
}

/// What an ordinary hello comes to. The texts are bytes, as they are hashed: to see for each number that they are
/// characters would cost as much as to write them.
const TEXT_LEN: usize = 256;
const LIST_LEN: usize = 32;

/// Adds a comma, and the numbers with hyphens between them.
fn push_decimals(text: &mut Vec<u8>, numbers: impl Iterator<Item = u16>) {
    text.push(b',');
    for (index, number) in numbers.enumerate() {
        if index > 0 {
            text.push(b'-');
        }
        push_decimal(text, number);
    }
}

/// Formatting costs several times as much, and a hello has some fifty numbers.
fn push_decimal(text: &mut Vec<u8>, number: u16) {
    let digits = [number / 10_000, number / 1000 % 10, number / 100 % 10, number / 10 % 10, number % 10];
    let digits = digits.map(|digit| b'0' | u8::try_from(digit).unwrap_or(0));
    let leading = match number {
        0..10 => 4,
        10..100 => 3,
        100..1000 => 2,
        1000..10_000 => 1,
        10_000.. => 0,
    };
    text.extend_from_slice(digits.get(leading..).unwrap_or_default());
}

/// At most 99.
fn push_two_digits(text: &mut String, count: usize) {
    let count = u8::try_from(count.min(99)).unwrap_or(99);
    push_ascii(text, &[b'0' | (count / 10), b'0' | (count % 10)]);
}

fn hexadecimals(numbers: impl Iterator<Item = u16>) -> Vec<u8> {
    let mut text = Vec::with_capacity(TEXT_LEN);
    for number in numbers {
        if !text.is_empty() {
            text.push(b',');
        }
        text.extend_from_slice(number.to_be_bytes().map(hex::digits).as_flattened());
    }
    text
}

fn push_ascii(text: &mut String, ascii: &[u8]) {
    text.push_str(std::str::from_utf8(ascii).unwrap_or_default());
}

fn md5_hex(text: &[u8]) -> String {
    const HEX_LEN: usize = 32;
    let digest: [u8; 16] = Md5::digest(text).into();
    let mut hex = String::with_capacity(HEX_LEN);
    push_ascii(&mut hex, digest.map(hex::digits).as_flattened());
    hex
}

/// The first twelve hex digits of the SHA-256; zeros stand for an empty list.
fn push_sha256_12(text: &mut String, list: &[u8]) {
    let digest = digest::digest(&digest::SHA256, list);
    let first = digest.as_ref().first_chunk::<6>().filter(|_| !list.is_empty()).unwrap_or(&[0; 6]);
    push_ascii(text, first.map(hex::digits).as_flattened());
}
