use super::*;
use crate::enrich::geo::Geo;
use crate::enrich::products::Products;
use crate::facts::{Certificate, Direction, FlowId, FlowSummary};
use crate::identity;
use crate::net::{Endpoint, Mac, Transport, Vlans};
use crate::protocol::tls;

/// A flow between two ends, written as `192.0.2.1:80` or `[2001:db8::1]:80`.
pub(crate) fn flow(client: &str, server: &str, transport: Transport) -> FlowRef {
    let end = |text: &str| {
        let end: std::net::SocketAddr = text.parse().unwrap();
        Endpoint::new(end.ip(), end.port())
    };
    FlowRef {
        id: FlowId(1),
        client: end(client),
        server: end(server),
        transport,
        direction: Direction::Handshake,
        client_mac: None,
        server_mac: None,
        client_vlans: Vlans::NONE,
        server_vlans: Vlans::NONE,
        tunnel: None,
        protocol: None,
        has_spoken: false,
        started: Timestamp::ZERO,
    }
}

pub(crate) fn fact(flow: FlowRef, at_secs: u64, kind: FactKind) -> Fact {
    Fact { at: Timestamp::from_secs(at_secs), seq: flow.id.0, flow, protocol: flow.protocol, kind }
}

pub(crate) fn fact_at(secs: u64, seq: u64) -> Fact {
    let flow = flow("10.0.0.1:1000", "192.0.2.1:443", Transport::Tcp);
    Fact { seq, ..fact(flow, secs, FactKind::Malformed("test")) }
}

pub(crate) fn summary(duration_secs: u64) -> FlowSummary {
    FlowSummary {
        client: SideSummary::default(),
        server: SideSummary::default(),
        duration: std::time::Duration::from_secs(duration_secs),
        client_rtt: None,
        server_rtt: None,
        flight_rtt: None,
        syn_id: None,
        shape: None,
        end: None,
    }
}

#[test]
fn the_reference_of_events_is_current() {
    let path = std::path::Path::new("docs/events.md");
    let expected = catalogue::markdown();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &expected).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == expected, "{} is out of date; UPDATE=1 cargo test writes it anew", path.display());
}

pub(crate) fn world(yaml: &str) -> World {
    let settings = crate::yaml::parse("settings.yml", yaml).unwrap_or_else(|fault| panic!("{fault}"));
    let products = std::sync::Arc::new(Products::load(std::path::Path::new("rules/data/products.yml")).unwrap());
    World::new(&settings, &products, Geo::default(), identity::Limits::default()).unwrap()
}

fn json(world: &mut World, fact: &Fact) -> String {
    let application = world.observe(fact);
    serde_json::to_string(&Event::of_fact(fact, application.as_ref(), world)).unwrap()
}

#[test]
fn a_flow_is_one_line_with_its_fields_in_the_order_of_the_catalogue() {
    let mut world = world(
        "networks: [{name: lan, roles: [home, workstations], prefixes: [10.0.0.0/8]}]\n\
         inventory: {hosts: [{name: PC-ANN, group: desks, addresses: [10.0.0.1/32]}]}\n",
    );
    let mut flow = flow("10.0.0.1:50000", "192.0.2.1:443", Transport::Tcp);
    flow.client_mac = Some(Mac([0, 0x11, 0x22, 0, 0, 1]));
    flow.client_vlans = Vlans::new(Some(20), None);
    flow.server_vlans = flow.client_vlans;
    flow.started = Timestamp::from_secs(1_700_000_000);
    let mut summary = summary(2);
    (summary.client.packets, summary.client.bytes, summary.client.ttl) = (3, 180, Some(64));
    (summary.server.packets, summary.server.bytes, summary.server.lost_bytes) = (2, 1200, 7);
    (summary.client.payload_bytes, summary.server.payload_bytes) = (60, 1120);
    summary.server_rtt = Some(std::time::Duration::from_micros(12_500));
    summary.end = Some(crate::facts::EndReason::Finished);
    let line = json(&mut world, &fact(flow, 1_700_000_003, FactKind::FlowEnded(summary)));
    assert_eq!(
        line,
        "{\"@timestamp\":\"2023-11-14T22:13:23.000000000Z\",\"event.kind\":\"event\",\"event.category\":[\"network\"],\
         \"event.action\":\"flow\",\"event.start\":\"2023-11-14T22:13:20.000000000Z\",\
         \"event.end\":\"2023-11-14T22:13:22.000000000Z\",\"event.duration\":2000000000,\
         \"network.transport\":\"tcp\",\"network.type\":\"ipv4\",\"network.direction\":\"outbound\",\
         \"network.community_id\":\"1:QAf3+pGMaqGO534pWKUcLd7LteM=\",\"network.vlan.id\":\"20\",\
         \"network.bytes\":1380,\"network.packets\":5,\"source.ip\":\"10.0.0.1\",\"source.port\":50000,\
         \"source.mac\":\"00:11:22:00:00:01\",\"source.bytes\":180,\"source.packets\":3,\
         \"source.network.name\":\"lan\",\"source.network.roles\":[\"home\",\"workstations\"],\
         \"source.device.id\":\"dda403337b7e9a68\",\"source.device.name\":\"PC-ANN\",\
         \"source.device.group\":\"desks\",\"source.device.managed\":true,\"destination.ip\":\"192.0.2.1\",\
         \"destination.port\":443,\"destination.bytes\":1200,\"destination.packets\":2,\
         \"device.id\":\"dda403337b7e9a68\",\"device.name\":\"PC-ANN\",\"device.group\":\"desks\",\
         \"device.managed\":true,\"spanwatch.flow.id\":1,\"spanwatch.flow.direction_basis\":\"handshake\",\
         \"spanwatch.flow.duration\":2.0,\"spanwatch.flow.end_reason\":\"finished\",\
         \"spanwatch.flow.server_rtt\":0.0125,\"spanwatch.source.ttl\":64,\
         \"spanwatch.flow.retransmitted_bytes\":0,\"spanwatch.flow.gap_bytes\":7}"
    );
}

#[test]
fn vlans_are_a_list_where_there_are_several() {
    let of = |client, server| {
        let mut flow = flow("10.0.0.1:5000", "192.0.2.1:443", Transport::Tcp);
        (flow.client_vlans, flow.server_vlans) = (client, server);
        let (fact, world) = (fact(flow, 1, FactKind::Malformed("x")), world(""));
        let event = Event::of_fact(&fact, None, &world);
        let ids = |name| -> Vec<String> { event.get(name).iter().flat_map(texts).map(|id| id.into_owned()).collect() };
        (ids("network.vlan.id"), ids("network.inner.vlan.id"))
    };
    let lists = |vlan: &[&str], inner: &[&str]| {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        (owned(vlan), owned(inner))
    };
    let (tagged, double) = (|id| Vlans::new(Some(id), None), Vlans::new(Some(201), Some(200)));
    assert_eq!(of(Vlans::NONE, Vlans::NONE), lists(&[], &[]));
    assert_eq!(of(tagged(0), Vlans::NONE), lists(&["0"], &[]));
    assert_eq!(of(tagged(81), tagged(80)), lists(&["81", "80"], &[]));
    assert_eq!(of(double, double), lists(&["201", "200"], &["200"]));
}

#[test]
fn a_products_flow_is_known_until_it_ends_and_not_beyond() {
    let mut world = world("sanctioned: [{product: anydesk, names: [own.net.anydesk.com]}]");
    let mut hello = Hello::new(Sender::Client);
    hello.server_name = Some("relay-1.net.anydesk.com".into());
    let mut flow = flow("10.0.0.1:50000", "192.0.2.1:443", Transport::Tcp);
    flow.protocol = Some(Protocol::new(&"tls"));
    let said = |world: &mut World, secs, kind: FactKind| {
        let fact = fact(flow, secs, kind);
        world.observe(&fact).map(|application| (application.product.id.clone(), application.sanctioned))
    };
    let anydesk = Some(("anydesk".to_owned(), false));
    assert_eq!(said(&mut world, 1, FactKind::Hello(Box::new(hello))), anydesk);
    assert_eq!(said(&mut world, 2, FactKind::Activity(summary(60))), anydesk);
    assert_eq!(said(&mut world, 3, FactKind::FlowEnded(summary(70))), anydesk);
    assert_eq!(said(&mut world, 4, FactKind::FlowEnded(summary(70))), None);
    let mut own = Hello::new(Sender::Client);
    own.server_name = Some("EU.own.net.anydesk.com.".into());
    assert_eq!(said(&mut world, 5, FactKind::Hello(Box::new(own))), Some(("anydesk".to_owned(), true)));
}

#[test]
fn a_question_for_a_products_name_is_no_use_of_it() {
    let mut world = world("");
    let name = crate::facts::Name { question: Some("relay-1.net.anydesk.com".into()), ..Default::default() };
    let fact = fact(flow("10.0.0.1:5000", "10.0.0.53:53", Transport::Udp), 1, FactKind::Name(Box::new(name)));
    let application = world.observe(&fact);
    let event = Event::of_fact(&fact, application.as_ref(), &world);
    assert_eq!(event.get("network.application"), None);
    assert_eq!(event.get("spanwatch.application.id"), Some(EventValue::Str("anydesk".into())));
    assert_eq!(event.get("spanwatch.application.basis"), Some(EventValue::Str("dns_question".into())));
}

/// What each hello of a conversation in HTTP says of its product, what the flow is taken for at its end, and whether a
/// product is in use.
fn in_http(world: &mut World, chunks: &[(Sender, Vec<u8>)]) -> Vec<Option<(String, &'static str, bool)>> {
    let mut flow = flow("10.0.0.1:50000", "192.0.2.9:443", Transport::Tcp);
    flow.protocol = Some(crate::protocol::http::PROTOCOL);
    let conversation = crate::protocol::http::tests::fixture("", chunks.to_vec());
    let said = conversation
        .facts()
        .into_iter()
        .map(|(protocol, said)| Fact { protocol: Some(protocol), ..fact(flow, 1, FactKind::from(said)) });
    let ended = fact(flow, 2, FactKind::FlowEnded(summary(1)));
    let facts: Vec<Fact> = said.chain([ended]).collect();
    let told = |fact: &Fact| {
        let application = world.observe(fact)?;
        Some((application.product.id.clone(), application.basis.as_str(), application.is_in_use()))
    };
    facts.iter().map(told).collect()
}

#[test]
fn netsupport_is_told_by_what_its_programs_say_in_http_and_a_browser_is_not() {
    use crate::protocol::http::tests::{client, netsupport, server};
    let mut world = world("");
    let certain = Some(("netsupport".to_owned(), "user_agent", true));
    assert_eq!(in_http(&mut world, &netsupport()), [certain.clone(), certain.clone(), certain]);
    // The gateway alone, as seen where the mirror shows one side.
    let certain = Some(("netsupport".to_owned(), "http_server", true));
    assert_eq!(in_http(&mut world, &netsupport()[1..]), [certain.clone(), certain]);
    let browser = [
        client(
            "GET /fakeurl.htm HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) \
             Gecko/20100101 Firefox/128.0\r\n\r\n",
        ),
        server("HTTP/1.1 404 Not Found\r\nServer: nginx/1.22.1\r\nContent-Length: 0\r\n\r\n"),
    ];
    assert_eq!(in_http(&mut world, &browser), [None, None, None]);
}

#[test]
fn the_host_that_http_asks_for_tells_the_product_as_the_name_in_tls_does() {
    use crate::protocol::http::tests::{client, server};
    let mut world = world("sanctioned: [{product: anydesk, names: [own.net.anydesk.com]}]");
    let get = |target: &str, host: &str| client(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let ok = || server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let used = |basis| Some(("anydesk".to_owned(), basis, true));
    let unused = |basis| Some(("anydesk".to_owned(), basis, false));
    let relay = "Relay-1.net.AnyDesk.com:80";
    assert_eq!(
        in_http(&mut world, &[get("/", relay), ok()]),
        [used("server_name"), used("server_name"), used("server_name")]
    );
    let pages = unused("vendor_name");
    assert_eq!(in_http(&mut world, &[get("/", "www.anydesk.com"), ok()]), [pages.clone(), pages.clone(), pages]);
    // A proxy may refuse, and is asked for others in the same flow.
    let proxied = get("http://relay-1.net.anydesk.com/", relay);
    assert_eq!(in_http(&mut world, &[proxied, ok()]), [unused("proxy_question"), None, None]);
    let connect = || client("CONNECT relay-1.net.anydesk.com:443 HTTP/1.1\r\n\r\n");
    let refused = server("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(in_http(&mut world, &[connect(), refused]), [unused("proxy_question"), None, None]);
    let opened = || server("HTTP/1.1 200 Connection established\r\n\r\n");
    let led = used("proxied_name");
    assert_eq!(in_http(&mut world, &[connect(), opened()]), [unused("proxy_question"), led.clone(), led]);
    // What is spoken through the tunnel says more.
    let agent = client("GET / HTTP/1.1\r\nHost: 192.0.2.9\r\nUser-Agent: NetSupport Manager/1.3\r\n\r\n");
    let certain = Some(("netsupport".to_owned(), "user_agent", true));
    assert_eq!(in_http(&mut world, &[connect(), opened(), agent])[2..], [certain.clone(), certain]);
    // The organisation's own server.
    let mut hello = Hello::new(Sender::Client);
    hello.fields.push("url.domain", Text::from("eu.own.net.anydesk.com"));
    let mut flow = flow("10.0.0.1:50000", "192.0.2.1:80", Transport::Tcp);
    let mut said = |protocol| {
        flow.protocol = Some(protocol);
        world.observe(&fact(flow, 1, FactKind::Hello(Box::new(hello.clone())))).map(|own| own.sanctioned)
    };
    // What others have in fields of these names is no request in HTTP.
    assert_eq!(said(crate::protocol::ssdp::SPEC.protocol), None);
    assert_eq!(said(crate::protocol::http::PROTOCOL), Some(true));
}

#[test]
fn a_field_that_the_parser_repeats_is_written_once() {
    let mut desktop = crate::facts::RemoteDesktop { client_name: Some("PC".into()), ..Default::default() };
    desktop.fields.push("rdp.client_name", "PC");
    desktop.fields.push("rdp.cookie", "ann");
    let mut flow = flow("10.0.0.1:5000", "10.0.0.2:3389", Transport::Tcp);
    flow.protocol = Some(Protocol::new(&"rdp"));
    let line = json(&mut world(""), &fact(flow, 1, FactKind::RemoteDesktop(Box::new(desktop))));
    assert_eq!(line.matches("\"rdp.client_name\"").count(), 1, "{line}");
    assert!(line.ends_with(",\"rdp.cookie\":\"ann\"}"), "{line}");
}

#[test]
fn text_from_the_wire_is_escaped_in_json() {
    let mut hello = Hello::new(Sender::Client);
    hello.server_name = Some("a\"\n\u{1b}[31m\u{202e}.example".into());
    let flow = flow("10.0.0.1:5000", "192.0.2.1:443", Transport::Tcp);
    let line = json(&mut world(""), &fact(flow, 1, FactKind::Hello(Box::new(hello))));
    assert!(!line.contains('\n') && !line.contains('\u{1b}'), "{line}");
    let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(parsed["tls.client.server_name"], "a\"\n\u{1b}[31m\u{202e}.example");
}

#[test]
fn an_inventory_knows_a_host_by_its_mac_before_its_address() {
    let mut world = world(
        "inventory:\n  hosts:\n  - {name: PC-ANN, macs: ['00:11:22:00:00:01']}\n  - {name: POOL, addresses: [10.0.0.0/24]}\n",
    );
    let mut flow = flow("10.0.0.1:5000", "10.0.0.2:80", Transport::Tcp);
    flow.client_mac = Some(Mac([0, 0x11, 0x22, 0, 0, 1]));
    let fact = fact(flow, 1, FactKind::Malformed("test"));
    world.observe(&fact);
    let event = Event::of_fact(&fact, None, &world);
    assert_eq!(event.get("source.device.name"), Some(EventValue::Str("PC-ANN".into())));
    assert_eq!(event.get("destination.device.name"), Some(EventValue::Str("POOL".into())));
    assert_eq!(event.get("device.name"), Some(EventValue::Str("PC-ANN".into())));
}

#[test]
fn no_name_stands_twice_in_the_catalogue() {
    let mut seen = std::collections::BTreeSet::new();
    for field in catalogue::all_typed() {
        assert!(seen.insert(field.name), "{}", field.name);
    }
}

#[test]
fn a_hello_inside_another_protocol_is_told_by_its_own_and_the_flow_by_the_carrier() {
    let world = world("{}");
    let mut hello = Hello::new(Sender::Client);
    hello.inside = Some(Protocol::new(&"tls"));
    let mut flow = flow("10.0.0.1:1000", "192.0.2.1:443", Transport::Udp);
    flow.protocol = Some(Protocol::new(&"quic"));
    let mut fact = fact(flow, 1, FactKind::Hello(Box::new(hello)));
    assert_eq!(Event::of_fact(&fact, None, &world).protocol(), Some(Protocol::new(&"tls")));
    fact.kind = FactKind::Malformed("buffer_limit");
    assert_eq!(Event::of_fact(&fact, None, &world).protocol(), Some(Protocol::new(&"quic")));
}

#[test]
fn a_frame_of_the_link_has_macs_and_no_addresses() {
    let mut world = world("networks: [{name: all, roles: [home], prefixes: [0.0.0.0/0]}]\n");
    let mut flow = flow("0.0.0.0:35020", "0.0.0.0:35020", Transport::Link);
    flow.client_mac = Some(Mac([0, 0x11, 0x22, 0, 0, 1]));
    flow.server_mac = Some(Mac([0x01, 0x80, 0xc2, 0, 0, 0x0e]));
    let line = json(&mut world, &fact(flow, 1, FactKind::Name(Box::default())));
    assert!(line.contains("\"network.transport\":\"link\",\"source.mac\":\"00:11:22:00:00:01\""), "{line}");
    for absent in ["0.0.0.0", "35020", "community_id", "network.type", "network.name", "destination.device"] {
        assert!(!line.contains(absent), "{absent}: {line}");
    }
}

#[test]
fn a_server_that_answers_in_tls_on_a_products_port_is_likely_its_own_and_shows_more_by_more() {
    let told = |server: &str, protocol, hello: Hello| {
        let flow = FlowRef { protocol: Some(protocol), ..flow("10.0.0.1:50000", server, Transport::Tcp) };
        let application = world("").observe(&fact(flow, 1, FactKind::Hello(Box::new(hello))))?;
        Some((application.product.id.clone(), application.basis.as_str()))
    };
    let pcoip = Some(("hp-anyware".to_owned(), "tls_port"));
    let hello = |sender| Hello::new(sender);
    assert_eq!(told("192.0.2.1:4172", tls::PROTOCOL, hello(Sender::Client)), None, "nobody has answered");
    assert_eq!(told("192.0.2.1:4172", tls::PROTOCOL, hello(Sender::Server)), pcoip);
    assert_eq!(told("192.0.2.2:4173", tls::PROTOCOL, hello(Sender::Server)), None);
    assert_eq!(told("192.0.2.3:4172", Protocol::named("ssh"), hello(Sender::Server)), None);
    let certificate = Certificate { subject: Some("CN=AnyNet Relay".into()), ..Certificate::default() };
    let anydesk = Hello { certificate: Some(Box::new(certificate)), ..hello(Sender::Server) };
    assert_eq!(told("192.0.2.4:4172", tls::PROTOCOL, anydesk), Some(("anydesk".to_owned(), "certificate")));
}
