//! An action in, the conversation it is on the wire out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::action::{Action, Name, Origin, What};
use super::company::{Company, Person, stream};
use super::conversation::{Conversation, Hidden, Load, Party, Step};
use super::course::{Activity, Course, Kind};
use super::message::tls::{self, Program};
use super::message::{dhcp, dns, radius, teamviewer, wireguard};
use super::place::{Machine, Place, System};
use super::plan;
use super::random::{Random, millis};
use super::stack;
use crate::facts::Sender::{self, Client, Server};
use crate::net::{Endpoint, Mac, Transport};
use crate::time::Timestamp;

const DAY_NANOS: u64 = 86_400 * 1_000_000_000;

/// The conversation of an action; `number` tells it from all others.
pub fn conversation(company: &Company, start: Timestamp, action: &Action, number: u64) -> Conversation {
    let talk = Talk {
        company,
        person: &company.people[action.person],
        at: start + Duration::from_nanos(action.after),
        day: action.after / DAY_NANOS,
        random: Random::of(company.seed, &[0x7461_6c6b, number]),
    };
    match &action.what {
        What::Account { from, status, session } => talk.account(*from, *status, *session),
        What::Call { from, minutes } => talk.call(*from, minutes),
        What::Driven { from, product, minutes } => talk.driven(*from, *product, minutes),
        What::Lease => talk.lease(),
        What::Lookup { from, name } => talk.lookup(*from, *name),
        What::Page { from, name, kilobytes } => talk.page(*from, *name, *kilobytes),
        What::Tunnel { place, minutes } => talk.tunnel(*place, minutes),
        What::Upload { from, minutes } => talk.upload(*from, minutes),
    }
}

/// How far the two sides are from the mirror, there and back.
#[derive(Clone, Copy)]
struct Ways {
    client: Duration,
    server: Duration,
}

struct Talk<'c> {
    company: &'c Company,
    person: &'c Person,
    at: Timestamp,
    day: u64,
    random: Random,
}

impl Talk<'_> {
    fn account(mut self, from: Origin, status: radius::Status, number: u64) -> Conversation {
        let (framed, server, server_name, place) = match from {
            Origin::Operator(place) => (None, plan::PORTAL_INSIDE, "portal-1", place),
            Origin::Vpn(place) | Origin::Outside(place) | Origin::Phone(place) => {
                (Some(self.person.pool), plan::GATEWAY_INSIDE, "vpn-1", place)
            }
            Origin::Office => (Some(self.person.office), plan::GATEWAY_INSIDE, "vpn-1", self.person.home),
        };
        let station = self.company.outside(place, self.host(from));
        let user = &self.person.account;
        let session = radius::Session { user, framed, station, server, server_name, number };
        let identifier = self.random.below(256) as u8;
        let authenticator = self.random.bytes(16);
        let request = radius::request(identifier, status, &session, &authenticator);
        let response = radius::response(identifier, &self.random.bytes(16));
        let port = self.port();
        self.datagrams(inner(server, port), inner(plan::RADIUS, 1813), request, response, Duration::from_millis(2))
    }

    fn lease(mut self) -> Conversation {
        let (mac, address) = (self.person.laptop.mac, self.person.office);
        let transaction = self.random.bits() as u32;
        let vendor = self.person.laptop.system.vendor_class();
        let request = dhcp::request(transaction, mac, address, &self.person.laptop.name, vendor);
        let response = dhcp::acknowledgment(transaction, mac, address, plan::DHCP);
        let client = self.party(Origin::Office, 68);
        self.datagrams(client, inner(plan::DHCP, 67), request, response, Duration::from_millis(1))
    }

    fn lookup(mut self, from: Origin, name: Name) -> Conversation {
        let (id, port) = (self.random.bits() as u16, self.port());
        let name = name.text();
        let (question, answer) = (dns::question(id, &name), dns::answer(id, &name, plan::address_of(&name)));
        let client = self.party(from, port);
        let wait = millis(self.random.lognormal(2.0, 0.8));
        self.datagrams(client, inner(plan::RESOLVER, 53), question, answer, wait)
    }

    fn page(mut self, from: Origin, name: Name, kilobytes: u16) -> Conversation {
        let machine = self.machine(from);
        let is_program = matches!(name, Name::Word(_)) && !matches!(from, Origin::Operator(_) | Origin::Outside(_));
        let program = if is_program { machine.system.native() } else { machine.browser };
        let mut open = self.handshake(from, &name.text(), 443, program);
        let mut at = open.at;
        open.say(at, Client, 300 + self.random.below(700) as u16);
        at = at + open.ways.server + millis(self.random.lognormal(12.0, 0.7));
        for part in 0..u32::from(kilobytes).div_ceil(2).max(1) {
            open.say(at, Server, 1380);
            at = at + Duration::from_micros(120);
            if part % 3 == 2 {
                open.steps.push(Step { at: at + open.ways.client, sender: Client, load: Load::Ack });
            }
        }
        let over = at + open.ways.client + millis(self.random.lognormal(900.0, 1.0).min(20_000.0));
        open.end(over)
    }

    fn tunnel(mut self, place: usize, minutes: &[Activity]) -> Conversation {
        let from = Origin::Outside(place);
        let place = self.company.places[place].clone();
        let port = self.port();
        let client = self.party(from, port);
        let server = self.outer(client, plan::GATEWAY, plan::GATEWAY_PORT);
        let bits = self.random.bits();
        let (client_index, server_index) = (bits as u32, (bits >> 32) as u32);
        let opening = vec![
            message(self.at, Client, wireguard::initiation(client_index, &mut self.random)),
            message(
                self.at + Duration::from_micros(400),
                Server,
                wireguard::response(server_index, client_index, &mut self.random),
            ),
            Step { at: self.at + millis(place.rtt_ms), sender: Client, load: Load::Data(32) },
        ];
        Conversation {
            client,
            server,
            transport: Transport::Udp,
            hidden: Hidden::WireGuard { client: client_index, server: server_index },
            seed: self.random.bits(),
            opening,
            course: Some(Course {
                kind: Kind::Tunnel,
                from: next_minute(self.at),
                activity: minutes.into(),
                client_rtt: millis(place.rtt_ms),
                server_rtt: Duration::from_micros(400),
                seed: self.random.bits(),
            }),
            closing: Vec::new(),
        }
    }

    fn driven(mut self, from: Origin, product: Option<usize>, minutes: &[Activity]) -> Conversation {
        let (id, name) =
            product.map_or((plan::HELP_PRODUCT, plan::HELP_NAME), |product| plan::REMOTE_PRODUCTS[product]);
        let system = self.machine(from).system;
        let open = match id {
            "anydesk" => self.handshake(from, name, 443, &tls::ANYDESK),
            "teamviewer" => self.greeting(from, name),
            _ => self.handshake(from, name, 443, system.native()),
        };
        self.follow(open, Kind::Driven, minutes)
    }

    fn upload(mut self, from: Origin, minutes: &[Activity]) -> Conversation {
        let browser = self.machine(from).browser;
        let open = self.handshake(from, "gfs302n112.userstorage.mega.co.nz", 443, browser);
        self.follow(open, Kind::Upload, minutes)
    }

    fn call(mut self, from: Origin, minutes: &[Activity]) -> Conversation {
        let port = self.port();
        let client = self.party(from, port);
        let ways = self.ways(from, plan::address_of("zoom.us"));
        let server = Party { end: end(plan::address_of("zoom.us"), 8801), ..self.internet() };
        Conversation {
            client,
            server,
            transport: Transport::Udp,
            hidden: Hidden::Noise,
            seed: self.random.bits(),
            opening: Vec::new(),
            course: Some(self.course(Kind::Call, minutes, ways)),
            closing: Vec::new(),
        }
    }

    /// What follows an opened connection, minute by minute, and its end.
    fn follow(&mut self, open: Open, kind: Kind, minutes: &[Activity]) -> Conversation {
        let course = self.course(kind, minutes, open.ways);
        let over = course.end() + Duration::from_millis(200);
        let mut closing = Vec::new();
        open.put_end(over, &mut closing);
        Conversation { course: Some(course), closing, ..open.conversation() }
    }

    fn course(&mut self, kind: Kind, minutes: &[Activity], ways: Ways) -> Course {
        Course {
            kind,
            from: next_minute(self.at + Duration::from_secs(2)),
            activity: minutes.into(),
            client_rtt: ways.client,
            server_rtt: ways.server,
            seed: self.random.bits(),
        }
    }

    /// A question and its answer, each a datagram.
    fn datagrams(
        mut self,
        client: Party,
        server: Party,
        question: Vec<u8>,
        answer: Vec<u8>,
        wait: Duration,
    ) -> Conversation {
        Conversation {
            client,
            server,
            transport: Transport::Udp,
            hidden: Hidden::Noise,
            seed: self.random.bits(),
            opening: vec![message(self.at, Client, question), message(self.at + wait, Server, answer)],
            course: None,
            closing: Vec::new(),
        }
    }

    /// A TCP connection, opened.
    fn connection(&mut self, from: Origin, name: &str, port: u16) -> Open {
        let address = plan::address_of(name);
        let own_port = self.port();
        let client = self.party(from, own_port);
        let server = match address {
            _ if self.is_outside(from) => self.outer(client, address, port),
            _ if address.is_private() => inner(address, port),
            _ => Party { end: end(address, port), ..self.internet() },
        };
        let ways = self.ways(from, address);
        let mut open = Open {
            client,
            server,
            ways,
            steps: Vec::new(),
            at: self.at,
            hidden: Hidden::Tls,
            seed: self.random.bits(),
        };
        open.steps.push(Step { at: self.at, sender: Client, load: Load::Syn });
        let answered = self.at + ways.server;
        open.steps.push(Step { at: answered, sender: Server, load: Load::Syn });
        open.at = answered + ways.client + self.jitter();
        open.steps.push(Step { at: open.at, sender: Client, load: Load::Ack });
        open
    }

    /// A TLS connection, to the moment at which the client may speak.
    fn handshake(&mut self, from: Origin, name: &str, port: u16, program: &Program) -> Open {
        let mut open = self.connection(from, name, port);
        let relay = self.relay(from);
        let session = self.random.bytes(32);
        let hello = open.at + relay + millis(self.random.between(0.1, 3.0));
        open.steps.push(message(hello, Client, tls::client_hello(program, name, &session, &mut self.random)));
        let flight = hello + open.ways.server + millis(self.random.lognormal(1.0, 0.6));
        open.steps.push(message(flight, Server, tls::server_hello(&session, &mut self.random)));
        open.say(flight + Duration::from_micros(90), Server, 1380);
        open.say(flight + Duration::from_micros(180), Server, 1210);
        let mut thought = self.machine(from).slowness_ms + self.random.lognormal(4.0, 0.9);
        if self.random.chance(0.05) {
            thought += self.random.between(20.0, 250.0);
        }
        open.at = flight + Duration::from_micros(180) + open.ways.client + self.jitter() + relay + millis(thought);
        open.steps.push(message(open.at, Client, tls::client_finished(&mut self.random)));
        open.at = open.at + Duration::from_micros(250);
        open
    }

    /// TeamViewer's first messages.
    fn greeting(&mut self, from: Origin, name: &str) -> Open {
        let mut open = self.connection(from, name, 5938);
        open.hidden = Hidden::Noise;
        open.steps.push(message(open.at, Client, teamviewer::message(0x0a, &self.random.bytes(37))));
        let answered = open.at + open.ways.server;
        open.steps.push(message(answered, Server, teamviewer::message(0x10, &self.random.bytes(24))));
        open.at = answered + open.ways.client;
        open.steps.push(message(open.at, Client, teamviewer::message(0x0b, &self.random.bytes(52))));
        open.at = open.at + Duration::from_millis(1);
        open
    }

    fn port(&mut self) -> u16 {
        49_152 + self.random.below(16_000) as u16
    }

    /// A little more, and sometimes much more, than the way takes.
    fn jitter(&mut self) -> Duration {
        let burst = if self.random.chance(0.05) { self.random.exponential(40.0) } else { 0.0 };
        millis(self.random.exponential(3.0) + burst)
    }

    fn relay(&mut self, from: Origin) -> Duration {
        match from {
            Origin::Operator(place) if self.company.places[place].relay_ms > 0.0 => {
                millis(self.company.places[place].relay_ms + self.random.exponential(6.0))
            }
            _ => Duration::ZERO,
        }
    }

    fn machine(&self, from: Origin) -> &Machine {
        let of_operator = || self.company.farms.iter().find(|farm| self.is_of(farm)).map(|farm| &farm.operator_machine);
        match from {
            Origin::Operator(_) => of_operator().unwrap_or(&self.person.laptop),
            Origin::Phone(_) => self.person.phone.as_ref().unwrap_or(&self.person.laptop),
            _ => &self.person.laptop,
        }
    }

    fn is_of(&self, farm: &super::company::Farm) -> bool {
        farm.people.iter().any(|&number| self.company.people[number].pool == self.person.pool)
    }

    const fn is_outside(&self, from: Origin) -> bool {
        matches!(from, Origin::Operator(_) | Origin::Outside(_) | Origin::Phone(_))
    }

    fn ways(&mut self, from: Origin, to: Ipv4Addr) -> Ways {
        let client = match from {
            Origin::Office => Duration::from_micros(300),
            Origin::Operator(place) | Origin::Outside(place) | Origin::Phone(place) | Origin::Vpn(place) => {
                millis(self.company.places[place].rtt_ms)
            }
        };
        let server = match from {
            _ if to.is_private() || self.is_outside(from) => Duration::from_micros(350),
            // How far a server is does not depend on who asks.
            _ => millis(Random::new(u64::from(to.to_bits())).lognormal(16.0, 0.5)),
        };
        Ways { client, server }
    }

    fn party(&self, from: Origin, port: u16) -> Party {
        let system = self.machine(from).system;
        match from {
            Origin::Office => Party {
                end: end(self.person.office, port),
                mac: self.person.laptop.mac,
                ttl: system.stack().ttl,
                stack: system.stack(),
                mss: 1460,
            },
            Origin::Vpn(_) => Party {
                end: end(self.person.pool, port),
                mac: plan::GATEWAY_MAC,
                ttl: system.stack().ttl - 1,
                stack: system.stack(),
                mss: 1380,
            },
            Origin::Operator(place) | Origin::Outside(place) | Origin::Phone(place) => {
                let address = self.company.outside(place, self.host(from));
                let outside = self.outside(&self.company.places[place], system);
                let end = Endpoint::new(address, port);
                Party { end, mss: outside.mss - header_excess(end), ..outside }
            }
        }
    }

    /// A machine's number in its household: another one every day (RFC 8981).
    fn host(&self, from: Origin) -> u64 {
        let machine = &self.machine(from).mac.0;
        let machine = machine.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Random::of(self.company.seed, &[stream::HOST, machine, self.day]).bits()
    }

    /// A server of the company that is seen from outside, over what its client speaks.
    fn outer(&self, client: Party, address: Ipv4Addr, port: u16) -> Party {
        let server = outer(address, port);
        let [.., host] = address.octets();
        let end = match client.end.ip {
            IpAddr::V4(_) => server.end,
            IpAddr::V6(_) => Endpoint::new(plan::ipv6(address, host.into()), port),
        };
        Party { end, mss: server.mss - header_excess(end), ..server }
    }

    fn outside(&self, place: &Place, system: System) -> Party {
        // A relay that ends TCP shows its own stack.
        let stack = if place.relay_ms > 0.0 { &stack::LINUX } else { system.stack() };
        Party { end: end(place.address, 0), mac: plan::BORDER, ttl: stack.ttl - place.hops, stack, mss: place.mss }
    }

    fn internet(&mut self) -> Party {
        let stack = &stack::LINUX;
        let ttl = stack.ttl - 8 - self.random.below(8) as u8;
        Party { end: end(Ipv4Addr::UNSPECIFIED, 0), mac: plan::BORDER, ttl, stack, mss: 1460 }
    }
}

/// A connection as it is opened, step by step.
struct Open {
    client: Party,
    server: Party,
    ways: Ways,
    steps: Vec<Step>,
    /// When the client may speak next.
    at: Timestamp,
    hidden: Hidden,
    seed: u64,
}

impl Open {
    fn say(&mut self, at: Timestamp, sender: Sender, bytes: u16) {
        self.steps.push(Step { at, sender, load: Load::Data(bytes) });
    }

    fn put_end(&self, at: Timestamp, steps: &mut Vec<Step>) {
        let answered = at + self.ways.server + Duration::from_micros(200);
        steps.push(Step { at, sender: Client, load: Load::Fin });
        steps.push(Step { at: answered, sender: Server, load: Load::Fin });
        steps.push(Step { at: answered + self.ways.client, sender: Client, load: Load::Ack });
    }

    fn end(mut self, at: Timestamp) -> Conversation {
        let mut closing = Vec::new();
        self.put_end(at, &mut closing);
        self.steps.append(&mut closing);
        self.conversation()
    }

    fn conversation(self) -> Conversation {
        Conversation {
            client: self.client,
            server: self.server,
            transport: Transport::Tcp,
            hidden: self.hidden,
            seed: self.seed,
            opening: self.steps,
            course: None,
            closing: Vec::new(),
        }
    }
}

fn message(at: Timestamp, sender: Sender, bytes: Vec<u8>) -> Step {
    Step { at, sender, load: Load::Message(bytes) }
}

const fn end(address: Ipv4Addr, port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V4(address), port)
}

/// How much longer than of IPv4 the header is of what comes from here.
const fn header_excess(end: Endpoint) -> u16 {
    if end.ip.is_ipv6() { 20 } else { 0 }
}

/// A server of the company inside.
const fn inner(address: Ipv4Addr, port: u16) -> Party {
    Party { end: end(address, port), mac: plan::CORE, ttl: 63, stack: &stack::LINUX, mss: 1460 }
}

/// A server of the company that is seen from outside.
const fn outer(address: Ipv4Addr, port: u16) -> Party {
    const MAC: Mac = plan::DMZ;
    Party { end: end(address, port), mac: MAC, ttl: 64, stack: &stack::LINUX, mss: 1460 }
}

/// The beginning of the next whole minute.
fn next_minute(at: Timestamp) -> Timestamp {
    Timestamp::from_secs((at.as_secs() / 60 + 1) * 60)
}
