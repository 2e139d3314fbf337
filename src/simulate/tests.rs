use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use super::*;
use crate::capture::{Frame, LinkType};
use crate::decode::Decoder;
use crate::facts::{Fact, FactKind, Watermark};
use crate::recording::Reader;
use crate::shard::{self, Shard};
use scenario::named;

fn company(name: &str, seed: u64, employees: usize, days: usize) -> Company {
    Company::new(named(name).unwrap(), seed, employees, days)
}

fn options(name: &str, seed: u64, employees: usize, days: usize) -> Options {
    Options { scenario: named(name).unwrap(), seed, days, employees, vantages: Vantage::ALL.to_vec(), is_ipv6: false }
}

fn settings() -> flow::Settings {
    flow::Settings { home_networks: home_networks(), ..flow::Settings::default() }
}

/// The first day until eleven o'clock, when everybody has begun.
fn morning(company: &Company) -> Traffic<'_> {
    Traffic::new(company, START).until(START + std::time::Duration::from_secs(11 * 3600))
}

/// Every packet as a frame.
fn frames(company: &Company, mut each: impl FnMut(&crate::decode::Head, &[u8], Frame<'_>)) {
    let (mut traffic, mut payload) = (morning(company), Vec::new());
    while let Some(head) = traffic.next(&mut payload) {
        let bytes = wire::frame(&head, &payload);
        let wire_len = bytes.len() as u32;
        each(&head, &payload, Frame { at: head.at, seq: head.seq, link: LinkType::Ethernet, wire_len, bytes: &bytes });
    }
}

/// The facts of the frames, as a shard of the sensor says them.
fn facts_of_frames(company: &Company) -> Vec<Fact> {
    let mut shard = Shard::new(&shard::Settings { flow: settings(), ..shard::Settings::default() });
    let (mut facts, mut now) = (Vec::new(), Timestamp::ZERO);
    frames(company, |head, _, frame| {
        now = head.at;
        shard.on_frame(frame, &mut facts);
    });
    while shard.finish(now, &mut facts) < Watermark::END {}
    facts.sort_by_key(|fact| (fact.at, fact.seq));
    facts
}

fn recorded(company: &Company) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    stream::record(&mut morning(company), &settings(), &mut writer).unwrap();
    writer.finish().unwrap()
}

/// The facts of a recording.
fn facts_of_recording(recording: Vec<u8>) -> Vec<Fact> {
    let mut reader = Reader::new("test".into(), Cursor::new(recording), 0).unwrap();
    std::iter::from_fn(|| reader.read().unwrap()).collect()
}

/// A fact without the number of its flow, which a recording moves.
fn shown(fact: &Fact) -> String {
    let flow = &fact.flow;
    let (ends, protocol) = ((flow.client, flow.server, flow.direction, flow.started), flow.protocol);
    format!("{} {ends:?} {protocol:?} {:?} {:?}", fact.at, fact.protocol, fact.kind)
}

#[test]
fn every_frame_is_read_back_as_the_packet_it_was_made_of() {
    for company in [company("farm-rmm", 4, 4, 1), company("farm-rmm", 4, 4, 1).over_ipv6()] {
        let (mut decoder, mut count) = (Decoder::new(Default::default()), 0);
        frames(&company, |head, payload, frame| {
            let packet = decoder.decode(frame).expect("no frame is skipped");
            assert_eq!(packet.payload, payload);
            if count < 5000 {
                assert_eq!(format!("{:?}", packet.head), format!("{head:?}"));
            }
            count += 1;
        });
        assert!(count > 10_000, "{count}");
    }
}

#[test]
fn over_ipv6_the_machines_of_a_household_have_addresses_of_their_own_in_its_network() {
    let company = company("family", 3, 2, 1).over_ipv6();
    let (mut traffic, mut payload) = (morning(&company).seen_at(&[Vantage::Edge]), Vec::new());
    let mut outside: BTreeMap<String, BTreeSet<std::net::IpAddr>> = BTreeMap::new();
    while let Some(head) = traffic.next(&mut payload) {
        let is_from_outside = !home_networks().iter().any(|network| network.contains(head.source.ip));
        if is_from_outside && head.target.port == plan::GATEWAY_PORT {
            outside
                .entry(crate::identity::site::Site::of(head.source.ip).to_string())
                .or_default()
                .insert(head.source.ip);
        }
    }
    let truth = label::truth(&company, &Options { is_ipv6: true, ..options("family", 3, 2, 1) }, START);
    let site = truth["people"][0]["site"].as_str().unwrap();
    assert!(site.ends_with("::/64"), "{site}");
    assert_eq!(outside.keys().collect::<Vec<_>>(), [site]);
    assert_eq!(outside[site].len(), 2);
}

#[test]
fn a_capture_and_a_recording_say_the_same() {
    for (name, is_ipv6) in [("farm-rmm", false), ("cookie-theft", false), ("long-calls", false), ("farm-router", true)]
    {
        let company = company(name, 11, 4, 1);
        let company = if is_ipv6 { company.over_ipv6() } else { company };
        let (of_frames, of_recording) = (facts_of_frames(&company), facts_of_recording(recorded(&company)));
        assert_eq!(of_frames.len(), of_recording.len(), "{name}");
        for (one, other) in of_frames.iter().zip(&of_recording) {
            assert_eq!(shown(one), shown(other), "{name}");
        }
    }
}

#[test]
fn each_mirror_port_shows_a_part_of_the_same() {
    let company = company("travel", 3, 12, 1);
    let of = |vantages: &[Vantage]| {
        let (mut traffic, mut payload) = (morning(&company).seen_at(vantages), Vec::new());
        let mut packets = BTreeSet::new();
        while let Some(head) = traffic.next(&mut payload) {
            packets.insert(format!("{} {:?} {:?} {payload:?}", head.at, head.source, head.target));
        }
        packets
    };
    let all = of(Vantage::ALL);
    let parts: Vec<BTreeSet<String>> = Vantage::ALL.iter().map(|&vantage| of(&[vantage])).collect();
    assert!(parts.iter().all(|part| !part.is_empty()));
    assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), all.len());
    assert!(parts.iter().all(|part| part.is_subset(&all)));
    let is_at_gateway = |packet: &String| packet.contains("203.0.113.10");
    let (edge, pool) = (&parts[1], &parts[3]);
    assert!(edge.iter().any(is_at_gateway) && !pool.iter().any(is_at_gateway));
}

#[test]
fn everything_follows_from_the_seed() {
    let made = |seed| recorded(&company("family", seed, 2, 1));
    assert!(made(1) == made(1));
    assert!(made(1) != made(2));
    let truth = |seed| {
        let options = options("company", seed, 120, 3);
        label::truth(&company("company", seed, 120, 3), &options, START)
    };
    assert_eq!(truth(1), truth(1));
    assert_ne!(truth(1)["farms"], truth(2)["farms"]);
}

/// The protocols that a sensor recognises in a conversation, and what it cannot read.
fn recognised(company: &Company, action: &action::Action) -> (BTreeSet<&'static str>, Vec<&'static str>) {
    let mut packets = talk::conversation(company, START, action, 1).packets();
    let mut shard = Shard::new(&shard::Settings { flow: settings(), ..shard::Settings::default() });
    let (mut facts, mut payload, mut seq) = (Vec::new(), Vec::new(), 0);
    // Its beginning is enough.
    while seq < 200
        && let Some(head) = packets.next(&mut payload)
    {
        let bytes = wire::frame(&head, &payload);
        let wire_len = bytes.len() as u32;
        shard.on_frame(Frame { at: head.at, seq, link: LinkType::Ethernet, wire_len, bytes: &bytes }, &mut facts);
        seq += 1;
    }
    while shard.finish(Timestamp::MAX, &mut facts) < Watermark::END {}
    let malformed = facts.iter().filter_map(|fact| match fact.kind {
        FactKind::Malformed(reason) => Some(reason),
        _ => None,
    });
    (
        facts.iter().filter_map(|fact| fact.flow.protocol).map(|protocol| protocol.as_str()).collect(),
        malformed.collect(),
    )
}

#[test]
fn what_is_said_is_recognised_as_what_it_is() {
    use action::What;
    let company = company("company", 2, 0, 3);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for action in (0..3).flat_map(|day| work::day(&company, day)) {
        let (name, expected) = match &action.what {
            What::Account { .. } => ("account", "radius"),
            What::Call { .. } => ("call", ""),
            What::Driven { product: Some(product), .. } if plan::REMOTE_PRODUCTS[*product].0 == "teamviewer" => {
                ("teamviewer", "teamviewer")
            }
            What::Driven { .. } => ("driven", "tls"),
            What::Lease => ("lease", "dhcp"),
            What::Lookup { .. } => ("lookup", "dns"),
            What::Page { .. } => ("page", "tls"),
            What::Tunnel { .. } => ("tunnel", "wireguard"),
            What::Upload { .. } => ("upload", "tls"),
        };
        let count = seen.entry(name).or_default();
        *count += 1;
        if *count <= 20 {
            let (protocols, malformed) = recognised(&company, &action);
            let expected: BTreeSet<&str> = [expected].into_iter().filter(|name| !name.is_empty()).collect();
            assert_eq!((protocols, malformed), (expected, Vec::new()), "{action:?}");
        }
    }
    assert!(seen.len() >= 7, "{seen:?}");
}

#[test]
fn every_farm_is_labelled_whole() {
    let scenario = named("company").unwrap();
    let options = options("company", 9, 300, 10);
    let company = company("company", 9, 300, 10);
    let truth = label::truth(&company, &options, START);
    let people: BTreeSet<&str> =
        truth["people"].as_array().unwrap().iter().map(|person| person["account"].as_str().unwrap()).collect();
    let farms = truth["farms"].as_array().unwrap();
    assert_eq!((people.len(), farms.len()), (300, scenario.farms.len()));
    for (farm, kind) in farms.iter().zip(scenario.farms) {
        let laptops = farm["laptops"].as_u64().unwrap() as usize;
        let (least, most) = kind.laptops();
        assert!((least..=most).contains(&laptops), "{farm}");
        assert_eq!(farm["kind"], kind.as_str());
        assert_eq!(farm["devices"].as_array().unwrap().len(), laptops);
        assert!(farm["accounts"].as_array().unwrap().iter().all(|account| people.contains(account.as_str().unwrap())));
        assert!(!farm["sites"].as_array().unwrap().is_empty() && farm["since"].is_string());
    }
    assert_eq!(truth["situations"].as_object().unwrap().len(), scenario.situations.len());
}

#[test]
fn the_configuration_is_one_that_the_sensor_takes() {
    let text = label::configuration(&company("company", 3, 200, 2).over_ipv6());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(CONFIGURATION);
    std::fs::write(&path, text).unwrap();
    let config = crate::config::Config::load(&path).unwrap();
    let own = config.shard(1).flow.home_networks;
    let is_known = |network: &Network| own.contains(network) || own.iter().any(|own| own.contains(network.first()));
    assert!(home_networks().iter().all(is_known), "{own:?}");
    assert_eq!(own.len(), home_networks().len() + 1, "the help desk's is named apart");
}
