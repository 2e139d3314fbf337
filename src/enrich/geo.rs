//! Country, autonomous system and, where it is known, the point of an address, out of the user's MaxMind-format databases.
//!
//! The layouts of GeoLite2, DB-IP, ip-location-db and IPinfo are understood; what a database does not say is absent.
//! No database at all is as good as an empty one.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashMap;
use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

use crate::enrich::point::Point;

/// What the databases say of an address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<Box<str>>,
    pub as_number: Option<u32>,
    pub as_organization: Option<Box<str>>,
    pub point: Option<Point>,
}

#[derive(Debug, Error)]
pub enum GeoError {
    #[error("{path}: {source}; give the path of a MaxMind-format database (.mmdb)", path = .path.display())]
    Open { path: PathBuf, source: MaxMindDbError },
}

/// The databases, asked in their order: the first to know a thing counts.
#[derive(Clone, Default)]
pub struct Geo {
    readers: Arc<[Reader<Vec<u8>>]>,
    known: RefCell<HashMap<IpAddr, Arc<Place>>>,
    undecodable: Cell<u64>,
}

impl fmt::Debug for Geo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Geo").field("databases", &self.readers.len()).finish_non_exhaustive()
    }
}

impl Geo {
    /// The most addresses whose answers are kept.
    const KNOWN_MAX: usize = 8192;

    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, GeoError> {
        let open = |path: &P| {
            let path = path.as_ref();
            Reader::open_readfile(path).map_err(|source| GeoError::Open { path: path.into(), source })
        };
        Ok(Self { readers: paths.iter().map(open).collect::<Result<_, _>>()?, ..Self::default() })
    }

    pub fn get(&self, address: IpAddr) -> Arc<Place> {
        if self.readers.is_empty() {
            return Arc::default();
        }
        if let Some(place) = self.known.borrow().get(&address) {
            return Arc::clone(place);
        }
        let place = Arc::new(self.look_up(address));
        let mut known = self.known.borrow_mut();
        if known.len() >= Self::KNOWN_MAX {
            known.clear();
        }
        known.insert(address, Arc::clone(&place));
        place
    }

    /// How many records could not be read: a damaged database.
    pub fn undecodable(&self) -> u64 {
        self.undecodable.get()
    }

    fn look_up(&self, address: IpAddr) -> Place {
        let mut place = Place::default();
        for reader in self.readers.iter() {
            // The database has no IPv6 tree: not a fault of the record.
            let Ok(found) = reader.lookup(address) else {
                continue;
            };
            match found.decode::<Record>() {
                Ok(Some(record)) => record.add_to(&mut place),
                Ok(None) => {}
                Err(_) => self.undecodable.set(self.undecodable.get() + 1),
            }
        }
        place
    }
}

/// The members that any of the known layouts uses. Each is read as [`Loose`], so that a number of another width, or a
/// text where another layout has a map, is no error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record {
    country: Loose,
    registered_country: Loose,
    country_code: Loose,
    autonomous_system_number: Loose,
    autonomous_system_organization: Loose,
    asn: Loose,
    as_number: Loose,
    as_name: Loose,
    as_organization: Loose,
    organization: Loose,
    location: Loose,
    #[serde(alias = "lat")]
    latitude: Loose,
    #[serde(alias = "lng")]
    longitude: Loose,
}

impl Record {
    fn add_to(self, place: &mut Place) {
        let country = [self.country, self.country_code, self.registered_country];
        if place.country.is_none() {
            place.country = country.into_iter().find_map(Loose::country);
        }
        let number = [self.autonomous_system_number, self.as_number, self.asn];
        if place.as_number.is_none() {
            place.as_number = number.iter().find_map(Loose::as_number);
        }
        let organization = [self.autonomous_system_organization, self.as_organization, self.as_name, self.organization];
        if place.as_organization.is_none() {
            place.as_organization = organization.into_iter().find_map(Loose::text);
        }
        if place.point.is_none() {
            place.point = self.location.point().or_else(|| {
                let (latitude, longitude) = (self.latitude.real()?, self.longitude.real()?);
                Point::new(latitude, longitude, None)
            });
        }
    }
}

/// A value of any type, of which only a text, a number and a map's `iso_code` or point are kept.
#[derive(Default)]
enum Loose {
    Code(Box<str>),
    Number(u64),
    #[default]
    Other,
    Point(Point),
    Real(f64),
    Text(Box<str>),
}

impl Loose {
    fn country(self) -> Option<Box<str>> {
        let (Self::Code(code) | Self::Text(code)) = self else {
            return None;
        };
        let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_code.then(|| code.to_ascii_uppercase().into())
    }

    fn as_number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => u32::try_from(*number).ok().filter(|&number| number != 0),
            Self::Text(text) => text.trim_start_matches("AS").parse().ok().filter(|&number| number != 0),
            Self::Code(_) | Self::Other | Self::Point(_) | Self::Real(_) => None,
        }
    }

    const fn point(&self) -> Option<Point> {
        match self {
            Self::Point(point) => Some(*point),
            _ => None,
        }
    }

    fn real(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::Code(_) | Self::Other | Self::Point(_) => None,
        }
    }

    fn text(self) -> Option<Box<str>> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_f32<E>(self, number: f32) -> Result<Loose, E> {
        Ok(Loose::Real(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Loose, E> {
        Ok(Loose::Real(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Loose, E> {
        Ok(u64::try_from(number).map_or(Loose::Real(number as f64), Loose::Number))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        let mut code = None;
        let [mut latitude, mut longitude, mut radius_km] = [None; 3];
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "iso_code" => code = map.next_value::<Loose>()?.text(),
                "latitude" => latitude = map.next_value::<Loose>()?.real(),
                "longitude" => longitude = map.next_value::<Loose>()?.real(),
                "accuracy_radius" => radius_km = map.next_value::<Loose>()?.real(),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let point = || Point::new(latitude?, longitude?, radius_km);
        Ok(code.map(Loose::Code).or_else(|| point().map(Loose::Point)).unwrap_or_default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.into()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Loose, E> {
        Ok(u64::try_from(number).map_or(Loose::Other, Loose::Number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose::Number(number))
    }
}

#[cfg(test)]
#[path = "geo_tests.rs"]
mod tests;
