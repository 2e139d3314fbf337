//! The shipped rules, each held to facts that it must speak of and to ordinary ones beside them.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::analysis::tests::{alerts, settings};
use crate::event::tests::{fact, flow, summary};
use crate::facts::{
    Certificate, Channel, Confidence, Credential, EndReason, Fact, FactKind, FlowId, FlowSummary, Hello, Lease, Minute,
    Name, Outcome, RemoteDesktop, Sender, Tunnel, TunnelBasis,
};
use crate::net::{Text, Transport};
use crate::protocol::Protocol;
use crate::rules::{Level, Rule, RuleKind, Rules};

const SETTINGS: &str = "
world:
  networks:
    - {name: office, roles: [home], prefixes: [10.0.0.0/8]}
    - {name: desks, roles: [workstations], prefixes: [10.1.0.0/16]}
    - {name: help-desk, roles: [management], prefixes: [10.2.0.0/16]}
    - {name: visitors, roles: [guest], prefixes: [10.3.0.0/16]}
    - {name: servers, roles: [servers], prefixes: [10.9.0.0/16]}
    - {name: vpn-clients, roles: [vpn_pool], prefixes: [10.20.0.0/16]}
    - {name: gateway, roles: [home, vpn_gateway], prefixes: [203.0.113.1/32]}
    - {name: partner, roles: [sanctioned], prefixes: [198.51.100.0/24]}
  address_classes:
    carrier_nat: {networks: [192.0.2.64/26]}
    hosting: {networks: [192.0.2.128/26]}
    vpn: {networks: [192.0.2.192/26]}
  inventory:
    hosts:
      - {name: PC-ANN, group: desks, addresses: [10.1.0.0/16]}
    accounts:
      - {name: eli, end: 1970-01-09}
  sanctioned:
    - {product: splashtop}
    - {product: screenconnect, names: [instance-abc123-relay.screenconnect.com]}
";

fn shipped() -> Rules {
    Rules::load(Path::new("rules")).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Rules that are evidence only speak, too.
fn loud(mut rules: Rules) -> Rules {
    for rule in &mut rules.rules {
        let mut loud = Rule::clone(rule);
        loud.level = loud.level.max(Level::Low);
        *rule = Arc::new(loud);
    }
    rules
}

/// The names of the rules that speak of the facts, in the order they do.
fn spoken(facts: Vec<Fact>) -> Vec<String> {
    let alerts = alerts(&settings(SETTINGS), &loud(shipped()), facts);
    alerts.iter().map(|alert| alert["event.action"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
pub(super) fn check(rule: &str, fires: Vec<Fact>, quiet: Vec<Fact>) {
    let spoken_of = spoken(fires);
    assert!(spoken_of.iter().any(|name| name == rule), "{rule} is silent, there are {spoken_of:?}");
    let spoken_of = spoken(quiet);
    assert!(!spoken_of.iter().any(|name| name == rule), "{rule} speaks of ordinary facts");
}

pub(super) fn on(protocol: &'static str, client: &str, server: &str, secs: u64, kind: FactKind) -> Fact {
    let transport = if protocol == "wireguard" { Transport::Udp } else { Transport::Tcp };
    let mut flow = flow(client, server, transport);
    flow.id = FlowId(secs);
    flow.protocol = Some(Protocol::named(protocol));
    fact(flow, secs, kind)
}

fn desktop(client: &str, server: &str, secs: u64) -> Fact {
    desktop_of(client, server, secs, "PC-ANN", "ann")
}

fn desktop_of(client: &str, server: &str, secs: u64, client_name: &str, user: &str) -> Fact {
    let desktop = RemoteDesktop {
        client_name: Some(client_name.into()),
        user: Some(user.into()),
        security: Some("nla"),
        ..RemoteDesktop::default()
    };
    on("rdp", client, server, secs, FactKind::RemoteDesktop(Box::new(desktop)))
}

fn vnc(client: &str, server: &str, security: Option<&'static str>) -> Fact {
    let desktop = RemoteDesktop { security, ..RemoteDesktop::default() };
    on("rfb", client, server, 1, FactKind::RemoteDesktop(Box::new(desktop)))
}

fn hello(client: &str, server_name: &str, secs: u64) -> Fact {
    let mut hello = Hello::new(Sender::Client);
    hello.server_name = Some(server_name.into());
    on("tls", client, "192.0.2.80:443", secs, FactKind::Hello(Box::new(hello)))
}

fn certificate(server: &str, subject: &str) -> Fact {
    let mut hello = Hello::new(Sender::Server);
    hello.certificate =
        Some(Box::new(Certificate { subject: Some(subject.into()), self_signed: true, ..Certificate::default() }));
    on("tls", "10.1.0.7:50000", server, 1, FactKind::Hello(Box::new(hello)))
}

fn ssh(client: &str, server: &str) -> Fact {
    let mut hello = Hello::new(Sender::Server);
    hello.fields.push("ssh.server_banner", "SSH-2.0-OpenSSH_9.2");
    on("ssh", client, server, 1, FactKind::Hello(Box::new(hello)))
}

fn tunnel(client: &str, server: &str, established: bool, confidence: Confidence) -> Fact {
    let tunnel = Tunnel::new(TunnelBasis::Exchange, confidence, established);
    on("wireguard", client, server, 1, FactKind::Tunnel(Box::new(tunnel)))
}

/// A flow that began at `started` and is reported as still open after `secs`.
pub(super) fn open(protocol: &'static str, client: &str, server: &str, started: u64, secs: u64) -> Fact {
    let mut fact = on(protocol, client, server, started, FactKind::Activity(summary(secs)));
    fact.flow.started = crate::time::Timestamp::from_secs(started);
    fact.at = crate::time::Timestamp::from_secs(started + secs);
    fact
}

#[test]
fn remote_desktop_from_outside() {
    check(
        "remote_desktop_from_outside",
        vec![desktop("192.0.2.1:50000", "10.1.0.5:3389", 1)],
        vec![
            desktop("10.1.0.7:50000", "10.1.0.5:3389", 1),
            desktop("192.0.2.1:50000", "10.9.0.5:3389", 2),
            desktop("198.51.100.7:50000", "10.1.0.5:3389", 3),
            desktop("10.1.0.5:50000", "192.0.2.1:3389", 4),
            vnc("192.0.2.1:50000", "10.1.0.5:5900", None),
        ],
    );
}

#[test]
fn ssh_from_outside_to_workstation() {
    check(
        "ssh_from_outside_to_workstation",
        vec![ssh("192.0.2.1:50000", "10.1.0.5:22")],
        vec![
            ssh("10.1.0.7:50000", "10.1.0.5:22"),
            ssh("192.0.2.1:50000", "10.9.0.5:22"),
            ssh("10.1.0.5:1", "192.0.2.1:22"),
        ],
    );
}

#[test]
fn second_remote_access_product() {
    let (day, laptop) = (86_400, "10.1.0.5:50000");
    check(
        "second_remote_access_product",
        vec![hello(laptop, "relay-1.net.anydesk.com", 1), hello(laptop, "router1.teamviewer.com", 13 * day)],
        vec![
            hello(laptop, "relay-1.net.anydesk.com", 1),
            hello(laptop, "relay-2.net.anydesk.com", 2),
            hello(laptop, "www.teamviewer.com", 3),
            hello("10.1.0.6:50000", "router1.teamviewer.com", 4),
            hello(laptop, "remotedesktop.google.com", 15 * day),
        ],
    );
}

#[test]
fn unsanctioned_remote_access_product() {
    let laptop = "10.1.0.5:50000";
    check(
        "unsanctioned_remote_access_product",
        vec![hello(laptop, "instance-zzz999-relay.screenconnect.com", 1)],
        vec![
            hello(laptop, "relay.splashtop.com", 1),
            hello(laptop, "instance-abc123-relay.screenconnect.com", 2),
            hello("10.3.0.5:50000", "relay-1.net.anydesk.com", 3),
            hello("10.5.0.5:50000", "relay-1.net.anydesk.com", 4),
        ],
    );
}

#[test]
fn remote_desktop_without_authentication() {
    check(
        "remote_desktop_without_authentication",
        vec![vnc("10.1.0.7:50000", "10.1.0.5:5900", Some("none"))],
        vec![
            vnc("10.1.0.7:50000", "10.1.0.5:5900", Some("vnc-auth")),
            vnc("192.0.2.1:1", "192.0.2.2:5900", Some("none")),
        ],
    );
}

#[test]
fn long_remote_desktop() {
    check(
        "long_remote_desktop",
        vec![open("rdp", "10.1.0.7:50000", "10.1.0.5:3389", 1, 28_790)],
        vec![
            open("rdp", "10.1.0.7:50000", "10.1.0.5:3389", 1, 25_190),
            open("rdp", "10.1.0.7:50000", "10.9.0.5:3389", 2, 28_790),
            open("tls", "10.1.0.7:50000", "10.1.0.5:443", 3, 28_790),
        ],
    );
}

#[test]
fn one_client_many_desktops() {
    let to = |client: &str, count: u64, step: u64| {
        (1..=count).map(|n| desktop(client, &format!("10.1.0.{n}:3389"), n * step)).collect::<Vec<_>>()
    };
    check("one_client_many_desktops", to("10.1.7.7:50000", 5, 60), to("10.1.7.7:50000", 4, 60));
    assert!(spoken(to("10.1.7.7:50000", 5, 1000)).is_empty(), "five in more than an hour");
    assert!(spoken(to("10.2.0.7:50000", 9, 60)).is_empty(), "the help desk is filtered");
}

#[test]
fn one_outside_client_many_desktops() {
    let worked = |client: &str, server: &str, secs: u64, client_bursts: u32| {
        let minute = Minute { through: Channel::Desktop, client_bursts, ..Minute::default() };
        on("rfb", client, server, secs, FactKind::Minute(Box::new(minute)))
    };
    let at_three = |client: &str, desks: &str, bursts: u32, step: u64| {
        (1..=3).map(|n| worked(client, &format!("{desks}.{n}:5900"), n * step, bursts)).collect::<Vec<_>>()
    };
    let outside = "192.0.2.1:50000";
    let fires = at_three(outside, "10.1.0", 3, 3600);
    check("one_outside_client_many_desktops", fires.clone(), fires.get(..2).unwrap().to_vec());
    for quiet in [
        at_three(outside, "10.1.0", 2, 60),
        at_three(outside, "10.9.0", 9, 60),
        at_three(outside, "10.1.0", 9, 60_000),
        at_three("198.51.100.1:50000", "10.1.0", 9, 60),
        at_three("10.1.7.7:50000", "10.1.0", 9, 60),
    ] {
        assert!(!spoken(quiet).iter().any(|name| name == "one_outside_client_many_desktops"));
    }
}

#[test]
fn ip_kvm_on_the_network_and_in_the_cloud() {
    check(
        "ip_kvm_on_the_network",
        vec![certificate("10.1.0.9:443", "C=US, O=PiKVM, OU=PiKVM, CN=localhost")],
        vec![certificate("10.1.0.9:443", "CN=printer"), hello("10.1.0.9:1", "api.jetkvm.com", 2)],
    );
    check(
        "ip_kvm_cloud",
        vec![hello("10.1.0.9:50000", "api.jetkvm.com", 1)],
        vec![hello("10.1.0.9:50000", "jetkvm.com", 1), hello("192.0.2.7:50000", "api.jetkvm.com", 2)],
    );
}

#[test]
fn ip_kvms_that_say_what_they_are() {
    let leased = |name: &str, mac: &str| {
        let lease = Lease { mac: mac.parse().ok(), host_name: Some(name.into()), ..Lease::default() };
        on("dhcp", "0.0.0.0:68", "255.255.255.255:67", 1, FactKind::Lease(Box::new(lease)))
    };
    let announced = |service: &str| {
        let mut name = Name { answered: true, ..Name::default() };
        name.fields.push("dns.answers.name", vec![Text::from(service)]);
        on("mdns", "10.1.0.9:5353", "224.0.0.251:5353", 1, FactKind::Name(Box::new(name)))
    };
    check(
        "ip_kvm_asks_for_address",
        vec![leased("pikvm", "02:00:00:00:00:01")],
        vec![leased("DESKTOP-1", "02:00:00:00:00:01"), certificate("10.1.0.9:443", "O=PiKVM")],
    );
    check(
        "ip_kvm_asks_for_address",
        vec![leased("DESKTOP-1", "30:52:53:00:00:01")],
        vec![announced("_pikvm._tcp.local")],
    );
    check("ip_kvm_announces_itself", vec![announced("_pikvm._tcp.local")], vec![announced("_ipp._tcp.local")]);
    // The one between the two that the answer goes to asked, and is none.
    let answered = |client: &str, server: &str| {
        let addresses = std::iter::once("10.1.0.9".parse().unwrap()).collect();
        let mut name = Name { question: Some("pikvm".into()), answered: true, addresses, ..Name::default() };
        name.fields.push("host.hostname", Text::from("pikvm"));
        on("llmnr", client, server, 1, FactKind::Name(Box::new(name)))
    };
    check(
        "ip_kvm_announces_itself",
        vec![answered("10.1.0.9:5355", "10.1.0.5:50000")],
        vec![answered("10.1.0.5:50000", "10.1.0.9:5355")],
    );
}

#[test]
fn new_device_with_two_products() {
    const DAY: u64 = 86_400;
    let products = |came: u64, days: u64| {
        let at = |name: &str, secs: u64| hello("10.1.0.7:50000", name, secs);
        let secs = (came + days) * DAY;
        let products = [at("relay-1.net.anydesk.com", secs - 2), at("router1.teamviewer.com", secs - 1)];
        let before = [hello("10.1.0.9:50000", "www.example.org", 1), at("www.example.org", 1 + came * DAY)];
        before.into_iter().chain(products).collect::<Vec<_>>()
    };
    check("new_device_with_two_products", products(14, 14), products(14, 15));
    check("new_device_with_two_products", products(14, 2), products(13, 2));
}

/// What somebody whose last day is the ninth takes along.
#[test]
fn insider_exit() {
    const DAY: u64 = 86_400;
    let carried = |name: &str, secs: u64, (sent, got): (u64, u64)| {
        let mut summary = FlowSummary { end: Some(EndReason::Finished), ..summary(10) };
        (summary.client.payload_bytes, summary.server.payload_bytes) = (sent, got);
        let ended = on("tls", "10.1.0.7:50000", "192.0.2.80:443", secs, FactKind::FlowEnded(summary));
        [hello("10.1.0.7:50000", name, secs), ended]
    };
    let taken = |day: u64, user: &str, stored: u64| {
        let outcome = Some(Outcome::Success);
        let credential = Credential { user: Some(user.into()), outcome, ..Credential::default() };
        let logged_on =
            on("ldap", "10.1.0.7:50001", "10.9.0.1:389", day * DAY, FactKind::Credential(Box::new(credential)));
        let code = carried("github.com", day * DAY + 60, (1000, 2_000_000_000));
        let files = carried("g.api.mega.co.nz", day * DAY + 120, (stored, 1000));
        [logged_on].into_iter().chain(code).chain(files).collect::<Vec<_>>()
    };
    for rule in ["code_read_by_a_leaver", "files_stored_by_a_leaver", "insider_exit"] {
        check(rule, taken(1, "eli", 200_000_000), taken(0, "eli", 200_000_000));
        check(rule, taken(15, "eli", 200_000_000), taken(16, "eli", 200_000_000));
        check(rule, taken(8, "CORP\\Eli", 200_000_000), taken(8, "ann", 200_000_000));
    }
    check("insider_exit", taken(8, "eli", 200_000_000), taken(8, "eli", 199_000_000));
}

#[test]
fn vpns_overlays_and_reverse_tunnels_on_managed_devices() {
    for (rule, server_name) in [
        ("consumer_vpn_on_managed_device", "us-ny.mullvad.net"),
        ("overlay_network_on_managed_device", "controlplane.tailscale.com"),
        ("reverse_tunnel_on_managed_device", "connect.eu.ngrok-agent.com"),
    ] {
        let private = "10.5.0.5:50000";
        let question = Name { question: Some(server_name.into()), ..Name::default() };
        check(
            rule,
            vec![hello("10.1.0.5:50000", server_name, 1)],
            vec![
                hello(private, server_name, 1),
                hello("10.1.0.5:50000", "www.example.com", 2),
                on("dns", "10.1.0.5:50000", "10.9.0.53:53", 3, FactKind::Name(Box::new(question))),
            ],
        );
    }
}

#[test]
fn tunnel_to_unsanctioned_gateway() {
    let laptop = "10.1.0.5:51820";
    check(
        "tunnel_to_unsanctioned_gateway",
        vec![tunnel(laptop, "192.0.2.7:51820", true, Confidence::Certain)],
        vec![
            tunnel(laptop, "198.51.100.7:51820", true, Confidence::Certain),
            tunnel(laptop, "192.0.2.7:51820", false, Confidence::Certain),
            tunnel(laptop, "192.0.2.7:51820", true, Confidence::Likely),
            tunnel("192.0.2.9:51820", "203.0.113.1:51820", true, Confidence::Certain),
        ],
    );
}

#[test]
fn remote_desktop_client_not_in_inventory() {
    let by = |client: &str, name: &str| desktop_of(client, "10.1.0.5:3389", 1, name, "ann");
    check(
        "remote_desktop_client_not_in_inventory",
        vec![by("10.1.0.7:50000", "DESKTOP-QX71ZZA")],
        vec![by("10.1.0.7:50000", "pc-ann"), by("10.2.0.7:50000", "DESKTOP-QX71ZZA")],
    );
}

#[test]
fn client_name_from_several_addresses() {
    let from = |address: &str, secs: u64| desktop(&format!("{address}:50000"), "10.9.0.5:3389", secs);
    check(
        "client_name_from_several_addresses",
        vec![from("192.0.2.1", 1), from("192.0.2.2", 2), from("192.0.2.3", 86_000)],
        vec![
            from("192.0.2.1", 1),
            from("192.0.2.2", 2),
            from("192.0.2.1", 3),
            from("198.51.100.1", 4),
            from("192.0.2.3", 86_403),
        ],
    );
}

#[test]
fn several_users_behind_one_address() {
    let by = |address: &str, user: &str, secs: u64| {
        desktop_of(&format!("{address}:50000"), "10.9.0.5:3389", secs, "PC-ANN", user)
    };
    check(
        "several_users_behind_one_address",
        vec![by("192.0.2.1", "ann", 1), by("192.0.2.1", "bob", 2), by("192.0.2.1", "cid", 3)],
        vec![
            by("192.0.2.1", "ann", 1),
            by("192.0.2.1", "bob", 2),
            by("192.0.2.2", "cid", 3),
            by("192.0.2.1", "ann", 4),
        ],
    );
}

#[test]
fn tunnel_from_a_vpn_exit() {
    check(
        "tunnel_from_a_vpn_exit",
        vec![tunnel("192.0.2.200:40000", "203.0.113.1:51820", true, Confidence::Certain)],
        vec![
            tunnel("192.0.2.200:40000", "203.0.113.1:51820", false, Confidence::Certain),
            tunnel("192.0.2.7:40000", "203.0.113.1:51820", true, Confidence::Certain),
            tunnel("198.51.100.7:40000", "203.0.113.1:51820", true, Confidence::Certain),
        ],
    );
}

#[test]
fn several_devices_behind_one_address() {
    let report = |port: u16, started: u64, secs: u64| {
        open("wireguard", &format!("192.0.2.1:{port}"), "203.0.113.1:51820", started, secs)
    };
    check(
        "several_devices_behind_one_address",
        vec![report(40_001, 1, 580), report(40_002, 2, 590), report(40_003, 3, 598)],
        vec![report(40_001, 1, 580), report(40_001, 1, 3590), report(40_002, 2, 590), report(40_003, 3, 59)],
    );
    check(
        "overlapping_tunnels_from_one_address",
        vec![report(40_001, 1, 580), report(40_002, 2, 590), report(40_003, 3, 598)],
        vec![report(40_001, 1, 580), report(40_002, 600, 580), report(40_003, 1200, 580)],
    );
    for name in ["several_devices_behind_one_address", "overlapping_tunnels_from_one_address"] {
        let three = |address: &str| {
            let from = |port: u64| open("wireguard", &format!("{address}:{port}"), "203.0.113.1:51820", port, 590);
            vec![from(40_001), from(40_002), from(40_003)]
        };
        check(name, three("192.0.2.1"), three("192.0.2.65"));
    }
}

#[test]
fn several_devices_of_one_household_over_ipv6() {
    let report = |client: &str, started: u64, secs: u64| open("wireguard", client, "203.0.113.1:51820", started, secs);
    let of_one = ["[2001:db8:5:6::1]:51820", "[2001:db8:5:6::2]:51820", "[2001:db8:5:6::3]:51820"];
    let of_three = ["[2001:db8:5:6::1]:51820", "[2001:db8:5:7::2]:51820", "[2001:db8:5:8::3]:51820"];
    for name in ["several_devices_behind_one_address", "overlapping_tunnels_from_one_address"] {
        let reports = |clients: [&str; 3]| {
            vec![report(clients[0], 1, 580), report(clients[1], 2, 590), report(clients[2], 3, 598)]
        };
        check(name, reports(of_one), reports(of_three));
    }
}

#[test]
fn remote_desktop_between_vpn_clients() {
    check(
        "remote_desktop_between_vpn_clients",
        vec![desktop("10.20.0.5:50000", "10.20.0.6:3389", 1)],
        vec![
            desktop("10.20.0.5:50000", "10.9.0.5:3389", 1),
            desktop("10.2.0.5:50000", "10.20.0.6:3389", 2),
            vnc("10.20.0.5:50000", "10.20.0.6:5900", None),
        ],
    );
}

#[test]
fn remote_desktop_from_rented_address() {
    check(
        "remote_desktop_from_rented_address",
        vec![desktop("192.0.2.200:50000", "10.1.0.5:3389", 1)],
        vec![
            desktop("192.0.2.1:50000", "10.1.0.5:3389", 1),
            desktop("10.1.0.5:50000", "192.0.2.200:3389", 2),
            desktop("198.51.100.7:50000", "10.1.0.5:3389", 3),
            vnc("192.0.2.200:50000", "10.1.0.5:5900", None),
        ],
    );
}

/// A laptop comes in from a house, where three tunnels are held; and its screen is driven from an address.
#[test]
fn several_laptops_shown_outside() {
    let house = |tunnels: u64, driver: &str| -> Vec<Fact> {
        let tunnel = |began: u64| open("wireguard", &format!("192.0.2.1:4000{began}"), "203.0.113.1:51820", began, 580);
        let mut opening = hello("192.0.2.1:50000", "vpn.example", 1);
        opening.flow.server = flow("192.0.2.1:50000", "203.0.113.1:443", Transport::Tcp).server;
        let first = hello("10.20.0.5:50000", "www.example.org", 2);
        let driven = desktop(driver, "10.20.0.5:3389", 3);
        [opening, first, driven].into_iter().chain((4..4 + tunnels).map(tunnel)).collect()
    };
    let rule = "several_laptops_shown_outside";
    check(rule, house(3, "192.0.2.9:50000"), house(2, "192.0.2.9:50000"));
    check(rule, house(3, "192.0.2.9:50000"), house(3, "10.2.0.5:50000"));
}

#[test]
fn several_laptops_one_driven() {
    let house = |house: &str, laptop: &str| {
        let tunnel = |began: u64| open("wireguard", &format!("192.0.2.1:4000{began}"), "203.0.113.1:51820", began, 580);
        let mut opening = hello(house, "vpn.example", 1);
        opening.flow.server = flow(house, "203.0.113.1:443", Transport::Tcp).server;
        let products = [("relay-1.net.anydesk.com", 2), ("router1.teamviewer.com", 3)];
        let products = products.map(|(name, secs)| hello(laptop, name, secs));
        let tunnels = [4, 5, 6].map(tunnel);
        [opening].into_iter().chain(products).chain(tunnels).collect()
    };
    check(
        "several_laptops_one_driven",
        house("192.0.2.1:50000", "10.20.0.5:50000"),
        house("192.0.2.9:50000", "10.20.0.5:50000"),
    );
    check(
        "several_laptops_one_driven",
        house("192.0.2.1:50000", "10.20.0.5:50000"),
        house("192.0.2.1:50000", "10.1.0.5:50000"),
    );
}

#[test]
fn every_shipped_rule_has_a_test() {
    let tests = [
        include_str!("shipped_tests.rs"),
        include_str!("shipped_findings_tests.rs"),
        include_str!("shipped_shapes_tests.rs"),
    ]
    .concat();
    for rule in shipped().list().filter(|rule| rule.kind != RuleKind::Filter && !rule.is_counted_only) {
        assert!(tests.contains(&format!("\"{}\"", rule.name)), "{}", rule.name);
    }
}

#[test]
fn no_shipped_rule_leans_on_language_or_keyboard() {
    for rule in shipped().list() {
        let text = std::fs::read_to_string(&rule.path).unwrap();
        for word in ["keyboard_layout", "locale", "language"] {
            assert!(!text.contains(word), "{} says {word}", rule.path.display());
        }
    }
}

#[test]
fn an_alert_explains_itself() {
    let alerts = alerts(&settings(SETTINGS), &shipped(), vec![desktop("192.0.2.1:50000", "10.1.0.5:3389", 1)]);
    let alert = alerts.iter().find(|alert| alert["event.action"] == "remote_desktop_from_outside").unwrap();
    let message = alert["message"].as_str().unwrap();
    assert!(message.starts_with("A machine outside drives a machine inside by RDP or VNC"), "{message}");
    assert!(message.contains("between 192.0.2.1:50000 and 10.1.0.5:3389 (rdp over tcp), about the address 10.1.0.5."));
    assert!(message.contains("The evidence: direction: inbound; "), "{message}");
    assert!(message.contains("It may be innocent: A remote-desktop gateway whose network"), "{message}");
    assert_eq!(alert["related.ip"], serde_json::json!(["10.1.0.5", "192.0.2.1"]));
    assert_eq!(alert["destination.device.name"], Value::from("PC-ANN"));
    for name in alert.as_object().unwrap().keys() {
        let is_documented = crate::event::catalogue::ALERT_FIELDS.iter().any(|field| field.name == name);
        assert!(is_documented || crate::event::catalogue::is_known(name), "{name}");
    }
}
