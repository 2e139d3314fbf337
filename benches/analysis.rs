//! What a fact costs behind the shards, with the shipped rules and events off: ended flows, which no rule judges, and
//! hellos, which many do.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use spanwatch::alert::Alert;
use spanwatch::analysis::{Analysis, Output, Settings};
use spanwatch::enrich::geo::Geo;
use spanwatch::event::Event;
use spanwatch::facts::{
    Direction, Fact, FactKind, FlowId, FlowRef, FlowSummary, Hello, Sender, SideSummary, Watermark,
};
use spanwatch::net::{Endpoint, Mac, Transport, Vlans};
use spanwatch::protocol::Protocol;
use spanwatch::risk::Incident;
use spanwatch::rules::Rules;
use spanwatch::shard::Batch;
use spanwatch::time::Timestamp;

const FACTS: u64 = 10_000;

struct Nowhere;

impl Output for Nowhere {
    fn wants_events(&self) -> bool {
        false
    }

    fn event(&mut self, _: &Event<'_>) {}

    fn alert(&mut self, _: &Alert) {}

    fn incident(&mut self, _: &Incident) {}
}

/// A flow of one of 2,000 machines behind a router to one of many servers.
fn flow(id: u64) -> FlowRef {
    let address = |base: u32, number: u64| IpAddr::V4(Ipv4Addr::from_bits(base + number as u32));
    FlowRef {
        id: FlowId(id),
        client: Endpoint::new(address(0x0a01_0000, id * 7 % 2_000), 1024 + (id % 60_000) as u16),
        server: Endpoint::new(address(0xc633_0000, id * 13 % 50_000), 443),
        transport: Transport::Tcp,
        direction: Direction::Handshake,
        client_mac: Some(Mac([0, 0x11, 0x22, 0, 0, 1])),
        server_mac: Some(Mac([0, 0x11, 0x22, 0, 0, 2])),
        client_vlans: Vlans::NONE,
        server_vlans: Vlans::NONE,
        tunnel: None,
        protocol: Some(Protocol::new(&"tls")),
        has_spoken: false,
        started: Timestamp::from_secs(id / 1000),
    }
}

fn facts(kind: impl Fn() -> FactKind) -> Vec<Fact> {
    let fact = |id| {
        let flow = flow(id);
        Fact { at: Timestamp::from_secs(10 + id / 1000), seq: id, flow, protocol: flow.protocol, kind: kind() }
    };
    (0..FACTS).map(fact).collect()
}

fn ended() -> FactKind {
    FactKind::FlowEnded(FlowSummary {
        client: SideSummary::default(),
        server: SideSummary::default(),
        duration: Duration::from_secs(5),
        client_rtt: None,
        server_rtt: None,
        flight_rtt: None,
        syn_id: None,
        shape: None,
        end: None,
    })
}

fn hello() -> FactKind {
    let mut hello = Hello::new(Sender::Client);
    hello.server_name = Some("www.example.com".into());
    hello.alpn = ["h2".into(), "http/1.1".into()].into();
    FactKind::Hello(Box::new(hello))
}

fn stages(criterion: &mut Criterion) {
    let rules = Rules::load(Path::new("rules")).expect("the shipped rules have no fault");
    let mut group = criterion.benchmark_group("analysis");
    group.throughput(Throughput::Elements(FACTS)).sample_size(20);
    for (name, kind) in [("flow", ended as fn() -> FactKind), ("hello", hello)] {
        let mut analysis =
            Analysis::new(&Settings::default(), &rules, Geo::default(), 1).expect("the defaults have no fault");
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || Batch::of_facts(0, facts(kind), Watermark::END),
                |batch| analysis.on_batch(batch, &mut Nowhere),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
