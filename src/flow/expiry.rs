//! Flows and the moments they are due in, the due ones out: a hierarchical timing wheel over packet time.
//!
//! A flow is entered at a moment that is not later than any of its deadlines, and left alone while packets push the
//! deadlines away; when the moment comes it is looked at and entered again. So a packet costs the wheel nothing.
//! (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 7.)

use std::cmp::Reverse;

use crate::slab::{Queues, Slot};
use crate::time::Timestamp;

/// ```text
/// level 0   64 places of one tick        1.1 s
/// level 1   64 places of 64 ticks       68.7 s
/// level 2   64 places of 64² ticks       1.2 h
/// level 3   64 places of 64³ ticks      78   h
/// ```
#[derive(Debug)]
pub(super) struct Wheel {
    /// The first tick that has not been looked at.
    tick: u64,
    queues: Queues,
    /// A bit for each place of a level that holds flows.
    occupied: [u64; LEVELS],
    /// The tick each slot was entered for.
    ticks: Vec<u64>,
}

const LEVELS: usize = 4;
const LEVEL_TOP: u32 = 3;
const PLACE_BITS: u32 = 6;
const PLACES: u64 = 1 << PLACE_BITS;
/// A tick is 2²⁴ ns, 16.8 ms.
const TICK_BITS: u32 = 24;
/// The farthest ahead a flow is entered: less than one turn of the top level, so that no place means two moments. What
/// is due later is looked at then, and entered again.
const TICKS_AHEAD_MAX: u64 = (PLACES - 1) << (PLACE_BITS * LEVEL_TOP);

/// A place of the wheel that holds flows.
struct Occupied {
    level: u32,
    queue: u16,
    /// The tick it begins with.
    tick: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { tick: 0, queues: Queues::new(256), occupied: [0; LEVELS], ticks: Vec::new() }
    }

    pub(super) const fn allocated_bytes(&self) -> usize {
        self.queues.allocated_bytes().saturating_add(self.ticks.capacity().saturating_mul(size_of::<u64>()))
    }

    /// Reads what is kept of `slot`, and tells nothing by it.
    pub(super) fn touch(&self, slot: Slot) -> u64 {
        self.queues.touch(slot) ^ self.ticks.get(slot.index()).copied().unwrap_or(0)
    }

    /// The earliest moment that a flow can still be due in.
    pub(super) const fn start(&self) -> Timestamp {
        Timestamp::from_nanos(self.tick.saturating_mul(1 << TICK_BITS))
    }

    /// Enters `slot`, or moves it.
    pub(super) fn enter(&mut self, slot: Slot, due: Timestamp) {
        self.leave(slot);
        let tick = tick_of(due).clamp(self.tick, self.tick.saturating_add(TICKS_AHEAD_MAX));
        if self.ticks.len() <= slot.index() {
            self.ticks.resize(slot.index().saturating_add(1), 0);
        }
        if let Some(entered) = self.ticks.get_mut(slot.index()) {
            *entered = tick;
        }
        self.place(slot, tick);
    }

    pub(super) fn leave(&mut self, slot: Slot) {
        let Some(queue) = self.queues.remove(slot) else {
            return;
        };
        if self.queues.is_empty(queue)
            && let Some(occupied) = self.occupied.get_mut(usize::from(queue >> PLACE_BITS))
        {
            *occupied &= !bit(u64::from(queue) % PLACES);
        }
    }

    /// A flow whose moment lies in a tick before that of `now`; it has left the wheel. Once there is none,
    /// [`Self::start`] has come to the tick of `now`.
    pub(super) fn due_before(&mut self, now: Timestamp) -> Option<Slot> {
        let end = tick_of(now);
        while self.tick < end {
            let Some(next) = self.next_occupied().filter(|next| next.tick < end) else {
                self.tick = end;
                return None;
            };
            self.tick = next.tick;
            let slot = self.queues.first(next.queue)?;
            self.leave(slot);
            if next.level == 0 {
                return Some(slot);
            }
            // One level down, or more.
            let tick = self.ticks.get(slot.index()).copied().unwrap_or(0);
            self.place(slot, tick.max(self.tick));
        }
        None
    }

    fn place(&mut self, slot: Slot, tick: u64) {
        let level = level_of(self.tick, tick);
        let index = tick.checked_shr(PLACE_BITS.saturating_mul(level)).unwrap_or(0) % PLACES;
        self.queues.push(queue(level, index), slot);
        if let Some(occupied) = usize::try_from(level).ok().and_then(|level| self.occupied.get_mut(level)) {
            *occupied |= bit(index);
        }
    }

    /// The occupied place that begins first; of two, that of the upper level, whose flows may be due before the other's.
    fn next_occupied(&self) -> Option<Occupied> {
        (0..)
            .zip(self.occupied)
            .filter_map(|(level, occupied)| self.next_of_level(level, occupied))
            .min_by_key(|next| (next.tick, Reverse(next.level)))
    }

    fn next_of_level(&self, level: u32, occupied: u64) -> Option<Occupied> {
        let width = PLACE_BITS.saturating_mul(level);
        let present = self.tick.checked_shr(width)?;
        // From the present place on, and behind the last one the first again.
        let ahead = occupied.rotate_right(u32::try_from(present % PLACES).ok()?);
        if ahead == 0 {
            return None;
        }
        let place = present.saturating_add(u64::from(ahead.trailing_zeros()));
        let tick = place.checked_shl(width)?.max(self.tick);
        Some(Occupied { level, queue: queue(level, place % PLACES), tick })
    }
}

const fn tick_of(at: Timestamp) -> u64 {
    at.as_nanos() >> TICK_BITS
}

/// The lowest level whose present turn holds `tick`.
const fn level_of(present: u64, tick: u64) -> u32 {
    let highest_bit = ((present ^ tick) | (PLACES - 1)).ilog2();
    let level = highest_bit / PLACE_BITS;
    if level > LEVEL_TOP { LEVEL_TOP } else { level }
}

fn queue(level: u32, index: u64) -> u16 {
    u16::try_from((u64::from(level) << PLACE_BITS) | index).unwrap_or(0)
}

const fn bit(index: u64) -> u64 {
    1 << (index % PLACES)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::slab::Slab;

    const TICK: Duration = Duration::from_nanos(1 << TICK_BITS);

    #[test]
    fn a_flow_is_due_in_its_tick_and_not_before() {
        for ticks in [0, 1, 63, 64, 65, 4095, 4096, 262_143, 262_144, TICKS_AHEAD_MAX, TICKS_AHEAD_MAX + 1, 1 << 30] {
            let begin = Timestamp::from_secs(1_750_000_000);
            let mut wheel = Wheel::new();
            assert_eq!(wheel.due_before(begin), None);
            let slot = Slab::new().insert(());
            let due = begin + Duration::from_nanos(ticks << TICK_BITS);
            wheel.enter(slot, due);
            let early = ticks > TICKS_AHEAD_MAX;
            if !early {
                assert_eq!(wheel.due_before(due), None, "{ticks}");
            }
            assert_eq!(wheel.due_before(due + TICK), Some(slot), "{ticks}");
            assert_eq!(wheel.due_before(due + TICK), None);
            assert!(wheel.start() <= due + TICK && due < wheel.start());
        }
    }

    proptest! {
        /// Whatever is entered, moved and taken out: what comes out was due, nothing due stays, and the start of the
        /// wheel never passes what it still holds.
        #[test]
        fn nothing_is_early_and_nothing_is_left_behind(
            steps in prop::collection::vec((0_usize..8, 0_u64..40_000_000_000, 0_u64..3_000_000_000, any::<bool>()), 1..80)
        ) {
            let mut slab = Slab::new();
            let slots: Vec<Slot> = (0..8).map(|index| slab.insert(index)).collect();
            let mut entered = [None; 8];
            let mut wheel = Wheel::new();
            let mut now = Timestamp::from_secs(1_000_000);
            wheel.due_before(now);
            for (which, ahead, pass, leave) in steps {
                let due = now + Duration::from_nanos(ahead);
                if leave {
                    wheel.leave(slots[which]);
                    entered[which] = None;
                } else {
                    wheel.enter(slots[which], due);
                    entered[which] = Some(due);
                }
                now = now + Duration::from_nanos(pass);
                while let Some(slot) = wheel.due_before(now) {
                    let index = *slab.get(slot).unwrap();
                    let due = entered[index].take().unwrap();
                    prop_assert!(tick_of(due) < tick_of(now));
                    prop_assert!(wheel.start() <= due);
                    let least = entered.iter().flatten().min();
                    prop_assert!(least.is_none_or(|&least| tick_of(wheel.start()) <= tick_of(least)));
                }
                prop_assert!(entered.iter().flatten().all(|&due| tick_of(due) >= tick_of(now)));
            }
        }
    }
}
