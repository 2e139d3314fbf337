use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::capture::{Frame, LinkType};
use crate::decode::{Decoder, Head, IpHeader, Limits, Packet, TcpHeader};
use crate::event::tests::{fact, flow, summary};
use crate::facts::{Fact, FactKind, FlowId, FlowRef, Watermark};
use crate::flow::Openings;
use crate::net::{Endpoint, Transport};
use crate::protocol::{Protocol, tls};
use crate::time::Timestamp;

const SECRET: &[u8] = b"PASS correct horse battery staple";

fn settings(packets_max: u64, memory_bytes_max: usize) -> Settings {
    Settings { dir: Some("captures".into()), packets_max, memory_bytes_max, ..Settings::default() }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn segment(at: Timestamp, seq: u64, payload_len: u32) -> Head {
    let end = |last, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port);
    let mut tcp = TcpHeader {
        sequence: 1,
        acknowledgment: 2,
        flags: TcpHeader::ACK,
        reserved: false,
        window: 1024,
        urgent: 0,
        options: [0; 40],
        options_len: 4,
    };
    tcp.options[..4].copy_from_slice(&[2, 4, 5, 180]);
    Head {
        at,
        seq,
        source: end(1, 50_000),
        target: end(2, 21),
        transport: Transport::Tcp,
        source_mac: None,
        target_mac: None,
        vlan: Some(7),
        inner_vlan: None,
        tunnel: None,
        is_authenticated: false,
        ip: IpHeader { len: 44 + payload_len, ttl: 63, id: Some(9), dont_fragment: true, ..IpHeader::default() },
        tcp: Some(tcp),
        payload_len,
    }
}

/// The packets (second, flow) of a shard, each with a secret in it.
fn openings(packets: &[(u64, u64)]) -> Openings {
    let mut openings = Openings::default();
    for &(secs, flow) in packets {
        let head = segment(at(secs), secs, SECRET.len() as u32);
        openings.push(FlowId(flow), &Packet { head: &head, payload: SECRET }, 16);
    }
    openings
}

fn flow_of(id: u64, protocol: Option<Protocol>) -> FlowRef {
    let flow = flow("10.0.0.1:50000", "10.0.0.2:21", Transport::Tcp);
    FlowRef { id: FlowId(id), started: at(id), protocol, ..flow }
}

/// A fact about a flow whose id is the second it began in.
fn said(secs: u64, id: u64, protocol: Option<Protocol>, kind: FactKind) -> Fact {
    Fact { seq: secs, ..fact(flow_of(id, protocol), secs, kind) }
}

fn malformed() -> FactKind {
    FactKind::Malformed("of no matter")
}

fn ended() -> FactKind {
    FactKind::FlowEnded(summary(1))
}

#[test]
fn an_exhibit_holds_the_first_packets_of_the_session_that_was_asked_for() {
    let mut shelf = Shelf::new(&settings(3, 1 << 20), 1);
    shelf.add(0, openings(&[(1, 1), (2, 2), (3, 1), (4, 2), (5, 1), (6, 1)]));
    shelf.on_fact(&said(3, 1, Some(tls::SPEC.protocol), malformed()));
    let name = shelf.want(&flow_of(1, None)).unwrap();
    assert_eq!(shelf.take_finished(), [], "another packet may come");
    shelf.advance(Watermark::END);
    let [exhibit] = &shelf.take_finished()[..] else { panic!("complete at three packets") };
    assert_eq!(exhibit.name, name);
    let frames = frames(&exhibit.bytes);
    assert_eq!(frames.iter().map(|frame| frame.at.as_secs()).collect::<Vec<_>>(), [1, 3, 5]);
    shelf.finish();
    assert_eq!((shelf.take_finished(), shelf.want(&flow_of(1, None))), (vec![], Some(name)), "made once");
}

struct Shown {
    at: Timestamp,
    head: Head,
    payload: Vec<u8>,
}

/// The packets of a capture, as the sensor itself reads them.
fn frames(file: &[u8]) -> Vec<Shown> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    assert_eq!((number(&file[..4]), number(&file[20..24])), (0xa1b2_3c4d, 1));
    let (mut rest, mut shown, mut decoder) = (&file[24..], Vec::new(), Decoder::new(Limits::default()));
    while !rest.is_empty() {
        let [secs, nanos, len, wire_len] = [0, 4, 8, 12].map(|place| number(&rest[place..place + 4]));
        let (bytes, later) = rest[16..].split_at(len as usize);
        let at = Timestamp::from_nanos(u64::from(secs) * 1_000_000_000 + u64::from(nanos));
        let frame = Frame { at, seq: u64::from(secs), link: LinkType::Ethernet, wire_len, bytes };
        let packet = decoder.decode(frame).unwrap();
        shown.push(Shown { at, head: *packet.head, payload: packet.payload.to_vec() });
        rest = later;
    }
    shown
}

#[test]
fn a_frame_says_what_the_packet_said() {
    let mut shelf = Shelf::new(&settings(1, 1 << 20), 1);
    shelf.add(0, openings(&[(1, 1)]));
    shelf.on_fact(&said(1, 1, Some(tls::SPEC.protocol), malformed()));
    shelf.want(&flow_of(1, None)).unwrap();
    let shown = frames(&shelf.take_finished()[0].bytes);
    let [Shown { head, payload, .. }] = &shown[..] else { panic!() };
    let expected = segment(at(1), 1, SECRET.len() as u32);
    let without_macs = Head { source_mac: None, target_mac: None, ..*head };
    assert_eq!(format!("{without_macs:?}"), format!("{expected:?}"));
    assert_eq!(payload, &SECRET[..16], "what its protocol allows");
}

#[test]
fn of_a_protocol_that_may_carry_secrets_the_headers_are_kept_alone() {
    let ftp = Some(Protocol::new(&"ftp"));
    for (protocol, shows) in [(None, false), (ftp, false), (Some(tls::SPEC.protocol), true)] {
        let mut shelf = Shelf::new(&settings(1, 1 << 20), 1);
        shelf.add(0, openings(&[(1, 1)]));
        shelf.on_fact(&said(1, 1, protocol, malformed()));
        shelf.want(&flow_of(1, protocol)).unwrap();
        let file = &shelf.take_finished()[0].bytes;
        assert_eq!(file.windows(4).any(|bytes| bytes == b"PASS"), shows, "{protocol:?}");
        assert_eq!(frames(file)[0].head.payload_len, SECRET.len() as u32, "and the length is told");
    }
}

#[test]
fn the_same_exhibits_are_made_of_one_shard_and_of_several_in_any_order() {
    let made = |shards: &[&[(u64, u64)]]| {
        let mut shelf = Shelf::new(&settings(4, 3000), shards.len());
        for (number, packets) in shards.iter().enumerate().rev() {
            shelf.add(number, openings(packets));
        }
        for id in 1..=6 {
            shelf.on_fact(&said(6 + id, id, None, malformed()));
            shelf.want(&flow_of(id, None));
            shelf.after_fact(&said(6 + id, id, None, malformed()));
        }
        shelf.finish();
        shelf.take_finished()
    };
    let all: Vec<(u64, u64)> = (1..=6).map(|id| (id, id)).chain((7..=12).map(|secs| (secs, secs - 6))).collect();
    let [even, odd] = [0, 1].map(|rest| all.iter().copied().filter(|(_, id)| id % 2 == rest).collect::<Vec<_>>());
    let one = made(&[&all]);
    assert!((2..6).contains(&one.len()), "some gave way: {}", one.len());
    assert_eq!(one, made(&[&even, &odd]));
}

#[test]
fn the_memory_has_a_bound_and_what_gives_way_is_counted_as_missed() {
    let memory_bytes_max = 20_000;
    let mut shelf = Shelf::new(&settings(16, memory_bytes_max), 2);
    for start in 0..200 {
        shelf.add(0, openings(&(0..20).map(|number| (start * 20 + number, start * 20 + number)).collect::<Vec<_>>()));
        assert!(shelf.counters().memory_bytes <= memory_bytes_max as u64, "{:?}", shelf.counters());
        shelf.advance(Watermark::before(at(start * 20)));
        assert!(shelf.counters().memory_bytes <= memory_bytes_max as u64, "{:?}", shelf.counters());
    }
    shelf.on_fact(&said(4000, 1, None, malformed()));
    assert_eq!((shelf.want(&flow_of(1, None)), shelf.counters().missed), (None, 1));
}

#[test]
fn a_scan_drives_out_scans_and_a_remote_desktop_stays() {
    let mut shelf = Shelf::new(&settings(16, 20_000), 1);
    shelf.add(0, openings(&[(1, 1), (2, 2)]));
    let ssh = Some(crate::protocol::ssh::SPEC.protocol);
    shelf.on_fact(&said(2, 2, ssh, malformed()));
    shelf.on_fact(&said(2, 1, None, malformed()));
    for number in 3..500 {
        shelf.add(0, openings(&[(number, number)]));
    }
    shelf.advance(Watermark::END);
    assert!(shelf.want(&flow_of(1, None)).is_none() && shelf.want(&flow_of(2, None)).is_some());
}

#[test]
fn what_was_asked_for_is_complete_when_the_flow_is_over_or_gives_way() {
    let mut shelf = Shelf::new(&settings(16, 20_000), 1);
    shelf.add(0, openings(&[(1, 1), (2, 2), (3, 3)]));
    for id in [1, 2, 3] {
        shelf.on_fact(&said(3, id, None, malformed()));
    }
    let one = shelf.want(&flow_of(1, None)).unwrap();
    shelf.after_fact(&said(4, 1, None, ended()));
    assert_eq!(shelf.take_finished().iter().map(|exhibit| &exhibit.name).collect::<Vec<_>>(), [&one]);
    shelf.after_fact(&said(4, 3, None, ended()));
    let three = shelf.want(&flow_of(3, None)).unwrap();
    assert_eq!(shelf.take_finished()[0].name, three, "over before it was asked for");
    let two = shelf.want(&flow_of(2, None)).unwrap();
    for number in 5..500 {
        shelf.add(0, openings(&[(number, number)]));
    }
    assert_eq!(shelf.take_finished().iter().map(|exhibit| &exhibit.name).collect::<Vec<_>>(), [&two]);
}

#[test]
fn a_flow_of_another_source_with_the_same_number_is_another_one() {
    let mut shelf = Shelf::new(&settings(16, 20_000), 1);
    shelf.add(0, openings(&[(1, 1)]));
    let other = Fact { flow: FlowRef { started: at(9), ..flow_of(1, None) }, ..said(9, 1, None, malformed()) };
    shelf.on_fact(&other);
    assert_eq!(shelf.want(&other.flow), None);
}

#[test]
fn a_flow_that_a_correlation_counted_is_found_by_its_community_id() {
    let mut shelf = Shelf::new(&settings(1, 20_000), 1);
    shelf.add(0, openings(&[(1, 1)]));
    shelf.on_fact(&said(1, 1, None, malformed()));
    let FlowRef { client, server, transport, .. } = flow_of(1, None);
    let id = crate::flow::community_id(client, server, transport);
    assert_eq!(shelf.want_community_id(&id), Some(ExhibitName::of(at(1), &id)));
    assert_eq!((shelf.want_community_id("1:none="), shelf.counters().missed), (None, 1));
}

#[test]
fn settings_that_would_keep_too_much_are_refused_with_the_bound() {
    let parse = |text: &str| crate::yaml::parse::<Settings>("spanwatch.yml", text).map_err(|fault| fault.to_string());
    for (text, message) in [
        ("packets_max: 0", "an evidence capture holds 1 to 256 packets, not 0"),
        ("packets_max: 257", "an evidence capture holds 1 to 256 packets, not 257"),
        ("payload_bytes_max: 1501B", "evidence captures hold at most 1500 bytes of a packet's payload, not 1501"),
    ] {
        assert!(parse(text).unwrap_err().contains(message), "{text}");
    }
    assert_eq!(parse("{packets_max: 256, payload_bytes_max: 0B}").unwrap().openings(), None, "without a folder");
}
