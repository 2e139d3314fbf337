use super::*;
use crate::event::tests::{fact, flow, world};
use crate::facts::{Credential, Fact, Hello, Name};
use crate::protocol::Protocol;
use crate::world::World;

/// A Monday at noon.
const NOON: u64 = 1_788_177_600;
const NETWORKS: &str = "networks:\n\
    - {name: lan, roles: [home], prefixes: [10.0.0.0/8]}\n\
    - {name: gateway, roles: [home, vpn_gateway], prefixes: [203.0.113.1/32]}\n";

struct Bench {
    activity: Activity,
    world: World,
}

impl Bench {
    fn new() -> Self {
        Self { activity: Activity::new(Settings::default()), world: world(NETWORKS) }
    }

    fn take(&mut self, fact: Fact) -> Option<u64> {
        self.world.observe(&fact);
        self.activity.on_event(&Event::of_fact(&fact, None, &self.world))
    }

    fn ask(&mut self, client: u8, name: &str, secs: u64) -> Option<u64> {
        self.ask_from(&format!("10.0.0.{client}:5000"), name, secs)
    }

    fn ask_from(&mut self, client: &str, name: &str, secs: u64) -> Option<u64> {
        let name = Name { question: Some(name.into()), ..Name::default() };
        let mut flow = flow(client, "10.9.9.9:53", Transport::Udp);
        flow.protocol = Some(Protocol::new(&"dns"));
        self.take(fact(flow, NOON + secs, FactKind::Name(Box::new(name))))
    }

    fn call(&mut self, client: u8, name: &str, secs: u64) {
        let mut hello = Hello::new(Sender::Client);
        hello.server_name = Some(name.into());
        let flow = flow(&format!("10.0.0.{client}:5000"), "192.0.2.7:443", Transport::Tcp);
        self.take(fact(flow, NOON + secs, FactKind::Hello(Box::new(hello))));
    }

    /// What a flow did in the minute that ends at `secs`.
    fn drive(&mut self, through: Channel, (client, server): (&str, &str), bursts: u32, secs: u64) {
        let start = Timestamp::from_secs(NOON + secs - 60);
        let minute = Minute { start, through, client_bursts: bursts, ..Minute::default() };
        let mut flow = flow(client, server, Transport::Tcp);
        flow.id = FlowId(u64::from(flow.client.port));
        self.take(fact(flow, NOON + secs, FactKind::Minute(Box::new(minute))));
    }

    /// The minutes after noon in which somebody worked.
    fn worked(&mut self, whose: Whose) -> Vec<u16> {
        self.ask(200, "the.end", 80_000);
        let day = NOON / DAY_SECS;
        self.activity.workers.get(&whose).map_or(Vec::new(), |tracked| {
            let of_day = tracked.days.iter().filter(|(number, _)| *number == day);
            of_day.flat_map(|(_, day)| day.minutes().map(|minute| minute - 720)).collect()
        })
    }

    fn worked_at(&mut self, client: u8) -> Vec<u16> {
        self.worked(Whose::Device(DeviceId::of_address(IpAddr::from([10, 0, 0, client]))))
    }
}

#[test]
fn a_new_name_and_a_connection_in_one_minute_are_work_and_one_of_them_is_not() {
    let mut bench = Bench::new();
    bench.ask(1, "first.example", 0);
    for (secs, asks, calls) in
        [(121, true, true), (181, true, false), (241, false, true), (359, true, false), (361, false, true)]
    {
        let name = format!("a{secs}.example");
        if asks {
            bench.ask(1, &name, secs);
        }
        if calls {
            bench.call(1, &name, secs);
        }
    }
    assert_eq!(bench.worked_at(1), [2]);
}

#[test]
fn a_name_asked_for_again_within_ten_minutes_is_no_second_sign() {
    let mut bench = Bench::new();
    bench.ask(1, "a.example", 0);
    for secs in [120, 719, 1319] {
        bench.ask(1, "other.example", secs - 100);
        bench.ask(1, "a.example", secs);
        bench.call(1, "b.example", secs);
    }
    assert_eq!(bench.worked_at(1), [21]);
}

#[test]
fn input_counts_at_both_ends_with_a_sign_beside_it() {
    let mut bench = Bench::new();
    bench.ask(1, "a.example", 0);
    bench.ask(2, "a.example", 0);
    let ends = ("10.0.0.1:4000", "10.0.0.2:3389");
    for (secs, bursts) in [(120, 3), (180, 2), (240, 3)] {
        bench.ask(1, &format!("one{secs}.example"), secs - 30);
        bench.call(2, &format!("two{secs}.example"), secs - 20);
        bench.drive(Channel::Desktop, ends, bursts, secs);
    }
    bench.drive(Channel::Desktop, ends, 50, 300);
    assert_eq!(bench.worked_at(1), [1, 3]);
    assert_eq!(bench.worked_at(2), [1, 3]);
}

#[test]
fn the_first_minute_back_on_the_network_is_no_work() {
    let mut bench = Bench::new();
    for begin in [0, 700] {
        for secs in [begin, begin + 59, begin + 61] {
            bench.ask(1, &format!("n{secs}.example"), secs);
            bench.call(1, &format!("c{secs}.example"), secs);
        }
    }
    assert_eq!(bench.worked_at(1), [1, 12]);
}

#[test]
fn what_a_fifth_of_the_fleet_begins_in_one_minute_was_begun_by_nobody() {
    for (devices, is_work) in [(4, true), (5, false)] {
        let mut bench = Bench::new();
        for client in 1..=20 {
            bench.ask(client, "first.example", 0);
        }
        for client in 1..=devices {
            bench.ask(client, "push.example", 121);
            bench.call(client, "push.example", 122);
        }
        assert_eq!(bench.worked_at(1), if is_work { vec![2] } else { vec![] }, "{devices} devices");
    }
}

#[test]
fn what_the_fleet_calls_is_no_sign_of_one() {
    let mut bench = Bench::new();
    for client in 1..=40 {
        bench.ask(client, "everybody.example", 60 * u64::from(client));
    }
    bench.ask(1, "everybody.example", 3000);
    bench.ask(1, "everybody.example", 3600);
    bench.call(1, "own.example", 3600);
    assert!(bench.worked_at(1).is_empty());
}

#[test]
fn in_a_large_fleet_what_a_sixth_of_it_calls_is_work_and_what_half_of_it_calls_is_not() {
    const DEVICES: u64 = 2000;
    let mut bench = Bench::new();
    let device = |number: u64| format!("10.1.{}.{}:5000", number / 200, number % 200 + 1);
    for number in 0..DEVICES {
        bench.ask_from(&device(number), "first.example", number / 100);
    }
    for (name, part, begin) in [("many.example", 6, 2000), ("half.example", 2, 4000)] {
        for number in 0..DEVICES / part {
            bench.ask_from(&device(number), name, begin + number);
        }
    }
    bench.ask(1, "first.example", 5900);
    for (name, secs) in [("many.example", 6001), ("half.example", 7201)] {
        bench.ask(1, "own.example", secs - 100);
        bench.ask(1, name, secs);
        bench.call(1, name, secs);
    }
    assert_eq!(bench.worked_at(1), [100]);
}

#[test]
fn a_tunnel_is_worked_through_from_its_least_number_of_groups_on() {
    let mut bench = Bench::new();
    let ends = ("198.51.100.7:4000", "203.0.113.1:443");
    for (secs, bursts) in [(120, 11), (180, 12), (240, 90)] {
        bench.drive(Channel::Tunnel, ends, bursts, secs);
    }
    bench.drive(Channel::Tunnel, ("198.51.100.7:4001", "203.0.113.1:443"), 50, 240);
    bench.drive(Channel::Tunnel, ("198.51.100.7:4002", "192.0.2.1:443"), 50, 240);
    let tunnel =
        |seat| Whose::Tunnel { site: Site::of(IpAddr::from([198, 51, 100, 7])), transport: Transport::Tcp, seat };
    assert_eq!(bench.worked(tunnel(0)), [2, 3]);
    assert_eq!(bench.worked(tunnel(1)), [3]);
    assert!(bench.worked(tunnel(2)).is_empty());
}

#[test]
fn a_tunnel_that_is_opened_anew_keeps_its_seat() {
    let mut seats = Seats::default();
    let at = |secs: u64| Timestamp::from_secs(1_000_000 + secs);
    let mut seat = |id, port, secs| {
        let mut flow = flow(&format!("198.51.100.7:{port}"), "203.0.113.1:443", Transport::Udp);
        flow.id = FlowId(id);
        seats.of(&flow, at(secs))
    };
    assert_eq!(
        [seat(1, 4000, 0), seat(2, 4001, 1), seat(1, 4000, 200), seat(2, 4001, 201)],
        [Some(0), Some(1), Some(0), Some(1)]
    );
    assert_eq!(seat(3, 4002, 202), Some(2), "both are in use");
    assert_eq!([seat(1, 4000, 380), seat(4, 4001, 382)], [Some(0), Some(1)], "by its port");
    assert_eq!(seat(5, 4009, 400), Some(2), "the free one");
    for id in 6..200 {
        seat(id, 5000 + id, 401);
    }
    assert_eq!(seat(999, 9999, 402), None);
}

#[test]
fn a_day_is_over_with_the_first_event_of_the_next_and_so_many_are_kept() {
    let mut bench = Bench::new();
    let whose = Whose::Device(DeviceId::of_address(IpAddr::from([10, 0, 0, 1])));
    let mut ended = Vec::new();
    for day in 0..15 {
        for secs in [0, 90, 121] {
            let secs = day * DAY_SECS + secs;
            ended.extend(bench.ask(1, &format!("n{secs}.example"), secs));
            bench.call(1, &format!("c{secs}.example"), secs);
        }
    }
    let today = NOON / DAY_SECS;
    assert_eq!(ended, (today..today + 14).collect::<Vec<_>>());
    assert_eq!(bench.activity.workers.get(&whose).unwrap().days.len(), Settings::default().days);
    let worker = bench.activity.worker(whose, today + 13).unwrap();
    assert_eq!((worker.days_active(), worker.minutes()), (9, 18));
    assert!(bench.activity.worker(whose, today + 2).is_none());
}

#[test]
fn a_device_takes_little_memory() {
    let days = Settings::default().days * size_of::<(u64, Day)>();
    assert!(size_of::<Tracked>() + days + Memory::BYTES_MAX <= 3 * 1024, "{}", size_of::<Tracked>());
}

#[test]
fn whoever_logs_on_at_a_device_is_asked_for_once_an_hour() {
    let mut bench = Bench::new();
    let log_on = |bench: &mut Bench, user: &str, secs: u64| {
        let outcome = Some(crate::facts::Outcome::Success);
        let credential = Credential { user: Some(user.into()), outcome, ..Credential::default() };
        let flow = flow("10.0.0.1:5000", "10.9.9.9:389", Transport::Tcp);
        bench.take(fact(flow, NOON + secs, FactKind::Credential(Box::new(credential))));
    };
    let account = |bench: &Bench| {
        let device = Whose::Device(DeviceId::of_address(IpAddr::from([10, 0, 0, 1])));
        bench.activity.account(device).map(ToString::to_string)
    };
    log_on(&mut bench, "CORP\\Ann", 0);
    bench.ask(1, "a.example", 1);
    assert_eq!(account(&bench).as_deref(), Some("ann"));
    log_on(&mut bench, "bob", 2);
    bench.ask(1, "b.example", 3600);
    assert_eq!(account(&bench).as_deref(), Some("ann"));
    bench.ask(1, "c.example", 3601);
    assert_eq!(account(&bench).as_deref(), Some("bob"));
}
