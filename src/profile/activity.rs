//! Events in, the minutes in which somebody was at work at a device or behind a tunnel out.
//!
//! At a device, a minute counts that shows two signs or more of a person: a name asked for that was not asked for lately,
//! a connection to a destination that is not called at regular times, input into a shell or a desktop elsewhere, input
//! from elsewhere. What the whole fleet asks for or begins at once is no sign, nor is what a machine does in its first
//! minute back on the network. Where only tunnels are seen, a minute counts in which many small groups of packets went
//! up one of them with a hand's pauses between.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::facts::{Channel, Fact, FactKind, FlowId, FlowRef, Minute, Sender};
use crate::identity;
use crate::identity::device::DeviceId;
use crate::identity::site::Site;
use crate::memory::{self, MemoryError};
use crate::net::{Text, Transport};
use crate::profile::co_activity::Worker;
use crate::profile::day::Day;
use crate::profile::destinations::{Audiences, Destination, Memory};
use crate::quantity;
use crate::recent::{Recent, Retention, Usage};
use crate::time::Timestamp;

/// What counts as work, and how much of it is remembered.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// When a day begins, after midnight UTC: a time of night where most of the work is done.
    #[serde(deserialize_with = "quantity::duration")]
    pub day_begins: Duration,
    /// So many days are remembered.
    pub days: usize,
    /// Groups of small packets in a minute that are input into a desktop or a shell.
    pub input_bursts_min: u32,
    /// Groups of small packets in a minute that are a person's work through a tunnel, above what machines do there.
    pub tunnel_bursts_min: u32,
    /// A destination that so many percent of the devices call within a day is no sign of a person.
    pub common_percent: u8,
    /// Devices and tunnels.
    pub workers: Retention,
    /// Destinations whose askers are counted.
    pub destinations: Retention,
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            day_begins: Duration::ZERO,
            days: 10,
            input_bursts_min: 3,
            tunnel_bursts_min: 12,
            common_percent: 25,
            workers: Retention { entries_max: 50_000, keep: 14 * day },
            destinations: Retention { entries_max: 20_000, keep: 7 * day },
        }
    }
}

/// Whose minutes they are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Whose {
    Device(DeviceId),
    /// One of the tunnels that a site holds open, numbered in the order in which they came.
    Tunnel {
        site: Site,
        transport: Transport,
        seat: u16,
    },
}

/// The minutes of everybody.
pub struct Activity {
    settings: Settings,
    workers: Recent<Whose, Tracked>,
    fleet: FleetSize,
    seats: Recent<(Site, Transport), Seats>,
    audiences: Audiences,
    /// The minute that is not over yet.
    minute: Timestamp,
    signs: Vec<Seen>,
    refused: u64,
}

/// One who works, or whose machine does.
#[derive(Deserialize, Serialize)]
struct Tracked {
    /// The number of the day, the earliest first.
    days: VecDeque<(u64, Day)>,
    memory: Memory,
    heard: Timestamp,
    reconnected: Timestamp,
    /// The flow that showed the latest sign. Most show none, and they are many.
    flow: Option<Box<FlowRef>>,
    /// Who was logged on at the device, and when that was asked last.
    account: Option<Text>,
    account_asked: Timestamp,
    /// Where a device was known to be when it last showed one: by the end of the day it may have left.
    site: Option<Site>,
}

/// How many devices there were when there were so many entries.
#[derive(Default)]
struct FleetSize {
    entries: usize,
    devices: usize,
}

/// A sign of a person, and to which destination it leads.
#[derive(Deserialize, Serialize)]
struct Seen {
    whose: Whose,
    sign: Sign,
    destination: Option<Destination>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Sign {
    Question = 1,
    Connection = 2,
    Input = 4,
    RemoteInput = 8,
    /// Enough by itself.
    Tunnel = 16,
}

/// The tunnels of one site.
#[derive(Default, Deserialize, Serialize)]
struct Seats(Vec<Seat>);

#[derive(Deserialize, Serialize)]
struct Seat {
    flow: FlowId,
    port: u16,
    heard: Timestamp,
    /// The flow may go on: it was seen since the sensor started. One of before has another number if it does.
    #[serde(skip)]
    is_followed: bool,
}

impl Activity {
    /// The most signs of a minute.
    const SIGNS_MAX: usize = 1 << 17;
    /// What more than this part of the fleet begins in one minute was begun by nobody in it.
    const PUSH_SHARE: f64 = 0.2;
    const PUSH_DEVICES_MIN: usize = 5;
    /// A machine that was silent for so long has come back…
    const SILENCE: Duration = Duration::from_secs(600);
    /// … and does much by itself for so long.
    const RECONNECTION: Duration = Duration::from_secs(60);
    /// Who is logged on at a device is asked so often.
    const ACCOUNT_INTERVAL: Duration = Duration::from_secs(3600);

    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            workers: Recent::new(settings.workers),
            fleet: FleetSize::default(),
            seats: Recent::new(settings.workers),
            audiences: Audiences::new(settings.destinations),
            minute: Timestamp::ZERO,
            signs: Vec::new(),
            refused: 0,
        }
    }

    /// Reads what [`Self::on_event`] will need for facts to come, so that it need not wait for each of them.
    pub fn fetch(&self, facts: &[&Fact], device_at: impl Fn(IpAddr) -> Option<DeviceId>) {
        let is_a_sign = |fact: &&&Fact| match &fact.kind {
            FactKind::Name(name) => !name.answered,
            FactKind::Hello(hello) => hello.sender == Sender::Client,
            _ => false,
        };
        let signs = facts.iter().filter(is_a_sign);
        self.workers.fetch(signs.filter_map(|fact| device_at(fact.flow.client.ip)).map(Whose::Device));
    }

    /// Takes an event in the order of packet time. Returns the day that is over with it.
    pub fn on_event(&mut self, event: &Event<'_>) -> Option<u64> {
        let ended = self.pass(event.at());
        let Some(fact) = event.fact() else { return ended };
        match &fact.kind {
            FactKind::Name(name) if !name.answered && event.protocol().is_some_and(|p| p.as_str() == "dns") => {
                let destination = name.question.as_ref().map(|name| Destination::of_name(name.as_str()));
                self.on_client(event, Sign::Question, destination);
            }
            FactKind::Hello(hello) if hello.sender == Sender::Client => {
                let named = hello.server_name.as_ref().map(|name| Destination::of_name(name.as_str()));
                let by_address = || event.address(Sender::Server).map(Destination::of_address);
                self.on_client(event, Sign::Connection, named.or_else(by_address));
            }
            FactKind::Minute(minute) => self.on_minute(event, minute),
            _ => {}
        }
        ended
    }

    pub fn expire(&mut self, now: Timestamp) {
        self.workers.expire(now);
        self.seats.expire(now);
        self.audiences.expire(now);
    }

    /// What outlives the process: the minutes of everybody, that which is not over among them, and what they are judged by.
    pub fn remember(&self, memory: &mut memory::Memory) {
        memory.put("activity.minute", &self.minute);
        memory.put("activity.signs", &self.signs);
        memory.put("activity.workers", &self.workers);
        memory.put("activity.seats", &self.seats);
        self.audiences.remember(memory);
    }

    pub fn recall(&mut self, memory: &memory::Memory) -> Result<(), MemoryError> {
        self.minute = memory.get("activity.minute")?.unwrap_or_default();
        self.signs = memory.get("activity.signs")?.unwrap_or_default();
        self.workers.restore(memory.get("activity.workers")?.unwrap_or_default());
        self.seats.restore(memory.get("activity.seats")?.unwrap_or_default());
        self.audiences.recall(memory)
    }

    /// How full the table of those who work is.
    pub fn usage(&self) -> Usage {
        self.workers.usage()
    }

    /// How many entries gave way to others because a table was full.
    pub fn evicted(&self) -> u64 {
        self.workers.evicted() + self.seats.evicted() + self.refused
    }

    /// How full the table of destinations is. Where it overflows, those called longest ago give way, as on any network of some
    /// hundred devices.
    pub fn destinations(&self) -> Usage {
        self.audiences.usage()
    }

    pub fn destinations_evicted(&self) -> u64 {
        self.audiences.evicted()
    }

    /// Everybody who is remembered, in order.
    pub fn everybody(&self) -> Vec<Whose> {
        let mut everybody: Vec<Whose> = self.workers.iter().map(|(whose, _)| *whose).collect();
        everybody.sort_unstable();
        everybody
    }

    /// The remembered days of one, up to `last`; none without any work in them.
    pub fn worker(&self, whose: Whose, last: u64) -> Option<Worker> {
        let tracked = self.workers.get(&whose)?;
        let first = (last + 1).saturating_sub(self.settings.days as u64);
        let day = |number| tracked.days.iter().find(|(day, _)| *day == number).map(|(_, day)| day.clone());
        let worker = Worker::new((first..=last).map(|number| day(number).unwrap_or_default()));
        (worker.minutes() > 0).then_some(worker)
    }

    /// The remembered days of one with any work, up to `last`.
    pub fn days(&self, whose: Whose, last: u64) -> impl Iterator<Item = &Day> {
        let first = (last + 1).saturating_sub(self.settings.days as u64);
        let days = self.workers.get(&whose).into_iter().flat_map(|tracked| &tracked.days);
        days.filter(move |(number, _)| (first..=last).contains(number)).map(|(_, day)| day)
    }

    /// Who was last seen to log on at a device while somebody worked there, as [`identity::account`] says it.
    pub fn account(&self, whose: Whose) -> Option<&Text> {
        self.workers.get(&whose)?.account.as_ref()
    }

    /// The flow that showed the latest sign of one.
    pub fn flow(&self, whose: Whose) -> Option<&FlowRef> {
        self.workers.get(&whose)?.flow.as_deref()
    }

    /// Where a device was when it showed its latest sign.
    pub fn site(&self, device: DeviceId) -> Option<Site> {
        self.workers.get(&Whose::Device(device))?.site
    }

    /// How many days are remembered.
    pub const fn day_count(&self) -> usize {
        self.settings.days
    }

    /// When the day of a number begins.
    pub fn beginning(&self, day: u64) -> Timestamp {
        Timestamp::from_secs(day * DAY_SECS) + self.settings.day_begins
    }

    /// Closes the minute that is over at `now`. What is told of it at its very end belongs to it still.
    fn pass(&mut self, now: Timestamp) -> Option<u64> {
        if now <= self.minute + Minute::LENGTH {
            return None;
        }
        let before = self.place(self.minute).0;
        self.close();
        let is_first = self.minute == Timestamp::ZERO;
        self.minute = Minute::start_of(now - Duration::from_nanos(1));
        (!is_first && self.place(self.minute).0 != before).then_some(before)
    }

    /// The number of the day of a moment, and which minute of it that is.
    fn place(&self, at: Timestamp) -> (u64, u16) {
        let secs = (at - self.settings.day_begins).as_secs();
        (secs / DAY_SECS, (secs % DAY_SECS / 60) as u16)
    }

    fn on_client(&mut self, event: &Event<'_>, sign: Sign, destination: Option<Destination>) {
        let device = event.is_home(Sender::Client).then(|| event.device(Sender::Client)).flatten();
        let (Some(device), Some(destination)) = (device, destination) else { return };
        let day = self.place(event.at()).0;
        self.audiences.add(destination, (device, self.fleet.devices), day, event.at());
        let tracked = self.track_device(device, Sender::Client, event);
        let is_new = match sign {
            Sign::Question => tracked.memory.is_new_question(destination, event.at()),
            _ => !tracked.memory.is_called_regularly(destination, event.at()),
        };
        if !is_new {
            return;
        }
        tracked.site = event.world().site_of(device).map(|(site, _)| site).or(tracked.site);
        if tracked.has_settled(event.at()) {
            tracked.show(event.flow());
            self.note(Seen { whose: Whose::Device(device), sign, destination: Some(destination) });
        }
    }

    fn on_minute(&mut self, event: &Event<'_>, minute: &Minute) {
        if minute.through == Channel::Tunnel {
            return self.on_tunnel(event, minute);
        }
        if minute.client_bursts < self.settings.input_bursts_min {
            return;
        }
        let sides = [(Sender::Client, Sign::Input), (Sender::Server, Sign::RemoteInput)];
        for (side, sign) in sides.into_iter().filter(|&(side, _)| event.is_home(side)) {
            let Some(device) = event.device(side) else { continue };
            let tracked = self.track_device(device, side, event);
            if tracked.has_settled(event.at()) {
                tracked.show(event.flow());
                self.note(Seen { whose: Whose::Device(device), sign, destination: None });
            }
        }
    }

    /// A minute of a tunnel from outside to a gateway.
    fn on_tunnel(&mut self, event: &Event<'_>, minute: &Minute) {
        let Some(site) = event.address(Sender::Client).filter(|_| event.is_to_vpn_gateway()).map(Site::of) else {
            return;
        };
        let flow = event.flow();
        let seats = self.seats.get_or_insert_with((site, flow.transport), event.at(), Seats::default);
        let Some(seat) = seats.of(flow, event.at()) else {
            self.refused += 1;
            return;
        };
        let is_settled = minute.start.since(flow.started) >= Self::RECONNECTION;
        if is_settled && minute.client_bursts >= self.settings.tunnel_bursts_min {
            let whose = Whose::Tunnel { site, transport: flow.transport, seat };
            self.track(whose, event).show(flow);
            self.note(Seen { whose, sign: Sign::Tunnel, destination: None });
        }
    }

    fn track_device(&mut self, device: DeviceId, side: Sender, event: &Event<'_>) -> &mut Tracked {
        let tracked = self.track(Whose::Device(device), event);
        if event.at().since(tracked.account_asked) >= Self::ACCOUNT_INTERVAL {
            tracked.account_asked = event.at();
            let user = event.address(side).and_then(|address| event.world().identity.user(address));
            tracked.account = user.and_then(identity::account).or(tracked.account.take());
        }
        tracked
    }

    fn track(&mut self, whose: Whose, event: &Event<'_>) -> &mut Tracked {
        let at = event.at();
        let tracked = self.workers.get_or_insert_with(whose, at, || Tracked::new(at));
        if at.since(tracked.heard) >= Self::SILENCE {
            tracked.reconnected = at;
        }
        tracked.heard = at;
        tracked
    }

    fn note(&mut self, seen: Seen) {
        if self.signs.len() == Self::SIGNS_MAX {
            self.refused += 1;
            return;
        }
        self.signs.push(seen);
    }

    /// How many of the entries are devices. It is counted anew where the entries became more or fewer.
    fn count_devices(&mut self) -> usize {
        if self.fleet.entries != self.workers.len() {
            let is_device = |(whose, _): &(&Whose, &Tracked)| matches!(whose, Whose::Device(_));
            let devices = self.workers.iter().filter(is_device).count();
            self.fleet = FleetSize { entries: self.workers.len(), devices };
        }
        self.fleet.devices
    }

    /// Judges the minute that is over.
    fn close(&mut self) {
        let (day, minute) = self.place(self.minute);
        let devices = self.count_devices();
        let common_share = f64::from(self.settings.common_percent) / 100.0;
        let mut begun_by: BTreeMap<Destination, Vec<Whose>> = BTreeMap::new();
        for seen in &self.signs {
            if let Some(destination) = seen.destination {
                begun_by.entry(destination).or_default().push(seen.whose);
            }
        }
        let mut is_of_nobody = |destination: Destination| {
            let begun_by = begun_by.get_mut(&destination).map_or(0, |begun_by| {
                begun_by.sort_unstable();
                begun_by.dedup();
                begun_by.len()
            });
            let is_pushed = begun_by >= Self::PUSH_DEVICES_MIN && begun_by as f64 > Self::PUSH_SHARE * devices as f64;
            is_pushed || self.audiences.is_common(destination, day, devices, common_share)
        };
        let mut signs: BTreeMap<Whose, u8> = BTreeMap::new();
        for seen in &self.signs {
            if !seen.destination.is_some_and(&mut is_of_nobody) {
                *signs.entry(seen.whose).or_default() |= seen.sign as u8;
            }
        }
        self.signs.clear();
        let is_work = |signs: u8| signs.count_ones() >= 2 || signs & Sign::Tunnel as u8 != 0;
        for (whose, _) in signs.into_iter().filter(|&(_, signs)| is_work(signs)) {
            if let Some(tracked) = self.workers.get_mut(&whose, self.minute) {
                tracked.mark(day, minute, self.settings.days);
            }
        }
    }
}

const DAY_SECS: u64 = 86_400;

impl Tracked {
    fn new(at: Timestamp) -> Self {
        Self {
            days: VecDeque::new(),
            memory: Memory::default(),
            heard: at,
            reconnected: at,
            flow: None,
            account: None,
            account_asked: Timestamp::ZERO,
            site: None,
        }
    }

    /// Whether what its machine does by itself when it comes back is over.
    fn has_settled(&self, at: Timestamp) -> bool {
        at.since(self.reconnected) >= Activity::RECONNECTION
    }

    fn show(&mut self, flow: &FlowRef) {
        match &mut self.flow {
            Some(shown) => **shown = *flow,
            None => self.flow = Some(Box::new(*flow)),
        }
    }

    fn mark(&mut self, day: u64, minute: u16, days_max: usize) {
        if self.days.back().is_none_or(|(last, _)| *last != day) {
            self.days.push_back((day, Day::new()));
            while self.days.len() > days_max.max(1) {
                self.days.pop_front();
            }
        }
        if let Some((_, day)) = self.days.back_mut() {
            day.mark(minute);
        }
    }
}

impl Seats {
    const SEATS_MAX: usize = 64;
    /// A tunnel that told nothing for so long has ended: idle ones are kept alive more often.
    const SILENCE: Duration = Duration::from_secs(180);

    /// The seat of a flow: its own, that of an earlier one with its port, a free one or a new one; none where all are
    /// taken.
    fn of(&mut self, flow: &FlowRef, at: Timestamp) -> Option<u16> {
        let (id, port) = (flow.id, flow.client.port);
        let is_free = |seat: &Seat| at.since(seat.heard) >= Self::SILENCE;
        let is_over = |seat: &Seat| is_free(seat) || !seat.is_followed;
        let by_flow = || self.0.iter().position(|seat| seat.flow == id);
        let by_port = || self.0.iter().position(|seat| seat.port == port && port != 0 && is_over(seat));
        let latest = || (0..).zip(&self.0).filter(|(_, seat)| is_free(seat)).max_by_key(|(_, seat)| seat.heard);
        let found = by_flow().or_else(by_port).or_else(|| latest().map(|(index, _)| index));
        let seat = Seat { flow: id, port, heard: at, is_followed: true };
        let index = match found {
            Some(index) => index,
            None if self.0.len() == Self::SEATS_MAX => return None,
            None => self.0.len(),
        };
        match self.0.get_mut(index) {
            Some(known) => *known = seat,
            None => self.0.push(seat),
        }
        u16::try_from(index).ok()
    }
}

impl Destination {
    fn of_address(address: IpAddr) -> Self {
        Self::of_name(&address.to_string())
    }
}

#[cfg(test)]
#[path = "activity_tests.rs"]
mod tests;
