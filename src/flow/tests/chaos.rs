//! Any packets, in any order: what holds all the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::facts::{Groups, Minute};
use crate::flow::IdleTimes;

/// A packet of a random conversation between a few hosts, and the time since the one before it.
#[derive(Clone, Debug)]
struct Step {
    pass: Duration,
    client: u8,
    server: u8,
    sender: Sender,
    transport: Transport,
    flags: u8,
    offset: i8,
    payload: Vec<u8>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pass = prop_oneof![
        4 => 0_u64..2_000_000,
        2 => 0_u64..3_000_000_000,
        1 => prop::sample::select(vec![1_000_000_000, 5_000_000_000, 30_000_000_000, 180_000_000_000]),
        1 => 0_u64..5_000_000_000_000,
    ];
    let sender = prop_oneof![Just(Sender::Client), Just(Sender::Server)];
    let transport = prop_oneof![4 => Just(Transport::Tcp), 4 => Just(Transport::Udp), 1 => Just(Transport::Esp)];
    let flags = prop_oneof![4 => Just(0x10_u8), 2 => Just(0x02), 2 => Just(0x12), 1 => Just(0x11), 1 => Just(0x04), 1 => any::<u8>()];
    let payload = prop_oneof![
        3 => Just(Vec::new()),
        2 => prop::collection::vec(any::<u8>(), 0..40),
        1 => Just(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        1 => Just(b"RFB 003.008\n".to_vec()),
        2 => Just(b"\x7f\x7fICA\0".to_vec()),
        1 => Just(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02de\x00\x00\x01\x00\x01".to_vec()),
    ];
    let step = (pass, 0_u8..4, 0_u8..3, sender, transport, flags, -3_i8..4, payload).prop_map(
        |(pass, client, server, sender, transport, flags, offset, payload)| {
            let pass = Duration::from_nanos(pass);
            Step { pass, client, server, sender, transport, flags, offset, payload }
        },
    );
    prop::collection::vec(step, 0..120)
}

fn line_of(step: &Step) -> Line {
    let client = format!("10.0.0.{}:{}", step.client, 40_000 + u16::from(step.client));
    let server = format!("192.0.2.{}:{}", step.server, 22 + u16::from(step.server));
    Line { transport: step.transport, ..Line::tcp(&client, &server) }
}

/// The packets of the steps, streams numbered as if every segment arrived, but where an offset says otherwise.
fn packets(steps: &[Step], begin: Timestamp) -> Vec<(Head, Vec<u8>)> {
    let mut lines: BTreeMap<(u8, u8), Line> = BTreeMap::new();
    let mut now = begin;
    let mut packets = Vec::new();
    for (step, seq) in steps.iter().zip(0..) {
        now = now + step.pass;
        let line = lines.entry((step.client, step.server)).or_insert_with(|| line_of(step));
        line.transport = step.transport;
        let bench = Bench { now, seq, ..Bench::new() };
        let mut head = if step.transport == Transport::Tcp {
            bench.segment_head(line, step.sender, step.flags, step.payload.len())
        } else {
            bench.head(line, step.sender, step.payload.len())
        };
        if let Some(tcp) = &mut head.tcp {
            tcp.sequence = tcp.sequence.wrapping_add_signed(10 * i32::from(step.offset));
            let next = match step.sender {
                Sender::Client => &mut line.client_next,
                Sender::Server => &mut line.server_next,
            };
            *next = next.wrapping_add(head.payload_len);
        }
        packets.push((head, step.payload.clone()));
    }
    packets
}

/// The most packets a table is shown together.
const TOGETHER: usize = 8;

/// Runs packets through as many tables as shards; `looks` says before which packets the time is told.
fn run(packets: &[(Head, Vec<u8>)], shards: u8, settings: &Settings, looks: impl Fn(usize) -> bool) -> Vec<Fact> {
    let mut all = Vec::new();
    let end = packets.last().map_or(BEGIN, |(head, _)| head.at);
    for shard in 0..shards {
        let mut table = FlowTable::new(settings);
        let (mut promised, mut checked) = (Watermark::START, 0);
        let mut facts: Vec<Fact> = Vec::new();
        let mut check = |facts: &[Fact], promised: Watermark| {
            for fact in &facts[checked..] {
                assert!(Watermark { at: fact.at, seq: fact.seq } >= promised, "{fact:?} after {promised:?}");
            }
            checked = facts.len();
        };
        let mut together = Vec::new();
        for (index, (head, payload)) in packets.iter().enumerate() {
            if looks(index) || together.len() == TOGETHER {
                table.on_packets(together.drain(..).as_slice().iter().copied(), &mut facts);
                check(&facts, promised);
            }
            if looks(index) {
                let watermark = table.on_time(head.at, &mut facts);
                check(&facts, promised);
                promised = watermark;
            }
            let (IpAddr::V4(a), IpAddr::V4(b)) = crate::decode::address_pair(head) else { unreachable!() };
            if (a.octets()[3] + b.octets()[3]) % shards == shard {
                together.push(Packet { head, payload });
            }
        }
        table.on_packets(together.into_iter(), &mut facts);
        loop {
            let watermark = table.finish(end, &mut facts);
            check(&facts, promised);
            promised = watermark;
            if watermark == Watermark::END {
                break;
            }
        }
        all.extend(facts);
    }
    all.sort_by_key(|fact| (fact.at, fact.seq));
    all
}

fn shown(facts: &[Fact], begin: Timestamp) -> Vec<String> {
    let line = |fact: &Fact| {
        let (at, started) = (fact.at.since(begin), fact.flow.started.since(begin));
        let (flow, protocol) = (&fact.flow, fact.protocol);
        let kind = match &fact.kind {
            FactKind::Minute(minute) => format!("{:?}", since(minute, begin)),
            kind => format!("{kind:?}"),
        };
        format!(
            "{at:?} {} {} {} {:?} {started:?} {protocol:?} {kind}",
            fact.seq, flow.client, flow.server, flow.direction
        )
    };
    facts.iter().map(line).collect()
}

/// The minute with its times counted from an hour before `begin`.
fn since(minute: &Minute, begin: Timestamp) -> Minute {
    let hour = begin - secs(3600);
    let moved = |at: Timestamp| Timestamp::ZERO + at.since(hour);
    let groups = minute.client_groups;
    let client_groups = Groups { first: moved(groups.first), last: moved(groups.last), ..groups };
    Minute { start: moved(minute.start), client_groups, ..minute.clone() }
}

proptest! {
    #[test]
    fn facts_depend_neither_on_shards_nor_on_when_the_time_is_told_nor_on_the_epoch(steps in steps()) {
        let settings = Settings::default();
        let expected = shown(&run(&packets(&steps, BEGIN), 1, &settings, |_| true), BEGIN);
        for shards in [1, 2, 3, 8] {
            let facts = run(&packets(&steps, BEGIN), shards, &settings, |index| index % 7 == 0);
            prop_assert_eq!(&shown(&facts, BEGIN), &expected);
        }
        let facts = run(&packets(&steps, BEGIN), 1, &settings, |_| false);
        prop_assert_eq!(&shown(&facts, BEGIN), &expected);
        // Whole minutes, which are told as the clock has them.
        let later = BEGIN + secs(86_460);
        prop_assert_eq!(&shown(&run(&packets(&steps, later), 3, &settings, |_| true), later), &expected);
    }

    #[test]
    fn every_packet_is_in_one_summary_and_every_flow_ends_once(steps in steps(), flows_max in 1_usize..8) {
        let packets = packets(&steps, BEGIN);
        let facts = run(&packets, 1, &Settings { flows_max, ..Settings::default() }, |index| index % 5 == 0);
        let mut counted = 0;
        let mut ids = std::collections::BTreeSet::new();
        for fact in &facts {
            if let FactKind::FlowEnded(summary) = &fact.kind {
                counted += summary.client.packets + summary.server.packets;
                prop_assert!(ids.insert(fact.flow.id));
                prop_assert!(fact.at >= fact.flow.started + summary.duration);
            }
        }
        prop_assert_eq!(counted, packets.len() as u64);
    }

    /// Datagrams against a model without capacity, wheel or laziness.
    #[test]
    fn datagram_flows_are_those_of_an_unbounded_table(steps in steps()) {
        let mut packets = packets(&steps, BEGIN);
        packets.retain(|(head, _)| head.tcp.is_none());
        let facts = run(&packets, 1, &Settings::default(), |index| index % 3 == 0);
        let mut ended: Vec<(Timestamp, u64, EndReason, u64)> = facts.iter().filter_map(|fact| match &fact.kind {
            FactKind::FlowEnded(summary) => {
                Some((fact.at, fact.flow.id.0, summary.end?, summary.client.packets + summary.server.packets))
            }
            _ => None,
        }).collect();
        ended.sort_unstable_by_key(|&(at, id, ..)| (at, id));
        prop_assert_eq!(ended, model(&packets));
    }
}

struct Modelled {
    id: u64,
    started: Timestamp,
    last: Timestamp,
    sources: std::collections::BTreeSet<Endpoint>,
    idle: Duration,
    packets: u64,
}

fn model(packets: &[(Head, Vec<u8>)]) -> Vec<(Timestamp, u64, EndReason, u64)> {
    let idle = IdleTimes::default();
    let mut live: BTreeMap<(Endpoint, Endpoint, Transport), Modelled> = BTreeMap::new();
    let mut ended = Vec::new();
    let now = packets.last().map_or(BEGIN, |(head, _)| head.at);
    for (head, _) in packets {
        let (a, b) = (head.source.min(head.target), head.source.max(head.target));
        let key = (a, b, head.transport);
        if let Some(flow) = live.get(&key)
            && head.at >= flow.last + flow.idle
        {
            ended.push((flow.last + flow.idle, flow.id, EndReason::Idle, flow.packets));
            live.remove(&key);
        }
        let flow = live.entry(key).or_insert_with(|| Modelled {
            id: head.seq,
            started: head.at,
            last: head.at,
            sources: Default::default(),
            idle: idle.datagram_exchange,
            packets: 0,
        });
        flow.last = head.at;
        flow.packets += 1;
        flow.sources.insert(head.source);
        if flow.sources.len() == 2 && head.at.since(flow.started) > secs(2) {
            flow.idle = idle.datagram_stream;
        }
    }
    for flow in live.into_values() {
        let end = flow.last + flow.idle;
        if end <= now {
            ended.push((end, flow.id, EndReason::Idle, flow.packets));
        } else {
            ended.push((now, flow.id, EndReason::CaptureEnd, flow.packets));
        }
    }
    ended.sort_unstable_by_key(|&(at, id, ..)| (at, id));
    ended
}
