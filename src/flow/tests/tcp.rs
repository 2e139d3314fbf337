//! TCP: who opened, what is lost and repeated, and when ports are used again.

use super::*;
use crate::facts::Direction;
use crate::protocol::tls::tests as tls;

const SYN: u8 = TcpHeader::SYN;
const SYN_ACK: u8 = TcpHeader::SYN | TcpHeader::ACK;
const ACK: u8 = TcpHeader::ACK;
const RST: u8 = TcpHeader::RST;
const FIN_ACK: u8 = TcpHeader::FIN | TcpHeader::ACK;

fn line() -> Line {
    Line::tcp("10.0.0.1:40000", "192.0.2.1:9")
}

fn opened() -> (Bench, Line) {
    let (mut bench, mut line) = (Bench::new(), line());
    bench.handshake(&mut line);
    (bench, line)
}

/// The client's payload, repeated and lost bytes.
fn client_bytes(bench: &mut Bench) -> (u64, u64, u64) {
    bench.finish();
    let client = &bench.summary(0).client;
    (client.payload_bytes, client.retransmitted_bytes, client.lost_bytes)
}

#[test]
fn the_side_that_sent_syn_is_the_client_even_where_only_the_answer_was_seen() {
    for first in [Sender::Client, Sender::Server] {
        let (mut bench, mut line) = (Bench::new(), Line::tcp("10.0.0.1:80", "192.0.2.1:40000"));
        bench.segment(&mut line, first, if first == Sender::Client { SYN } else { SYN_ACK }, b"");
        bench.finish();
        let flow = &bench.facts[0].flow;
        assert_eq!((flow.client, flow.server, flow.direction), (line.client, line.server, Direction::Handshake));
    }
}

#[test]
fn amid_a_flow_the_home_networks_decide_and_then_the_ports() {
    let home = Settings { home_networks: vec!["10.0.0.0/8".parse().unwrap()], ..Settings::default() };
    for (settings, source, target, client, how) in [
        (&home, "10.0.0.1:50000", "192.0.2.1:60000", "10.0.0.1:50000", Direction::HomeNetwork),
        (&home, "192.0.2.1:50000", "10.0.0.1:60000", "10.0.0.1:60000", Direction::HomeNetwork),
        (&home, "192.0.2.1:443", "10.0.0.1:60000", "10.0.0.1:60000", Direction::HomeNetwork),
        // A home server on a system port, called from outside.
        (&home, "192.0.2.1:50000", "10.0.0.1:443", "192.0.2.1:50000", Direction::Guess),
        (&home, "10.0.0.1:3389", "10.0.0.2:50000", "10.0.0.2:50000", Direction::Guess),
        (&Settings::default(), "10.0.0.1:3389", "192.0.2.1:50000", "192.0.2.1:50000", Direction::Guess),
        (&Settings::default(), "10.0.0.1:50000", "192.0.2.1:50000", "10.0.0.1:50000", Direction::Guess),
    ] {
        let mut bench = Bench::with(settings);
        bench.segment_at(&Line::tcp(source, target), Sender::Client, 0, b"amid");
        bench.finish();
        let flow = &bench.facts[0].flow;
        assert_eq!((flow.client, flow.direction), (end(client), how), "{source} {target}");
    }
}

#[test]
fn the_first_datagram_is_the_clients() {
    let mut bench = Bench::new();
    let line = Line::udp("192.0.2.1:9", "10.0.0.1:50000");
    bench.datagram(&line, Sender::Client, b"?");
    bench.datagram(&line, Sender::Server, b"!");
    bench.finish();
    let flow = &bench.facts[0].flow;
    assert_eq!((flow.client, flow.direction), (line.client, Direction::Guess));
}

#[test]
fn a_repeated_syn_is_the_same_connection_and_another_one_the_next() {
    let (mut bench, mut first) = (Bench::new(), line());
    let mut again = first.clone();
    bench.segment(&mut first, Sender::Client, SYN, b"");
    bench.pass(secs(1)).segment(&mut again, Sender::Client, SYN, b"");
    bench.pass(ms(1)).segment(&mut first, Sender::Server, SYN_ACK, b"");
    bench.segment(&mut first, Sender::Client, ACK, b"hello");
    let mut reused = Line { client_next: 77_000, ..line() };
    bench.pass(ms(1)).segment(&mut reused, Sender::Client, SYN, b"");
    bench.finish();
    assert_eq!(bench.ended(), [(ms(1002), 0, EndReason::Reused, 3, 1), (ms(1002), 4, EndReason::CaptureEnd, 1, 0)]);
}

#[test]
fn a_closed_connection_is_followed_by_a_new_one_and_keeps_its_reason() {
    let (mut bench, mut line) = opened();
    bench.segment(&mut line, Sender::Client, FIN_ACK, b"");
    bench.segment(&mut line, Sender::Server, FIN_ACK, b"");
    bench.segment(&mut line, Sender::Client, ACK, b"");
    bench.pass(ms(1)).handshake(&mut line);
    bench.finish();
    assert_eq!(bench.ended(), [(ms(1), 0, EndReason::Finished, 4, 2), (ms(1), 6, EndReason::CaptureEnd, 2, 1)]);
}

#[test]
fn a_syn_ack_that_overtook_its_syn_is_the_same_connection() {
    let (mut bench, mut line) = (Bench::new(), line());
    bench.segment(&mut line, Sender::Server, SYN_ACK, b"");
    bench.segment(&mut line, Sender::Client, SYN, b"");
    bench.segment(&mut line, Sender::Client, ACK, b"");
    bench.finish();
    assert_eq!(bench.ended(), [(secs(0), 0, EndReason::CaptureEnd, 2, 1)]);
}

#[test]
fn a_reset_far_from_the_stream_is_not_believed() {
    let (mut bench, mut line) = opened();
    let mut stray = Line { server_next: line.server_next.wrapping_add(1 << 30), ..line.clone() };
    bench.segment(&mut stray, Sender::Server, RST, b"");
    bench.segment(&mut line, Sender::Server, ACK, b"still here");
    bench.pass(secs(60)).finish();
    assert_eq!(bench.ended().last().unwrap().2, EndReason::CaptureEnd);
}

#[test]
fn bytes_are_counted_once_and_what_is_repeated_or_lost_apart() {
    let (mut bench, mut line) = opened();
    bench.segment(&mut line, Sender::Client, ACK, &[1; 100]);
    bench.segment_at(&line, Sender::Client, -100, &[1; 100]);
    bench.segment_at(&line, Sender::Client, -50, &[1; 80]);
    bench.segment_at(&line, Sender::Client, 130, &[1; 10]);
    assert_eq!(client_bytes(&mut bench), (140, 150, 100));
}

#[test]
fn what_comes_late_is_neither_lost_nor_repeated() {
    for heard_out in [false, true] {
        let (mut bench, line) = opened();
        if heard_out {
            // Nobody knows these bytes: from here on they are only counted.
            bench.segment_at(&line, Sender::Client, -2000, &[0xfe; 2000]);
            bench.segment_at(&line, Sender::Server, 0, &[0xfe; 1]);
        }
        bench.segment_at(&line, Sender::Client, 100, &[1; 100]);
        bench.segment_at(&line, Sender::Client, 0, &[1; 60]);
        bench.segment_at(&line, Sender::Client, 60, &[1; 40]);
        let (payload, _, lost) = client_bytes(&mut bench);
        assert_eq!((payload, lost), (200, 0), "{heard_out}");
    }
}

#[test]
fn keepalives_and_window_probes_are_no_retransmission() {
    let (mut bench, mut line) = opened();
    bench.segment(&mut line, Sender::Client, ACK, &[1; 100]);
    bench.segment_at(&line, Sender::Client, -1, b"");
    bench.segment_at(&line, Sender::Client, -1, &[0]);
    bench.segment(&mut line, Sender::Client, ACK, &[1; 1]);
    assert_eq!(client_bytes(&mut bench), (101, 0, 0));
}

#[test]
fn round_trips_ttl_and_segment_size_are_in_the_summary() {
    let (mut bench, mut line) = (Bench::new(), line());
    let mut head = bench.segment_head(&line, Sender::Client, SYN, 0);
    let tcp = head.tcp.as_mut().unwrap();
    tcp.options[..4].copy_from_slice(&[2, 4, 0x05, 0xb4]);
    tcp.options_len = 4;
    bench.give(head, b"");
    line.client_next += 1;
    bench.pass(ms(2)).segment(&mut line, Sender::Server, SYN_ACK, b"");
    bench.pass(ms(30)).segment(&mut line, Sender::Client, ACK, b"question");
    bench.pass(ms(5)).segment(&mut line, Sender::Server, ACK, b"flight");
    bench.pass(ms(90)).segment(&mut line, Sender::Client, ACK, b"answer");
    bench.finish();
    let summary = bench.summary(0);
    assert_eq!(summary.server_rtt, Some(ms(2)));
    assert_eq!(summary.client_rtt, Some(ms(30)));
    assert_eq!(summary.flight_rtt, Some(ms(90)));
    assert_eq!(summary.duration, ms(127));
    assert_eq!((summary.client.ttl, summary.client.mss), (Some(57), Some(1460)));
    assert_eq!(summary.client.syn_signature.unwrap().to_string(), "4:57+7:0:1460:mss*44,0:mss:df,id+:0");
    assert_eq!(summary.client.bytes, 3 * 40 + 14);
}

#[test]
fn who_only_watches_a_flow_hears_no_more_of_it_once_a_side_has_finished() {
    let mut bench = Bench::new();
    let mut line = Line::tcp("10.0.0.1:40000", "192.0.2.1:443");
    bench.handshake(&mut line);
    for (sender, bytes) in &tls::fixtures()[0].chunks[..2] {
        bench.segment(&mut line, *sender, TcpHeader::ACK, bytes);
    }
    let is_heard = |bench: &Bench| bench.table.flows.iter().any(|(_, flow)| flow.conversation.is_some());
    assert!(is_heard(&bench), "TLS may be carried in it");
    bench.segment(&mut line, Sender::Client, FIN_ACK, b"");
    assert!(!is_heard(&bench));
    bench.finish();
    assert_eq!(bench.summary(0).shape, None);
}
