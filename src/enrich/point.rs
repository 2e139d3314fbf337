//! Two points on the earth in, how far they are apart out.

use serde::{Deserialize, Serialize};

/// Where an address is said to be, and how far it may be from there.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Point {
    /// In degrees, north and east.
    pub latitude: f64,
    pub longitude: f64,
    pub radius_km: f64,
}

impl Point {
    const EARTH_RADIUS_KM: f64 = 6371.0;
    /// What databases say of cities that do not say how sure they are.
    const RADIUS_KM: f64 = 50.0;

    /// None where that is no place on the earth, or the middle of nothing that stands for an unknown one.
    pub fn new(latitude: f64, longitude: f64, radius_km: Option<f64>) -> Option<Self> {
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0 && (latitude != 0.0 || longitude != 0.0);
        let radius_km = radius_km.filter(|radius_km| *radius_km >= 0.0).unwrap_or(Self::RADIUS_KM);
        is_on_earth.then_some(Self { latitude, longitude, radius_km })
    }

    /// The way between two at least, by the haversine formula and less both radii.
    pub fn distance_km(&self, other: &Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let north = ((to - from) / 2.0).sin().powi(2);
        let east = ((other.longitude - self.longitude).to_radians() / 2.0).sin().powi(2);
        let half_chord = (from.cos() * to.cos()).mul_add(east, north).clamp(0.0, 1.0).sqrt();
        (2.0 * Self::EARTH_RADIUS_KM * half_chord.asin() - self.radius_km - other.radius_km).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_two_cities_is_less_their_radii() {
        let new_york = Point::new(40.71, -74.01, Some(20.0)).unwrap();
        let los_angeles = Point::new(34.05, -118.24, Some(30.0)).unwrap();
        let distance_km = new_york.distance_km(&los_angeles);
        assert!((distance_km - 3886.0).abs() < 10.0, "{distance_km}");
        assert_eq!(new_york.distance_km(&new_york), 0.0);
        let antipode = Point::new(-40.71, 105.99, Some(0.0)).unwrap();
        assert!((new_york.distance_km(&antipode) - 19_995.0).abs() < 10.0);
    }

    #[test]
    fn what_is_no_place_is_none() {
        assert_eq!(Point::new(90.1, 0.0, None), None);
        assert_eq!(Point::new(1.0, f64::NAN, None), None);
        assert_eq!(Point::new(0.0, 0.0, None), None);
        assert_eq!(Point::new(0.0, 1.0, Some(-1.0)).map(|point| point.radius_km), Some(Point::RADIUS_KM));
    }
}
