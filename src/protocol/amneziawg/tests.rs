use super::*;
use crate::protocol::tests::Fixture;

pub(crate) fn fixtures() -> Vec<Fixture> {
    let junk = |len: usize| (Sender::Client, noise(len, len as u64));
    let padded = vec![junk(47), junk(61), (Sender::Client, initiation(15)), (Sender::Server, response(68))];
    let plain = vec![junk(52), (Sender::Client, initiation(0)), (Sender::Server, response(0))];
    vec![fixture("junk and padding", padded), fixture("other types only", plain)]
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture {
        name,
        protocol: SPEC.protocol,
        transport: Transport::Udp,
        client_port: 40_444,
        server_port: 31_820,
        chunks,
    }
}

/// Bytes without order (xorshift).
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

const SENDER: [u8; 4] = [0xa1, 0xa2, 0xa3, 0xa4];

/// Padding, a type, the sender, keys and MAC as counted noise, no second MAC.
fn initiation(padding: usize) -> Vec<u8> {
    let mut bytes = noise(padding + INITIATION_BYTES, 7);
    bytes[padding + SENDER_AT..][..4].copy_from_slice(&SENDER);
    bytes[padding + 132..].fill(0);
    bytes
}

fn response(padding: usize) -> Vec<u8> {
    let mut bytes = noise(padding + RESPONSE_BYTES, 11);
    bytes[padding + RECEIVER_AT..][..4].copy_from_slice(&SENDER);
    bytes[padding + 76..].fill(0);
    bytes
}

#[test]
fn a_handshake_behind_junk_and_padding_is_one_tunnel() {
    for (fixture, padding) in fixtures().iter().zip([(15_u64, 68_u64), (0, 0)]) {
        let facts = fixture.facts();
        let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("{facts:?}") };
        assert!(tunnel.established);
        assert_eq!(tunnel.fields.get(INITIATION_PADDING), Some(&padding.0.into()));
        assert_eq!(tunnel.fields.get(RESPONSE_PADDING), Some(&padding.1.into()));
    }
}

#[test]
fn an_answer_to_another_sender_is_no_tunnel() {
    let mut stray = fixtures().remove(0);
    stray.chunks[3].1[68 + RECEIVER_AT] ^= 1;
    assert!(stray.facts().is_empty());
    stray.chunks.truncate(3);
    assert!(stray.facts().is_empty());
}

#[test]
fn what_is_filled_up_with_zeros_is_no_initiation() {
    let mut filled = initiation(0);
    filled[100..].fill(0);
    assert!(Initiation::parse(&filled).is_none());
    let mut holed = initiation(0);
    holed[50..60].fill(0);
    assert!(Initiation::parse(&holed).is_none());
    let mut wireguard = initiation(0);
    wireguard[..4].copy_from_slice(&[1, 0, 0, 0]);
    assert!(Initiation::parse(&wireguard).is_none());
    assert!(Initiation::parse(&initiation(0)[..147]).is_none());
    assert!(Initiation::parse(&initiation(PADDING_BYTES_MAX + 1)).is_none());
    assert!(Initiation::parse(&noise(163, 3)).is_none());
}
