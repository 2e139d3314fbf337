//! The scenarios there are: what kind of company, which situations and which farms.

use self::{FarmKind as Kind, Situation as S};

/// One scenario of the list.
#[derive(Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub summary: &'static str,
    pub farms: &'static [FarmKind],
    pub situations: &'static [Situation],
    /// Everybody else is at the office; otherwise they are as companies are: some at the office, some at home.
    pub is_at_office: bool,
    /// How many people and days there are where nobody says.
    pub employees: usize,
    pub days: usize,
}

/// How the laptops of a farm are driven.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FarmKind {
    /// The operator's own machine takes over sessions that begin at the house.
    CookieTheft,
    /// Over an IP-KVM too, but one after the other: a laptop is on while it is driven.
    InTurns,
    /// By screen and keyboard over the network, which the company never sees.
    IpKvm,
    /// By remote-access products on the laptops.
    Rmm,
    /// The same by several operators, each with laptops of their own.
    SeveralOperators,
    /// Each laptop runs only in its own hours.
    Staggered,
    /// The laptops are abroad, and their traffic comes out at the house.
    TravelRouter,
}

impl FarmKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CookieTheft => "cookie_theft",
            Self::InTurns => "in_turns",
            Self::IpKvm => "ip_kvm",
            Self::Rmm => "rmm",
            Self::SeveralOperators => "several_operators",
            Self::Staggered => "staggered_hours",
            Self::TravelRouter => "travel_router",
        }
    }

    /// The least and the most laptops of a farm.
    pub const fn laptops(self) -> (usize, usize) {
        match self {
            Self::CookieTheft | Self::InTurns => (3, 6),
            Self::IpKvm => (4, 16),
            Self::Rmm => (3, 12),
            Self::SeveralOperators => (6, 20),
            Self::Staggered => (4, 9),
            Self::TravelRouter => (3, 8),
        }
    }
}

/// What is innocent and looks like a farm from one side.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Situation {
    /// Many customers of a carrier behind few addresses.
    CarrierNat,
    /// A room that several employees work from.
    Coworking,
    /// Two employees in one house.
    Family,
    /// Helps others with a product that the company approves, and now and then with a supplier's.
    HelpDesk,
    /// Has machines of their own at home, and ways to them.
    Homelab,
    /// In calls all day.
    LongCalls,
    NightOwl,
    /// Away from home for some days.
    Travel,
}

impl Situation {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CarrierNat => "carrier_nat",
            Self::Coworking => "coworking",
            Self::Family => "family",
            Self::HelpDesk => "help_desk",
            Self::Homelab => "homelab",
            Self::LongCalls => "long_calls",
            Self::NightOwl => "night_owl",
            Self::Travel => "travel",
        }
    }

    /// How many people of a company are in it.
    pub fn people(self, employees: usize) -> usize {
        let (thousandth, least) = match self {
            Self::CarrierNat => (30, 8),
            Self::Coworking => (18, 6),
            Self::Family => (12, 2),
            Self::HelpDesk => (6, 2),
            Self::Homelab => (6, 2),
            Self::LongCalls => (6, 2),
            Self::NightOwl => (6, 2),
            Self::Travel => (25, 3),
        };
        (employees * thousandth).div_ceil(1000).max(least)
    }
}

const fn quiet(name: &'static str, summary: &'static str, situations: &'static [Situation]) -> Scenario {
    Scenario { name, summary, farms: &[], situations, is_at_office: false, employees: 60, days: 5 }
}

const fn farm(name: &'static str, summary: &'static str, farms: &'static [FarmKind]) -> Scenario {
    Scenario { name, summary, farms, situations: &[], is_at_office: false, employees: 60, days: 5 }
}

/// Every scenario, in alphabetical order.
pub const ALL: &[Scenario] = &[
    quiet("carrier-nat", "Employees behind the shared addresses of a carrier.", &[S::CarrierNat]),
    Scenario {
        name: "company",
        summary: "A whole company: every situation, and a farm of each kind.",
        farms: &[
            Kind::Rmm,
            Kind::IpKvm,
            Kind::TravelRouter,
            Kind::CookieTheft,
            Kind::SeveralOperators,
            Kind::Staggered,
        ],
        situations: &[
            S::CarrierNat,
            S::Coworking,
            S::Family,
            S::HelpDesk,
            S::Homelab,
            S::LongCalls,
            S::NightOwl,
            S::Travel,
        ],
        is_at_office: false,
        employees: 2000,
        days: 10,
    },
    farm(
        "cookie-theft",
        "An operator's own machine takes over the sessions of laptops in a house.",
        &[Kind::CookieTheft],
    ),
    quiet("coworking", "A room that several employees work from.", &[S::Coworking]),
    quiet("family", "Two employees in one house.", &[S::Family]),
    farm("farm-kvm", "Laptops in a house, driven over an IP-KVM that the company never sees.", &[Kind::IpKvm]),
    farm("farm-rmm", "Laptops in a house, driven over remote-access products.", &[Kind::Rmm]),
    farm("farm-router", "Laptops abroad behind travel routers that come out at a house.", &[Kind::TravelRouter]),
    farm("farm-turns", "Laptops in a house, each on only while it is driven, one after the other.", &[Kind::InTurns]),
    quiet("help-desk", "A help desk with its own remote-access product, and suppliers with others.", &[S::HelpDesk]),
    quiet("homelab", "Employees with machines of their own at home, and ways to them.", &[S::Homelab]),
    quiet("long-calls", "Employees in calls all day.", &[S::LongCalls]),
    quiet("night-owl", "Employees who work at night.", &[S::NightOwl]),
    Scenario {
        name: "office",
        summary: "Everybody at the office.",
        farms: &[],
        situations: &[],
        is_at_office: true,
        employees: 40,
        days: 2,
    },
    farm("several-operators", "Laptops in a house, driven by several operators.", &[Kind::SeveralOperators]),
    farm("staggered", "Laptops in a house, each in its own hours, driven by one operator.", &[Kind::Staggered]),
    quiet("travel", "Employees who travel.", &[S::Travel]),
];

/// The scenario of a name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenarios_are_in_order_and_found_by_name() {
        assert!(ALL.is_sorted_by_key(|scenario| scenario.name));
        assert_eq!(named("farm-rmm").map(|scenario| scenario.farms), Some(&[FarmKind::Rmm][..]));
        assert!(named("farm").is_none());
    }
}
