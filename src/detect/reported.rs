//! Reports of flows in, what each had carried at its last one out.
//!
//! A flow that there is no room for is left for later, and those that are known stay: what it carried is then counted at
//! once, when there is room or when it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::facts::FlowId;
use crate::time::Timestamp;

/// What flows had carried at their last reports, and when those were.
pub(super) struct Reported<T> {
    flows: BTreeMap<FlowId, (Timestamp, T)>,
}

impl<T> Default for Reported<T> {
    fn default() -> Self {
        Self { flows: BTreeMap::new() }
    }
}

impl<T: Copy> Reported<T> {
    /// Of one subject.
    const FLOWS_MAX: usize = 64;
    /// Open flows are told of once an hour: one that is not has ended somewhere else.
    const SILENCE_MAX: Duration = Duration::from_secs(2 * 3600);

    /// Takes what a flow has carried by now. Returns when it was reported last and what it had carried then, which is
    /// `beginning` of one that was not; none where it is left for later.
    pub(super) fn take(
        &mut self,
        (flow, is_over): (FlowId, bool),
        now: (Timestamp, T),
        beginning: (Timestamp, T),
    ) -> Option<(Timestamp, T)> {
        if is_over {
            return Some(self.flows.remove(&flow).unwrap_or(beginning));
        }
        if self.flows.len() >= Self::FLOWS_MAX && !self.flows.contains_key(&flow) {
            let (&silent, &(last, _)) = self.flows.iter().min_by_key(|(_, (last, _))| *last)?;
            if now.0.since(last) <= Self::SILENCE_MAX {
                return None;
            }
            self.flows.remove(&silent);
        }
        Some(self.flows.insert(flow, now).unwrap_or(beginning))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.flows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    /// Reports by flow, hour, what was carried and whether it is over; what of it is counted.
    fn counted(reports: &[(u64, u64, u64, bool)]) -> Vec<u64> {
        let mut reported = Reported::default();
        // Others of which every report comes in time leave room for two.
        for flow in 100..162 {
            reported.take((FlowId(flow), false), (Timestamp::MAX, 0), (Timestamp::MAX, 0));
        }
        let count = |&(flow, hour, carried, is_over): &(u64, u64, u64, bool)| {
            let at = Timestamp::from_secs(hour * HOUR);
            let before = reported.take((FlowId(flow), is_over), (at, carried), (at, 0));
            before.map_or(0, |(_, before)| carried - before)
        };
        reports.iter().map(count).collect()
    }

    #[test]
    fn a_flow_is_counted_once() {
        assert_eq!(counted(&[(1, 1, 10, false), (1, 2, 30, false), (1, 3, 35, true)]), [10, 20, 5]);
    }

    #[test]
    fn who_is_known_stays_and_who_comes_later_is_counted_when_there_is_room_or_at_its_end() {
        let full = [(1, 1, 10, false), (2, 1, 1, false), (3, 1, 7, false), (4, 1, 9, false), (1, 2, 30, false)];
        assert_eq!(counted(&full), [10, 1, 0, 0, 20]);
        let later = [(2, 2, 2, true), (3, 2, 8, false), (4, 2, 12, true), (3, 3, 9, true)];
        assert_eq!(counted(&[&full[..], &later].concat())[5..], [1, 8, 12, 1]);
    }

    #[test]
    fn one_that_is_told_of_no_more_makes_room_after_two_hours() {
        let silent = [(1, 1, 10, false), (2, 2, 10, false)];
        assert_eq!(counted(&[&silent[..], &[(3, 3, 5, false)]].concat()), [10, 10, 0]);
        assert_eq!(counted(&[&silent[..], &[(3, 4, 5, false), (3, 5, 6, false)]].concat()), [10, 10, 5, 1]);
    }
}
