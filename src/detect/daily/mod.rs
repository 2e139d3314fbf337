//! The days of everybody in, findings about those who are at one site out.
//!
//! How several fall together is judged once a day, when it is over in packet time, and so is how one keeps to the clock
//! that the inventory says. A daily detector has no state but its settings. To add one: its file, its `mod` line and its
//! line in [`DAILY`].

pub mod draw;
mod one;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::detect::{DAILY, Family, Finding, Settings, Vantage};
use crate::event::Event;
use crate::facts::{Fields, FlowRef};
use crate::identity::entity::Entity;
use crate::identity::site::Site;
use crate::profile::activity::{Activity, Whose};
use crate::profile::co_activity::{Shape, Worker};
use crate::time::Timestamp;
use crate::world::World;
use draw::Draw;
pub(super) use one::Running as RunningOne;
pub use one::{One, OneDetector};

/// The detector's own settings are its `self`.
pub trait DailyDetector: Send + 'static {
    const NAME: &'static str;
    const FAMILY: Family;
    /// What it works out once a day, for groups to share.
    type Today: Default + Send;

    /// What there is to say of a group on the days up to the one that is over.
    fn judge(&self, group: &Group, fleet: &mut Fleet, today: &mut Self::Today) -> Option<Fields>;
}

/// Those who are at one site: devices that are known to be there, or the tunnels that it holds open.
pub struct Group {
    pub site: Site,
    pub members: Vec<Member>,
}

/// One of a group.
pub struct Member {
    pub whose: Whose,
    pub worker: Worker,
}

/// Everybody, once a day.
pub struct Fleet {
    /// The number of the day that is over.
    pub day: u64,
    /// How many days are looked at, the day that is over among them.
    pub day_count: usize,
    /// When the first of them began.
    pub begins: Timestamp,
    /// A part of all there are, taken at random, and where each is.
    pub others: Vec<Other>,
    /// When they all work.
    pub shape: Shape,
    /// What is drawn in the day.
    pub draw: Draw,
}

/// One of the fleet, and where that is known to be.
pub type Other = (Option<Site>, Worker);

impl Group {
    /// More are no household.
    const MEMBERS_MAX: usize = 32;
    /// Judged in a day.
    const GROUPS_MAX: usize = 2000;

    pub fn workers(&self) -> Vec<&Worker> {
        self.members.iter().map(|member| &member.worker).collect()
    }

    /// Those with most members at work, and then with most days of work, in the order they came in; and how many of three
    /// or more have to be left out.
    fn busiest<G>(groups: Vec<G>, days: impl Fn(&G) -> Vec<usize>) -> (Vec<G>, usize) {
        let work = |group: &G| {
            let days = days(group);
            (days.iter().filter(|days| **days > 0).count(), days.iter().sum::<usize>())
        };
        if groups.len() <= Self::GROUPS_MAX {
            return (groups, 0);
        }
        let mut numbered: Vec<(usize, G)> = groups.into_iter().enumerate().collect();
        numbered.sort_by_cached_key(|(number, group)| (Reverse(work(group)), *number));
        let left_out = numbered.split_off(Self::GROUPS_MAX);
        let left_out = left_out.iter().take_while(|(_, group)| work(group).0 >= 3).count();
        numbered.sort_unstable_by_key(|(number, _)| *number);
        (numbered.into_iter().map(|(_, group)| group).collect(), left_out)
    }
}

impl Fleet {
    /// The most others that random groups are made of.
    const OTHERS_MAX: usize = 1000;

    /// The fleet of a day, the groups in it that are judged, and how many are not; none where nobody worked.
    fn new(day: u64, activity: &Activity, world: &World) -> Option<(Self, Vec<Group>, usize)> {
        let mut draw = Draw::new(day);
        let mut everybody = activity.everybody();
        let mut by_site: BTreeMap<(Site, bool), Vec<Whose>> = BTreeMap::new();
        for &whose in &everybody {
            if let Some(site) = site_of(whose, activity, world) {
                by_site.entry((site, matches!(whose, Whose::Device(_)))).or_default().push(whose);
            }
        }
        let count = everybody.len().min(Self::OTHERS_MAX);
        draw.shuffle_first(&mut everybody, count);
        let other = |&whose: &Whose| Some((site_of(whose, activity, world), activity.worker(whose, day)?));
        let others: Vec<Other> = everybody.iter().take(count).filter_map(other).collect();
        let shape = Shape::of(others.iter().map(|(_, worker)| worker))?;
        let member = |whose| Some(Member { whose, worker: activity.worker(whose, day)? });
        let group = |((site, _), members): ((Site, bool), Vec<Whose>)| Group {
            site,
            members: members.into_iter().filter_map(member).collect(),
        };
        let groups = by_site.into_iter().filter(|(_, members)| (2..=Group::MEMBERS_MAX).contains(&members.len()));
        let (groups, left_out) = Group::busiest(groups.collect(), |(_, members)| {
            members.iter().map(|&whose| activity.days(whose, day).count()).collect()
        });
        let groups = groups.into_iter().map(group).collect();
        let day_count = activity.day_count();
        let begins = activity.beginning((day + 1).saturating_sub(day_count as u64));
        Some((Self { day, day_count, begins, others, shape, draw }, groups, left_out))
    }
}

/// Where one is, or was at work last.
fn site_of(whose: Whose, activity: &Activity, world: &World) -> Option<Site> {
    match whose {
        Whose::Device(device) => world.site_of(device).map(|(site, _)| site).or_else(|| activity.site(device)),
        Whose::Tunnel { site, .. } => Some(site),
    }
}

pub struct DailySpec {
    /// What a rule names as `logsource.category`.
    pub name: &'static str,
    pub vantage: Vantage,
    /// The fields of its findings.
    pub fields: &'static [crate::protocol::FieldSpec],
    pub(super) start: fn(&Settings) -> Box<dyn Run>,
}

/// All daily detectors.
pub struct DailyDetectors {
    running: Vec<Box<dyn Run>>,
    /// Groups of three or more that were not judged because there were too many.
    left_out: u64,
}

impl DailyDetectors {
    pub fn new(settings: &Settings) -> Self {
        Self { running: DAILY.iter().map(|spec| (spec.start)(settings)).collect(), left_out: 0 }
    }

    /// Judges the day that was over before `event`, each group by every detector in the order of [`DAILY`].
    pub fn on_day(&mut self, day: u64, activity: &Activity, world: &World, event: &Event<'_>) -> Vec<Finding> {
        let Some((mut fleet, groups, left_out)) = Fleet::new(day, activity, world) else {
            return Vec::new();
        };
        self.left_out += left_out as u64;
        let mut findings = Vec::new();
        for one in One::all(day, activity, world) {
            for detector in &mut self.running {
                findings
                    .extend(detector.judge_one(&one).map(|found| found.about(one.entity(), one.flow(event), event)));
            }
        }
        for group in &groups {
            for detector in &mut self.running {
                findings.extend(detector.judge(group, &mut fleet).map(|found| found.at(event, group, activity)));
            }
        }
        self.running.iter_mut().for_each(|detector| detector.end_day());
        findings
    }

    /// How many groups of three or more were not judged on their day because there were too many.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }
}

pub(super) trait Run: Send {
    fn judge(&mut self, _group: &Group, _fleet: &mut Fleet) -> Option<Found> {
        None
    }
    fn judge_one(&mut self, _one: &One<'_>) -> Option<Found> {
        None
    }
    fn end_day(&mut self) {}
}

pub(super) struct Running<D: DailyDetector> {
    detector: D,
    today: D::Today,
}

impl<D: DailyDetector> Running<D> {
    pub(super) fn new(detector: D) -> Self {
        Self { detector, today: D::Today::default() }
    }
}

/// What a detector found, before it is an event.
pub(super) struct Found {
    detector: &'static str,
    family: Family,
    evidence: Fields,
}

impl<D: DailyDetector> Run for Running<D> {
    fn judge(&mut self, group: &Group, fleet: &mut Fleet) -> Option<Found> {
        let evidence = self.detector.judge(group, fleet, &mut self.today)?;
        Some(Found { detector: D::NAME, family: D::FAMILY, evidence })
    }

    fn end_day(&mut self) {
        self.today = D::Today::default();
    }
}

impl Found {
    /// The flow is the latest one of the member that works most.
    fn at(self, event: &Event<'_>, group: &Group, activity: &Activity) -> Finding {
        let most = group.members.iter().max_by_key(|member| (member.worker.minutes(), member.whose));
        let flow = most.and_then(|member| activity.flow(member.whose)).unwrap_or(event.flow());
        self.about(Entity::Site(group.site), flow, event)
    }

    fn about(self, entity: Entity, flow: &FlowRef, event: &Event<'_>) -> Finding {
        Finding {
            detector: self.detector,
            family: self.family,
            entity,
            at: event.at(),
            seq: event.seq(),
            flow: *flow,
            protocol: flow.protocol,
            application: None,
            evidence: self.evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups by the days on which each member worked, with the least groups before; how many of the former are judged.
    fn judged(groups: &[&[usize]], before: usize) -> (usize, usize) {
        let mut all = vec![(false, vec![1, 1]); before];
        all.extend(groups.iter().map(|days| (true, days.to_vec())));
        let (kept, left_out) = Group::busiest(all, |(_, days)| days.clone());
        assert!(kept.len() <= Group::GROUPS_MAX && kept.is_sorted_by_key(|(is_late, _)| *is_late));
        (kept.iter().filter(|(is_late, _)| *is_late).count(), left_out)
    }

    #[test]
    fn households_with_most_at_work_are_judged_whatever_their_addresses() {
        assert_eq!(judged(&[&[1, 1]], Group::GROUPS_MAX - 1), (1, 0));
        assert_eq!(judged(&[&[1, 1]], Group::GROUPS_MAX), (0, 0), "of equal ones the first");
        assert_eq!(judged(&[&[1, 1, 1]], Group::GROUPS_MAX), (1, 0));
        assert_eq!(judged(&[&[1, 1, 0]], Group::GROUPS_MAX), (0, 0), "the third did nothing");
        assert_eq!(judged(&[&[1, 2]], Group::GROUPS_MAX), (1, 0));
        const THREE: &[usize] = &[1; 3];
        assert_eq!(judged(&[THREE; Group::GROUPS_MAX + 2], 9), (Group::GROUPS_MAX, 2));
    }
}
