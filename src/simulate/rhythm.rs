//! When people are at work: a day in minutes, in which a hand moves or does not.

use super::random::Random;

/// The minutes of a day from midnight on; a day that runs on past midnight has more than a day's.
pub const MINUTES_MAX: usize = 36 * 60;

/// The habits of a person, in minutes.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    /// When the day begins and ends, from midnight of the company's clock on.
    pub begin: f64,
    pub end: f64,
    pub lunch: f64,
    /// The share of minutes in which the hand moves, at full swing.
    pub intensity: f64,
}

impl Rhythm {
    const WORKDAY: f64 = 480.0;

    /// An employee with hours of their own, so many hours behind the company's clock.
    pub fn own(zone_hours: f64, random: &mut Random) -> Self {
        let begin = 9.0 * 60.0 + zone_hours * 60.0 + random.normal(0.0, 45.0);
        Self {
            begin,
            end: begin + Self::WORKDAY + random.normal(20.0, 40.0),
            lunch: begin + 225.0 + random.normal(0.0, 30.0),
            intensity: 0.5 * random.lognormal(1.0, 0.25),
        }
    }

    /// A day of it: a two-state chain whose bouts last eight minutes on average, thinned at the ends and at lunch, and
    /// without the minutes of meetings that most of the company has together.
    pub fn day(&self, meetings: &[(usize, usize)], random: &mut Random) -> Day {
        const LEAVE: f64 = 1.0 / 8.0;
        let begin = (self.begin + random.normal(0.0, 12.0)).max(1.0);
        let end = (self.end + random.normal(0.0, 20.0)).clamp(begin + 60.0, MINUTES_MAX as f64 - 1.0);
        let scale = self.intensity * random.lognormal(1.0, 0.15);
        let attends: Vec<bool> = meetings.iter().map(|_| random.chance(0.6)).collect();
        let mut active = vec![false; MINUTES_MAX];
        let mut is_on = false;
        for (minute, is_active) in active.iter_mut().enumerate().take(end as usize).skip(begin as usize) {
            let at = minute as f64;
            let at_lunch = (self.lunch..self.lunch + 45.0).contains(&at);
            let share = (scale * if at_lunch { 0.45 } else { 1.0 }).clamp(0.002, 0.95);
            let enter = (LEAVE * share / (1.0 - share)).min(0.95);
            is_on = if is_on { !random.chance(LEAVE) } else { random.chance(enter) };
            let meets =
                meetings.iter().zip(&attends).any(|(&(from, to), attends)| *attends && (from..to).contains(&minute));
            *is_active = is_on && !meets;
        }
        Day { begin: begin as usize, end: end as usize, active }
    }
}

/// A person's day.
#[derive(Clone, Debug)]
pub struct Day {
    /// The first and the last minute at the machine.
    pub begin: usize,
    pub end: usize,
    pub active: Vec<bool>,
}

/// How one person drives several machines: one at a time, with a look at the others now and then.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    pub rhythm: Rhythm,
    /// The mean minutes at one machine.
    pub dwell: f64,
    /// The share of minutes spent on another one.
    pub glance: f64,
    /// The share of the day at work.
    pub duty: f64,
    /// The minutes between rounds of all machines.
    pub sweep: usize,
}

impl Operator {
    pub fn new(rhythm: Rhythm) -> Self {
        Self { rhythm, dwell: 15.0, glance: 1.0 / 6.0, duty: 0.85, sweep: 75 }
    }

    /// A day at so many machines: which minutes each of them was driven in.
    pub fn day(&self, machines: usize, random: &mut Random) -> Vec<Day> {
        let begin = (self.rhythm.begin + random.normal(0.0, 7.0)).max(1.0) as usize;
        let end = (self.rhythm.end + random.normal(0.0, 7.0)).min(MINUTES_MAX as f64 - 1.0) as usize;
        let mut days = vec![Day { begin, end, active: vec![false; MINUTES_MAX] }; machines];
        let (mut current, mut is_on) = (random.below(machines as u64) as usize, true);
        let (phase, mut round) = (random.below(self.sweep as u64) as usize, machines);
        for minute in begin..end {
            if random.chance(1.0 / self.dwell) {
                current = random.below(machines as u64) as usize;
            }
            is_on = if is_on { random.chance(0.992) } else { random.chance(0.008 * self.duty / (1.0 - self.duty)) };
            let at_lunch = (self.rhythm.lunch..self.rhythm.lunch + 45.0).contains(&(minute as f64));
            if !is_on || (at_lunch && random.chance(0.55)) {
                continue;
            }
            if (minute + phase) % self.sweep == 0 {
                round = 0;
            }
            if round < machines {
                days[round].active[minute] = true;
                round += 1;
                continue;
            }
            let other = random.below(machines as u64) as usize;
            days[if random.chance(self.glance) { other } else { current }].active[minute] = true;
        }
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(days: &[Day], test: impl Fn(usize) -> bool) -> f64 {
        let minutes: Vec<usize> = (days[0].begin..days[0].end).collect();
        minutes.iter().filter(|&&minute| test(days.iter().filter(|day| day.active[minute]).count())).count() as f64
            / minutes.len() as f64
    }

    #[test]
    fn an_operator_is_at_one_machine_at_a_time_and_seldom_at_none() {
        let mut random = Random::new(5);
        let operator = Operator::new(Rhythm::own(0.0, &mut random));
        let days: Vec<Vec<Day>> = (0..20).map(|_| operator.day(6, &mut random)).collect();
        for day in &days {
            assert_eq!(share(day, |count| count > 1), 0.0);
        }
        let mean: f64 = days.iter().map(|day| share(day, |count| count == 1)).sum::<f64>() / 20.0;
        assert!((0.65..0.95).contains(&mean), "{mean}");
    }

    #[test]
    fn an_employee_is_active_in_half_of_the_minutes_between_begin_and_end() {
        let mut random = Random::new(6);
        let rhythm = Rhythm { begin: 540.0, end: 1020.0, lunch: 765.0, intensity: 0.5 };
        let days: Vec<Day> = (0..200).map(|_| rhythm.day(&[], &mut random)).collect();
        let active: usize = days.iter().map(|day| day.active.iter().filter(|active| **active).count()).sum();
        let minutes: usize = days.iter().map(|day| day.end - day.begin).sum();
        let mean = active as f64 / minutes as f64;
        assert!((0.42..0.55).contains(&mean), "{mean}");
        assert!(
            days.iter().all(|day| day.active[..day.begin].iter().chain(&day.active[day.end..]).all(|active| !active))
        );
    }
}
