//! Writes recordings under `pcaps/` that hold rules over days to their word, as if people had worked so.

use std::ops::Range;

use crate::event::tests::{fact, flow};
use crate::facts::{Access, AccessPhase, Channel, Credential, Fact, FactKind, FlowId, Minute};
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
    let mut flow = flow("10.10.3.10:20000", "10.10.3.20:1813", Transport::Udp);
    (flow.id, flow.started) = (FlowId(at), Timestamp::from_secs(at));
    let access = Access { outside: outside.parse().ok(), phase: AccessPhase::Open, ..Access::default() };
    let credential = Credential { user: Some(user.into()), access: Some(access), ..Credential::default() };
    let radius = Some(Protocol::new("radius"));
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

#[test]
#[ignore = "writes files under pcaps/"]
fn recordings_of_the_scenarios() {
    write_scenario("work-by-another-clock", days_of_work("dana", 6, 1..9));
    write_scenario("night-owl", days_of_work("dana", 6, 19..28));
    write_scenario("work-around-the-clock", days_of_work("dana", 6, 8..23));
}
