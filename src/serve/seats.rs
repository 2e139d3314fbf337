//! Connections in; who has to leave when there are too many, and by when each has to have said or heard something, out.
//!
//! Whoever connects is let in. Where a line has too many connections, it loses the one of its own that waits longest; where
//! all together are too many, the line with most of them does. So whoever holds many keeps nobody else out.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// What one line is given: an IPv4 address, or an IPv6 /64.
pub(super) fn line(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        v4 => v4,
    }
}

/// Whose turn it is on a connection, and since when.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// A request arrived, and is being answered.
    Answer(Instant),
    /// The last request was answered.
    Idle(Instant),
    /// A request is being said, and so many bytes of it came.
    Request(Instant, usize),
}

/// What the two sides of a connection and the requests on it know of each other.
#[derive(Debug)]
pub(super) struct Progress(Mutex<Turn>);

impl Progress {
    /// How long a client may take to say a request.
    const REQUEST_MAX: Duration = Duration::from_secs(10);
    /// How long a connection may be idle, and how long an answer may make no progress.
    const SILENCE_MAX: Duration = Duration::from_secs(60);
    /// The most bytes before a request is known for one.
    const REQUEST_BYTES_MAX: usize = 64 << 10;

    const fn new(now: Instant) -> Self {
        Self(Mutex::new(Turn::Request(now, 0)))
    }

    /// By when the connection has to get on.
    pub(super) fn deadline(&self) -> Instant {
        match *self.turn() {
            Turn::Answer(since) | Turn::Idle(since) => since + Self::SILENCE_MAX,
            Turn::Request(since, _) => since + Self::REQUEST_MAX,
        }
    }

    /// The client said something; false where that is more than any request has.
    pub(super) fn hear(&self, bytes: usize, now: Instant) -> bool {
        let mut turn = self.turn();
        match &mut *turn {
            Turn::Answer(_) => true,
            Turn::Idle(_) => {
                *turn = Turn::Request(now, bytes);
                true
            }
            Turn::Request(_, heard) => {
                *heard += bytes;
                *heard <= Self::REQUEST_BYTES_MAX
            }
        }
    }

    /// What the client said was a request.
    pub(super) fn begin_answer(&self, now: Instant) {
        *self.turn() = Turn::Answer(now);
    }

    /// The client was told something.
    pub(super) fn tell(&self, now: Instant) {
        *self.turn() = Turn::Idle(now);
    }

    /// Those whose turn it is to say something leave before those that wait for an answer, the longest silent first.
    fn patience(&self) -> (bool, Instant) {
        match *self.turn() {
            Turn::Answer(since) => (true, since),
            Turn::Idle(since) | Turn::Request(since, _) => (false, since),
        }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All connections.
#[derive(Default)]
pub(super) struct Seats(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    next: u64,
    seats: Vec<Held>,
}

struct Held {
    number: u64,
    line: IpAddr,
    progress: Arc<Progress>,
    /// Dropped to make the connection end.
    _hold: oneshot::Sender<()>,
}

/// A connection's place; given back when it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    pub(super) progress: Arc<Progress>,
    /// Ready when the place was given to another one.
    pub(super) lost: oneshot::Receiver<()>,
}

impl Seats {
    /// The most connections at a time.
    pub(super) const MAX: usize = 256;
    /// The most of one line. A proxy may stand for many people.
    pub(super) const OF_LINE_MAX: usize = 64;

    /// Gives a place to a connection from `peer`, another one's if need be.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Seat {
        let line = line(peer);
        let mut taken = self.taken();
        if taken.of(line) >= Self::OF_LINE_MAX {
            taken.dismiss(line);
        } else if taken.seats.len() >= Self::MAX {
            let greediest = taken.greediest();
            greediest.into_iter().for_each(|line| taken.dismiss(line));
        }
        let (hold, lost) = oneshot::channel();
        let (number, progress) = (taken.next, Arc::new(Progress::new(now)));
        taken.next += 1;
        taken.seats.push(Held { number, line, progress: Arc::clone(&progress), _hold: hold });
        Seat { seats: Arc::clone(self), number, progress, lost }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn of(&self, line: IpAddr) -> usize {
        self.seats.iter().filter(|seat| seat.line == line).count()
    }

    fn greediest(&self) -> Option<IpAddr> {
        self.seats.iter().map(|seat| seat.line).max_by_key(|line| self.of(*line))
    }

    /// Ends the connection of a line that waits longest.
    fn dismiss(&mut self, line: IpAddr) {
        let of_line = self.seats.iter().enumerate().filter(|(_, seat)| seat.line == line);
        let longest = of_line.min_by_key(|(_, seat)| (seat.progress.patience(), seat.number));
        if let Some((place, _)) = longest {
            self.seats.remove(place);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().seats.retain(|seat| seat.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[allow(clippy::disallowed_methods)]
    fn now() -> Instant {
        Instant::now()
    }

    fn is_lost(seat: &mut Seat) -> bool {
        seat.lost.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn a_line_with_too_many_loses_its_own_that_is_silent_longest() {
        let (seats, start) = (Arc::new(Seats::default()), now());
        let mut other = seats.take(address(9), start);
        let mut held: Vec<Seat> = (0..Seats::OF_LINE_MAX).map(|_| seats.take(address(1), start)).collect();
        held[0].progress.begin_answer(start);
        held[1].progress.tell(start + Duration::from_secs(1));
        let _newcomer = seats.take(address(1), start + Duration::from_secs(2));
        let lost: Vec<usize> = (0..held.len()).filter(|place| is_lost(&mut held[*place])).collect();
        assert_eq!(lost, [2], "neither the one that is being answered nor the one that was just told something");
        assert!(!is_lost(&mut other));
    }

    #[test]
    fn where_all_are_too_many_the_line_with_most_of_them_makes_room() {
        let (seats, start) = (Arc::new(Seats::default()), now());
        let mut single: Vec<Seat> = (0..100).map(|number| seats.take(address(number), start)).collect();
        let mut many: Vec<Seat> =
            (100..Seats::MAX as u32).map(|number| seats.take(address(1000 + number / 60), start)).collect();
        let _newcomer = seats.take(address(5000), start);
        assert!(single.iter_mut().all(|seat| !is_lost(seat)));
        assert_eq!(many.iter_mut().filter_map(|seat| is_lost(seat).then_some(())).count(), 1);
    }

    #[test]
    fn a_place_that_is_given_back_makes_nobody_leave() {
        let (seats, start) = (Arc::new(Seats::default()), now());
        let mut held: Vec<Seat> = (0..Seats::OF_LINE_MAX).map(|_| seats.take(address(1), start)).collect();
        held.pop();
        let _newcomer = seats.take(address(1), start);
        assert!(held.iter_mut().all(|seat| !is_lost(seat)));
    }

    #[test]
    fn an_ipv6_network_is_one_line() {
        let of = |text: &str| line(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn a_request_has_ten_seconds_and_64_kib_and_an_answer_a_minute() {
        let start = now();
        let after = |secs| start + Duration::from_secs(secs);
        let progress = Progress::new(start);
        assert_eq!(progress.deadline(), after(10));
        assert!(progress.hear(60_000, after(9)));
        assert_eq!(progress.deadline(), after(10), "a byte now and then gains nothing");
        assert!(!progress.hear(6000, after(9)));
        progress.begin_answer(after(9));
        assert_eq!(progress.deadline(), after(69));
        assert!(progress.hear(1 << 20, after(10)), "a body, which others limit");
        progress.tell(after(20));
        assert_eq!(progress.deadline(), after(80));
        assert!(progress.hear(1, after(70)));
        assert_eq!(progress.deadline(), after(80), "ten seconds from its first byte");
    }
}
