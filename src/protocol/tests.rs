//! What holds for every protocol: no prefix, split or hole of a conversation panics or invents; and a conversation is
//! claimed by its own protocol alone.

use std::collections::BTreeSet;

use crate::facts::{Sender, Statement};
use crate::net::Transport;
use crate::protocol::session::Session;
use crate::protocol::{ALL, Chunk, Opening, Probe, Protocol, ProtocolSpec, Start};
use crate::time::Timestamp;

/// A conversation out of a specification, a recording or a real program, byte for byte.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) name: &'static str,
    /// Who must claim it.
    pub(crate) protocol: Protocol,
    pub(crate) transport: Transport,
    pub(crate) client_port: u16,
    pub(crate) server_port: u16,
    pub(crate) chunks: Vec<(Sender, Vec<u8>)>,
}

/// Every protocol's fixtures, registered beside its line in [`ALL`].
#[rustfmt::skip]
const FIXTURES: &[fn() -> Vec<Fixture>] = &[
    crate::protocol::kerberos::tests::fixtures,
    crate::protocol::ldap::tests::fixtures,
    crate::protocol::ica::tests::fixtures,
    crate::protocol::nx::tests::fixtures,
    crate::protocol::radmin::tests::fixtures,
    crate::protocol::dameware::tests::fixtures,
    crate::protocol::x11::tests::fixtures,
    crate::protocol::rdp::tests::fixtures,
    crate::protocol::rdpeudp::tests::fixtures,
    crate::protocol::rfb::tests::fixtures,
    crate::protocol::smb::tests::fixtures,
    crate::protocol::socks::tests::fixtures,
    crate::protocol::rlogin::tests::fixtures,
    crate::protocol::rsh::tests::fixtures,
    crate::protocol::teamviewer::tests::fixtures,
    crate::protocol::telnet::tests::fixtures,
    crate::protocol::xdmcp::tests::fixtures,
    crate::protocol::ssdp::tests::fixtures,
    crate::protocol::ssh::tests::fixtures,
    crate::protocol::stun::tests::fixtures,
    crate::protocol::adb::tests::fixtures,
    crate::protocol::ah::tests::fixtures,
    crate::protocol::arp::tests::fixtures,
    crate::protocol::mysql::tests::fixtures,
    crate::protocol::postgresql::tests::fixtures,
    crate::protocol::cdp::tests::fixtures,
    crate::protocol::eapol::tests::fixtures,
    crate::protocol::lldp::tests::fixtures,
    crate::protocol::dcerpc::tests::fixtures,
    crate::protocol::dhcp::tests::fixtures,
    crate::protocol::dns::tests::fixtures,
    crate::protocol::esp::tests::fixtures,
    crate::protocol::ike::tests::fixtures,
    crate::protocol::llmnr::tests::fixtures,
    crate::protocol::mdns::tests::fixtures,
    crate::protocol::nbdgm::tests::fixtures,
    crate::protocol::nbns::tests::fixtures,
    crate::protocol::l2tp::tests::fixtures,
    crate::protocol::openvpn::tests::fixtures,
    crate::protocol::pptp::tests::fixtures,
    crate::protocol::tacacs::tests::fixtures,
    crate::protocol::dhcpv6::tests::fixtures,
    crate::protocol::radius::tests::fixtures,
    crate::protocol::dtls::tests::fixtures,
    crate::protocol::quic::tests::fixtures,
    crate::protocol::softether::tests::fixtures,
    crate::protocol::starttls::tests::fixtures,
    crate::protocol::tailscale::tests::fixtures,
    crate::protocol::tds::tests::fixtures,
    crate::protocol::tinc::tests::fixtures,
    crate::protocol::tls::tests::fixtures,
    crate::protocol::http::tests::fixtures,
    crate::protocol::wireguard::tests::fixtures,
    crate::protocol::wireguard::warp::tests::fixtures,
    crate::protocol::amneziawg::tests::fixtures,
    crate::protocol::guacamole::tests::fixtures,
    crate::protocol::nebula::tests::fixtures,
    crate::protocol::openvpn::scramble::tests::fixtures,
    crate::protocol::rustdesk::tests::fixtures,
    crate::protocol::spice::tests::fixtures,
    crate::protocol::zerotier::tests::fixtures,
];

pub(super) fn fixtures() -> Vec<Fixture> {
    FIXTURES.iter().flat_map(|fixtures| fixtures()).collect()
}

impl Fixture {
    pub(crate) fn start(&self) -> Start {
        let Self { transport, client_port, server_port, .. } = *self;
        Start { transport, client_port, server_port, is_midway: false }
    }

    /// What the whole conversation says, as the flow stage would hear it.
    pub(crate) fn facts(&self) -> Vec<(Protocol, Statement)> {
        self.facts_of(&self.chunks)
    }

    /// What its chunks from this one on say to a capture that began amid it.
    fn facts_amid(&self, first: usize) -> Vec<(Protocol, Statement)> {
        let mut session = Session::new(Start { is_midway: true, ..self.start() });
        let mut facts = Vec::new();
        for (at, (sender, bytes)) in (1..).zip(&self.chunks).skip(first) {
            session.on_bytes(Chunk { at: Timestamp::from_secs(at), sender: *sender, bytes, missing: 0 }, &mut facts);
        }
        session.on_end(&mut facts);
        facts
    }

    /// What the whole conversation says where each byte comes in a segment of its own.
    pub(crate) fn facts_by_bytes(&self) -> Vec<(Protocol, Statement)> {
        let bytes = self.chunks.iter().flat_map(|(sender, bytes)| bytes.iter().map(|&byte| (*sender, vec![byte])));
        self.facts_of(&bytes.collect::<Vec<_>>())
    }

    /// What its datagrams say to a capture that keeps so many bytes of each.
    pub(crate) fn facts_within(&self, snap_len: usize) -> Vec<(Protocol, Statement)> {
        let mut session = Session::new(self.start());
        let mut facts = Vec::new();
        for (at, (sender, bytes)) in (1..).zip(&self.chunks) {
            let (bytes, cut) = bytes.split_at(snap_len.min(bytes.len()));
            let missing = u32::try_from(cut.len()).unwrap();
            session.on_bytes(Chunk { at: Timestamp::from_secs(at), sender: *sender, bytes, missing }, &mut facts);
        }
        session.on_end(&mut facts);
        facts
    }

    pub(crate) fn facts_of(&self, chunks: &[(Sender, Vec<u8>)]) -> Vec<(Protocol, Statement)> {
        let mut session = Session::new(self.start());
        let mut facts = Vec::new();
        for (at, (sender, bytes)) in (1..).zip(chunks) {
            session.on_bytes(Chunk { at: Timestamp::from_secs(at), sender: *sender, bytes, missing: 0 }, &mut facts);
        }
        session.on_end(&mut facts);
        facts
    }
}

/// `"16 03 01"` or `"160301"`, with line breaks and spaces anywhere, to bytes.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A value of ASN.1: a tag and contents out of parts.
pub(crate) fn der(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let contents = parts.concat();
    let mut bytes = vec![tag];
    match u16::try_from(contents.len()).unwrap() {
        len @ 0x00..=0x7f => bytes.push(len as u8),
        len => bytes.extend([&[0x82], &len.to_be_bytes()[..]].concat()),
    }
    bytes.extend(contents);
    bytes
}

pub(super) fn shown(facts: &[(Protocol, Statement)]) -> Vec<String> {
    facts.iter().map(|fact| format!("{fact:?}")).collect()
}

/// What facts state, a line for each value; what they leave open is no statement.
fn statements(facts: &[(Protocol, Statement)]) -> BTreeSet<String> {
    let lines = |fact: &(Protocol, Statement)| format!("{fact:#?}").lines().map(str::trim).map(String::from).collect();
    let lines: Vec<String> = facts.iter().flat_map::<Vec<String>, _>(lines).collect();
    lines.into_iter().filter(|line| !line.ends_with(": None,") && !line.ends_with("[],")).collect()
}

#[test]
fn every_protocol_has_fixtures_and_claims_them() {
    for spec in ALL {
        assert!(fixtures().iter().any(|fixture| fixture.protocol == spec.protocol), "{} has no fixture", spec.protocol);
    }
    for fixture in fixtures() {
        let facts = fixture.facts();
        let claimed = facts.first().map(|(protocol, _)| *protocol);
        assert_eq!(claimed, Some(fixture.protocol), "{}: {facts:?}", fixture.name);
        assert!(!facts.iter().any(|(_, kind)| matches!(kind, Statement::Malformed(_))), "{}: {facts:?}", fixture.name);
    }
}

#[test]
fn every_prefix_of_a_conversation_is_read_without_a_panic_and_claimed_by_nobody_else() {
    for fixture in fixtures() {
        for (index, (sender, bytes)) in fixture.chunks.iter().enumerate() {
            for len in 0..bytes.len() {
                let mut chunks = fixture.chunks[..index].to_vec();
                chunks.push((*sender, bytes[..len].to_vec()));
                for (protocol, kind) in fixture.facts_of(&chunks).iter().take(1) {
                    assert_eq!(*protocol, fixture.protocol, "{} cut at {index}/{len}: {kind:?}", fixture.name);
                }
            }
        }
    }
}

#[test]
fn a_stream_says_the_same_however_it_is_cut() {
    for fixture in fixtures().into_iter().filter(|fixture| fixture.transport == Transport::Tcp) {
        let whole = shown(&fixture.facts());
        for (index, (sender, bytes)) in fixture.chunks.iter().enumerate() {
            let step = (bytes.len() / 400).max(1);
            for len in (1..bytes.len()).step_by(step) {
                let mut chunks = fixture.chunks.clone();
                chunks.splice(index..=index, [(*sender, bytes[..len].to_vec()), (*sender, bytes[len..].to_vec())]);
                assert_eq!(shown(&fixture.facts_of(&chunks)), whole, "{} split at {index}/{len}", fixture.name);
            }
        }
    }
}

#[test]
fn a_hole_in_a_stream_invents_nothing() {
    for fixture in fixtures().into_iter().filter(|fixture| fixture.transport == Transport::Tcp) {
        let whole = fixture.facts();
        let protocols: BTreeSet<Protocol> = whole.iter().map(|(protocol, _)| *protocol).collect();
        let whole = statements(&whole);
        for lost in 0..fixture.chunks.len() {
            // What comes before anybody knows the stream is lost: then it is as one begun amid.
            let amid = statements(&fixture.facts_amid(lost.saturating_add(1)));
            let mut session = Session::new(fixture.start());
            let mut facts = Vec::new();
            for (index, (sender, bytes)) in fixture.chunks.iter().enumerate() {
                if index == lost {
                    session.on_gap(*sender, u32::try_from(bytes.len()).unwrap(), &mut facts);
                    continue;
                }
                let at = Timestamp::from_secs(1 + index as u64);
                session.on_bytes(Chunk { at, sender: *sender, bytes, missing: 0 }, &mut facts);
            }
            session.on_end(&mut facts);
            facts.retain(|(_, kind)| !matches!(kind, Statement::Malformed(_)));
            let strangers = facts.iter().any(|(protocol, _)| !protocols.contains(protocol));
            assert!(!strangers, "{} without chunk {lost} says {facts:?}", fixture.name);
            let said = statements(&facts);
            let invented: Vec<&String> = said.difference(&whole).filter(|line| !amid.contains(*line)).collect();
            assert!(invented.is_empty(), "{} without chunk {lost} says {invented:?}", fixture.name);
        }
    }
}

#[test]
fn datagrams_that_the_snap_length_cut_are_claimed_by_nobody_else() {
    for fixture in fixtures().into_iter().filter(|fixture| fixture.transport != Transport::Tcp) {
        let protocols: BTreeSet<Protocol> = fixture.facts().iter().map(|(protocol, _)| *protocol).collect();
        let longest = fixture.chunks.iter().map(|(_, bytes)| bytes.len()).max().unwrap();
        for snap_len in 1..longest.min(400) {
            let facts = fixture.facts_within(snap_len);
            let strangers = facts.iter().any(|(protocol, _)| !protocols.contains(protocol));
            assert!(!strangers, "{} cut at {snap_len} says {facts:?}", fixture.name);
        }
    }
}

/// The misidentification matrix: the diagonal only.
#[test]
fn no_protocol_matches_the_opening_of_another() {
    for fixture in fixtures() {
        for spec in ALL.iter().filter(|spec| spec.protocol != fixture.protocol) {
            let Some((sender, bytes)) = fixture.chunks.first() else { continue };
            assert!(!claims(spec, &fixture, *sender, bytes), "{} claims {}", spec.protocol, fixture.name);
        }
    }
}

fn claims(spec: &ProtocolSpec, fixture: &Fixture, sender: Sender, bytes: &[u8]) -> bool {
    let opening = Opening {
        transport: fixture.transport,
        sender,
        client_port: fixture.client_port,
        server_port: fixture.server_port,
        is_midway: false,
        bytes,
        missing: 0,
    };
    let opens = spec.transports.contains(&fixture.transport)
        && bytes.first().is_some_and(|byte| spec.opens_with.iter().any(|&(low, high)| (low..=high).contains(byte)));
    if !opens || !matches!((spec.probe)(&opening), Probe::Match | Probe::Reversed) {
        return false;
    }
    let mut parser = (spec.start)(&fixture.start());
    let mut facts = Vec::new();
    for (at, (sender, bytes)) in (1..).zip(&fixture.chunks) {
        parser.on_bytes(Chunk { at: Timestamp::from_secs(at), sender: *sender, bytes, missing: 0 }, &mut facts);
    }
    facts.iter().any(|kind| !matches!(kind, Statement::Malformed(_)))
}

#[test]
fn fixture_bytes_may_be_spaced() {
    assert_eq!(hex("16 03\n01"), hex("160301"));
}

/// What `fuzz/fuzz_targets/protocol.rs` reads: transport, ports, then both sides by turns.
#[test]
#[ignore = "writes files: fuzz/seeds.sh runs it"]
fn seeds_for_the_fuzzer_protocol() {
    const SEPARATOR: &[u8] = b"\xfa\x17|\xfa";
    let Ok(corpus) = std::env::var("FUZZ_CORPUS") else { return };
    for (number, fixture) in fixtures().iter().enumerate() {
        let transport = match fixture.transport {
            Transport::Tcp => 0,
            Transport::Udp => 1,
            Transport::Esp => 2,
            Transport::Ah => 3,
            Transport::Link => 4,
            Transport::L2tp => 5,
        };
        let mut seed = vec![0x80 | transport];
        seed.extend(fixture.client_port.to_be_bytes());
        seed.extend(fixture.server_port.to_be_bytes());
        let mut turn = Sender::Client;
        for (sender, bytes) in &fixture.chunks {
            if *sender != turn {
                seed.extend(SEPARATOR);
            } else if seed.len() > 5 {
                seed.extend([SEPARATOR, SEPARATOR].concat());
            }
            turn = *sender;
            seed.extend(bytes);
        }
        std::fs::write(format!("{corpus}/protocol/fixture-{number}"), seed).unwrap();
    }
}
