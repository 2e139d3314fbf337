//! What the flow of an SSH session tells of the connections that it carries.

use super::*;
use crate::facts::Shape;
use crate::protocol::ssh::tests as ssh;

/// How the packets of a session come.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    Once,
    /// Each is seen again, later.
    Repeated,
    /// Each second one begins with bytes that were seen.
    Overlapping,
}

/// A session of ChaCha20-Poly1305 after its handshake that carries so many connections; its shape.
fn shape(connections: usize, arrival: Arrival) -> Option<Shape> {
    const C: Sender = Sender::Client;
    const S: Sender = Sender::Server;
    const HANDSHAKE: &[(Sender, usize)] = &[(C, 16), (C, 44), (S, 44), (C, 60), (S, 76), (C, 308), (S, 28)];
    const CONNECTION: &[(Sender, usize)] = &[(C, 92), (S, 44), (C, 556), (S, 1428), (C, 36), (S, 72), (C, 36)];
    let mut bench = Bench::new();
    let mut line = Line::tcp("10.0.0.1:40000", "192.0.2.1:22");
    bench.handshake(&mut line);
    for (sender, bytes) in &ssh::fixtures()[0].chunks {
        bench.segment(&mut line, *sender, TcpHeader::ACK, bytes);
    }
    let packets = std::iter::once(HANDSHAKE).chain(std::iter::repeat_n(CONNECTION, connections)).flatten();
    for (index, &(sender, size)) in packets.enumerate() {
        bench.pass(ms(20));
        let payload = vec![0xa5; size];
        match arrival {
            Arrival::Overlapping if index % 2 == 0 => {
                bench.segment_at(&line, sender, 0, &payload[..8]);
                bench.segment(&mut line, sender, TcpHeader::ACK, &payload);
            }
            _ => bench.segment(&mut line, sender, TcpHeader::ACK, &payload),
        }
        if matches!(arrival, Arrival::Repeated) {
            bench.pass(ms(5)).segment_at(&line, sender, -i32::try_from(size).unwrap(), &payload);
        }
    }
    bench.finish();
    bench.summary(0).shape
}

#[test]
fn three_connections_are_told_though_each_segment_is_repeated() {
    for arrival in [Arrival::Once, Arrival::Repeated] {
        assert_eq!(shape(2, arrival), None, "{arrival:?}");
        assert_eq!(shape(3, arrival), Some(Shape::Forwarding), "{arrival:?}");
    }
}

#[test]
fn segments_that_are_new_in_part_tell_nothing() {
    assert_eq!(shape(20, Arrival::Overlapping), None);
}
