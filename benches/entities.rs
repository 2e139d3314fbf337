//! What it takes to know a large organisation: bytes for each site, device and account, and facts a second on one core,
//! with 200,000 sites, 50,000 devices and 50,000 accounts known, the shipped rules in force and events off.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use spanwatch::alert::Alert;
use spanwatch::analysis::{Analysis, Output, Settings};
use spanwatch::enrich::geo::Geo;
use spanwatch::event::Event;
use spanwatch::facts::{
    Access, AccessPhase, Credential, Direction, Fact, FactKind, FlowId, FlowRef, FlowSummary, Hello, Sender,
    SideSummary, Watermark,
};
use spanwatch::identity::entity::Entity;
use spanwatch::identity::site::Site;
use spanwatch::net::{Endpoint, Transport, Vlans};
use spanwatch::protocol::Protocol;
use spanwatch::risk::{Evidence, Incident, Risk};
use spanwatch::rules::{RuleKind, Rules};
use spanwatch::shard::Batch;
use spanwatch::time::Timestamp;
use spanwatch::world::{self, World};

const SITES: u32 = 200_000;
const DEVICES: u32 = 50_000;
const BATCH: usize = 1024;

struct Nowhere;

impl Output for Nowhere {
    fn wants_events(&self) -> bool {
        false
    }

    fn event(&mut self, _: &Event<'_>) {}

    fn alert(&mut self, _: &Alert) {}

    fn incident(&mut self, _: &Incident) {}
}

fn outside(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xc800_0000 + number).into()
}

fn inside(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a40_0000 + number % DEVICES).into()
}

fn at(number: u32) -> Timestamp {
    Timestamp::from_secs(1_700_000_000) + Duration::from_millis(u64::from(number))
}

fn fact(number: u32, client: IpAddr, protocol: Protocol, kind: FactKind) -> Fact {
    let flow = FlowRef {
        id: FlowId(u64::from(number)),
        client: Endpoint::new(client, 40_000),
        server: Endpoint::new(Ipv4Addr::new(192, 0, 2, 1).into(), 443),
        transport: Transport::Tcp,
        direction: Direction::Handshake,
        client_mac: None,
        server_mac: None,
        client_vlans: Vlans::NONE,
        server_vlans: Vlans::NONE,
        tunnel: None,
        protocol: Some(protocol),
        has_spoken: true,
        started: at(number),
    };
    Fact { at: at(number), seq: u64::from(number), flow, protocol: flow.protocol, kind }
}

/// Accounting of a session: four sites for each of the accounts and devices.
fn session(number: u32) -> Fact {
    let access = Access {
        outside: Some(outside(number)),
        inside: Some(inside(number)),
        station: None,
        phase: AccessPhase::Open,
    };
    let user = format!("CORP\\user{:05}", number % DEVICES);
    let credential = Credential { user: Some(user.into()), access: Some(access), ..Credential::default() };
    fact(
        number,
        Ipv4Addr::new(10, 0, 0, 2).into(),
        Protocol::new(&"radius"),
        FactKind::Credential(Box::new(credential)),
    )
}

/// What most of a day is: nine flows that end to one that introduces itself.
fn traffic(number: u32) -> Fact {
    let kind = match number % 10 {
        0 => {
            let mut hello = Hello::new(Sender::Client);
            hello.server_name = Some("www.example.com".into());
            FactKind::Hello(Box::new(hello))
        }
        _ => FactKind::FlowEnded(FlowSummary {
            client: SideSummary { payload_bytes: 800, ..SideSummary::default() },
            server: SideSummary { payload_bytes: 8000, ..SideSummary::default() },
            duration: Duration::from_secs(5),
            client_rtt: None,
            server_rtt: None,
            flight_rtt: None,
            syn_id: None,
            shape: None,
            end: None,
        }),
    };
    fact(SITES + number, inside(number.wrapping_mul(7919)), Protocol::new(&"tls"), kind)
}

fn feed(analysis: &mut Analysis, facts: impl Iterator<Item = Fact>) -> f64 {
    let facts: Vec<Fact> = facts.collect();
    let count = facts.len();
    let begun = processor_seconds();
    let mut facts = facts.into_iter().peekable();
    while facts.peek().is_some() {
        let facts: Vec<Fact> = facts.by_ref().take(BATCH).collect();
        analysis.on_batch(Batch::of_facts(0, facts, Watermark::END), &mut Nowhere);
    }
    count as f64 / (processor_seconds() - begun)
}

/// The processor's time that the process has taken, which other processes do not lengthen.
fn processor_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    // The 14th and 15th field, counted behind the name of the process, which may hold anything (proc_pid_stat(5)).
    let fields = stat.rsplit(')').next().into_iter().flat_map(str::split_whitespace);
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// The bytes of the process that lie in memory.
fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has this line");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB");
    kib * 1024.0
}

fn ledgers(rules: &Rules) {
    let world = World::new(&world::Settings::default(), rules.products(), Geo::default(), Default::default())
        .expect("the defaults have no fault");
    let weighty = rules.shared().filter(|rule| rule.kind != RuleKind::Filter && rule.weight > 0.0);
    let mut of_families: Vec<_> = weighty.collect();
    of_families.sort_by_key(|rule| rule.family);
    of_families.dedup_by_key(|rule| rule.family);
    let mut risk = Risk::new(Default::default());
    let (before, begun) = (resident_bytes(), processor_seconds());
    for number in 0..SITES {
        let site = Entity::Site(Site::of(outside(number)));
        for rule in of_families.iter().take(3) {
            let evidence = Evidence {
                rule: std::sync::Arc::clone(rule),
                subject: site.clone(),
                at: at(number),
                nats: 1.0,
                values: vec![("network.direction".into(), "inbound".into())],
                flow: Some("1:QAf3+pGMaqGO534pWKUcLd7LteM=".into()),
                captures: Vec::new(),
            };
            risk.credit(&site, evidence, &world);
        }
    }
    let seconds = processor_seconds() - begun;
    let bytes = (resident_bytes() - before) / f64::from(SITES);
    println!(
        "evidence: {bytes:.0} bytes for each of {SITES} sites with three items, {:.0} items/s",
        3.0 * f64::from(SITES) / seconds
    );
}

fn main() {
    let rules = Rules::load(Path::new("rules")).expect("the shipped rules have no fault");
    let mut analysis =
        Analysis::new(&Settings::default(), &rules, Geo::default(), 1).expect("the defaults have no fault");
    let before = resident_bytes();
    let rate = feed(&mut analysis, (0..SITES).map(session));
    let counters = analysis.counters();
    let bytes = resident_bytes() - before;
    println!(
        "entities: {} sites, {} devices, {DEVICES} accounts; {:.0} bytes a site with its share of devices and accounts, \
         {:.0} MiB together; {rate:.0} sessions/s",
        counters.known("site"),
        counters.known("device"),
        bytes / f64::from(SITES),
        bytes / f64::from(1 << 20),
    );
    let rate = feed(&mut analysis, (0..1_000_000).map(traffic));
    println!("facts: {rate:.0} a second with all of them known");
    ledgers(&rules);
}
