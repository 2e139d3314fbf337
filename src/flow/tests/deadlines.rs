//! When flows are reported and when they end.

use super::*;
use crate::flow::IdleTimes;

const ACK: u8 = TcpHeader::ACK;
const FIN_ACK: u8 = TcpHeader::FIN | TcpHeader::ACK;
const RST_ACK: u8 = TcpHeader::RST | TcpHeader::ACK;

/// One flow brought into a state, and how long it may be silent there.
type Case = (&'static str, fn(&mut Bench), Duration, EndReason);

fn cases() -> Vec<Case> {
    let idle = IdleTimes::default();
    fn with_handshake(bench: &mut Bench, then: fn(&mut Bench, &mut Line)) {
        let mut line = Line::tcp("10.0.0.1:40000", "192.0.2.1:443");
        bench.handshake(&mut line);
        then(bench, &mut line);
    }
    vec![
        (
            "syn",
            |bench| {
                let mut line = Line::tcp("10.0.0.1:40000", "192.0.2.1:443");
                bench.segment(&mut line, Sender::Client, TcpHeader::SYN, b"");
            },
            idle.tcp_opening,
            EndReason::Idle,
        ),
        ("open", |bench| with_handshake(bench, |_, _| {}), idle.tcp_open, EndReason::Idle),
        (
            "closing",
            |bench| with_handshake(bench, |bench, line| bench.segment(line, Sender::Client, FIN_ACK, b"")),
            idle.tcp_closing,
            EndReason::Idle,
        ),
        (
            "closed",
            |bench| {
                with_handshake(bench, |bench, line| {
                    bench.segment(line, Sender::Client, FIN_ACK, b"");
                    bench.segment(line, Sender::Server, FIN_ACK, b"");
                    bench.segment(line, Sender::Client, ACK, b"");
                });
            },
            idle.tcp_closed,
            EndReason::Finished,
        ),
        (
            "reset",
            |bench| with_handshake(bench, |bench, line| bench.segment(line, Sender::Server, RST_ACK, b"")),
            idle.tcp_closed,
            EndReason::Reset,
        ),
        (
            "refused",
            |bench| {
                let mut line = Line::tcp("10.0.0.1:40000", "192.0.2.1:443");
                bench.segment(&mut line, Sender::Client, TcpHeader::SYN, b"");
                bench.segment(&mut line, Sender::Server, RST_ACK, b"");
            },
            idle.tcp_refused,
            EndReason::Reset,
        ),
        (
            "exchange",
            |bench| {
                let line = Line::udp("10.0.0.1:40000", "192.0.2.1:9");
                bench.datagram(&line, Sender::Client, b"?");
                bench.datagram(&line, Sender::Server, b"!");
            },
            idle.datagram_exchange,
            EndReason::Idle,
        ),
        (
            "stream",
            |bench| {
                let line = Line::udp("10.0.0.1:40000", "192.0.2.1:9");
                bench.datagram(&line, Sender::Client, b"?");
                bench.pass(ms(2001)).datagram(&line, Sender::Server, b"!");
            },
            idle.datagram_stream,
            EndReason::Idle,
        ),
    ]
}

#[test]
fn a_flow_ends_at_its_deadline_whenever_that_is_noticed() {
    for (name, open, idle, reason) in cases() {
        for late in [ms(0), ms(1), secs(3), secs(100_000)] {
            let mut bench = Bench::new();
            open(&mut bench);
            let deadline = bench.now + idle;
            bench.pass(idle - Duration::from_nanos(1));
            bench.table.on_time(bench.now, &mut bench.facts);
            assert!(bench.ended().is_empty(), "{name}");
            bench.pass(Duration::from_nanos(1) + late).look();
            let [(at, 0, end, ..)] = bench.ended()[..] else { panic!("{name}: {:?}", bench.ended()) };
            assert_eq!((at, end), (deadline.since(BEGIN), reason), "{name}");
        }
    }
}

#[test]
fn a_packet_before_the_deadline_belongs_to_the_flow_and_one_at_it_to_the_next() {
    let idle = IdleTimes::default().datagram_exchange;
    for (silence, flows) in [(idle - Duration::from_nanos(1), 1), (idle, 2), (idle + Duration::from_nanos(1), 2)] {
        let mut bench = Bench::new();
        let line = Line::udp("10.0.0.1:40000", "192.0.2.1:9");
        bench.datagram(&line, Sender::Client, b"?");
        bench.pass(silence).datagram(&line, Sender::Client, b"?");
        bench.finish();
        let ended = bench.ended();
        assert_eq!(ended.len(), flows, "{silence:?}");
        if flows == 2 {
            assert_eq!(ended[0], (idle, 0, EndReason::Idle, 1, 0));
            assert_eq!(ended[1], (silence, 1, EndReason::CaptureEnd, 1, 0));
        }
    }
}

#[test]
fn a_long_session_is_reported_at_1_10_and_60_minutes_and_then_hourly() {
    let mut bench = Bench::new();
    let mut line = Line::tcp("10.0.0.1:40000", "192.0.2.1:3389");
    bench.handshake(&mut line);
    for _ in 0..(3 * 60 + 5) {
        bench.segment(&mut line, Sender::Server, ACK, b"picture");
        bench.pass(secs(60));
    }
    bench.segment(&mut line, Sender::Client, ACK, b"");
    let reported: Vec<(u64, u64)> = bench
        .facts
        .iter()
        .map(|fact| match &fact.kind {
            FactKind::Activity(summary) if summary.end.is_none() => {
                (fact.at.since(BEGIN).as_secs() / 60, summary.server.packets - 1)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    // The packet of the very minute is not in it yet.
    assert_eq!(reported, [(1, 1), (10, 10), (60, 60), (120, 120), (180, 180)]);
}

#[test]
fn a_session_of_weeks_is_reported_every_hour() {
    const HOURS: u64 = 1000;
    let mut bench = Bench::new();
    let mut line = Line::tcp("10.0.0.1:40000", "192.0.2.1:22");
    bench.handshake(&mut line);
    for _ in 0..2 * HOURS {
        bench.segment(&mut line, Sender::Server, ACK, b"alive");
        bench.pass(secs(30 * 60));
    }
    bench.segment(&mut line, Sender::Client, ACK, b"");
    let hours: Vec<u64> = bench.facts.iter().map(|fact| fact.at.since(BEGIN).as_secs() / 3600).collect();
    let expected: Vec<u64> = [0, 0].into_iter().chain(1..=HOURS).collect();
    assert_eq!(hours, expected);
}

#[test]
fn a_flow_that_is_over_is_not_reported_any_more() {
    let mut bench = Bench::new();
    bench.datagram(&Line::udp("10.0.0.1:40000", "192.0.2.1:9"), Sender::Client, b"?");
    bench.pass(secs(10_000)).look();
    assert_eq!(bench.facts.len(), 1);
    assert_eq!(bench.ended(), [(secs(30), 0, EndReason::Idle, 1, 0)]);
}

#[test]
fn the_end_of_the_capture_ends_every_flow_in_the_order_of_ids_and_a_few_hundred_a_call() {
    let count = 3 * FlowTable::FINISHED_MAX + 10;
    let mut bench = Bench::new();
    for index in 0..count {
        let client = format!("10.0.{}.{}:4000", index / 256, index % 256);
        bench.datagram(&Line::udp(&client, "192.0.2.1:9"), Sender::Client, b"?");
    }
    let mut watermarks = Vec::new();
    loop {
        let before = bench.facts.len();
        watermarks.push(bench.table.finish(bench.now, &mut bench.facts));
        assert!(bench.facts.len() - before <= FlowTable::FINISHED_MAX);
        if watermarks.last() == Some(&Watermark::END) {
            break;
        }
    }
    let ids: Vec<u64> = bench.ended().iter().map(|&(_, id, ..)| id).collect();
    assert_eq!(ids, (0..count as u64).collect::<Vec<_>>());
    assert!(watermarks.is_sorted());
    assert!(bench.ended().iter().all(|&(at, _, end, ..)| (at, end) == (secs(0), EndReason::CaptureEnd)));
    assert_eq!(bench.table.counters().flows_active, 0);
}
