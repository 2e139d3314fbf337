//! A version and the client's first destination connection identifier in, the keys of Initial packets out (RFC 9001
//! §5). They hide nothing from whoever sees the first packet; that is what they are for.

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use crate::facts::Sender;
use crate::protocol::cursor::Cursor;
use crate::protocol::quic::version::{KeyDerivation, Version};
use crate::protocol::quic::wire::Initial;

/// The keys of both sides' Initial packets. They take twenty-six blocks of SHA-256, so each side's are derived when it is
/// heard: many a client gets no answer.
pub struct InitialKeys {
    pub version: Version,
    secret: Prk,
    client: Option<Keys>,
    server: Option<Keys>,
}

impl InitialKeys {
    /// None for a version whose salt is not known.
    pub fn derive(version: Version, destination: &[u8]) -> Option<Self> {
        let salt = Salt::new(HKDF_SHA256, &version.key_derivation()?.salt);
        Some(Self { version, secret: salt.extract(destination), client: None, server: None })
    }

    /// Removes the protection of a packet; none where `sender` did not protect it with these keys. On success the
    /// payload stands in `payload`.
    pub fn open<'p>(&mut self, packet: &Initial<'_>, sender: Sender, payload: &'p mut Vec<u8>) -> Option<&'p [u8]> {
        self.of(sender)?.open(packet, payload)
    }

    fn of(&mut self, sender: Sender) -> Option<&mut Keys> {
        let (keys, label): (_, &[u8]) = match sender {
            Sender::Client => (&mut self.client, b"client in"),
            Sender::Server => (&mut self.server, b"server in"),
        };
        if keys.is_none() {
            *keys = Keys::derive(&self.secret, label, &self.version.key_derivation()?);
        }
        keys.as_mut()
    }
}

/// The keys of one side.
struct Keys {
    packet: LessSafeKey,
    iv: [u8; 12],
    header: HeaderProtectionKey,
    /// The largest packet number so far.
    largest: Option<u64>,
}

impl Keys {
    fn derive(initial_secret: &Prk, side_label: &[u8], derivation: &KeyDerivation) -> Option<Self> {
        let mut secret = [0; 32];
        expand(initial_secret, side_label, &mut secret)?;
        let secret = Prk::new_less_safe(HKDF_SHA256, &secret);
        let (mut key, mut iv, mut header) = ([0; 16], [0; 12], [0; 16]);
        expand(&secret, derivation.key_label, &mut key)?;
        expand(&secret, derivation.iv_label, &mut iv)?;
        expand(&secret, derivation.header_label, &mut header)?;
        Some(Self {
            packet: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            iv,
            header: HeaderProtectionKey::new(&AES_128, &header).ok()?,
            largest: None,
        })
    }

    fn open<'p>(&mut self, packet: &Initial<'_>, payload: &'p mut Vec<u8>) -> Option<&'p [u8]> {
        let (head, tail) = packet.bytes.split_at_checked(packet.number_at)?;
        let sample = tail.get(4..20)?;
        let [first_mask, number_mask @ ..] = self.header.new_mask(sample).ok()?;
        let first = head.first()? ^ (first_mask & 0x0f);
        let number_len = usize::from(first & 0x03).saturating_add(1);
        let mut cursor = Cursor::new(tail);
        let number: Vec<u8> =
            cursor.take(number_len)?.iter().zip(number_mask).map(|(byte, mask)| byte ^ mask).collect();
        let truncated = number.iter().fold(0_u64, |sum, byte| sum.wrapping_shl(8) | u64::from(*byte));
        let full = full_number(truncated, number_len, self.largest);

        let mut header = Vec::with_capacity(packet.number_at.saturating_add(number_len));
        header.push(first);
        header.extend_from_slice(head.get(1..)?);
        header.extend_from_slice(&number);
        payload.clear();
        payload.extend_from_slice(cursor.rest());
        let plain = self.packet.open_in_place(self.nonce(full), Aad::from(&header), payload).ok()?;
        self.largest = self.largest.max(Some(full));
        Some(plain)
    }

    fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(number.to_be_bytes().into_iter().rev()) {
            *byte ^= number;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// The packet number that its lowest bytes and the largest one before it tell (RFC 9000 §A.3).
pub(super) fn full_number(truncated: u64, bytes: usize, largest: Option<u64>) -> u64 {
    let Some(largest) = largest else { return truncated };
    let window = 1_u64.wrapping_shl(u32::try_from(bytes.saturating_mul(8)).unwrap_or(32));
    let expected = largest.saturating_add(1);
    let candidate = expected & !window.saturating_sub(1) | truncated;
    if candidate.saturating_add(window / 2) <= expected {
        return candidate.saturating_add(window);
    }
    if candidate > expected.saturating_add(window / 2) && candidate >= window {
        return candidate.saturating_sub(window);
    }
    candidate
}

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
fn expand(secret: &Prk, label: &[u8], out: &mut [u8]) -> Option<()> {
    struct Len(usize);
    impl KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    let out_len = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_len = [u8::try_from(label.len()).ok()?.checked_add(6)?];
    let info: [&[u8]; 5] = [&out_len, &label_len, b"tls13 ", label, &[0]];
    secret.expand(&info, Len(out.len())).ok()?.fill(out).ok()
}

#[cfg(test)]
impl InitialKeys {
    /// Protects a packet: `header` up to its packet number of four bytes, which is `number`.
    pub(super) fn seal(&mut self, header: &[u8], number: u32, payload: &[u8], sender: Sender) -> Vec<u8> {
        let keys = self.of(sender).unwrap();
        let mut packet = [header, &number.to_be_bytes()].concat();
        let mut sealed = payload.to_vec();
        let nonce = keys.nonce(u64::from(number));
        keys.packet.seal_in_place_append_tag(nonce, Aad::from(&packet), &mut sealed).unwrap();
        packet.extend(sealed);
        let number_at = header.len();
        let mask = keys.header.new_mask(&packet[number_at + 4..number_at + 20]).unwrap();
        packet[0] ^= mask[0] & 0x0f;
        for (byte, mask) in packet[number_at..number_at + 4].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
        }
        packet
    }
}
