//! What the flows that somebody drives something through say of each minute.

use super::*;
use crate::facts::Minute;
use crate::protocol::wireguard::tests as wireguard;

const ACK: u8 = TcpHeader::ACK;
const KEY: &[u8] = &[7; 36];
/// [`BEGIN`] lies so far within its minute.
const WITHIN: Duration = Duration::from_secs(BEGIN.as_secs() % 60);

/// A remote desktop that has been recognised.
fn desktop(bench: &mut Bench) -> Line {
    let mut line = Line::tcp("10.0.0.1:40000", "192.0.2.1:1494");
    bench.handshake(&mut line);
    bench.segment(&mut line, Sender::Server, ACK, b"\x7f\x7fICA\0");
    bench.segment(&mut line, Sender::Client, ACK, b"\x7f\x7fICA\0");
    line
}

/// The minutes told so far: when, in which flow, and what.
fn minutes(bench: &Bench) -> Vec<(Duration, u64, Minute)> {
    let shown = |fact: &Fact| match &fact.kind {
        FactKind::Minute(minute) => Some((fact.at.since(BEGIN), fact.seq, (**minute).clone())),
        _ => None,
    };
    bench.facts.iter().filter_map(shown).collect()
}

#[test]
fn a_minute_is_told_at_its_end_whenever_that_is_noticed() {
    for late in [ms(0), ms(1), secs(3), secs(3000)] {
        let mut bench = Bench::new();
        let mut line = desktop(&mut bench);
        bench.pass(secs(1)).segment(&mut line, Sender::Client, ACK, KEY);
        bench.segment(&mut line, Sender::Server, ACK, KEY);
        bench.now = BEGIN + (secs(60) - WITHIN) + late;
        bench.look();
        let [(at, 0, minute)] = &minutes(&bench)[..] else { panic!("{:?}", minutes(&bench)) };
        assert_eq!((*at, minute.start), (secs(60) - WITHIN, Minute::start_of(BEGIN)));
        // What was sent before the recognition is not in it.
        assert_eq!((minute.client_packets, minute.server_packets), (1, 1), "{late:?}");
        assert_eq!((minute.client_bytes, minute.server_bytes), (76, 76));
    }
}

#[test]
fn a_minute_without_payload_of_the_client_is_not_told() {
    let mut bench = Bench::new();
    let mut line = desktop(&mut bench);
    for _ in 0..10 {
        bench.pass(secs(30)).segment(&mut line, Sender::Server, ACK, KEY);
        bench.segment(&mut line, Sender::Client, ACK, b"");
    }
    bench.finish();
    assert_eq!(minutes(&bench), []);
}

#[test]
fn a_flow_that_nobody_drives_anything_through_tells_no_minute() {
    let mut bench = Bench::new();
    let mut line = Line::tcp("10.0.0.1:40000", "192.0.2.1:80");
    bench.handshake(&mut line);
    bench.segment(&mut line, Sender::Client, ACK, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    bench.segment(&mut line, Sender::Server, ACK, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for _ in 0..10 {
        bench.pass(secs(30)).segment(&mut line, Sender::Client, ACK, KEY);
    }
    bench.finish();
    assert_eq!(minutes(&bench), []);
}

#[test]
fn the_end_of_the_flow_tells_what_there_is_of_the_minute() {
    let mut bench = Bench::new();
    let mut line = desktop(&mut bench);
    bench.pass(secs(1)).segment(&mut line, Sender::Client, ACK, KEY);
    bench.finish();
    let [(at, 0, minute)] = &minutes(&bench)[..] else { panic!("{:?}", minutes(&bench)) };
    assert_eq!((*at, minute.client_packets), (secs(1), 1));
    assert!(matches!(bench.facts.last().unwrap().kind, FactKind::FlowEnded(_)));
}

/// The groups by hand and all groups that packets make, each so long after the one before.
fn groups(gaps: &[Duration]) -> (u32, u32) {
    let mut bench = Bench::new();
    let mut line = desktop(&mut bench);
    for &gap in gaps {
        bench.pass(gap).segment(&mut line, Sender::Client, ACK, KEY);
    }
    bench.finish();
    let minutes = minutes(&bench);
    let sum = |of: fn(&Minute) -> u32| minutes.iter().map(|(_, _, minute)| of(minute)).sum();
    (sum(|minute| minute.client_bursts), sum(|minute| minute.client_groups.count))
}

#[test]
fn a_hand_pauses_for_30_ms_to_10_s() {
    assert_eq!(groups(&[ms(0)]), (0, 1), "the first pause is not known");
    assert_eq!(groups(&[ms(0), ms(29)]), (0, 1));
    assert_eq!(groups(&[ms(0), ms(30)]), (1, 2));
    assert_eq!(groups(&[ms(0), secs(10)]), (1, 2));
    assert_eq!(groups(&[ms(0), ms(10_001)]), (0, 2));
    assert_eq!(groups(&[ms(0), secs(10), secs(10), secs(10)]), (3, 4), "across minutes, too");
}

#[test]
fn content_is_no_input() {
    let mut bench = Bench::new();
    let mut line = desktop(&mut bench);
    for len in [200, 201, 1400] {
        bench.pass(secs(1)).segment(&mut line, Sender::Client, ACK, &vec![7; len]);
    }
    bench.finish();
    let [(_, _, minute)] = &minutes(&bench)[..] else { panic!("{:?}", minutes(&bench)) };
    assert_eq!((minute.client_packets, minute.client_groups.count), (3, 1));
}

#[test]
fn the_beginnings_of_groups_add_up() {
    let mut bench = Bench::new();
    let mut line = desktop(&mut bench);
    bench.now = BEGIN + (secs(60) - WITHIN);
    for gap in [ms(0), secs(2), ms(10), secs(4)] {
        bench.pass(gap).segment(&mut line, Sender::Client, ACK, KEY);
    }
    bench.finish();
    let minutes = minutes(&bench);
    let groups = minutes[0].2.client_groups;
    assert_eq!((groups.count, groups.last.since(groups.first)), (3, ms(6010)));
    assert_eq!(groups.gap_squares_ms2, 2000 * 2000 + 4010 * 4010);
}

#[test]
fn a_desktop_tells_when_input_and_pictures_came_and_how_soon_the_client_answers() {
    let mut bench = Bench::new();
    let mut line = desktop(&mut bench);
    // The beginning of the next minute.
    bench.pass(secs(60) - WITHIN).segment(&mut line, Sender::Client, ACK, KEY);
    bench.pass(ms(400)).segment(&mut line, Sender::Server, ACK, &[7; 600]);
    bench.pass(ms(5)).segment(&mut line, Sender::Server, ACK, &[7; 600]);
    bench.pass(ms(155)).segment(&mut line, Sender::Client, ACK, KEY);
    bench.pass(ms(700)).segment(&mut line, Sender::Server, ACK, &[7; 999]);
    bench.pass(ms(5)).segment(&mut line, Sender::Client, ACK, KEY);
    bench.finish();
    let minutes = minutes(&bench);
    let rhythm = minutes.last().unwrap().2.rhythm.as_ref().unwrap();
    assert_eq!(rhythm.input.marked().collect::<Vec<_>>(), [0, 2, 5]);
    assert_eq!(rhythm.pictures.marked().collect::<Vec<_>>(), [1], "less than a kilobyte is none");
    let lags: Vec<_> = (0..).zip(&rhythm.lags).filter(|(_, count)| **count > 0).collect();
    assert_eq!(lags, [(0, &1), (16, &1)], "865 ms are beyond the last");
}

#[test]
fn the_least_round_trip_of_a_tunnels_handshakes_is_told_with_their_minute() {
    let (own, other) = ([0xa1; 4], [0xb1, 0xb2, 0xb3, 0xb4]);
    let mut bench = Bench::new();
    let line = Line::udp("198.51.100.7:40000", "192.0.2.1:51820");
    bench.datagram(&line, Sender::Client, &wireguard::initiation(own, 0x10));
    bench.datagram(&line, Sender::Server, &wireguard::response(own));
    bench.pass(ms(25)).datagram(&line, Sender::Client, &wireguard::data(other, 0, 0));
    for way in [80, 30, 45] {
        bench.pass(secs(1)).datagram(&line, Sender::Server, &wireguard::response(own));
        bench.pass(ms(way)).datagram(&line, Sender::Client, &wireguard::data(other, 0, 0));
    }
    bench.pass(secs(60)).datagram(&line, Sender::Client, &wireguard::data(other, 9, 0));
    bench.finish();
    let told: Vec<Option<Duration>> = minutes(&bench).iter().map(|(_, _, minute)| minute.client_rtt).collect();
    assert_eq!(told, [Some(ms(30)), None]);
}
