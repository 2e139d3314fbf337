//! A full table.

use super::*;

fn small(flows_max: usize) -> Settings {
    Settings { flows_max, ..Settings::default() }
}

#[test]
fn a_syn_flood_leaves_established_sessions_alone() {
    let mut bench = Bench::with(&small(1000));
    let mut lines: Vec<Line> =
        (0..200).map(|index| Line::tcp(&format!("10.0.0.{index}:40000"), "192.0.2.1:3389")).collect();
    for line in &mut lines {
        bench.handshake(line);
    }
    for index in 0..100_000_u32 {
        let [_, a, b, c] = index.to_be_bytes();
        let mut line = Line::tcp(&format!("198.{a}.{b}.{c}:{}", 1024 + index % 60_000), "192.0.2.1:3389");
        bench.pass(Duration::from_micros(10)).segment(&mut line, Sender::Client, TcpHeader::SYN, b"");
        if index % 1000 == 0 {
            // A genuine connection amid the flood gets through its handshake.
            let mut line = Line::tcp(&format!("10.1.0.{}:50000", index / 1000), "192.0.2.1:443");
            bench.handshake(&mut line);
            lines.push(line);
        }
        assert!(bench.table.counters().flows_active <= 1000);
    }
    assert!(
        bench.ended().iter().all(|&(_, _, end, client, server)| (end, client, server) == (EndReason::Evicted, 1, 0))
    );
    let counters = bench.table.counters();
    assert_eq!(counters.flows_evicted, counters.flows_started - 1000);
    bench.facts.clear();
    for line in &mut lines {
        bench.segment(line, Sender::Client, TcpHeader::ACK, b"");
    }
    bench.finish();
    assert_eq!(bench.ended().iter().filter(|&&(.., client, server)| (client, server) == (3, 1)).count(), 300);
}

#[test]
fn what_is_over_goes_before_what_is_not() {
    let mut bench = Bench::with(&small(3));
    let mut over = Line::tcp("10.0.0.1:1000", "192.0.2.1:80");
    let mut half = Line::tcp("10.0.0.2:1000", "192.0.2.1:80");
    let mut open = Line::tcp("10.0.0.3:1000", "192.0.2.1:80");
    bench.handshake(&mut open);
    bench.segment(&mut half, Sender::Client, TcpHeader::SYN, b"");
    bench.handshake(&mut over);
    bench.segment(&mut over, Sender::Server, TcpHeader::RST, b"");
    for index in 0..3 {
        bench.pass(ms(1)).datagram(&Line::udp(&format!("10.0.1.{index}:1000"), "192.0.2.1:53"), Sender::Client, b"?");
    }
    let ended: Vec<(u64, EndReason)> = bench.ended().iter().map(|&(_, id, end, ..)| (id, end)).collect();
    // The closed one, the lone SYN, the first datagram; the open connection stays.
    assert_eq!(ended, [(4, EndReason::Reset), (3, EndReason::Evicted), (8, EndReason::Evicted)]);
    assert_eq!(bench.table.counters().flows_evicted, 3);
}

#[test]
fn a_flow_past_its_deadline_makes_room_as_idle_and_not_as_evicted() {
    let mut bench = Bench::with(&small(1));
    bench.datagram(&Line::udp("10.0.0.1:1000", "192.0.2.1:53"), Sender::Client, b"?");
    bench.pass(secs(30)).datagram(&Line::udp("10.0.0.2:1000", "192.0.2.1:53"), Sender::Client, b"?");
    assert_eq!(bench.ended(), [(secs(30), 0, EndReason::Idle, 1, 0)]);
    assert_eq!(bench.table.counters().flows_evicted, 0);
}

/// A log-on of TDS (MS-TDS §2.2.6.5, §2.2.6.4) whose last packet never comes: the parser keeps what there is of it.
#[test]
fn what_parsers_keep_counts_as_buffered() {
    let settings = Settings { buffers_bytes_max: 100_000, ..Settings::default() };
    let mut bench = Bench::with(&settings);
    let packet = |kind: u8, status: u8, data: &[u8]| {
        let len = u16::try_from(data.len() + 8).unwrap().to_be_bytes();
        [&[kind, status, len[0], len[1], 0, 0, 1, 0], data].concat()
    };
    let prelogin = packet(0x12, 1, &[0, 0, 6, 0, 6, 0xff, 12, 0, 0, 1, 0, 0]);
    let half = packet(0x10, 0, &[0; 30_000]);
    for index in 0..20 {
        let mut line = Line::tcp(&format!("10.0.0.{index}:1000"), "192.0.2.1:1433");
        bench.handshake(&mut line);
        bench.segment_at(&line, Sender::Client, 1, &prelogin);
        bench.segment_at(&line, Sender::Client, 1 + i32::try_from(prelogin.len()).unwrap(), &half);
        assert!(bench.table.counters().buffered_bytes <= 100_000);
    }
    let counters = bench.table.counters();
    assert!(counters.buffered_bytes > 60_000 && counters.buffer_refusals >= 16, "{counters:?}");
    bench.finish();
    assert_eq!(bench.table.counters().buffered_bytes, 0);
}

#[test]
fn full_buffers_cost_a_flow_its_reading_and_not_its_counting() {
    let settings = Settings { buffers_bytes_max: 10_000, ..Settings::default() };
    let mut bench = Bench::with(&settings);
    for index in 0..20 {
        let mut line = Line::tcp(&format!("10.0.0.{index}:1000"), "192.0.2.1:9");
        bench.handshake(&mut line);
        bench.segment_at(&line, Sender::Client, 1, &[0xaa; 1000]);
        assert!(bench.table.counters().buffered_bytes <= 10_000);
    }
    let counters = bench.table.counters();
    assert_eq!((counters.buffer_refusals, counters.buffered_bytes), (10, 10_000));
    bench.finish();
    assert_eq!(bench.table.counters().buffered_bytes, 0);
    assert!(bench.facts.iter().all(|fact| match &fact.kind {
        FactKind::FlowEnded(summary) => summary.client.payload_bytes == 1000,
        _ => false,
    }));
}
