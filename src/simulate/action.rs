//! What happens in the company, in the order of time: the one source of captures and of recordings.

use super::course::Activity;
use super::message::radius::Status;
use super::plan;

/// Something that a person, a machine or a server begins to do at a moment.
#[derive(Clone, Debug)]
pub struct Action {
    /// Nanoseconds since the beginning of the simulation.
    pub after: u64,
    pub person: usize,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    /// An access server tells of a session that begins or ends.
    Account {
        from: Origin,
        status: Status,
        session: u64,
    },
    /// A conversation by picture and sound.
    Call {
        from: Origin,
        minutes: Box<[Activity]>,
    },
    /// A remote-access session on the person's machine, by its product's place in
    /// [`plan::REMOTE_PRODUCTS`]; that of the help desk where there is none.
    Driven {
        from: Origin,
        product: Option<usize>,
        minutes: Box<[Activity]>,
    },
    /// The person's machine is given its address at the office.
    Lease,
    /// A name is asked for.
    Lookup {
        from: Origin,
        name: Name,
    },
    /// A connection to a server, and so many thousand bytes of an answer.
    Page {
        from: Origin,
        name: Name,
        kilobytes: u16,
    },
    Tunnel {
        place: usize,
        minutes: Box<[Activity]>,
    },
    Upload {
        from: Origin,
        minutes: Box<[Activity]>,
    },
}

impl What {
    /// Which of the mirror ports shows it.
    pub const fn seen_at(&self) -> Vantage {
        match self {
            Self::Account { .. } => Vantage::Accounting,
            Self::Lease => Vantage::Office,
            Self::Tunnel { .. } => Vantage::Edge,
            Self::Call { from, .. }
            | Self::Driven { from, .. }
            | Self::Lookup { from, .. }
            | Self::Page { from, .. }
            | Self::Upload { from, .. } => from.seen_at(),
        }
    }
}

/// A place that a mirror port shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vantage {
    /// What gateway and portal tell of sessions by RADIUS.
    Accounting,
    /// Outside the VPN gateway and the portal: households by their addresses, their tunnels and log-ons.
    Edge,
    /// The access network of the office.
    Office,
    /// Behind the VPN gateway: each laptop by its address in the pool, and all that it does.
    Pool,
}

impl Vantage {
    pub const ALL: &'static [Self] = &[Self::Accounting, Self::Edge, Self::Office, Self::Pool];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accounting => "accounting",
            Self::Edge => "edge",
            Self::Office => "office",
            Self::Pool => "pool",
        }
    }
}

/// Where a machine is when it does something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    Office,
    /// The operator's own machine, at one of the places.
    Operator(usize),
    /// Outside, with nothing around the traffic.
    Outside(usize),
    /// The person's telephone.
    Phone(usize),
    /// Inside the VPN, which it came to from one of the places.
    Vpn(usize),
}

impl Origin {
    const fn seen_at(self) -> Vantage {
        match self {
            Self::Office => Vantage::Office,
            Self::Operator(_) | Self::Outside(_) | Self::Phone(_) => Vantage::Edge,
            Self::Vpn(_) => Vantage::Pool,
        }
    }
}

/// A name in the DNS.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Name {
    Site(u16),
    Word(&'static str),
}

impl Name {
    pub fn text(self) -> String {
        match self {
            Self::Site(number) => plan::site_name(usize::from(number)),
            Self::Word(word) => word.to_owned(),
        }
    }
}
