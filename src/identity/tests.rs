use super::*;
use crate::enrich::networks::NamedNetwork;
use crate::event::tests::{fact, flow, summary};
use crate::facts::FlowRef;
use crate::net::Transport;

const ANN: Mac = Mac([0, 0x11, 0x22, 0, 0, 1]);
const BOB: Mac = Mac([0, 0x11, 0x22, 0, 0, 2]);
const ROUTER: Mac = Mac([0, 0x11, 0x22, 0, 0, 0xfe]);

fn identity() -> Identity {
    Identity::new(Limits::default())
}

fn networks() -> Networks {
    Networks::new(&[]).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A flow between two addresses with their link addresses.
fn between(client: (&str, Option<Mac>), server: (&str, Option<Mac>)) -> FlowRef {
    let mut flow = flow("10.0.0.1:1000", "10.0.0.2:80", Transport::Tcp);
    (flow.client.ip, flow.client_mac) = (address(client.0), client.1);
    (flow.server.ip, flow.server_mac) = (address(server.0), server.1);
    flow
}

fn see(identity: &mut Identity, flow: FlowRef, secs: u64) {
    identity.observe(&fact(flow, secs, FactKind::Malformed("test")), &networks());
}

fn lease(mac: Mac, leased: &str, granted: bool) -> FactKind {
    FactKind::Lease(Box::new(Lease {
        mac: Some(mac),
        address: Some(address(leased)),
        granted,
        host_name: Some("LAPTOP-ANN".into()),
        ..Lease::default()
    }))
}

fn id(identity: &Identity, text: &str) -> Option<DeviceId> {
    identity.device_id(address(text), &networks())
}

/// An open flow between two machines at home tells of both, and its client is asked for, too.
#[test]
fn any_number_of_facts_may_be_fetched() {
    let mut identity = identity();
    let flow = FlowRef { has_spoken: true, ..between(("10.0.0.1", Some(ANN)), ("10.0.0.2", Some(BOB))) };
    let mut summary = summary(60);
    (summary.client.payload_bytes, summary.server.payload_bytes) = (1, 1);
    let fact = fact(flow, 1, FactKind::Activity(summary));
    identity.observe(&fact, &networks());
    identity.fetch(&[&fact; FETCHED_MAX], &networks());
    assert_eq!(identity.device_count(), 2);
}

#[test]
fn a_device_on_the_segment_is_known_by_its_mac_through_changes_of_address() {
    let mut identity = identity();
    see(&mut identity, between(("10.0.0.1", Some(ANN)), ("192.0.2.1", Some(ROUTER))), 1);
    see(&mut identity, between(("10.0.0.9", Some(ANN)), ("192.0.2.1", Some(ROUTER))), 2);
    assert_eq!(id(&identity, "10.0.0.1"), Some(DeviceId::of_mac(ANN)));
    assert_eq!(id(&identity, "10.0.0.9"), Some(DeviceId::of_mac(ANN)));
    let device = identity.device(DeviceId::of_mac(ANN)).unwrap();
    let bound: Vec<_> = device.bindings().map(|binding| (binding.address, binding.provenance)).collect();
    assert_eq!(bound, [(address("10.0.0.1"), Provenance::Segment), (address("10.0.0.9"), Provenance::Segment)]);
}

#[test]
fn whatever_brings_outside_addresses_is_a_router_and_no_device() {
    let mut identity = identity();
    see(&mut identity, between(("192.0.2.1", Some(ROUTER)), ("10.0.0.1", Some(ANN))), 1);
    see(&mut identity, between(("10.7.0.1", Some(ROUTER)), ("10.0.0.1", Some(ANN))), 2);
    assert_eq!(id(&identity, "10.7.0.1"), Some(DeviceId::of_address(address("10.7.0.1"))));
    assert_eq!(id(&identity, "192.0.2.1"), None, "an outside address may be a whole house");
    assert_eq!(identity.device(DeviceId::of_mac(ROUTER)), None);
}

#[test]
fn a_mac_with_more_addresses_than_a_machine_has_is_a_router() {
    let mut identity = identity();
    for last in 1..=4 {
        see(&mut identity, between((&format!("10.7.0.{last}"), Some(ROUTER)), ("10.0.0.1", Some(ANN))), last);
    }
    assert_eq!(id(&identity, "10.7.0.1"), Some(DeviceId::of_mac(ROUTER)), "four are still a machine's");
    see(&mut identity, between(("10.7.0.5", Some(ROUTER)), ("10.0.0.1", Some(ANN))), 5);
    for last in 1..=5 {
        let remote = format!("10.7.0.{last}");
        assert_eq!(id(&identity, &remote), Some(DeviceId::of_address(address(&remote))));
    }
    assert_eq!(identity.device(DeviceId::of_mac(ROUTER)), None);
    assert_eq!(id(&identity, "10.0.0.1"), Some(DeviceId::of_mac(ANN)));
}

/// Privacy extensions (RFC 8981) give it a new one each day, and moving through a building a new IPv4 address.
#[test]
fn a_machine_that_has_had_many_addresses_is_no_router() {
    let mut identity = identity();
    for day in 1..=60_u64 {
        identity.expire(Timestamp::from_secs(day * 86_400));
        for (hour, own) in
            [format!("fd00::{day:x}:1"), format!("fd00::{day:x}:2"), format!("10.7.0.{day}")].iter().enumerate()
        {
            let secs = day * 86_400 + hour as u64 * 3600;
            see(&mut identity, between((own, Some(ANN)), ("10.0.0.2", Some(BOB))), secs);
            assert_eq!(id(&identity, own), Some(DeviceId::of_mac(ANN)), "day {day}");
        }
    }
}

#[test]
fn a_granted_lease_binds_and_outweighs_what_a_router_shows() {
    let mut identity = identity();
    let flow = between(("0.0.0.0", Some(ANN)), ("255.255.255.255", None));
    identity.observe(&fact(flow, 1, lease(ANN, "10.0.0.1", false)), &networks());
    assert_eq!(id(&identity, "10.0.0.1"), Some(DeviceId::of_address(address("10.0.0.1"))), "asked for only");
    identity.observe(&fact(flow, 2, lease(ANN, "10.0.0.1", true)), &networks());
    see(&mut identity, between(("10.0.0.1", Some(ROUTER)), ("10.0.0.2", Some(BOB))), 3);
    assert_eq!(id(&identity, "10.0.0.1"), Some(DeviceId::of_mac(ANN)));
    let device = identity.device(DeviceId::of_mac(ANN)).unwrap();
    assert_eq!(device.host_name, Some("LAPTOP-ANN".into()));
    assert_eq!(device.bindings().count(), 1);
    assert_eq!(device.bindings().next().unwrap().provenance, Provenance::Lease);
    identity.observe(&fact(flow, 4, lease(BOB, "10.0.0.1", true)), &networks());
    assert_eq!(id(&identity, "10.0.0.1"), Some(DeviceId::of_mac(BOB)), "the next lease moves the address");
}

#[test]
fn addresses_of_groups_and_of_nobody_are_no_devices() {
    let mut identity = identity();
    for nobody in ["0.0.0.0", "255.255.255.255", "224.0.0.251", "127.0.0.1", "ff02::fb", "::"] {
        see(&mut identity, between((nobody, Some(ANN)), ("10.0.0.2", Some(BOB))), 1);
        assert_eq!(id(&identity, nobody), None, "{nobody}");
    }
    assert_eq!(identity.device_count(), 1);
}

#[test]
fn the_user_of_an_address_is_who_logged_on_last_with_success() {
    let mut identity = identity();
    let flow = between(("10.0.0.1", None), ("10.0.0.2", None));
    let log_on = |user: &str, outcome| {
        let credential = Credential { user: Some(user.into()), outcome, ..Credential::default() };
        fact(flow, 1, FactKind::Credential(Box::new(credential)))
    };
    for (user, outcome, expected) in
        [("ann", None, "ann"), ("eve", Some(Outcome::Failure), "ann"), ("bob", Some(Outcome::Success), "bob")]
    {
        identity.observe(&log_on(user, outcome), &networks());
        assert_eq!(identity.user(address("10.0.0.1")).map(Text::as_str), Some(expected));
    }
}

#[test]
fn devices_are_bounded_and_forgotten_in_time() {
    let retention = Retention { entries_max: 4, keep: Duration::from_secs(640) };
    let mut identity = Identity::new(Limits {
        devices: retention,
        addresses: retention,
        accounts: retention,
        sites: Default::default(),
    });
    for last in 1..=9 {
        see(&mut identity, between((&format!("10.7.0.{last}"), None), ("192.0.2.1", None)), last);
    }
    assert_eq!(identity.device_count(), 4);
    assert_eq!(identity.evicted(), 10, "five addresses and five devices");
    identity.expire(Timestamp::from_secs(650));
    assert_eq!(identity.device_count(), 0);
}

#[test]
fn a_device_id_is_read_as_it_is_written() {
    let id = DeviceId::of_mac(ANN);
    assert_eq!(DeviceId::parse(&id.to_string()), Some(id));
    assert_eq!(DeviceId::parse("00112233aabbccd"), None);
    assert_eq!(DeviceId::of_mac(ANN).to_string(), "dda403337b7e9a68");
}

#[test]
fn clients_of_the_vpn_are_told_by_their_addresses_behind_the_gateways_mac() {
    let pool = NamedNetwork {
        name: "vpn".into(),
        roles: vec![Role::VpnPool],
        prefixes: vec!["10.20.0.0/24".parse().unwrap()],
    };
    let networks = Networks::new(&[pool]).unwrap();
    let mut identity = identity();
    for client in ["10.20.0.2", "10.20.0.3"] {
        let flow = between((client, Some(ANN)), ("192.0.2.1", None));
        identity.observe(&fact(flow, 1, FactKind::Malformed("test")), &networks);
    }
    let [first, second] = ["10.20.0.2", "10.20.0.3"].map(|client| identity.device_id(address(client), &networks));
    assert_ne!(first, second);
    assert_eq!(first, Some(DeviceId::of_address(address("10.20.0.2"))));
}

#[test]
fn a_bare_handshake_makes_no_device_and_payload_does() {
    let mut identity = identity();
    let flow = between(("10.0.0.1", Some(ANN)), ("10.0.0.2", Some(BOB)));
    for (client_bytes, devices) in [(0, 0), (1, 1)] {
        let mut summary = crate::event::tests::summary(1);
        summary.client.payload_bytes = client_bytes;
        identity.observe(&fact(flow, 1, FactKind::FlowEnded(summary)), &networks());
        assert_eq!(identity.device_count(), devices);
    }
    assert_eq!(id(&identity, "10.0.0.1"), Some(DeviceId::of_mac(ANN)));
}

#[test]
fn a_flow_tells_of_its_ends_when_it_first_speaks_and_not_at_its_end() {
    let mut identity = identity();
    let mut old = between(("10.0.0.1", Some(ANN)), ("10.0.0.2", None));
    see(&mut identity, old, 1);
    see(&mut identity, between(("10.0.0.1", Some(BOB)), ("10.0.0.2", None)), 2);
    assert_eq!(id(&identity, "10.0.0.1"), Some(DeviceId::of_mac(BOB)), "the address has moved");
    old.has_spoken = true;
    see(&mut identity, old, 3);
    assert_eq!(id(&identity, "10.0.0.1"), Some(DeviceId::of_mac(BOB)), "what is left of the old flow moves it back");
}
