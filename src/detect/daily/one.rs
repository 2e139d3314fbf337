//! The days of one device or tunnel in, findings about those whose inventory entry says by which clock they work out.

use crate::detect::Family;
use crate::detect::daily::{Found, Run};
use crate::enrich::inventory::UtcOffset;
use crate::event::Event;
use crate::facts::{Fields, FlowRef};
use crate::identity::entity::Entity;
use crate::net::Text;
use crate::profile::activity::{Activity, Whose};
use crate::profile::day::Day;
use crate::world::World;

/// The detector's own settings are its `self`.
pub trait OneDetector: Send + 'static {
    const NAME: &'static str;
    const FAMILY: Family;

    /// What there is to say of one on the days up to the one that is over.
    fn judge(&self, one: &One<'_>) -> Option<Fields>;
}

/// One who works, and the clock that is expected.
pub struct One<'a> {
    whose: Whose,
    /// The only account that is known to work there.
    account: Option<Text>,
    pub zone: UtcOffset,
    /// The days with any work, of which one begins so many minutes after midnight UTC.
    pub days: Vec<&'a Day>,
    pub day_begins_minute: u16,
    flow: Option<&'a FlowRef>,
}

impl<'a> One<'a> {
    /// Everybody whose clock is known, in order.
    pub(super) fn all(day: u64, activity: &'a Activity, world: &'a World) -> impl Iterator<Item = Self> {
        let everybody = if world.inventory.has_time_zones() { activity.everybody() } else { Vec::new() };
        everybody.into_iter().filter_map(move |whose| Self::new(whose, day, activity, world))
    }

    fn new(whose: Whose, day: u64, activity: &'a Activity, world: &World) -> Option<Self> {
        let (account, zone) = clock(whose, activity, world)?;
        let day_begins_minute = (activity.beginning(0).as_secs() / 60 % u64::from(Day::MINUTES)) as u16;
        let days = activity.days(whose, day).collect();
        Some(Self { whose, account, zone, days, day_begins_minute, flow: activity.flow(whose) })
    }

    /// The account, or else the device or the site that holds the tunnel.
    pub(super) fn entity(&self) -> Entity {
        match (&self.account, self.whose) {
            (Some(account), _) => Entity::Account(account.clone()),
            (None, Whose::Device(device)) => Entity::Device(device),
            (None, Whose::Tunnel { site, .. }) => Entity::Site(site),
        }
    }

    /// The flow of the latest sign.
    pub(super) fn flow<'f>(&self, event: &Event<'f>) -> &'f FlowRef
    where
        'a: 'f,
    {
        self.flow.unwrap_or(event.flow())
    }
}

/// Whose work it is and by which clock: the account's that logs on there, or that which all known accounts of the site
/// have in common.
fn clock(whose: Whose, activity: &Activity, world: &World) -> Option<(Option<Text>, UtcOffset)> {
    let zone_of = |account: &Text| world.inventory.account(account.as_str())?.time_zone;
    if let Some(account) = activity.account(whose) {
        return Some((Some(account.clone()), zone_of(account)?));
    }
    let site = match whose {
        Whose::Device(device) => world.site_of(device)?.0,
        Whose::Tunnel { site, .. } => site,
    };
    let mut accounts = world.accounts_at(site).filter(|_| world.is_a_household(site)).map(|(account, _)| account);
    let first = accounts.next()?;
    let zone = zone_of(first)?;
    let mut is_only = true;
    for other in accounts {
        is_only = false;
        if zone_of(other) != Some(zone) {
            return None;
        }
    }
    Some((is_only.then(|| first.clone()), zone))
}

pub(in crate::detect) struct Running<D: OneDetector>(pub(in crate::detect) D);

impl<D: OneDetector> Run for Running<D> {
    fn judge_one(&mut self, one: &One<'_>) -> Option<Found> {
        let evidence = self.0.judge(one)?;
        Some(Found { detector: D::NAME, family: D::FAMILY, evidence })
    }
}

#[cfg(test)]
impl<'a> One<'a> {
    pub(in crate::detect) fn of_days(days: Vec<&'a Day>, zone: UtcOffset) -> Self {
        let whose = Whose::Device(crate::identity::device::DeviceId::of_address([10, 0, 0, 1].into()));
        Self { whose, account: None, zone, days, day_begins_minute: 0, flow: None }
    }
}
