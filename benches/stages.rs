//! What a packet costs in each stage, on one capture made here: 500 TLS-like connections, interleaved, 400 refused SYNs
//! and 300 datagrams with answers. `cargo bench`; the time is for the whole capture, the throughput in packets.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use spanwatch::capture::{Frame, LinkType};
use spanwatch::decode::{self, Decoder, Head, Packet};
use spanwatch::flow::{self, FlowTable};
use spanwatch::shard::{self, Shard};
use spanwatch::time::Timestamp;

fn stages(criterion: &mut Criterion) {
    let capture = Capture::make();
    let packets = capture.packets();
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(capture.frames.len() as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter_batched_ref(
            || Decoder::new(decode::Limits::default()),
            |decoder| {
                for frame in capture.frames() {
                    let _packet = black_box(decoder.decode(frame));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("flow", |bencher| {
        bencher.iter_batched_ref(
            || (FlowTable::new(&flow::Settings::default()), Vec::new()),
            |(table, facts)| {
                for (head, payload) in &packets {
                    table.on_packet(Packet { head, payload }, facts);
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("shard", |bencher| {
        bencher.iter_batched_ref(
            || (Shard::new(&shard::Settings::default()), Vec::new()),
            |(shard, facts)| capture.frames().for_each(|frame| shard.on_frame(frame, facts)),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);

/// Ethernet frames a microsecond apart.
struct Capture {
    frames: Vec<Vec<u8>>,
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;
const RST: u8 = 0x04;

impl Capture {
    fn make() -> Self {
        let mut lanes: Vec<std::vec::IntoIter<Vec<u8>>> = Vec::new();
        lanes.extend((0..500).map(|index| connection(index).into_iter()));
        lanes.extend((500..900).map(|index| refusal(index).into_iter()));
        lanes.extend((900..1200).map(|index| exchange(index).into_iter()));
        let mut frames = Vec::new();
        while !lanes.is_empty() {
            lanes.retain_mut(|lane| match lane.next() {
                Some(frame) => {
                    frames.push(frame);
                    true
                }
                None => false,
            });
        }
        Self { frames }
    }

    fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        self.frames.iter().zip(0_u64..).map(|(bytes, seq)| Frame {
            at: Timestamp::from_nanos(1_750_000_000_000_000_000 + seq * 1000),
            seq,
            link: LinkType::Ethernet,
            wire_len: u32::try_from(bytes.len()).expect("frames are short"),
            bytes,
        })
    }

    fn packets(&self) -> Vec<(Head, Vec<u8>)> {
        let mut decoder = Decoder::new(decode::Limits::default());
        let packet = |frame| decoder.decode(frame).map(|packet| (*packet.head, packet.payload.to_vec()));
        self.frames().map(packet).map(|packet| packet.expect("the capture is well formed")).collect()
    }
}

/// Handshake, hellos, 24 records of the server with an acknowledgment for every other, and the end.
fn connection(index: u32) -> Vec<Vec<u8>> {
    let hello = [&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[0x5a; 194]].concat();
    let record = [&[0x17, 3, 3, 5, 0xa3][..], &[0xa5; 1443]].concat();
    let mut end = Ends::new(index, 443);
    let mut frames = vec![end.tcp(true, SYN, b""), end.tcp(false, SYN | ACK, b""), end.tcp(true, ACK, b"")];
    frames.push(end.tcp(true, ACK, &hello));
    for count in 0..24 {
        frames.push(end.tcp(false, ACK, &record));
        if count % 2 == 1 {
            frames.push(end.tcp(true, ACK, b""));
        }
    }
    frames.extend([end.tcp(true, FIN | ACK, b""), end.tcp(false, FIN | ACK, b""), end.tcp(true, ACK, b"")]);
    frames
}

fn refusal(index: u32) -> Vec<Vec<u8>> {
    let mut end = Ends::new(index, 22);
    vec![end.tcp(true, SYN, b""), end.tcp(false, RST | ACK, b"")]
}

fn exchange(index: u32) -> Vec<Vec<u8>> {
    let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04host\x07example\x00\x00\x01\x00\x01";
    let mut end = Ends::new(index, 53);
    vec![end.udp(true, question), end.udp(false, question)]
}

struct Ends {
    client: [u8; 4],
    client_port: u16,
    server_port: u16,
    next: [u32; 2],
    id: u16,
}

impl Ends {
    fn new(index: u32, server_port: u16) -> Self {
        let [_, _, high, low] = index.to_be_bytes();
        Self { client: [10, 0, high, low], client_port: 40_000, server_port, next: [1, 1], id: 0 }
    }

    fn tcp(&mut self, by_client: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (own, other) = if by_client { (0, 1) } else { (1, 0) };
        let (sequence, acknowledgment) = (self.next[own], self.next[other]);
        let numbers = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.next[own] = sequence.wrapping_add(numbers);
        let options: &[u8] = if flags & SYN == 0 { &[] } else { &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2] };
        let mut segment = Vec::new();
        segment.extend(sequence.to_be_bytes());
        segment.extend(acknowledgment.to_be_bytes());
        segment.extend([((20 + options.len() as u8) / 4) << 4, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        segment.extend(options);
        segment.extend(payload);
        self.frame(by_client, 6, &segment)
    }

    fn udp(&mut self, by_client: bool, payload: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::new();
        datagram.extend((payload.len() as u16 + 8).to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend(payload);
        self.frame(by_client, 17, &datagram)
    }

    /// `body` is what follows the ports.
    fn frame(&mut self, by_client: bool, protocol: u8, body: &[u8]) -> Vec<u8> {
        self.id += 1;
        let (client, server) = (self.client, [192, 0, 2, 1]);
        let (source, target) = if by_client { (client, server) } else { (server, client) };
        let ports = if by_client { [self.client_port, self.server_port] } else { [self.server_port, self.client_port] };
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
        frame.extend((24 + body.len() as u16).to_be_bytes());
        frame.extend(self.id.to_be_bytes());
        frame.extend([0x40, 0, 64, protocol, 0, 0]);
        frame.extend(source);
        frame.extend(target);
        frame.extend(ports.into_iter().flat_map(u16::to_be_bytes));
        frame.extend(body);
        frame
    }
}
