//! A person and a day in, what they and their machines do in it out.

use std::collections::BTreeMap;

use super::action::{Action, Name, Origin, What};
use super::company::{Company, Farm, Habit, Person, stream};
use super::course::Activity;
use super::message::radius::Status;
use super::plan;
use super::random::Random;
use super::rhythm::{Day, MINUTES_MAX};
use super::scenario::{FarmKind, Situation};

pub const SECOND: u64 = 1_000_000_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const DAY_MINUTES: usize = 24 * 60;

/// A laptop that is at work does so without a hand, too: so often in a minute.
const UNATTENDED: f64 = 0.03;
/// So often a minute of work shows nothing new.
const UNSEEN: f64 = 0.25;
/// The share of pages that are everybody's, and of those that are many people's; the others are the person's own.
const OF_ALL: f64 = 0.2;
const OF_MANY: f64 = 0.25;
const OWN_SITES: usize = 80;
/// A name is not asked for again within so many minutes.
const NAME_KEPT_MINUTES: usize = 10;

/// Everything that happens on a day, in the order of time.
pub fn day(company: &Company, day: usize) -> Vec<Action> {
    let meetings = meetings(company, day);
    let farms: Vec<Vec<Day>> = (0..company.farms.len()).map(|farm| driven(company, farm, day)).collect();
    let mut actions = Vec::new();
    for number in 0..company.people.len() {
        let person = &company.people[number];
        let is_working = day >= person.since && works_on(company, person, day);
        let minutes = match person.habit {
            _ if day < person.since => None,
            Habit::Farm(farm) => {
                let place = company.farms[farm].people.iter().position(|&member| member == number);
                place.map(|place| farms[farm][place].clone())
            }
            _ if is_working => {
                let mut random = company.random_of(stream::DAY, [number as u64, day as u64]);
                Some(person.rhythm.day(&meetings, &mut random))
            }
            _ => None,
        };
        if let Some(minutes) = minutes {
            Shift::new(company, number, day, minutes).work(&mut actions);
        }
    }
    help_desk(company, day, &mut actions);
    let end = company.days as u64 * DAY_MINUTES as u64 * MINUTE;
    actions.retain(|action| action.after < end);
    actions.sort_by_key(|action| action.after);
    actions
}

/// Two meetings that most of the company has, in minutes of the day.
fn meetings(company: &Company, day: usize) -> Vec<(usize, usize)> {
    let mut random = company.random_of(stream::CLIMATE, [u64::MAX, day as u64]);
    let meeting = |random: &mut Random| {
        let from = 570 + random.below(380) as usize;
        (from, from + 30 + random.below(30) as usize)
    };
    vec![meeting(&mut random), meeting(&mut random)]
}

const fn is_weekend(day: usize) -> bool {
    day % 7 >= 5
}

fn works_on(company: &Company, person: &Person, day: usize) -> bool {
    match person.habit {
        Habit::Farm(_) => true,
        _ if is_weekend(day) => false,
        // Holidays and illness.
        _ => !company.random_of(stream::DAY, [person.pool.to_bits().into(), 1 << 32 | day as u64]).chance(0.06),
    }
}

/// The days of all laptops of a farm, as their operators divide them.
fn driven(company: &Company, number: usize, day: usize) -> Vec<Day> {
    let farm = &company.farms[number];
    let mut days = Vec::new();
    let share = farm.people.len().div_ceil(farm.operators.len());
    for (operator, people) in farm.operators.iter().zip(farm.people.chunks(share)) {
        let mut random = company.random_of(stream::OPERATOR, [number as u64, (day * 64 + days.len()) as u64]);
        let mut own = operator.day(people.len(), &mut random);
        if is_weekend(day) && !farm.works_weekends {
            own.iter_mut().for_each(|day| day.active.fill(false));
        }
        days.append(&mut own);
    }
    match farm.kind {
        FarmKind::InTurns => {
            take_turns(&mut days, &mut company.random_of(stream::OPERATOR, [number as u64, (day * 64 + 63) as u64]));
        }
        FarmKind::Staggered => stagger(&mut days),
        _ => {}
    }
    days
}

/// Each laptop gets one part of the operator's day, in another order every day, and is driven in all of its minutes of work.
fn take_turns(days: &mut [Day], random: &mut Random) {
    let Some(Day { begin, end, .. }) = days.first().cloned() else { return };
    let is_active: Vec<bool> =
        (0..days[0].active.len()).map(|minute| days.iter().any(|day| day.active[minute])).collect();
    let mut order: Vec<usize> = (0..days.len()).collect();
    random.shuffle(&mut order);
    for (turn, laptop) in order.into_iter().enumerate() {
        let place = |turn: usize| begin + (end - begin) * turn / days.len();
        let (from, until) = (place(turn), place(turn + 1));
        let day = &mut days[laptop];
        (day.begin, day.end) = (from, until);
        day.active = (0..is_active.len()).map(|minute| (from..until).contains(&minute) && is_active[minute]).collect();
    }
}

/// Each laptop gets hours of its own, half of the day each, one after the other; what falls outside is not done.
fn stagger(days: &mut [Day]) {
    let count = days.len();
    for (number, day) in days.iter_mut().enumerate() {
        let (begin, length) = (day.begin, day.end - day.begin);
        let own = length / 2;
        day.begin = begin + (length - own) * number / count.saturating_sub(1).max(1);
        day.end = day.begin + own;
        day.active[..day.begin].fill(false);
        day.active[day.end..].fill(false);
    }
}

/// One person's day.
struct Shift<'c> {
    company: &'c Company,
    person: &'c Person,
    number: usize,
    day: usize,
    minutes: Day,
    random: Random,
    farm: Option<&'c Farm>,
}

impl<'c> Shift<'c> {
    fn new(company: &'c Company, number: usize, day: usize, minutes: Day) -> Self {
        let person = &company.people[number];
        let random = company.random_of(stream::WORK, [number as u64, day as u64]);
        let farm = match person.habit {
            Habit::Farm(farm) => company.farms.get(farm),
            _ => None,
        };
        Self { company, person, number, day, minutes, random, farm }
    }

    fn work(mut self, actions: &mut Vec<Action>) {
        let origin = self.origin();
        match origin {
            Origin::Vpn(place) => self.connect(place, actions),
            _ => {
                let arrival = self.minutes.begin.saturating_sub(2);
                self.push(arrival, What::Lease, actions);
            }
        }
        self.browse(origin, actions);
        self.use_phone(origin, actions);
        match (self.farm, self.person.habit) {
            (Some(farm), _) => self.be_driven(farm, origin, actions),
            (None, Habit::Situated(situation)) => self.be_in(situation, origin, actions),
            _ => {}
        }
    }

    /// Where the person works today.
    fn origin(&mut self) -> Origin {
        let elsewhere = self.person.elsewhere.unwrap_or(self.person.home);
        match self.person.habit {
            Habit::Office | Habit::Situated(Situation::HelpDesk) => Origin::Office,
            Habit::Hybrid if (self.number + self.day) % 5 < 3 => Origin::Office,
            Habit::Situated(Situation::Travel) if self.is_away() => Origin::Vpn(elsewhere),
            // The room is not for every day, and the telephone stands in for the line.
            Habit::Situated(Situation::Coworking) if self.random.chance(0.3) => Origin::Vpn(elsewhere),
            Habit::Situated(Situation::CarrierNat) if self.random.chance(0.3) => Origin::Vpn(elsewhere),
            Habit::Situated(Situation::CarrierNat) => Origin::Vpn(self.next_door()),
            _ => Origin::Vpn(self.person.home),
        }
    }

    /// Two to four days somewhere else.
    fn is_away(&self) -> bool {
        let mut random = self.company.random_of(stream::CLIMATE, [self.number as u64, 1]);
        let from = random.below(self.company.days as u64) as usize;
        (from..from + 2 + random.below(3) as usize).contains(&self.day)
    }

    /// A carrier puts its customers behind another of its addresses every day.
    fn next_door(&self) -> usize {
        let line = self.company.places[self.person.home].line;
        let of_carrier: Vec<usize> =
            (0..self.company.places.len()).filter(|&place| self.company.places[place].line == line).collect();
        let mut random = self.company.random_of(stream::PLACE, [u64::MAX - self.number as u64, self.day as u64]);
        *random.pick(&of_carrier)
    }

    /// Logs on, opens the tunnel, and does so again when the line was cut.
    fn connect(&mut self, place: usize, actions: &mut Vec<Action>) {
        let (mut from, end) = self.connected();
        let cuts = self.cuts(place, from, end);
        for (cut, back) in cuts.into_iter().chain([(end, end)]) {
            self.session(place, from, cut, actions);
            from = back + usize::from(self.random.chance(0.3));
        }
    }

    /// The minutes from logging on to logging off. A machine that is left running logs on anew once a day.
    fn connected(&mut self) -> (usize, usize) {
        let is_first_day = self.day == self.person.since;
        if self.farm.is_some_and(Farm::is_always_on) {
            let renewal = |day: usize| {
                let mut random = self.company.random_of(stream::CLIMATE, [self.number as u64, 2]);
                let mut today = self.company.random_of(stream::CLIMATE, [self.number as u64, 3 + day as u64]);
                random.below(DAY_MINUTES as u64) as usize + today.below(4) as usize
            };
            let arrival = 540 + self.random.below(240) as usize;
            let from = if is_first_day { arrival } else { renewal(self.day) };
            return (from, DAY_MINUTES + renewal(self.day + 1));
        }
        let lead = 2 + self.random.below(6) as usize;
        let from = self.minutes.begin.saturating_sub(lead);
        (from, (self.minutes.end + 1 + self.random.below(20) as usize).min(MINUTES_MAX))
    }

    /// When the line is dead: for everybody in a house at the same time.
    fn cuts(&self, place: usize, from: usize, end: usize) -> Vec<(usize, usize)> {
        let address = self.company.places[place].address.to_bits();
        let mut random = self.company.random_of(stream::OUTAGE, [address.into(), self.day as u64]);
        if !random.chance(if self.farm.is_some() { 0.2 } else { 0.08 }) {
            return Vec::new();
        }
        let cut = random.below(DAY_MINUTES as u64) as usize;
        let back = cut + 3 + random.below(15) as usize;
        if from + 5 < cut && back + 5 < end { vec![(cut, back)] } else { Vec::new() }
    }

    fn session(&mut self, place: usize, from: usize, end: usize, actions: &mut Vec<Action>) {
        let end = end.min(self.company.days * DAY_MINUTES - self.day * DAY_MINUTES);
        if end <= from + 1 {
            return;
        }
        let minutes = self.activity(from + 1, end);
        let session = self.random.bits();
        let begin = self.moment(from);
        let outside = Origin::Outside(place);
        let page = What::Page { from: outside, name: Name::Word(plan::PORTAL_NAME), kilobytes: 20 };
        self.push_at(begin.saturating_sub(3 * SECOND), page, actions);
        self.push_at(begin, What::Tunnel { place, minutes }, actions);
        let at = begin + SECOND / 3;
        self.push_at(at, What::Account { from: Origin::Vpn(place), status: Status::Start, session }, actions);
        // What is still open at the end of the simulation does not end.
        if self.day * DAY_MINUTES + end < self.company.days * DAY_MINUTES {
            let over = self.start_of(end) + self.random.below(SECOND);
            self.push_at(over, What::Account { from: Origin::Vpn(place), status: Status::Stop, session }, actions);
        }
    }

    fn activity(&self, from: usize, end: usize) -> Box<[Activity]> {
        let is_active = |minute: usize| self.minutes.active.get(minute).copied().unwrap_or(false);
        (from..end).map(|minute| if is_active(minute) { Activity::Active } else { Activity::Idle }).collect()
    }

    /// New names and pages in the minutes in which a hand moves, and a few in others.
    fn browse(&mut self, origin: Origin, actions: &mut Vec<Action>) {
        let mut asked: BTreeMap<Name, usize> = BTreeMap::new();
        let is_shared_minute = |minute: usize| {
            self.company
                .random_of(stream::CLIMATE, [u64::MAX - 1, (self.day * DAY_MINUTES + minute) as u64])
                .chance(0.005)
        };
        let shared: Vec<bool> = (0..MINUTES_MAX).map(is_shared_minute).collect();
        let begin = if self.farm.is_some_and(Farm::is_always_on) && self.day > self.person.since {
            0
        } else {
            self.minutes.begin
        };
        let end = if self.farm.is_some_and(Farm::is_always_on) { DAY_MINUTES } else { self.minutes.end };
        for (minute, is_shared) in (begin..end).zip(shared.into_iter().skip(begin)) {
            let name = match (self.minutes.active.get(minute), is_shared) {
                (Some(true), _) if !self.random.chance(UNSEEN) => self.favourite(),
                (_, true) => Name::Word("push.mdm.example"),
                _ if self.random.chance(UNATTENDED) => self.favourite(),
                _ => continue,
            };
            let moment = self.moment(minute);
            let is_new = asked.get(&name).is_none_or(|&last| minute >= last + NAME_KEPT_MINUTES);
            if is_new {
                asked.insert(name, minute);
                self.push_at(moment, What::Lookup { from: origin, name }, actions);
            }
            let kilobytes = (self.random.lognormal(9.0, 0.8) as u16).min(200);
            self.push_at(moment + SECOND / 20, What::Page { from: origin, name, kilobytes }, actions);
        }
    }

    /// A place in the web: one that everybody goes to, one that many do, or one of the person's own.
    fn favourite(&mut self) -> Name {
        let (kind, share) = (self.random.unit(), self.random.unit());
        let among = |first: usize, end: usize, share: f64| first + (share * (end - first) as f64) as usize;
        let number = match kind {
            kind if kind < OF_ALL => among(0, plan::SITES_OF_ALL, share * share),
            kind if kind < OF_ALL + OF_MANY => among(plan::SITES_OF_ALL, plan::SITES_OF_MANY, share * share),
            _ => {
                let own = among(0, OWN_SITES, share * share);
                let unit = self.company.random_of(stream::WEB, [self.number as u64, own as u64]).unit();
                among(plan::SITES_OF_MANY, plan::SITES, unit)
            }
        };
        Name::Site(number as u16)
    }

    /// The telephone fetches mail: over the line at home, or over the carrier's.
    fn use_phone(&mut self, origin: Origin, actions: &mut Vec<Action>) {
        let (Some(_), Origin::Vpn(place)) = (&self.person.phone, origin) else { return };
        for _ in 0..2 + self.random.below(5) {
            let minute = 420 + self.random.below(960) as usize;
            let page = What::Page { from: Origin::Phone(place), name: Name::Word(plan::MAIL_NAME), kilobytes: 12 };
            self.push(minute, page, actions);
        }
    }

    fn be_driven(&mut self, farm: &Farm, origin: Origin, actions: &mut Vec<Action>) {
        let end = self.company.days * DAY_MINUTES - self.day * DAY_MINUTES;
        let (from, until) = self.connected();
        let until = until.min(end);
        for &product in &farm.products {
            let minutes = self.activity(from + 2, until);
            if !minutes.is_empty() {
                let name = Name::Word(plan::REMOTE_PRODUCTS[product].1);
                self.push(from + 1, What::Lookup { from: origin, name }, actions);
                self.push(from + 1, What::Driven { from: origin, product: Some(product), minutes }, actions);
            }
        }
        if farm.has_vpn && self.random.chance(0.4) {
            let minute = self.minutes.begin + self.random.below(60) as usize;
            for name in [Name::Word("api.astrill.com"), Name::Word("www.astrillvpn.com")] {
                self.push(minute, What::Lookup { from: origin, name }, actions);
                self.push(minute, What::Page { from: origin, name, kilobytes: 8 }, actions);
            }
        }
        if farm.takes_away == Some((self.number, self.day)) {
            let minutes = vec![Activity::Active; 60].into_boxed_slice();
            self.push(self.minutes.begin + 90, What::Upload { from: origin, minutes }, actions);
        }
        if !farm.exits.is_empty() {
            self.be_taken_over(farm, actions);
        }
    }

    /// The operator goes on with a session from elsewhere, at the portal, whenever a hand moves.
    fn be_taken_over(&mut self, farm: &Farm, actions: &mut Vec<Action>) {
        let exit = Origin::Operator(*self.random.pick(&farm.exits));
        let active: Vec<usize> = (0..DAY_MINUTES).filter(|&minute| self.minutes.active[minute]).collect();
        let Some((&first, &last)) = active.first().zip(active.last()) else { return };
        let session = self.random.bits();
        let begin = self.moment(first);
        self.push_at(begin + SECOND, What::Account { from: exit, status: Status::Start, session }, actions);
        for minute in active {
            if self.random.chance(0.5) {
                let page = What::Page { from: exit, name: Name::Word(plan::PORTAL_NAME), kilobytes: 30 };
                self.push(minute, page, actions);
            }
        }
        let over = self.moment(last + 5);
        self.push_at(over, What::Account { from: exit, status: Status::Stop, session }, actions);
    }

    fn be_in(&mut self, situation: Situation, origin: Origin, actions: &mut Vec<Action>) {
        match situation {
            Situation::Homelab => {
                for name in ["controlplane.tailscale.com", "docs.pikvm.org"] {
                    let minute = self.minutes.begin + self.random.below(240) as usize;
                    let name = Name::Word(name);
                    self.push(minute, What::Lookup { from: origin, name }, actions);
                    self.push(minute, What::Page { from: origin, name, kilobytes: 10 }, actions);
                }
            }
            Situation::LongCalls => {
                let (begin, end) = (self.minutes.begin + 10, self.minutes.end + 60);
                let minutes = vec![Activity::Active; end - begin].into_boxed_slice();
                self.push(begin, What::Lookup { from: origin, name: Name::Word("zoom.us") }, actions);
                self.push(begin, What::Call { from: origin, minutes }, actions);
            }
            _ => {}
        }
    }

    fn start_of(&self, minute: usize) -> u64 {
        (self.day * DAY_MINUTES + minute) as u64 * MINUTE
    }

    /// Some moment of a minute.
    fn moment(&mut self, minute: usize) -> u64 {
        self.start_of(minute) + self.random.below(MINUTE - 2 * SECOND)
    }

    fn push(&mut self, minute: usize, what: What, actions: &mut Vec<Action>) {
        let after = self.moment(minute);
        self.push_at(after, what, actions);
    }

    fn push_at(&self, after: u64, what: What, actions: &mut Vec<Action>) {
        actions.push(Action { after, person: self.number, what });
    }
}

/// The help desk helps colleagues, each for some minutes, and now and then lets a supplier in.
fn help_desk(company: &Company, day: usize, actions: &mut Vec<Action>) {
    if is_weekend(day) {
        return;
    }
    let helpers = company.people.iter().filter(|person| person.habit == Habit::Situated(Situation::HelpDesk)).count();
    let helped: Vec<usize> = (0..company.people.len())
        .filter(|&number| matches!(company.people[number].habit, Habit::Home | Habit::Office))
        .collect();
    if helped.is_empty() {
        return;
    }
    for case in 0..helpers * 6 {
        let mut random = company.random_of(stream::WORK, [u64::MAX - case as u64, day as u64]);
        let number = *random.pick(&helped);
        let person = &company.people[number];
        let from = match person.habit {
            Habit::Office => Origin::Office,
            _ => Origin::Vpn(person.home),
        };
        let product = random.chance(0.03).then(|| random.below(plan::REMOTE_PRODUCTS.len() as u64) as usize);
        let minutes = vec![Activity::Active; 8 + random.below(22) as usize].into_boxed_slice();
        let minute = person.rhythm.begin as usize + 30 + random.below(400) as usize;
        let after = (day * DAY_MINUTES + minute) as u64 * MINUTE + random.below(MINUTE);
        actions.push(Action { after, person: number, what: What::Driven { from, product, minutes } });
    }
}
