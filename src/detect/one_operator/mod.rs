//! One person who drives several laptops of one site.
//!
//! # What it sees
//!
//! The minutes in which somebody was at work on each of the devices of a site, or through each of its tunnels, on the last
//! days. One pair of eyes tiles the day: somebody is always active, and hardly ever two at a time. Three measures, each
//! against the own amount of work of every laptop on every day: the minutes in which anybody was active (high), the times
//! at which two were (low), and the same against other days (low, and not explained by shifts). They add up to a score in
//! standard deviations of groups that chance made of the rest of the fleet, reduced to as much work; of the same laptops
//! with their days in another order where the fleet is too small. With neither it is silent.
//!
//! # Why it matters
//!
//! It is what a laptop farm is for, and it shows however the laptops are driven: also where an IP-KVM at their screens
//! leaves no other trace on the network.
//!
//! # Normal causes
//!
//! One person with several test machines. People who take turns by agreement: a rota, a call centre's desks.
//!
//! # Blind spots
//!
//! One operator for each laptop or for two, several calls at once, programs that type. More than twenty laptops of one
//! operator take more days, because sweeps through all of them look like work at the same time. Where more than one minute
//! in ten is taken for work by mistake, nothing is left to be seen.
//!
//! # How well
//!
//! Against independent people with as little work (`evaluation_tests.rs`, seeds of its own, 400 farms and 400 groups a
//! cell), in a fleet of people who work as little or of people who work full time, area under the curve:
//!
//! | laptops | 1 day | 2 days | 3 days | found by the threshold in 3 days |
//! |---|---|---|---|---|
//! | 3 | 0.999 | 1.000 | 1.000 | 100 % |
//! | 5 | 0.998 | 1.000 | 1.000 | 99 % |
//! | 8 | 0.993 | 0.998 | 1.000 | 97 % |
//! | 12 | 0.987 | 0.994 | 0.999 | 81 % |
//! | 20 | 0.942 | 0.956 | 0.965 | 18 % |
//!
//! The lower one of both fleets is given. Of 16,000 groups of people three came to the threshold.

mod null;
mod picked;

#[cfg(test)]
mod evaluation_tests;
#[cfg(test)]
mod recordings_tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::detect::daily::{DailyDetector, Fleet, Group, Member};
use crate::detect::{Family, rounded};
use crate::facts::Fields;
use crate::net::Text;
use crate::profile::activity::Whose;
use crate::profile::co_activity::{Ratios, Worker};
use crate::protocol::FieldSpec;
use null::Null;
use picked::Picked;

pub const NAME: &str = "one_operator";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec {
        name: "spanwatch.operator.score",
        help: "How far the site is from chance, in standard deviations of the tiling.",
    },
    FieldSpec { name: "spanwatch.operator.devices", help: "How many devices or tunnels fall together like that." },
    FieldSpec { name: "spanwatch.operator.compared", help: "How many of the site were compared to find them." },
    FieldSpec {
        name: "spanwatch.operator.picked",
        help: "Whether they are three picked out of more; their score is that of the best pick.",
    },
    FieldSpec { name: "spanwatch.operator.members", help: "The devices; absent where only tunnels are seen." },
    FieldSpec { name: "spanwatch.operator.days", help: "Days on which two or more of them were active." },
    FieldSpec { name: "spanwatch.operator.since", help: "When the first of the days began that were looked at." },
    FieldSpec { name: "spanwatch.operator.active_minutes", help: "Minutes in which somebody was active." },
    FieldSpec {
        name: "spanwatch.operator.active_minutes_expected",
        help: "Minutes in which somebody would be, if each worked by itself.",
    },
    FieldSpec {
        name: "spanwatch.operator.together",
        help: "How often two were active at a time, over what is expected of them.",
    },
    FieldSpec {
        name: "spanwatch.operator.together_across_days",
        help: "The same, against the times at which each was active on the other days.",
    },
    FieldSpec {
        name: "spanwatch.operator.together_by_chance",
        help: "What one in a hundred groups of chance is below, where 1 is expected.",
    },
    FieldSpec {
        name: "spanwatch.operator.compared_with",
        help: "What chance made groups of: the `fleet`, or the devices' `own_days` in another order.",
    },
    FieldSpec { name: "spanwatch.operator.chance", help: "The part of the groups of chance with as high a score." },
];

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct OneOperator {
    /// Fewer devices of a site are not compared.
    pub devices_min: usize,
    /// A device with less work than so many minutes on its days is left out.
    pub minutes_per_day_min: f64,
    /// From this score on it is told.
    pub score_min: f64,
    /// The same where three of more are picked out: the best of many picks falls farther from chance by itself.
    pub picked_score_min: f64,
}

impl Default for OneOperator {
    fn default() -> Self {
        Self { devices_min: 3, minutes_per_day_min: 10.0, score_min: 4.5, picked_score_min: 3.5 }
    }
}

impl DailyDetector for OneOperator {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Time;
    type Today = Nulls;

    fn judge(&self, group: &Group, fleet: &mut Fleet, nulls: &mut Nulls) -> Option<Fields> {
        let works = |worker: &Worker| worker.minutes_per_day() >= self.minutes_per_day_min;
        let members: Vec<_> = group.members.iter().filter(|member| works(&member.worker)).collect();
        if members.len() < self.devices_min {
            return None;
        }
        let workers: Vec<&Worker> = members.iter().map(|member| &member.worker).collect();
        let null = nulls.of(&workers, fleet)?;
        let ratios = Ratios::of(&workers, &fleet.shape);
        let score = null.score(&ratios);
        if score >= self.score_min && ratios.together < 1.0 {
            return told(&members, (&ratios, score), &null, (members.len(), fleet));
        }
        let picked = Picked::of(&workers)?;
        let score = null.score_of_picked(&picked)?;
        if score < self.picked_score_min {
            return None;
        }
        let three: Vec<&Member> = picked.places.iter().filter_map(|&place| members.get(place).copied()).collect();
        let ratios = Ratios::of(&three.iter().map(|member| &member.worker).collect::<Vec<_>>(), &fleet.shape);
        told(&three, (&ratios, score), &null, (members.len(), fleet))
    }
}

/// What there is to say of those who fall together; none where there is no day to say it of.
fn told(
    members: &[&Member],
    (ratios, score): (&Ratios, f64),
    null: &Null,
    (compared, fleet): (usize, &Fleet),
) -> Option<Fields> {
    if ratios.days == 0 {
        return None;
    }
    let is_picked = members.len() < compared;
    let mut evidence = Fields::default();
    evidence.push("spanwatch.operator.score", rounded(score));
    evidence.push("spanwatch.operator.devices", members.len() as u64);
    evidence.push("spanwatch.operator.compared", compared as u64);
    evidence.push("spanwatch.operator.picked", is_picked);
    let devices: Vec<Text> = members.iter().filter_map(|member| device(member.whose)).collect();
    evidence.push_some("spanwatch.operator.members", (!devices.is_empty()).then_some(devices));
    evidence.push("spanwatch.operator.days", ratios.days);
    evidence.push("spanwatch.operator.since", fleet.begins);
    evidence.push("spanwatch.operator.active_minutes", ratios.active_minutes);
    evidence.push("spanwatch.operator.active_minutes_expected", rounded(ratios.active_minutes_expected));
    evidence.push("spanwatch.operator.together", rounded(ratios.together));
    evidence.push("spanwatch.operator.together_across_days", rounded(ratios.together_across_days));
    evidence.push("spanwatch.operator.together_by_chance", rounded(null.together_low()));
    evidence.push("spanwatch.operator.compared_with", null.basis().as_str());
    evidence.push("spanwatch.operator.chance", rounded(null.share_beyond(score, is_picked)));
    Some(evidence)
}

/// What chance makes of the fleet today, by the number of members and by how much they work.
#[derive(Default)]
pub struct Nulls(BTreeMap<(usize, i32), Option<Arc<Null>>>);

impl Nulls {
    /// For members who work as much as these on average, to a fifth.
    fn of(&mut self, workers: &[&Worker], fleet: &mut Fleet) -> Option<Arc<Null>> {
        const LEVELS_PER_OCTAVE: f64 = 2.0;
        let mean = workers.iter().map(|worker| worker.minutes_per_day()).sum::<f64>() / workers.len() as f64;
        let level = (LEVELS_PER_OCTAVE * mean.log2()).round();
        let (shape, draw) = (&fleet.shape, &mut fleet.draw);
        let of_fleet = self.0.entry((workers.len(), level as i32)).or_insert_with(|| {
            let minutes_per_day = (level / LEVELS_PER_OCTAVE).exp2();
            Null::of_fleet(&fleet.others, (workers.len(), minutes_per_day), shape, draw).map(Arc::new)
        });
        let of_own_days = || Null::of_own_days(workers, fleet.day_count, shape, draw).map(Arc::new);
        of_fleet.clone().or_else(of_own_days)
    }
}

fn device(whose: Whose) -> Option<Text> {
    match whose {
        Whose::Device(device) => Some(device.to_string().into()),
        Whose::Tunnel { .. } => None,
    }
}
