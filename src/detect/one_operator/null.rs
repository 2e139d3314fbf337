//! Groups that chance made in, how far a group is from them out.

use std::collections::BTreeSet;

use crate::detect::daily::Other;
use crate::detect::daily::draw::Draw;
use crate::detect::one_operator::picked::Picked;
use crate::profile::co_activity::{Ratios, Shape, Worker};

/// How the ratios of groups fall that nobody drives together.
#[derive(Clone, Debug)]
pub struct Null {
    basis: Basis,
    together_weight: f64,
    tiling: Spread,
    together: Spread,
    together_across_days: Spread,
    /// Of the groups themselves, the least first.
    scores: Vec<f64>,
    /// How the avoidance of those falls that are picked out of each group.
    picked: Option<Spread>,
    picked_scores: Vec<f64>,
}

/// What the groups were made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Basis {
    /// Others, taken at random from those who work about as much.
    Fleet,
    /// The same ones, each with the own days in another order: where there are too few others.
    OwnDays,
}

impl Basis {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::OwnDays => "own_days",
        }
    }
}

/// A mean and a standard deviation: of a logarithm, where it is a ratio's.
#[derive(Clone, Copy, Debug)]
struct Spread {
    mean: f64,
    deviation: f64,
}

impl Null {
    /// So many groups are made.
    const GROUPS: usize = 200;
    /// In groups out of fewer others, the same ones would meet again and again.
    const OTHERS_PER_MEMBER: usize = 4;
    const OTHERS_MIN: usize = 20;
    /// With fewer days there are too few orders of them.
    const OWN_DAYS_MIN: usize = 4;

    /// Groups of `count` out of `others`, no two of one site, as if these worked no more than so many minutes a day; none
    /// where there are too few.
    pub fn of_fleet(
        others: &[Other],
        (count, minutes_per_day): (usize, f64),
        shape: &Shape,
        draw: &mut Draw,
    ) -> Option<Self> {
        let works = |(_, worker): &&Other| worker.minutes_per_day() >= minutes_per_day / 2.0;
        let mut others: Vec<&Other> = others.iter().filter(works).collect();
        if others.len() < Self::OTHERS_MIN.max(Self::OTHERS_PER_MEMBER * count) {
            return None;
        }
        let mut group = || {
            draw.shuffle_first(&mut others, 2 * count);
            let mut sites = BTreeSet::new();
            let is_elsewhere = |(site, _): &&&Other| site.is_none_or(|site| sites.insert(site));
            let taken = others.iter().filter(is_elsewhere).take(count).map(|(_, worker)| worker);
            taken.map(|worker| worker.reduced(minutes_per_day, |part| draw.chance(part))).collect()
        };
        Self::of((0..Self::GROUPS).map(|_| group()), shape, count, Basis::Fleet)
    }

    /// Groups of the members on days that never were together; none where the days are too few.
    pub fn of_own_days(members: &[&Worker], day_count: usize, shape: &Shape, draw: &mut Draw) -> Option<Self> {
        let days_active = members.iter().map(|worker| worker.days_active() as usize).min().unwrap_or(0);
        if days_active < Self::OWN_DAYS_MIN {
            return None;
        }
        let days: Vec<usize> =
            (0..day_count).filter(|&day| members.iter().any(|worker| worker.works_on(day))).collect();
        let mut group = || {
            let mut moved = |worker: &Worker| {
                let mut order = days.clone();
                draw.shuffle_first(&mut order, days.len());
                worker.reordered(&order)
            };
            members.iter().map(|worker| moved(worker)).collect()
        };
        Self::of((0..Self::GROUPS).map(|_| group()), shape, members.len(), Basis::OwnDays)
    }

    pub const fn basis(&self) -> Basis {
        self.basis
    }

    /// How far the group is from chance in the direction of one operator, in standard deviations of the tiling. The two
    /// measures of being together say nearly the same, and on the first day the same, so they count half each; and less
    /// in a greater group, where more of what is together are glances.
    pub fn score(&self, ratios: &Ratios) -> f64 {
        let across_days =
            if ratios.days > 1 { self.together_across_days.z(ratios.together_across_days.ln()) } else { 0.0 };
        self.tiling.z(ratios.tiling.ln()) - self.together_weight * (self.together.z(ratios.together.ln()) + across_days)
    }

    /// How far those who were picked out of the group avoid each other beyond those picked out of groups of chance.
    pub fn score_of_picked(&self, picked: &Picked) -> Option<f64> {
        Some(self.picked?.z(picked.avoidance))
    }

    /// The part of the groups that chance made which are at least as far from it.
    pub fn share_beyond(&self, score: f64, is_picked: bool) -> f64 {
        let scores = if is_picked { &self.picked_scores } else { &self.scores };
        let below = scores.partition_point(|&known| known < score);
        (scores.len() - below) as f64 / scores.len().max(1) as f64
    }

    /// The value of [`Ratios::together`] that only one in a hundred of the groups is below.
    pub fn together_low(&self) -> f64 {
        const ONE_IN_A_HUNDRED: f64 = -2.326;
        ONE_IN_A_HUNDRED.mul_add(self.together.deviation, self.together.mean).exp()
    }

    fn of(groups: impl Iterator<Item = Vec<Worker>>, shape: &Shape, count: usize, basis: Basis) -> Option<Self> {
        let (mut groups_ratios, mut avoidances) = (Vec::new(), Vec::new());
        for group in groups {
            let group: Vec<&Worker> = group.iter().collect();
            groups_ratios.push(Ratios::of(&group, shape));
            avoidances.extend(Picked::of(&group).map(|picked| picked.avoidance));
        }
        let spread = |of: fn(&Ratios) -> f64| Spread::of(groups_ratios.iter().map(|ratios| of(ratios).ln()));
        let mut null = Self {
            basis,
            together_weight: 0.5 * (3.0 / count as f64).sqrt(),
            tiling: spread(|ratios| ratios.tiling)?,
            together: spread(|ratios| ratios.together)?,
            together_across_days: spread(|ratios| ratios.together_across_days)?,
            scores: Vec::new(),
            picked: Spread::of(avoidances.iter().copied()).filter(|_| avoidances.len() > Self::GROUPS / 2),
            picked_scores: Vec::new(),
        };
        null.scores = groups_ratios.iter().map(|ratios| null.score(ratios)).collect();
        null.scores.sort_by(f64::total_cmp);
        null.picked_scores =
            null.picked.map_or_else(Vec::new, |picked| avoidances.iter().map(|&a| picked.z(a)).collect());
        null.picked_scores.sort_by(f64::total_cmp);
        Some(null)
    }
}

impl Spread {
    /// Less than this is no spread of people.
    const DEVIATION_MIN: f64 = 0.01;

    fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let is_known = mean.is_finite() && variance.is_finite();
        is_known.then(|| Self { mean, deviation: variance.sqrt().max(Self::DEVIATION_MIN) })
    }

    fn z(self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }
}
