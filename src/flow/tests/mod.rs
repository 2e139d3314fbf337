//! What holds for a flow table as a whole, on packets written by hand or at random.

mod channels;
mod chaos;
mod deadlines;
mod minutes;
mod reassembly;
mod room;
mod tcp;

use std::net::IpAddr;
use std::time::Duration;

use crate::decode::{Head, IpHeader, Packet, TcpHeader};
use crate::facts::{Encapsulation, EndReason, Fact, FactKind, FlowId, FlowSummary, Sender, Watermark};
use crate::flow::{FlowTable, Settings};
use crate::net::{Endpoint, Transport, Vlans};
use crate::protocol::{ah, l2tp};
use crate::time::Timestamp;

pub(super) const BEGIN: Timestamp = Timestamp::from_secs(1_750_000_000);

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The ends of a flow, and where the stream of each has come to.
#[derive(Clone)]
pub(super) struct Line {
    transport: Transport,
    client: Endpoint,
    server: Endpoint,
    pub(super) client_next: u32,
    pub(super) server_next: u32,
}

impl Line {
    pub(super) fn tcp(client: &str, server: &str) -> Self {
        Self {
            transport: Transport::Tcp,
            client: end(client),
            server: end(server),
            client_next: 1000,
            server_next: 5000,
        }
    }

    pub(super) fn udp(client: &str, server: &str) -> Self {
        Self { transport: Transport::Udp, ..Self::tcp(client, server) }
    }
}

fn end(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().unwrap();
    Endpoint::new(address.ip(), address.port())
}

/// A flow table, and what came out of it.
pub(super) struct Bench {
    pub(super) table: FlowTable,
    pub(super) now: Timestamp,
    seq: u64,
    pub(super) facts: Vec<Fact>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(&Settings::default())
    }

    pub(super) fn with(settings: &Settings) -> Self {
        Self { table: FlowTable::new(settings), now: BEGIN, seq: 0, facts: Vec::new() }
    }

    pub(super) fn pass(&mut self, time: Duration) -> &mut Self {
        self.now = self.now + time;
        self
    }

    /// The next moment at which nothing that is due by now can be overlooked.
    pub(super) fn look(&mut self) -> Watermark {
        self.table.on_time(self.now + ms(17), &mut self.facts)
    }

    pub(super) fn datagram(&mut self, line: &Line, sender: Sender, payload: &[u8]) {
        let head = self.head(line, sender, payload.len());
        self.give(head, payload);
    }

    /// A segment where the sender's stream stands, which it takes further.
    pub(super) fn segment(&mut self, line: &mut Line, sender: Sender, flags: u8, payload: &[u8]) {
        let head = self.segment_head(line, sender, flags, payload.len());
        let numbers = u32::try_from(payload.len()).unwrap()
            + u32::from(flags & TcpHeader::SYN != 0)
            + u32::from(flags & TcpHeader::FIN != 0);
        let next = match sender {
            Sender::Client => &mut line.client_next,
            Sender::Server => &mut line.server_next,
        };
        *next = next.wrapping_add(numbers);
        self.give(head, payload);
    }

    /// A segment at an offset from where the sender's stream stands, which stays there.
    pub(super) fn segment_at(&mut self, line: &Line, sender: Sender, offset: i32, payload: &[u8]) {
        let mut head = self.segment_head(line, sender, TcpHeader::ACK, payload.len());
        let tcp = head.tcp.as_mut().unwrap();
        tcp.sequence = tcp.sequence.wrapping_add_signed(offset);
        self.give(head, payload);
    }

    pub(super) fn handshake(&mut self, line: &mut Line) {
        self.segment(line, Sender::Client, TcpHeader::SYN, b"");
        self.segment(line, Sender::Server, TcpHeader::SYN | TcpHeader::ACK, b"");
        self.segment(line, Sender::Client, TcpHeader::ACK, b"");
    }

    pub(super) fn segment_head(&self, line: &Line, sender: Sender, flags: u8, payload_len: usize) -> Head {
        let (sequence, acknowledgment) = match sender {
            Sender::Client => (line.client_next, line.server_next),
            Sender::Server => (line.server_next, line.client_next),
        };
        let tcp = TcpHeader {
            sequence,
            acknowledgment: if flags & TcpHeader::ACK == 0 { 0 } else { acknowledgment },
            flags,
            reserved: false,
            window: 64_240,
            urgent: 0,
            options: [0; 40],
            options_len: 0,
        };
        Head { tcp: Some(tcp), ..self.head(line, sender, payload_len) }
    }

    fn head(&self, line: &Line, sender: Sender, payload_len: usize) -> Head {
        let (source, target) = match sender {
            Sender::Client => (line.client, line.server),
            Sender::Server => (line.server, line.client),
        };
        head(self.now, self.seq, (source, target), line.transport, payload_len)
    }

    pub(super) fn give(&mut self, head: Head, payload: &[u8]) {
        self.seq += 1;
        self.table.on_packet(Packet { head: &head, payload }, &mut self.facts);
    }

    pub(super) fn finish(&mut self) {
        while self.table.finish(self.now, &mut self.facts) != Watermark::END {}
    }

    /// The flows that ended so far: when, which, why, and with how many packets of the client and the server.
    pub(super) fn ended(&self) -> Vec<(Duration, u64, EndReason, u64, u64)> {
        let shown = |fact: &Fact| match &fact.kind {
            FactKind::FlowEnded(summary) => {
                let (client, server) = (summary.client.packets, summary.server.packets);
                Some((fact.at.since(BEGIN), fact.flow.id.0, summary.end.unwrap(), client, server))
            }
            _ => None,
        };
        self.facts.iter().filter_map(shown).collect()
    }

    pub(super) fn summary(&self, id: u64) -> &FlowSummary {
        let summary = |fact: &'_ Fact| fact.flow.id == FlowId(id) && matches!(fact.kind, FactKind::FlowEnded(_));
        match &self.facts.iter().find(|fact| summary(fact)).unwrap().kind {
            FactKind::FlowEnded(summary) => summary,
            _ => unreachable!(),
        }
    }
}

pub(super) fn head(
    at: Timestamp,
    seq: u64,
    (source, target): (Endpoint, Endpoint),
    transport: Transport,
    payload_len: usize,
) -> Head {
    let payload_len = u32::try_from(payload_len).unwrap();
    let ip = IpHeader {
        len: 40 + payload_len,
        ttl: 57,
        id: matches!(source.ip, IpAddr::V4(_)).then_some(1),
        options_len: 0,
        dont_fragment: true,
        reserved_flag: false,
        ecn: 0,
        flow_label: 0,
    };
    Head {
        at,
        seq,
        source,
        target,
        transport,
        source_mac: None,
        target_mac: None,
        vlan: None,
        inner_vlan: None,
        tunnel: None,
        is_authenticated: false,
        ip,
        tcp: None,
        payload_len,
    }
}

#[test]
fn each_direction_has_its_own_vlan() {
    let (mut bench, line) = (Bench::new(), Line::udp("10.0.0.1:5000", "192.0.2.1:9"));
    for (sender, vlan) in [(Sender::Server, Some(80)), (Sender::Client, None), (Sender::Client, Some(7))] {
        let head = Head { vlan, ..bench.head(&line, sender, 1) };
        bench.give(head, b"x");
    }
    bench.finish();
    let flow = &bench.facts.last().unwrap().flow;
    assert_eq!(flow.client, line.server, "who was seen first opened it");
    assert_eq!((flow.client_vlans, flow.server_vlans), (Vlans::new(Some(80), None), Vlans::NONE));
}

#[test]
fn a_flow_under_an_authentication_header_or_in_l2tp_says_so_once() {
    let around = [(Encapsulation::Ah, ah::SPEC.protocol), (Encapsulation::L2tp, l2tp::SPEC.protocol)];
    for (tunnel, protocol) in around {
        let (mut bench, line) = (Bench::new(), Line::udp("10.0.0.1:5000", "192.0.2.1:9"));
        for sender in [Sender::Client, Sender::Server, Sender::Client] {
            let is_authenticated = tunnel == Encapsulation::Ah;
            let head = Head { tunnel: Some(tunnel), is_authenticated, ..bench.head(&line, sender, 1) };
            bench.give(head, b"x");
        }
        bench.finish();
        let [hello, end] = &bench.facts[..] else { panic!("{:?}", bench.facts) };
        assert_eq!(hello.protocol, Some(protocol));
        assert!(matches!(hello.kind, FactKind::Hello(_)) && !hello.flow.has_spoken);
        assert_eq!((end.flow.tunnel, end.flow.protocol), (Some(tunnel), None));
    }
}
