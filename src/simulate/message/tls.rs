//! TLS hellos (RFC 8446 §4.1): the shapes of browsers and programs, every field there and of its length.

use crate::simulate::random::Random;

/// The shape of a program's ClientHello.
#[derive(Debug, Eq, Hash, PartialEq)]
pub struct Program {
    pub ciphers: &'static [u16],
    /// The extensions in their order.
    pub extensions: &'static [u16],
    pub groups: &'static [u16],
    pub signatures: &'static [u16],
    pub alpn: &'static [&'static str],
    /// Sends values that servers must ignore (RFC 8701).
    pub is_greasing: bool,
    /// Puts its extensions in another order each time.
    pub is_permuting: bool,
}

const MODERN_SIGNATURES: &[u16] = &[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
const X25519_ML_KEM_768: u16 = 0x11ec;

pub static CHROMIUM: Program = Program {
    ciphers: &[
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f,
        0x0035,
    ],
    extensions: &[0, 23, 0xff01, 10, 11, 35, 16, 5, 13, 18, 51, 45, 43, 27, 17613],
    groups: &[X25519_ML_KEM_768, 0x001d, 0x0017, 0x0018],
    signatures: MODERN_SIGNATURES,
    alpn: &["h2", "http/1.1"],
    is_greasing: true,
    is_permuting: true,
};

pub static FIREFOX: Program = Program {
    ciphers: &[
        0x1301, 0x1303, 0x1302, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc02c, 0xc030, 0xc00a, 0xc009, 0xc013, 0xc014, 0x009c,
        0x009d, 0x002f, 0x0035,
    ],
    extensions: &[0, 23, 0xff01, 10, 11, 35, 16, 5, 34, 18, 51, 43, 13, 45, 28, 27],
    groups: &[X25519_ML_KEM_768, 0x001d, 0x0017, 0x0018, 0x0019],
    signatures: &[0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201],
    alpn: &["h2", "http/1.1"],
    is_greasing: false,
    is_permuting: false,
};

pub static SAFARI: Program = Program {
    ciphers: &[
        0x1301, 0x1302, 0x1303, 0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d,
        0x009c, 0x0035, 0x002f,
    ],
    extensions: &[0, 23, 0xff01, 10, 11, 16, 5, 13, 18, 51, 45, 43, 27],
    groups: &[0x001d, 0x0017, 0x0018, 0x0019],
    signatures: &[0x0403, 0x0804, 0x0401, 0x0503, 0x0203, 0x0805, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201],
    alpn: &["h2", "http/1.1"],
    is_greasing: true,
    is_permuting: false,
};

/// Programs over the system's own TLS, as Windows has it.
pub static SCHANNEL: Program = Program {
    ciphers: &[
        0x1302, 0x1301, 0xc02c, 0xc02b, 0xc030, 0xc02f, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013,
        0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f,
    ],
    extensions: &[0, 5, 10, 11, 13, 35, 16, 43, 51, 45, 23, 0xff01],
    groups: &[0x001d, 0x0017, 0x0018],
    signatures: &[0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203, 0x0601, 0x0603],
    alpn: &["http/1.1"],
    is_greasing: false,
    is_permuting: false,
};

/// A program over OpenSSL without an ALPN of its own.
pub static OPENSSL: Program = Program {
    ciphers: &[
        0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f, 0x009e, 0xc024, 0xc028,
        0x006b, 0xc023, 0xc027, 0x0067, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x00ff,
    ],
    extensions: &[0, 11, 10, 35, 22, 23, 13, 43, 45, 51],
    groups: &[0x001d, 0x0017, 0x001e, 0x0019, 0x0018],
    signatures: &[0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601],
    alpn: &[],
    is_greasing: false,
    is_permuting: false,
};

/// AnyDesk: OpenSSL, and an ALPN that nobody else sends.
pub static ANYDESK: Program =
    Program { extensions: &[11, 10, 35, 16, 22, 23, 13, 43, 45, 51], alpn: &["anydesk/9.0.4/windows"], ..OPENSSL };

/// The record with a ClientHello.
pub fn client_hello(program: &Program, server_name: &str, session_id: &[u8], random: &mut Random) -> Vec<u8> {
    let grease = |random: &mut Random| 0x0a0a_u16 + 0x1010 * random.below(16) as u16;
    let mut extensions: Vec<(u16, Vec<u8>)> =
        program.extensions.iter().map(|&number| (number, extension(number, program, server_name, random))).collect();
    if program.is_permuting {
        random.shuffle(&mut extensions);
    }
    let mut ciphers = program.ciphers.to_vec();
    if program.is_greasing {
        ciphers.insert(0, grease(random));
        extensions.insert(0, (grease(random), Vec::new()));
        extensions.push((grease(random), vec![0]));
    }
    let mut body = vec![3, 3];
    body.extend(random.bytes(32));
    put8(&mut body, session_id);
    put16(&mut body, &numbers(&ciphers));
    put8(&mut body, &[0]);
    put16(&mut body, &joined(&extensions));
    record(&handshake(1, &body), 0x0301)
}

/// The records with a ServerHello of TLS 1.3 and the change of cipher behind it.
pub fn server_hello(session_id: &[u8], random: &mut Random) -> Vec<u8> {
    let mut share = vec![0, 0x1d];
    put16(&mut share, &random.bytes(32));
    let mut body = vec![3, 3];
    body.extend(random.bytes(32));
    put8(&mut body, session_id);
    body.extend([0x13, 0x01, 0]);
    put16(&mut body, &joined(&[(43, vec![3, 4]), (51, share)]));
    let mut records = record(&handshake(2, &body), 0x0303);
    records.extend(CHANGE_CIPHER);
    records
}

/// A client's change of cipher and what it says behind it.
pub fn client_finished(random: &mut Random) -> Vec<u8> {
    let mut records = CHANGE_CIPHER.to_vec();
    records.extend(application_data(&random.bytes(53)));
    records
}

/// A record that hides what it carries.
pub fn application_data(hidden: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x17, 3, 3];
    put16(&mut bytes, hidden);
    bytes
}

const CHANGE_CIPHER: [u8; 6] = [0x14, 3, 3, 0, 1, 1];

fn extension(number: u16, program: &Program, server_name: &str, random: &mut Random) -> Vec<u8> {
    let mut body = Vec::new();
    match number {
        0 => {
            let mut entry = vec![0];
            put16(&mut entry, server_name.as_bytes());
            put16(&mut body, &entry);
        }
        5 => body.extend([1, 0, 0, 0, 0]),
        10 => put16(&mut body, &numbers(program.groups)),
        11 => body.extend([1, 0]),
        13 => put16(&mut body, &numbers(program.signatures)),
        16 => {
            let mut names = Vec::new();
            program.alpn.iter().for_each(|name| put8(&mut names, name.as_bytes()));
            put16(&mut body, &names);
        }
        27 => body.extend([2, 0, 2]),
        28 => body.extend([0x40, 1]),
        34 => put16(&mut body, &numbers(&[0x0403, 0x0503, 0x0603, 0x0203])),
        43 => body.extend([4, 3, 4, 3, 3]),
        45 => body.extend([1, 1]),
        51 => put16(&mut body, &key_shares(program, random)),
        17613 => body.extend([0, 3, 2, b'h', b'2']),
        0xff01 => body.push(0),
        _ => {}
    }
    body
}

/// Shares for the first groups, as browsers send them.
fn key_shares(program: &Program, random: &mut Random) -> Vec<u8> {
    let mut shares = Vec::new();
    for &group in program.groups.iter().take_while(|&&group| group == X25519_ML_KEM_768).chain(&[0x001d]) {
        shares.extend(group.to_be_bytes());
        let bytes = if group == X25519_ML_KEM_768 { 1216 } else { 32 };
        put16(&mut shares, &random.bytes(bytes));
    }
    shares
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0];
    put16(&mut bytes, body);
    bytes
}

fn record(body: &[u8], version: u16) -> Vec<u8> {
    let mut bytes = vec![0x16];
    bytes.extend(version.to_be_bytes());
    put16(&mut bytes, body);
    bytes
}

fn joined(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, body) in extensions {
        bytes.extend(number.to_be_bytes());
        put16(&mut bytes, body);
    }
    bytes
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn put8(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.push(part.len() as u8);
    bytes.extend(part);
}

fn put16(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u16).to_be_bytes());
    bytes.extend(part);
}

/// The head of a record that hides so many bytes less its own five.
pub fn application_data_head(record_bytes: usize) -> [u8; 5] {
    let [high, low] = (record_bytes.saturating_sub(5) as u16).to_be_bytes();
    [0x17, 3, 3, high, low]
}
