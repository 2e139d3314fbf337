//! DNS questions and answers (RFC 1035 §4).

use std::net::Ipv4Addr;

const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;

/// A recursive question for the IPv4 address of a name.
pub fn question(id: u16, name: &str) -> Vec<u8> {
    message(id, 0x0100, name, None)
}

/// Its answer: one address, good for five minutes.
pub fn answer(id: u16, name: &str, address: Ipv4Addr) -> Vec<u8> {
    message(id, 0x8180, name, Some(address))
}

fn message(id: u16, flags: u16, name: &str, address: Option<Ipv4Addr>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    for number in [id, flags, 1, u16::from(address.is_some()), 0, 0] {
        bytes.extend(number.to_be_bytes());
    }
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend([TYPE_A, CLASS_IN].map(u16::to_be_bytes).concat());
    if let Some(address) = address {
        // The name is that of the question, at offset 12 (§4.1.4).
        bytes.extend([0xc0, 12]);
        bytes.extend([TYPE_A, CLASS_IN].map(u16::to_be_bytes).concat());
        bytes.extend(300_u32.to_be_bytes());
        bytes.extend(4_u16.to_be_bytes());
        bytes.extend(address.octets());
    }
    bytes
}
