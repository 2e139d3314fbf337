//! Where an account was seen, and when.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::identity::device::DeviceId;
use crate::time::Timestamp;

#[derive(Clone, Debug)]
pub struct AccountHistory {
    pub first: Timestamp,
    pub last: Timestamp,
    places: BTreeMap<IpAddr, Place>,
}

/// An address that an account logged on from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    pub first: Timestamp,
    pub last: Timestamp,
    pub log_ons: u64,
    pub country: Option<String>,
    pub device: Option<DeviceId>,
}

impl AccountHistory {
    /// The most places that are kept; the one seen longest ago gives way.
    const PLACES_MAX: usize = 64;

    pub(super) const fn new(at: Timestamp) -> Self {
        Self { first: at, last: at, places: BTreeMap::new() }
    }

    pub(super) fn seen_at(
        &mut self,
        address: IpAddr,
        country: Option<String>,
        device: Option<DeviceId>,
        at: Timestamp,
    ) {
        self.last = self.last.max(at);
        if self.places.len() >= Self::PLACES_MAX && !self.places.contains_key(&address) {
            let oldest = self.places.iter().min_by_key(|(address, place)| (place.last, **address));
            oldest.map(|(address, _)| *address).and_then(|address| self.places.remove(&address));
        }
        let place = self.places.entry(address).or_insert(Place { first: at, last: at, log_ons: 0, country, device });
        (place.last, place.log_ons) = (at, place.log_ons + 1);
        place.device = device.or(place.device);
    }

    pub fn places(&self) -> impl Iterator<Item = (IpAddr, &Place)> {
        self.places.iter().map(|(address, place)| (*address, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_seen_longest_ago_gives_way() {
        let at = Timestamp::from_secs;
        let mut account = AccountHistory::new(at(0));
        for last in 0..65_u8 {
            account.seen_at(IpAddr::from([192, 0, 2, last]), None, None, at(u64::from(last)));
            account.seen_at(IpAddr::from([192, 0, 2, 0]), None, None, at(u64::from(last)));
        }
        let places: Vec<_> = account.places().map(|(address, place)| (address.to_string(), place.log_ons)).collect();
        assert_eq!(places.len(), 64);
        assert_eq!(places[..2], [("192.0.2.0".into(), 66), ("192.0.2.2".into(), 1)]);
    }
}
