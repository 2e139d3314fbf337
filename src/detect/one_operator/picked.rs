//! The days of those at one site in, the three of them who avoid each other most out: those whom one of several operators
//! drives.

use crate::profile::co_activity::Worker;

/// Three of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picked {
    pub places: [usize; 3],
    /// How much less they are together than by their own hours on other days, in standard deviations of counting.
    pub avoidance: f64,
}

impl Picked {
    /// None where there are no more than three, or too few days.
    pub fn of(workers: &[&Worker]) -> Option<Self> {
        let count = workers.len();
        if count <= 3 {
            return None;
        }
        let avoidance = |one: usize, other: usize| workers.get(one)?.avoidance(workers.get(other)?);
        let pairs: Vec<Vec<Option<f64>>> = (0..count)
            .map(|one| (0..count).map(|other| avoidance(one, other).filter(|_| one < other)).collect())
            .collect();
        let pair = |one: usize, other: usize| *pairs.get(one)?.get(other)?;
        let three = |a: usize, b: usize, c: usize| Some(pair(a, b)? + pair(a, c)? + pair(b, c)?);
        let mut best: Option<Self> = None;
        for (a, b) in (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))) {
            let thirds = (b + 1..count).filter_map(|c| Some((three(a, b, c)? / 3.0_f64.sqrt(), c)));
            let Some((avoidance, c)) = thirds.max_by(|one, other| one.0.total_cmp(&other.0)) else { continue };
            if best.is_none_or(|best| best.avoidance < avoidance) {
                best = Some(Self { places: [a, b, c], avoidance });
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::day::Day;

    /// Days that begin later from day to day, with work in every so many quarters of an hour from the first on.
    fn worker(days: usize, first: u16, every: u16) -> Worker {
        Worker::new((0..days as u16).map(|number| {
            let mut day = Day::new();
            let quarters = (0..30).filter(|quarter| (quarter + number) % every == first);
            quarters.flat_map(|quarter| 600 + 15 * quarter..615 + 15 * quarter).for_each(|minute| day.mark(minute));
            day
        }))
    }

    #[test]
    fn the_three_who_take_turns_are_picked_out_of_others() {
        let workers = [worker(6, 0, 2), worker(6, 0, 3), worker(6, 1, 2), worker(6, 1, 3), worker(6, 2, 3)];
        let picked = Picked::of(&workers.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(picked.places, [1, 3, 4]);
        assert!(picked.avoidance > 6.0, "{picked:?}");
    }

    #[test]
    fn of_three_none_are_picked_and_one_day_tells_nothing() {
        let workers = [worker(6, 0, 3), worker(6, 1, 3), worker(6, 2, 3)];
        assert_eq!(Picked::of(&workers.iter().collect::<Vec<_>>()), None);
        let workers: Vec<Worker> = (0..4).map(|first| worker(1, first, 4)).collect();
        assert_eq!(Picked::of(&workers.iter().collect::<Vec<_>>()), None);
    }
}
