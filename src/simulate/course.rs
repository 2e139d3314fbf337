//! What a long conversation does in each of its minutes: a tunnel, a session of a remote-access product, a call.

use std::time::Duration;

use super::conversation::{Load, Step};
use super::message::wireguard;
use super::random::{Random, millis};
use crate::facts::Sender;
use crate::time::Timestamp;

/// The minutes of a conversation.
#[derive(Clone, Debug)]
pub struct Course {
    pub kind: Kind,
    pub from: Timestamp,
    /// What each minute is like, the first begins at `from`.
    pub activity: Vec<Activity>,
    /// From the mirror to the client and back.
    pub client_rtt: Duration,
    /// From the mirror to the server and back.
    pub server_rtt: Duration,
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A machine's screen goes up, what its operator does comes down.
    Driven,
    /// Talk both ways, once a second.
    Call,
    /// Everything a laptop does, wrapped.
    Tunnel,
    /// Up goes what somebody takes away.
    Upload,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Activity {
    Active,
    /// The line is cut: nothing comes through.
    Dead,
    Idle,
}

const MINUTE: Duration = Duration::from_secs(60);
/// WireGuard's customary keepalive.
const TUNNEL_KEEPALIVE: Duration = Duration::from_secs(25);
const SESSION_KEEPALIVE: Duration = Duration::from_secs(20);
/// A tunnel that carries anything agrees on a new session so often (WireGuard's `Rekey-After-Time`).
const REKEYED_EVERY_MINUTES: usize = 2;

impl Course {
    pub fn minutes(&self) -> usize {
        self.activity.len()
    }

    pub fn end(&self) -> Timestamp {
        self.from + MINUTE * self.activity.len() as u32
    }

    /// The steps of a minute; all of them lie in it.
    pub fn steps(&self, minute: usize) -> Vec<Step> {
        let mut steps = Minute {
            start: self.from + MINUTE * minute as u32,
            random: Random::of(self.seed, &[minute as u64]),
            client_rtt: self.client_rtt,
            steps: Vec::new(),
        };
        match (self.kind, self.activity[minute]) {
            (_, Activity::Dead) => {}
            (Kind::Call, _) => steps.call(),
            (Kind::Driven, Activity::Active) => steps.driven(self.client_rtt + self.server_rtt),
            (Kind::Driven, Activity::Idle) => steps.keepalive(minute, SESSION_KEEPALIVE, (53, 53)),
            (Kind::Tunnel, Activity::Active) => steps.at_work(),
            (Kind::Tunnel, Activity::Idle) => steps.at_rest(minute),
            (Kind::Upload, _) => steps.upload(),
        }
        let is_up = self.activity[minute] != Activity::Dead;
        if self.kind == Kind::Tunnel && is_up && minute % REKEYED_EVERY_MINUTES == REKEYED_EVERY_MINUTES - 1 {
            steps.rekey(self.server_rtt, &mut Random::of(self.seed, &[minute as u64, 1]));
        }
        let end = steps.start + MINUTE - Duration::from_millis(1);
        steps.steps.retain(|step| step.at < end);
        steps.steps
    }
}

/// The steps of one minute as they come together.
struct Minute {
    start: Timestamp,
    random: Random,
    client_rtt: Duration,
    steps: Vec<Step>,
}

impl Minute {
    fn push(&mut self, after: Duration, sender: Sender, bytes: u16) {
        self.steps.push(Step { at: self.start + after, sender, load: Load::Data(bytes) });
    }

    /// Bytes of a data message of WireGuard: its overhead, and a multiple of 16.
    fn wrapped(bytes: u16) -> u16 {
        (bytes + 32).next_multiple_of(16)
    }

    /// The moments of a hand at work: in bouts, with the gaps of typing and pointing within.
    fn hand(&mut self, bouts: u64, strokes: u64) -> Vec<Duration> {
        let mut moments = Vec::new();
        for _ in 0..bouts {
            let mut at = self.random.between(0.0, 58_000.0);
            for _ in 0..1 + self.random.below(strokes) {
                moments.push(millis(at));
                at += self.random.lognormal(240.0, 0.8);
            }
        }
        moments
    }

    /// A laptop at work behind a tunnel: questions and pages, and their answers.
    fn at_work(&mut self) {
        self.keepalive(0, TUNNEL_KEEPALIVE, (32, 32));
        let bouts = 4 + self.random.below(4);
        for moment in self.hand(bouts, 5) {
            let asked = Self::wrapped(64 + self.random.below(500) as u16);
            self.push(moment, Sender::Client, asked);
            let answer = moment + millis(self.random.between(15.0, 60.0));
            for part in 0..1 + self.random.below(2) as u32 {
                self.push(answer + Duration::from_micros(200) * part, Sender::Server, 1424);
            }
            self.push(answer + self.client_rtt + Duration::from_micros(700), Sender::Client, Self::wrapped(52));
        }
    }

    /// Nobody there: keepalives, and now and then a program of the system.
    fn at_rest(&mut self, minute: usize) {
        self.keepalive(minute, TUNNEL_KEEPALIVE, (32, 32));
        if self.random.chance(0.3) {
            let moment = millis(self.random.between(0.0, 55_000.0));
            self.push(moment, Sender::Client, Self::wrapped(180));
            self.push(moment + Duration::from_millis(30), Sender::Server, Self::wrapped(420));
        }
    }

    /// A handshake of WireGuard within the tunnel. The client answers at once, but for what delays it on the way.
    fn rekey(&mut self, server_rtt: Duration, random: &mut Random) {
        let bits = random.bits();
        let (client, server) = (bits as u32, (bits >> 32) as u32);
        let asked = self.start + millis(random.between(0.0, 55_000.0));
        let burst = if random.chance(0.05) { random.exponential(40.0) } else { 0.0 };
        let answered = asked + server_rtt;
        let confirmed = answered + self.client_rtt + millis(random.exponential(3.0) + burst);
        self.steps.extend([
            Step { at: asked, sender: Sender::Client, load: Load::Message(wireguard::initiation(client, random)) },
            Step {
                at: answered,
                sender: Sender::Server,
                load: Load::Message(wireguard::response(server, client, random)),
            },
            Step { at: confirmed, sender: Sender::Client, load: Load::Renewed(32) },
        ]);
    }

    /// At a fixed beat, whatever the minute.
    fn keepalive(&mut self, minute: usize, every: Duration, (client, server): (u16, u16)) {
        let into = (MINUTE.as_millis() * minute as u128) % every.as_millis();
        let mut at = millis((every.as_millis() - into) as f64 % every.as_millis() as f64);
        while at < MINUTE {
            self.push(at, Sender::Client, client);
            self.push(at + Duration::from_millis(40), Sender::Server, server);
            at += every;
        }
    }

    /// Input comes down in small packets; the screen goes up behind it.
    fn driven(&mut self, round_trip: Duration) {
        let bouts = 3 + self.random.below(3);
        for moment in self.hand(bouts, 5) {
            let input = 60 + self.random.below(60) as u16;
            self.push(moment, Sender::Server, input);
            let screen = moment + self.client_rtt + millis(self.random.between(8.0, 40.0));
            for part in 0..2 + self.random.below(3) as u32 {
                self.push(screen + Duration::from_micros(150) * part, Sender::Client, 1300);
            }
            if self.random.chance(0.85) {
                let decoded = millis(15.0 + self.random.exponential(6.0));
                self.push(screen + round_trip + decoded, Sender::Server, 48);
            }
        }
    }

    fn call(&mut self) {
        for second in 0..60 {
            let moment = millis(f64::from(second) * 1000.0 + self.random.between(0.0, 900.0));
            let (up, down) = (160 + self.random.below(700) as u16, 160 + self.random.below(700) as u16);
            self.push(moment, Sender::Client, up);
            self.push(moment + Duration::from_millis(11), Sender::Server, down);
        }
    }

    fn upload(&mut self) {
        for part in 0..3000 {
            self.push(millis(f64::from(part) * 19.5), Sender::Client, 1400);
            if part % 8 == 0 {
                self.push(millis(f64::from(part) * 19.5 + 12.0), Sender::Server, 48);
            }
        }
    }
}
