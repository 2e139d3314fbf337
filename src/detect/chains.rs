//! Connections of one outside address to one server in, how many machines they came from at a time out.
//!
//! Windows counts the packets it sends to each destination, and writes the count into each (the IPv4 identification; Daymude
//! et al., arXiv 2406.06483). So the SYN of a machine's next connection carries a little more than that of its
//! last one: as many more as it sent packets since. Machines behind one address are as many such chains side by side.
//! Systems that draw a number at random for every connection (Linux, macOS) make no chain, and are not counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::facts::FlowId;
use crate::time::Timestamp;

/// A connection, once it was told of.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Connection {
    /// The identification of its SYN.
    pub(super) syn_id: u16,
    /// What its client has sent.
    pub(super) packets: u64,
    pub(super) flow: FlowId,
    pub(super) started: Timestamp,
}

/// The chains of one address to one server.
#[derive(Default, Deserialize, Serialize)]
pub struct Chains {
    /// Those that earlier ones may still come before: a connection is told of a minute after it began.
    #[serde(with = "crate::memory::pairs")]
    waiting: BTreeMap<(Timestamp, FlowId), Connection>,
    chains: Vec<Chain>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Chain {
    first: Timestamp,
    last: Timestamp,
    id: u16,
    connections: u32,
    /// Packets that its connections sent, as far as they do not show in the identification yet.
    unseen_packets: u64,
}

impl Chains {
    const WAITING_MAX: usize = 64;
    const TOLD_AFTER: Duration = Duration::from_secs(120);
    const CHAINS_MAX: usize = 32;
    /// By chance one follows another in a hundred.
    const CONNECTIONS_MIN: u32 = 5;

    /// Takes a connection and returns how many machines were seen at a time; fewer than two are not told apart.
    pub fn add(&mut self, connection: Connection, at: Timestamp) -> usize {
        self.waiting.insert((connection.started, connection.flow), connection);
        while let Some(entry) = self.waiting.first_entry() {
            if at.since(entry.key().0) < Self::TOLD_AFTER && self.waiting.len() <= Self::WAITING_MAX {
                break;
            }
            if let Some((_, connection)) = self.waiting.pop_first() {
                self.follow(connection);
            }
        }
        self.together()
    }

    /// When the latest connection began.
    pub fn latest(&self) -> Option<Timestamp> {
        let waiting = self.waiting.keys().map(|(started, _)| *started);
        waiting.chain(self.chains.iter().map(|chain| chain.last)).max()
    }

    /// Adds the connection to the chain that it follows most closely, or begins another one.
    fn follow(&mut self, connection: Connection) {
        self.chains.retain(|chain| connection.started.since(chain.last) <= Chain::KEPT);
        let followed = self.chains.iter_mut().filter_map(|chain| Some((chain.step_to(&connection)?, chain)));
        if let Some((step, chain)) = followed.min_by_key(|(step, _)| *step) {
            chain.follow(&connection, step);
            return;
        }
        if self.chains.len() == Self::CHAINS_MAX {
            let oldest = self.chains.iter().enumerate().min_by_key(|(_, chain)| chain.last).map(|(index, _)| index);
            oldest.map(|index| self.chains.swap_remove(index));
        }
        self.chains.push(Chain::new(&connection));
    }

    /// The most chains over one moment. One that broke and went on as another is over when that begins.
    fn together(&self) -> usize {
        let chains = || self.chains.iter().filter(|chain| chain.connections >= Self::CONNECTIONS_MIN);
        let over = |moment| chains().filter(|chain| chain.first <= moment && chain.last > moment).count();
        chains().map(|chain| over(chain.first)).max().unwrap_or(0)
    }
}

impl Chain {
    const KEPT: Duration = Duration::from_secs(3600);
    /// After a longer silence a machine may count anew.
    const SILENCE_MAX: Duration = Duration::from_secs(900);
    /// Packets beside those of the connections told of: repeated SYNs, connections that were refused or not seen.
    const STEP_SPARE: u64 = 48;
    /// Connections go on after they were told of, at so many packets a second.
    const PACKETS_PER_SEC: u64 = 1;

    fn new(connection: &Connection) -> Self {
        Self {
            first: connection.started,
            last: connection.started,
            id: connection.syn_id,
            connections: 1,
            unseen_packets: connection.packets,
        }
    }

    /// How many packets lie between the two, if the connection may be the chain's next.
    fn step_to(&self, connection: &Connection) -> Option<u16> {
        let silence = connection.started.since(self.last);
        let step = connection.syn_id.wrapping_sub(self.id);
        let more = silence.as_secs().saturating_mul(Self::PACKETS_PER_SEC);
        let most = self.unseen_packets.saturating_add(Self::STEP_SPARE).saturating_add(more);
        let may_follow = silence <= Self::SILENCE_MAX && step > 0 && u64::from(step) <= most;
        may_follow.then_some(step)
    }

    fn follow(&mut self, connection: &Connection, step: u16) {
        self.unseen_packets = self.unseen_packets.saturating_sub(u64::from(step)).saturating_add(connection.packets);
        self.connections = self.connections.saturating_add(1);
        (self.last, self.id) = (connection.started, connection.syn_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::daily::draw::Draw;

    /// Machines behind one address that work for half an hour.
    #[derive(Clone, Copy)]
    struct House {
        machines: usize,
        /// The part of the connections that the mirror loses.
        lost: f64,
        /// Whether the system counts its packets to a destination.
        counts: bool,
    }

    impl House {
        /// How many are told apart: each machine opens a connection every half a minute, and sends 4 to 60 packets on it
        /// within the next minute.
        fn counted(self, draw: &mut Draw) -> usize {
            let mut connections = Vec::new();
            for _ in 0..self.machines {
                let (mut id, mut now) = (draw.next() as u16, 0.0);
                let mut sending: Vec<(f64, u64)> = Vec::new();
                while now < 1800.0 {
                    now += -30.0 * (1.0 - draw.unit()).ln();
                    // What the connections before have sent by now.
                    let sent: u64 = sending.iter().filter(|(at, _)| *at <= now).map(|(_, packets)| packets).sum();
                    sending.retain(|(at, _)| *at > now);
                    id = if self.counts { id.wrapping_add(sent as u16) } else { draw.next() as u16 };
                    let packets = 4 + draw.below(56) as u64;
                    sending.extend((0..4).map(|_| (now + 60.0 * draw.unit(), packets / 4)));
                    if !draw.chance(self.lost) {
                        connections.push((now, id, packets));
                    }
                    id = id.wrapping_add(1);
                }
            }
            connections.sort_by(|a, b| {
                (a.0 + 60.0 * (a.1 % 8) as f64 / 8.0).total_cmp(&(b.0 + 60.0 * (b.1 % 8) as f64 / 8.0))
            });
            let mut chains = Chains::default();
            let mut most = 0;
            for (number, (secs, syn_id, packets)) in connections.into_iter().enumerate() {
                let started = Timestamp::from_nanos((secs * 1e9) as u64);
                let connection = Connection { syn_id, packets, flow: FlowId(number as u64), started };
                most = most.max(chains.add(connection, started + Duration::from_secs(60)));
            }
            most
        }

        /// Of a hundred such houses, in how many the count is off by one at most.
        fn nearly_right(self) -> usize {
            let mut draw = Draw::new(self.machines as u64);
            (0..100).filter(|_| self.counted(&mut draw).abs_diff(self.machines) <= 1).count()
        }
    }

    #[test]
    fn up_to_eight_machines_are_counted_to_one_in_nine_houses_of_ten() {
        for machines in 1..=8 {
            for lost in [0.0, 0.05] {
                let right = House { machines, lost, counts: true }.nearly_right();
                assert!(right >= 90, "{machines} machines, {lost} lost: {right} of 100");
            }
        }
    }

    #[test]
    fn systems_that_draw_their_numbers_are_not_counted() {
        let mut draw = Draw::new(3);
        let counted = (0..100).map(|_| House { machines: 8, lost: 0.0, counts: false }.counted(&mut draw));
        assert!(counted.filter(|&count| count > 1).count() <= 5);
    }

    #[test]
    fn four_connections_are_no_chain_and_five_are() {
        let count = |connections: u64| {
            let mut chains = Chains::default();
            let (mut most, far) = (0, 30_000);
            for number in 0..connections {
                for (flow, id) in [(2 * number, 1), (2 * number + 1, far)] {
                    let (syn_id, started) = (id + 10 * number as u16, Timestamp::from_secs(30 * number));
                    let connection = Connection { syn_id, packets: 9, flow: FlowId(flow), started };
                    most = most.max(chains.add(connection, started + Chains::TOLD_AFTER));
                }
            }
            most
        };
        assert_eq!([count(4), count(5)], [0, 2]);
    }

    #[test]
    fn what_is_remembered_of_an_address_is_bounded() {
        let mut chains = Chains::default();
        for number in 0..10_000 {
            let connection = Connection {
                syn_id: (number * 769) as u16,
                packets: 1,
                flow: FlowId(number),
                started: Timestamp::ZERO,
            };
            chains.add(connection, Timestamp::ZERO);
        }
        assert_eq!(chains.waiting.len(), Chains::WAITING_MAX);
        assert!(chains.chains.len() <= Chains::CHAINS_MAX);
    }
}
