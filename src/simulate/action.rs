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
