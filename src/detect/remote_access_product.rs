//! Which remote-access products a device uses, each told once.
//!
//! # What it sees
//!
//! A device at home speaks to the servers of a remote-access product: by server name, ALPN or certificate. The first
//! product is a finding, the second and every further one within the window, too, each with how many there are. A
//! product that is sanctioned for the organisation's own servers only is told again for others'.
//!
//! # Why it matters
//!
//! One product may be the help desk's. Two on one machine in its first days are the best single sign in print of a
//! machine that somebody else drives: the second is the way back in when the first is taken away.
//!
//! # Normal causes
//!
//! A help desk that changes its product, a supplier's support session, a developer of such products.
//!
//! # Blind spots
//!
//! Products reached under names of their customers', sessions through a browser, an IP-KVM at the machine's own
//! screen. Looking a name up is not taken as use: a resolver asks for everybody.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::{Detector, Family};
use crate::enrich::products::Kind;
use crate::event::Event;
use crate::facts::Fields;
use crate::identity::device::DeviceId;
use crate::identity::entity::Entity;
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::quantity;
use crate::time::Timestamp;

pub const NAME: &str = "remote_access_product";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec {
        name: "spanwatch.products.count",
        help: "How many remote-access products the device used in the window.",
    },
    FieldSpec { name: "spanwatch.products.ids", help: "Their ids, in alphabetical order." },
    FieldSpec { name: "spanwatch.products.since", help: "When the first of them was seen." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RemoteAccessProduct {
    /// Products are counted together that were used within so long.
    #[serde(deserialize_with = "quantity::duration")]
    pub window: Duration,
}

impl Default for RemoteAccessProduct {
    fn default() -> Self {
        Self { window: Duration::from_secs(14 * 86_400) }
    }
}

/// A product, by its id.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Use {
    product: String,
    sanctioned: bool,
}

/// When each was first and last seen.
#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    #[serde(with = "crate::memory::pairs")]
    uses: BTreeMap<Use, (Timestamp, Timestamp)>,
}

impl RemoteAccessProduct {
    /// The most products of a device that are told apart.
    const USES_MAX: usize = 16;
}

impl Detector for RemoteAccessProduct {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::RemoteControl;
    type Subject = DeviceId;
    type Sighting = Use;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(DeviceId, Use)> {
        let application = event.application()?;
        if !application.is_in_use() || application.product.kind != Kind::RemoteAccess {
            return None;
        }
        let device = event.device(event.home_side()?)?;
        Some((device, Use { product: application.product.id.clone(), sanctioned: application.sanctioned }))
    }

    fn judge(&self, window: &mut Window, seen: Use, at: Timestamp) -> Option<Fields> {
        window.uses.retain(|_, (_, last)| at.since(*last) <= self.window);
        if let Some((_, last)) = window.uses.get_mut(&seen) {
            *last = at;
            return None;
        }
        if window.uses.len() == Self::USES_MAX {
            return None;
        }
        window.uses.insert(seen, (at, at));
        let since = window.uses.values().map(|(first, _)| *first).min().unwrap_or(at);
        let mut products: Vec<&str> = window.uses.keys().map(|seen| seen.product.as_str()).collect();
        products.dedup();
        let mut evidence = Fields::default();
        evidence.push("spanwatch.products.count", products.len() as u64);
        evidence.push("spanwatch.products.ids", products.iter().map(|&id| Text::from(id)).collect::<Vec<_>>());
        evidence.push("spanwatch.products.since", since);
        Some(evidence)
    }

    fn entity(device: &DeviceId) -> Entity {
        Entity::Device(*device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    /// The counts of the findings that uses make, in order; none where a use is no finding.
    fn counts(uses: &[(&str, u64)]) -> Vec<Option<String>> {
        let (detector, mut window) = (RemoteAccessProduct::default(), Window::default());
        let judge = |&(product, secs): &(&str, u64)| {
            let seen = Use { product: product.into(), sanctioned: false };
            let evidence = detector.judge(&mut window, seen, Timestamp::from_secs(secs))?;
            Some(format!("{:?}", evidence.get("spanwatch.products.count")?))
        };
        uses.iter().map(judge).collect()
    }

    fn number(count: u64) -> Option<String> {
        Some(format!("Number({count})"))
    }

    #[test]
    fn each_product_is_a_finding_once() {
        assert_eq!(
            counts(&[("a", 1), ("a", 2), ("b", 3), ("a", 4), ("c", 5)]),
            [number(1), None, number(2), None, number(3)]
        );
    }

    #[test]
    fn products_count_together_up_to_the_window_and_no_longer() {
        assert_eq!(counts(&[("a", 0), ("b", 14 * DAY)]), [number(1), number(2)]);
        assert_eq!(counts(&[("a", 0), ("b", 14 * DAY + 1)]), [number(1), number(1)]);
        assert_eq!(counts(&[("a", 0), ("a", DAY), ("b", 15 * DAY)]), [number(1), None, number(2)]);
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let names: Vec<String> = (0..20).map(|number| format!("product{number:02}")).collect();
        let uses: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        assert_eq!(counts(&uses).iter().flatten().count(), RemoteAccessProduct::USES_MAX);
    }

    #[test]
    fn a_product_is_told_again_for_servers_that_are_not_the_organisations() {
        let (detector, mut window) = (RemoteAccessProduct::default(), Window::default());
        let mut judge = |sanctioned| {
            let seen = Use { product: "a".into(), sanctioned };
            detector
                .judge(&mut window, seen, Timestamp::ZERO)
                .map(|evidence| evidence.get("spanwatch.products.count").cloned())
        };
        assert_eq!(judge(true), Some(Some(1_u64.into())));
        assert_eq!(judge(false), Some(Some(1_u64.into())), "one product still");
        assert_eq!(judge(true), None);
    }
}
