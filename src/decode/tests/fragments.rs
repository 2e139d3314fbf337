//! Fragments against RFC 791, RFC 8200, RFC 5722, and against a model.

use proptest::prelude::*;

use super::*;

/// An IPv4 packet cut into fragments that begin at 0 and at each of `offsets` of its body.
pub(super) fn split(packet: &[u8], offsets: &[usize]) -> Vec<Vec<u8>> {
    let body = &packet[20..];
    let starts = [0].into_iter().chain(offsets.iter().copied());
    let ends = offsets.iter().copied().chain([body.len()]);
    starts.zip(ends).map(|(start, end)| part(packet, start, &body[start..end], end < body.len())).collect()
}

/// A fragment with the header of `packet`.
fn part(packet: &[u8], offset: usize, body: &[u8], more: bool) -> Vec<u8> {
    let mut bytes = packet[..20].to_vec();
    bytes[2..4].copy_from_slice(&u16::try_from(20 + body.len()).unwrap().to_be_bytes());
    let place = u16::try_from(offset / 8).unwrap() | if more { 0x2000 } else { 0 };
    bytes[6..8].copy_from_slice(&place.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// The same over IPv6, with identification 1.
fn part_v6(offset: usize, body: &[u8], more: bool) -> Vec<u8> {
    let [high, low] = u16::try_from(offset | usize::from(more)).unwrap().to_be_bytes();
    ipv6(44, &[&[ip::UDP, 0, high, low, 0, 0, 0, 1], body].concat())
}

fn datagram() -> Vec<u8> {
    let payload: Vec<u8> = (0..=255).collect();
    ipv4(ip::UDP, &udp(1000, 2000, &payload))
}

fn outcomes(parts: &[Vec<u8>]) -> Vec<Result<Seen, Skip>> {
    let mut decoder = decoder();
    parts.iter().map(|part| decoder.decode(frame(LinkType::Raw, part)).map(Seen::from)).collect()
}

#[test]
fn fragments_in_any_order_are_joined_to_the_datagram() {
    let whole = decode(frame(LinkType::Raw, &datagram())).unwrap();
    let parts = split(&datagram(), &[64, 128]);
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut outcomes = outcomes(&order.map(|index| parts[index].clone()));
        assert_eq!(outcomes.pop(), Some(Ok(whole.clone())), "{order:?}");
        assert_eq!(outcomes, [Err(Skip::Fragment), Err(Skip::Fragment)], "{order:?}");
    }
}

#[test]
fn a_joined_datagram_has_the_first_fragments_header_and_its_own_length() {
    let mut parts = split(&datagram(), &[64]);
    parts[0][8] = 61;
    let mut decoder = decoder();
    assert!(decoder.decode(frame(LinkType::Raw, &parts[1])).is_err());
    let head = decoder.decode(frame(LinkType::Raw, &parts[0])).unwrap().head;
    assert_eq!((head.ip.len, head.ip.ttl, head.ip.id), (284, 61, Some(1)));
    assert_eq!(decoder.counters().fragments.joined, 1);
    assert_eq!((decoder.counters().fragments.waiting, decoder.counters().fragments.waiting_bytes), (0, 0));
}

#[test]
fn ipv6_fragments_are_joined() {
    let body = udp(1000, 2000, &[7; 100]);
    let outcomes = outcomes(&[part_v6(56, &body[56..], false), part_v6(0, &body[..56], true)]);
    let Ok(seen) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert_eq!((seen.payload_len, seen.payload.as_slice()), (100, &[7; 100][..]));
}

#[test]
fn fragments_inside_a_tunnel_inside_fragments_are_joined() {
    let inner = split(&datagram(), &[128]);
    let whole = decode(frame(LinkType::Raw, &datagram())).unwrap();
    let mut decoder = decoder();
    let mut last = None;
    for (index, part) in (0..).zip(&inner) {
        let mut outer = ipv4(ip::IPV4, part);
        outer[5] = 100 + index;
        for part in split(&outer, &[64]) {
            last = Some(decoder.decode(frame(LinkType::Raw, &part)).map(Seen::from));
        }
    }
    assert_eq!(last, Some(Ok(whole)));
}

#[test]
fn an_overlap_refuses_the_whole_datagram() {
    let packet = datagram();
    let body = &packet[20..];
    let mut changed = body[56..128].to_vec();
    changed[0] ^= 1;
    for overlapping in [
        part(&packet, 56, &changed, true),
        part(&packet, 32, &body[32..48], true),
        part(&packet, 0, &body[..128], true),
        part(&packet, 0, &[9; 64], true),
        // Two ends.
        part(&packet, 128, &body[128..200], false),
    ] {
        let mut decoder = decoder();
        let mut refused = |bytes: &[u8]| decoder.decode(frame(LinkType::Raw, bytes)).err();
        assert_eq!(refused(&part(&packet, 0, &body[..64], true)), Some(Skip::Fragment));
        assert_eq!(refused(&part(&packet, 200, &body[200..], false)), Some(Skip::Fragment));
        assert_eq!(refused(&overlapping), Some(Skip::FragmentRefused));
        assert_eq!(refused(&part(&packet, 64, &body[64..200], true)), Some(Skip::FragmentRefused));
        assert_eq!(decoder.counters().fragments.overlapping, 1);
        assert_eq!(decoder.counters().skipped(Skip::FragmentRefused), 2);
    }
}

#[test]
fn a_fragment_that_comes_again_later_is_no_overlap() {
    let parts = split(&datagram(), &[64]);
    let mut decoder = decoder();
    let start = frame(LinkType::Raw, &parts[0]);
    assert_eq!(decoder.decode(start).err(), Some(Skip::Fragment));
    let later = start.at + Duration::from_secs(1);
    assert_eq!(decoder.decode(Frame { at: later, ..start }).err(), Some(Skip::Fragment));
    assert!(decoder.decode(Frame { at: later, ..frame(LinkType::Raw, &parts[1]) }).is_ok());
}

#[test]
fn a_fragment_that_no_host_sends_is_refused() {
    let packet = datagram();
    for impossible in [
        // Not a multiple of eight; empty; beyond 65,535 bytes; cut by the snap length.
        part(&packet, 0, &[7; 63], true),
        part(&packet, 8, &[], true),
        part(&packet, 65_528, &[7; 16], false),
    ] {
        assert_eq!(decode(frame(LinkType::Raw, &impossible)).err(), Some(Skip::FragmentRefused));
    }
    let cut = part(&packet, 0, &[7; 64], true);
    let cut = Frame { bytes: &cut[..60], ..frame(LinkType::Raw, &cut) };
    assert_eq!(decode(cut).err(), Some(Skip::Truncated));
}

#[test]
fn a_datagram_waits_thirty_seconds() {
    let parts = split(&datagram(), &[64]);
    for (nanos, is_joined) in [(29_999_999_999, true), (30_000_000_000, true), (30_000_000_001, false)] {
        let mut decoder = decoder();
        let start = frame(LinkType::Raw, &parts[0]);
        assert!(decoder.decode(start).is_err());
        let later = start.at + Duration::from_nanos(nanos);
        decoder.on_time(later);
        assert_eq!(decoder.counters().fragments.expired, u64::from(!is_joined));
        assert_eq!(decoder.decode(Frame { at: later, ..frame(LinkType::Raw, &parts[1]) }).is_ok(), is_joined);
    }
}

#[test]
fn the_same_identification_in_another_vlan_is_another_datagram() {
    let parts = split(&datagram(), &[64]);
    let tagged = |id: &str, part: &[u8]| [hex(&format!("{ETHERNET} 8100 {id} 0800")), part.to_vec()].concat();
    let mut decoder = decoder();
    assert!(decoder.decode(frame(LinkType::Ethernet, &tagged("0064", &parts[0]))).is_err());
    assert!(decoder.decode(frame(LinkType::Ethernet, &tagged("00c8", &parts[1]))).is_err());
    assert_eq!(decoder.counters().fragments.waiting, 2);
}

#[test]
fn a_flood_of_fragments_takes_bounded_memory_and_evicts_the_oldest() {
    let limits = Limits { fragment_datagrams_max: 64, fragment_bytes_max: 64 << 10, ..Limits::default() };
    for body_len in [8, 1480] {
        let mut decoder = Decoder::new(limits);
        for number in 0..10_000_u32 {
            let mut packet = part(&datagram(), 0, &vec![7; body_len], true);
            packet[12..16].copy_from_slice(&number.to_be_bytes());
            assert_eq!(decoder.decode(frame(LinkType::Raw, &packet)).err(), Some(Skip::Fragment));
            let fragments = decoder.counters().fragments;
            assert!(fragments.waiting <= 64 && fragments.waiting_bytes <= 64 << 10, "{fragments:?}");
        }
        let fragments = decoder.counters().fragments;
        assert_eq!(fragments.evicted + fragments.waiting, 10_000);
        // The newest datagram is still there.
        let mut packet = part(&datagram(), body_len, &[7; 8], false);
        packet[12..16].copy_from_slice(&9_999_u32.to_be_bytes());
        assert!(decoder.decode(frame(LinkType::Raw, &packet)).is_ok());
    }
}

#[test]
fn a_datagram_in_too_many_pieces_is_refused() {
    let mut decoder = decoder();
    let refused = (0..200)
        .filter(|index| {
            let piece = part(&datagram(), index * 8, &[7; 8], true);
            decoder.decode(frame(LinkType::Raw, &piece)).err() == Some(Skip::FragmentRefused)
        })
        .count();
    assert_eq!(refused, 200 - 128);
}

proptest! {
    /// Against a model that knows each byte of each datagram.
    #[test]
    fn fragments_are_joined_as_a_model_joins_them(
        parts in prop::collection::vec((0_usize..3, 0_usize..6, 1_usize..4, any::<bool>(), 0_u8..2), 0..60),
    ) {
        let mut decoder = decoder();
        let mut models: [Model; 3] = Default::default();
        for (at, (datagram, offset, units, more, fill)) in (1..).zip(parts) {
            // A first part that is the last is no fragment.
            let more = more || offset == 0;
            let len = if more { units * 8 } else { units * 8 - 3 };
            let mut packet = part(&ipv4(ip::ESP, &[]), offset * 8, &vec![fill; len], more);
            packet[5] = u8::try_from(datagram).unwrap();
            let expected = models[datagram].add(offset * 8, &vec![fill; len], more);
            // Far enough apart that none is a copy, near enough that none expires.
            let at = Timestamp::from_nanos(at * 3_000_000);
            let outcome = decoder.decode(Frame { at, ..frame(LinkType::Raw, &packet) }).map(|packet| packet.payload.to_vec());
            prop_assert_eq!(outcome, expected);
        }
    }
}

#[derive(Default)]
struct Model {
    parts: Vec<(usize, Vec<u8>, bool)>,
    refused: bool,
}

impl Model {
    fn add(&mut self, offset: usize, body: &[u8], more: bool) -> Result<Vec<u8>, Skip> {
        if self.refused {
            return Err(Skip::FragmentRefused);
        }
        let new = (offset, body.to_vec(), more);
        if self.parts.contains(&new) {
            return Err(Skip::Fragment);
        }
        self.parts.push(new);
        let mut bytes: Vec<Option<u8>> = vec![None; 256];
        for (offset, body, _) in &self.parts {
            for (slot, byte) in bytes[*offset..].iter_mut().zip(body) {
                self.refused |= slot.replace(*byte).is_some();
            }
        }
        let ends: Vec<usize> = self.parts.iter().filter(|part| !part.2).map(|part| part.0 + part.1.len()).collect();
        let last_end = self.parts.iter().map(|part| part.0 + part.1.len()).max();
        self.refused |= ends.len() > 1 || ends.iter().any(|&end| last_end > Some(end));
        if self.refused {
            return Err(Skip::FragmentRefused);
        }
        let Some(&end) = ends.first() else {
            return Err(Skip::Fragment);
        };
        let whole: Option<Vec<u8>> = bytes.into_iter().take(end).collect();
        let whole = whole.ok_or(Skip::Fragment)?;
        *self = Self::default();
        Ok(whole)
    }
}
