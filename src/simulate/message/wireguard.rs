//! WireGuard's messages (white paper §5.4): the layout is theirs, what would be encrypted is chance.

use crate::simulate::random::Random;

/// What a data message adds to what it carries.
pub const DATA_OVERHEAD_BYTES: usize = 32;

pub fn initiation(sender: u32, random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0, 0];
    bytes.extend(sender.to_le_bytes());
    bytes.extend(public_key(random));
    bytes.extend(random.bytes(48 + 28 + 16));
    bytes.extend([0; 16]);
    bytes
}

pub fn response(sender: u32, receiver: u32, random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0];
    bytes.extend(sender.to_le_bytes());
    bytes.extend(receiver.to_le_bytes());
    bytes.extend(public_key(random));
    bytes.extend(random.bytes(16 + 16));
    bytes.extend([0; 16]);
    bytes
}

/// What a response agrees on: its sender's index and its receiver's. None where it is another message.
pub fn agreed(message: &[u8]) -> Option<(u32, u32)> {
    let index = |from: usize| Some(u32::from_le_bytes(message.get(from..from + 4)?.try_into().ok()?));
    if message.first() == Some(&2) { index(4).zip(index(8)) } else { None }
}

/// The head of a data message; as long as the rest of it is a multiple of 16 bytes, anything may follow.
pub fn data_head(receiver: u32, counter: u64) -> [u8; 16] {
    let mut head = [0; 16];
    head[0] = 4;
    head[4..8].copy_from_slice(&receiver.to_le_bytes());
    head[8..].copy_from_slice(&counter.to_le_bytes());
    head
}

/// A Curve25519 key, whose top bit is clear.
fn public_key(random: &mut Random) -> Vec<u8> {
    let mut key = random.bytes(32);
    key[31] &= 0x7f;
    key
}
