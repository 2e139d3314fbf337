//! The working minutes of several people in, how they fall together out, against what chance would give people with the
//! same amount of work.
//!
//! One pair of eyes tiles the day: somebody is always active and never two at a time. Everything is measured against each
//! one's own amount of work on each day, so that neither idle nor busy people stand out.

use crate::profile::day::{Bins, Day};

/// Some consecutive days of one who works.
#[derive(Clone, Debug, Default)]
pub struct Worker {
    days: Vec<Worked>,
    minutes: u32,
}

#[derive(Clone, Debug, Default)]
struct Worked {
    day: Day,
    bins: Bins,
    minutes: u16,
    bins_count: u16,
}

/// At which times of the day work is done: the share of all of it in each bin of five minutes.
#[derive(Clone, Debug)]
pub struct Shape {
    minutes: [f64; Bins::COUNT],
    /// The chance that two bins of work are the same: the sum of the squares of their shares.
    meeting: f64,
}

/// What was seen over what was expected; each is 1 for people who work by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Ratios {
    /// The minutes in which somebody was active: high for one operator.
    pub tiling: f64,
    /// The bins in which two were, by everybody's times of the day: low for one operator.
    pub together: f64,
    /// The same, by their own times on the other days: not explained by fixed shifts.
    pub together_across_days: f64,
    pub active_minutes: u32,
    pub active_minutes_expected: f64,
    /// Days on which two or more were active.
    pub days: u32,
}

impl Worker {
    pub fn new(days: impl IntoIterator<Item = Day>) -> Self {
        let days: Vec<Worked> = days.into_iter().map(Worked::new).collect();
        let minutes = days.iter().map(|worked| u32::from(worked.minutes)).sum();
        Self { days, minutes }
    }

    pub fn days(&self) -> impl Iterator<Item = &Day> {
        self.days.iter().map(|worked| &worked.day)
    }

    /// The active minutes of all days.
    pub const fn minutes(&self) -> u32 {
        self.minutes
    }

    /// The days with any work.
    pub fn days_active(&self) -> u32 {
        self.days.iter().map(|worked| u32::from(worked.minutes > 0)).sum()
    }

    /// The active minutes of a day with any work.
    pub fn minutes_per_day(&self) -> f64 {
        f64::from(self.minutes) / f64::from(self.days_active().max(1))
    }

    /// The same one, had there been no more than so many minutes of work a day on average: only in some quarters of an hour.
    pub fn reduced(&self, minutes_per_day: f64, mut chance: impl FnMut(f64) -> bool) -> Self {
        let kept = minutes_per_day / self.minutes_per_day().max(1.0);
        if kept >= 1.0 {
            return self.clone();
        }
        Self::new(self.days.iter().map(|worked| worked.day.in_quarters(|| chance(kept))))
    }

    /// Whether there was any work on a day, counted from 0.
    pub fn works_on(&self, day: usize) -> bool {
        self.days.get(day).is_some_and(|worked| worked.minutes > 0)
    }

    /// How much less two are active in the same bins than on days of one and the other that were not the same, in standard
    /// deviations of counting; none where there are too few days to compare with.
    pub fn avoidance(&self, other: &Self) -> Option<f64> {
        let (mut met, mut same_days, mut across, mut across_days) = (0.0, 0.0, 0.0, 0.0);
        for (day, own) in self.active_days() {
            for (others_day, others) in other.active_days() {
                let common = f64::from(own.bins.common(&others.bins));
                let (sum, days) =
                    if day == others_day { (&mut met, &mut same_days) } else { (&mut across, &mut across_days) };
                *sum += common;
                *days += 1.0;
            }
        }
        if same_days < 2.0 {
            return None;
        }
        let expected = across / across_days * same_days;
        Some((expected - met) / (expected + 1.0).sqrt())
    }

    /// The days with any work, counted from 0.
    fn active_days(&self) -> impl Iterator<Item = (usize, &Worked)> {
        self.days.iter().enumerate().filter(|(_, worked)| worked.minutes > 0)
    }

    /// The same one, had these days come in this order.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let days = order.iter().filter_map(|&day| self.days.get(day)).cloned().collect();
        Self { days, minutes: self.minutes }
    }
}

impl Worked {
    fn new(day: Day) -> Self {
        let bins = day.bins();
        Self { minutes: day.count(), bins_count: bins.count(), day, bins }
    }
}

impl Shape {
    /// Work is told to be done so many bins earlier or later than it was, the less the farther.
    const SMOOTHED_BINS: usize = 6;

    /// None where nobody works.
    pub fn of<'w>(workers: impl IntoIterator<Item = &'w Worker>) -> Option<Self> {
        let (mut minutes, mut bins) = ([0.0; Bins::COUNT], [0.0; Bins::COUNT]);
        for worked in workers.into_iter().flat_map(|worker| &worker.days) {
            worked.day.minutes().for_each(|minute| minutes[usize::from(minute / Bins::MINUTES)] += 1.0);
            worked.bins.marked().for_each(|bin| bins[bin] += 1.0);
        }
        let (minutes, bins) = (shares(&smooth(&minutes))?, shares(&smooth(&bins))?);
        let meeting = bins.iter().map(|share| share * share).sum();
        Some(Self { minutes, meeting })
    }

    /// The minutes in which at least one of the group is active on the day, if each is active by chance.
    fn expected_active_minutes(&self, group: &[&Worker], day: usize) -> f64 {
        let length = f64::from(Bins::MINUTES);
        let counts: Vec<f64> =
            worked_on(group, day).filter(|w| w.minutes > 0).map(|w| f64::from(w.minutes) / length).collect();
        let in_bin = |share: &f64| {
            let nobody: f64 = counts.iter().map(|count| 1.0 - (count * share).min(CHANCE_MAX)).product();
            length * (1.0 - nobody)
        };
        self.minutes.iter().filter(|&&share| share > 0.0).map(in_bin).sum()
    }

    /// The pairs of the group that are active in the same bin on the day, if each is active by chance.
    fn expected_pairs(&self, group: &[&Worker], day: usize) -> f64 {
        let counts = || worked_on(group, day).map(|worked| f64::from(worked.bins_count));
        let (sum, squares): (f64, f64) = (counts().sum(), counts().map(|count| count * count).sum());
        self.meeting * (sum * sum - squares) / 2.0
    }
}

/// Nobody is certain to be active.
const CHANCE_MAX: f64 = 0.98;

impl Ratios {
    pub fn of(group: &[&Worker], shape: &Shape) -> Self {
        let mut tally = Tally::new(group);
        let day_count = group.iter().map(|worker| worker.days.len()).max().unwrap_or(0);
        for day in 0..day_count {
            tally.add_day(group, shape, day);
        }
        let pairs = tally.pairs + 1.0;
        let together = pairs / (tally.pairs_expected + 1.0);
        Self {
            tiling: (f64::from(tally.active_minutes) + 1.0) / (tally.active_minutes_expected + 1.0),
            together,
            together_across_days: tally.pairs_across_days().map_or(together, |expected| pairs / (expected + 1.0)),
            active_minutes: tally.active_minutes,
            active_minutes_expected: tally.active_minutes_expected,
            days: tally.days,
        }
    }
}

/// What is counted of a group from day to day.
struct Tally {
    active_minutes: u32,
    active_minutes_expected: f64,
    pairs: f64,
    pairs_expected: f64,
    days: u32,
    /// Per bin: the active ones summed over days, and the pairs of one and the same day.
    active_by_bin: [u32; Bins::COUNT],
    same_day_by_bin: [u32; Bins::COUNT],
    /// Per bin, for each of the group: its days active in it, squared and summed over the group.
    own_by_bin: [u32; Bins::COUNT],
}

impl Tally {
    fn new(group: &[&Worker]) -> Self {
        let mut own_by_bin = [0; Bins::COUNT];
        for worker in group {
            let mut days_by_bin = [0_u32; Bins::COUNT];
            worker.days.iter().flat_map(|worked| worked.bins.marked()).for_each(|bin| days_by_bin[bin] += 1);
            own_by_bin.iter_mut().zip(days_by_bin).for_each(|(sum, days)| *sum += days * days);
        }
        Self {
            active_minutes: 0,
            active_minutes_expected: 0.0,
            pairs: 0.0,
            pairs_expected: 0.0,
            days: 0,
            active_by_bin: [0; Bins::COUNT],
            same_day_by_bin: [0; Bins::COUNT],
            own_by_bin,
        }
    }

    fn add_day(&mut self, group: &[&Worker], shape: &Shape, day: usize) {
        let (mut anybody, mut active) = (Day::new(), [0_u32; Bins::COUNT]);
        for worked in worked_on(group, day) {
            anybody.unite(&worked.day);
            worked.bins.marked().for_each(|bin| active[bin] += 1);
        }
        self.active_minutes += u32::from(anybody.count());
        self.active_minutes_expected += shape.expected_active_minutes(group, day);
        self.pairs_expected += shape.expected_pairs(group, day);
        for (bin, count) in active.into_iter().enumerate() {
            let ordered_pairs = count * count.saturating_sub(1);
            self.pairs += f64::from(ordered_pairs) / 2.0;
            self.active_by_bin[bin] += count;
            self.same_day_by_bin[bin] += ordered_pairs;
        }
        self.days += u32::from(worked_on(group, day).filter(|worked| worked.minutes > 0).count() >= 2);
    }

    /// The pairs expected of the same people, had each day of one met another day of the other.
    fn pairs_across_days(&self) -> Option<f64> {
        if self.days < 2 {
            return None;
        }
        let in_bin = |bin: usize| {
            let active = f64::from(self.active_by_bin[bin]);
            active * active - f64::from(self.own_by_bin[bin]) - f64::from(self.same_day_by_bin[bin])
        };
        let ordered_pairs: f64 = (0..Bins::COUNT).map(in_bin).sum();
        Some(ordered_pairs / 2.0 / f64::from(self.days - 1))
    }
}

fn worked_on<'g>(group: &'g [&Worker], day: usize) -> impl Iterator<Item = &'g Worked> {
    group.iter().filter_map(move |worker| worker.days.get(day))
}

/// Triangular, round the clock.
fn smooth(counts: &[f64; Bins::COUNT]) -> [f64; Bins::COUNT] {
    let mut smoothed = [0.0; Bins::COUNT];
    for (bin, count) in counts.iter().enumerate() {
        for distance in 0..=2 * Shape::SMOOTHED_BINS {
            let weight = (Shape::SMOOTHED_BINS + 1 - distance.abs_diff(Shape::SMOOTHED_BINS)) as f64;
            let place = (bin + Bins::COUNT + distance - Shape::SMOOTHED_BINS) % Bins::COUNT;
            smoothed[place] += weight * count;
        }
    }
    smoothed
}

fn shares(counts: &[f64; Bins::COUNT]) -> Option<[f64; Bins::COUNT]> {
    let total: f64 = counts.iter().sum();
    (total > 0.0).then(|| counts.map(|count| count / total))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABSENT: (u16, u16) = (0, 0);

    /// Days with work from one minute to another.
    fn worker(days: &[(u16, u16)]) -> Worker {
        Worker::new(days.iter().map(|&(begin, end)| {
            let mut day = Day::new();
            (begin..end).for_each(|minute| day.mark(minute));
            day
        }))
    }

    fn ratios(group: &[Worker], shape: &Shape) -> Ratios {
        Ratios::of(&group.iter().collect::<Vec<_>>(), shape)
    }

    /// Everybody works from 8 to 16 o'clock.
    fn office() -> Shape {
        Shape::of(&[worker(&[(480, 960)])]).unwrap()
    }

    #[test]
    fn those_who_never_work_at_the_same_time_tile_and_exclude_each_other() {
        let group = [worker(&[(480, 640)]), worker(&[(640, 800)]), worker(&[(800, 960)])];
        let ratios = ratios(&group, &office());
        assert_eq!((ratios.active_minutes, ratios.days), (480, 1));
        assert!((ratios.tiling - 480.0 / 338.0).abs() < 0.05, "{ratios:?}");
        assert!(ratios.together < 0.05 && ratios.together_across_days == ratios.together, "{ratios:?}");
    }

    #[test]
    fn those_who_work_at_the_same_time_do_the_contrary() {
        let group = [worker(&[(480, 640)]), worker(&[(480, 640)]), worker(&[(480, 640)])];
        let ratios = ratios(&group, &office());
        assert!(ratios.tiling < 0.6 && ratios.together > 2.5, "{ratios:?}");
    }

    #[test]
    fn fixed_shifts_explain_themselves_across_days() {
        let (morning, afternoon) = ((480, 700), (720, 960));
        let group = [worker(&[morning, morning, morning]), worker(&[afternoon, afternoon, afternoon])];
        let ratios = ratios(&group, &office());
        assert!(ratios.together < 0.1, "{ratios:?}");
        assert!((ratios.together_across_days - 1.0).abs() < 0.01, "{ratios:?}");
    }

    #[test]
    fn an_absent_day_counts_for_nothing() {
        let group = [worker(&[(480, 640), ABSENT]), worker(&[(640, 800), ABSENT])];
        let one_day = [worker(&[(480, 640)]), worker(&[(640, 800)])];
        let (two, one) = (ratios(&group, &office()), ratios(&one_day, &office()));
        assert_eq!((two.days, two.tiling, two.together), (1, one.tiling, one.together));
    }

    #[test]
    fn nobodys_work_has_no_shape() {
        assert!(Shape::of(&[worker(&[ABSENT])]).is_none());
        assert!(Shape::of([]).is_none());
    }
}
