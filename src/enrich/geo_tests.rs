use std::fs;

use super::*;

/// MaxMind's test databases, where they are at hand.
fn databases() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/mmdb");
    if !dir.is_dir() {
        println!("skipped: {} is not there", dir.display());
        return None;
    }
    Some(dir)
}

fn place(geo: &Geo, address: &str) -> (Option<String>, Option<u32>, Option<String>) {
    let place = geo.get(address.parse().unwrap());
    (place.country.as_deref().map(str::to_owned), place.as_number, place.as_organization.as_deref().map(str::to_owned))
}

#[test]
fn without_a_database_nothing_is_said() {
    let geo = Geo::open::<&Path>(&[]).unwrap();
    assert_eq!(place(&geo, "192.0.2.1"), (None, None, None));
}

#[test]
fn a_missing_or_broken_database_says_what_is_expected() {
    let message = Geo::open(&[Path::new("/nonexistent.mmdb")]).unwrap_err().to_string();
    assert!(message.starts_with("/nonexistent.mmdb: "), "{message}");
    assert!(message.ends_with("give the path of a MaxMind-format database (.mmdb)"), "{message}");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "no database").unwrap();
    assert!(Geo::open(&[file.path()]).is_err());
}

#[test]
fn country_and_system_come_from_different_databases() {
    let Some(dir) = databases() else { return };
    let test = dir.join("test-data");
    let geo = Geo::open(&[test.join("GeoLite2-Country-Test.mmdb"), test.join("GeoLite2-ASN-Test.mmdb")]).unwrap();
    assert_eq!(place(&geo, "89.160.20.128"), (Some("SE".into()), Some(29518), Some("Bredband2 AB".into())));
    assert_eq!(place(&geo, "1.128.0.1").1, Some(1221));
    assert_eq!(place(&geo, "2001:218::1").0.as_deref(), Some("JP"));
    assert_eq!(place(&geo, "10.0.0.1"), (None, None, None));
    assert_eq!(geo.undecodable(), 0);
}

#[test]
fn any_database_is_read_without_a_panic() {
    let Some(dir) = databases() else { return };
    let folders = ["bad-data/libmaxminddb", "bad-data/maxminddb-golang", "bad-data/maxminddb-python", "test-data"];
    let mut opened = 0;
    for entry in folders.iter().flat_map(|folder| fs::read_dir(dir.join(folder)).unwrap()) {
        let path = entry.unwrap().path();
        let Ok(geo) = Geo::open(&[&path]) else { continue };
        opened += 1;
        for address in ["0.0.0.0", "1.1.1.1", "81.2.69.160", "255.255.255.255", "::", "2001:220::", "::1:ffff:ffff"] {
            let _ = geo.get(address.parse().unwrap());
        }
    }
    assert!(opened > 30, "{opened}");
}

#[test]
fn the_layouts_of_other_databases_are_understood() {
    let read = |json: &str| {
        let mut place = Place::default();
        serde_json::from_str::<Record>(json).unwrap().add_to(&mut place);
        (place.country.map(String::from), place.as_number, place.as_organization.map(String::from))
    };
    let flat =
        r#"{"country_code": "de", "autonomous_system_number": 64496, "autonomous_system_organization": "Example"}"#;
    assert_eq!(read(flat), (Some("DE".into()), Some(64496), Some("Example".into())));
    let texts = r#"{"country": "FR", "asn": "AS64497", "as_name": "Other", "continent": {"code": "EU"}}"#;
    assert_eq!(read(texts), (Some("FR".into()), Some(64497), Some("Other".into())));
    let registered =
        r#"{"registered_country": {"iso_code": "US", "geoname_id": 1, "names": {"en": "x"}}, "location": [1.5]}"#;
    assert_eq!(read(registered), (Some("US".into()), None, None));
    let odd = r#"{"country": "unknown", "asn": -1, "as_name": "", "country_code": 7, "autonomous_system_number": 0}"#;
    assert_eq!(read(odd), (None, None, None));
}

#[test]
fn points_are_read_where_a_database_has_them() {
    let read = |json: &str| {
        let mut place = Place::default();
        serde_json::from_str::<Record>(json).unwrap().add_to(&mut place);
        place.point.map(|point| (point.latitude, point.longitude, point.radius_km))
    };
    let city = r#"{"location": {"latitude": 40.5, "longitude": -74, "accuracy_radius": 20, "time_zone": "x"}}"#;
    assert_eq!(read(city), Some((40.5, -74.0, 20.0)));
    assert_eq!(read(r#"{"latitude": 34.0, "longitude": -118.25}"#), Some((34.0, -118.25, 50.0)));
    assert_eq!(read(r#"{"lat": "48.1", "lng": "11.5", "country": "DE"}"#), Some((48.1, 11.5, 50.0)));
    for odd in [r#"{"location": {"latitude": 91.0, "longitude": 1.0}}"#, r#"{"location": {"latitude": 1.5}}"#, "{}"] {
        assert_eq!(read(odd), None, "{odd}");
    }
}

#[test]
fn what_is_kept_of_answers_is_bounded() {
    let Some(dir) = databases() else { return };
    let geo = Geo::open(&[dir.join("test-data/GeoLite2-Country-Test.mmdb")]).unwrap();
    for address in 0..Geo::KNOWN_MAX as u32 + 5 {
        geo.get(std::net::Ipv4Addr::from_bits(address).into());
    }
    assert_eq!(geo.known.borrow().len(), 5);
}
