//! The misidentification matrix over whole conversations, the fixtures' and those of the recordings: every protocol is
//! left alone with each of them, and says something of its own only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use crate::capture::{Frame, FrameSource, Read, Replay};
use crate::decode::{Decoder, Head, Limits, Packet, TcpHeader};
use crate::facts::{Sender, Statement};
use crate::net::{Endpoint, Transport};
use crate::protocol::selection::Selection;
use crate::protocol::session::Session;
use crate::protocol::tests::{Fixture, fixtures};
use crate::protocol::{ALL, Chunk, Protocol, Start, tls};
use crate::time::Timestamp;

/// Protocols that go over one flow side by side, so that who is alone with it reads its own part; and FTP and SMTP, whose
/// servers greet alike: their order in `ALL` and the client's next line tell them apart.
const COMPANIONS: &[(&str, &str)] = &[("dtls", "stun"), ("esp", "ike"), ("ftp", "smtp"), ("stun", "wireguard")];

fn are_companions(one: Protocol, other: Protocol) -> bool {
    let pair = (one.as_str().min(other.as_str()), one.as_str().max(other.as_str()));
    one == other || COMPANIONS.contains(&pair)
}

/// A flow: its beginning, in order and each byte once.
struct Conversation {
    name: String,
    start: Start,
    chunks: Vec<(Sender, Vec<u8>)>,
}

impl Conversation {
    const CHUNKS_MAX: usize = 40;

    /// What is said of it, and by whom first, when only these protocols are asked.
    fn said(&self, session: Session) -> Option<Protocol> {
        let (facts, protocol) = self.facts(session);
        facts.iter().any(|(_, kind)| !matches!(kind, Statement::Malformed(_))).then_some(protocol).flatten()
    }

    fn facts(&self, mut session: Session) -> (Vec<(Protocol, Statement)>, Option<Protocol>) {
        let mut facts = Vec::new();
        for (at, (sender, bytes)) in (1..).zip(&self.chunks) {
            session.on_bytes(Chunk { at: Timestamp::from_secs(at), sender: *sender, bytes, missing: 0 }, &mut facts);
        }
        session.on_end(&mut facts);
        (facts, session.protocol())
    }

    fn owner(&self) -> Option<Protocol> {
        self.said(Session::new(self.start))
    }

    /// Who claims it when left alone with it.
    fn claimants(&self) -> BTreeSet<Protocol> {
        let alone = alone().iter().filter_map(|selection| self.said(Session::among(selection, self.start)));
        // Who asks for TLS hands over to it; alone, TLS finds its beginning by itself.
        let goes_on_as_tls =
            self.facts(Session::new(self.start)).0.iter().any(|(protocol, _)| *protocol == tls::PROTOCOL);
        alone
            .filter(|protocol| *protocol != tls::PROTOCOL || !goes_on_as_tls || self.owner() == Some(tls::PROTOCOL))
            .collect()
    }
}

/// Each protocol by itself.
fn alone() -> &'static [Selection] {
    static ALONE: OnceLock<Vec<Selection>> = OnceLock::new();
    ALONE.get_or_init(|| ALL.chunks(1).map(Selection::of).collect())
}

fn of_fixture(fixture: Fixture) -> Conversation {
    Conversation { name: fixture.name.into(), start: fixture.start(), chunks: fixture.chunks }
}

/// The flows of every recording that ships with the project.
fn recorded() -> Vec<Conversation> {
    let mut folders: Vec<_> = std::fs::read_dir("pcaps").unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let captures: Vec<_> =
        folders.iter().map(|folder| folder.join("capture.pcap")).filter(|capture| capture.exists()).collect();
    assert!(captures.len() > 20, "the tests run beside the recordings");
    captures.iter().flat_map(|capture| flows(capture)).collect()
}

fn flows(capture: &Path) -> Vec<Conversation> {
    let mut replay = Replay::open(&[capture.to_owned()], None).unwrap();
    let mut decoder = Decoder::new(Limits::default());
    let mut flows: BTreeMap<(Endpoint, Endpoint, Transport), Flow> = BTreeMap::new();
    let mut each = |frame: Frame<'_>| {
        let Ok(packet) = decoder.decode(frame) else { return };
        let Head { source, target, transport, .. } = *packet.head;
        let flow = flows.entry((source.min(target), source.max(target), transport)).or_default();
        flow.take(&packet);
    };
    while replay.read(&mut each).unwrap() != Read::End {}
    let name = |ends: &(Endpoint, Endpoint, Transport)| format!("{}: {ends:?}", capture.display());
    flows.iter().filter_map(|(ends, flow)| flow.conversation(name(ends), ends.2)).collect()
}

#[derive(Default)]
struct Flow {
    client: Option<(Endpoint, Endpoint)>,
    chunks: Vec<(Sender, Vec<u8>)>,
    /// What either side of a TCP flow sends next.
    next: BTreeMap<Endpoint, u32>,
}

impl Flow {
    /// A segment out of its turn is left out: what matters is that the stream has no hole.
    fn take(&mut self, packet: &Packet<'_>) {
        let Head { source, target, tcp, payload_len, .. } = *packet.head;
        let (client, _) = *self.client.get_or_insert(match tcp {
            Some(header) if header.has(TcpHeader::SYN | TcpHeader::ACK) => (target, source),
            _ => (source, target),
        });
        if let Some(header) = tcp {
            let is_syn = header.has(TcpHeader::SYN);
            let next = self.next.entry(source).or_insert(header.sequence);
            if is_syn {
                *next = header.sequence.wrapping_add(1);
            }
            if is_syn || header.sequence != *next {
                return;
            }
            *next = next.wrapping_add(payload_len);
        }
        if !packet.payload.is_empty() && self.chunks.len() < Conversation::CHUNKS_MAX {
            let sender = if source == client { Sender::Client } else { Sender::Server };
            self.chunks.push((sender, packet.payload.to_vec()));
        }
    }

    fn conversation(&self, name: String, transport: Transport) -> Option<Conversation> {
        let (client, server) = self.client.filter(|_| !self.chunks.is_empty())?;
        let (client_port, server_port) = (client.port, server.port);
        let start = Start { transport, client_port, server_port, is_midway: false };
        Some(Conversation { name, start, chunks: self.chunks.clone() })
    }
}

#[test]
fn every_fixture_is_in_its_own_row_and_in_no_other() {
    for fixture in fixtures() {
        let protocol = fixture.protocol;
        let conversation = of_fixture(fixture);
        let claimants = conversation.claimants();
        let is_its_own =
            claimants.contains(&protocol) && claimants.iter().all(|&other| are_companions(protocol, other));
        assert!(is_its_own, "{} of {protocol} is claimed by {claimants:?}", conversation.name);
    }
}

#[test]
fn no_recorded_flow_is_claimed_by_two_protocols() {
    let flows = recorded();
    let mut claimed = BTreeSet::new();
    for flow in &flows {
        let claimants = flow.claimants();
        let owner = flow.owner();
        let is_its_own = claimants.iter().all(|&other| owner.is_some_and(|owner| are_companions(owner, other)));
        assert!(is_its_own, "{} of {owner:?} is claimed by {claimants:?}", flow.name);
        claimed.extend(claimants);
    }
    assert!(flows.len() > 100 && claimed.len() > 15, "{} flows of {claimed:?}", flows.len());
}
