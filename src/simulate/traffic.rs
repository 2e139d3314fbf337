//! A company in, every packet of it as the mirror shows it out, in the order of time.

use std::cmp::Ordering;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::action::{Action, Vantage};
use super::company::Company;
use super::conversation::Packets;
use super::{talk, work};
use crate::decode::Head;
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// The packets of a company's days.
pub struct Traffic<'c> {
    company: &'c Company,
    start: Timestamp,
    end: Timestamp,
    /// The next day whose actions have not been worked out.
    day: usize,
    actions: VecDeque<Action>,
    conversations: BinaryHeap<Running>,
    vantages: &'c [Vantage],
    begun: u64,
    packets: u64,
}

/// A conversation that has packets left; the one whose packet is next is the greatest.
struct Running {
    next_at: Timestamp,
    number: u64,
    packets: Box<Packets>,
}

impl<'c> Traffic<'c> {
    pub fn new(company: &'c Company, start: Timestamp) -> Self {
        let (actions, conversations) = (VecDeque::new(), BinaryHeap::new());
        let end = start + DAY * company.days as u32;
        Self { company, start, end, day: 0, actions, conversations, vantages: Vantage::ALL, begun: 0, packets: 0 }
    }

    /// Shows what these mirror ports see of it, and is silent of the rest.
    pub fn seen_at(self, vantages: &'c [Vantage]) -> Self {
        Self { vantages, ..self }
    }

    /// Ends it earlier.
    pub fn until(self, end: Timestamp) -> Self {
        Self { end: end.min(self.end), ..self }
    }

    /// The next packet, with its payload in `payload`; none behind the last day.
    pub fn next(&mut self, payload: &mut Vec<u8>) -> Option<Head> {
        self.begin_due();
        let mut running = self.conversations.peek_mut()?;
        if running.next_at >= self.end {
            return None;
        }
        let mut head = running.packets.next(payload)?;
        (head.at, head.seq) = (running.next_at, self.packets);
        self.packets += 1;
        match running.packets.next_at() {
            // A conversation's own packets never run backwards, however its parts overlap.
            Some(at) => running.next_at = at.max(running.next_at),
            None => {
                PeekMut::pop(running);
            }
        }
        Some(head)
    }

    fn midnight(&self, day: usize) -> Timestamp {
        self.start + DAY * day as u32
    }

    /// Begins the conversations that are due before the next packet.
    fn begin_due(&mut self) {
        loop {
            let next = self.conversations.peek().map(|running| running.next_at);
            let of_action = self.actions.front().map(|action| self.start + Duration::from_nanos(action.after));
            let due = [next, of_action].into_iter().flatten().min().unwrap_or(Timestamp::MAX);
            if self.day < self.company.days && due + Self::LEAD >= self.midnight(self.day) {
                self.plan_day();
            } else if of_action.is_some_and(|at| next.is_none_or(|next| at <= next)) {
                self.begin();
            } else {
                return;
            }
        }
    }

    /// What belongs to a day may begin so long before its midnight.
    const LEAD: Duration = Duration::from_secs(60);

    fn plan_day(&mut self) {
        self.actions.extend(work::day(self.company, self.day));
        self.actions.make_contiguous().sort_by_key(|action| action.after);
        self.day += 1;
    }

    fn begin(&mut self) {
        let Some(action) = self.actions.pop_front() else { return };
        if self.vantages.contains(&action.what.seen_at()) {
            let packets = talk::conversation(self.company, self.start, &action, self.begun).packets();
            if let Some(next_at) = packets.next_at() {
                self.conversations.push(Running { next_at, number: self.begun, packets: Box::new(packets) });
            }
        }
        // A conversation is the same whatever else is seen.
        self.begun += 1;
    }
}

impl Ord for Running {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.next_at, other.number).cmp(&(self.next_at, self.number))
    }
}

impl PartialOrd for Running {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Running {}

impl PartialEq for Running {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
