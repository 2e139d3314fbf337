//! A scenario and a seed in, a company out: its people, their machines and places, and the farms among them.

use std::net::{IpAddr, Ipv4Addr};

use super::names;
use super::place::{Machine, Place};
use super::plan::{self, Line, REMOTE_PRODUCTS};
use super::random::Random;
use super::rhythm::{Operator, Rhythm};
use super::scenario::{FarmKind, Scenario, Situation};

/// The streams of chance that a company is made of.
pub(super) mod stream {
    pub const CLIMATE: u64 = 1;
    pub const DAY: u64 = 2;
    pub const FARM: u64 = 3;
    pub const OPERATOR: u64 = 4;
    pub const OUTAGE: u64 = 5;
    pub const PERSON: u64 = 6;
    pub const PLACE: u64 = 7;
    pub const WORK: u64 = 8;
    pub const WEB: u64 = 9;
    pub const HOST: u64 = 10;
}

/// How and where a person works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Habit {
    Farm(usize),
    Home,
    /// Three days at the office, two at home.
    Hybrid,
    Office,
    Situated(Situation),
}

#[derive(Clone, Debug)]
pub struct Person {
    pub account: String,
    pub group: &'static str,
    pub laptop: Machine,
    pub phone: Option<Machine>,
    /// The address at the office, and in the VPN.
    pub office: Ipv4Addr,
    pub pool: Ipv4Addr,
    /// Hours behind the company's clock.
    pub zone_hours: u8,
    pub rhythm: Rhythm,
    pub habit: Habit,
    /// Where the person connects from when not at the office; one more place for those who move.
    pub home: usize,
    pub elsewhere: Option<usize>,
    /// The first day at the company; days are counted from 0 on.
    pub since: usize,
    /// How many days before the simulation the person began, if not in it.
    pub days_before: u64,
}

/// Laptops in one house that are driven from afar.
#[derive(Clone, Debug)]
pub struct Farm {
    pub kind: FarmKind,
    pub people: Vec<usize>,
    pub house: usize,
    pub operators: Vec<Operator>,
    pub since: usize,
    /// What the laptops are driven with: places in [`REMOTE_PRODUCTS`].
    pub products: Vec<usize>,
    /// Where the operator's own machine comes from.
    pub exits: Vec<usize>,
    pub operator_machine: Machine,
    /// The laptops look up a VPN's servers.
    pub has_vpn: bool,
    pub works_weekends: bool,
    /// One of the people takes data away on this day.
    pub takes_away: Option<(usize, usize)>,
}

impl Farm {
    /// Whether the laptops are left running day and night.
    pub const fn is_always_on(&self) -> bool {
        !matches!(self.kind, FarmKind::InTurns | FarmKind::Staggered | FarmKind::TravelRouter)
    }
}

pub struct Company {
    pub seed: u64,
    pub days: usize,
    /// Households reach the company over IPv6.
    pub is_ipv6: bool,
    pub people: Vec<Person>,
    pub places: Vec<Place>,
    pub farms: Vec<Farm>,
}

impl Company {
    /// The most people: more would need a larger pool.
    pub const PEOPLE_MAX: usize = 16_000;

    pub fn new(scenario: &Scenario, seed: u64, employees: usize, days: usize) -> Self {
        let mut company =
            Self { seed, days, is_ipv6: false, people: Vec::new(), places: Vec::new(), farms: Vec::new() };
        for (number, &kind) in scenario.farms.iter().enumerate() {
            company.found(number, kind);
        }
        for &situation in scenario.situations {
            let count = situation.people(employees);
            company.situate(situation, count);
        }
        while company.people.len() < employees {
            company.hire_ordinary(scenario.is_at_office);
        }
        company
    }

    /// The same, whose households reach it over IPv6.
    pub fn over_ipv6(self) -> Self {
        Self { is_ipv6: true, ..self }
    }

    /// Where a place is seen from outside, of a machine by its number in the household.
    pub fn outside(&self, place: usize, host: u64) -> IpAddr {
        let address = self.places[place].address;
        if self.is_ipv6 { plan::ipv6(address, host) } else { address.into() }
    }

    /// How many people a scenario takes at least, whatever the seed.
    pub fn least_people(scenario: &Scenario) -> usize {
        let of_farms: usize = scenario.farms.iter().map(|kind| kind.laptops().1).sum();
        let of_situations: usize = scenario.situations.iter().map(|situation| situation.people(0)).sum();
        of_farms + of_situations
    }

    /// The person's own numbers by chance.
    pub fn random_of(&self, what: u64, path: [u64; 2]) -> Random {
        Random::of(self.seed, &[what, path[0], path[1]])
    }

    fn hire_ordinary(&mut self, is_at_office: bool) {
        let mut random = self.random_of(stream::PERSON, [self.people.len() as u64, 0]);
        let habit = match random.unit() {
            share if share < 0.45 || is_at_office => Habit::Office,
            share if share < 0.68 => Habit::Hybrid,
            _ => Habit::Home,
        };
        let home = self.place(Line::Household);
        self.hire(habit, home);
    }

    fn hire(&mut self, habit: Habit, home: usize) -> usize {
        let number = self.people.len();
        let mut random = self.random_of(stream::PERSON, [number as u64, 1]);
        let own_zone = if matches!(habit, Habit::Office | Habit::Hybrid) { 0 } else { random.below(4) as u8 };
        // Who lives in one place lives in one zone; what a farm claims of its people is another matter.
        let neighbour = self.people.last().filter(|last| last.home == home && !matches!(habit, Habit::Farm(_)));
        let zone_hours = neighbour.map_or(own_zone, |neighbour| neighbour.zone_hours);
        let [high, low] = (number as u16 + 2).to_be_bytes();
        let groups = ["engineering", "finance", "marketing", "operations", "sales", "support"];
        self.people.push(Person {
            account: names::account(number),
            group: match habit {
                Habit::Situated(Situation::HelpDesk) => "help-desk",
                _ => random.pick::<&str>(&groups),
            },
            laptop: Machine::laptop(number, &mut random),
            phone: random.chance(0.7).then(|| Machine::phone(number, &mut random)),
            office: match habit {
                Habit::Situated(Situation::HelpDesk) => Ipv4Addr::new(10, 20, 9, low),
                _ => Ipv4Addr::new(10, 20, 16 + high, low),
            },
            pool: Ipv4Addr::new(10, 99, high, low),
            zone_hours,
            rhythm: Rhythm::own(f64::from(zone_hours), &mut random),
            habit,
            home,
            elsewhere: None,
            since: 0,
            days_before: if random.chance(0.01) { 0 } else { 20 + random.below(2500) },
        });
        number
    }

    fn place(&mut self, line: Line) -> usize {
        let number = self.places.iter().filter(|place| place.line == line).count();
        let mut random = self.random_of(stream::PLACE, [line as u64, number as u64]);
        self.places.push(Place::new(line, number, &mut random));
        self.places.len() - 1
    }

    /// People in a situation that looks like a farm from one side.
    fn situate(&mut self, situation: Situation, count: usize) {
        let first = self.people.len();
        while self.people.len() < first + count {
            let number = self.people.len() - first;
            let habit = Habit::Situated(situation);
            // Some six share a room, two share a house; a carrier's customers meet behind few addresses.
            let (line, share) = match situation {
                Situation::Coworking => (Line::Coworking, 6),
                Situation::CarrierNat => (Line::CarrierNat, 8),
                Situation::Family => (Line::Household, 2),
                _ => (Line::Household, 1),
            };
            let home = match number % share {
                0 => self.place(line),
                place => self.people[first + number - place].home,
            };
            let person = self.hire(habit, home);
            self.settle_in(person, situation);
        }
    }

    fn settle_in(&mut self, person: usize, situation: Situation) {
        let mut random = self.random_of(stream::CLIMATE, [person as u64, 0]);
        match situation {
            Situation::Travel => self.people[person].elsewhere = Some(self.place(Line::Hotel)),
            Situation::Coworking => self.people[person].elsewhere = Some(self.place(Line::Household)),
            Situation::CarrierNat if random.chance(0.5) => {
                self.people[person].elsewhere = Some(self.place(Line::Mobile));
            }
            Situation::NightOwl => {
                let rhythm = &mut self.people[person].rhythm;
                let shift = random.between(9.0, 12.0) * 60.0;
                (rhythm.begin, rhythm.end, rhythm.lunch) =
                    (rhythm.begin + shift, rhythm.end + shift, rhythm.lunch + shift);
            }
            _ => {}
        }
    }

    /// Founds a farm: a house, laptops in it, and whoever drives them.
    fn found(&mut self, number: usize, kind: FarmKind) {
        let mut random = self.random_of(stream::FARM, [number as u64, 0]);
        let (least, most) = kind.laptops();
        let laptops = least + random.below((most - least + 1) as u64) as usize;
        let since = random.below((self.days as u64).div_ceil(3)) as usize;
        let house = self.place(Line::Household);
        self.places[house].mss = 1460;
        let people: Vec<usize> = (0..laptops).map(|_| self.new_hand(number, kind, house, since, &mut random)).collect();
        let operators = Self::operators(kind, laptops, &mut random);
        let mut products: Vec<usize> = (0..REMOTE_PRODUCTS.len()).collect();
        random.shuffle(&mut products);
        products.truncate(match kind {
            FarmKind::Rmm => {
                if random.chance(0.6) {
                    2
                } else {
                    1
                }
            }
            FarmKind::SeveralOperators | FarmKind::Staggered => 1,
            FarmKind::CookieTheft | FarmKind::InTurns | FarmKind::IpKvm | FarmKind::TravelRouter => 0,
        });
        let exits = match kind {
            FarmKind::CookieTheft => (0..3).map(|_| self.operator_exit(&mut random)).collect(),
            _ => Vec::new(),
        };
        let takes_away = random.chance(0.25).then(|| {
            (people[random.below(laptops as u64) as usize], since + random.below((self.days - since) as u64) as usize)
        });
        self.farms.push(Farm {
            kind,
            house,
            operators,
            since,
            products,
            exits,
            operator_machine: Machine::phone(60_000 + number, &mut random),
            has_vpn: random.chance(0.5),
            works_weekends: random.chance(0.5),
            takes_away,
            people,
        });
        let machine = &mut self.farms[number].operator_machine;
        (machine.system, machine.browser) = (super::place::System::Windows, &super::message::tls::FIREFOX);
    }

    fn new_hand(&mut self, farm: usize, kind: FarmKind, house: usize, since: usize, random: &mut Random) -> usize {
        let mut home = house;
        if kind == FarmKind::TravelRouter {
            // The laptop is abroad; its traffic comes out at the house, with the segments of a tunnel and a long way.
            let mut place = self.places[house].clone();
            place.rtt_ms += random.between(150.0, 260.0);
            place.mss = *random.pick(&[1380, 1360, 1340]);
            self.places.push(place);
            home = self.places.len() - 1;
        }
        let person = self.hire(Habit::Farm(farm), home);
        self.people[person].since = since;
        self.people[person].days_before = 0;
        self.people[person].phone = None;
        person
    }

    /// One operator, but where there are several; their hours are those of the office.
    fn operators(kind: FarmKind, laptops: usize, random: &mut Random) -> Vec<Operator> {
        let count = match kind {
            FarmKind::SeveralOperators => 2 + random.below((laptops as u64 / 3).clamp(1, 3)) as usize,
            FarmKind::TravelRouter => laptops.div_ceil(3),
            _ => 1,
        };
        let own = |random: &mut Random| {
            let mut rhythm = Rhythm::own(1.0, random);
            if kind == FarmKind::Staggered {
                // One person, fourteen hours.
                rhythm.end = rhythm.begin + 840.0;
            }
            Operator::new(rhythm)
        };
        (0..count).map(|_| own(random)).collect()
    }

    fn operator_exit(&mut self, random: &mut Random) -> usize {
        let exit = self.place(Line::VpnExit);
        if random.chance(0.5) {
            // A proxy that ends TCP: the operator is far behind it.
            self.places[exit].relay_ms = random.between(120.0, 240.0);
        } else {
            self.places[exit].mss = *random.pick(&[1380, 1360, 1253]);
            self.places[exit].rtt_ms += random.between(120.0, 220.0);
        }
        exit
    }
}
