//! The heads of TeamViewer's messages over TCP.

/// A message of the first generation: magic, command, the length of what follows.
pub fn message(command: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x17, 0x24, command];
    bytes.extend((body.len() as u16).to_le_bytes());
    bytes.extend(body);
    bytes
}
