//! Writes recordings under `pcaps/` that hold rules over days to their word, as if people had worked so.

use std::ops::Range;
use std::time::Duration;

use crate::event::tests::{fact, flow, summary};
use crate::facts::{Access, AccessPhase, Channel, Credential, Fact, FactKind, FlowId, FlowSummary, Minute};
use crate::net::Transport;
use crate::protocol::Protocol;
use crate::recording::tests::write_scenario;
use crate::time::Timestamp;

/// 2026-11-23, a Monday, midnight UTC.
const MONDAY: u64 = 1_795_392_000;
const DAY: u64 = 86_400;
const HOUR: u64 = 3600;

/// The VPN gateway tells that an account came from a household.
fn session(user: &str, outside: &str, at: u64) -> Fact {
    told(user, Access { outside: outside.parse().ok(), phase: AccessPhase::Open, ..Access::default() }, at)
}

fn told(user: &str, access: Access, at: u64) -> Fact {
    let mut flow = flow("10.10.3.10:20000", "10.10.3.20:1813", Transport::Udp);
    (flow.id, flow.started) = (FlowId(at), Timestamp::from_secs(at));
    let credential = Credential { user: Some(user.into()), access: Some(access), ..Credential::default() };
    let radius = Some(Protocol::new(&"radius"));
    Fact { protocol: radius, ..fact(flow, at, FactKind::Credential(Box::new(credential))) }
}

/// The minutes of a tunnel through which somebody works in three minutes of four.
fn work(client: &str, at: Range<u64>) -> impl Iterator<Item = Fact> {
    let mut flow = flow(client, "192.0.2.10:51820", Transport::Udp);
    (flow.id, flow.started) = (FlowId(at.start), Timestamp::from_secs(at.start));
    let minutes = at.step_by(60).filter(|start| start / 60 % 4 > 0);
    minutes.map(move |start| {
        let start_at = Timestamp::from_secs(start);
        let minute = Minute { start: start_at, through: Channel::Tunnel, client_bursts: 40, ..Minute::default() };
        fact(flow, start + 60, FactKind::Minute(Box::new(minute)))
    })
}

/// An account at one household that works so many days at these hours UTC, each day a little later or earlier; and the
/// first minute of somebody else on the day after.
fn days_of_work(user: &str, days: u64, hours: Range<u64>) -> Vec<Fact> {
    let mut facts = Vec::new();
    for day in 0..days {
        let late = 600 * (day * 7 % 5);
        let (begin, end) =
            (MONDAY + day * DAY + hours.start * HOUR + late, MONDAY + day * DAY + hours.end * HOUR + late);
        facts.push(session(user, "198.51.100.7", begin));
        facts.extend(work("198.51.100.7:41000", begin + 60..end));
    }
    facts.extend(work("198.51.100.99:41000", MONDAY + (days + 1) * DAY..MONDAY + (days + 1) * DAY + 120));
    facts
}

/// Tunnels of one household, each told of in its first minutes and then hourly for so long.
fn tunnels(ports: impl Iterator<Item = u16>, begin: u64, hours: u64) -> impl Iterator<Item = Fact> {
    ports.flat_map(move |port| {
        let mut flow = flow(&format!("198.51.100.7:{port}"), "192.0.2.10:51820", Transport::Udp);
        let started = begin + u64::from(port % 60);
        (flow.id, flow.started) = (FlowId(started * 64 + u64::from(port % 64)), Timestamp::from_secs(started));
        let told = [60, 600].into_iter().chain((1..=hours).map(|hour| hour * HOUR));
        told.map(move |secs| fact(flow, started + secs, FactKind::Activity(summary(secs - 20))))
    })
}

/// Laptops of one household that the gateway lets in on two mornings, each with connections through the tunnel that take so
/// many milliseconds at least.
fn laptops(millis: [u64; 3]) -> Vec<Fact> {
    let mut facts = Vec::new();
    for day in 0..2 {
        for (host, (user, millis)) in (7_u8..).zip(["ann", "bob", "cho"].into_iter().zip(millis)) {
            let begin = MONDAY + day * DAY + 15 * HOUR + u64::from(host);
            let (outside, inside) = ("198.51.100.7".parse().ok(), format!("10.20.0.{host}"));
            let access = Access { outside, inside: inside.parse().ok(), phase: AccessPhase::Open, ..Access::default() };
            facts.push(told(user, access, begin));
            facts.extend((0..24).map(|number| {
                let started = begin + 60 + 300 * number;
                let mut flow = flow(&format!("{inside}:{}", 42_000 + number), "203.0.113.40:443", Transport::Tcp);
                (flow.id, flow.started) = (FlowId(started * 64 + u64::from(host)), Timestamp::from_secs(started));
                let client_rtt = Some(Duration::from_millis(millis + number * 7 % 40));
                fact(flow, started + 20, FactKind::FlowEnded(FlowSummary { client_rtt, ..summary(10) }))
            }));
        }
    }
    facts
}

#[test]
#[ignore = "writes files under pcaps/"]
fn recordings_of_the_scenarios() {
    write_scenario("work-by-another-clock", days_of_work("dana", 6, 1..9));
    write_scenario("night-owl", days_of_work("dana", 6, 19..28));
    write_scenario("work-around-the-clock", days_of_work("dana", 6, 8..23));
    write_scenario("laptops-never-off", tunnels(41_000..41_003, MONDAY + 15 * HOUR, 54).collect());
    write_scenario("laptops-apart", laptops([170, 214, 251]));
    write_scenario("laptops-together", laptops([170, 171, 174]));
    // One stays docked.
    let by_day = (0..3).flat_map(|day| tunnels(41_001..41_004, MONDAY + day * DAY + 14 * HOUR, 9));
    let docked = tunnels(41_000..41_001, MONDAY + 15 * HOUR, 54);
    write_scenario("laptops-by-day", docked.chain(by_day).collect());
}
