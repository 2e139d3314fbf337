//! The first packets of flows in; those of the flows that a rule asked for out, as captures.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::pcap;
use super::{Exhibit, ExhibitName, Settings};
use crate::facts::{Fact, FactKind, FlowId, FlowRef, Watermark};
use crate::flow::{OpeningPacket, Openings, community_id};
use crate::protocol::{Protocol, SHELLS, amneziawg, dtls, esp, openvpn, quic, ssh, tls, wireguard};
use crate::time::Timestamp;

/// The protocols whose beginnings are shown with payload: from the first byte on, they carry a handshake without secrets and
/// then what is encrypted. Of every other protocol, and of a flow that none claimed, the headers are kept alone, since
/// passwords, tickets, cookies or texts may stand in what it carries.
const SHOWN: &[Protocol] = &[
    amneziawg::SPEC.protocol,
    dtls::SPEC.protocol,
    esp::SPEC.protocol,
    openvpn::SPEC.protocol,
    quic::SPEC.protocol,
    ssh::SPEC.protocol,
    tls::SPEC.protocol,
    wireguard::SPEC.protocol,
];

/// What [`Shelf`] counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Flows that a rule asked for whose beginning was not on the shelf any more, or never was.
    pub missed: u64,
    /// Gauge: what the beginnings of flows take.
    pub memory_bytes: u64,
}

/// The beginnings of flows, until a rule asks for them or others need the room.
///
/// All that is decided here follows from packets and facts in the order of the analysis. The beginnings of remote desktops,
/// shells and tunnels stay longest: only where there are no others do they give way. Of each kind those that began first go
/// first.
pub struct Shelf {
    packets_max: usize,
    held_bytes_max: usize,
    waiting_bytes_max: usize,
    /// What each shard handed over that comes after the facts seen so far.
    lanes: Vec<Lane>,
    waiting_bytes: usize,
    others: BTreeMap<FlowId, Beginning>,
    sessions: BTreeMap<FlowId, Beginning>,
    by_community_id: HashMap<String, FlowId>,
    held_bytes: usize,
    finished: Vec<Exhibit>,
    missed: u64,
}

#[derive(Default)]
struct Lane {
    parcels: VecDeque<Openings>,
    /// Which packet of the first parcel comes next.
    next: usize,
}

/// The first packets of one flow.
struct Beginning {
    started: Timestamp,
    records: Vec<Record>,
    /// The frames one after the other.
    bytes: Vec<u8>,
    protocol: Option<Protocol>,
    community_id: Option<String>,
    /// A rule asked for it.
    wanted: Option<ExhibitName>,
    /// No more packets come.
    is_over: bool,
    is_finished: bool,
}

struct Record {
    at: Timestamp,
    header_bytes: usize,
    payload_bytes: usize,
    wire_bytes: u32,
}

impl Shelf {
    /// So much of the memory is for packets that wait for a slower shard.
    const WAITING_SHARE: usize = 4;

    pub fn new(settings: &Settings, shards: usize) -> Self {
        let waiting_bytes_max = settings.memory_bytes_max / Self::WAITING_SHARE;
        Self {
            packets_max: usize::try_from(settings.packets_max).unwrap_or(usize::MAX),
            held_bytes_max: settings.memory_bytes_max - waiting_bytes_max,
            waiting_bytes_max,
            lanes: (0..shards.max(1)).map(|_| Lane::default()).collect(),
            waiting_bytes: 0,
            others: BTreeMap::new(),
            sessions: BTreeMap::new(),
            by_community_id: HashMap::new(),
            held_bytes: 0,
            finished: Vec::new(),
            missed: 0,
        }
    }

    /// Takes what a shard hands over. Where too much waits for a slower shard, the first packets come before their time.
    pub fn add(&mut self, shard: usize, openings: Openings) {
        let Some(lane) = self.lanes.get_mut(shard).filter(|_| !openings.is_empty()) else { return };
        self.waiting_bytes += openings.bytes();
        lane.parcels.push_back(openings);
        while self.waiting_bytes > self.waiting_bytes_max && self.take_next(Watermark::END) {}
    }

    /// Puts up the packets before `end`, in their order.
    pub fn advance(&mut self, end: Watermark) {
        while self.take_next(end) {}
    }

    /// Takes note of what a fact says of its flow. The packets up to it are put up first.
    pub fn on_fact(&mut self, fact: &Fact) {
        self.advance(Watermark { at: fact.at, seq: fact.seq.saturating_add(1) });
        let flow = &fact.flow;
        let is_new = self.of(flow, |beginning| {
            beginning.protocol = flow.protocol;
            let is_new = beginning.community_id.is_none();
            let id = || community_id(flow.client, flow.server, flow.transport);
            let id = beginning.community_id.get_or_insert_with(id);
            is_new.then(|| id.clone())
        });
        let Some(is_new) = is_new else { return };
        if let Some(id) = is_new {
            self.by_community_id.insert(id, flow.id);
        }
        if is_of_a_session(fact)
            && let Some(beginning) = self.others.remove(&flow.id)
        {
            self.sessions.insert(flow.id, beginning);
        }
    }

    /// Takes note that a fact was judged: a flow that is over has no more packets to wait for.
    pub fn after_fact(&mut self, fact: &Fact) {
        if matches!(fact.kind, FactKind::FlowEnded(_)) {
            self.of(&fact.flow, |beginning| beginning.is_over = true);
            self.finish_if_complete(fact.flow.id);
        }
    }

    /// Makes an exhibit of a flow. None where its beginning is not here.
    pub fn want(&mut self, flow: &FlowRef) -> Option<ExhibitName> {
        let name = self.of(flow, Beginning::want).flatten();
        self.missed += u64::from(name.is_none());
        self.finish_if_complete(flow.id);
        name
    }

    /// Makes an exhibit of the latest flow with a community id.
    pub fn want_community_id(&mut self, id: &str) -> Option<ExhibitName> {
        let flow = self.by_community_id.get(id).copied();
        let name = flow.and_then(|flow| self.change(flow, Beginning::want)).flatten();
        self.missed += u64::from(name.is_none());
        if let Some(flow) = flow {
            self.finish_if_complete(flow);
        }
        name
    }

    /// The exhibits that became complete since this was last asked.
    pub fn take_finished(&mut self) -> Vec<Exhibit> {
        std::mem::take(&mut self.finished)
    }

    /// Puts up what waits, and completes every exhibit: no shard has more to say.
    pub fn finish(&mut self) {
        self.advance(Watermark::END);
        let mut flows: Vec<FlowId> = self.others.keys().chain(self.sessions.keys()).copied().collect();
        flows.sort_unstable();
        for flow in flows {
            self.change(flow, |beginning| beginning.is_over = true);
            self.finish_if_complete(flow);
        }
    }

    pub fn counters(&self) -> Counters {
        Counters { missed: self.missed, memory_bytes: (self.held_bytes + self.waiting_bytes) as u64 }
    }

    /// Puts up the packet that comes next, if it comes before `end`.
    fn take_next(&mut self, end: Watermark) -> bool {
        let places = self.lanes.iter().enumerate().filter_map(|(number, lane)| Some((lane.place()?, number)));
        let Some((_, number)) = places.min().filter(|(place, _)| *place < end) else { return false };
        let Some(mut lane) = self.lanes.get_mut(number).map(std::mem::take) else { return false };
        if let Some(packet) = lane.parcels.front().and_then(|parcel| parcel.get(lane.next)) {
            self.put_up(packet);
        }
        lane.next += 1;
        if let Some(parcel) = lane.parcels.pop_front_if(|parcel| parcel.len() <= lane.next) {
            self.waiting_bytes -= parcel.bytes();
            lane.next = 0;
        }
        self.lanes[number] = lane;
        true
    }

    fn put_up(&mut self, packet: OpeningPacket<'_>) {
        let packets_max = self.packets_max;
        if self.change(packet.flow, |beginning| beginning.push(packet, packets_max)).is_none() {
            let beginning = Beginning::new(packet, packets_max);
            self.held_bytes += beginning.cost();
            self.others.insert(packet.flow, beginning);
        }
        self.finish_if_complete(packet.flow);
        while self.held_bytes > self.held_bytes_max && self.take_down() {}
    }

    /// Makes room: the beginning that is worth least, and among those the first, goes.
    fn take_down(&mut self) -> bool {
        let Some((flow, mut beginning)) = self.others.pop_first().or_else(|| self.sessions.pop_first()) else {
            return false;
        };
        self.held_bytes -= beginning.cost();
        self.finished.extend(beginning.finish());
        if let Some(id) = &beginning.community_id
            && self.by_community_id.get(id) == Some(&flow)
        {
            self.by_community_id.remove(id);
        }
        true
    }

    fn finish_if_complete(&mut self, flow: FlowId) {
        let packets_max = self.packets_max;
        let exhibit = self.change(flow, |beginning| {
            let is_complete = beginning.is_over || beginning.records.len() >= packets_max;
            is_complete.then(|| beginning.finish()).flatten()
        });
        self.finished.extend(exhibit.flatten());
    }

    /// Changes the beginning of a flow, if it is here.
    fn of<T>(&mut self, flow: &FlowRef, change: impl FnOnce(&mut Beginning) -> T) -> Option<T> {
        let is_of_it = |beginning: &Beginning| beginning.started == flow.started;
        self.change(flow.id, |beginning| is_of_it(beginning).then(|| change(beginning))).flatten()
    }

    fn change<T>(&mut self, flow: FlowId, change: impl FnOnce(&mut Beginning) -> T) -> Option<T> {
        let beginning = match self.others.get_mut(&flow) {
            Some(beginning) => beginning,
            None => self.sessions.get_mut(&flow)?,
        };
        let before = beginning.cost();
        let outcome = change(beginning);
        self.held_bytes = self.held_bytes + beginning.cost() - before;
        Some(outcome)
    }
}

/// Whether the fact is of what a person or a tunnel does: what incidents are about.
fn is_of_a_session(fact: &Fact) -> bool {
    let is_told = matches!(fact.kind, FactKind::RemoteDesktop(_) | FactKind::Tunnel(_) | FactKind::Minute(_));
    is_told || fact.flow.protocol.is_some_and(|protocol| SHELLS.contains(&protocol))
}

impl Lane {
    /// The place of the packet that comes next.
    fn place(&self) -> Option<Watermark> {
        let packet = self.parcels.front()?.get(self.next)?;
        Some(Watermark { at: packet.at, seq: packet.seq })
    }
}

impl Beginning {
    /// What one takes beside its packets, its places in the maps included.
    const BYTES: usize = size_of::<Self>() + 64;
    /// What an entry in the index of community ids takes beside the id.
    const INDEX_BYTES: usize = 64;

    fn new(first: OpeningPacket<'_>, packets_max: usize) -> Self {
        let mut beginning = Self {
            started: first.at,
            records: Vec::new(),
            bytes: Vec::new(),
            protocol: None,
            community_id: None,
            wanted: None,
            is_over: false,
            is_finished: false,
        };
        beginning.push(first, packets_max);
        beginning
    }

    fn push(&mut self, packet: OpeningPacket<'_>, packets_max: usize) {
        if self.is_finished || self.records.len() >= packets_max {
            return;
        }
        self.bytes.extend(packet.headers);
        self.bytes.extend(packet.payload);
        self.records.push(Record {
            at: packet.at,
            header_bytes: packet.headers.len(),
            payload_bytes: packet.payload.len(),
            wire_bytes: packet.wire_bytes,
        });
    }

    /// What it takes in memory.
    fn cost(&self) -> usize {
        let index = self.community_id.as_ref().map_or(0, |id| Self::INDEX_BYTES + 2 * id.capacity());
        Self::BYTES + index + self.bytes.capacity() + self.records.capacity() * size_of::<Record>()
    }

    /// The name of its exhibit; none of a flow that no fact told of.
    fn want(&mut self) -> Option<ExhibitName> {
        let id = self.community_id.as_deref()?;
        Some(self.wanted.get_or_insert_with(|| ExhibitName::of(self.started, id)).clone())
    }

    /// The exhibit, where one was asked for and not made yet. The packets are given up for it.
    fn finish(&mut self) -> Option<Exhibit> {
        let name = self.wanted.clone().filter(|_| !self.is_finished)?;
        self.is_finished = true;
        let exhibit = Exhibit { name, bytes: self.to_pcap() };
        (self.records, self.bytes) = (Vec::new(), Vec::new());
        Some(exhibit)
    }

    fn to_pcap(&self) -> Vec<u8> {
        let is_shown = self.protocol.is_some_and(|protocol| SHOWN.contains(&protocol));
        let (mut file, mut rest) = (Vec::new(), self.bytes.as_slice());
        pcap::write_header(&mut file);
        for record in &self.records {
            let (frame, later) = rest.split_at(record.header_bytes + record.payload_bytes);
            let frame = if is_shown { frame } else { &frame[..record.header_bytes] };
            pcap::write_record(&mut file, record.at, frame, record.wire_bytes);
            rest = later;
        }
        file
    }
}
